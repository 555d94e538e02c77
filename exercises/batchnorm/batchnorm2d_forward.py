"""Batch normalization of images: one mean and one variance for each channel, Ioffe and Szegedy 2015, section 3.2."""

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
    FLOAT32,
    NARROW,
    NORMALISERS,
    NOT_ROOTED,
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

exercise = Exercise(
    "batchnorm2d-forward", "batchnorm2d_forward(x, gamma, beta, eps)", returns="y", forbidden=NORMALISERS
)
AXES = exercise.criterion("one mean and variance for each channel", 1, cases=("tiny", "wide"))
AFFINE = exercise.criterion("scale and shift for each channel", 0.5, cases=("gamma and beta", "square"))
EPS = exercise.criterion("epsilon inside the root", 0.5, cases="small variance")
LAYOUT = exercise.criterion("accepts any memory layout", 0.5, cases="not contiguous in memory")
DTYPE = exercise.criterion("keeps the dtype", 0.5, cases=("float32", "wide"), aspect="dtype")
ALL_VALUES = (AXES, AFFINE, EPS, LAYOUT)

def tiny_images(g):
    """Two images of two channels and 1 x 2 pixels, whole numbers, each channel m - k twice and m + k twice."""
    middle, size = torch.randperm(9, generator=g)[:2] - 4, torch.randperm(4, generator=g)[:2] + 3
    # Channel 0 differs between the images, channel 1 between the pixels: no two choices of axes agree.
    signs = torch.tensor([[[-1, -1], [-1, 1]], [[1, 1], [-1, 1]]])[torch.randperm(2, generator=g)]
    return (middle[:, None] + size[:, None] * signs).double()[:, :, None, :]

def narrow_images(g):
    """(3, 3, 2, 2), small variances; the last channel is constant."""
    x = images(g, (3, 3, 2, 2), NARROW, level=0.2)
    x[:, 2] = 0.5
    return x

@exercise.cases
def cases(g):
    yield "tiny", norm_case(tiny_images(g), *plain(2), TINY)
    yield "wide", norm_case(images(g, (5, 3, 2, 4)), *plain(3), TINY)
    yield "gamma and beta", norm_case(images(g, (2, 4, 3, 5)), scales(g, 4), shifts(g, 4), TINY)
    yield "square", norm_case(images(g, (3, 3, 3, 3)), scales(g, 3), shifts(g, 3), TINY)
    yield "not contiguous in memory", norm_case(images(g, (3, 2, 4, 5)), *plain(2), TINY, driver="call-strided")
    yield "small variance", norm_case(narrow_images(g), *plain(3), BIG)
    yield "float32", norm_case(images(g, (4, 2, 3, 2)).float(), *plain(2, torch.float32), TINY)

@exercise.reference
def by_torch(x, gamma, beta, eps):
    return F.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)

def normalized_rows(flat, gamma, beta, eps):
    """(M, C) -> (M, C), each column normalized."""
    var, mean = torch.var_mean(flat, dim=0, correction=0)
    return gamma * (flat - mean) / torch.sqrt(var + eps) + beta

@exercise.right
def permuted_to_rows(x, gamma, beta, eps):
    n, c, h, w = x.shape
    flat = x.permute(0, 2, 3, 1).reshape(-1, c)
    return normalized_rows(flat, gamma, beta, eps).reshape(n, h, w, c).permute(0, 3, 1, 2)

@exercise.right
def channel_by_channel(x, gamma, beta, eps):
    out = torch.zeros_like(x)
    for c in range(x.shape[1]):
        plane = x[:, c]
        out[:, c] = gamma[c] * (plane - plane.mean()) / (plane.var(correction=0) + eps) ** 0.5 + beta[c]
    return out

@exercise.right
def einsum(x, gamma, beta, eps):
    m = x.numel() // x.shape[1]
    centred = x - torch.einsum("nchw->c", x).reshape(1, -1, 1, 1) / m
    scale = gamma / torch.sqrt(torch.einsum("nchw,nchw->c", centred, centred) / m + eps)
    return torch.einsum("nchw,c->nchw", centred, scale) + beta.view(1, -1, 1, 1)

@exercise.right
def numpy(x, gamma, beta, eps):
    a = np.moveaxis(x.numpy(), 1, -1)
    y = (a - a.mean((0, 1, 2))) / np.sqrt(a.var((0, 1, 2)) + eps) * gamma.numpy() + beta.numpy()
    return torch.from_numpy(np.moveaxis(y, -1, 1).copy()).to(x.dtype)

@exercise.right
def moments_of_transposed_rows(x, gamma, beta, eps):
    rows = x.transpose(0, 1).flatten(1)
    mean, square = rows.double().mean(1, keepdim=True), rows.double().pow(2).mean(1, keepdim=True)
    y = gamma[:, None] * (rows - mean) / (square - mean**2 + eps).sqrt() + beta[:, None]
    return y.to(x.dtype).reshape(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1)

@exercise.wrong(loses=ALL_VALUES)
def reshaped_without_permuting(x, gamma, beta, eps):
    """The images seem to be reshaped to rows of C numbers as they lie in memory. There, neighbours are pixels of one
    channel, not the channels of one pixel: the channel axis has to be moved to the end first."""
    return normalized_rows(x.reshape(-1, x.shape[1]), gamma, beta, eps).reshape(x.shape)

@exercise.wrong(loses=ALL_VALUES)
def not_permuted_back(x, gamma, beta, eps):
    """The values look normalised but lie in the wrong places. The channel axis was moved to the end before, and a
    reshape alone does not move it back."""
    flat = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    return normalized_rows(flat, gamma, beta, eps).reshape(x.shape)

@exercise.wrong(loses=ALL_VALUES)
def height_and_width_exchanged(x, gamma, beta, eps):
    """The values look normalised but height and width are mixed up on the way back to (N, C, H, W)."""
    n, c, h, w = x.shape
    flat = x.permute(0, 2, 3, 1).reshape(-1, c)
    # (N, W, H, C) instead of (N, H, W, C): the right shape, the pixels mixed up.
    return normalized_rows(flat, gamma, beta, eps).reshape(n, w, h, c).permute(0, 3, 2, 1).contiguous()

@exercise.wrong(loses=ALL_VALUES)
def each_pixel_alone(x, gamma, beta, eps):
    """Mean and variance seem to be taken over the batch only, for each pixel on its own. A convolution treats all
    positions alike, so a channel has one mean over batch, height and width."""
    return normalized(x, gamma, beta, eps, (0,))

@exercise.wrong(loses=ALL_VALUES)
def each_image_alone(x, gamma, beta, eps):
    """Each channel of each image seems to be normalised on its own. That is instance normalisation; batch normalisation
    averages over the batch as well."""
    return normalized(x, gamma, beta, eps, (2, 3))

@exercise.wrong(loses=ALL_VALUES)
def channels_together(x, gamma, beta, eps):
    """All channels of an image seem to share one mean and variance. That is layer normalisation; here each channel has
    its own, taken over the whole batch."""
    return normalized(x, gamma, beta, eps, (1, 2, 3))

@exercise.wrong(loses=ALL_VALUES)
def one_mean_for_everything(x, gamma, beta, eps):
    """One mean and one variance seem to be used for all channels. Each channel has its own."""
    return normalized(x, gamma, beta, eps, (0, 1, 2, 3))

@exercise.wrong(loses=ALL_VALUES, hint=UNBIASED)
def unbiased_variance(x, gamma, beta, eps):
    return normalized(x, gamma, beta, eps, (0, 2, 3), correction=1)

@exercise.wrong(loses=ALL_VALUES, hint=NOT_ROOTED)
def divides_by_variance(x, gamma, beta, eps):
    var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
    return per_channel(gamma) * (x - mean) / (var + eps) + per_channel(beta)

@exercise.wrong(loses=AFFINE, hint=AFFINE_FORGOTTEN)
def affine_forgotten(x, gamma, beta, eps):
    return normalized(x, *plain(x.shape[1], x.dtype), eps, (0, 2, 3))

@exercise.wrong(loses=ALL_VALUES)
def scale_along_width(x, gamma, beta, eps):
    """gamma and beta seem to run along the width of the image: a vector of shape (C,) is matched with the last axis.
    There is one for each channel; only where W equals C does the other way run at all."""
    var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
    return gamma * (x - mean) / torch.sqrt(var + eps) + beta

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(x, gamma, beta, eps):
    std, mean = torch.std_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
    return per_channel(gamma) * (x - mean) / (std + eps) + per_channel(beta)

@exercise.wrong(loses=EPS, hint=EPS_OMITTED)
def epsilon_omitted(x, gamma, beta, eps):
    return normalized(x, gamma, beta, 0.0, (0, 2, 3))

@exercise.wrong(loses=EPS, hint=EPS_FIXED)
def epsilon_fixed(x, gamma, beta, eps):
    return normalized(x, gamma, beta, 1e-5, (0, 2, 3))

@exercise.wrong(loses=LAYOUT)
def needs_contiguous_memory(x, gamma, beta, eps):
    """The function fails on images whose memory is laid out differently, such as a permuted tensor. A view needs a
    certain layout; a reshape copies where it must."""
    n, c, h, w = x.shape
    flat = x.view(n, c, h * w)
    var, mean = torch.var_mean(flat, dim=(0, 2), correction=0, keepdim=True)
    y = gamma[:, None] * (flat - mean) / torch.sqrt(var + eps) + beta[:, None]
    return y.view(n, c, h, w)

@exercise.wrong(loses=DTYPE, hint=FLOAT32)
def always_float32(x, gamma, beta, eps):
    return by_torch(x, gamma, beta, eps).float()
