"""The report: what a class can do and where it errs, as one HTML file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from os.path import relpath
from pathlib import Path
from urllib.parse import quote

import nbformat
from tqdm import tqdm

from autograder.course import Course
from autograder.errors import AutograderError, CourseError, GradebookError
from autograder.gradebook.item_marks import read_item_marks, read_trend
from autograder.gradebook.marks import read_marks
from autograder.gradebook.remarks import of_class
from autograder.gradebook.rules import Rules
from autograder.grading.records import load_master
from autograder.pages.class_summary import ClassSummary, summarise
from autograder.pages.item_analysis import Item, analyze, as_csv
from autograder.pages.report_page import Insights, render
from autograder.pages.titles import titles_of
from autograder.results import read_results
from autograder.submissions.notebook import Master
from autograder.submissions.predictions import Predicted, count_predictions, predictions_in
from autograder.submissions.submission import Submission
from autograder.whole_files import write_over

__all__ = ["write_items", "write_report"]

_LONGEST_EXAMPLE = 4000


def write_report(course: Course, assignment: str, out: Path | None = None, *, show_progress: bool = False) -> Path:
    """Write the report of an assignment from its stored results, the gradebook and the submitted notebooks.

    Args:
        out: the file; by default ``report_<assignment>.html`` in the course folder.
        show_progress: show a bar on stdout while submissions are read.

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
    master = _released(course, assignment)
    students = tqdm(sorted(results), desc="report", unit="subm.", file=sys.stdout, disable=not show_progress)
    predicted = list(_predicted(course, master, students))
    summary = summarise(assignment, results.values(), exercises, rules.of_exercises(assignment))
    insights = Insights(
        items=_items(course, master),
        trend=read_trend(course.db_url),
        predictions=count_predictions(predicted),
        examples=_examples(course, master, summary),
        counterexamples={
            group.name: results[group.example].exercises[group.exercise].counterexample for group in summary.unnamed
        },
        remarks=tuple(_remarks(course, assignment, rules)),
    )
    page = render(summary, _feedback_links(course, assignment, results, path.parent), insights=insights)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_over(path, page)
    return path


def _remarks(course: Course, assignment: str, rules: Rules) -> list[str]:
    """Lateness, extensions, and exercises that count differently; nothing where there is no gradebook."""
    try:
        (marks,) = read_marks(course.db_url, [assignment], rules)
    except GradebookError:
        return []
    return of_class(marks, rules)


def write_items(course: Course, assignment: str, path: Path) -> Path:
    """Write difficulty and discrimination of every item as a table for a spreadsheet.

    Raises:
        UnknownAssignmentError: if there is no such assignment.
        CourseError: if it is not released.
    """
    write_over(path, as_csv(_items(course, load_master(course, assignment))).encode("utf-8-sig"))
    return path


def _released(course: Course, assignment: str) -> Master | None:
    """The released notebook; without it there are results all the same."""
    try:
        return load_master(course, assignment)
    except AutograderError:
        return None


def _items(course: Course, master: Master | None) -> tuple[Item, ...]:
    if master is None:
        return ()
    return analyze(read_item_marks(course.db_url, master.assignment), titles_of(master.node.cells))


def _predicted(course: Course, master: Master | None, students: Iterable[str]) -> Iterator[Mapping[str, Predicted]]:
    """What each student predicted, from the file that was graded."""
    for student in students:
        data = Submission.of(course, master.assignment, student).job(master).data if master else None
        yield predictions_in(data) if data else {}


def _examples(course: Course, master: Master | None, summary: ClassSummary) -> dict[str, str]:
    """Group of answers without a name -> the code of its first student."""
    found: dict[str, str] = {}
    if master is None:
        return found
    for group in summary.unnamed:
        path = course.autograded / group.example / master.assignment / f"{master.notebook}.ipynb"
        try:
            cells = nbformat.read(path, as_version=4).cells
        except (OSError, ValueError):
            continue
        source = next((cell.source for cell in cells if cell.get("id") == f"{group.exercise}-solution"), "")
        found[group.name] = source[:_LONGEST_EXAMPLE] + ("\n…" if len(source) > _LONGEST_EXAMPLE else "")
    return found


def _feedback_links(course: Course, assignment: str, students: Iterable[str], start: Path) -> dict[str, str]:
    """Student -> address of the feedback page, for those that have one."""
    links = {}
    for student in students:
        pages = sorted((course.feedback / student / assignment).glob("*.html"))
        if pages:
            links[student] = quote(Path(relpath(pages[0], start)).as_posix(), errors="surrogateescape")
    return links
