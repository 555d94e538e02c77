"""Exercises that do not count as they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.errors import CourseError
from autograder.gradebook.adjustments import Adjustment, adjusted, read_adjustments, require_cells
from tests.support.synthetic_results import class_of

NAMES = ("01_first",)


@pytest.mark.parametrize(
    ("value", "counts"),
    [("drop", (0, 0)), ("full marks", (4, 4)), ("bonus", (3, 0)), (0.5, (1.5, 2)), (2, (6, 8))],
)
def test_what_an_exercise_counts(value: Any, counts: tuple[float, float]) -> None:
    """Of 3 of 4 points earned: what counts, and what can be had."""
    found = read_adjustments({"01_first": {"norm": value}}, NAMES)["01_first"]["norm"]
    assert (found.score(3.0, 4.0), found.max_score(4.0)) == counts


@pytest.mark.parametrize("value", ["dropped", "", 0, -1, True, None, float("inf"), float("nan"), [], {"weight": 1}])
def test_anything_else_is_refused(value: Any) -> None:
    """With the ways to write it."""
    with pytest.raises(CourseError, match="is no adjustment") as caught:
        read_adjustments({"01_first": {"norm": value}}, NAMES)
    assert "full marks" in caught.value.hint


def test_unknown_names_are_met_with_the_nearest() -> None:
    """Of assignments and of cells."""
    with pytest.raises(CourseError, match="no assignment '1_first'"):
        read_adjustments({"1_first": {"norm": "drop"}}, NAMES)
    with pytest.raises(CourseError, match="no graded cell 'nrom'") as caught:
        require_cells("01_first", {"nrom": Adjustment("drop")}, ["norm", "why"])
    assert caught.value.hint == "did you mean 'norm'?"


@given(st.sampled_from(["drop", "full marks", "bonus", 0.5, 3.0]), st.integers(1, 30))
def test_only_the_exercise_that_is_named_changes(value: Any, size: int) -> None:
    """The others keep what was earned, and no result has more than can be had, but for a bonus."""
    before = class_of(size)
    found = read_adjustments({"01_first": {"layer-norm": value}}, NAMES)["01_first"]
    for old, new in zip(before, adjusted(before, found), strict=True):
        assert {n: e for n, e in old.exercises.items() if n != "layer-norm"} == {
            n: e for n, e in new.exercises.items() if n != "layer-norm"
        }
        assert value == "bonus" or new.score <= new.max_score
