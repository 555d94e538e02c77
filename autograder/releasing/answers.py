"""Writing the answer data that ships to students: public cases, expected and wrong values, hints."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from autograder.exercise import Exercise
from course_lib.checking.answers import write_keys
from course_lib.checking.keys import ExerciseKey

__all__ = ["PUBLIC_SEED", "write_answers"]

PUBLIC_SEED = "public"
"""The seed of the cases that students see; grading never uses it."""


def write_answers(assignment: str, directory: Path, exercises: Mapping[str, Exercise]) -> Path:
    """Write `<directory>/<assignment>.safetensors`; equal exercises give equal bytes.

    Args:
        assignment: name of the assignment.
        directory: made if it does not exist.
        exercises: those of the assignment, by id.
    """
    path = directory / f"{assignment}.safetensors"
    write_keys(path, assignment, map(_public_key, exercises.values()))
    return path


@cache  # a release writes it twice: for the students, and for the source notebooks
def _public_key(exercise: Exercise) -> ExerciseKey:
    return exercise.make_key(PUBLIC_SEED)
