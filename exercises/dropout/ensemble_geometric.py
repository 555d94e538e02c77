"""Dropout as an average over sub-networks: the geometric mean, which weight scaling gives exactly.

The network is one softmax layer behind dropout, softmax(W (m*h) + b); with D hidden units there are 2**D masks m.
"""

import math

import torch

from autograder.exercise import Exercise
from exercises.dropout.shared import (
    HINT_BIAS,
    HINT_DROP,
    HINT_HALF,
    chances,
    ensemble_cases,
    logits_of_all,
    masks_of,
    subnetworks,
)

exercise = Exercise("ensemble-geometric", "ensemble_geometric(W, b, h, p_keep)", returns="probabilities")
HALF = exercise.criterion("all masks equally likely", 0.5, cases="p = 1/2")
ANY = exercise.criterion("any probability of keeping", 1, cases=("p = 0.2", "square, p = 0.7", "float32"))
DTYPE = exercise.criterion("keeps the dtype", 0.5, cases=("p = 0.2", "float32"), aspect="dtype")

exercise.cases(ensemble_cases)

@exercise.reference
def by_subnetworks(W, b, h, p_keep):
    networks = subnetworks(W, b, h, p_keep)
    means = [math.prod(y[k] ** p for p, y in networks) for k in range(len(b))]
    return torch.tensor([mean / sum(means) for mean in means], dtype=W.dtype)

@exercise.right
def mean_of_the_logarithms(W, b, h, p_keep):
    return torch.softmax(chances(masks_of(h), p_keep) @ torch.log_softmax(logits_of_all(W, b, h), dim=1), dim=0)

@exercise.right
def powers_of_the_outputs(W, b, h, p_keep):
    outputs = torch.softmax(logits_of_all(W, b, h), dim=1)
    mean = (outputs ** chances(masks_of(h), p_keep)[:, None]).prod(dim=0)
    return mean / mean.sum()

@exercise.right
def weight_scaling(W, b, h, p_keep):
    return torch.softmax(W @ (p_keep * h) + b, dim=0)

@exercise.right
def ratios_to_the_first_class(W, b, h, p_keep):
    odds = torch.exp(p_keep * (W - W[:1]) @ h + b - b[0])
    return odds / odds.sum()

@exercise.wrong(loses=(HALF, ANY))
def arithmetic_mean(W, b, h, p_keep):
    """This is the arithmetic mean of the sub-networks, the previous exercise. Weight scaling is exact for the geometric
    mean, not for this one."""
    return chances(masks_of(h), p_keep) @ torch.softmax(logits_of_all(W, b, h), dim=1)

@exercise.wrong(loses=(HALF, ANY))
def not_renormalised(W, b, h, p_keep):
    """The geometric means of the classes do not sum to 1. Divide by their sum."""
    return torch.exp(chances(masks_of(h), p_keep) @ torch.log_softmax(logits_of_all(W, b, h), dim=1))

@exercise.wrong(loses=ANY, hint=HINT_HALF)
def masks_equally_likely(W, b, h, p_keep):
    return torch.softmax(0.5 * W @ h + b, dim=0)

@exercise.wrong(loses=(HALF, ANY))
def root_missing(W, b, h, p_keep):
    """The outputs were multiplied without the root. In a geometric mean each factor has its mask's probability as
    exponent, so that the exponents sum to 1."""
    return torch.softmax(torch.log_softmax(logits_of_all(W, b, h), dim=1).sum(dim=0), dim=0)

@exercise.wrong(loses=(HALF, ANY))
def bias_scaled_too(W, b, h, p_keep):
    """The bias was scaled together with the weights. No mask ever drops the bias, so it enters at full size."""
    return torch.softmax(p_keep * (W @ h + b), dim=0)

@exercise.wrong(loses=(HALF, ANY))
def weights_not_scaled(W, b, h, p_keep):
    """This is the full network with unscaled weights. On average the masks let only a part of each logit through."""
    return torch.softmax(W @ h + b, dim=0)

@exercise.wrong(loses=ANY, hint=HINT_DROP)
def keep_and_drop_swapped(W, b, h, p_keep):
    return torch.softmax((1 - p_keep) * W @ h + b, dim=0)

@exercise.wrong(loses=(HALF, ANY))
def weights_divided(W, b, h, p_keep):
    """The weights are divided by p_keep. Averaging over masks makes the logits smaller, not larger."""
    return torch.softmax(W @ h / p_keep + b, dim=0)

@exercise.wrong(loses=(HALF, ANY), hint=HINT_BIAS)
def bias_forgotten(W, b, h, p_keep):
    return torch.softmax(p_keep * W @ h, dim=0)
