"""Transformations that sample the image at other places than its pixels, bilinearly.

A pixel is a square and its value stands in the middle of it: pixel i of n lies at (i + 1/2) / n of the side.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["draw_angles", "draw_displacements", "draw_scale_crops", "rotate", "scale_crop", "smooth_warp"]


def draw_scale_crops(
    n: int, shape: tuple[int, int], low: int, high: int, size: int, generator: torch.Generator
) -> Tensor:
    """Random scale and place of a crop for each example (He et al. 2016, section 3.4).

    Args:
        n: number of examples.
        shape: (H, W) of the images.
        low: smallest short side after resizing.
        high: largest short side, included.
        size: side of the crop, at most `low`.
        generator: of the random numbers.

    Returns: (N, 4): height and width after resizing, top and left of the crop.
    """
    short_side = torch.randint(low, high + 1, (n,), generator=generator)
    resized = (torch.tensor(shape) / min(shape) * short_side[:, None]).round().long()
    room = resized - size + 1
    corners = (torch.rand(n, 2, generator=generator) * room).long()
    return torch.cat([resized, corners], dim=1)


def scale_crop(images: Tensor, crops: Tensor, size: int) -> Tensor:
    """Resize every image to its own size and cut a square out: in one sampling, without the resized image.

    Args:
        images: (N, C, H, W).
        crops: (N, 4), as by `draw_scale_crops`.
        size: side of the square.
    """
    resized, corners = crops.to(images)[:, :2], crops.to(images)[:, 2:]
    place = torch.arange(size, device=images.device, dtype=images.dtype)
    # Pixel i of the crop lies at (corner + i + 1/2) / resized of the image's side; grid_sample counts from -1 to 1.
    y, x = ((2 * (corners[:, axis, None] + place + 0.5) / resized[:, axis, None] - 1) for axis in (0, 1))
    whole = (len(images), size, size)
    grid = torch.stack([x[:, None, :].expand(whole), y[:, :, None].expand(whole)], dim=-1)
    return F.grid_sample(images, grid, "bilinear", "border", align_corners=False)


def draw_angles(n: int, most: float, generator: torch.Generator) -> Tensor:
    """Angles (N,) in degrees, uniform on [-most, most)."""
    return most * (2 * torch.rand(n, generator=generator) - 1)


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Rotate every image counter-clockwise about its middle by its own angle (N,); zeros come in from outside."""
    height, width = images.shape[2:]
    exact = torch.promote_types(images.dtype, torch.float32)
    angle = torch.deg2rad(degrees.to(images.device, exact)).view(-1, 1, 1)
    y, x = (torch.arange(size, device=images.device, dtype=exact) - (size - 1) / 2 for size in (height, width))
    # Where a pixel comes from: its place x + iy turned back, which is one multiplication.  y points down, so that
    # counter-clockwise has this sign.
    places = torch.complex(x.expand(height, width), y[:, None].expand(height, width))
    grid = torch.view_as_real(places * torch.polar(torch.full_like(angle, 2 / width), angle)).to(images.dtype)
    if height != width:
        grid[..., 1] *= width / height
    return F.grid_sample(images, grid, "bilinear", "zeros", align_corners=False)


def draw_displacements(images: Tensor, most: float, generator: torch.Generator, knots: int = 4) -> Tensor:
    """Smooth random displacements (N, 2, H, W) in pixels (dy, dx), from random ones at knots x knots places.

    Args:
        images: (N, C, H, W).
        most: largest displacement of a knot, in pixels; a smooth curve between knots may pass it by a little.
        generator: of the random numbers.
        knots: along each side; fewer are smoother.
    """
    coarse = most * (2 * torch.rand(len(images), 2, knots, knots, generator=generator) - 1)
    return F.interpolate(coarse.to(images), images.shape[2:], mode="bicubic", align_corners=False)


def smooth_warp(images: Tensor, displacements: Tensor) -> Tensor:
    """Sample every image at place + displacement, bilinearly; beyond the border its outermost pixels continue.

    Args:
        images: (N, C, H, W).
        displacements: (N, 2, H, W), in pixels (dy, dx).
    """
    height, width = images.shape[2:]
    rows, columns = (torch.arange(size, device=images.device, dtype=images.dtype) for size in (height, width))
    dy, dx = displacements.to(images).unbind(dim=1)
    y = (2 * (rows[:, None] + dy) + 1) / height - 1
    x = (2 * (columns + dx) + 1) / width - 1
    return F.grid_sample(images, torch.stack([x, y], dim=-1), "bilinear", "border", align_corners=False)
