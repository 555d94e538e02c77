"""What the notebook says about the transfer table is read off the stored runs, and a sample of those is run again.

Whatever runs again is recorded in `runs.json`; see `tests/support/measured.py`.
"""

from __future__ import annotations

import itertools
import statistics

import pytest

from course_lib.transfer.experiments import quadrants as experiments
from course_lib.transfer.experiments.quadrants import PER_CLASS, RECIPES, SEEDS, TARGETS, Run, Summary
from tests.course_lib.transfer.runs import PROBES, SAMPLE, SMALL, cell

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def table() -> dict[tuple[str, int, str], Summary]:
    """The stored runs, by cell."""
    return experiments.summaries(experiments.stored_runs())


@pytest.mark.parametrize("recipe", PROBES)
@pytest.mark.parametrize("target", list(TARGETS))
def test_every_stored_probe_can_be_repeated(target: str, recipe: str) -> None:
    """A linear classifier has one solution, so each stored run comes out again up to a few test images."""
    stored = {(r.target, r.per_class, r.recipe, r.seed): r.accuracy for r in experiments.stored_runs()}
    for per_class, seed in itertools.product(PER_CLASS, SEEDS):
        again = cell((target, per_class, recipe, seed))
        assert again == pytest.approx(stored[target, per_class, recipe, seed], abs=0.01), (per_class, seed)


@pytest.mark.parametrize(("target", "per_class", "recipe", "seed"), SAMPLE)
def test_a_sample_of_trained_cells_comes_out_again(
    table: dict[tuple[str, int, str], Summary], target: str, per_class: int, recipe: str, seed: int
) -> None:
    """Rounding may differ between processors, and training amplifies it: within half the spread between seeds."""
    stored = table[target, per_class, recipe].accuracies
    again = cell((target, per_class, recipe, seed))
    assert abs(again - stored[seed]) <= 0.5 * (max(stored) - min(stored))


def test_the_spread_is_real(table: dict[tuple[str, int, str], Summary]) -> None:
    """The tolerance above is worth something: no cell is constant, and few images spread more than many."""
    for target, recipe in itertools.product(TARGETS, RECIPES):
        few, many = (table[target, n, recipe].std for n in (1, 100))
        assert few > many > 0
        assert statistics.fmean(table[target, 100, recipe].accuracies) > table[target, 1, recipe].mean + 0.2


Table = dict[tuple[str, int, str], Summary]


def gaps(table: Table, target: str, per_class: int, better: str, worse: str) -> list[float]:
    """How much more accurate one recipe is than another, on the same images, seed by seed."""
    found = (table[target, per_class, recipe].accuracies for recipe in (better, worse))
    return [a - b for a, b in zip(*found, strict=True)]


def winner(table: Table, target: str, per_class: int) -> str:
    """The recipe with the highest mean accuracy."""
    return experiments.best_recipes(table, target, per_class)[0]


def test_little_data_and_similar_asks_for_a_probe_at_the_top(table: Table) -> None:
    """As the lecture says: with one image per class it wins, with five it is level with fine-tuning the last block."""
    assert winner(table, "similar", 1) == "probe-3"
    assert "probe-3" in experiments.best_recipes(table, "similar", 5)
    for per_class, margin in ((1, 0.1), (5, 0.04)):
        lead = gaps(table, "similar", per_class, "probe-3", "scratch")
        assert min(lead) > 0.02
        assert statistics.fmean(lead) > margin


def test_little_data_and_different_asks_for_an_earlier_block(table: Table) -> None:
    """As the lecture says: on digits block 2 beats the top on every draw, and block 1 is too early."""
    assert winner(table, "different", 1) == "probe-2"
    for per_class in (1, 5):
        lead = gaps(table, "different", per_class, "probe-2", "probe-3")
        assert min(lead) > 0.005
        assert statistics.fmean(lead) > 0.025
        assert statistics.fmean(gaps(table, "different", per_class, "probe-2", "probe-1")) > 0.04


def test_on_clothes_the_top_is_not_worse_than_block_2_with_little_data(table: Table) -> None:
    """The other side of the same coin: how similar the target is decides how high to probe."""
    for per_class in (1, 5):
        assert statistics.fmean(gaps(table, "similar", per_class, "probe-3", "probe-2")) > 0.005


def test_much_data_asks_for_fine_tuning_and_digits_for_more_of_it(table: Table) -> None:
    """Similar: one block is as good as three.  Different: three blocks beat one."""
    for recipe in PROBES:
        for target in TARGETS:
            assert statistics.fmean(gaps(table, target, 100, "tune-3", recipe)) > 0.01
    assert abs(statistics.fmean(gaps(table, "similar", 100, "tune-3", "tune-1"))) < 0.01
    assert min(gaps(table, "different", 20, "tune-3", "tune-1")) > 0.005
    assert statistics.fmean(gaps(table, "different", 20, "tune-3", "tune-1")) > 0.02
    assert statistics.fmean(gaps(table, "different", 100, "tune-3", "tune-1")) > 0.006


@pytest.mark.parametrize("target", list(TARGETS))
def test_with_much_data_pretraining_gains_next_to_nothing(table: Table, target: str) -> None:
    """Where the lecture's table is silent: training from scratch is level with fine-tuning everything."""
    assert abs(statistics.fmean(gaps(table, target, 100, "tune-3", "scratch"))) < 0.012
    assert "scratch" in experiments.best_recipes(table, target, 100)


def test_a_probe_costs_a_fraction_of_a_fine_tuning(table: Table) -> None:
    """Frozen blocks are computed once, and a linear classifier is solved for."""
    for target in TARGETS:
        assert table[target, 100, "probe-3"].seconds < 0.2 * table[target, 100, "tune-3"].seconds


def test_the_repetition_in_small_says_the_same() -> None:
    """What the notebook runs live, with the notebook's default: the same order where the table is clear."""
    runs = [Run(*unit, cell(unit), 0.0) for unit in SMALL]
    found = experiments.summaries(runs)
    mean = {cell: summary.mean for cell, summary in found.items()}
    assert mean["similar", 5, "probe-3"] > mean["similar", 5, "scratch"] + 0.02
    assert mean["different", 5, "probe-2"] > mean["different", 5, "probe-3"]
    for target in TARGETS:
        assert mean[target, 100, "tune-3"] > mean[target, 100, "probe-3"]


def test_the_repetition_in_small_runs_the_cells_of_the_table() -> None:
    """What the notebook's cell does, of its cheapest part: the same runs, and as accurate as these."""
    again = experiments.repeat_in_small(seeds=(0, 1), sizes=(5,), recipes=("probe-2", "probe-3"))
    planned = experiments.plan((0, 1), (5,), ("probe-2", "probe-3"))
    assert [(run.target, run.per_class, run.recipe, run.seed) for run in again] == planned
    assert [run.accuracy for run in again] == pytest.approx([cell(unit) for unit in planned], abs=0.01)
