"""An answer to an exercise of this course, judged as a student's is: run, sent as bytes, compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from course_lib.checking.check import answered
from course_lib.checking.drivers import run_case
from course_lib.checking.keys import CaseKey, ExerciseKey, Response, respond
from course_lib.checking.values import pack, unpack
from course_lib.checking.verdict import Verdict, judge
from tests.support.course import exercise_named

__all__ = ["lost", "named", "reference_of", "sent", "verdict_on"]


def sent(namespace: Mapping[str, Any], case: CaseKey, key: ExerciseKey | None = None) -> Response:
    """What a notebook that defines these names answers to a case, after its way through bytes.

    With a key it is watched, and called twice, as grading does.
    """
    if key is not None:
        return answered(namespace, case, key)
    raw = run_case(namespace, case.function, case.driver, case.inputs, returns=case.returns)
    return respond(unpack(pack(raw)))


def verdict_on(exercise_id: str, answer: Any, seed: int = 1) -> Verdict:
    """The verdict on an answer that stands for every name of the exercise."""
    exercise = exercise_named(exercise_id)
    key = exercise.with_suspects(exercise.make_key(seed, diagnose=False))
    return judge(key, {case.name: sent({case.function: answer}, case, key) for case in key.cases})


def reference_of(exercise_id: str) -> Any:
    """The right answer for the exercise's first name."""
    exercise = exercise_named(exercise_id)
    return exercise.namespace(exercise.reference_answer)[exercise.names[0]]


def lost(verdict: Verdict) -> list[str]:
    """Titles of the criteria that do not hold."""
    return [result.criterion.title for result in verdict.results if not result.holds]


def named(verdict: Verdict) -> list[str]:
    """Slugs of the mistakes that were recognised."""
    return [found.slug for found in verdict.misconceptions]
