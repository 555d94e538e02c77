"""All masks of a layer and their probabilities."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch

from autograder.exercises.dropout.draws import uniform
from autograder.exercises.model import Case, Criterion, Exercise, Misconception, one_of

__all__ = ["MASKS", "PROBABILITIES", "all_masks", "probabilities"]

# dropout-masks ------------------------------------------------------------------------------------------------


def all_masks(n: int) -> torch.Tensor:
    """All masks of n units, (2**n, n), float64."""
    return torch.tensor([[(row >> bit) & 1 for bit in range(n)] for row in range(2**n)], dtype=torch.float64)


def _masks_product(n: int) -> list[tuple[int, ...]]:
    return list(itertools.product([0, 1], repeat=n))


def _masks_boolean(n: int) -> torch.Tensor:
    rows = [[False] * n]
    for unit in range(n):
        rows += [[kept or i == unit for i, kept in enumerate(row)] for row in rows]
    return torch.tensor(rows)


def _masks_cartesian(n: int) -> torch.Tensor:
    return torch.cartesian_prod(*[torch.tensor([1, 0])] * n).reshape(-1, n)


def _masks_numpy(n: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(np.meshgrid(*[[0, 1]] * n), dtype=np.float32).reshape(n, -1).T


def _masks_transposed(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n))).T


def _masks_without_none(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)))[1:]


def _masks_of_two(n: int) -> torch.Tensor:
    return torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])


def _masks_sorted_only(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.combinations_with_replacement([0.0, 1.0], n)))


def _masks_permuted(n: int) -> torch.Tensor:
    rows = [row for k in range(n + 1) for row in itertools.permutations([1.0] * k + [0.0] * (n - k))]
    return torch.tensor(rows)


def _masks_square(n: int) -> torch.Tensor:
    return torch.tensor([[float(row >> bit & 1) for bit in range(n)] for row in range(n * n)])


def _masks_plus_minus(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product([-1.0, 1.0], repeat=n)))


def _masks_one_dropped(n: int) -> torch.Tensor:
    return 1 - torch.eye(n)


def _all_masks_cases(g: torch.Generator) -> dict[str, Case]:
    sizes = {"n = 2": 2, "n = 1": 1, "n = 3": 3, "n = 5": 5, "another n": one_of(g, 4, 6, 7, 8)}
    return {name: Case({"n": n}, driver="rows-in-any-order") for name, n in sizes.items()}


_ANY_NUMBER = "every mask once for any number of units"

MASKS = Exercise(
    "dropout-masks",
    defines=("dropout_masks(n)",),
    returns=("masks",),
    reference=all_masks,
    cases=_all_masks_cases,
    criteria=(
        Criterion("the four masks of two units", 1, cases=("n = 2",)),
        Criterion(_ANY_NUMBER, 1, cases=("n = 1", "n = 3", "n = 5", "another n")),
    ),
    misconceptions=(
        Misconception(
            "masks-in-columns",
            _masks_transposed,
            "Each mask stands in a column. A row is one mask, a column one unit: 2**n rows, n columns.",
            ("the four masks of two units", _ANY_NUMBER),
        ),
        Misconception(
            "all-dropped-mask-missing",
            _masks_without_none,
            "The mask that drops every unit is missing. It is as possible as the others, and without it the "
            "probabilities do not sum to 1.",
            ("the four masks of two units", _ANY_NUMBER),
        ),
        Misconception(
            "only-two-units",
            _masks_of_two,
            "These are the lecture's four masks, whatever n is. With n units there are 2**n of them.",
            (_ANY_NUMBER,),
        ),
        Misconception(
            "counts-kept-units-only",
            _masks_sorted_only,
            "One mask for each number of kept units. Which units are kept matters too: keeping only the first and "
            "keeping only the second are two masks.",
            ("the four masks of two units", _ANY_NUMBER),
        ),
        Misconception(
            "masks-repeated",
            _masks_permuted,
            "Some masks appear several times: exchanging two kept units gives the same mask, not a new one.",
            ("the four masks of two units", _ANY_NUMBER),
        ),
        Misconception(
            "n-squared-masks",
            _masks_square,
            "There are n*n rows. Every unit doubles the number of masks, so there must be 2**n.",
            (_ANY_NUMBER,),
        ),
        Misconception(
            "plus-minus-one",
            _masks_plus_minus,
            "The masks hold -1 where a unit is dropped. A dropped unit contributes nothing, so its entry is 0.",
            ("the four masks of two units", _ANY_NUMBER),
        ),
        Misconception(
            "exactly-one-dropped",
            _masks_one_dropped,
            "Each mask drops exactly one unit. Every unit is dropped or kept on its own: none, some or all may go.",
            ("the four masks of two units", _ANY_NUMBER),
        ),
    ),
    right={
        "itertools, as a list": _masks_product,
        "boolean, doubled unit by unit": _masks_boolean,
        "integers, from all kept down": _masks_cartesian,
        "NumPy meshgrid": _masks_numpy,
    },
)

# mask-probabilities -------------------------------------------------------------------------------------------


def probabilities(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    """The probability of each row of masks (M, n), one factor for each unit: (M,), float64."""
    rows = [[p_keep if kept else 1 - p_keep for kept in row] for row in masks.tolist()]
    return torch.tensor([math.prod(row) for row in rows], dtype=torch.float64)


def _probabilities_where(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    one = torch.ones_like(masks)
    return torch.where(masks == 1, one * p_keep, one * (1 - p_keep)).prod(dim=1)


def _probabilities_counted(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    kept = masks.sum(dim=1)
    return p_keep**kept * (1 - p_keep) ** (masks.shape[1] - kept)


def _probabilities_looped(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    result = []
    for mask in masks.bool():
        probability = 1.0
        for kept in mask:
            probability = probability * (p_keep if kept else 1.0 - p_keep)
        result.append(probability)
    return torch.tensor(result, dtype=masks.dtype, device=masks.device)


def _probabilities_linear(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.prod(masks * p_keep + (1 - masks) * (1 - p_keep), -1)


def _probabilities_equal(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.full((len(masks),), 0.5 ** masks.shape[1], dtype=masks.dtype)


def _probabilities_uniform(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.full((len(masks),), 1 / len(masks), dtype=masks.dtype)


def _probabilities_swapped(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    return (masks * (1 - p_keep) + (1 - masks) * p_keep).prod(dim=1)


def _probabilities_kept_only(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    return p_keep ** masks.sum(dim=1)


def _probabilities_binomial(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    n = masks.shape[1]
    ways = torch.tensor([math.comb(n, int(k)) for k in masks.sum(dim=1)], dtype=masks.dtype)
    return ways * (masks * p_keep + (1 - masks) * (1 - p_keep)).prod(dim=1)


def _probabilities_summed(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    return (masks * p_keep + (1 - masks) * (1 - p_keep)).sum(dim=1)


def _probabilities_normalised(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    each = (masks * p_keep + (1 - masks) * (1 - p_keep)).prod(dim=1)
    return each / each.sum()


def _probabilities_by_unit(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    return masks * p_keep + (1 - masks) * (1 - p_keep)


def _mask_cases(g: torch.Generator) -> dict[str, Case]:
    shuffled = all_masks(3)[torch.randperm(8, generator=g)]
    # Not all masks, and never two masks of equal probability only: one, two, three and four units kept, and none.
    few = all_masks(4)[torch.tensor([0, 1, 3, 7, 15, 8])]
    more = all_masks(one_of(g, 3, 4, 5, 6, 7))
    return {
        "two units, p = 1/2": Case({"masks": all_masks(2), "p_keep": 0.5}),
        "more units, p = 1/2": Case({"masks": more, "p_keep": 0.5}),
        "two units": Case({"masks": all_masks(2), "p_keep": 0.8}),
        "three units in another order": Case({"masks": shuffled, "p_keep": 0.2}),
        "five units, one mask": Case({"masks": torch.tensor([[1.0, 0, 1, 1, 0]]).double(), "p_keep": 0.7}),
        "some of the masks": Case({"masks": few, "p_keep": float(uniform(g, 0.6, 0.8, 1))}),
        "float32": Case({"masks": all_masks(3).float(), "p_keep": 0.7}),
    }


_HALF = "the lecture's four masks at p = 1/2"
_ANY_P = "any probability of keeping"
_SOME = "a mask's probability does not depend on which others are given"
_PLURAL = ("two units", "three units in another order")

PROBABILITIES = Exercise(
    "mask-probabilities",
    defines=("mask_probabilities(masks, p_keep)",),
    returns=("probabilities",),
    reference=probabilities,
    cases=_mask_cases,
    criteria=(
        Criterion(_HALF, 0.5, cases=("two units, p = 1/2", "more units, p = 1/2")),
        Criterion(_ANY_P, 1, cases=_PLURAL),
        Criterion(_SOME, 0.5, cases=("five units, one mask", "some of the masks", "float32")),
    ),
    misconceptions=(
        Misconception(
            "p-is-always-half",
            _probabilities_equal,
            "All masks get the same probability. They are equally likely only at p_keep = 1/2, as in the lecture's "
            "example.",
            (_ANY_P, _SOME),
        ),
        Misconception(
            "masks-equally-likely",
            _probabilities_uniform,
            "Every mask gets 1 / (number of masks). A mask's probability follows from p_keep and from how many units "
            "it keeps and drops.",
            (_ANY_P, _SOME),
        ),
        Misconception(
            "keep-and-drop-swapped",
            _probabilities_swapped,
            "p_keep is the probability of keeping a unit (a 1 in the mask); here it was used for dropping. "
            "PyTorch's p is the other one.",
            (_ANY_P, _SOME),
        ),
        Misconception(
            "dropped-units-left-out",
            _probabilities_kept_only,
            "Only the kept units are counted. A dropped unit is an event as well and brings its own factor.",
            (_HALF, _ANY_P, _SOME),
        ),
        Misconception(
            "number-of-kept-units",
            _probabilities_binomial,
            "This is the probability of keeping that many units, whichever they are. The question is about one "
            "particular mask.",
            (_HALF, _ANY_P, _SOME),
        ),
        Misconception(
            "summed-over-units",
            _probabilities_summed,
            "The units' probabilities were added. The units are independent and all have to happen together.",
            (_HALF, _ANY_P, _SOME),
        ),
        Misconception(
            "normalised-over-given-masks",
            _probabilities_normalised,
            "The probabilities were divided by their sum. That is harmless when all masks are given and wrong when "
            "only some are.",
            (_SOME,),
        ),
        Misconception(
            "units-not-combined",
            _probabilities_by_unit,
            "This holds one probability for every unit of every mask. A mask has one probability: all its units "
            "together.",
            (_HALF, _ANY_P, _SOME),
        ),
    ),
    right={
        "torch.where": _probabilities_where,
        "powers of the counts": _probabilities_counted,
        "two loops": _probabilities_looped,
        "sum of two products": _probabilities_linear,
    },
)
