"""The probability of each mask: one factor for every unit, kept or dropped."""

import math

import torch

from autograder.exercise import Exercise, one_of
from exercises.draws import uniform
from exercises.dropout.shared import all_masks, chances

exercise = Exercise("mask-probabilities", "mask_probabilities(masks, p_keep)", returns="probabilities")
HALF = exercise.criterion(
    "the lecture's four masks at p = 1/2", 0.5, cases=("two units, p = 1/2", "more units, p = 1/2")
)
ANY_P = exercise.criterion("any probability of keeping", 1, cases=("two units", "three units in another order"))
SOME = exercise.criterion(
    "a mask's probability does not depend on which others are given",
    0.5,
    cases=("five units, one mask", "some of the masks", "float32"),
)

@exercise.cases
def cases(g):
    shuffled = all_masks(3)[torch.randperm(8, generator=g)]
    # Not all masks, and never two masks of equal probability only: one, two, three and four units kept, and none.
    few = all_masks(4)[torch.tensor([0, 1, 3, 7, 15, 8])]
    more = all_masks(one_of(g, 3, 4, 5, 6, 7))
    yield "two units, p = 1/2", {"masks": all_masks(2), "p_keep": 0.5}
    yield "more units, p = 1/2", {"masks": more, "p_keep": 0.5}
    yield "two units", {"masks": all_masks(2), "p_keep": 0.8}
    yield "three units in another order", {"masks": shuffled, "p_keep": 0.2}
    yield "five units, one mask", {"masks": torch.tensor([[1.0, 0, 1, 1, 0]]).double(), "p_keep": 0.7}
    yield "some of the masks", {"masks": few, "p_keep": float(uniform(g, 0.6, 0.8, 1))}
    yield "float32", {"masks": all_masks(3).float(), "p_keep": 0.7}

@exercise.reference
def factor_by_factor(masks, p_keep):
    rows = [[p_keep if kept else 1 - p_keep for kept in row] for row in masks.tolist()]
    return torch.tensor([math.prod(row) for row in rows], dtype=torch.float64)

@exercise.right
def torch_where(masks, p_keep):
    one = torch.ones_like(masks)
    return torch.where(masks == 1, one * p_keep, one * (1 - p_keep)).prod(dim=1)

@exercise.right
def powers_of_the_counts(masks, p_keep):
    kept = masks.sum(dim=1)
    return p_keep**kept * (1 - p_keep) ** (masks.shape[1] - kept)

@exercise.right
def two_loops(masks, p_keep):
    result = []
    for mask in masks.bool():
        probability = 1.0
        for kept in mask:
            probability = probability * (p_keep if kept else 1.0 - p_keep)
        result.append(probability)
    return torch.tensor(result, dtype=masks.dtype, device=masks.device)

@exercise.right
def sum_of_two_products(masks, p_keep):
    return torch.prod(masks * p_keep + (1 - masks) * (1 - p_keep), -1)

@exercise.wrong(loses=(ANY_P, SOME))
def p_is_always_half(masks, p_keep):
    """All masks get the same probability. They are equally likely only at p_keep = 1/2, as in the lecture's example."""
    return torch.full((len(masks),), 0.5 ** masks.shape[1], dtype=masks.dtype)

@exercise.wrong(loses=(ANY_P, SOME))
def masks_equally_likely(masks, p_keep):
    """Every mask gets 1 / (number of masks). A mask's probability follows from p_keep and from how many units it keeps
    and drops."""
    return torch.full((len(masks),), 1 / len(masks), dtype=masks.dtype)

@exercise.wrong(loses=(ANY_P, SOME))
def keep_and_drop_swapped(masks, p_keep):
    """p_keep is the probability of keeping a unit (a 1 in the mask); here it was used for dropping. PyTorch's p is the
    other one."""
    return (masks * (1 - p_keep) + (1 - masks) * p_keep).prod(dim=1)

@exercise.wrong(loses=(HALF, ANY_P, SOME))
def dropped_units_left_out(masks, p_keep):
    """Only the kept units are counted. A dropped unit is an event as well and brings its own factor."""
    return p_keep ** masks.sum(dim=1)

@exercise.wrong(loses=(HALF, ANY_P, SOME))
def number_of_kept_units(masks, p_keep):
    """This is the probability of keeping that many units, whichever they are. The question is about one particular
    mask."""
    n = masks.shape[1]
    ways = torch.tensor([math.comb(n, int(k)) for k in masks.sum(dim=1)], dtype=masks.dtype)
    return ways * chances(masks, p_keep)

@exercise.wrong(loses=(HALF, ANY_P, SOME))
def summed_over_units(masks, p_keep):
    """The units' probabilities were added. The units are independent and all have to happen together."""
    return (masks * p_keep + (1 - masks) * (1 - p_keep)).sum(dim=1)

@exercise.wrong(loses=SOME)
def normalised_over_given_masks(masks, p_keep):
    """The probabilities were divided by their sum. That is harmless when all masks are given and wrong when only some
    are."""
    return chances(masks, p_keep) / chances(masks, p_keep).sum()

@exercise.wrong(loses=(HALF, ANY_P, SOME))
def units_not_combined(masks, p_keep):
    """This holds one probability for every unit of every mask. A mask has one probability: all its units together."""
    return masks * p_keep + (1 - masks) * (1 - p_keep)
