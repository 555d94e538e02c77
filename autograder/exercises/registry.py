"""Which assignments exist and which exercises they hold."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from autograder.errors import UnknownAssignmentError
from autograder.exercises import augmentation, batchnorm, dropout, transfer
from autograder.exercises.model import Exercise

__all__ = ["ASSIGNMENTS", "assignment_named", "exercise_named"]

ASSIGNMENTS: Mapping[str, Mapping[str, Exercise]] = {
    "01_batchnorm": {exercise.id: exercise for exercise in batchnorm.EXERCISES},
    "02_dropout": {exercise.id: exercise for exercise in dropout.EXERCISES},
    "03_augmentation": {exercise.id: exercise for exercise in augmentation.EXERCISES},
    "05_transfer_learning": {exercise.id: exercise for exercise in transfer.EXERCISES},
}
"""Assignment name (the folder in `notebooks/`) -> exercise id -> exercise, in the order of the notebook."""


def assignment_named(name: str) -> Mapping[str, Exercise]:
    """The exercises of an assignment.

    Raises:
        UnknownAssignmentError: with the nearest name, if there is no such assignment.
    """
    if name in ASSIGNMENTS:
        return ASSIGNMENTS[name]
    near = difflib.get_close_matches(name, ASSIGNMENTS, n=1, cutoff=0.3)
    raise UnknownAssignmentError(name, tuple(ASSIGNMENTS), near[0] if near else None)


def exercise_named(exercise_id: str) -> Exercise:
    """The exercise with this id, whatever its assignment; `KeyError` if there is none."""
    return next(exercises[exercise_id] for exercises in ASSIGNMENTS.values() if exercise_id in exercises)
