"""What one hostile submission can cost: its time in the grader, from its folder to its page, for many kinds of it.

    python -m benchmarks.worst_case
    python -m benchmarks.worst_case --submission-s 120 hanging-cells patient-cells

*Read*: by the process that hands out submissions.  *Graded*: by one worker, which is what `submission_s` is about.
*Written*: notebook, gradebook, result.  *Page*: `autograder feedback`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from autograder.gradebook.writer import GradebookWriter
from autograder.grading.engine import grade_submission
from autograder.grading.records import make_task, write
from autograder.grading.task import Task
from autograder.pages.feedback import make_feedback
from autograder.sandbox import Limits, Sandbox
from autograder.submissions.submission import Submission
from tests.attacks.burdens import BURDENS, Burden
from tests.support import made_up, small_course

__all__ = ["ALLOWED_S", "Bench", "Cost", "limits_of", "main", "open_bench"]

ALLOWED_S = 10.0
"""What grading may take beyond `submission_s`, and a page at all."""
_Result = TypeVar("_Result")


def limits_of(submission_s: float) -> Limits:
    """The usual limits, with time in proportion to a submission's."""
    share = submission_s / Limits().submission_s
    return Limits(submission_s=submission_s, cell_s=max(2.0, 20 * share), call_s=max(2.0, 10 * share))


@dataclass(frozen=True)
class Cost:
    """Seconds of each step, and what came of it."""

    burden: Burden
    read: float
    graded: float
    written: float
    page: float
    status: str
    score: float

    def excess(self, limits: Limits) -> str:
        """What took longer than it may; empty if nothing did."""
        allowed = {
            "read": ALLOWED_S,
            "graded": limits.submission_s + ALLOWED_S,
            "written": ALLOWED_S,
            "page": 2 * ALLOWED_S,
        }
        return ", ".join(name for name, most in allowed.items() if getattr(self, name) > most)


class Bench:
    """A small course on which submissions are taken through every step, and timed."""

    def __init__(self, folder: Path, limits: Limits, sandbox: Sandbox) -> None:
        self._course = small_course.make(folder)
        self._task: Task = make_task(self._course, made_up.ASSIGNMENT, seed=7, limits=limits)
        self._sandbox = sandbox

    def cost(self, burden: Burden) -> Cost:
        """Take one submission from its folder to its page."""
        student = "".join(sign if sign.isalnum() else "-" for sign in burden.name)
        for name, data in burden.files(self._released()).items():
            small_course.hand_in_bytes(self._course, student, data, name)
        submission = Submission.of(self._course, made_up.ASSIGNMENT, student)
        job, read = _timed(lambda: submission.job(self._task.master))
        graded, seconds = _timed(lambda: grade_submission(job, self._task, self._sandbox))
        with GradebookWriter(self._course.db_url, self._task.master) as book:
            _, written = _timed(lambda: write(self._course, book, graded))
        feedback, page = _timed(lambda: make_feedback(self._course, made_up.ASSIGNMENT, [student]))
        assert not feedback.failed, feedback.failed
        result = graded.result
        return Cost(burden, read, seconds, written, page, result.status, result.score)

    def _released(self) -> dict[str, object]:
        import json

        path = self._course.release / made_up.ASSIGNMENT / "made_up.ipynb"
        content: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
        return content


def _timed(step: Callable[[], _Result]) -> tuple[_Result, float]:
    started = time.perf_counter()
    return step(), time.perf_counter() - started


@contextmanager
def open_bench(folder: Path, limits: Limits) -> Iterator[Bench]:
    """A bench with a running sandbox; `folder` is written to."""
    torch.set_num_threads(1)  # as the grader
    with Sandbox(code=made_up.CODE) as sandbox:
        sandbox.processors = (min(os.sched_getaffinity(0)),)
        yield Bench(folder, limits, sandbox)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 1 if something took longer than it may."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="only those with one of these words in their names")
    parser.add_argument("--submission-s", type=float, default=20.0, help="the limit (default: 20)")
    args = parser.parse_args(arguments)
    # nbgrader starts `alembic` by name.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    limits = limits_of(args.submission_s)
    chosen = [b for b in BURDENS if not args.names or any(name in b.name for name in args.names)]
    print(f"{'submission':<22} {'read':>5} {'graded':>7} {'written':>8} {'page':>5}  {'status':<11} what it is")
    with tempfile.TemporaryDirectory(prefix="worst-") as folder, open_bench(Path(folder) / "course", limits) as bench:
        costs = []
        for burden in chosen:
            cost = bench.cost(burden)
            costs.append(cost)
            times = f"{cost.read:5.1f} {cost.graded:7.1f} {cost.written:8.1f} {cost.page:5.1f}"
            excess = cost.excess(limits)
            print(
                f"{burden.name:<22} {times}  {cost.status:<11} {burden.aim}"
                + (f"  TOO LONG: {excess}" if excess else ""),
                flush=True,
            )
    worst = max(cost.graded for cost in costs)
    print(f"{len(costs)} submissions; submission_s {limits.submission_s:g}; the longest was graded for {worst:.1f} s")
    return 1 if any(cost.excess(limits) for cost in costs) else 0


if __name__ == "__main__":
    sys.exit(main())
