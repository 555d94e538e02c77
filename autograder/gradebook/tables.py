"""The gradebook's marks as a table for a spreadsheet, Canvas or Moodle.

Names and ids come from outside: a text cell that a spreadsheet would take for a formula gets an apostrophe in front
(OWASP, CSV Injection).
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from autograder.gradebook.marks import AssignmentMarks, Mark, Student

__all__ = ["FORMATS", "Row", "as_csv", "export"]

Row = list[str | float]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def export(marks: Sequence[AssignmentMarks], kind: str = "csv", *, partial: bool = False) -> str:
    """The table as text.

    Args:
        kind: a key of `FORMATS`.
        partial: totals also of submissions in which answers wait for a person; those count 0 then.
    """
    return as_csv(FORMATS[kind](marks, partial))


def as_csv(rows: Iterable[Row]) -> str:
    """Rows as the text of a CSV file."""
    buffer = io.StringIO(newline="")
    # All in quotes: where `;` separates columns, as in much of Europe, a name could hold one, and a formula behind it.
    writer = csv.writer(buffer, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        writer.writerow([safe(cell) if isinstance(cell, str) else f"{round(cell, 4):g}" for cell in row])
    return buffer.getvalue()


def safe(text: str) -> str:
    r"""A text that no spreadsheet takes for a formula; control characters become blanks, invisible ones their numbers.

    >>> safe("=HYPERLINK(1)"), safe("Ada"), safe("Ada\u200b")
    ("'=HYPERLINK(1)", 'Ada', 'Ada\\u200b')
    """
    plain = "".join(map(_visible, text))
    if plain == "-":  # Moodle's "never"
        return plain
    return f"'{plain}" if text.lstrip(" ").startswith(_FORMULA) or plain.lstrip(" ").startswith(_FORMULA) else plain


def _visible(char: str) -> str:
    """A character as one sees it: two ids that differ in one that is not seen must not look alike."""
    if char.isprintable():
        return char
    return " " if char.isspace() or unicodedata.category(char) == "Cc" else char.encode("unicode_escape").decode()


def _csv(assignments: Sequence[AssignmentMarks], partial: bool) -> Iterable[Row]:
    """One row per student and assignment, with everything that is known; sums that wait for a person are empty."""
    yield [
        "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "status", "late_hours",
        "automatic_score", "written_score", "raw_score", "late_submission_penalty", "score", "max_score", "percent",
    ]  # fmt: skip
    for marks in assignments:
        for mark in marks.marks:
            due = mark.due or marks.due
            time = mark.timestamp.isoformat(" ") if mark.timestamp else ""
            waits = mark.needs_grading and not partial
            status = "needs manual grading" if mark.needs_grading else "graded"
            sums: Row = [mark.written, mark.raw, mark.penalty, mark.total]
            points: Row = [mark.automatic, *([""] * 4 if waits else sums), marks.max_score]
            percent = "" if waits else _percent(mark.total, marks.max_score)
            about: Row = [marks.name, due.isoformat(" ") if due else "", time, *_columns(mark.student), status]
            yield [*about, mark.late_s / 3600, *points, percent]
        due_text = marks.due.isoformat(" ") if marks.due else ""
        for student in marks.missing:
            zeros: Row = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, marks.max_score, 0.0]
            yield [marks.name, due_text, "", *_columns(student), "missing", *zeros]


def _percent(score: float, max_score: float) -> str | float:
    return round(100 * score / max_score, 2) if max_score else ""


def _columns(student: Student) -> Row:
    return [student.id, student.last_name, student.first_name, student.email]


def _canvas(assignments: Sequence[AssignmentMarks], partial: bool) -> Iterable[Row]:
    """Canvas' gradebook import where no export of Canvas is known: it looks for students by their logins."""
    yield ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *(marks.name for marks in assignments)]
    yield ["    Points Possible", "", "", "", "", *(marks.max_score for marks in assignments)]
    for student, totals in _by_student(assignments, partial):
        name = ", ".join(filter(None, [student.last_name, student.first_name])) or student.id
        yield [name, student.lms_user_id, "", student.id, "", *totals]


def _moodle(assignments: Sequence[AssignmentMarks], partial: bool) -> Iterable[Row]:
    """Moodle's grade import (Grades > Import > CSV file): map by user name, ID number or email address."""
    yield ["Username", "ID number", "Email address", "First name", "Last name", *(m.name for m in assignments)]
    for student, totals in _by_student(assignments, partial):
        yield [student.id, student.lms_user_id, student.email, student.first_name, student.last_name, *totals]


def _by_student(assignments: Sequence[AssignmentMarks], partial: bool) -> Iterable[tuple[Student, Row]]:
    """Each student's totals; empty where nothing came or an answer waits, which leaves the platform's own rule."""
    totals: list[dict[str, Mark]] = [
        {mark.student.id: mark for mark in marks.marks if partial or not mark.needs_grading} for marks in assignments
    ]
    students = {mark.student.id: mark.student for marks in assignments for mark in marks.marks}
    students |= {student.id: student for marks in assignments for student in marks.missing}
    for name in sorted(students):
        yield students[name], [one[name].total if name in one else "" for one in totals]


FORMATS: dict[str, Callable[[Sequence[AssignmentMarks], bool], Iterable[Row]]] = {
    "csv": _csv,
    "canvas": _canvas,
    "moodle": _moodle,
}
"""Name of a format -> the rows of its table."""
