"""Batch normalization in training mode on (N, D), Ioffe and Szegedy 2015, Algorithm 1."""

import numpy as np
import torch
from torch.nn import functional as F

from autograder.exercise import Exercise
from exercises.batchnorm.normalizing import add_slips, add_together, parts_over
from exercises.batchnorm.shared import (
    BIG,
    BY_HAND,
    NORMALISERS,
    TINY,
    by_column,
    columns,
    narrow_columns,
    norm_case,
    plain,
    round_affine,
    round_columns,
    scales,
    shifts,
)

exercise = Exercise("batchnorm-forward", "batchnorm_forward(x, gamma, beta, eps)", returns="y", forbidden=NORMALISERS)
CENTER = exercise.criterion(
    "normalizes over the batch", 2, cases=("by hand, gamma 1 and beta 0", "wide", "one feature", "float32")
)
AFFINE = exercise.criterion("scale and shift", 1, cases=("by hand", "gamma and beta", "square"))
EPS = exercise.criterion("epsilon inside the root", 0.5, cases=("by hand, large epsilon", "small variance"))

@exercise.cases
def cases(g):
    yield "by hand", norm_case(round_columns(g), *round_affine(g, 2), TINY)
    yield "by hand, gamma 1 and beta 0", norm_case(round_columns(g), *plain(2), TINY)
    yield "by hand, large epsilon", norm_case(round_columns(g, small=True), *plain(2), BY_HAND)
    yield "wide", norm_case(columns(g, 7, 4), *plain(4), TINY)
    yield "one feature", norm_case(columns(g, 13, 1), *plain(1), TINY)
    yield "gamma and beta", norm_case(columns(g, 6, 3), scales(g, 3), shifts(g, 3), TINY)
    yield "square", norm_case(columns(g, 4, 4), scales(g, 4), shifts(g, 4), TINY, driver="call-strided")
    yield "small variance", norm_case(narrow_columns(g), *plain(3), BIG)
    yield "float32", norm_case(columns(g, 8, 3).float(), *plain(3, torch.float32), TINY)

@exercise.reference
def by_torch(x, gamma, beta, eps):
    return F.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)

exercise.right(by_column)

@exercise.right
def einsum(x, gamma, beta, eps):
    centred = x - torch.einsum("nd->d", x) / x.shape[0]
    var = torch.einsum("nd,nd->d", centred, centred) / x.shape[0]
    return torch.einsum("nd,d->nd", centred, gamma * torch.rsqrt(var + eps)) + beta

@exercise.right
def numpy(x, gamma, beta, eps):
    a = x.numpy()
    y = gamma.numpy() * (a - a.mean(axis=0)) / np.sqrt(a.var(axis=0) + eps) + beta.numpy()
    return torch.from_numpy(y).to(x.dtype)

@exercise.right
def moments_in_float64(x, gamma, beta, eps):
    wide = x.double()
    mean = wide.mean(0)
    var = (wide**2).mean(0) - mean**2
    return (gamma * (wide - mean) / torch.sqrt(var + eps) + beta).to(x.dtype)

@exercise.right
def in_place_on_a_copy(x, gamma, beta, eps):
    var, mean = torch.var_mean(x, dim=0, correction=0)
    y = x.clone()
    y -= mean
    y /= (var + eps).sqrt_()
    return torch.addcmul(beta, y, gamma)

def over(axes):
    return lambda x, gamma, beta, eps: parts_over(x, axes, gamma, beta, eps)

slips = add_slips(exercise, over((0,)), CENTER, AFFINE, EPS, slip=1, idea=1.5)

@exercise.wrong(loses=CENTER)
def normalizes_each_row(x, gamma, beta, eps):
    """Mean and variance seem to be taken over the features of one example, so that every row is centered on its own.
    Batch normalization takes them over the batch, for each feature on its own."""
    p = over((1,))(x, gamma, beta, eps)
    return p.affine(p.centered / p.root)

# With a single feature the whole array is the feature; the other cases show it.
@exercise.wrong(loses=CENTER, costs=1.5)
def one_mean_for_everything(x, gamma, beta, eps):
    """One mean and one variance seem to be used for the whole array. Each feature has its own: the features may have
    very different sizes."""
    p = over((0, 1))(x, gamma, beta, eps)
    return p.affine(p.centered / p.root)

@exercise.wrong(loses=CENTER, costs=1)
def variance_of_each_row(x, gamma, beta, eps):
    """The mean of each feature is subtracted, but the variance seems to be taken over the features of one example. Both
    belong to a feature and are taken over the batch."""
    p = over((0,))(x, gamma, beta, eps)
    return p.affine(p.centered / torch.sqrt((p.centered**2).mean(1, keepdim=True) + eps))

@exercise.also(variance_of_each_row)
def variance_of_each_row_around_its_mean(x, gamma, beta, eps):
    p = over((0,))(x, gamma, beta, eps)
    return p.affine(p.centered / torch.sqrt(x.var(1, correction=0, keepdim=True) + eps))

@exercise.wrong(loses=AFFINE)
def scale_per_example(x, gamma, beta, eps):
    """gamma and beta seem to be laid along the batch, one for each example. There is one for each feature; the
    other layout runs at all only if N equals D."""
    p = over((0,))(x, gamma[:, None], beta[:, None], eps)
    return p.affine(p.centered / p.root)

add_together(exercise, normalizes_each_row, over((1,)), slips)
add_together(exercise, one_mean_for_everything, over((0, 1)), slips)
