"""Search strategies, raced on the stored table of runs: the same race hundreds of times, with its spread.

A strategy sees the validation accuracy of one seed after the last epoch, as somebody would who trains each setting
once.  It is judged by what it never sees: the mean test accuracy of the setting that it would hand in.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from course_lib.lab.live import Live
from course_lib.search.nets import on_one_thread
from course_lib.search.table import Table, table

__all__ = [
    "Axes",
    "Distances",
    "Halving",
    "Race",
    "Rule",
    "bayesian",
    "coarse_then_fine",
    "distances",
    "early_ranks",
    "fine_places",
    "halving",
    "irrelevant_axes",
    "optuna_search",
    "race",
    "random_search",
    "rule_on_table",
    "unit_places",
]

Floats = NDArray[np.float64]
Cell = tuple[int, int]
Look = Callable[[Cell], float]
"""Train a setting and see its validation accuracy."""
Strategy = Callable[[Look, np.random.Generator, int], Sequence[Cell]]
"""Spend so many looks; the settings in the order in which they were tried."""


def unit_places(runs: Table) -> Tensor:
    """The 200 settings of the table in the unit square, (200, 2), evenly spaced as their logarithms are."""
    steps = [torch.linspace(0, 1, n, dtype=torch.float64) for n in runs.truth.shape]
    return torch.cartesian_prod(*steps)


# --- strategies


def fine_places() -> NDArray[np.int64]:
    """Numbers of the settings in a box that was chosen well: rates from 0.002 to 0.06, decay up to 0.02."""
    runs = table()
    i, j = np.nonzero(((runs.lr > 2e-3) & (runs.lr < 6e-2))[:, None] & (runs.reg < 2.5e-2)[None, :])
    numbers: NDArray[np.int64] = i * len(runs.reg) + j
    return numbers


def random_search(places: Sequence[int] | None = None) -> Strategy:
    """Every setting drawn at random, none twice.

    Args:
        places: numbers of the settings to choose from; all by default.
    """

    def strategy(look: Look, rng: np.random.Generator, budget: int) -> list[Cell]:
        runs = table()
        pool = np.arange(runs.truth.size) if places is None else np.asarray(places)
        cells = [_cell(runs, number) for number in rng.permutation(pool)[:budget]]
        for cell in cells:
            look(cell)
        return cells

    return strategy


def _cell(runs: Table, number: int) -> Cell:
    i, j = divmod(int(number), runs.truth.shape[1])
    return i, j


def coarse_then_fine(refine_range: Callable[..., Any], first: int = 15, keep: int = 4) -> Strategy:
    """Random settings, then random ones from the box that `refine_range` makes of the best."""

    def strategy(look: Look, rng: np.random.Generator, budget: int) -> list[Cell]:
        runs = table()
        order = [_cell(runs, number) for number in rng.permutation(runs.truth.size)]
        cells = order[: min(first, budget)]
        scores = [look(cell) for cell in cells]
        if budget > first:
            points = torch.tensor([[runs.lr[i], runs.reg[j]] for i, j in cells], dtype=torch.float64)
            bounds = torch.tensor([[runs.lr[0], runs.lr[-1]], [runs.reg[0], runs.reg[-1]]], dtype=torch.float64)
            box = torch.as_tensor(refine_range(points, torch.tensor(scores).double(), keep, bounds)).double()
            low, high = box[:, 0] * (1 - 1e-9), box[:, 1] * (1 + 1e-9)

            def inside(cell: Cell) -> bool:
                point = torch.tensor([runs.lr[cell[0]], runs.reg[cell[1]]])
                return bool((low <= point).all() and (point <= high).all())

            # A box with too few settings left is filled up from outside.
            rest = sorted(order[first:], key=lambda cell: not inside(cell))[: budget - first]
            for cell in rest:
                look(cell)
            cells = cells + rest
        return cells

    return strategy


def bayesian(
    gp_posterior: Callable[..., Any],
    expected_improvement: Callable[..., Any],
    first: int = 5,
    length_scale: float = 0.2,
    noise: float = 0.1,
    places: Sequence[int] | None = None,
) -> Strategy:
    """Some random settings; then always the one with the largest expected improvement.

    Accuracies are standardized before the Gaussian process sees them, so that its mean 0 and its variance 1 fit.

    Args:
        gp_posterior: as in the notebook.
        expected_improvement: as in the notebook.
        first: random settings at the start.
        length_scale: of the kernel, in the unit square.
        noise: standard deviation of an observation, in units of the spread of the accuracies.
        places: numbers of the settings to choose from; all by default.
    """

    def strategy(look: Look, rng: np.random.Generator, budget: int) -> list[Cell]:
        runs = table()
        points = unit_places(runs)
        pool = np.arange(len(points)) if places is None else np.asarray(places)
        tried = rng.permutation(pool)[: min(first, budget)].tolist()
        scores = [look(_cell(runs, number)) for number in tried]
        while len(tried) < budget:
            y = torch.tensor(scores, dtype=torch.float64)
            y = (y - y.mean()) / y.std().clamp(min=1e-6)
            left = torch.tensor([number for number in pool.tolist() if number not in tried])
            mean, std = gp_posterior(points[tried], y, points[left], length_scale, noise)
            gain = torch.as_tensor(expected_improvement(mean, std, float(y.max())))
            tried.append(int(left[int(gain.argmax())]))
            scores.append(look(_cell(runs, tried[-1])))
        return [_cell(runs, number) for number in tried]

    return strategy


def optuna_search() -> Strategy | None:
    """Optuna's default sampler (TPE) on the same table; None where Optuna is not installed."""
    if importlib.util.find_spec("optuna") is None:
        return None
    optuna: Any = importlib.import_module("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def strategy(look: Look, rng: np.random.Generator, budget: int) -> list[Cell]:
        runs = table()
        cells: list[Cell] = []

        def objective(trial: Any) -> float:
            lr = trial.suggest_float("lr", runs.lr[0], runs.lr[-1], log=True)
            reg = trial.suggest_float("reg", runs.reg[0], runs.reg[-1], log=True)
            cells.append(runs.nearest(lr, reg))
            return look(cells[-1])

        sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**31)))
        optuna.create_study(direction="maximize", sampler=sampler).optimize(objective, n_trials=budget)
        return cells

    return strategy


# --- the race


@dataclass(frozen=True, eq=False)
class Race:
    """One strategy, many times.

    Attributes:
        truth: (races, budget) mean test accuracy of the setting that leads on validation after so many looks.
        best: that of the best setting there is.
    """

    truth: Floats
    best: float

    def median_until(self, distance: float) -> float:
        """How many looks the median race needs until what leads is so near to the best; infinite if it never is."""
        near = self.truth >= self.best - distance
        return float(np.median(np.where(near.any(axis=1), near.argmax(axis=1) + 1.0, np.inf)))


@on_one_thread()
def race(strategy: Strategy, repetitions: int = 100, budget: int = 40, seed: int = 0, live: Live | None = None) -> Race:
    """Run a strategy again and again, each time with other luck.

    Args:
        strategy: of this module.
        repetitions: how often.
        budget: settings that may be tried.
        seed: race number i has the luck of `seed + i`, whatever the strategy.
        live: where to report, advanced once for every race.
    """
    runs = table()
    rows: list[list[float]] = []
    for repetition in range(repetitions):
        rng = np.random.default_rng(seed + repetition)
        column = int(rng.integers(len(runs.seeds)))

        def look(cell: Cell, column: int = column) -> float:
            return float(runs.validation[(*cell, column, -1)])

        try:
            cells = strategy(look, rng, budget)
        except KeyboardInterrupt:
            if not rows:
                raise
            print(f"Interrupted: {len(rows)} of {repetitions} races are done and kept.")
            break
        scores = np.array([look(cell) for cell in cells])
        leading = [int(scores[: n + 1].argmax()) for n in range(len(cells))]
        rows.append([runs.truth[cells[place]] for place in leading])
        if live is not None:
            live.advance()
    return Race(np.array(rows), float(runs.truth.max()))


# --- grid against random


@dataclass(frozen=True)
class Distances:
    """How near the nearest trial comes to the optimum, in parts of the range, over many optima.

    Attributes:
        budget: number of trials.
        grid: mean distance for the grid.
        random: mean distance for random trials.
        random_wins: share of the optima to which random trials come nearer, in [0, 1].
    """

    budget: int
    grid: float
    random: float
    random_wins: float


@on_one_thread()
def distances(
    grid_design: Callable[..., Any],
    random_design: Callable[..., Any],
    points_per_axis: int,
    matter: int,
    optima: int = 20_000,
    seed: int = 0,
) -> Distances:
    """Two axes, an optimum anywhere; how near does a grid come to it, how near do as many random trials?

    Args:
        grid_design: as in the notebook.
        random_design: as in the notebook.
        points_per_axis: of the grid.
        matter: 1 if only the first axis matters, 2 if both do (then the larger of both distances counts).
        optima: how many are drawn, each with random trials of its own.
        seed: of both.
    """
    generator = torch.Generator().manual_seed(seed)
    bounds = torch.tensor([[1.0, 10.0], [1.0, 10.0]], dtype=torch.float64)
    budget = points_per_axis**2
    optimum = torch.rand(optima, 1, 2, generator=generator, dtype=torch.float64)
    u = torch.rand(optima * budget, 2, generator=generator, dtype=torch.float64)
    # From 1 to 10, the logarithm is the place on the axis.
    grid = torch.as_tensor(grid_design(bounds, points_per_axis)).log10().view(1, budget, 2)
    random = torch.as_tensor(random_design(bounds, u)).log10().view(optima, budget, 2)
    nearest = [(points - optimum)[..., :matter].abs().amax(2).amin(1) for points in (grid, random)]
    of_grid, of_random = (float(distance.mean()) for distance in nearest)
    return Distances(budget, of_grid, of_random, float((nearest[1] < nearest[0]).double().mean()))


@dataclass(frozen=True, eq=False)
class Axes:
    """Grid and random trials on real runs with three axes, of which one matters.

    Attributes:
        budget: number of trials.
        grid: (races,) mean test accuracy of what leads on validation.
        random: (races,) the same.
    """

    budget: int
    grid: Floats
    random: Floats


def irrelevant_axes(points_per_axis: int = 2, repetitions: int = 1000, seed: int = 0) -> Axes:
    """Search over learning rate, weight decay (where it is too weak to matter) and the seed of the run.

    The grid is shifted at random within its cells, so that its luck is averaged.

    Args:
        points_per_axis: of the grid; random search gets as many trials as the grid has points.
        repetitions: races.
        seed: of their luck.
    """
    runs = table()
    rng = np.random.default_rng(seed)
    weak = int((runs.reg < 2e-3).sum())
    shape = np.array([len(runs.lr), weak, len(runs.seeds)])
    cells = np.stack(np.meshgrid(*[np.arange(points_per_axis)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    found: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(repetitions):
        shifted = (cells + rng.uniform(size=3)) / points_per_axis
        for on_grid, places in ((True, shifted), (False, rng.uniform(size=shifted.shape))):
            i, j, k = (places * shape).astype(int).T
            best = int(runs.validation[i, j, k, -1].argmax())
            found[on_grid].append(float(runs.truth[i[best], j[best]]))
    return Axes(len(cells), np.array(found[True]), np.array(found[False]))


# --- runs that explode


@dataclass(frozen=True)
class Rule:
    """The explosion rule on all runs of the table.

    Attributes:
        stopped: share of the runs that it stops, in [0, 1].
        step: mean step at which it does.
        saved: share of all steps that this saves.
        missed: runs that the rule with the comparison alone would miss.
        best: the highest test accuracy that a stopped run reached in the end.
        diverged: share of the runs that end with weights which are not finite.
    """

    stopped: float
    step: float
    saved: float
    missed: int
    best: float
    diverged: float


def rule_on_table(exploded: Callable[..., Any], factor: float = 3.0) -> Rule:
    """Ask the rule about the costs of every stored run.

    Args:
        exploded: as in the notebook.
        factor: of the rule.
    """
    runs = table()
    costs = torch.from_numpy(runs.costs.reshape(-1, runs.costs.shape[-1]))
    at = np.array([int(exploded(row, factor)) for row in costs])
    stopped = at >= 0
    compared = (costs > factor * costs[:, :1]).any(dim=1).numpy()
    return Rule(
        stopped=float(stopped.mean()),
        step=float(at[stopped].mean()),
        saved=float((costs.shape[1] - 1 - at[stopped]).sum() / costs.numel()),
        missed=int((stopped & ~compared).sum()),
        best=float(runs.test.ravel()[stopped].max()),
        diverged=float(runs.diverged.mean()),
    )


# --- successive halving


@dataclass(frozen=True, eq=False)
class Halving:
    """Successive halving and its alternatives, from the same starting settings.

    Attributes:
        start: number of settings at the start.
        epochs: spent by successive halving; mean over the races.
        halved: (races,) mean test accuracy of its winner.
        random: (races,) the same for random search with as many epochs, each run trained to the end.
        full: (races,) the same with all settings trained to the end.
    """

    start: int
    epochs: float
    halved: Floats
    random: Floats
    full: Floats


@on_one_thread()
def halving(
    successive_halving: Callable[..., Any], start: int = 32, eta: int = 2, repetitions: int = 400, seed: int = 0
) -> Halving:
    """Race successive halving over the epochs 1, 2, 4, 8 and 16.

    Args:
        successive_halving: as in the notebook.
        start: settings at the start.
        eta: one in so many goes on.
        repetitions: races.
        seed: of their luck.
    """
    runs = table()
    rng = np.random.default_rng(seed)
    last = int(runs.epochs[-1])
    # The accuracy at an epoch that was not looked at is that of the look before.
    known = np.searchsorted(runs.epochs, np.arange(1, last + 1), side="right") - 1
    rows: list[tuple[float, float, float, float]] = []
    for _ in range(repetitions):
        column = int(rng.integers(len(runs.seeds)))
        cells = [_cell(runs, number) for number in rng.permutation(runs.truth.size)[:start]]
        curves = np.stack([runs.validation[(*cell, column)] for cell in cells])[:, known]
        winner, epochs = successive_halving(torch.from_numpy(curves), runs.epochs.tolist(), eta)
        affordable = max(1, int(epochs) // last)
        chosen = (int(winner), int(curves[:affordable, -1].argmax()), int(curves[:, -1].argmax()))
        rows.append((float(epochs), *(float(runs.truth[cells[place]]) for place in chosen)))  # type: ignore[arg-type]
    spent, halved, random, full = np.array(rows).T
    return Halving(start, float(spent.mean()), halved, random, full)


def early_ranks() -> Mapping[int, tuple[float, float, float]]:
    """What an early look is worth.

    Returns:
        epoch -> rank correlation of the validation accuracy then with the mean test accuracy at the end, over all
        settings; the same over the better half of the settings; the learning rate that leads then.
    """
    from scipy.stats import spearmanr

    runs = table()
    truth = runs.truth.ravel()
    better = truth >= np.median(truth)
    found = {}
    for place, epoch in enumerate(runs.epochs.tolist()):
        then = runs.validation[..., place].mean(axis=2)
        of_all, of_better = (
            float(spearmanr(then.ravel()[some], truth[some]).statistic) for some in (truth > -1, better)
        )
        found[epoch] = (of_all, of_better, float(runs.lr[then.max(axis=1).argmax()]))
    return found
