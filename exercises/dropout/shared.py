"""What the exercises on dropout share: inputs, sub-networks, slips in a mask, and what an answer may not call.

The inputs are such that right and wrong differ clearly.  Plain normal noise would now and then make a wrong dropout
look right: a sum near zero, a mask that keeps everything, a uniform number so close to p_keep that rounding decides.
These draws leave such accidents out and nothing else: any single unit may be kept or dropped.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.exercise import Criterion, Exercise
from exercises.draws import uniform

LIBRARY_DROPOUT = (
    *(f"torch.nn.functional.{kind}" for kind in ("dropout", "alpha_dropout", "feature_alpha_dropout")),
    "course_lib.dropout",
)
"""Ready-made dropout, which draws its own noise."""

HINT_HALF = (
    "All masks count the same. That is right at p_keep = 1/2 only; otherwise a mask counts with its probability."
)
HINT_DROP = "p_keep was used as the probability of dropping. It is the probability of keeping a unit."
HINT_BIAS = "The bias is missing. No mask drops it, so every sub-network has it at full size."
HINT_BIAS_SCALED = (
    "The bias was scaled together with the weights. No mask ever drops the bias, so it enters at full size."
)
HINT_SIGMOID = (
    "Each class got a sigmoid of its own. The outputs of a softmax depend on one another: for one sub-network they sum "
    "to 1."
)

# --- inputs

def signs(g: Generator, *shape: int) -> Tensor:
    """Random signs, -1.0 or 1.0, float64."""
    return torch.randint(0, 2, shape, generator=g).double() * 2 - 1

def magnitudes(g: Generator, *shape: int) -> Tensor:
    """Numbers of either sign whose size lies in [0.5, 2): never near zero, float64."""
    return signs(g, *shape) * uniform(g, 0.5, 2.0, *shape)

MARGIN = 0.03

def noise(g: Generator, p_keep: float, *shape: int) -> Tensor:
    """Uniform noise on [0, 1) for masks, float64, never within rounding of `p_keep`.

    Where `p_keep` allows, something is kept, something is dropped, and not every row is like the first."""
    while True:
        u = torch.rand(*shape, generator=g, dtype=torch.float64)
        u = torch.where((u - p_keep).abs() < MARGIN, (u + 0.5) % 1.0, u)
        kept = u < p_keep
        alike = len(u) > 1 and bool((kept == kept[:1]).all())
        if not 0 < p_keep < 1 or (kept.any() and not kept.all() and not alike):
            return u

def layer_inputs(
    g: Generator, p_keep: float, n: int, d: int, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """A layer's input (n, d), nowhere near zero, and its noise (n, d)."""
    return magnitudes(g, n, d).to(dtype), noise(g, p_keep, n, d).to(dtype)

SMALL = (
    torch.tensor([[3.0, -6.0, 9.0, 12.0], [-9.0, 6.0, 3.0, -12.0]], dtype=torch.float64),
    torch.tensor([[0.1, 0.9, 0.5, 0.8], [0.75, 0.4, 0.15, 0.2]], dtype=torch.float64),
    0.75,
)
"""A layer's input, its noise and p_keep, to be worked by hand; one entry of the noise equals p_keep."""

STRIDED = "dropout/dropped-units-strided"

def factors(g: Generator, n: int) -> tuple[Tensor, Tensor]:
    """Weights and inputs (n,) whose products have both signs and a sum well above zero, float64."""
    products = uniform(g, 0.6, 1.6, n)
    if n > 1:
        products[-1] = -0.4 * uniform(g, 0.6, 1.0, 1).item()
    x = magnitudes(g, n)
    return products / x, x

def all_masks(n: int) -> Tensor:
    """All masks of n units, (2**n, n), float64."""
    return torch.tensor([[(row >> bit) & 1 for bit in range(n)] for row in range(2**n)], dtype=torch.float64)

def weighted_masks(n: int, p_keep: float) -> list[tuple[float, list[float]]]:
    """Every mask of n inputs with its probability, in plain numbers."""
    return [(math.prod(p_keep if m else 1 - p_keep for m in mask), mask) for mask in all_masks(n).tolist()]

def masks_of(units: Tensor) -> Tensor:
    """All masks of D units, (2**D, D), in their dtype and in the order of `itertools.product`."""
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(units)))).to(units)

def chances(masks: Tensor, p_keep: float) -> Tensor:
    """The probability of each row of masks (M, D): (M,)."""
    return (masks * p_keep + (1 - masks) * (1 - p_keep)).prod(dim=1)

# --- sub-networks of one softmax layer

def softmax_layer(g: Generator, k: int, d: int) -> tuple[Tensor, Tensor, Tensor]:
    """W (k, d), b (k,), h (d,): logits that differ, but not so much that every kind of mean is certain of one class."""
    while True:
        h = uniform(g, 0.7, 1.5, d)
        weights, b = signs(g, k, d) * uniform(g, 0.6, 1.8, k, d), signs(g, k) * uniform(g, 0.5, 1.0, k)
        full, half = torch.softmax(weights @ h + b, 0), torch.softmax(0.5 * weights @ h + b, 0)
        if full.max() < 0.9 and half.max() < 0.75 and (full - half).abs().max() > 0.1:
            return weights, b, h

def ensemble_cases(g: Generator) -> Iterator[tuple[str, dict[str, object]]]:
    """The cases of both exact means over the sub-networks."""

    def case(k: int, d: int, p_keep: float, dtype: torch.dtype = torch.float64) -> dict[str, object]:
        W, b, h = softmax_layer(g, k, d)
        return {"W": W.to(dtype), "b": b.to(dtype), "h": h.to(dtype), "p_keep": p_keep}

    W, b = torch.tensor([[1.0, -1.0], [0.5, 2.0], [-1.0, 0.5]]).double(), torch.tensor([0.5, -0.5, 1.0]).double()
    yield "by hand", {"W": W, "b": b, "h": torch.tensor([2.0, 1.0]).double(), "p_keep": 0.75}
    yield "p = 1/2", case(3, 2, 0.5)
    yield "p = 0.2", case(3, 4, 0.2)
    yield "square, p = 0.7", case(4, 4, 0.7)
    yield "one hidden unit", case(4, 1, 0.6)
    yield "float32", case(5, 3, 0.6, torch.float32)

OTHER_P = ("by hand", "p = 0.2", "square, p = 0.7", "one hidden unit", "float32")
"""The ones in which p_keep is not 1/2."""

def softmax(logits: list[float]) -> list[float]:
    """The softmax of K plain numbers."""
    top = max(logits)
    exponentials = [math.exp(z - top) for z in logits]
    return [e / sum(exponentials) for e in exponentials]

def subnetworks(W: Tensor, b: Tensor, h: Tensor, p_keep: float) -> list[tuple[float, list[float]]]:
    """For every mask its probability and the sub-network's output, in plain numbers."""
    rows, biases, units = W.tolist(), b.tolist(), h.tolist()
    networks = []
    for mask in itertools.product([0, 1], repeat=len(units)):
        kept = [m * unit for m, unit in zip(mask, units, strict=True)]
        logits = [
            sum(w * unit for w, unit in zip(row, kept, strict=True)) + c for row, c in zip(rows, biases, strict=True)
        ]
        networks.append((math.prod(p_keep if m else 1 - p_keep for m in mask), softmax(logits)))
    return networks

def logits_of_all(W: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """The logits of the sub-networks, one row for each of `masks_of(h)`."""
    return (masks_of(h) * h) @ W.T + b

# --- slips in a mask

Mask = Callable[[Tensor, float], Tensor]
"""u and p_keep -> what is multiplied by it, in the shape of u."""

def right_mask(u: Tensor, p_keep: float) -> Tensor:
    """Kept where u < p_keep."""
    return u < p_keep

def keep_and_drop_swapped(u, p_keep):
    """Kept and dropped are exchanged. What has a u below p_keep stays, so that p_keep is the probability of keeping it;
    in PyTorch p is the probability of dropping."""
    return u >= p_keep

def kept_at_equality(u, p_keep):
    """What has a u equal to p_keep is kept. u is uniform on [0, 1), so that just the numbers below p_keep have the
    probability p_keep: at equality it is dropped."""
    return u <= p_keep

def kept_at_the_other_end(u, p_keep):
    """The share that is kept is right, but it is taken at the upper end of u. Here what has a u below p_keep stays, so
    that everybody with the same u gets the same mask."""
    return u > 1 - p_keep

def drop_probability_in_the_mask(u, p_keep):
    """u is compared with the probability of dropping, 1 - p_keep, so that the wrong share is kept. What has a u below
    p_keep stays."""
    return u < 1 - p_keep

def half_is_kept(u, p_keep):
    """One half is kept, whatever p_keep is. u is to be compared with p_keep."""
    return u < 0.5

def noise_for_the_mask(u, p_keep):
    """The noise itself was multiplied in. u only decides: where it is below p_keep the factor is 1, elsewhere 0."""
    return u

def nothing_dropped(u, p_keep):
    """Nothing is dropped: no mask shows in the result. What has a u of p_keep or more must not count."""
    return torch.ones_like(u)

def one_mask_for_the_batch(u, p_keep):
    """Every example gets the mask of the first one. Each example draws its own: u has a row for each of them."""
    return (u[:1] < p_keep).expand_as(u)

def one_decision_for_each_example(u, p_keep):
    """Every example is kept or dropped as a whole, by the first number of its row of u. Each unit has a number of its
    own."""
    return (u[:, :1] < p_keep).expand_as(u)

MASK_SLIPS: dict[Mask, tuple[float, tuple[Mask, ...]]] = {
    keep_and_drop_swapped: (1, (lambda u, p: u > p,)),
    kept_at_equality: (0.25, ()),
    kept_at_the_other_end: (0.5, (lambda u, p: u >= 1 - p,)),
    drop_probability_in_the_mask: (1, (lambda u, p: u <= 1 - p,)),
    half_is_kept: (0.75, (lambda u, p: u <= 0.5,)),
    noise_for_the_mask: (1, ()),
    nothing_dropped: (1, ()),
}
"""Mistake -> what it costs, other ways to make it."""

def add_mask_slips(
    exercise: Exercise, answer: Callable[[Mask], Any], loses: Criterion, *, rows: tuple[Mask, ...] = ()
) -> None:
    """Add the mistakes in a mask to an exercise.

    Args:
        answer: a mask -> the answer that uses it and is right otherwise.
        rows: further ones, which are about examples."""
    for mask, (costs, others) in {**MASK_SLIPS, **dict.fromkeys(rows, (0.75, ()))}.items():
        exercise.wrong(loses=loses, costs=costs)(functools.wraps(mask)(answer(mask)))
        for other in others:
            exercise.also(mask)(answer(other))

def add_with(exercise: Exercise, slip: Any, answer: Callable[[Mask], Any], *masks: Mask) -> None:
    """Add that a known mistake is made together with one in the mask, in all its ways.

    Args:
        answer: a mask -> the answer that uses it and makes the known mistake."""
    for mask in masks:
        _, others = MASK_SLIPS.get(mask, (0, ()))
        for way in (mask, *others):
            exercise.both(mask, slip)(answer(way))
