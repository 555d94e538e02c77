"""The parts of a recording: trees kept once, functions that are not asked twice, numbers found in texts."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.widget_pages.answers import NotAlikeError, alike, spans_of
from autograder.widget_pages.dials import thinned
from autograder.widget_pages.pool import SAID, Pool, Said
from autograder.widget_pages.remembered import Remembered
from autograder.widget_pages.size import Size
from course_lib.widgets.predictions import Estimate
from tests.support.recorded import tree

LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=12)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(TREES, max_size=5))
def test_trees_come_back_as_they_were_put(trees: list[Any]) -> None:
    """Whatever they have in common; truth values stay truth values."""
    pool = Pool()
    placed = [pool.put(one) for one in trees]
    assert repr([tree(pool, place) for place in placed]) == repr(trees)


@given(st.lists(TREES, max_size=4), st.lists(TREES, max_size=4))
def test_what_is_cut_leaves_no_trace(kept: list[Any], cut: list[Any]) -> None:
    """As if it had never been put."""
    pool, other = Pool(), Pool()
    for one in kept:
        assert pool.put(one) == other.put(one)
    mark = pool.mark()
    for one in cut:
        pool.put(one)
    pool.cut(mark)
    for one in cut:
        assert pool.put(one) == other.put(one)
    assert (repr(pool.nodes), pool.keys, pool.arrays) == (repr(other.nodes), other.keys, other.arrays)


def test_equal_arrays_are_kept_once_and_aligned() -> None:
    """The place of an array is a multiple of four."""
    pool = Pool()
    first, second, again = (pool.put(data) for data in (b"abcde", b"xyz", b"abcde"))
    assert first == again
    assert [pool.nodes[place] for place in (first, second)] == [0, 8]
    assert bytes(pool.arrays) == b"abcde\0\0\0xyz\0"


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), max_size=30))
def test_a_function_is_asked_once_for_states_that_agree_in_what_it_reads(states: list[tuple[int, int, int]]) -> None:
    """What it reads may depend on what it has read."""
    asked = []

    def numbers(state: Any) -> Any:
        read = (state["a"], state["b"] if state["a"] else state.get("none", 7))
        asked.append(read)
        return read

    remembered = Remembered(numbers)
    for a, b, c in states:
        assert remembered({"a": a, "b": b, "c": c}) == (a, b if a else 7)
    assert len(asked) == len(set(asked)) == remembered.calls


def test_who_copies_a_state_has_read_all_of_it() -> None:
    """Nothing can be read unseen."""
    remembered = Remembered(lambda state: {**state}["c"])
    assert [remembered({"a": 1, "c": c}) for c in (1, 2, 1)] == [1, 2, 1]
    assert remembered.calls == 2


def test_two_texts_are_alike_but_for_the_number_that_was_said() -> None:
    """A number that is the same in both is not the one that was said, even where it looks like it."""
    assert alike("You said 5, it is 5.", "You said 9, it is 5.", 5, 9) == f"You said {SAID}, it is 5."
    assert alike({"x": 5.0, "y": [5.0]}, {"x": 9.0, "y": [5.0]}, 5, 9) == {"x": Said(), "y": [5.0]}
    assert alike("−3", "12.3", -3, 12.34) == SAID
    for one, other in (("You said 5", "You said 7"), ("a 5", "b 9"), ({"x": 5}, {"y": 9}), ([5], [9, 9]), (5, 8)):
        with pytest.raises(NotAlikeError):
            alike(one, other, 5, 9)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_are_alike_or_not(one: str, other: str) -> None:
    """Nothing else happens."""
    try:
        found = alike(one, other, 1.0, 2.0)
    except NotAlikeError:
        return
    assert isinstance(found, str)


@settings(max_examples=15)
@given(st.floats(-20, 20).map(lambda n: round(n, 2)), st.floats(0.5, 10).map(lambda n: round(n, 2)))
def test_spans_end_where_the_words_change(low: float, width: float) -> None:
    """To nine digits, between the numbers that are tried."""
    high = low + width

    def told(number: float) -> str:
        return f"{number:g} is {'small' if number < low else 'right' if number <= high else 'large'}"

    spans = spans_of(Estimate("?", "", -100, 100, ""), told)
    for number in (low - 0.02, low + 0.02, high - 0.02, high + 0.02, -90.0, 90.0):
        span = next(span for span in spans if number <= span.upto)
        words = {told(n).rpartition(" ")[2] for n in (span.first, span.last)}
        assert words == {told(number).rpartition(" ")[2]}
    assert len(spans) == 3
    assert math.isclose(spans[0].upto, low, abs_tol=1e-6)
    assert math.isclose(spans[1].upto, high, abs_tol=1e-6)


@given(st.integers(2, 300), st.data())
def test_thinned_places_are_few_and_keep_ends_and_start(number: int, data: st.DataObject) -> None:
    """Evenly spaced from the start."""
    start, most = data.draw(st.integers(0, number - 1)), data.draw(st.integers(2, 40))
    found = thinned(number, start, most)
    assert {0, start, number - 1} <= set(found)
    assert len(found) <= most + 2
    assert len(found) == number or number > most


def test_a_size_is_that_of_all_it_was_given() -> None:
    """About what compressing it at once gives."""
    import zlib

    size, parts = Size(), [bytes(range(k)) * 50 for k in range(1, 200)]
    for part in parts:
        size.take(part)
    assert size.with_more(b"") == pytest.approx(len(zlib.compress(b"".join(parts), 6)), rel=0.05)
