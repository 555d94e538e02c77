"""Resizing by bilinear interpolation: the literal formula, its wrong relatives, and the exercise."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.exercises.augmentation.images import DTYPE, HINT_FLOAT32, LIBRARY_IMAGES, numbered, picture, uniform
from autograder.exercises.model import Case, Criterion, Exercise, Misconception, one_of

__all__ = ["RESIZE", "interpolated", "resized", "short_side"]


def interpolated(image: Tensor, height: int, width: int) -> Tensor:
    """Bilinear interpolation between the centres of the pixels, with half-pixel centres: one matrix for each axis."""
    rows, columns = (_weights(a, b) for a, b in zip(image.shape[-2:], (height, width), strict=True))
    return rows.to(image) @ image @ columns.to(image).T


def _weights(n_in: int, n_out: int) -> Tensor:
    """(n_out, n_in): how much each old pixel gives to each new one along one axis, float64."""
    weights = [[0.0] * n_in for _ in range(n_out)]
    for new in range(n_out):
        place = min(max((new + 0.5) * n_in / n_out - 0.5, 0.0), n_in - 1.0)
        before = min(int(place), max(n_in - 2, 0))
        weights[new][before] += 1 - (place - before)
        weights[new][min(before + 1, n_in - 1)] += place - before
    return torch.tensor(weights, dtype=torch.float64)


def resized(image: Tensor, height: int, width: int, mode: str = "bilinear", **options: bool) -> Tensor:
    """The same by PyTorch, with whatever other choice."""
    return F.interpolate(image[None], (height, width), mode=mode, **options)[0]


def _nearest(number: float) -> int:
    return round(number)


def short_side(image: Tensor, size: int, rounding: Callable[[float], int] = _nearest) -> tuple[int, int]:
    """Height and width after the short side became `size`."""
    height, width = image.shape[-2:]
    if height <= width:
        return size, rounding(width * size / height)
    return rounding(height * size / width), size


# resize-short-side --------------------------------------------------------------------------------------------


def _resize(image: Tensor, size: int) -> Tensor:
    return interpolated(image, *short_side(image, size))


def _resize_library(image: Tensor, size: int) -> Tensor:
    height, width = image.shape[1:]
    scale = size / min(height, width)
    new = (int(height * scale + 0.5), int(width * scale + 0.5))
    return F.interpolate(image.unsqueeze(0), size=new, mode="bilinear", align_corners=False).squeeze(0)


def _resize_smoothed(image: Tensor, size: int) -> Tensor:
    return resized(image, *short_side(image, size), align_corners=False, antialias=True)


def _resize_sampled(image: Tensor, size: int) -> Tensor:
    height, width = short_side(image, size)
    theta = torch.eye(2, 3, dtype=image.dtype, device=image.device)[None]
    grid = F.affine_grid(theta, [1, len(image), height, width], align_corners=False)
    return F.grid_sample(image[None], grid, padding_mode="border", align_corners=False)[0]


def _resize_numpy(image: Tensor, size: int) -> Tensor:
    y = image.numpy()
    for axis, new in zip((1, 2), short_side(image, size), strict=True):
        old = y.shape[axis]
        places = (np.arange(new) + 0.5) * old / new - 0.5
        y = np.apply_along_axis(functools.partial(np.interp, places, np.arange(old)), axis, y)
    return torch.from_numpy(y).to(image.dtype)


def _resize_both(image: Tensor, size: int) -> Tensor:
    return interpolated(image, size, size)


def _resize_long(image: Tensor, size: int) -> Tensor:
    height, width = image.shape[-2:]
    scale = size / max(height, width)
    return interpolated(image, round(height * scale), round(width * scale))


def _resize_height(image: Tensor, size: int) -> Tensor:
    height, width = image.shape[-2:]
    return interpolated(image, size, round(width * size / height))


def _resize_width(image: Tensor, size: int) -> Tensor:
    height, width = image.shape[-2:]
    return interpolated(image, round(height * size / width), size)


def _resize_swapped(image: Tensor, size: int) -> Tensor:
    height, width = short_side(image, size)
    return interpolated(image, width, height)


def _resize_channels_last(image: Tensor, size: int) -> Tensor:
    height, width = image.shape[:2]
    scale = size / min(height, width)
    return interpolated(image, round(height * scale), round(width * scale))


def _resize_pixel_corners(image: Tensor, size: int) -> Tensor:
    """Without the half pixel: new pixel i comes from i * old / new."""
    height, width = short_side(image, size)
    for new in (height, width):  # the second pass works on the transposed image
        old = image.shape[-2]
        places = (torch.arange(new, dtype=image.dtype) * old / new).clamp(max=old - 1)
        before = places.long()
        after = (before + 1).clamp(max=old - 1)
        part = (places - before)[:, None]
        image = (image[..., before, :] * (1 - part) + image[..., after, :] * part).mT
    return image


def _with(mode: str, rounding: Callable[[float], int] = _nearest, **options: bool) -> Callable[[Tensor, int], Tensor]:
    return lambda image, size: resized(image, *short_side(image, size, rounding), mode, **options)


def _resize_float32(image: Tensor, size: int) -> Tensor:
    return _resize_library(image.float(), size)


def _ramp(g: torch.Generator, channels: int, height: int, width: int) -> Tensor:
    """A plane in every channel: smoothing beforehand changes nothing but the border."""
    down, right = uniform(g, 0.01, 0.02, channels, 1, 1), uniform(g, 0.02, 0.03, channels, 1, 1)
    rows, columns = torch.arange(height).double()[:, None], torch.arange(width).double()
    return uniform(g, 0.1, 0.2, channels, 1, 1) + down * rows + right * columns


def _resize_cases(g: torch.Generator) -> dict[str, Case]:
    def exact(image: Tensor, size: int, driver: str = "resized") -> Case:
        return Case({"image": image, "size": size}, driver=driver, outputs=("size", "pixels"))

    def reduced(image: Tensor, size: int) -> Case:
        return Case({"image": image, "size": size}, driver="resized", outputs=("size", "interior"))

    def between(image: Tensor, size: int) -> Case:
        return Case({"image": image, "size": size}, driver="resized", outputs=("size",))

    wide, enlarged = one_of(g, ((4, 6), 6), ((4, 6), 8), ((2, 5), 4), ((6, 9), 8))
    down, to_down = one_of(g, ((5, 8), 7), ((5, 7), 6), ((7, 9), 8))
    up, to_up = one_of(g, ((7, 4), 5), ((8, 3), 4), ((9, 5), 6))
    return {
        "by hand": exact(numbered(1, 2, 3), 4),
        "landscape, enlarged": exact(picture(g, 3, *wide), enlarged),
        "portrait, enlarged, float32": exact(picture(g, 2, 9, 3, dtype=torch.float32), 5),
        "square, strided": exact(picture(g, 4, 4, 4), 7, "resized-strided"),
        "landscape, one row": exact(picture(g, 2, 1, 3), 2),
        "landscape, reduced": reduced(_ramp(g, 3, 8, 14), 4),
        "portrait, reduced": reduced(_ramp(g, 2, 15, 9), 3),
        "long side to be rounded down": between(picture(g, 3, *down), to_down),
        "long side to be rounded up": between(picture(g, 2, *up), to_up),
    }


_SHORT = "the short side gets the size, the aspect is kept"
_ROUNDS = "the other side is rounded"
_BILINEAR = "interpolates between pixel centres"
_EXACT = ("by hand", "landscape, *", "portrait, *", "square, strided")

RESIZE = Exercise(
    "resize-short-side",
    defines=("resize_short_side(image, size)",),
    returns=("image",),
    reference=_resize,
    cases=_resize_cases,
    criteria=(
        Criterion(_SHORT, 1, cases=_EXACT, outputs=("size",)),
        Criterion(_ROUNDS, 0.5, cases=("long side*",)),
        Criterion(_BILINEAR, 1, cases=_EXACT, outputs=("pixels", "interior")),
        Criterion(DTYPE, 0.5, cases=("by hand", "portrait, enlarged, float32"), outputs=("pixels",), aspect="dtype"),
    ),
    misconceptions=(
        Misconception(
            "both-sides-resized",
            _resize_both,
            "Both sides get the size, so everything in the image becomes thinner or wider. Only the short side is "
            "given; the other follows from the aspect.",
            (_SHORT, _ROUNDS, _BILINEAR, DTYPE),
        ),
        Misconception(
            "long-side-resized",
            _resize_long,
            "The long side gets the size. Then the short one becomes smaller than the crop that is to be cut out of "
            "the image later.",
            (_SHORT, _ROUNDS, _BILINEAR, DTYPE),
        ),
        Misconception(
            "height-always",
            _resize_height,
            "The height gets the size even where the width is the shorter side. An image can be portrait or landscape.",
            (_SHORT, _ROUNDS, _BILINEAR, DTYPE),
        ),
        Misconception(
            "width-always",
            _resize_width,
            "The width gets the size even where the height is the shorter side. An image can be portrait or landscape.",
            (_SHORT, _ROUNDS, _BILINEAR, DTYPE),
        ),
        Misconception(
            "height-and-width-swapped",
            _resize_swapped,
            "Height and width are exchanged. A size is given as rows, then columns.",
            (_SHORT, _ROUNDS, _BILINEAR, DTYPE),
        ),
        Misconception(
            "channels-taken-for-height",
            _resize_channels_last,
            "The number of channels was taken for the height. An image here has the axes (C, H, W).",
            (_SHORT, _ROUNDS, _BILINEAR, DTYPE),
        ),
        Misconception(
            "rounded-down",
            _with("bilinear", math.floor, align_corners=False),
            "The long side is always rounded down, so the aspect is kept less well than possible. It should be rounded "
            "to the nearest whole number.",
            (_ROUNDS,),
        ),
        Misconception(
            "rounded-up",
            _with("bilinear", math.ceil, align_corners=False),
            "The long side is always rounded up. It should be rounded to the nearest whole number.",
            (_ROUNDS,),
        ),
        Misconception(
            "corners-aligned",
            _with("bilinear", align_corners=True),
            "The centres of the corner pixels were laid upon each other, which stretches the image by a part of a "
            "pixel that depends on its size. A pixel is a square: its corners are to be aligned, not its centre.",
            (_BILINEAR, DTYPE),
        ),
        Misconception(
            "half-pixel-forgotten",
            _resize_pixel_corners,
            "The image is moved by a part of a pixel. A pixel's centre lies half a pixel from its edge, before "
            "and after resizing.",
            (_BILINEAR, DTYPE),
        ),
        Misconception(
            "nearest-neighbour",
            _with("nearest"),
            "Each new pixel copies an old one instead of interpolating between four: that is what the library does "
            "unless it is told otherwise.",
            (_BILINEAR, DTYPE),
        ),
        Misconception(
            "bicubic",
            _with("bicubic", align_corners=False),
            "The interpolation is bicubic: it uses sixteen pixels and can leave the range of the image. Bilinear was "
            "asked for.",
            (_BILINEAR, DTYPE),
        ),
        Misconception("always-float32", _resize_float32, HINT_FLOAT32, (DTYPE,)),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "torch interpolate": _resize_library,
        "smoothed before reducing": _resize_smoothed,
        "grid_sample": _resize_sampled,
        "NumPy, one axis after the other": _resize_numpy,
    },
)
