"""Writing the answer data that ships to students: public cases, expected and wrong values, hints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autograder.exercises import Exercise, assignment_named
from course_lib.answers import write_keys

__all__ = ["PUBLIC_SEED", "write_answers"]

PUBLIC_SEED = "public"
"""The seed of the cases that students see; grading never uses it."""


def write_answers(assignment: str, directory: Path, exercises: Mapping[str, Exercise] | None = None) -> Path:
    """Write `<directory>/<assignment>.safetensors`; equal exercises give equal bytes.

    Args:
        assignment: name of the assignment.
        directory: made if it does not exist.
        exercises: those of the assignment by default.

    Raises:
        UnknownAssignmentError: if no exercises are given or registered.
    """
    found = exercises if exercises is not None else assignment_named(assignment)
    path = directory / f"{assignment}.safetensors"
    write_keys(path, assignment, (exercise.make_key(PUBLIC_SEED) for exercise in found.values()))
    return path
