"""Instance normalization: the formula of batch normalization over height and width alone, Ulyanov et al. 2016."""

import numpy as np
import torch
from torch.nn import functional as F

from autograder.exercise import Exercise
from exercises.batchnorm.shared import (
    AFFINE_FORGOTTEN,
    BIG,
    EPS_FIXED,
    EPS_OMITTED,
    EPS_OUTSIDE,
    NARROW,
    NORMALISERS,
    TINY,
    UNBIASED,
    images,
    norm_case,
    normalized,
    per_channel,
    plain,
    scales,
    shifts,
)

exercise = Exercise("instance-norm", "instance_norm(x, gamma, beta, eps)", returns="y", forbidden=NORMALISERS)
PLANES = exercise.criterion("normalises each channel of each image", 1, cases=("tiny", "wide"))
AFFINE = exercise.criterion("scale and shift for each channel", 0.5, cases=("gamma and beta", "square"))
EPS = exercise.criterion("epsilon inside the root", 0.5, cases="small variance")
ALL_VALUES = (PLANES, AFFINE, EPS)

def tiny_planes(g):
    """Two images of two channels and 1 x 2 pixels, whole numbers, each plane m - k and m + k."""
    middle = (torch.randperm(9, generator=g)[:4] - 4).reshape(2, 2, 1, 1)
    size = (torch.randperm(4, generator=g) + 3).reshape(2, 2, 1, 1)
    signs = 2 * torch.randint(0, 2, (2, 2, 1, 1), generator=g) - 1
    return (middle + size * signs * torch.tensor([-1, 1])).double()

def narrow_planes(g):
    """(2, 3, 3, 4), small variances; the first plane is constant."""
    x = images(g, (2, 3, 3, 4), NARROW, level=0.2)
    x[0, 0] = 0.5
    return x

@exercise.cases
def cases(g):
    yield "tiny", norm_case(tiny_planes(g), *plain(2), TINY)
    yield "wide", norm_case(images(g, (5, 3, 2, 4)), *plain(3), TINY)
    yield "gamma and beta", norm_case(images(g, (2, 4, 3, 5)), scales(g, 4), shifts(g, 4), TINY)
    yield "square", norm_case(images(g, (3, 3, 3, 3)), scales(g, 3), shifts(g, 3), TINY, driver="call-strided")
    yield "small variance", norm_case(narrow_planes(g), *plain(3), BIG)

@exercise.reference
def by_torch(x, gamma, beta, eps):
    return F.instance_norm(x, weight=gamma, bias=beta, eps=eps)

@exercise.right
def plane_by_plane(x, gamma, beta, eps):
    out = x.clone()
    for image in out:
        for c, plane in enumerate(image):
            plane -= plane.mean()
            plane *= gamma[c] / torch.sqrt(plane.square().mean() + eps)
            plane += beta[c]
    return out

@exercise.right
def numpy(x, gamma, beta, eps):
    a = x.numpy()
    y = (a - a.mean((2, 3), keepdims=True)) / np.sqrt(a.var((2, 3), keepdims=True) + eps)
    return torch.from_numpy(y * gamma.numpy()[None, :, None, None] + beta.numpy()[None, :, None, None])

@exercise.right
def einsum(x, gamma, beta, eps):
    flat = x.flatten(2)
    centred = flat - torch.einsum("ncs->nc", flat)[..., None] / flat.shape[2]
    scale = gamma / torch.sqrt(torch.einsum("ncs,ncs->nc", centred, centred) / flat.shape[2] + eps)
    return (torch.einsum("ncs,nc->ncs", centred, scale) + beta[:, None]).reshape(x.shape)

@exercise.right
def rows(x, gamma, beta, eps):
    n = x.shape[0]
    planes = x.reshape(-1, x.shape[2] * x.shape[3])
    normal = (planes - planes.mean(1, keepdim=True)) / torch.sqrt(planes.var(1, correction=0, keepdim=True) + eps)
    return (gamma.repeat(n)[:, None] * normal + beta.repeat(n)[:, None]).reshape(x.shape)

@exercise.wrong(loses=ALL_VALUES)
def averages_over_the_batch(x, gamma, beta, eps):
    """The images of the batch seem to share mean and variance. That is batch normalisation; instance normalisation
    treats each image on its own."""
    return normalized(x, gamma, beta, eps, (0, 2, 3))

@exercise.wrong(loses=ALL_VALUES)
def averages_over_the_channels(x, gamma, beta, eps):
    """The channels of an image seem to share mean and variance. That is layer normalisation; instance normalisation
    treats each channel on its own."""
    return normalized(x, gamma, beta, eps, (1, 2, 3))

@exercise.wrong(loses=ALL_VALUES)
def each_pixel_alone(x, gamma, beta, eps):
    """Mean and variance seem to be taken over the channels of each pixel. They belong to one channel of one image and
    are taken over its height and width."""
    return normalized(x, gamma, beta, eps, (1,))

@exercise.wrong(loses=ALL_VALUES)
def one_axis_only(x, gamma, beta, eps):
    """Mean and variance seem to be taken along each row of pixels. They are taken over height and width together."""
    return normalized(x, gamma, beta, eps, (3,))

@exercise.wrong(loses=ALL_VALUES, hint=UNBIASED)
def unbiased_variance(x, gamma, beta, eps):
    return normalized(x, gamma, beta, eps, (2, 3), correction=1)

@exercise.wrong(loses=AFFINE, hint=AFFINE_FORGOTTEN)
def affine_forgotten(x, gamma, beta, eps):
    return normalized(x, *plain(x.shape[1], x.dtype), eps, (2, 3))

@exercise.wrong(loses=ALL_VALUES)
def scale_along_width(x, gamma, beta, eps):
    """gamma and beta seem to run along the width of the image: a vector of shape (C,) is matched with the last axis.
    There is one for each channel; only where W equals C does the other way run at all."""
    return gamma * normalized(x, *plain(x.shape[1], x.dtype), eps, (2, 3)) + beta

@exercise.wrong(loses=AFFINE)
def scales_in_wrong_order(x, gamma, beta, eps):
    """The planes are normalised, but gamma and beta go to the wrong ones. In the order of the memory the channels of
    the first image come first, then those of the second, so gamma as a whole is repeated for each image."""
    # All planes in one list, and each channel's scale repeated N times in a row: the order of (C, N), not (N, C).
    n, c, h, w = x.shape
    flat = x.reshape(n * c, h * w)
    var, mean = torch.var_mean(flat, dim=1, correction=0, keepdim=True)
    normal = (flat - mean) / torch.sqrt(var + eps)
    return (gamma.repeat_interleave(n)[:, None] * normal + beta.repeat_interleave(n)[:, None]).reshape(x.shape)

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(x, gamma, beta, eps):
    std, mean = torch.std_mean(x, dim=(2, 3), correction=0, keepdim=True)
    return per_channel(gamma) * (x - mean) / (std + eps) + per_channel(beta)

@exercise.wrong(loses=EPS, hint=EPS_OMITTED)
def epsilon_omitted(x, gamma, beta, eps):
    return normalized(x, gamma, beta, 0.0, (2, 3))

@exercise.wrong(loses=EPS, hint=EPS_FIXED)
def epsilon_fixed(x, gamma, beta, eps):
    return normalized(x, gamma, beta, 1e-5, (2, 3))
