"""What all submissions of a batch share."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from autograder.course_code import CourseCode
from autograder.exercise import Exercise
from autograder.grading.deck import Deck
from autograder.grading.memory import Memory
from autograder.sandbox import Limits
from autograder.submissions.notebook import Master

__all__ = ["Task", "engine_version", "grader_version"]


@dataclass(frozen=True)
class Task:
    """An assignment, ready to be graded.

    Attributes:
        master: the released notebook.
        code: the course's exercises and library.
        seed: of the hidden cases.
    """

    master: Master
    code: CourseCode
    seed: str
    limits: Limits
    device: str = "cpu"

    def load(self) -> None:
        """Import and compute what is otherwise done when it is first asked for."""
        _ = self.deck, self.engine

    @property
    def assignment(self) -> str:
        """Name of the assignment."""
        return self.master.assignment

    @functools.cached_property
    def exercises(self) -> Mapping[str, Exercise]:
        """The exercises by id."""
        return self.code.exercises(self.assignment)

    @functools.cached_property
    def deck(self) -> Deck:
        """The hidden cases."""
        return Deck(self.exercises, self.seed)

    @functools.cached_property
    def memory(self) -> Memory:
        """What was judged before; a worker's own."""
        return Memory()

    @functools.cached_property
    def engine(self) -> str:
        """What results are stamped with."""
        return engine_version(self.code)


@functools.cache
def grader_version() -> str:
    """Changes whenever what runs, judges or marks submissions changes."""
    import autograder
    import course_lib

    digest = hashlib.sha256(torch.__version__.encode())
    for package in (autograder, course_lib):
        for path in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def engine_version(code: CourseCode) -> str:
    """Changes whenever a course's exercises, or what judges them, change: older results are graded again."""
    return f"{grader_version()}-{code.version}"
