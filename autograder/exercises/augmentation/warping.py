"""A smooth warp: every pixel is read a little beside its place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.exercises.augmentation.images import (
    HINT_FLOAT32,
    KEEPS,
    KEPT,
    LIBRARY_IMAGES,
    numbered,
    picture,
    uniform,
)
from autograder.exercises.augmentation.sampling import by_grid, pixel_grid, sampled
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["SMOOTH_WARP"]


def _warp(image: Tensor, displacement: Tensor) -> Tensor:
    rows, columns = pixel_grid(image)
    height, width = image.shape[-2:]
    rows = (rows + displacement[0]).clamp(0, height - 1)
    columns = (columns + displacement[1]).clamp(0, width - 1)
    return sampled(image, rows, columns, border=True)


def _warp_grid(image: Tensor, displacement: Tensor) -> Tensor:
    rows, columns = pixel_grid(image)
    return by_grid(image, rows + displacement[0], columns + displacement[1], "border")


def _warp_identity_grid(image: Tensor, displacement: Tensor) -> Tensor:
    channels, height, width = image.shape
    theta = torch.eye(2, 3, dtype=image.dtype, device=image.device).unsqueeze(0)
    grid = F.affine_grid(theta, [1, channels, height, width], align_corners=False)
    scale = torch.tensor([2 / width, 2 / height], dtype=image.dtype, device=image.device)
    shift = displacement.flip(0).permute(1, 2, 0) * scale
    y = F.grid_sample(image.unsqueeze(0), grid + shift, padding_mode="border", align_corners=False)
    return y.squeeze(0)


def _warp_numpy(image: Tensor, displacement: Tensor) -> Tensor:
    x, d = image.numpy(), displacement.numpy()
    height, width = x.shape[1:]
    rows = np.clip(np.arange(height)[:, None] + d[0], 0, height - 1)
    columns = np.clip(np.arange(width) + d[1], 0, width - 1)
    top, left = rows.astype(int), columns.astype(int)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = rows - top, columns - left
    upper = x[:, top, left] * (1 - across) + x[:, top, right] * across
    lower = x[:, bottom, left] * (1 - across) + x[:, bottom, right] * across
    return torch.from_numpy(upper * (1 - down) + lower * down).to(image.dtype)


def _warp_padded(image: Tensor, displacement: Tensor) -> Tensor:
    margin = int(displacement.abs().max()) + 2
    wide = F.pad(image[None], (margin,) * 4, mode="replicate")[0]
    rows, columns = pixel_grid(image)
    return sampled(wide, rows + displacement[0] + margin, columns + displacement[1] + margin, border=False)


def _warp_gathered(image: Tensor, displacement: Tensor) -> Tensor:
    """All pixels weighted by their tents."""
    rows, columns = pixel_grid(image)
    height, width = image.shape[1:]
    down = (rows + displacement[0]).clamp(0, height - 1)[..., None] - rows[:, 0]
    across = (columns + displacement[1]).clamp(0, width - 1)[..., None] - columns[0]
    tents = (torch.relu(1 - distance.abs()) for distance in (down, across))
    return torch.einsum("hwi,hwj,cij->chw", *tents, image)


Read = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From an image, rows and columns to its values there."""


def _border(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return by_grid(image, rows, columns, "border")


def _wrong(shift: Callable[[Tensor], Tensor] = lambda d: d, read: Read = _border) -> Callable[[Tensor, Tensor], Tensor]:
    def answer(image: Tensor, displacement: Tensor) -> Tensor:
        (rows, columns), moved = pixel_grid(image), shift(displacement)
        return read(image, rows + moved[0], columns + moved[1])

    return answer


def _wrapped(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    wide = torch.cat([image, image[:, :1]], 1)
    wide = torch.cat([wide, wide[..., :1]], 2)
    return sampled(wide, rows % height, columns % width, border=True)


def _nearest(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    return image[:, rows.round().long().clamp(0, height - 1), columns.round().long().clamp(0, width - 1)]


def _truncated(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    return image[:, rows.clamp(0, height - 1).long(), columns.clamp(0, width - 1).long()]


def _towards_zero(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Four neighbours, found by cutting off the fraction, which for a negative place is not the pixel before it."""
    height, width = image.shape[-2:]
    row, column = rows.long(), columns.long()
    down, right = rows - row, columns - column

    def pixels(i: int, j: int) -> Tensor:
        return image[:, (row + i).clamp(0, height - 1), (column + j).clamp(0, width - 1)]

    above = pixels(0, 0) * (1 - right) + pixels(0, 1) * right
    return above * (1 - down) + (pixels(1, 0) * (1 - right) + pixels(1, 1) * right) * down


def _not_normalised(image: Tensor, displacement: Tensor) -> Tensor:
    """Pixels are added to a grid that runs from -1 to 1."""
    grid = F.affine_grid(torch.eye(2, 3).to(image)[None], [1, *image.shape], align_corners=False)
    moved = grid + displacement.flip(0).permute(1, 2, 0)
    return F.grid_sample(image[None], moved, padding_mode="border", align_corners=False)[0]


def _scaled_by_the_other_side(image: Tensor, displacement: Tensor) -> Tensor:
    rows, columns = pixel_grid(image)
    height, width = image.shape[-2:]
    return _border(image, rows + displacement[0] * height / width, columns + displacement[1] * width / height)


def _scaled_by(factor: Callable[[int], float]) -> Callable[[Tensor, Tensor], Tensor]:
    """Displacements that are off by a factor which depends on the side of the image."""

    def answer(image: Tensor, displacement: Tensor) -> Tensor:
        rows, columns = pixel_grid(image)
        height, width = image.shape[-2:]
        return _border(image, rows + displacement[0] * factor(height), columns + displacement[1] * factor(width))

    return answer


def _warp_in_place(image: Tensor, displacement: Tensor) -> Tensor:
    displacement += torch.stack(pixel_grid(image))
    return _border(image, displacement[0], displacement[1])


def _warp_cases(g: torch.Generator) -> dict[str, Case]:
    def case(
        image: Tensor, displacement: Tensor, driver: str = "warped", outputs: tuple[str, ...] = ("inside", "outside")
    ) -> Case:
        inputs = {"image": image, "displacement": displacement.to(image.dtype)}
        return Case(inputs, driver=driver, outputs=outputs)

    def constant(down: float, right: float, height: int, width: int) -> Tensor:
        return torch.tensor([down, right], dtype=torch.float64)[:, None, None].expand(2, height, width).clone()

    def waves(height: int, width: int) -> Tensor:
        """A displacement (2, height, width) of up to two pixels that varies smoothly, different down and across."""
        rows, columns = torch.arange(height).double()[:, None], torch.arange(width).double()
        phase, size = uniform(g, 0.0, 6.28, 2), uniform(g, 1.5, 2.0, 2)
        down = size[0] * torch.sin(rows / 2 + columns / 3 + phase[0]) - 0.3
        return torch.stack([down, size[1] * torch.cos(rows / 3 - columns / 2 + phase[1]) + 0.4])

    return {
        "whole pixels, by hand": case(numbered(1, 3, 4), constant(1.0, 0.0, 3, 4)),
        "whole pixels": case(picture(g, 3, 5, 7), constant(-1.0, 2.0, 5, 7)),
        "whole pixels, square, float32": case(picture(g, 2, 5, 5, dtype=torch.float32), constant(2.0, -1.0, 5, 5)),
        "beyond the border, between pixels": case(picture(g, 3, 5, 6), constant(-1.4, 0.0, 5, 6), outputs=("outside",)),
        "between pixels": case(picture(g, 3, 6, 9), waves(6, 9)),
        "between pixels, portrait, float32": case(picture(g, 2, 8, 5, dtype=torch.float32), waves(8, 5)),
        "between pixels, square, strided": case(picture(g, 4, 6, 6), waves(6, 6), "warped-strided"),
    }


_WHOLE = "moves by whole pixels"
_BETWEEN = "interpolates between pixels"
_BEYOND = "repeats the border outside the image"
_EVERYTHING = (_WHOLE, _BETWEEN, _BEYOND, KEEPS)

SMOOTH_WARP = Exercise(
    "smooth-warp",
    defines=("smooth_warp(image, displacement)",),
    returns=("image",),
    reference=_warp,
    cases=_warp_cases,
    criteria=(
        Criterion(_WHOLE, 1, cases=("whole*",), outputs=("inside",)),
        Criterion(_BETWEEN, 1, cases=("between*",), outputs=("inside",)),
        Criterion(_BEYOND, 0.5, cases=("whole*", "beyond*")),
        Criterion(KEEPS, 0.5, cases=("whole pixels, by hand", "whole pixels"), outputs=("inside",), aspect=KEPT),
    ),
    misconceptions=(
        Misconception(
            "other-direction",
            _wrong(lambda d: -d),
            "Every pixel is read on the opposite side: the displacement was subtracted. It says from where a pixel is "
            "read, not where it goes.",
            _EVERYTHING,
        ),
        Misconception(
            "down-and-across-swapped",
            _wrong(lambda d: d.flip(0)),
            "The two displacements are exchanged: the first is for the rows (dy), the second for the columns (dx). "
            "A sampling grid has them the other way round.",
            _EVERYTHING,
        ),
        Misconception(
            "rows-only",
            _wrong(lambda d: torch.stack([d[0], torch.zeros_like(d[0])])),
            "Only the rows move. The second displacement is for the columns.",
            _EVERYTHING,
        ),
        Misconception(
            "same-displacement-for-both",
            _wrong(lambda d: torch.stack([d[0], d[0]])),
            "Rows and columns move by the same displacement. Each has its own.",
            _EVERYTHING,
        ),
        Misconception(
            "half-the-displacement",
            _wrong(lambda d: d / 2),
            "The pixels move half as far as they should. The sampling grid runs from -1 to 1, so its length is 2.",
            _EVERYTHING,
        ),
        Misconception(
            "pixels-added-to-the-grid",
            _not_normalised,
            "The displacement was added to a grid that runs from -1 to 1, where one unit is half the image. It is "
            "given in pixels and has to be converted.",
            _EVERYTHING,
        ),
        Misconception(
            "height-and-width-exchanged",
            _scaled_by_the_other_side,
            "The displacements are scaled by the wrong side of the image. Rows are measured against the height, "
            "columns against the width.",
            _EVERYTHING,
        ),
        Misconception(
            "one-pixel-too-few",
            _scaled_by(lambda n: n / (n - 1)),
            "The pixels move a little too far. Where the corners of the grid mean pixel edges its length of 2 is as "
            "many pixels as the side has, not one less.",
            _EVERYTHING,
        ),
        Misconception(
            "one-pixel-too-many",
            _scaled_by(lambda n: (n - 1) / n),
            "The pixels do not move quite far enough. Where the corners of the grid mean pixel centres its length of "
            "2 is one pixel less than the side has.",
            _EVERYTHING,
        ),
        Misconception(
            "corners-mixed",
            _wrong(read=lambda image, rows, columns: by_grid(image, rows, columns, "border", align=(True, False))),
            "The grid was made with the corners meaning pixel centres and read with the corners meaning pixel edges, "
            "so the image is also enlarged a little. Without displacement it would not stay as it is.",
            _EVERYTHING,
        ),
        Misconception(
            "corners-mixed-the-other-way",
            _wrong(read=lambda image, rows, columns: by_grid(image, rows, columns, "border", align=(False, True))),
            "The grid was made with the corners meaning pixel edges and read with the corners meaning pixel centres, "
            "so the image is also made a little smaller. Without displacement it would not stay as it is.",
            _EVERYTHING,
        ),
        Misconception(
            "zeros-outside",
            _wrong(read=lambda image, rows, columns: by_grid(image, rows, columns, "zeros")),
            "What is read outside the image is black: that is what the library does unless it is told otherwise. The "
            "border should be repeated.",
            (_BEYOND, KEEPS),
        ),
        Misconception(
            "mirrored-at-the-border",
            _wrong(read=lambda image, rows, columns: by_grid(image, rows, columns, "reflection")),
            "What is read outside the image is its reflection. The border should be repeated.",
            (_BEYOND, KEEPS),
        ),
        Misconception(
            "wrapped-around",
            _wrong(read=_wrapped),
            "What leaves the image on one side comes back on the other. A negative number of a row counts from the "
            "end, and rolling wraps around: repeat the border instead.",
            (_BEYOND, KEEPS),
        ),
        Misconception(
            "rounded-towards-zero",
            _wrong(read=_towards_zero),
            "A place less than one pixel above or left of the image gives more than the border's value, or less. "
            "Cutting off the fraction of a negative number makes it larger: round down instead.",
            (_BEYOND,),
        ),
        Misconception(
            "nearest-neighbour",
            _wrong(read=_nearest),
            "The places were rounded to whole pixels. Interpolate between the four around them.",
            (_BETWEEN,),
        ),
        Misconception(
            "truncated",
            _wrong(read=_truncated),
            "The places were cut off to whole pixels, which also moves the image by half a pixel on average. "
            "Interpolate between the four around them.",
            (_BETWEEN,),
        ),
        Misconception(
            "always-float32",
            lambda image, displacement: _warp_grid(image, displacement).float(),
            HINT_FLOAT32,
            (KEEPS,),
        ),
        Misconception(
            "changes-its-input",
            _warp_in_place,
            "The grid was added into the displacement that was passed in. Whoever passed it may want to use it for the "
            "next image: make a new tensor.",
            (KEEPS,),
        ),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "grid with pixel centres": _warp_grid,
        "shifted identity grid": _warp_identity_grid,
        "NumPy, four neighbours": _warp_numpy,
        "padded first": _warp_padded,
        "tents over all pixels": _warp_gathered,
    },
)
