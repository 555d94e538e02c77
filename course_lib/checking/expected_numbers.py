"""The expected tensors of an exercise in one array: most answers are right, and one comparison says so of all of them.

Comparing each tensor by itself (`comparison.compare`) takes several small operations, a hundred times a submission.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from course_lib.checking.comparison import TOLERANCE, limit_of, numbers_of, scale_of

__all__ = ["Compared", "ExpectedNumbers"]


class ExpectedNumbers:
    """Made once for each set of cases.

    Args:
        expected: place, value and tolerance (None: by dtype) of everything that is expected; what is no tensor is left
            out, and so is one without numbers.
    """

    def __init__(self, expected: Iterable[tuple[Hashable, Any, float | None]]) -> None:
        tensors = [part for part in expected if isinstance(part[1], torch.Tensor) and part[1].numel()]
        self._places = [(place, tensor.shape, tensor.dtype) for place, tensor, _ in tensors]
        self._parts = [numbers_of(tensor).ravel() for _, tensor, _ in tensors]
        tolerances = [TOLERANCE.get(tensor.dtype, 0.0) if told is None else told for _, tensor, told in tensors]
        sizes = [part.size for part in self._parts]
        self._starts = np.cumsum([0, *sizes])[:-1]
        self._numbers = _joined(self._parts)
        limits = [tolerance * limit_of(part) for tolerance, part in zip(tolerances, self._parts, strict=True)]
        limits = [limit if math.isfinite(limit) else -1.0 for limit in limits]  # beside infinity everything is small
        self._limits = np.repeat(np.array(limits), sizes)
        self._scales = _joined([scale_of(part) for part in self._parts])
        self._finite = np.isfinite(self._numbers)
        self._tolerances = np.array(
            [np.isfinite(part).any() * t for t, part in zip(tolerances, self._parts, strict=True)]
        )

    def compared(self, observed: Mapping[Any, Any]) -> Compared:
        """What was observed at the places, beside what is expected there."""
        parts, of_shape, of_dtype = list(self._parts), [False] * len(self._parts), [False] * len(self._parts)
        for number, (place, shape, dtype) in enumerate(self._places):
            seen = observed.get(place)
            if isinstance(seen, torch.Tensor) and seen.shape == shape:
                parts[number] = numbers_of(seen).ravel()
                of_shape[number], of_dtype[number] = True, seen.dtype is dtype
        with np.errstate(all="ignore"):
            differences = np.abs(_joined(parts) - self._numbers)
        return Compared(self, differences, np.array(of_shape, bool), np.array(of_dtype, bool))


class Compared:
    """What was observed beside what is expected.

    Args:
        differences: of all numbers, 0 where no tensor of the right shape was observed.
        of_shape: whether a tensor of the right shape was observed at each place.
        of_dtype: whether it also is of the right dtype.
    """

    def __init__(
        self,
        expected: ExpectedNumbers,
        differences: NDArray[np.float64],
        of_shape: NDArray[np.bool_],
        of_dtype: NDArray[np.bool_],
    ) -> None:
        self._expected = expected
        self._differences = differences
        self._of_shape, self._of_dtype = of_shape, of_dtype

    @cached_property
    def surely_right(self) -> frozenset[Any]:
        """Places at which a tensor of the right shape and dtype is so close that no element of it can be wrong.

        What is not among them need not be wrong: it is to be compared by itself.
        """
        places, starts = self._expected._places, self._expected._starts
        if not places:
            return frozenset()
        close = self._differences <= self._expected._limits  # never where something is not finite
        right = np.logical_and.reduceat(close, starts) & self._of_dtype
        return frozenset(places[number][0] for number in right.nonzero()[0].tolist())

    @cached_property
    def accuracy(self) -> tuple[float, float]:
        """The largest relative error and the largest that is allowed, over all tensors of the expected shape."""
        known = self._expected
        if not known._places:
            return 0.0, 0.0
        with np.errstate(all="ignore"):
            errors = np.where(known._finite, self._differences / known._scales, 0.0)
        worst = np.maximum.reduceat(errors, known._starts)
        usable = self._of_shape & ~np.isnan(worst)
        return (
            float(worst.max(where=usable, initial=0.0)),
            float(known._tolerances.max(where=self._of_shape, initial=0.0)),
        )


def _joined(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(parts) if parts else np.zeros(0)
