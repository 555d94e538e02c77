"""From a verdict to points, reasons in words, and the card that stands under the test cell."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.exercise import Exercise
from autograder.reading.forbidden import Findings
from autograder.results import ExerciseResult
from course_lib.checking.card import Card, plain, reason
from course_lib.checking.verdict import Failure, Response, Verdict, judge

__all__ = ["Marked", "lost", "mark"]

_MAX_REASON = 600


@dataclass(frozen=True)
class Marked:
    """A graded exercise and its card."""

    result: ExerciseResult
    html: str
    text: str


def mark(exercise: Exercise, verdict: Verdict, findings: Findings, advice: tuple[str, ...] = ()) -> Marked:
    """Turn a verdict into points; forbidden operations withhold them."""
    reasons = {r.criterion.slug: _cut(reason(r)) for r in verdict.results if not r.holds}
    criteria = {r.criterion.slug: r.holds for r in verdict.results}
    withheld = ""
    score = verdict.score
    if findings.banned and score > 0:
        names = ", ".join(findings.banned[:5])
        withheld = f"The points are withheld: this exercise is to be solved without {names}."
        score = 0.0
        criteria = dict.fromkeys(criteria, False)
        reasons = dict.fromkeys(criteria, f"withheld: uses {names}")
    card = Card(verdict, advice=(*([withheld] if withheld else []), *advice))
    result = ExerciseResult(
        score,
        exercise.points,
        criteria,
        tuple(m.slug for m in verdict.misconceptions),
        withheld or _message(verdict),
        reasons,
        tuple(m.hint for m in verdict.misconceptions),
        card.example,
        tuple(findings.banned) if withheld else (),
        advice,
        tuple(sorted({seen.kind for seen in verdict.observed.values() if isinstance(seen, Failure)})),
    )
    return Marked(result, card.html(), card.text())


def _message(verdict: Verdict) -> str:
    first = next((r for r in verdict.results if not r.holds), None)
    if first is None:
        return ""
    if verdict.failure is not None:
        return _cut(plain(verdict.failure.message or verdict.failure.kind))
    lost = ", ".join(r.criterion.title for r in verdict.results if not r.holds)
    return _cut(f"lost: {lost}. {reason(first)}")


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 1] + "…"


def lost(exercise: Exercise, why: str) -> Marked:
    """An exercise of a submission that could not be read."""
    key = exercise.make_key("nothing handed in", diagnose=False)
    failure = Response(failure=Failure("not-run", why))
    return mark(exercise, judge(key, {case.name: failure for case in key.cases}), Findings())
