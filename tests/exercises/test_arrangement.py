"""Right numbers in another arrangement cost the same small price in every exercise, and never more than half."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor

from autograder.exercise import Exercise
from course_lib.checking.arrangement import COSTS
from course_lib.checking.shapes import ARRANGEMENT_SLIPS
from course_lib.checking.verdict import Verdict, judge
from tests.support.answering import sent
from tests.support.course import ASSIGNMENTS, exercise_named

WAYS: dict[str, Callable[[Tensor], Any]] = {
    "an axis in front": lambda t: t[None],
    "an axis at the end": lambda t: t[..., None],
    "a list": lambda t: list(t) if t.ndim else [t],
    "flat": lambda t: t.reshape(-1),
}
TAKEN_APART = {"pca-basis", "low-rank"}
"""They return a tuple of unlike tensors to a driver, which is told no shapes."""

each_exercise = pytest.mark.parametrize(
    "exercise", [pytest.param(e, id=f"{a}-{e.id}") for a, some in ASSIGNMENTS.items() for e in some.values()]
)


def rearranged(function: Any, way: Callable[[Tensor], Any]) -> Any:
    """A function whose tensors come in another arrangement."""

    @functools.wraps(function)
    def answer(*args: Any, **settings: Any) -> Any:
        result = function(*args, **settings)
        if isinstance(result, tuple):
            return tuple(way(item) if isinstance(item, Tensor) else item for item in result)
        return way(result) if isinstance(result, Tensor) else result

    return answer


def verdict_on(exercise: Exercise, namespace: dict[str, Any]) -> Verdict:
    """The verdict on names that a notebook defines."""
    key = exercise.with_suspects(exercise.make_key(7, diagnose=False))
    return judge(key, {case.name: sent(namespace, case, key) for case in key.cases})


def slips(verdict: Verdict) -> list[str]:
    """Slips of arrangement that were recognized."""
    return [found.slug for found in verdict.misconceptions if found.slug in ARRANGEMENT_SLIPS]


@each_exercise
@pytest.mark.parametrize("way", WAYS)
def test_another_arrangement_costs_half_a_point(exercise: Exercise, way: str) -> None:
    """Whatever the exercise: one name, one price; a mistake that the exercise itself knows may cost less."""
    right = exercise.namespace(exercise.reference_answer)
    names = [name for name in exercise.names if callable(right[name]) and not isinstance(right[name], type)]
    verdict = verdict_on(exercise, {**right, **{name: rearranged(right[name], WAYS[way]) for name in names}})
    if exercise.id in TAKEN_APART:
        return
    # The reference may call what is forbidden, which is looked for in answers only.
    named = verdict.misconceptions
    off = sum(found.costs for found in named)
    assert len(named) <= 1
    assert off <= COSTS
    assert bool(named) == any(entry.aspect == "value" for entry in verdict.wrong), "nothing that is wrong is unnamed"
    if not verdict.banned:
        assert verdict.score == pytest.approx(verdict.key.points - off)


def test_it_is_charged_once_beside_a_known_mistake() -> None:
    """The sample variance and a row that is kept: both are named, and their prices add up."""

    def answer(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
        y = gamma * (x - x.mean(0)) / (x.var(0) + eps).sqrt() + beta
        return y[None]

    verdict = verdict_on(exercise_named("batchnorm-forward"), {"batchnorm_forward": answer})
    assert {found.slug: found.costs for found in verdict.misconceptions} == {
        "unbiased-variance": 1.0,
        "axis-of-length-one": 0.5,
    }
    assert verdict.score == 2.5


def test_results_in_another_order_are_one_slip() -> None:
    """Each is right, in the place of another one."""
    exercise = exercise_named("batchnorm-backward")
    right = exercise.namespace(exercise.right_answers[next(iter(exercise.right_answers))])["batchnorm_backward"]

    def answer(*args: Any) -> Any:
        dx, dgamma, dbeta = right(*args)
        return dgamma, dbeta, dx

    verdict = verdict_on(exercise, {"batchnorm_backward": answer})
    assert slips(verdict) == ["results-in-another-order"]
    assert verdict.score == verdict.key.points - COSTS


def test_wrong_numbers_in_another_shape_are_wrong() -> None:
    """The slip excuses nothing else."""
    exercise = exercise_named("batchnorm-forward")
    verdict = verdict_on(exercise, {"batchnorm_forward": lambda x, gamma, beta, eps: (x * 1.1)[None]})
    assert verdict.score == 0
    assert not slips(verdict)


def test_a_single_example_without_its_axis_is_that_slip() -> None:
    """A `squeeze` that takes an axis too many where there is one example only, and nowhere else."""
    exercise = exercise_named("dropconnect")
    right = exercise.namespace(exercise.reference_answer)["dropconnect_train"]
    verdict = verdict_on(
        exercise,
        {**exercise.namespace(exercise.reference_answer), "dropconnect_train": lambda *a: right(*a).squeeze(0)},
    )
    assert verdict.score >= verdict.key.points - COSTS
