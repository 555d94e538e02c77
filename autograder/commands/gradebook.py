"""The command `autograder gradebook`: moves the gradebook to another database."""

from __future__ import annotations

import argparse

from autograder.course import Course
from autograder.gradebook.moving import move_gradebook
from autograder.grading.lock import hold

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="move ADDRESS")
    move = kinds.add_parser("move", help="copy the gradebook into an empty database, and compare")
    move.add_argument("address", metavar="ADDRESS", help="as postgresql://teacher:PASSWORD@HOST/gradebook")


def run(args: argparse.Namespace, course: Course) -> int:
    """Move it, and say what to write into the configuration."""
    with hold(course.root / ".autograder" / "lock"):
        moved = move_gradebook(course.db_url, args.address, show_progress=True)
    counts = ", ".join(
        f"{moved.rows[table]} {words}"
        for table, words in {"student": "students", "submitted_assignment": "submissions", "grade": "scores"}.items()
    )
    print(f"moved to {moved.target}: {sum(moved.rows.values())} rows ({counts}), read back and compared")
    password = ", with the password," if "***" in moved.target else ""
    print(f"now close formgrader, and write into nbgrader_config.py{password}:")
    print(f'  c.CourseDirectory.db_url = "{moved.target}"')
    print("the old gradebook is as it was; keep it as a backup, nothing uses it any more")
    return 0
