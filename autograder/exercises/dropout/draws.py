"""Random inputs on which right and wrong dropouts always differ.

Plain normal noise would now and then make a wrong answer look right: a sum near zero, a mask that keeps everything,
a uniform number so close to p_keep that rounding decides.  These draws leave such accidents out.
"""

from __future__ import annotations

import torch

__all__ = ["factors", "magnitudes", "noise", "signs", "uniform"]

_MARGIN = 0.03


def uniform(g: torch.Generator, low: float, high: float, *shape: int) -> torch.Tensor:
    """Uniform on [low, high), float64."""
    return low + (high - low) * torch.rand(*shape, generator=g, dtype=torch.float64)


def signs(g: torch.Generator, *shape: int) -> torch.Tensor:
    """Random signs, -1.0 or 1.0, float64."""
    return torch.randint(0, 2, shape, generator=g).double() * 2 - 1


def magnitudes(g: torch.Generator, *shape: int) -> torch.Tensor:
    """Numbers of either sign whose size lies in [0.5, 2): never near zero, float64."""
    return signs(g, *shape) * uniform(g, 0.5, 2.0, *shape)


def noise(g: torch.Generator, p_keep: float, *shape: int) -> torch.Tensor:
    """Uniform noise on [0, 1) for masks, float64, never within rounding of `p_keep`.

    Where `p_keep` allows, the first entry of the last axis is kept and the last one dropped in every row.
    """
    u = torch.rand(*shape, generator=g, dtype=torch.float64)
    u = torch.where((u - p_keep).abs() < _MARGIN, (u + 0.5) % 1.0, u)
    if p_keep < 1 and shape[-1] > 1:
        u[..., 0] = p_keep * uniform(g, 0.2, 0.8, *shape[:-1])
        u[..., -1] = 1 - (1 - p_keep) * uniform(g, 0.2, 0.8, *shape[:-1])
    return u


def factors(g: torch.Generator, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights and inputs (n,) whose products have both signs and a sum well above zero, float64."""
    products = uniform(g, 0.6, 1.6, n)
    if n > 1:
        products[-1] = -0.4 * uniform(g, 0.6, 1.0, 1).item()
    x = magnitudes(g, n)
    return products / x, x
