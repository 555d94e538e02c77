"""Exercises without a single tensor: text, dicts, sets, arrays, iterators.  Any subject is graded as fairly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from autograder.errors import CourseError
from autograder.exercise import Case, Exercise
from course_lib.checking.card import Card
from course_lib.checking.drivers import run_case
from course_lib.checking.keys import ExerciseKey, respond
from course_lib.checking.values import pack, unpack
from course_lib.checking.verdict import Verdict, judge

X = np.array([1.0, 2.0, 6.0])


def an_exercise(reference: Callable[..., Any], *outputs: str, **inputs: Any) -> Exercise:
    """An exercise with one case by hand and a longer one, and a criterion for each output."""
    exercise = Exercise("e", f"f({', '.join(inputs)})", returns=outputs)
    for output in outputs:
        exercise.criterion(output, 1, outputs=output)

    @exercise.cases
    def _cases(g: Any) -> Any:
        yield "by hand", dict(inputs)

    exercise.reference(reference)
    return exercise


def verdict_on(exercise: Exercise, answer: Callable[..., Any]) -> Verdict:
    """The verdict, with all values sent as bytes, as in grading."""
    key: ExerciseKey = exercise.with_suspects(exercise.make_key(1, diagnose=False))
    twice = key.called_twice
    raw = {
        c.name: run_case({"f": answer}, "f", c.driver, unpack(pack(dict(c.inputs))), twice=c.name in twice)
        for c in key.cases
    }
    return judge(key, {name: respond(unpack(pack(response))) for name, response in raw.items()})


NAMES = an_exercise(lambda labels, x: (sorted(set(labels)), float(x.mean())), "names", "mean", labels=["b", "a"], x=X)


def test_a_right_answer_passes_without_a_tensor_in_sight() -> None:
    """A convention that has nowhere to show is kept."""
    verdict = verdict_on(NAMES, lambda labels, x: (sorted(set(labels)), x.sum() / len(x)))
    assert verdict.passed
    assert verdict.score == verdict.key.points


@pytest.mark.parametrize(
    ("answer", "off"),
    [
        pytest.param(lambda labels, x: (list(np.unique(labels)), x.mean()), 0, id="NumPy's text"),
        pytest.param(lambda labels, x: (tuple(sorted(labels)), Fraction(3)), 0, id="a tuple and a fraction"),
        pytest.param(lambda labels, x: (dict.fromkeys(sorted(labels)).keys(), 3), 0, id="the keys of a dict"),
        pytest.param(lambda labels, x: (np.unique(labels), x.mean()), 0.5, id="an array for a list"),
        pytest.param(lambda labels, x: (iter(sorted(labels)), x.mean()), 0.5, id="an iterator for a list"),
        pytest.param(lambda labels, x: (set(labels), x.mean()), 1.25, id="a set for a list"),
    ],
)
def test_what_is_as_good_counts_as_much(answer: Callable[..., Any], off: float) -> None:
    """Points are for values; what is used in another way than a list costs half a point."""
    verdict = verdict_on(NAMES, answer)
    assert verdict.score == verdict.key.points - off


@pytest.mark.parametrize(
    ("spoil", "unchanged"),
    [
        pytest.param(lambda labels, x: labels.clear(), False, id="a list"),
        pytest.param(lambda labels, x: np.negative(x, out=x), False, id="an array"),
        pytest.param(lambda labels, x: sorted(labels) and -x, True, id="nothing"),
    ],
)
def test_inputs_of_every_kind_are_left_alone(spoil: Callable[..., Any], unchanged: bool) -> None:
    """Lists and arrays as well as tensors; and the next call gets them as they were."""

    def answer(labels: list[str], x: Any) -> Any:
        result = sorted(labels), float(x.mean())
        spoil(labels, x)
        return result

    verdict = verdict_on(NAMES, answer)
    lost = [result.criterion.title for result in verdict.results if not result.holds]
    assert lost == ([] if unchanged else ["leaves its inputs unchanged"])


def test_a_reference_that_works_in_place_changes_no_question() -> None:
    """The case keeps its inputs, whoever is called with them."""

    def careless(labels: list[str], x: Any) -> Any:
        x /= len(x)
        return sorted(set(labels)), float(x.sum())

    exercise = an_exercise(careless, "names", "mean", labels=["b", "a"], x=X.copy())
    assert verdict_on(exercise, lambda labels, x: (sorted(set(labels)), float(x.mean()))).passed
    (case,) = exercise.make_key(1).cases
    assert np.array_equal(case.inputs["x"], X)


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        pytest.param(lambda x: {1, 2}, lambda x: {2, 1}, id="sets"),
        pytest.param(lambda x: (n for n in range(3)), lambda x: (n for n in range(3)), id="generators"),
        pytest.param(lambda x: {(0, "a"): 1.0}, lambda x: {(0, "a"): 1.0}, id="keys that are tuples"),
        pytest.param(lambda x: Counter("aab"), lambda x: {"b": 1, "a": 2}, id="a counter"),
        pytest.param(lambda x: np.array(["a", "b"]), lambda x: np.array(["a", "b"]), id="arrays of text"),
    ],
)
def test_a_reference_may_return_what_the_subject_needs(reference: Any, answer: Any) -> None:
    """Both go the same way."""
    assert verdict_on(an_exercise(reference, "y", x=1.0), answer).passed


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda x: x[None] * 2, id="an axis too many"),
        pytest.param(lambda x: (x * 2).tolist(), id="a list of numbers"),
        pytest.param(lambda x: [np.array(value) * 2 for value in x], id="a list of arrays"),
    ],
)
def test_arrays_in_another_arrangement_cost_half_a_point(answer: Any) -> None:
    """As tensors do."""
    verdict = verdict_on(an_exercise(lambda x: x * 2, "y", x=X), answer)
    assert verdict.score == verdict.key.points - 0.5


def test_a_key_that_is_missing_is_shown() -> None:
    """As it is written."""
    exercise = an_exercise(lambda x: {("a", 1): 2.0, ("b", 2): 3.0}, "counts", x=1.0)
    verdict = verdict_on(exercise, lambda x: {("a", 1): 2.0})
    (mismatch,) = verdict.wrong.values()
    assert "lacks ('b', 2)" in mismatch.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cases": "by hnad"}, "there is no case 'by hnad'"),
        ({"cases": ("by hand", "long*")}, "there is no case 'long*'"),
        ({"outputs": "meen"}, "there is no output 'meen'"),
    ],
)
def test_a_criterion_that_looks_at_nothing_is_refused(change: dict[str, Any], message: str) -> None:
    """It would be given to everybody."""
    exercise = an_exercise(lambda x: x, "y", x=1.0)
    exercise.criterion("another", 1, **change)
    with pytest.raises(CourseError, match="criterion 'another'") as caught:
        exercise.make_key(1)
    assert message in str(caught.value)


def test_what_cannot_be_handed_over_is_refused() -> None:
    """As an input, and as what a reference returns."""
    with pytest.raises(CourseError, match="the input 'x' of e, case 'by hand', is an object"):
        an_exercise(lambda x: 1, "y", x=object()).make_key(1)
    with pytest.raises(CourseError, match="the input 'x' of e, case 'by hand', is an iterator"):
        an_exercise(lambda x: list(x), "y", x=iter([1])).make_key(1)
    with pytest.raises(CourseError, match="the reference of e returns an object"):
        an_exercise(lambda x: object(), "y", x=1).make_key(1)


def test_a_case_of_another_function_names_its_own_outputs() -> None:
    """What a criterion selects is looked for among all of them."""
    exercise = an_exercise(lambda x: x, "y", x=1.0)

    @exercise.cases
    def _cases(g: Any) -> Any:
        yield "by hand", {"x": 1.0}
        yield "both", Case({"x": 2.0}, outputs=("z",))

    exercise.criterion("z", 1, outputs="z")
    assert exercise.make_key(1).points > 2


def test_an_example_needs_no_more_than_it_uses() -> None:
    """What is pasted runs, and imports nothing of another subject's."""
    verdict = verdict_on(NAMES, lambda labels, x: (labels, -1.0))
    code = Card(verdict).example
    assert "torch" not in code
    assert "x = np.array([1.0, 2.0, 6.0])" in code
    exec(code, {"f": lambda labels, x: (labels, -1.0)})
    changed = verdict_on(NAMES, lambda labels, x: (sorted(labels), [x.mean(), labels.clear()][0]))
    code = Card(changed).example
    assert "copy.deepcopy(labels)" in code
    exec(code, {"f": lambda labels, x: (sorted(labels), [x.mean(), labels.clear()][0])})
