"""The lecture's table of transfer learning, looked up in runs that were really made."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from course_lib.transfer.experiments.quadrants import (
    PER_CLASS,
    RECIPES,
    TARGETS,
    Summary,
    best_recipes,
    stored_runs,
    summaries,
)
from course_lib.widgets.controls import Choice, Slider
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Pick
from course_lib.widgets.scene import Bars, Handle, Lines, Mark, Scene, Series, places

__all__ = ["DESIGN", "numbers", "transfer_quadrants"]

_BARE = "scratch"
"""The only recipe shown before the prediction."""
_ASKED = ("different", 1)


@functools.cache
def _table() -> dict[tuple[str, int, str], Summary]:
    return summaries(stored_runs())


def numbers(state: State) -> Scene:
    """All recipes on one target with so many images, and the chosen one over the number of images."""
    target, per_class, recipe = state["target"], int(state["per_class"]), state["recipe"]
    if not state["locked"]:
        recipe = _BARE
    shown = tuple(RECIPES) if state["locked"] else (_BARE,)
    means = np.array([_table()[target, per_class, r].mean if r in shown else np.nan for r in RECIPES], np.float32)
    series = (Series("mean accuracy", means),)
    bars = Bars(f"{TARGETS[target]}, {per_class} labelled a class", tuple(RECIPES), series, 0, 1)
    return Scene((bars, _over_sizes(target, recipe, per_class)), _line(target, per_class, recipe, shown), height=290)


def _over_sizes(target: str, recipe: str, per_class: int) -> Lines:
    chosen = [_table()[target, n, recipe] for n in PER_CLASS]
    series = [
        Series(recipe, np.array([cell.mean for cell in chosen], np.float32)),
        Series("lowest seed", np.array([min(cell.accuracies) for cell in chosen], np.float32), "dots"),
        Series("highest seed", np.array([max(cell.accuracies) for cell in chosen], np.float32), "dots"),
    ]
    if recipe != _BARE:
        bare = [_table()[target, n, _BARE].mean for n in PER_CLASS]
        series.append(Series(_BARE, np.array(bare, np.float32), "dashed"))
    x = np.log10(np.array(PER_CLASS)).astype(np.float32)
    mark = Mark(float(np.log10(per_class)), f"{per_class} a class")
    ticks = tuple(Mark(float(np.log10(n)), f"{n}") for n in PER_CLASS)
    handle = Handle("per_class", "Labelled images a class", places(x), now=PER_CLASS.index(per_class))
    below = "labelled images a class"
    return Lines("test accuracy", x, tuple(series), 0, 1, below, (mark,), ticks, (handle,))


def _line(target: str, per_class: int, recipe: str, shown: tuple[str, ...]) -> str:
    cell = _table()[target, per_class, recipe]
    line = (
        f"{per_class} labelled of each class, {target} target: {recipe} ({RECIPES[recipe]}) "
        f"reaches {100 * cell.mean:.1f} % (± {100 * cell.std:.1f} between {len(cell.accuracies)} seeds), "
        f"{cell.seconds:.2g} s of training."
    )
    if len(shown) == 1:
        return line
    best, *ties = best_recipes(_table(), target, per_class)
    tied = f", not to be told from {', '.join(ties)}" if ties else ""
    return f"{line} Best: {best} with {100 * _table()[target, per_class, best].mean:.1f} %{tied}."


def explain(answer: Any, state: State) -> str:
    """What was said, what it is, why."""
    best, *ties = best_recipes(_table(), *_ASKED)
    verdict = "exactly" if answer == best else "within noise" if answer in ties else "not here"
    own, top = (_table()[(*_ASKED, recipe)].mean for recipe in (answer, best))
    text = (
        f"You said: {RECIPES[answer]} ({100 * own:.1f} %); it is: {RECIPES[best]} ({100 * top:.1f} %, {verdict}), "
        "because the top block answers to clothes, while the middle one sees strokes and corners, as digits have. "
    )
    target, per_class = state["target"], int(state["per_class"])
    now, *others = best_recipes(_table(), target, per_class)
    tied = f", within noise of {', '.join(others)}" if others else " alone"
    return f"{text}With {per_class} of each class of the {target} target {now} wins{tied}."


DESIGN = Design(
    name="transfer-quadrants",
    title="How much data, how similar: which recipe wins?",
    controls=(
        Slider("per_class", "Labelled images a class", tuple(float(n) for n in PER_CLASS), 1.0),
        Choice("target", "Target", {k: f"{k}: {v}" for k, v in TARGETS.items()}, "different"),
        Choice("recipe", "Recipe in the right picture", RECIPES, "probe-3"),
    ),
    prediction=Pick(
        "A small network was pretrained on T-shirts, pullovers, sandals, sneakers and bags. "
        "Now one labelled image of each of ten handwritten digits: which recipe wins here?",
        {key: RECIPES[key] for key in ("probe-2", "probe-3", "tune-1", "tune-3", "scratch")},
        "Now change target and number of images, and look for the cell in which the lecture's advice is beaten.",
    ),
    numbers=numbers,
    explain=explain,
    right=lambda answer, state: answer in best_recipes(_table(), *_ASKED),
)


def transfer_quadrants(fresh: bool = False) -> Explorer:
    """Show which recipe of transfer learning wins with how much data, how similar.

    Args:
        fresh: forget the prediction that was locked in before.
    """
    return show_widget(DESIGN, fresh)
