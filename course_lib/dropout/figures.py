"""The figures of 02_dropout: numbers in, a picture with its description out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from course_lib.dropout.experiments import Ensemble, Patterns, Run, neighbour_correlation
from course_lib.lab.plots import OKABE_ITO, bars, curves, figure, montage, show_figure, spread

__all__ = [
    "draw_ensembles",
    "draw_features",
    "draw_losing_units",
    "draw_masks",
    "draw_overfitting",
    "draw_passes",
    "draw_patterns",
    "draw_regions",
    "draw_relu_gap",
]


def draw_masks(w: Sequence[float], x: Sequence[float], p_keeps: Sequence[float]) -> None:
    """Every mask of a linear neuron: its value, and as height its probability, for several probabilities of keeping.

    Args:
        w: (n,) weights.
        x: (n,) inputs.
        p_keeps: one picture for each.
    """
    masks = list(itertools.product([1, 0], repeat=len(w)))
    values = [sum(m * a * b for m, a, b in zip(mask, w, x, strict=True)) for mask in masks]
    drawn, axes = figure(1, len(p_keeps), width=3.6, height=2.8, sharey=True)
    said = []
    for ax, p in zip(axes, p_keeps, strict=True):
        chances = [math.prod(p if m else 1 - p for m in mask) for mask in masks]
        mean = sum(c * v for c, v in zip(chances, values, strict=True))
        ax.bar(values, chances, width=0.06 * (max(values) - min(values)), color=OKABE_ITO[0])
        for mask, value, chance in zip(masks, values, chances, strict=True):
            name = "".join(map(str, mask))
            ax.annotate(name, (value, chance), ha="center", va="bottom", fontsize=8)
        ax.axvline(mean, color="black", linestyle="--")
        ax.set(title=f"p_keep = {p:g}: mean {mean:.3g}", xlabel="value of the neuron")
        said.append(f"at p_keep {p:g} the mean is {mean:.3g}")
    axes[0].set_ylabel("probability of the mask")
    listing = ", ".join(f"mask {''.join(map(str, m))}: {v:g}" for m, v in zip(masks, values, strict=True))
    show_figure(drawn, f"The neuron's value under every mask ({listing}); {'; '.join(said)}.", "Dashed: the mean.")


def draw_relu_gap(shift: Sequence[float], mean_of_relu: Sequence[float], relu_of_mean: Sequence[float]) -> None:
    """A unit's mean output and its output at the mean, over the bias."""
    drawn, (ax,) = figure(width=6.0, height=3.0)
    curves(ax, {"mean of the outputs": (shift, mean_of_relu), "output at the mean": (shift, relu_of_mean)}, False)
    ax.set(xlabel="bias", ylabel="output")
    gaps = [a - b for a, b in zip(mean_of_relu, relu_of_mean, strict=True)]
    widest = max(range(len(gaps)), key=gaps.__getitem__)
    alt = f"The mean of the outputs is never below the output at the mean; the gap is widest, {gaps[widest]:.2f}, "
    show_figure(drawn, f"{alt}at bias {round(shift[widest], 1) + 0.0:.1f}, and 0 at both ends.")


def draw_overfitting(runs: Sequence[Run]) -> None:
    """Training and validation loss over the epochs, mean and spread over the seeds."""
    drawn, axes = figure(1, 2, width=4.8, height=3.4, sharey=True)
    p_keeps = list(dict.fromkeys(run.p_keep for run in runs))
    for ax, name in zip(axes, ("training", "validation"), strict=True):
        lines = {f"p_keep = {p:g}": [getattr(run, name) for run in runs if run.p_keep == p] for p in p_keeps}
        spread(ax, runs[0].epochs, lines)
        ax.set(xlabel="epoch", title=f"{name} loss")
    last = [[run.validation[-1] for run in runs if run.p_keep == p] for p in p_keeps]
    said = "; ".join(f"p_keep {p:g}: {np.mean(losses):.2f}" for p, losses in zip(p_keeps, last, strict=True))
    show_figure(drawn, f"Validation loss at the end: {said}.", "Band: smallest to largest seed. Without noise.")


def draw_features(runs: Sequence[Run], units: int = 24) -> None:
    """The first weights of the first layer as images, one row of pictures for each network."""
    drawn, axes = figure(1, len(runs), width=4.6, height=3.4)
    said = []
    for ax, run in zip(axes, runs, strict=True):
        layer = next(layer for layer in run.model.modules() if isinstance(layer, nn.Linear))
        images = layer.weight.detach()[:units].view(-1, 1, 28, 28)
        low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
        montage(ax, (images - low) / (high - low), 6)
        smooth = neighbour_correlation(layer.weight)
        ax.set_title(f"p_keep = {run.p_keep:g}: neighbours correlate {smooth:.2f}", fontsize=9)
        said.append(f"p_keep {run.p_keep:g}: correlation of neighbouring weights {smooth:.2f}")
    show_figure(drawn, f"Weights of {units} first-layer units as images. {'; '.join(said)}.")


def draw_losing_units(kept: Sequence[float], accuracy: dict[str, list[list[float]]]) -> None:
    """Accuracy over the share of hidden units that are left, mean and spread over the seeds."""
    drawn, (ax,) = figure(width=6.0, height=3.2)
    spread(ax, kept, accuracy)
    ax.set(xlabel="share of hidden units that are left", ylabel="validation accuracy")
    ax.invert_xaxis()
    said = "; ".join(
        f"{label}: from {np.mean([run[0] for run in runs]):.2f} to {np.mean([run[-1] for run in runs]):.2f}"
        for label, runs in accuracy.items()
    )
    show_figure(drawn, f"Accuracy while units are removed. {said}.", "Band: smallest to largest seed.")


def draw_ensembles(results: Sequence[Ensemble]) -> None:
    """Distance from the exact mean over all masks, over the number of sampled masks."""
    drawn, (ax,) = figure(width=6.0, height=3.4)
    samples = results[0].samples
    spread(ax, samples, {"mean over sampled masks": [result.sampled for result in results]})
    scaled = float(np.mean([result.scaled for result in results]))
    ax.axhline(scaled, color=OKABE_ITO[1], linestyle="--", label="one pass with scaled weights")
    ax.set(xscale="log", yscale="log", xlabel="masks sampled", ylabel="distance from the exact mean")
    ax.legend(frameon=False)
    first, last = (float(np.mean([result.sampled[i] for result in results])) for i in (0, -1))
    alt = f"Distance from the mean over all {2 ** results[0].units} masks: {first:.3f} for one sampled mask, "
    show_figure(drawn, f"{alt}{last:.3f} for {samples[-1]}; {scaled:.3f} for scaled weights.")


def draw_patterns(result: Patterns) -> None:
    """Validation loss with each kind of noise."""
    drawn, (ax,) = figure(width=6.0, height=3.0)
    seeds = len(next(iter(result.losses.values())))
    bars(ax, list(result.losses), {f"seed {i}": [run[i] for run in result.losses.values()] for i in range(seeds)})
    ax.set(ylabel="validation loss", ylim=(0, None))
    said = "; ".join(f"{name}: {np.mean(losses):.2f}" for name, losses in result.losses.items())
    show_figure(drawn, f"Validation loss at the end, mean over seeds. {said}.")


def draw_regions(image: torch.Tensor, divisions: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """An image with the boundaries of several random divisions into regions.

    Args:
        image: (H, W).
        divisions: (rows, cols) of each.
    """
    drawn, axes = figure(1, len(divisions), width=2.8, height=2.8)
    for ax, (rows, cols) in zip(axes, divisions, strict=True):
        ax.imshow(image.numpy(), cmap="gray", extent=(0, image.shape[1], image.shape[0], 0))
        ax.hlines(rows.tolist(), 0, image.shape[1], color=OKABE_ITO[4], linewidth=0.8)
        ax.vlines(cols.tolist(), 0, image.shape[0], color=OKABE_ITO[4], linewidth=0.8)
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
    size = len(divisions[0][0]) - 1
    show_figure(drawn, f"One image, divided {len(divisions)} times at random into {size} x {size} regions.")


def draw_passes(single: Sequence[float], averaged: Sequence[float]) -> None:
    """Validation loss of single noisy passes and of their running mean."""
    drawn, (ax,) = figure(width=6.0, height=3.0)
    passes = list(range(1, len(single) + 1))
    ax.plot(passes, single, "o", color=OKABE_ITO[1], label="single pass")
    ax.plot(passes, averaged, "-s", color=OKABE_ITO[0], markersize=4, label="mean of the first k passes")
    ax.axhline(float(np.mean(single)), color="black", linestyle=":", label="average loss of a single pass")
    ax.set(xlabel="pass", ylabel="validation loss")
    ax.legend(frameon=False, fontsize=8)
    alt = f"Single passes have a loss of {np.mean(single):.3f} on average, the mean of {len(single)} passes "
    show_figure(drawn, f"{alt}{averaged[-1]:.3f}.")
