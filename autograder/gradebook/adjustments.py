"""A faulty exercise: dropped, reweighted, given to everybody, or made a bonus, without touching notebooks or code.

The gradebook keeps what was earned; what counts is computed from it and from `c.Autograder.adjust`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from autograder.errors import CourseError
from autograder.results import SubmissionResult

__all__ = ["Adjustment", "Adjustments", "adjusted", "read_adjustments", "require_cells"]

Kind = Literal["drop", "full marks", "bonus", "weight"]
_FORM = (
    'write it as {"01_first": {"exercise-id": "drop"}}; instead of "drop": "full marks", "bonus", or a weight as 0.5'
)


@dataclass(frozen=True)
class Adjustment:
    """How an exercise counts.

    Attributes:
        weight: what its points are multiplied by.
    """

    kind: Kind
    weight: float = 1.0

    def score(self, score: float, max_score: float) -> float:
        """Points that count, of a submission that earned `score`."""
        if self.kind == "drop":
            return 0.0
        return max_score if self.kind == "full marks" else self.weight * score

    def max_score(self, max_score: float) -> float:
        """Points that can be had."""
        return 0.0 if self.kind in ("drop", "bonus") else self.weight * max_score

    @property
    def settled(self) -> bool:
        """Whether its points are known without looking at the answer."""
        return self.kind in ("drop", "full marks")

    def __str__(self) -> str:
        """In words."""
        words = {
            "drop": "not counted",
            "full marks": "full marks for everybody who handed in",
            "bonus": "a bonus, its points come on top",
        }
        return words.get(self.kind, f"counts {self.weight:g} times its points")


Adjustments = Mapping[str, Adjustment]
"""Id of an exercise or a written question -> how it counts."""


def adjusted(results: Iterable[SubmissionResult], adjustments: Adjustments) -> list[SubmissionResult]:
    """Results with the points that count."""
    if not adjustments:
        return list(results)
    return [
        replace(
            result,
            exercises={
                name: replace(
                    exercise,
                    score=adjustments[name].score(exercise.score, exercise.max_score),
                    max_score=adjustments[name].max_score(exercise.max_score),
                )
                if name in adjustments
                else exercise
                for name, exercise in result.exercises.items()
            },
        )
        for result in results
    ]


def read_adjustments(setting: object, assignments: tuple[str, ...]) -> dict[str, dict[str, Adjustment]]:
    """What `c.Autograder.adjust` says.

    Raises:
        CourseError: for anything that it may not say.
    """
    if setting is None:
        return {}
    if not isinstance(setting, Mapping):
        raise CourseError(f"c.Autograder.adjust: {setting!r} is no table", _FORM)
    found: dict[str, dict[str, Adjustment]] = {}
    for assignment, exercises in setting.items():
        if assignment not in assignments:
            known = ", ".join(assignments) or "none"
            raise CourseError(f"c.Autograder.adjust: there is no assignment {assignment!r}", f"there are: {known}")
        if not isinstance(exercises, Mapping):
            raise CourseError(f"c.Autograder.adjust, {assignment}: {exercises!r} is no table", _FORM)
        found[assignment] = {str(name): _adjustment(assignment, name, value) for name, value in exercises.items()}
    return found


def _adjustment(assignment: str, name: object, value: object) -> Adjustment:
    if value == "drop" or value == "full marks" or value == "bonus":
        return Adjustment(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
        return Adjustment("weight", float(value))
    raise CourseError(f"c.Autograder.adjust, {assignment}, {name}: {value!r} is no adjustment", _FORM)


def require_cells(assignment: str, adjustments: Adjustments, cells: Iterable[str]) -> None:
    """Make sure that what is adjusted exists.

    Raises:
        CourseError: with the nearest name, if it does not.
    """
    known = sorted(cells)
    for name in adjustments:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
            raise CourseError(f"c.Autograder.adjust: {assignment} has no graded cell {name!r}", hint)
