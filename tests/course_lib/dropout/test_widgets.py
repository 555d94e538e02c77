"""The numbers behind the dropout widgets, against a slow enumeration."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.dropout.widgets import masks, subnetworks
from course_lib.widgets.controls import clean
from course_lib.widgets.scene import Bars, Lines, Montage


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
    assert "it is 8: 0.64 · 10 + 0.16 · 6 + 0.16 · 4 + 0.04 · 0" in masks.explain(8, state_of(p=0.8))
    for answer, told in ((10, "nothing is dropped"), (2, "dropped with"), (6.4, "keeps both"), (5, "equally likely")):
        assert told in masks.explain(answer, state_of(p=0.8))


def test_the_picture_begins_with_the_neuron_of_the_question_and_does_not_tell_its_mean() -> None:
    """Its four outputs, neither probability nor mean; both as soon as the prediction is locked in."""
    start = clean(masks.DESIGN.controls, {})
    before, after = (masks.numbers({**start, "locked": locked}) for locked in (False, True))
    bars, lines = before.panels
    assert isinstance(bars, Bars)
    assert isinstance(lines, Lines)
    assert bars.groups == ("none: 0", "only y: 4", "only x: 6", "both: 10")
    assert np.isnan(bars.series[0].y).all()
    assert all(np.isnan(series.y).all() for series in lines.series)
    assert "mean" not in before.line
    assert "the mean of a over the four masks is 8," in after.line


def test_a_relu_breaks_weight_scaling_where_a_mask_crosses_zero() -> None:
    """6 and -8 at p = 1/2: the outputs 6, 0, 0, 0 have mean 1.5, scaled weights give 0."""
    text = masks.numbers(state_of(p=0.5, second=-8.0, after="relu")).line
    assert "the mean of relu(a) over the four masks is 1.5, scaled weights give 0," in text
    assert "only approximate" in masks.explain(8, state_of(p=0.5, second=-8.0, after="relu"))


def test_what_is_said_of_a_state_is_true_of_it() -> None:
    """In every state: linear, no mask cut off, one mask alone, or an approximation; and which one it says."""
    values = {control.name: getattr(control, "values", ()) for control in masks.DESIGN.controls}
    for p, second in itertools.product(values["p"], values["second"]):
        for meaning, after in itertools.product(("keep", "drop"), ("nothing", "relu")):
            p_keep = p if meaning == "keep" else 1 - p
            found = masks.weigh(6, second, p_keep, after == "relu")
            said = masks.explain(8, state_of(p=p, second=second, meaning=meaning, after=after))
            if "p times the full value" in said:
                assert found.mean == pytest.approx(p_keep * (6 + second), abs=1e-9)
                assert found.scaled == pytest.approx(found.mean, abs=1e-9)
            elif "only one mask is possible" in said:
                assert found.probability.max() == pytest.approx(1)
            else:
                assert "only approximate" in said
                assert found.mean > found.scaled + 1e-9


def test_sampled_masks_come_close() -> None:
    """After 300 masks within four standard errors, whatever the seed."""
    for seed in range(5):
        line = masks.numbers(state_of(p=0.5, seed=seed, second=4.0)).line
        sampled = float(line.rpartition(" ")[2].rstrip("."))
        assert abs(sampled - 5) < 4 * (36 * 0.25 + 16 * 0.25) ** 0.5 / 300**0.5


@pytest.mark.parametrize("p", [0.1, 0.3, 0.8, 1.0])
def test_the_same_p_read_as_dropping_swaps_the_masks(p: float) -> None:
    """Probability of keeping, as in the lecture, or of dropping, as in PyTorch; the words give both."""
    keep, drop = (masks.numbers(state_of(p=p, meaning=meaning)) for meaning in ("keep", "drop"))
    assert isinstance(keep.panels[0], Bars)
    assert isinstance(drop.panels[0], Bars)
    # Masks in the order none, only y, only x, both: swapping keeping and dropping reverses it.
    assert keep.panels[0].series[0].y == pytest.approx(drop.panels[0].series[0].y[::-1], abs=1e-6)
    assert keep.line.startswith(f"p_keep = {p:g}, p_drop = {1 - p:.3g}:")
    assert drop.line.startswith(f"p_keep = {round(1 - p, 6):g}, p_drop = {p:g}:")


def test_the_exact_mean_is_that_of_every_subnetwork() -> None:
    """Each mask's network is run by a slow loop at a few places of the plane."""
    p_keep = 0.7
    found = subnetworks.subnetworks(p_keep)
    W, b, w, c = subnetworks._trained(p_keep)
    (x_low, y_low), (x_high, y_high) = subnetworks._LOW, subnetworks._HIGH
    for row, column in ((0, 0), (20, 7), (39, 39)):
        x = x_low + (x_high - x_low) * column / (subnetworks.SIDE - 1)
        y = y_low + (y_high - y_low) * row / (subnetworks.SIDE - 1)
        mean = total = 0.0
        for mask in itertools.product((0, 1), repeat=subnetworks.UNITS):
            a = float(c[0])
            for unit, kept in enumerate(mask):
                a += kept * w[unit] * max(0.0, W[unit, 0] * x + W[unit, 1] * y + b[unit])
            chance = math.prod(p_keep if kept else 1 - p_keep for kept in mask)
            mean, total = mean + chance / (1 + math.exp(-a)), total + chance
        assert total == pytest.approx(1)
        assert found.exact[row * subnetworks.SIDE + column] == pytest.approx(mean, abs=1e-9)


def test_scaled_weights_are_the_geometric_mean_of_the_ensemble() -> None:
    """Renormalised, of the probabilities of both classes (Srivastava et al. 2014; Goodfellow et al. 2016, 7.12)."""
    found = subnetworks.subnetworks(0.5)
    yes, no = (np.exp(found.chance @ np.log(np.clip(p, 1e-300, 1))) for p in (found.outputs, 1 - found.outputs))
    inside = (found.outputs.min(axis=0) > 1e-9) & (found.outputs.max(axis=0) < 1 - 1e-9)
    assert inside.sum() > 1000
    assert (yes / (yes + no))[inside] == pytest.approx(found.scaled[inside], abs=1e-6)


@pytest.mark.parametrize("p_keep", [0.3, 0.5, 0.9])
def test_so_many_masks_are_needed_as_the_widget_says(p_keep: float) -> None:
    """Drawn 100 times: that many masks are 1% away on average, a quarter of them twice as far."""
    found = subnetworks.subnetworks(p_keep)
    rng = np.random.default_rng(1)

    def typical(masks: int) -> float:
        drawn = rng.multinomial(masks, found.chance, size=100)
        return float(np.mean([found.distance(counts @ found.outputs / masks) for counts in drawn]))

    needed = subnetworks.masks_needed(found)
    assert typical(needed) == pytest.approx(0.01, rel=0.15)
    assert typical(needed // 4) == pytest.approx(0.02, rel=0.2)


@pytest.mark.parametrize(("p_keep", "masks", "single", "scaled"), [(0.5, 170, 0.13, 0.08), (0.8, 60, 0.06, 0.025)])
def test_the_notebooks_numbers_of_the_ensemble(p_keep: float, masks: int, single: float, scaled: float) -> None:
    """What stands under "what you should see", up to rounding."""
    found = subnetworks.subnetworks(p_keep)
    assert subnetworks.masks_needed(found) == pytest.approx(masks, rel=0.1)
    away = np.array([found.distance(output) for output in found.outputs])
    assert float(found.chance @ away) == pytest.approx(single, abs=0.01)
    assert found.distance(found.scaled) == pytest.approx(scaled, abs=0.005)


def test_the_ensemble_classifies_its_data() -> None:
    """A picture of networks that have learnt nothing would teach nothing."""
    x, label = subnetworks.points()
    found = subnetworks.subnetworks(0.8)
    cell = (
        ((x - subnetworks._LOW) / np.subtract(subnetworks._HIGH, subnetworks._LOW) * (subnetworks.SIDE - 1))
        .round()
        .astype(int)
    )
    for guess in (found.exact, found.scaled):
        said = guess.reshape(subnetworks.SIDE, subnetworks.SIDE)[cell[:, 1].clip(0, 39), cell[:, 0].clip(0, 39)] > 0.5
        assert (said == label).mean() > 0.85


def test_before_the_prediction_neither_exact_mean_nor_distance_is_shown() -> None:
    """They would give the answer away."""
    state = {**clean(subnetworks.DESIGN.controls, {}), "locked": False}
    scene = subnetworks.numbers(state)
    pictures, curve = scene.panels
    assert isinstance(pictures, Montage)
    assert isinstance(curve, Lines)
    assert pictures.captions == ("sub-network 1", "sub-network 2", "sub-network 3", "mean of 4")
    assert np.isnan(curve.series[0].y).all()
    assert np.isnan(curve.series[1].y).all()
    assert "within" not in scene.line.lower()
    assert "%" not in scene.line
