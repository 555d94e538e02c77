"""Drivers of the augmentation assignment: what an image turned into, and what of it may be judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from course_lib.checking.drivers import Driver, driver, strided

__all__: list[str] = []

Array = NDArray[np.float64]

_SLACK = 1e-6
_ROUNDING = 1e-5
"""A difference that a coarser dtype makes is not a change."""


def _as_tensor(result: Any) -> Any:
    """An array of numbers as a tensor; anything else as it is."""
    if isinstance(result, np.ndarray) and result.dtype.kind in "biuf":
        return torch.from_numpy(np.array(result))
    return result.detach() if isinstance(result, Tensor) else result


def _also_strided(name: str) -> Callable[[Driver], Driver]:
    """Register a driver, and a second one, ``NAME-strided``, that hands over tensors not contiguous in memory."""

    def register(function: Driver) -> Driver:
        def with_strides(namespace: Mapping[str, Any], called: str, inputs: dict[str, Any]) -> Any:
            return function(namespace, called, {key: strided(value) for key, value in inputs.items()})

        driver(f"{name}-strided")(with_strides)
        return driver(name)(function)

    return register


def _changed(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> tuple[Any, Any]:
    """The result, and where it differs from the first input as that was before the call (the result if no image)."""
    before = next(iter(inputs.values())).clone()
    y = _as_tensor(namespace[function](*inputs.values()))
    same_kind = isinstance(y, Tensor) and y.shape == before.shape and not y.is_complex()
    return y, (y.double() - before.double()).abs() > _ROUNDING if same_kind else y


@_also_strided("changed-examples")
def _changed_examples(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Call with a batch first; besides the result `y` say which of its examples differ from the input (`changed`)."""
    y, changed = _changed(namespace, function, inputs)
    if isinstance(changed, Tensor) and changed.dtype == torch.bool and changed.ndim > 1:
        changed = changed.flatten(1).any(1)
    return {"y": y, "changed": changed}


@_also_strided("changed-pixels")
def _changed_pixels(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Call with an image first; besides the result `y` say which of its numbers differ from the input (`changed`)."""
    y, changed = _changed(namespace, function, inputs)
    return {"y": y, "changed": changed}


@_also_strided("resized")
def _resized(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """An image of another size: its `size`, its `pixels`, and those at least one pixel off the border (`interior`).

    With and without smoothing beforehand, a linear ramp that is made smaller comes out the same in the interior.
    """
    y = _as_tensor(namespace[function](*inputs.values()))
    if not isinstance(y, Tensor) or y.ndim < 2:
        return dict.fromkeys(("size", "pixels", "interior"), y)
    return {"size": list(y.shape), "pixels": y, "interior": y[..., 1:-1, 1:-1]}


@_also_strided("ten-crops")
def _ten_crops(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Ten crops in their parts: `corners` (the first four), `centre` (the fifth), `mirrored` (the rest)."""
    y = _as_tensor(namespace[function](*inputs.values()))
    if not isinstance(y, Tensor) or y.ndim < 1:
        return dict.fromkeys(("corners", "centre", "mirrored"), y)
    return {"corners": y[:4], "centre": y[4:5], "mirrored": y[5:]}


class _LinearModel(torch.nn.Module):
    """A linear classifier of crops of one size, with a weight of its own for each pixel."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight, requires_grad=False)
        self.bias = torch.nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K) of crops (N, C, crop, crop)."""
        return torch.nn.functional.linear(x.flatten(1), self.weight, self.bias)


@driver("linear-model")
def _linear_model(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Call with a linear classifier in front.

    Inputs: its `weight` (K, C * crop * crop) and `bias` (K,), then the other arguments.
    """
    weight, bias, *others = inputs.values()
    return _as_tensor(namespace[function](_LinearModel(weight, bias).eval(), *others))


@driver("eigenbasis")
def _eigenbasis(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Eigenvalues (n,) and eigenvectors (n, n) in columns, whose signs are free.

    Instead of a column v come the products of its entries, which are the same for v and -v: v v^T, of which the upper
    triangle is enough.  `axes`, (n, n * (n + 1) / 2).
    """
    result = namespace[function](*inputs.values())
    if not isinstance(result, tuple | list) or len(result) != 2:
        return result
    values, vectors = map(_as_tensor, result)
    if isinstance(vectors, Tensor) and vectors.ndim == 2:
        first, second = torch.triu_indices(len(vectors), len(vectors))
        vectors = (vectors[first] * vectors[second]).T
    return {"eigenvalues": values, "axes": vectors}


@_also_strided("rotated")
def _rotated(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """A rotated image in two parts, each with zeros elsewhere.

    `inside` holds the pixels whose source lies in the image, `outside` those whose source lies a whole pixel or more
    outside.  Between the two an implementation may fade to zero or cut off: both are in use, neither is judged.  Nor
    is a source on the very edge, which rounding may put on either side.
    """
    image, degrees = inputs.values()
    height, width = image.shape[-2:]
    y = _as_tensor(namespace[function](image, degrees))
    beyond = _beyond(*_rotated_sources(height, width, degrees), height, width)
    return _in_parts(y, beyond < -_SLACK, beyond >= 1 - _SLACK)


@_also_strided("warped")
def _warped(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """A warped image in two parts, zeros elsewhere: `inside`, where the source lies in the image; `outside`."""
    image, displacement = inputs.values()
    height, width = image.shape[-2:]
    down, right = displacement.cpu().double().numpy()
    rows, columns = np.indices((height, width))
    beyond = _beyond(rows + down, columns + right, height, width)
    y = _as_tensor(namespace[function](image, displacement))
    return _in_parts(y, beyond <= _SLACK, beyond > _SLACK)


def _rotated_sources(height: int, width: int, degrees: float) -> tuple[Array, Array]:
    """For each pixel of an image rotated counter-clockwise about its centre the row and column it comes from."""
    angle = math.radians(degrees)
    rows, columns = np.indices((height, width))
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    down, right = rows - middle_row, columns - middle_column
    return (
        middle_row + right * math.sin(angle) + down * math.cos(angle),
        middle_column + right * math.cos(angle) - down * math.sin(angle),
    )


def _beyond(rows: Array, columns: Array, height: int, width: int) -> Array:
    """How many pixels a place lies outside the image, along the worse axis; negative or zero inside."""
    along_rows = np.maximum(-rows, rows - (height - 1))
    return np.maximum(along_rows, np.maximum(-columns, columns - (width - 1)))


def _in_parts(y: Any, inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> Any:
    if not isinstance(y, Tensor) or y.ndim < 2 or y.shape[-2:] != inside.shape:
        return {"inside": y, "outside": y}
    zero = torch.zeros((), dtype=y.dtype, device=y.device)
    masks = {"inside": inside, "outside": outside}
    return {name: torch.where(torch.from_numpy(mask).to(y.device), y, zero) for name, mask in masks.items()}


_OPERATIONS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "brightness": lambda image, magnitude: image * magnitude,
    "lighten": lambda image, magnitude: image + magnitude,
    "gamma": lambda image, magnitude: image**magnitude,
    "shift": lambda image, magnitude: torch.roll(image, int(magnitude), dims=-1),
}
"""Operations on an image of which no two commute, except the last with the others."""


@driver("with-operations")
def _with_operations(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Call with a table of operations in third place: name -> function of an image and a magnitude."""
    image, subpolicy, u = inputs.values()
    return _as_tensor(namespace[function](image, subpolicy, dict(_OPERATIONS), u))


@driver("table-entry", of_value=True)
def _table_entry(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """The student defines a table of yes and no (or a function that makes it): its entry at one key, as a bool.

    Inputs: the parts of the key.

    Raises:
        NotImplementedError: if the entry is None still.
    """
    table = namespace[function]
    if callable(table):
        table = table()
    value = table[tuple(inputs.values())]
    if value is None:  # as the entries are given out
        raise NotImplementedError
    value = value.item() if isinstance(value, Tensor | np.ndarray | np.generic) and np.size(value) == 1 else value
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else value
