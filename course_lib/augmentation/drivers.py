"""Drivers of the augmentation assignment: what an image turned into, and what of it may be judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from course_lib.checking.drivers import STRIDED, Driver, Shown, driver, strided

__all__: list[str] = []

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SLACK = 1e-6
_ROUNDING = 1e-5
"""A difference that a coarser dtype makes is not a change."""
_ROUGHLY = 1e-3
"""Covariances that vanish in any dtype, measured by the sum of the variances."""


def _as_tensor(result: Any) -> Any:
    """An array of numbers as a tensor; anything else as it is."""
    if isinstance(result, np.ndarray) and result.dtype.kind in "biuf":
        return torch.from_numpy(np.array(result))
    return result.detach() if isinstance(result, Tensor) else result


def _also_strided(name: str, shown: Shown) -> Callable[[Driver], Driver]:
    """Register a driver, and a second one, ``NAME-strided``, that hands over tensors not contiguous in memory."""

    def register(function: Driver) -> Driver:
        def with_strides(namespace: Mapping[str, Any], called: str, inputs: dict[str, Any]) -> Any:
            return function(namespace, called, {key: strided(value) for key, value in inputs.items()})

        driver(name + STRIDED, shown=shown)(with_strides)
        return driver(name, shown=shown)(function)

    return register


def _changed(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> tuple[Any, Any]:
    """The result, and where it differs from the first input as that was before the call (the result if no image)."""
    before = next(iter(inputs.values())).clone()
    y = _as_tensor(namespace[function](*inputs.values()))
    same_kind = isinstance(y, Tensor) and y.shape == before.shape and not y.is_complex()
    return y, (y.double() - before.double()).abs() > _ROUNDING if same_kind else y


@_also_strided(
    "changed-examples",
    Shown(
        outputs={"y": "result", "changed": "(result != x).flatten(1).any(1)"},
        words={"changed": "the list of changed examples"},
    ),
)
def _changed_examples(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Call with a batch first; besides the result `y` say which of its examples differ from the input (`changed`)."""
    y, changed = _changed(namespace, function, inputs)
    if isinstance(changed, Tensor) and changed.dtype == torch.bool and changed.ndim > 1:
        changed = changed.flatten(1).any(1)
    return {"y": y, "changed": changed}


@_also_strided("changed-pixels", Shown(outputs={"y": "result", "changed": "result != image"}))
def _changed_pixels(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Call with an image first; besides the result `y` say which of its numbers differ from the input (`changed`)."""
    y, changed = _changed(namespace, function, inputs)
    return {"y": y, "changed": changed}


@_also_strided(
    "resized", Shown(outputs={"size": "list(result.shape)", "pixels": "result", "interior": "result[..., 1:-1, 1:-1]"})
)
def _resized(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """An image of another size: its `size`, its `pixels`, and those at least one pixel off the border (`interior`).

    With and without smoothing beforehand, a linear ramp that is made smaller comes out the same in the interior.
    """
    y = _as_tensor(namespace[function](*inputs.values()))
    if not isinstance(y, Tensor) or y.ndim < 2:
        return dict.fromkeys(("size", "pixels", "interior"), y)
    return {"size": list(y.shape), "pixels": y, "interior": y[..., 1:-1, 1:-1]}


@_also_strided(
    "ten-crops",
    Shown(
        outputs={"corners": "result[:4]", "center": "result[4:5]", "mirrored": "result[5:]"},
        words={
            "corners": "the part with the first four crops",
            "center": "the fifth crop",
            "mirrored": "the part with the last five crops",
        },
    ),
)
def _ten_crops(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Ten crops in their parts: `corners` (the first four), `center` (the fifth), `mirrored` (the rest)."""
    y = _as_tensor(namespace[function](*inputs.values()))
    if not isinstance(y, Tensor) or y.ndim < 1:
        return dict.fromkeys(("corners", "center", "mirrored"), y)
    return {"corners": y[:4], "center": y[4:5], "mirrored": y[5:]}


class _LinearModel(torch.nn.Module):
    """A linear classifier of crops of one size, with a weight of its own for each pixel."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight, requires_grad=False)
        self.bias = torch.nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K) of crops (N, C, crop, crop)."""
        return torch.nn.functional.linear(x.flatten(1), self.weight, self.bias)


def _plain_model(inputs: Mapping[str, Any]) -> list[str]:
    """Lines that make the linear classifier of a case."""
    classes, pixels = inputs["weight"].shape
    return [
        f"linear = torch.nn.Linear({pixels}, {classes}, dtype=weight.dtype).requires_grad_(False)",
        'linear.load_state_dict({"weight": weight, "bias": bias})',
        "model = torch.nn.Sequential(torch.nn.Flatten(), linear)",
    ]


@driver("linear-model", shown=Shown("result = {function}(model, image, sizes, crop)", prepare=_plain_model))
def _linear_model(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Call with a linear classifier in front.

    Inputs: its `weight` (K, C * crop * crop) and `bias` (K,), then the other arguments.
    """
    weight, bias, *others = inputs.values()
    return _as_tensor(namespace[function](_LinearModel(weight, bias).eval(), *others))


@driver(
    "eigenbasis",
    shown=Shown(
        outputs={
            "eigenvalues": "result[0]",
            "eigenvectors": "result[1] * torch.where(result[1][0] < 0, -1, 1)",
        }
    ),
)
def _eigenbasis(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Eigenvalues (n,) and eigenvectors (n, n) of the colors of images (N, n, H, W), in columns, whose signs are free.

    Each column begins with a plus; where the eigenvectors stand in the rows, each row.
    """
    (images,) = inputs.values()
    covariance = torch.cov(images.detach().double().transpose(0, 1).flatten(1))
    result = namespace[function](images)
    if not isinstance(result, tuple | list) or len(result) != 2:
        return result
    # Both are looked at, in case they were exchanged.
    values, vectors = (_with_signs(_as_tensor(part), covariance) for part in result)
    return {"eigenvalues": values, "eigenvectors": vectors}


def _with_signs(vectors: Any, covariance: Tensor) -> Any:
    """A matrix of eigenvectors with signs that do not depend on who computed it; anything else as it is."""
    if not isinstance(vectors, Tensor) or vectors.shape != covariance.shape or not vectors.is_floating_point():
        return vectors
    in_rows = vectors.double() @ covariance.to(vectors.device) @ vectors.double().T
    if float((in_rows - in_rows.diag().diag()).abs().max()) < _ROUGHLY * float(covariance.trace()):
        return torch.where(vectors[:, :1] < 0, -vectors, vectors)
    return torch.where(vectors[:1] < 0, -vectors, vectors)


def _shown_in_parts(masks_of: Callable[..., dict[str, Mask]]) -> Shown:
    """How a case looks of which only the parts of the image count that `masks_of(*inputs)` gives."""

    def masks(inputs: Mapping[str, Any]) -> list[str]:
        found = masks_of(*inputs.values()).items()
        return ["# 1 at the pixels that count:", *(f"{n} = torch.tensor({m.astype(int).tolist()})" for n, m in found)]

    return Shown(outputs={name: f"result * {name}" for name in ("inside", "outside")}, prepare=masks)


def _in_parts(y: Any, masks: Mapping[str, Mask]) -> Any:
    """An image in its parts, each with zeros elsewhere; what has no such parts counts whole."""
    if not isinstance(y, Tensor) or y.ndim < 2 or any(y.shape[-2:] != mask.shape for mask in masks.values()):
        return dict.fromkeys(masks, y)
    zero = torch.zeros((), dtype=y.dtype, device=y.device)
    return {name: torch.where(torch.from_numpy(mask).to(y.device), y, zero) for name, mask in masks.items()}


def _parts_of_rotated(image: Tensor, degrees: float) -> dict[str, Mask]:
    """The parts of a rotated image that are judged.

    `inside` are the pixels whose source lies in the image, `outside` those whose source lies a whole pixel or more
    outside.  Between the two an implementation may fade to zero or cut off: both are in use, neither is judged.  Nor
    is a source on the very edge, which rounding may put on either side.
    """
    height, width = image.shape[-2:]
    beyond = _beyond(*_rotated_sources(height, width, degrees), height, width)
    return {"inside": beyond < -_SLACK, "outside": beyond >= 1 - _SLACK}


@_also_strided("rotated", _shown_in_parts(_parts_of_rotated))
def _rotated(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """A rotated image, `inside` and `outside`."""
    masks = _parts_of_rotated(*inputs.values())
    return _in_parts(_as_tensor(namespace[function](*inputs.values())), masks)


def _parts_of_warped(image: Tensor, displacement: Tensor) -> dict[str, Mask]:
    """The parts of a warped image: `inside`, where the source lies in the image, and `outside`, where it does not."""
    height, width = image.shape[-2:]
    down, right = displacement.cpu().double().numpy()
    rows, columns = np.indices((height, width))
    beyond = _beyond(rows + down, columns + right, height, width)
    return {"inside": beyond <= _SLACK, "outside": beyond > _SLACK}


@_also_strided("warped", _shown_in_parts(_parts_of_warped))
def _warped(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """A warped image, `inside` and `outside`."""
    masks = _parts_of_warped(*inputs.values())
    return _in_parts(_as_tensor(namespace[function](*inputs.values())), masks)


def _rotated_sources(height: int, width: int, degrees: float) -> tuple[Array, Array]:
    """For each pixel of an image rotated counter-clockwise about its center the row and column it comes from."""
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


_OPERATIONS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "brightness": lambda image, magnitude: image * magnitude,
    "lighten": lambda image, magnitude: image + magnitude,
    "gamma": lambda image, magnitude: image**magnitude,
    "shift": lambda image, magnitude: torch.roll(image, int(magnitude), dims=-1),
}
"""Operations on an image of which no two commute, except the last with the others."""

_PLAIN_OPERATIONS = """\
operations = {
    "brightness": lambda image, magnitude: image * magnitude,
    "lighten": lambda image, magnitude: image + magnitude,
    "gamma": lambda image, magnitude: image**magnitude,
    "shift": lambda image, magnitude: torch.roll(image, int(magnitude), dims=-1),
}"""


@driver(
    "with-operations",
    shown=Shown("result = {function}(image, subpolicy, operations, u)", prepare=lambda _: [_PLAIN_OPERATIONS]),
)
def _with_operations(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Call with a table of operations in third place: name -> function of an image and a magnitude."""
    image, subpolicy, u = inputs.values()
    return _as_tensor(namespace[function](image, subpolicy, dict(_OPERATIONS), u))


@driver("table-entry", of_value=True, shown=Shown("result = {function}[task, transformation]"))
def _table_entry(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """The student defines a table of yes and no (or a function that makes it): its entry at one key, as a bool.

    Inputs: the parts of the key.

    Raises:
        NotImplementedError: if the entry is None still.
        LookupError: if there is none.
    """
    table = namespace[function]
    if callable(table):
        table = table()
    key = tuple(inputs.values())
    if isinstance(table, Mapping) and key not in table:
        raise LookupError(f"there is no entry {key}")
    value = table[key]
    if value is None:  # as the entries are given out
        raise NotImplementedError(f"the entry {key} is still None: put True or False there")
    value = value.item() if isinstance(value, Tensor | np.ndarray | np.generic) and np.size(value) == 1 else value
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else value
