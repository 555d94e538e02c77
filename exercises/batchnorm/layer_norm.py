"""Layer normalization: the formula of batch normalization over the features of one example, Ba et al. 2016."""

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
    NOT_ROOTED,
    TINY,
    UNBIASED,
    WIDE,
    columns,
    norm_case,
    plain,
    round_columns,
    scales,
    shifts,
)

exercise = Exercise("layer-norm", "layer_norm(x, gamma, beta, eps)", returns="y", forbidden=NORMALISERS)
ROWS = exercise.criterion("normalises each example over its features", 1, cases=("tiny", "wide", "single row"))
AFFINE = exercise.criterion("scale and shift for each feature", 0.5, cases=("gamma and beta", "square"))
EPS = exercise.criterion("epsilon inside the root", 0.5, cases="small variance")
ALL_VALUES = (ROWS, AFFINE, EPS)

def rows(g, n, d, std=WIDE, level=6.0):
    """A batch (n, d) whose rows have means and deviations of their own."""
    return columns(g, d, n, std, level).T.contiguous()

@exercise.cases
def cases(g):
    narrow = rows(g, 6, 5, NARROW, 1.0)
    narrow[0] = 0.5
    yield "tiny", norm_case(round_columns(g).T.contiguous(), *plain(4), TINY)
    yield "wide", norm_case(rows(g, 5, 7), *plain(7), TINY)
    yield "gamma and beta", norm_case(rows(g, 6, 4), scales(g, 4), shifts(g, 4), TINY)
    yield "square", norm_case(rows(g, 5, 5), scales(g, 5), shifts(g, 5), TINY, "call-strided")
    yield "single row", norm_case(rows(g, 1, 6), *plain(6), TINY)
    yield "small variance", norm_case(narrow, *plain(5), BIG)

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

def normalized(x, gamma, beta, eps, axis=1, correction=0):
    var, mean = torch.var_mean(x, dim=axis, correction=correction, keepdim=True)
    return gamma * (x - mean) / torch.sqrt(var + eps) + beta

@exercise.wrong(loses=ALL_VALUES)
def normalises_over_the_batch(x, gamma, beta, eps):
    """Mean and variance seem to be taken over the batch. Layer normalisation takes them over the features of one
    example, so that an example does not depend on the others."""
    return normalized(x, gamma, beta, eps, axis=0)

@exercise.wrong(loses=ALL_VALUES)
def one_mean_for_everything(x, gamma, beta, eps):
    """One mean and one variance seem to be used for the whole array. Each example has its own."""
    return gamma * (x - x.mean()) / torch.sqrt(x.var(correction=0) + eps) + beta

@exercise.wrong(loses=ALL_VALUES, hint=UNBIASED)
def unbiased_variance(x, gamma, beta, eps):
    return normalized(x, gamma, beta, eps, correction=1)

@exercise.wrong(loses=ALL_VALUES)
def unbiased_and_epsilon_outside(x, gamma, beta, eps):
    """Two things at once, both in well-known code for transformers: the deviation is the unbiased one, and eps is added
    to it instead of to the variance."""
    return gamma * (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + eps) + beta

@exercise.wrong(loses=ALL_VALUES, hint=NOT_ROOTED)
def divides_by_variance(x, gamma, beta, eps):
    return gamma * (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + eps) + beta

@exercise.wrong(loses=AFFINE, hint=AFFINE_FORGOTTEN)
def affine_forgotten(x, gamma, beta, eps):
    return normalized(x, *plain(x.shape[1], x.dtype), eps)

@exercise.wrong(loses=AFFINE)
def one_scale_for_all_features(x, gamma, beta, eps):
    """All features seem to share the first gamma and beta. Each feature has its own."""
    return normalized(x, gamma[0], beta[0], eps)

@exercise.wrong(loses=ALL_VALUES)
def scale_per_example(x, gamma, beta, eps):
    """gamma and beta seem to be laid along the batch, one for each example. What is normalised is an example, but the
    scale belongs to a feature."""
    normal = normalized(x, *plain(x.shape[1], x.dtype), eps)
    return gamma[:, None] * normal + beta[:, None]

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(x, gamma, beta, eps):
    return gamma * (x - x.mean(1, keepdim=True)) / (x.std(1, correction=0, keepdim=True) + eps) + beta

@exercise.wrong(loses=EPS, hint=EPS_OMITTED)
def epsilon_omitted(x, gamma, beta, eps):
    return normalized(x, gamma, beta, 0.0)

@exercise.wrong(loses=EPS, hint=EPS_FIXED)
def epsilon_fixed(x, gamma, beta, eps):
    return normalized(x, gamma, beta, 1e-5)
