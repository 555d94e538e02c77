"""The figures of 03_augmentation: numbers in, a picture with its description out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from course_lib.augmentation.experiments import Mirrored, Run, Search, Views
from course_lib.lab.plots import DASHES, OKABE_ITO, bars, figure, montage, show_figure, spread

__all__ = [
    "draw_images",
    "draw_lighting",
    "draw_mirrored",
    "draw_recipes",
    "draw_search",
    "draw_views",
]


def draw_images(images: Sequence[Tensor], titles: Sequence[str], alt: str, height: int = 160) -> None:
    """Images side by side, each with a title, enlarged or reduced to one height.

    Args:
        images: each (C, H, W), in [0, 1].
        titles: one for each.
        alt: what they show, in words.
        height: in pixels.
    """
    drawn, axes = figure(1, len(images), width=8.5 / max(3, len(images)), height=2.0)
    for ax, image, title in zip(axes, images, titles, strict=True):
        size = (height, round(height * image.shape[2] / image.shape[1]))
        montage(ax, F.interpolate(image[None].detach().float().cpu(), size, mode="nearest"), 1)
        ax.set_title(title, fontsize=8)
        ax.set_xticks([])
    show_figure(drawn, alt)


def draw_lighting(image: Tensor, offsets: Sequence[Tensor], names: Sequence[str], steps: Sequence[float]) -> None:
    """An image under several lights: a row for each principal component, a column for each alpha.

    Args:
        image: (3, H, W).
        offsets: for each component what is added to every pixel at alpha = 1, (3,).
        names: of the components.
        steps: alphas.
    """
    drawn, axes = figure(1, 1, width=1.3 * len(steps), height=1.0 * len(offsets) + 0.4)
    small = F.interpolate(image[None], scale_factor=0.4, mode="area", recompute_scale_factor=False)[0]
    rows = [small + step * offset.to(small)[:, None, None] for offset in offsets for step in steps]
    montage(axes[0], torch.stack(rows).clamp(0, 1), len(steps), [f"α = {step:g}" for step in steps])
    height = rows[0].shape[1] + 2
    axes[0].set_yticks([(i + 0.5) * height for i in range(len(names))], names, fontsize=8)
    show_figure(
        drawn, f"The photograph with light added along each principal component, α from {steps[0]:g} to {steps[-1]:g}."
    )


def draw_mirrored(found: Sequence[Mirrored]) -> None:
    """Validation loss without and with random flips, for each task."""
    drawn, axes = figure(1, len(found), width=4.2, height=2.8)
    said = []
    for ax, result in zip(axes, found, strict=True):
        seeds = [f"seed {i}" for i in range(len(result.losses[0]))]
        bars(ax, ["as they are", "random flips"], {s: [of[i] for of in result.losses] for i, s in enumerate(seeds)})
        ax.set(title=result.task, ylabel="validation loss", ylim=(0, 1.35 * max(map(max, result.losses))))
        plain, flipped = (np.mean(accuracy) for accuracy in result.accuracies)
        said.append(
            f"{result.task}: loss {np.mean(result.losses[0]):.2f} without flips and {np.mean(result.losses[1]):.2f} "
            f"with them, accuracy {plain:.3f} and {flipped:.3f}"
        )
    show_figure(drawn, f"{'; '.join(said)}.")


def draw_views(found: Sequence[Views]) -> None:
    """Loss of one crop, ten crops, and ten crops at several scales."""
    drawn, (ax,) = figure(width=6.4, height=3.0)
    names = list(found[0].results)
    bars(ax, names, {f"seed {view.seed}": [view.results[name][0] for name in names] for view in found})
    ax.set(ylabel="validation loss", ylim=(0, 1.35 * max(view.results[name][0] for view in found for name in names)))
    means = {name: np.mean([view.results[name] for view in found], axis=0) for name in names}
    said = "; ".join(f"{name}: loss {loss:.3f}, accuracy {right:.3f}" for name, (loss, right) in means.items())
    show_figure(drawn, f"Mean over the seeds: {said}.")


def draw_recipes(runs: Sequence[Run]) -> None:
    """Training and validation loss over the epochs, mean and spread over the seeds."""
    drawn, axes = figure(1, 2, width=4.8, height=3.4, sharey=True)
    names = list(dict.fromkeys(run.recipe for run in runs))
    for ax, part in zip(axes, ("training", "validation"), strict=True):
        spread(ax, runs[0].epochs, {name: [getattr(run, part) for run in runs if run.recipe == name] for name in names})
        ax.set(xlabel="epoch", title=f"{part} loss")
    last = {name: np.mean([run.validation[-1] for run in runs if run.recipe == name]) for name in names}
    said = "; ".join(f"{name}: {loss:.2f}" for name, loss in last.items())
    show_figure(drawn, f"Validation loss at the end: {said}.", "Band: smallest to largest seed. On images as they are.")


def draw_search(found: Search) -> None:
    """Scores of the candidates, and what the chosen one is worth beside others."""
    drawn, axes = figure(1, 2, width=4.6, height=3.2)
    order = sorted(found.scores)
    axes[0].plot(range(1, len(order) + 1), order, "o", color=OKABE_ITO[0])
    axes[0].set(xlabel="policies, ordered", ylabel="loss after a short training", title=f"{len(order)} tried")
    axes[0].set_xticks(range(1, len(order) + 1))
    random = found.random
    bars(
        axes[1],
        ["none", "flips\nand crops", "found", "random"],
        {"loss": [*(found.final[name] for name in ("none", "flips and crops", "found")), float(np.mean(random))]},
    )
    axes[1].vlines(3, min(random), max(random), color="black", linestyle=DASHES[0])
    axes[1].set(ylabel="validation loss", title="after the full training", ylim=(0, 1.3 * max(found.final.values())))
    said = ", ".join(f"{name} {loss:.2f}" for name, loss in found.final.items())
    show_figure(
        drawn,
        f"Scores from {order[0]:.2f} to {order[-1]:.2f}. Final losses: {said}.",
        "Line: range of the random policies.",
    )
