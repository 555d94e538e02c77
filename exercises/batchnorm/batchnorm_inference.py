"""Batch normalization after training: the running statistics in place of those of the batch."""

import numpy as np
import torch
from torch.nn import functional as F

from autograder.exercise import Case, Exercise
from exercises.batchnorm.shared import (
    BIG,
    EPS_FIXED,
    EPS_OUTSIDE,
    NORMALISERS,
    TINY,
    columns,
    plain,
    scales,
    shifts,
    variances,
)

exercise = Exercise(
    "batchnorm-inference",
    "batchnorm_inference(x, gamma, beta, running_mean, running_var, eps)",
    returns="y",
    forbidden=NORMALISERS,
)
STATS = exercise.criterion("uses the running statistics", 0.5, cases=("tiny", "wide"))
SCALE = exercise.criterion("scale and shift", 0.5, cases=("gamma and beta", "square"))
ROW = exercise.criterion("a single row is enough", 0.5, cases="single row")
EPS = exercise.criterion("epsilon inside the root", 0.5, cases="small variance")
DTYPE = exercise.criterion("keeps the dtype", 0.5, cases=("float32", "wide"), aspect="dtype")
INPUTS = exercise.criterion("leaves the running statistics unchanged", 0.5, cases=("tiny", "wide"), aspect="inputs")
ALL_VALUES = (STATS, SCALE, ROW, EPS)

def tiny(g):
    """Whole numbers, and variances that are squares."""
    x = torch.randint(-9, 10, (3, 2), generator=g).double()
    mean = torch.randint(1, 5, (2,), generator=g).double()
    var = torch.tensor([4.0, 9.0], dtype=torch.float64)[torch.randperm(2, generator=g)]
    gamma, beta = plain(2)
    return {"x": x, "gamma": gamma, "beta": beta, "running_mean": mean, "running_var": var, "eps": TINY}

def case(g, x, gamma, beta, *, small=False, driver="call"):
    d = x.shape[1]
    statistics = {"running_mean": shifts(g, d, 1.0, 4.0), "running_var": variances(g, d, small=small)}
    inputs = {"x": x, "gamma": gamma, "beta": beta, **statistics}
    cast = {name: tensor.to(x.dtype) for name, tensor in inputs.items()}
    return Case({**cast, "eps": BIG if small else TINY}, driver=driver)

@exercise.cases
def cases(g):
    yield "tiny", tiny(g)
    yield "wide", case(g, columns(g, 7, 4), *plain(4))
    yield "gamma and beta", case(g, columns(g, 6, 3), scales(g, 3), shifts(g, 3))
    yield "square", case(g, columns(g, 5, 5), scales(g, 5), shifts(g, 5), driver="call-strided")
    yield "single row", case(g, shifts(g, 4, 2.0, 9.0)[None], *plain(4))
    yield "small variance", case(g, columns(g, 6, 3), *plain(3), small=True)
    yield "float32", case(g, columns(g, 8, 3).float(), *plain(3))

@exercise.reference
def by_torch(x, gamma, beta, mean, var, eps):
    return F.batch_norm(x, mean, var, gamma, beta, training=False, eps=eps)

@exercise.right
def row_by_row(x, gamma, beta, mean, var, eps):
    return torch.stack([beta + gamma * (row - mean) * (var + eps) ** -0.5 for row in x])

@exercise.right
def numpy_as_an_affine_map(x, gamma, beta, mean, var, eps):
    scale = gamma.numpy() / np.sqrt(var.numpy() + eps)
    return torch.as_tensor(x.numpy() * scale + (beta.numpy() - mean.numpy() * scale), dtype=x.dtype)

@exercise.right
def einsum(x, gamma, beta, mean, var, eps):
    return torch.einsum("nd,d->nd", x - mean, gamma / (var + eps).sqrt()) + beta

@exercise.right
def in_place_on_a_copy(x, gamma, beta, mean, var, eps):
    return x.clone().sub_(mean).mul_(torch.rsqrt(var + eps)).mul_(gamma).add_(beta)

@exercise.right
def float64_inside(x, gamma, beta, mean, var, eps):
    return torch.addcmul(beta.double(), (x.double() - mean) / (var.double() + eps).sqrt(), gamma.double()).to(x.dtype)

@exercise.wrong(loses=ALL_VALUES)
def batch_statistics(x, gamma, beta, mean, var, eps):
    """The statistics of the batch at hand seem to be used. At inference each row must get the same answer whatever
    stands beside it, so the stored statistics are used; a batch of one would give beta and nothing else."""
    return gamma * (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps) + beta

@exercise.wrong(loses=ALL_VALUES)
def batch_mean_running_variance(x, gamma, beta, mean, var, eps):
    """The running variance is used, but the mean seems to be that of the batch. Both come from training."""
    return gamma * (x - x.mean(0)) / torch.sqrt(var + eps) + beta

@exercise.wrong(loses=ALL_VALUES)
def running_mean_batch_variance(x, gamma, beta, mean, var, eps):
    """The running mean is used, but the variance seems to be that of the batch. Both come from training."""
    return gamma * (x - mean) / torch.sqrt(x.var(0, correction=0) + eps) + beta

@exercise.wrong(loses=ALL_VALUES)
def divides_by_variance(x, gamma, beta, mean, var, eps):
    """The division seems to be by the running variance. The running variance is a variance: its root is still to be
    taken."""
    return gamma * (x - mean) / (var + eps) + beta

@exercise.wrong(loses=ALL_VALUES)
def mean_not_subtracted(x, gamma, beta, mean, var, eps):
    """The running mean does not seem to be subtracted."""
    return gamma * x / torch.sqrt(var + eps) + beta

@exercise.wrong(loses=SCALE)
def affine_forgotten(x, gamma, beta, mean, var, eps):
    """gamma and beta seem to be unused. They were learnt in training and belong to evaluation as well."""
    return (x - mean) / torch.sqrt(var + eps)

@exercise.wrong(loses=ALL_VALUES)
def gamma_and_beta_swapped(x, gamma, beta, mean, var, eps):
    """gamma and beta seem to have changed places: gamma is the scale, beta what is added."""
    return beta * (x - mean) / torch.sqrt(var + eps) + gamma

@exercise.wrong(loses=EPS)
def epsilon_omitted(x, gamma, beta, mean, var, eps):
    """eps does not seem to enter. Training divided by the root of variance plus eps; evaluation must do the same, or
    small variances give another network."""
    return gamma * (x - mean) / torch.sqrt(var) + beta

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / (torch.sqrt(var) + eps) + beta

@exercise.wrong(loses=EPS, hint=EPS_FIXED)
def epsilon_fixed(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / torch.sqrt(var + 1e-5) + beta

@exercise.wrong(loses=INPUTS)
def statistics_still_updated(x, gamma, beta, mean, var, eps):
    """The values are right, but the running statistics were changed by the call. At inference they are read only;
    otherwise the second answer differs from the first."""
    y = by_torch(x, gamma, beta, mean, var, eps)
    mean.mul_(0.9).add_(0.1 * x.mean(0))
    var.mul_(0.9).add_(0.1 * x.var(0, correction=0))
    return y
