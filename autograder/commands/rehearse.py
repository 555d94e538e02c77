"""The command `autograder rehearse`: tries the exercises of an assignment before students do."""

from __future__ import annotations

import argparse

from autograder.commands import positive
from autograder.course import Course
from autograder.errors import CourseError
from autograder.releasing.rehearsal import Solutions, rehearse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("assignment", help="name of the assignment")
    parser.add_argument("exercises", nargs="*", metavar="EXERCISE", help="ids; all by default")
    parser.add_argument("--seeds", type=positive, default=5, help="how often hidden cases are drawn; 5 by default")


def run(args: argparse.Namespace, course: Course) -> int:
    """Try each exercise, a line as soon as it is done; 1 if something is to be mended."""
    known = course.exercises(args.assignment)
    for name in args.exercises:
        if name not in known:
            raise CourseError(f"{args.assignment} has no exercise {name!r}", f"it has {', '.join(known)}")
    solutions = Solutions.of(course, args.assignment)
    for line in solutions.stopped:
        print(f"MEND  {line}")
    failed = bool(solutions.stopped)
    for name in args.exercises or known:
        found = rehearse(known[name], args.seeds, solutions.namespace)
        failed |= bool(found.problems)
        right, wrong = found.tried
        for line in found.problems:
            print(f"MEND  {name}: {line}", flush=True)
        if not found.problems:
            answers = f"{right} right answer{'s' * (right > 1)} and {wrong} known mistake{'s' * (wrong != 1)}"
            print(f"ok    {name}: {answers} on {args.seeds} seed{'s' * (args.seeds > 1)}", flush=True)
    return int(failed)
