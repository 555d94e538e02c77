"""The figures of 05_transfer_learning: numbers in, a picture with its description out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from course_lib.lab.plots import bars, curves, figure, montage, show_figure, spread
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
]


def draw_photographs(images: torch.Tensor, top: Sequence[Sequence[tuple[str, float]]]) -> None:
    """Photographs (N, 3, H, W) in [0, 1], and below each its most probable classes with their probabilities."""
    drawn, axes = figure(1, len(images), width=2.3, height=3.2)
    said = []
    for ax, image, found in zip(axes, images, top, strict=True):
        montage(ax, image[None], 1)
        lines = [f"{name} {chance:.2f}" for name, chance in found]
        ax.set_xlabel("\n".join(lines), fontsize=9)
        ax.set(xticks=[], yticks=[])
        said.append(lines[0])
    show_figure(drawn, f"{len(images)} photographs; first guesses: {'; '.join(said)}.")


def draw_drift(runs: Mapping[str, Sequence[Drift]]) -> None:
    """Accuracy on source and target for several ways to freeze, and how far the features moved; means over seeds."""
    drawn, axes = figure(1, 2, width=5.4, height=3.4)
    names = ("source, before", "source, after", "target")
    values = {
        name: [float(np.mean([getattr(run, key) for run in of_way])) for of_way in runs.values()]
        for name, key in zip(names, ("source_before", "source_after", "target"), strict=True)
    }
    groups = [way.replace(", ", ",\n") for way in runs]
    bars(axes[0], groups, values)
    axes[0].set(title="accuracy", ylim=(0, 1.35))
    moved = [float(np.mean([run.moved for run in of_way])) for of_way in runs.values()]
    bars(axes[1], groups, {"moved": moved})
    axes[1].set(title="relative change of the 'frozen' features")
    said = "; ".join(
        f"{way}: source {values[names[1]][i]:.2f} after {values[names[0]][i]:.2f}, target {values[names[2]][i]:.2f}, "
        f"features moved by {moved[i]:.2f}"
        for i, way in enumerate(runs)
    )
    show_figure(drawn, f"Freezing in several ways. {said}.", "Source: with the old head put back.")


def draw_head_runs(runs: Mapping[str, Sequence[HeadRun]]) -> None:
    """Training losses, smoothed over ten steps, for an optimizer made before and after the new head."""
    drawn, (ax,) = figure(width=6.0, height=3.2)
    steps = len(next(iter(runs.values()))[0].losses) // 10
    lines = {
        name: [np.reshape(run.losses[: 10 * steps], (steps, 10)).mean(1).tolist() for run in of_name]
        for name, of_name in runs.items()
    }
    spread(ax, [10 * k + 5 for k in range(steps)], lines)
    ax.set(xlabel="step", ylabel="training loss", ylim=(0, None))
    said = "; ".join(
        f"{name}: accuracy {np.mean([run.accuracy for run in of_name]):.2f}, head moved by "
        f"{np.mean([run.head_moved for run in of_name]):.2f} of its size"
        for name, of_name in runs.items()
    )
    show_figure(drawn, f"Training loss. {said}.", said)


def draw_momentum(values: Mapping[str, Sequence[float]], freeze_at: int) -> None:
    """The value of a weight over the steps; it is frozen on the way."""
    drawn, (ax,) = figure(width=6.0, height=3.0)
    curves(ax, {name: (list(range(len(line))), list(line)) for name, line in values.items()})
    ax.axvline(freeze_at, color="black", linestyle=":")
    ax.set(xlabel="step", ylabel="weight")
    said = "; ".join(
        f"{name}: {line[freeze_at]:.2f} when frozen, {line[-1]:.2f} at the end" for name, line in values.items()
    )
    show_figure(drawn, f"{said}.", "Dotted: requires_grad is switched off.")


def draw_few_shot(shots: Sequence[int], accuracy: Mapping[str, Sequence[float]]) -> None:
    """Accuracy of linear probes over the number of images of each class."""
    drawn, (ax,) = figure(width=6.0, height=3.6)
    curves(ax, {kind: (list(shots), list(values)) for kind, values in accuracy.items()})
    ax.set(xscale="log", xlabel="images of each class", ylabel="accuracy")
    ax.set_xticks(list(shots), [str(k) for k in shots])
    ax.minorticks_off()
    said = "; ".join(f"{kind}: {values[0]:.2f} to {values[-1]:.2f}" for kind, values in accuracy.items())
    show_figure(drawn, f"Accuracy of a linear probe from {shots[0]} to {shots[-1]} images of each class. {said}.")


def draw_shift(images: torch.Tensor, moved: torch.Tensor, accuracy: Mapping[str, tuple[float, float]]) -> None:
    """Images before and after a shift, and the accuracy of each probe on both."""
    drawn, axes = figure(1, 2, width=4.6, height=3.2)
    montage(axes[0], torch.cat([images[:6], moved[:6]]), 6)
    axes[0].set_title("as they are (above), shifted (below)")
    values = list(accuracy.values())
    series = {"as they are": [a for a, _ in values], "shifted": [b for _, b in values]}
    bars(axes[1], [kind.replace(" ", "\n") for kind in accuracy], series)
    axes[1].set(ylim=(0, 1.15), ylabel="accuracy")
    said = "; ".join(f"{kind}: {a:.2f}, shifted {b:.2f}" for kind, (a, b) in accuracy.items())
    show_figure(drawn, f"Accuracy on images as they are and shifted. {said}.")


def draw_rates(rates: Mapping[str, Sequence[float]]) -> None:
    """Learning rates from the first layer to the last."""
    drawn, (ax,) = figure(width=5.0, height=2.8)
    curves(ax, {name: (list(range(1, len(row) + 1)), list(row)) for name, row in rates.items()})
    ax.set(xlabel="layer (the last is the head)", ylabel="learning rate", yscale="log")
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
    said = "; ".join(
        f"{name}: " + ", ".join(f"{mean:.2f} at {decay:g}" for mean, decay in zip(row, decays, strict=True))
        for name, row in means.items()
    )
    show_figure(drawn, f"Accuracy over the decay. {said}.", "Band: smallest to largest seed.")


def _by_seed(runs: Sequence[RateRun], decays: Sequence[float]) -> list[list[float]]:
    """Accuracies, one row for each seed and one column for each decay."""
    columns = [[run.accuracy for run in runs if run.decay == decay] for decay in decays]
    return [list(row) for row in zip(*columns, strict=True)]
