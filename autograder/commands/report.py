"""The command `autograder report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from autograder.course import Course
from autograder.gradebook.notices import outdated
from autograder.pages.report import write_items, write_report

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `autograder report`."""
    parser.add_argument("assignment", metavar="ASSIGNMENT", help="its folder in the course, as 01_first")
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="default: report_ASSIGNMENT.html in the course")
    parser.add_argument("--csv", type=Path, metavar="FILE.csv", help="also the exercises and questions as a table")


def run(args: argparse.Namespace, course: Course) -> int:
    """Write the report and say where it lies."""
    path = write_report(course, args.assignment, args.out, show_progress=True)
    print(f"Report: {path}")
    if line := outdated(course, args.assignment):
        print(f"note: {line}")
    if args.csv is not None:
        print(f"Items: {write_items(course, args.assignment, args.csv)}")
    return 0
