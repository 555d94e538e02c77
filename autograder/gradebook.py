"""Writing results into nbgrader's gradebook: one writer, one transaction per submission.

The rows are those that nbgrader's own SaveAutoGrades would write from the autograded notebook: automatic scores,
"needs manual grade", "no response" comments, late penalty.  Manual scores and comments are left alone.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader import utils
from nbgrader.api import (
    Assignment,
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.plugins import LateSubmissionPlugin
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from autograder.engine import Graded
from autograder.errors import GradebookError
from autograder.submission import Master

__all__ = ["GradebookWriter"]


class GradebookWriter:
    """Holds the gradebook open for a batch; a context manager."""

    def __init__(self, db_url: str, master: Master, penalty: LateSubmissionPlugin | None = None) -> None:
        self._url = db_url
        self._master = master
        self._penalty = penalty
        self._gradebook: Gradebook | None = None

    def __enter__(self) -> Self:
        try:
            self._gradebook = Gradebook(self._url)
            self._check()
        except GradebookError:
            self.close()
            raise
        except Exception as error:  # SQLAlchemy, Alembic and the driver each have their own
            text = " ".join(str(error).split())[:200]
            raise GradebookError(
                f"the gradebook {_shown(self._url)} cannot be opened: {text}", "autograder doctor"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the gradebook."""
        if self._gradebook is not None:
            self._gradebook.close()
            self._gradebook = None

    @property
    def master(self) -> Master:
        """The released notebook."""
        return self._master

    @property
    def _open(self) -> Gradebook:
        assert self._gradebook is not None
        return self._gradebook

    def _check(self) -> None:
        """The gradebook must know exactly the released cells."""
        hint = f"run: autograder release {self._master.assignment}"
        try:
            notebook = self._open.find_notebook(self._master.notebook, self._master.assignment)
        except MissingEntry as error:
            raise GradebookError(f"the gradebook does not know {self._master.assignment}", hint) from error
        known = {cell.name for cell in notebook.source_cells}
        if known != set(self._master.cells):
            raise GradebookError("the released notebook and the gradebook disagree about the cells", hint)

    def due(self) -> dt.datetime | None:
        """The assignment's due date (UTC, naive), if it has one."""
        found: dt.datetime | None = self._assignment().duedate
        return found

    def _assignment(self) -> Assignment:
        return self._open.find_assignment(self._master.assignment)

    def holds(self, student: str) -> bool:
        """Whether a submission of this student is in the gradebook with a score for every automatic cell."""
        try:
            submission = self._open.find_submission(self._master.assignment, student)
        except MissingEntry:
            return False
        grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
        automatic = {name for name in self._master.cells if self._master.cells[name].metadata.nbgrader.grade}
        automatic = {name for name in automatic if self._master.is_test(name)}
        scored = {grade.name for grade in grades if grade.auto_score is not None}
        return automatic <= scored

    def write(self, graded: Graded, timestamp: dt.datetime | None) -> None:
        """Write one submission; all of it or nothing."""
        result = graded.result
        book = self._open
        try:
            submission = self._submission(result.student)
            submission.timestamp = timestamp
            cells = _cells(graded.notebook)
            for notebook in submission.notebooks:
                self._write_notebook(notebook, submission, cells if notebook.name == self._master.notebook else {})
            book.db.commit()
        except BaseException:
            book.db.rollback()
            raise

    def _submission(self, student: str) -> SubmittedAssignment:
        """The student's submission, made if need be; nbgrader's own functions would commit it half-filled."""
        book, assignment = self._open, self._assignment()
        found = book.db.get(Student, student)
        if found is None:
            found = Student(id=student)
            book.db.add(found)
        existing = (
            book.db.query(SubmittedAssignment)
            .filter(SubmittedAssignment.assignment_id == assignment.id, SubmittedAssignment.student_id == student)
            .one_or_none()
        )
        if existing is not None:
            return existing
        with book.db.no_autoflush:
            submission = SubmittedAssignment(assignment=assignment, student=found)
            book.db.add(submission)
            self._fill(submission, assignment)
        return submission

    def _fill(self, submission: SubmittedAssignment, assignment: Assignment) -> None:
        """Empty rows for every cell that nbgrader knows."""
        for notebook in assignment.notebooks:
            empty = SubmittedNotebook(notebook=notebook, assignment=submission)
            self._open.db.add(empty)
            for cell in (*notebook.grade_cells, *notebook.task_cells):
                self._open.db.add(Grade(cell_id=cell.id, cell=cell, notebook=empty))
            for cell in (*notebook.solution_cells, *notebook.task_cells):
                self._open.db.add(Comment(cell_id=cell.id, cell=cell, notebook=empty))

    def _write_notebook(
        self, notebook: SubmittedNotebook, submission: SubmittedAssignment, cells: Mapping[str, NotebookNode]
    ) -> None:
        for grade in notebook.grades:
            cell = cells.get(grade.name)
            grade.auto_score = utils.determine_grade(cell)[0] if cell is not None else 0.0
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        for comment in notebook.comments:
            cell = cells.get(comment.name)
            untouched = cell is not None and cell.metadata.nbgrader.get("checksum") == utils.compute_checksum(cell)
            comment.auto_comment = "No response." if untouched else None
        notebook.late_submission_penalty = None
        if self._penalty is not None and submission.total_seconds_late > 0:
            late = submission.total_seconds_late
            lost = self._penalty.late_submission_penalty(submission.student_id, notebook.score, late)
            notebook.late_submission_penalty = lost


def _shown(url: str) -> str:
    """A database's address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(its db_url is no address)"


def _cells(notebook: str) -> dict[str, NotebookNode]:
    """The cells that nbgrader knows, by name."""
    content: dict[str, Any] = json.loads(notebook)
    cells = [_joined(cell) for cell in content["cells"] if "nbgrader" in cell["metadata"]]
    return {cell.metadata.nbgrader.grade_id: cell for cell in cells}


def _joined(cell: dict[str, Any]) -> NotebookNode:
    """A cell as nbformat reads it: lines joined."""
    cell["source"] = "".join(cell["source"])
    for output in cell.get("outputs", ()):
        for kind, value in output.get("data", {}).items():
            output["data"][kind] = "".join(value)
    node: NotebookNode = from_dict(cell)
    return node
