"""The answers that can be given on a page, and what the widget says to them.

Options and places are counted.  Of cells, those can be marked that agree with the first one in some of their four
places.  Numbers have no end: of them the page knows spans, within which the widget says the same but for the number.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.widget_pages.dials import places_of
from autograder.widget_pages.pool import SAID, Said
from course_lib.widgets.predictions import Estimate, Marking, Pick, Placing, Prediction
from course_lib.widgets.scene import Cells, Scene

__all__ = ["NotAlikeError", "Span", "alike", "listed_answers", "members", "spans_of", "spreads"]

_NUMBER = re.compile(r"([-−]?\d+(?:\.\d+)?(?:e[-−+]?\d+)?)")
_BISECTIONS = 30
_MOST_SPANS = 60


class NotAlikeError(Exception):
    """Two trees differ in more than the number that was said."""


@dataclass(frozen=True)
class Span:
    """Numbers to which the same is said.

    Attributes:
        first: the smallest one that was tried.
        last: the largest one.
        upto: it reaches as far as this.
    """

    first: float
    last: float
    upto: float


def listed_answers(prediction: Prediction, opened: Scene) -> list[Any]:
    """The answers to a question that has not too many; none for one that asks for a number.

    Args:
        opened: the picture that the question is about.
    """
    match prediction:
        case Pick(options=options):
            return list(options)
        case Placing():
            return list(places_of(prediction))
        case Marking():
            return list(spreads(opened)[1:])
    return []


def spreads(opened: Scene) -> tuple[tuple[int, ...], ...]:
    """For each choice of axes (N, C, H, W), the bits of a number: the cells that differ from cell 0 in no others."""
    shape = next(panel.shape for panel in opened.panels if isinstance(panel, Cells))
    place = np.indices(shape).reshape(4, -1)
    chosen = ([axis for axis in range(4) if not bits >> axis & 1] for bits in range(16))
    return tuple(tuple(np.flatnonzero((place[fixed] == 0).all(axis=0)).tolist()) for fixed in chosen)


def alike(one: Any, other: Any, said: float, said_other: float) -> Any:
    """What two trees have in common, with a sign where the one has one number and the other the other.

    Raises:
        NotAlikeError: if they differ in anything else.
    """
    if one is other:
        return one
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return {key: alike(one[key], other[key], said, said_other) for key in one}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [alike(a, b, said, said_other) for a, b in zip(one, other, strict=True)]
    if one == other:
        return one
    if isinstance(one, str) and isinstance(other, str):
        parts = [_NUMBER.split(text) for text in (one, other)]
        if len(parts[0]) == len(parts[1]):
            return "".join(_part(a, b, said, said_other) for a, b in zip(*parts, strict=True))
    elif (one, other) == (said, said_other):
        return Said()
    raise NotAlikeError(f"{one!r} and {other!r}")


def _part(one: str, other: str, said: float, said_other: float) -> str:
    if one == other:
        return one
    if all(_NUMBER.fullmatch(text) and _reads(text, n) for text, n in ((one, said), (other, said_other))):
        return SAID
    raise NotAlikeError(f"{one!r} and {other!r}")


def _reads(text: str, number: float) -> bool:
    """Whether a number is written here, rounded perhaps."""
    return abs(float(text.replace("−", "-")) - number) <= 0.005 * abs(number)


def _probes(question: Estimate) -> list[float]:
    """Numbers that people say."""
    whole = range(-300, 301)
    tenths = (round(k / 10, 1) for k in range(-200, 501))
    round_ones = (sign * m * 10**k for k in range(7) for m in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9) for sign in (-1, 1))
    tried = {float(n) for n in itertools.chain(whole, tenths, round_ones, (question.low, question.high))}
    return sorted(n for n in tried if question.low <= n <= question.high)


def spans_of(question: Estimate, told: Callable[[float], Any]) -> list[Span]:
    """The spans of numbers to which the same is said, in order.

    Args:
        told: all that depends on the answer, as a tree.

    Raises:
        NotAlikeError: if there are too many.
    """
    found: list[tuple[Callable[[float], bool], list[float]]] = []
    for number in _probes(question):
        if found and found[-1][0](number):
            found[-1][1].append(number)
        else:
            found.append((_Kind(number, told), [number]))
        if len(found) > _MOST_SPANS:
            raise NotAlikeError(f"more than {_MOST_SPANS} different things are said to a number that is predicted")
    spans = []
    for (belongs, numbers), after in itertools.zip_longest(found, (numbers[0] for _, numbers in found[1:])):
        upto = question.high if after is None else _border(numbers[-1], after, belongs)
        spans.append(Span(numbers[0], numbers[-1], upto))
    return spans


class _Kind:
    """Whether the same is said to a number as to the first one."""

    def __init__(self, first: float, told: Callable[[float], Any]) -> None:
        self._first, self._told, self._common = first, told, None

    def __call__(self, number: float) -> bool:
        try:
            common = alike(self._told(self._first), self._told(number), self._first, number)
        except NotAlikeError:
            return False
        if self._common is None:
            self._common = common
        return bool(common == self._common)


def _border(inside: float, outside: float, belongs: Callable[[float], bool]) -> float:
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if belongs(middle) else (inside, middle)
    return inside


def members(span: Span) -> Sequence[float]:
    """Two numbers of a span, or its only one."""
    return (span.first,) if span.first == span.last else (span.first, span.last)
