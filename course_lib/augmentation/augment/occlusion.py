"""Hiding or spoiling pixels."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["cutout", "draw_centres", "draw_pixels", "pixel_noise"]


def draw_pixels(images: Tensor, p: float, generator: torch.Generator) -> Tensor:
    """Which pixels are flipped, each with probability p: (N, H, W) booleans, on the images' device."""
    n, _, height, width = images.shape
    return (torch.rand(n, height, width, generator=generator) < p).to(images.device)


def pixel_noise(images: Tensor, flipped: Tensor) -> Tensor:
    """A pixel becomes 1 - value in all channels where `flipped` (N, H, W) is true."""
    return torch.where(flipped.to(images.device).unsqueeze(1), 1 - images, images)


def draw_centres(images: Tensor, generator: torch.Generator) -> Tensor:
    """A pixel of each image: (N, 2), row and column, uniform; near the border as well."""
    return torch.stack(
        [torch.randint(0, size, (len(images),), generator=generator) for size in images.shape[2:]], dim=1
    )


def cutout(images: Tensor, centres: Tensor, length: int) -> Tensor:
    """Set a square around `centres` (N, 2) of finite images to zero, clipped at the border (DeVries, Taylor 2017).

    Rows center - length // 2 up to, not including, center - length // 2 + length; the same for columns.
    """
    first = centres.to(images.device) - length // 2
    rows, columns = (_covered(first[:, axis], length, images.shape[2 + axis]) for axis in (0, 1))
    # One factor for each pixel: faster than a mask and a fill that are broadcast over the channels.
    kept = torch.where(rows[:, :, None], (~columns).to(images.dtype)[:, None, :], 1)
    return images * kept.unsqueeze(1)


def _covered(first: Tensor, length: int, size: int) -> Tensor:
    """(N, size): which places lie in the `length` places from `first` (N,) on."""
    place = torch.arange(size, device=first.device)
    return (place >= first[:, None]) & (place < first[:, None] + length)
