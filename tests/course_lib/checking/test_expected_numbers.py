"""One comparison of all tensors says nothing that comparing each by itself would not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.checking.comparison import TOLERANCE, compare, numbers_of, scale_of
from course_lib.checking.expected_numbers import ExpectedNumbers

NUMBERS = st.sampled_from([0.0, 1.0, 1.0000001, 1.00001, -2.5, 1e-12, 1e300, math.nan, math.inf, -math.inf])
SHAPES = st.sampled_from([(), (0,), (1,), (2, 3), (3, 2)])
DTYPES = st.sampled_from([torch.float64, torch.float32, torch.int64, torch.bool])


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Small ones of several shapes and dtypes, with numbers that are hard to compare."""
    shape, dtype = draw(SHAPES), draw(DTYPES)
    flat = draw(st.lists(NUMBERS, min_size=math.prod(shape), max_size=math.prod(shape)))
    tensor = torch.tensor(flat, dtype=torch.float64).reshape(shape)
    return tensor.to(dtype) if dtype.is_floating_point else tensor.nan_to_num(0, 9, -9).clamp(-9, 9).to(dtype)


values = tensors() | st.none() | st.just(1.0)


@given(st.lists(st.tuples(values, values, st.none() | st.just(1e-3)), max_size=5), st.booleans())
def test_what_is_surely_right_is_right(triples: list[tuple[Any, Any, float | None]], equal: bool) -> None:
    """For any values, tensors or not; and equal finite floats are always among them."""
    if equal:
        triples = [(expected, expected, tolerance) for expected, _, tolerance in triples]
    expected = ExpectedNumbers((n, value, tolerance) for n, (value, _, tolerance) in enumerate(triples))
    right = expected.compared({n: seen for n, (_, seen, _) in enumerate(triples)}).surely_right
    for number, (value, seen, tolerance) in enumerate(triples):
        if number in right:
            assert compare(seen, value, tolerance) is None
        elif equal and isinstance(value, torch.Tensor) and value.numel():
            assert not value.isfinite().all()


@given(st.lists(st.tuples(tensors(), tensors()), max_size=4))
def test_accuracy_is_that_of_the_worst_tensor(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """As if each tensor were looked at by itself; only finite numbers count, and only tensors of the right shape."""
    worst = allowed = 0.0
    for value, seen in pairs:
        if seen.shape == value.shape and value.isfinite().any():
            a, b = numbers_of(seen), numbers_of(value)
            finite = np.isfinite(b)
            with np.errstate(all="ignore"):
                worst = max(worst, float((np.abs(a[finite] - b[finite]) / scale_of(b)[finite]).max()))
            allowed = max(allowed, TOLERANCE.get(value.dtype, 0.0))
    expected = ExpectedNumbers((n, value, None) for n, (value, _) in enumerate(pairs))
    assert expected.compared({n: seen for n, (_, seen) in enumerate(pairs)}).accuracy == pytest.approx(
        (worst, allowed), nan_ok=True
    )
