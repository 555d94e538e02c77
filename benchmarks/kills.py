"""SIGKILL of the grader at random moments of a batch: after the same command again, everything is as if undisturbed.

    python -m benchmarks.kills --times 50
    python -m benchmarks.kills --times 10 --seed 2 --students 20

Each time the course starts as released, grading is killed at a moment drawn evenly from the time that an undisturbed
run takes, and done again.  Compared are the gradebook (scores, comments, penalties), the result files (but for
seconds) and the autograded notebooks, byte for byte.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sqlalchemy import create_engine, text

from autograder.course import Course
from autograder.grading.batch import Options, grade_course
from autograder.releasing.release import release
from autograder.sample_class.classroom import make_class
from autograder.sandbox import Limits

__all__ = ["Outcome", "Trials", "main"]

_ROWS = """
    select sa.student_id, cell.name, grade.auto_score, grade.manual_score, grade.needs_manual_grade,
           comment.auto_comment, comment.manual_comment, sn.late_submission_penalty, sa.timestamp
    from submitted_assignment sa join submitted_notebook sn on sn.assignment_id = sa.id
    left join grade on grade.notebook_id = sn.id left join base_cell cell on grade.cell_id = cell.id
    left join comment on comment.notebook_id = sn.id and comment.cell_id = cell.id
"""


_LIMITS = Limits(submission_s=60, cell_s=4, call_s=4)
"""The class has members whose code hangs: with the usual limits a run would mostly wait for them."""


@dataclass(frozen=True)
class Outcome:
    """What one kill did.

    Attributes:
        moment_s: when it came, in seconds after the start.
        done: submissions that were graded by then.
        caught: whether the grader was still at work.
        differences: what is not as in an undisturbed run, after the second one.
    """

    moment_s: float
    done: int
    caught: bool
    differences: tuple[str, ...]


class Trials:
    """A released course with submissions, brought back to that state before each trial.

    Args:
        course: has submissions and no grades; its gradebook is a file.
    """

    def __init__(self, course: Course, assignment: str, options: Options) -> None:
        self._course, self._assignment, self._options = course, assignment, options
        self._database = course.root / "gradebook.db"
        self._untouched = course.root / "gradebook.untouched"
        shutil.copy(self._database, self._untouched)
        started = time.perf_counter()
        batch = grade_course(course, assignment, options)
        self.seconds = time.perf_counter() - started
        assert not batch.failed, batch.failed
        self._expected = self._snapshot()

    def kill_at(self, moment_s: float) -> Outcome:
        """Start over, kill the grader then, run it again, compare."""
        self._reset()
        caught = self._killed(moment_s)
        results = self._course.results(self._assignment)
        done = len(list(results.glob("[!.]*.json"))) if results.is_dir() else 0
        batch = grade_course(self._course, self._assignment, self._options)
        found = self._snapshot()
        names = sorted(found.keys() | self._expected.keys())
        different = [name for name in names if found.get(name) != self._expected.get(name)]
        return Outcome(moment_s, done, caught, (*different, *(failed.reason for failed in batch.failed)))

    def _reset(self) -> None:
        for folder in (self._course.autograded, self._course.results(self._assignment)):
            shutil.rmtree(folder, ignore_errors=True)
        for path in self._course.root.glob("gradebook.db-*"):  # the journal of a killed transaction
            path.unlink()
        shutil.copy(self._untouched, self._database)

    def _killed(self, moment_s: float) -> bool:
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            try:
                grade_course(self._course, self._assignment, self._options)
            finally:
                os._exit(0)
        time.sleep(moment_s)
        done, _ = os.waitpid(pid, os.WNOHANG)
        if done == 0:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return done == 0

    def _snapshot(self) -> dict[str, Any]:
        """Everything that grading leaves, by name."""
        engine = create_engine(self._course.db_url)
        try:
            with engine.connect() as database:
                rows = [tuple(row) for row in database.execute(text(_ROWS))]
        finally:
            engine.dispose()
        found: dict[str, Any] = {"gradebook": sorted(rows, key=lambda row: (row[0], row[1] or ""))}
        for path in self._course.results(self._assignment).glob("*.json"):
            found[f"result {path.name}"] = {**json.loads(path.read_text("utf-8")), "seconds": None}
        for path in self._course.autograded.rglob("*"):
            if path.is_file():
                found[f"autograded {path.relative_to(self._course.autograded)}"] = path.read_bytes()
        return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill so many times; 1 if a trial ended differently."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--students", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--assignment", default="01_batchnorm")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)  # before the first fork
    # nbgrader starts `alembic` by name.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        course = _make_course(Path(folder), args.assignment, args.students)
        options = Options(seed=7, workers=args.workers, limits=_LIMITS)
        trials = Trials(course, args.assignment, options)
        print(f"{args.students} submissions of {args.assignment}; undisturbed {trials.seconds:.1f} s")
        outcomes = []
        for number in range(args.times):
            outcomes.append(trials.kill_at(rng.uniform(0, trials.seconds)))
            found = outcomes[-1]
            words = "equal" if not found.differences else f"DIFFERENT: {', '.join(found.differences)[:200]}"
            print(f"{number + 1:3}. at {found.moment_s:5.2f} s, {found.done:3} done: {words}", flush=True)
    return _tell(outcomes)


def _make_course(root: Path, assignment: str, students: int) -> Course:
    course = Course.find(Path(__file__).parent).copy(root, [assignment])
    release(course, [assignment], root / "bundle")
    _hand_in(course, assignment, students)
    return course


def _hand_in(course: Course, assignment: str, students: int) -> None:
    """A class in which every member ends in one way: whether memory or time ends a flood depends on the machine."""
    sure = [m for m in make_class(course, assignment, students + 10, seed=1) if len(m.expectation.statuses) == 1]
    kept = {member.student for member in sure[:students]}
    for folder in course.submitted.iterdir():
        if folder.name not in kept:
            shutil.rmtree(folder)
    assert len(kept) == students


def _tell(outcomes: Sequence[Outcome]) -> int:
    different = sum(bool(outcome.differences) for outcome in outcomes)
    caught = sum(outcome.caught for outcome in outcomes)
    within = sum(outcome.caught and outcome.done > 0 for outcome in outcomes)
    print(f"{len(outcomes)} kills, {caught} before the end, {within} of those after the first result")
    print(f"{different} ended differently from an undisturbed run")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
