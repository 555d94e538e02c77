"""Operations, policies and a small search: AutoAugment (Cubuk et al. 2019) on a budget.

A sub-policy is a list of steps (name of an operation, probability, magnitude); a policy is a list of sub-policies, of
which every image gets a random one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from course_lib.augmentation import augment
from course_lib.lab.training import Transform

__all__ = ["OPERATIONS", "Apply", "Operation", "Policy", "Subpolicy", "described", "policies", "random_policy"]

Operation = Callable[[Tensor, float], Tensor]
"""(image (C, H, W), magnitude in [0, 1]) -> image."""
Subpolicy = list[tuple[str, float, float]]
Policy = list[Subpolicy]
Apply = Callable[[Tensor, Subpolicy, Mapping[str, Operation], Tensor], Tensor]
"""(image, subpolicy, operations, u) -> image, as the notebook's `apply_subpolicy`."""

_LEVELS = 10


def _shifted(image: Tensor, pixels: int, axis: int) -> Tensor:
    """The content moved by some pixels; zeros come in."""
    result = torch.zeros_like(image)
    size = image.shape[axis]
    length = max(0, size - abs(pixels))
    result.narrow(axis, max(0, pixels), length).copy_(image.narrow(axis, max(0, -pixels), length))
    return result


def _contrast(image: Tensor, magnitude: float) -> Tensor:
    one = torch.ones(1)
    return augment.colour_jitter(image[None], one, one - 0.8 * magnitude)[0]


def _brighter(image: Tensor, magnitude: float) -> Tensor:
    one = torch.ones(1)
    return augment.colour_jitter(image[None], one + magnitude, one)[0]


def _hole(image: Tensor, magnitude: float) -> Tensor:
    height, width = image.shape[1:]
    # Where the hole lies is no part of a policy: any place that differs between images will do.
    place = int((image * 255).round().sum()) * 7919 % (height * width)
    return augment.cutout(image[None], torch.tensor([divmod(place, width)]), round(magnitude * height / 2))[0]


OPERATIONS: Mapping[str, Operation] = {
    "flip": lambda image, _: image.flip(-1),
    "upside down": lambda image, _: image.flip(-2),
    "left": lambda image, m: _shifted(image, -round(m * image.shape[-1] / 4), -1),
    "right": lambda image, m: _shifted(image, round(m * image.shape[-1] / 4), -1),
    "up": lambda image, m: _shifted(image, -round(m * image.shape[-2] / 4), -2),
    "down": lambda image, m: _shifted(image, round(m * image.shape[-2] / 4), -2),
    "turn left": lambda image, m: augment.rotate(image[None], torch.tensor([45.0 * m]))[0],
    "turn right": lambda image, m: augment.rotate(image[None], torch.tensor([-45.0 * m]))[0],
    "fade": _contrast,
    "brighter": _brighter,
    "negative": lambda image, _: 1 - image,
    "cutout": _hole,
}
"""The operations that a policy is made of; some suit clothes, some do not: that is for the search to find out."""


def random_policy(generator: torch.Generator, subpolicies: int = 5, steps: int = 2) -> Policy:
    """A policy drawn uniformly: operations, probabilities 0, 0.1, ..., 1 and ten magnitudes 0.1, ..., 1."""

    def draw(n: int) -> int:
        return int(torch.randint(0, n, (1,), generator=generator))

    names = list(OPERATIONS)
    return [
        [(names[draw(len(names))], draw(_LEVELS + 1) / _LEVELS, (1 + draw(_LEVELS)) / _LEVELS) for _ in range(steps)]
        for _ in range(subpolicies)
    ]


def policies(policy: Policy, apply: Apply) -> Transform:
    """Each image of a batch through a random sub-policy, by the student's function."""

    def transform(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(0, len(policy), (len(x),), generator=generator).tolist()
        noise = torch.rand(len(x), max(map(len, policy)), generator=generator)
        images = [
            apply(image, policy[k], OPERATIONS, u[: len(policy[k])])
            for image, k, u in zip(x, chosen, noise, strict=True)
        ]
        return torch.stack(images), y

    return transform


def described(policy: Policy) -> list[str]:
    """A line for each sub-policy."""
    return [", then ".join(f"{name} (p {p:g}, m {m:g})" for name, p, m in subpolicy) for subpolicy in policy]
