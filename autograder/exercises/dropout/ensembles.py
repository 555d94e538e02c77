"""Dropout as an average over sub-networks: the exact mean and the geometric one.

The network is one softmax layer behind dropout, softmax(W (m*h) + b); with D hidden units there are 2**D masks m.
"""

from __future__ import annotations

import itertools
import math

import torch

from autograder.exercises.dropout.draws import signs, uniform
from autograder.exercises.dropout.layers import DTYPE
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["GEOMETRIC", "HINT_BIAS", "MEAN", "chances", "softmax", "softmax_layer"]

_HALF = "all masks equally likely"
_ANY = "any probability of keeping"

_HINT_HALF = (
    "All masks count the same. That is right at p_keep = 1/2 only; otherwise a mask counts with its probability."
)
_HINT_DROP = "p_keep was used as the probability of dropping. It is the probability of keeping a unit."
HINT_BIAS = "The bias is missing. No mask drops it, so every sub-network has it at full size."


def softmax_layer(g: torch.Generator, k: int, d: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """W (k, d), b (k,), h (d,): logits that differ, but not so much that every kind of mean is certain of one class."""
    while True:
        h = uniform(g, 0.7, 1.5, d)
        weights, b = signs(g, k, d) * uniform(g, 0.6, 1.8, k, d), signs(g, k) * uniform(g, 0.5, 1.0, k)
        full, half = torch.softmax(weights @ h + b, 0), torch.softmax(0.5 * weights @ h + b, 0)
        if full.max() < 0.9 and half.max() < 0.75 and (full - half).abs().max() > 0.1:
            return weights, b, h


def softmax(logits: list[float]) -> list[float]:
    """The softmax of K plain numbers."""
    top = max(logits)
    exponentials = [math.exp(z - top) for z in logits]
    return [e / sum(exponentials) for e in exponentials]


def _subnetworks(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> list[tuple[float, list[float]]]:
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


def _binary(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)), dtype=torch.float64)


def chances(masks: torch.Tensor, p_keep: float) -> torch.Tensor:
    """The probability of each row of masks (M, D): (M,)."""
    return (masks * p_keep + (1 - masks) * (1 - p_keep)).prod(dim=1)


def _exact_cases(g: torch.Generator) -> dict[str, Case]:
    def case(k: int, d: int, p_keep: float, dtype: torch.dtype = torch.float64) -> Case:
        W, b, h = softmax_layer(g, k, d)
        return Case({"W": W.to(dtype), "b": b.to(dtype), "h": h.to(dtype), "p_keep": p_keep})

    return {
        "p = 1/2": case(3, 2, 0.5),
        "p = 0.2": case(3, 4, 0.2),
        "square, p = 0.7": case(4, 4, 0.7),
        "float32": case(5, 3, 0.7, torch.float32),
    }


# ensemble-mean ------------------------------------------------------------------------------------------------


def _mean(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    networks = _subnetworks(W, b, h, p_keep)
    return torch.tensor([sum(p * y[k] for p, y in networks) for k in range(len(b))], dtype=W.dtype)


def _mean_batched(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    return chances(masks, p_keep) @ torch.softmax((masks * h) @ W.T + b, dim=1)


def _mean_loop(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    total = torch.zeros_like(b)
    for mask in itertools.product([False, True], repeat=len(h)):
        m = torch.tensor(mask, device=h.device)
        probability = p_keep ** sum(mask) * (1 - p_keep) ** (len(mask) - sum(mask))
        total = total + probability * torch.softmax(W @ torch.where(m, h, 0.0) + b, dim=0)
    return total


def _mean_einsum(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = torch.cartesian_prod(*[torch.tensor([1.0, 0.0])] * len(h)).reshape(-1, len(h)).to(W)
    logits = torch.einsum("kd,md,d->mk", W, masks, h) + b
    outputs = logits.exp() / logits.exp().sum(1, keepdim=True)
    return torch.einsum("m,mk->k", chances(masks, p_keep), outputs)


def _mean_split(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    if len(h) == 0:
        return torch.softmax(b, 0)
    kept = _mean_split(W[:, 1:], b + W[:, 0] * h[0], h[1:], p_keep)
    return p_keep * kept + (1 - p_keep) * _mean_split(W[:, 1:], b, h[1:], p_keep)


def _mean_of_logits(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.softmax(p_keep * W @ h + b, dim=0)


def _mean_equal(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    return torch.softmax((masks * h) @ W.T + b, dim=1).mean(dim=0)


def _mean_swapped(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    return chances(masks, 1 - p_keep) @ torch.softmax((masks * h) @ W.T + b, dim=1)


def _mean_inverted(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    return chances(masks, p_keep) @ torch.softmax((masks * h / p_keep) @ W.T + b, dim=1)


def _mean_no_bias(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    return chances(masks, p_keep) @ torch.softmax((masks * h) @ W.T, dim=1)


def _mean_summed(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    return torch.softmax((masks * h) @ W.T + b, dim=1).sum(dim=0)


def _mean_over_masks_softmax(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    return chances(masks, p_keep) @ torch.softmax((masks * h) @ W.T + b, dim=0)


def _mean_without_softmax(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    return chances(masks, p_keep) @ ((masks * h) @ W.T + b)


MEAN = Exercise(
    "ensemble-mean",
    defines=("ensemble_mean(W, b, h, p_keep)",),
    returns=("probabilities",),
    reference=_mean,
    cases=_exact_cases,
    criteria=(
        Criterion(_HALF, 0.5, cases=("p = 1/2",)),
        Criterion(_ANY, 1.5, cases=("p = 0.2", "square, p = 0.7", "float32")),
        Criterion(DTYPE, 0.5, cases=("p = 0.2", "float32"), aspect="dtype"),
    ),
    misconceptions=(
        Misconception(
            "softmax-of-the-mean",
            _mean_of_logits,
            "The logits were averaged and the softmax taken afterwards. That is the weight scaling rule. Here every "
            "sub-network gives its own probabilities, and those are averaged; the two differ.",
            (_HALF, _ANY, DTYPE),
        ),
        Misconception("masks-equally-likely", _mean_equal, _HINT_HALF, (_ANY, DTYPE)),
        Misconception("keep-and-drop-swapped", _mean_swapped, _HINT_DROP, (_ANY, DTYPE)),
        Misconception(
            "scaled-and-averaged",
            _mean_inverted,
            "The hidden units are divided by p_keep as well. The sub-networks here are those of plain dropout: kept "
            "units enter as they are.",
            (_HALF, _ANY, DTYPE),
        ),
        Misconception("bias-forgotten", _mean_no_bias, HINT_BIAS, (_HALF, _ANY, DTYPE)),
        Misconception(
            "summed-not-averaged",
            _mean_summed,
            "The outputs were added without their masks' probabilities, so the result does not sum to 1.",
            (_HALF, _ANY, DTYPE),
        ),
        Misconception(
            "softmax-over-the-masks",
            _mean_over_masks_softmax,
            "The softmax runs over the masks instead of over the classes: for one mask the K outputs should sum to 1.",
            (_HALF, _ANY, DTYPE),
        ),
        Misconception(
            "logits-averaged",
            _mean_without_softmax,
            "These are averaged logits: the softmax of each sub-network is missing.",
            (_HALF, _ANY, DTYPE),
        ),
    ),
    right={
        "all masks at once": _mean_batched,
        "loop with boolean masks": _mean_loop,
        "einsum": _mean_einsum,
        "one unit after the other": _mean_split,
    },
)

# ensemble-geometric -------------------------------------------------------------------------------------------


def _geometric(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    networks = _subnetworks(W, b, h, p_keep)
    means = [math.prod(y[k] ** p for p, y in networks) for k in range(len(b))]
    return torch.tensor([mean / sum(means) for mean in means], dtype=W.dtype)


def _geometric_logs(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    return torch.softmax(chances(masks, p_keep) @ torch.log_softmax((masks * h) @ W.T + b, dim=1), dim=0)


def _geometric_powers(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    outputs = torch.softmax((masks * h) @ W.T + b, dim=1)
    mean = (outputs ** chances(masks, p_keep)[:, None]).prod(dim=0)
    return mean / mean.sum()


def _geometric_closed(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.softmax(W @ (p_keep * h) + b, dim=0)


def _geometric_ratios(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    odds = torch.exp(p_keep * (W - W[:1]) @ h + b - b[0])
    return odds / odds.sum()


def _geometric_arithmetic(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    return chances(masks, p_keep) @ torch.softmax((masks * h) @ W.T + b, dim=1)


def _geometric_unnormalised(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    return torch.exp(chances(masks, p_keep) @ torch.log_softmax((masks * h) @ W.T + b, dim=1))


def _geometric_equal(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.softmax(0.5 * W @ h + b, dim=0)


def _geometric_product(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    masks = _binary(len(h)).to(W)
    return torch.softmax(torch.log_softmax((masks * h) @ W.T + b, dim=1).sum(dim=0), dim=0)


def _geometric_bias_scaled(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.softmax(p_keep * (W @ h + b), dim=0)


def _geometric_unscaled(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.softmax(W @ h + b, dim=0)


def _geometric_drop(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.softmax((1 - p_keep) * W @ h + b, dim=0)


def _geometric_divided(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.softmax(W @ h / p_keep + b, dim=0)


def _geometric_no_bias(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.softmax(p_keep * W @ h, dim=0)


GEOMETRIC = Exercise(
    "ensemble-geometric",
    defines=("ensemble_geometric(W, b, h, p_keep)",),
    returns=("probabilities",),
    reference=_geometric,
    cases=_exact_cases,
    criteria=(
        Criterion(_HALF, 0.5, cases=("p = 1/2",)),
        Criterion(_ANY, 1, cases=("p = 0.2", "square, p = 0.7", "float32")),
        Criterion(DTYPE, 0.5, cases=("p = 0.2", "float32"), aspect="dtype"),
    ),
    misconceptions=(
        Misconception(
            "arithmetic-mean",
            _geometric_arithmetic,
            "This is the arithmetic mean of the sub-networks, the previous exercise. Weight scaling is exact for the "
            "geometric mean, not for this one.",
            (_HALF, _ANY, DTYPE),
        ),
        Misconception(
            "not-renormalised",
            _geometric_unnormalised,
            "The geometric means of the classes do not sum to 1. Divide by their sum.",
            (_HALF, _ANY, DTYPE),
        ),
        Misconception("masks-equally-likely", _geometric_equal, _HINT_HALF, (_ANY, DTYPE)),
        Misconception(
            "root-missing",
            _geometric_product,
            "The outputs were multiplied without the root. In a geometric mean each factor has its mask's probability "
            "as exponent, so that the exponents sum to 1.",
            (_HALF, _ANY, DTYPE),
        ),
        Misconception(
            "bias-scaled-too",
            _geometric_bias_scaled,
            "The bias was scaled together with the weights. No mask ever drops the bias, so it enters at full size.",
            (_HALF, _ANY, DTYPE),
        ),
        Misconception(
            "weights-not-scaled",
            _geometric_unscaled,
            "This is the full network with unscaled weights. On average the masks let only a part of each logit "
            "through.",
            (_HALF, _ANY, DTYPE),
        ),
        Misconception("keep-and-drop-swapped", _geometric_drop, _HINT_DROP, (_ANY, DTYPE)),
        Misconception(
            "weights-divided",
            _geometric_divided,
            "The weights are divided by p_keep. Averaging over masks makes the logits smaller, not larger.",
            (_HALF, _ANY, DTYPE),
        ),
        Misconception("bias-forgotten", _geometric_no_bias, HINT_BIAS, (_HALF, _ANY, DTYPE)),
    ),
    right={
        "mean of the logarithms": _geometric_logs,
        "powers of the outputs": _geometric_powers,
        "weight scaling": _geometric_closed,
        "ratios to the first class": _geometric_ratios,
    },
)
