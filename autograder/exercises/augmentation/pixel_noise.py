"""Negatives of single pixels, chosen by noise."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from autograder.exercises.augmentation.images import (
    HINT_FLOAT32,
    HINT_IN_PLACE,
    KEEPS,
    KEPT,
    LIBRARY_IMAGES,
    noise,
    numbered,
    picture,
    uniform,
)
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["PIXEL_NOISE"]


def _noise(image: Tensor, p: float, u: Tensor) -> Tensor:
    channels, height, width = image.shape
    flat = [
        1 - value if chance < p else value
        for plane in image.reshape(channels, -1).tolist()
        for value, chance in zip(plane, u.flatten().tolist(), strict=True)
    ]
    return torch.tensor(flat, dtype=image.dtype).reshape(channels, height, width)


def _noise_where(image: Tensor, p: float, u: Tensor) -> Tensor:
    return torch.where(u < p, 1 - image, image)


def _noise_arithmetic(image: Tensor, p: float, u: Tensor) -> Tensor:
    mask = (u < p).to(image)
    return image + mask * (1 - 2 * image)


def _noise_selected(image: Tensor, p: float, u: Tensor) -> Tensor:
    y = image.clone()
    y[:, u < p] = 1 - y[:, u < p]
    return y


def _noise_distance(image: Tensor, p: float, u: Tensor) -> Tensor:
    return ((u < p).to(image.dtype).unsqueeze(0) - image).abs()


def _noise_chosen(choose: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda image, p, u: torch.where(choose(p, u), 1 - image, image)


def _noise_becomes(new: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda image, p, u: torch.where(u < p, new(image, u), image)


def _noise_first_channel(image: Tensor, p: float, u: Tensor) -> Tensor:
    y = image.clone()
    y[0] = torch.where(u < p, 1 - image[0], image[0])
    return y


def _noise_in_place(image: Tensor, p: float, u: Tensor) -> Tensor:
    image[:, u < p] = 1 - image[:, u < p]
    return image


def _noise_cases(g: torch.Generator) -> dict[str, Case]:
    def case(pixels: Tensor, p: float, u: Tensor, driver: str = "changed-pixels") -> Case:
        inputs = {"image": pixels, "p": p, "u": u.round(decimals=2).to(pixels.dtype)}
        return Case(inputs, driver=driver, outputs=("y", "changed"))

    def image(*shape: int, low: float = 0.05, high: float = 0.45, dtype: torch.dtype = torch.float64) -> Tensor:
        """No pixel is as bright as any noise, which has two decimals: noise taken for a pixel is a change."""
        hundredths = (picture(g, *shape, low=low, high=high) * 100).floor() / 100
        return (hundredths + uniform(g, 0.002, 0.008, *shape)).to(dtype)

    def both(p: float, height: int, width: int) -> Tensor:
        """Noise with numbers on both sides of p, of 1/2 and of 1 - p, and rows that differ."""
        u = noise(g, p, height, width)
        u[0, :4] = torch.tensor([0.1, 0.4, 0.6, 0.9]).double() + uniform(g, -0.04, 0.04, 4)
        u[1, :4] = torch.tensor([0.9, 0.6, 0.4, 0.1]).double() + uniform(g, -0.04, 0.04, 4)
        return u

    small_u = torch.tensor([[0.1, 0.9, 0.6], [0.7, 0.3, 0.8]]).double()
    return {
        "by hand": case(numbered(2, 2, 3), 0.5, small_u),
        "p = 0.2": case(image(3, 4, 6), 0.2, both(0.2, 4, 6)),
        "p = 0.7, float32, strided": case(
            image(4, 5, 5, dtype=torch.float32), 0.7, both(0.7, 5, 5), "changed-pixels-strided"
        ),
        "p = 0": case(image(2, 3, 4), 0.0, torch.tensor([[0.0, 0.3, 0.6, 0.9]] * 3)),
        "one channel": case(image(1, 3, 5, low=0.55, high=0.95), 0.2, both(0.2, 3, 5)),
    }


_WHICH = "changes the pixels where u is below p"
_NEGATIVE = "a changed pixel becomes its negative in all channels"

PIXEL_NOISE = Exercise(
    "pixel-noise",
    defines=("flip_random_pixels(image, p, u)",),
    returns=("y",),
    reference=_noise,
    cases=_noise_cases,
    criteria=(
        Criterion(_WHICH, 0.5, outputs=("changed",)),
        Criterion(_NEGATIVE, 1, outputs=("y",)),
        Criterion(KEEPS, 0.5, outputs=("y",), aspect=KEPT),
    ),
    misconceptions=(
        Misconception(
            "comparison-reversed",
            _noise_chosen(lambda p, u: u >= p),
            "The other pixels are changed: those where u is not below p. p is the probability of being changed.",
            (_WHICH, _NEGATIVE, KEEPS),
        ),
        Misconception(
            "complement-of-p",
            _noise_chosen(lambda p, u: u < 1 - p),
            "Pixels change with probability 1 - p. p is the probability of being changed, not of staying.",
            (_WHICH, _NEGATIVE, KEEPS),
        ),
        Misconception(
            "p-ignored",
            _noise_chosen(lambda p, u: u < 0.5),
            "Half of the pixels change whatever p says.",
            (_WHICH, _NEGATIVE, KEEPS),
        ),
        Misconception(
            "one-row-of-noise",
            _noise_chosen(lambda p, u: (u[:1] < p).expand(u.shape)),
            "Every row of the image gets the noise of the first one, which makes vertical stripes. u has a number for "
            "every pixel.",
            (_WHICH, _NEGATIVE, KEEPS),
        ),
        Misconception(
            "whole-image-negative",
            _noise_chosen(lambda p, u: u >= 0),
            "The whole image became its negative. Only the pixels chosen by u should change.",
            (_WHICH, _NEGATIVE, KEEPS),
        ),
        Misconception(
            "first-channel-only",
            _noise_first_channel,
            "Only the first channel is changed. A pixel has a value in every channel, and all of them are inverted.",
            (_WHICH, _NEGATIVE, KEEPS),
        ),
        Misconception(
            "sign-changed",
            _noise_becomes(lambda image, u: -image),
            "The pixels change their sign and leave the range from 0 to 1. The negative of a bright pixel is dark, not "
            "minus bright.",
            (_NEGATIVE, KEEPS),
        ),
        Misconception(
            "inverted-as-bytes",
            _noise_becomes(lambda image, u: 255 - image),
            "The pixels are inverted as if white were 255. In these images white is 1.",
            (_NEGATIVE, KEEPS),
        ),
        Misconception(
            "set-to-zero",
            _noise_becomes(lambda image, u: torch.zeros_like(image)),
            "The chosen pixels become black. This exercise inverts them instead of erasing them.",
            (_NEGATIVE, KEEPS),
        ),
        Misconception(
            "set-to-one",
            _noise_becomes(lambda image, u: torch.ones_like(image)),
            "The chosen pixels become white, whatever they were. Each should become its own negative.",
            (_NEGATIVE, KEEPS),
        ),
        Misconception(
            "noise-as-value",
            _noise_becomes(lambda image, u: u.expand_as(image)),
            "The chosen pixels take the value of the noise itself. u only decides which pixels change.",
            (_NEGATIVE, KEEPS),
        ),
        Misconception(
            "equal-counts-as-below",
            _noise_chosen(lambda p, u: u <= p),
            "A pixel also changes where u equals p. With p = 0 nothing may change, and u can be exactly 0.",
            (_WHICH, _NEGATIVE, KEEPS),
        ),
        Misconception("always-float32", lambda image, p, u: _noise_where(image, p, u).float(), HINT_FLOAT32, (KEEPS,)),
        Misconception("changes-its-input", _noise_in_place, HINT_IN_PLACE, (KEEPS,)),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "torch.where": _noise_where,
        "arithmetic with the mask": _noise_arithmetic,
        "only the chosen ones written": _noise_selected,
        "distance to the mask": _noise_distance,
    },
)
