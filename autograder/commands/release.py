"""The command `autograder release`: makes what students get, and says what was made."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from autograder.course import Course
from autograder.releasing.release import Row, release

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("assignments", nargs="+", metavar="ASSIGNMENT", help="folders in notebooks/")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="folder of the student bundle; ./bundle by default")


def run(args: argparse.Namespace, course: Course) -> int:
    """Release, and say what was made and what comes next."""
    released = release(course, args.assignments, args.bundle)
    print(_table(released.rows))
    bundle = released.bundle
    print(f"\nbundle   {bundle.folder}  ({bundle.files} files, {bundle.size / 1e6:.1f} MB, no solution in it)")
    print(f"archive  {bundle.archive}  ({bundle.archive.stat().st_size / 1e6:.1f} MB)")
    for name in bundle.kept:
        print(f"kept     {name}: it was edited in the old bundle")
    if released.answers_note:
        print(f"note     {released.answers_note}")
    first = released.rows[0]
    print(
        f"\nNext: give students {bundle.archive.name}; put what they hand in into\n"
        f"  {course.submitted}/STUDENT/{first.assignment}/{first.notebooks[0]}\n"
        f"and run: autograder grade {first.assignment}"
    )
    return 0


def _table(rows: Sequence[Row]) -> str:
    titles = ("assignment", "exercises", "points", "by hand", "notebooks")
    lines = [titles] + [
        (row.assignment, str(row.exercises), f"{row.automatic:g}", f"{row.written:g}", ", ".join(row.notebooks))
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
