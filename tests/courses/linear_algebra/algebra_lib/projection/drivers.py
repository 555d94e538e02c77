"""Bases may come in any order and with any signs: what cannot differ is the projector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from course_lib.checking.drivers import driver

__all__: list[str] = []


@driver("projector")
def _projector(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Call; instead of a basis Q, (n, k), hand over Q Q^T and whether its columns are orthonormal."""
    q = namespace[function](*inputs.values())
    if not isinstance(q, torch.Tensor) or q.ndim != 2:
        return {"projector": q, "orthonormal": q}
    gram = q.T @ q
    unit = torch.eye(len(gram), dtype=q.dtype)
    return {"projector": q @ q.T, "orthonormal": bool(torch.allclose(gram, unit, atol=1e-4))}
