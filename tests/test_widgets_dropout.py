"""The numbers behind the dropout widget, against a slow enumeration."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.widgets import masks
from course_lib.widgets.controls import clean


def state_of(**changes: Any) -> dict[str, Any]:
    """The widget's first state, with changes, locked."""
    return {**clean(masks.DESIGN.controls, changes), "locked": True}


@given(first=st.floats(-9, 9), second=st.floats(-9, 9), p=st.floats(0, 1), relu=st.booleans())
def test_the_mean_is_the_sum_over_four_masks(first: float, second: float, p: float, relu: bool) -> None:
    """Each mask by hand; the mean under a ReLU is never below the ReLU of the mean (Jensen)."""

    def out(a: float) -> float:
        return max(0.0, a) if relu else a

    expected = p * p * out(first + second) + p * (1 - p) * (out(first) + out(second)) + (1 - p) * (1 - p) * out(0.0)
    found = masks.weigh(first, second, p, relu)
    assert found.mean == pytest.approx(expected, abs=1e-12)
    assert found.probability.sum() == pytest.approx(1)
    assert found.mean >= found.scaled - 1e-12
    if not relu:
        assert found.mean == pytest.approx(found.scaled, abs=1e-12)


def test_the_lectures_neuron_has_mean_8_at_four_fifths() -> None:
    """The number that the question asks for, and what the explanation makes of it."""
    assert masks.weigh(6, 4, 0.8, relu=False).mean == pytest.approx(8)
    assert "it is 8 (exactly): 0.64 · 10 + 0.16 · 6 + 0.16 · 4 + 0.04 · 0" in masks.explain(8, state_of(p_keep=0.8))


def test_a_relu_breaks_weight_scaling_where_a_mask_crosses_zero() -> None:
    """6 and -8 at p = 1/2: the outputs 6, 0, 0, 0 have mean 1.5, scaled weights give 0."""
    text = masks.numbers(state_of(second=-8.0, after="relu")).line
    assert "the mean of relu(a) over the four masks is 1.5, scaled weights give 0," in text
    assert "only approximate" in masks.explain(8, state_of(second=-8.0, after="relu"))


def test_sampled_masks_come_close() -> None:
    """After 300 masks within four standard errors, whatever the seed."""
    for seed in range(5):
        line = masks.numbers(state_of(seed=seed, second=4.0)).line
        sampled = float(line.rpartition(" ")[2].rstrip("."))
        assert abs(sampled - 5) < 4 * (36 * 0.25 + 16 * 0.25) ** 0.5 / 300**0.5
