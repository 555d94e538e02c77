"""Figures of the two ways to stay small on a quadratic."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from course_lib.lab.plots import DASHES, OKABE_ITO, curves, figure, show_figure, titled
from course_lib.regularization.experiments.spectrum import Paths

__all__ = ["draw_paths", "draw_shares"]


def draw_shares(
    ridge: Callable[[Tensor, float], Tensor], descent: Callable[[Tensor, float, int], Tensor], steps: int = 1000
) -> None:
    """The share of the solution that is fitted along an axis, for both ways, matched by lam = 1 / (lr steps)."""
    products = torch.logspace(-2, 2, 401, dtype=torch.float64)  # lr h steps
    h = products / steps
    shares = {"stopped gradient descent": descent(h, 1.0, steps), "ridge, λ = 1 / (lr · steps)": ridge(h, 1.0 / steps)}
    difference = (descent(h, 1.0, steps) - ridge(h, 1.0 / steps)).abs()
    place = int(difference.argmax())
    drawn, (ax,) = figure(width=6.8, height=3.4)
    curves(ax, {name: (products.tolist(), share.tolist()) for name, share in shares.items()}, markers=False)
    low, high = sorted(float(share[place]) for share in shares.values())
    ax.plot([float(products[place])] * 2, [low, high], color="black", linewidth=2)
    ax.annotate(f"{high - low:.3f}", (float(products[place]), low), xytext=(2, -14), textcoords="offset points")
    ax.set(xscale="log", xlabel="lr · h · steps", ylabel="share of the solution", ylim=(0, 1.05))
    ax.set_title(f"Two filters, at most {high - low:.3f} apart")
    ax.legend(frameon=False, loc="upper left")
    show_figure(drawn, f"Shares over lr h steps; largest difference {high - low:.3f} at {float(products[place]):.2f}.")


def draw_paths(paths: Mapping[int, Paths]) -> None:
    """Validation error along both ways, for every seed."""
    drawn, (left, right) = figure(1, 2, width=5.0, height=3.6)
    for j, (_, path) in enumerate(paths.items()):
        for i, way in enumerate(path.errors):
            errors, norms = path.errors[way], path.norms[way]
            label = way if j == 0 else None
            left.plot(path.steps, errors, color=OKABE_ITO[i], linestyle=DASHES[i], linewidth=1, label=label)
            right.plot(norms, errors, color=OKABE_ITO[i], linestyle=DASHES[i], linewidth=1)
    floor = min(min(path.best.values()) for path in paths.values())
    for ax in (left, right):
        ax.set(ylim=(floor - 0.1, 1.6), ylabel="validation error")
        ax.set_xscale("log")
    left.set(xlabel="steps, or 1 / (lr · λ)", title="Early, ridge lags behind; both have a valley")
    apart = max(float(np.ptp(list(path.best.values()))) for path in paths.values())
    title = titled("At equal norms the errors are about the same", apart < 0.02, "Error over the norm")
    right.set(xlabel="norm of the weights", title=title)
    drawn.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    best = {way: [path.best[way] for path in paths.values()] for way in next(iter(paths.values())).errors}
    said = "; ".join(f"{way}: {', '.join(f'{value:.3f}' for value in values)}" for way, values in best.items())
    cosine = float(np.min([min(path.cosine) for path in paths.values()]))
    show_figure(
        drawn,
        f"Validation error along both ways. Lowest, by seed: {said}. Smallest cosine of the weights {cosine:.3f}.",
        f"Lowest error, by seed: {said}. The weights of both point the same way: the cosine is at least {cosine:.3f}.",
    )
