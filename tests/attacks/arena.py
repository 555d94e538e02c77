"""Running attacks: one warm sandbox, an honest submission after each attack, a secret that must not be found."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch

from autograder.course import Course
from autograder.gradebook.graded import Graded
from autograder.grading.engine import grade_submission
from autograder.grading.records import load_master
from autograder.grading.task import Task
from autograder.results import SubmissionResult
from autograder.sandbox import Limits, Sandbox
from autograder.submissions.notebook import Master
from autograder.submissions.submission import Job
from tests.attacks.attack import RIGHT, Attack, submission
from tests.attacks.real import release_real
from tests.support import made_up, small_course

__all__ = ["LIMITS", "Arena", "Target", "fingerprint", "open_arena"]

LIMITS = Limits(
    submission_s=5,
    cell_s=1.5,
    call_s=1.5,
    cpu_s=6,
    memory_mib=512,
    threads=24,
    files=64,
    scratch_mib=16,
    outputs_mib=4,
    answer_mib=8,
    restarts=3,
)
SEED = "arena"


def fingerprint(graded: Graded) -> str:
    """All that grading yields, but for the time it took."""
    result = dataclasses.asdict(dataclasses.replace(graded.result, seconds=0.0))
    return json.dumps([result, graded.notebook], sort_keys=True)


class Target(Protocol):
    """A released assignment, and how answers to it are handed in."""

    @property
    def course(self) -> Course:
        """Where it was released."""

    @property
    def name(self) -> str:
        """The assignment."""

    def honest(self) -> bytes:
        """A right answer."""

    def submission(self, attack: Attack) -> bytes:
        """A wrong answer and a trick."""


@dataclass(frozen=True)
class _MadeUp:
    course: Course
    name: str = made_up.ASSIGNMENT

    def honest(self) -> bytes:
        return self.submission(Attack("honest", "", column_scale=RIGHT, pair=made_up.PAIR_SOLUTION))

    def submission(self, attack: Attack) -> bytes:
        notebook = (self.course.release / self.name / "made_up.ipynb").read_text(encoding="utf-8")
        return submission(json.loads(notebook), attack)


@dataclass
class Arena:
    """Where attacks are graded.

    Attributes:
        place: a folder outside the sandbox with a secret in it.
    """

    target: Target
    master: Master
    sandbox: Sandbox
    place: Path
    secret: str
    limits: Limits
    _baselines: dict[str, SubmissionResult] = field(default_factory=dict)
    _tasks: dict[Limits, Task] = field(default_factory=dict)

    def grade(self, attack: Attack, limits: Limits | None = None) -> Graded:
        """Grade an attack as a submission."""
        return self.graded(attack.name, self.data(attack), limits)

    def graded(self, student: str, data: bytes, limits: Limits | None = None) -> Graded:
        """Grade a submission as it is handed in, with what the grader keeps from one submission to the next."""
        limits = limits or self.limits
        if limits not in self._tasks:
            self._tasks[limits] = Task(self.master, self.target.course.code, SEED, limits)
        return grade_submission(Job(student, data), self._tasks[limits], self.sandbox)

    def data(self, attack: Attack) -> bytes:
        """An attack as it is handed in."""
        words = {"SECRET_PLACE": str(self.place), **attack.words}
        return self.target.submission(dataclasses.replace(attack, words=words))

    def baseline(self, attack: Attack) -> SubmissionResult:
        """What the same wrong answer gets without the trick."""
        if attack.plain not in self._baselines:
            self._baselines[attack.plain] = self.grade(attack.without_trick()).result
        return self._baselines[attack.plain]

    def honest(self) -> str:
        """Everything that an honest submission yields."""
        return fingerprint(self.graded("honest", self.target.honest(), Limits()))


@contextmanager
def open_arena(folder: Path, assignment: str = made_up.ASSIGNMENT) -> Iterator[Arena]:
    """An arena with a running sandbox; `folder` is written to."""
    torch.set_num_threads(1)  # as the grader: a second thread would only wait for the first
    secret = secrets.token_hex(16)
    place = folder / "course"
    made_up_one = assignment == made_up.ASSIGNMENT
    target = _MadeUp(small_course.make(place)) if made_up_one else release_real(place, assignment)
    (place / "secret.txt").write_text(secret)
    # A dozen exercises, each of which spends what there is: the next ones would only wait for the same end.
    limits = LIMITS if made_up_one else LIMITS.changed(submission_s=3)
    with Sandbox(code=target.course.code) as sandbox:
        yield Arena(target, load_master(target.course, assignment), sandbox, place, secret, limits)
