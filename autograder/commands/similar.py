"""The command `autograder similar`."""

from __future__ import annotations

import argparse
from pathlib import Path

from autograder.course import Course
from autograder.pages.similar_page import write_similar
from autograder.similarity.works import compare_class

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `autograder similar`."""
    parser.add_argument("assignment", metavar="ASSIGNMENT", help="its folder in the course, as 01_first")
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="default: similar_ASSIGNMENT.html in the course")
    parser.add_argument(
        "--pairs", type=_positive, default=30, metavar="N", help="how many to show, default %(default)s"
    )


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"{number} is not between 1 and 1000")
    return number


def run(args: argparse.Namespace, course: Course) -> int:
    """Write the page and say where it lies; it decides nothing, so the status is always 0."""
    comparison = compare_class(course, args.assignment, args.pairs, show_progress=True)
    path = write_similar(comparison, args.out or course.root / f"similar_{args.assignment}.html")
    print(f"Similar submissions: {path}")
    print("A page to read, not a verdict: it shows what two have in common that few others have.")
    return 0
