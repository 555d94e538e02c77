"""What can be set on a page: fewer values than in the live widget, for each of them something has to be recorded."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from course_lib.widgets.controls import Choice, Control, Picks, Seed, Slider, Votes
from course_lib.widgets.explorer import Design
from course_lib.widgets.predictions import Placing

__all__ = ["Dial", "dials_of", "groups_of", "places_of", "with_dials", "without_votes"]

_STOPS, _PICKED = 21, 10
"""A slider with more values stops at some of them only; one from which values are taken at fewer."""
_PLACES = 30
_SEEDS = 6
_LISTS = 150
"""So many lists of values that were taken are recorded at most."""


@dataclass(frozen=True)
class Dial:
    """One thing that can be set.

    Attributes:
        name: key in the state.
        values: what it can be set to.
        start: place of the first value.
        of: how many values the live widget has; 0 for no end.
        named: whether its values are names, from a list to choose from.
        seed: whether it draws anew.
        slider: name of the slider that it takes values from, if it does.
    """

    name: str
    values: tuple[Any, ...]
    start: int
    of: int
    named: bool = False
    seed: bool = False
    slider: str = ""


def dials_of(controls: Sequence[Control], fewer: int = 1) -> tuple[Dial, ...]:
    """What the page of a widget can set.

    Args:
        fewer: divides the number of values that are recorded of what has many.
    """
    picked = {control.slider for control in controls if isinstance(control, Picks)}
    sliders = {
        c.name: _slider(c, (_PICKED if c.name in picked else _STOPS) // fewer)
        for c in controls
        if isinstance(c, Slider)
    }
    return tuple(_dial(control, sliders, fewer) for control in controls)


def _dial(control: Control, sliders: Mapping[str, Dial], fewer: int) -> Dial:
    match control:
        case Slider(name=name):
            return sliders[name]
        case Choice(name=name, options=options, start=first):
            return Dial(name, tuple(options), list(options).index(first), len(options), named=True)
        case Seed(name=name, start=seed):
            return Dial(name, tuple(range(seed, seed + max(2, _SEEDS // fewer))), 0, 0, seed=True)
        case Picks(name=name, slider=slider, most=most):
            values = sliders[slider].values
            longest = max(k for k in range(1, most + 1) if k == 1 or len(values) ** k <= _LISTS // fewer)
            lists = [taken for k in range(longest + 1) for taken in itertools.product(values, repeat=k)]
            return Dial(name, tuple(lists), 0, 0, slider=slider)
        case Votes():
            raise TypeError(f"{control.name} cannot be recorded: see `without_votes`")


def _slider(control: Slider, most: int) -> Dial:
    start = control.values.index(control.start)
    places = thinned(len(control.values), start, max(2, most))
    return Dial(control.name, tuple(control.values[i] for i in places), places.index(start), len(control.values))


def thinned(number: int, start: int, most: int) -> list[int]:
    """Every second, third, ... place, counted from the start, with the first and the last."""
    step = -(-number // most)
    return sorted({*range(start % step, number, step), 0, number - 1})


def groups_of(dials: Sequence[Dial], number: int) -> list[tuple[Dial, ...]]:
    """What may be set together, so many at a time; with one at a time also what cannot be set alone.

    Within a group the dial with most values is last: it moves while the others stand, and what follows each other is
    alike and compresses well.
    """
    groups = list(itertools.combinations(dials, number))
    if number == 1:  # nothing can be taken from a slider that stands still
        groups += [(dial, slider) for dial in dials for slider in dials if dial.slider == slider.name]
    return [tuple(sorted(group, key=lambda dial: len(dial.values))) for group in groups]


def without_votes(design: Design) -> Design:
    """The widget without what counts votes, since each changes all that is said later."""
    return replace(design, controls=tuple(one for one in design.controls if not isinstance(one, Votes)))


def with_dials(design: Design, dials: Sequence[Dial]) -> Design:
    """The widget with controls, and a question, that stop where something is recorded."""
    question = design.prediction
    if isinstance(question, Placing):
        question = replace(question, values=places_of(question))
    return replace(design, controls=tuple(map(_with_dial, design.controls, dials)), prediction=question)


def places_of(question: Placing) -> tuple[float, ...]:
    """Where something can be put on a page."""
    places = thinned(len(question.values), question.values.index(question.start), _PLACES)
    return tuple(question.values[i] for i in places)


def _with_dial(control: Control, dial: Dial) -> Control:
    match control:
        case Slider():
            return replace(control, values=dial.values)
        case Picks():
            return replace(control, most=max(map(len, dial.values)))
    return control
