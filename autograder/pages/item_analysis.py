"""Difficulty and discrimination of every item: how many could do it, and whether those who could do the rest.

Discrimination is the item-total correlation: between the points for the item and the points for all others together
(the item itself left out, or it would correlate with itself).  For both see Allen and Yen, *Introduction to
Measurement Theory*, 1979, chapter 6.
"""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from autograder.gradebook.item_marks import ItemMarks
from autograder.gradebook.tables import safe

__all__ = ["FEWEST", "Item", "analyze", "as_csv", "correlation"]

FEWEST = 20
"""With fewer students a correlation says more about chance than about the item."""
_WEAK, _GOOD = 0.2, 0.4


@dataclass(frozen=True)
class Item:
    """An exercise or a written question.

    Attributes:
        difficulty: mean share of the points, 0 (nobody) to 1 (everybody); None where nobody is graded yet.
        discrimination: -1 to 1; None with few students, or where all have the same points.
        full: how many have all points.
        of: how many are graded.
        waiting: how many wait for a person.
    """

    name: str
    title: str
    max_score: float
    written: bool
    difficulty: float | None
    discrimination: float | None
    full: int
    of: int
    waiting: int

    @property
    def verdict(self) -> str:
        """What the discrimination says, in one word or two; empty if there is none."""
        if self.discrimination is None:
            return ""
        if self.discrimination < -2 / math.sqrt(self.of):  # two standard errors: chance alone is below 0, too
            return "look at it"
        if self.discrimination < _WEAK:
            return "weak"
        return "good" if self.discrimination >= _GOOD else "fair"


def analyze(marks: Mapping[str, ItemMarks], titles: Mapping[str, str]) -> tuple[Item, ...]:
    """Every item, in the order of `titles` (name of a graded cell -> what people call it).

    Who has no point at all is left out: an empty notebook says nothing about an item, and would make all alike.
    """
    totals: dict[str, float] = {}
    for item in marks.values():
        for student, points in item.points.items():
            totals[student] = totals.get(student, 0.0) + points * (not item.waiting)
    tried = {student for item in marks.values() for student, points in item.points.items() if points}
    names = [*(name for name in titles if name in marks), *(name for name in marks if name not in titles)]
    return tuple(_item(marks[name], titles.get(name, name), totals, tried) for name in names)


def _item(marks: ItemMarks, title: str, totals: Mapping[str, float], tried: Collection[str]) -> Item:
    points = {student: given for student, given in marks.points.items() if student in tried}
    if marks.waiting > len(points):  # those who wrote nothing have their 0 already
        points = {}
    own = list(points.values())
    rest = [totals[student] - given * (not marks.waiting) for student, given in points.items()]
    full = sum(given >= marks.max_score for given in own) if marks.max_score else 0
    share = statistics.fmean(own) / marks.max_score if own and marks.max_score else None
    found = correlation(own, rest) if len(own) >= FEWEST else None
    return Item(marks.name, title, marks.max_score, marks.written, share, found, full, len(own), marks.waiting)


def correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Pearson's correlation; None where one of the two does not vary.

    >>> correlation([0, 1, 2], [2, 4, 6]), correlation([1, 1], [0, 3])
    (1.0, None)
    """
    if len(one) < 2:
        return None
    a, b = statistics.fmean(one), statistics.fmean(other)
    spread = math.sqrt(sum((x - a) ** 2 for x in one) * sum((y - b) ** 2 for y in other))
    if spread < 1e-9:
        return None
    return round(sum((x - a) * (y - b) for x, y in zip(one, other, strict=True)) / spread, 6)


def as_csv(items: Iterable[Item]) -> str:
    """The items as a table for a spreadsheet."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["item", "title", "kind", "points", "graded", "waiting", "full", "mean_share", "discrimination"])
    for item in items:
        kind = "written" if item.written else "code"
        numbers = [item.max_score, item.of, item.waiting, item.full, item.difficulty, item.discrimination]
        writer.writerow(
            [safe(item.name), safe(item.title), kind]
            + ["" if number is None else f"{round(number, 4):g}" for number in numbers]
        )
    return buffer.getvalue()
