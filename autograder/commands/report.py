"""The command `autograder report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from autograder.course import Course
from autograder.pages.report import write_report

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `autograder report`."""
    parser.add_argument("assignment", metavar="ASSIGNMENT", help="its folder in the course, as 01_first")
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="default: report_ASSIGNMENT.html in the course")


def run(args: argparse.Namespace, course: Course) -> int:
    """Write the report and say where it lies."""
    path = write_report(course, args.assignment, args.out)
    print(f"Report: {path}")
    return 0
