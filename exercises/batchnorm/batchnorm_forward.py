"""Batch normalization in training mode on (N, D), Ioffe and Szegedy 2015, Algorithm 1."""

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
    NORMALISERS,
    NOT_ROOTED,
    TINY,
    UNBIASED,
    by_column,
    columns,
    narrow_columns,
    norm_case,
    plain,
    round_columns,
    scales,
    shifts,
)

exercise = Exercise("batchnorm-forward", "batchnorm_forward(x, gamma, beta, eps)", returns="y", forbidden=NORMALISERS)
CENTRE = exercise.criterion("normalises over the batch", 1.5, cases=("tiny", "wide", "one feature"))
AFFINE = exercise.criterion("scale and shift", 1, cases=("gamma and beta", "square"))
EPS = exercise.criterion("epsilon inside the root", 0.5, cases="small variance")
DTYPE = exercise.criterion("keeps the dtype", 0.5, cases=("float32", "wide"), aspect="dtype")
INPUTS = exercise.criterion("leaves its inputs unchanged", 0.5, cases=("tiny", "wide"), aspect="inputs")
ALL_VALUES = (CENTRE, AFFINE, EPS)

@exercise.cases
def cases(g):
    yield "tiny", norm_case(round_columns(g), *plain(2), TINY)
    yield "wide", norm_case(columns(g, 7, 4), *plain(4), TINY)
    yield "one feature", norm_case(columns(g, 6, 1), *plain(1), TINY)
    yield "gamma and beta", norm_case(columns(g, 6, 3), scales(g, 3), shifts(g, 3), TINY)
    yield "square", norm_case(columns(g, 5, 5), scales(g, 5), shifts(g, 5), TINY, driver="call-strided")
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

def standardized(x, eps, axis=0, correction=0):
    mean = x.mean(axis, keepdim=True)
    return (x - mean) / torch.sqrt(x.var(axis, correction=correction, keepdim=True) + eps)

@exercise.wrong(loses=ALL_VALUES, hint=UNBIASED)
def unbiased_variance(x, gamma, beta, eps):
    return gamma * standardized(x, eps, correction=1) + beta

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(x, gamma, beta, eps):
    return gamma * (x - x.mean(0)) / (x.std(0, correction=0) + eps) + beta

@exercise.wrong(loses=EPS, hint=EPS_OMITTED)
def epsilon_omitted(x, gamma, beta, eps):
    return gamma * standardized(x, 0.0) + beta

@exercise.wrong(loses=EPS, hint=EPS_FIXED)
def epsilon_fixed(x, gamma, beta, eps):
    return gamma * standardized(x, 1e-5) + beta

@exercise.wrong(loses=ALL_VALUES, hint=NOT_ROOTED)
def divides_by_variance(x, gamma, beta, eps):
    return gamma * (x - x.mean(0)) / (x.var(0, correction=0) + eps) + beta

@exercise.wrong(loses=ALL_VALUES)
def normalises_each_row(x, gamma, beta, eps):
    """Every row comes out with mean 0: mean and variance seem to be taken over the features of one example. Batch
    normalisation takes them over the batch, for each feature on its own."""
    return gamma * standardized(x, eps, axis=1) + beta

# With a single feature the whole array is the feature; the other cases show it.
@exercise.wrong(loses=ALL_VALUES)
def one_mean_for_everything(x, gamma, beta, eps):
    """One mean and one variance seem to be used for the whole array. Each feature has its own: the features may have
    very different sizes."""
    return gamma * (x - x.mean()) / torch.sqrt(x.var(correction=0) + eps) + beta

@exercise.wrong(loses=ALL_VALUES)
def mean_not_subtracted(x, gamma, beta, eps):
    """The spread is right but the columns are not centred: the mean of each feature seems not to be subtracted."""
    return gamma * x / torch.sqrt(x.var(0, correction=0) + eps) + beta

@exercise.wrong(loses=AFFINE, hint=AFFINE_FORGOTTEN)
def affine_forgotten(x, gamma, beta, eps):
    return standardized(x, eps)

@exercise.wrong(loses=ALL_VALUES)
def gamma_and_beta_swapped(x, gamma, beta, eps):
    """gamma and beta seem to have changed places: gamma is the scale, beta what is added."""
    return beta * standardized(x, eps) + gamma

@exercise.wrong(loses=AFFINE)
def shift_is_scaled_too(x, gamma, beta, eps):
    """beta seems to be added before the multiplication by gamma, so it is scaled as well. It comes last."""
    return gamma * (standardized(x, eps) + beta)

@exercise.wrong(loses=ALL_VALUES)
def scale_per_example(x, gamma, beta, eps):
    """gamma and beta seem to be laid along the batch, one for each example. There is one for each feature; only where N
    equals D does the other way run at all."""
    return gamma[:, None] * standardized(x, eps) + beta[:, None]

@exercise.wrong(loses=INPUTS)
def input_changed(x, gamma, beta, eps):
    """The values are right, but the caller's own tensor was overwritten on the way. An operation in place on an
    argument, such as an assignment with -= or a method ending in an underscore, does that."""
    var = x.var(0, correction=0)
    x -= x.mean(0)
    return gamma * x / torch.sqrt(var + eps) + beta

@exercise.wrong(loses=DTYPE, hint=FLOAT32)
def always_float32(x, gamma, beta, eps):
    return by_torch(x, gamma, beta, eps).float()
