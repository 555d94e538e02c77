"""Cutout: a square hole that may lie partly outside the image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from autograder.exercises.augmentation.images import (
    HINT_FLOAT32,
    HINT_IN_PLACE,
    KEEPS,
    KEPT,
    LIBRARY_IMAGES,
    numbered,
    picture,
)
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["CUTOUT"]


def _cutout(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    y = image.clone()
    first_row, first_column = centre_y - length // 2, centre_x - length // 2
    for row in range(image.shape[1]):
        for column in range(image.shape[2]):
            if 0 <= row - first_row < length and 0 <= column - first_column < length:
                y[:, row, column] = 0
    return y


def _cutout_sliced(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    y = image.clone()
    top, left = centre_y - length // 2, centre_x - length // 2
    y[:, max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)] = 0
    return y


def _cutout_masked(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    rows = torch.arange(image.shape[1], device=image.device) - (centre_y - length // 2)
    columns = torch.arange(image.shape[2], device=image.device) - (centre_x - length // 2)
    hole = ((rows >= 0) & (rows < length))[:, None] & ((columns >= 0) & (columns < length))
    return image.masked_fill(hole, 0.0)


def _cutout_outer(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    def inside(n: int, centre: int) -> Tensor:
        places = torch.arange(n, device=image.device)
        return torch.isin(places, torch.arange(length, device=image.device) + centre - length // 2).to(image.dtype)

    return image * (1 - torch.outer(inside(image.shape[1], centre_y), inside(image.shape[2], centre_x)))


def _cutout_numpy(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    y = image.numpy().copy()
    height, width = y.shape[1:]
    top, bottom = np.clip([centre_y - length // 2, centre_y - length // 2 + length], 0, height)
    left, right = np.clip([centre_x - length // 2, centre_x - length // 2 + length], 0, width)
    y[..., top:bottom, left:right] = 0.0
    return torch.from_numpy(y)


def _cutout_padded(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    height, width = image.shape[1:]
    wide = image.new_ones(height + 2 * length, width + 2 * length)
    top, left = centre_y - length // 2 + length, centre_x - length // 2 + length
    wide[top : top + length, left : left + length] = 0
    return image * wide[length : length + height, length : length + width]


def _cutout_centre_limited(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    """With a centre that is kept within the image, where it is anyway."""
    height, width = image.shape[1:]
    return _cutout_sliced(image, length, min(max(centre_y, 0), height - 1), min(max(centre_x, 0), width - 1))


Span = Callable[[int, int, int], tuple[int, int]]
"""From a side of the image, the length of the hole and its centre to the first row cut and the first one kept again."""


def _clipped(before: Callable[[int], int], after: Callable[[int], int]) -> Span:
    """So many rows before the centre, so many from it on."""
    return lambda n, length, centre: (max(centre - before(length), 0), max(min(centre + after(length), n), 0))


def _pushed_inside(n: int, length: int, centre: int) -> tuple[int, int]:
    first = min(max(centre - length // 2, 0), max(n - length, 0))
    return first, first + length


def _wrapping(n: int, length: int, centre: int) -> tuple[int, int]:
    return centre - length // 2, centre - length // 2 + length


def _shortened_only_below(n: int, length: int, centre: int) -> tuple[int, int]:
    first = max(centre - length // 2, 0)
    return first, min(first + length, n)


def _hole(span: Span, fill: Callable[[Tensor], Tensor | float] = lambda image: 0.0) -> Callable[..., Tensor]:
    def answer(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
        y = image.clone()
        (top, bottom), (left, right) = (
            span(n, length, centre) for n, centre in zip(image.shape[1:], (centre_y, centre_x), strict=True)
        )
        y[:, top:bottom, left:right] = fill(image)
        return y

    return answer


_RIGHT_SPAN = _clipped(lambda length: length // 2, lambda length: length - length // 2)


def _swapped(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    return _cutout_sliced(image, length, centre_x, centre_y)


def _first_channel(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    return torch.cat([_cutout_sliced(image[:1], length, centre_y, centre_x), image[1:]])


def _channels_as_rows(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    y = image.clone()
    top, left = centre_y - length // 2, centre_x - length // 2
    y[max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)] = 0
    return y


def _kept_instead(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    return image - _cutout_sliced(image, length, centre_y, centre_x)


def _bands(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    y = image.clone()
    top, left = centre_y - length // 2, centre_x - length // 2
    y[:, max(top, 0) : max(top + length, 0)] = 0
    y[:, :, max(left, 0) : max(left + length, 0)] = 0
    return y


def _in_place(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    return image.copy_(_cutout_sliced(image, length, centre_y, centre_x))


def _cutout_cases(g: torch.Generator) -> dict[str, Case]:
    def case(image: Tensor, length: int, centre_y: int, centre_x: int, driver: str = "call") -> Case:
        inputs = {"image": image, "length": length, "centre_y": centre_y, "centre_x": centre_x}
        return Case(inputs, driver=driver)

    def among(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=g))

    return {
        "inside, by hand": case(numbered(1, 4, 6), 2, 2, 4),
        "inside": case(picture(g, 3, 8, 11), 4, among(2, 3), among(6, 8)),
        "inside, float32, strided": case(picture(g, 2, 9, 9, dtype=torch.float32), 4, among(5, 6), 3, "call-strided"),
        "odd": case(picture(g, 3, 9, 11), 3, among(2, 3), among(5, 8)),
        "odd, larger": case(picture(g, 2, 10, 8), 5, among(5, 7), 3),
        "odd, a single pixel": case(picture(g, 3, 5, 6), 1, among(2, 3), among(0, 1)),
        "border, first row and column": case(picture(g, 3, 7, 9), 4, 0, 1),
        "border, last row and column": case(picture(g, 3, 7, 9, dtype=torch.float32), 4, 6, 8),
        "border, top": case(picture(g, 2, 7, 6), 5, 1, 3),
        "border, left, by hand": case(numbered(1, 4, 5), 3, 2, 0),
        "border, corner": case(picture(g, 2, 7, 9), 6, 0, 8),
        "border, hole larger than the image": case(picture(g, 2, 3, 4), 12, among(0, 1), among(2, 3)),
    }


_INSIDE = "a square hole in all channels"
_ODD = "odd lengths"
_BORDER = "clipped at the border"
_EVERYTHING = (_INSIDE, _ODD, _BORDER, KEEPS)

CUTOUT = Exercise(
    "cutout",
    defines=("cutout(image, length, centre_y, centre_x)",),
    returns=("image",),
    reference=_cutout,
    cases=_cutout_cases,
    criteria=(
        Criterion(_INSIDE, 0.5, cases=("inside*",)),
        Criterion(_ODD, 0.5, cases=("odd*",)),
        Criterion(_BORDER, 1, cases=("border*",)),
        Criterion(KEEPS, 0.5, cases=("inside*",), aspect=KEPT),
    ),
    misconceptions=(
        Misconception(
            "odd-length-shortened",
            _hole(_clipped(lambda length: length // 2, lambda length: length // 2)),
            "A hole of odd length is one row and one column too small: half the length, rounded down, was used on both "
            "sides of the centre.",
            (_ODD, _BORDER),
        ),
        Misconception(
            "odd-length-extended",
            _hole(_clipped(lambda length: length // 2, lambda length: length // 2 + 1)),
            "The hole reaches one row and one column too far when its length is even: the same number of rows before "
            "and after the centre makes an odd length.",
            (_INSIDE, _BORDER, KEEPS),
        ),
        Misconception(
            "rounded-to-the-other-side",
            _hole(_clipped(lambda length: length - length // 2, lambda length: length // 2)),
            "A hole of odd length lies one row and one column too far up and left. It starts half the length, rounded "
            "down, before the centre.",
            (_ODD, _BORDER),
        ),
        Misconception(
            "negative-index-wraps",
            _hole(_wrapping),
            "Near the top and left border nothing is cut, or too little. There the first row of the hole has a "
            "negative number, which as an index counts from the other end.",
            (_BORDER,),
        ),
        Misconception(
            "pushed-inside",
            _hole(_pushed_inside),
            "Near the border the hole is moved so that it lies inside completely. Then the border is cut less often "
            "than in the paper: the part outside is simply lost.",
            (_BORDER,),
        ),
        Misconception(
            "clipped-start-not-end",
            _hole(_shortened_only_below),
            "Near the top and left border the hole is too large: its end was counted from the clipped start. Compute "
            "both ends before clipping.",
            (_BORDER,),
        ),
        Misconception(
            "centre-taken-for-corner",
            _hole(_clipped(lambda length: 0, lambda length: length)),
            "The hole starts at the given point. That is its centre, not its top left corner.",
            _EVERYTHING,
        ),
        Misconception(
            "twice-the-length",
            _hole(_clipped(lambda length: length, lambda length: length)),
            "The hole is twice as long as it should be: the whole length was used on either side of the centre.",
            _EVERYTHING,
        ),
        Misconception(
            "row-and-column-swapped",
            _swapped,
            "Rows and columns of the centre are exchanged. The first number is the row.",
            _EVERYTHING,
        ),
        Misconception(
            "first-channel-only",
            _first_channel,
            "Only the first channel has a hole. All channels of a pixel are cut.",
            _EVERYTHING,
        ),
        Misconception(
            "channels-taken-for-rows",
            _channels_as_rows,
            "The first index meant rows but selects channels: an image here has the axes (C, H, W).",
            _EVERYTHING,
        ),
        Misconception(
            "everything-else-cut",
            _kept_instead,
            "Only the square is left and all else is zero. It should be the other way round.",
            _EVERYTHING,
        ),
        Misconception(
            "whole-rows-and-columns",
            _bands,
            "Whole rows and whole columns are cut, a cross instead of a square: only where both meet should be zero.",
            _EVERYTHING,
        ),
        Misconception(
            "filled-with-mean",
            _hole(_RIGHT_SPAN, lambda image: image.mean((1, 2), keepdim=True)),
            "The hole is filled with the mean colour. Zeros were asked for; after normalisation these are the mean.",
            _EVERYTHING,
        ),
        Misconception(
            "filled-with-one",
            _hole(_RIGHT_SPAN, lambda image: 1.0),
            "The hole is white. Zeros were asked for.",
            _EVERYTHING,
        ),
        Misconception("always-float32", lambda *inputs: _cutout_sliced(*inputs).float(), HINT_FLOAT32, (KEEPS,)),
        Misconception("changes-its-input", _in_place, HINT_IN_PLACE, (KEEPS,)),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "clipped slices": _cutout_sliced,
        "mask of comparisons": _cutout_masked,
        "outer product of indicators": _cutout_outer,
        "NumPy": _cutout_numpy,
        "cut out of a wide mask": _cutout_padded,
        "the centre limited to the image": _cutout_centre_limited,
    },
)
