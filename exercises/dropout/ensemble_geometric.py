"""Dropout as an average over sub-networks: the geometric mean, which weight scaling gives exactly.

The network is one softmax layer behind dropout, softmax(W (m*h) + b); with D hidden units there are 2**D masks m.
"""

import math

import torch

from autograder.exercise import Exercise
from exercises.dropout.shared import (
    HINT_BIAS,
    HINT_BIAS_SCALED,
    HINT_DROP,
    HINT_HALF,
    HINT_SIGMOID,
    OTHER_P,
    chances,
    ensemble_cases,
    logits_of_all,
    masks_of,
    subnetworks,
)

exercise = Exercise("ensemble-geometric", "ensemble_geometric(W, b, h, p_keep)", returns="probabilities")
ANY = exercise.criterion("any probability of keeping", 1, cases=OTHER_P)
HALF = exercise.criterion("all masks equally likely", 0.5, cases="p = 1/2")

exercise.cases(ensemble_cases)

@exercise.reference
def by_subnetworks(W, b, h, p_keep):
    networks = subnetworks(W, b, h, p_keep)
    means = [math.prod(y[k] ** p for p, y in networks) for k in range(len(b))]
    return torch.tensor([mean / sum(means) for mean in means], dtype=W.dtype)

def logarithms_of_all(W, b, h, dim=1):
    return torch.log_softmax(logits_of_all(W, b, h), dim=dim)

def mean_logarithms(W, b, h, p_keep):
    return chances(masks_of(h), p_keep) @ logarithms_of_all(W, b, h)

@exercise.right
def mean_of_the_logarithms(W, b, h, p_keep):
    return torch.softmax(mean_logarithms(W, b, h, p_keep), dim=0)

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

# --- another average

@exercise.wrong(loses=(ANY, HALF), costs=1.25)
def arithmetic_mean(W, b, h, p_keep):
    """This is the arithmetic mean of the sub-networks, the previous exercise. Weight scaling is exact for the geometric
    mean, not for this one."""
    return chances(masks_of(h), p_keep) @ logarithms_of_all(W, b, h).exp()

@exercise.wrong(loses=(ANY, HALF), costs=0.5)
def not_normalized(W, b, h, p_keep):
    """The numbers do not sum to 1. The geometric means of the classes are divided by their sum."""
    return mean_logarithms(W, b, h, p_keep).exp()

@exercise.also(not_normalized)
def exponentials_not_normalized(W, b, h, p_keep):
    return torch.exp(p_keep * W @ h + b)

@exercise.wrong(loses=(ANY, HALF), costs=0.5)
def divided_by_the_norm(W, b, h, p_keep):
    """The numbers were divided by their norm, the root of the sum of their squares. Probabilities sum to 1, so they are
    divided by their sum."""
    mean = mean_logarithms(W, b, h, p_keep).exp()
    return mean / mean.norm()

@exercise.wrong(loses=(ANY, HALF), costs=0.75)
def root_missing(W, b, h, p_keep):
    """The outputs were multiplied without the root. In a geometric mean each factor has its mask's probability as
    exponent, so that the exponents sum to 1."""
    return torch.softmax(logarithms_of_all(W, b, h).sum(dim=0), dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=0.5)
def logarithms_left(W, b, h, p_keep):
    """These are the logarithms of the probabilities. Their exponential is asked for."""
    return torch.log_softmax(p_keep * W @ h + b, dim=0)

@exercise.also(logarithms_left)
def mean_logarithms_left(W, b, h, p_keep):
    return mean_logarithms(W, b, h, p_keep)

@exercise.wrong(loses=(ANY, HALF), costs=0.75)
def logits_left(W, b, h, p_keep):
    """These are the mean logits. A softmax over the classes turns them into probabilities."""
    return p_keep * W @ h + b

@exercise.wrong(loses=(ANY, HALF), costs=0.75)
def softmax_twice(W, b, h, p_keep):
    """A softmax was taken of probabilities. It belongs on logits or on logarithms: applied to numbers between 0 and 1,
    it gives nearly equal ones."""
    return torch.softmax(torch.softmax(p_keep * W @ h + b, dim=0), dim=0)

@exercise.also(softmax_twice)
def softmax_of_the_mean_output(W, b, h, p_keep):
    return torch.softmax(arithmetic_mean(W, b, h, p_keep), dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=0.75)
def softmax_over_the_masks(W, b, h, p_keep):
    """The softmax of the sub-networks runs over the masks instead of over the classes: for one mask the K outputs
    should sum to 1."""
    return torch.softmax(chances(masks_of(h), p_keep) @ logarithms_of_all(W, b, h, dim=0), dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=0.75, hint=HINT_SIGMOID)
def sigmoid_of_each_class(W, b, h, p_keep):
    return torch.sigmoid(p_keep * W @ h + b)

# --- the scale

@exercise.wrong(loses=ANY, costs=0.75, hint=HINT_HALF)
def masks_equally_likely(W, b, h, p_keep):
    return torch.softmax(0.5 * W @ h + b, dim=0)

@exercise.wrong(loses=ANY, costs=0.5, hint=HINT_DROP)
def keep_and_drop_swapped(W, b, h, p_keep):
    return torch.softmax((1 - p_keep) * W @ h + b, dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=1)
def weights_not_scaled(W, b, h, p_keep):
    """This is the full network with unscaled weights. On average the masks let only a part of each logit through."""
    return torch.softmax(W @ h + b, dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=0.75)
def weights_divided(W, b, h, p_keep):
    """The weights are divided by p_keep. Averaging over masks makes the logits smaller, not larger."""
    return torch.softmax(W @ h / p_keep + b, dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=0.5)
def scaled_twice(W, b, h, p_keep):
    """The factor p_keep enters twice, as if weights and units were dropped each on their own. One mask is averaged
    over."""
    return torch.softmax(p_keep**2 * W @ h + b, dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=0.5, hint=HINT_BIAS_SCALED)
def bias_scaled_too(W, b, h, p_keep):
    return torch.softmax(p_keep * (W @ h + b), dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=0.5, hint=HINT_BIAS)
def bias_forgotten(W, b, h, p_keep):
    return torch.softmax(p_keep * W @ h, dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=0.5)
def bias_added_to_the_outputs(W, b, h, p_keep):
    """The bias was added to the probabilities. It belongs to the logits, before the softmax."""
    return torch.softmax(p_keep * W @ h, dim=0) + b

@exercise.both(masks_equally_likely, not_normalized)
def plain_geometric_mean(W, b, h, p_keep):
    return logarithms_of_all(W, b, h).mean(dim=0).exp()

@exercise.both(weights_divided, divided_by_the_norm)
def weights_and_result_divided(W, b, h, p_keep):
    exponentials = torch.exp(W @ h / p_keep + b)
    return exponentials / exponentials.norm()

@exercise.both(masks_equally_likely, bias_scaled_too)
def one_half_of_everything(W, b, h, p_keep):
    return torch.softmax(0.5 * (W @ h + b), dim=0)

@exercise.both(keep_and_drop_swapped, bias_scaled_too)
def everything_scaled_by_the_drop_probability(W, b, h, p_keep):
    return torch.softmax((1 - p_keep) * (W @ h + b), dim=0)

@exercise.both(keep_and_drop_swapped, bias_forgotten)
def scaled_by_the_drop_probability_without_bias(W, b, h, p_keep):
    return torch.softmax((1 - p_keep) * W @ h, dim=0)

@exercise.both(masks_equally_likely, bias_forgotten)
def one_half_without_bias(W, b, h, p_keep):
    return torch.softmax(0.5 * W @ h, dim=0)

@exercise.both(weights_not_scaled, bias_forgotten)
def not_scaled_without_bias(W, b, h, p_keep):
    return torch.softmax(W @ h, dim=0)

@exercise.both(arithmetic_mean, masks_equally_likely)
def plain_mean(W, b, h, p_keep):
    return logarithms_of_all(W, b, h).exp().mean(dim=0)
