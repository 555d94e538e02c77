"""The points of every graded cell of a class, and how assignments went one after the other, in few queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import BaseCell, Grade, GradeCell, SubmittedAssignment, SubmittedNotebook

from autograder.errors import GradebookError, GradebookInUseError
from autograder.gradebook.marks import read_marks
from autograder.gradebook.opening import open_gradebook
from autograder.gradebook.waiting import is_waiting

__all__ = ["AssignmentTrend", "ItemMarks", "read_item_marks", "read_trend"]


@dataclass(frozen=True)
class ItemMarks:
    """The points of one graded cell.

    Attributes:
        points: student -> points; without those whose answer waits for a person.
        waiting: how many wait.
        written: whether a person grades it.
    """

    name: str
    max_score: float
    points: Mapping[str, float]
    waiting: int
    written: bool


@dataclass(frozen=True)
class AssignmentTrend:
    """How an assignment went.

    Attributes:
        share: mean share of the points among those who handed in, 0 to 1.
        final: whether everything is graded.
    """

    name: str
    handed_in: int
    share: float
    final: bool


def read_item_marks(db_url: str, assignment: str) -> dict[str, ItemMarks]:
    """Name of a graded cell -> its points; empty where there is no gradebook or it does not know the assignment."""
    if _is_missing(db_url):
        return {}
    cells, base = GradeCell.__table__, BaseCell.__table__
    try:
        with open_gradebook(db_url) as book:
            rows = (
                book.db.query(
                    SubmittedAssignment.student_id, base.c.name, cells.c.cell_type, cells.c.max_score,
                    Grade.score, Grade.needs_manual_grade, Grade.auto_score, Grade.manual_score,
                )
                .select_from(Grade)
                .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
                .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
                .join(base, base.c.id == Grade.cell_id)
                .join(cells, cells.c.id == Grade.cell_id)
                .filter(SubmittedAssignment.assignment.has(name=assignment))
                .all()
            )  # fmt: skip
    except GradebookInUseError:
        raise
    except GradebookError:
        return {}
    points: dict[str, dict[str, float]] = {}
    waiting: dict[str, int] = {}
    about: dict[str, tuple[float, bool]] = {}
    for student, name, kind, max_score, score, needs, auto, manual in rows:
        about[name] = float(max_score or 0.0), kind != "code"
        given = points.setdefault(name, {})
        if is_waiting(needs, auto, manual):
            waiting[name] = waiting.get(name, 0) + 1
        else:
            given[student] = float(score or 0.0)
    return {
        name: ItemMarks(name, max_score, points[name], waiting.get(name, 0), written)
        for name, (max_score, written) in about.items()
    }


def read_trend(db_url: str) -> tuple[AssignmentTrend, ...]:
    """All assignments that somebody handed in, by name."""
    if _is_missing(db_url):
        return ()
    found = []
    for marks in read_marks(db_url):
        if marks.marks and marks.max_score:
            share = sum(min(1.0, mark.raw / marks.max_score) for mark in marks.marks) / len(marks.marks)
            final = not any(mark.needs_grading for mark in marks.marks)
            found.append(AssignmentTrend(marks.name, len(marks.marks), share, final))
    return tuple(found)


def _is_missing(db_url: str) -> bool:
    return db_url.startswith("sqlite:///") and not Path(db_url.removeprefix("sqlite:///")).is_file()
