"""The figures of 02_dropout: numbers in, a picture with its description out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from course_lib.dropout.experiments import Ensemble, Patterns, Run, neighbour_correlation
from course_lib.lab.drawing import arrow, node, show_drawing, words
from course_lib.lab.plots import (
    MARKERS,
    OKABE_ITO,
    curves,
    figure,
    legend_beside,
    montage,
    of_seeds,
    show_figure,
    spread,
    titled,
)

__all__ = [
    "draw_ensembles",
    "draw_features",
    "draw_losing_units",
    "draw_neuron",
    "draw_overfitting",
    "draw_passes",
    "draw_patterns",
    "draw_regions",
    "draw_relu_gap",
    "draw_variance",
]


def draw_neuron() -> None:
    """The lecture's neuron under its four masks: what is dropped is dashed and crossed out."""
    shapes = []
    for k, (x, y, value) in enumerate(((1, 1, "w₁x + w₂y"), (1, 0, "w₁x"), (0, 0, "0"), (0, 1, "w₂y"))):
        left = 30 + 170 * k
        out = (left + 66, 50)
        shapes.append(node(out, "a", 20))
        for name, weight, kept, at in (("x", "w₁", x, (left + 20, 140)), ("y", "w₂", y, (left + 112, 140))):
            side = -1 if at[0] < out[0] else 1
            start, end = (at[0] - 7 * side, at[1] - 22), (out[0] + 10 * side, out[1] + 22)
            color, dashes = (OKABE_ITO[0], "") if kept else (OKABE_ITO[1], "4 4")
            if not kept:
                # From the rim inward, so that the letter in the middle can be read.
                corners = ((-1, -1), (1, 1), (-1, 1), (1, -1))
                cross = "".join(f"M{at[0] + 16 * a} {at[1] + 16 * b}l{-8 * a} {-8 * b}" for a, b in corners)
                shapes.append(f'<path d="{cross}" stroke="{color}" stroke-width="2"/>')
            shapes.append(node(at, name, 20, color, dashes))
            shapes.append(arrow(start, end, color, dashes, 2.4 if kept else 1.4))
            shapes.append(words(((start[0] + end[0]) / 2 + 20 * side, (start[1] + end[1]) / 2), weight))
        shapes.append(words((left + 66, 190), f"a = {value}"))
    alt = (
        "The neuron a with the inputs x and y and the weights w1 and w2, four times, once for each mask. Both inputs "
        "kept: a = w1 x + w2 y. Only x kept: a = w1 x. Both dropped: a = 0. Only y kept: a = w2 y. Dropped inputs are "
        "dashed and crossed out."
    )
    show_drawing(shapes, 690, 210, alt)


def draw_variance(shares: Sequence[float], square: float, sampled: Sequence[float]) -> None:
    """The variance of a linear neuron over the probability of keeping, for plain and for inverted dropout.

    Args:
        shares: probabilities of keeping.
        square: the sum over the inputs of (w_i x_i) squared.
        sampled: for each probability the variance over sampled masks of plain dropout.
    """
    drawn, (ax,) = figure(width=8.0, height=3.0)
    p = np.linspace(shares[0], 1, 200)
    ax.plot(p, p * (1 - p) * square, color=OKABE_ITO[0], label="plain: p (1 - p)")
    ax.plot(shares, sampled, "o", color=OKABE_ITO[0], label="plain, sampled masks")
    ax.plot(p, (1 - p) / p * square, "--", color=OKABE_ITO[1], label="inverted: (1 - p) / p")
    scaled = [value / share**2 for value, share in zip(sampled, shares, strict=True)]
    ax.plot(shares, scaled, "s", color=OKABE_ITO[1], label="inverted, sampled masks")
    ax.set(xlabel="p, the probability of keeping", ylabel="variance (log scale)", yscale="log")
    ax.set_title("Plain dropout is noisiest at 1/2; inverted dropout, at small p", fontsize=10)
    legend_beside(ax)
    alt = ", ".join(f"{value:.0f} at {share:g}" for value, share in zip(sampled, shares, strict=True))
    more = ", ".join(f"{value:.0f} at {share:g}" for value, share in zip(scaled, shares, strict=True))
    show_figure(drawn, f"Variance of a neuron over the probability of keeping. Plain dropout: {alt}. Inverted: {more}.")


def draw_relu_gap(shift: Sequence[float], mean_of_relu: Sequence[float], relu_of_mean: Sequence[float]) -> None:
    """A unit's mean output and its output at the mean, over the bias."""
    drawn, (ax,) = figure(width=6.0, height=3.0)
    curves(ax, {"mean of the outputs": (shift, mean_of_relu), "output at the mean": (shift, relu_of_mean)}, False)
    ax.set(xlabel="bias", ylabel="output", title="The mean of the outputs is never below the output at the mean")
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
        ends = [float(np.mean([row[-1] for row in rows])) for rows in lines.values()]
        claims = {"training": ("lowest", ends[0] == min(ends)), "validation": ("highest", ends[0] == max(ends))}
        place, holds = claims[name]
        plain = len(ends) > 1 and p_keeps[0] == 1 and holds
        ax.set(xlabel="epoch", title=titled(f"{name} loss: {place} without dropout", plain, f"{name} loss"))
    last = [[run.validation[-1] for run in runs if run.p_keep == p] for p in p_keeps]
    said = "; ".join(f"p_keep {p:g}: {np.mean(losses):.2f}" for p, losses in zip(p_keeps, last, strict=True))
    band = of_seeds(len(last[0]), "Line: mean; band: smallest to largest seed.")
    caption = f"{band} Losses are measured in evaluation mode, without noise."
    show_figure(drawn, f"Validation loss at the end: {said}.", caption)


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
        ax.set_title(f"p_keep = {run.p_keep:g}: neighbors correlate {smooth:.2f}", fontsize=11)
        said.append(f"p_keep {run.p_keep:g}: correlation of neighboring weights {smooth:.2f}")
    show_figure(drawn, f"Weights of {units} first-layer units as images. {'; '.join(said)}.")


def draw_losing_units(kept: Sequence[float], accuracy: dict[str, list[list[float]]]) -> None:
    """Accuracy over the share of hidden units that are left, mean and spread over the seeds."""
    drawn, (ax,) = figure(width=6.0, height=3.2)
    spread(ax, kept, accuracy)
    ax.set(xlabel="share of hidden units that are left", ylabel="validation accuracy", ylim=(0, 1))
    lost = [float(np.mean([run[0] - run[-1] for run in rows])) for rows in accuracy.values()]
    less = len(lost) > 1 and lost[-1] < lost[0]
    ax.set_title(titled("Trained with dropout, a network loses less", less, "Accuracy while hidden units are removed"))
    ax.invert_xaxis()
    said = "; ".join(
        f"{label}: from {np.mean([run[0] for run in runs]):.2f} to {np.mean([run[-1] for run in runs]):.2f}"
        for label, runs in accuracy.items()
    )
    seeds = len(next(iter(accuracy.values())))
    caption = of_seeds(seeds, "Line: mean; band: smallest to largest seed.")
    show_figure(drawn, f"Accuracy while units are removed. {said}.", caption)


def draw_ensembles(results: Sequence[Ensemble]) -> None:
    """Distance from the exact mean over all masks, over the number of sampled masks."""
    drawn, (ax,) = figure(width=6.0, height=3.4)
    samples = results[0].samples
    spread(ax, samples, {"mean over sampled masks": [result.sampled for result in results]})
    scaled = float(np.mean([result.scaled for result in results]))
    ax.axhline(scaled, color=OKABE_ITO[1], linestyle="--", label="one pass with scaled weights")
    ax.set(xscale="log", yscale="log", xlabel="masks sampled", ylabel="distance from the exact mean")
    ax.set_xticks(samples, [str(size) for size in samples])
    lines = [v for v in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if ax.get_ylim()[0] < v < ax.get_ylim()[1]]
    ax.set_yticks(lines, [f"{v:g}" for v in lines])
    ax.minorticks_off()
    first, last = (float(np.mean([result.sampled[i] for result in results])) for i in (0, -1))
    title = titled("More masks come closer to the exact mean", last < first, "Distance from the exact mean")
    ax.set_title(title, fontsize=11)
    ax.legend(frameon=False)
    alt = f"Distance from the mean over all {2 ** results[0].units} masks: {first:.3f} for one sampled mask, "
    caption = of_seeds(len(results), "Line: mean; band: smallest to largest seed.")
    show_figure(drawn, f"{alt}{last:.3f} for {samples[-1]}; {scaled:.3f} for scaled weights.", caption)


def draw_patterns(result: Patterns) -> None:
    """Validation loss with each kind of noise: a dot for each seed, on an axis around the values."""
    drawn, (ax,) = figure(width=6.0, height=3.0)
    means = {name: float(np.mean(losses)) for name, losses in result.losses.items()}
    for i, (name, losses) in enumerate(result.losses.items()):
        for seed, loss in enumerate(losses):
            ax.plot(i, loss, MARKERS[seed % len(MARKERS)], color=OKABE_ITO[0], markersize=6)
        ax.hlines(means[name], i - 0.2, i + 0.2, color="black", linewidth=1.2)
    ax.set_xticks(range(len(means)), list(means))
    below = all(value < means["none"] for name, value in means.items() if name != "none")
    claim = "Every kind of noise ends below the network without noise"
    title = titled(claim, below, "Validation loss with each kind of noise")
    ax.set(ylabel="validation loss at the end", title=title)
    ax.margins(x=0.15, y=0.2)
    said = "; ".join(f"{name}: {value:.2f}" for name, value in means.items())
    seeds = len(next(iter(result.losses.values())))
    caption = f"{of_seeds(seeds, 'One marker for each seed; bar: their mean.')} The axis does not begin at 0."
    show_figure(drawn, f"Validation loss at the end, mean over seeds. {said}.", caption)


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
    caption = f"One image, divided {len(divisions)} times at random into {size} × {size} regions."
    show_figure(drawn, caption, f"{caption} Each region becomes one pixel.")


def draw_passes(single: Sequence[float], averaged: Sequence[float]) -> None:
    """Validation loss of single noisy passes and of their running mean."""
    drawn, (ax,) = figure(width=8.0, height=3.0)
    passes = list(range(1, len(single) + 1))
    ax.plot(passes, single, "o", color=OKABE_ITO[1], label="single pass")
    ax.plot(passes, averaged, "-s", color=OKABE_ITO[0], markersize=4, label="mean of the first k passes")
    ax.axhline(float(np.mean(single)), color="black", linestyle=":", label="average loss of a single pass")
    better = averaged[-1] < float(np.mean(single)) and len(single) > 5
    title = titled("The mean of several passes beats the average pass", better, "One pass, and the mean of several")
    ax.set(xlabel="pass", ylabel="validation loss", title=title, xticks=passes)
    legend_beside(ax)
    alt = f"Single passes have a loss of {np.mean(single):.3f} on average, the mean of {len(single)} passes "
    show_figure(drawn, f"{alt}{averaged[-1]:.3f}.")
