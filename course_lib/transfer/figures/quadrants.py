"""The table of transfer learning as text and as a figure, for stored runs as for those just made."""

from __future__ import annotations

from collections.abc import Sequence

from course_lib.lab.plots import figure, show_figure, show_table, spread
from course_lib.transfer.experiments.quadrants import RECIPES, TARGETS, Run, best_recipes, summaries

__all__ = ["draw_runs", "show_runs"]


def show_runs(runs: Sequence[Run]) -> None:
    """A row for each target and number of images: test accuracy of each recipe, mean ± standard deviation over seeds.

    A star stands at the best recipe and at those that cannot be told from it.
    """
    found = summaries(runs)
    recipes = _recipes(runs)
    rows = []
    for target, per_class in dict.fromkeys((t, n) for t, n, _ in found):
        best = best_recipes(found, target, per_class)
        cells = (found[target, per_class, recipe] for recipe in recipes)
        texts = [
            f"{cell.mean:.3f} ± {cell.std:.3f}{' *' if recipe in best else ''}"
            for recipe, cell in zip(recipes, cells, strict=True)
        ]
        rows.append([target, str(per_class), *texts])
    show_table(["target", "images a class", *recipes], rows)


def draw_runs(runs: Sequence[Run]) -> None:
    """Test accuracy over the number of labelled images, a picture for each target, mean and spread over the seeds."""
    found = summaries(runs)
    targets = [target for target in TARGETS if any(run.target == target for run in runs)]
    sizes = sorted({run.per_class for run in runs})
    drawn, axes = figure(1, len(targets), width=5.4, height=4.2, sharey=True)
    said = []
    for ax, target in zip(axes, targets, strict=True):
        lines = {
            recipe: list(zip(*(found[target, n, recipe].accuracies for n in sizes), strict=True))
            for recipe in _recipes(runs)
        }
        spread(ax, sizes, lines)
        ax.set(xscale="log", xlabel="labelled images a class", title=f"{target}: {TARGETS[target]}")
        ax.set_xticks(sizes, [str(n) for n in sizes])
        ax.legend(frameon=False, fontsize=8)
        for n in sizes:
            best = best_recipes(found, target, n)
            said.append(f"{target}, {n} a class: {best[0]} with {found[target, n, best[0]].mean:.2f}")
    axes[0].set_ylabel("test accuracy")
    show_figure(drawn, f"Highest mean accuracy. {'; '.join(said)}.", "Band: lowest to highest seed.")


def _recipes(runs: Sequence[Run]) -> list[str]:
    present = {run.recipe for run in runs}
    return [recipe for recipe in RECIPES if recipe in present]
