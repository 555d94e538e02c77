"""The figures of 03_augmentation: numbers in, a picture with its description out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor
from torch.nn import functional as F

from course_lib.augmentation.experiments import Mirrored, Run, Search, Views
from course_lib.lab.plots import OKABE_ITO, counted, figure, montage, of_seeds, show_figure, spread

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
    ratios = [image.shape[2] / image.shape[1] for image in images]
    tall = min(2.2, 10.2 / sum(ratios))  # inches; as high as fits, and no wider than the pictures are
    drawn, axes = figure(1, len(images), tall * sum(ratios) / len(images) + 0.1, tall + 0.35, width_ratios=ratios)
    for ax, image, title in zip(axes, images, titles, strict=True):
        size = (height, round(height * image.shape[2] / image.shape[1]))
        montage(ax, F.interpolate(image[None].detach().float().cpu(), size, mode="nearest"), 1)
        ax.set_title(title, fontsize=10)
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
    drawn, axes = figure(1, 1, width=1.9 * len(steps), height=1.45 * len(offsets) + 0.4)
    small = F.interpolate(image[None], scale_factor=0.7, mode="area", recompute_scale_factor=False)[0]
    rows = [small + step * offset.to(small)[:, None, None] for offset in offsets for step in steps]
    montage(axes[0], torch.stack(rows).clamp(0, 1), len(steps), [f"α = {step:g}" for step in steps])
    height = rows[0].shape[1] + 2
    axes[0].set_yticks([(i + 0.5) * height for i in range(len(names))], names, fontsize=10)
    show_figure(
        drawn, f"The photograph with light added along each principal component, α from {steps[0]:g} to {steps[-1]:g}."
    )


def draw_mirrored(found: Sequence[Mirrored]) -> None:
    """Validation loss without and with random flips: a panel for each task, on one scale, a dot for each seed."""
    drawn, axes = figure(1, len(found), width=3.4, height=3.0, sharey=True)
    said = []
    for ax, result in zip(axes, found, strict=True):
        changes = [after - before for before, after in zip(*result.losses, strict=True)]
        _dots(ax, ["trained\nwithout flips", "trained\nwith flips"], list(zip(*result.losses, strict=True)))
        ax.set_title(f"{result.task}:\n{_effect(changes)}", fontsize=11)
        plain, flipped = (np.mean(accuracy) for accuracy in result.accuracies)
        said.append(
            f"{result.task}: loss {np.mean(result.losses[0]):.2f} without flips and {np.mean(result.losses[1]):.2f} "
            f"with them, accuracy {plain:.3f} and {flipped:.3f}"
        )
    axes[0].set(ylabel="validation loss", ylim=(0, None))
    caption = of_seeds(len(found[0].losses[0]), "One dot per seed, joined by a line; bar and number: their mean.")
    show_figure(drawn, f"{'; '.join(said)}.", caption)


def _effect(changes: Sequence[float]) -> str:
    """What a change of the loss on each seed amounts to; an effect is one that shows on every seed."""
    if len(changes) < 3:
        return "too few seeds to say"
    if max(changes) < 0:
        return "flips help"
    if min(changes) > 0:
        return "flips hurt"
    return "no consistent difference"


def draw_views(found: Sequence[Views]) -> None:
    """Accuracy and loss of one crop, ten crops, and ten crops at several scales; a dot for each seed."""
    drawn, axes = figure(1, 2, width=4.9, height=3.3)
    names = list(found[0].results)
    ticks = [name.replace(", ", ",\n") for name in names]
    for ax, k, quantity in zip(axes, (1, 0), ("accuracy", "loss"), strict=True):
        _dots(ax, ticks, [[view.results[name][k] for name in names] for view in found], "%.3f")
        ax.set_ylabel(f"validation {quantity}")
    center, ten = names[:2]
    wins = sum(view.results[ten][1] > view.results[center][1] for view in found)
    axes[0].set_title(f"accuracy: ten crops beat one on {wins} of {counted(len(found), 'seeds')}", fontsize=11)
    lower = sum(view.results[ten][0] < view.results[center][0] for view in found)
    axes[1].set_title(f"loss: ten crops are lower on {lower} of {len(found)}", fontsize=11)
    means = {name: np.mean([view.results[name] for view in found], axis=0) for name in names}
    said = "; ".join(f"{name}: loss {loss:.3f}, accuracy {right:.3f}" for name, (loss, right) in means.items())
    caption = of_seeds(len(found), "One dot per seed, joined by a line; bar and number: their mean.")
    show_figure(drawn, f"Mean over the seeds: {said}.", f"{caption} Axes are cut.")


def draw_recipes(runs: Sequence[Run]) -> None:
    """Training and validation loss over the epochs, mean and spread over the seeds."""
    drawn, axes = figure(1, 2, width=4.9, height=3.6, sharey=True)
    names = list(dict.fromkeys(run.recipe for run in runs))
    for ax, part in zip(axes, ("training", "validation"), strict=True):
        spread(ax, runs[0].epochs, {name: [getattr(run, part) for run in runs if run.recipe == name] for name in names})
        ax.set(xlabel="epoch", title=f"{part} loss")
        if (legend := ax.get_legend()) is not None:
            legend.remove()
    axes[0].set(ylabel="loss, on images as they are", ylim=(0, None))
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    plain = [run for run in runs if run.recipe == names[0]]
    others = [run for run in runs if run.recipe != names[0]]
    if others and max(run.training[-1] for run in plain) < min(run.training[-1] for run in others):
        axes[0].set_title("training loss: higher with augmentation")
    if min(run.validation[-1] - min(run.validation) for run in plain) > 0.1:
        axes[1].set_title(f"validation loss: with '{names[0]}' it climbs again")
    last = {name: np.mean([run.validation[-1] for run in runs if run.recipe == name]) for name in names}
    said = "; ".join(f"{name}: {loss:.2f}" for name, loss in last.items())
    caption = of_seeds(len(plain), "Line: mean; band: smallest to largest seed.")
    show_figure(drawn, f"Validation loss at the end: {said}.", caption)


def draw_search(found: Search) -> None:
    """Scores of the candidates, and what the chosen one is worth beside others."""
    drawn, axes = figure(1, 2, width=4.9, height=3.4)
    order = sorted(found.scores)
    axes[0].plot(range(2, len(order) + 1), order[1:], "o", color=OKABE_ITO[0], label="tried")
    axes[0].plot([1], order[:1], "*", color=OKABE_ITO[1], markersize=13, label="kept")
    axes[0].set(xlabel="policy, best first", ylabel="loss on the search's own images")
    axes[0].set_title(f"{len(order)} policies after a short training", fontsize=11)
    axes[0].set_xticks(range(1, len(order) + 1))
    axes[0].legend(frameon=False, loc="upper left")
    groups: dict[str, list[float]] = {}
    for name in ("none", "flips and shifts", "found"):
        groups[name] = [found.final[name]] if name in found.final else []
    groups["random policies"] = found.random
    groups = {name: losses for name, losses in groups.items() if losses}
    for place, (name, losses) in enumerate(groups.items()):
        marker, size, color = ("*", 13, OKABE_ITO[1]) if name == "found" else ("o", 7, OKABE_ITO[0])
        axes[1].plot([place] * len(losses), losses, marker, color=color, markersize=size)
        if len(losses) > 1:
            axes[1].hlines(np.mean(losses), place - 0.16, place + 0.16, color="black", linewidth=2)
        _number(axes[1], f"{np.mean(losses):.2f}", place + 0.16, float(np.mean(losses)))
    axes[1].set_xticks(range(len(groups)), [name.replace(" ", "\n", 1) for name in groups])
    axes[1].set(ylabel="validation loss", xlim=(-0.4, max(0.65, len(groups) - 0.35)))
    axes[1].set_title("after the full training, on new images", fontsize=11)
    axes[1].margins(y=0.2)
    said = ", ".join(f"{name} {loss:.2f}" for name, loss in found.final.items()) or "none yet"
    dots = "One dot per training" + ("; bar and number: the mean" if len(found.random) > 1 else "")
    show_figure(
        drawn,
        f"Scores from {order[0]:.2f} to {order[-1]:.2f}. Final losses: {said}.",
        f"{dots}. Axes are cut, and the two panels show different images.",
    )


def _dots(ax: Axes, names: Sequence[str], rows: Sequence[Sequence[float]], form: str = "%.2f") -> None:
    """A dot for each seed (row) in each column, the dots of a seed joined, and a bar with its number at the mean.

    Args:
        ax: where.
        names: of the columns.
        rows: one for each seed, a value for each column.
        form: of the number.
    """
    places = np.arange(len(names))
    for row in rows:
        ax.plot(places, row, "o-", color=OKABE_ITO[0], linewidth=0.8, alpha=0.65, markersize=5)
    for place, mean in zip(places, np.mean(rows, axis=0), strict=True):
        ax.hlines(mean, place - 0.16, place + 0.16, color="black", linewidth=2)
        _number(ax, form % mean, place + 0.16, mean)
    ax.set_xticks(places, names)
    ax.set_xlim(-0.4, len(names) - 0.35)
    ax.margins(y=0.15)


def _number(ax: Axes, number: str, x: float, y: float) -> None:
    """A number to the right of where a bar ends, on a patch of the background, so that no line runs through it."""
    behind = {"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 1.5}
    ax.annotate(number, (x, y), (5, 0), textcoords="offset points", va="center", fontsize=10, bbox=behind)
