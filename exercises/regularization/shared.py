"""What the exercises on weight regularization share: how their random numbers are drawn."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from exercises.draws import uniform


def among(g: Generator, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (1,), generator=g))

def between(g: Generator, low: float, high: float) -> float:
    """A number of three decimals."""
    return round(float(uniform(g, low, high, 1)), 3)

def away_from_zero(g: Generator, *shape: int, low: float = 0.5, high: float = 2.0) -> Tensor:
    """Float64 numbers of random sign whose size is uniform on [low, high)."""
    return uniform(g, low, high, *shape).copysign_(uniform(g, -1.0, 1.0, *shape))
