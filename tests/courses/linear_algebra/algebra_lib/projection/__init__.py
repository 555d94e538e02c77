"""Projections onto lines and subspaces."""

import torch

__all__ = ["points"]


def points(n: int) -> torch.Tensor:
    """n points of the plane on a circle, (n, 2)."""
    angle = torch.arange(n) * (2 * torch.pi / n)
    return torch.stack([angle.cos(), angle.sin()], 1)
