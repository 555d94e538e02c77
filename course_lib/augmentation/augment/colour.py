"""Changes of brightness, contrast and the color of the light."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["colour_jitter", "draw_alphas", "draw_factors", "pca_lighting"]


def draw_factors(n: int, strength: float, generator: torch.Generator) -> Tensor:
    """Factors (N,) uniform on [1 - strength, 1 + strength)."""
    return 1 + strength * (2 * torch.rand(n, generator=generator) - 1)


def colour_jitter(images: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    """clamp((b x - m) c + m, 0, 1) with m the mean of b x over the image.

    Args:
        images: (N, C, H, W).
        brightness: factors b, (N,).
        contrast: factors c, (N,).
    """
    b, c = (_column(factor, images) for factor in (brightness, contrast))
    mean = b * images.mean(dim=(1, 2, 3), keepdim=True)
    # The same, expanded, so that large tensors are passed over once: x (b c) + m (1 - c).
    return torch.addcmul(mean * (1 - c), images, b * c).clamp_(0, 1)


def draw_alphas(n: int, std: float, generator: torch.Generator) -> Tensor:
    """Normal numbers (N, 3), one for each principal component of the colors."""
    return std * torch.randn(n, 3, generator=generator)


def pca_lighting(images: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, alphas: Tensor) -> Tensor:
    """Add E (alphas * eigenvalues) to every pixel of an image (Krizhevsky et al. 2012, section 4.1).

    Args:
        images: (N, 3, H, W); the result is not clamped.
        eigenvalues: (3,), of the covariance of the training pixels.
        eigenvectors: (3, 3), in columns.
        alphas: (N, 3).
    """
    values, vectors, alphas = (part.to(images) for part in (eigenvalues, eigenvectors, alphas))
    return images + ((alphas * values) @ vectors.T)[:, :, None, None]


def _column(factor: Tensor, images: Tensor) -> Tensor:
    return factor.to(images).view(-1, 1, 1, 1)
