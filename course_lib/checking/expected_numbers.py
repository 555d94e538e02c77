"""The expected tensors of an exercise in one array: most answers are right, and one comparison says so of all of them.

Comparing each tensor by itself (`comparison.compare`) takes several small operations, a hundred times a submission.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from course_lib.checking.comparison import TOLERANCE, limit_of, numbers_of, scale_of

__all__ = ["ExpectedNumbers"]


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

    def surely_right(self, observed: Mapping[Any, Any]) -> set[Any]:
        """Places at which a tensor of the right shape and dtype is so close that no element of it can be wrong.

        What is not among them need not be wrong: it is to be compared by itself.
        """
        if not self._places:
            return set()
        parts, fitting = list(self._parts), np.zeros(len(self._parts), bool)
        for number, (place, shape, dtype) in enumerate(self._places):
            seen = observed.get(place)
            if isinstance(seen, torch.Tensor) and seen.shape == shape and seen.dtype is dtype:
                parts[number], fitting[number] = numbers_of(seen).ravel(), True
        with np.errstate(all="ignore"):
            close = np.abs(_joined(parts) - self._numbers) <= self._limits  # never where something is not finite
        right = np.logical_and.reduceat(close, self._starts) & fitting
        return {self._places[number][0] for number in np.flatnonzero(right)}

    def accuracy(self, observed: Mapping[Any, Any]) -> tuple[float, float]:
        """The largest relative error and the largest that is allowed, over all tensors of the expected shape."""
        if not self._places:
            return 0.0, 0.0
        parts, fitting = list(self._parts), np.zeros(len(self._parts), bool)
        for number, (place, shape, _) in enumerate(self._places):
            seen = observed.get(place)
            if isinstance(seen, torch.Tensor) and seen.shape == shape:
                parts[number], fitting[number] = numbers_of(seen).ravel(), True
        with np.errstate(all="ignore"):
            errors = np.where(self._finite, np.abs(_joined(parts) - self._numbers) / self._scales, 0.0)
        worst = np.maximum.reduceat(errors, self._starts)
        known = fitting & ~np.isnan(worst)
        return float(worst.max(where=known, initial=0.0)), float(self._tolerances.max(where=fitting, initial=0.0))


def _joined(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(parts) if parts else np.zeros(0)
