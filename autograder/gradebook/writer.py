"""Writing results into nbgrader's gradebook: one writer, one transaction per submission.

The rows are those that nbgrader's own SaveAutoGrades would write from the autograded notebook: automatic scores,
"needs manual grade", "no response" comments, late penalty.  Manual scores and comments are left alone.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from nbgrader.api import (
    Assignment,
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    new_uuid,
)
from nbgrader.plugins import LateSubmissionPlugin
from sqlalchemy import Insert, Select, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from autograder.errors import AutograderError, GradebookError
from autograder.gradebook.adjustments import require_cells
from autograder.gradebook.entered import Entered
from autograder.gradebook.graded import NO_MARKS, CellMarks, Graded
from autograder.gradebook.marks import due_for, marks_of
from autograder.gradebook.opening import refusal, shown_url
from autograder.gradebook.rules import Rules
from autograder.submissions.notebook import Master

__all__ = ["GradebookWriter"]


class GradebookWriter:
    """Holds the gradebook open for a batch; a context manager."""

    def __init__(
        self, db_url: str, master: Master, penalty: LateSubmissionPlugin | None = None, rules: Rules | None = None
    ) -> None:
        """Not open yet.

        Args:
            penalty: nbgrader's plugin, which decides where the rules do not say what being late costs.
            rules: the course's, about due dates, being late, and exercises that do not count as they are.
        """
        self._url = db_url
        self._master = master
        self._penalty = penalty
        self._rules = rules or Rules()
        self._gradebook: Gradebook | None = None
        self._entered = Entered()

    def __enter__(self) -> Self:
        try:
            self._gradebook = Gradebook(self._url)
            self._check()
            self._enter_deadlines()
        except AutograderError:
            self.close()
            raise
        except (SQLAlchemyError, ImportError) as error:
            self.close()
            raise refusal(error, self._url) from error
        except Exception as error:  # nbgrader and Alembic have their own
            self.close()
            text = " ".join(str(error).split())[:200]
            raise GradebookError(
                f"the gradebook {shown_url(self._url)} cannot be opened: {text}", "autograder doctor"
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
        graded = [name for name, cell in self._master.cells.items() if cell.metadata.nbgrader.grade]
        require_cells(self._master.assignment, self._rules.of_exercises(self._master.assignment), graded)

    def late_s(self, student: str, timestamp: dt.datetime | None) -> float:
        """Seconds that a student's submission was late, with an extension."""
        due = due_for(self._rules, self._assignment, student, self._extensions.get(student))
        return self._rules.late_s(timestamp, due)

    @functools.cached_property
    def _extensions(self) -> Mapping[str, dt.timedelta]:
        row = SubmittedAssignment
        query = select(row.student_id, row.extension).where(row.assignment_id == self._assignment.id)
        return {student: extension for student, extension in self._open.db.execute(query) if extension}

    def _enter_deadlines(self) -> None:
        """Due date and extensions of the course's files, so that nbgrader's own programs know them too."""
        deadlines, assignment, name = self._rules.deadlines, self._assignment, self._master.assignment
        before = deadlines.entered_for(name)
        recorded = assignment.duedate
        due = deadlines.due_of(name, recorded)
        extensions = dict.fromkeys((student for student, _ in deadlines.extensions))
        rows = SubmittedAssignment.__table__  # its objects would compute everybody's sums
        query = select(rows.c.student_id, rows.c.extension).where(rows.c.assignment_id == assignment.id)
        recorded_extensions = {row.student_id: row.extension for row in self._open.db.execute(query)}
        extensions |= recorded_extensions
        given = {student: deadlines.extension_of(name, student, due, old) for student, old in extensions.items()}
        own = {student: before.own_extension(student, old) for student, old in extensions.items()}
        entered = Entered(
            (due, before.own_due(recorded)) if name in deadlines.due else None,
            {student: (given[student], own[student]) for student in given if given[student] != own[student]},
            before.penalties,
        )
        if deadlines.root is not None:  # first: what is in the gradebook and not written down would stay there
            entered.write(deadlines.root, name)
        self._entered = entered
        changed = [student for student, old in recorded_extensions.items() if given[student] != old]
        for student in changed:
            whose = (rows.c.assignment_id == assignment.id) & (rows.c.student_id == student)
            self._open.db.execute(update(rows).where(whose).values(extension=given[student]))
        if changed or due != recorded:
            assignment.duedate = due
            self._open.db.commit()

    @functools.cached_property
    def _assignment(self) -> Assignment:
        return self._open.find_assignment(self._master.assignment)

    def holds(self, student: str) -> bool:
        """Whether a submission of this student is in the gradebook with a score for every automatic cell."""
        return self._automatic <= self._scored.get(student, frozenset())

    @functools.cached_property
    def _automatic(self) -> frozenset[str]:
        """Ids of the cells that are graded automatically."""
        master = self._master
        names = {name for name in master.cells if master.cells[name].metadata.nbgrader.grade and master.is_test(name)}
        return frozenset(cell for notebook in self._rows.notebooks for cell, name in notebook.graded if name in names)

    @functools.cached_property
    def _scored(self) -> Mapping[str, frozenset[str]]:
        """Student -> ids of the cells that had a score when this was asked for the first time, in one query."""
        query = (
            select(SubmittedAssignment.student_id, Grade.cell_id)
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
            .where(SubmittedAssignment.assignment_id == self._rows.assignment, Grade.auto_score.is_not(None))
        )
        found: dict[str, set[str]] = defaultdict(set)
        for student, cell in self._open.db.execute(query):
            found[student].add(cell)
        return {student: frozenset(cells) for student, cells in found.items()}

    def write(self, graded: Graded, timestamp: dt.datetime | None, unchanged: frozenset[str] = frozenset()) -> None:
        """Write one submission; all of it or nothing.

        Args:
            unchanged: written answers whose text is what it was: what a person graded of them stays graded.
        """
        try:
            self._write(graded, timestamp, unchanged)
        except IntegrityError:  # another program has entered this student meanwhile
            self._write(graded, timestamp, unchanged)

    def _write(self, graded: Graded, timestamp: dt.datetime | None, unchanged: frozenset[str]) -> None:
        db, student = self._open.db, graded.result.student
        try:
            if student in self._submitters:
                known = db.scalars(self._submission_of(student)).one()
                self._update(known, graded, timestamp, unchanged)
            else:
                self._insert(graded, timestamp)
                self._submitters.add(student)
            if self._penalty is not None and self._rules.late is None:
                self._penalize(db.scalars(self._submission_of(student)).one())
            db.commit()
        except BaseException:
            db.rollback()
            for name in ("_submitters", "_students"):  # what the gradebook holds is asked for again
                self.__dict__.pop(name, None)
            raise

    @functools.cached_property
    def _submitters(self) -> set[str]:
        """Students of whom the gradebook holds a submission."""
        row = SubmittedAssignment
        return set(self._open.db.scalars(select(row.student_id).where(row.assignment_id == self._rows.assignment)))

    @functools.cached_property
    def _students(self) -> set[str]:
        """Students whom the gradebook knows."""
        return set(self._open.db.scalars(select(Student.id)))

    def _submission_of(self, student: str) -> Select[Any]:
        of_student = SubmittedAssignment.student_id == student
        return select(SubmittedAssignment).where(SubmittedAssignment.assignment_id == self._rows.assignment, of_student)

    def _insert(self, graded: Graded, timestamp: dt.datetime | None) -> None:
        """A first submission: rows for every cell that nbgrader knows, inserted in bulk.

        Through nbgrader's objects the same takes ten times as long, and its own functions commit them half-filled.
        """
        db, rows = self._open.db.connection(), self._rows
        submission, student = new_uuid(), graded.result.student
        if student not in self._students:
            db.execute(_into(Student), [{"id": student}])
        about = {"id": submission, "assignment_id": rows.assignment, "student_id": student}
        extension = self._rules.deadlines.extension(self._master.assignment, student, self._assignment.duedate)
        db.execute(_into(SubmittedAssignment), [{**about, "timestamp": timestamp, "extension": extension}])
        for notebook in rows.notebooks:
            marks = graded.marks if notebook.name == self._master.notebook else NO_MARKS
            own = {"notebook_id": new_uuid()}
            of_notebook = {"id": own["notebook_id"], "assignment_id": submission, "notebook_id": notebook.id}
            db.execute(_into(SubmittedNotebook), [of_notebook])
            grades = [{**own, "cell_id": cell, **_grade(marks, name)} for cell, name in notebook.graded]
            comments = [{**own, "cell_id": cell, **_comment(marks, name)} for cell, name in notebook.commented]
            if grades:
                db.execute(_into(Grade), grades)
            if comments:
                db.execute(_into(Comment), comments)

    def _update(
        self,
        submission: SubmittedAssignment,
        graded: Graded,
        timestamp: dt.datetime | None,
        unchanged: frozenset[str],
    ) -> None:
        """A submission that the gradebook knows already: what an instructor wrote into its rows stays."""
        submission.timestamp = timestamp
        for notebook in submission.notebooks:
            known = next(known for known in self._rows.notebooks if known.id == notebook.notebook_id)
            marks = graded.marks if known.name == self._master.notebook else NO_MARKS
            names = dict((*known.graded, *known.commented))  # each of them would be asked for in a query of its own
            for grade in notebook.grades:
                cell = names[grade.cell_id]
                values = _grade(marks, cell, grade.manual_score)
                if cell in unchanged and grade.manual_score is not None:
                    del values["needs_manual_grade"]
                for name, value in values.items():
                    setattr(grade, name, value)
            for comment in notebook.comments:
                comment.auto_comment = _comment(marks, names[comment.cell_id])["auto_comment"]

    def settle(self, timestamps: Mapping[str, dt.datetime | None]) -> None:
        """Times and late penalties as they are now, for everybody: hand grading, due dates and policies change them.

        Args:
            timestamps: student -> when it was handed in, of those whose time may have changed.
        """
        query = select(SubmittedAssignment).where(SubmittedAssignment.assignment_id == self._rows.assignment)
        submissions = list(self._open.db.scalars(query).unique())
        for submission in submissions:
            when = timestamps.get(submission.student_id, submission.timestamp)
            if when != submission.timestamp:
                submission.timestamp = when
        if self._rules.late is not None:
            self._open.db.flush()
            marks = marks_of(self._open, self._assignment, self._rules)
            penalties = {mark.student.id: mark.penalty for mark in marks.marks}
            self._note_penalties({student: penalty for student, penalty in penalties.items() if penalty})
            for submission in submissions:
                self._enter_penalty(submission, penalties[submission.student_id])
        elif self._penalty is not None:
            for submission in submissions:
                self._penalize(submission)
        else:
            for submission in submissions:
                recorded = sum(notebook.late_submission_penalty or 0.0 for notebook in submission.notebooks)
                if recorded and not self._entered.own_penalty(submission.student_id, recorded):
                    self._enter_penalty(submission, 0.0)
        self._open.db.commit()
        if self._rules.late is None:
            self._note_penalties({})

    def _note_penalties(self, penalties: Mapping[str, float]) -> None:
        """Write down which penalties are the course's settings'."""
        self._entered = replace(self._entered, penalties=penalties)
        if self._rules.deadlines.root is not None:
            self._entered.write(self._rules.deadlines.root, self._master.assignment)

    def _enter_penalty(self, submission: SubmittedAssignment, penalty: float) -> None:
        """All of it with the released notebook: nbgrader has penalties of notebooks only."""
        for notebook in submission.notebooks:
            known = next(known for known in self._rows.notebooks if known.id == notebook.notebook_id)
            lost = penalty or None if known.name == self._master.notebook else None
            if notebook.late_submission_penalty != lost:
                notebook.late_submission_penalty = lost

    def _penalize(self, submission: SubmittedAssignment) -> None:
        assert self._penalty is not None
        late = submission.total_seconds_late
        for notebook in submission.notebooks:
            lost = (
                self._penalty.late_submission_penalty(submission.student_id, notebook.score, late) if late > 0 else None
            )
            notebook.late_submission_penalty = lost

    @functools.cached_property
    def _rows(self) -> _Rows:
        assignment = self._assignment
        return _Rows(
            assignment.id,
            tuple(
                _NotebookRows(
                    notebook.id,
                    notebook.name,
                    tuple((cell.id, cell.name) for cell in (*notebook.grade_cells, *notebook.task_cells)),
                    tuple((cell.id, cell.name) for cell in (*notebook.solution_cells, *notebook.task_cells)),
                )
                for notebook in assignment.notebooks
            ),
        )


@dataclass(frozen=True)
class _NotebookRows:
    """A released notebook in the gradebook: (id, name) of the cells that get a grade or a comment."""

    id: str
    name: str
    graded: tuple[tuple[str, str], ...]
    commented: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Rows:
    """What the gradebook knows about an assignment, read once for a batch."""

    assignment: str
    notebooks: tuple[_NotebookRows, ...]


@functools.cache
def _into(kind: Any) -> Insert:
    """An insertion into a table itself: through its class it takes half as long again."""
    return insert(kind.__table__)


def _grade(marks: CellMarks, name: str, manual_score: float | None = None) -> dict[str, Any]:
    score = marks.scores.get(name, 0.0)
    return {"auto_score": score, "needs_manual_grade": manual_score is not None or score is None}


def _comment(marks: CellMarks, name: str) -> dict[str, Any]:
    return {"auto_comment": "No response." if name in marks.untouched else None}
