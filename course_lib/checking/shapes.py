"""Right numbers in another shape than was asked for: an axis of length 1 too many, a list instead of one tensor."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["ARRANGEMENT_SLIPS", "AXIS", "GROUPS", "ITEMS", "LIST", "ORDER", "in_shape", "shape_in_words"]

AXIS, LIST = "axis-of-length-one", "not-one-tensor"
GROUPS, ORDER, ITEMS = "axes-grouped-otherwise", "results-in-another-order", "not-a-list"
ARRANGEMENT_SLIPS = {
    AXIS: "The shape is not the one that is asked for: an axis of length 1 is left over, or one is missing. `keepdim`, "
    "`squeeze`, `unsqueeze`, and an index such as `[0]` decide that.",
    LIST: "The result is a list, or a plain number, where one tensor or array is asked for. `torch.stack` and "
    "`np.stack` make one of many.",
    GROUPS: "The numbers come in the right order, but divided into other axes. Bring the result into the shape that is "
    "asked for.",
    ITEMS: "The items come as an array, or as an iterator, which gives each of them only once, where a list is asked "
    "for. `list(...)` or `.tolist()` makes one.",
    ORDER: "The results come in another order than is asked for: each is what another one should be.",
}
"""What is said of each of them: the same in every exercise."""

_MOST_NUMBERS = 1_000_000


def in_shape(got: Any, shape: tuple[int, ...]) -> tuple[str, Tensor] | None:
    """The slip, and a value as one tensor of a shape; None where that is its shape, or no slip makes the difference."""
    many = isinstance(got, tuple | list | bool | int | float)
    whole = _one_tensor(got) if many else _tensor_of(got)
    if whole is None or whole.layout != torch.strided or whole.device.type == "meta":
        return None
    if whole.numel() != math.prod(shape) or whole.numel() > _MOST_NUMBERS:
        return None
    of_length_one = [n for n in whole.shape if n != 1] == [n for n in shape if n != 1]
    if many:
        return (LIST, whole.reshape(shape)) if of_length_one else None
    if whole.shape == shape:
        return None
    return AXIS if of_length_one else GROUPS, whole.reshape(shape)


def _tensor_of(value: Any) -> Tensor | None:
    """A tensor, or an array of numbers as one."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.size <= _MOST_NUMBERS:
        return torch.from_numpy(value.astype(value.dtype.newbyteorder("="), order="C"))
    return value if isinstance(value, Tensor) else None


def shape_in_words(words: str) -> tuple[int, ...] | None:
    """The shape of a tensor that `comparison.describe` described; None for everything else."""
    found = re.fullmatch(r"a tensor (?:of shape \(([\d, ]*)\)|\([^()]*\))", words)
    return tuple(map(int, re.findall(r"\d+", found[1] or ""))) if found else None


def _one_tensor(got: Any) -> Tensor | None:
    items = list(got) if isinstance(got, tuple | list) else [got]
    if not items or len(items) > _MOST_NUMBERS:
        return None
    try:
        tensors = [tensor for tensor in map(_tensor_of, items) if tensor is not None]
        if len(tensors) == len(items):
            return torch.stack(tensors) if len({tensor.shape for tensor in tensors}) == 1 else None
        numbers = all(isinstance(item, bool | int | float) for item in items)
        return torch.tensor(items, dtype=torch.float64) if numbers else None
    except (RuntimeError, ValueError, OverflowError, TypeError):  # on several devices, beyond all floats, ...
        return None
