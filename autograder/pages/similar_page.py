"""Pairs of submissions side by side, as one HTML page: for a person to look at, and it says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from autograder.pages.prose import visible
from autograder.similarity.pairs import Pair, typical
from autograder.similarity.works import Comparison
from autograder.whole_files import write_over

__all__ = ["render_similar", "write_similar"]

_EXERCISES, _LINES = 4, 200
"""So many exercises of a pair are shown, and so many lines of each."""
_BARS = 25


@dataclass(frozen=True)
class _Side:
    student: str
    lines: tuple[tuple[str, bool], ...]
    more: int


def write_similar(comparison: Comparison, path: Path) -> Path:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_over(path, render_similar(comparison))
    return path


def render_similar(comparison: Comparison, generated: datetime | None = None) -> str:
    """The page of a class."""
    middle, unusual = typical(comparison.every)
    return _template().render(
        c=comparison,
        pairs=[(pair, _sides(comparison, pair)) for pair in comparison.pairs],
        middle=middle,
        unusual=unusual,
        bars=_bars(comparison.every.tolist()),
        generated=(generated or datetime.now().astimezone()).strftime("%-d %B %Y, %H:%M"),
        style=Markup(_resource("report.css") + _resource("similar.css")),
    )


def _sides(comparison: Comparison, pair: Pair) -> list[tuple[str, _Side, _Side]]:
    """For the exercises that have most in common: both codes, with the lines that are rare in the class marked."""
    one, other = pair.students
    shown = [
        shared for shared in pair.exercises if all(shared.exercise in comparison.code[who] for who in pair.students)
    ]
    return [
        (
            shared.exercise,
            _side(comparison, one, shared.exercise, shared.lines[0]),
            _side(comparison, other, shared.exercise, shared.lines[1]),
        )
        for shared in shown[:_EXERCISES]
    ]


def _side(comparison: Comparison, student: str, exercise: str, marked: frozenset[int]) -> _Side:
    lines = comparison.code[student][exercise].splitlines()
    shown = tuple((line[:400], number in marked) for number, line in enumerate(lines[:_LINES], start=1))
    return _Side(student, shown, max(0, len(lines) - _LINES))


def _bars(every: Sequence[float]) -> list[int]:
    """How many pairs are how much alike, in equal steps from 0 to 1."""
    counts = [0] * _BARS
    for likeness in every:
        counts[min(_BARS - 1, int(likeness * _BARS))] += 1
    return counts


def _resource(name: str) -> str:
    return files("autograder.pages").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=visible)
    return environment.from_string(_resource("similar.html.j2"))
