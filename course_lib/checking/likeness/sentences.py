"""What is said of a wrong answer: the most helpful sentence that is true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from course_lib.checking.comparison import quoted
from course_lib.checking.likeness import calculated as c
from course_lib.checking.likeness import rearranged as r
from course_lib.checking.likeness.claims import Recognizer, common
from course_lib.checking.likeness.conditions import condition
from course_lib.checking.likeness.pairs import Look, Pair, agree, pair_of, plural
from course_lib.checking.likeness.places import place_of

__all__ = ["likeness", "sentence"]

_ENOUGH_OF_SOME = 4
"""What holds in some cases, or of some numbers, needs more of them."""

_BEYOND_ROUNDING, _NEAR = 1e-3, 0.15
"""An answer that is off by more than the one and no more than the other is nearly right."""

_OF_ALL = (
    *(c.constant, c.given, r.other_output, r.shape, r.order, r.reduced, r.length, r.window),
    *(c.sign, c.times, c.between, c.function, c.cut_off, c.multiple, c.zeros),
)
"""What can be said of a whole output, the most specific first."""

_OF_PLACES = (c.constant, c.given, c.sign, c.times, c.function, c.between)
"""What can be said of some numbers of an output alone."""

_OF_EXAMPLES = (c.constant, c.given, r.order, c.sign, c.times, c.function, c.zeros)
"""What can be said of some of its examples."""

_OF_A_CASE = (c.constant, c.given, r.other_output, r.order, r.length, r.window, c.times, c.function, c.between)
"""What is hardly true by chance of one case alone."""

_LESS = (r.shuffled, c.not_finite)
"""What is true of a whole output and tells less."""

_LEAST: tuple[Recognizer, ...] = (
    c.property_of_all,
    *(partial(c.own, axes=axes) for axes in ((0,), (1,), (2,), (3,), (0, 1))),
)
"""What tells little."""


def likeness(looks: Sequence[Look]) -> str:
    """The nearest general thing that is true of a wrong answer; empty if nothing is recognized.

    Args:
        looks: all outputs of all calls that gave a value, the right ones too.  Of calls that gave none nothing is said;
            "the others" are those of these calls.
    """
    try:
        with np.errstate(all="ignore"):
            return sentence(looks)
    except Exception:  # values may be anything, and a card without this sentence is better than none
        return ""


def sentence(looks: Sequence[Look]) -> str:
    """The same without a guard against values that nobody foresaw."""
    outputs = dict.fromkeys(look.output for look in looks if look.wrong)
    groups = [_Group(output, tuple(look for look in looks if look.output == output), looks) for output in outputs]
    return next((text for ways in _WAYS for group in groups for say in ways if (text := say(group))), "")


@dataclass(frozen=True)
class _Group:
    """One output in all calls."""

    output: str
    looks: tuple[Look, ...]
    all: Sequence[Look]

    @cached_property
    def wrong(self) -> tuple[Look, ...]:
        return tuple(look for look in self.looks if look.wrong)

    @cached_property
    def right(self) -> tuple[Look, ...]:
        return tuple(look for look in self.looks if not look.wrong)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """The wrong calls in numbers; none at all if one cannot be read as numbers, or is not wrong as numbers."""
        pairs = tuple(pair_of(look, self.all) for look in self.wrong)
        known = tuple(p for p in pairs if p is not None and not (p.aligned and not p.wrong.any()))
        return known if len(known) == len(pairs) else ()

    @cached_property
    def everyone(self) -> tuple[Pair, ...]:
        """The wrong calls, and the right ones."""
        right = (pair_of(look, self.all) for look in self.right)
        return (*self.pairs, *(pair for pair in right if pair is not None))

    @property
    def called(self) -> str:
        """What "your" can stand before."""
        return quoted(self.output).removeprefix("the ")

    def about(self, predicate: str, cases: Sequence[str] = ()) -> str:
        """The sentence, which says of which cases it is true: by default, of the wrong ones."""
        cases = cases or [look.case for look in self.wrong]
        name, end = f"our {self.called} ", "" if predicate.endswith("?") else "."
        if len(cases) == len(self.looks):
            return f"Y{name}{predicate}{end}"
        if len(cases) == 1:
            return f"In the case “{cases[0]}”, y{name}{predicate}{end}"
        return f"In the {len(cases)} cases where it is wrong, y{name}{predicate.removesuffix(_WHERE)}{end}"


def _say_constant_answer(group: _Group) -> str:
    """The same answer in every case, whatever the inputs."""
    first = group.looks[0]
    varied = any(not agree(look.expected, first.expected) for look in group.looks)
    if len(group.looks) < 3 or not varied or not all(agree(look.got, first.got) for look in group.looks):
        return ""
    shown = f", {first.got!r}" if isinstance(first.got, str | bool | int) and len(repr(first.got)) < 50 else ""
    return f"Your {group.called} is the same in every case{shown}, whatever the inputs."


def _say_flag(group: _Group) -> str:
    """What it should be for the opposite of a flag."""
    for flag in (name for name, value in group.looks[0].inputs.items() if isinstance(value, bool)):
        pairs = [(one, other) for one in group.wrong for other in group.looks if _differs_only_in(flag, one, other)]
        if len(pairs) == len(group.wrong) > 1 and all(agree(one.got, other.expected) for one, other in pairs):
            return group.about(f"is what it should be for the opposite `{flag}`")
    return ""


def _differs_only_in(flag: str, one: Look, other: Look) -> bool:
    return set(one.inputs) == set(other.inputs) and all(
        agree(one.inputs[name], other.inputs[name]) != (name == flag) for name in one.inputs
    )


def _say(recognizers: Sequence[Recognizer], group: _Group) -> str:
    """What is true of all of the output."""
    predicate = common(recognizers, group.pairs, group.everyone) if group.pairs else ""
    return group.about(predicate) if predicate else ""


def _say_part(group: _Group) -> str:
    """Where it is wrong, and what it is there."""
    if not group.pairs or not all(p.aligned for p in group.pairs) or all(p.wrong.all() for p in group.pairs):
        return ""
    place = place_of(group.pairs)
    examples = _of_examples(group.pairs)
    parts = [pair.only(pair.wrong) for pair in group.pairs]
    numbers = common(_OF_PLACES, parts, parts, _ENOUGH_OF_SOME)
    if place:
        what, (found, exact) = numbers or examples, place
        there = found.there if exact else "where it is wrong,"
        return group.about(found.predicate + (f"; {there} it {what}" if what else ""))
    if examples:
        return f"In those {plural(group.pairs[0].axes[0])} where your {group.called} is wrong, it {examples}."
    return f"Where your {group.called} is wrong, it {numbers}." if numbers else ""


def _of_examples(pairs: Sequence[Pair]) -> str:
    """What is true of those examples, or rows, that are wrong, where others are right."""
    if not all(pair.expected.ndim > 1 for pair in pairs):
        return ""
    wrong = [np.array([part.any() for part in pair.wrong]) for pair in pairs]
    if all(mask.all() for mask in wrong):
        return ""
    parts = [pair.examples(mask) for pair, mask in zip(pairs, wrong, strict=True)]
    return common(_OF_EXAMPLES, parts, parts, _ENOUGH_OF_SOME)


def _say_when(group: _Group) -> str:
    """In which cases it is wrong."""
    told = condition(group.right, group.wrong)
    if told:
        return f"Your {group.called} is {told}."
    wrong = {look.case for look in group.all if look.wrong}
    one = {look.case: look for look in group.all}
    told = condition([look for case, look in one.items() if case not in wrong], [one[case] for case in wrong])
    return f"Your answer is {told}." if told else ""


def _say_case(group: _Group) -> str:
    """What is true in one case.

    Pictures made by hand are often straight lines, and each part of one is a constant away from each other part.
    """
    for pair in group.pairs[:3] if len(group.pairs) > 1 else ():
        if pair.distinct >= _ENOUGH_OF_SOME:
            predicate = common(_OF_A_CASE, [pair], group.everyone, _ENOUGH_OF_SOME, named=True)
            if predicate:
                return group.about(predicate, [pair.look.case])
    return ""


def _say_only_case(group: _Group) -> str:
    if len(group.wrong) == 1 and len(group.right) >= 3:
        return f"Your {group.called} is wrong in the case “{group.wrong[0].case}” only."
    return ""


def _say_size(group: _Group) -> str:
    """How far it is off, and to which side: not what was done, but how to look for it."""
    pairs = group.pairs
    if not pairs or not all(pair.numeric for pair in pairs):
        return ""
    off = np.concatenate([(p.got - p.expected)[p.wrong] / (np.abs(p.expected).max() or 1.0) for p in pairs])
    if len(off) < _ENOUGH_OF_SOME:
        return ""
    side = "too large" if (off > 0).all() else "too small" if (off < 0).all() else ""
    if _BEYOND_ROUNDING <= np.abs(off).max() <= _NEAR:
        nearly = f"is nearly right, off by at most {100 * np.abs(off).max():.2g}% of the largest number"
        return group.about(
            nearly + (f" and always {side}" if side else "") + ": is it a small term, or a factor near 1?"
        )
    return group.about(f"is {side}{_WHERE}") if side else ""


_WHERE = " wherever it is wrong"


_WAYS: tuple[tuple[Callable[[_Group], str], ...], ...] = (
    (_say_constant_answer, _say_flag, partial(_say, _OF_ALL), _say_part),
    (partial(_say, _LESS),),
    (_say_when,),
    (_say_case,),
    (partial(_say, _LEAST),),
    (_say_only_case,),
    (_say_size,),
)
"""Sentences, the most helpful first; of the first output before those of the next one, unless they tell less."""
