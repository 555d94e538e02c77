"""The top of a feedback page: what was lost, why, and how to mend it.

A pure function of the gradebook's numbers and of the stored result: the numbers are the gradebook's, the reasons the
grader's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from autograder.exercise import Exercise
from autograder.gradebook.student_marks import CellMark, StudentMarks
from autograder.results import ExerciseResult, SubmissionResult

__all__ = ["FeedbackSummary", "Item", "LostCriterion", "Mistake", "points", "summarize_feedback"]

State = Literal["full", "part", "none", "waits"]
_STATUS = {
    "timeout": "Grading ran into a time limit. What was reached by then counts.",
    "crashed": "Your code ended its process while it was graded. What was reached by then counts.",
    "unreadable": "The file that you handed in could not be read as a notebook, so nothing in it counts.",
    "missing": "No notebook was found in what you handed in.",
}
_UNWRITTEN = frozenset({"NotImplementedError", "missing"})
"""Kinds of failures of those who have not written it, or not under its name."""
_MISSING = re.compile(r"^\w+(?= is not defined)")
_WHERE = re.compile(r"^In the case “[^”]*”, ")


@dataclass(frozen=True)
class LostCriterion:
    """What was asked for and not met, and why; worth 0 points here where a known mistake has its own price."""

    title: str
    points: float
    reason: str


@dataclass(frozen=True)
class Mistake:
    """A known mistake that was recognized, and its hint."""

    name: str
    hint: str


@dataclass(frozen=True)
class Item:
    """One graded cell: an exercise or a written answer.

    Attributes:
        anchor: id of its cell on the page.
        state: `waits` where a person has not graded it yet: then its score means nothing.
        note: one line where there is more to say than the criteria do.
        not_judged: titles of criteria that could not be judged.
        example: code that shows the first difference.
        comment: what a person wrote, as Markdown.
    """

    name: str
    title: str
    anchor: str
    state: State
    score: float
    max_score: float
    written: bool = False
    by_hand: bool = False
    note: str = ""
    lost: tuple[LostCriterion, ...] = ()
    not_judged: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    example: str = ""
    advice: tuple[str, ...] = ()
    comment: str = ""

    @property
    def is_open(self) -> bool:
        """Whether there is something to read about it."""
        return bool(self.note or self.lost or self.mistakes or self.example or self.advice or self.comment)


@dataclass(frozen=True)
class FeedbackSummary:
    """All of it.

    Attributes:
        score: points so far, after the penalty, as in the gradebook.
        graded: points that can be had in what is graded.
        waiting: points of what a person has not graded yet.
        problem: what happened to the submission as a whole; empty if nothing.
        remarks: lateness, extensions, and exercises that count differently, in sentences.
        notes: what was repaired in the notebook.
    """

    assignment: str
    student: str
    score: float
    graded: float
    waiting: float
    max_score: float
    items: tuple[Item, ...]
    problem: str = ""
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def to_mend(self) -> tuple[Item, ...]:
        """Where points were lost or a person said something, in the notebook's order."""
        return tuple(item for item in self.items if item.is_open or item.state in ("part", "none"))


def summarize_feedback(
    marks: StudentMarks,
    result: SubmissionResult | None,
    exercises: Mapping[str, Exercise],
    titles: Mapping[str, str],
    assignment: str,
    student: str,
    remarks: Sequence[str] = (),
) -> FeedbackSummary:
    """What a student reads first.

    Args:
        result: the grader's record; without one there are points and no reasons.
        titles: of the graded cells, in the order of the notebook.
        remarks: what the mark is besides the sum of the points.
    """
    answers = result.exercises if result is not None else {}
    names = [*(name for name in titles if name in marks.cells), *(name for name in marks.cells if name not in titles)]
    items = tuple(
        _exercise(name, titles.get(name, name), marks, answers.get(name), exercises[name])
        if name in exercises
        else _written(name, titles.get(name, name), marks)
        for name in names
    )
    problem = _STATUS.get(result.status, "") if result is not None else ""
    if problem and result is not None and result.status in ("unreadable", "missing") and result.message:
        problem = f"{problem} The reason: {result.message}."
    return FeedbackSummary(
        assignment,
        student,
        marks.score,
        marks.max_score - marks.waiting,
        marks.waiting,
        marks.max_score,
        items,
        problem,
        tuple(remarks),
        result.notes if result is not None and result.status not in ("unreadable", "missing") else (),
    )


def _state(mark: CellMark) -> State:
    if mark.waits:
        return "waits"
    if mark.score >= mark.max_score:
        return "full"
    return "part" if mark.score > 0 else "none"


def _exercise(name: str, title: str, marks: StudentMarks, answer: ExerciseResult | None, definition: Exercise) -> Item:
    mark = marks.cells[name]
    comment = marks.comments.get(f"{name}-solution", "")
    common = Item(
        name, title, name, _state(mark), mark.score, mark.max_score, by_hand=mark.by_hand,
        comment="" if comment == "No response." else comment,
    )  # fmt: skip
    if answer is None:
        return common
    known = {criterion.slug: criterion for criterion in definition.marked}
    lost = [
        (known[slug], answer.reasons.get(slug, ""))
        for slug, met in answer.criteria.items()
        if met is False and slug in known
    ]
    unjudged = [known[slug].title for slug, met in answer.criteria.items() if met is None and slug in known]
    mistakes = [
        Mistake(slug.replace("-", " "), hint) for slug, hint in zip(answer.misconceptions, answer.hints, strict=False)
    ]
    note = answer.message if answer.withheld or (answer.message and not lost) else ""
    causes = {_WHERE.sub("", reason) for _, reason in lost}
    if set(answer.failures) & _UNWRITTEN and not answer.score:
        note, lost, unjudged = answer.message, [], []
    elif len(causes) == 1 and len(lost) > 1:  # one cause, told once
        note, lost = f"{lost[0][1]} This is so for all that is lost.", [(criterion, "") for criterion, _ in lost]
    return replace(
        common,
        note=_sentence(note),
        # a mistake has its own price, so the points of the criteria would not add up to what was lost
        lost=tuple(LostCriterion(c.title, 0.0 if mistakes else c.points, reason) for c, reason in lost),
        not_judged=tuple(unjudged) if not answer.withheld else (),
        mistakes=tuple(mistakes),
        example=answer.counterexample,
        advice=answer.advice,
    )


def _sentence(message: str) -> str:
    """A message that begins with a capital, unless it begins with a name: that is code."""
    message = _MISSING.sub(r"`\g<0>`", message)
    return f"{message[:1].upper()}{message[1:]}"


def _written(name: str, title: str, marks: StudentMarks) -> Item:
    mark = marks.cells[name]
    comment = marks.comments.get(name, "")
    empty = comment == "No response."
    return Item(
        name, title, name, _state(mark), mark.score, mark.max_score, written=True,
        note="You wrote nothing here." if empty and not mark.waits else "", comment="" if empty else comment,
    )  # fmt: skip


def points(value: float, word: bool = True) -> str:
    """Points as people write them.

    >>> points(1.0), points(2.50), points(0.0), points(3.125, word=False)
    ('1 point', '2.5 points', '0 points', '3.12')
    """
    text = f"{round(value, 2):g}"
    return f"{text} point{'' if text == '1' else 's'}" if word else text
