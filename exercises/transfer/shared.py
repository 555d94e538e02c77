"""What the exercises on transfer learning share: from which numbers networks and images are made.

A case names a network; `course_lib.transfer.drivers` builds it where the student's code runs.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from exercises.draws import uniform


def phase(g: Generator) -> float:
    """The number from which a network's parameters follow (`course_lib.transfer.nets.tiny`)."""
    return round(float(uniform(g, 0.5, 2.5, 1)), 3)

def images(g: Generator, n: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """(n, 2, 2, 2), in [-2, 2], with three decimals."""
    return (uniform(g, -2.0, 2.0, n, 2, 2, 2) * 1000).round().div(1000).to(dtype)
