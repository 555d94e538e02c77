"""Batch normalization of images: one mean and one variance for each channel, Ioffe and Szegedy 2015, section 3.2."""

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
    round_images,
    scales,
    shifts,
)

exercise = Exercise(
    "batchnorm2d-forward", "batchnorm2d_forward(x, gamma, beta, eps)", returns="y", forbidden=NORMALISERS, layout=0.5
)
AXES = exercise.criterion(
    "one mean and variance for each channel", 1, cases=("by hand, gamma 1 and beta 0", "wide", "one image", "float32")
)
AFFINE = exercise.criterion("scale and shift for each channel", 0.5, cases=("by hand", "gamma and beta", "square"))
EPS = exercise.criterion("epsilon inside the root", 0.5, cases=("by hand, large epsilon", "small variance"))

def narrow_images(g):
    """(3, 3, 2, 2), small variances; the last channel is constant."""
    x = images(g, (3, 3, 2, 2), NARROW, level=0.2)
    x[:, 2] = 0.5
    return x

@exercise.cases
def cases(g):
    yield "by hand", norm_case(round_images(g), *round_affine(g, 2), TINY)
    yield "by hand, gamma 1 and beta 0", norm_case(round_images(g), *plain(2), TINY)
    yield "by hand, large epsilon", norm_case(round_images(g, small=True), *plain(2), BY_HAND)
    yield "wide", norm_case(images(g, (5, 3, 2, 4)), *plain(3), TINY)
    yield "one image", norm_case(images(g, (1, 4, 2, 3)), *plain(4), TINY)
    yield "gamma and beta", norm_case(images(g, (2, 4, 3, 5)), scales(g, 4), shifts(g, 4), TINY)
    yield "square", norm_case(images(g, (3, 3, 3, 3)), scales(g, 3), shifts(g, 3), TINY, driver="call-strided")
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

def over(axes):
    return lambda x, gamma, beta, eps: parts_over(x, axes, per_channel(gamma), per_channel(beta), eps)

cut_open = over((0, 2, 3))

slips = add_slips(exercise, cut_open, AXES, AFFINE, EPS, slip=0.75, idea=1)

@exercise.wrong(loses=AXES)
def reshaped_without_permuting(x, gamma, beta, eps):
    """The images seem to be reshaped to rows of C numbers as they lie in memory. There, neighbors are pixels of one
    channel, not the channels of one pixel: the channel axis has to be moved to the end first."""
    return normalized_rows(x.reshape(-1, x.shape[1]), gamma, beta, eps).reshape(x.shape)

@exercise.wrong(loses=AXES)
def not_permuted_back(x, gamma, beta, eps):
    """The values look normalized but lie in the wrong places. The channel axis was moved to the end before, and a
    reshape alone does not move it back."""
    flat = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    return normalized_rows(flat, gamma, beta, eps).reshape(x.shape)

@exercise.wrong(loses=AXES)
def height_and_width_exchanged(x, gamma, beta, eps):
    """The values look normalized but height and width are mixed up on the way back to (N, C, H, W)."""
    n, c, h, w = x.shape
    flat = x.permute(0, 2, 3, 1).reshape(-1, c)
    # (N, W, H, C) instead of (N, H, W, C): the right shape, the pixels mixed up.
    return normalized_rows(flat, gamma, beta, eps).reshape(n, w, h, c).permute(0, 3, 2, 1).contiguous()

@exercise.wrong(loses=AXES)
def each_pixel_alone(x, gamma, beta, eps):
    """Mean and variance seem to be taken over the batch only, for each pixel on its own. A convolution treats all
    positions alike, so a channel has one mean over batch, height and width."""
    return normalized(x, gamma, beta, eps, (0,))

@exercise.wrong(loses=AXES)
def each_image_alone(x, gamma, beta, eps):
    """Each channel of each image seems to be normalized on its own. That is instance normalization; batch normalization
    averages over the batch as well."""
    return normalized(x, gamma, beta, eps, (2, 3))

@exercise.wrong(loses=AXES)
def channels_together(x, gamma, beta, eps):
    """All channels of an image seem to share one mean and variance. That is layer normalization; here each channel has
    its own, taken over the whole batch."""
    return normalized(x, gamma, beta, eps, (1, 2, 3))

@exercise.wrong(loses=AXES)
def one_mean_for_everything(x, gamma, beta, eps):
    """One mean and one variance seem to be used for all channels. Each channel has its own."""
    return normalized(x, gamma, beta, eps, (0, 1, 2, 3))

@exercise.wrong(loses=AXES)
def channels_taken_to_be_last(x, gamma, beta, eps):
    """Mean and variance seem to be taken over all axes but the last, as if the channels were there. In (N, C, H, W)
    they are the second axis, and the last one is the width."""
    return normalized(x, gamma, beta, eps, (0, 1, 2))

@exercise.wrong(loses=AXES, costs=0.75)
def width_not_averaged(x, gamma, beta, eps):
    """Mean and variance seem to be taken over batch and height, for each column of pixels on its own. The width belongs
    to what is averaged over."""
    return normalized(x, gamma, beta, eps, (0, 2))

@exercise.wrong(loses=AXES, costs=0.75)
def variances_of_images_averaged(x, gamma, beta, eps):
    """The variance seems to be computed in each image and then averaged. That leaves out how much the images differ
    from each other: the deviations of all pixels are measured from the one mean of the channel."""
    var = x.var((2, 3), correction=0, keepdim=True).mean(0, keepdim=True)
    p = cut_open(x, gamma, beta, eps)
    return p.affine(p.centered / torch.sqrt(var + eps))

@exercise.wrong(loses=AXES)
def statistics_along_width(x, gamma, beta, eps):
    """Mean and variance of shape (C,) seem to be matched with the width: without further axes a vector lines up
    with the last axis of x. The means of the channels have to keep their place as the second axis."""
    var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    return gamma * (x - mean) / torch.sqrt(var + eps) + beta

@exercise.also(statistics_along_width)
def statistics_along_width_with_a_right_scale(x, gamma, beta, eps):
    var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    return per_channel(gamma) * (x - mean) / torch.sqrt(var + eps) + per_channel(beta)

@exercise.wrong(loses=AFFINE, costs=0.75)
def scale_along_width(x, gamma, beta, eps):
    """gamma and beta seem to run along the width of the image: a vector of shape (C,) is matched with the last axis.
    There is one for each channel; the other layout runs at all only if W equals C."""
    p = parts_over(x, (0, 2, 3), gamma, beta, eps)
    return p.affine(p.centered / p.root)

@exercise.both(each_image_alone, scale_along_width)
def each_image_alone_and_scale_along_width(x, gamma, beta, eps):
    p = parts_over(x, (2, 3), gamma, beta, eps)
    return p.affine(p.centered / p.root)

for mistake, axes in (
    (each_pixel_alone, (0,)),
    (each_image_alone, (2, 3)),
    (channels_together, (1, 2, 3)),
    (one_mean_for_everything, (0, 1, 2, 3)),
):
    add_together(exercise, mistake, over(axes), slips)
