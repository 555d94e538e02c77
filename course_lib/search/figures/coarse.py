"""Figures of the lecture's search and of schedules."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from course_lib.lab.plots import DASHES, OKABE_ITO, Picture, figure, of_seeds, show_figure, titled
from course_lib.search.experiments.coarse import LECTURE, Search, Sweep

__all__ = ["LiveScatter", "draw_searches", "draw_spread", "draw_sweep", "print_trials"]

_COLOURS = "viridis"


def print_trials(search: Search, count: int = 11) -> None:
    """The first trials, in the lines of the lecture."""
    for i in range(min(count, len(search.lr))):
        line = f"val acc: {search.accuracy[i]:.6f}, lr: {search.lr[i]:.6e}, reg: {search.reg[i]:.6e}"
        end = f"   stopped at step {search.stopped[i]}" if search.stopped[i] >= 0 else ""
        print(f"{line}, ({i + 1} / {len(search.lr)}){end}")


def _scatter(ax: Axes, search: Search) -> Any:
    """The trials of a search as dots; those that the explosion rule stops are crosses."""
    going = search.stopped < 0
    shown = ax.scatter(
        search.lr[going],
        search.reg[going],
        c=search.accuracy[going],
        cmap=_COLOURS,
        vmin=0.1,
        vmax=0.8,
        s=34,
        edgecolors="white",
        linewidths=0.5,
    )
    ax.plot(search.lr[~going], search.reg[~going], "x", color="#D55E00", markersize=7, markeredgewidth=2)
    ax.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="strength of the L2 penalty")
    return shown


def _frame(search: Search, total: int) -> Picture:
    drawn, (ax,) = figure(width=6.4, height=3.6)
    shown = _scatter(ax, search)
    (lr_low, lr_high), (reg_low, reg_high) = search.bounds.tolist()
    ax.set(xlim=(lr_low / 1.3, lr_high * 1.3), ylim=(reg_low / 3, reg_high * 3))
    drawn.colorbar(shown, ax=ax, label="validation accuracy")
    done = len(search.lr)
    best = f", best {search.accuracy.max():.3f}" if done else ""
    ax.set_title(f"{done} of {total} networks trained{best}")
    return Picture(drawn, f"Search in progress: {done} of {total} networks trained{best}.")


class LiveScatter:
    """Shows a search while it fills, where IPython can display; elsewhere one line for every part of it.

    Args:
        total: settings of the search.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._handle: Any = None

    def __call__(self, search: Search) -> None:
        """Show what is known so far."""
        ipython = sys.modules.get("IPython")
        if ipython is None or ipython.get_ipython() is None:
            print(f"{len(search.lr)} of {self._total} networks trained")
            return
        from IPython.display import display

        if self._handle is None:
            self._handle = display(_frame(search, self._total), display_id=True)
        else:
            self._handle.update(_frame(search, self._total))


def draw_searches(coarse: Search, fine: Search) -> None:
    """The coarse search with the box that it led to, and the fine search in the same ranges."""
    drawn, (left, right) = figure(1, 2, width=4.9, height=3.7, sharex=True, sharey=True)
    shown = _scatter(left, coarse)
    _scatter(right, fine)
    (x0, x1), (y0, y1) = fine.bounds.tolist()
    for ax in (left, right):
        ax.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color="black", linewidth=1.4)
    right.set_ylabel("")
    (a, b), (c, d) = LECTURE.tolist()
    left.set(xlim=(a / 1.5, b * 1.5), ylim=(c / 4, d * 4))
    left.set_title(f"Coarse: best {coarse.accuracy.max():.3f}, median {np.median(coarse.accuracy):.3f}")
    right.set_title(f"Fine: best {fine.accuracy.max():.3f}, median {np.median(fine.accuracy):.3f}")
    drawn.colorbar(shown, ax=[left, right], label="validation accuracy")
    alt = (
        f"Two searches over learning rate and penalty. Coarse: best {coarse.accuracy.max():.3f}, median "
        f"{np.median(coarse.accuracy):.3f}. Fine, in a box of rates from {x0:.1e} to {x1:.1e} and penalties from "
        f"{y0:.1e} to {y1:.1e}: best {fine.accuracy.max():.3f}, median {np.median(fine.accuracy):.3f}."
    )
    show_figure(drawn, alt, "Frame: the range of the fine search. Cross: stopped by the explosion rule.")


def draw_spread(searches: Mapping[str, list[Search]]) -> None:
    """All accuracies of several searches as dots, with medians."""
    drawn, (ax,) = figure(width=7.4, height=0.7 + 0.75 * len(searches))
    rng = np.random.default_rng(0)
    words = []
    for row, (label, found) in enumerate(searches.items()):
        values = np.concatenate([search.accuracy for search in found])
        ax.plot(values, row + rng.uniform(-0.22, 0.22, len(values)), "o", markersize=3, alpha=0.5, color=OKABE_ITO[row])
        for mark, of in (("|", np.median(values)), ("D", values.max())):
            ax.plot(of, row, mark, color="black", markersize=15 if mark == "|" else 5, markeredgewidth=2)
        words.append(f"{label}: worst {values.min():.2f}, median {np.median(values):.2f}, best {values.max():.2f}")
    ax.set_yticks(range(len(searches)), list(searches))
    ax.set(
        xlabel="validation accuracy",
        xlim=(0, 0.86),
        title=titled(
            "The fine search lifts the median and the worst, not the best",
            _lifted(list(searches.values())),
            "All accuracies of the searches",
        ),
    )
    ax.invert_yaxis()
    said = "; ".join(words)
    show_figure(drawn, f"Accuracies of the trials. {said}.", f"{said}. Bar: median. Diamond: best.")


def _lifted(searches: list[list[Search]]) -> bool:
    """Whether the last searches raised the median and the worst of the first, and the best by little."""
    first, last = (np.concatenate([search.accuracy for search in found]) for found in (searches[0], searches[-1]))
    gains = [float(of(last) - of(first)) for of in (np.min, np.median, np.max)]
    return min(gains[:2]) > 0.05 and abs(gains[2]) < 0.05


def draw_sweep(sweep: Sweep) -> None:
    """The schedules, and one dot for the accuracy of every seed at the end."""
    drawn, (left, right) = figure(1, 2, width=4.6, height=3.2)
    words = []
    for row, (label, rates) in enumerate(sweep.rates.items()):
        left.plot(rates, color=OKABE_ITO[row], linestyle=DASHES[row], label=label)
        values = sweep.accuracy[label][:, -1]
        right.plot(values, [row] * len(values), "o", color=OKABE_ITO[row], markersize=6, alpha=0.8)
        right.plot(values.mean(), row, "|", color="black", markersize=16, markeredgewidth=2)
        words.append(f"{label}: {values.mean():.3f}")
    left.set(xlabel="step", ylabel="learning rate", title="Learning rate")
    right.set_yticks(range(len(sweep.rates)), list(sweep.rates))
    right.invert_yaxis()
    right.locator_params(axis="x", nbins=5)
    ends = {label: float(values[:, -1].mean()) for label, values in sweep.accuracy.items()}
    falling = [ends[label] for label, rates in sweep.rates.items() if rates[-1] < rates[0]]
    steady = [value for value in ends.values() if value not in falling]
    higher = falling and steady and min(falling) > max(steady)
    title = titled("Rates that fall end higher", higher, "Accuracy at the end")
    right.set(xlabel="validation accuracy after the last epoch", title=title)
    seeds = len(next(iter(sweep.accuracy.values())))
    drawn.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    caption = f"{'Mean accuracy' if seeds > 1 else 'Accuracy'} at the end: {'; '.join(words)}."
    dots = of_seeds(seeds, "One dot for every seed; bar: their mean.")
    show_figure(drawn, f"{caption} {dots}", f"{caption} {dots}")
