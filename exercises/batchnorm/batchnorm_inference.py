"""Batch normalization after training: the running statistics in place of those of the batch."""

import numpy as np
import torch
from torch.nn import functional as F

from autograder.exercise import Case, Exercise
from exercises.batchnorm.shared import (
    BIG,
    BY_HAND,
    EPS_FIXED,
    EPS_OUTSIDE,
    NORMALISERS,
    TINY,
    columns,
    plain,
    round_affine,
    round_statistics,
    scales,
    shifts,
    sizes,
    variances,
)

exercise = Exercise(
    "batchnorm-inference",
    "batchnorm_inference(x, gamma, beta, running_mean, running_var, eps)",
    returns="y",
    forbidden=NORMALISERS,
)
STATS = exercise.criterion(
    "uses the running statistics", 1, cases=("by hand, gamma 1 and beta 0", "wide", "float32")
)
SCALE = exercise.criterion("scale and shift", 0.5, cases=("by hand", "gamma and beta", "square"))
ROW = exercise.criterion("a single row is enough", 0.5, cases="single row")
EPS = exercise.criterion("epsilon inside the root", 0.5, cases=("by hand, large epsilon", "small variance"))

def by_hand(g, gamma, beta, mean, var, eps=TINY):
    x = torch.randint(-4, 5, (3, 2), generator=g).double() * 2 + 1
    return {"x": x, "gamma": gamma, "beta": beta, "running_mean": mean, "running_var": var, "eps": eps}

def case(g, x, gamma, beta, *, small=False, driver="call"):
    d = x.shape[1]
    statistics = {"running_mean": shifts(g, d, 1.0, 4.0), "running_var": variances(g, d, small=small)}
    inputs = {"x": x, "gamma": gamma, "beta": beta, **statistics}
    cast = {name: tensor.to(x.dtype) for name, tensor in inputs.items()}
    return Case({**cast, "eps": BIG if small else TINY}, driver=driver)

@exercise.cases
def cases(g):
    mean, var = round_statistics(g, 2)
    yield "by hand", by_hand(g, *round_affine(g, 2), mean, var)
    yield "by hand, gamma 1 and beta 0", by_hand(g, *plain(2), mean, var)
    yield "by hand, large epsilon", by_hand(g, *plain(2), mean, sizes(g, 2, small=True) ** 2, BY_HAND)
    yield "wide", case(g, columns(g, 7, 4), *plain(4))
    yield "gamma and beta", case(g, columns(g, 6, 3), scales(g, 3), shifts(g, 3))
    yield "square", case(g, columns(g, 4, 4), scales(g, 4), shifts(g, 4), driver="call-strided")
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

def normal(x, mean, var, eps):
    return (x - mean) / torch.sqrt(var + eps)

def unbiased(x):
    """The unbiased variance of the batch; NaN for a single row, without torch's warning."""
    return ((x - x.mean(0)) ** 2).sum(0) / (len(x) - 1)

@exercise.wrong(loses=(STATS, ROW), costs=2)
def batch_statistics(x, gamma, beta, mean, var, eps):
    """The statistics of the batch at hand seem to be used. At inference each row must get the same answer whatever
    stands beside it, so the stored statistics are used; a batch of one would give beta and nothing else."""
    return gamma * normal(x, x.mean(0), x.var(0, correction=0), eps) + beta

@exercise.also(batch_statistics)
def batch_statistics_unbiased(x, gamma, beta, mean, var, eps):
    return gamma * normal(x, x.mean(0), unbiased(x), eps) + beta

@exercise.wrong(loses=(STATS, ROW), costs=1)
def batch_mean_running_variance(x, gamma, beta, mean, var, eps):
    """The running variance is used, but the mean seems to be that of the batch. Both come from training."""
    return gamma * normal(x, x.mean(0), var, eps) + beta

@exercise.wrong(loses=(STATS, ROW), costs=1)
def running_mean_batch_variance(x, gamma, beta, mean, var, eps):
    """The running mean is used, but the variance seems to be that of the batch. Both come from training."""
    return gamma * normal(x, mean, x.var(0, correction=0), eps) + beta

@exercise.also(running_mean_batch_variance)
def batch_variance_around_the_running_mean(x, gamma, beta, mean, var, eps):
    return gamma * normal(x, mean, ((x - mean) ** 2).mean(0), eps) + beta

@exercise.wrong(loses=(STATS, ROW), costs=1)
def statistics_updated_first(x, gamma, beta, mean, var, eps):
    """The running statistics seem to be moved toward this batch before they are used. At inference nothing is learned:
    the answer for a row must not depend on the rows beside it."""
    return gamma * normal(x, 0.9 * mean + 0.1 * x.mean(0), var, eps) + beta

@exercise.also(statistics_updated_first)
def both_statistics_updated_first(x, gamma, beta, mean, var, eps):
    new_var = 0.9 * var + 0.1 * x.var(0, correction=0)
    return gamma * normal(x, 0.9 * mean + 0.1 * x.mean(0), new_var, eps) + beta

@exercise.also(statistics_updated_first)
def both_statistics_updated_first_by_the_unbiased_variance(x, gamma, beta, mean, var, eps):
    return gamma * normal(x, 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * unbiased(x), eps) + beta

@exercise.wrong(loses=(STATS, ROW), costs=0.75)
def variance_corrected_for_this_batch(x, gamma, beta, mean, var, eps):
    """The running variance seems to be multiplied by a correction with N, the size of this batch. It is used as it is:
    the size of the batch at hand has nothing to do with it, and for a single row the correction breaks down."""
    return gamma * normal(x, mean, var * (len(x) - 1) / len(x), eps) + beta

@exercise.also(variance_corrected_for_this_batch)
def variance_made_unbiased_again(x, gamma, beta, mean, var, eps):
    return gamma * normal(x, mean, var * len(x) / (len(x) - 1), eps) + beta

@exercise.wrong(loses=STATS, costs=0.5)
def variance_corrected_beside_other_rows(x, gamma, beta, mean, var, eps):
    """Unless a row comes alone, the running variance seems to be multiplied by a correction with N, the size of this
    batch. It is used as it is: the size of the batch at hand has nothing to do with it."""
    n = len(x)
    return gamma * normal(x, mean, var * n / (n - 1) if n > 1 else var, eps) + beta

@exercise.also(variance_corrected_beside_other_rows)
def variance_made_biased_beside_other_rows(x, gamma, beta, mean, var, eps):
    n = len(x)
    return gamma * normal(x, mean, var * (n - 1) / n if n > 1 else var, eps) + beta

@exercise.wrong(loses=STATS, costs=0.75)
def divides_by_variance(x, gamma, beta, mean, var, eps):
    """The division seems to be by the running variance. The running variance is a variance: its root is still to be
    taken."""
    return gamma * (x - mean) / (var + eps) + beta

@exercise.wrong(loses=ROW, costs=0.25)
def row_axis_lost(x, gamma, beta, mean, var, eps):
    """A single row comes back without the axis of the batch, as a vector. A batch of one is still a batch: the result
    has the shape of x. Squeezing removes every axis of length 1, wanted or not."""
    return (gamma * normal(x, mean, var, eps) + beta).squeeze()

@exercise.wrong(loses=STATS, costs=0.75)
def mean_not_subtracted(x, gamma, beta, mean, var, eps):
    """The running mean does not seem to be subtracted."""
    return gamma * normal(x, 0, var, eps) + beta

@exercise.wrong(loses=STATS, costs=0.5)
def mean_added(x, gamma, beta, mean, var, eps):
    """The running mean seems to be added. It is subtracted, so that what is typical for training becomes zero."""
    return gamma * normal(x, -mean, var, eps) + beta

@exercise.wrong(loses=STATS, costs=0.75)
def spread_not_divided_out(x, gamma, beta, mean, var, eps):
    """The running mean is taken out, but the division by the root of the running variance seems to be missing."""
    return gamma * (x - mean) + beta

@exercise.wrong(loses=STATS, costs=0.5)
def mean_and_variance_swapped(x, gamma, beta, mean, var, eps):
    """The running mean and the running variance seem to have changed places: the one is subtracted, the root of the
    other divides."""
    return gamma * normal(x, var, mean, eps) + beta

@exercise.wrong(loses=SCALE)
def affine_forgotten(x, gamma, beta, mean, var, eps):
    """gamma and beta seem to be unused. They were learned in training and belong to evaluation as well."""
    return normal(x, mean, var, eps)

@exercise.wrong(loses=SCALE, costs=0.25)
def gamma_forgotten(x, gamma, beta, mean, var, eps):
    """beta is added, but gamma seems to be unused. It was learned in training and belongs to evaluation as well."""
    return normal(x, mean, var, eps) + beta

@exercise.wrong(loses=SCALE, costs=0.25)
def beta_forgotten(x, gamma, beta, mean, var, eps):
    """gamma scales the result, but beta seems to be unused. It was learned in training and belongs to evaluation as
    well."""
    return gamma * normal(x, mean, var, eps)

@exercise.wrong(loses=SCALE, costs=0.25)
def shift_is_scaled_too(x, gamma, beta, mean, var, eps):
    """beta seems to be added before the multiplication by gamma, so it is scaled as well. It comes last."""
    return gamma * (normal(x, mean, var, eps) + beta)

@exercise.wrong(loses=SCALE, costs=0.25)
def mean_not_scaled(x, gamma, beta, mean, var, eps):
    """gamma seems to multiply x before the running mean is subtracted, so the mean is not scaled. gamma multiplies what
    was normalized: first subtract and divide, then scale."""
    return (gamma * x - mean) / torch.sqrt(var + eps) + beta

@exercise.wrong(loses=SCALE, costs=0.25)
def gamma_on_the_mean_only(x, gamma, beta, mean, var, eps):
    """gamma seems to multiply the running mean but not x. Both are parts of what was normalized, and gamma multiplies
    all of it."""
    return (x - gamma * mean) / torch.sqrt(var + eps) + beta

@exercise.wrong(loses=SCALE)
def gamma_and_beta_swapped(x, gamma, beta, mean, var, eps):
    """gamma and beta seem to have changed places: gamma is the scale, beta what is added."""
    return beta * normal(x, mean, var, eps) + gamma

@exercise.wrong(loses=EPS)
def epsilon_omitted(x, gamma, beta, mean, var, eps):
    """eps does not seem to enter. Training divided by the root of variance plus eps; evaluation must do the same, or
    small variances give another network."""
    return gamma * normal(x, mean, var, 0) + beta

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / (torch.sqrt(var) + eps) + beta

@exercise.wrong(loses=EPS, hint=EPS_FIXED)
def epsilon_fixed(x, gamma, beta, mean, var, eps):
    return gamma * normal(x, mean, var, 1e-5) + beta

@exercise.both(batch_statistics, affine_forgotten)
def batch_statistics_without_affine(x, gamma, beta, mean, var, eps):
    return normal(x, x.mean(0), x.var(0, correction=0), eps)

@exercise.both(epsilon_outside_root, affine_forgotten)
def epsilon_outside_without_affine(x, gamma, beta, mean, var, eps):
    return (x - mean) / (torch.sqrt(var) + eps)

@exercise.both(divides_by_variance, affine_forgotten)
def by_variance_without_affine(x, gamma, beta, mean, var, eps):
    return (x - mean) / (var + eps)

@exercise.both(divides_by_variance, epsilon_omitted)
def by_variance_without_epsilon(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / var + beta

@exercise.both(variance_corrected_beside_other_rows, epsilon_omitted)
def corrected_without_epsilon(x, gamma, beta, mean, var, eps):
    return variance_corrected_beside_other_rows(x, gamma, beta, mean, var, 0.0)
