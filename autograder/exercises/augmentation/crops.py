"""Ten crops of one image: the corners, the centre, and their mirror images."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from autograder.exercises.augmentation.images import DTYPE, LIBRARY_IMAGES, numbered, picture
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["TEN_CROP", "five_crops", "ten_crops", "ten_crops_of_mirrored"]


def _places(image: Tensor, crop: int) -> list[tuple[int, int]]:
    """Row and column of the first pixel of each of the five crops."""
    down, right = image.shape[-2] - crop, image.shape[-1] - crop
    return [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]


def _cut(image: Tensor, crop: int, places: list[tuple[int, int]]) -> list[Tensor]:
    return [image[:, top : top + crop, left : left + crop] for top, left in places]


def _ten(image: Tensor, crop: int) -> Tensor:
    pixels = image.tolist()
    five = [
        [[[plane[top + i][left + j] for j in range(crop)] for i in range(crop)] for plane in pixels]
        for top, left in _places(image, crop)
    ]
    mirrored = [[[row[::-1] for row in plane] for plane in each] for each in five]
    return torch.tensor(five + mirrored, dtype=image.dtype)


def ten_crops(image: Tensor, crop: int) -> Tensor:
    """The ten crops of an image, (10, C, crop, crop)."""
    five = torch.stack(_cut(image, crop, _places(image, crop)))
    return torch.cat([five, five.flip(3)])


def _ten_filled(image: Tensor, crop: int) -> Tensor:
    y = image.new_empty(10, image.shape[0], crop, crop)
    for i, (top, left) in enumerate(_places(image, crop)):
        y[i] = image[:, top : top + crop, left : left + crop]
        y[5 + i] = torch.fliplr(y[i].permute(1, 2, 0)).permute(2, 0, 1)
    return y


def _ten_unfolded(image: Tensor, crop: int) -> Tensor:
    windows = image.unfold(1, crop, 1).unfold(2, crop, 1)
    rows, columns = windows.shape[1:3]
    tops = [0, 0, rows - 1, rows - 1, round((rows - 1) / 2)]
    lefts = [0, columns - 1, 0, columns - 1, round((columns - 1) / 2)]
    five = windows[:, tops, lefts].transpose(0, 1)
    return torch.cat((five, torch.flip(five, dims=[-1])), dim=0)


def _ten_negative_slices(image: Tensor, crop: int) -> Tensor:
    height, width = image.shape[1:]
    top, left = (height - crop) // 2, (width - crop) // 2
    first, last = slice(crop), slice(-crop, None)
    five = [image[:, rows, columns] for rows, columns in itertools.product((first, last), (first, last))]
    five.append(image[:, top : height - top, left : width - left])
    return torch.stack([*five, *(each.flip(-1) for each in five)])


def _ten_from(
    places: Callable[[Tensor, int], list[tuple[int, int]]] = _places,
    mirror: Callable[[Tensor], Tensor] = lambda five: five.flip(-1),
) -> Callable[[Tensor, int], Tensor]:
    """Ten crops at other places, or followed by something else than mirror images."""

    def answer(image: Tensor, crop: int) -> Tensor:
        five = torch.stack(_cut(image, crop, places(image, crop)))
        return torch.cat([five, mirror(five)])

    return answer


def _off_by_one(image: Tensor, crop: int) -> list[tuple[int, int]]:
    down, right = max(image.shape[-2] - crop - 1, 0), max(image.shape[-1] - crop - 1, 0)
    return [(0, 0), (0, right), (down, 0), (down, right), _places(image, crop)[4]]


def _starts_in_the_middle(image: Tensor, crop: int) -> list[tuple[int, int]]:
    middle = tuple(min(n // 2, n - crop) for n in image.shape[-2:])
    return [*_places(image, crop)[:4], (middle[0], middle[1])]


def _cut_from_both_ends(image: Tensor, crop: int) -> Tensor:
    top, left = _places(image, crop)[4]
    five = [*five_crops(image, crop)[:4], image[:, top:-top, left:-left]]
    return torch.stack([*five, *(each.flip(-1) for each in five)])


def _swapped_corners(image: Tensor, crop: int) -> list[tuple[int, int]]:
    a, b, c, d, e = _places(image, crop)
    return [a, c, b, d, e]


def _round_the_image(image: Tensor, crop: int) -> list[tuple[int, int]]:
    a, b, c, d, e = _places(image, crop)
    return [a, b, d, c, e]


def _centre_first(image: Tensor, crop: int) -> list[tuple[int, int]]:
    *corners, centre = _places(image, crop)
    return [centre, *corners]


def _interleaved(image: Tensor, crop: int) -> Tensor:
    five = _cut(image, crop, _places(image, crop))
    return torch.stack([each for crop in five for each in (crop, crop.flip(-1))])


def ten_crops_of_mirrored(image: Tensor, crop: int) -> Tensor:
    """The ten crops as torchvision orders them: the last five are those of the mirrored image."""
    places = _places(image, crop)
    return torch.stack(_cut(image, crop, places) + _cut(image.flip(-1), crop, places))


def five_crops(image: Tensor, crop: int) -> Tensor:
    """The corners and the centre, (5, C, crop, crop)."""
    return torch.stack(_cut(image, crop, _places(image, crop)))


def _six(image: Tensor, crop: int) -> Tensor:
    five = torch.stack(_cut(image, crop, _places(image, crop)))
    return torch.cat([five, five[4:].flip(-1)])


def _ten_float32(image: Tensor, crop: int) -> Tensor:
    y = torch.zeros(10, len(image), crop, crop)
    return y.copy_(ten_crops(image, crop))


def _ten_cases(g: torch.Generator) -> dict[str, Case]:
    def case(image: Tensor, crop: int, driver: str = "ten-crops") -> Case:
        return Case({"image": image, "crop": crop}, driver=driver, outputs=("corners", "centre", "mirrored"))

    # The rest beside the crop is even, so that there is no question where the centre is.
    return {
        "by hand": case(numbered(1, 4, 6), 2),
        "landscape": case(picture(g, 3, 7, 9), 3),
        "portrait, float32": case(picture(g, 2, 10, 6, dtype=torch.float32), 4),
        "square, strided": case(picture(g, 4, 8, 8), 4, "ten-crops-strided"),
        "crops overlap": case(picture(g, 3, 6, 8), 4),
        "crop as large as the image": case(picture(g, 2, 5, 5), 5),
    }


_CORNERS = "the four corners in their order"
_CENTRE = "the centre"
_MIRRORS = "the mirror images in the same order"
_SMALLER = ("by hand", "landscape", "portrait, float32", "square, strided", "crops overlap")
_ALL_TEN = (_CORNERS, _CENTRE, _MIRRORS, DTYPE)

TEN_CROP = Exercise(
    "ten-crop",
    defines=("ten_crop(image, crop)",),
    returns=("crops",),
    reference=_ten,
    cases=_ten_cases,
    criteria=(
        Criterion(_CORNERS, 0.5, cases=_SMALLER, outputs=("corners",)),
        Criterion(_CENTRE, 0.5, outputs=("centre",)),
        Criterion(_MIRRORS, 1, cases=_SMALLER, outputs=("mirrored",)),
        Criterion(DTYPE, 0.5, cases=("landscape", "portrait, float32"), outputs=("corners",), aspect="dtype"),
    ),
    misconceptions=(
        Misconception(
            "mirror-images-missing",
            five_crops,
            "There are five crops. Each of them also counts as its mirror image, which makes ten.",
            (_MIRRORS, DTYPE),
        ),
        Misconception(
            "only-the-centre-mirrored",
            _six,
            "Only the centre crop has its mirror image. All five crops do.",
            (_MIRRORS, DTYPE),
        ),
        Misconception(
            "crops-repeated",
            _ten_from(mirror=lambda five: five),
            "The last five are the first five once more, not their mirror images.",
            (_MIRRORS, DTYPE),
        ),
        Misconception(
            "upside-down",
            _ten_from(mirror=lambda five: five.flip(-2)),
            "The last five stand on their heads: their rows are reversed. A mirror exchanges left and right.",
            (_MIRRORS, DTYPE),
        ),
        Misconception(
            "turned-by-180-degrees",
            _ten_from(mirror=lambda five: five.flip(-2, -1)),
            "The last five are turned by 180 degrees: rows and columns are both reversed. A mirror exchanges left and "
            "right only.",
            (_MIRRORS, DTYPE),
        ),
        Misconception(
            "mirror-images-in-reverse-order",
            _ten_from(mirror=lambda five: five.flip(0, -1)),
            "The mirror images come in reverse order. The sixth belongs to the first crop.",
            (_MIRRORS, DTYPE),
        ),
        Misconception(
            "crops-of-the-mirrored-image",
            ten_crops_of_mirrored,
            "The whole image was mirrored and then cropped. That gives the same ten images, but the sixth is the "
            "mirror image of the second crop: in a mirror the right corner lies left. Mirror the crops themselves.",
            (_MIRRORS, DTYPE),
        ),
        Misconception(
            "interleaved",
            _interleaved,
            "Every crop is followed by its own mirror image. First come the five crops, then the five mirror images.",
            _ALL_TEN,
        ),
        Misconception(
            "corners-one-pixel-off",
            _ten_from(_off_by_one),
            "The crops at the right and at the bottom stop one pixel before the edge.",
            (_CORNERS, _MIRRORS, DTYPE),
        ),
        Misconception(
            "centre-starts-in-the-middle",
            _ten_from(_starts_in_the_middle),
            "The centre crop starts at the middle of the image. Its own middle should lie there.",
            (_CENTRE, _MIRRORS, DTYPE),
        ),
        Misconception(
            "nothing-left-of-a-whole-image",
            _cut_from_both_ends,
            "Where the crop is as large as the image the centre crop is empty: as many rows were taken from both ends, "
            "and minus zero from the end is the beginning.",
            (_CENTRE,),
        ),
        Misconception(
            "corners-exchanged",
            _ten_from(_swapped_corners),
            "The top right and the bottom left corner are exchanged. Were rows and columns taken for each other?",
            (_CORNERS, _MIRRORS, DTYPE),
        ),
        Misconception(
            "corners-clockwise",
            _ten_from(_round_the_image),
            "The corners go round the image. Their order is that of reading: first the two at the top, then the two at "
            "the bottom, each from left to right.",
            (_CORNERS, _MIRRORS, DTYPE),
        ),
        Misconception(
            "centre-first", _ten_from(_centre_first), "The centre comes first; it should follow the corners.", _ALL_TEN
        ),
        Misconception(
            "always-float32",
            _ten_float32,
            "The crops were written into a new tensor of float32. It should have the dtype of the image.",
            (DTYPE,),
        ),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "stacked and flipped": ten_crops,
        "written one by one": _ten_filled,
        "all windows unfolded": _ten_unfolded,
        "slices from the end": _ten_negative_slices,
    },
)
