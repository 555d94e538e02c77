"""Where the time of one submission goes: fork, cells, calls, references, reading code, cards, writing.

    python -m benchmarks.parts

A regression shows in the part that caused it.  Times are medians in milliseconds of one process on one processor.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from autograder.gradebook.writer import GradebookWriter
from autograder.grading import engine, records
from autograder.sandbox import Sandbox
from autograder.sandbox.session import Session
from autograder.submissions.submission import Submission, students_of
from benchmarks.grading import BIN, _make_course

_CELLS = "fork and run the cells"
_REFERENCES = "draw cases and references"
_ALL, _REST = "all of it", "everything else"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--assignment", default="01_batchnorm")
    parser.add_argument("--students", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["PATH"] = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    spent: dict[str, list[float]] = defaultdict(list)
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
            for number, student in enumerate(students_of(course, args.assignment)):
                job = Submission.of(course, args.assignment, student).job(task.master)
                if number < 2:  # warm up
                    engine.grade_submission(job, task, sandbox)
                    continue
                with _timer(spent, _ALL):
                    graded = engine.grade_submission(job, task, sandbox)
                    with _timer(spent, "write notebook, gradebook, result"):
                        records.write(course, book, graded)
                _close_submission(spent)
    total = statistics.median(spent[_ALL])
    for part, values in sorted(spent.items(), key=lambda item: -statistics.median(item[1])):
        print(f"{part:40} {1000 * statistics.median(values):8.1f} ms {statistics.median(values) / total:6.0%}")
    own = sum(statistics.median(spent[part]) for part in (_CELLS, _REFERENCES))
    print(f"\nbeyond {_CELLS!r} and {_REFERENCES!r}: {1000 * (total - own):.0f} ms a submission")


_OPEN: dict[str, float] = defaultdict(float)


def _close_submission(spent: dict[str, list[float]]) -> None:
    _OPEN[_REST] = 2 * _OPEN[_ALL] - sum(_OPEN.values())  # the sum holds the whole, too
    for part, seconds in _OPEN.items():
        spent[part].append(seconds)
    _OPEN.clear()


@contextmanager
def _timer(spent: dict[str, list[float]], part: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    _OPEN[part] += time.perf_counter() - started


@contextmanager
def _instrumented(spent: dict[str, list[float]]) -> Iterator[None]:
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
        (Session, "run_cells", _CELLS),
        (Session, "ask", "ask for answers"),
        (Session, "answers", "wait for answers and read them"),
        (Deck, "draw", _REFERENCES),
        (engine, "judge", "judge and diagnose"),
        (engine, "mark", "cards"),
        (Session, "advice", "wait for answers and read them"),
        (engine, "_read", "read the file"),
        (SourceReader, "__init__", "read the code"),
        (engine, "repair", "repair"),
        (engine, "shorten_code", "make the notebook"),
        (engine, "_autograded", "make the notebook"),
    ]
    with ExitStack() as patches:
        for owner, name, part in targets:
            function = getattr(owner, name)
            inner = listed(function) if inspect.isgeneratorfunction(function) else function
            patches.enter_context(mock.patch.object(owner, name, timed(inner, part)))
        yield


if __name__ == "__main__":
    main()
