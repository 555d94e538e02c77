"""Figures of the races on the table of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from course_lib.lab.plots import DASHES, OKABE_ITO, curves, figure, show_figure, show_table, titled
from course_lib.search.experiments.races import Axes, Distances, Halving, Race
from course_lib.search.table import Table

__all__ = [
    "draw_axes",
    "draw_designs",
    "draw_distances",
    "draw_early",
    "draw_halving",
    "draw_posterior",
    "draw_races",
    "draw_table",
    "show_until",
]


def draw_table(runs: Table) -> None:
    """Mean test accuracy of every setting."""
    drawn, (ax,) = figure(width=6.6, height=3.4)
    shown = ax.pcolormesh(runs.lr, runs.reg, runs.truth.T, cmap="viridis", vmin=0.1, vmax=0.8)
    ax.grid(False)
    i, j = runs.best
    ax.plot(runs.lr[i], runs.reg[j], "*", color="white", markersize=14, markeredgecolor="black")
    lost = runs.diverged.any(axis=2)
    a, b = np.nonzero(lost)
    ax.plot(runs.lr[a], runs.reg[b], "x", color="#D55E00", markersize=5)
    ax.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="strength of the L2 penalty")
    ax.set_title(f"800 runs: the best setting reaches {runs.truth.max():.3f}, the median {np.median(runs.truth):.3f}")
    drawn.colorbar(shown, ax=ax, label="mean test accuracy")
    alt = (
        f"Mean test accuracy over 20 learning rates and 10 strengths of the penalty. Best {runs.truth.max():.3f} at a "
        f"rate of {runs.lr[i]:.2g} and a penalty of {runs.reg[j]:.2g}; median {np.median(runs.truth):.3f}; "
        f"{100 * (runs.truth < 0.2).mean():.0f}% of the settings stay below 0.2."
    )
    show_figure(drawn, alt, "Star: the best setting. Crosses: a run ended with weights that are not finite.")


def draw_designs(designs: Mapping[str, Tensor]) -> None:
    """Points in the same range, with the distinct values of the first axis at the bottom.

    Args:
        designs: title -> (n, 2) learning rates and penalties.
    """
    drawn, axes = figure(1, len(designs), width=4.2, height=3.6, sharex=True, sharey=True)
    lowest = min(float(points[:, 1].min()) for points in designs.values())
    words = []
    for ax, (label, points) in zip(axes, designs.items(), strict=True):
        x, y = points.double().numpy().T
        ax.set(xscale="log", yscale="log", xlabel="learning rate")
        ax.scatter(x, y, color=OKABE_ITO[0], s=40, zorder=3)
        ax.scatter(x, np.full_like(x, 0.03), transform=ax.get_xaxis_transform(), marker="|", s=160, color=OKABE_ITO[1])
        distinct = len(np.unique(np.round(np.log10(x), 6)))
        ax.set_title(f"{label}: {len(x)} trials, {distinct} learning rates")
        words.append(f"{label}: {len(x)} trials with {distinct} different learning rates")
    axes[0].set_ylabel("strength of the L2 penalty")
    axes[0].set_ylim(bottom=lowest / 60)
    show_figure(drawn, "; ".join(words) + ".", "Marks at the bottom: the different learning rates.")


def draw_distances(one: Sequence[Distances], both: Sequence[Distances]) -> None:
    """Mean distance to the optimum over the number of trials, if one axis matters and if both do."""
    drawn, axes = figure(1, 2, width=4.6, height=3.3, sharey=True)
    titles = ("One axis matters: random comes nearer", "Both matter: the grid catches up and wins")
    words = []
    for ax, found, title in zip(axes, (one, both), titles, strict=True):
        budgets = [d.budget for d in found]
        curves(ax, {"grid": (budgets, [d.grid for d in found]), "random": (budgets, [d.random for d in found])})
        ax.set(xscale="log", yscale="log", xlabel="trials", title=title)
        ax.set_xticks(budgets, [str(b) for b in budgets])
        ax.minorticks_off()
        words += [
            f"{title}; {d.budget} trials: grid {d.grid:.3f}, random {d.random:.3f}, random nearer in "
            f"{100 * d.random_wins:.0f}% of the cases"
            for d in found
        ]
    ticks = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2]
    axes[0].set_yticks(ticks, [f"{t:g}" for t in ticks])
    axes[0].set_ylabel("distance to the optimum")
    show_figure(drawn, ". ".join(words) + ".")
    rows = [
        [label, str(d.budget), f"{d.grid:.3f}", f"{d.random:.3f}", f"{100 * d.random_wins:.0f}%"]
        for label, found in (("one", one), ("both", both))
        for d in found
    ]
    show_table(["axes that matter", "trials", "distance, grid", "distance, random", "random comes nearer in"], rows)


def draw_axes(results: Sequence[Axes]) -> None:
    """Test accuracy of what grid and random search choose, where two of three axes do not matter."""
    drawn, axes = figure(1, len(results), width=4.6, height=3.0, sharex=True, sharey=True)
    words = []
    for ax, result in zip(axes, results, strict=True):
        bins = np.linspace(0.68, 0.785, 36).tolist()
        for k, (label, values) in enumerate({"grid": result.grid, "random": result.random}.items()):
            ax.hist(values, bins, histtype="step", color=OKABE_ITO[k], linestyle=DASHES[k], linewidth=2, label=label)
        wins = (result.random > result.grid).mean()
        ax.set(
            xlabel="test accuracy of the choice",
            title=f"{result.budget} trials: random is better in {100 * wins:.0f}%",
        )
        ax.legend(frameon=False, loc="upper left")
        words.append(
            f"{result.budget} trials: grid {result.grid.mean():.4f} ± {result.grid.std():.4f}, random "
            f"{result.random.mean():.4f} ± {result.random.std():.4f}, random better in {100 * wins:.0f}% of the races"
        )
    axes[0].set_ylabel("races")
    show_figure(drawn, "; ".join(words) + ".", "; ".join(words) + ".")


def draw_posterior(
    places: Tensor,
    mean: Tensor,
    std: Tensor,
    gain: Tensor,
    seen: tuple[Tensor, Tensor],
    unseen: tuple[Tensor, Tensor],
) -> None:
    """What a Gaussian process believes along one axis, and where an improvement is expected.

    Args:
        places: (M,) learning rates.
        mean: (M,) posterior mean.
        std: (M,) posterior standard deviation.
        gain: (M,) expected improvement.
        seen: learning rates (n,) and accuracies (n,) that were observed.
        unseen: learning rates and accuracies that nobody has asked for yet.
    """
    drawn = figure(1, 1, width=7.0, height=4.4)[0]
    drawn.clear()
    upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    x = places.double().numpy()
    m, s, g = (value.double().numpy() for value in (mean, std, gain))
    upper.fill_between(x, m - 2 * s, m + 2 * s, color=OKABE_ITO[0], alpha=0.18, linewidth=0, label="mean ± 2 std")
    upper.plot(x, m, color=OKABE_ITO[0], label="mean")
    upper.plot(*(value.numpy() for value in unseen), ".", color="0.55", label="not seen yet")
    upper.plot(*(value.numpy() for value in seen), "o", color=OKABE_ITO[1], markersize=8, label="seen")
    best = int(g.argmax())
    lower.fill_between(x, 0, g, color=OKABE_ITO[2], alpha=0.5, linewidth=0)
    for ax in (upper, lower):
        ax.axvline(x[best], color="black", linestyle=":", linewidth=1.2)
        ax.spines[["top", "right"]].set_visible(False)
    upper.set(
        xscale="log", ylabel="accuracy", title=f"After {len(seen[0])} trials, the next learning rate is {x[best]:.2g}"
    )
    upper.legend(frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.02), fontsize=9)
    lower.set(xlabel="learning rate", ylabel="expected\nimprovement")
    alt = (
        f"Posterior of a Gaussian process after {len(seen[0])} observations; the expected improvement is largest at a "
        f"learning rate of {x[best]:.2g}, where the mean is {m[best]:.2f} and the standard deviation {s[best]:.2f}."
    )
    show_figure(drawn, alt)


def draw_races(wide: Mapping[str, Race], fine: Mapping[str, Race]) -> None:
    """Test accuracy of what leads, over the number of settings that were tried."""
    drawn, axes = figure(1, 2, width=4.8, height=3.6, sharey=True)
    words = []
    titles = "Wide box: a model leaves the bad part early", "Good box: nothing left to gain"
    style = {label: (OKABE_ITO[k], DASHES[k]) for k, label in enumerate(wide)}
    for ax, races, title in zip(axes, (wide, fine), titles, strict=True):
        for label, result in races.items():
            colour, dashes = style[label]
            looks = np.arange(1, result.truth.shape[1] + 1)
            ax.plot(looks, result.truth.mean(axis=0), color=colour, linestyle=dashes, label=label, linewidth=2)
            at = [n for n in (5, 8, 20, 40) if n <= len(looks)]
            numbers = ", ".join(f"{result.truth[:, n - 1].mean():.3f} after {n}" for n in at)
            words.append(f"{title}, {label}: {numbers}")
        ax.axhline(next(iter(races.values())).best, color="black", linewidth=0.8, linestyle=":")
        ax.set(xlabel="settings tried", title=title, xlim=(1, 40))
    axes[0].set(ylabel="test accuracy of what leads", ylim=(0.73, 0.78))
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    count = len(next(iter(wide.values())).truth)
    caption = f"Lines: mean of {count} races. Dotted: the best setting of the table."
    show_figure(drawn, "; ".join(words) + ".", caption)


def show_until(races: Mapping[str, Race], distances: Sequence[float] = (0.02, 0.01)) -> None:
    """How many settings the median race tries until it is near the best."""

    def words(number: float) -> str:
        return f"{number:g}" if np.isfinite(number) else "more than 40"

    rows = [[label, *(words(result.median_until(d)) for d in distances)] for label, result in races.items()]
    show_table(["strategy", *(f"settings tried until within {d:g} of the best" for d in distances)], rows)


def draw_halving(results: Sequence[Halving]) -> None:
    """Successive halving against random search with as many epochs."""
    drawn, (ax,) = figure(width=7.6, height=3.4)
    words = []
    for group, result in enumerate(results):
        kinds = {"halving": result.halved, "random, as many epochs": result.random, "all trained fully": result.full}
        for k, (label, values) in enumerate(kinds.items()):
            x = group + (k - 1) * 0.24
            low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
            ax.plot([x, x], [max(low, 0.62), high], color=OKABE_ITO[k], linewidth=5, alpha=0.35, solid_capstyle="butt")
            ax.plot(x, middle, "osD"[k], color=OKABE_ITO[k], markersize=8, label=label if group == 0 else None)
            words.append(f"{result.start} settings, {label}: median {middle:.3f}, tenth {low:.3f}")
            if low < 0.62:
                ax.annotate(f"down to {low:.2f}", (x, 0.62), xytext=(5, 2), textcoords="offset points", fontsize=8)
    names = [f"{r.start} settings\n{r.epochs:.0f} epochs of {16 * r.start:,}" for r in results]
    ax.set_xticks(range(len(results)), names)
    ax.set(
        ylabel="test accuracy of the winner",
        ylim=(0.615, 0.785),
        title=titled(
            "Halving keeps most of the accuracy for a fraction of the epochs",
            all(np.median(r.halved) > np.median(r.full) - 0.02 for r in results),
            "Halving, and random search with as many epochs",
        ),
    )
    drawn.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    show_figure(drawn, "; ".join(words) + ".", "Marks: median race. Bars: from the worst tenth to the best tenth.")


def draw_early(ranks: Mapping[int, tuple[float, float, float]]) -> None:
    """What the ranks of an early look say about the end, and which learning rate leads then."""
    drawn, (left, right) = figure(1, 2, width=4.6, height=3.2)
    epochs = list(ranks)
    lines = {"all settings": [r[0] for r in ranks.values()], "the better half": [r[1] for r in ranks.values()]}
    curves(left, {label: (epochs, values) for label, values in lines.items()})
    telling = next(iter(ranks.values()))[0] > 0.5
    title = titled("Early looks tell good from bad", telling, "Ranks after a few epochs")
    left.set(ylim=(0, 1.05), ylabel="rank correlation with the end", title=title)
    rates = [r[2] for r in ranks.values()]
    right.plot(epochs, rates, "o-", color=OKABE_ITO[2])
    title = titled("Short runs like large rates", rates[0] > rates[-1], "The learning rate that leads")
    right.set(yscale="log", ylabel="learning rate that leads", title=title)
    right.set(ylim=(0.007, 0.12))
    right.set_yticks([0.01, 0.02, 0.05, 0.1], ["0.01", "0.02", "0.05", "0.1"])
    right.minorticks_off()
    for ax in (left, right):
        ax.set_xscale("log", base=2)
        ax.set_xticks(epochs, [str(epoch) for epoch in epochs])
        ax.set_xlabel("epochs trained")
    words = [
        f"epoch {epoch}: correlation {a:.2f} over all, {b:.2f} in the better half, leading rate {rate:.2g}"
        for epoch, (a, b, rate) in ranks.items()
    ]
    show_figure(drawn, "; ".join(words) + ".")
