"""Is this value the expected one, and if not, where does it differ?

Numbers are compared in float64.  The tolerance follows the coarser of the two
dtypes, so that a float32 answer to a float64 question is judged as float32
(its dtype is a question of its own, see `verdict`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from course_lib.checking.values import Unsupported

__all__ = ["TOLERANCE", "Mismatch", "compare", "describe", "dtype_of", "scale_of"]

Array = NDArray[np.float64]
_NOISE = 1e-9

# Allowed |got - expected| relative to |expected| + max|expected|.  Far above rounding in any sensible order
# of operations, far below every known mistake (tests hold each misconception to at least 10 times this).
TOLERANCE = {
    torch.float64: 1e-5,
    torch.float32: 2e-4,
    torch.float16: 1e-2,
    torch.bfloat16: 4e-2,
}


@dataclass(frozen=True)
class Mismatch:
    """How a value differs from the expected one.

    Attributes:
        reason: one sentence, no trailing full stop.
        error: largest absolute difference, where there are numbers to subtract.
        index: index of the first wrong element.
        got, expected: that element, or the whole value where there is no element.
    """

    reason: str
    error: float | None = None
    index: tuple[int, ...] | None = None
    got: Any = None
    expected: Any = None


def dtype_of(value: Any) -> torch.dtype | None:
    """The dtype of a tensor; None for everything else (numpy arrays included)."""
    return value.dtype if isinstance(value, torch.Tensor) else None


def compare(got: Any, expected: Any, tolerance: float | None = None) -> Mismatch | None:
    """Compare two values; None if they agree.

    Tuples and lists are interchangeable, as are a Python number and a tensor of no dimensions: points are for values.

    Args:
        tolerance: replaces the one that follows from the dtypes.
    """
    if isinstance(expected, np.ndarray):  # what a known mistake returns
        expected = torch.from_numpy(expected)
    if isinstance(expected, torch.Tensor):
        return _compare_tensors(got, expected, tolerance)
    if isinstance(expected, str):
        return None if isinstance(got, str) and got == expected else _differs(got, expected)
    if isinstance(expected, bool | int | float):
        return _compare_numbers(got, expected, tolerance)
    if isinstance(expected, tuple | list):
        return _compare_sequences(got, expected, tolerance)
    if isinstance(expected, dict):
        return _compare_dicts(got, expected, tolerance)
    return None if got is None and expected is None else _differs(got, expected)


def _differs(got: Any, expected: Any) -> Mismatch:
    return Mismatch(f"got {describe(got)}, expected {describe(expected)}", got=got, expected=expected)


def _compare_tensors(got: Any, expected: torch.Tensor, tolerance: float | None) -> Mismatch | None:
    if isinstance(got, np.ndarray):
        got = torch.from_numpy(got)
    if expected.ndim == 0 and isinstance(got, bool | int | float):
        got = torch.tensor(_as_float(got), dtype=torch.float64)
    if not isinstance(got, torch.Tensor):
        return Mismatch(f"got {describe(got)}, expected {describe(expected)}", got=got, expected=expected)
    if got.shape != expected.shape:
        return Mismatch(
            f"the shape is {tuple(got.shape)}, expected {tuple(expected.shape)}", got=got, expected=expected
        )
    allowed = tolerance if tolerance is not None else _tolerance(got, expected)
    a, b = _numbers(got), _numbers(expected)
    wrong = _wrong_elements(a, b, allowed)
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    count, total = int(wrong.sum()), wrong.size
    with np.errstate(all="ignore"):
        difference = np.abs(a - b)
    finite = np.isfinite(difference)
    error = float(difference[finite].max()) if finite.any() else math.inf
    where = "the value is wrong" if total == 1 else f"{count} of {total} elements are wrong"
    bad = int((~np.isfinite(a) & np.isfinite(b)).sum())
    if bad:
        where += f" ({bad} of them NaN or infinite)"
    return Mismatch(where, error, index, float(a[index]), float(b[index]))


def _tolerance(got: torch.Tensor, expected: torch.Tensor) -> float:
    """That of the coarser dtype; but an answer in half precision does not widen what is asked in a finer one.

    Otherwise rounding to bfloat16 would turn a wrong answer that is off by a few percent into a right one.
    """
    of_answer = min(TOLERANCE.get(got.dtype, 0.0), TOLERANCE[torch.float32])
    return max(of_answer, TOLERANCE.get(expected.dtype, 0.0))


def _numbers(tensor: torch.Tensor) -> Array:
    """A tensor's numbers in float64.  NumPy from here on: on these small arrays it is several times faster."""
    return tensor.detach().to(torch.float64).cpu().numpy()


def scale_of(expected: Array) -> Array:
    """What a difference at each element is measured against: |expected| + max|expected|.

    What is expected to vanish comes as 0 or as rounding noise: then the scale is 1.
    """
    size = np.abs(expected)
    largest = float(size.max()) if size.size else 0.0
    if not math.isfinite(largest):
        largest = float(np.max(size, where=np.isfinite(size), initial=0.0))
    return size + (largest if largest > _NOISE else 1.0)


def _wrong_elements(a: Array, b: Array, tolerance: float) -> NDArray[np.bool_]:
    with np.errstate(all="ignore"):
        # NaN and infinities fail this comparison and are looked at one by one.
        wrong = ~(np.abs(a - b) <= tolerance * scale_of(b))
        odd = wrong | ~np.isfinite(b)
        if odd.any():
            wrong = odd & ~((a == b) | (np.isnan(a) & np.isnan(b)))
    return wrong


def _compare_numbers(got: Any, expected: bool | int | float, tolerance: float | None) -> Mismatch | None:
    if isinstance(got, torch.Tensor | np.ndarray) and got.ndim == 0:
        got = got.item()
    if not isinstance(got, bool | int | float):
        return _differs(got, expected)
    if isinstance(expected, float):
        got = _as_float(got)
        allowed = (tolerance if tolerance is not None else TOLERANCE[torch.float64]) * (2 * abs(expected) or 1.0)
        if got == expected or (math.isnan(got) and math.isnan(expected)) or abs(got - expected) <= allowed:
            return None
    elif got == expected and isinstance(got, bool) == isinstance(expected, bool):
        return None
    return Mismatch("the value is wrong", _distance(got, expected), None, got, expected)


def _as_float(number: bool | int | float) -> float:
    """A number as a float; one that is too large becomes infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _distance(got: bool | int | float, expected: bool | int | float) -> float | None:
    try:
        return abs(float(got) - float(expected))
    except OverflowError:
        return None


def _compare_sequences(got: Any, expected: tuple[Any, ...] | list[Any], tolerance: float | None) -> Mismatch | None:
    if not isinstance(got, tuple | list) or len(got) != len(expected):
        return _differs(got, expected)
    for position, (one, other) in enumerate(zip(got, expected, strict=True)):
        mismatch = compare(one, other, tolerance)
        if mismatch is not None:
            return _inside(f"item {position}", mismatch)
    return None


def _compare_dicts(got: Any, expected: dict[Any, Any], tolerance: float | None) -> Mismatch | None:
    if not isinstance(got, dict):
        return _differs(got, expected)
    missing = [key for key in expected if key not in got]
    extra = [key for key in got if key not in expected]
    if missing or extra:
        parts = [f"missing {_listed(missing)}"] * bool(missing) + [f"unexpected {_listed(extra)}"] * bool(extra)
        return Mismatch("the keys differ: " + ", ".join(parts), got=got, expected=expected)
    for key, value in expected.items():
        mismatch = compare(got[key], value, tolerance)
        if mismatch is not None:
            return _inside(f"{key!r}", mismatch)
    return None


def _listed(keys: list[Any]) -> str:
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return ", ".join(map(describe, keys[:5])) + more


def _inside(place: str, mismatch: Mismatch) -> Mismatch:
    reason = f"{place}: {mismatch.reason}"
    return Mismatch(reason, mismatch.error, mismatch.index, mismatch.got, mismatch.expected)


def describe(value: Any) -> str:
    """A value in a few words, for messages: what it is, not all it holds."""
    if isinstance(value, Unsupported):
        return value.kind
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}" if value.ndim else f"a tensor ({value.item():.6g})"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, dict):
        return f"a dict of {len(value)}"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
