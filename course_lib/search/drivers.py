"""Drivers of the search assignment: answers whose order is free are brought into one order before they are compared."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.checking.drivers import Shown, driver

__all__: list[str] = []


@driver("rows", shown=Shown(call="result = {function}({arguments})\nresult = result[result[:, 0].argsort()]"))
def _rows(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Call, and put the rows of the result (n, d) in ascending order, by the first column, then the second, and so on.

    Columns are compared to six digits, so that rounding does not decide about the order.
    """
    result = namespace[function](*inputs.values())
    if not isinstance(result, Tensor) or result.ndim != 2 or not result.is_floating_point():
        return result
    columns = result.detach().cpu().double().numpy()
    keys = np.array([[f"{number:+.5e}" for number in column] for column in columns.T], dtype=object)
    numbers = keys.astype(np.float64)
    return result[torch.from_numpy(np.lexsort(numbers[::-1])).to(result.device)]


@driver(
    "folds",
    shown=Shown(
        outputs={
            "sizes": "sorted(len(validation) for _, validation in result)",
            "validated": "sorted(int(i) for _, validation in result for i in validation)",
            "used": "[sorted(int(i) for part in fold for i in part) for fold in result]",
        },
        words={
            "sizes": "the list of the validation parts' sizes",
            "validated": "the sorted list of all validation indices",
            "used": "the list of the indices that each fold uses",
            "order": "the order of the validation indices",
        },
    ),
)
def _folds(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Look at folds in ways that do not depend on how the permutation was cut.

    Inputs: n, k, permutation.  Handed over: the sorted `sizes` of the validation parts; all indices `validated`,
    sorted; those `used` by each fold, for training or validation, sorted; and the `order`: the indices in the order of
    their places in the permutation, where the validation parts are consecutive or strided parts of it, and as they
    came where they are neither.
    """
    result = namespace[function](*inputs.values())
    folds = _as_lists(result)
    if folds is None:
        return {"sizes": result, "validated": result, "used": result, "order": [result]}
    validations = [validation for _, validation in folds]
    return {
        "sizes": sorted(map(len, validations)),
        "validated": sorted(index for validation in validations for index in validation),
        "used": [sorted([*train, *validation]) for train, validation in folds],
        "order": _in_order(validations, inputs["permutation"].tolist()),
    }


def _as_lists(result: Any) -> list[tuple[list[int], list[int]]] | None:
    """Folds as lists of whole numbers; None if they are not pairs of such."""
    if not isinstance(result, list | tuple) or not all(isinstance(f, list | tuple) and len(f) == 2 for f in result):
        return None
    folds = [tuple(map(_whole_numbers, fold)) for fold in result]
    return None if any(part is None for fold in folds for part in fold) else folds  # type: ignore[return-value]


def _whole_numbers(part: Any) -> list[int] | None:
    values = part.tolist() if isinstance(part, Tensor | np.ndarray) else part
    if isinstance(values, range):
        values = list(values)
    if not isinstance(values, list | tuple):
        return None
    found: list[int] = []
    for value in values:
        number: Any = value.item() if isinstance(value, Tensor | np.generic) else value
        if not isinstance(number, int) or isinstance(number, bool):
            return None
        found.append(number)
    return found


def _in_order(validations: Sequence[Sequence[int]], permutation: Sequence[int]) -> list[int]:
    place = {index: i for i, index in enumerate(permutation)}
    if not all(index in place for validation in validations for index in validation):
        return [index for validation in validations for index in validation]
    places = [sorted(place[index] for index in validation) for validation in validations]
    for step in (1, len(validations)):
        if all(b - a == step for part in places for a, b in itertools.pairwise(part)):
            return [permutation[i] for i in sorted(i for part in places for i in part)]
    return [index for validation in validations for index in validation]
