"""What 04_weight_regularization says about training, measured: every claim with a margin, on five seeds or more."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from course_lib.regularization.experiments import bottleneck, decay, spectrum, stopping
from tests.course_lib.regularization.answers import (
    EarlyStopping,
    adam_l2_step,
    adamw_step,
    best_low_rank,
    gradient_descent_shrinkage,
    ridge_shrinkage,
    smooth,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SEEDS = (0, 1, 2, 3, 4)
MORE_SEEDS = (5, 6, 7, 8, 9)


# --- part 1: how strong?


@pytest.fixture(scope="module")
def sweep() -> decay.Sweep:
    """All strengths on five seeds."""
    return decay.l2_sweep(seeds=SEEDS)


def at(sweep: decay.Sweep, name: str) -> np.ndarray:
    """A quantity at the end, (seeds, strengths)."""
    return np.array(sweep.at_the_end(name))


def test_without_a_penalty_the_wrong_labels_are_learned_by_heart(sweep: decay.Sweep) -> None:
    """At least 99% of the training labels come back, on each seed."""
    assert at(sweep, "remembered")[:, 0].min() >= 0.99


def test_the_validation_loss_is_lowest_at_three_hundredths(sweep: decay.Sweep) -> None:
    """On each seed; on average about 0.94 against 1.35, and at 0.3 as bad as without a penalty."""
    losses = at(sweep, "validation")
    assert [sweep.strengths[i] for i in losses.argmin(1)] == [0.03] * len(SEEDS)
    means = losses.mean(0)
    assert means[5] == pytest.approx(0.94, abs=0.03)
    assert means[0] == pytest.approx(1.35, abs=0.05)
    assert means[-1] > means[0]


def test_the_textbook_s_strength_does_nothing(sweep: decay.Sweep) -> None:
    """1e-4 changes the mean validation loss by less than 0.01; on no seed by more than 0.02."""
    losses = at(sweep, "validation")
    assert abs(losses[:, 1].mean() - losses[:, 0].mean()) < 0.01
    assert np.abs(losses[:, 1] - losses[:, 0]).max() < 0.02


def test_the_norm_falls_and_the_gap_turns(sweep: decay.Sweep) -> None:
    """With every step of the strength on each seed; from 0.1 on the training loss is above the validation loss."""
    assert (np.diff(at(sweep, "norms"), axis=1) < 0).all()
    gap = np.array(sweep.gap)
    assert (gap[:, :6] > 0.3).all()
    assert (gap[:, 6:] < 0).all()


def test_strong_penalties_leave_small_filters(sweep: decay.Sweep) -> None:
    """At 0.1 the largest weight is about a fifth of that without a penalty."""
    plain, strong = (float(sweep.filters(lam).abs().max()) for lam in (0.0, 0.1))
    assert strong / plain == pytest.approx(0.2, abs=0.06)


def test_how_much_of_a_silent_weight_is_left(sweep: decay.Sweep) -> None:
    """After the 420 steps of the sweep: 99% at 1e-4, 43% at 0.01, 7% at 0.03."""
    assert sweep.steps == 420
    left = [decay.left_by_decay(lam, 420) for lam in (1e-4, 1e-2, 3e-2)]
    assert left == pytest.approx([0.99, 0.43, 0.07], abs=0.005)


def test_half_lives() -> None:
    """13,863 steps at 0.1 and 5e-4; 69,314 at 1e-3 and 0.01; a training of 200 epochs has 78,200."""
    assert [round(decay.half_life(0.1, 5e-4)), round(decay.half_life(1e-3, 0.01))] == [13_863, 69_314]
    assert 200 * math.ceil(50_000 / 128) == 78_200


def test_he_s_initialization_leaves_the_norm_little_room(sweep: decay.Sweep) -> None:
    """16.6 at the start, about 19 after training without a penalty."""
    expected = math.sqrt(128 * 196 * 2 / 196 + 10 * 128 * 2 / 128)
    assert expected == pytest.approx(16.6, abs=0.05)
    assert at(sweep, "norms")[:, 0] == pytest.approx(np.full(5, 19.3), abs=0.6)


# --- part 2: Adam


@pytest.fixture(scope="module")
def adam_runs() -> list[decay.AdamRun]:
    """Both rules at five strengths on five seeds."""
    rules = {"L2 in Adam": adam_l2_step, "AdamW": adamw_step}
    return decay.adam_runs(rules, (1e-6, 1e-4, 1e-2, 1e-1, 1.0), SEEDS, epochs=30)


def of(runs: list[decay.AdamRun], rule: str, lam: float) -> list[decay.AdamRun]:
    """The runs of one rule at one strength."""
    return [run for run in runs if (run.rule, run.lam) == (rule, lam)]


def test_momentum_breaks_the_equality() -> None:
    """After ten steps 0.62 and 0.90 are left; the penalty in the gradient even goes below zero."""
    coupled, beside = decay.silent_weight(60).values()
    assert (coupled[1], beside[1]) == pytest.approx((0.99, 0.99))
    assert (coupled[10], beside[10]) == pytest.approx((0.62, 0.90), abs=0.005)
    assert min(coupled) < -0.1


@pytest.mark.parametrize("lam", [1e-6, 1e-4, 1e-2, 1e-1, 1.0])
def test_in_adam_a_penalty_of_any_strength_wipes_out_dead_weights(adam_runs: list[decay.AdamRun], lam: float) -> None:
    """1 to 2% is left; AdamW leaves (1 - lr lam)^steps."""
    assert all(0.005 < run.dead < 0.02 for run in of(adam_runs, "L2 in Adam", lam))
    assert [run.dead for run in of(adam_runs, "AdamW", lam)] == pytest.approx([(1 - 1e-3 * lam) ** 600] * 5, abs=1e-3)


def test_adamw_forgives_a_wrong_strength_and_is_not_better_at_the_right_one(adam_runs: list[decay.AdamRun]) -> None:
    """Lowest mean losses about 0.82, equal within 0.01; at 0.1 the penalty costs at least 0.2 and AdamW 0.02."""
    means = {
        (rule, lam): float(np.mean([run.validation for run in of(adam_runs, rule, lam)]))
        for rule, lam in {(run.rule, run.lam) for run in adam_runs}
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


@pytest.mark.parametrize("seeds", [SEEDS, MORE_SEEDS], ids=["first", "further"])
def test_the_best_network_is_an_early_one_and_patience_finds_it(seeds: tuple[int, ...]) -> None:
    """Patience 1 costs about 0.04, 5 next to nothing, 10 no less; a min_delta costs more at every patience."""
    runs = stopping.overfitting(seeds)
    lowest = runs.validation.min(0)
    assert all(4 <= int(place) <= 14 for place in lowest.indices)
    assert (runs.validation[-1] / lowest.values).min() > 1.3
    assert float(runs.validation[10:].diff(dim=0).abs().mean()) == pytest.approx(0.02, abs=0.008)
    ends = stopping.patience_regrets(EarlyStopping, runs, (1, 2, 3, 5, 10), (0.0, 0.05, 0.1))
    regret = {key: found.regret for key, found in ends.items()}
    assert 0.025 < regret[0.0, 1] < 0.08
    assert regret[0.0, 5] < 0.01
    assert abs(regret[0.0, 10] - regret[0.0, 5]) < 0.002
    assert all(regret[delta, patience] > regret[0.0, patience] - 1e-9 for delta, patience in regret)
    assert regret[0.1, 5] > 0.025
    assert sum(ends[0.0, 10].stops) > sum(ends[0.0, 5].stops)


def test_the_five_seeds_of_the_notebook() -> None:
    """Lowest in epochs 6 to 11, counted from 1; 1.4 to 1.6 times as high at the end."""
    runs = stopping.overfitting(SEEDS)
    lowest = runs.validation.min(0)
    epochs, ratios = lowest.indices + 1, runs.validation[-1] / lowest.values
    assert (int(epochs.min()), int(epochs.max())) == pytest.approx((6, 11), abs=2)
    assert (float(ratios.min()), float(ratios.max())) == pytest.approx((1.4, 1.6), abs=0.1)


@pytest.mark.parametrize("first", [0, 10])
def test_smoothing_tells_when_to_stop_and_not_which_weights_to_keep(first: int) -> None:
    """On ten runs: at its own minimum 0.02 to 0.04 whatever the patience; the raw choice before its stop about 0.01."""
    runs = stopping.fluctuating(epochs=40, first=first)
    ends = stopping.smoothing_regrets(EarlyStopping, smooth, runs, (3, 5, 10, 20), 0.9)
    raw, calm, both = ([ends[rule, patience].regret for patience in (3, 5, 10, 20)] for rule in stopping.RULES)
    assert raw[0] > 0.045
    assert raw[3] < 0.015
    assert all(0.015 < value < 0.045 for value in calm)
    assert all(value < 0.015 for value in both)
    assert all(b < c - 0.01 for b, c in zip(both, calm, strict=True))
    better = [
        sum(b <= c for b, c in zip(ends[stopping.RULES[2], p].regrets, ends[stopping.RULES[1], p].regrets, strict=True))
        for p in (3, 5, 10, 20)
    ]
    assert min(better) >= 7
    assert _regret_of_going_back(runs, 9) > max(calm[1], both[1]) + 0.005


def _regret_of_going_back(runs: stopping.Runs, lag: int) -> float:
    """Mean regret of the check that lies the lag before the smoothed minimum, with a patience of 5."""
    regrets = []
    for curve, test in zip(runs.validation.T, runs.test.T, strict=True):
        _, kept = stopping.stop_and_keep(EarlyStopping(5), smooth(curve, 0.9).tolist())
        regrets.append(float(test[max(0, kept - lag)] - test.min()))
    return float(np.mean(regrets))


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


@pytest.mark.parametrize("seeds", [SEEDS, MORE_SEEDS], ids=["first", "further"])
def test_small_weights_stay_small_by_stopping_as_by_decay(seeds: tuple[int, ...]) -> None:
    """Norms of 4 to 6 both ways, about 11 with neither; losses within 0.15, and both below 0.75 of neither."""
    found = stopping.equal_norms(seeds=seeds)
    assert found.best_strength == 0.05
    norms, losses = found.norms, found.losses
    assert all(3.8 < norm < 6.2 for way in ("stopped", "decayed") for norm in norms[way])
    assert all(10 < norm < 11.5 for norm in norms["neither"])
    assert all(0.7 < a / b < 1.5 for a, b in zip(norms["stopped"], norms["decayed"], strict=True))
    for stopped, decayed, neither in zip(*losses.values(), strict=True):
        assert abs(stopped - decayed) < 0.15
        assert max(stopped, decayed) < 0.75 * neither
    means = [float(np.mean(values)) for values in losses.values()]
    assert means == pytest.approx([0.90, 0.95, 1.48], abs=0.06)


# --- part 6: fewer parameters


@pytest.mark.parametrize("examples", [60, 100, 200])
def test_a_bottleneck_as_wide_as_the_truth_wins(examples: int) -> None:
    """In 20 of 20 repetitions; the training error falls with the width in each."""
    found = bottleneck.teacher_errors(best_low_rank, examples=examples)
    assert found.winners == [3] * 20
    assert (np.diff(found.train, axis=1) < 0).all()
    if examples == 100:
        means = np.mean(found.excess, axis=0)
        assert (means[2], means[-1]) == pytest.approx((0.10, 1.03), abs=0.03)


@pytest.mark.parametrize("seeds", [SEEDS, MORE_SEEDS], ids=["first", "further"])
def test_fewer_parameters_alone_are_no_regularizer(seeds: tuple[int, ...]) -> None:
    """Width 8 memorizes, and no width has a lower validation loss than the direct map, on each seed."""
    found = bottleneck.narrow_networks(seeds=seeds)
    remembered, validation = found.at_the_end("remembered"), found.at_the_end("validation")
    assert np.mean(remembered[8]) == pytest.approx(0.96, abs=0.02)
    for width in found.widths[1:]:
        assert all(narrow > direct for narrow, direct in zip(validation[width], validation[0], strict=True)), width
    assert np.mean(validation[8]) == pytest.approx(1.7, abs=0.15)
    assert np.mean(validation[0]) == pytest.approx(1.05, abs=0.06)
    on_the_way = [float(runs.validation.min(0).values.mean()) for runs in found.runs]
    assert on_the_way[0] == min(on_the_way)
    assert all(
        best < at_the_end for best, at_the_end in zip(on_the_way, map(np.mean, validation.values()), strict=True)
    )
