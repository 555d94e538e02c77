"""What a class did, line by line, for a spreadsheet or R: every criterion, every named mistake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from autograder.exercise import Exercise
from autograder.gradebook.adjustments import Adjustments
from autograder.gradebook.tables import Row
from autograder.results import SubmissionResult

__all__ = ["criteria", "mistakes"]

_STATES = {True: "met", False: "lost", None: "not judged"}


def criteria(
    assignment: str,
    results: Sequence[SubmissionResult],
    exercises: Mapping[str, Exercise],
    adjustments: Adjustments,
) -> Iterable[Row]:
    """One line for each student, exercise and criterion; the points are those before an exercise is adjusted."""
    yield [
        "assignment", "student_id", "exercise", "criterion", "title", "points", "state",
        "exercise_score", "exercise_max_score", "counts",
    ]  # fmt: skip
    for result in results:
        for name, answer in result.exercises.items():
            known = {c.slug: (c.title, c.points) for c in exercises[name].marked} if name in exercises else {}
            counts = str(adjustments[name]) if name in adjustments else "as it is"
            for slug, state in answer.criteria.items():
                title, points = known.get(slug, (slug, 0.0))
                about: Row = [assignment, result.student, name, slug, title, points, _STATES[state]]
                yield [*about, answer.score, answer.max_score, counts]


def mistakes(
    assignment: str, results: Sequence[SubmissionResult], exercises: Mapping[str, Exercise], _: Adjustments
) -> Iterable[Row]:
    """One line for each named mistake of a student."""
    hints = {
        (name, slug): hint
        for name, exercise in exercises.items()
        for mistake in exercise.misconceptions
        for slug, hint in zip(mistake.slugs, mistake.hints, strict=True)
    }
    yield ["assignment", "student_id", "exercise", "mistake", "hint"]
    for result in results:
        for name, answer in result.exercises.items():
            for slug in answer.misconceptions:
                yield [assignment, result.student, name, slug, hints.get((name, slug), "")]
