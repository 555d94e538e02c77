"""What the exercises on augmentation share: pictures whose pixels tell where they come from, crops, and interpolation.

Interpolation comes twice: as the literal formula, for references, and through PyTorch, for its wrong relatives.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from exercises.draws import uniform

LIBRARY_IMAGES = (
    "torchvision", "kornia", "albumentations", "cv2", "skimage", "scipy.ndimage", "course_lib.augmentation"
)
"""Libraries whose single call would be the answer.  What PyTorch itself has for images may be used."""

def picture(
    g: Generator, *shape: int, low: float = 0.05, high: float = 0.95, dtype: torch.dtype = torch.float64
) -> Tensor:
    """An image or a batch in which no two pixels are alike, within [low, high)."""
    return uniform(g, low, high, *shape).to(dtype)

def numbered(*shape: int) -> Tensor:
    """An image whose pixels count 0.05, 0.1, ... in reading order: a value tells its place.  At most 20, float64."""
    count = torch.Size(shape).numel()
    return (torch.arange(1, count + 1, dtype=torch.float64) / 20).reshape(shape)

def shuffled(g: Generator, numbers: list[float], spread: float = 0.0) -> Tensor:
    """The numbers in a random order, each up to `spread` away, float64."""
    exact = torch.tensor(numbers, dtype=torch.float64)
    return (exact + uniform(g, -spread, spread, len(numbers)))[torch.randperm(len(numbers), generator=g)]

def rotation(g: Generator) -> Tensor:
    """A rotation in color space, (3, 3), far from symmetric and from any exchange of axes, float64."""
    a, b, c = uniform(g, 0.5, 0.7, 3).tolist()
    x = torch.tensor([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]], dtype=torch.float64)
    y = torch.tensor([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]], dtype=torch.float64)
    z = torch.tensor([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]], dtype=torch.float64)
    return x @ y @ z

def places(image: Tensor, crop: int) -> list[tuple[int, int]]:
    """Row and column of the first pixel of each of the five crops."""
    down, right = image.shape[-2] - crop, image.shape[-1] - crop
    return [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]

def cut(image: Tensor, crop: int, places: list[tuple[int, int]]) -> list[Tensor]:
    """The square crops whose first pixels are given."""
    return [image[:, top : top + crop, left : left + crop] for top, left in places]

def five_crops(image: Tensor, crop: int) -> Tensor:
    """The five crops: the corners, then the center, (5, C, crop, crop)."""
    return torch.stack(cut(image, crop, places(image, crop)))

def ten_crops(image: Tensor, crop: int) -> Tensor:
    """The five crops, then their mirror images, (10, C, crop, crop)."""
    five = five_crops(image, crop)
    return torch.cat([five, five.flip(3)])

def ten_crops_of_mirrored(image: Tensor, crop: int) -> Tensor:
    """The ten crops as torchvision orders them: the last five are those of the mirrored image."""
    corners = places(image, crop)
    return torch.stack(cut(image, crop, corners) + cut(image.flip(-1), crop, corners))

def interpolation_weights(n_in: int, n_out: int) -> Tensor:
    """(n_out, n_in): how much each old pixel gives to each new one along one axis, float64."""
    weights = [[0.0] * n_in for _ in range(n_out)]
    for new in range(n_out):
        place = min(max((new + 0.5) * n_in / n_out - 0.5, 0.0), n_in - 1.0)
        before = min(int(place), max(n_in - 2, 0))
        weights[new][before] += 1 - (place - before)
        weights[new][min(before + 1, n_in - 1)] += place - before
    return torch.tensor(weights, dtype=torch.float64)

def interpolated(image: Tensor, height: int, width: int) -> Tensor:
    """Bilinear interpolation between the centers of the pixels, with half-pixel centers: one matrix for each axis."""
    rows, columns = (interpolation_weights(a, b) for a, b in zip(image.shape[-2:], (height, width), strict=True))
    return rows.to(image) @ image @ columns.to(image).T

def resized(image: Tensor, height: int, width: int, mode: str = "bilinear", **options: bool) -> Tensor:
    """The same by PyTorch, or with other options something else."""
    return F.interpolate(image[None], (height, width), mode=mode, **options)[0]

def short_side(image: Tensor, size: int, rounding: Callable[[float], int] = round) -> tuple[int, int]:
    """Height and width after the short side became `size`."""
    height, width = image.shape[-2:]
    if height <= width:
        return size, rounding(width * size / height)
    return rounding(height * size / width), size

def pixel_grid(image: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of every pixel, each (H, W), in the dtype of the image."""
    rows, columns = torch.from_numpy(np.indices(image.shape[-2:])).to(image)
    return rows, columns

def sampled(image: Tensor, rows: Tensor, columns: Tensor, border: bool) -> Tensor:
    """Bilinear values at the given places: the four neighbors, weighted by their distance.

    Args:
        image: (C, H, W).
        rows, columns: places in pixels, each (H', W').
        border: outside the image repeat its border; else zeros."""
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
