"""Group normalization: contiguous channels of one image share mean and variance, Wu and He 2018, section 3."""

import numpy as np
import torch
from torch.nn import functional as F

from autograder.exercise import Case, Exercise
from exercises.batchnorm.shared import (
    AFFINE_FORGOTTEN,
    BIG,
    EPS_FIXED,
    EPS_OMITTED,
    EPS_OUTSIDE,
    NARROW,
    NORMALISERS,
    NOT_ROOTED,
    TINY,
    UNBIASED,
    images,
    per_channel,
    plain,
    scales,
    shifts,
)

exercise = Exercise("group-norm", "group_norm(x, num_groups, gamma, beta, eps)", returns="y", forbidden=NORMALISERS)
GROUPS = exercise.criterion("normalises contiguous groups of channels", 1, cases=("tiny", "wide"))
EXTREMES = exercise.criterion(
    "from one group to one for each channel", 0.5, cases=("one group", "each channel a group")
)
AFFINE = exercise.criterion("scale and shift for each channel", 0.5, cases=("gamma and beta", "square"))
EPS = exercise.criterion("epsilon inside the root", 0.5, cases="small variance")
LAYOUT = exercise.criterion("accepts any memory layout", 0.5, cases="not contiguous in memory")
ALL_VALUES = (GROUPS, EXTREMES, AFFINE, EPS, LAYOUT)

def case(x, num_groups, gamma, beta, eps, driver="call"):
    return Case({"x": x, "num_groups": num_groups, "gamma": gamma, "beta": beta, "eps": eps}, driver=driver)

def tiny_image(g):
    """One image of four channels and 1 x 2 pixels, whole numbers; groups of two are m - k twice and m + k twice."""
    size = torch.randperm(4, generator=g)[:2] + 3
    middle = torch.tensor([-6, 6]) + torch.randint(-3, 4, (2,), generator=g)
    signs = torch.tensor([[[-1, 1], [1, -1]], [[-1, -1], [1, 1]]])[torch.randperm(2, generator=g)]
    return (middle[:, None, None] + size[:, None, None] * signs).double().reshape(1, 4, 1, 2)

def narrow_groups(g):
    """(2, 6, 2, 3), small variances; the first group of three channels is constant in the first image."""
    x = images(g, (2, 6, 2, 3), NARROW, level=0.2)
    x[0, :3] = 0.5
    return x

@exercise.cases
def cases(g):
    yield "tiny", case(tiny_image(g), 2, *plain(4), TINY)
    yield "wide", case(images(g, (3, 6, 2, 4)), 2, *plain(6), TINY)
    yield "one group", case(images(g, (3, 4, 2, 5)), 1, *plain(4), TINY)
    yield "each channel a group", case(images(g, (4, 3, 2, 5)), 3, *plain(3), TINY)
    yield "gamma and beta", case(images(g, (2, 6, 3, 5)), 3, scales(g, 6), shifts(g, 6), TINY)
    yield "square", case(images(g, (4, 4, 4, 4)), 2, scales(g, 4), shifts(g, 4), TINY)
    yield "not contiguous in memory", case(images(g, (3, 4, 2, 3)), 2, *plain(4), TINY, driver="call-strided")
    yield "small variance", case(narrow_groups(g), 2, *plain(6), BIG)

@exercise.reference
def by_torch(x, num_groups, gamma, beta, eps):
    return F.group_norm(x, num_groups, gamma, beta, eps)

@exercise.right
def slices(x, num_groups, gamma, beta, eps):
    out, size = torch.empty_like(x), x.shape[1] // num_groups
    for i in range(x.shape[0]):
        for start in range(0, x.shape[1], size):
            part = x[i, start : start + size]
            normal = (part - part.mean()) / (part.var(correction=0) + eps) ** 0.5
            out[i, start : start + size] = (
                gamma[start : start + size, None, None] * normal + beta[start : start + size, None, None]
            )
    return out

@exercise.right
def chunks(x, num_groups, gamma, beta, eps):
    parts = []
    for part in x.chunk(num_groups, dim=1):
        mean = part.mean((1, 2, 3), keepdim=True)
        parts.append((part - mean) * torch.rsqrt((part - mean).square().mean((1, 2, 3), keepdim=True) + eps))
    return torch.addcmul(per_channel(beta), torch.cat(parts, dim=1), per_channel(gamma))

@exercise.right
def numpy(x, num_groups, gamma, beta, eps):
    a = x.numpy().reshape(x.shape[0], num_groups, -1)
    normal = (a - a.mean(2, keepdims=True)) / np.sqrt(a.var(2, keepdims=True) + eps)
    shape = (1, -1, 1, 1)
    return torch.tensor(normal.reshape(x.shape) * gamma.numpy().reshape(shape) + beta.numpy().reshape(shape))

@exercise.right
def membership_matrix(x, num_groups, gamma, beta, eps):
    """Averages as a product with the (C, C) matrix of who shares a group with whom."""
    c = x.shape[1]
    group = torch.arange(c) * num_groups // c
    share = (group[:, None] == group).to(x.dtype)
    share = share / share.sum(1, keepdim=True)
    mean = torch.einsum("dc,nc->nd", share, x.mean((2, 3)))[..., None, None]
    var = torch.einsum("dc,nc->nd", share, (x - mean).square().mean((2, 3)))[..., None, None]
    return (x - mean) / (var + eps).sqrt() * gamma.reshape(1, c, 1, 1) + beta.reshape(1, c, 1, 1)

def affine(y, gamma, beta):
    return per_channel(gamma) * y + per_channel(beta)

@exercise.wrong(loses=(GROUPS, AFFINE, EPS, LAYOUT))
def interleaved_groups(x, num_groups, gamma, beta, eps):
    """The groups seem to take every G-th channel. They are contiguous: the first channels form the first group. The
    number of groups and the number of channels in a group may have changed places in a reshape."""
    n, c, h, w = x.shape
    groups = x.reshape(n, c // num_groups, num_groups, h, w)
    var, mean = torch.var_mean(groups, dim=(1, 3, 4), correction=0, keepdim=True)
    return affine(((groups - mean) / torch.sqrt(var + eps)).reshape(x.shape), gamma, beta)

def grouped(x, num_groups, eps, axes=(2, 3, 4), correction=0):
    """Normalized without scale and shift; axes count in (N, G, C / G, H, W)."""
    n, c, h, w = x.shape
    groups = x.reshape(n, num_groups, c // num_groups, h, w)
    var, mean = torch.var_mean(groups, dim=axes, correction=correction, keepdim=True)
    return ((groups - mean) / torch.sqrt(var + eps)).reshape(x.shape)

# A single image is a batch that shares nothing, so the tiny case does not show it; the wide one does.
@exercise.wrong(loses=ALL_VALUES)
def groups_over_the_batch(x, num_groups, gamma, beta, eps):
    """The images of the batch seem to share mean and variance. Group normalisation treats each image on its own; that
    is why it works with a batch of one."""
    return affine(grouped(x, num_groups, eps, (0, 2, 3, 4)), gamma, beta)

@exercise.wrong(loses=ALL_VALUES)
def each_pixel_alone(x, num_groups, gamma, beta, eps):
    """Mean and variance seem to be taken over the channels of a group at each pixel alone. Height and width belong to
    what is averaged over."""
    return affine(grouped(x, num_groups, eps, (2,)), gamma, beta)

@exercise.wrong(loses=ALL_VALUES)
def each_channel_alone(x, num_groups, gamma, beta, eps):
    """Each channel seems to be normalised on its own. That is instance normalisation, or as many groups as channels;
    here the channels of a group share mean and variance."""
    return affine(grouped(x, x.shape[1], eps), gamma, beta)

@exercise.wrong(loses=ALL_VALUES)
def all_channels_together(x, num_groups, gamma, beta, eps):
    """All channels of an image seem to share mean and variance, whatever the number of groups."""
    return affine(grouped(x, 1, eps), gamma, beta)

@exercise.wrong(loses=(GROUPS, EXTREMES, AFFINE, EPS))
def group_size_for_number(x, num_groups, gamma, beta, eps):
    """num_groups seems to be used as the number of channels in a group. It is the number of groups."""
    return affine(grouped(x, x.shape[1] // num_groups, eps), gamma, beta)

@exercise.wrong(loses=AFFINE)
def scale_for_each_group(x, num_groups, gamma, beta, eps):
    """All channels of a group seem to share one gamma and beta. Mean and variance belong to the group, the scale to the
    channel."""
    size = x.shape[1] // num_groups
    first = torch.arange(x.shape[1]) // size * size
    return affine(grouped(x, num_groups, eps), gamma[first], beta[first])

@exercise.wrong(loses=AFFINE, hint=AFFINE_FORGOTTEN)
def affine_forgotten(x, num_groups, gamma, beta, eps):
    return grouped(x, num_groups, eps)

@exercise.wrong(loses=ALL_VALUES)
def scale_along_width(x, num_groups, gamma, beta, eps):
    """gamma and beta seem to run along the width of the image: a vector of shape (C,) is matched with the last axis.
    There is one for each channel; only where W equals C does the other way run at all."""
    return gamma * grouped(x, num_groups, eps) + beta

@exercise.wrong(loses=ALL_VALUES, hint=UNBIASED)
def unbiased_variance(x, num_groups, gamma, beta, eps):
    return affine(grouped(x, num_groups, eps, correction=1), gamma, beta)

@exercise.wrong(loses=ALL_VALUES, hint=NOT_ROOTED)
def divides_by_variance(x, num_groups, gamma, beta, eps):
    groups = x.reshape(x.shape[0], num_groups, -1)
    var, mean = torch.var_mean(groups, dim=2, correction=0, keepdim=True)
    return affine(((groups - mean) / (var + eps)).reshape(x.shape), gamma, beta)

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(x, num_groups, gamma, beta, eps):
    groups = x.reshape(x.shape[0], num_groups, -1)
    std, mean = torch.std_mean(groups, dim=2, correction=0, keepdim=True)
    return affine(((groups - mean) / (std + eps)).reshape(x.shape), gamma, beta)

@exercise.wrong(loses=EPS, hint=EPS_OMITTED)
def epsilon_omitted(x, num_groups, gamma, beta, eps):
    return affine(grouped(x, num_groups, 0.0), gamma, beta)

@exercise.wrong(loses=EPS, hint=EPS_FIXED)
def epsilon_fixed(x, num_groups, gamma, beta, eps):
    return affine(grouped(x, num_groups, 1e-5), gamma, beta)

@exercise.wrong(loses=LAYOUT)
def needs_contiguous_memory(x, num_groups, gamma, beta, eps):
    """The function fails on images whose memory is laid out differently, such as a permuted tensor. A view needs a
    certain layout; a reshape copies where it must."""
    n, c, h, w = x.shape
    groups = x.view(n, num_groups, -1)
    var, mean = torch.var_mean(groups, dim=2, correction=0, keepdim=True)
    return affine(((groups - mean) / torch.sqrt(var + eps)).view(n, c, h, w), gamma, beta)
