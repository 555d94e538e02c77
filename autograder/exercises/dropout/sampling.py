"""The mean over sampled masks (Monte Carlo dropout; Srivastava et al. 2014, section 7.5)."""

from __future__ import annotations

import torch

from autograder.exercises.dropout.draws import noise
from autograder.exercises.dropout.ensembles import HINT_BIAS, chances, softmax, softmax_layer
from autograder.exercises.dropout.layers import DTYPE
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["MONTE_CARLO"]

# monte-carlo-mean ---------------------------------------------------------------------------------------------


def _monte_carlo(W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    weights, biases, units = W.tolist(), b.tolist(), h.tolist()
    outputs = []
    for row in u.tolist():
        kept = [d for d, noise_d in enumerate(row) if noise_d < p_keep]
        outputs.append(softmax([sum(w[d] * units[d] for d in kept) + c for w, c in zip(weights, biases, strict=True)]))
    return torch.tensor(outputs, dtype=W.dtype).mean(dim=0)


def _monte_carlo_batched(
    W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    return torch.softmax((h * (u < p_keep)) @ W.T + b, dim=1).mean(dim=0)


def _monte_carlo_loop(
    W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    total = 0 * b
    for sample in u:
        total = total + torch.softmax(W[:, sample < p_keep] @ h[sample < p_keep] + b, dim=-1) / len(u)
    return total


def _monte_carlo_einsum(
    W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    logits = torch.einsum("kd,sd,d->ks", W, torch.where(u < p_keep, 1.0, 0.0).to(W), h) + b[:, None]
    return torch.softmax(logits, dim=0).mean(dim=1)


def _monte_carlo_logits(
    W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    return torch.softmax(((h * (u < p_keep)) @ W.T + b).mean(dim=0), dim=0)


def _monte_carlo_swapped(
    W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    return torch.softmax((h * (u >= p_keep)) @ W.T + b, dim=1).mean(dim=0)


def _monte_carlo_inverted(
    W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    return torch.softmax((h * (u < p_keep) / p_keep) @ W.T + b, dim=1).mean(dim=0)


def _monte_carlo_summed(
    W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    return torch.softmax((h * (u < p_keep)) @ W.T + b, dim=1).sum(dim=0)


def _monte_carlo_first(
    W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    return torch.softmax(W @ (h * (u[0] < p_keep)) + b, dim=0)


def _monte_carlo_weighted(
    W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    masks = (u < p_keep).to(W)
    weights = chances(masks, p_keep)
    return (weights / weights.sum()) @ torch.softmax((masks * h) @ W.T + b, dim=1)


def _monte_carlo_no_bias(
    W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    return torch.softmax((h * (u < p_keep)) @ W.T, dim=1).mean(dim=0)


def _monte_carlo_noise(
    W: torch.Tensor, b: torch.Tensor, h: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    return torch.softmax((h * u) @ W.T + b, dim=1).mean(dim=0)


def _telling(k: int, d: int, s: int, p_keep: float, g: torch.Generator) -> tuple[torch.Tensor, ...]:
    """W, b, h and noise with which the slips that differ by the sample's accidents are far from the right mean."""
    while True:
        inputs = (*softmax_layer(g, k, d), p_keep, noise(g, p_keep, s, d))
        right = _monte_carlo_batched(*inputs)
        slips = (_monte_carlo_logits, _monte_carlo_first, _monte_carlo_weighted)
        if s == 1 or all((slip(*inputs) - right).abs().max() > 0.02 for slip in slips):
            return (*inputs[:3], inputs[4])


def _monte_carlo_cases(g: torch.Generator) -> dict[str, Case]:
    def case(k: int, d: int, s: int, p_keep: float, dtype: torch.dtype = torch.float64) -> Case:
        W, b, h, u = (tensor.to(dtype) for tensor in _telling(k, d, s, p_keep, g))
        return Case({"W": W, "b": b, "h": h, "p_keep": p_keep, "u": u})

    return {
        "one sample": case(3, 2, 1, 0.8),
        "six samples, p = 0.2": case(3, 4, 6, 0.2),
        "square, p = 0.7": case(4, 4, 4, 0.7),
        "seven samples, float32": case(3, 5, 7, 0.7, torch.float32),
    }


_ONE = "one sampled mask"
_SEVERAL = "the mean over sampled masks"

MONTE_CARLO = Exercise(
    "monte-carlo-mean",
    defines=("monte_carlo_mean(W, b, h, p_keep, u)",),
    returns=("probabilities",),
    reference=_monte_carlo,
    cases=_monte_carlo_cases,
    criteria=(
        Criterion(_ONE, 0.5, cases=("one sample",)),
        Criterion(_SEVERAL, 1.5, cases=("six samples, p = 0.2", "square, p = 0.7", "seven samples, float32")),
        Criterion(DTYPE, 0.5, cases=("six samples, p = 0.2", "seven samples, float32"), aspect="dtype"),
    ),
    misconceptions=(
        Misconception(
            "softmax-of-the-mean",
            _monte_carlo_logits,
            "The sampled logits were averaged before the softmax. Average the probabilities of the sampled networks.",
            (_SEVERAL, DTYPE),
        ),
        Misconception(
            "keep-and-drop-swapped",
            _monte_carlo_swapped,
            "Units are dropped where they should be kept: a unit stays where u < p_keep.",
            (_ONE, _SEVERAL, DTYPE),
        ),
        Misconception(
            "scaled-and-sampled",
            _monte_carlo_inverted,
            "The kept units are divided by p_keep as well. The sub-networks here are those of plain dropout: kept "
            "units enter as they are.",
            (_ONE, _SEVERAL, DTYPE),
        ),
        Misconception(
            "summed-not-averaged",
            _monte_carlo_summed,
            "The outputs were added but not divided by the number of samples, so the result does not sum to 1.",
            (_SEVERAL, DTYPE),
        ),
        Misconception(
            "only-the-first-sample",
            _monte_carlo_first,
            "Only the first row of u is used. Every row is one mask, and all of them are averaged.",
            (_SEVERAL, DTYPE),
        ),
        Misconception(
            "weighted-twice",
            _monte_carlo_weighted,
            "The samples are weighted by their masks' probabilities. Likely masks are drawn more often already; in a "
            "sample every draw counts the same.",
            (_SEVERAL, DTYPE),
        ),
        Misconception("bias-forgotten", _monte_carlo_no_bias, HINT_BIAS, (_ONE, _SEVERAL, DTYPE)),
        Misconception(
            "noise-instead-of-masks",
            _monte_carlo_noise,
            "The hidden units were multiplied by u itself. u only decides: a unit is kept where u < p_keep and is 0 "
            "elsewhere.",
            (_ONE, _SEVERAL, DTYPE),
        ),
    ),
    right={
        "all samples at once": _monte_carlo_batched,
        "loop over the kept columns": _monte_carlo_loop,
        "einsum, classes first": _monte_carlo_einsum,
    },
)
