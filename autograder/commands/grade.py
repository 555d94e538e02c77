"""The command `autograder grade`.

The sandbox takes as long to import what it needs as this process does: it is started first, so that both happen at
the same time, and the grader's own imports stand in `run`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.commands import counted, positive
from autograder.course import Course
from autograder.errors import CourseError
from autograder.sandbox.devices import gpu_nodes
from autograder.sandbox.launcher import Sandbox
from autograder.whole_files import write_over

if TYPE_CHECKING:
    from autograder.grading.batch import Batch

__all__ = ["add_arguments", "run"]

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("assignment", help="its folder in the course, as 01_first")
    parser.add_argument("--student", action="append", default=[], metavar="ID", help="only this student (repeatable)")
    parser.add_argument("--workers", type=positive, metavar="N", help="processes (default: one per processor)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--gpu-slots", type=positive, metavar="N", help="submissions on a GPU at a time (default: 4)")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the hidden cases (default: the course's secret)")
    parser.add_argument("--sandbox", choices=("auto", "bwrap", "none"), default="auto")
    parser.add_argument("--cluster", default="", metavar="ADDRESS", help="a Dask scheduler, as tcp://host:8786")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to a file")
    parser.add_argument(
        "--which",
        metavar="TRY",
        help="of several tries (see collect): best, last, or its number; default: what lies there",
    )
    parser.add_argument("--force", action="store_true", help="grade again what is graded already")


def run(args: argparse.Namespace, course: Course) -> int:
    """Run the command; 1 if some submission could not be graded at all."""
    if args.json is not None and not args.json.absolute().parent.is_dir():
        raise CourseError(f"--json: no such folder: {args.json.absolute().parent}")
    if args.json is not None and args.json.is_dir():
        raise CourseError(f"--json: expected a file, found the folder {args.json.absolute()}", "name a file in it")
    if args.sandbox == "none":
        print("WARNING: --sandbox none: student code runs with your rights and can read and change your files.")
    sandbox = None if args.which else _head_start(args, course)
    try:
        from autograder.gradebook.notices import notices
        from autograder.gradebook.rules import Rules
        from autograder.grading.batch import Options, grade_course
        from autograder.results import summary
        from autograder.submissions.misplaced import misplaced

        _show(notices(course, Rules.of(course)))
        if not args.student:
            _show(misplaced(course, args.assignment))
        options = Options(
            students=tuple(args.student),
            workers=args.workers,
            device=args.device,
            seed=args.seed,
            sandbox=args.sandbox,
            cluster=args.cluster,
            force=args.force,
            gpu_slots=args.gpu_slots,
        )
        if args.which:
            from autograder.grading.best_try import place_tries

            chosen = place_tries(course, args.assignment, args.which, options, show_progress=True)
            print(f"{args.assignment}: another try than before is graded now of {len(chosen)} students")
        batch = grade_course(course, args.assignment, options, sandbox=sandbox, show_progress=True)
    finally:
        if sandbox is not None:
            sandbox.stop()
    if args.json is not None:
        content = summary((*batch.results, *batch.ungraded), args.assignment, batch.seed, batch.device, batch.sandbox)
        write_over(args.json, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    _tell(args.assignment, batch, course)
    return 1 if batch.failed else 0


def _show(lines: Sequence[str]) -> None:
    """What somebody should know before grading."""
    for line in lines[:_SHOWN]:
        print(f"note: {line}", flush=True)
    if len(lines) > _SHOWN:
        print(f"note: ... and {len(lines) - _SHOWN} more such lines", flush=True)


def _head_start(args: argparse.Namespace, course: Course) -> Sandbox | None:
    """The sandbox, started but not waited for; None where which one is needed takes torch to find out."""
    bare = args.sandbox == "none"
    may_use_gpu = args.device != "cpu" and bool(gpu_nodes())
    if args.cluster or may_use_gpu or not (bare or shutil.which("bwrap")):
        return None
    sandbox = Sandbox("none" if bare else "bwrap", code=course.code)
    sandbox.start()
    return sandbox


def _tell(assignment: str, batch: Batch, course: Course) -> None:
    from autograder.submissions.submission import readable_id

    before = len(batch.results) - batch.graded
    rate = f" ({batch.graded / batch.seconds:.1f} a second)" if batch.graded and batch.seconds > 0 else ""
    earlier = f"; {before} graded before (--force grades again)" if before else ""
    print(f"{assignment}: graded {counted(batch.graded, 'submission')} in {batch.seconds:.1f} s{rate}{earlier}")
    eyes = [r for r in batch.results if set(r.flags) - {"late"} or r.status not in ("graded", "late")]
    late = sum("late" in result.flags for result in batch.results)
    if late:
        print(f"  late: {late}")
    for result in eyes[:20]:
        status = [result.status] if result.status != "graded" else []
        what = ", ".join(dict.fromkeys([*status, *result.flags]))  # who is late is so by status and by flag
        print(f"  {readable_id(result.student)}: {what}{': ' + result.message if result.message else ''}"[:200])
    if len(eyes) > 20:
        print(f"  ... and {len(eyes) - 20} more")
    for failed in batch.failed:
        print(f"  NOT GRADED {readable_id(failed.job.student)}: {failed.reason}")
    if not batch.results and not batch.failed:
        print(f"  nothing there: submissions are expected in {course.submitted}/<student>/{assignment}/")
    print(f"next: autograder report {assignment}; autograder feedback {assignment}; make grade-lab (written answers)")
