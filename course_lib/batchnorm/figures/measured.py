"""The figures of 01_batchnorm: numbers of `experiments` in, a picture with its description out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes

from course_lib.batchnorm.experiments import (
    CEILING,
    WITH,
    WITHOUT,
    Activations,
    BatchSizes,
    Company,
    Contrast,
    Fusion,
    Gradients,
    Modes,
    OwnTraining,
    Regularizing,
    Sweep,
)
from course_lib.lab.plots import (
    DASHES,
    MARKERS,
    OKABE_ITO,
    bars,
    curves,
    figure,
    legend_beside,
    of_seeds,
    show_figure,
    spread,
    titled,
)

__all__ = [
    "draw_activations",
    "draw_batch_sizes",
    "draw_company",
    "draw_contrast",
    "draw_fusion",
    "draw_gradients",
    "draw_histograms",
    "draw_modes",
    "draw_own_training",
    "draw_regularizing",
    "draw_sweep",
]


def draw_histograms(stages: dict[str, torch.Tensor], alt: str) -> None:
    """One histogram for each stage of a computation on one feature, with its mean and standard deviation.

    Args:
        stages: title -> (N,) values.
        alt: what the picture shows, without the numbers, which are added.
    """
    drawn, axes = figure(1, len(stages), width=3.0, height=2.4)
    numbers = []
    for i, (ax, (title, values)) in enumerate(zip(axes, stages.items(), strict=True)):
        # The biased standard deviation: the one that batch normalization divides by.
        mean, std = round(float(values.mean()), 2) + 0.0, float(values.std(correction=0))  # never -0.00
        ax.hist(values.numpy(), bins=30, color=OKABE_ITO[i], edgecolor="white", linewidth=0.3)
        ax.axvline(mean, color="black", linestyle="--")
        ax.set(title=title, xlabel=f"mean {mean:.2f}, std {std:.2f}", yticks=[])
        numbers.append(f"{title}: mean {mean:.2f}, std {std:.2f}")
    show_figure(drawn, f"{alt} {'; '.join(numbers)}.", "Dashed: the mean.")


# One code in every figure of this notebook: batch norm is solid black, what it is compared with has colors and dashes.
_WITH: dict[str, Any] = {"color": "black", "linestyle": "-", "marker": "o", "markersize": 4}
_SHORT, _TITLE = 9, 10


def _by_scale(ax: Axes, series: dict[tuple[float, bool], Sequence[float]], first: int) -> None:
    """Lines over the depth: without batch norm one for each scale, with it a single label for all that coincide."""
    named = False
    for (scale, normalized), values in sorted(series.items(), key=lambda item: (item[0][1], item[0][0])):
        x = range(first, first + len(values))
        if normalized:
            ax.plot(x, values, **_WITH, label="_" if named else "with batch norm, all three scales")
            named = True
        else:
            k = sum(1 for s, n in series if not n and s < scale)
            ax.plot(
                x, values, color=OKABE_ITO[k], linestyle=DASHES[k + 1], marker=MARKERS[k], markersize=4,
                label=f"without, weights {scale:g} × He",
            )  # fmt: skip
    ax.set(yscale="log")


def draw_activations(runs: Sequence[Activations]) -> None:
    """Spread of the outputs over the depth, and histograms of the last layer."""
    drawn, (left, right) = figure(1, 2, width=5.0, height=3.4)
    _by_scale(left, {(run.scale, run.normalized): run.stds for run in runs}, 1)
    kept = all(0.5 < run.growth < 2 for run in runs if run.normalized)
    title = titled("With batch norm the spread stays the same", kept, "Spread over the depth")
    left.set(xlabel="hidden layer", ylabel="standard deviation of the outputs", title=title)
    for run in runs:
        positive = run.layers[-1][run.layers[-1] > 0]
        counts, edges = np.histogram(np.log10(positive.numpy()), bins=60, density=True)
        k = sum(1 for other in runs if not other.normalized and other.scale < run.scale)
        color, dashes = ("black", "-") if run.normalized else (OKABE_ITO[k], DASHES[k + 1])
        right.plot(10 ** ((edges[1:] + edges[:-1]) / 2), counts, color=color, linestyle=dashes)
    right.set(xscale="log", xlabel="positive outputs of layer 10", ylabel="share", yticks=[], title="The last layer")
    drawn.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    growth = "; ".join(
        f"{WITH if run.normalized else WITHOUT}, weights {run.scale:g} × He: "
        f"last layer over first layer {run.growth:.3g}"
        for run in runs
    )
    show_figure(drawn, f"Spread of the outputs of the hidden layers of an untrained network. {growth}.")


def draw_gradients(runs: Sequence[Gradients]) -> None:
    """Size of the gradient of every layer's weights."""
    drawn, (ax,) = figure(width=8.0, height=3.2)
    _by_scale(ax, {(run.scale, run.normalized): run.norms for run in runs}, 1)
    ends = {way: [norm for run in runs if run.normalized == way for norm in run.norms] for way in (False, True)}
    free = max(ends[True]) / min(ends[True]) < 100 < 1000 < max(ends[False]) / min(ends[False])
    claim = "With batch norm the scale of the weights no longer decides the gradient"
    title = titled(claim, free, "Gradient of each layer's weights, at the start")
    ax.set(xlabel="linear layer", ylabel="norm of the gradient")
    ax.set_title(title, fontsize=_TITLE)
    legend_beside(ax)
    said = "; ".join(
        f"{WITH if run.normalized else WITHOUT}, weights {run.scale:g} × He: from {min(run.norms):.1e} to "
        f"{max(run.norms):.1e}"
        for run in runs
    )
    show_figure(drawn, f"Norm of the gradient of each layer's weights in an untrained network. {said}.")


def draw_sweep(result: Sweep) -> None:
    """Training loss over one setting: a dot for each seed, a line through their mean, diverged runs as crosses."""
    drawn, (ax,) = figure(width=8.0, height=3.4)
    looks = {WITHOUT: (OKABE_ITO[1], "--", "s"), WITH: ("black", "-", "o")}
    for label, runs in result.losses.items():
        color, dashes, marker = looks[label]
        table = np.minimum(np.array(runs), CEILING)
        ax.plot(result.values, table.mean(axis=0), color=color, linestyle=dashes, label=label)
        for run in table:
            inside = run < CEILING
            x = np.array(result.values)
            ax.plot(x[inside], run[inside], marker, color=color, markersize=4)
            ax.plot(x[~inside], run[~inside], "x", color=color, markersize=7, clip_on=False)
    ax.plot([], [], "x", color="gray", linestyle="", label=f"diverged, or above {CEILING:g}")
    ax.axhline(math.log(10), color="gray", linewidth=0.8, linestyle=":", label="guessing")
    ax.axhline(math.log(10) / 2, color="black", linewidth=0.8, linestyle=":", label="below: the network trains")
    factor = {WITHOUT: result.width(WITHOUT), WITH: result.width(WITH)}
    seeds = len(result.losses[WITH])
    title = (
        f"Scales that train span a factor of {min(factor[WITH]):,.0f} with batch norm, "
        f"{max(factor[WITHOUT]):,.0f} without"
        if result.setting == "initial scale"
        else f"Largest rate that trains: {min(result.largest(WITH)):.3g} with batch norm, "
        f"{max(result.largest(WITHOUT)):.3g} without"
    )
    ax.set(xscale="log", xlabel=result.setting, ylabel="training loss at the end", title=title)
    legend_beside(ax)
    working = "; ".join(f"{label}, {_ranges(result.working(label))}" for label in result.losses)
    dots = of_seeds(seeds, f"A dot for each of {seeds} seeds.")
    caption = f"{dots} The network trains at these values: {working}."
    show_figure(drawn, f"Training loss over the {result.setting}. {title}. {caption}", caption)


def _ranges(working: Sequence[Sequence[float]]) -> str:
    found = [
        "none"
        if not values
        else f"{min(values):.3g}"
        if len(values) == 1
        else f"{min(values):.3g} to {max(values):.3g}"
        for values in working
    ]
    if len(set(found)) == 1:
        return found[0]
    return ", ".join(f"{values} (seed {seed})" for seed, values in enumerate(found))


def draw_batch_sizes(result: BatchSizes) -> None:
    """Validation error over the batch size: a dot for each seed, a line through the mean."""
    drawn, (ax,) = figure(width=8.0, height=3.4)
    looks = {"batch norm": ("black", "-", "o"), "group norm, 8 groups": (OKABE_ITO[1], "--", "s")}
    means = {label: np.mean(runs, axis=0) for label, runs in result.errors.items()}
    for label, runs in result.errors.items():
        color, dashes, marker = looks[label]
        ax.plot(result.sizes, means[label], color=color, linestyle=dashes, label=label)
        for run in runs:
            ax.plot(result.sizes, run, marker, color=color, markersize=4)
    title = "Validation error over the batch size"
    if len(means) == 2:
        batch, group = (means[label] for label in looks)
        title = f"At batch size {result.sizes[0]} batch norm errs {batch[0] - group[0]:.0f} points more"
        if len(batch) > 1:
            most = np.abs(batch - group)[1:].max()
            title += f"; from {result.sizes[1]} on they differ by at most {most:.0f}"
    ax.set_xscale("log", base=2)
    ax.set_xticks(result.sizes, [str(size) for size in result.sizes])
    ax.set(xlabel="batch size", ylabel="validation error in %", ylim=(0, None))
    ax.set_title(title, fontsize=_TITLE)
    legend_beside(ax)
    dots = of_seeds(len(next(iter(result.errors.values()))), "A dot for each seed; line: their mean.")
    numbers = "; ".join(
        f"{label}: " + ", ".join(f"{v:.0f}% at {size}" for v, size in zip(mean, result.sizes, strict=True))
        for label, mean in means.items()
    )
    show_figure(drawn, f"Validation error over the batch size. {title}. {numbers}.", dots)


def draw_company(result: Company) -> None:
    """How much the output for one image varies with the other images of its batch."""
    drawn, (ax,) = figure(width=8.0, height=3.0)
    ax.plot(result.sizes, result.noise, **_WITH, label="training mode")
    guide = [result.noise[-1] * math.sqrt(result.sizes[-1] / size) for size in result.sizes]
    ax.plot(result.sizes, guide, color=OKABE_ITO[1], linestyle=":", label="proportional to\n1 / sqrt(batch size)")
    ax.set(xscale="log", yscale="log", xlabel="batch size", ylabel="standard deviation of a logit")
    calmer = all(one > other for one, other in pairwise(result.noise))
    claim = "One image in random company: the larger the batch, the less noise"
    ax.set_title(titled(claim, calmer, "One image in random company"), fontsize=_TITLE)
    ax.set_xticks(result.sizes, [str(size) for size in result.sizes])
    lines = [v for v in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0) if min(result.noise) / 2 < v < 2 * max(result.noise)]
    ax.set_yticks(lines, [f"{v:g}" for v in lines])
    ax.minorticks_off()
    legend_beside(ax)
    said = ", ".join(f"{v:.2f} at {size}" for v, size in zip(result.noise, result.sizes, strict=True))
    caption = f"In evaluation mode the company makes no difference (standard deviation {result.eval_noise:.1g})."
    alt = (
        f"Standard deviation of the logits of one image over random batches: {said}. Dotted: a line proportional to "
        f"1 / sqrt(batch size), through the last point. {caption}"
    )
    show_figure(drawn, alt, caption)


def draw_regularizing(result: Regularizing) -> None:
    """Losses with statistics from smaller and smaller groups: a dot for each seed."""
    drawn, axes = figure(1, 2, width=4.8, height=3.0, sharey=True)
    labels = list(result.training)
    said = []
    for ax, name, losses in zip(axes, ("training", "validation"), (result.training, result.validation), strict=True):
        for i, label in enumerate(labels):
            color, marker = (OKABE_ITO[1], "s") if i == 0 else ("black", "o")
            ax.plot([i] * len(losses[label]), losses[label], marker, color=color, markersize=5)
        ax.set_xticks(range(len(labels)), [label.replace(" ", "\n", 1) for label in labels], fontsize=_SHORT)
        ax.set_title(f"{name} loss")
        said.append(f"{name} loss: " + ", ".join(f"{label} {np.mean(losses[label]):.2f}" for label in labels))
    smallest, largest = (float(np.mean(result.validation[label])) for label in (labels[-1], labels[1]))
    axes[1].set_title(titled("validation loss: more noise does not help", smallest > largest, "validation loss"))
    axes[0].set(ylabel="loss at the end", ylim=(0, None))
    dots = of_seeds(len(result.training[labels[0]]), "A dot for each seed.")
    show_figure(drawn, f"500 images with wrong labels. {'; '.join(said)}.", dots)


def draw_contrast(result: Contrast) -> None:
    """Accuracy while the images lose contrast."""
    drawn, (ax,) = figure(width=8.0, height=3.0)
    spread(ax, result.factors, result.accuracy)
    ax.invert_xaxis()
    ax.set_xticks(result.factors, [f"{factor:g}" for factor in result.factors])
    ax.set(xlabel="gray values multiplied by", ylabel="validation accuracy in %", ylim=(0, 100))
    legend_beside(ax)
    means = {label: np.mean(runs, axis=0) for label, runs in result.accuracy.items()}
    lost = {label: mean[0] - mean[-1] for label, mean in means.items()}
    only = lost["batch norm"] > 10 and all(value < 3 for label, value in lost.items() if label != "batch norm")
    ax.set_title(titled("Only batch norm notices that the contrast has changed", only, "Accuracy at lower contrast"))
    said = "; ".join(
        f"{label}: {mean[0]:.0f}% at full contrast, {mean[-1]:.0f}% at {result.factors[-1]:g}"
        for label, mean in means.items()
    )
    seeds = len(next(iter(result.accuracy.values())))
    caption = of_seeds(seeds, "Line: mean; band: smallest to largest seed.")
    show_figure(drawn, f"Validation accuracy while the contrast falls. {said}.", caption)


def draw_modes(result: Modes) -> None:
    """Accuracy of one network under each way of evaluating it."""
    values = {
        "eval mode": result.right,
        "train mode,\nall classes mixed": result.shuffled,
        "train mode,\nsorted by class": result.sorted,
        "train mode,\none by one": result.single,
        "eval mode,\nbuffers not saved": result.without_buffers,
    }
    drawn, (ax,) = figure(width=8.0, height=3.0)
    bars(ax, list(values), {"accuracy in %": list(values.values())})
    fails = max(result.sorted, result.single) < result.right - 20
    claim = "The same weights fail in training mode on sorted batches and single images"
    ax.set(ylim=(0, 100))
    ax.set_title(titled(claim, fails, "The same weights, evaluated in five ways"), fontsize=_TITLE)
    words = "; ".join(f"{name.replace(chr(10), ' ')}: {value:.0f}%" for name, value in values.items())
    show_figure(drawn, f"Validation accuracy of the same trained weights, evaluated in five ways. {words}.")


def draw_fusion(result: Fusion) -> None:
    """Time for one image with and without normalization layers, and the difference of the outputs."""
    drawn, (ax,) = figure(width=5.0, height=2.8)
    bars(
        ax,
        [f"{result.layers[0]} layers", f"{result.layers[1]} layers, fused"],
        {"milliseconds for one image": [result.before_ms, result.after_ms]},
    )
    saved = 1 - result.after_ms / result.before_ms
    ax.set_title(titled(f"Fused, one image takes {100 * saved:.0f}% less time", saved > 0, "One image at a time"))
    caption = (
        f"Largest difference of two logits {result.error:.1e} (the largest logit is {result.largest:.1f}); "
        f"{100 * result.same_class:.0f}% of the images keep their class; "
        f"time {result.before_ms:.2f} ms before, {result.after_ms:.2f} ms after."
    )
    show_figure(drawn, caption, caption)


def draw_own_training(result: OwnTraining) -> None:
    """Two loss curves that should lie on each other."""
    drawn, (ax,) = figure(width=7.0, height=2.8)
    steps = list(range(1, len(result.own) + 1))
    curves(ax, {"your forward and backward": (steps, result.own), "torch.nn.BatchNorm1d": (steps, result.torch)}, False)
    title = titled("Two implementations, one curve", result.error < 1e-3, "Two implementations")
    ax.set(xlabel="step", ylabel="training loss", title=title)
    caption = f"Largest relative difference of the losses in the first ten steps: {result.error:.1e}."
    show_figure(drawn, f"Training loss with your functions and with PyTorch's layer. {caption}", caption)
