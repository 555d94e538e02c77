"""Flips and crops: pixels move, none is computed anew."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["crop", "draw_corners", "draw_flips", "horizontal_flip"]


def draw_flips(n: int, p: float, generator: torch.Generator) -> Tensor:
    """Which of n examples are flipped, each with probability p: (N,) booleans."""
    return torch.rand(n, generator=generator) < p


def horizontal_flip(images: Tensor, flipped: Tensor) -> Tensor:
    """Mirror left and right where `flipped` (N,) is true."""
    width = images.shape[-1]
    column = torch.arange(width, device=images.device)
    source = torch.where(flipped.to(images.device).unsqueeze(1), width - 1 - column, column)  # (N, W)
    return images.gather(-1, source[:, None, None, :].expand(images.shape))


def draw_corners(n: int, rooms: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Top-left corners of crops: (N, 2), each uniform on 0, ..., room, both ends included.

    Args:
        n: number of examples.
        rooms: pixels by which a crop can move down and to the right: size of the (padded) image minus the crop's.
        generator: of the random numbers.
    """
    return torch.stack([torch.randint(0, room + 1, (n,), generator=generator) for room in rooms], dim=1)


def crop(images: Tensor, corners: Tensor, size: int, padding: int = 0) -> Tensor:
    """Cut a square out of every image, after padding it with zeros.

    Args:
        images: (N, C, H, W).
        corners: (N, 2), top and left in the padded image.
        size: side of the square.
        padding: pixels added on every side.

    Returns: (N, C, size, size).
    """
    padded = F.pad(images, (padding,) * 4).contiguous()
    n, channels, height, width = padded.shape
    if n == 0:  # nothing has no windows
        return padded.new_zeros(0, channels, size, size)
    top, left = corners.to(images.device).unbind(dim=1)
    row = torch.arange(size, device=images.device)
    # Every row of every crop is a window of the flattened batch: pick these windows by where they begin.
    plane = torch.arange(n * channels, device=images.device).view(n, channels, 1) * (height * width)
    begins = plane + ((top[:, None] + row) * width + left[:, None]).unsqueeze(1)  # (N, C, size)
    return padded.flatten().unfold(0, size, 1).index_select(0, begins.flatten()).view(n, channels, size, size)
