"""Rotation by any angle: where does each new pixel come from?"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.exercises.augmentation.images import DTYPE, LIBRARY_IMAGES, numbered, picture, uniform
from autograder.exercises.augmentation.sampling import by_grid, centred_grid, pixel_grid, sampled
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["ROTATE"]


def _middle(image: Tensor) -> tuple[float, float]:
    return (image.shape[-2] - 1) / 2, (image.shape[-1] - 1) / 2


def _sources(image: Tensor, radians: float, middle: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Rows and columns from which the pixels of the rotated image come."""
    rows, columns = pixel_grid(image)
    down, right = rows - middle[0], columns - middle[1]
    sine, cosine = math.sin(radians), math.cos(radians)
    return middle[0] + right * sine + down * cosine, middle[1] + right * cosine - down * sine


def _rotate(image: Tensor, degrees: float) -> Tensor:
    return sampled(image, *_sources(image, math.radians(degrees), _middle(image)), border=False)


def _rotate_grid(image: Tensor, degrees: float) -> Tensor:
    angle = torch.tensor(degrees, dtype=image.dtype, device=image.device).deg2rad()
    height, width = image.shape[1:]
    rows, columns = centred_grid(image)
    source_columns = (columns * angle.cos() - rows * angle.sin()) * 2 / width
    source_rows = (columns * angle.sin() + rows * angle.cos()) * 2 / height
    grid = torch.stack((source_columns, source_rows), dim=-1).unsqueeze(0)
    return F.grid_sample(image.unsqueeze(0), grid, align_corners=False).squeeze(0)


def _rotate_affine(image: Tensor, degrees: float) -> Tensor:
    c, height, width = image.shape
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    theta = [[cosine, -sine * height / width, 0], [sine * width / height, cosine, 0]]
    grid = F.affine_grid(image.new_tensor([theta]), [1, c, height, width], align_corners=False)
    return F.grid_sample(image[None], grid, align_corners=False)[0]


def _rotate_aligned(image: Tensor, degrees: float) -> Tensor:
    return by_grid(image, *_sources(image, math.radians(degrees), _middle(image)), align=(True, True))


def _rotate_cut_off(image: Tensor, degrees: float) -> Tensor:
    """Without fading at the edge: what lies outside, however little, is zero."""
    rows, columns = _sources(image, math.radians(degrees), _middle(image))
    height, width = image.shape[1:]
    kept = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    return sampled(image, rows, columns, border=True) * kept


def _rotate_loop(image: Tensor, degrees: float) -> Tensor:
    angle = math.radians(degrees)
    turn = complex(math.cos(angle), math.sin(angle))
    (middle_row, middle_column), y = _middle(image), torch.zeros_like(image)
    height, width = image.shape[1:]
    for row in range(height):
        for column in range(width):
            source = complex(column - middle_column, row - middle_row) * turn
            top, left = source.imag + middle_row, source.real + middle_column
            for i in (math.floor(top), math.floor(top) + 1):
                for j in (math.floor(left), math.floor(left) + 1):
                    if 0 <= i < height and 0 <= j < width:
                        y[:, row, column] += (1 - abs(top - i)) * (1 - abs(left - j)) * image[:, i, j]
    return y


def _wrong(
    radians: Callable[[float], float] = math.radians,
    middle: Callable[[Tensor], tuple[float, float]] = _middle,
    padding: str = "zeros",
    mode: str = "bilinear",
    align: tuple[bool, bool] = (True, True),
) -> Callable[[Tensor, float], Tensor]:
    def answer(image: Tensor, degrees: float) -> Tensor:
        return by_grid(image, *_sources(image, radians(degrees), middle(image)), padding, mode, align)

    return answer


def _plain_affine(image: Tensor, degrees: float) -> Tensor:
    """The matrix of a square on an image that is none."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    theta = image.new_tensor([[[cosine, -sine, 0], [sine, cosine, 0]]])
    grid = F.affine_grid(theta, [1, *image.shape], align_corners=False)
    return F.grid_sample(image[None], grid, align_corners=False)[0]


def _grid_axes_swapped(image: Tensor, degrees: float) -> Tensor:
    rows, columns = _sources(image, math.radians(degrees), _middle(image))
    height, width = image.shape[-2:]
    grid = torch.stack([2 * rows / (height - 1) - 1, 2 * columns / (width - 1) - 1], -1)
    return F.grid_sample(image[None], grid[None], align_corners=True)[0]


def _quarters_only(image: Tensor, degrees: float) -> Tensor:
    quarters = round(degrees / 90)
    turned = torch.rot90(image, quarters, (1, 2))
    return turned if turned.shape == image.shape else image.clone()


def _pushed(image: Tensor, degrees: float) -> Tensor:
    """Each old pixel is pushed to its new place, which leaves holes."""
    rows, columns = (places.round().long() for places in _sources(image, -math.radians(degrees), _middle(image)))
    height, width = image.shape[-2:]
    kept = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    y = torch.zeros_like(image)
    for row, column in kept.nonzero().tolist():
        y[:, rows[row, column], columns[row, column]] = image[:, row, column]
    return y


def _rotate_float32(image: Tensor, degrees: float) -> Tensor:
    return _rotate(image.float(), degrees)


def _rotate_cases(g: torch.Generator) -> dict[str, Case]:
    def case(image: Tensor, degrees: float, driver: str = "rotated") -> Case:
        return Case({"image": image, "degrees": degrees}, driver=driver, outputs=("inside", "outside"))

    slight, steep = float(uniform(g, 25.0, 35.0, 1)), float(uniform(g, -60.0, -50.0, 1))
    return {
        "quarter turn, by hand": case(numbered(1, 4, 4), 90.0),
        "quarter turn": case(picture(g, 3, 6, 6), 90.0),
        "three quarters": case(picture(g, 2, 5, 5), -90.0),
        "half turn, float32": case(picture(g, 3, 4, 7, dtype=torch.float32), 180.0),
        "slight": case(picture(g, 3, 6, 9), slight),
        "steep, portrait": case(picture(g, 2, 9, 5), steep),
        "wide angle, square, strided": case(picture(g, 4, 7, 7), 360 + slight, "rotated-strided"),
        "small angle, float32": case(picture(g, 3, 8, 7, dtype=torch.float32), 12.0),
    }


_QUARTERS = "quarter and half turns"
_ANGLES = "any angle, interpolated"
_ZEROS = "zeros where nothing comes from the image"
_TURNED = ("slight", "steep, portrait", "wide angle, square, strided", "small angle, float32")
_EVERYTHING = (_QUARTERS, _ANGLES, _ZEROS, DTYPE)

ROTATE = Exercise(
    "rotate",
    defines=("rotate(image, degrees)",),
    returns=("image",),
    reference=_rotate,
    cases=_rotate_cases,
    criteria=(
        Criterion(_QUARTERS, 1, cases=("*quarter*", "quarter*", "three*", "half*"), outputs=("inside",)),
        Criterion(_ANGLES, 1, cases=_TURNED, outputs=("inside",)),
        Criterion(_ZEROS, 0.5, cases=_TURNED[:3]),
        Criterion(DTYPE, 0.5, cases=("quarter turn", "half turn, float32"), outputs=("inside",), aspect="dtype"),
    ),
    misconceptions=(
        Misconception(
            "clockwise",
            _wrong(lambda degrees: -math.radians(degrees)),
            "The image turns clockwise. Either the matrix says where a pixel goes instead of where it comes from, or "
            "it was forgotten that rows count downwards.",
            _EVERYTHING,
        ),
        Misconception(
            "degrees-taken-for-radians",
            _wrong(lambda degrees: degrees),
            "The angle went into sine and cosine as it is. They expect radians.",
            _EVERYTHING,
        ),
        Misconception(
            "aspect-ignored",
            _plain_affine,
            "On images that are not square the rotation also shears. The grid runs from -1 to 1 along both axes, so "
            "one unit is another number of pixels in each.",
            (_ANGLES, _ZEROS),
        ),
        Misconception(
            "about-the-corner",
            _wrong(middle=lambda image: (0.0, 0.0)),
            "The image turns about its top left corner and leaves the frame. It should turn about its centre.",
            _EVERYTHING,
        ),
        Misconception(
            "half-a-pixel-off-the-centre",
            _wrong(middle=lambda image: (image.shape[-2] / 2, image.shape[-1] / 2)),
            "The centre of rotation lies half a pixel too far down and right. The first pixel has the number 0, so the "
            "middle of n pixels is not n / 2.",
            _EVERYTHING,
        ),
        Misconception(
            "centre-on-a-pixel",
            _wrong(middle=lambda image: (float(image.shape[-2] // 2), float(image.shape[-1] // 2))),
            "The centre of rotation was rounded to a whole pixel. With an even number of rows or columns it lies "
            "between two.",
            _EVERYTHING,
        ),
        Misconception(
            "border-repeated",
            _wrong(padding="border"),
            "What comes from outside the image repeats its border. Zeros were asked for.",
            (_ZEROS,),
        ),
        Misconception(
            "mirrored-at-the-border",
            _wrong(padding="reflection"),
            "What comes from outside the image is its reflection. Zeros were asked for.",
            (_ZEROS,),
        ),
        Misconception(
            "nearest-neighbour",
            _wrong(mode="nearest"),
            "Each pixel copies the nearest one instead of interpolating between four.",
            (_ANGLES, _ZEROS),
        ),
        Misconception(
            "corners-mixed",
            _wrong(align=(True, False)),
            "The grid was made with the corners meaning pixel centres and read with the corners meaning pixel edges. "
            "So the image is enlarged a little as well; use the same convention twice.",
            _EVERYTHING,
        ),
        Misconception(
            "corners-mixed-the-other-way",
            _wrong(align=(False, True)),
            "The grid was made with the corners meaning pixel edges and read with the corners meaning pixel centres. "
            "So the image is made a little smaller as well; use the same convention twice.",
            _EVERYTHING,
        ),
        Misconception(
            "rows-before-columns",
            _grid_axes_swapped,
            "The grid holds rows before columns. It is read as (x, y): the column comes first.",
            _EVERYTHING,
        ),
        Misconception(
            "quarter-turns-only",
            _quarters_only,
            "The angle was rounded to a quarter turn. At other angles pixels come from between pixels and have to be "
            "interpolated.",
            (_ANGLES, _ZEROS),
        ),
        Misconception(
            "pushed-instead-of-pulled",
            _pushed,
            "Every old pixel was sent to its rounded new place, which leaves holes. Ask of every new pixel where it "
            "comes from.",
            (_ANGLES, _ZEROS),
        ),
        Misconception(
            "always-float32",
            _rotate_float32,
            "The result is float32 whatever came in. The grid and the image should both have the dtype of the input.",
            (DTYPE,),
        ),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "grid with pixel edges": _rotate_grid,
        "affine_grid with the aspect": _rotate_affine,
        "grid with pixel centres": _rotate_aligned,
        "cut off at the edge": _rotate_cut_off,
        "loops with complex numbers": _rotate_loop,
    },
)
