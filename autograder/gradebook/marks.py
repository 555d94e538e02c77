"""The marks in nbgrader's gradebook: automatic and written points, penalty, total, as the course's rules count them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    Gradebook,
    GradeCell,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from nbgrader.api import Student as GradebookStudent

from autograder.errors import GradebookError
from autograder.gradebook.adjustments import Adjustments, require_cells
from autograder.gradebook.opening import open_gradebook
from autograder.gradebook.rules import Rules
from autograder.gradebook.waiting import is_waiting

__all__ = ["AssignmentMarks", "Mark", "Student", "due_for", "marks_of", "read_marks"]


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
    """One student's marks for one assignment, in points that count.

    Attributes:
        timestamp: when it was handed in, if known.
        automatic: points of the code cells, with corrections made by hand.
        written: points of the cells graded by hand.
        penalty: points taken off for being late.
        needs_grading: whether cells wait to be graded by hand; they count 0 so far.
        due: when it was due for this student, with an extension.
        late_s: seconds after that.
    """

    student: Student
    timestamp: datetime | None
    automatic: float
    written: float
    raw: float
    penalty: float
    needs_grading: bool
    due: datetime | None = None
    late_s: float = 0.0

    @property
    def total(self) -> float:
        """Points after the penalty, never below 0."""
        return max(0.0, self.raw - self.penalty)


@dataclass(frozen=True)
class AssignmentMarks:
    """All marks of an assignment.

    Attributes:
        missing: students of the gradebook who handed in nothing.
        adjustments: exercises that do not count as they are.
    """

    name: str
    due: datetime | None
    max_score: float
    marks: tuple[Mark, ...]
    missing: tuple[Student, ...]
    adjustments: Adjustments = field(default_factory=dict)


def read_marks(db_url: str, assignments: Iterable[str] = (), rules: Rules | None = None) -> list[AssignmentMarks]:
    """Read marks from a gradebook.

    Args:
        assignments: names; all of the gradebook by default.
        rules: the course's; by default every exercise counts as it is, and penalties are those in the gradebook.

    Raises:
        GradebookError: if there is no gradebook, it cannot be read, or it does not know an assignment.
        CourseError: if the rules are about an exercise that there is not.
    """
    if db_url.startswith("sqlite:///") and not Path(db_url.removeprefix("sqlite:///")).is_file():
        raise GradebookError(f"no gradebook at {db_url}", "`autograder release` makes it, `autograder grade` fills it")
    with open_gradebook(db_url) as gradebook:
        return _read(gradebook, list(assignments), rules or Rules())


def _read(gradebook: Gradebook, wanted: list[str], rules: Rules) -> list[AssignmentMarks]:
    known = {assignment.name: assignment for assignment in gradebook.assignments}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise GradebookError(
            f"the gradebook has no assignment {unknown[0]!r}; it has: {', '.join(known) or 'none'}",
            f"autograder release {unknown[0]}",
        )
    everyone = _students(gradebook)
    return [marks_of(gradebook, known[name], rules, everyone) for name in wanted or sorted(known)]


def marks_of(
    gradebook: Gradebook, assignment: Assignment, rules: Rules, everyone: Mapping[str, Student] | None = None
) -> AssignmentMarks:
    """The marks of one assignment in an open gradebook.

    Args:
        everyone: the gradebook's students by id, if they were read before.

    Raises:
        CourseError: if the rules are about an exercise that there is not.
    """
    everyone = _students(gradebook) if everyone is None else everyone
    name = str(assignment.name)
    cells = _cells(gradebook, assignment.id)
    adjustments = rules.of_exercises(name)
    require_cells(name, adjustments, (cell.name for cell in cells.values()))
    due = rules.deadlines.due_of(name, assignment.duedate)
    marks = _marks(gradebook, assignment, rules, _points(gradebook, assignment.id, cells, adjustments), everyone)
    missing = everyone.keys() - {mark.student.id for mark in marks}
    return AssignmentMarks(
        name=name,
        due=due,
        max_score=sum(_max_score(cell, adjustments) for cell in cells.values()),
        marks=tuple(sorted(marks, key=lambda mark: mark.student.id)),
        missing=tuple(everyone[student] for student in sorted(missing)),
        adjustments=adjustments,
    )


# nbgrader's objects compute each sum by a subquery of its own (70 s for 1,000 submissions); plain columns take 0.1 s.
def _students(gradebook: Gradebook) -> dict[str, Student]:
    row = GradebookStudent
    rows = gradebook.db.query(row.id, row.first_name, row.last_name, row.email, row.lms_user_id)
    return {student: Student(student, *(part or "" for part in rest)) for student, *rest in rows}


@dataclass(frozen=True)
class _Cell:
    """A graded cell of an assignment."""

    name: str
    is_code: bool
    max_score: float


def _cells(gradebook: Gradebook, assignment_id: str) -> dict[str, _Cell]:
    """The graded cells of an assignment by their ids in the gradebook."""
    found: dict[str, _Cell] = {}
    base = BaseCell.__table__  # the tables, without the columns of the classes above them, which would be joined in
    for kind in (GradeCell.__table__, TaskCell.__table__):
        query = (
            gradebook.db.query(kind.c.id, base.c.name, kind.c.cell_type, kind.c.max_score)
            .join(base, base.c.id == kind.c.id)
            .join(Notebook, Notebook.id == base.c.notebook_id)
            .filter(Notebook.assignment_id == assignment_id)
        )
        found |= {cell: _Cell(name, cell_type == "code", float(most or 0.0)) for cell, name, cell_type, most in query}
    return found


def _max_score(cell: _Cell, adjustments: Adjustments) -> float:
    return adjustments[cell.name].max_score(cell.max_score) if cell.name in adjustments else cell.max_score


@dataclass
class _Points:
    """Sums over the cells of one submission."""

    automatic: float = 0.0
    written: float = 0.0
    penalty: float = 0.0
    needs_grading: bool = False


def _marks(
    gradebook: Gradebook,
    assignment: Assignment,
    rules: Rules,
    points: Mapping[str, _Points],
    everyone: Mapping[str, Student],
) -> list[Mark]:
    row = SubmittedAssignment
    query = gradebook.db.query(row.id, row.student_id, row.timestamp, row.extension)
    found = []
    for submission, student, timestamp, recorded in query.filter(row.assignment_id == assignment.id):
        earned = points.get(submission, _Points())
        raw = earned.automatic + earned.written
        due = due_for(rules, assignment, student, recorded)
        late_s = rules.late_s(timestamp, due)
        if rules.late is not None:
            penalty = rules.late.penalty(raw, late_s)
        else:
            penalty = rules.deadlines.entered_for(str(assignment.name)).own_penalty(student, earned.penalty)
        known = everyone[student]
        found.append(
            Mark(known, timestamp, earned.automatic, earned.written, raw, penalty, earned.needs_grading, due, late_s)
        )
    return found


def due_for(rules: Rules, assignment: Assignment, student: str, recorded: timedelta | None) -> datetime | None:
    """When an assignment is due for a student.

    Args:
        recorded: the extension that the gradebook holds.
    """
    due = rules.deadlines.due_of(str(assignment.name), assignment.duedate)
    if due is None:
        return None
    return due + (rules.deadlines.extension_of(str(assignment.name), student, due, recorded) or timedelta(0))


def _points(
    gradebook: Gradebook, assignment_id: str, cells: Mapping[str, _Cell], adjustments: Adjustments
) -> dict[str, _Points]:
    """The points of each submission, by its id."""
    notebooks = (
        gradebook.db.query(SubmittedNotebook.assignment_id, SubmittedNotebook.late_submission_penalty)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .filter(SubmittedAssignment.assignment_id == assignment_id)
    )
    grades = (
        gradebook.db.query(
            SubmittedNotebook.assignment_id,
            Grade.cell_id,
            Grade.score,
            Grade.needs_manual_grade,
            Grade.auto_score,
            Grade.manual_score,
        )
        .select_from(Grade)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .filter(SubmittedAssignment.assignment_id == assignment_id)
    )
    sums: dict[str, _Points] = {}
    for submission, penalty in notebooks:
        sums.setdefault(submission, _Points()).penalty += penalty or 0.0
    for submission, cell_id, score, needs, auto, manual in grades:
        found, cell = sums.setdefault(submission, _Points()), cells[cell_id]
        adjustment = adjustments.get(cell.name)
        score = score or 0.0 if adjustment is None else adjustment.score(score or 0.0, cell.max_score)
        if cell.is_code:
            found.automatic += score
        else:
            found.written += score
        is_settled = adjustment is not None and adjustment.settled
        found.needs_grading |= is_waiting(needs, auto, manual) and not is_settled
    return sums
