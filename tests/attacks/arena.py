"""Running attacks: one warm sandbox, an honest submission after each attack, a secret that must not be found."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.engine import Graded, Job, grade
from autograder.results import SubmissionResult
from autograder.sandbox import Limits, Sandbox
from autograder.submission import Master
from tests import made_up, small_course
from tests.attacks.attack import RIGHT, Attack, submission

__all__ = ["LIMITS", "Arena", "fingerprint", "open_arena"]

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


@dataclass
class Arena:
    """Where attacks are graded.

    Attributes:
        released: the released notebook.
        place: a folder outside the sandbox with a secret in it.
    """

    released: Mapping[str, Any]
    master: Master
    sandbox: Sandbox
    place: Path
    secret: str
    _baselines: dict[str, SubmissionResult] = field(default_factory=dict)

    def grade(self, attack: Attack, limits: Limits = LIMITS) -> Graded:
        """Grade an attack as a submission."""
        words = {"SECRET_PLACE": str(self.place), **attack.words}
        data = submission(self.released, dataclasses.replace(attack, words=words))
        return grade(Job(attack.name, data), self.master, SEED, limits, self.sandbox)

    def baseline(self, attack: Attack) -> SubmissionResult:
        """What the same wrong answer gets without the trick."""
        if attack.plain not in self._baselines:
            self._baselines[attack.plain] = self.grade(attack.without_trick()).result
        return self._baselines[attack.plain]

    def honest(self) -> str:
        """Everything that an honest submission yields."""
        honest = Attack("honest", "", column_scale=RIGHT, pair=made_up.PAIR_SOLUTION)
        return fingerprint(self.grade(honest, Limits()))


@contextmanager
def open_arena(folder: Path) -> Iterator[Arena]:
    """An arena with a running sandbox; `folder` is written to."""
    secret = secrets.token_hex(16)
    place = folder / "course"
    with small_course.registered():
        small_course.make(place)
        (place / "secret.txt").write_text(secret)
        notebook = place / "release" / made_up.ASSIGNMENT / "made_up.ipynb"
        text = notebook.read_text(encoding="utf-8")
        master = Master(made_up.ASSIGNMENT, "made_up", text)
        with Sandbox() as sandbox:
            yield Arena(json.loads(text), master, sandbox, place, secret)
