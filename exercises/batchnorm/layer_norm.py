"""Layer normalization: the formula of batch normalization over the features of one example, Ba et al. 2016."""

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
    WIDE,
    columns,
    norm_case,
    plain,
    round_affine,
    round_columns,
    scales,
    shifts,
)

exercise = Exercise("layer-norm", "layer_norm(x, gamma, beta, eps)", returns="y", forbidden=NORMALISERS)
ROWS = exercise.criterion(
    "normalizes each example over its features",
    1,
    cases=("by hand, gamma 1 and beta 0", "wide", "single row", "float32"),
)
AFFINE = exercise.criterion("scale and shift for each feature", 0.5, cases=("by hand", "gamma and beta", "square"))
EPS = exercise.criterion("epsilon inside the root", 0.5, cases=("by hand, large epsilon", "small variance"))

def rows(g, n, d, std=WIDE, level=6.0):
    """A batch (n, d) whose rows have means and deviations of their own."""
    return columns(g, d, n, std, level).T.contiguous()

def round_rows(g, *, small=False):
    """Two rows of four round numbers."""
    return round_columns(g, small=small).T.contiguous()

@exercise.cases
def cases(g):
    narrow = rows(g, 6, 5, NARROW, 1.0)
    narrow[0] = 0.5
    yield "by hand", norm_case(round_rows(g), *round_affine(g, 4), TINY)
    yield "by hand, gamma 1 and beta 0", norm_case(round_rows(g), *plain(4), TINY)
    yield "by hand, large epsilon", norm_case(round_rows(g, small=True), *plain(4), BY_HAND)
    yield "wide", norm_case(rows(g, 5, 7), *plain(7), TINY)
    yield "gamma and beta", norm_case(rows(g, 6, 4), scales(g, 4), shifts(g, 4), TINY)
    yield "square", norm_case(rows(g, 4, 4), scales(g, 4), shifts(g, 4), TINY, "call-strided")
    yield "single row", norm_case(rows(g, 1, 6), *plain(6), TINY)
    yield "small variance", norm_case(narrow, *plain(5), BIG)
    yield "float32", norm_case(rows(g, 4, 6).float(), *plain(6, torch.float32), TINY)

@exercise.reference
def by_torch(x, gamma, beta, eps):
    return F.layer_norm(x, x.shape[1:], gamma, beta, eps)

@exercise.right
def row_by_row(x, gamma, beta, eps):
    rows = []
    for row in x:
        mean = sum(row) / len(row)
        var = sum((v - mean) ** 2 for v in row) / len(row)
        rows.append(gamma * (row - mean) / (var + eps) ** 0.5 + beta)
    return torch.stack(rows)

@exercise.right
def numpy(x, gamma, beta, eps):
    a = x.numpy()
    y = (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + eps)
    return torch.from_numpy(y * gamma.numpy() + beta.numpy())

@exercise.right
def transposed(x, gamma, beta, eps):
    return gamma * ((x.T - x.mean(1)) * torch.rsqrt(x.T.var(0, correction=0) + eps)).T + beta

@exercise.right
def moments(x, gamma, beta, eps):
    mean, square = x.mean(-1, keepdim=True), x.square().mean(-1, keepdim=True)
    return torch.addcmul(beta, (x - mean) / (square - mean.square() + eps).sqrt(), gamma)

def over(axes):
    return lambda x, gamma, beta, eps: parts_over(x, axes, gamma, beta, eps)

slips = add_slips(exercise, over((1,)), ROWS, AFFINE, EPS, slip=0.5, idea=1)

@exercise.wrong(loses=ROWS)
def normalizes_over_the_batch(x, gamma, beta, eps):
    """Mean and variance seem to be taken over the batch. Layer normalization takes them over the features of one
    example, so that an example does not depend on the others."""
    p = over((0,))(x, gamma, beta, eps)
    return p.affine(p.centered / p.root)

# A single row is the whole array; the other cases show it.
@exercise.wrong(loses=ROWS)
def one_mean_for_everything(x, gamma, beta, eps):
    """One mean and one variance seem to be used for the whole array. Each example has its own."""
    p = over((0, 1))(x, gamma, beta, eps)
    return p.affine(p.centered / p.root)

@exercise.wrong(loses=ROWS, costs=0.75)
def variance_of_the_batch(x, gamma, beta, eps):
    """Each example's own mean is subtracted, but the variance seems to be taken over the batch, for each feature. Both
    belong to one example and are taken over its features."""
    p = over((1,))(x, gamma, beta, eps)
    return p.affine(p.centered / torch.sqrt((p.centered**2).mean(0) + eps))

@exercise.also(variance_of_the_batch)
def variance_of_the_batch_around_its_mean(x, gamma, beta, eps):
    p = over((1,))(x, gamma, beta, eps)
    return p.affine(p.centered / torch.sqrt(x.var(0, correction=0) + eps))

@exercise.wrong(loses=ROWS, costs=0.75)
def mean_of_the_batch(x, gamma, beta, eps):
    """The variance is that of each example, but the mean seems to be taken over the batch, for each feature. Both
    belong to one example and are taken over its features."""
    p = over((1,))(x, gamma, beta, eps)
    return p.affine((x - x.mean(0)) / p.root)

@exercise.wrong(loses=ROWS, costs=0.75)
def statistics_along_the_features(x, gamma, beta, eps):
    """The means of the examples, of shape (N,), seem to be matched with the features: without a second axis a
    vector lines up with the last axis of x. That fails unless N equals D, and then each column gets the mean of
    another row."""
    var, mean = torch.var_mean(x, dim=1, correction=0)
    return gamma * (x - mean) / torch.sqrt(var + eps) + beta

@exercise.wrong(loses=ROWS, costs=0.5)
def not_transposed_back(x, gamma, beta, eps):
    """The result is turned: it has a row for each feature. If x was transposed to reuse batch normalization, the result
    has to be transposed back."""
    p = over((1,))(x, torch.ones_like(gamma), torch.zeros_like(beta), eps)
    return gamma[:, None] * (p.centered / p.root).T + beta[:, None]

@exercise.wrong(loses=AFFINE, costs=0.25)
def one_scale_for_all_features(x, gamma, beta, eps):
    """All features seem to share the first gamma and beta. Each feature has its own."""
    p = over((1,))(x, gamma[0], beta[0], eps)
    return p.affine(p.centered / p.root)

@exercise.wrong(loses=AFFINE)
def scale_per_example(x, gamma, beta, eps):
    """gamma and beta seem to be laid along the batch, one for each example. What is normalized is an example, but the
    scale belongs to a feature."""
    p = over((1,))(x, gamma[:, None], beta[:, None], eps)
    return p.affine(p.centered / p.root)

add_together(exercise, normalizes_over_the_batch, over((0,)), slips)
add_together(exercise, one_mean_for_everything, over((0, 1)), slips)
