"""The second assignment: its drivers let answers come in any form, and its references keep what theory says."""

from __future__ import annotations

import math
from typing import Any

import pytest
import sympy as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.checking.drivers import run_case
from course_lib.checking.values import Unsupported
from tests.support.answering import lost, verdict_on
from tests.support.course import exercise_named

NUMBERS = {"w1": 2.0, "w2": -1.0, "x": 3.0, "y": 0.5, "p": 0.8}


def run(driver: str, answer: Any, inputs: dict[str, Any]) -> Any:
    """What comes back for an answer that is a function."""
    return run_case({"f": answer}, "f", driver, inputs)["result"]


def value_of(expression: Any) -> Any:
    """What the driver makes of one expression."""
    return run("dropout/expressions", lambda: {"key": expression}, NUMBERS)["key"]


def test_weight_scaling_is_the_geometric_mean() -> None:
    """The reference multiplies all outputs; the closed form is the notebook's claim of part 3."""
    for seed in range(20):
        for case in exercise_named("ensemble-geometric").make_key(seed, diagnose=False).cases:
            W, b, h, p_keep = (case.inputs[name] for name in ("W", "b", "h", "p_keep"))
            closed = torch.softmax((p_keep * W @ h + b).double(), dim=0)
            torch.testing.assert_close(case.expected["probabilities"].double(), closed, rtol=1e-5, atol=1e-6)


@given(st.permutations(range(8)), st.sampled_from(["bool", "int", "float32", "numpy", "lists"]))
def test_masks_may_come_in_any_order_and_kind(order: list[int], kind: str) -> None:
    """Only which masks there are decides."""
    rows = torch.tensor([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in order])
    forms = {"bool": rows.bool(), "int": rows, "float32": rows.float(), "numpy": rows.numpy(), "lists": rows.tolist()}
    expected = torch.tensor([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)]).double()
    assert torch.equal(run("dropout/rows-in-any-order", lambda n: forms[kind], {"n": 3}), expected)


def test_a_repeated_mask_is_not_lost_by_sorting() -> None:
    """Sorting keeps duplicates, so that a list with one mask twice and one missing is not taken for complete."""
    found = run("dropout/rows-in-any-order", lambda n: torch.tensor([[1.0], [1.0]]), {"n": 1})
    assert found.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (sp.Symbol("p", positive=True) ** 2, 0.64),
        (sp.Symbol("w1") * sp.Symbol("x", real=True) - sp.Symbol("y"), 5.5),
        (sp.Rational(1, 3), 1 / 3),
        (sp.sqrt(sp.Symbol("p") - sp.Rational(3, 5)), math.sqrt(0.2)),
        (sp.Sum(sp.Symbol("p") * sp.Symbol("i"), (sp.Symbol("i"), 0, 3)), 4.8),
        (sp.Max(sp.Symbol("w1"), sp.Symbol("w2")), 2.0),
        (sp.Piecewise((sp.Symbol("x"), sp.Symbol("p") > 0), (0, True)), 3.0),
        (3, 3.0),
        (torch.tensor(0.25), 0.25),
        (lambda w1, w2, x, y, p: w2 * y * p, -0.4),
    ],
    ids=["assumptions", "mixed", "number", "root", "sum", "maximum", "piecewise", "integer", "tensor", "function"],
)
def test_expressions_in_any_form_become_numbers(expression: Any, value: float) -> None:
    """The student's expression is evaluated where it was made; only the number is handed over."""
    assert value_of(expression) == pytest.approx(value)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (sp.Symbol("q"), "unknown symbol q (known: w1, w2, x, y, p)"),
        (sp.sqrt(-sp.Symbol("p")), "not a real number"),
        (1 / (sp.Symbol("p") - sp.Rational(4, 5)), "not a real number"),
        (sp.Eq(sp.Symbol("x"), sp.Symbol("y")), "not a real number"),
        ("w1 * x", "not a real number (str)"),
        (None, "not a real number"),
    ],
    ids=["symbol", "complex", "pole", "equation", "text", "none"],
)
def test_what_is_no_number_is_described(expression: Any, words: str) -> None:
    """A value that cannot be evaluated costs its own key only, and says what it was."""
    found = value_of(expression)
    assert isinstance(found, Unsupported)
    assert words in found.kind


def test_a_missing_key_costs_only_itself() -> None:
    """The other expressions still earn their points."""
    answer = dict(exercise_named("expectation-derivation").right_answers["plain functions"]())  # type: ignore[operator]
    del answer["variance"]
    verdict = verdict_on("expectation-derivation", lambda: answer)
    assert lost(verdict) == ["the variance"]


@given(st.integers(2, 40).flatmap(lambda n: st.tuples(st.integers(n + 1, 2 * n - 1), st.just(n))), st.floats(0, 0.999))
def test_pooling_boundaries_cover_the_image(sizes: tuple[int, int], u: float) -> None:
    """Graham's sequence starts at 0, ends at n_in, and has steps of 1 and 2, for every ratio and every u."""
    n_in, n_out = sizes
    reference = exercise_named("fractional-pooling").reference_answer
    assert isinstance(reference, dict)
    found = run("dropout/sequence", reference["pooling_boundaries"], {"n_in": n_in, "n_out": n_out, "u": u})
    assert (found["first"], found["last"]) == (0.0, n_in)
    assert {found["smallest_step"], found["largest_step"]} <= {1.0, 2.0}
