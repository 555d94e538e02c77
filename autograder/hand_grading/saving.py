"""Writing points and a comment for one answer, unless somebody else was there in the meantime."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nbgrader.api import BaseCell, Comment, Grade, Gradebook, GradeCell
from sqlalchemy import select, update

__all__ = ["Given", "NotPointsError", "OvertakenError", "points_in", "save"]

_MOST_DIGITS = 12


@dataclass(frozen=True)
class Given:
    """What a person gave for an answer.

    Attributes:
        score: points; None where none are given.
    """

    score: float | None
    comment: str


class NotPointsError(ValueError):
    """What was typed is no number of points; the message says what is expected."""


class OvertakenError(Exception):
    """Somebody else graded it since this grader saw it; `now` is what stands there."""

    def __init__(self, now: Given) -> None:
        super().__init__("somebody else graded this answer in the meantime")
        self.now = now


def points_in(text: str, max_score: float) -> float | None:
    """Points as people type them, with a point or a comma; None for nothing.

    Raises:
        NotPointsError: for everything else, below 0 or above the maximum.

    >>> points_in("1,5", 5), points_in(" 2. ", 5), points_in("", 5)
    (1.5, 2.0, None)
    """
    typed = text.strip().replace(",", ".")
    if not typed:
        return None
    digits = typed.replace(".", "", 1)
    if not (digits.isascii() and digits.isdecimal()) or len(typed) > _MOST_DIGITS:
        raise NotPointsError(f"{text.strip()[:20]!r} is no number of points; write it as 1.5 or 1,5")
    number = float(typed)
    if not math.isfinite(number) or number > max_score:
        raise NotPointsError(f"{number:g} is more than the {max_score:g} points of this question")
    return number


def save(book: Gradebook, grade_id: str, seen: Given, points: str, comment: str) -> Given:
    """Write what a grader typed, if what the grader saw still stands there; all of it or nothing.

    The condition is part of the writing statements, so it holds whoever else writes, in this process or in another.

    Args:
        seen: what stood there when this grader saw it.

    Raises:
        KeyError: if there is no such grade.
        NotPointsError: if the points are none, or too many.
        OvertakenError: if something else stands there now.
    """
    db = book.db
    place = _place(book, grade_id)
    given = Given(points_in(points, place.max_score), comment)
    db.rollback()  # the statements below begin anew: nothing is held that would let two wait for each other
    waits = given.score is None and place.auto_score is None
    is_as_seen = Comment.manual_comment == seen.comment
    if not seen.comment:
        is_as_seen = Comment.manual_comment.is_(None) | (Comment.manual_comment == "")
    try:
        graded = db.execute(
            update(Grade)
            .where(Grade.id == grade_id, Grade.manual_score.is_not_distinct_from(seen.score))
            .values(manual_score=given.score, needs_manual_grade=waits)
            .execution_options(synchronize_session=False)
        )
        commented = db.execute(
            update(Comment)
            .where(Comment.id == place.comment, is_as_seen)
            .values(manual_comment=given.comment or None)
            .execution_options(synchronize_session=False)
        )
        if graded.rowcount != 1 or commented.rowcount != 1:
            db.rollback()
            raise OvertakenError(_now(book, grade_id, place.comment))
        db.commit()
    except BaseException:
        db.rollback()
        raise
    return given


@dataclass(frozen=True)
class _Place:
    """Where it is written.

    Attributes:
        comment: id of the comment's row.
    """

    comment: str
    auto_score: float | None
    max_score: float


def _place(book: Gradebook, grade_id: str) -> _Place:
    # nbgrader has a row of the cell for its grades, and another one for its comments
    cells, commented = GradeCell.__table__, BaseCell.__table__.alias()
    graded = BaseCell.__table__.alias()
    found = book.db.execute(
        select(Comment.id, Grade.auto_score, cells.c.max_score)
        .select_from(Grade)
        .join(cells, cells.c.id == Grade.cell_id)
        .join(graded, graded.c.id == Grade.cell_id)
        .join(Comment, Comment.notebook_id == Grade.notebook_id)
        .join(commented, (commented.c.id == Comment.cell_id) & (commented.c.name == graded.c.name))
        .where(Grade.id == grade_id)
    ).one_or_none()
    if found is None:
        raise KeyError(grade_id)
    comment, auto, max_score = found
    return _Place(comment, auto, float(max_score or 0.0))


def _now(book: Gradebook, grade_id: str, comment_id: str) -> Given:
    score = book.db.scalar(select(Grade.manual_score).where(Grade.id == grade_id))
    return Given(score, book.db.scalar(select(Comment.manual_comment).where(Comment.id == comment_id)) or "")
