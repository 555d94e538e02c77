"""What grading must find in a member of the sample class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autograder.results import SubmissionResult

__all__ = ["Expectation"]


@dataclass(frozen=True)
class Expectation:
    """What must hold of a member's result; exercises that are not mentioned may come out either way.

    Attributes:
        statuses: one of these.
        full: exercises with every point.
        nothing: exercises with no point.
        lost: exercise -> slugs of exactly the criteria that are lost.
        named: exercise -> slug of the misconception that is recognized.
        flag: must be among the flags.
    """

    statuses: frozenset[str] = frozenset({"graded"})
    full: frozenset[str] = frozenset()
    nothing: frozenset[str] = frozenset()
    lost: Mapping[str, frozenset[str]] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)
    flag: str = ""

    def problems(self, result: SubmissionResult) -> list[str]:
        """Each way in which the result is not as expected, in words; empty if all is well."""
        found = []
        if result.status not in self.statuses:
            found.append(f"status {result.status}, expected {' or '.join(sorted(self.statuses))}")
        if self.flag and self.flag not in result.flags:
            found.append(f"flag {self.flag} is missing (flags: {', '.join(result.flags) or 'none'})")
        scores = {name: exercise.score for name, exercise in result.exercises.items()}
        found += [
            f"{name}: {scores.get(name)} points, expected all ({exercise.message})"
            for name, exercise in result.exercises.items()
            if name in self.full and exercise.score != exercise.max_score
        ]
        found += [f"{name}: not in the result" for name in sorted(self.full - set(scores))]
        found += [f"{name}: {scores[name]} points, expected none" for name in sorted(self.nothing) if scores.get(name)]
        return found + self._wrong_diagnoses(result)

    def _wrong_diagnoses(self, result: SubmissionResult) -> list[str]:
        found = []
        for name, slugs in self.lost.items():
            exercise = result.exercises.get(name)
            lost = {slug for slug, holds in exercise.criteria.items() if holds is False} if exercise else set()
            if lost != slugs:
                found.append(f"{name}: lost {sorted(lost)}, expected {sorted(slugs)}")
        for name, slug in self.named.items():
            exercise = result.exercises.get(name)
            if exercise is None or slug not in exercise.misconceptions:
                found.append(f"{name}: {slug} was not named, but {exercise.misconceptions if exercise else 'nothing'}")
        return found
