"""The written answers of a class to one question, with the question and its model answer."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import select

from autograder.course import Course
from autograder.errors import GradebookError
from autograder.gradebook.opening import open_gradebook
from autograder.gradebook.waiting import is_waiting
from autograder.grading.records import load_master
from autograder.pages.titles import titles_of
from autograder.releasing.source_notebook import cells_of, read_source, solution_regions
from autograder.results import read_result, result_path

__all__ = ["Answer", "Question", "Sheet", "questions_of", "read_sheet"]

_MOST_COMMENTS = 30
_WORTH = re.compile(r"(\(\d+(?:\.\d+)? points?\)\.?)[ \t]*\n(?!\n)")
"""The end of a line of a model answer that says what it is worth."""


@dataclass(frozen=True)
class Question:
    """A written question.

    Attributes:
        cell: its `grade_id`.
        text: what students read above it, as Markdown.
        model: the model answer with its points, from the source notebook, as Markdown; empty if there is none.
    """

    assignment: str
    cell: str
    title: str
    max_score: float
    text: str
    model: str


@dataclass(frozen=True)
class Answer:
    """One student's answer, without the name.

    Attributes:
        grade: id of the gradebook's row.
        notebook: id of the submitted notebook, for the formgrader.
        node: the cell as it was handed in.
        score: points that a person gave; None where nobody did.
        comment: what a person wrote.
        empty: whether nothing was written.
        elsewhere: whether the student's text seems to stand in another cell.
        waits: whether a person has still to give points, or to look again at those that stand there.
    """

    grade: str
    notebook: str
    node: NotebookNode
    score: float | None
    comment: str
    empty: bool
    elsewhere: bool
    waits: bool

    @property
    def blank(self) -> bool:
        """Whether nothing was written and nobody needs to look."""
        return self.empty and not self.waits and self.score is None

    @property
    def again(self) -> bool:
        """Whether it was graded, and should be looked at again."""
        return self.waits and self.score is not None


@dataclass(frozen=True)
class Sheet:
    """A question and what a class wrote.

    Attributes:
        answers: in an order that does not depend on names and is the same for every grader.
        comments: those that people wrote here, the most frequent first.
    """

    question: Question
    answers: tuple[Answer, ...]
    comments: tuple[str, ...]

    @property
    def open(self) -> int:
        """How many answers wait."""
        return sum(answer.waits for answer in self.answers)


def questions_of(course: Course, assignment: str) -> tuple[Question, ...]:
    """The written questions of a released assignment, in order.

    Raises:
        UnknownAssignmentError, CourseError: if it is not there, or not released.
    """
    master = load_master(course, assignment)
    titles = titles_of(master.node.cells)
    models = _models(course, assignment)
    found = []
    for position, cell in enumerate(master.node.cells):
        about = cell.metadata.get("nbgrader", {})
        if about.get("grade") and about.get("solution"):
            name = about["grade_id"]
            before = master.node.cells[position - 1] if position else None
            text = before.source if before is not None and before.cell_type == "markdown" else ""
            found.append(
                Question(assignment, name, titles.get(name, name), float(about["points"]), text, models.get(name, ""))
            )
    return tuple(found)


def _models(course: Course, assignment: str) -> Mapping[str, str]:
    """Cell -> model answer, from the source notebook; releasing throws it away."""
    return {
        # a line that has points of its own is a part of the rubric, and stands alone
        cell.id: _WORTH.sub(r"\1\n\n", "\n".join(line for region in solution_regions(cell) for line in region).strip())
        for path in sorted((course.source / assignment).glob("*.ipynb"))
        for cell in cells_of(read_source(path))
        if cell.is_graded and cell.is_solution and cell.kind == "markdown"
    }


def read_sheet(course: Course, assignment: str, cell: str) -> Sheet:
    """All answers to a question.

    Raises:
        UnknownAssignmentError, CourseError: as `questions_of`.
        GradebookError: if there is no such question, or the gradebook cannot be read.
    """
    question = next((found for found in questions_of(course, assignment) if found.cell == cell), None)
    if question is None:
        raise GradebookError(f"{assignment} has no written question {cell!r}", "see the list of questions")
    answers: list[Answer] = []
    written: Counter[str] = Counter()
    for row in _rows(course.db_url, assignment, cell):
        text = row.manual_comment or ""
        written.update([text] if text else [])
        path = course.autograded / row.student_id / assignment / f"{row.name}.ipynb"
        answers.append(
            Answer(
                row.grade,
                row.notebook,
                _cell(path, cell),
                row.manual_score,
                text,
                row.auto_comment == "No response.",
                "lost-answer" in _flags(course, assignment, row.student_id),
                is_waiting(row.needs_manual_grade, row.auto_score, row.manual_score),
            )
        )
    order = sorted(
        answers,
        key=lambda answer: (answer.blank, _shuffled(answer.grade)),
    )
    return Sheet(question, tuple(order), tuple(text for text, _ in written.most_common(_MOST_COMMENTS)))


def _rows(db_url: str, assignment: str, cell: str) -> Sequence[Any]:
    """The gradebook's rows of one question, in one query: its objects would ask for each part on its own."""
    # nbgrader has a row of the cell for its grades, and another one for its comments
    graded, commented = BaseCell.__table__.alias(), BaseCell.__table__.alias()
    comments = (
        select(Comment.notebook_id, Comment.manual_comment, Comment.auto_comment)
        .join(commented, commented.c.id == Comment.cell_id)
        .where(commented.c.name == cell)
        .subquery()
    )
    with open_gradebook(db_url) as book:
        found: Sequence[Any] = (
            book.db.query(
                Grade.id.label("grade"), Grade.manual_score, Grade.auto_score, Grade.needs_manual_grade,
                comments.c.manual_comment, comments.c.auto_comment, SubmittedNotebook.id.label("notebook"),
                Notebook.name, SubmittedAssignment.student_id,
            )
            .select_from(Grade)
            .join(graded, graded.c.id == Grade.cell_id)
            .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
            .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
            .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
            .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
            .outerjoin(comments, comments.c.notebook_id == Grade.notebook_id)
            .filter(Assignment.name == assignment, graded.c.name == cell)
            .all()
        )  # fmt: skip
    return found


def _shuffled(grade: str) -> str:
    return hashlib.sha256(grade.encode()).hexdigest()


def _flags(course: Course, assignment: str, student: str) -> tuple[str, ...]:
    result = read_result(result_path(course.results(assignment), student))
    return result.flags if result is not None else ()


def _cell(path: Path, name: str) -> NotebookNode:
    """The cell of a graded notebook; one that says why, where it cannot be read."""
    try:
        cells: list[Any] = json.loads(path.read_text(encoding="utf-8"))["cells"]
        node: NotebookNode = nbformat.from_dict(next(cell for cell in cells if cell.get("id") == name))
        node.source = "".join(node.source)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        node = nbformat.from_dict({"cell_type": "markdown", "source": "*The graded notebook cannot be read.*"})
    return node
