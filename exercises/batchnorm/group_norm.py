"""Group normalization: contiguous channels of one image share mean and variance, Wu and He 2018, section 3."""

import numpy as np
import torch
from torch.nn import functional as F

from autograder.exercise import Case, Exercise
from exercises.batchnorm.normalizing import Parts, add_slips, add_together
from exercises.batchnorm.shared import (
    BIG,
    BY_HAND,
    NARROW,
    NORMALISERS,
    TINY,
    images,
    per_channel,
    plain,
    round_affine,
    scales,
    shifts,
    sizes,
)

exercise = Exercise(
    "group-norm", "group_norm(x, num_groups, gamma, beta, eps)", returns="y", forbidden=NORMALISERS, layout=0.5
)
GROUPS = exercise.criterion(
    "normalizes contiguous groups of channels", 1, cases=("by hand, gamma 1 and beta 0", "wide", "float32")
)
EXTREMES = exercise.criterion(
    "from one group to one for each channel", 0.5, cases=("one group", "each channel a group")
)
AFFINE = exercise.criterion("scale and shift for each channel", 0.5, cases=("by hand", "gamma and beta", "square"))
EPS = exercise.criterion("epsilon inside the root", 0.5, cases=("by hand, large epsilon", "small variance"))

def case(x, num_groups, gamma, beta, eps, driver="call"):
    return Case({"x": x, "num_groups": num_groups, "gamma": gamma, "beta": beta, "eps": eps}, driver=driver)

def tiny_images(g, *, small=False):
    """Two images of four channels and 1 x 2 pixels, round numbers; groups of two are m - k twice and m + k twice."""
    middle = torch.tensor([[-6, 6], [3, -3]]) + torch.randint(-2, 3, (2, 2), generator=g)
    # One group differs between the channels, the other between the pixels: no two choices of axes agree.
    signs = torch.tensor([[[-1, -1], [1, 1]], [[-1, 1], [-1, 1]]])[torch.randperm(2, generator=g)]
    deviations = sizes(g, 4, small=small).reshape(2, 2, 1, 1) * signs
    return (middle[:, :, None, None] + deviations).reshape(2, 4, 1, 2)

def narrow_groups(g):
    """(2, 6, 2, 3), small variances; the first group of three channels is constant in the first image."""
    x = images(g, (2, 6, 2, 3), NARROW, level=0.2)
    x[0, :3] = 0.5
    return x

@exercise.cases
def cases(g):
    yield "by hand", case(tiny_images(g), 2, *round_affine(g, 4), TINY)
    yield "by hand, gamma 1 and beta 0", case(tiny_images(g), 2, *plain(4), TINY)
    yield "by hand, large epsilon", case(tiny_images(g, small=True), 2, *plain(4), BY_HAND)
    yield "wide", case(images(g, (3, 6, 2, 4)), 2, *plain(6), TINY)
    yield "one group", case(images(g, (3, 4, 2, 5)), 1, *plain(4), TINY)
    yield "each channel a group", case(images(g, (4, 3, 2, 5)), 3, *plain(3), TINY)
    yield "gamma and beta", case(images(g, (2, 6, 3, 5)), 3, scales(g, 6), shifts(g, 6), TINY)
    # As wide as there are channels, so that a scale along the width runs.
    yield "square", case(images(g, (1, 4, 1, 4)), 2, scales(g, 4), shifts(g, 4), TINY, driver="call-strided")
    yield "small variance", case(narrow_groups(g), 2, *plain(6), BIG)
    yield "float32", case(images(g, (2, 8, 3, 2)).float(), 2, *plain(8, torch.float32), TINY)

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

def grouped(x, num_groups, gamma, beta, eps, axes=(2, 3, 4)):
    """The parts of a normalization; axes count in (N, G, C / G, H, W)."""
    n, c, h, w = x.shape

    def average(t):
        groups = t.reshape(n, num_groups, c // num_groups, h, w)
        return groups.mean(axes, keepdim=True).expand(groups.shape).reshape(x.shape)

    return Parts(x, average, c // num_groups * h * w, per_channel(gamma), per_channel(beta), eps)

def result(p):
    return p.affine(p.centered / p.root)

slips = add_slips(exercise, grouped, GROUPS, AFFINE, EPS, slip=0.75, idea=1.25)

@exercise.wrong(loses=GROUPS)
def interleaved_groups(x, num_groups, gamma, beta, eps):
    """The groups seem to take every G-th channel. They are contiguous: the first channels form the first group. The
    number of groups and the number of channels in a group may have changed places in a reshape."""
    return result(grouped(x, x.shape[1] // num_groups, gamma, beta, eps, (1, 3, 4)))

@exercise.wrong(loses=GROUPS, costs=1.25)
def groups_over_the_batch(x, num_groups, gamma, beta, eps):
    """The images of the batch seem to share mean and variance. Group normalization treats each image on its own; that
    is why it works with a batch of one."""
    return result(grouped(x, num_groups, gamma, beta, eps, (0, 2, 3, 4)))

@exercise.wrong(loses=GROUPS, costs=1.25)
def each_pixel_alone(x, num_groups, gamma, beta, eps):
    """Mean and variance seem to be taken over the channels of a group at each pixel alone. Height and width belong to
    what is averaged over."""
    return result(grouped(x, num_groups, gamma, beta, eps, (2,)))

@exercise.wrong(loses=(GROUPS, EXTREMES))
def each_channel_alone(x, num_groups, gamma, beta, eps):
    """Each channel seems to be normalized on its own. That is instance normalization, or as many groups as channels;
    here the channels of a group share mean and variance."""
    return result(grouped(x, x.shape[1], gamma, beta, eps))

@exercise.wrong(loses=(GROUPS, EXTREMES))
def all_channels_together(x, num_groups, gamma, beta, eps):
    """All channels of an image seem to share mean and variance, whatever the number of groups."""
    return result(grouped(x, 1, gamma, beta, eps))

@exercise.wrong(loses=GROUPS, costs=1.25)
def batch_normalization(x, num_groups, gamma, beta, eps):
    """Each channel seems to have one mean and variance over the whole batch. That is batch normalization; here the
    channels of a group share them, and each image has its own."""
    return result(grouped(x, x.shape[1], gamma, beta, eps, (0, 2, 3, 4)))

@exercise.wrong(loses=(GROUPS, EXTREMES), costs=1)
def group_size_for_number(x, num_groups, gamma, beta, eps):
    """num_groups seems to be used as the number of channels in a group. It is the number of groups."""
    return result(grouped(x, x.shape[1] // num_groups, gamma, beta, eps))

@exercise.wrong(loses=GROUPS)
def groups_cut_from_the_whole_batch(x, num_groups, gamma, beta, eps):
    """The whole batch seems to be cut into as many pieces as there are groups. Every image has that number of groups of
    its own, so there are N times as many pieces."""
    flat = x.reshape(num_groups, -1)
    var, mean = torch.var_mean(flat, dim=1, correction=0, keepdim=True)
    return per_channel(gamma) * ((flat - mean) / torch.sqrt(var + eps)).reshape(x.shape) + per_channel(beta)

@exercise.wrong(loses=GROUPS, costs=0.75)
def variances_of_channels_averaged(x, num_groups, gamma, beta, eps):
    """The variance of a group seems to be the average of the variances of its channels. That leaves out how much the
    channels differ from each other: all deviations are measured from the one mean of the group."""
    p = grouped(x, num_groups, gamma, beta, eps)
    return p.affine(p.centered / torch.sqrt(p.average(x.var((2, 3), correction=0, keepdim=True).expand(x.shape)) + eps))

@exercise.wrong(loses=AFFINE)
def scale_for_each_group(x, num_groups, gamma, beta, eps):
    """All channels of a group seem to share one gamma and beta. Mean and variance belong to the group, the scale to the
    channel."""
    size = x.shape[1] // num_groups
    first = torch.arange(x.shape[1]) // size * size
    return result(grouped(x, num_groups, gamma[first], beta[first], eps))

@exercise.also(scale_for_each_group)
def scale_by_the_number_of_the_group(x, num_groups, gamma, beta, eps):
    size = x.shape[1] // num_groups
    group = torch.arange(x.shape[1]) // size
    return result(grouped(x, num_groups, gamma[group], beta[group], eps))

@exercise.wrong(loses=AFFINE, costs=0.75)
def scale_along_width(x, num_groups, gamma, beta, eps):
    """gamma and beta seem to run along the width of the image: a vector of shape (C,) is matched with the last axis.
    There is one for each channel; the other layout runs at all only if W equals C."""
    p = grouped(x, num_groups, gamma, beta, eps)
    return gamma * p.centered / p.root + beta

@exercise.both(all_channels_together, scale_along_width)
def together_and_along_width(x, num_groups, gamma, beta, eps):
    return scale_along_width(x, 1, gamma, beta, eps)

@exercise.both(slips.unbiased_variance, scale_for_each_group)
def unbiased_and_scale_for_each_group(x, num_groups, gamma, beta, eps):
    size = x.shape[1] // num_groups
    first = torch.arange(x.shape[1]) // size * size
    p = grouped(x, num_groups, gamma[first], beta[first], eps)
    return p.affine(p.centered / p.unbiased_root)

@exercise.both(slips.unbiased_variance, scale_for_each_group)
def unbiased_and_scale_by_the_number_of_the_group(x, num_groups, gamma, beta, eps):
    group = torch.arange(x.shape[1]) // (x.shape[1] // num_groups)
    p = grouped(x, num_groups, gamma[group], beta[group], eps)
    return p.affine(p.centered / p.unbiased_root)

def interleaved(x, num_groups, gamma, beta, eps):
    p = grouped(x, x.shape[1] // num_groups, gamma, beta, eps, (1, 3, 4))
    p.count = x[0].numel() / num_groups
    return p

def over_the_batch(x, num_groups, gamma, beta, eps):
    p = grouped(x, num_groups, gamma, beta, eps, (0, 2, 3, 4))
    p.count = x.numel() / num_groups
    return p

def in_one_group(x, num_groups, gamma, beta, eps):
    return grouped(x, 1, gamma, beta, eps)

def in_groups_of_one(x, num_groups, gamma, beta, eps):
    return grouped(x, x.shape[1], gamma, beta, eps)

add_together(exercise, interleaved_groups, interleaved, slips)
add_together(exercise, groups_over_the_batch, over_the_batch, slips)
add_together(exercise, all_channels_together, in_one_group, slips)
add_together(exercise, each_channel_alone, in_groups_of_one, slips)
