"""What is looked at: one output of one call, and what of it are numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from course_lib.checking.comparison import TOLERANCE, scale_of

__all__ = [
    "ENOUGH",
    "EXACT",
    "MAX_NUMBERS",
    "Array",
    "Look",
    "Mask",
    "Pair",
    "as_array",
    "distinct",
    "pair_of",
    "plural",
]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MAX_NUMBERS = 20_000
"""A larger output is not looked at: a check should take no time that anybody notices."""

ENOUGH = 2
"""So many independent numbers have to agree with a claim: one number is a constant times any other one."""

EXACT = 1e-9


@dataclass(frozen=True)
class Look:
    """One output of one call.

    Attributes:
        case: name of the call.
        output: name of the output.
        inputs: by the parameter's name; those that the sentence may mention.
        got: what came back, whatever it is.
        wrong: whether `compare` says that it differs from `expected`.
        tolerance: replaces the tolerance that follows from the dtypes.
    """

    case: str
    output: str
    inputs: Mapping[str, Any]
    got: Any
    expected: Any
    wrong: bool
    tolerance: float | None = None


def as_array(value: Any) -> Array | None:
    """Numbers as a float64 array; None for everything that is not numbers, or too many."""
    if isinstance(value, torch.Tensor):
        plain = value.layout == torch.strided and not value.is_complex() and not value.is_quantized
        if not plain or value.numel() > MAX_NUMBERS or value.device.type == "meta":
            return None
        return value.detach().to(torch.float64).cpu().numpy()
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype.kind in "biuf" and value.size <= MAX_NUMBERS else None
    items = value if isinstance(value, list | tuple) else [value]
    if not 0 < len(items) <= MAX_NUMBERS or not all(isinstance(item, bool | int | float) for item in items):
        return None
    numbers = np.array([_float(item) for item in items])
    return numbers if isinstance(value, list | tuple) else numbers[0, ...]


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def agree(one: Any, other: Any) -> bool:
    """Whether two values are the same; `compare` cannot be asked, since either may be anything."""
    a, b = as_array(one), as_array(other)
    if a is not None and b is not None:
        return a.shape == b.shape and np.allclose(a, b, rtol=1e-5, atol=EXACT, equal_nan=True)
    return isinstance(one, str | None) and type(one) is type(other) and one == other


def distinct(values: Array) -> int:
    """How many different numbers there are: ten times the same one tell no more than one."""
    return len({f"{value:.6g}" if abs(value) > EXACT else "0" for value in values.ravel()[:50].tolist()})


@dataclass(frozen=True, eq=False)
class Pair:
    """One output in numbers: what came back and what is expected, and what it may be explained by.

    Attributes:
        inputs: those that are numbers.
        others: what the other outputs should be.
        whole: of which this is a part.
    """

    look: Look
    got: Array
    expected: Array
    inputs: Mapping[str, Array]
    others: Mapping[str, Any]
    whole: Pair | None = None

    @cached_property
    def tolerance(self) -> float:
        """How far a number may be from what is claimed of it: as far as `compare` lets a right one be, but not far."""
        own = (getattr(value, "dtype", torch.float64) for value in (self.look.got, self.look.expected))
        usual = max(TOLERANCE.get(dtype, EXACT) for dtype in own)
        return min(max(usual if self.look.tolerance is None else self.look.tolerance, EXACT), TOLERANCE[torch.float32])

    @cached_property
    def boolean(self) -> bool:
        """Whether True or False is expected."""
        expected = self.look.expected
        if isinstance(expected, tuple | list):
            return bool(expected) and all(isinstance(item, bool) for item in expected)
        return isinstance(expected, bool) or str(getattr(expected, "dtype", "")).endswith("bool")

    def same(self, one: Array, other: Array) -> bool:
        """Whether `one` is `other`, as far as numbers can tell."""
        if one.shape != other.shape:
            return False
        if one.size and np.abs(one - other).max() > 2 * self.tolerance * max(np.abs(other).max(), 1):
            return False  # most are, and this is found out fast
        return bool(self.close(one, other).all())

    def close(self, one: Array, other: Array) -> Mask:
        """Where they are the same."""
        near: Mask = np.isfinite(other) & (np.abs(one - other) <= self.tolerance * scale_of(other))
        near |= (one == other) | (np.isnan(one) & np.isnan(other))
        return near

    def fits(self, one: Array, model: Array) -> bool:
        """Whether a model with free constants gives the answer, and is far nearer to it than what is expected is."""
        return bool(np.abs(one - model).max() <= self.gap / 20) and self.same(one, model)

    def equal(self, one: float, other: float) -> bool:
        """The same for two numbers, neither of which vanishes."""
        return abs(one - other) <= max(self.tolerance, EXACT) * abs(other)

    @cached_property
    def gap(self) -> float:
        """How far the answer is from what is expected."""
        return float(np.abs(self.got - self.expected).max())

    @cached_property
    def aligned(self) -> bool:
        """Whether there are numbers to compare, one with one."""
        return self.got.shape == self.expected.shape and self.got.size > 0

    @cached_property
    def numeric(self) -> bool:
        """Whether one can calculate with them."""
        finite = self.aligned and bool(np.isfinite(self.got).all() and np.isfinite(self.expected).all())
        return finite and not self.boolean

    @cached_property
    def wrong(self) -> Mask:
        """Where it is wrong."""
        return ~self.close(self.got, self.expected)

    @cached_property
    def distinct(self) -> int:
        """How many different numbers are expected."""
        return distinct(self.expected)

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """What stands along each axis, in words; a weight that is changed is no batch of examples."""
        first = "entry of axis 0" if self.look.output in self.look.inputs else "example"
        count = self.expected.ndim
        names = ((), ("entry",), ("row", "column"), ("plane", "row", "column"), (first, "channel", "row", "column"))
        return names[count] if count < len(names) else tuple(f"entry of axis {k}" for k in range(count))

    @cached_property
    def spread(self) -> Sequence[tuple[str, Array]]:
        """The inputs that are not single numbers, in every way in which they can be spread over the output."""
        return [(name, way) for name, v in self.inputs.items() if v.ndim for way in _spread(v, self.expected.shape)]

    @cached_property
    def smaller(self) -> Sequence[tuple[str, Array]]:
        """Those of them that have fewer axes than the output."""
        return [(name, value) for name, value in self.spread if self.inputs[name].ndim < self.expected.ndim]

    @cached_property
    def numbers(self) -> Mapping[str, float]:
        """The single numbers among the inputs."""
        return {name: float(value) for name, value in self.inputs.items() if value.ndim == 0 and np.isfinite(value)}

    @cached_property
    def lengths(self) -> Mapping[str, float]:
        """How long the inputs are, as one writes it."""
        return dict(itertools.chain.from_iterable(_lengths(name, item) for name, item in self.look.inputs.items()))

    def only(self, where: Mask) -> Pair:
        """A part of it, in a row."""
        spread = {name: value[where] for name, value in reversed(self.spread)}
        inputs = {name: value for name, value in self.inputs.items() if value.ndim == 0} | spread
        return replace(self, got=self.got[where], expected=self.expected[where], inputs=inputs, others={}, whole=self)

    def examples(self, where: Mask) -> Pair:
        """Some of its examples, rows, ...: whatever stands along the first axis."""
        inputs = {n: v[where] if v.ndim and len(v) == len(where) else v for n, v in self.inputs.items()}
        return replace(self, got=self.got[where], expected=self.expected[where], inputs=inputs, others={}, whole=self)


def pair_of(look: Look, all_looks: Sequence[Look]) -> Pair | None:
    """A look in numbers; None if it has none."""
    got, expected = as_array(look.got), as_array(look.expected)
    if got is None or expected is None:
        return None
    # What is True or False explains no number.
    read = {name: as_array(item) for name, item in look.inputs.items() if not isinstance(item, bool)}
    inputs = {name: value for name, value in read.items() if value is not None}
    others = {o.output: o.expected for o in all_looks if o.case == look.case and o.output != look.output}
    return Pair(look, got, expected, inputs, others)


def _lengths(name: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, list | tuple):
        yield f"len({name})", float(len(value))
    elif isinstance(value, torch.Tensor):
        yield from ((f"{name}.shape[{axis}]", float(length)) for axis, length in enumerate(value.shape))
        if value.ndim > 1:
            yield f"{name}.numel()", float(value.numel())
        if value.ndim == 4 and value.numel():
            for part, piece in (("[:, 0]", value[:, 0]), ("[0]", value[0]), ("[0, 0]", value[0, 0])):
                yield f"{name}{part}.numel()", float(piece.numel())


def _spread(value: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    """A value in the shape of the output: as broadcasting does it, and a vector along each axis of its length."""
    if value.ndim == 1:
        for axis in (k for k, length in enumerate(shape) if length == len(value)):
            yield np.broadcast_to(value.reshape([-1 if k == axis else 1 for k in range(len(shape))]), shape)
    elif value.ndim <= len(shape) and all(n in (1, m) for n, m in zip(value.shape[::-1], shape[::-1], strict=False)):
        yield np.broadcast_to(value, shape)


def plural(word: str) -> str:
    """Of what stands along an axis."""
    first, *rest = word.split(" ")
    return " ".join([f"{first[:-1]}ies" if first.endswith("y") else f"{first}s", *rest])
