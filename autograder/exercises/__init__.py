"""All exercises, by assignment."""

from autograder.exercises.model import Case, Criterion, Exercise, Misconception
from autograder.exercises.registry import ASSIGNMENTS, assignment_named, exercise_named

__all__ = [
    "ASSIGNMENTS",
    "Case",
    "Criterion",
    "Exercise",
    "Misconception",
    "assignment_named",
    "exercise_named",
]
