"""AutoAugment: what one sub-policy does to an image."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch
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
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["APPLY_SUBPOLICY"]

Step = tuple[str, float, float]
Operations = Mapping[str, Callable[[Tensor, float], Tensor]]


def _apply(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    y = image
    for position in range(len(subpolicy)):
        if float(u[position]) < subpolicy[position][1]:
            y = operations[subpolicy[position][0]](y, subpolicy[position][2])
    return y


def _apply_zip(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    for (name, probability, magnitude), chance in zip(subpolicy, u, strict=True):
        if chance < probability:
            image = operations[name](image, magnitude)
    return image


def _apply_where(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    for i, (name, probability, magnitude) in enumerate(subpolicy):
        image = torch.where(u[i] < probability, operations[name](image, magnitude), image)
    return image


def _apply_reduce(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    chosen = itertools.compress(subpolicy, [r < p for r, (_, p, _) in zip(u.tolist(), subpolicy, strict=True)])
    return functools.reduce(lambda y, step: operations[step[0]](y, step[2]), chosen, image)


def _apply_recursive(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    if not subpolicy:
        return image
    (name, probability, magnitude), *rest = subpolicy
    first = operations[name](image, magnitude) if u[0] < probability else image
    return _apply_recursive(first, rest, operations, u[1:])


def _applied(
    decide: Callable[[Tensor, int, float], Any], magnitude_of: Callable[[Step], float] = lambda step: step[2]
) -> Callable[..., Tensor]:
    """Another decision from u, the position and the probability."""

    def answer(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
        for i, step in enumerate(subpolicy):
            if decide(u, i, step[1]):
                image = operations[step[0]](image, magnitude_of(step))
        return image

    return answer


def _own(u: Tensor, i: int, probability: float) -> bool:
    return bool(u[i] < probability)


def _backwards(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    return _apply(image, subpolicy[::-1], operations, u.flip(0))


def _meanings_swapped(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    return _apply(image, [(name, magnitude, probability) for name, probability, magnitude in subpolicy], operations, u)


def _last_wins(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    y = image
    for i, (name, probability, magnitude) in enumerate(subpolicy):
        if u[i] < probability:
            y = operations[name](image, magnitude)
    return y


def _stops_after_one(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    for i, (name, probability, magnitude) in enumerate(subpolicy):
        if u[i] < probability:
            return operations[name](image, magnitude)
    return image


def _stops_at_a_miss(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    for i, (name, probability, magnitude) in enumerate(subpolicy):
        if not u[i] < probability:
            break
        image = operations[name](image, magnitude)
    return image


def _first_step_only(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    return _apply(image, subpolicy[:1], operations, u)


def _popped(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    for chance in u.tolist():
        name, probability, magnitude = subpolicy.pop(0)
        if chance < probability:
            image = operations[name](image, magnitude)
    return image


def _copied_back(image: Tensor, subpolicy: list[Step], operations: Operations, u: Tensor) -> Tensor:
    return image.copy_(_apply(image, subpolicy, operations, u))


def _apply_cases(g: torch.Generator) -> dict[str, Case]:
    def case(image: Tensor, steps: list[Step], *u: float) -> Case:
        noise = torch.tensor(u, dtype=torch.float64) + uniform(g, 0.0, 0.02, len(u))
        inputs = {"image": image, "subpolicy": steps, "u": noise.to(image.dtype)}
        return Case(inputs, driver="with-operations")

    def number(low: float, high: float) -> float:
        return round(float(uniform(g, low, high, 1)), 3)

    lighten: Step = ("lighten", 0.8, number(0.15, 0.25))
    darken: Step = ("brightness", 0.7, number(0.4, 0.6))
    rarely: Step = ("gamma", 0.2, number(1.6, 2.4))
    never = {
        "image": picture(g, 3, 4, 4),
        "subpolicy": [rarely, ("lighten", 0.0, 0.3)],
        "u": torch.tensor([0.6, 0.0], dtype=torch.float64),
    }
    return {
        "all, by hand": case(numbered(1, 2, 3), [("lighten", 0.6, 0.2), ("brightness", 0.7, 0.5)], 0.3, 0.5),
        "all, three steps": case(picture(g, 3, 4, 5), [("gamma", 0.9, 1.5), lighten, darken], 0.8, 0.3, 0.55),
        "all, twice the same": case(picture(g, 2, 5, 4), [darken, ("shift", 0.5, 1), darken], 0.6, 0.1, 0.2),
        "some, first left out": case(picture(g, 3, 3, 6), [lighten, darken], 0.95, 0.6),
        "some, second left out, float32": case(picture(g, 2, 4, 4, dtype=torch.float32), [lighten, rarely], 0.7, 0.3),
        "some, middle left out": case(picture(g, 3, 5, 4), [lighten, rarely, darken], 0.05, 0.45, 0.6),
        "some, one step": case(picture(g, 1, 3, 4), [("gamma", 0.2, 2.0)], 0.1),
        "some, none": Case(never, driver="with-operations"),
    }


_ORDER = "applies the steps in order, each to the result of the one before"
_CHANCE = "decides for every step by its own u"
_BOTH = (_ORDER, _CHANCE, KEEPS)

APPLY_SUBPOLICY = Exercise(
    "apply-subpolicy",
    defines=("apply_subpolicy(image, subpolicy, operations, u)",),
    returns=("image",),
    reference=_apply,
    cases=_apply_cases,
    criteria=(
        Criterion(_ORDER, 1, cases=("all*",)),
        Criterion(_CHANCE, 1, cases=("some*",)),
        Criterion(KEEPS, 0.5, cases=("all*",), aspect=KEPT),
    ),
    misconceptions=(
        Misconception(
            "last-step-first",
            _backwards,
            "The steps are applied in reverse order. Lightening and then scaling is not the same as scaling first.",
            _BOTH,
        ),
        Misconception(
            "always-applied",
            _applied(lambda u, i, probability: True),
            "Every step is applied every time. Each has a probability, and u decides.",
            (_CHANCE,),
        ),
        Misconception(
            "comparison-reversed",
            _applied(lambda u, i, probability: u[i] >= probability),
            "A step is applied where it should be left out, and the other way round: it happens where u is below the "
            "probability.",
            _BOTH,
        ),
        Misconception(
            "one-number-for-all-steps",
            _applied(lambda u, i, probability: u[0] < probability),
            "The first number in u decides about all steps. Each step has its own.",
            _BOTH,
        ),
        Misconception(
            "probability-ignored",
            _applied(lambda u, i, probability: u[i] < 0.5),
            "Every step is applied with probability 1/2. Each step brings its own probability.",
            _BOTH,
        ),
        Misconception(
            "probability-and-magnitude-exchanged",
            _meanings_swapped,
            "Probability and magnitude are exchanged. A step is a name, a probability and a magnitude, in this order.",
            _BOTH,
        ),
        Misconception(
            "probability-as-magnitude",
            _applied(_own, lambda step: step[1]),
            "The operation gets the probability where it expects its magnitude.",
            _BOTH,
        ),
        Misconception(
            "each-on-the-original",
            _last_wins,
            "Every step starts again from the original image, so only the last one shows. It acts on the result of the "
            "step before.",
            _BOTH,
        ),
        Misconception(
            "one-step-at-most",
            _stops_after_one,
            "After the first step that is applied no other follows. All steps get their chance.",
            _BOTH,
        ),
        Misconception(
            "stops-at-a-miss",
            _stops_at_a_miss,
            "The first step that is left out ends the sub-policy. The steps after it still get their chance.",
            (_CHANCE,),
        ),
        Misconception(
            "first-step-only",
            _first_step_only,
            "Only the first step is looked at. A sub-policy has several.",
            _BOTH,
        ),
        Misconception(
            "empties-the-sub-policy",
            _popped,
            "The list of steps is empty after the call. The next image needs it again: read the steps without taking "
            "them out.",
            (KEEPS,),
        ),
        Misconception(
            "equal-counts-as-below",
            _applied(lambda u, i, probability: u[i] <= probability),
            "A step is also applied where u equals its probability. A step of probability 0 never happens, and u can "
            "be exactly 0.",
            (_CHANCE,),
        ),
        Misconception("always-float32", lambda *inputs: _apply(*inputs).float(), HINT_FLOAT32, (KEEPS,)),
        Misconception(
            "changes-its-input",
            _copied_back,
            "The result was written into the image that was passed in. The data set keeps that image: return a new "
            "one.",
            (KEEPS,),
        ),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "zip": _apply_zip,
        "torch.where": _apply_where,
        "reduce over the chosen steps": _apply_reduce,
        "recursion": _apply_recursive,
    },
)
