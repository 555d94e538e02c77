"""Dropout as an average over sub-networks: the exact mean of their outputs.

The network is one softmax layer behind dropout, softmax(W (m*h) + b); with D hidden units there are 2**D masks m.
"""

import itertools

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

exercise = Exercise("ensemble-mean", "ensemble_mean(W, b, h, p_keep)", returns="probabilities")
ANY = exercise.criterion("any probability of keeping", 1.5, cases=OTHER_P)
HALF = exercise.criterion("all masks equally likely", 0.5, cases="p = 1/2")

exercise.cases(ensemble_cases)

@exercise.reference
def by_subnetworks(W, b, h, p_keep):
    networks = subnetworks(W, b, h, p_keep)
    return torch.tensor([sum(p * y[k] for p, y in networks) for k in range(len(b))], dtype=W.dtype)

def outputs_of_all(W, b, h):
    return torch.softmax(logits_of_all(W, b, h), dim=1)

def mean_of(outputs, h, p_keep):
    """The mean of what all masks give, (2**D, K), weighted by their probabilities."""
    return chances(masks_of(h), p_keep) @ outputs

@exercise.right
def all_masks_at_once(W, b, h, p_keep):
    return mean_of(outputs_of_all(W, b, h), h, p_keep)

@exercise.right
def loop_with_boolean_masks(W, b, h, p_keep):
    total = torch.zeros_like(b)
    for mask in itertools.product([False, True], repeat=len(h)):
        m = torch.tensor(mask, device=h.device)
        probability = p_keep ** sum(mask) * (1 - p_keep) ** (len(mask) - sum(mask))
        total = total + probability * torch.softmax(W @ torch.where(m, h, 0.0) + b, dim=0)
    return total

@exercise.right
def einsum(W, b, h, p_keep):
    masks = torch.cartesian_prod(*[torch.tensor([1.0, 0.0])] * len(h)).reshape(-1, len(h)).to(W)
    logits = torch.einsum("kd,md,d->mk", W, masks, h) + b
    outputs = logits.exp() / logits.exp().sum(1, keepdim=True)
    return torch.einsum("m,mk->k", chances(masks, p_keep), outputs)

@exercise.right
def one_unit_after_the_other(W, b, h, p_keep):
    if len(h) == 0:
        return torch.softmax(b, 0)
    kept = one_unit_after_the_other(W[:, 1:], b + W[:, 0] * h[0], h[1:], p_keep)
    return p_keep * kept + (1 - p_keep) * one_unit_after_the_other(W[:, 1:], b, h[1:], p_keep)

# --- another average

@exercise.wrong(loses=(ANY, HALF), costs=1.5)
def softmax_of_the_mean(W, b, h, p_keep):
    """This is the softmax of the mean logits, which is what weight scaling gives. Here every sub-network gives its own
    probabilities, and those are averaged; the two differ."""
    return torch.softmax(p_keep * W @ h + b, dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=1.5)
def only_the_full_network(W, b, h, p_keep):
    """This is the network with all its units. It is one of the sub-networks, and all of them are averaged."""
    return torch.softmax(W @ h + b, dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=1)
def logits_averaged(W, b, h, p_keep):
    """These are averaged logits: the softmax of each sub-network is missing."""
    return mean_of(logits_of_all(W, b, h), h, p_keep)

@exercise.wrong(loses=(ANY, HALF), costs=1)
def logarithms_averaged(W, b, h, p_keep):
    """These are averaged logarithms. The probabilities themselves are averaged."""
    return mean_of(outputs_of_all(W, b, h).log(), h, p_keep)

@exercise.wrong(loses=(ANY, HALF), costs=1.25)
def geometric_mean_not_normalized(W, b, h, p_keep):
    """The logarithms were averaged and the exponential taken: a geometric mean. The mean of the probabilities
    themselves is asked for."""
    return mean_of(outputs_of_all(W, b, h).log(), h, p_keep).exp()

@exercise.wrong(loses=(ANY, HALF), costs=1)
def softmax_over_the_masks(W, b, h, p_keep):
    """The softmax runs over the masks instead of over the classes: for one mask the K outputs should sum to 1."""
    return mean_of(torch.softmax(logits_of_all(W, b, h), dim=0), h, p_keep)

@exercise.wrong(loses=(ANY, HALF), costs=1, hint=HINT_SIGMOID)
def sigmoid_of_each_class(W, b, h, p_keep):
    return mean_of(torch.sigmoid(logits_of_all(W, b, h)), h, p_keep)

@exercise.wrong(loses=(ANY, HALF), costs=0.75)
def softmax_twice(W, b, h, p_keep):
    """A second softmax was taken of the mean. The mean of probabilities sums to 1 already; a softmax makes nearly equal
    numbers of them."""
    return torch.softmax(mean_of(outputs_of_all(W, b, h), h, p_keep), dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=0.75)
def exponentials_averaged(W, b, h, p_keep):
    """The exponentials of the logits were averaged, and they do not sum to 1. In each sub-network they are first
    divided by their sum: that is the softmax."""
    return mean_of(logits_of_all(W, b, h).exp(), h, p_keep)

@exercise.wrong(loses=(ANY, HALF), costs=0.75)
def summed_over_the_classes(W, b, h, p_keep):
    """This holds one number for each mask: the sum runs over the classes. Add over the masks, so that a probability for
    each class is left."""
    return chances(masks_of(h), p_keep)

@exercise.wrong(loses=(ANY, HALF), costs=0.5)
def masks_not_summed(W, b, h, p_keep):
    """This holds the weighted outputs of all sub-networks, one row for each mask. Their sum over the masks is asked
    for."""
    return chances(masks_of(h), p_keep)[:, None] * outputs_of_all(W, b, h)

# --- the masks and their probabilities

@exercise.wrong(loses=ANY, costs=1, hint=HINT_HALF)
def masks_equally_likely(W, b, h, p_keep):
    return outputs_of_all(W, b, h).mean(dim=0)

@exercise.wrong(loses=ANY, costs=0.75, hint=HINT_DROP)
def keep_and_drop_swapped(W, b, h, p_keep):
    return mean_of(outputs_of_all(W, b, h), h, 1 - p_keep)

@exercise.wrong(loses=(ANY, HALF), costs=1)
def summed_not_averaged(W, b, h, p_keep):
    """The outputs were added without their masks' probabilities, so the result does not sum to 1."""
    return outputs_of_all(W, b, h).sum(dim=0)

@exercise.wrong(loses=(ANY, HALF), costs=0.5)
def divided_by_the_number_of_masks(W, b, h, p_keep):
    """The outputs were weighted by their probabilities and divided by the number of masks as well. The probabilities
    sum to 1 already; now the result does not."""
    return mean_of(outputs_of_all(W, b, h), h, p_keep) / 2 ** len(h)

@exercise.wrong(loses=(ANY, HALF), costs=0.5)
def all_dropped_mask_missing(W, b, h, p_keep):
    """The mask that drops every unit is missing. It leaves the bias, and it has a probability like the others."""
    return mean_of(outputs_of_all(W, b, h), h, p_keep) - (1 - p_keep) ** len(h) * torch.softmax(b, dim=0)

@exercise.also(all_dropped_mask_missing)
def all_dropped_mask_missing_normalized(W, b, h, p_keep):
    rest = all_dropped_mask_missing(W, b, h, p_keep)
    return rest / rest.sum()

# --- what a sub-network is

@exercise.wrong(loses=(ANY, HALF), costs=1)
def scaled_and_averaged(W, b, h, p_keep):
    """The hidden units are divided by p_keep as well. The sub-networks here are those of plain dropout: kept units
    enter as they are."""
    return mean_of(outputs_of_all(W, b, h / p_keep), h, p_keep)

@exercise.wrong(loses=(ANY, HALF), costs=1)
def scaled_down_and_averaged(W, b, h, p_keep):
    """The hidden units are multiplied by p_keep as well. That stands for averaging over the masks, which is done here
    by averaging: kept units enter as they are."""
    return mean_of(outputs_of_all(W, b, h * p_keep), h, p_keep)

@exercise.wrong(loses=(ANY, HALF), costs=0.5, hint=HINT_BIAS)
def bias_forgotten(W, b, h, p_keep):
    return mean_of(outputs_of_all(W, 0 * b, h), h, p_keep)

@exercise.wrong(loses=(ANY, HALF), costs=0.5, hint=HINT_BIAS_SCALED)
def bias_scaled_too(W, b, h, p_keep):
    return mean_of(outputs_of_all(W, p_keep * b, h), h, p_keep)

@exercise.wrong(loses=(ANY, HALF), costs=0.5)
def bias_added_to_the_outputs(W, b, h, p_keep):
    """The bias was added to the probabilities. It belongs to the logits, before the softmax."""
    return mean_of(outputs_of_all(W, 0 * b, h), h, p_keep) + b

@exercise.both(masks_equally_likely, bias_forgotten)
def equally_likely_without_bias(W, b, h, p_keep):
    return outputs_of_all(W, 0 * b, h).mean(dim=0)

@exercise.both(keep_and_drop_swapped, bias_forgotten)
def swapped_without_bias(W, b, h, p_keep):
    return mean_of(outputs_of_all(W, 0 * b, h), h, 1 - p_keep)

@exercise.both(softmax_of_the_mean, bias_scaled_too)
def everything_scaled(W, b, h, p_keep):
    return torch.softmax(p_keep * (W @ h + b), dim=0)

@exercise.both(softmax_of_the_mean, bias_forgotten)
def mean_logits_without_bias(W, b, h, p_keep):
    return torch.softmax(p_keep * W @ h, dim=0)
