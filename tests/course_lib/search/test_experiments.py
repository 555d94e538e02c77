"""Experiments that are interrupted keep what is done; a strategy never tries a setting twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_lib.search.experiments import coarse, races
from course_lib.search.table import table


def test_a_race_that_is_interrupted_keeps_the_races_before(capsys: pytest.CaptureFixture[str]) -> None:
    """And says so in one line; without any it is interrupted indeed."""
    whole = races.random_search()
    calls = []

    def strategy(look: Any, rng: np.random.Generator, budget: int) -> Any:
        calls.append(budget)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return whole(look, rng, budget)

    assert races.race(strategy, 10, 5).truth.shape == (3, 5)
    assert capsys.readouterr().out == "Interrupted: 3 of 10 races are done and kept.\n"
    with pytest.raises(KeyboardInterrupt):
        races.race(lambda *args: (_ for _ in ()).throw(KeyboardInterrupt), 10, 5)


def test_a_search_that_is_interrupted_keeps_the_runs_before(capsys: pytest.CaptureFixture[str]) -> None:
    """The part that is not done is left out of every attribute."""

    def show(search: coarse.Search) -> None:
        if len(search.lr) == 4:
            raise KeyboardInterrupt

    found = coarse.run_search(
        lambda low, high, u: low * (high / low) ** u, lambda costs: -1, count=6, show=show, at_once=2
    )
    assert len(found.lr) == len(found.accuracy) == len(found.stopped) == len(found.diverged) == 4
    assert "4 of 6 runs" in capsys.readouterr().out


def test_the_settings_of_the_unit_square_are_those_of_the_table() -> None:
    """Number i * 10 + j is the cell (i, j)."""
    places, runs = races.unit_places(table()), table()
    assert places.shape == (200, 2)
    assert places[73].tolist() == pytest.approx([7 / 19, 3 / 9])
    assert set(races.fine_places().tolist()) < set(range(200))
    i, j = np.divmod(races.fine_places(), 10)
    assert runs.truth[i, j].min() > 0.7


@pytest.mark.parametrize("places", [None, range(30, 60)], ids=["all", "some"])
def test_no_setting_is_tried_twice(places: Any) -> None:
    """By random search, by the model, and from coarse to fine."""

    def posterior(X: Any, y: Any, X_new: Any, length_scale: float, noise: float) -> Any:
        return X_new.sum(1), torch.ones(len(X_new))

    strategies = [
        races.random_search(places),
        races.bayesian(posterior, lambda mean, std, best: mean, places=places),
        races.coarse_then_fine(lambda points, scores, keep, bounds: bounds),
    ]
    for strategy in strategies:
        tried = strategy(lambda cell: float(sum(cell)), np.random.default_rng(0), 25)
        assert len(set(tried)) == len(tried) == 25


def test_a_refined_box_is_tried_first() -> None:
    """As many settings inside it as there are."""
    runs = table()
    box = torch.tensor([[runs.lr[5], runs.lr[8]], [runs.reg[2], runs.reg[6]]])
    strategy = races.coarse_then_fine(lambda *given: box, first=10, keep=3)
    tried = strategy(lambda cell: 0.5, np.random.default_rng(1), 20)
    assert all(5 <= i <= 8 and 2 <= j <= 6 for i, j in tried[10:])
