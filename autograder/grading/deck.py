"""The hidden cases of an assignment: for each exercise a fixed number of sets, of which every submission draws one.

A set is secret as long as the seed is, and which one a submission gets depends on the seed, the student and the
submitted bytes.  So nobody can know his own beforehand, while the references are computed once for many submissions,
and so is what each known mistake gives on a set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from autograder.exercise import Exercise
from course_lib.checking.keys import ExerciseKey

__all__ = ["SETS", "Deck"]

SETS = 16
"""Sets for each exercise.  More would be computed seldom twice, fewer would be seen in feedback sooner."""


class Deck:
    """The sets of an assignment's exercises, each computed when it is first drawn.

    Args:
        exercises: by id.
        seed: secret.
    """

    def __init__(self, exercises: Mapping[str, Exercise], seed: str) -> None:
        self._exercises = exercises
        self._seed = seed
        self._keys: dict[tuple[str, int], ExerciseKey] = {}

    def draw(self, exercise: str, student: str, digest: str) -> ExerciseKey:
        """The set that a student's submission is asked; the same bytes always draw the same."""
        lot = hashlib.sha256("\0".join(("lot", self._seed, exercise, student, digest)).encode()).digest()
        return self._key(exercise, int.from_bytes(lot[:8], "little") % SETS)

    def fill(self, enough: Callable[[], bool]) -> None:
        """Compute sets ahead, until there is no more time or all are there."""
        for number in range(SETS):
            for exercise in self._exercises:
                if enough():
                    return
                self._key(exercise, number).prepare()

    def _key(self, exercise: str, number: int) -> ExerciseKey:
        key = self._keys.get((exercise, number))
        if key is None:
            found = self._exercises[exercise]
            key = found.with_suspects(found.make_key(f"{self._seed}:{number}", diagnose=False), remember=True)
            self._keys[exercise, number] = key
        return key
