"""Does the cost grow with the class only as fast as the class?  Seconds a submission, memory, and the report.

    python -m benchmarks.growth                                        (100 and 1,000 students)
    python -m benchmarks.growth --students 100 3000 100 3000           (in turn: a machine's speed changes)

Time is that of grading alone, from the first submission to the last: starting costs the same for every class.  The
second half is given by itself, for in the first the grader still meets each set of hidden cases for the first time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autograder.course import Course
from benchmarks.grading import BIN, _make_course

_GRADE = """
import json, resource, sys, time
from pathlib import Path
from autograder.grading import batch
from autograder.course import Course
marks = []
written = batch._written
def timed(*arguments):
    done = written(*arguments)
    marks.append(time.perf_counter())
    return done
batch._written = timed
done = batch.grade_course(Course.find(Path(sys.argv[1])), sys.argv[2], batch.Options(seed=1))
mib = lambda who: resource.getrusage(who).ru_maxrss / 1024
print(json.dumps({
    "graded": done.graded, "each": (marks[-1] - marks[0]) / (len(marks) - 1), "all": done.seconds,
    "late": (marks[-1] - marks[len(marks) // 2]) / (len(marks) - 1 - len(marks) // 2),
    "grader": mib(resource.RUSAGE_SELF), "worker": mib(resource.RUSAGE_CHILDREN),
}))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--assignment", default="01_batchnorm")
    parser.add_argument("--students", type=int, nargs="+", default=[100, 1000])
    args = parser.parse_args()
    os.environ["PATH"] = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    times = f"{'students':>9} {'ms each':>9} {'2nd half':>9} {'seconds':>9}"
    print(f"{times} {'grader MiB':>11} {'worker MiB':>11} {'report s':>9}")
    for students in args.students:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            course = _make_course(Path(folder), args.assignment, students)
            found = _graded(course, args.assignment)
            report = _report_seconds(course, args.assignment)
        if found["graded"] != students:
            raise SystemExit(f"{found['graded']} of {students} submissions were graded: no figures")
        each, late = 1000 * found["each"], 1000 * found["late"]
        memory = f"{found['grader']:11.0f} {found['worker']:11.0f}"
        print(f"{students:9} {each:9.1f} {late:9.1f} {found['all']:9.1f} {memory} {report:9.1f}", flush=True)


def _graded(course: Course, assignment: str) -> dict[str, float]:
    command = [sys.executable, "-c", _GRADE, str(course.root), assignment]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _report_seconds(course: Course, assignment: str) -> float:
    started = time.perf_counter()
    command = [str(BIN / "autograder"), "--course", str(course.root), "report", assignment]
    subprocess.run([*command, "--out", str(course.root / "report.html")], capture_output=True, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
