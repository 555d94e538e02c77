"""The gradebook's marks as a table for a spreadsheet, Canvas or Moodle.

Names and ids come from outside: a text cell that a spreadsheet would take for a formula gets an apostrophe in front
(OWASP, CSV Injection).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence

from autograder.gradebook.marks import AssignmentMarks, Mark, Student

__all__ = ["FORMATS", "export"]

Row = list[str | float]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def export(marks: Sequence[AssignmentMarks], kind: str = "csv") -> str:
    """The table as text.

    Args:
        kind: a key of `FORMATS`.
    """
    buffer = io.StringIO(newline="")
    # All in quotes: where `;` separates columns, as in much of Europe, a name could hold one, and a formula behind it.
    writer = csv.writer(buffer, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    for row in FORMATS[kind](marks):
        writer.writerow([safe(cell) if isinstance(cell, str) else f"{round(cell, 4):g}" for cell in row])
    return buffer.getvalue()


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula; control characters become blanks.

    >>> safe("=HYPERLINK(1)"), safe("Ada")
    ("'=HYPERLINK(1)", 'Ada')
    """
    plain = "".join(char if char.isprintable() else " " for char in text)
    return f"'{plain}" if text.lstrip(" ").startswith(_FORMULA) or plain.lstrip(" ").startswith(_FORMULA) else plain


def _csv(assignments: Sequence[AssignmentMarks]) -> Iterable[Row]:
    """One row per student and assignment, with everything that is known."""
    yield [
        "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "status",
        "automatic_score", "written_score", "raw_score", "late_submission_penalty", "score", "max_score",
    ]  # fmt: skip
    for marks in assignments:
        due = marks.due.isoformat(" ") if marks.due else ""
        for mark in marks.marks:
            time = mark.timestamp.isoformat(" ") if mark.timestamp else ""
            status = "needs manual grading" if mark.needs_grading else "graded"
            points: Row = [mark.automatic, mark.written, mark.raw, mark.penalty, mark.total, marks.max_score]
            yield [marks.name, due, time, *_columns(mark.student), status, *points]
        for student in marks.missing:
            yield [marks.name, due, "", *_columns(student), "missing", 0.0, 0.0, 0.0, 0.0, 0.0, marks.max_score]


def _columns(student: Student) -> Row:
    return [student.id, student.last_name, student.first_name, student.email]


def _canvas(assignments: Sequence[AssignmentMarks]) -> Iterable[Row]:
    """Canvas' gradebook import: five columns that identify, one column per assignment, points possible below."""
    yield ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *(marks.name for marks in assignments)]
    yield ["    Points Possible", "", "", "", "", *(marks.max_score for marks in assignments)]
    for student, totals in _by_student(assignments):
        name = ", ".join(filter(None, [student.last_name, student.first_name])) or student.id
        yield [name, student.lms_user_id, "", student.id, "", *totals]


def _moodle(assignments: Sequence[AssignmentMarks]) -> Iterable[Row]:
    """Moodle's grade import (Grades > Import > CSV file): map by user name, ID number or email address."""
    yield ["Username", "ID number", "Email address", "First name", "Last name", *(m.name for m in assignments)]
    for student, totals in _by_student(assignments):
        yield [student.id, student.lms_user_id, student.email, student.first_name, student.last_name, *totals]


def _by_student(assignments: Sequence[AssignmentMarks]) -> Iterable[tuple[Student, Row]]:
    """Each student's totals; empty where nothing was handed in, which leaves the platform's own rule in force."""
    totals: list[dict[str, Mark]] = [{mark.student.id: mark for mark in marks.marks} for marks in assignments]
    students = {mark.student.id: mark.student for marks in assignments for mark in marks.marks}
    students |= {student.id: student for marks in assignments for student in marks.missing}
    for name in sorted(students):
        yield students[name], [one[name].total if name in one else "" for one in totals]


FORMATS: dict[str, Callable[[Sequence[AssignmentMarks]], Iterable[Row]]] = {
    "csv": _csv,
    "canvas": _canvas,
    "moodle": _moodle,
}
"""Name of a format -> the rows of its table."""
