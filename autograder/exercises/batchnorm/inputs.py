"""Inputs that separate right from wrong: what the cases of this assignment are drawn from.

Two regimes, so that a mistake about eps costs the points for eps and no others:

- *wide*: standard deviations of 3 to 8 with ``eps = TINY``, where no way of using eps shows;
- *narrow*: standard deviations of 0.03 to 0.08 with ``eps = BIG``, where every way shows.

Means and standard deviations of the drawn columns and planes are exact, not merely expected, so the margin
between a right and a wrong answer does not depend on luck.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

__all__ = [
    "BIG",
    "NARROW",
    "TINY",
    "WIDE",
    "columns",
    "images",
    "plain",
    "round_columns",
    "scales",
    "shifts",
    "uniform",
    "variances",
]

TINY = 1e-9
BIG = 1e-2
WIDE = (3.0, 8.0)
NARROW = (0.03, 0.08)


def uniform(g: Generator, shape: tuple[int, ...], low: float, high: float) -> Tensor:
    """Float64 numbers, uniform on [low, high)."""
    return torch.empty(shape, dtype=torch.float64).uniform_(low, high, generator=g)


def shifts(g: Generator, d: int, low: float = 0.5, high: float = 2.0) -> Tensor:
    """Numbers away from zero, of random sign, shape (d,): a beta, a mean, a bias."""
    return uniform(g, (d,), low, high).copysign_(uniform(g, (d,), -1.0, 1.0))


def scales(g: Generator, d: int) -> Tensor:
    """A gamma, shape (d,): sizes 0.5 to 2, signs alternating, so that some are negative."""
    values = uniform(g, (d,), 0.5, 2.0)
    values[int(torch.randint(0, 2, (1,), generator=g)) :: 2].neg_()
    return values


def plain(d: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """A gamma of ones and a beta of zeros: scale and shift do not show."""
    return torch.ones(d, dtype=dtype), torch.zeros(d, dtype=dtype)


def variances(g: Generator, d: int, *, small: bool = False) -> Tensor:
    """Running variances, shape (d,): 2 to 9, or 0.001 to 0.004 where eps matters; never near 1."""
    return uniform(g, (d,), 1e-3, 4e-3) if small else uniform(g, (d,), 2.0, 9.0)


def columns(g: Generator, n: int, d: int, std: tuple[float, float] = WIDE, level: float = 6.0) -> Tensor:
    """A batch (n, d) whose columns have means up to `level` and biased standard deviations within `std`, exactly."""
    z = torch.randn(n, d, generator=g, dtype=torch.float64)
    z = (z - z.mean(0)) / z.std(0, correction=0)
    return shifts(g, d, level / 3, level) + uniform(g, (d,), *std) * z


def round_columns(g: Generator, d: int = 2) -> Tensor:
    """A batch (4, d) of whole numbers, each column m - k twice and m + k twice: standardised it is -1 and 1.

    Small enough to work by hand.  No column repeats or mirrors the signs of another, for d up to 2.
    """
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)[:, :d]
    signs = signs[torch.randperm(4, generator=g)]
    middle = torch.randperm(9, generator=g)[:d] - 4
    size = torch.randperm(4, generator=g)[:d] + 3
    return middle + size * signs


def images(
    g: Generator, shape: tuple[int, int, int, int], std: tuple[float, float] = WIDE, level: float = 6.0
) -> Tensor:
    """Images (N, C, H, W); every plane (n, c) has a mean and a biased standard deviation of its own.

    Channels differ from each other by about `level`, images by a third of it, so that every wrong choice of what
    to average over shows.
    """
    n, c, _, _ = shape
    z = torch.randn(shape, generator=g, dtype=torch.float64)
    z = (z - z.mean((2, 3), keepdim=True)) / z.std((2, 3), correction=0, keepdim=True)
    middle = shifts(g, c, level / 3, level) + uniform(g, (n, c), -level / 3, level / 3)
    return middle[:, :, None, None] + uniform(g, (n, c), *std)[:, :, None, None] * z
