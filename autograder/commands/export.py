"""The command `autograder export`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autograder.course import Course
from autograder.gradebook.marks import read_marks
from autograder.gradebook.tables import FORMATS, export

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `autograder export`."""
    parser.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="default: all in the gradebook")
    parser.add_argument("--format", choices=sorted(FORMATS), default="csv", help="default: %(default)s")
    parser.add_argument(
        "--out", type=Path, metavar="FILE.csv", help="default: marks_FORMAT.csv in the course; - prints"
    )


def run(args: argparse.Namespace, course: Course) -> int:
    """Write the table, and say what is not final in it."""
    found = read_marks(course.db_url, args.assignments)
    text = export(found, args.format)
    if args.out == Path("-"):
        sys.stdout.write(text)
        return 0
    path = args.out or course.root / f"marks_{args.format}.csv"
    # A byte order mark tells spreadsheets that the file is UTF-8; Moodle and Canvas accept it too.
    path.write_text(text, encoding="utf-8-sig", newline="")
    print(f"Marks: {path}")
    for marks in found:
        waiting = sum(mark.needs_grading for mark in marks.marks)
        if waiting:
            print(f"{marks.name}: {waiting} of {len(marks.marks)} submissions wait for grading by hand (0 so far)")
    return 0
