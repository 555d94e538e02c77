"""What 06_hyperparameter_search says about searches, measured: on five seeds, or on hundreds of races on the table.

Trainings are recorded in `runs.json`; see `tests/support/measured.py`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from course_lib.search.experiments import coarse, races, validation
from course_lib.search.experiments.coarse import Search
from course_lib.search.table import table
from tests.course_lib.search import runs
from tests.course_lib.search.runs import SEEDS
from tests.support.course import exercise_named

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

each_seed = pytest.mark.parametrize("seed", SEEDS)


def answer(exercise_id: str, name: str = "") -> Any:
    """A right answer: the reference's function of that name, or its first."""
    exercise = exercise_named(exercise_id)
    return exercise.namespace(exercise.reference_answer)[name or exercise.names[0]]


GP = exercise_named("gp-posterior").right_answers["cholesky"]
EI = exercise_named("expected-improvement").right_answers["std clamped"]
BAYESIAN = races.bayesian(GP, EI)


def searched(seed: int) -> tuple[Search, Search]:
    """The notebook's coarse search of a seed, and the fine one that follows from it."""
    first, second = (_search(found) for found in runs.searched(seed).values())
    return first, second


def _search(found: dict[str, Any]) -> Search:
    arrays = {name: np.array(found[name]) for name in ("lr", "reg", "accuracy", "stopped", "diverged")}
    return Search(**{**found, **arrays, "bounds": torch.tensor(found["bounds"], dtype=torch.float64)})


# --- part 1


@each_seed
def test_the_fine_search_lifts_the_median_and_the_worst_and_hardly_the_best(seed: int) -> None:
    """The worst fine run is above the coarse median; the best changes by less than 0.04 either way."""
    first, second = searched(seed)
    assert 0.2 < np.median(first.accuracy) < 0.47
    assert 0.15 < (first.accuracy < 0.2).mean() < 0.5
    assert np.median(second.accuracy) > 0.72
    assert second.accuracy.min() > 0.62 > np.median(first.accuracy)
    assert 0.77 < first.accuracy.max() < 0.83
    assert abs(second.accuracy.max() - first.accuracy.max()) < 0.04


def test_the_best_is_not_always_found_by_the_fine_search() -> None:
    """Over five seeds the fine search's best is higher in some and lower in others."""
    gains = [searched(seed)[1].accuracy.max() - searched(seed)[0].accuracy.max() for seed in SEEDS]
    assert min(gains) < 0 < max(gains)


@each_seed
def test_the_best_learning_rates_lie_at_the_border(seed: int) -> None:
    """The refined range ends at the upper bound of the coarse one, or within a fifth of a decade of it."""
    _, second = searched(seed)
    assert float(second.bounds[0, 1]) > 1e-3 / 10**0.2


@each_seed
def test_a_few_of_a_hundred_explode_and_stopping_them_saves_as_much(seed: int) -> None:
    """Three to six, nearly all of them by the penalty alone."""
    first, _ = searched(seed)
    stopped = first.stopped >= 0
    assert 2 <= stopped.sum() <= 8
    assert 0.02 < first.saved < 0.08
    assert (first.lr * first.reg > coarse.LIMIT)[stopped].mean() >= 0.75
    assert np.isin(np.flatnonzero(first.diverged), np.flatnonzero(stopped)).all()


def test_the_share_that_must_explode_is_the_area_of_a_corner() -> None:
    """Counted among a million draws it is 3.36%, within five standard errors."""
    area = (2 - math.log10(3.8)) ** 2 / 2 / 30
    assert area == pytest.approx(0.0336, abs=5e-5)
    assert coarse.share_beyond() == pytest.approx(area, abs=5 * math.sqrt(area / 1e6))


# --- part 2


@each_seed
def test_random_comes_nearer_if_one_axis_matters_and_the_grid_if_both_do(seed: int) -> None:
    """One: 80% of the cases at 9 trials, 91% at 100.  Both: 57, 48, 42%; level at 9, then the grid on average."""
    grid, random = answer("designs", "grid_design"), answer("designs", "random_design")
    tried = {(k, m): races.distances(grid, random, k, m, 2000, seed) for k in (3, 5, 10) for m in (1, 2)}
    assert tried[3, 1].random_wins == pytest.approx(0.80, abs=0.03)
    assert tried[10, 1].random_wins == pytest.approx(0.91, abs=0.03)
    assert all(tried[k, 1].random < 0.6 * tried[k, 1].grid for k in (3, 5, 10))
    assert tried[3, 2].random == pytest.approx(tried[3, 2].grid, rel=0.05)
    assert all(tried[k, 2].random > 1.08 * tried[k, 2].grid for k in (5, 10))
    assert [tried[k, 2].random_wins for k in (3, 5, 10)] == pytest.approx([0.57, 0.48, 0.42], abs=0.04)


@each_seed
def test_random_search_is_better_on_real_runs_with_two_idle_axes(seed: int) -> None:
    """In about 69% of the races with 8 trials, in about 63% with 27; better on average both times."""
    eight, many = (races.irrelevant_axes(k, 1000, seed) for k in (2, 3))
    assert (eight.random > eight.grid).mean() == pytest.approx(0.69, abs=0.04)
    assert (many.random > many.grid).mean() == pytest.approx(0.63, abs=0.04)
    assert eight.random.mean() - eight.grid.mean() > 0.007
    assert 0.002 < many.random.mean() - many.grid.mean() < eight.random.mean() - eight.grid.mean()


def test_the_explosion_rule_saves_a_fifth_of_the_table_and_throws_nothing_good_away() -> None:
    """20% of the runs are stopped at step 8; the best of them ends at 0.22; only 6% end with weights not finite."""
    rule = races.rule_on_table(answer("exploded"))
    assert rule.stopped == pytest.approx(0.20, abs=0.01)
    assert rule.step == pytest.approx(8, abs=1)
    assert rule.saved == pytest.approx(0.20, abs=0.01)
    assert rule.best < 0.23
    assert rule.diverged == pytest.approx(0.06, abs=0.01)
    assert 0.22 < (table().truth < 0.2).mean() < 0.28


# --- part 3


@each_seed
def test_the_winner_of_equal_trials_promises_too_much(seed: int) -> None:
    """0.094 with 100 images and 100 trials, 0.031 with 1,000, 0.01 with 10,000; nothing where there is one trial."""
    for on, promise in ((100, 0.094), (1000, 0.031), (10_000, 0.01)):
        assert validation.best_of(100, on, seed=seed).mean() - 0.8 == pytest.approx(promise, rel=0.05)
        assert validation.best_of(1, on, seed=seed).mean() == pytest.approx(0.8, abs=0.005)


@each_seed
def test_the_winner_of_real_runs_disappoints_the_more_the_fewer_images(seed: int) -> None:
    """0.065 too much with 100 images, 0.04 with 200, 0.02 with 500, 0.004 with 2,000; few images choose worse."""
    found = {on: validation.curse(on, seed=seed) for on in (100, 200, 500, 2000)}
    for on, promise in ((100, 0.065), (200, 0.042), (500, 0.021), (2000, 0.004)):
        assert (found[on].reported - found[on].fresh).mean() == pytest.approx(promise, abs=0.005)
    lost = [(curse.best - curse.fresh).mean() for curse in found.values()]
    assert lost == sorted(lost, reverse=True)


@each_seed
def test_five_folds_scatter_less_than_one_split(seed: int) -> None:
    """At most seven tenths of the error of one split, and a little too low on average."""
    found = validation.split_or_folds(answer("k-fold"), seed=seed)
    assert (found.folds - found.true).std() < 0.7 * (found.split - found.true).std()
    assert -0.05 < (found.folds - found.true).mean() < 0.01


def test_choosing_features_outside_of_the_folds_predicts_chance() -> None:
    """At least 0.9 on every seed with the leak; without it half, on average over ten."""
    leaks = [validation.leak(answer("k-fold"), seed=seed) for seed in range(10)]
    assert min(found.outside for found in leaks) >= 0.9
    assert np.mean([found.inside for found in leaks]) == pytest.approx(0.5, abs=0.06)


# --- part 4


@each_seed
def test_the_model_is_ahead_early_in_a_wide_box(seed: int) -> None:
    """100 races: ahead by 0.003 or more after 8 settings, and within 0.01 of the best sooner in the median race."""
    by_chance = races.race(races.random_search(), 100, 20, seed=1000 * seed)
    modelled = races.race(BAYESIAN, 100, 20, seed=1000 * seed)
    assert modelled.truth[:, 7].mean() - by_chance.truth[:, 7].mean() > 0.003
    assert modelled.median_until(0.01) <= 9 < by_chance.median_until(0.01)
    # The same luck: the first five settings are the same.
    np.testing.assert_array_equal(modelled.truth[:, :5], by_chance.truth[:, :5])


def test_after_forty_settings_and_in_a_good_box_random_search_is_as_good() -> None:
    """The differences are below 0.004; coarse to fine, too, is level with random search after 20.

    In the good box the settings differ by 0.03, four seeds of one setting by 0.026 on average.
    """
    fine = races.fine_places()
    assert np.ptp(table().truth.ravel()[fine]) == pytest.approx(0.0325, abs=5e-4)
    assert np.ptp(table().test.reshape(-1, 4)[fine], axis=1).mean() == pytest.approx(0.0256, abs=5e-4)
    by_chance, modelled = (races.race(strategy, 200) for strategy in (races.random_search(), BAYESIAN))
    assert abs(modelled.truth[:, 39].mean() - by_chance.truth[:, 39].mean()) < 0.004
    refined = races.race(races.coarse_then_fine(answer("refine-range")), 200, 20)
    assert abs(refined.truth[:, 19].mean() - by_chance.truth[:, 19].mean()) < 0.004
    good = races.race(races.random_search(fine), 200)
    inside = races.race(races.bayesian(GP, EI, places=fine), 200)
    assert abs(inside.truth - good.truth).mean(axis=0).max() < 0.02
    assert abs(inside.truth.mean(axis=0) - good.truth.mean(axis=0)).max() < 0.004


# --- part 5


def test_early_looks_tell_good_from_bad_and_like_large_rates() -> None:
    """0.70 over all after one epoch, 0.56 in the better half; 0.97 and 0.87 after eight; a rate 2.6 times too large."""
    ranks = races.early_ranks()
    assert ranks[1][:2] == pytest.approx((0.70, 0.56), abs=0.01)
    assert ranks[8][:2] == pytest.approx((0.97, 0.87), abs=0.01)
    assert ranks[1][2] == pytest.approx(0.025, rel=0.02)
    assert ranks[16][2] == pytest.approx(0.0094, rel=0.02)
    assert all(ranks[epoch][2] > 2 * ranks[16][2] for epoch in (1, 2, 4, 8))


@each_seed
def test_halving_is_near_full_training_and_insures_against_bad_draws(seed: int) -> None:
    """It loses less than 0.01; random search of as many epochs loses 0.03 or more from 16 settings, little from 64."""
    found = {n: races.halving(answer("successive-halving"), n, repetitions=200, seed=seed) for n in (16, 32, 64)}
    assert [result.epochs for result in found.values()] == [48, 96, 192]
    assert all(0 < result.full.mean() - result.halved.mean() < 0.01 for result in found.values())
    gains = [result.halved.mean() - result.random.mean() for result in found.values()]
    assert gains[0] > 0.03 > gains[1] > 0.003 > gains[2] > -0.003


def test_a_rate_that_falls_ends_higher_than_a_constant_one() -> None:
    """Cosine above the constant 0.05 on each of five seeds; all falling rates above both constant ones on average."""
    trained = runs.schedules.all()
    found = {kind: np.array([run[kind] for run in trained]) for kind in trained[0]}
    assert (found["cosine"] > found["large"]).all()
    means = {kind: each.mean() for kind, each in found.items()}
    assert means["large"] + 0.01 < means["small"] < min(means[kind] for kind in ("decayed", "steps", "cosine"))
    assert max(means.values()) - means["decayed"] < 0.02
    assert np.ptp(found["large"]) > np.ptp(found["cosine"])
