"""This grader and stock `nbgrader autograde` on the same submissions, in one run, on the same processors.

    python -m benchmarks.grading --students 20            (make bench)
    python -m benchmarks.grading --students 60
    python -m benchmarks.grading --students 200 --stock 20     (stock nbgrader on twenty: it takes as long for each)

Both are started as commands, so that start-up counts.  What stock nbgrader gets has its `experiment` cells removed, so
that both run the same cells; a second row shows stock nbgrader on a few whole notebooks (experiments in quick mode).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autograder.course import Course
from autograder.releasing.release import release
from autograder.sample_class.classroom import make_class

BIN = Path(sys.executable).parent
_STOCK_CONFIG = """c = get_config()
c.CourseDirectory.course_id = "cnn-course"
c.CourseDirectory.source_directory = "notebooks"
c.Execute.timeout = 600
"""
_CHECKS = """
import contextlib, io, json, sys, time
import torch
from course_lib import check
from course_lib.checking.gpu_trace import warm_up
from pathlib import Path
from autograder.course import Course
started = time.perf_counter()
warm_up()  # began in the background when `check` was imported
print(f"after the import of check, what it needs comes in {time.perf_counter() - started:.1f} s in the background")
times = {}
for exercise in Course.find(Path(sys.argv[2])).exercises(sys.argv[1]).values():
    right = exercise.namespace(next(iter(exercise.right_answers.values()), exercise.reference_answer))
    objects = [right[name] for name in exercise.names]
    for attempt in (1, 2):
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(AssertionError):
            check(exercise.id, *objects)
        times.setdefault(exercise.id, []).append(time.perf_counter() - started)
print(json.dumps(times))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--assignment", default="01_batchnorm")
    parser.add_argument("--students", type=int, default=20)
    parser.add_argument("--stock", type=int, help="submissions that stock nbgrader gets (default: all)")
    parser.add_argument("--whole", type=int, default=1, help="whole notebooks for the second row of stock nbgrader")
    args = parser.parse_args()
    # nbgrader starts `alembic` by name.
    os.environ["PATH"] = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        course = _make_course(Path(folder) / "ours", args.assignment, args.students)
        stock = _stock_copy(course, Path(folder) / "stock", args.assignment, experiments=False, most=args.stock)
        whole = _stock_copy(course, Path(folder) / "whole", args.assignment, experiments=True, most=args.whole)
        ours = _timed([str(BIN / "autograder"), "grade", args.assignment], course.root)
        theirs = _timed([str(BIN / "nbgrader"), "autograde", args.assignment], stock)
        row = _timed([str(BIN / "nbgrader"), "autograde", args.assignment], whole) if args.whole else None
        _print(args, ours, theirs, row)
    _print_checks(args.assignment)


def _make_course(root: Path, assignment: str, students: int) -> Course:
    course = Course.find(Path(__file__).parent).copy(root, [assignment])
    release(course, [assignment], root / "bundle")
    # A damaged notebook stops stock nbgrader: it grades nobody after it.
    make_class(course, assignment, students, seed=1, hostile=False, damaged=False)
    return course


def _stock_copy(course: Course, root: Path, assignment: str, *, experiments: bool, most: int | None = None) -> Path:
    """The same course with nbgrader's own configuration."""
    for folder in ("notebooks", "release", "submitted"):
        shutil.copytree(course.root / folder, root / folder)
    shutil.copy(course.root / "gradebook.db", root / "gradebook.db")
    (root / "nbgrader_config.py").write_text(_STOCK_CONFIG)
    submissions = sorted((root / "submitted").iterdir())
    for extra in submissions[most:] if most is not None else ():
        shutil.rmtree(extra)
    if not experiments:
        for path in (root / "submitted").glob(f"*/{assignment}/*.ipynb"):
            _remove_experiments(path)
    return root


def _remove_experiments(path: Path) -> None:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return
    kept = [c for c in notebook["cells"] if "experiment" not in c.get("metadata", {}).get("tags", ())]
    path.write_text(json.dumps({**notebook, "cells": kept}), encoding="utf-8")


def _timed(command: list[str], cwd: Path) -> tuple[float, int]:
    """Wall-clock seconds of a command and the number of submissions, all of which it must have graded."""
    environment = {**os.environ, "COURSE_QUICK": "1"}
    started = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 1):
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
    given = len(list((cwd / "submitted").iterdir()))
    graded = len(list((cwd / "autograded").glob("*/*/*.ipynb")))
    if graded != given:
        raise SystemExit(f"{command[0]} graded {graded} of {given} submissions: no figures")
    return seconds, given


def _print(
    args: argparse.Namespace, ours: tuple[float, int], theirs: tuple[float, int], row: tuple[float, int] | None
) -> None:
    exercises = len(Course.find(Path(__file__).parent).exercises(args.assignment))
    print(f"{args.assignment}: {args.students} submissions, {exercises} exercises, {os.cpu_count()} processors\n")
    print(f"{'':46} {'seconds':>9} {'a submission':>13}")
    rows = [("autograder grade", ours), ("nbgrader autograde, same cells", theirs)]
    rows += [("nbgrader autograde, whole notebook (quick)", row)] if row is not None else []
    for name, (seconds, count) in rows:
        print(f"{name:46} {seconds:9.1f} {seconds / count:13.3f}")
    ratio = (theirs[0] / theirs[1]) / (ours[0] / ours[1])
    print(f"\nratio, same cells: {ratio:.1f} times faster for each submission\n")


def _print_checks(assignment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHECKS, assignment, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
    )
    print(done.stdout.splitlines()[0])
    times = json.loads(done.stdout.splitlines()[-1])
    first = [values[0] * 1000 for values in times.values()]
    again = [values[1] * 1000 for values in times.values()]
    slowest = max(times, key=lambda name: max(times[name]))
    print(f"check(), milliseconds over {len(times)} exercises (first call, later call)")
    print(f"  median {statistics.median(first):.0f}, {statistics.median(again):.0f}")
    print(f"  slowest {max(first):.0f}, {max(again):.0f} ({slowest})")


if __name__ == "__main__":
    main()
