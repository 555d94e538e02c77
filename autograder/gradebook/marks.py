"""The marks in nbgrader's gradebook: automatic and written points, penalty, total."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy.exc
from nbgrader.api import Grade, Gradebook, GradeCell, SubmittedAssignment, SubmittedNotebook
from nbgrader.api import Student as GradebookStudent

from autograder.errors import GradebookError

__all__ = ["AssignmentMarks", "Mark", "Student", "read_marks"]


@dataclass(frozen=True)
class Student:
    """A student as the gradebook knows them; unknown parts are empty."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""


@dataclass(frozen=True)
class Mark:
    """One student's marks for one assignment, in points.

    Attributes:
        timestamp: when it was handed in, if known.
        automatic: points of the code cells, with corrections made by hand.
        written: points of the cells graded by hand.
        penalty: points taken off for being late.
        needs_grading: whether cells wait to be graded by hand; they count 0 so far.
    """

    student: Student
    timestamp: datetime | None
    automatic: float
    written: float
    raw: float
    penalty: float
    needs_grading: bool

    @property
    def total(self) -> float:
        """Points after the penalty, never below 0."""
        return max(0.0, self.raw - self.penalty)


@dataclass(frozen=True)
class AssignmentMarks:
    """All marks of an assignment.

    Attributes:
        missing: students of the gradebook who handed in nothing.
    """

    name: str
    due: datetime | None
    max_score: float
    marks: tuple[Mark, ...]
    missing: tuple[Student, ...]


def read_marks(db_url: str, assignments: Iterable[str] = ()) -> list[AssignmentMarks]:
    """Read marks from a gradebook.

    Args:
        assignments: names; all of the gradebook by default.

    Raises:
        GradebookError: if there is no gradebook, it cannot be read, or it does not know an assignment.
    """
    if db_url.startswith("sqlite:///") and not Path(db_url.removeprefix("sqlite:///")).is_file():
        raise GradebookError(f"no gradebook at {db_url}", "`autograder release` makes it, `autograder grade` fills it")
    try:
        with Gradebook(db_url) as gradebook:
            return _read(gradebook, list(assignments))
    except sqlalchemy.exc.SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        raise GradebookError(
            f"the gradebook {db_url} cannot be read: {reason}", "is it nbgrader's, and free?"
        ) from error


def _read(gradebook: Gradebook, wanted: list[str]) -> list[AssignmentMarks]:
    known = {assignment.name: assignment for assignment in gradebook.assignments}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise GradebookError(
            f"the gradebook has no assignment {unknown[0]!r}; it has: {', '.join(known) or 'none'}",
            f"autograder release {unknown[0]}",
        )
    everyone = _students(gradebook)
    found = []
    for name in wanted or sorted(known):
        assignment = known[name]
        marks = _marks(gradebook, assignment.id, everyone)
        missing = everyone.keys() - {mark.student.id for mark in marks}
        found.append(
            AssignmentMarks(
                name=name,
                due=assignment.duedate,
                max_score=float(assignment.max_score or 0.0),
                marks=tuple(sorted(marks, key=lambda mark: mark.student.id)),
                missing=tuple(everyone[student] for student in sorted(missing)),
            )
        )
    return found


# nbgrader's objects compute each sum by a subquery of its own (70 s for 1,000 submissions); plain columns take 0.1 s.
def _students(gradebook: Gradebook) -> dict[str, Student]:
    row = GradebookStudent
    rows = gradebook.db.query(row.id, row.first_name, row.last_name, row.email, row.lms_user_id)
    return {student: Student(student, *(part or "" for part in rest)) for student, *rest in rows}


def _marks(gradebook: Gradebook, assignment_id: str, everyone: dict[str, Student]) -> list[Mark]:
    handed_in = gradebook.db.query(
        SubmittedAssignment.id, SubmittedAssignment.student_id, SubmittedAssignment.timestamp
    ).filter(SubmittedAssignment.assignment_id == assignment_id)
    points = _points(gradebook, assignment_id)
    nothing = _Points()
    return [
        points.get(submission, nothing).mark(everyone[student], timestamp)
        for submission, student, timestamp in handed_in
    ]


@dataclass
class _Points:
    """Sums over the cells of one submission."""

    automatic: float = 0.0
    written: float = 0.0
    penalty: float = 0.0
    needs_grading: bool = False

    def mark(self, student: Student, timestamp: datetime | None) -> Mark:
        raw = self.automatic + self.written
        return Mark(student, timestamp, self.automatic, self.written, raw, self.penalty, self.needs_grading)


def _points(gradebook: Gradebook, assignment_id: str) -> dict[str, _Points]:
    """The points of each submission, by its id."""
    cells = GradeCell.__table__  # without the columns of the class above it, which would be joined in
    notebooks = (
        gradebook.db.query(SubmittedNotebook.assignment_id, SubmittedNotebook.late_submission_penalty)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .filter(SubmittedAssignment.assignment_id == assignment_id)
    )
    grades = (
        gradebook.db.query(SubmittedNotebook.assignment_id, cells.c.cell_type, Grade.score, Grade.needs_manual_grade)
        .select_from(Grade)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .outerjoin(cells, cells.c.id == Grade.cell_id)
        .filter(SubmittedAssignment.assignment_id == assignment_id)
    )
    sums: dict[str, _Points] = {}
    for submission, penalty in notebooks:
        sums.setdefault(submission, _Points()).penalty += penalty or 0.0
    for submission, cell_type, score, needs_grading in grades:
        found = sums.setdefault(submission, _Points())
        if cell_type == "code":
            found.automatic += score or 0.0
        else:
            found.written += score or 0.0
        found.needs_grading |= bool(needs_grading)
    return sums
