"""An image read at places between its pixels: the literal formula, and the same through PyTorch's grid."""

from __future__ import annotations

import itertools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["by_grid", "centred_grid", "pixel_grid", "sampled"]


def pixel_grid(image: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of every pixel, each (H, W), in the dtype of the image."""
    rows, columns = torch.from_numpy(np.indices(image.shape[-2:])).to(image)
    return rows, columns


def centred_grid(image: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of every pixel counted from the middle of the image, each (H, W)."""
    rows, columns = pixel_grid(image)
    return rows - (image.shape[-2] - 1) / 2, columns - (image.shape[-1] - 1) / 2


def sampled(image: Tensor, rows: Tensor, columns: Tensor, border: bool) -> Tensor:
    """Bilinear values at the given places: the four neighbours, weighted by their distance.

    Args:
        image: (C, H, W).
        rows, columns: places in pixels, each (H', W').
        border: outside the image repeat its border; else zeros.
    """
    # In NumPy: on images this small it is several times faster.
    pixels, places = image.numpy(), (rows.numpy(), columns.numpy())
    lasts = tuple(n - 1 for n in image.shape[-2:])
    first = tuple(np.floor(place) for place in places)
    y = np.zeros((len(image), *rows.shape), dtype=pixels.dtype)
    for steps in itertools.product((0, 1), repeat=2):
        nodes = [f + step for f, step in zip(first, steps, strict=True)]
        weight = np.prod([1 - np.abs(place - node) for place, node in zip(places, nodes, strict=True)], axis=0)
        if not border:
            for node, last in zip(nodes, lasts, strict=True):
                weight = weight * ((node >= 0) & (node <= last))
        row, column = (np.clip(node, 0, last).astype(int) for node, last in zip(nodes, lasts, strict=True))
        y += weight * pixels[:, row, column]
    return torch.from_numpy(y)


def by_grid(
    image: Tensor,
    rows: Tensor,
    columns: Tensor,
    padding: str = "zeros",
    mode: str = "bilinear",
    align: tuple[bool, bool] = (True, True),
) -> Tensor:
    """The same through `grid_sample`; `align` is its option when the grid is made and when it is read."""
    height, width = image.shape[-2:]
    scaled = [
        2 * places / max(n - 1, 1) - 1 if align[0] else (2 * places + 1) / n - 1
        for places, n in ((columns, width), (rows, height))
    ]
    grid = torch.stack(scaled, -1).to(image.dtype)
    return F.grid_sample(image[None], grid[None], mode, padding, align_corners=align[1])[0]
