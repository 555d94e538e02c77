"""From a verdict to points, reasons in words, and the card that stands under the test cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from autograder.exercise import Exercise
from autograder.results import ExerciseResult
from course_lib.checking.card import Card, plain, reason, withheld
from course_lib.checking.keys import Failure, Response
from course_lib.checking.verdict import Verdict, judge

__all__ = ["Marked", "lost", "mark"]

_MAX_REASON = 600


@dataclass(frozen=True)
class Marked:
    """A graded exercise and its card."""

    result: ExerciseResult
    html: str
    text: str

    def with_shown(self, shown: Mapping[str, Any]) -> Marked:
        """The same, with what the answer gives to the question that everybody is asked."""
        return replace(self, result=replace(self.result, shown=shown))


def mark(exercise: Exercise, verdict: Verdict, advice: tuple[str, ...] = ()) -> Marked:
    """Turn a verdict into a result and a card."""
    card = Card(verdict, advice=advice)
    result = ExerciseResult(
        verdict.score,
        exercise.points,
        {r.criterion.slug: None if r.state == "not judged" else r.holds for r in verdict.results},
        tuple(m.slug for m in verdict.misconceptions),
        _message(verdict),
        {r.criterion.slug: _cut(reason(verdict, r)) for r in verdict.results if r.state == "lost"},
        tuple(m.hint for m in verdict.misconceptions),
        card.example,
        verdict.banned,
        (*verdict.remarks, *advice),
        tuple(sorted({seen.kind for seen in verdict.observed.values() if isinstance(seen, Failure)})),
    )
    return Marked(result, card.html(), card.text())


def _message(verdict: Verdict) -> str:
    if verdict.banned:
        return withheld(verdict)
    if verdict.passed:
        return ""
    if verdict.failure is not None:
        return _cut(plain(verdict.failure.message or verdict.failure.kind))
    lost = [result for result in verdict.results if result.state == "lost"]
    if not lost:
        return ""
    titles = ", ".join(result.criterion.title for result in lost)
    unnamed = "" if verdict.misconceptions or not verdict.likeness else f" {verdict.likeness}"
    return _cut(f"Lost: {titles}. {reason(verdict, lost[0])}{unnamed}")


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 1] + "…"


def lost(exercise: Exercise, why: str) -> Marked:
    """An exercise of a submission that could not be read."""
    key = exercise.make_key("nothing handed in", diagnose=False)
    failure = Response(failure=Failure("not-run", why))
    return mark(exercise, judge(key, {case.name: failure for case in key.cases}))
