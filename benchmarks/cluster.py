"""A large class on a Dask cluster of this machine: speed beside the local pool, and what accidents do.

    python -m benchmarks.cluster --students 1000 --workers 2 4 8       (speed)
    python -m benchmarks.cluster --students 10000 --workers 2 --accidents

Efficiency is the local pool's time for the same class over the cluster's.  On one machine workers share its processors,
so more of them than processors cannot be faster: what is asked is what they cost.  With `--accidents` one worker is
killed after a third, and after two thirds the scheduler, whereupon the run has to end with one line; a fresh cluster
and the same command complete the class, and the scores must be those of the local pool.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from autograder.course import Course
from benchmarks.grading import BIN, _make_course
from tests.support.dask_cluster import Cluster, scheduler

_LOOK_S = 0.5
_WRITTEN = 500
"""Submissions that are made one by one."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--assignment", default="01_batchnorm")
    parser.add_argument("--students", type=int, default=1000)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--accidents", action="store_true", help="kill a worker, then the scheduler")
    args = parser.parse_args()
    os.environ["PATH"] = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        course = _make_course(Path(folder) / "course", args.assignment, min(args.students, _WRITTEN))
        _enlarge(course, args.students)
        trial = _Trial(course, args.assignment, args.students)
        alone = trial.graded([])
        expected = trial.scores()
        print(f"{args.assignment}: {args.students} submissions, {os.cpu_count()} processors", flush=True)
        print(f"{'local pool':34} {alone:8.1f} s {1000 * alone / args.students:7.1f} ms each", flush=True)
        for number in args.workers:
            trial.reset()
            accidents = _accidents(args.students) if args.accidents else []
            with scheduler(Path(folder) / f"dask{number}") as cluster:
                cluster.start_workers(number, preload=False)
                seconds = trial.graded(["--cluster", cluster.address], accidents, cluster)
            if args.accidents:
                print(f"{'  ... until the scheduler was killed':34} {seconds:8.1f} s", flush=True)
                with scheduler(Path(folder) / f"dask{number}-again") as cluster:
                    cluster.start_workers(number, preload=False)
                    seconds += trial.graded(["--cluster", cluster.address])
            same = "the same scores" if trial.scores() == expected else "OTHER SCORES"
            print(
                f"{f'cluster, {number} workers':34} {seconds:8.1f} s {1000 * seconds / args.students:7.1f} ms each, "
                f"efficiency {alone / seconds:.2f}, {same}",
                flush=True,
            )


def _enlarge(course: Course, students: int) -> None:
    """Copies of what was handed in, under other names and so with other hidden cases; writing all would take longer."""
    written = sorted(course.submitted.iterdir())
    for number in range(len(written), students):
        original = written[number % len(written)]
        shutil.copytree(original, original.with_name(f"{original.name}-{number // len(written)}"))


Accident = tuple[int, str, Callable[[Cluster], None]]
"""After how many results, in words, and what is done."""


def _accidents(students: int) -> list[Accident]:
    return [
        (students // 3, "a worker is killed", lambda cluster: cluster.workers[0].send_signal(signal.SIGKILL)),
        (2 * students // 3, "the scheduler is killed", lambda cluster: cluster.scheduler.kill()),
    ]


class _Trial:
    """A released course with submissions that is graded several times."""

    def __init__(self, course: Course, assignment: str, students: int) -> None:
        self._course, self._assignment, self._students = course, assignment, students
        self._untouched = course.root / "gradebook.untouched"
        shutil.copy(course.root / "gradebook.db", self._untouched)

    def reset(self) -> None:
        """As nothing had been graded; the seed stays, so that scores can be compared."""
        for folder in (self._course.autograded, self._course.results(self._assignment)):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copy(self._untouched, self._course.root / "gradebook.db")

    def graded(
        self, arguments: Sequence[str], accidents: Sequence[Accident] = (), cluster: Cluster | None = None
    ) -> float:
        """Seconds of the command `autograder grade`, start-up included.

        Raises:
            SystemExit: if it ends in another way than it should.
        """
        log = self._course.root / "grade.log"
        command = [str(BIN / "autograder"), "grade", self._assignment, "--seed", "1", *arguments]
        started = time.perf_counter()
        with log.open("w") as output:
            grader = subprocess.Popen(command, cwd=self._course.root, stdout=output, stderr=output)
            for after, words, happen in accidents:
                while grader.poll() is None and self._done() < after:
                    time.sleep(_LOOK_S)
                if cluster is not None:
                    happen(cluster)
                    print(f"  {self._done()} graded after {time.perf_counter() - started:.0f} s: {words}", flush=True)
            status = grader.wait()
        seconds = time.perf_counter() - started
        said = log.read_text(encoding="utf-8", errors="replace")
        if accidents:
            print("  the run said: " + said.strip().splitlines()[-1], flush=True)
        elif status not in (0, 1) or self._done() != self._students:
            print(said[-2000:], file=sys.stderr)
            raise SystemExit(f"{self._done()} of {self._students} submissions were graded: no figures")
        return seconds

    def _done(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return sum(entry.name.endswith(".json") for entry in os.scandir(self._course.results(self._assignment)))
        return 0

    def scores(self) -> dict[str, dict[str, float]]:
        """Student -> exercise -> points."""
        found = {}
        for path in self._course.results(self._assignment).glob("[!.]*.json"):
            result = json.loads(path.read_text(encoding="utf-8"))
            found[path.stem] = {name: one["score"] for name, one in result["exercises"].items()}
        return found


if __name__ == "__main__":
    main()
