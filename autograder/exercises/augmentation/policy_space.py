"""AutoAugment: how many policies are there?"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["POLICY_SPACE"]

Count = Callable[[int, int, int, int, int], Any]


def _space(operations: int, magnitudes: int, probabilities: int, steps: int, subpolicies: int) -> int:
    size = 1
    for _ in range(steps * subpolicies):
        size *= operations * magnitudes * probabilities
    return size


def _space_power(operations: int, magnitudes: int, probabilities: int, steps: int, subpolicies: int) -> int:
    size: int = (operations * magnitudes * probabilities) ** (steps * subpolicies)
    return size


def _space_nested(operations: int, magnitudes: int, probabilities: int, steps: int, subpolicies: int) -> int:
    one_step = math.prod((operations, magnitudes, probabilities))
    size: int = pow(pow(one_step, steps), subpolicies)
    return size


def _space_each(operations: int, magnitudes: int, probabilities: int, steps: int, subpolicies: int) -> int:
    choices = [operations, magnitudes, probabilities] * steps * subpolicies
    return functools.reduce(operator.mul, choices, 1)


def _space_objects(operations: int, magnitudes: int, probabilities: int, steps: int, subpolicies: int) -> int:
    choices = np.array([operations, magnitudes, probabilities] * (steps * subpolicies), dtype=object)
    return int(choices.prod())


def _in_float(operations: int, magnitudes: int, probabilities: int, steps: int, subpolicies: int) -> float:
    return float(operations * magnitudes * probabilities) ** (steps * subpolicies)


def _overflowing(operations: int, magnitudes: int, probabilities: int, steps: int, subpolicies: int) -> int:
    size = _space_power(operations, magnitudes, probabilities, steps, subpolicies)
    return (size + 2**63) % 2**64 - 2**63


def _space_cases(g: torch.Generator) -> dict[str, Case]:
    def case(*numbers: int) -> Case:
        names = ("operations", "magnitudes", "probabilities", "steps", "subpolicies")
        return Case(dict(zip(names, numbers, strict=True)))

    a, b, c = (torch.randperm(4, generator=g)[:3] + 5).tolist()
    return {
        "one step": case(3, 2, 4, 1, 1),
        "one sub-policy": case(a, b, c, 2, 1),
        "two of three steps": case(2, 3, 5, 3, 2),
        "exact, AutoAugment": case(16, 10, 11, 2, 5),
        "exact": case(a + 6, b, c, 3, 6),
    }


_COUNTS = "counts every choice of every step"
_EXACT = "exact where the number is large"


POLICY_SPACE = Exercise(
    "policy-space",
    defines=("policy_space_size(operations, magnitudes, probabilities, steps, subpolicies)",),
    returns=("size",),
    reference=_space,
    cases=_space_cases,
    criteria=(
        Criterion(_COUNTS, 0.5, cases=("one*", "two*")),
        Criterion(_EXACT, 0.5, cases=("exact*",)),
    ),
    misconceptions=(
        Misconception(
            "in-floating-point",
            _in_float,
            "The number was computed in floating point, or went through it, which keeps about 16 digits. Python's own "
            "integers have as many digits as needed: use them from the start.",
            (_EXACT,),
        ),
        Misconception(
            "integer-overflow",
            _overflowing,
            "The number does not fit into 64 bits and wrapped around. Python's own integers have no limit; those in "
            "tensors and arrays do.",
            (_EXACT,),
        ),
        Misconception(
            "sub-policies-multiplied",
            lambda o, m, p, steps, subpolicies: (o * m * p) ** steps * subpolicies,
            "The number for one sub-policy was multiplied by how many there are. Each of them is chosen independently, "
            "so the numbers multiply with each other.",
            (_COUNTS, _EXACT),
        ),
        Misconception(
            "steps-multiplied",
            lambda o, m, p, steps, subpolicies: (o * m * p * steps) ** subpolicies,
            "The number for one step was multiplied by the number of steps. Each step is chosen independently, so the "
            "numbers multiply with each other.",
            (_COUNTS, _EXACT),
        ),
        Misconception(
            "exponents-added",
            lambda o, m, p, steps, subpolicies: (o * m * p) ** (steps + subpolicies - (steps == subpolicies == 1)),
            "Steps and sub-policies were added. There are so many steps in each sub-policy.",
            (_COUNTS, _EXACT),
        ),
        Misconception(
            "steps-ignored",
            lambda o, m, p, steps, subpolicies: (o * m * p) ** subpolicies,
            "Every sub-policy counts as one step. It has several, each with its own choices.",
            (_COUNTS, _EXACT),
        ),
        Misconception(
            "one-sub-policy-only",
            lambda o, m, p, steps, subpolicies: (o * m * p) ** steps,
            "This is the number of different sub-policies. A policy consists of several.",
            (_COUNTS, _EXACT),
        ),
        Misconception(
            "choices-added",
            lambda o, m, p, steps, subpolicies: (o + m + p) ** (steps * subpolicies),
            "The choices within a step were added. Each operation goes with each magnitude and each probability.",
            (_COUNTS, _EXACT),
        ),
        Misconception(
            "operations-only",
            lambda o, m, p, steps, subpolicies: o ** (steps * subpolicies),
            "Only the operations were counted. Magnitude and probability are chosen too.",
            (_COUNTS, _EXACT),
        ),
        Misconception(
            "probabilities-left-out",
            lambda o, m, p, steps, subpolicies: (o * m) ** (steps * subpolicies),
            "The probabilities were left out. How often a step is applied is chosen like its strength.",
            (_COUNTS, _EXACT),
        ),
        Misconception(
            "without-repetition",
            lambda o, m, p, steps, subpolicies: math.perm(o * m * p, steps * subpolicies),
            "No choice was allowed twice. Steps may be alike, and sub-policies too.",
            (_COUNTS, _EXACT),
        ),
        Misconception(
            "order-ignored",
            lambda o, m, p, steps, subpolicies: (o * m * p) ** (steps * subpolicies) // math.factorial(subpolicies),
            "Policies that differ in the order of their sub-policies were counted once. The lecture's number counts "
            "them separately.",
            (_COUNTS, _EXACT),
        ),
    ),
    right={
        "power": _space_power,
        "power of a power": _space_nested,
        "product of all choices": _space_each,
        "NumPy with Python's integers": _space_objects,
    },
)
