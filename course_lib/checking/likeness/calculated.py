"""Wrong numbers that a simple calculation turns into the right ones, or into an input, or into nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from course_lib.checking.likeness.claims import Claim, Claims, in_digits
from course_lib.checking.likeness.pairs import ENOUGH, EXACT, Array, Pair, distinct, plural

__all__ = [
    *("between", "constant", "cut_off", "function", "given", "multiple", "not_finite", "own", "property_of_all"),
    *("sign", "times", "zeros"),
]


def constant(p: Pair) -> Claims:
    """The same number everywhere."""
    a = p.got
    everywhere = " everywhere" if a.ndim else ""
    if not p.aligned or not p.same(a, np.broadcast_to(a.flat[0], a.shape)):
        return
    if np.isnan(a).all():
        yield Claim(f"is NaN{everywhere}")
    elif p.boolean:
        yield Claim(f"is {bool(a.flat[0])}{everywhere}")
    elif np.abs(a).max() < EXACT:
        yield Claim(f"is 0{everywhere}")
    else:
        weight = 1 if a.ndim == 0 else a.size if p.distinct > 1 or not p.expected.any() else 0
        yield Claim("is {} everywhere" if a.ndim else "is always {}", float(a.flat[0]), weight)


def given(p: Pair) -> Claims:
    """An input where the result should be, as it is or changed a little."""
    for name, value in p.inputs.items():
        if value.ndim and p.same(p.got, value):
            yield Claim(f"is the input `{name}` itself, unchanged", weight=distinct(value))
    for name, value in p.spread:
        if p.same(p.got, value):
            yield Claim(f"is nothing but the input `{name}`, repeated", weight=distinct(value))
        if p.same(p.got, 1 - value):
            # Where all is 0 or 1, that is only the opposite of a wrong choice.
            yield Claim(f"is `1 - {name}`", weight=distinct(value[(value != 0) & (value != 1)]))
        if p.same(p.got, -value):
            yield Claim(f"is the input `{name}` with the opposite sign", weight=distinct(value))


def multiple(p: Pair) -> Claims:
    """A multiple of an input, which no operation has changed."""
    for name, value in p.spread if p.numeric and p.got.any() else ():
        factor = _factor(p.got, value)
        if p.same(p.got, factor * value):
            yield Claim(f"is the input `{name}` times {{}}", factor, distinct(value))


def _factor(one: Array, other: Array) -> float:
    """The constant that comes nearest to turning the other into this one."""
    size = float((other * other).sum())
    return float((one * other).sum()) / size if size > 0 else math.nan


def sign(p: Pair) -> Claims:
    """The opposite sign everywhere, or somewhere."""
    a, b = p.got, p.expected
    if not p.numeric or not p.same(np.abs(a), np.abs(b)):
        return
    weight = max(p.distinct, distinct(np.abs(b)))
    if p.same(a, -b):
        yield Claim("is right except for the sign, which is the opposite everywhere", weight=weight)
    if p.same(np.abs(a), b):
        yield Claim("would be right as absolute values, without the minus signs", weight=weight)
    if p.same(a, np.abs(b)):
        yield Claim("is the absolute value of what is expected: the minus signs are lost", weight=weight)
    weight = distinct(np.abs(b))
    for axis, word in enumerate(p.axes if b.ndim > 1 else ()):
        wrong, zero = (np.moveaxis(v, axis, 0).reshape(b.shape[axis], -1) for v in (p.wrong, b == 0))
        if not wrong[~(wrong | zero).all(axis=1)].any():
            yield Claim(f"is right except for the sign of some whole {plural(word)}", weight=weight)
    yield Claim("is right except for the sign of some numbers", weight=weight)


def times(p: Pair) -> Claims:
    """A constant factor, or a constant difference."""
    a, b = p.got, p.expected
    if not p.numeric:
        return
    factor, difference = _factor(a, b), float((a - b).mean())
    if min(np.abs(a).max(), np.abs(b).max()) >= EXACT and p.fits(a, factor * b):
        yield Claim("is {} times what is expected", factor)
    if abs(difference) > EXACT and p.fits(a, b + difference):
        yield Claim(f"is too {'large' if difference > 0 else 'small'} by {{}}", abs(difference))


def between(p: Pair) -> Claims:
    """A factor or a difference that is an input; a factor on all but an input that is added; both missing."""
    a, b = p.got, p.expected
    if not p.numeric or not a.any() or not b.any():
        return
    for name, value in p.spread:
        weight = distinct(value)
        # The difference itself is compared: beside large numbers anything small would look the same.
        for word, difference in (("plus", a - b), ("minus", b - a)):
            if p.same(difference, value):
                yield Claim(f"is what is expected {word} `{name}`", weight=weight)
        for words, factors in ((name, value), (f"1 / {name}", 1 / value)):
            if np.isfinite(factors).all() and p.same(a, factors * b):
                yield Claim(f"is what is expected times `{words}`", weight=weight)
    for name, value in p.smaller:
        factor = _factor(a - value, b - value)
        if factor and p.fits(a - value, factor * (b - value)):
            yield Claim(f"is, apart from `{name}`, {{}} times what is expected", factor)
        for second, way in p.smaller:
            if second != name and p.same(a * way, b - value):
                yield Claim(f"would be right if it was multiplied by `{second}` and `{name}` was added")


_FUNCTIONS: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("is 1 minus what is expected", lambda b: 1 - b),
    ("is 1 divided by what is expected", lambda b: 1 / b),
    ("is the square of what is expected", np.square),
    ("is the square root of what is expected", np.sqrt),
    ("is the exponential of what is expected", np.exp),
    ("is the logarithm of what is expected", np.log),
    ("is what is expected, rounded down to whole numbers", np.floor),
    ("is what is expected without its decimals", np.trunc),
    ("is what is expected, rounded to whole numbers", np.round),
    ("only says where what is expected is not 0", lambda b: (b != 0).astype(np.float64)),
)
_ALONG: tuple[tuple[str, Callable[[Array, int], Array]], ...] = (
    ("a softmax over axis {}", lambda a, k: _share(np.exp(a - a.max(axis=k, keepdims=True)), k)),
    ("dividing by the sum over axis {}", lambda a, k: _share(a, k)),
    ("subtracting the mean over axis {}", lambda a, k: a - a.mean(axis=k, keepdims=True)),
)


def _share(a: Array, axis: int) -> Array:
    share: Array = a / a.sum(axis=axis, keepdims=True)
    return share


def function(p: Pair) -> Claims:
    """A simple function of the right answer, or of whole rows or columns of it, or one that would make it right."""
    a, b = p.got, p.expected
    if not p.aligned or np.isnan(b).any():
        return
    if p.boolean or set(np.unique(b).tolist()) == {0.0, 1.0}:
        if p.same(a, 1 - b) and not p.whole:  # of the wrong ones that goes without saying
            values = "True and False" if p.boolean else "0 and 1"
            yield Claim(f"is the opposite everywhere: {values} are exchanged")
        return
    weight = min(p.distinct, distinct(a)) if p.distinct > 1 or a.ndim == 0 else 0
    yield from (Claim(words, weight=weight) for words, f in _FUNCTIONS if p.same(a, f(b)))
    for axis in (k for k, n in enumerate(b.shape) if n > 1 and p.numeric):
        for words, along in _ALONG:
            if p.same(along(a, axis), b):
                yield Claim(f"would be right after {words.format(axis)}")
            if p.same(a, along(b, axis)):
                yield Claim(f"is what is expected after {words.format(axis)}")


def cut_off(p: Pair) -> Claims:
    """Clamped where it should not be, or not clamped where it should be."""
    if p.numeric and not p.wrong.all():
        for said, short, whole in (
            ("is what is expected, cut off", p.got, p.expected),
            ("would be right if it was cut off", p.expected, p.got),
        ):
            weight = min(distinct(whole[p.wrong]), distinct(short[~p.wrong])) - 1
            yield from (Claim(f"{said} {bounds}", number, weight) for bounds, number in _bounds(p, short, whole))


def _bounds(p: Pair, short: Array, whole: Array) -> Iterator[tuple[str, float | None]]:
    """Where the one is cut off and the other is not: in words, and a constant for ``{}``."""
    over, under = p.wrong & (whole > short), p.wrong & (whole < short)
    high, low = float(short.max()), float(short.min())
    if not p.same(short[over], np.full(over.sum(), high)) or not p.same(short[under], np.full(under.sum(), low)):
        return
    used = [bound for bound, side in ((low, under), (high, over)) if side.any()]
    if len(used) == 1:
        side = "above" if over.any() else "below"
        yield (f"{side} {{}}", used[0]) if abs(used[0]) > EXACT else (f"{side} 0", None)
    size = max(abs(bound) for bound in used)
    if size > EXACT and max(high, -low) <= size + EXACT and all(abs(abs(n) - size) < EXACT for n in used):
        yield "at ±{}", size
    if min(low, *used) > -EXACT and high < 1 + EXACT and all(min(abs(bound), abs(bound - 1)) < EXACT for bound in used):
        yield "at 0 and 1", None
    elif len(used) == 2:
        yield f"at {in_digits(low)} and {in_digits(high)}", None


def own(p: Pair, axes: tuple[int, ...]) -> Claims:
    """A factor or a shift of its own for each index of some axes, apart from an input that is added or not."""
    if not p.numeric or not max(axes[-1] + 1, 2, len(axes) ** 2) <= p.expected.ndim <= 4:
        return
    words = " of ".join(f"each {p.axes[axis]}" for axis in reversed(axes))
    one, other = _lines(p.got, axes), _lines(p.expected, axes)
    # As many numbers again as it takes to find the factors: two numbers are always a factor and a shift away.
    spare = max(one.size - 2 * len(one), 0)
    if p.fits(one, _nearest(one, other)):
        yield Claim(f"is off by a factor of its own in {words}", weight=spare)
    for name, value in ((name, _lines(value, axes)) for name, value in p.smaller):
        if p.fits(one - value, _nearest(one - value, other - value)):
            yield Claim(f"is, apart from `{name}`, off by a factor of its own in {words}", weight=spare)
    if p.fits(one, other + _mean(one - other)):
        yield Claim(f"is shifted by an amount of its own in {words}", weight=spare)
    if p.fits(one, _nearest(one - _mean(one), other - _mean(other)) + _mean(one)):
        said, spare = f"is right up to a factor and a shift of its own in {words}", max(one.size - 4 * len(one), 0)
        if _normalizes(p, axes):
            yield Claim(f"{said}: is it normalized with the right mean and spread, over the right axes?", None, spare)
        yield Claim(said, weight=spare)


def _normalizes(p: Pair, axes: tuple[int, ...]) -> bool:
    """Whether what is expected is an input with a factor and a shift for each line, as a normalization makes it."""
    expected = _lines(p.expected, axes) - _mean(_lines(p.expected, axes))
    for value in (_lines(v, axes) for v in p.inputs.values() if v.shape == p.expected.shape):
        given = value - _mean(value)
        single = len(given) > 1 and p.same(expected, _factor(expected, given) * given)
        if p.same(expected, _nearest(expected, given)) and not single:
            return True
    return False


def _lines(value: Array, axes: tuple[int, ...]) -> Array:
    """What belongs together, in a row each."""
    moved = np.moveaxis(value, axes, range(len(axes)))
    return moved.reshape(math.prod(moved.shape[: len(axes)]), -1)


def _mean(lines: Array) -> Array:
    mean: Array = lines.mean(axis=1, keepdims=True)
    return mean


def _nearest(one: Array, other: Array) -> Array:
    """The other lines, each with the factor that brings it nearest to this one."""
    size = (other * other).sum(axis=1, keepdims=True)
    product = (one * other).sum(axis=1, keepdims=True)
    nearest: Array = np.divide(product, size, where=size > 0, out=np.zeros_like(size)) * other
    return nearest


def zeros(p: Pair) -> Claims:
    """Dropped and kept."""
    a, b = p.got, p.expected
    if not p.aligned or p.boolean:
        return
    zero = b == 0
    if ((a == 0) == ~zero).all():
        weight = min(int(zero.sum()), int((~zero).sum()))
        yield Claim("is 0 exactly where it should not be, and not 0 where it should be", weight=weight)
    extra, missing = p.wrong & (a == 0), p.wrong & zero
    if not (p.wrong & ~extra & ~missing).any():
        weight = min(int(extra.sum()), int(missing.sum()), distinct(b[(a != 0) & ~zero]) - 1)
        yield Claim("is 0 at other places than expected; where neither is 0, it is right", weight=weight)


def not_finite(p: Pair) -> Claims:
    """What overflows, or is divided by 0."""
    if p.aligned and np.isfinite(p.expected).all() and not np.isfinite(p.got).all():
        bad = "NaN" if np.isnan(p.got).any() else "infinite"
        why = ": is something divided by 0, or too large?"
        if not (p.wrong & np.isfinite(p.got)).any() and not p.wrong.all():
            yield Claim(f"is {bad} at some places and right at all others{why}", weight=ENOUGH)
        yield Claim(f"is {bad}{' at some places' if p.got.ndim else ''}{why}", weight=ENOUGH)


def property_of_all(p: Pair) -> Claims:
    """What is true of all that is expected, and not of this answer."""
    a, b = p.got, p.expected
    if not p.numeric:
        return
    if b.ndim and np.abs(b).max() < EXACT:
        yield Claim("should be 0 everywhere, and is not", weight=b.size)
        return
    for axis, total in ((k, total) for k, n in enumerate(b.shape) if n > 1 for total in (1, 0)):
        expected, got = (bool(np.allclose(v.sum(axis=axis), total, rtol=0, atol=1e-4)) for v in (b, a))
        if expected and not got:
            yield Claim(f"does not sum to {total} over axis {axis}; what is expected does")
