"""The lecture's table of transfer learning, looked up in runs that were really made."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from course_lib.lab.plots import counted
from course_lib.transfer.experiments.quadrants import (
    ADVICE,
    AMOUNTS,
    PER_CLASS,
    RECIPES,
    TARGETS,
    Summary,
    best_recipes,
    standing,
    stored_runs,
    summaries,
)
from course_lib.widgets.controls import Choice, Slider
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Pick
from course_lib.widgets.scene import Bars, Entry, Handle, Lines, Mark, Scene, Series, Table, places

__all__ = ["DESIGN", "numbers", "transfer_quadrants"]

_BARE = "scratch"
"""The only recipe shown before the prediction."""
_ASKED = ("different", 1)


@functools.cache
def _table() -> dict[tuple[str, int, str], Summary]:
    return summaries(stored_runs())


def numbers(state: State) -> Scene:
    """The lecture's table, all recipes on one target with so many images, the chosen one over the number of images."""
    target, per_class, recipe = state["target"], int(state["per_class"]), state["recipe"]
    if not state["locked"]:
        recipe = _BARE
    shown = tuple(RECIPES) if state["locked"] else (_BARE,)
    means = np.array([_table()[target, per_class, r].mean if r in shown else np.nan for r in RECIPES], np.float32)
    series = (Series("mean accuracy", means),)
    bars = Bars(f"{TARGETS[target]}, {counted(per_class, 'labeled images')} per class", tuple(RECIPES), series, 0, 1)
    return Scene(
        (_two_by_two(state), bars, _over_sizes(target, recipe, per_class)),
        _line(target, per_class, recipe, shown),
        width=860,
        height=302,
        weights=(1.1, 1.05, 1.05),
    )


def _two_by_two(state: State) -> Table:
    """The lecture's table; its advice is shown only once it can't help to guess."""
    entries, place = [], (state["target"], int(state["per_class"]))
    for target, amount in ADVICE:
        entries.append(
            tuple(
                Entry(
                    f"{n} per class",
                    _found(target, n) if state["locked"] else "",
                    (("target", target), ("per_class", float(n))),
                )
                for n in AMOUNTS[amount]
            )
        )
    order = [(target, n) for target, amount in ADVICE for n in AMOUNTS[amount]]
    return Table(
        "The lecture's table",
        ("very similar images", "very different images"),
        ("very little data", "quite a lot of data"),
        tuple(advice.words if state["locked"] else "?" for advice in ADVICE.values()),
        tuple(entries),
        order.index(place),
        tuple(state["seen"]),
    )


def _found(target: str, per_class: int) -> str:
    best = best_recipes(_table(), target, per_class)[0]
    accuracy = 100 * _table()[target, per_class, best].mean
    return f"{best}, {accuracy:.0f}%\nadvice {standing(_table(), target, per_class)}"


def _joined(names: Sequence[str]) -> str:
    """Names in a sentence: "a", "a and b", "a, b and c"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


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
    mark = Mark(float(np.log10(per_class)), f"{per_class} per class")
    ticks = tuple(Mark(float(np.log10(n)), f"{n}") for n in PER_CLASS)
    handle = Handle("per_class", "Images per class", places(x), now=PER_CLASS.index(per_class))
    below = "labeled images per class"
    return Lines("test accuracy", x, tuple(series), 0, 1, below, (mark,), ticks, (handle,))


def _line(target: str, per_class: int, recipe: str, shown: tuple[str, ...]) -> str:
    cell = _table()[target, per_class, recipe]
    line = (
        f"{counted(per_class, 'labeled images')} per class, {target} target: {recipe} ({RECIPES[recipe]}) "
        f"reaches {100 * cell.mean:.1f}% (± {100 * cell.std:.1f} over {len(cell.accuracies)} seeds), "
        f"{cell.seconds:.2g} s of training."
    )
    if len(shown) == 1:
        return line
    best, *ties = best_recipes(_table(), target, per_class)
    tied = f", level with {_joined(ties)}" if ties else ""
    (advice,) = (ADVICE[target, amount].words for amount, sizes in AMOUNTS.items() if per_class in sizes)
    return (
        f"{line} Best: {best} with {100 * _table()[target, per_class, best].mean:.1f}%{tied}. "
        f"The lecture's advice, {advice}, {standing(_table(), target, per_class)}."
    )


def explain(answer: Any, state: State) -> str:
    """What was said, what it is, why."""
    best, *ties = best_recipes(_table(), *_ASKED)
    own, top = (100 * _table()[(*_ASKED, recipe)].mean for recipe in (answer, best))
    said = f"You said: {RECIPES[answer]} ({own:.1f}%)"
    if answer == best:
        text = f"{said}, and that is right. {_WHY[answer]}"
    elif answer in ties:
        text = f"{said}. That is within noise of the best, {RECIPES[best]} ({top:.1f}%). {_WHY[answer]}"
    else:
        text = f"{said}. Better here: {RECIPES[best]} ({top:.1f}%). {_WHY[answer]}"
    target, per_class = state["target"], int(state["per_class"])
    now, *others = best_recipes(_table(), target, per_class)
    tied = f"; {_joined(others)} cannot be told from it" if others else ", ahead of all others"
    each = f"{per_class} labeled image{'s' * (per_class > 1)} of each class"
    leads = "has the highest mean" if others else "wins"
    return f"{text} Now shown: with {each} of the {target} target, {now} {leads}{tied}."


_WHY = {
    "probe-2": "Its features come from the middle of the network; the top block's did worse on each of the five draws.",
    "probe-3": "The top block was trained to tell clothes apart, and block 2 did better on each of the five draws.",
    "tune-1": "Ten images are too few to train a whole block, and the two below it stay those for clothes.",
    "tune-3": "Ten images are too few to train three blocks: no better than the top features left alone.",
    "scratch": "Ten images are too few to learn features from, so even features learned on clothes are of use.",
}
"""What the stored runs say about each answer."""


_TARGETS = {"similar": "similar: other clothes", "different": "different: digits"}
"""In few words, so that the list stands beside the slider."""

DESIGN = Design(
    name="transfer-quadrants",
    title="How much data, how similar: which recipe wins?",
    controls=(
        Slider("per_class", "Images per class", tuple(float(n) for n in PER_CLASS), 1.0),
        Choice("target", "Target", _TARGETS, _ASKED[0]),
        Choice("recipe", "Recipe on the right", RECIPES, "probe-3"),
    ),
    prediction=Pick(
        "A small network was pretrained on T-shirts, pullovers, sandals, sneakers and bags. "
        "Now one labeled image of each of ten handwritten digits: which recipe wins here?",
        {key: RECIPES[key] for key in ("probe-2", "probe-3", "tune-1", "tune-3", "scratch")},
        "Now fill the table: change the target and the number of images, or click an entry. "
        "Where does the lecture's advice win, where is it only level?",
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
