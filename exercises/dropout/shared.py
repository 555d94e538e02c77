"""What the exercises on dropout share: inputs, masks, sub-networks, hints, and what an answer may not call.

The inputs are such that right and wrong always differ.  Plain normal noise would now and then make a wrong dropout look
right: a sum near zero, a mask that keeps everything, a uniform number so close to p_keep that rounding decides.  These
draws leave such accidents out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from exercises.draws import uniform

LIBRARY_DROPOUT = (
    "torch.dropout",
    "torch.dropout_",
    "torch.native_dropout",
    "torch.feature_dropout",
    "torch.alpha_dropout",
    "torch.feature_alpha_dropout",
    "torch.nn.Dropout",
    "torch.nn.Dropout1d",
    "torch.nn.Dropout2d",
    "torch.nn.Dropout3d",
    "torch.nn.AlphaDropout",
    "torch.nn.FeatureAlphaDropout",
    "torch.nn.functional.dropout",
    "torch.nn.functional.dropout1d",
    "torch.nn.functional.dropout2d",
    "torch.nn.functional.dropout3d",
    "torch.nn.functional.alpha_dropout",
    "torch.nn.functional.feature_alpha_dropout",
    "torch.ops.aten",
)
"""Ready-made dropout, which draws its own noise."""

HINT_SWAPPED = (
    "Units are dropped where they should be kept. A unit stays where u < p_keep, so that p_keep is the probability of "
    "keeping it."
)
HINT_ONE_ROW = "Every example gets the mask of the first one. Each example draws its own: u has a row for each of them."
HINT_FLOAT32 = "The result is float32 whatever came in. It should have the dtype of the input."
HINT_IN_PLACE = (
    "The input tensor itself was changed. Whoever passed it still needs it (the backward pass, for one): compute a new "
    "tensor."
)
HINT_HALF = (
    "All masks count the same. That is right at p_keep = 1/2 only; otherwise a mask counts with its probability."
)
HINT_DROP = "p_keep was used as the probability of dropping. It is the probability of keeping a unit."
HINT_BIAS = "The bias is missing. No mask drops it, so every sub-network has it at full size."

def signs(g: Generator, *shape: int) -> Tensor:
    """Random signs, -1.0 or 1.0, float64."""
    return torch.randint(0, 2, shape, generator=g).double() * 2 - 1

def magnitudes(g: Generator, *shape: int) -> Tensor:
    """Numbers of either sign whose size lies in [0.5, 2): never near zero, float64."""
    return signs(g, *shape) * uniform(g, 0.5, 2.0, *shape)

MARGIN = 0.03

def noise(g: Generator, p_keep: float, *shape: int) -> Tensor:
    """Uniform noise on [0, 1) for masks, float64, never within rounding of `p_keep`.

    Where `p_keep` allows, the first entry of the last axis is kept and the last one dropped in every row."""
    u = torch.rand(*shape, generator=g, dtype=torch.float64)
    u = torch.where((u - p_keep).abs() < MARGIN, (u + 0.5) % 1.0, u)
    if p_keep < 1 and shape[-1] > 1:
        u[..., 0] = p_keep * uniform(g, 0.2, 0.8, *shape[:-1])
        u[..., -1] = 1 - (1 - p_keep) * uniform(g, 0.2, 0.8, *shape[:-1])
    return u

def layer_inputs(
    g: Generator, p_keep: float, n: int, d: int, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """A layer's input (n, d), nowhere near zero, and its noise (n, d)."""
    return magnitudes(g, n, d).to(dtype), noise(g, p_keep, n, d).to(dtype)

SMALL = (
    torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).double(),
    torch.tensor([[0.1, 0.9, 0.5], [0.95, 0.3, 0.6]]).double(),
)
"""A layer's input and its noise, to be worked by hand."""

OUTPUTS = ("y", "dropped", "drops")
"""What the driver `dropped-units` gives."""

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

    yield "p = 1/2", case(3, 2, 0.5)
    yield "p = 0.2", case(3, 4, 0.2)
    yield "square, p = 0.7", case(4, 4, 0.7)
    yield "float32", case(5, 3, 0.7, torch.float32)

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
