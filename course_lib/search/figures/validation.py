"""Figures about what a validation score is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from course_lib.lab.plots import OKABE_ITO, curves, figure, show_figure, titled
from course_lib.search.experiments.validation import Curse, Estimates, Leak

__all__ = ["draw_curse", "draw_estimates", "draw_leak"]


def draw_curse(equal: Mapping[int, Sequence[float]], trials: Sequence[int], real: Sequence[Curse]) -> None:
    """How much the winner's validation score promises too much: equally good trials, and a search on the table.

    Args:
        equal: number of validation images -> mean promise for each number of trials.
        trials: the numbers of trials.
        real: searches on the table.
    """
    drawn, (left, right) = figure(1, 2, width=4.6, height=3.4, sharey=True)
    curves(left, {f"{on:,} images": (list(trials), list(values)) for on, values in equal.items()})
    left.set(xscale="log", xlabel="trials compared", title="Equally good trials: nothing but luck")
    left.set_xticks(trials, [str(t) for t in trials])
    left.minorticks_off()
    left.set_ylabel("reported minus true accuracy")
    places = range(len(real))
    means = [float((c.reported - c.fresh).mean()) for c in real]
    spread = [np.quantile(c.reported - c.fresh, [0.1, 0.9]) for c in real]
    for x, (low, high) in zip(places, spread, strict=True):
        right.plot([x, x], [low, high], color=OKABE_ITO[1], linewidth=6, alpha=0.35, solid_capstyle="butt")
    right.plot(places, means, "o", color=OKABE_ITO[1], markersize=8)
    right.axhline(0, color="black", linewidth=0.8)
    right.set_xticks(places, [f"{c.on:,}" for c in real])
    title = titled("50 real runs: the winner disappoints", min(means) > 0, "50 real runs")
    right.set(xlabel="validation images", title=title)
    words = [
        f"{on:,} images: " + ", ".join(f"{round(v, 3) + 0.0:+.3f}" for v in values) for on, values in equal.items()
    ]
    of_real = [f"{c.on:,} images: {m:+.3f}" for c, m in zip(real, means, strict=True)]
    of_equal = f"Equally good trials, {', '.join(map(str, trials))} of them: {'; '.join(words)}."
    alt = f"{of_equal} Real runs: {'; '.join(of_real)}."
    show_figure(drawn, alt, "Right: mean, and the range from the lowest to the highest tenth of 1,000 searches.")


def draw_leak(leaks: Sequence[Leak]) -> None:
    """Accuracy on random labels, with and without the leak; one dot for every seed."""
    drawn, (ax,) = figure(width=7.0, height=2.3)
    words = []
    kinds: dict[str, NDArray[np.float64]] = {
        "features chosen on all examples": np.array([found.outside for found in leaks]),
        "features chosen inside each fold": np.array([found.inside for found in leaks]),
    }
    rng = np.random.default_rng(0)
    for row, (label, values) in enumerate(kinds.items()):
        ax.plot(
            values, row + rng.uniform(-0.12, 0.12, len(values)), "o", color=OKABE_ITO[row], markersize=7, alpha=0.75
        )
        ax.plot(values.mean(), row, "|", color="black", markersize=20, markeredgewidth=2)
        words.append(f"{label}: {values.mean():.2f}")
    ax.axvline(0.5, color="black", linestyle=":", linewidth=1)
    share = kinds["features chosen on all examples"].mean()
    leaks_much = share > kinds["features chosen inside each fold"].mean() + 0.2
    title = titled(f"The leak predicts pure chance at {100 * share:.0f}%", leaks_much, "Accuracy on random labels")
    ax.set_yticks([0, 1], list(kinds))
    ax.set(xlim=(0, 1.03), ylim=(1.5, -0.5), xlabel="cross-validated accuracy", title=title)
    show_figure(
        drawn, f"Cross-validated accuracy on random labels. {'; '.join(words)}.", "Dotted: chance. Bars: means."
    )


def draw_estimates(found: Estimates) -> None:
    """Errors of the two estimates over many small samples."""
    drawn, (ax,) = figure(width=7.0, height=2.8)
    bins = np.linspace(-0.3, 0.3, 31).tolist()
    words = []
    for k, (label, values) in enumerate({"one split": found.split, "five folds": found.folds}.items()):
        error = values - found.true
        ax.hist(
            error, bins, histtype="stepfilled", alpha=0.45, color=OKABE_ITO[k], label=f"{label}, std {error.std():.3f}"
        )
        words.append(f"{label}: standard deviation {error.std():.3f}, mean {error.mean():+.3f}")
    ax.axvline(0, color="black", linewidth=0.8)
    ax.legend(frameon=False, loc="upper left")
    fewer = (found.folds - found.true).std() < (found.split - found.true).std()
    title = titled("Five folds scatter less than one split", fewer, "Errors of two estimates")
    ax.set(xlabel="estimated minus true accuracy", ylabel="samples", title=title)
    show_figure(drawn, f"Error of the estimated accuracy over {len(found.true)} samples. {'; '.join(words)}.")
