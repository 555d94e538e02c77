"""The right numbers at other places: another shape or order, too many or too few, another part, another output."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from course_lib.checking.comparison import quoted
from course_lib.checking.likeness.claims import Claim, Claims
from course_lib.checking.likeness.pairs import ENOUGH, Array, Pair, as_array, distinct, plural

__all__ = ["length", "order", "other_output", "reduced", "shape", "shuffled", "window"]


def _cut(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    return (*[slice(None)] * axis, slice(start, stop))


def other_output(p: Pair) -> Claims:
    """What another output should be."""
    for name, value in ((name, as_array(value)) for name, value in p.others.items()):
        if value is not None and not p.boolean and p.same(p.got, value):
            yield Claim(f"is what {quoted(name)} should be", weight=distinct(value))


def shape(p: Pair) -> Claims:
    """The right numbers in another shape."""
    a, b = p.got, p.expected
    if a.size == b.size and a.shape != b.shape and p.same(a.ravel(), b.ravel()):
        if [n for n in a.shape if n > 1] == [n for n in b.shape if n > 1] and a.ndim != b.ndim:
            axes = "an axis" if abs(a.ndim - b.ndim) == 1 else "axes"
            number = f"{axes} of length 1 too {'many' if a.ndim > b.ndim else 'few'}"
            yield Claim(f"has the right numbers, but {number}", weight=ENOUGH)
        other = "flattened to a single axis" if a.ndim == 1 else "in another shape"
        yield Claim(f"has the right numbers in the right order, but {other}")


def order(p: Pair) -> Claims:
    """The right numbers at other places: axes exchanged, mirrored, turned, moved."""
    a, b = p.got, p.expected
    if a.ndim != b.ndim or b.ndim > 4 or not _same_numbers(p):
        return
    # Among the examples that are wrong, their order means nothing.
    named = [(axis, word) for axis, word in enumerate(p.axes) if axis or not p.whole]
    for axes in itertools.permutations(range(b.ndim)):
        if list(axes) != sorted(axes) and not p.whole and p.same(a, b.transpose(axes)):
            other = f"has the right numbers, but the axes of what is expected in the order {axes}"
            yield Claim("is the transpose of what is expected" if b.ndim == 2 else other)
    turns = ("a quarter turn to the left", "half a turn", "a quarter turn to the right")
    for times, turn in enumerate(turns, 1) if b.ndim >= 2 else ():
        if p.same(a, np.rot90(b, times, (-2, -1))):
            yield Claim(f"is what is expected after {turn}")
    for these in (these for n in (1, 2) for these in itertools.combinations(named, n)):
        if all(b.shape[axis] > 1 for axis, _ in these) and p.same(a, np.flip(b, tuple(axis for axis, _ in these))):
            names = " and the ".join(plural(word) for _, word in these)
            yield Claim(f"has the right numbers, but the {names} in reverse order", weight=p.distinct - len(these))


def _same_numbers(p: Pair) -> bool:
    """Whether they are the same in some order."""
    return p.got.size == p.expected.size and p.same(*(np.sort(v, axis=None) for v in (p.got, p.expected)))


def shuffled(p: Pair) -> Claims:
    """The right rows, columns or numbers in some other order."""
    if not p.numeric or p.distinct < 3 or not _same_numbers(p):
        return
    for axis, word in enumerate(p.axes if p.expected.ndim > 1 else ()):
        one, other = (np.moveaxis(v, axis, 0).reshape(v.shape[axis], -1) for v in (p.got, p.expected))
        if len(one) > 1 and one.shape[1] > 1 and p.same(*(v[np.lexsort(v.round(6).T)] for v in (one, other))):
            yield Claim(f"has the right {plural(word)} in another order")
    yield Claim("has the right numbers at other places")


def window(p: Pair) -> Claims:
    """Another part of an image than the one asked for."""
    a, b = p.got, p.expected
    if not p.numeric or a.ndim < 2 or p.distinct < 3:
        return
    for name, value in p.inputs.items():
        if value.ndim == a.ndim and value.shape[:-2] == a.shape[:-2] and value.shape != a.shape:
            here = _where_in(value, a, p.same)
            there = _where_in(value, b, p.same) if here else None
            if here and there:
                moves = zip(here, there, ("row", "column"), ("low", "far right"), ("high", "far left"), strict=True)
                steps = [
                    f"{abs(n - m)} {word if abs(n - m) == 1 else plural(word)} too {more if n > m else less}"
                    for n, m, word, more, less in moves
                    if n != m
                ]
                yield Claim(f"is the part of `{name}` that lies {' and '.join(steps)}")


def _where_in(whole: Array, part: Array, same: Callable[[Array, Array], bool]) -> tuple[int, int] | None:
    """Row and column at which an image holds a smaller one."""
    height, width = part.shape[-2:]
    rows, columns = (max(whole.shape[k] - part.shape[k] + 1, 0) for k in (-2, -1))
    corner = whole[(0,) * (whole.ndim - 2)][:rows, :columns]
    near = np.argwhere(np.abs(corner - part.flat[0]) < 1e-3 * (1 + np.abs(corner)))[:20]
    found = ((int(r), int(c)) for r, c in near if same(part, whole[..., r : r + height, c : c + width]))
    return next(found, None)


def reduced(p: Pair) -> Claims:
    """A sum or a mean too many or too few, and a matrix where its diagonal would do."""
    a, b = p.got, p.expected
    if not a.size or not b.size or a.ndim == b.ndim:
        return
    longer, shorter = (b, a) if a.ndim < b.ndim else (a, b)
    said = "is the {} of what is expected" if longer is b else "is one step away: its {} is what is expected"
    ways = [(k, f" over axis {k}") for k in range(longer.ndim)] if shorter.ndim else [(None, "")]
    for function, (axis, over) in itertools.product((np.sum, np.mean, np.argmax), ways):
        if p.same(np.asarray(function(longer, axis=axis)), shorter):
            yield Claim(said.format(f"{function.__name__}{over}"), weight=distinct(longer) - 1)
    if b.ndim == 1 and a.ndim == 2 and a.shape == 2 * b.shape and len(b) > 1 and p.same(np.diagonal(a).copy(), b):
        yield Claim("is a matrix with what is expected on its diagonal, as where two vectors are broadcast together")


def length(p: Pair) -> Claims:
    """One too many or too few along an axis."""
    a, b = p.got, p.expected
    differs = [k for k, (m, n) in enumerate(zip(a.shape, b.shape, strict=False)) if m != n]
    if a.ndim != b.ndim or len(differs) != 1:
        return
    (axis,) = differs
    word, more = p.axes[axis], a.shape[axis] - b.shape[axis]
    longer, shorter = (a, b) if more > 0 else (b, a)
    for end, where in (("last", _cut(axis, None, -1)), ("first", _cut(axis, 1, None))):
        if abs(more) == 1 and shorter.size and p.same(longer[where], shorter):
            odd = f"a {end} {word} that should not be there" if more > 0 else f"its {end} {word} is missing"
            yield Claim(f"has the right numbers, but {odd}")
    for name in (name for name, count in p.lengths.items() if count == a.shape[axis]):
        yield Claim(f"has `{name}` {plural(word)}; another number is expected", weight=1)
