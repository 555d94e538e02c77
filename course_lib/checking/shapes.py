"""Right numbers in another shape than was asked for: an axis of length 1 too many, a list instead of one tensor."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor

__all__ = ["ARRANGEMENT_SLIPS", "AXIS", "GROUPS", "ITEMS", "LIST", "ORDER", "in_shape", "shape_in_words"]

AXIS, LIST = "axis-of-length-one", "not-one-tensor"
GROUPS, ORDER, ITEMS = "axes-grouped-otherwise", "results-in-another-order", "not-a-list"
ARRANGEMENT_SLIPS = {
    AXIS: "The numbers are what they would be, but the shape is not: an axis of length 1 is left over, or one is "
    "missing. `keepdim`, `squeeze`, `unsqueeze` and an index such as `[0]` decide that.",
    LIST: "The numbers are what they would be, but they come in a list or as a plain number. One tensor is asked for; "
    "`torch.stack` makes one of many.",
    GROUPS: "The numbers are what they would be, and in that order, but they are divided into other axes. Bring the "
    "result into the shape that is asked for.",
    ITEMS: "The items are what they would be, but they come as an array, or as an iterator, which gives each of them "
    "only once. A list is asked for; `list(...)` or `.tolist()` makes one.",
    ORDER: "Each result is what another one should be: they are returned in another order than is asked for.",
}
"""What is said of each of them: the same in every exercise."""

_MOST_NUMBERS = 1_000_000


def in_shape(got: Any, shape: tuple[int, ...]) -> tuple[str, Tensor] | None:
    """The slip, and a value as one tensor of a shape; None where that is its shape, or no slip makes the difference."""
    whole = _one_tensor(got) if isinstance(got, tuple | list | bool | int | float) else got
    if not isinstance(whole, Tensor) or whole.layout != torch.strided or whole.device.type == "meta":
        return None
    if whole.numel() != math.prod(shape) or whole.numel() > _MOST_NUMBERS:
        return None
    of_length_one = [n for n in whole.shape if n != 1] == [n for n in shape if n != 1]
    if whole is not got:
        return (LIST, whole.reshape(shape)) if of_length_one else None
    if whole.shape == shape:
        return None
    return AXIS if of_length_one else GROUPS, whole.reshape(shape)


def shape_in_words(words: str) -> tuple[int, ...] | None:
    """The shape of a tensor that `comparison.describe` described; None for everything else."""
    found = re.fullmatch(r"a tensor (?:of shape \(([\d, ]*)\)|\([^()]*\))", words)
    return tuple(map(int, re.findall(r"\d+", found[1] or ""))) if found else None


def _one_tensor(got: Any) -> Tensor | None:
    items = list(got) if isinstance(got, tuple | list) else [got]
    if not items or len(items) > _MOST_NUMBERS:
        return None
    try:
        if all(isinstance(item, Tensor) and item.shape == items[0].shape for item in items):
            return torch.stack(items)
        numbers = all(isinstance(item, bool | int | float) for item in items)
        return torch.tensor(items, dtype=torch.float64) if numbers else None
    except (RuntimeError, ValueError, OverflowError, TypeError):  # on several devices, beyond all floats, ...
        return None
