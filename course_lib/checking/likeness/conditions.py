"""When it is wrong: what all right calls have and no wrong one, or the other way around."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from course_lib.checking.likeness.pairs import Look, as_array

__all__ = ["condition"]

_FLAG, _SPECIAL, _LENGTH, _SIGN = (1, 2), (1, 4), (2, 4), (3, 6)
"""How many cases there must be on each side and in all: a flag is made to make the difference, a sign may be chance."""


def condition(right: Sequence[Look], wrong: Sequence[Look]) -> str:
    """``right in the cases where ..., and wrong in the others``; empty if nothing plausible tells them apart."""
    if not right or not wrong:
        return ""
    known = [{words: (so, enough) for words, so, enough in _conditions(look.inputs)} for look in (*right, *wrong)]
    for words, (_, (side, total)) in known[0].items():
        if min(len(right), len(wrong)) < side or len(known) < total or not all(words in found for found in known):
            continue  # too few cases, or some have no such input
        on_right, on_wrong = (
            {found[words][0] for found in part} for part in (known[: len(right)], known[len(right) :])
        )
        if len(on_right) == len(on_wrong) == 1 and on_right != on_wrong:
            looks, here, there = (right, "right", "wrong") if on_right == {True} else (wrong, "wrong", "right")
            if len(looks) == 1:
                return f"{here} in the case “{looks[0].case}” only, where {words}"
            return f"{here} in the cases where {words}, and {there} in the others"
    return ""


def _conditions(inputs: Mapping[str, Any]) -> Iterator[tuple[str, bool, tuple[int, int]]]:
    """What may distinguish one case from another: in words, whether it is so, how many cases it takes."""
    numbers = {}
    for name, value in inputs.items():
        yield f"`{name}` is None", value is None, _FLAG
        if isinstance(value, bool):
            yield f"`{name}` is True", value, _FLAG
        elif isinstance(value, int | float):
            numbers[name] = value
            yield from ((f"`{name}` is {special}", value == special, _SPECIAL) for special in (0, 1, 0.5))
            yield f"`{name}` is negative", value < 0, _SIGN
            if isinstance(value, int):
                yield f"`{name}` is odd", value % 2 == 1, _LENGTH
        elif isinstance(value, list | tuple):
            yield f"`{name}` has a single item", len(value) == 1, _SPECIAL
        elif isinstance(value, torch.Tensor):
            yield from _of_tensor(name, value)
    for (one, a), (other, b) in itertools.combinations(numbers.items(), 2):
        yield f"`{one}` and `{other}` are equal", a == b, _LENGTH


def _of_tensor(name: str, value: torch.Tensor) -> Iterator[tuple[str, bool, tuple[int, int]]]:
    yield f"`{name}` is float32", value.dtype == torch.float32, _LENGTH
    shape = value.shape
    if len(shape) > 1:
        yield f"the last two axes of `{name}` are equally long", shape[-1] == shape[-2], _LENGTH
        yield f"the first two axes of `{name}` are equally long", shape[0] == shape[1], _LENGTH
    for axis, length in enumerate(shape):
        if len(shape) != 3:  # a single image: nothing goes wrong because it has one channel
            # Height and width are often 1 where little can go wrong anyway.
            yield f"`{name}.shape[{axis}]` is 1", length == 1, _SIGN if axis > 1 else _SPECIAL
        yield f"`{name}.shape[{axis}]` is odd", length % 2 == 1, _SIGN
    array = as_array(value)
    if array is not None and array.size:
        yield f"`{name}` is 0 everywhere", not array.any(), _LENGTH
        yield f"`{name}` is 1 everywhere", bool((array == 1).all()), _LENGTH
        yield f"`{name}` holds negative numbers", bool((array < 0).any()), _SIGN
