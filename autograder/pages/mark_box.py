"""What stands on a feedback page about the mark as a whole: lateness, extensions, exercises that count differently."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from autograder.course import Course
from autograder.gradebook.late_plugin import nbgrader_plugin
from autograder.gradebook.marks import read_marks
from autograder.gradebook.remarks import of_mark
from autograder.gradebook.rules import Rules
from autograder.gradebook.writer import GradebookWriter
from autograder.grading.records import load_master
from autograder.submissions.submission import Submission

__all__ = ["copy_for_exchange", "mark_boxes", "put_box"]

_BODY = re.compile(r"<body\b[^>]*>")
_STYLE = (
    "max-width: 1140px; margin: 16px auto; padding: 10px 16px; border-left: 4px solid #8a5a00; background: #fff6e0; "
    "color: #3d2a00; font: 16px/1.5 system-ui, sans-serif"
)


def mark_boxes(course: Course, assignment: str) -> dict[str, str]:
    """Student -> HTML, for those whose mark is not the plain sum of the points.

    The penalties in the gradebook are brought up to date first: nbgrader's part of the page shows those.

    Raises:
        AutograderError: if the gradebook cannot be used, or a setting is wrong.
    """
    rules = Rules.of(course)
    with GradebookWriter(course.db_url, load_master(course, assignment), nbgrader_plugin(course), rules) as book:
        book.settle({})
    (marks,) = read_marks(course.db_url, [assignment], rules)
    boxes = {}
    for mark in marks.marks:
        lines = of_mark(marks, mark, rules)
        if lines:
            so_far = " so far; answers wait to be graded by hand" if mark.needs_grading else ""
            mark_text = f"<strong>Your mark: {mark.total:g} of {marks.max_score:g} points{so_far}.</strong>"
            text = " ".join([mark_text, *map(html.escape, lines)])
            boxes[mark.student.id] = f'\n<section aria-label="Mark" style="{_STYLE}">{text}</section>'
    return boxes


def put_box(page: Path, box: str) -> None:
    """Put it at the top of a page."""
    if box:
        text = page.read_text(encoding="utf-8")
        page.write_text(_BODY.sub(lambda body: body[0] + box, text, count=1), encoding="utf-8")


def copy_for_exchange(course: Course, assignment: str, student: str, pages: Sequence[Path]) -> None:
    """The page once more under each name that the student's notebooks have.

    `nbgrader fetch_feedback` asks for a page named like the file that was handed in, not like the released one.
    """
    if len(pages) != 1:
        return
    (page,) = pages
    for name in Submission.of(course, assignment, student).notebooks():
        other = page.with_name(f"{Path(name).stem}.html")
        if other != page:
            shutil.copyfile(page, other)
