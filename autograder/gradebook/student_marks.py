"""What the gradebook holds about one submission, cell by cell: the numbers of the feedback page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nbgrader.api import Gradebook, MissingEntry

from autograder.gradebook.adjustments import Adjustments
from autograder.gradebook.waiting import is_waiting

__all__ = ["CellMark", "StudentMarks", "read_student_marks"]


@dataclass(frozen=True)
class CellMark:
    """One graded cell.

    Attributes:
        score: points, with what a person gave or took; 0 where nobody has looked yet.
        waits: whether a person has not graded it yet.
        by_hand: whether a person changed the grader's points.
    """

    score: float
    max_score: float
    waits: bool = False
    by_hand: bool = False


@dataclass(frozen=True)
class StudentMarks:
    """One submission.

    Attributes:
        cells: graded cells by name, in the notebook's order as far as the gradebook knows it.
        comments: what a person, or the grader, wrote about a cell, by its name.
        late_s: seconds after the due date.
        penalty: points taken off for that.
    """

    cells: Mapping[str, CellMark]
    comments: Mapping[str, str]
    late_s: float = 0.0
    penalty: float = 0.0

    def counted(self, adjustments: Adjustments, penalty: float) -> StudentMarks:
        """The points that count where the course changes how exercises count."""
        cells = {
            name: replace(
                mark,
                score=adjustments[name].score(mark.score, mark.max_score),
                max_score=adjustments[name].max_score(mark.max_score),
                waits=mark.waits and not adjustments[name].settled,
            )
            if name in adjustments
            else mark
            for name, mark in self.cells.items()
        }
        return replace(self, cells=cells, penalty=penalty)

    @property
    def score(self) -> float:
        """Points so far, after the penalty: the gradebook's total, never below 0."""
        return max(0.0, sum(mark.score for mark in self.cells.values()) - self.penalty)

    @property
    def max_score(self) -> float:
        """Points that can be had."""
        return sum(mark.max_score for mark in self.cells.values())

    @property
    def waiting(self) -> float:
        """Points of the cells that nobody has graded yet."""
        return sum(mark.max_score for mark in self.cells.values() if mark.waits)


def read_student_marks(book: Gradebook, assignment: str, student: str) -> StudentMarks | None:
    """The marks of one submission; None if the gradebook does not know it."""
    try:
        submission = book.find_submission(assignment, student)
    except MissingEntry:
        return None
    cells: dict[str, CellMark] = {}
    comments: dict[str, str] = {}
    penalty = 0.0
    for notebook in submission.notebooks:
        penalty += notebook.late_submission_penalty or 0.0
        for grade in notebook.grades:
            given = grade.manual_score is not None
            waits = is_waiting(grade.needs_manual_grade, grade.auto_score, grade.manual_score)
            by_hand = given and grade.auto_score is not None and grade.manual_score != grade.auto_score
            cells[grade.name] = CellMark(
                float(grade.score or 0.0), float(grade.max_score or 0.0), waits, by_hand or bool(grade.extra_credit)
            )
        comments |= {comment.name: comment.comment for comment in notebook.comments if comment.comment}
    late_s = float(submission.total_seconds_late or 0.0)
    return StudentMarks(cells, comments, late_s, penalty)
