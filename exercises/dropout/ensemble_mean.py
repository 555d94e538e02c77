"""Dropout as an average over sub-networks: the exact mean of their outputs.

The network is one softmax layer behind dropout, softmax(W (m*h) + b); with D hidden units there are 2**D masks m.
"""

import itertools

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

exercise = Exercise("ensemble-mean", "ensemble_mean(W, b, h, p_keep)", returns="probabilities")
HALF = exercise.criterion("all masks equally likely", 0.5, cases="p = 1/2")
ANY = exercise.criterion("any probability of keeping", 1.5, cases=("p = 0.2", "square, p = 0.7", "float32"))
DTYPE = exercise.criterion("keeps the dtype", 0.5, cases=("p = 0.2", "float32"), aspect="dtype")

exercise.cases(ensemble_cases)

@exercise.reference
def by_subnetworks(W, b, h, p_keep):
    networks = subnetworks(W, b, h, p_keep)
    return torch.tensor([sum(p * y[k] for p, y in networks) for k in range(len(b))], dtype=W.dtype)

def outputs_of_all(W, b, h):
    return torch.softmax(logits_of_all(W, b, h), dim=1)

@exercise.right
def all_masks_at_once(W, b, h, p_keep):
    return chances(masks_of(h), p_keep) @ outputs_of_all(W, b, h)

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

@exercise.wrong(loses=(HALF, ANY))
def softmax_of_the_mean(W, b, h, p_keep):
    """The logits were averaged and the softmax taken afterwards. That is the weight scaling rule. Here every
    sub-network gives its own probabilities, and those are averaged; the two differ."""
    return torch.softmax(p_keep * W @ h + b, dim=0)

@exercise.wrong(loses=ANY, hint=HINT_HALF)
def masks_equally_likely(W, b, h, p_keep):
    return outputs_of_all(W, b, h).mean(dim=0)

@exercise.wrong(loses=ANY, hint=HINT_DROP)
def keep_and_drop_swapped(W, b, h, p_keep):
    return chances(masks_of(h), 1 - p_keep) @ outputs_of_all(W, b, h)

@exercise.wrong(loses=(HALF, ANY))
def scaled_and_averaged(W, b, h, p_keep):
    """The hidden units are divided by p_keep as well. The sub-networks here are those of plain dropout: kept units
    enter as they are."""
    return chances(masks_of(h), p_keep) @ outputs_of_all(W, b, h / p_keep)

@exercise.wrong(loses=(HALF, ANY), hint=HINT_BIAS)
def bias_forgotten(W, b, h, p_keep):
    return chances(masks_of(h), p_keep) @ outputs_of_all(W, 0 * b, h)

@exercise.wrong(loses=(HALF, ANY))
def summed_not_averaged(W, b, h, p_keep):
    """The outputs were added without their masks' probabilities, so the result does not sum to 1."""
    return outputs_of_all(W, b, h).sum(dim=0)

@exercise.wrong(loses=(HALF, ANY))
def softmax_over_the_masks(W, b, h, p_keep):
    """The softmax runs over the masks instead of over the classes: for one mask the K outputs should sum to 1."""
    return chances(masks_of(h), p_keep) @ torch.softmax(logits_of_all(W, b, h), dim=0)

@exercise.wrong(loses=(HALF, ANY))
def logits_averaged(W, b, h, p_keep):
    """These are averaged logits: the softmax of each sub-network is missing."""
    return chances(masks_of(h), p_keep) @ logits_of_all(W, b, h)
