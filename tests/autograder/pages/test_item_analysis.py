"""How hard an item is, and whether it tells who can do the rest."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.gradebook.item_marks import ItemMarks
from autograder.pages.item_analysis import FEWEST, analyze, as_csv, correlation

TITLES = {"a": "First", "b": "Second", "c": "Third"}


def _class(size: int, seed: int = 1) -> dict[str, ItemMarks]:
    """Two items that hang on ability, one that hangs on the opposite."""
    rng = random.Random(seed)
    ability = {f"s{n}": rng.random() for n in range(size)}
    return {
        name: ItemMarks(name, 4.0, {who: 4.0 * (sign * x > sign * cut) for who, x in ability.items()}, 0, name == "c")
        for name, sign, cut in (("a", 1, 0.4), ("b", 1, 0.6), ("c", -1, 0.5))
    }


def test_an_item_that_the_good_ones_fail_stands_out() -> None:
    """Difficulty is the mean share; discrimination leaves the item itself out, as NumPy computes it."""
    marks = _class(200)
    items = {item.name: item for item in analyze(marks, TITLES)}
    assert items["a"].title == "First"
    assert items["a"].difficulty == pytest.approx(np.mean(list(marks["a"].points.values())) / 4)
    rest = [marks["b"].points[s] + marks["c"].points[s] for s in marks["a"].points]
    expected = np.corrcoef(list(marks["a"].points.values()), rest)[0, 1]
    assert items["a"].discrimination == pytest.approx(expected, abs=1e-6)
    assert items["c"].discrimination is not None
    assert items["c"].discrimination < -0.5
    assert items["c"].verdict == "look at it"


def test_a_small_class_has_no_discrimination() -> None:
    """A correlation of few says more about chance than about the item."""
    assert all(item.discrimination is None for item in analyze(_class(FEWEST - 1), TITLES))
    assert all(item.verdict == "" for item in analyze(_class(FEWEST - 1), TITLES))


def test_who_wrote_nothing_and_answers_that_wait_do_not_count() -> None:
    """An empty notebook has 0 everywhere and would make all items alike; an answer that waits is no 0."""
    marks = _class(40)
    empty = {name: replace(item, points={**item.points, "nobody": 0.0}) for name, item in marks.items()}
    assert analyze(empty, TITLES) == analyze(marks, TITLES)
    waiting = {**marks, "c": ItemMarks("c", 4.0, {"s1": 0.0}, 39, True)}
    item = analyze(waiting, TITLES)[2]
    assert (item.difficulty, item.of, item.waiting) == (None, 0, 39)


def test_the_table_is_safe_for_a_spreadsheet() -> None:
    """A title is an instructor's, a name too; yet no cell is a formula."""
    marks = {"=cmd": ItemMarks("=cmd", 1.0, {"a": 1.0}, 0, False)}
    rows = list(csv.reader(io.StringIO(as_csv(analyze(marks, {"=cmd": "@x"})))))
    assert rows[1][:3] == ["'=cmd", "'@x", "code"]


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=50))
def test_a_correlation_lies_between_minus_1_and_1(pairs: list[tuple[float, float]]) -> None:
    """Or there is none."""
    found = correlation([a for a, _ in pairs], [b for _, b in pairs])
    assert found is None or -1 <= found <= 1
