"""Mixing pairs of examples and their labels."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["draw_mix", "mixup"]


def draw_mix(n: int, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Shares (N,) from Beta(alpha, alpha), one for each example, and a permutation (N,) of the partners."""
    # Beta as a ratio of Gamma variables; torch.distributions takes no generator.
    gammas = torch._standard_gamma(torch.full((2, n), alpha, dtype=torch.float64), generator=generator)
    lam = gammas[0] / gammas.sum(dim=0)
    return lam.to(torch.float32), torch.randperm(n, generator=generator)


def mixup(images: Tensor, targets: Tensor, lam: Tensor, permutation: Tensor) -> tuple[Tensor, Tensor]:
    """lam x + (1 - lam) x[permutation], and the same of the targets (Zhang et al. 2018).

    Args:
        images: (N, C, H, W).
        targets: (N, K), one-hot or soft.
        lam: share of the example itself, (N,).
        permutation: (N,), each example's partner.
    """
    lam, partner = lam.to(images), permutation.to(images.device)
    mixed = torch.lerp(images[partner], images, lam.view(-1, 1, 1, 1))
    return mixed, torch.lerp(targets[partner], targets, lam.to(targets).view(-1, 1))
