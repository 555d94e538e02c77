"""The command `autograder feedback`."""

from __future__ import annotations

import argparse
import sys

from autograder.commands import counted
from autograder.course import Course
from autograder.errors import CourseError
from autograder.gradebook.notices import outdated
from autograder.grading.records import load_master
from autograder.pages.feedback import make_feedback
from autograder.platforms.feedback_back import zip_feedback
from autograder.submissions.submission import readable_id

__all__ = ["add_arguments", "run"]

_WHERE = {
    "moodle": "upload it in the assignment: View all submissions > Upload multiple feedback files in a zip",
    "canvas": "upload it in the assignment: Re-Upload Submissions; students see it as a comment",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `autograder feedback`."""
    parser.add_argument("assignment", metavar="ASSIGNMENT", help="its folder in the course, as 01_first")
    parser.add_argument(
        "--zip",
        choices=("moodle", "canvas"),
        help="also pack the pages for the platform, which collect's download came from",
    )
    parser.add_argument("--student", action="append", default=[], metavar="ID", help="only this one; may be repeated")


def run(args: argparse.Namespace, course: Course) -> int:
    """Make the pages; 1 if some could not be made.

    Raises:
        CourseError: if points have changed since: pages would say of right answers what they lost.
    """
    if args.assignment in course.assignments and (line := outdated(course, args.assignment)):
        raise CourseError(line, "until then a page would say of a right answer what it lost")
    feedback = make_feedback(course, args.assignment, args.student, show_progress=True)
    for student, reason in feedback.failed.items():
        print(f"no feedback for {readable_id(student)}: {reason}", file=sys.stderr)
    print(f"Feedback: {counted(len(feedback.pages), 'page')} in {course.feedback}")
    if args.zip:
        _pack(args, course, [page.parent.parent.name for page in feedback.pages])
    return 1 if feedback.failed else 0


def _pack(args: argparse.Namespace, course: Course, students: list[str]) -> None:
    notebook = load_master(course, args.assignment).notebook
    made = zip_feedback(course, args.assignment, args.zip, notebook, sorted(set(students)))
    print(f"{args.zip.title()}: {counted(made.count, 'page')} in {made.path} ({made.path.stat().st_size / 1e6:.1f} MB)")
    if made.without:
        more = f" and {len(made.without) - 5} more" if len(made.without) > 5 else ""
        print(f"no way back for {', '.join(made.without[:5])}{more}: they came by another way", file=sys.stderr)
    print(_WHERE[args.zip])
