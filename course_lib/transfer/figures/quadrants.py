"""The table of transfer learning as text and as a figure, for stored runs as for those just made."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from course_lib.lab.plots import OKABE_ITO, counted, figure, of_seeds, show_figure, show_table
from course_lib.transfer.experiments.quadrants import ADVICE, RECIPES, TARGETS, Run, Summary, best_recipes, summaries

__all__ = ["draw_runs", "draw_table", "show_runs"]

_ENOUGH_SEEDS = 3
"""With fewer, no test can tell recipes apart, and none is marked."""
_MARK = "\N{NO-BREAK SPACE}*"
_STAR = "Star: the highest mean, and whatever cannot be told from it. "

Table = dict[tuple[str, int, str], Summary]


def show_runs(runs: Sequence[Run]) -> None:
    """A row for each target and number of images: accuracy of each recipe, mean ± standard deviation, in percent.

    A star stands at the best recipe and at those that cannot be told from it, where there are seeds enough to say so.
    """
    found = summaries(runs)
    recipes = _recipes(runs)
    rows = []
    for target, per_class in dict.fromkeys((t, n) for t, n, _ in found):
        best = _level(found, target, per_class)
        cells = (found[target, per_class, recipe] for recipe in recipes)
        texts = [
            f"{100 * cell.mean:.1f}{_spread(cell)}{_MARK if recipe in best else ''}"
            for recipe, cell in zip(recipes, cells, strict=True)
        ]
        rows.append([target, str(per_class), *texts])
    show_table(["target", "per class", *recipes], rows)


def _spread(cell: Summary) -> str:
    """The standard deviation between seeds, where there are several."""
    return f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{100 * cell.std:.1f}" if len(cell.accuracies) > 1 else ""


def draw_table(runs: Sequence[Run], little: int = 1, much: int = 100) -> None:
    """The lecture's two by two table, each cell with what was measured in it; empty where nothing was.

    Args:
        runs: of any recipes, targets and numbers of images.
        little: images of each class that count as little data.
        much: the same for much data.
    """
    found = summaries(runs)
    recipes = [recipe for recipe in RECIPES if recipe in {run.recipe for run in runs}] or list(RECIPES)
    drawn, axes = figure(2, 2, width=4.9, height=0.6 + 0.36 * len(recipes), sharex="row", sharey=True)
    said, stars = [], []
    for ax, ((target, amount), advice) in zip(axes, ADVICE.items(), strict=True):
        per_class = little if amount == "little" else much
        ax.set_title(f"{amount} data, {target} images\nlecture: {advice.words}", fontsize=11)
        measured = [recipe for recipe in recipes if (target, per_class, recipe) in found]
        ax.set_yticks(range(len(recipes)), recipes)
        ax.set_ylim(len(recipes) - 0.5, -0.5)
        if not measured:
            ax.text(0.5, 0.5, "not measured yet", transform=ax.transAxes, ha="center", va="center")
            continue
        best = _level(found, target, per_class)
        stars.append(best)
        for recipe in measured:
            _row(ax, recipes.index(recipe), found[target, per_class, recipe], recipe in advice.recipes, recipe in best)
        top = best_recipes(found, target, per_class)[0]
        said.append(
            f"{amount} data, {target} images, the lecture says {advice.words}: {top} has the highest mean, "
            f"{found[target, per_class, top].mean:.2f}"
        )
    for ax in axes[2:]:
        ax.set_xlabel("test accuracy")
    most = max((len(run.accuracies) for run in found.values()), default=0)
    dots = f"{of_seeds(most, 'One dot per seed; bar and number: the mean.')} " if most else ""
    show_figure(
        drawn,
        f"{'; '.join(said) or 'Nothing was measured yet'}.",
        f"Little: {counted(little, 'labeled images')} per class; much: {much}. {dots}"
        "Orange squares: recipes that follow the lecture's advice. "
        f"{_STAR if any(map(len, stars)) else ''}The two rows have different scales.",
    )


def _row(ax: Axes, place: int, cell: Summary, follows: bool, level: bool) -> None:
    color, marker = (OKABE_ITO[1], "s") if follows else (OKABE_ITO[0], "o")
    ax.plot(cell.accuracies, [place] * len(cell.accuracies), marker, color=color, alpha=0.6, markersize=5)
    ax.vlines(cell.mean, place - 0.32, place + 0.32, color="black", linewidth=2)
    text = f"{cell.mean:.3f}{' *' if level else ''}"
    ax.annotate(text, (max(cell.accuracies), place), (8, 0), textcoords="offset points", va="center", fontsize=9)
    ax.margins(x=0.22)


def draw_runs(runs: Sequence[Run]) -> None:
    """Test accuracy over the number of labeled images: one panel for each kind of recipe and each target.

    All panels have one scale.  Recipes whose lines lie on one another are told apart by the table.
    """
    found = summaries(runs)
    targets = [target for target in TARGETS if any(run.target == target for run in runs)]
    sizes = sorted({run.per_class for run in runs})
    drawn, axes = figure(len(targets), 2, width=4.9, height=3.1, sharex=True, sharey=True)
    kinds = {"linear classifiers": "probe", "fine-tuning": "tune"}
    said = []
    for row, target in enumerate(targets):
        for ax, (title, kind) in zip(axes[2 * row : 2 * row + 2], kinds.items(), strict=True):
            shown = [r for r in _recipes(runs) if r.startswith(kind) or r == "scratch"]
            for place, recipe in enumerate(shown):
                bare = recipe == "scratch"
                color = "black" if bare else OKABE_ITO[place]
                cells = [found[target, n, recipe] for n in sizes]
                ax.plot(
                    sizes,
                    [c.mean for c in cells],
                    marker="" if bare else "o",
                    linestyle="--" if bare else "-",
                    color=color,
                    markersize=4,
                    label=recipe,
                )
                low, high = ([f(c.accuracies) for c in cells] for f in (min, max))
                ax.fill_between(sizes, low, high, color=color, alpha=0.1, linewidth=0)
            ax.set_title(f"{title}: {TARGETS[target]}", fontsize=11)
            ax.legend(frameon=False, fontsize=9, loc="lower right")
            ax.set(xscale="log")
            ax.set_xticks(sizes, [str(n) for n in sizes])
            ax.minorticks_off()
        for n in sizes:
            best = best_recipes(found, target, n)
            said.append(f"{target}, {n} per class: {best[0]} with {found[target, n, best[0]].mean:.2f}")
    for ax in axes[-2:]:
        ax.set_xlabel("labeled images of each class")
    for ax in axes[::2]:
        ax.set_ylabel("test accuracy")
    caption = of_seeds(
        max(len(run.accuracies) for run in found.values()), "Line: mean; band: smallest to largest seed."
    )
    show_figure(drawn, f"Highest mean accuracy. {'; '.join(said)}.", caption)


def _level(found: Table, target: str, per_class: int) -> tuple[str, ...]:
    """The recipes that get a star."""
    seeds = min(len(cell.accuracies) for (t, n, _), cell in found.items() if (t, n) == (target, per_class))
    return best_recipes(found, target, per_class) if seeds >= _ENOUGH_SEEDS else ()


def _recipes(runs: Sequence[Run]) -> list[str]:
    present = {run.recipe for run in runs}
    return [recipe for recipe in RECIPES if recipe in present]
