"""Figures of the penalty and of its fate in Adam."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray

from course_lib.lab.plots import curves, figure, show_figure, titled
from course_lib.regularization.experiments.decay import AdamRun, Sweep
from course_lib.regularization.figures.dots import dots, dots_of, legend_below, places
from course_lib.regularization.nets.stacked import SIDE

__all__ = [
    "draw_adam_losses",
    "draw_dead_weights",
    "draw_filters",
    "draw_half_lives",
    "draw_silent_weight",
    "draw_sweep",
]


def draw_sweep(sweep: Sweep) -> None:
    """Losses and norms over the strength of the penalty."""
    drawn, (left, right) = figure(1, 2, width=5.2, height=3.6)
    validation, training = (sweep.at_the_end(name) for name in ("validation", "training"))
    dots(left, {"validation loss": validation, "training loss": training})
    dots(right, {"norm of the weights": sweep.at_the_end("norms")}, first=2)
    for ax in (left, right):
        places(ax, sweep.strengths, "λ")
    means = np.mean(validation, axis=0)
    best = int(np.argmin(means))
    left.set(
        ylim=(0, None),
        ylabel="loss at the end",
        title=f"The validation loss is lowest at λ = {sweep.strengths[best]:g}",
    )
    gaps, norms = np.mean(sweep.gap, axis=0), np.mean(sweep.at_the_end("norms"), axis=0)
    title = titled("A stronger penalty leaves smaller weights", np.all(np.diff(norms) <= 0), "Norm of the weights")
    right.set(ylim=(0, None), ylabel="Euclidean norm", title=title)
    legend_below(drawn, left)
    said = "; ".join(
        f"λ = {lam:g}: validation loss {means[i]:.2f}, gap {gaps[i]:.2f}, norm {norms[i]:.1f}"
        for i, lam in enumerate(sweep.strengths)
    )
    show_figure(
        drawn, f"Losses and norm of the weights over the strength of the penalty. {said}.", dots_of(len(sweep.seeds))
    )


def draw_filters(sweep: Sweep, strengths: Sequence[float]) -> None:
    """What the largest hidden units look for, in rows, one for each strength: on one scale, and each on its own."""
    rows = [sweep.filters(lam, units=6) for lam in strengths]
    largest = [float(row.abs().max()) for row in rows]
    drawn, axes = figure(len(rows), 2, width=4.9, height=0.95)
    for i, (lam, row) in enumerate(zip(strengths, rows, strict=True)):
        _strip(axes[2 * i], row, max(largest))
        _strip(axes[2 * i + 1], row, largest[i])
        axes[2 * i].set_ylabel(f"λ = {lam:g}", rotation=0, ha="right", va="center")
    axes[0].set_title("on one scale", fontsize=10)
    axes[1].set_title("each row on its own scale", fontsize=10)
    shrunk = all(one > other for one, other in pairwise(largest))
    claim = "Under a penalty noise fades first, and shapes are left"
    drawn.suptitle(titled(claim, shrunk, "What the largest hidden units look for"), fontsize=12)
    sizes = "; ".join(f"λ = {lam:g}: largest weight {size:.2f}" for lam, size in zip(strengths, largest, strict=True))
    show_figure(
        drawn,
        f"First-layer weights of the six units with the largest norms, as pictures. {sizes}.",
        f"Gray is 0, white positive, black negative. {sizes}.",
    )


def _strip(ax: Axes, filters: torch.Tensor, largest: float) -> None:
    """Filters (n, SIDE, SIDE) side by side, with a white line between them."""
    ax.imshow(_sheet(filters), cmap="gray", vmin=-largest, vmax=largest, interpolation="nearest")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set(xticks=[], yticks=[])


def _sheet(filters: torch.Tensor) -> NDArray[np.float64]:
    sheet = np.full((SIDE, len(filters) * (SIDE + 1) - 1), np.nan)
    for i, one in enumerate(filters):
        sheet[:, i * (SIDE + 1) : i * (SIDE + 1) + SIDE] = one.numpy()
    return sheet


def draw_silent_weight(paths: Mapping[str, Sequence[float]]) -> None:
    """A weight on which only the decay acts, under momentum."""
    drawn, (ax,) = figure(width=6.4, height=3.0)
    curves(ax, {name: (list(range(len(path))), list(path)) for name, path in paths.items()}, markers=False)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set(xlabel="step", ylabel="weight", title="With momentum, penalty and decay are no longer the same")
    said = "; ".join(f"{name}: {path[1]:.2f} after 1 step, {path[10]:.2f} after 10" for name, path in paths.items())
    show_figure(drawn, f"A weight without any gradient from the loss. {said}.", f"{said[0].upper()}{said[1:]}.")


def draw_half_lives(half_lives: Mapping[str, float], training: Mapping[str, int]) -> None:
    """How long a weight takes to be halved by decay alone, beside the length of some trainings, in steps."""
    drawn, (ax,) = figure(width=7.0, height=0.42 * (len(half_lives) + len(training)) + 0.9)
    rows = [(name, value, "#0072B2", "o") for name, value in half_lives.items()]
    rows += [(name, float(value), "#666666", "s") for name, value in training.items()]
    for i, (_, value, color, marker) in enumerate(rows):
        ax.plot(value, i, marker, color=color, markersize=8)
        ax.annotate(f"{value:,.0f}", (value, i), xytext=(8, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="steps")
    drawn.suptitle("With the usual settings, decay takes longer than our training", fontsize=12)
    ax.margins(x=0.15, y=0.12)
    said = "; ".join(f"{name}: {value:,.0f} steps" for name, value, *_ in rows)
    show_figure(
        drawn,
        f"Half-lives under weight decay, and lengths of trainings. {said}.",
        "Blue dots: steps until decay alone has halved a weight. Gray squares: lengths of trainings.",
    )


def _table(runs: Sequence[AdamRun], rule: str, name: str) -> list[list[float]]:
    """For each seed a quantity for each strength."""
    seeds = dict.fromkeys(run.seed for run in runs)
    return [[float(getattr(run, name)) for run in runs if (run.rule, run.seed) == (rule, seed)] for seed in seeds]


def draw_dead_weights(runs: Sequence[AdamRun], shown: float) -> None:
    """The weights of pixels that are always 0: as pictures at one strength, and how much is left at every strength."""
    rules = list(dict.fromkeys(run.rule for run in runs))
    strengths = list(dict.fromkeys(run.lam for run in runs))
    drawn, (left, right) = figure(1, 2, width=5.2, height=3.6)
    examples = [next(run for run in runs if (run.rule, run.lam) == (rule, shown)) for rule in rules]
    chosen = [run.filters[run.filters.flatten(1).norm(dim=1).argsort(descending=True)[:4]] for run in examples]
    largest = max(float(filters.abs().max()) for filters in chosen)
    gap = np.full((2, chosen[0].shape[0] * (SIDE + 1) - 1), np.nan)
    sheets = [part for filters in chosen for part in (_sheet(filters), gap)]
    left.imshow(np.vstack(sheets[:-1]), cmap="gray", vmin=-largest, vmax=largest, interpolation="nearest")
    left.grid(False)
    left.spines[:].set_visible(False)
    left.set(xticks=[], title=f"Four filters of each after training, λ = {shown:g}")
    left.set_yticks(
        [SIDE / 2 + i * (SIDE + 2) for i in range(len(rules))], [rule.replace(" in ", "\nin ") for rule in rules]
    )
    left.tick_params(length=0)
    dots(right, {rule: _table(runs, rule, "dead") for rule in rules})
    places(right, strengths, "λ")
    right.set(
        ylim=(-0.05, 1.1), ylabel="norm after / before training", title="What is left of the weights of dead pixels"
    )
    right.legend(frameon=False, loc="center left", bbox_to_anchor=(0.02, 0.5))
    said = "; ".join(
        f"{rule}: "
        + ", ".join(
            f"{np.mean(column):.3f} at λ = {lam:g}"
            for lam, column in zip(strengths, zip(*_table(runs, rule, "dead"), strict=True), strict=True)
        )
        for rule in rules
    )
    show_figure(
        drawn,
        f"What is left of the weights of pixels that are 0 in every image. {said}.",
        "Left: the border pixels are 0 in every image. One scale of gray for both rows; gray is 0.",
    )


def draw_adam_losses(runs: Sequence[AdamRun]) -> None:
    """Validation loss at the end, over the strength."""
    rules = list(dict.fromkeys(run.rule for run in runs))
    strengths = list(dict.fromkeys(run.lam for run in runs))
    drawn, (ax,) = figure(width=7.0, height=3.4)
    seeds = dict.fromkeys(run.seed for run in runs)
    tables = {
        rule: [[run.validation for run in runs if (run.rule, run.seed) == (rule, seed)] for seed in seeds]
        for rule in rules
    }
    dots(ax, tables)
    places(ax, strengths, "λ")
    best = {rule: float(np.mean(table, axis=0).min()) for rule, table in tables.items()}
    width = [float(np.ptp(np.mean(table, axis=0))) for table in tables.values()]
    same = float(np.ptp(list(best.values()))) < 0.02 and max(width) > 1.5 * min(width)
    title = titled("AdamW forgives a wrong λ; its best loss is the same", same, "Validation loss over the strength")
    ax.set(ylabel="validation loss at the end", title=title)
    ax.legend(frameon=False, loc="upper left")
    said = "; ".join(f"{rule}: {value:.3f}" for rule, value in best.items())
    show_figure(
        drawn,
        f"Validation loss over the strength. Lowest mean: {said}.",
        f"{f'Lowest mean over {len(seeds)} seeds' if len(seeds) > 1 else 'One seed; lowest'}: {said}.",
    )
