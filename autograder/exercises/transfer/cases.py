"""What the cases of this assignment are made of."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from autograder.exercises.dropout.draws import uniform

__all__ = ["images", "phase"]


def phase(g: Generator) -> float:
    """The number from which a network's parameters follow (`course_lib.transfer_nets`)."""
    return round(float(uniform(g, 0.5, 2.5, 1)), 3)


def images(g: Generator, n: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """(n, 2, 2, 2), in [-2, 2], with three decimals."""
    return (uniform(g, -2.0, 2.0, n, 2, 2, 2) * 1000).round().div(1000).to(dtype)
