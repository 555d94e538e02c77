"""Random numbers that several topics draw."""

import torch

__all__ = ["uniform"]


def uniform(g: torch.Generator, low: float, high: float, *shape: int) -> torch.Tensor:
    """Uniform on [low, high), float64."""
    return low + (high - low) * torch.rand(*shape, generator=g, dtype=torch.float64)
