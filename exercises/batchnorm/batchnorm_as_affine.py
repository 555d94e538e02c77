"""Batch normalization after training is an affine map: one scale and one shift for each feature."""

import torch
from torch.nn import functional as F

from autograder.exercise import Exercise
from exercises.batchnorm.shared import BIG, EPS_OMITTED, EPS_OUTSIDE, NORMALISERS, TINY, scales, shifts, variances

PLAIN = ("tiny", "wide", "one feature")

exercise = Exercise(
    "batchnorm-as-affine",
    "batchnorm_as_affine(gamma, beta, running_mean, running_var, eps)",
    returns=("scale", "shift"),
    forbidden=NORMALISERS,
)
SCALE = exercise.criterion("scale", 0.5, cases=PLAIN, outputs="scale")
SHIFT = exercise.criterion("shift", 0.5, cases=PLAIN, outputs="shift")
EPS = exercise.criterion("epsilon inside the root", 0.5, cases="small variance")
DTYPE = exercise.criterion("keeps the dtype", 0.5, cases="float32", aspect="dtype")

def case(g, d, *, small=False, dtype=torch.float64):
    parameters = {"gamma": scales(g, d), "beta": shifts(g, d)}
    statistics = {"running_mean": shifts(g, d, 1.0, 4.0), "running_var": variances(g, d, small=small)}
    cast = {name: tensor.to(dtype) for name, tensor in {**parameters, **statistics}.items()}
    return {**cast, "eps": BIG if small else TINY}

@exercise.cases
def cases(g):
    whole = [torch.randint(2, 6, (2,), generator=g).double() for _ in range(3)]
    tiny = {"gamma": whole[0] * torch.tensor([1, -1]), "beta": whole[1], "running_mean": whole[2]}
    square = torch.tensor([4.0, 9.0], dtype=torch.float64)
    yield "tiny", {**tiny, "running_var": square, "eps": TINY}
    yield "wide", case(g, 5)
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

@exercise.wrong(loses=(SHIFT, EPS))
def mean_not_in_shift(gamma, beta, mean, var, eps):
    """The shift is beta alone. The running mean is subtracted from x before scaling; that constant has
    to go somewhere."""
    return rate(gamma, var, eps), beta.clone()

@exercise.wrong(loses=(SHIFT, EPS))
def beta_not_in_shift(gamma, beta, mean, var, eps):
    """beta does not seem to enter the shift."""
    return rate(gamma, var, eps), -mean * rate(gamma, var, eps)

@exercise.wrong(loses=(SHIFT, EPS))
def mean_added(gamma, beta, mean, var, eps):
    """The part of the shift that comes from the running mean has the wrong sign: the mean is subtracted from x."""
    return rate(gamma, var, eps), beta + mean * rate(gamma, var, eps)

@exercise.wrong(loses=(SHIFT, EPS))
def mean_not_scaled(gamma, beta, mean, var, eps):
    """The running mean enters the shift unscaled. It is subtracted before the scaling, so it is scaled like x."""
    return rate(gamma, var, eps), beta - mean

@exercise.wrong(loses=(SHIFT, EPS))
def beta_scaled(gamma, beta, mean, var, eps):
    """beta seems to be scaled together with the running mean. It is added last, after the scaling."""
    return rate(gamma, var, eps), (beta - mean) * rate(gamma, var, eps)

@exercise.wrong(loses=(SCALE, SHIFT, EPS))
def gamma_missing(gamma, beta, mean, var, eps):
    """gamma does not seem to enter: the scale is that of the normalisation alone."""
    return 1 / torch.sqrt(var + eps), beta - mean / torch.sqrt(var + eps)

@exercise.wrong(loses=(SCALE, SHIFT, EPS))
def divides_by_variance(gamma, beta, mean, var, eps):
    """The scale seems to hold the running variance itself. Its root is what normalisation divides by."""
    return gamma / (var + eps), beta - mean * gamma / (var + eps)

@exercise.wrong(loses=(SCALE, SHIFT, EPS))
def absolute_gamma(gamma, beta, mean, var, eps):
    """The sign of gamma seems to be lost. gamma may be negative, and then the layer turns its input over."""
    return rate(gamma.abs(), var, eps), beta - mean * rate(gamma.abs(), var, eps)

@exercise.wrong(loses=EPS, hint=EPS_OMITTED)
def epsilon_omitted(gamma, beta, mean, var, eps):
    return rate(gamma, var, 0.0), beta - mean * rate(gamma, var, 0.0)

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(gamma, beta, mean, var, eps):
    return gamma / (var.sqrt() + eps), beta - mean * gamma / (var.sqrt() + eps)

@exercise.wrong(loses=(SCALE, SHIFT, EPS))
def scale_and_shift_swapped(gamma, beta, mean, var, eps):
    """The two results are in the wrong order: scale first, then shift."""
    return beta - mean * rate(gamma, var, eps), rate(gamma, var, eps)
