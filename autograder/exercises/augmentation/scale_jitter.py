"""Random scale and random crop, as ResNet trains: noise decides the short side and the place of the crop."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from autograder.exercises.augmentation.images import DTYPE, HINT_FLOAT32, LIBRARY_IMAGES, numbered, picture, uniform
from autograder.exercises.augmentation.resizing import interpolated, resized, short_side
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["SCALE_CROP"]

Pick = Callable[[float, int], int]
"""A number from 0 to n - 1 out of u and n."""


def _pick(u: float, n: int) -> int:
    return min(int(u * n), n - 1)


def _crop_at(image: Tensor, top: int, left: int, crop: int) -> Tensor:
    return image[:, top : top + crop, left : left + crop]


def _variant(pick_side: Pick = _pick, pick_place: Pick = _pick) -> Callable[..., Tensor]:
    """The exercise with other ways of choosing."""

    def answer(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
        side = low + pick_side(float(u[0]), high - low + 1)
        image = interpolated(image, *short_side(image, side))
        top, left = (pick_place(float(u[1 + i]), image.shape[1 + i] - crop + 1) for i in range(2))
        return _crop_at(image, top, left, crop)

    return answer


_scale_crop = _variant()


def _scale_crop_narrow(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    side = int(torch.floor(low + u[0] * (high - low + 1)))
    image = resized(image, *short_side(image, side), align_corners=False, antialias=True)
    rest = torch.tensor(image.shape[1:], device=u.device) - crop + 1
    top, left = (u[1:] * rest).long().tolist()
    return image.narrow(1, top, crop).narrow(2, left, crop)


def _scale_crop_unfolded(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    sides = list(range(low, high + 1))
    image = resized(image, *short_side(image, sides[int(u[0] * len(sides))]), align_corners=False)
    windows = image.unfold(1, crop, 1).unfold(2, crop, 1)
    top, left = int(u[1] * windows.shape[1]), int(u[2] * windows.shape[2])
    return windows[:, top, left]


def _scale_crop_selected(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    image = interpolated(image, *short_side(image, low + int(u[0].item() * (high + 1 - low))))
    first = [int(v * (n - crop + 1)) for v, n in zip(u[1:].tolist(), image.shape[1:], strict=True)]
    rows, columns = (torch.arange(start, start + crop, device=image.device) for start in first)
    return image.index_select(1, rows).index_select(2, columns)


def _places_swapped(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    return _scale_crop(image, low, high, crop, u[[0, 2, 1]])


def _one_number(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    return _scale_crop(image, low, high, crop, u[[0, 1, 1]])


def _crop_centre(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    image = interpolated(image, *short_side(image, low + _pick(float(u[0]), high - low + 1)))
    top, left = ((n - crop) // 2 for n in image.shape[1:])
    return _crop_at(image, top, left, crop)


def _not_resized(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    top, left = (_pick(float(u[1 + i]), max(image.shape[1 + i] - crop + 1, 1)) for i in range(2))
    return _crop_at(image, top, left, crop)


def _squashed(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    side = low + _pick(float(u[0]), high - low + 1)
    image = interpolated(image, side, side)
    top, left = (_pick(float(u[1 + i]), side - crop + 1) for i in range(2))
    return _crop_at(image, top, left, crop)


def _long_side(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    side = low + _pick(float(u[0]), high - low + 1)
    scale = side / max(image.shape[1:])
    image = interpolated(image, *(round(n * scale) for n in image.shape[1:]))
    top, left = (_pick(float(u[1 + i]), max(image.shape[1 + i] - crop + 1, 1)) for i in range(2))
    return _crop_at(image, top, left, crop)


def _corners_aligned(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    side = low + _pick(float(u[0]), high - low + 1)
    image = resized(image, *short_side(image, side), align_corners=True)
    top, left = (_pick(float(u[1 + i]), image.shape[1 + i] - crop + 1) for i in range(2))
    return _crop_at(image, top, left, crop)


def _float32(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    return _scale_crop(image.float(), low, high, crop, u)


def _scale_crop_cases(g: torch.Generator) -> dict[str, Case]:
    def case(image: Tensor, low: int, high: int, crop: int, *u: float) -> Case:
        noise = torch.tensor(u, dtype=torch.float64) + uniform(g, 0.0, 0.01, 3)
        return Case({"image": image, "low": low, "high": high, "crop": crop, "u": noise.to(image.dtype)})

    almost_one = torch.full((3,), 1 - 1e-6, dtype=torch.float64)
    last = {"image": picture(g, 3, 5, 9), "low": 5, "high": 5, "crop": 3, "u": almost_one}
    first = {"image": picture(g, 2, 6, 5), "low": 5, "high": 5, "crop": 4, "u": torch.zeros(3).double()}
    return {
        "as it is, by hand": case(numbered(1, 4, 6), 4, 4, 2, 0.5, 0.4, 0.85),
        "as it is": case(picture(g, 3, 6, 11), 6, 6, 4, 0.9, 0.5, 0.3),
        "as it is, u = 0": Case(first),
        "as it is, crop as high as the image": case(picture(g, 2, 5, 8, dtype=torch.float32), 5, 5, 5, 0.3, 0.9, 0.6),
        "u almost 1": Case(last),
        "scaled, smallest": case(picture(g, 3, 4, 8), 5, 8, 4, 0.1, 0.2, 0.45),
        "scaled, largest": case(picture(g, 3, 4, 8), 5, 8, 4, 0.9, 0.3, 0.7),
        "scaled, portrait, float32": case(picture(g, 2, 6, 3, dtype=torch.float32), 4, 6, 3, 0.5, 0.3, 0.7),
        "scaled, square, crop = short side": case(picture(g, 4, 3, 3), 4, 4, 4, 0.6, 0.5, 0.5),
    }


_PLACE = "cuts the crop at the place given by u"
_SCALE = "resizes the short side to every value from low to high"
_LAST = "reaches the last place"

SCALE_CROP = Exercise(
    "scale-crop",
    defines=("random_scale_crop(image, low, high, crop, u)",),
    returns=("crop",),
    reference=_scale_crop,
    cases=_scale_crop_cases,
    criteria=(
        Criterion(_PLACE, 1, cases=("as it is*",)),
        Criterion(_SCALE, 1, cases=("scaled*",)),
        Criterion(_LAST, 0.5, cases=("u almost 1",)),
        Criterion(DTYPE, 0.5, cases=("as it is", "as it is, crop as high as the image"), aspect="dtype"),
    ),
    misconceptions=(
        Misconception(
            "last-place-never-drawn",
            _variant(pick_place=lambda u, n: int(u * (n - 1))),
            "The crop never reaches the last row or column of the image. Between the first and the last place there is "
            "one place more than there are pixels left over.",
            (_PLACE, _SCALE, _LAST, DTYPE),
        ),
        Misconception(
            "largest-size-never-drawn",
            _variant(pick_side=lambda u, n: int(u * max(n - 1, 1))),
            "The largest size is never drawn. From low to high, both included, there is one more size than their "
            "difference.",
            (_SCALE,),
        ),
        Misconception(
            "smallest-size-always",
            _variant(pick_side=lambda u, n: 0),
            "The short side always gets the smallest size. The first number in u chooses between low and high.",
            (_SCALE,),
        ),
        Misconception(
            "largest-size-always",
            _variant(pick_side=lambda u, n: n - 1),
            "The short side always gets the largest size. The first number in u chooses between low and high.",
            (_SCALE,),
        ),
        Misconception(
            "two-sizes-only",
            _variant(pick_side=lambda u, n: 0 if u < 0.5 else n - 1),
            "Only the smallest and the largest size are drawn. Every whole number between them should be possible.",
            (_SCALE,),
        ),
        Misconception(
            "not-resized",
            _not_resized,
            "The crop is cut out of the image at its own size. First its short side is resized to the number drawn "
            "between low and high.",
            (_SCALE,),
        ),
        Misconception(
            "aspect-lost",
            _squashed,
            "Both sides were resized to the same number, so what is in the image is squeezed. Only the short side is "
            "drawn; the aspect stays.",
            (_PLACE, _SCALE, _LAST, DTYPE),
        ),
        Misconception(
            "long-side-resized",
            _long_side,
            "The long side was resized to the number drawn. Then the short one can be smaller than the crop.",
            (_PLACE, _SCALE, _LAST, DTYPE),
        ),
        Misconception(
            "row-and-column-swapped",
            _places_swapped,
            "The numbers for the row and the column are exchanged: the second one in u places the top edge, the third "
            "the left one.",
            (_PLACE, _SCALE, DTYPE),
        ),
        Misconception(
            "one-number-for-both",
            _one_number,
            "The same number places row and column, so the crops lie on a diagonal. The third number in u is for the "
            "columns.",
            (_PLACE, _SCALE, DTYPE),
        ),
        Misconception(
            "always-the-centre",
            _crop_centre,
            "The crop always comes from the centre. That is for testing; in training u chooses the place.",
            (_PLACE, _SCALE, _LAST, DTYPE),
        ),
        Misconception(
            "corners-aligned",
            _corners_aligned,
            "The crop is right, but the image was resized with the centres of its corner pixels laid upon each other. "
            "Compare with your function of the previous exercise.",
            (_SCALE,),
        ),
        Misconception("always-float32", _float32, HINT_FLOAT32, (DTYPE,)),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "narrow": _scale_crop_narrow,
        "all windows unfolded": _scale_crop_unfolded,
        "index_select": _scale_crop_selected,
    },
)
