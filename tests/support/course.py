"""This course, as the tests of its exercises and notebooks see it."""

from __future__ import annotations

from collections.abc import Mapping

from autograder.course import Course
from autograder.exercise import Exercise
from tests.support.paths import ROOT

__all__ = ["ASSIGNMENTS", "COURSE", "exercise_named"]

COURSE = Course.find(ROOT)
ASSIGNMENTS: Mapping[str, Mapping[str, Exercise]] = {name: COURSE.exercises(name) for name in COURSE.assignments}
"""Assignment -> exercise id -> exercise."""


def exercise_named(exercise_id: str) -> Exercise:
    """The exercise with this id, whatever its assignment."""
    return next(exercises[exercise_id] for exercises in ASSIGNMENTS.values() if exercise_id in exercises)
