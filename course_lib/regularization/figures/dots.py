"""Few runs, drawn one by one: a dot for each seed and a line through the means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.lab.plots import DASHES, MARKERS, OKABE_ITO, of_seeds

__all__ = ["dots", "dots_of", "legend_below", "places"]


def places(ax: Axes, values: Sequence[float], name: str) -> None:
    """Mark places 0, 1, ... by the values that belong there; a 0 among powers of ten needs that."""
    ax.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    ax.set_xlabel(name)


def dots(ax: Axes, series: Mapping[str, Sequence[Sequence[float]]], first: int = 0) -> None:
    """Draw several runs over places 0, 1, ...

    Args:
        ax: where.
        series: label -> for each seed one value for each place.
        first: number of the first color.
    """
    for i, (label, rows) in enumerate(series.items(), first):
        color, marker = OKABE_ITO[i % len(OKABE_ITO)], MARKERS[i % len(MARKERS)]
        means = np.mean(rows, axis=0)
        # Side by side, so that equal series do not cover each other.
        shift = 0.08 * (i - first - (len(series) - 1) / 2)
        x = np.arange(len(means)) + shift
        ax.plot(x, means, color=color, linestyle=DASHES[i % len(DASHES)], marker=marker, markersize=5, label=label)
        for row in rows:
            ax.plot(x, row, color=color, marker=marker, markersize=3, linestyle="", alpha=0.45)


def dots_of(seeds: int) -> str:
    """What `dots` has drawn, for a caption."""
    return of_seeds(seeds, f"Small dots: {seeds} seeds. Lines: their means.")


def legend_below(drawn: Figure, ax: Axes, columns: int = 3) -> None:
    """The legend of one of the axes, below all of them, where it covers nothing."""
    drawn.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=columns, frameon=False)
