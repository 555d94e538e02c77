"""Is this value the expected one, and if not, where does it differ?

Numbers are compared in float64.  The tolerance follows the coarser of the two
dtypes, so that a float32 answer to a float64 question is judged as float32
(its dtype is a question of its own, see `verdict`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from course_lib.checking.values import Iterated, Unsupported

__all__ = [
    "TOLERANCE",
    "Mismatch",
    "agrees",
    "compare",
    "describe",
    "dtype_of",
    "limit_of",
    "numbers_of",
    "quoted",
    "scale_of",
]

Array = NDArray[np.float64]
_NO_RETURN = " (is a `return` missing?)"
_NOISE = 1e-9

# Allowed |got - expected| relative to |expected| + max|expected|.  Far above rounding in any sensible order
# of operations, far below every known mistake (tests hold each misconception to at least 10 times this).
TOLERANCE = {
    torch.float64: 1e-5,
    torch.float32: 2e-4,
    torch.float16: 1e-2,
    torch.bfloat16: 4e-2,
}


def quoted(name: str) -> str:
    """What `drivers.called` calls an output, in a sentence: code in quotes, words as they stand."""
    return name if name.startswith("the ") else f"`{name}`"


@dataclass(frozen=True)
class Mismatch:
    """How a value differs from the expected one.

    Attributes:
        reason: a clause in which ``{it}`` stands for the value.
        error: largest absolute difference, where there are numbers to subtract.
        index: index of the first wrong element.
        got, expected: that element, or the whole value where there is no element.
        inside: whether it lies in an item of a structure.
        alone: whether it is the only element that is wrong.
    """

    reason: str
    error: float | None = None
    index: tuple[int, ...] | None = None
    got: Any = None
    expected: Any = None
    inside: bool = False
    alone: bool = False

    def told(self, name: str = "", *, answers: bool = True, whole: bool = True) -> str:
        """The clause about a value of that name, with the first wrong element.

        Args:
            name: of a variable, an expression, or in words that begin with "the".
            answers: whether what is expected may be said.
            whole: whether the value is all that was returned: if a part of it is None, there is no lack of a `return`.
        """
        it = quoted(name) if name and name != "result" else "the result"
        missing = _NO_RETURN if whole else ""
        if not answers and self.expected is not None:
            if self.got is None:
                return f"{it} is None{missing}"
            text = isinstance(self.got, str) and not isinstance(self.expected, str)
            return f"{it} is text, {self.got[:20]!r} in quotation marks" if text else f"{it} is wrong"
        words = self.reason.replace("{it}", it).replace(_NO_RETURN, missing)
        if self.index and self.error is not None and math.isfinite(self.error) and self.error > 0:
            words += f", by {'' if self.alone else 'up to '}{self.error:.2g}"
        if self.index:
            named = name if not name or name.isidentifier() else f"({name})"
            place = "" if self.inside or it == name else f"`{named or 'result'}[{', '.join(map(str, self.index))}]`"
            first = f"the first of them{place and f', {place},'}" if not self.alone else place or "it"
            got, expected = _apart(self.got, self.expected)
            words += f"; {first} is {got} and should be {expected}"
        return words


def dtype_of(value: Any) -> torch.dtype | None:
    """The dtype of a tensor; None for everything else (numpy arrays included)."""
    return value.dtype if isinstance(value, torch.Tensor) else None


def compare(got: Any, expected: Any, tolerance: float | None = None) -> Mismatch | None:
    """Compare two values; None if they agree.

    Tuples and lists are interchangeable, as are a Python number and a tensor of no dimensions: points are for values.

    Args:
        tolerance: replaces the one that follows from the dtypes.
    """
    if isinstance(expected, np.ndarray) and expected.dtype.kind == "U":
        return _compare_texts(got, expected)
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
    if isinstance(expected, set | frozenset):
        return _compare_sets(got, expected)
    if isinstance(expected, dict):
        return _compare_dicts(got, expected, tolerance)
    return None if got is None and expected is None else _differs(got, expected)


def agrees(got: Any, expected: Any, tolerance: float | None = None) -> bool:
    """Whether `compare` finds no difference; most differences are found without looking for their place."""
    if isinstance(got, torch.Tensor) and isinstance(expected, torch.Tensor):
        if got.shape != expected.shape:
            return False
        allowed = tolerance if tolerance is not None else _tolerance(got, expected)
        surely = _surely_close(numbers_of(got), numbers_of(expected), allowed)
        if surely is not None:
            return surely
    return compare(got, expected, tolerance) is None


def _differs(got: Any, expected: Any) -> Mismatch:
    return Mismatch(_is_and_should_be(got, expected), got=got, expected=expected)


def _is_and_should_be(got: Any, expected: Any) -> str:
    if got is None:
        return f"{{it}} is None{_NO_RETURN} and should be {describe(expected)}"
    number = isinstance(expected, torch.Tensor) and expected.ndim == 0 and isinstance(got, Unsupported)
    return f"{{it}} is {describe(got)} and should be {f'{expected.item():.6g}' if number else describe(expected)}"


def _apart(got: Any, expected: Any) -> tuple[str, str]:
    """Two numbers in as few digits as tell them apart."""
    if not isinstance(got, float) or not isinstance(expected, float):
        return describe(got), describe(expected)
    pairs = ((f"{got:.{digits}g}", f"{expected:.{digits}g}") for digits in (6, 9, 17))
    return next((pair for pair in pairs if pair[0] != pair[1]), (repr(got), repr(expected)))


def _compare_tensors(got: Any, expected: torch.Tensor, tolerance: float | None) -> Mismatch | None:
    if isinstance(got, np.ndarray) and got.dtype.kind != "U":
        got = torch.from_numpy(got)
    if expected.ndim == 0 and isinstance(got, bool | int | float):
        got = torch.tensor(_as_float(got), dtype=torch.float64)
    if not isinstance(got, torch.Tensor):
        return _differs(got, expected)
    if got.shape != expected.shape:
        return _of_shapes(got, expected)
    allowed = tolerance if tolerance is not None else _tolerance(got, expected)
    of_truth = got.dtype == expected.dtype == torch.bool
    a, b = numbers_of(got), numbers_of(expected)
    if _surely_close(a, b, allowed):
        return None
    wrong = _wrong_elements(a, b, allowed)
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    count, total = int(wrong.sum()), wrong.size
    with np.errstate(all="ignore"):
        difference = np.abs(a - b)
    finite = np.isfinite(difference)
    error = float(difference[finite].max()) if finite.any() else math.inf
    if not index:
        return Mismatch(
            f"{{it}} is {' and should be '.join(_apart(float(a), float(b)))}", error, (), float(a), float(b)
        )
    where = _so_many(count, total)
    bad = int((~np.isfinite(a) & np.isfinite(b)).sum())
    if bad:
        where += f" ({bad} of them NaN or infinite)"
    if of_truth:
        return Mismatch(where, None, index, bool(a[index]), bool(b[index]), alone=count == 1)
    return Mismatch(where, error, index, float(a[index]), float(b[index]), alone=count == 1)


def _compare_texts(got: Any, expected: NDArray[np.str_]) -> Mismatch | None:
    if not isinstance(got, np.ndarray) or got.dtype.kind != "U":
        return _differs(got, expected)
    if got.shape != expected.shape:
        return _of_shapes(got, expected)
    wrong = got != expected
    if not wrong.any():
        return None
    index, count = tuple(int(i) for i in np.argwhere(wrong)[0]), int(wrong.sum())
    where = _so_many(count, wrong.size)
    return Mismatch(where, None, index, str(got[index]), str(expected[index]), alone=count == 1)


def _so_many(count: int, total: int) -> str:
    verb = "is" if count == 1 else "are"
    return f"{count} of {total} elements of {{it}} {verb} wrong" if total > 1 else "the only element of {it} is wrong"


def _of_shapes(got: Any, expected: Any) -> Mismatch:
    words = f"{{it}} has the shape {tuple(got.shape)} and should have the shape {tuple(expected.shape)}"
    return Mismatch(words, got=got, expected=expected)


def _tolerance(got: torch.Tensor, expected: torch.Tensor) -> float:
    """That of the coarser dtype; but an answer in half precision does not widen what is asked in a finer one.

    Otherwise rounding to bfloat16 would turn a wrong answer that is off by a few percent into a right one.
    """
    of_answer = min(TOLERANCE.get(got.dtype, 0.0), TOLERANCE[torch.float32])
    return max(of_answer, TOLERANCE.get(expected.dtype, 0.0))


def numbers_of(tensor: torch.Tensor) -> Array:
    """A tensor's numbers in float64.  NumPy from here on: on these small arrays it is several times faster."""
    if tensor.dtype is not torch.float64 or not tensor.is_cpu:
        tensor = tensor.to("cpu", torch.float64)
    if tensor.requires_grad or tensor.is_neg():
        tensor = tensor.detach().resolve_neg()
    return tensor.numpy()


def scale_of(expected: Array) -> Array:
    """What a difference at each element is measured against: |expected| + max|expected|.

    What is expected to vanish comes as 0 or as rounding noise: then the scale is 1.
    """
    size = np.abs(expected)
    largest = float(size.max()) if size.size else 0.0
    if not math.isfinite(largest):
        largest = float(np.max(size, where=np.isfinite(size), initial=0.0))
    return size + (largest if largest > _NOISE else 1.0)


def _surely_close(a: Array, b: Array, tolerance: float) -> bool | None:
    """Whether the largest difference alone says that no element is wrong, or that one is; None where it does not.

    Never where something is not finite.
    """
    if not a.size:
        return True
    with np.errstate(all="ignore"):
        difference = float(np.abs(a - b).max())
    if not difference < math.inf:
        return None
    limit = tolerance * limit_of(b)
    return True if difference <= limit else None if difference <= 2 * limit else False


def limit_of(expected: Array) -> float:
    """What the largest difference is measured against, so that no element can be wrong if it is small beside that."""
    largest = float(np.abs(expected).max())
    return largest if largest > _NOISE else 1.0


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
    words = _apart(got, expected) if isinstance(expected, float) else (describe(got), describe(expected))
    return Mismatch(f"{{it}} is {words[0]} and should be {words[1]}", _distance(got, expected), None, got, expected)


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
    once_only = isinstance(got, Iterated) and not isinstance(expected, Iterated)
    if once_only or not isinstance(got, tuple | list) or len(got) != len(expected):
        return _differs(got, expected)
    for position, (one, other) in enumerate(zip(got, expected, strict=True)):
        mismatch = compare(one, other, tolerance)
        if mismatch is not None:
            return _inside(f"item {position} of {{it}}", mismatch)
    return None


def _compare_dicts(got: Any, expected: dict[Any, Any], tolerance: float | None) -> Mismatch | None:
    if not isinstance(got, dict):
        return _differs(got, expected)
    if odd := _lacks_or_has(got, expected):
        return odd
    for key, value in expected.items():
        mismatch = compare(got[key], value, tolerance)
        if mismatch is not None:
            return _inside(f"{{it}}[{key!r}]", mismatch)
    return None


def _compare_sets(got: Any, expected: set[Any] | frozenset[Any]) -> Mismatch | None:
    if not isinstance(got, set | frozenset):
        return _differs(got, expected)
    return _lacks_or_has(got, expected)


def _lacks_or_has(got: Collection[Any], expected: Collection[Any]) -> Mismatch | None:
    """What is missing in a set or among the keys of a dict, and what should not be there."""
    missing = [key for key in expected if key not in got]
    extra = [key for key in got if key not in expected]
    if not missing and not extra:
        return None
    parts = [f"lacks {_listed(missing)}"] * bool(missing) + [f"should not have {_listed(extra)}"] * bool(extra)
    return Mismatch(f"{{it}} {' and '.join(parts)}", got=got, expected=expected)


def _listed(keys: list[Any]) -> str:
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    if all(isinstance(key, str) for key in keys):
        keys = sorted(keys)  # a set of text has another order in each run
    return ", ".join(map(_as_key, keys[:5])) + more


def _as_key(key: Any) -> str:
    """A key as it is written, if that is short."""
    plain = isinstance(key, tuple) and all(isinstance(part, bool | int | float | str) for part in key)
    return repr(key) if plain and len(repr(key)) <= 60 else describe(key)


def _inside(place: str, mismatch: Mismatch) -> Mismatch:
    return dataclasses.replace(mismatch, reason=mismatch.reason.replace("{it}", place), inside=True)


def describe(value: Any) -> str:
    """A value in a few words, for messages: what it is, not all it holds."""
    if isinstance(value, Unsupported):
        return value.kind
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}" if value.ndim else f"a tensor ({value.item():.6g})"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}"
    if isinstance(value, Iterated):
        return f"an iterator of {len(value)}"
    if isinstance(value, set | frozenset):
        return f"a set of {len(value)}"
    if isinstance(value, tuple | list):
        shapes = {tuple(item.shape) for item in value[:100] if isinstance(item, torch.Tensor)}
        tensors = len(shapes) == 1 and all(isinstance(item, torch.Tensor) for item in value[:100])
        return f"a {type(value).__name__} of {len(value)}" + (
            f" tensor{'s' * (len(value) > 1)} of shape {shapes.pop()}" if tensors else ""
        )
    if isinstance(value, dict):
        return f"a dict of {len(value)}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, torch.nn.Module):
        return "a model"
    if callable(value):
        return "a function"
    text = repr(value)
    if " at 0x" in text:  # an address tells nothing, and differs from run to run
        return f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."
