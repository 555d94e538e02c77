"""Where it is wrong: the place that holds all wrong numbers, and hardly any right one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from course_lib.checking.likeness.pairs import ENOUGH, Array, Mask, Pair

__all__ = ["Place", "place_of"]


class Place(NamedTuple):
    """Where something may be wrong.

    Attributes:
        predicate: says so.
        mask: the place.
        there: refers to the place.
        right_only: whether all of it has to be wrong, since it is named by what is right.
        single: whether it is made of single numbers, not of whole rows or columns.
    """

    predicate: str
    mask: Mask
    there: str = "there"
    right_only: bool = False
    single: bool = False

    def covers(self, wrong: Mask) -> bool:
        """Whether all that is wrong lies there; in a large place a few numbers may be right by accident."""
        if (wrong & ~self.mask).any():
            return False
        right = int((self.mask & ~wrong).sum())
        return right == 0 if self.right_only else 5 * right < int(self.mask.sum())


def place_of(pairs: Sequence[Pair]) -> tuple[Place, bool] | None:
    """The place where all that is wrong lies, and whether nothing there is right; None if there is none."""
    masks = [pair.wrong for pair in pairs]
    if sum(int(mask.sum()) for mask in masks) < ENOUGH or sum(int((~mask).sum()) for mask in masks) < ENOUGH:
        return None
    slabs = all(_is_slab(mask) for mask in masks)
    if len(pairs) == 1 and slabs:
        return None  # a single row or column of a single case may be anything
    order = sorted(range(len(pairs)), key=lambda i: bool(masks[i].all()))
    first, *rest = [(pairs[i], masks[i]) for i in order]
    candidates = [place for place in _places(first[0]) if not place.mask.all() and place.covers(first[1])]
    candidates = [place for place in candidates if not (place.single and slabs)]  # whole rows have another reason
    exact = {place.predicate: bool((place.mask == first[1]).all()) for place in candidates}
    for pair, mask in rest if candidates else ():
        found = {place.predicate: place.mask for place in _places(pair) if place.covers(mask)}
        candidates = [place for place in candidates if place.predicate in found]
        exact |= {words: exact.get(words, True) and bool((here == mask).all()) for words, here in found.items()}
    return (candidates[0], exact[candidates[0].predicate]) if candidates else None


def _is_slab(mask: Mask) -> bool:
    """Whether it is the same along some axis."""
    return mask.ndim > 1 and any((mask == mask.take([0], axis=axis)).all() for axis in range(mask.ndim))


def _places(p: Pair) -> Iterator[Place]:
    """Places that one might name; the plain ones first."""
    if not p.boolean:
        yield Place("is wrong only where 0 is expected", p.expected == 0)
        if p.expected.min() < 0 < p.expected.max():
            yield Place("is wrong only where a negative number is expected", p.expected < 0, single=True)
            yield Place("is wrong only where a positive number is expected", p.expected > 0, single=True)
    # A vector has few entries, and its signs may happen to alternate: the positions come first.
    for name, value in p.spread:
        if p.inputs[name].ndim != 1:
            yield Place(f"is wrong only where `{name}` is negative", value < 0, single=True)
            yield from _comparisons(p, name, value)
    yield from _positions(p)
    for name, value in p.spread:
        if p.inputs[name].ndim == 1:
            yield from _comparisons(p, name, value)


def _comparisons(p: Pair, name: str, value: Array) -> Iterator[Place]:
    yield Place(f"is wrong only where `{name}` is 0", value == 0)
    for other, number in ((n, number) for n, number in p.numbers.items() if abs(number) > 1e-3):  # not an epsilon
        yield Place(f"is wrong only where `{name}` and `{other}` are equal", value == number)
        for compared, mask in ((">=", value >= number), ("<", value < number), (">", value > number)):
            yield Place(f"is wrong only where `{name} {compared} {other}`", mask)


def _positions(p: Pair) -> Iterator[Place]:
    index = np.indices(p.expected.shape)
    for axis, word in enumerate(p.axes):
        at, last = index[axis], p.expected.shape[axis] - 1
        if last > 0:
            yield Place(f"is wrong only in the last {word}", at == last)
            yield Place(f"is wrong only in the first {word}", at == 0)
            yield Place(f"is right only in the first {word}", at > 0, "elsewhere", right_only=True)
            yield Place(f"is right only in the last {word}", at < last, "elsewhere", right_only=True)
