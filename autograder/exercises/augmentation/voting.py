"""A prediction that averages over ten crops at several scales, for a model that is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autograder.exercises.augmentation.crops import five_crops, ten_crops, ten_crops_of_mirrored
from autograder.exercises.augmentation.images import DTYPE, HINT_FLOAT32, LIBRARY_IMAGES, picture, uniform
from autograder.exercises.augmentation.resizing import interpolated, resized, short_side
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["MULTI_SCALE"]

Model = Callable[[Tensor], Tensor]


def _vote(model: Model, image: Tensor, sizes: list[int], crop: int) -> Tensor:
    """The literal formula, size by size."""
    each = []
    for size in sizes:
        powers = torch.exp(model(ten_crops(interpolated(image, *short_side(image, size)), crop)))
        each.append(powers / powers.sum(1, keepdim=True))
    return torch.cat(each).mean(0)


def _all_crops(image: Tensor, sizes: list[int], crop: int) -> Tensor:
    return torch.cat([ten_crops(interpolated(image, *short_side(image, size)), crop) for size in sizes])


def _vote_at_once(model: Model, image: Tensor, sizes: list[int], crop: int) -> Tensor:
    return model(_all_crops(image, sizes, crop)).softmax(1).mean(0)


def _vote_size_by_size(model: Model, image: Tensor, sizes: list[int], crop: int) -> Tensor:
    means = []
    with torch.no_grad():
        for size in sizes:
            enlarged = resized(image, *short_side(image, size), align_corners=False, antialias=True)
            means.append(torch.softmax(model(ten_crops_of_mirrored(enlarged, crop)), dim=-1).mean(dim=0))
    return torch.stack(means).mean(0)


def _vote_logsumexp(model: Model, image: Tensor, sizes: list[int], crop: int) -> Tensor:
    logs = model(_all_crops(image, sizes, crop)).log_softmax(1)
    return torch.exp(torch.logsumexp(logs, 0)) / len(logs)


def _vote_einsum(model: Model, image: Tensor, sizes: list[int], crop: int) -> Tensor:
    powers = model(_all_crops(image, sizes, crop)).exp()
    return torch.einsum("nk,n->k", powers, 1 / powers.sum(1)) / len(powers)


def _vote_with(
    crops: Callable[[Tensor, list[int], int], Tensor] = _all_crops,
    combine: Callable[[Tensor], Any] = lambda logits: logits.softmax(1).mean(0),
) -> Callable[..., Any]:
    """Other crops, or another way from logits to one answer."""
    return lambda model, image, sizes, crop: combine(model(crops(image, sizes, crop)))


def _five_each(image: Tensor, sizes: list[int], crop: int) -> Tensor:
    return torch.cat([five_crops(interpolated(image, *short_side(image, size)), crop) for size in sizes])


def _centres(image: Tensor, sizes: list[int], crop: int) -> Tensor:
    return torch.cat([five_crops(interpolated(image, *short_side(image, size)), crop)[4:] for size in sizes])


def _squashed(image: Tensor, sizes: list[int], crop: int) -> Tensor:
    return torch.cat([ten_crops(interpolated(image, size, size), crop) for size in sizes])


def _upside_down(image: Tensor, sizes: list[int], crop: int) -> Tensor:
    five = _five_each(image, sizes, crop)
    return torch.cat([five, five.flip(-2)])


def _corners_aligned(image: Tensor, sizes: list[int], crop: int) -> Tensor:
    enlarged = (resized(image, *short_side(image, size), align_corners=True) for size in sizes)
    return torch.cat([ten_crops(each, crop) for each in enlarged])


def _vote_float32(model: Model, image: Tensor, sizes: list[int], crop: int) -> Tensor:
    return _vote_at_once(model, image, sizes, crop).float()


def _vote_cases(g: torch.Generator) -> dict[str, Case]:
    def case(image: Tensor, sizes: list[int], crop: int, classes: int) -> Case:
        pixels = len(image) * crop * crop
        # Logits of size 4 or so, centred, so that their softmax is neither flat nor one-hot.
        weight = torch.randn(classes, pixels, generator=g, dtype=torch.float64) * (16.0 / pixels**0.5)
        bias = uniform(g, -0.5, 0.5, classes) - weight.sum(1) / 2
        inputs = {"weight": weight, "bias": bias}
        return Case(
            {**{k: v.to(image.dtype) for k, v in inputs.items()}, "image": image, "sizes": sizes, "crop": crop},
            driver="linear-model",
        )

    return {
        "image's own size": case(picture(g, 1, 4, 6), [4], 2, 3),
        "image's own size, float32": case(picture(g, 3, 8, 6, dtype=torch.float32), [6], 4, 5),
        "one other size": case(picture(g, 1, 2, 4), [4], 2, 3),
        "three sizes": case(picture(g, 2, 4, 8), [4, 6, 8], 4, 4),
        "two sizes, portrait, float32": case(picture(g, 3, 6, 4, dtype=torch.float32), [8, 4], 4, 3),
    }


_AVERAGES = "averages probabilities over the ten crops"
_SIZES = "averages over all sizes"

MULTI_SCALE = Exercise(
    "multi-scale-test",
    defines=("multi_scale_predict(model, image, sizes, crop)",),
    returns=("probabilities",),
    reference=_vote,
    cases=_vote_cases,
    criteria=(
        Criterion(_AVERAGES, 1, cases=("image's own size*",)),
        Criterion(_SIZES, 1, cases=("one other size", "three sizes", "two sizes*")),
        Criterion(DTYPE, 0.5, cases=("image's own size*",), aspect="dtype"),
    ),
    misconceptions=(
        Misconception(
            "logits-averaged",
            _vote_with(combine=lambda logits: logits.mean(0).softmax(0)),
            "The logits were averaged and the softmax taken at the end. Then one crop with a large logit outvotes all "
            "others; average the probabilities.",
            (_AVERAGES, _SIZES, DTYPE),
        ),
        Misconception(
            "softmax-forgotten",
            _vote_with(combine=lambda logits: logits.mean(0)),
            "The result is a mean of logits and not a distribution: its numbers do not add up to 1.",
            (_AVERAGES, _SIZES, DTYPE),
        ),
        Misconception(
            "softmax-over-crops",
            _vote_with(combine=lambda logits: logits.softmax(0).mean(0)),
            "The softmax runs over the crops, so every class gets the same number. It belongs over the classes of each "
            "crop.",
            (_AVERAGES, _SIZES, DTYPE),
        ),
        Misconception(
            "summed-not-averaged",
            _vote_with(combine=lambda logits: logits.softmax(1).sum(0)),
            "The probabilities were added up and not divided by the number of crops and sizes: they should add up to "
            "1.",
            (_AVERAGES, _SIZES, DTYPE),
        ),
        Misconception(
            "most-confident-crop",
            _vote_with(combine=lambda logits: logits.softmax(1).amax(0)),
            "Each class gets its highest probability over all crops. That lets the strangest crop decide; a mean is "
            "asked for.",
            (_AVERAGES, _SIZES, DTYPE),
        ),
        Misconception(
            "one-vote-per-crop",
            _vote_with(
                combine=lambda logits: (logits.softmax(1) == logits.softmax(1).amax(1, True)).to(logits).mean(0)
            ),
            "Each crop votes for one class. That throws away how sure it is; average the probabilities.",
            (_AVERAGES, _SIZES, DTYPE),
        ),
        Misconception(
            "five-crops",
            _vote_with(_five_each),
            "The mirror images are missing: five crops are averaged at each size, not ten.",
            (_AVERAGES, _SIZES, DTYPE),
        ),
        Misconception(
            "centre-crop-only",
            _vote_with(_centres),
            "Only the centre crop is used at each size. The corners and the mirror images vote too.",
            (_AVERAGES, _SIZES, DTYPE),
        ),
        Misconception(
            "mirrored-upside-down",
            _vote_with(_upside_down),
            "The mirror images stand on their heads. The model never saw such images in training.",
            (_AVERAGES, _SIZES, DTYPE),
        ),
        Misconception(
            "first-size-only",
            _vote_with(lambda image, sizes, crop: _all_crops(image, sizes[:1], crop)),
            "Only the first size is used. Every size contributes ten crops.",
            (_SIZES,),
        ),
        Misconception(
            "last-size-only",
            _vote_with(lambda image, sizes, crop: _all_crops(image, sizes[-1:], crop)),
            "Only the last size counts: was the result overwritten in the loop?",
            (_SIZES,),
        ),
        Misconception(
            "never-resized",
            _vote_with(lambda image, sizes, crop: ten_crops(image, crop)),
            "The crops come from the image at its own size. At each size the image is resized first.",
            (_SIZES,),
        ),
        Misconception(
            "aspect-lost",
            _vote_with(_squashed),
            "The image was resized to a square. Only its short side gets the size; the aspect stays.",
            (_AVERAGES, _SIZES, DTYPE),
        ),
        Misconception(
            "corners-aligned",
            _vote_with(_corners_aligned),
            "The average is right, but the image was resized with the centres of its corner pixels laid upon each "
            "other. Use your function for the short side.",
            (_SIZES,),
        ),
        Misconception("always-float32", _vote_float32, HINT_FLOAT32, (DTYPE,)),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "all crops at once": _vote_at_once,
        "size by size, crops of the mirrored image": _vote_size_by_size,
        "logsumexp": _vote_logsumexp,
        "einsum": _vote_einsum,
    },
)
