"""The numbers behind the widgets of hyperparameter search, against textbook formulas and slow loops."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from course_lib.search.table import table
from course_lib.search.widgets import machine, ranges
from course_lib.widgets.controls import clean
from course_lib.widgets.scene import Bars, Plane, pack

NORMAL = NormalDist()


def state_of(design: Any, **changes: Any) -> dict[str, Any]:
    """The widget's first state, with changes, locked."""
    return {**clean(design.controls, changes), "locked": True, "answer": None, **changes}


def textbook(line: machine.Slice, known: list[int]) -> tuple[Any, Any]:
    """Posterior of a Gaussian process by solving with the kernel matrix (Rasmussen, Williams 2006, eq. 2.23, 2.24)."""
    place = np.linspace(0, 1, 20)
    kernel = np.exp(-0.5 * ((place[:, None] - place[None, :]) / 0.2) ** 2)
    y = line.accuracy[known]
    centre, spread = y.mean(), max(y.std(), 0.02)
    inverse = np.linalg.inv(kernel[np.ix_(known, known)] + 0.1**2 * np.eye(len(known)))
    mean = kernel[:, known] @ inverse @ ((y - centre) / spread)
    variance = np.diag(kernel - kernel[:, known] @ inverse @ kernel[known])
    return centre + spread * mean, spread * np.sqrt(variance)


@pytest.mark.parametrize("which", range(0, 20, 4))
@pytest.mark.parametrize("runs", [2, 5, 9])
def test_the_machine_believes_what_a_gaussian_process_does(which: int, runs: int) -> None:
    """Mean and standard deviation at all twenty places."""
    line, known = machine.slices()[which], list(machine.game(which)[:runs])
    expected_mean, expected_std = textbook(line, known)
    mean, std = machine._belief(line, known)
    assert np.allclose(mean, expected_mean, atol=1e-6)
    assert np.allclose(std, expected_std, atol=1e-6)


@pytest.mark.parametrize("which", range(0, 20, 4))
def test_expected_improvement_is_close_to_its_formula(which: int) -> None:
    """Jones, Schonlau, Welch 1998, eq. 15; nothing is expected of a run that is known."""
    line, known = machine.slices()[which], list(machine.game(which)[:4])
    mean, std = textbook(line, known)
    best = line.accuracy[known].max()
    found = machine._gain(line, known)
    for i in range(20):
        z = (mean[i] - best) / std[i]
        exact = 0.0 if i in known else (mean[i] - best) * NORMAL.cdf(z) + std[i] * NORMAL.pdf(z)
        assert found[i] == pytest.approx(exact, abs=0.002 * std[i] + 1e-6)


def test_the_machine_takes_the_largest_expected_improvement_and_no_run_twice() -> None:
    """Pick by pick, on every slice."""
    for which, line in enumerate(machine.slices()):
        game = machine.game(which)
        assert len(set(game)) == len(game) == 12
        assert game[:2] == line.start
        for k in range(2, 12):
            gain = machine._gain(line, list(game[:k]))
            assert gain[game[k]] == gain.max()


def test_the_machine_needs_about_half_of_what_blind_choice_needs() -> None:
    """The surprise; counted by drawing blindly a thousand times on each slice."""
    rng, blind, counts = np.random.default_rng(0), [], []
    for which, line in enumerate(machine.slices()):
        close = set(np.flatnonzero(line.accuracy >= line.best - machine.CLOSE).tolist())
        others = [i for i in range(20) if i not in line.start]
        for _ in range(1000):
            order = rng.permutation(others).tolist()
            blind.append(0 if close & set(line.start) else min(order.index(i) for i in close if i in order) + 1)
        games = [i in close for i in machine.game(which)]
        counts.append(max(0, games.index(True) - 1) if True in games else machine.PICKS)
    machine_mean, blind_mean = machine._means()
    assert machine_mean == pytest.approx(np.mean(counts))
    assert blind_mean == pytest.approx(np.mean(blind), abs=0.15)
    assert machine_mean < 0.6 * blind_mean
    assert machine.right(round(machine_mean), {})
    assert not machine.right(round(machine_mean) + 3, {})


def test_the_slider_has_the_rates_of_the_table() -> None:
    """They are written out, so that importing the widget reads no file."""
    assert [c.values for c in machine.DESIGN.controls if c.name == "lr"] == [machine._rates()]
    assert np.allclose(machine._rates(), table().lr, rtol=0.04)


@pytest.mark.parametrize("picks", [0, 1, 4, 9])
def test_runs_that_nobody_made_are_not_in_the_picture(picks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With other results at all other places the picture of the student's runs is the same to the last byte."""
    rates = machine._rates()
    state = state_of(machine.DESIGN, picks=[rates[5 + k] for k in range(picks)])
    line = machine.slices()[0]
    before = machine._searched(line, state)
    known = {*line.start, *range(5, 5 + picks)}
    changed = np.array([a if i in known else 0.77 for i, a in enumerate(line.accuracy)])
    after = machine._searched(machine.Slice(changed, line.start), state)
    assert all(map(same, before.curves, after.curves))
    assert len(before.curves) == len(after.curves)
    assert not any(curve.label == "all twenty runs" for curve in before.curves)


def same(one: Any, other: Any) -> bool:
    """Whether two curves are equal."""
    return (one.label, one.style) == (other.label, other.style) and all(
        np.array_equal(getattr(one, axis), getattr(other, axis)) for axis in "xy"
    )


def test_before_the_prediction_two_runs_are_shown_and_no_model() -> None:
    """Neither the machine's picks nor anybody's best."""
    (plane,) = machine.numbers(state_of(machine.DESIGN, locked=False)).panels
    assert isinstance(plane, Plane)
    assert [len(curve.x) for curve in plane.curves] == [2]


def test_after_ten_picks_everything_is_shown() -> None:
    """The score of both, and the slice as it is."""
    state = state_of(machine.DESIGN, picks=list(machine._rates()[:10]))
    scene = machine.numbers(state)
    plane = scene.panels[0]
    assert isinstance(plane, Plane)
    assert any(curve.label == "all twenty runs" for curve in plane.curves)
    assert f"The best of the twenty is {machine.slices()[0].best:.3f}" in scene.line
    assert "Within 0.005 of the best run: you" in machine.explain(3, state)


def test_the_switch_stops_where_a_slow_loop_stops() -> None:
    """Cost more than three times the first, or not a finite number; counted in epochs of twenty steps."""
    costs = table().costs[:, :, 0]
    for i in range(20):
        for j in range(10):
            line = costs[i, j].tolist()
            stop = next((k for k, c in enumerate(line) if not math.isfinite(c) or c > 3 * line[0]), None)
            expected = 16 if stop is None else (stop + 1) / 20
            assert ranges.trained()[i, j] == pytest.approx(expected)


def test_a_run_is_the_nearest_of_the_table() -> None:
    """In the logarithm, first seed, after 16 epochs."""
    lr, reg = np.array([0.01, 3.0, 0.00033]), np.array([0.02, 0.9, 1e-5])
    found = ranges.results(lr, reg)
    for k in range(3):
        i, j = table().nearest(lr[k], reg[k])
        assert found.accuracy[k] == table().validation[i, j, 0, 4]
    assert found.stopped.tolist() == [False, True, False]
    assert found.saved == pytest.approx(16 - found.epochs[1])


@pytest.mark.parametrize("axes", ["log", "linear"])
@pytest.mark.parametrize("seed", range(5))
def test_a_grid_has_three_distinct_values_and_random_nine(axes: str, seed: int) -> None:
    """On both axes, and inside the range; drawn evenly on linear axes, hardly any rate is small."""
    for kind, number in (("grid", 3), ("random", 9)):
        runs = ranges._coarse(state_of(ranges.DESIGN, kind=kind, axes=axes, seed=seed))
        for values, k in ((runs.lr, 0), (runs.reg, 1)):
            assert len(np.unique(values.round(12))) == number
            assert (values >= 10 ** ranges._LOW[k] - 1e-12).all()
            assert (values <= 10 ** ranges._HIGH[k] + 1e-12).all()
        assert f"{number} different learning rates" in ranges._distinct(runs)
    spread = ranges._coarse(state_of(ranges.DESIGN, kind="random", axes="linear", seed=seed)).lr
    assert (spread < 0.1 * spread.max()).sum() <= 4


@pytest.mark.parametrize("kind", ["random", "grid"])
@pytest.mark.parametrize("block", range(5))
def test_a_finer_range_helps_the_median_and_hardly_the_best(kind: str, block: int, monkeypatch: Any) -> None:
    """What the explanation says of 200 draws holds for each of five other blocks of 100."""
    drawn = ranges.drawn
    monkeypatch.setattr(
        ranges, "drawn", lambda kind, low, high, seed: drawn(kind, low, high, seed + 5000 * (block + 1))
    )
    best, median = ranges.gains.__wrapped__(kind, 100)
    assert best < 0.03
    assert median > 0.08


def test_fine_runs_lie_in_the_box_and_the_box_in_the_range() -> None:
    """Also where the box is dragged into a corner."""
    for lr, reg in ((0.00032, 1e-5), (3.2, 1.0), (0.01, 0.001)):
        state = state_of(ranges.DESIGN, lr=lr, reg=reg)
        low, high = ranges._box(state)
        runs = ranges._fine(state)
        assert (low >= ranges._LOW).all()
        assert (high <= ranges._HIGH).all()
        for values, k in ((runs.lr, 0), (runs.reg, 1)):
            assert (np.log10(values) >= low[k] - 1e-9).all()
            assert (np.log10(values) <= high[k] + 1e-9).all()


def test_before_the_prediction_no_fine_run_is_shown() -> None:
    """Nothing that depends on the box."""
    shown = [
        pack(ranges.numbers(state_of(ranges.DESIGN, locked=False, lr=lr, reg=reg)))
        for lr, reg in ((0.001, 0.1), (0.01, 0.01))
    ]
    assert shown[0] == shown[1]


def test_best_and_median_in_the_bars_are_those_of_the_runs() -> None:
    """And each wrong answer is told its own reason."""
    state = state_of(ranges.DESIGN, lr=0.01, reg=0.01)
    bars = ranges.numbers(state).panels[2]
    assert isinstance(bars, Bars)
    for series, runs in zip(bars.series, (ranges._coarse(state), ranges._fine(state)), strict=True):
        assert series.y.tolist() == pytest.approx([max(runs.accuracy), np.median(runs.accuracy)])
    assert len({ranges.explain(answer, state) for answer in ranges.OPTIONS}) == len(ranges.OPTIONS)
