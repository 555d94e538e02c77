"""The figures of 01_batchnorm: numbers of `experiments` in, a picture with its description out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from course_lib.batchnorm.experiments import (
    WITH,
    Activations,
    BatchSizes,
    Fusion,
    Modes,
    OwnTraining,
    Sweep,
)
from course_lib.lab.plots import OKABE_ITO, bars, curves, figure, show_figure, spread

__all__ = [
    "draw_activations",
    "draw_batch_sizes",
    "draw_fusion",
    "draw_histograms",
    "draw_modes",
    "draw_own_training",
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
        # The biased standard deviation: the one that batch normalisation divides by.
        mean, std = float(values.mean()), float(values.std(correction=0))
        ax.hist(values.numpy(), bins=30, color=OKABE_ITO[i], edgecolor="white", linewidth=0.3)
        ax.axvline(mean, color="black", linestyle="--")
        ax.set(title=title, xlabel=f"mean {mean:.2f}, std {std:.2f}", yticks=[])
        numbers.append(f"{title}: mean {mean:.2f}, std {std:.2f}")
    show_figure(drawn, f"{alt} {'; '.join(numbers)}.", "Dashed: the mean.")


def draw_activations(runs: Sequence[Activations]) -> None:
    """Spread of the outputs over the depth, and histograms of the last layer."""
    drawn, (left, right) = figure(1, 2, width=5.0, height=3.4)
    names = {run: f"{'with' if run.normalised else 'without'} BN, scale {run.scale:g}" for run in runs}
    depth = range(1, len(runs[0].layers) + 1)
    curves(left, {names[run]: (list(depth), run.stds) for run in runs})
    if (inside := left.get_legend()) is not None:
        inside.remove()
    drawn.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    left.set(yscale="log", xlabel="hidden layer", ylabel="standard deviation of the outputs", title="Over the depth")
    for run, colour in zip(runs, OKABE_ITO, strict=False):
        positive = run.layers[-1][run.layers[-1] > 0]
        counts, edges = np.histogram(np.log10(positive.numpy()), bins=60, density=True)
        right.plot((edges[1:] + edges[:-1]) / 2, counts, color=colour, linestyle="-" if run.normalised else "--")
    right.set(xlabel="log10 of the positive outputs", yticks=[], title="In the last layer (solid: with BN)")
    growth = "; ".join(f"{names[run]}: last layer over first layer {run.growth:.3g}" for run in runs)
    show_figure(drawn, f"Spread of the outputs of the hidden layers of an untrained network. {growth}.")


def draw_sweep(result: Sweep) -> None:
    """Training loss over one setting, mean and spread over the seeds."""
    drawn, (ax,) = figure(width=7.0, height=3.4)
    clipped = {label: [[min(loss, 3.0) for loss in run] for run in runs] for label, runs in result.losses.items()}
    spread(ax, result.values, clipped)
    ax.axhline(math.log(10) / 2, color="black", linewidth=0.8, linestyle=":")
    ax.annotate("below: it trains", (result.values[0], math.log(10) / 2), xytext=(0, 4), textcoords="offset points")
    ax.set(
        xscale="log", xlabel=result.setting, ylabel="training loss at the end", title="Band: smallest to largest seed"
    )
    seeds = len(result.losses[WITH])
    working = "; ".join(f"{label} {_ranges(result.working(label))}" for label in result.losses)
    alt = f"Training loss over the {result.setting}; {seeds} seed{'s' * (seeds > 1)}. It trains: {working}."
    show_figure(drawn, alt, alt)


def _ranges(working: Sequence[Sequence[float]]) -> str:
    found = [f"from {min(values):.3g} to {max(values):.3g}" if values else "nowhere" for values in working]
    return found[0] if len(set(found)) == 1 else ", ".join(found)


def draw_batch_sizes(result: BatchSizes) -> None:
    """Validation error over the batch size."""
    drawn, (ax,) = figure(width=7.0, height=3.4)
    spread(ax, result.sizes, result.errors)
    ax.set_xscale("log", base=2)
    ax.set_xticks(result.sizes, [str(size) for size in result.sizes])
    ax.set(xlabel="batch size", ylabel="validation error in percent", title="Band: smallest to largest seed")
    means = {label: np.mean(runs, axis=0) for label, runs in result.errors.items()}
    numbers = "; ".join(
        f"{label}: {mean[0]:.0f} % at {result.sizes[0]}, {mean[-1]:.0f} % at {result.sizes[-1]}"
        for label, mean in means.items()
    )
    show_figure(drawn, f"Validation error over the batch size. {numbers}.")


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
    bars(ax, list(values), {"accuracy in percent": list(values.values())})
    ax.set(ylim=(0, 100))
    words = "; ".join(f"{name.replace(chr(10), ' ')}: {value:.0f} %" for name, value in values.items())
    show_figure(drawn, f"Validation accuracy of the same trained weights, evaluated in five ways. {words}.")


def draw_fusion(result: Fusion) -> None:
    """Time for one image with and without normalisation layers, and the difference of the outputs."""
    drawn, (ax,) = figure(width=5.0, height=2.8)
    bars(
        ax,
        [f"{result.layers[0]} layers", f"{result.layers[1]} layers, fused"],
        {"milliseconds for one image": [result.before_ms, result.after_ms]},
    )
    caption = (
        f"Largest difference of two logits {result.error:.1e} (the largest logit is {result.largest:.1f}); "
        f"{100 * result.same_class:.0f} % of the images keep their class; "
        f"time {result.before_ms:.2f} ms before, {result.after_ms:.2f} ms after."
    )
    show_figure(drawn, caption, caption)


def draw_own_training(result: OwnTraining) -> None:
    """Two loss curves that should lie on each other."""
    drawn, (ax,) = figure(width=7.0, height=2.8)
    steps = list(range(1, len(result.own) + 1))
    curves(ax, {"your forward and backward": (steps, result.own), "torch.nn.BatchNorm1d": (steps, result.torch)}, False)
    ax.set(xlabel="step", ylabel="training loss")
    caption = f"Largest relative difference of the losses in the first ten steps: {result.error:.1e}."
    show_figure(drawn, f"Training loss with your functions and with PyTorch's layer. {caption}", caption)
