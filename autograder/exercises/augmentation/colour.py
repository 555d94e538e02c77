"""Colour jitter: brightness, then contrast about the mean, then clamped."""

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
    uniform,
)
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["COLOUR_JITTER"]


def _jitter(image: Tensor, brightness: float, contrast: float) -> Tensor:
    brighter = [value * brightness for value in image.flatten().tolist()]
    mean = sum(brighter) / len(brighter)
    flat = [min(max((value - mean) * contrast + mean, 0.0), 1.0) for value in brighter]
    return torch.tensor(flat, dtype=image.dtype).reshape(image.shape)


def _jitter_formula(image: Tensor, brightness: float, contrast: float) -> Tensor:
    x = image * brightness
    return ((x - x.mean()) * contrast + x.mean()).clamp(0, 1)


def _jitter_lerp(image: Tensor, brightness: float, contrast: float) -> Tensor:
    x = image * brightness
    return torch.clip(torch.lerp(x.mean().expand_as(x), x, contrast), 0, 1)


def _jitter_contrast_first(image: Tensor, brightness: float, contrast: float) -> Tensor:
    mean = image.mean()
    return (((image - mean) * contrast + mean) * brightness).clamp(min=0).clamp(max=1)


def _jitter_affine(image: Tensor, brightness: float, contrast: float) -> Tensor:
    shift = brightness * (1 - contrast) * image.sum() / image.numel()
    return torch.minimum(torch.relu(brightness * contrast * image + shift), torch.ones_like(image))


def _jitter_numpy(image: Tensor, brightness: float, contrast: float) -> Tensor:
    x = image.numpy() * brightness
    y = np.clip(contrast * x + (1 - contrast) * np.mean(x), 0, 1)
    return torch.from_numpy(y.astype(image.numpy().dtype))


def _about(mean: Callable[[Tensor, Tensor], Tensor | float]) -> Callable[..., Tensor]:
    """Contrast about another value, given the brighter image and the original."""

    def answer(image: Tensor, brightness: float, contrast: float) -> Tensor:
        x = image * brightness
        m = mean(x, image)
        return ((x - m) * contrast + m).clamp(0, 1)

    return answer


def _not_clamped(image: Tensor, brightness: float, contrast: float) -> Tensor:
    x = image * brightness
    return (x - x.mean()) * contrast + x.mean()


def _clamped_below_only(image: Tensor, brightness: float, contrast: float) -> Tensor:
    return _not_clamped(image, brightness, contrast).clamp(min=0)


def _clamped_between(image: Tensor, brightness: float, contrast: float) -> Tensor:
    x = (image * brightness).clamp(0, 1)
    return ((x - x.mean()) * contrast + x.mean()).clamp(0, 1)


def _contrast_clamped_first(image: Tensor, brightness: float, contrast: float) -> Tensor:
    return (_jitter_formula(image, 1.0, contrast) * brightness).clamp(0, 1)


def _stretched(image: Tensor, brightness: float, contrast: float) -> Tensor:
    y = _not_clamped(image, brightness, contrast)
    low, high = min(float(y.min()), 0.0), max(float(y.max()), 1.0)
    return (y - low) / (high - low)


def _brightness_added(image: Tensor, brightness: float, contrast: float) -> Tensor:
    x = image + (brightness - 1)
    return ((x - x.mean()) * contrast + x.mean()).clamp(0, 1)


def _mean_not_added(image: Tensor, brightness: float, contrast: float) -> Tensor:
    x = image * brightness
    return ((x - x.mean()) * contrast).clamp(0, 1)


def _no_brightness(image: Tensor, brightness: float, contrast: float) -> Tensor:
    return _jitter_formula(image, 1.0, contrast)


def _swapped(image: Tensor, brightness: float, contrast: float) -> Tensor:
    return _jitter_formula(image, contrast, brightness)


def _in_place(image: Tensor, brightness: float, contrast: float) -> Tensor:
    image *= brightness
    return ((image - image.mean()) * contrast + image.mean()).clamp(0, 1)


def _jitter_cases(g: torch.Generator) -> dict[str, Case]:
    def case(image: Tensor, brightness: float, contrast: float, driver: str = "call") -> Case:
        return Case({"image": image, "brightness": brightness, "contrast": contrast}, driver=driver)

    def tinted(low: float, high: float, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """An image whose channels differ in brightness, within [low, high)."""
        share = torch.linspace(0, 0.5, shape[0], dtype=torch.float64)[:, None, None]
        return (low + (high - low) * (share + 0.5 * picture(g, *shape, low=0.0, high=1.0))).to(dtype)

    extreme = tinted(0.1, 0.9, 3, 4, 5)
    extreme[0, 0, :2], extreme[-1, -1, -2:] = uniform(g, 0.01, 0.03, 2), uniform(g, 0.96, 0.99, 2)
    dark, light = float(uniform(g, 0.6, 0.7, 1)), float(uniform(g, 1.2, 1.3, 1))
    return {
        "brightness, darker": case(tinted(0.1, 0.7, 3, 5, 4), dark, 1.0),
        "brightness, lighter, float32": case(tinted(0.1, 0.7, 2, 4, 6, dtype=torch.float32), light, 1.0),
        "contrast, by hand": case(numbered(2, 2, 3) * 4, 1.0, 0.5),
        "contrast, lower": case(tinted(0.1, 0.9, 3, 5, 7), 1.0, 0.6),
        "contrast and brightness": case(tinted(0.3, 0.6, 3, 4, 6), dark, 1.4),
        "contrast and brightness, float32, strided": case(
            tinted(0.3, 0.6, 3, 5, 5, dtype=torch.float32), light, 0.7, "call-strided"
        ),
        "clamped at both ends": case(extreme, light, 1.9),
        "clamped, darker": case(extreme, dark, 1.9),
    }


_BRIGHTNESS = "multiplies by the brightness"
_CONTRAST = "stretches the contrast about the mean of the brighter image"
_CLAMPS = "stays between 0 and 1"

COLOUR_JITTER = Exercise(
    "colour-jitter",
    defines=("colour_jitter(image, brightness, contrast)",),
    returns=("image",),
    reference=_jitter,
    cases=_jitter_cases,
    criteria=(
        Criterion(_BRIGHTNESS, 0.5, cases=("brightness*",)),
        Criterion(_CONTRAST, 1, cases=("contrast*",)),
        Criterion(_CLAMPS, 0.5, cases=("clamped*",)),
        Criterion(KEEPS, 0.5, cases=("brightness*",), aspect=KEPT),
    ),
    misconceptions=(
        Misconception(
            "not-clamped",
            _not_clamped,
            "Some pixels leave the range from 0 to 1. No image looks like that, and the network has never seen one.",
            (_CLAMPS,),
        ),
        Misconception(
            "clamped-from-below-only",
            _clamped_below_only,
            "Pixels above 1 remain: was white taken to be 255? Both ends of the range have to be clamped.",
            (_CLAMPS,),
        ),
        Misconception(
            "clamped-in-between",
            _clamped_between,
            "The image was also clamped between brightness and contrast. What is cut off there is missing from the "
            "mean and from the contrast; clamp once, at the end.",
            (_CLAMPS,),
        ),
        Misconception(
            "contrast-first-and-clamped",
            _contrast_clamped_first,
            "The contrast came first, was clamped, and then the image became darker: what was cut off at white stays "
            "grey. Clamp once, at the end; then the order makes no difference.",
            (_CLAMPS,),
        ),
        Misconception(
            "rescaled-instead-of-clamped",
            _stretched,
            "The whole image was squeezed into the range from 0 to 1, which undoes the contrast. Only the pixels "
            "outside are set to the end of the range.",
            (_CLAMPS,),
        ),
        Misconception(
            "contrast-about-zero",
            _about(lambda x, image: 0.0),
            "The contrast multiplies the pixels themselves, which is once more a brightness. It stretches their "
            "distance from the mean.",
            (_CONTRAST, _CLAMPS),
        ),
        Misconception(
            "contrast-about-one-half",
            _about(lambda x, image: 0.5),
            "The contrast stretches the distance from 1/2. In a dark image that changes the brightness too: use the "
            "mean of this image.",
            (_CONTRAST, _CLAMPS),
        ),
        Misconception(
            "mean-of-each-channel",
            _about(lambda x, image: x.mean((1, 2), keepdim=True)),
            "Every channel has a mean of its own. That keeps a colour cast which contrast should change: there is one "
            "mean for the whole image.",
            (_CONTRAST, _CLAMPS),
        ),
        Misconception(
            "mean-of-each-pixel",
            _about(lambda x, image: x.mean(0, keepdim=True)),
            "The mean was taken over the channels of each pixel. That stretches the colours (saturation), not the "
            "contrast of the image.",
            (_CONTRAST, _CLAMPS),
        ),
        Misconception(
            "mean-before-brightness",
            _about(lambda x, image: image.mean()),
            "The mean is that of the image before it became brighter or darker. The contrast acts on the changed image "
            "and needs its mean.",
            (_CONTRAST, _CLAMPS),
        ),
        Misconception(
            "mean-not-added-back",
            _mean_not_added,
            "The mean was subtracted and not added again, so half of the image is below zero and becomes black.",
            (_BRIGHTNESS, _CONTRAST, _CLAMPS, KEEPS),
        ),
        Misconception(
            "brightness-added",
            _brightness_added,
            "The brightness was added to the pixels. It is a factor: black stays black.",
            (_BRIGHTNESS, _CONTRAST, _CLAMPS, KEEPS),
        ),
        Misconception(
            "brightness-ignored",
            _no_brightness,
            "The image does not become brighter or darker: the argument brightness is not used.",
            (_BRIGHTNESS, _CONTRAST, _CLAMPS, KEEPS),
        ),
        Misconception(
            "arguments-swapped",
            _swapped,
            "Brightness and contrast are exchanged.",
            (_BRIGHTNESS, _CONTRAST, _CLAMPS, KEEPS),
        ),
        Misconception(
            "always-float32",
            lambda image, brightness, contrast: _jitter_formula(image, brightness, contrast).float(),
            HINT_FLOAT32,
            (KEEPS,),
        ),
        Misconception("changes-its-input", _in_place, HINT_IN_PLACE, (KEEPS,)),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "the formula": _jitter_formula,
        "lerp": _jitter_lerp,
        "contrast first": _jitter_contrast_first,
        "one affine map": _jitter_affine,
        "NumPy": _jitter_numpy,
    },
)
