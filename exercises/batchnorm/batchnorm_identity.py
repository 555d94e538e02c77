"""The gamma and beta with which batch normalization gives its input back, Ioffe and Szegedy 2015, section 3."""

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.batchnorm.shared import (
    BIG,
    BY_HAND,
    EPS_FIXED,
    EPS_OUTSIDE,
    NORMALISERS,
    TINY,
    UNBIASED,
    by_column,
    columns,
    narrow_columns,
    round_columns,
)

LARGE = ("by hand, large epsilon", "small variance")
PLAIN = ("by hand", "wide", "one feature", "square", "float32")

exercise = Exercise(
    "batchnorm-identity", "identity_parameters(x, eps)", returns=("gamma", "beta"), forbidden=NORMALISERS
)
GAMMA = exercise.criterion("gamma undoes the division", 0.5, cases=PLAIN, outputs="gamma")
BETA = exercise.criterion("beta undoes the subtraction", 0.5, cases=(*PLAIN, *LARGE), outputs="beta")
EPS = exercise.criterion("gamma takes epsilon into account", 0.5, cases=LARGE, outputs="gamma")

@exercise.cases
def cases(g):
    yield "by hand", {"x": round_columns(g), "eps": TINY}
    yield "by hand, large epsilon", {"x": round_columns(g, small=True), "eps": BY_HAND}
    yield "wide", {"x": columns(g, 7, 4), "eps": TINY}
    yield "one feature", {"x": columns(g, 13, 1), "eps": TINY}
    yield "square", Case({"x": columns(g, 4, 4), "eps": TINY}, driver="call-strided")
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

def variance(x):
    return x.var(0, correction=0)

def deviation(x, eps):
    return torch.sqrt(variance(x) + eps)

@exercise.wrong(loses=GAMMA)
def gamma_is_the_variance(x, eps):
    """gamma seems to be the variance. The forward pass divides by a root of it, so that root is what must be undone."""
    return variance(x) + eps, x.mean(0)

@exercise.also(gamma_is_the_variance)
def gamma_is_the_variance_alone(x, eps):
    return variance(x), x.mean(0)

@exercise.wrong(loses=GAMMA)
def gamma_inverted(x, eps):
    """gamma is the reciprocal of what undoes the division: it would divide by the deviation a second time."""
    return 1 / deviation(x, eps), x.mean(0)

@exercise.wrong(loses=GAMMA)
def gamma_left_at_one(x, eps):
    """beta is right, but gamma is 1, where training starts. That leaves the spread at 1: the division has to be undone
    as well as the subtraction."""
    return torch.ones_like(x[0]), x.mean(0)

@exercise.wrong(loses=BETA)
def beta_negated(x, eps):
    """beta has the wrong sign: the mean was subtracted, so it has to be added back."""
    return deviation(x, eps), -x.mean(0)

@exercise.wrong(loses=BETA)
def beta_as_for_inference(x, eps):
    """beta seems to be the mean divided by the deviation. beta is added after the scaling by gamma, where values are in
    the units of x again."""
    return deviation(x, eps), x.mean(0) / deviation(x, eps)

@exercise.wrong(loses=BETA)
def beta_scaled(x, eps):
    """beta seems to be the mean times gamma. beta is added after the multiplication by gamma, so nothing scales it: it
    is what was subtracted, as it was."""
    return deviation(x, eps), x.mean(0) * deviation(x, eps)

@exercise.wrong(loses=BETA)
def beta_left_at_zero(x, eps):
    """gamma is right, but beta is 0, where training starts. That leaves the mean at 0: the subtraction has to be undone
    as well as the division."""
    return deviation(x, eps), torch.zeros_like(x[0])

@exercise.wrong(loses=(GAMMA, BETA, EPS))
def initial_values(x, eps):
    """gamma = 1 and beta = 0 are where training starts; with them the output is normalized, not equal to x."""
    return torch.ones_like(x[0]), torch.zeros_like(x[0])

@exercise.wrong(loses=(GAMMA, BETA), costs=1)
def parameters_of_the_normalization(x, eps):
    """These are the scale and the shift that normalize x. The forward pass does that already; the two that undo it
    are wanted."""
    return 1 / deviation(x, eps), -x.mean(0) / deviation(x, eps)

@exercise.wrong(loses=GAMMA, hint=UNBIASED)
def unbiased_variance(x, eps):
    return torch.sqrt(x.var(0) + eps), x.mean(0)

@exercise.wrong(loses=EPS)
def epsilon_omitted(x, eps):
    """gamma is the bare standard deviation. The forward pass divides by something slightly larger, because of eps;
    where the variance is small, the difference shows."""
    return variance(x).sqrt(), x.mean(0)

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(x, eps):
    return variance(x).sqrt() + eps, x.mean(0)

@exercise.wrong(loses=EPS, hint=EPS_FIXED)
def epsilon_fixed(x, eps):
    return deviation(x, 1e-5), x.mean(0)

@exercise.wrong(loses=GAMMA)
def gamma_from_squares_around_zero(x, eps):
    """gamma seems to be the root of the mean square of x itself. The forward pass divides by a deviation, which is
    measured from the mean."""
    return torch.sqrt(x.square().mean(0) + eps), x.mean(0)

@exercise.wrong(loses=(GAMMA, BETA), costs=1)
def statistics_of_each_row(x, eps):
    """There is one pair of numbers for each example; it should be one for each feature, taken over the batch."""
    return torch.sqrt(x.var(1, correction=0) + eps), x.mean(1)

@exercise.wrong(loses=(GAMMA, BETA), costs=1)
def one_pair_for_everything(x, eps):
    """One mean and one deviation seem to be taken over the whole array. The forward pass has one for each feature, so
    there are as many gammas and betas as features."""
    return torch.sqrt(x.var(correction=0) + eps), x.mean()

@exercise.also(one_pair_for_everything)
def one_pair_repeated(x, eps):
    return torch.sqrt(x.var(correction=0) + eps).expand(x.shape[1]), x.mean().expand(x.shape[1])

@exercise.wrong(loses=(GAMMA, BETA), costs=0.5)
def dimension_kept(x, eps):
    """gamma and beta come with the shape (1, D), as a mean does that keeps its dimension. They are vectors of
    shape (D,)."""
    return torch.sqrt(x.var(0, correction=0, keepdim=True) + eps), x.mean(0, keepdim=True)

@exercise.wrong(loses=(GAMMA, BETA), costs=0.5)
def gamma_and_beta_swapped(x, eps):
    """The two results are in the wrong order: gamma should come first, then beta."""
    return x.mean(0), deviation(x, eps)

@exercise.both(unbiased_variance, epsilon_omitted)
def unbiased_and_epsilon_omitted(x, eps):
    return x.std(0), x.mean(0)

@exercise.both(unbiased_variance, epsilon_outside_root)
def unbiased_and_epsilon_outside(x, eps):
    return x.std(0) + eps, x.mean(0)

@exercise.both(beta_negated, epsilon_omitted)
def negated_and_epsilon_omitted(x, eps):
    return variance(x).sqrt(), -x.mean(0)

@exercise.both(gamma_and_beta_swapped, epsilon_omitted)
def swapped_and_epsilon_omitted(x, eps):
    return x.mean(0), variance(x).sqrt()

@exercise.both(gamma_is_the_variance, unbiased_variance)
def gamma_is_the_unbiased_variance(x, eps):
    return x.var(0) + eps, x.mean(0)

@exercise.both(gamma_is_the_variance, unbiased_variance)
def gamma_is_the_unbiased_variance_alone(x, eps):
    return x.var(0), x.mean(0)
