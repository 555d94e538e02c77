"""The command `autograder feedback`."""

from __future__ import annotations

import argparse
import sys

from autograder.course import Course
from autograder.pages.feedback import make_feedback
from autograder.submissions.submission import readable_id

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `autograder feedback`."""
    parser.add_argument("assignment", metavar="ASSIGNMENT", help="its folder in the course, as 01_first")
    parser.add_argument("--student", action="append", default=[], metavar="ID", help="only this one; may be repeated")


def run(args: argparse.Namespace, course: Course) -> int:
    """Make the pages; 1 if some could not be made."""
    feedback = make_feedback(course, args.assignment, args.student, show_progress=True)
    for student, reason in feedback.failed.items():
        print(f"no feedback for {readable_id(student)}: {reason}", file=sys.stderr)
    print(f"Feedback: {len(feedback.pages)} pages in {course.feedback}")
    return 1 if feedback.failed else 0
