"""Instance normalization: the formula of batch normalization over height and width alone, Ulyanov et al. 2016."""

import numpy as np
import torch
from torch.nn import functional as F

from autograder.exercise import Exercise
from exercises.batchnorm.normalizing import add_slips, add_together, parts_over
from exercises.batchnorm.shared import (
    BIG,
    BY_HAND,
    NARROW,
    NORMALISERS,
    TINY,
    images,
    norm_case,
    normalized,
    per_channel,
    plain,
    round_affine,
    scales,
    shifts,
)

exercise = Exercise(
    "instance-norm", "instance_norm(x, gamma, beta, eps)", returns="y", forbidden=NORMALISERS, layout=0.5
)
PLANES = exercise.criterion(
    "normalizes each channel of each image", 0.5, cases=("by hand, gamma 1 and beta 0", "wide", "one image", "float32")
)
AFFINE = exercise.criterion("scale and shift for each channel", 0.5, cases=("by hand", "gamma and beta", "square"))
EPS = exercise.criterion("epsilon inside the root", 0.5, cases=("by hand, large epsilon", "small variance"))

def tiny_planes(g, *, small=False):
    """Two images of two channels and 1 x 2 pixels, round numbers, each plane m - k and m + k."""
    middle = torch.randperm(9, generator=g)[:4] - 4
    size = torch.tensor([1.5, 0.0, 1.5, 1.5]) if small else torch.arange(3, 7)
    signs = 2 * torch.randint(0, 2, (4,), generator=g) - 1
    sides = (size[torch.randperm(4, generator=g)] * signs)[:, None] * torch.tensor([-1, 1])
    return (middle[:, None] + sides).double().reshape(2, 2, 1, 2)

def narrow_planes(g):
    """(2, 3, 3, 4), small variances; the first plane is constant."""
    x = images(g, (2, 3, 3, 4), NARROW, level=0.2)
    x[0, 0] = 0.5
    return x

@exercise.cases
def cases(g):
    yield "by hand", norm_case(tiny_planes(g), *round_affine(g, 2), TINY)
    yield "by hand, gamma 1 and beta 0", norm_case(tiny_planes(g), *plain(2), TINY)
    yield "by hand, large epsilon", norm_case(tiny_planes(g, small=True), *plain(2), BY_HAND)
    yield "wide", norm_case(images(g, (5, 3, 2, 4)), *plain(3), TINY)
    yield "one image", norm_case(images(g, (1, 4, 3, 2)), *plain(4), TINY)
    yield "gamma and beta", norm_case(images(g, (2, 4, 3, 5)), scales(g, 4), shifts(g, 4), TINY)
    yield "square", norm_case(images(g, (3, 3, 3, 3)), scales(g, 3), shifts(g, 3), TINY, driver="call-strided")
    yield "small variance", norm_case(narrow_planes(g), *plain(3), BIG)
    yield "float32", norm_case(images(g, (4, 2, 3, 5)).float(), *plain(2, torch.float32), TINY)

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

def over(axes):
    return lambda x, gamma, beta, eps: parts_over(x, axes, per_channel(gamma), per_channel(beta), eps)

cut_open = over((2, 3))

slips = add_slips(exercise, cut_open, PLANES, AFFINE, EPS, slip=0.5, idea=1)

@exercise.wrong(loses=PLANES, costs=1)
def averages_over_the_batch(x, gamma, beta, eps):
    """The images of the batch seem to share mean and variance. That is batch normalization; instance normalization
    treats each image on its own."""
    return normalized(x, gamma, beta, eps, (0, 2, 3))

@exercise.wrong(loses=PLANES, costs=1)
def averages_over_the_channels(x, gamma, beta, eps):
    """The channels of an image seem to share mean and variance. That is layer normalization; instance normalization
    treats each channel on its own."""
    return normalized(x, gamma, beta, eps, (1, 2, 3))

@exercise.wrong(loses=PLANES, costs=1)
def one_mean_for_everything(x, gamma, beta, eps):
    """One mean and one variance seem to be used for all images and channels. Each channel of each image has its own."""
    return normalized(x, gamma, beta, eps, (0, 1, 2, 3))

@exercise.wrong(loses=PLANES, costs=1)
def each_pixel_alone(x, gamma, beta, eps):
    """Mean and variance seem to be taken over the channels of each pixel. They belong to one channel of one image and
    are taken over its height and width."""
    return normalized(x, gamma, beta, eps, (1,))

@exercise.wrong(loses=PLANES, costs=0.75)
def each_row_of_pixels_alone(x, gamma, beta, eps):
    """Mean and variance seem to be taken along each row of pixels. They are taken over height and width together."""
    return normalized(x, gamma, beta, eps, (3,))

@exercise.wrong(loses=PLANES, costs=0.75)
def each_column_of_pixels_alone(x, gamma, beta, eps):
    """Mean and variance seem to be taken along each column of pixels. They are taken over height and width together."""
    return normalized(x, gamma, beta, eps, (2,))

@exercise.wrong(loses=PLANES, costs=0.75)
def variance_of_the_batch(x, gamma, beta, eps):
    """The mean is that of each channel of each image, but the variance seems to be shared by the batch. Both belong to
    one channel of one image."""
    p = cut_open(x, gamma, beta, eps)
    return p.affine(p.centered / torch.sqrt(x.var((0, 2, 3), correction=0, keepdim=True) + eps))

@exercise.wrong(loses=PLANES, costs=0.75)
def mean_of_the_batch(x, gamma, beta, eps):
    """The variance is that of each channel of each image, but the mean seems to be shared by the batch. Both belong to
    one channel of one image."""
    p = cut_open(x, gamma, beta, eps)
    return p.affine((x - x.mean((0, 2, 3), keepdim=True)) / p.root)

@exercise.also(mean_of_the_batch)
def mean_of_the_batch_in_the_variance_too(x, gamma, beta, eps):
    p = cut_open(x, gamma, beta, eps)
    centered = x - x.mean((0, 2, 3), keepdim=True)
    return p.affine(centered / torch.sqrt(p.average(centered**2) + eps))

@exercise.wrong(loses=PLANES, costs=0.75)
def statistics_along_height_and_width(x, gamma, beta, eps):
    """Means and variances of shape (N, C) seem to be matched with height and width: without further axes they line up
    with the last two axes of x. They have to keep their place as the first two."""
    var, mean = torch.var_mean(x, dim=(2, 3), correction=0)
    return per_channel(gamma) * (x - mean) / torch.sqrt(var + eps) + per_channel(beta)

@exercise.wrong(loses=AFFINE)
def scale_along_width(x, gamma, beta, eps):
    """gamma and beta seem to run along the width of the image: a vector of shape (C,) is matched with the last axis.
    There is one for each channel; the other layout runs at all only if W equals C."""
    p = parts_over(x, (2, 3), gamma, beta, eps)
    return p.affine(p.centered / p.root)

@exercise.wrong(loses=AFFINE, costs=0.25)
def scales_in_wrong_order(x, gamma, beta, eps):
    """The planes are normalized, but gamma and beta go to the wrong ones. In the order of the memory the channels of
    the first image come first, then those of the second, so gamma as a whole is repeated for each image."""
    # All planes in one list, and each channel's scale repeated N times in a row: the order of (C, N), not (N, C).
    planes = x.reshape(-1, x.shape[2] * x.shape[3])
    gamma, beta = (values.repeat_interleave(len(x))[:, None] for values in (gamma, beta))
    p = parts_over(planes, (1,), gamma, beta, eps)
    return p.affine(p.centered / p.root).reshape(x.shape)

@exercise.both(averages_over_the_batch, scale_along_width)
def over_the_batch_and_scale_along_width(x, gamma, beta, eps):
    p = parts_over(x, (0, 2, 3), gamma, beta, eps)
    return p.affine(p.centered / p.root)

for mistake, axes in (
    (averages_over_the_batch, (0, 2, 3)),
    (averages_over_the_channels, (1, 2, 3)),
    (one_mean_for_everything, (0, 1, 2, 3)),
):
    add_together(exercise, mistake, over(axes), slips)
