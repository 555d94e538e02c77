"""What 04_weight_regularization says about training, measured: every claim with a margin, on five seeds or more.

Trainings are recorded in `runs.json`; see `tests/support/measured.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from course_lib.regularization.experiments import bottleneck, decay, spectrum, stopping
from tests.course_lib.regularization import runs
from tests.course_lib.regularization.answers import (
    EarlyStopping,
    best_low_rank,
    gradient_descent_shrinkage,
    ridge_shrinkage,
)
from tests.course_lib.regularization.runs import PATIENCES, SEEDS, SETS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


# --- part 1: how strong?


@pytest.fixture(scope="module")
def sweep() -> list[dict[str, Any]]:
    """All strengths on five seeds."""
    return runs.l2_sweep.all()


def at(sweep: list[dict[str, Any]], name: str) -> np.ndarray:
    """A quantity at the end, (seeds, strengths)."""
    return np.array([of_seed[name] for of_seed in sweep])


def test_without_a_penalty_the_wrong_labels_are_learned_by_heart(sweep: list[dict[str, Any]]) -> None:
    """At least 99% of the training labels come back, on each seed."""
    assert at(sweep, "remembered")[:, 0].min() >= 0.99


def test_the_validation_loss_is_lowest_at_three_hundredths(sweep: list[dict[str, Any]]) -> None:
    """On each seed; on average about 0.94 against 1.35, and at 0.3 as bad as without a penalty."""
    losses = at(sweep, "validation")
    assert [sweep[0]["strengths"][i] for i in losses.argmin(1)] == [0.03] * len(SEEDS)
    means = losses.mean(0)
    assert means[5] == pytest.approx(0.94, abs=0.03)
    assert means[0] == pytest.approx(1.35, abs=0.05)
    assert means[-1] > means[0]


def test_the_textbook_s_strength_does_nothing(sweep: list[dict[str, Any]]) -> None:
    """1e-4 changes the mean validation loss by less than 0.01; on no seed by more than 0.02."""
    losses = at(sweep, "validation")
    assert abs(losses[:, 1].mean() - losses[:, 0].mean()) < 0.01
    assert np.abs(losses[:, 1] - losses[:, 0]).max() < 0.02


def test_the_norm_falls_and_the_gap_turns(sweep: list[dict[str, Any]]) -> None:
    """With every step of the strength on each seed; from 0.1 on the training loss is above the validation loss."""
    assert (np.diff(at(sweep, "norms"), axis=1) < 0).all()
    gap = at(sweep, "gap")
    assert (gap[:, :6] > 0.3).all()
    assert (gap[:, 6:] < 0).all()


def test_strong_penalties_leave_small_filters(sweep: list[dict[str, Any]]) -> None:
    """At 0.1 the largest weight is about a fifth of that without a penalty."""
    plain, strong = sweep[0]["largest weights"]
    assert strong / plain == pytest.approx(0.2, abs=0.06)


def test_how_much_of_a_silent_weight_is_left(sweep: list[dict[str, Any]]) -> None:
    """After the 420 steps of the sweep: 99% at 1e-4, 43% at 0.01, 7% at 0.03."""
    assert {of_seed["steps"] for of_seed in sweep} == {420}
    left = [decay.left_by_decay(lam, 420) for lam in (1e-4, 1e-2, 3e-2)]
    assert left == pytest.approx([0.99, 0.43, 0.07], abs=0.005)


def test_half_lives() -> None:
    """13,863 steps at 0.1 and 5e-4; 69,314 at 1e-3 and 0.01; a training of 200 epochs has 78,200."""
    assert [round(decay.half_life(0.1, 5e-4)), round(decay.half_life(1e-3, 0.01))] == [13_863, 69_314]
    assert 200 * math.ceil(50_000 / 128) == 78_200


def test_he_s_initialization_leaves_the_norm_little_room(sweep: list[dict[str, Any]]) -> None:
    """16.6 at the start, about 19 after training without a penalty."""
    expected = math.sqrt(128 * 196 * 2 / 196 + 10 * 128 * 2 / 128)
    assert expected == pytest.approx(16.6, abs=0.05)
    assert at(sweep, "norms")[:, 0] == pytest.approx(np.full(5, 19.3), abs=0.6)


# --- part 2: Adam


@pytest.fixture(scope="module")
def adam_runs() -> list[dict[str, Any]]:
    """Both rules at five strengths on five seeds."""
    return [run for of_seed in runs.adam.all() for run in of_seed]


def of(trained: list[dict[str, Any]], quantity: str, rule: str, lam: float) -> list[float]:
    """A quantity of one rule at one strength, for each seed."""
    return [run[quantity] for run in trained if (run["rule"], run["lam"]) == (rule, lam)]


def test_momentum_breaks_the_equality() -> None:
    """After ten steps 0.62 and 0.90 are left; the penalty in the gradient even goes below zero."""
    coupled, beside = decay.silent_weight(60).values()
    assert (coupled[1], beside[1]) == pytest.approx((0.99, 0.99))
    assert (coupled[10], beside[10]) == pytest.approx((0.62, 0.90), abs=0.005)
    assert min(coupled) < -0.1


@pytest.mark.parametrize("lam", [1e-6, 1e-4, 1e-2, 1e-1, 1.0])
def test_in_adam_a_penalty_of_any_strength_wipes_out_dead_weights(adam_runs: list[dict[str, Any]], lam: float) -> None:
    """1 to 2% is left; AdamW leaves (1 - lr lam)^steps."""
    left = of(adam_runs, "dead", "L2 in Adam", lam)
    assert len(left) == 5
    assert all(0.005 < share < 0.02 for share in left)
    assert of(adam_runs, "dead", "AdamW", lam) == pytest.approx([(1 - 1e-3 * lam) ** 600] * 5, abs=1e-3)


def test_adamw_forgives_a_wrong_strength_and_is_not_better_at_the_right_one(adam_runs: list[dict[str, Any]]) -> None:
    """Lowest mean losses about 0.82, equal within 0.01; at 0.1 the penalty costs at least 0.2 and AdamW 0.02."""
    means = {
        (rule, lam): float(np.mean(of(adam_runs, "validation", rule, lam)))
        for rule, lam in {(run["rule"], run["lam"]) for run in adam_runs}
    }
    best = {rule: min(value for (r, _), value in means.items() if r == rule) for rule in ("L2 in Adam", "AdamW")}
    assert best["L2 in Adam"] == pytest.approx(best["AdamW"], abs=0.01)
    assert best["AdamW"] == pytest.approx(0.82, abs=0.04)
    assert means["L2 in Adam", 0.1] > best["L2 in Adam"] + 0.2
    assert means["AdamW", 0.1] < best["AdamW"] + 0.02
    assert means["L2 in Adam", 1.0] > 2.0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("factor", [0.5, 3.0, 10.0])
def test_decay_before_a_normalization_does_not_touch_the_function(seed: int, factor: float) -> None:
    """The outputs stay, the gradient is divided by the factor and is orthogonal to the weights."""
    found = decay.scaled_before_norm(factor, seed)
    assert found.change < 1e-4
    assert found.gradient == pytest.approx(1 / factor, rel=1e-3)
    assert abs(found.along) < 1e-4


# --- part 4: stopping


@dataclass
class Curves:
    """Losses over the epochs, (epochs, seeds)."""

    validation: torch.Tensor
    test: torch.Tensor


def overfitting(which: str) -> Any:
    """Networks that memorize their images."""
    return Curves(**{name: torch.tensor(values) for name, values in runs.overfitting(which).items()})


@pytest.mark.parametrize("which", SETS)
def test_the_best_network_is_an_early_one_and_patience_finds_it(which: str) -> None:
    """Patience 1 costs about 0.04, 5 next to nothing, 10 no less; a min_delta costs more at every patience."""
    curves = overfitting(which)
    lowest = curves.validation.min(0)
    assert all(4 <= int(place) <= 14 for place in lowest.indices)
    assert (curves.validation[-1] / lowest.values).min() > 1.3
    assert float(curves.validation[10:].diff(dim=0).abs().mean()) == pytest.approx(0.02, abs=0.008)
    ends = stopping.patience_regrets(EarlyStopping, curves, (1, 2, 3, 5, 10), (0.0, 0.05, 0.1))
    regret = {key: found.regret for key, found in ends.items()}
    assert 0.025 < regret[0.0, 1] < 0.08
    assert regret[0.0, 5] < 0.01
    assert abs(regret[0.0, 10] - regret[0.0, 5]) < 0.002
    assert all(regret[delta, patience] > regret[0.0, patience] - 1e-9 for delta, patience in regret)
    assert regret[0.1, 5] > 0.025
    assert sum(ends[0.0, 10].stops) > sum(ends[0.0, 5].stops)


def test_the_five_seeds_of_the_notebook() -> None:
    """Lowest in epochs 6 to 11, counted from 1; 1.4 to 1.6 times as high at the end."""
    curves = overfitting("first")
    lowest = curves.validation.min(0)
    epochs, ratios = lowest.indices + 1, curves.validation[-1] / lowest.values
    assert (int(epochs.min()), int(epochs.max())) == pytest.approx((6, 11), abs=2)
    assert (float(ratios.min()), float(ratios.max())) == pytest.approx((1.4, 1.6), abs=0.1)


@pytest.mark.parametrize("first", [0, 10])
def test_smoothing_tells_when_to_stop_and_not_which_weights_to_keep(first: int) -> None:
    """On ten runs: at its own minimum 0.02 to 0.04 whatever the patience; the raw choice before its stop about 0.01."""
    found = runs.smoothing(first)
    regrets = {rule: np.array(found["regrets"][rule]) for rule in stopping.RULES}
    assert all(each.shape == (len(PATIENCES), 10) for each in regrets.values())
    raw, calm, both = (each.mean(axis=1).tolist() for each in regrets.values())
    assert raw[0] > 0.045
    assert raw[3] < 0.015
    assert all(0.015 < value < 0.045 for value in calm)
    assert all(value < 0.015 for value in both)
    assert all(b < c - 0.01 for b, c in zip(both, calm, strict=True))
    better = (regrets[stopping.RULES[2]] <= regrets[stopping.RULES[1]]).sum(axis=1)
    assert better.min() >= 7
    assert found["going back"] > max(calm[1], both[1]) + 0.005


# --- part 5: two ways to stay small


def test_the_two_shares_are_at_most_a_fifth_apart() -> None:
    """0.204, where lr h t = 2.51, if the steps are short; 0.23 after ten steps, 0.5 after one; never fitted less."""
    difference, place = spectrum.largest_difference(ridge_shrinkage, gradient_descent_shrinkage)
    assert (difference, place) == pytest.approx((0.204, 2.51), abs=5e-3)
    h = torch.logspace(-6, 0, 10_000, dtype=torch.float64)  # lr h is at most 1
    for steps, largest in ((1, 0.5), (10, 0.23), (1000, 0.204)):
        gap = gradient_descent_shrinkage(h, 1.0, steps) - ridge_shrinkage(h, 1 / steps)
        assert float(gap.min()) >= -1e-12
        assert float(gap.max()) == pytest.approx(largest, abs=5e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_stopping_and_ridge_on_real_images(seed: int) -> None:
    """Equally deep valleys, stopping ahead by 0.001 to 0.03; one direction; the calibration is right within 5 times."""
    problem = spectrum.regression(seed)
    steps = sorted({round(10 ** (k / 8)) for k in range(41)})
    paths = spectrum.solutions(problem, ridge_shrinkage, gradient_descent_shrinkage, steps)
    descent, ridge = paths.best["gradient descent"], paths.best["ridge"]
    assert 0.55 < descent < ridge < 0.65
    assert ridge - descent < 0.03
    assert min(paths.cosine) > 0.98
    assert problem.error(torch.ones_like(problem.h)) > 100
    assert 0.2 < paths.best_at["gradient descent"] / paths.best_at["ridge"] < 0.55
    norms = np.linspace(0.1, 1.0, 50)
    errors = [np.interp(norms, paths.norms[way], paths.errors[way]) for way in ("gradient descent", "ridge")]
    assert float(np.abs(errors[0] - errors[1]).max()) < 0.05


@pytest.mark.parametrize("which", SETS)
def test_small_weights_stay_small_by_stopping_as_by_decay(which: str) -> None:
    """Norms of 4 to 6 both ways, about 11 with neither; losses within 0.15, and both below 0.75 of neither."""
    found = runs.equal_norms(which)
    assert found["best strength"] == 0.05
    norms, losses = found["norms"], found["losses"]
    assert list(losses) == list(norms) == ["stopped", "decayed", "neither"]
    assert all(len(norms[way]) == len(losses[way]) == 5 for way in norms)
    assert all(3.8 < norm < 6.2 for way in ("stopped", "decayed") for norm in norms[way])
    assert all(10 < norm < 11.5 for norm in norms["neither"])
    assert all(0.7 < a / b < 1.5 for a, b in zip(norms["stopped"], norms["decayed"], strict=True))
    for stopped, decayed, neither in zip(*losses.values(), strict=True):
        assert abs(stopped - decayed) < 0.15
        assert max(stopped, decayed) < 0.75 * neither
    means = [float(np.mean(values)) for values in losses.values()]
    assert means == pytest.approx([0.90, 0.95, 1.48], abs=0.06)


# --- part 6: fewer parameters

QUANTITIES = ("remembered", "validation")


@pytest.mark.parametrize("examples", [60, 100, 200])
def test_a_bottleneck_as_wide_as_the_truth_wins(examples: int) -> None:
    """In 20 of 20 repetitions; the training error falls with the width in each."""
    found = bottleneck.teacher_errors(best_low_rank, examples=examples)
    assert found.winners == [3] * 20
    assert (np.diff(found.train, axis=1) < 0).all()
    if examples == 100:
        means = np.mean(found.excess, axis=0)
        assert (means[2], means[-1]) == pytest.approx((0.10, 1.03), abs=0.03)


@pytest.mark.parametrize("which", SETS)
def test_fewer_parameters_alone_are_no_regularizer(which: str) -> None:
    """Width 8 memorizes, and no width has a lower validation loss than the direct map, on each seed."""
    found = runs.narrow(which)
    remembered, validation = ({int(width): each for width, each in found[name].items()} for name in QUANTITIES)
    assert list(validation) == [0, 2, 4, 8, 16, 32, 128]
    assert np.mean(remembered[8]) == pytest.approx(0.96, abs=0.02)
    for width in list(validation)[1:]:
        assert all(narrow > direct for narrow, direct in zip(validation[width], validation[0], strict=True)), width
    assert np.mean(validation[8]) == pytest.approx(1.7, abs=0.15)
    assert np.mean(validation[0]) == pytest.approx(1.05, abs=0.06)
    on_the_way = found["lowest"]
    assert on_the_way[0] == min(on_the_way)
    assert all(
        best < at_the_end for best, at_the_end in zip(on_the_way, map(np.mean, validation.values()), strict=True)
    )
