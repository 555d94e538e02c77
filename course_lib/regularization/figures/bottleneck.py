"""Figures of the narrow linear layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from course_lib.lab.plots import curves, figure, show_figure, titled
from course_lib.regularization.experiments.bottleneck import Narrow, Teacher
from course_lib.regularization.figures.dots import dots, dots_of, legend_below, places

__all__ = ["draw_counts", "draw_narrow", "draw_teacher"]


def draw_counts(count: Callable[[int, int, int, bool], tuple[int, int]], inputs: int, outputs: int) -> None:
    """The student's counts over the width, and where the bottleneck stops saving."""
    widths = list(range(1, min(inputs, outputs) + 21))
    pairs = [count(inputs, outputs, width, False) for width in widths]
    direct, factored = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    saves = [width for width, (one, two) in zip(widths, pairs, strict=True) if two < one]
    drawn, (ax,) = figure(width=6.6, height=3.2)
    curves(ax, {"one layer": (widths, direct), "through a bottleneck": (widths, factored)}, markers=False)
    ax.axvline(min(inputs, outputs), color="black", linewidth=0.8, linestyle=":")
    ax.annotate(
        "width = outputs",
        (min(inputs, outputs), 0.05 * max(factored)),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
    )
    ax.set(
        xlabel="width",
        ylabel="weights",
        ylim=(0, None),
        title=f"{inputs} → {outputs}: a bottleneck saves weights up to width {saves[-1]}",
    )
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.legend(frameon=False, loc="upper left")
    show_figure(
        drawn,
        f"Weights of {inputs} to {outputs}: directly {direct[0]:,}; through a bottleneck fewer up to {saves[-1]}.",
    )


def draw_teacher(found: Mapping[int, Teacher]) -> None:
    """Errors over the width, for several numbers of examples."""
    drawn, axes = figure(1, len(found), width=3.7, height=3.5, sharey=True)
    said = []
    for ax, (examples, teacher) in zip(axes, found.items(), strict=True):
        dots(ax, {"excess error on new examples": teacher.excess, "training error": teacher.train})
        places(ax, teacher.widths, "width of the bottleneck")
        wins = teacher.winners.count(3)
        ax.set(yscale="log", title=f"{examples} examples: width 3 wins {wins} of {len(teacher.winners)}")
        means = np.mean(teacher.excess, axis=0)
        told = ", ".join(f"{mean:.2g} at {width}" for mean, width in zip(means, teacher.widths, strict=True))
        said.append(
            f"{examples} examples: excess error {told}; width 3 is the best in {wins} of {len(teacher.winners)}"
        )
    axes[0].set_ylabel("mean squared error")
    legend_below(drawn, axes[0])
    caption = f"{dots_of(len(next(iter(found.values())).excess))} One scale for all panels."
    show_figure(drawn, f"A teacher of rank 3. {'. '.join(said)}.", caption)


def draw_narrow(found: Narrow, parameters: Mapping[int, int]) -> None:
    """What networks remember and how they do on new images, over the width; the direct map comes last."""
    order = [*(width for width in found.widths if width), *(width for width in found.widths if not width)]
    names = [f"{width or 'direct'}\n{parameters[width]:,}" for width in order]
    drawn, (left, right) = figure(1, 2, width=5.2, height=3.6)
    remembered, accuracy, validation = (found.at_the_end(name) for name in ("remembered", "accuracy", "validation"))
    table = {
        "training labels reproduced, wrong ones included": np.transpose([remembered[w] for w in order]).tolist(),
        "accuracy on new images": np.transpose([accuracy[w] for w in order]).tolist(),
    }
    dots(left, table)
    dots(right, {"validation loss": np.transpose([validation[w] for w in order]).tolist()}, first=2)
    for ax in (left, right):
        ax.set_xticks(range(len(order)), names)
        ax.set_xlabel("width, and parameters of the map", labelpad=8)
    small = [w for w in order if w and parameters[w] <= 0.11 * parameters[0]]
    memorized = small and max(np.mean(remembered[w]) for w in small) > 0.9
    claim = "A tenth of the parameters memorizes the wrong labels"
    left.set(ylim=(0.35, 1.04), title=titled(claim, memorized, "What is remembered, and what is learned"))
    best = all(np.mean(validation[0]) < np.mean(validation[w]) for w in order if w)
    title = titled("The direct map is the best", best, "Validation loss")
    right.set(ylim=(0.8, None), ylabel="validation loss", title=title)
    legend_below(drawn, left, 2)
    said = "; ".join(
        f"{width or 'direct'}: remembers {np.mean(remembered[width]):.2f}, accuracy {np.mean(accuracy[width]):.2f}, "
        f"validation loss {np.mean(validation[width]):.2f}"
        for width in order
    )
    caption = dots_of(len(validation[0]))
    show_figure(drawn, f"Networks with a bottleneck in front. {said}.", caption)
