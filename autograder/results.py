"""What grading a submission yields, and its JSON form.

Nothing here holds a hidden input except `ExerciseResult.counterexample`, which is meant for the student's own
feedback: the summary written by ``--json`` leaves it out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from autograder.whole_files import write_whole

__all__ = [
    "ExerciseResult",
    "Status",
    "SubmissionResult",
    "of_other_points",
    "read_result",
    "read_results",
    "result_path",
    "summary",
    "write_result",
]

Status = Literal["graded", "late", "timeout", "crashed", "unreadable", "missing", "ungraded"]
"""`ungraded`: the grader itself could not do it; the next run tries again."""
_LONGEST_NAME = 200
"""Bytes; a file's name may have 255, with all that is put around it while it is written."""


@dataclass(frozen=True)
class ExerciseResult:
    """One exercise of one submission.

    Attributes:
        criteria: slug -> whether it holds; None where it was not judged.
        misconceptions: slugs of the known mistakes that were recognized.
        message: one line: what was lost and why; empty for full marks.
        reasons: for each lost criterion (slug), why, in words.
        hints: of the recognized misconceptions, in the same order.
        counterexample: code that a student can paste and run; empty if there is nothing to show.
        withheld: the forbidden operations for which the points were withheld.
        advice: remarks without points ("will fail on a GPU").
        failures: kinds of the calls that gave no value, as `course_lib.checking.verdict.Failure` has them.
        shown: of an answer that is wrong in a way that has no name: what it gives to a question that is the same for
            everybody, see `autograder.grading.probe`.
    """

    score: float
    max_score: float
    criteria: Mapping[str, bool | None]
    misconceptions: tuple[str, ...] = ()
    message: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)
    hints: tuple[str, ...] = ()
    counterexample: str = ""
    withheld: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    shown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SubmissionResult:
    """One submission.

    Attributes:
        seconds: wall-clock time of its grading.
        flags: what a person should look at: `banned-operation`, `dynamic-code`, `edited-tests`, ...
        findings: the places where code reaches into the machine that watches it, for `dynamic-code`.
        notes: what was repaired in the notebook, in words.
        digest: SHA-256 of the submitted bytes; a result is valid only for these.
        engine: version of the grader and of the exercises (`autograder.grading.engine.engine_version`).
        written: digests of the written answers, which tell whether one changed since a person graded it.
    """

    student: str
    assignment: str
    status: Status
    exercises: Mapping[str, ExerciseResult]
    seconds: float = 0.0
    flags: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    message: str = ""
    digest: str = ""
    seed: str = ""
    sandbox: str = ""
    device: str = "cpu"
    engine: str = ""
    written: Mapping[str, str] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """Automatic points."""
        return sum(exercise.score for exercise in self.exercises.values())

    @property
    def max_score(self) -> float:
        """Automatic points that can be had."""
        return sum(exercise.max_score for exercise in self.exercises.values())

    def with_seconds(self, seconds: float) -> SubmissionResult:
        """The same result with its time."""
        return replace(self, seconds=round(seconds, 3))


def of_other_points(results: Iterable[SubmissionResult], points: Mapping[str, float]) -> int:
    """How many results give points for other exercises than there are now, or out of another maximum.

    Args:
        points: exercise id -> its points now.
    """
    now = dict(points)
    old = (r for r in results if r.exercises and {k: e.max_score for k, e in r.exercises.items()} != now)
    return sum(1 for _ in old)


_PRIVATE = ("counterexample", "reasons", "hints", "withheld", "advice", "shown")


def summary(results: Iterable[SubmissionResult], assignment: str, seed: object, device: str, sandbox: str) -> Any:
    """The value that ``--json`` writes: no hidden inputs."""
    return {
        "assignment": assignment,
        "seed": seed,
        "device": device,
        "sandbox": sandbox,
        "students": {result.student: _public(result) for result in sorted(results, key=lambda r: r.student)},
    }


def _public(result: SubmissionResult) -> dict[str, Any]:
    exercises = {
        name: {key: value for key, value in asdict(exercise).items() if key not in _PRIVATE}
        for name, exercise in result.exercises.items()
    }
    return {
        "status": result.status,
        "score": result.score,
        "max_score": result.max_score,
        "seconds": result.seconds,
        "flags": list(result.flags),
        "message": result.message,
        "exercises": exercises,
    }


def write_result(folder: Path, result: SubmissionResult) -> None:
    """Store a result as `result_path` says, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = result_path(folder, result.student)
    exercises = {name: _stored(exercise) for name, exercise in result.exercises.items()}
    data = {**vars(result), "exercises": exercises, "score": result.score, "max_score": result.max_score}
    write_whole(path, json.dumps(data, ensure_ascii=False))


def _stored(exercise: ExerciseResult) -> dict[str, Any]:
    """As `asdict`, which copies all that lies in it, too: a third of what writing a submission takes."""
    return {name: value for name, value in vars(exercise).items() if value or name != "shown"}


def result_path(folder: Path, student: str) -> Path:
    """Where a student's result lies: `<folder>/<student>.json`, or under the beginning of an id too long for that."""
    raw = student.encode()
    if len(raw) <= _LONGEST_NAME:
        return folder / f"{student}.json"
    beginning = raw[: _LONGEST_NAME // 2].decode(errors="ignore")
    return folder / f"{beginning}~{hashlib.sha256(raw).hexdigest()[:16]}.json"


def read_results(folder: Path) -> dict[str, SubmissionResult]:
    """All stored results by student; damaged files are left out (their submissions are graded again)."""
    results = {}
    for path in sorted(folder.glob("[!.]*.json")):
        result = read_result(path)
        if result is not None:
            results[result.student] = result
    return results


def read_result(path: Path) -> SubmissionResult | None:
    """One stored result, or None if there is none that can be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        exercises = {name: _exercise(values) for name, values in data.pop("exercises").items()}
        data.pop("score")
        data.pop("max_score")
        for name in ("flags", "findings", "notes"):
            data[name] = tuple(data[name])
        return SubmissionResult(exercises=exercises, **data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _exercise(values: dict[str, Any]) -> ExerciseResult:
    for name in ("misconceptions", "hints", "withheld", "advice", "failures"):
        values[name] = tuple(values[name])
    return ExerciseResult(**values)
