"""The report: what a class can do and where it errs, as one HTML file."""

from __future__ import annotations

from collections.abc import Iterable
from os.path import relpath
from pathlib import Path
from urllib.parse import quote

from autograder.course import Course
from autograder.errors import CourseError, GradebookError
from autograder.gradebook.marks import read_marks
from autograder.gradebook.remarks import of_class
from autograder.gradebook.rules import Rules
from autograder.pages.class_summary import summarise
from autograder.pages.report_page import render
from autograder.results import read_results

__all__ = ["write_report"]


def write_report(course: Course, assignment: str, out: Path | None = None) -> Path:
    """Write the report of an assignment from its stored results.

    Args:
        out: the file; by default ``report_<assignment>.html`` in the course folder.

    Returns:
        The path of the file.

    Raises:
        UnknownAssignmentError: if there is no such assignment.
        CourseError: if nothing has been graded yet.
    """
    exercises = course.exercises(assignment)
    results = read_results(course.results(assignment))
    if not results:
        raise CourseError(
            f"no results of {assignment} in {course.results(assignment)}", f"grade first: autograder grade {assignment}"
        )
    path = (out or course.root / f"report_{assignment}.html").resolve()
    rules = Rules.of(course)
    summary = summarise(assignment, results.values(), exercises, rules.of_exercises(assignment))
    links = _feedback_links(course, assignment, results, path.parent)
    page = render(summary, links, remarks=_remarks(course, assignment, rules))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _remarks(course: Course, assignment: str, rules: Rules) -> list[str]:
    """Lateness, extensions, and exercises that count differently; nothing where there is no gradebook."""
    try:
        (marks,) = read_marks(course.db_url, [assignment], rules)
    except GradebookError:
        return []
    return of_class(marks, rules)


def _feedback_links(course: Course, assignment: str, students: Iterable[str], start: Path) -> dict[str, str]:
    """Student -> address of the feedback page, for those that have one."""
    links = {}
    for student in students:
        pages = sorted((course.feedback / student / assignment).glob("*.html"))
        if pages:
            links[student] = quote(Path(relpath(pages[0], start)).as_posix(), errors="surrogateescape")
    return links
