"""Right numbers that are arranged in another way than was asked for.

An axis of length 1 is left over or missing, a list was not made one tensor, two results come in the wrong order: that
is one small slip, whatever the exercise, and whatever else is wrong beside it.  It is charged once, and what was
computed is judged as if it had been arranged as asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from course_lib.checking.comparison import agrees
from course_lib.checking.keys import CaseKey, Entry
from course_lib.checking.shapes import AXIS, GROUPS, ITEMS, ORDER, in_shape
from course_lib.checking.values import Iterated

__all__ = ["COSTS", "Arranged", "arranged"]

COSTS = 0.5
"""Points, and never more than half of those for values."""

_MOST_RESULTS = 4
_MOST_ITEMS = 100_000


class Arranged(NamedTuple):
    """Values as they would be in the arrangement that is asked for.

    Attributes:
        slug: the name of the slip.
        values: those that were arranged in another way.
    """

    slug: str
    values: dict[Entry, Any]


def arranged(
    cases: Iterable[CaseKey],
    observed: Mapping[Entry, Any],
    unknown: set[Entry],
    from_drivers: Mapping[str, Arranged],
) -> Arranged | None:
    """The values with one and the same slip of arrangement mended, wherever it was made; None if there is none.

    Args:
        unknown: the entries that are wrong in a way that has no name yet.
        from_drivers: case -> what its driver made of a result that was arranged as asked.
    """
    concerned = [case for case in cases if any(Entry(case.name, output) in unknown for output in case.outputs)]
    return _in_shape(concerned, observed, unknown, from_drivers) or _in_order(concerned, observed)


def _in_shape(
    cases: Iterable[CaseKey],
    observed: Mapping[Entry, Any],
    unknown: set[Entry],
    from_drivers: Mapping[str, Arranged],
) -> Arranged | None:
    slugs: set[str] = set()
    values: dict[Entry, Any] = {}
    for case in cases:
        if case.name in from_drivers:
            slugs.add(from_drivers[case.name].slug)
            values.update((e, value) for e, value in from_drivers[case.name].values.items() if e in unknown)
            continue
        for output in case.outputs:
            entry = Entry(case.name, output)
            mended = _as_asked(observed[entry], case.expected[output]) if entry in unknown else None
            if mended is not None:
                slug, values[entry] = mended
                slugs.add(slug)
    if slugs == {AXIS, GROUPS}:  # where there is a single example, say, the one looks like the other
        slugs.remove(AXIS)
    return Arranged(slugs.pop(), values) if values and len(slugs) == 1 else None


def _as_asked(got: Any, expected: Any) -> tuple[str, Any] | None:
    """The slip, and the value in the shape that is asked for; None where no such slip makes the difference."""
    if isinstance(expected, Tensor) or (isinstance(expected, np.ndarray) and expected.dtype.kind in "biuf"):
        return in_shape(got, tuple(expected.shape))
    if isinstance(expected, tuple | list) and isinstance(got, Iterated):
        return ITEMS, list(got)
    if isinstance(expected, tuple | list) and isinstance(got, np.ndarray | Tensor):
        size = got.numel() if isinstance(got, Tensor) else got.size  # of what is large, a list is larger by far
        return (ITEMS, got.tolist()) if got.ndim and len(got) == len(expected) and size <= _MOST_ITEMS else None
    if isinstance(expected, tuple | list) and isinstance(got, tuple | list) and len(got) == len(expected):
        mended = [_as_asked(one, other) for one, other in zip(got, expected, strict=True)]
        slug = next((found[0] for found in mended if found is not None), None)
        items = [one if found is None else found[1] for one, found in zip(got, mended, strict=True)]
        return None if slug is None else (slug, items)
    single = isinstance(expected, bool | int | float) and isinstance(got, Tensor) and got.ndim and got.numel() == 1
    return (AXIS, got.reshape(())) if single else None


def _in_order(cases: Iterable[CaseKey], observed: Mapping[Entry, Any]) -> Arranged | None:
    """Results that are right in another order, the same one in all cases."""
    cases = list(cases)
    few = {len(case.outputs) for case in cases} <= set(range(2, _MOST_RESULTS + 1))
    if not few or len({case.outputs for case in cases}) != 1 or not all(c.driver.startswith("call") for c in cases):
        return None
    orders = list(itertools.permutations(range(len(cases[0].outputs))))
    for case in cases:
        seen = [observed[Entry(case.name, output)] for output in case.outputs]
        expected = [case.expected[output] for output in case.outputs]
        orders = [
            order
            for order in orders
            if all(agrees(seen[at], what, case.tolerance) for at, what in zip(order, expected, strict=True))
        ]
    if not orders:
        return None
    order = min(orders)
    values = {
        Entry(case.name, output): observed[Entry(case.name, case.outputs[at])]
        for case in cases
        for at, output in zip(order, case.outputs, strict=True)
        if case.outputs[at] != output
    }
    return Arranged(ORDER, values) if values else None
