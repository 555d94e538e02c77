"""Batch normalization after training is an affine map: one scale and one shift for each feature."""

import torch
from torch.nn import functional as F

from autograder.exercise import Exercise
from exercises.batchnorm.shared import (
    BIG,
    BY_HAND,
    EPS_FIXED,
    EPS_OUTSIDE,
    NORMALISERS,
    TINY,
    round_affine,
    round_statistics,
    scales,
    shifts,
    sizes,
    variances,
)

PLAIN = ("by hand", "wide", "one feature", "float32")

exercise = Exercise(
    "batchnorm-as-affine",
    "batchnorm_as_affine(gamma, beta, running_mean, running_var, eps)",
    returns=("scale", "shift"),
    forbidden=NORMALISERS,
)
SCALE = exercise.criterion("scale", 0.5, cases=PLAIN, outputs="scale")
SHIFT = exercise.criterion("shift", 0.5, cases=PLAIN, outputs="shift")
EPS = exercise.criterion("epsilon inside the root", 0.5, cases=("by hand, large epsilon", "small variance"))

def inputs(gamma, beta, mean, var, eps):
    return {"gamma": gamma, "beta": beta, "running_mean": mean, "running_var": var, "eps": eps}

def case(g, d, *, small=False, dtype=torch.float64):
    drawn = scales(g, d), shifts(g, d), shifts(g, d, 1.0, 4.0), variances(g, d, small=small)
    return inputs(*(tensor.to(dtype) for tensor in drawn), BIG if small else TINY)

@exercise.cases
def cases(g):
    gamma, beta = round_affine(g, 2)
    mean, var = round_statistics(g, 2)
    yield "by hand", inputs(gamma * 2, beta, mean, var, TINY)
    yield "by hand, large epsilon", inputs(gamma * 5, beta, mean, sizes(g, 2, small=True) ** 2, BY_HAND)
    wide = case(g, 5)
    wide["gamma"][-1] = 0.0
    yield "wide", wide
    yield "one feature", case(g, 1)
    yield "small variance", case(g, 3, small=True)
    yield "float32", case(g, 4, dtype=torch.float32)

@exercise.reference
def by_probes(gamma, beta, mean, var, eps):
    """Scale and shift read off the layer itself, at x = 0 and x = 1."""
    probes = torch.stack([torch.zeros_like(mean), torch.ones_like(mean)])
    at_0, at_1 = F.batch_norm(probes, mean, var, gamma, beta, training=False, eps=eps)
    return at_1 - at_0, at_0

@exercise.right
def element_by_element(gamma, beta, mean, var, eps):
    scale, shift = torch.empty_like(gamma), torch.empty_like(beta)
    for j, (s, b, m, v) in enumerate(zip(gamma, beta, mean, var, strict=True)):
        scale[j] = s * (v + eps) ** -0.5
        shift[j] = b - m * scale[j]
    return scale, shift

@exercise.right
def read_off_at_0_and_1(gamma, beta, mean, var, eps):
    return [
        gamma * (1 - mean) / torch.sqrt(var + eps) + gamma * mean / torch.sqrt(var + eps),
        gamma * (0 - mean) / torch.sqrt(var + eps) + beta,
    ]

@exercise.right
def rsqrt(gamma, beta, mean, var, eps):
    return gamma * torch.rsqrt(var + eps), torch.addcmul(beta, mean, gamma * torch.rsqrt(var + eps), value=-1)

@exercise.right
def float64_inside(gamma, beta, mean, var, eps):
    wide = (tensor.double() for tensor in (gamma, beta, mean, var))
    return tuple(result.to(gamma.dtype) for result in element_by_element(*wide, eps))

def rate(gamma, var, eps):
    return gamma / torch.sqrt(var + eps)

@exercise.wrong(loses=SHIFT)
def mean_not_in_shift(gamma, beta, mean, var, eps):
    """The shift is beta alone. The running mean is subtracted from x before scaling; that constant has
    to go somewhere."""
    return rate(gamma, var, eps), beta.clone()

@exercise.wrong(loses=SHIFT)
def beta_not_in_shift(gamma, beta, mean, var, eps):
    """beta does not seem to enter the shift."""
    return rate(gamma, var, eps), -mean * rate(gamma, var, eps)

@exercise.wrong(loses=SHIFT)
def mean_added(gamma, beta, mean, var, eps):
    """The part of the shift that comes from the running mean has the wrong sign: the mean is subtracted from x."""
    return rate(gamma, var, eps), beta + mean * rate(gamma, var, eps)

@exercise.wrong(loses=SHIFT)
def shift_negated(gamma, beta, mean, var, eps):
    """The whole shift has the wrong sign: beta is added, what comes from the running mean is subtracted."""
    return rate(gamma, var, eps), mean * rate(gamma, var, eps) - beta

@exercise.wrong(loses=SHIFT)
def mean_not_scaled(gamma, beta, mean, var, eps):
    """The running mean enters the shift unscaled. It is subtracted before the scaling, so it is scaled like x."""
    return rate(gamma, var, eps), beta - mean

@exercise.wrong(loses=SHIFT)
def beta_scaled(gamma, beta, mean, var, eps):
    """beta seems to be scaled together with the running mean. It is added last, after the scaling."""
    return rate(gamma, var, eps), (beta - mean) * rate(gamma, var, eps)

@exercise.wrong(loses=SHIFT)
def gamma_missing_in_shift(gamma, beta, mean, var, eps):
    """The running mean enters the shift divided by the deviation, but without gamma. Whatever is subtracted from x
    before the scaling is scaled by all that scales x."""
    return rate(gamma, var, eps), beta - rate(mean, var, eps)

@exercise.wrong(loses=SHIFT)
def deviation_missing_in_shift(gamma, beta, mean, var, eps):
    """The running mean enters the shift times gamma, but not divided by the deviation. Whatever is subtracted from x
    before the scaling is scaled by all that scales x."""
    return rate(gamma, var, eps), beta - mean * gamma

@exercise.wrong(loses=SCALE)
def gamma_missing_in_scale(gamma, beta, mean, var, eps):
    """gamma is in the shift but not in the scale. It multiplies all of what was normalized, the part with x too."""
    return 1 / torch.sqrt(var + eps), beta - mean * rate(gamma, var, eps)

@exercise.wrong(loses=(SCALE, SHIFT), costs=0.75)
def gamma_missing(gamma, beta, mean, var, eps):
    """gamma does not seem to enter: the scale is that of the normalization alone."""
    return 1 / torch.sqrt(var + eps), beta - mean / torch.sqrt(var + eps)

@exercise.wrong(loses=(SCALE, SHIFT), costs=0.75)
def deviation_missing(gamma, beta, mean, var, eps):
    """The scale is gamma alone. What is scaled by gamma was divided by the root of variance plus eps before."""
    return gamma.clone(), beta - mean * gamma

@exercise.wrong(loses=(SCALE, SHIFT), costs=0.5)
def divides_by_variance(gamma, beta, mean, var, eps):
    """The scale seems to hold the running variance itself. Its root is what normalization divides by."""
    return gamma / (var + eps), beta - mean * gamma / (var + eps)

@exercise.wrong(loses=(SCALE, SHIFT), costs=0.75)
def multiplies_by_deviation(gamma, beta, mean, var, eps):
    """gamma seems to be multiplied by the standard deviation. Normalization divides by it."""
    scale = gamma * torch.sqrt(var + eps)
    return scale, beta - mean * scale

@exercise.wrong(loses=(SCALE, SHIFT), costs=0.5)
def absolute_gamma(gamma, beta, mean, var, eps):
    """The sign of gamma seems to be lost. gamma may be negative, and then the layer turns its input over."""
    return rate(gamma.abs(), var, eps), beta - mean * rate(gamma.abs(), var, eps)

@exercise.wrong(loses=(SCALE, SHIFT), costs=0.5)
def scale_and_shift_swapped(gamma, beta, mean, var, eps):
    """The two results are in the wrong order: scale should come first, then shift."""
    return beta - mean * rate(gamma, var, eps), rate(gamma, var, eps)

@exercise.wrong(loses=EPS)
def epsilon_omitted(gamma, beta, mean, var, eps):
    """eps does not seem to enter. Evaluation divides by the root of variance plus eps; without it the map is another
    one wherever a variance is small, and infinite where it is zero."""
    return rate(gamma, var, 0.0), beta - mean * rate(gamma, var, 0.0)

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(gamma, beta, mean, var, eps):
    return gamma / (var.sqrt() + eps), beta - mean * gamma / (var.sqrt() + eps)

@exercise.wrong(loses=EPS, hint=EPS_FIXED)
def epsilon_fixed(gamma, beta, mean, var, eps):
    return rate(gamma, var, 1e-5), beta - mean * rate(gamma, var, 1e-5)

@exercise.both(mean_not_scaled, epsilon_omitted)
def unscaled_without_epsilon(gamma, beta, mean, var, eps):
    return rate(gamma, var, 0.0), beta - mean

@exercise.both(beta_scaled, epsilon_omitted)
def beta_scaled_without_epsilon(gamma, beta, mean, var, eps):
    return rate(gamma, var, 0.0), (beta - mean) * rate(gamma, var, 0.0)

@exercise.both(beta_scaled, epsilon_outside_root)
def beta_scaled_and_epsilon_outside(gamma, beta, mean, var, eps):
    scale = gamma / (var.sqrt() + eps)
    return scale, (beta - mean) * scale

@exercise.both(mean_not_scaled, epsilon_outside_root)
def unscaled_and_epsilon_outside(gamma, beta, mean, var, eps):
    return gamma / (var.sqrt() + eps), beta - mean

@exercise.both(mean_not_in_shift, epsilon_omitted)
def beta_alone_without_epsilon(gamma, beta, mean, var, eps):
    return rate(gamma, var, 0.0), beta.clone()

@exercise.both(mean_added, epsilon_omitted)
def added_without_epsilon(gamma, beta, mean, var, eps):
    return rate(gamma, var, 0.0), beta + mean * rate(gamma, var, 0.0)

@exercise.both(scale_and_shift_swapped, epsilon_omitted)
def swapped_without_epsilon(gamma, beta, mean, var, eps):
    return beta - mean * rate(gamma, var, 0.0), rate(gamma, var, 0.0)

@exercise.both(divides_by_variance, epsilon_omitted)
def by_variance_without_epsilon(gamma, beta, mean, var, eps):
    return gamma / var, beta - mean * gamma / var

@exercise.both(mean_added, epsilon_outside_root)
def added_and_epsilon_outside(gamma, beta, mean, var, eps):
    scale = gamma / (var.sqrt() + eps)
    return scale, beta + mean * scale

@exercise.both(shift_negated, epsilon_outside_root)
def negated_and_epsilon_outside(gamma, beta, mean, var, eps):
    scale = gamma / (var.sqrt() + eps)
    return scale, mean * scale - beta

@exercise.both(mean_not_in_shift, epsilon_outside_root)
def beta_alone_and_epsilon_outside(gamma, beta, mean, var, eps):
    return gamma / (var.sqrt() + eps), beta.clone()

@exercise.both(divides_by_variance, mean_not_in_shift)
def by_variance_and_beta_alone(gamma, beta, mean, var, eps):
    return gamma / (var + eps), beta.clone()

@exercise.both(divides_by_variance, mean_added)
def by_variance_and_added(gamma, beta, mean, var, eps):
    scale = gamma / (var + eps)
    return scale, beta + mean * scale
