"""Where the time of one submission goes: fork, cells, calls, references, reading code, cards, writing.

    python -m benchmarks.parts

A regression shows in the part that caused it.  Times are means in milliseconds of one process on one processor: by the
clock, and of the grader's own processor, which does not count while it waits for the student's process.  The parts sum
to the whole.
"""

from __future__ import annotations

import argparse
import functools
import gc
import inspect
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

from autograder.gradebook.graded import CellMarks
from autograder.gradebook.writer import GradebookWriter
from autograder.grading import engine, records
from autograder.grading.student_process import StudentProcess
from autograder.sandbox import Sandbox
from autograder.sandbox.session import Session
from autograder.submissions.submission import Submission, students_of
from benchmarks.grading import BIN, _make_course

_ALL, _REST = "all of it", "everything else"
_WARM_UP = 2
"""Submissions that are graded before anything counts."""

Seconds = NDArray[np.float64]
"""By the clock, and of this process's processor time."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--assignment", default="01_batchnorm")
    parser.add_argument("--students", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["PATH"] = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    spent: dict[str, Seconds] = defaultdict(_nothing)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        course = _make_course(Path(folder), args.assignment, args.students)
        task = records.make_task(course, args.assignment, seed=1)
        task.load()
        with (
            Sandbox(code=course.code) as sandbox,
            GradebookWriter(course.db_url, task.master) as book,
            _instrumented(spent),
        ):
            sandbox.prepare(exercise.forbidden for exercise in task.exercises.values())
            started = time.perf_counter()
            task.deck.fill(lambda: False)
            print(f"all hidden cases, once for the class: {1000 * (time.perf_counter() - started):.0f} ms\n")
            students = students_of(course, args.assignment)
            gc.freeze()  # as the workers do
            for number, student in enumerate(students):
                if number == _WARM_UP:
                    spent.clear()
                with _timer(spent, _ALL):
                    with _timer(spent, "read what was handed in"):
                        job = Submission.of(course, args.assignment, student).job(task.master)
                    graded = engine.grade_submission(job, task, sandbox)
                    with _timer(spent, "write notebook, gradebook, result"):
                        records.write(course, book, graded)
    _print(spent, len(students) - _WARM_UP)


def _print(spent: dict[str, Seconds], submissions: int) -> None:
    """Parts of the clock's time, the largest first, and the whole."""
    whole = spent.pop(_ALL)
    spent[_REST] = whole - sum(spent.values(), _nothing())
    print(f"{'milliseconds a submission':40} {'clock':>8} {'own processor':>14}")
    for part, seconds in (*sorted(spent.items(), key=lambda item: -item[1][0]), (_ALL, whole)):
        clock, processor = 1000 * seconds / submissions
        print(f"{part:40} {clock:8.1f} {processor:14.1f} {processor / (1000 * whole[1] / submissions):6.0%}")


_OPEN: list[str] = []
"""The parts that have begun and not ended: a part within another is not counted twice."""


@contextmanager
def _timer(spent: dict[str, Seconds], part: str) -> Iterator[None]:
    outer = next((name for name in reversed(_OPEN) if name != _ALL), None)
    _OPEN.append(part)
    started = _now()
    try:
        yield
    finally:
        seconds = _now() - started
        _OPEN.pop()
        spent[part] += seconds
        if outer is not None:
            spent[outer] -= seconds


def _now() -> Seconds:
    return np.array([time.perf_counter(), time.process_time()])


def _nothing() -> Seconds:
    return np.zeros(2)


@contextmanager
def _instrumented(spent: dict[str, Seconds]) -> Iterator[None]:
    """Time the functions that the parts are made of."""
    from autograder.grading.deck import Deck
    from autograder.reading.source_reader import SourceReader

    def timed(function: Callable[..., Any], part: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with _timer(spent, part):
                return function(*args, **kwargs)

        return wrapper

    def listed(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: iter(list(function(*args, **kwargs)))

    targets: list[tuple[Any, str, str]] = [
        (Sandbox, "session", "ask for a process"),
        (Session, "run_cells", "fork and run the cells"),
        (Session, "ask", "ask for answers"),
        (Session, "packed", "wait for answers"),
        (StudentProcess, "read", "read the answers"),
        (Deck, "draw", "draw cases and references"),
        (engine, "judge", "judge and diagnose"),
        (engine, "mark", "cards"),
        (Session, "advice", "wait for answers"),
        (engine, "_read", "read the file"),
        (SourceReader, "__init__", "read the code"),
        (engine, "repair", "repair"),
        (engine, "shorten_code", "make the notebook"),
        (engine, "_autograded", "make the notebook"),
        (CellMarks, "of", "make the notebook"),
    ]
    with ExitStack() as patches:
        for owner, name, part in targets:
            function = getattr(owner, name)
            inner = listed(function) if inspect.isgeneratorfunction(function) else function
            patches.enter_context(mock.patch.object(owner, name, timed(inner, part)))
        yield


if __name__ == "__main__":
    main()
