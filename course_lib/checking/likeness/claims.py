"""What is true of every wrong call: a claim that all of them share, if enough numbers speak for it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from course_lib.checking.likeness.pairs import ENOUGH, Pair

__all__ = ["Claim", "Claims", "Recognizer", "common", "in_digits"]


class Claim(NamedTuple):
    """What is true of one pair.

    Attributes:
        phrase: a predicate; ``{}`` stands for the constant.
        weight: how many numbers speak for it; as many as are distinct by default.
    """

    phrase: str
    constant: float | None = None
    weight: int | None = None


Claims = Iterator[Claim]
Recognizer = Callable[[Pair], Claims]


def common(
    recognizers: Iterable[Recognizer],
    pairs: Sequence[Pair],
    everyone: Sequence[Pair],
    enough: int = ENOUGH,
    named: bool = False,
) -> str:
    """The first predicate that is true of all pairs; empty if there is none.

    Args:
        pairs: of which it has to be true.
        everyone: those that are right besides.
        enough: how many numbers have to speak for it.
        named: whether constants count only where it is known what they are.
    """
    largest_first = sorted(pairs, key=lambda pair: -pair.expected.size)  # in these nothing is true by chance
    for recognize in recognizers:
        found: dict[Pair, dict[str, Claim]] = {}
        for pair in largest_first:
            found[pair] = {claim.phrase: claim for claim in recognize(pair)}
            if not found[pair]:
                break
        for phrase in found[largest_first[0]]:
            if all(phrase in found.get(pair, ()) for pair in pairs):
                said = _said([found[pair][phrase] for pair in pairs], pairs, everyone, enough, named)
                if said:
                    return said
    return ""


def _said(claims: Sequence[Claim], pairs: Sequence[Pair], everyone: Sequence[Pair], enough: int, named: bool) -> str:
    """The phrase with its constant; empty if too few numbers speak for it."""
    weights = [p.distinct if claim.weight is None else claim.weight for p, claim in zip(pairs, claims, strict=True)]
    if sum(weights) < enough:
        return ""
    phrase = claims[0].phrase
    constants = [claim.constant for claim in claims if claim.constant is not None]
    if not constants:
        return phrase
    name = _name_of(constants, pairs, everyone)
    if named and not name:
        return ""
    number = in_digits(constants[0])
    if all(pair.equal(constant, constants[0]) for pair, constant in zip(pairs, constants, strict=True)):
        return phrase.format(number) + (f", and {number} is `{name}`" if name else "")
    if name:
        return phrase.format(f"`{name}`")
    # A constant for each case is less than one for all: every case has to show by itself that it is constant.
    if sum(weights) - len(weights) < enough:
        return ""
    return phrase.format("a constant") + f" ({number} in the case “{pairs[0].look.case}”)"


# --- what a constant may be called

_Function = Callable[[float], float]
_OF_NUMBERS: tuple[tuple[str, int, _Function], ...] = (
    ("{0}", 0, lambda s: s),
    ("1 / {0}", 1, lambda s: 1 / s),
    ("1 - {0}", 1, lambda s: 1 - s),
    ("{0} ** 2", 2, lambda s: s * s),
    ("1 / {0} ** 2", 2, lambda s: 1 / (s * s)),
    ("sqrt({0})", 2, math.sqrt),
    ("1 / sqrt({0})", 2, lambda s: 1 / math.sqrt(s)),
    ("1 / (1 - {0})", 2, lambda s: 1 / (1 - s)),
    ("{0} / (1 - {0})", 3, lambda s: s / (1 - s)),
    ("(1 - {0}) / {0}", 3, lambda s: (1 - s) / s),
    ("{0} * (1 - {0})", 3, lambda s: s * (1 - s)),
    ("1 / (2 * {0})", 3, lambda s: 1 / (2 * s)),
)
_OF_LENGTHS: tuple[tuple[str, int, _Function], ...] = (
    ("{0}", 1, lambda n: n),
    ("1 / {0}", 1, lambda n: 1 / n),
    ("{0} / ({0} - 1)", 2, lambda n: n / (n - 1)),
    ("({0} - 1) / {0}", 2, lambda n: (n - 1) / n),
    ("sqrt({0})", 3, math.sqrt),
    ("1 / sqrt({0})", 3, lambda n: 1 / math.sqrt(n)),
    ("sqrt({0} / ({0} - 1))", 4, lambda n: math.sqrt(n / (n - 1))),
    ("sqrt(({0} - 1) / {0})", 4, lambda n: math.sqrt((n - 1) / n)),
)


def _values(pair: Pair) -> dict[str, tuple[int, float]]:
    """Expression -> how far-fetched it is, its value."""
    found: dict[str, tuple[int, float]] = {}
    for table, values in ((_OF_NUMBERS, pair.numbers), (_OF_LENGTHS, pair.lengths)):
        for (expression, cost, function), (name, value) in itertools.product(table, values.items()):
            try:
                found[expression.format(name)] = (cost, function(value))
            except (ArithmeticError, ValueError):
                continue
    return found


def _name_of(constants: Sequence[float], pairs: Sequence[Pair], everyone: Sequence[Pair]) -> str:
    """The expression that gives the constant in every pair; empty if there is none, or if it might as well be another.

    A round constant is easily one thing or another: it counts only where it changes from case to case with its name.
    """
    if all(_is_round(constant) for constant in constants) and len({f"{c:.6g}" for c in constants}) == 1:
        return ""
    values = {id(pair): _values(pair) for pair in everyone}
    fits = [
        (cost, name)
        for name, (cost, _) in values[id(pairs[0])].items()
        if all(p.equal(values[id(p)].get(name, (0, math.nan))[1], c) for p, c in zip(pairs, constants, strict=True))
    ]
    simplest = [name for cost, name in fits if cost == min(fits)[0]]
    # The lengths of two inputs may be the same thing in all cases; then nobody can tell them apart, nor need.
    if len({tuple(values[id(p)].get(name, (0, 0.0))[1] for p in everyone) for name in simplest}) != 1:
        return ""
    return simplest[0]


def _is_round(constant: float) -> bool:
    return any(abs(c - round(c)) < 1e-4 for c in (constant, 1 / constant if constant else 0.0) if math.isfinite(c))


def in_digits(number: float) -> str:
    """A number with four digits, and with more where these would make it 1."""
    short = f"{number:.4g}"
    return short if short not in ("1", "-1") else f"{number:.7g}"
