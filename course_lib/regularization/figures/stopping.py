"""Figures of early stopping."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from course_lib.lab.plots import MARKERS, OKABE_ITO, counted, figure, show_figure, titled
from course_lib.regularization.experiments.stopping import Ends, Equivalence
from course_lib.regularization.figures.dots import dots, dots_of, legend_below, places
from course_lib.regularization.nets.stacked import Runs

__all__ = ["draw_equal_norms", "draw_overfitting", "draw_patience", "draw_smoothed_curve", "draw_smoothing"]


def draw_overfitting(runs: Runs) -> None:
    """Training and validation losses of every seed, with the best epoch of each marked."""
    drawn, (ax,) = figure(width=7.4, height=3.6)
    epochs = range(1, len(runs.steps) + 1)
    lowest = runs.validation.min(0)
    for i in range(runs.validation.shape[1]):
        first = i == 0
        ax.plot(
            epochs,
            runs.validation[:, i].tolist(),
            color=OKABE_ITO[0],
            linewidth=1,
            label="validation loss" if first else None,
        )
        ax.plot(
            epochs,
            runs.training[:, i].tolist(),
            color=OKABE_ITO[1],
            linestyle="--",
            linewidth=1,
            label="training loss" if first else None,
        )
        place = int(lowest.indices[i])
        ax.plot(
            place + 1,
            float(lowest.values[i]),
            "o",
            color="black",
            markersize=5,
            label="lowest validation loss" if first else None,
        )
    ratios = (runs.validation[-1] / lowest.values).tolist()
    best = [int(place) + 1 for place in lowest.indices]
    early = max(best) <= len(runs.steps) / 2 and min(ratios) > 1.02
    title = titled("The best network is an early one", early, "Training and validation loss")
    ax.set(xlabel="epoch", ylabel="loss", ylim=(0, None), title=title)
    legend_below(drawn, ax)
    said = (
        f"Lowest validation loss in epoch {', '.join(map(str, best))}; "
        f"at the end it is {' to '.join(sorted({f'{min(ratios):.2f}', f'{max(ratios):.2f}'}))} times as high"
    )
    show_figure(
        drawn, f"Losses of networks that memorize their images: {counted(len(best), 'seeds')}. {said}.", f"{said}."
    )


def draw_patience(ends: Mapping[tuple[float, int], Ends]) -> None:
    """Regret over the patience, for every min_delta."""
    deltas, patiences = list(dict.fromkeys(d for d, _ in ends)), list(dict.fromkeys(p for _, p in ends))
    drawn, (left, right) = figure(1, 2, width=5.0, height=3.6)
    names = {delta: f"min_delta = {delta:g}" for delta in deltas}
    regrets = {names[d]: np.transpose([ends[d, p].regrets for p in patiences]).tolist() for d in deltas}
    stops = {names[d]: np.transpose([ends[d, p].stops for p in patiences]).tolist() for d in deltas}
    dots(left, regrets)
    dots(right, stops)
    for ax in (left, right):
        places(ax, patiences, "patience")
    means = {d: [ends[d, p].regret for p in patiences] for d in deltas}
    lower = all(values[-1] <= values[0] for values in means.values())
    raised = all(means[deltas[-1]][i] >= means[deltas[0]][i] for i in range(len(patiences)))
    longer = all(np.all(np.diff(np.mean(rows, axis=0)) > 0) for rows in stops.values())
    title = titled("Patience lowers the regret; min_delta raises it", lower and raised, "Regret over the patience")
    left.set(ylabel="regret", title=title)
    title = titled("Every epoch of patience has to be trained", longer, "Length of the training")
    right.set(ylabel="epochs trained", ylim=(0, None), title=title)
    legend_below(drawn, left)
    said = "; ".join(
        f"min_delta {d:g}: " + ", ".join(f"{value:.3f} at {p}" for p, value in zip(patiences, means[d], strict=True))
        for d in deltas
    )
    show_figure(
        drawn,
        f"Mean regret over the patience. {said}.",
        "Regret: test loss of the weights that were kept, minus the lowest test loss of the run. "
        f"{dots_of(len(next(iter(ends.values())).regrets))}",
    )


def draw_smoothed_curve(raw: Tensor, calm: Tensor, every_steps: int, beta: float) -> None:
    """One fluctuating curve, its average, and where each is lowest."""
    drawn, (ax,) = figure(width=7.4, height=3.4)
    steps = [every_steps * (i + 1) for i in range(len(raw))]
    for i, (label, curve) in enumerate({"raw": raw, f"smoothed, β = {beta:g}": calm}.items()):
        place = int(curve.argmin())
        ax.plot(steps, curve.tolist(), color=OKABE_ITO[i], linewidth=1 + i, label=label, alpha=0.6 if i == 0 else 1)
        ax.plot(
            steps[place], float(curve[place]), MARKERS[i], color=OKABE_ITO[i], markersize=9, markeredgecolor="black"
        )
    places_of = [steps[int(curve.argmin())] for curve in (raw, calm)]
    ax.set(
        xlabel="step",
        ylabel="validation loss",
        title=titled(
            f"The smoothed curve turns late: step {places_of[1]} against {places_of[0]}",
            places_of[1] > places_of[0],
            "A validation curve, raw and smoothed",
        ),
    )
    ax.set_ylim(float(raw.min()) - 0.05, float(raw[3:].max()) + 0.05)
    ax.legend(frameon=False, loc="upper center")
    said = f"raw curve lowest at step {places_of[0]}, smoothed curve at step {places_of[1]}"
    show_figure(drawn, f"One validation curve. {said[0].upper()}{said[1:]}.", "Large marks: the lowest point of each.")


def draw_smoothing(ends: Mapping[tuple[str, int], Ends], beta: float) -> None:
    """Regret and length of the training over the patience, for three ways to use the curve."""
    rules, patiences = list(dict.fromkeys(r for r, _ in ends)), list(dict.fromkeys(p for _, p in ends))
    drawn, (left, right) = figure(1, 2, width=5.0, height=3.6)
    dots(left, {r: np.transpose([ends[r, p].regrets for p in patiences]).tolist() for r in rules})
    dots(right, {r: np.transpose([ends[r, p].stops for p in patiences]).tolist() for r in rules})
    for ax in (left, right):
        places(ax, patiences, "patience, in checks")
    raw, calm, both = (np.array([ends[rule, p].regret for p in patiences]) for rule in rules)
    best = np.all(both <= raw + 0.002) and np.all(both <= calm + 0.002)
    waits = [np.mean([ends[rule, patiences[0]].stops]) for rule in rules[:2]]
    title = titled("Let the smoothed curve stop and the raw one choose", best, "Regret over the patience")
    left.set(ylabel="regret", title=title)
    title = titled("Smoothing waits, whatever the patience", waits[1] > 1.2 * waits[0], "Length of the training")
    right.set(ylabel="checks until the stop", ylim=(0, None), title=title)
    legend_below(drawn, left)
    said = "; ".join(f"{rule}: " + ", ".join(f"{ends[rule, p].regret:.3f} at {p}" for p in patiences) for rule in rules)
    runs = len(next(iter(ends.values())).regrets)
    show_figure(
        drawn, f"Mean regret over the patience, β = {beta:g}. {said}.", f"Small dots: {runs} runs. β = {beta:g}."
    )


def draw_equal_norms(found: Equivalence) -> None:
    """Norm and validation loss of networks that were stopped, decayed, or neither."""
    drawn, (left, right) = figure(1, 2, width=5.2, height=3.8)
    best = found.best_strength
    epochs = range(1, len(found.runs.steps) + 1)
    kinds = ((0.0, "no decay"), (best, f"decay, λ = {best:g}"))
    for i, (lam, name) in enumerate(kinds):
        norms = found.curves("norms", lam)
        for j in range(norms.shape[1]):
            left.plot(
                epochs,
                norms[:, j].tolist(),
                color=OKABE_ITO[i],
                linestyle=("-", "--")[i],
                linewidth=1,
                label=name if j == 0 else None,
            )
    for j, place in enumerate(found.stopped_at):
        value = float(found.curves("norms", 0.0)[place, j])
        left.plot(
            place + 1,
            value,
            "o",
            color="black",
            markersize=5,
            label="stopped: lowest validation loss" if j == 0 else None,
        )
    of = {name: float(np.mean(values)) for name, values in found.norms.items()}
    small = max(of["stopped"], of["decayed"]) < 0.8 * of["neither"]
    title = titled("Stopping and decay keep the norm small", small, "Norm of the weights")
    left.set(xlabel="epoch", ylabel="norm of the weights", ylim=(0, None), title=title)
    left.legend(frameon=False, loc="upper left")
    words = {"stopped": "stopped,\nno decay", "decayed": "decay to\nthe end", "neither": "neither"}
    for i, losses in enumerate(found.losses.values()):
        right.plot([i] * len(losses), losses, MARKERS[i], color=OKABE_ITO[(2, 1, 0)[i]], markersize=6, alpha=0.7)
    right.set_xticks(range(len(words)), list(words.values()))
    same = abs(np.mean(found.losses["stopped"]) - np.mean(found.losses["decayed"])) < 0.1
    title = titled("Stopped or decayed: about the same loss", same, "Validation loss")
    right.set(ylabel="validation loss", ylim=(0, None), xlim=(-0.5, 2.5), title=title)
    said = "; ".join(
        f"{name}: norm {np.mean(found.norms[name]):.1f}, validation loss {np.mean(losses):.2f}"
        for name, losses in found.losses.items()
    )
    several = len(found.seeds) > 1
    alt = f"{f'Means over {len(found.seeds)} seeds' if several else 'One seed'}. {said}."
    show_figure(drawn, alt, f"{'Means' if several else 'One seed'}: {said}.")
