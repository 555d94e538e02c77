"""The figures of 05_transfer_learning: numbers in, a picture with its description out."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes

from course_lib.lab.plots import (
    DASHES,
    MARKERS,
    OKABE_ITO,
    curves,
    figure,
    montage,
    of_seeds,
    show_figure,
    spread,
    titled,
)
from course_lib.transfer.experiments.faults import Drift, HeadRun, RateRun

__all__ = [
    "draw_drift",
    "draw_few_shot",
    "draw_head_runs",
    "draw_momentum",
    "draw_photographs",
    "draw_rate_runs",
    "draw_rates",
    "draw_shift",
    "draw_tuning",
]


def draw_photographs(images: torch.Tensor, top: Sequence[Sequence[tuple[str, float]]]) -> None:
    """Photographs (N, 3, H, W) in [0, 1], and below each its most probable classes with their probabilities."""
    columns = min(4, len(images))
    drawn, axes = figure(-(-len(images) // columns), columns, width=2.5, height=3.1)
    drawn.get_layout_engine().set(h_pad=0.08)  # type: ignore[union-attr,call-arg]
    said = []
    for ax in axes[len(images) :]:
        ax.set_visible(False)
    for ax, image, found in zip(axes, images, top, strict=False):  # the last row may not be full
        montage(ax, image[None], 1)
        lines = [f"{name} {chance:.2f}" for name, chance in found]
        ax.set_xlabel("\n".join(lines), fontsize=11)
        ax.set(xticks=[], yticks=[])
        said.append(lines[0])
    show_figure(drawn, f"{len(images)} photographs; first guesses: {'; '.join(said)}.")


def draw_drift(runs: Mapping[str, Sequence[Drift]]) -> None:
    """Accuracy on old and new images for several ways to freeze, and how far the features moved; a dot per seed."""
    drawn, axes = figure(1, 3, width=3.6, height=0.9 + 0.55 * len(runs), sharey=True)
    ways = [way.replace(", ", ",\n") for way in runs]
    before = float(np.mean([run.source_before for of_way in runs.values() for run in of_way]))
    for ax, key in zip(axes, ("source_after", "target", "moved"), strict=True):
        _across(ax, ways, [[getattr(run, key) for run in of_way] for of_way in runs.values()])
    axes[0].axvline(before, color="black", linestyle=":")
    axes[0].set(title=f"accuracy on the old images\n(dotted: {before:.2f} before)", xlim=(0, 1))
    axes[1].set(title="accuracy on the new images", xlim=(0, 1))
    axes[2].set(title="features of one image:\nrelative change", xlim=(-0.1, None))
    means = {way: {k: np.mean([getattr(r, k) for r in of_way]) for k in _DRIFT} for way, of_way in runs.items()}
    said = "; ".join(
        f"{way}: source {mean['source_after']:.2f} after {mean['source_before']:.2f}, target {mean['target']:.2f}, "
        f"features moved by {mean['moved']:.2f}"
        for way, mean in means.items()
    )
    seeds = len(next(iter(runs.values())))
    dots = of_seeds(seeds, "One dot per seed; bar and number: the mean.")
    caption = f"{dots} Old images: with the old head put back."
    show_figure(drawn, f"Freezing in several ways. {said}.", caption)


_DRIFT = ("source_before", "source_after", "target", "moved")


def draw_head_runs(runs: Mapping[str, Sequence[HeadRun]]) -> None:
    """Training losses, smoothed over ten steps, for an optimizer made before and after the new head; then accuracy."""
    drawn, axes = figure(1, 2, width=4.9, height=3.3)
    steps = len(next(iter(runs.values()))[0].losses) // 10
    lines = {
        name: [np.reshape(run.losses[: 10 * steps], (steps, 10)).mean(1).tolist() for run in of_name]
        for name, of_name in runs.items()
    }
    spread(axes[0], [10 * k + 5 for k in range(steps)], lines)
    axes[0].set(xlabel="step", ylabel="training loss", ylim=(0, None), title="training loss")
    if all(row[-1] < row[0] for rows in lines.values() for row in rows):
        axes[0].set_title("the training loss falls either way")
    if (legend := axes[0].get_legend()) is not None:
        legend.set_loc("lower left")
    _across(axes[1], [name.replace(" ", "\n", 1) for name in runs], [[r.accuracy for r in of] for of in runs.values()])
    moved = {name: float(np.mean([run.head_moved for run in of_name])) for name, of_name in runs.items()}
    right = {name: float(np.mean([run.accuracy for run in of_name])) for name, of_name in runs.items()}
    first, *others = right.values()
    worse = all(first > other + 0.05 for other in others)
    title = titled("an optimizer made too early ends worse", worse, "accuracy")
    axes[1].set(xlabel="validation accuracy", xlim=(0, 1), title=title)
    said = "; ".join(
        f"{name}: accuracy {right[name]:.2f}, head moved by {moved[name]:.2f} of its size" for name in runs
    )
    seeds = len(next(iter(runs.values())))
    marks = of_seeds(seeds, "Band: smallest to largest seed. One dot per seed; bar and number: the mean.")
    show_figure(drawn, f"Training loss. {said}.", f"{said}. {marks}")


def _across(ax: Axes, names: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    """Dots in a row for each name, one for each seed, with a bar and a number at the mean."""
    for place, row in enumerate(rows):
        ax.plot(row, [place] * len(row), "o", color=OKABE_ITO[0], alpha=0.6, markersize=6)
        ax.vlines(np.mean(row), place - 0.28, place + 0.28, color="black", linewidth=2)
        ax.annotate(f"{np.mean(row):.2f}", (max(row), place), (9, 0), textcoords="offset points", va="center")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.margins(x=0.2)


def draw_momentum(values: Mapping[str, Sequence[float]], freeze_at: int) -> None:
    """The value of a weight over the steps; it is frozen on the way."""
    drawn, (ax,) = figure(width=6.0, height=3.0)
    curves(ax, {name: (list(range(len(line))), list(line)) for name, line in values.items()})
    ax.axvline(freeze_at, color="black", linestyle=":")
    still, moving = ([abs(line[-1] - line[freeze_at]) for line in values.values()][k] for k in (0, -1))
    claim = "A gradient of zero does not stop a weight with momentum"
    ax.set(xlabel="step", ylabel="weight", title=titled(claim, still < 0.01 < moving, "A weight that is frozen"))
    said = "; ".join(
        f"{name}: {line[freeze_at]:.2f} when frozen, {line[-1]:.2f} at the end" for name, line in values.items()
    )
    show_figure(drawn, f"{said}.", "Dotted: requires_grad is switched off.")


def draw_few_shot(shots: Sequence[int], accuracy: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Accuracy of linear probes over the number of images of each class: mean and range of several draws."""
    drawn, (ax,) = figure(width=8.2, height=3.9)
    spread(ax, shots, accuracy)
    ax.set(xscale="log", xlabel="images of each class", ylabel="accuracy")
    ax.set_xticks(list(shots), [str(k) for k in shots])
    ax.minorticks_off()
    if (legend := ax.get_legend()) is not None:
        legend.remove()
    drawn.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    means = {kind: np.mean(rows, axis=0) for kind, rows in accuracy.items()}
    leaders = {max(means, key=lambda kind, k=k: means[kind][k]) for k in range(len(shots))}  # type: ignore[misc]
    if len(leaders) == 1:
        ax.set_title(f"{leaders.pop()}: the highest mean at every number of images", fontsize=11)
    said = "; ".join(f"{kind}: {values[0]:.2f} to {values[-1]:.2f}" for kind, values in means.items())
    count = len(next(iter(accuracy.values())))
    show_figure(
        drawn,
        f"Accuracy of a linear probe from {shots[0]} to {shots[-1]} images of each class. {said}.",
        f"Line: mean of {count} draws of the images. Band: lowest to highest draw. Every kind gets the same draws.",
    )


def draw_shift(
    images: torch.Tensor, moved: torch.Tensor, accuracy: Mapping[str, Sequence[tuple[float, float]]]
) -> None:
    """Images before and after a shift, and the accuracy of each probe on both; a line for each draw."""
    drawn, axes = figure(1, 2, width=4.9, height=3.5)
    montage(axes[0], torch.cat([images[:6], moved[:6]]), 6)
    axes[0].set_title("as they are (above), shifted (below)", fontsize=11)
    shifted = [float(np.mean(pairs, axis=0)[1]) for pairs in accuracy.values()]
    for place, (kind, pairs) in enumerate(accuracy.items()):
        for pair in pairs:
            axes[1].plot([0, 1], pair, color=OKABE_ITO[place], linewidth=0.8, alpha=0.35)
        means = np.mean(pairs, axis=0)
        color, marker, dashes = OKABE_ITO[place], MARKERS[place], DASHES[place]
        axes[1].plot([0, 1], means, label=kind, color=color, marker=marker, linestyle=dashes)
    for height, mean in zip(_apart(shifted), shifted, strict=True):
        axes[1].annotate(f"{mean:.2f}", (1, height), (8, 0), textcoords="offset points", va="center")
    axes[1].set_xticks([0, 1], ["as they are", "shifted"])
    lost = {kind: float(np.mean([before - after for before, after in pairs])) for kind, pairs in accuracy.items()}
    most, least = (choose(lost, key=lost.__getitem__) for choose in (max, min))
    axes[1].set(xlim=(-0.2, 1.3), ylim=(0, 1), ylabel="accuracy")
    axes[1].set_title(f"{most} lose{'' if most == 'pixels' else 's'} most, {least} least", fontsize=11)
    drawn.legend(*axes[1].get_legend_handles_labels(), loc="outside lower right", ncols=2, frameon=False)
    said = "; ".join(
        f"{kind}: {before:.2f}, shifted {after:.2f}"
        for kind, (before, after) in ((kind, np.mean(pairs, axis=0)) for kind, pairs in accuracy.items())
    )
    caption = "Thin lines: single draws of the images that the probe learns from. Thick: their mean."
    show_figure(drawn, f"Accuracy on images as they are and shifted. {said}.", caption)


def _apart(heights: Sequence[float], least: float = 0.07) -> list[float]:
    """Where numbers stand that belong to these heights: in the same order, and none over another."""
    places = np.array(heights, dtype=float)
    order = np.argsort(places)
    for lower, upper in itertools.pairwise(order):
        places[upper] = max(places[upper], places[lower] + least)
    return list(places - np.mean(places) + np.mean(heights))


def draw_rates(rates: Mapping[str, Sequence[float]]) -> None:
    """Learning rates from the first layer to the last."""
    drawn, (ax,) = figure(width=5.0, height=2.8)
    curves(ax, {name: (list(range(1, len(row) + 1)), list(row)) for name, row in rates.items()})
    title = "The smaller the decay, the slower the early layers"
    ax.set(xlabel="layer (the last is the head)", ylabel="learning rate", yscale="log")
    ax.set_title(title, fontsize=11)
    ax.set_xticks(range(1, max(map(len, rates.values())) + 1))
    said = "; ".join(f"{name}: from {row[0]:.2g} to {row[-1]:.2g}" for name, row in rates.items())
    show_figure(drawn, f"Learning rate of each layer. {said}.")


def draw_rate_runs(runs: Sequence[RateRun]) -> None:
    """Accuracy after fine-tuning over the decay of the learning rate, for similar and for different images."""
    drawn, (ax,) = figure(width=6.0, height=3.4)
    decays = sorted({run.decay for run in runs})
    lines = {
        f"{target} images": _by_seed([run for run in runs if run.target == target], decays)
        for target in dict.fromkeys(run.target for run in runs)
    }
    spread(ax, list(range(len(decays))), lines)
    names = {0.0: "0\n(head only)", 1.0: "1\n(one rate for all)"}
    ax.set_xticks(range(len(decays)), [names.get(decay, f"{decay:g}") for decay in decays])
    ax.set(xlabel="decay from layer to layer", ylabel="accuracy")
    means = {name: np.mean(rows, axis=0) for name, rows in lines.items()}
    change = {name: row[-1] - row[0] for name, row in means.items()}
    opposite = change.get("similar images", 0) < -0.05 and change.get("different images", 0) > 0.05
    claim = "One rate for all: bad for similar images, good for different ones"
    ax.set_title(titled(claim, opposite, "Accuracy over the decay"), fontsize=11)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{mean:.2f} at {decay:g}" for mean, decay in zip(row, decays, strict=True))
        for name, row in means.items()
    )
    seeds = len(next(iter(lines.values())))
    caption = of_seeds(seeds, "Line: mean; band: smallest to largest seed.")
    show_figure(drawn, f"Accuracy over the decay. {said}.", caption)


def draw_tuning(accuracy: Mapping[str, Sequence[float]], classes: Sequence[str], scratch: str) -> None:
    """Accuracy on new images for several ways to learn two classes; a dot for each draw of the images.

    Args:
        accuracy: way -> one value for each draw; pixels first.
        classes: names of the two.
        scratch: the way that began from random weights; it may have fewer draws than the others, the first ones.
    """
    drawn, (ax,) = figure(width=8.2, height=0.9 + 0.55 * len(accuracy))
    _across(ax, list(accuracy), list(accuracy.values()))
    ax.axvline(0.5, color="black", linestyle=":")
    ax.set(xlabel=f"accuracy on new images: {' or '.join(classes).lower()}?", xlim=(0.35, 1))
    least = accuracy[scratch]
    others = [values for way, values in accuracy.items() if way != scratch]
    below = len(least) > 2 and all(low < min(row) for low, *row in zip(least, *others[1:], strict=False))
    claim = "From scratch: behind the pretrained ones on each of its draws"
    ax.set_title(titled(claim, below, "Four ways to learn two classes"))
    said = "; ".join(f"{way}: {np.mean(values):.2f}" for way, values in accuracy.items())
    show_figure(
        drawn,
        f"Mean accuracy. {said}.",
        "One dot per draw of the images; bar and number: the mean. Dotted: guessing.",
    )


def _by_seed(runs: Sequence[RateRun], decays: Sequence[float]) -> list[list[float]]:
    """Accuracies, one row for each seed and one column for each decay."""
    columns = [[run.accuracy for run in runs if run.decay == decay] for decay in decays]
    return [list(row) for row in zip(*columns, strict=True)]
