"""The numbers behind the widgets of weight regularization, against PyTorch and against slow loops."""

from __future__ import annotations

import itertools
import math
import re
import runpy
from typing import Any

import numpy as np
import pytest
import torch

from course_lib.regularization.widgets import paths, stopping
from course_lib.widgets.controls import clean
from course_lib.widgets.scene import Plane, pack
from tests.support.paths import ROOT

RUNS = range(16)


def state_of(design: Any, **changes: Any) -> dict[str, Any]:
    """The widget's first state, with changes, locked."""
    guess = changes.get("answer", getattr(design.prediction, "start", None))
    return {**clean(design.controls, changes), "locked": True, "answer": None, "guess": guess, **changes}


def test_the_recorded_curves_are_what_the_script_records() -> None:
    """Two of the sixteen runs, trained again."""
    record = runpy.run_path(str(ROOT / "scripts" / "make_stopping_curves.py"))["record"]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for seed in (0, 7):
            validation, test = record(seed)
            stored = stopping.recorded()[seed]
            # Another processor adds up in another order, and the curves drift apart while nothing is left to learn.
            assert np.abs(validation - stored.validation)[:20].max() < 0.02
            assert np.abs(test - stored.test)[:20].max() < 0.02
    finally:
        torch.set_num_threads(threads)


def slow_race(values: Any, patience: int, min_delta: float, beta: float, keep: str) -> tuple[int, int]:
    """Epoch by epoch, as one would write it down."""
    average, seen = 0.0, []
    best, bad, stop = math.inf, 0, len(values) - 1
    for epoch, value in enumerate(values):
        average = beta * average + (1 - beta) * value
        seen.append(average / (1 - beta ** (epoch + 1)))
        if seen[-1] < best - min_delta:
            best, bad = seen[-1], 0
        else:
            bad += 1
        if bad == patience:
            stop = epoch
            break
    curve = list(values[: stop + 1]) if keep == "raw" else seen
    return stop, curve.index(min(curve))


@pytest.mark.parametrize("keep", ["raw", "smooth"])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.8, 0.9])
def test_the_rule_is_that_of_a_slow_loop(beta: float, keep: str) -> None:
    """Every run, every patience, every min_delta that the sliders have."""
    sliders = {c.name: getattr(c, "values", ()) for c in stopping.DESIGN.controls}
    for number, patience, min_delta in itertools.product(RUNS, sliders["patience"], sliders["min_delta"]):
        run = stopping.recorded()[number]
        found = stopping.race(run, int(patience), min_delta, beta, keep)
        assert (found.stop, found.kept) == slow_race(run.validation, int(patience), min_delta, beta, keep)
        assert found.regret == pytest.approx(run.test[found.kept] - min(run.test))
        assert found.wasted == found.stop - found.kept


def test_stopping_by_hand_keeps_the_lowest_so_far() -> None:
    """And pays for all epochs until the marker."""
    run = stopping.recorded()[3]
    for epoch in (4, 10, 60):
        found = stopping.stopped_by_hand(run, epoch)
        assert found.stop == epoch
        assert run.validation[found.kept] == min(run.validation[: epoch + 1])


@pytest.mark.parametrize("epoch", [4, 9, 30])
def test_the_future_is_not_shown_before_it_is_locked_in(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another future, and other test losses, picture and words are the same to the last byte."""
    state = state_of(stopping.DESIGN, locked=False, guess=float(epoch))
    before = pack(stopping.numbers(state))
    changed = []
    for run in stopping.recorded():
        validation = run.validation.copy()
        validation[epoch + 1 :] = 0.1
        changed.append(stopping.Run(validation, np.zeros_like(run.test)))
    monkeypatch.setattr(stopping, "recorded", lambda: tuple(changed))
    assert pack(stopping.numbers(state)) == before


def test_what_the_student_is_told_to_see_is_there() -> None:
    """Over all runs: patience 1 keeps worse weights than 3 and 5; smoothed minima are later and worse than raw ones."""

    def mean(patience: int, beta: float, keep: str) -> tuple[float, float]:
        found = [stopping.race(run, patience, 0.0, beta, keep) for run in stopping.recorded()]
        return float(np.mean([one.regret for one in found])), float(np.mean([one.kept for one in found]))

    assert mean(1, 0.0, "raw")[0] > 3 * mean(3, 0.0, "raw")[0]
    assert mean(5, 0.0, "raw")[0] < 0.015
    assert mean(10, 0.0, "raw")[0] < 0.015
    for beta in (0.8, 0.9):
        raw, smooth = mean(5, beta, "raw"), mean(5, beta, "smooth")
        assert smooth[0] > 2 * raw[0]
        assert smooth[1] > raw[1] + 2


@pytest.mark.parametrize("number", RUNS)
def test_the_verdict_on_a_choice_gives_its_own_reason(number: int) -> None:
    """Too early, too late, and a good one, on every run."""
    told = {epoch: stopping.explain(epoch, state_of(stopping.DESIGN, seed=number)) for epoch in range(4, 61)}
    good = [epoch for epoch in told if stopping._good(stopping.recorded()[number], epoch)]
    assert good
    assert 60 not in good
    assert "in vain" in told[60]
    for epoch in told:
        found = stopping.stopped_by_hand(stopping.recorded()[number], epoch)
        assert ("too early" in told[epoch]) == (
            found.regret > 0.02 and found.kept != stopping.recorded()[number].validation.argmin()
        )
        if epoch in good:
            assert "in vain" not in told[epoch]
            assert "too early" not in told[epoch]


@pytest.mark.parametrize("epoch", [4, 19, 60])
def test_the_verdict_is_about_the_run_that_was_stopped(epoch: int) -> None:
    """Another run was stopped by nobody: the verdict stays, and text and picture speak of the same epoch."""
    first, other = (state_of(stopping.DESIGN, seed=seed, answer=float(epoch)) for seed in (0, 1))
    assert stopping.right(epoch, first) == stopping.right(epoch, other)
    assert stopping.explain(epoch, first).startswith(f"You stopped at epoch {epoch}.")
    assert stopping.explain(epoch, other).startswith(f"You stopped the first run at epoch {epoch}. Now the same")
    scene = stopping.numbers({**other, "guess": float(epoch)})
    assert "You: " not in scene.line
    assert isinstance(scene.panels[0], Plane)
    assert scene.panels[0].marks[0].label == f"your epoch, {epoch}"


def test_the_marker_of_the_answer_stays_in_the_picture() -> None:
    """After locking in: where the student stopped, and where the rule did."""
    scene = stopping.numbers(state_of(stopping.DESIGN, answer=17.0))
    plane = scene.panels[0]
    assert isinstance(plane, Plane)
    assert [mark.label for mark in plane.marks] == ["you stop at 17", "rule stops at 4"]


CONDITIONS, STEPS = (1.0, 10.0, 100.0), (100, 1000, 20_000)


@pytest.fixture(scope="module")
def descended() -> dict[int, torch.Tensor]:
    """The two weights after so many updates of torch.optim.SGD, a row for each of the conditions."""
    curvature = torch.tensor([[1.0, 1 / condition] for condition in CONDITIONS], dtype=torch.float64)
    w = torch.zeros_like(curvature, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=paths.RATE)
    found = {}
    for step in range(1, max(STEPS) + 1):
        optimizer.zero_grad()
        (0.5 * (curvature * (w - 1) ** 2).sum()).backward()
        optimizer.step()
        if step in STEPS:
            found[step] = w.detach().clone()
    return found


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("row", range(len(CONDITIONS)), ids=[f"condition-{c:g}" for c in CONDITIONS])
def test_gradient_descent_and_ridge_are_torchs(descended: dict[int, torch.Tensor], steps: int, row: int) -> None:
    """`steps` updates of torch.optim.SGD, and a linear system, give the two weights that the widget shows."""
    curvature = torch.tensor([1.0, 1 / CONDITIONS[row]], dtype=torch.float64)
    lam = 0.4
    ridge = torch.linalg.solve(torch.diag(curvature) + lam * torch.eye(2, dtype=torch.float64), curvature)
    stopped, shrunk = paths._reached(curvature.numpy(), steps, lam)
    assert np.allclose(stopped, descended[steps][row].numpy(), atol=1e-10)
    assert np.allclose(shrunk, ridge.numpy())


def test_tied_the_factors_differ_by_at_most_0_204() -> None:
    """For every number of steps on the slider, over eight decades of curvature; for many steps by nearly that much."""
    curvature = np.logspace(-8, 0.5, 20_001)
    gaps = [np.abs(np.subtract(*paths._reached(curvature, t, 1 / (paths.RATE * t)))).max() for t in paths.STEPS]
    assert max(gaps) < 0.2045
    assert gaps[-1] > 0.2035


@pytest.mark.parametrize("steps", [100.0, 2000.0, 1e6])
def test_tied_line_and_explanation_give_the_same_difference(steps: float) -> None:
    """That of the curvatures in the picture."""
    state = state_of(paths.DESIGN, answer="flat", tie="tied", steps=steps)
    found = re.search(r"differ by at most (0\.\d{3})\.", paths.numbers(state).line)
    assert found
    assert f"at no curvature in the picture are they more than {found[1]} apart" in paths.explain("flat", state)


def test_every_number_of_steps_has_its_lambda_on_the_other_slider() -> None:
    """So that tying them gives no rounded numbers."""
    for steps, lam in zip(paths.STEPS, paths.STRENGTHS, strict=True):
        assert lam * paths.RATE * steps == pytest.approx(1, rel=1e-9)


def test_the_flat_weight_is_shrunk_more_whatever_the_sliders_say() -> None:
    """The answer does not depend on where the student stands."""
    for steps, lam, condition in itertools.product(paths.STEPS, paths.STRENGTHS, (2.0, 10.0, 100.0)):
        for steep, flat in paths._reached(np.array([1.0, 1 / condition]), steps, lam):
            assert flat < steep or flat == steep == 1.0


def test_before_the_prediction_there_are_no_paths() -> None:
    """Contours, start and least squares, and the two curvatures: no curve from one to the other."""
    plane, spectrum = paths.numbers(state_of(paths.DESIGN, locked=False)).panels
    assert isinstance(plane, Plane)
    assert {curve.label for curve in plane.curves} == {"", "least squares", "start"}
    assert spectrum.title == "curvature along each weight"


@pytest.mark.parametrize("answer", paths.OPTIONS)
def test_each_answer_gets_its_own_reason_and_its_place_in_the_picture(answer: str) -> None:
    """A wrong choice is told why it is wrong."""
    state = state_of(paths.DESIGN, answer=answer)
    others = {paths.explain(other, state) for other in paths.OPTIONS if other != answer}
    assert paths.explain(answer, state) not in others
    plane = paths.numbers(state).panels[0]
    assert isinstance(plane, Plane)
    assert any(curve.label == "you said" for curve in plane.curves)
