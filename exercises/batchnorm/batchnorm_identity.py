"""The gamma and beta with which batch normalization gives its input back, Ioffe and Szegedy 2015, section 3."""

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.batchnorm.shared import (
    BIG,
    EPS_OUTSIDE,
    NORMALISERS,
    TINY,
    UNBIASED,
    by_column,
    columns,
    narrow_columns,
    round_columns,
)

PLAIN = ("tiny", "wide", "square")

exercise = Exercise(
    "batchnorm-identity", "identity_parameters(x, eps)", returns=("gamma", "beta"), forbidden=NORMALISERS
)
GAMMA = exercise.criterion("gamma undoes the division", 0.5, cases=PLAIN, outputs="gamma")
BETA = exercise.criterion("beta undoes the subtraction", 0.5, cases=(*PLAIN, "small variance"), outputs="beta")
EPS = exercise.criterion("gamma takes epsilon into account", 0.5, cases="small variance", outputs="gamma")
DTYPE = exercise.criterion("keeps the dtype", 0.5, cases="float32", aspect="dtype")

@exercise.cases
def cases(g):
    yield "tiny", {"x": round_columns(g), "eps": TINY}
    yield "wide", {"x": columns(g, 7, 4), "eps": TINY}
    yield "square", Case({"x": columns(g, 5, 5), "eps": TINY}, driver="call-strided")
    yield "small variance", {"x": narrow_columns(g), "eps": BIG}
    yield "float32", {"x": columns(g, 8, 3).float(), "eps": TINY}

@exercise.reference
def by_moments(x, eps):
    mean = x.sum(0) / len(x)
    return torch.sqrt(((x - mean) ** 2).sum(0) / len(x) + eps), mean

@exercise.right
def a_list(x, eps):
    return [(x.var(0, correction=0) + eps) ** 0.5, x.mean(0)]

@exercise.right
def norms(x, eps):
    return torch.sqrt(torch.linalg.vector_norm(x - x.mean(0), dim=0) ** 2 / len(x) + eps), x.mean(0)

@exercise.right
def numpy(x, eps):
    gamma, beta = np.sqrt(np.var(x.numpy(), axis=0) + eps), np.mean(x.numpy(), axis=0)
    return torch.tensor(gamma, dtype=x.dtype), torch.tensor(beta, dtype=x.dtype)

@exercise.right
def corrected_unbiased_variance(x, eps):
    return torch.sqrt(x.var(0) * (len(x) - 1) / len(x) + eps), torch.einsum("nd->d", x) / len(x)

@exercise.right
def solved_from_the_forward_pass(x, eps):
    zeros = torch.zeros_like(x[0])
    normal = by_column(x, zeros + 1, zeros, eps)
    # gamma from the ratio of the spreads; a constant feature has no spread to compare.
    spread = normal.std(0, correction=0)
    gamma = torch.where(spread > 0, x.std(0, correction=0) / spread, torch.full_like(zeros, eps**0.5))
    return gamma, x.mean(0)

@exercise.wrong(loses=(GAMMA, EPS))
def gamma_is_the_variance(x, eps):
    """gamma seems to be the variance. The forward pass divides by a root of it, so that root is what must be undone."""
    return x.var(0, correction=0) + eps, x.mean(0)

def deviation(x, eps):
    return torch.sqrt(x.var(0, correction=0) + eps)

@exercise.wrong(loses=(GAMMA, EPS))
def gamma_inverted(x, eps):
    """gamma is the reciprocal of what undoes the division: it would divide by the deviation a second time."""
    return 1 / deviation(x, eps), x.mean(0)

@exercise.wrong(loses=BETA)
def beta_negated(x, eps):
    """beta has the wrong sign: the mean was subtracted, so it has to be added back."""
    return deviation(x, eps), -x.mean(0)

@exercise.wrong(loses=BETA)
def beta_as_for_inference(x, eps):
    """beta seems to be the mean divided by the deviation. beta is added after the scaling by gamma, where values are in
    the units of x again."""
    return deviation(x, eps), x.mean(0) / deviation(x, eps)

@exercise.wrong(loses=(GAMMA, BETA, EPS))
def initial_values(x, eps):
    """gamma = 1 and beta = 0 are where training starts; with them the output is normalised, not equal to x."""
    return torch.ones_like(x[0]), torch.zeros_like(x[0])

@exercise.wrong(loses=(GAMMA, EPS), hint=UNBIASED)
def unbiased_variance(x, eps):
    return torch.sqrt(x.var(0) + eps), x.mean(0)

@exercise.wrong(loses=EPS)
def epsilon_omitted(x, eps):
    """gamma is the bare standard deviation. The forward pass divides by something slightly larger, because of eps;
    where the variance is small, the difference shows."""
    return x.std(0, correction=0), x.mean(0)

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(x, eps):
    return x.std(0, correction=0) + eps, x.mean(0)

@exercise.wrong(loses=(GAMMA, BETA, EPS))
def statistics_of_each_row(x, eps):
    """There is one pair of numbers for each example; it should be one for each feature, taken over the batch."""
    return torch.sqrt(x.var(1, correction=0) + eps), x.mean(1)

@exercise.wrong(loses=(GAMMA, BETA, EPS))
def gamma_and_beta_swapped(x, eps):
    """The two results are in the wrong order: gamma first, then beta."""
    return x.mean(0), deviation(x, eps)
