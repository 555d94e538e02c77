"""Which values agree, and what is said about those that do not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from course_lib.checking.comparison import TOLERANCE, agrees, compare, describe, dtype_of, scale_of
from course_lib.checking.values import Unsupported

floats = st.floats(-1e6, 1e6, allow_nan=False)
arrays = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=floats)
anything: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=3),
    st.just(Unsupported("a function")),
    st.lists(st.floats(), max_size=3),
    st.tuples(st.integers(), st.text(max_size=2)),
    st.dictionaries(st.text(max_size=2), st.floats(), max_size=2),
    hnp.arrays(hnp.floating_dtypes(endianness="="), hnp.array_shapes(max_dims=2, max_side=2), elements=st.just(1.0)),
    st.sampled_from(
        [torch.ones(2), torch.tensor(3), torch.tensor(math.nan), torch.zeros(0), torch.tensor([True, False])]
    ),
    st.sampled_from([torch.ones(2, dtype=torch.bfloat16), torch.full((2,), math.inf), torch.ones(1, 2)]),
)


@given(arrays)
def test_equal_tensors_agree(array: np.ndarray[Any, Any]) -> None:
    """A tensor agrees with itself, in whatever container of numbers it comes."""
    expected = torch.from_numpy(array)
    assert compare(expected.clone(), expected) is None
    assert compare(array, expected) is None
    assert compare([expected.clone()], (expected,)) is None


@given(arrays, st.integers(0, 10**6), st.sampled_from([torch.float64, torch.float32]))
def test_rounding_is_forgiven_and_mistakes_are_not(array: np.ndarray[Any, Any], where: int, dtype: torch.dtype) -> None:
    """A deviation of a third of the tolerance passes; one of three times the tolerance is found at its index."""
    expected = torch.from_numpy(array).to(dtype)
    index = np.unravel_index(where % array.size, array.shape)
    unit = TOLERANCE[dtype] * float(scale_of(expected.double().numpy())[index])
    for factor, passes in ((0.3, True), (3.0, False)):
        got = expected.double().clone()
        got[index] += factor * unit
        mismatch = compare(got, expected)
        assert (mismatch is None) == passes
        if mismatch is not None:
            assert mismatch.index == tuple(index)
            assert mismatch.error == pytest.approx(factor * unit, rel=1e-3)


@given(anything, anything)
def test_comparing_anything_with_anything_never_fails(got: Any, expected: Any) -> None:
    """Whatever comes back from a student, the answer is a mismatch or none, and can be put in words."""
    mismatch = compare(got, expected)
    if mismatch is not None:
        assert mismatch.reason
        assert len(mismatch.reason) < 1000
        assert describe(mismatch.got)


@given(anything, anything, st.none() | st.sampled_from([0.0, 1e-3, 0.5]))
def test_two_values_agree_where_no_difference_is_found(got: Any, expected: Any, tolerance: float | None) -> None:
    """The quick answer is the same as the one in words."""
    assert agrees(got, expected, tolerance) == (compare(got, expected, tolerance) is None)


@given(
    arrays, st.integers(0, 10**6), st.sampled_from([0.2, 0.999999, 1.0, 1.000001, 1.5, 1.999, 2.0, 2.001, 9, math.inf])
)
def test_near_its_tolerance_a_number_agrees_as_it_is_compared(
    array: np.ndarray[Any, Any], where: int, factor: float
) -> None:
    """Between one and two tolerances the largest difference alone decides nothing."""
    expected = torch.from_numpy(array)
    index = np.unravel_index(where % array.size, array.shape)
    got = expected.clone()
    got[index] += factor * TOLERANCE[torch.float64] * float(scale_of(array)[index])
    assert agrees(got, expected) == (compare(got, expected) is None)


@given(anything)
def test_anything_agrees_with_itself(value: Any) -> None:
    """The order of arguments and NaN make no exception; only what could not travel agrees with nothing."""
    agrees = compare(value, value) is None
    assert agrees or isinstance(value, Unsupported)


@pytest.mark.parametrize(
    ("got", "reason"),
    [
        pytest.param(torch.zeros(3, 2), "`y` has the shape (3, 2) and should have the shape (2, 3)", id="transposed"),
        pytest.param(
            torch.zeros(1, 2, 3), "`y` has the shape (1, 2, 3) and should have the shape (2, 3)", id="extra axis"
        ),
        pytest.param(None, "`y` is None (is a `return` missing?) and should be a tensor of shape (2, 3)", id="None"),
        pytest.param(0.0, "`y` is 0 and should be a tensor of shape (2, 3)", id="number"),
        pytest.param([[0.0] * 3] * 2, "`y` is a list of 2 and should be a tensor of shape (2, 3)", id="nested list"),
        pytest.param(
            Unsupported("a function"), "`y` is a function and should be a tensor of shape (2, 3)", id="function"
        ),
    ],
)
def test_what_is_no_such_tensor_is_said_in_words(got: Any, reason: str) -> None:
    """A wrong kind or shape is described, without an index."""
    mismatch = compare(got, torch.zeros(2, 3))
    assert mismatch is not None
    assert mismatch.told("y") == reason
    assert mismatch.index is None


def test_shapes_are_never_broadcast() -> None:
    """A single number is not a tensor of equal numbers, nor the other way round."""
    assert compare(torch.tensor(1.0), torch.ones(3)) is not None
    assert compare(torch.ones(1), torch.tensor(1.0)) is not None
    assert compare(torch.ones(3, 1), torch.ones(3)) is not None


def test_first_wrong_element_is_reported() -> None:
    """The message counts the wrong elements and shows the first with its largest error."""
    expected = torch.arange(6.0).reshape(2, 3)
    got = expected.clone()
    got[0, 2], got[1, 1] = 7.0, 3.0
    mismatch = compare(got, expected)
    assert mismatch is not None
    assert mismatch.told("y") == (
        "2 of 6 elements of `y` are wrong, by up to 5; the first of them, `y[0, 2]`, is 7 and should be 2"
    )
    assert (mismatch.index, mismatch.got, mismatch.expected, mismatch.error) == ((0, 2), 7.0, 2.0, 5.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=str)
def test_values_that_are_not_finite_are_wrong_where_numbers_are_asked(value: float) -> None:
    """NaN passes no comparison by accident, and the message says that there is one."""
    mismatch = compare(torch.tensor([1.0, value]), torch.tensor([1.0, 2.0]))
    assert mismatch is not None
    assert mismatch.index == (1,)
    assert "1 of them NaN or infinite" in mismatch.reason
    assert compare(value, 2.0) is not None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=str)
def test_values_that_are_not_finite_can_be_the_right_answer(value: float) -> None:
    """Where NaN or an infinity is expected, it and nothing else is right, and the numbers beside it still count."""
    expected = torch.tensor([value, 2.0])
    assert compare(expected.clone(), expected) is None
    assert compare(torch.tensor([0.0, 2.0]), expected) is not None
    assert compare(torch.tensor([value, 2.1]), expected) is not None
    assert compare(-expected, expected) is not None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_a_coarse_answer_does_not_widen_the_question(dtype: torch.dtype) -> None:
    """Rounding an answer to half precision does not make a wrong one right."""
    expected = torch.linspace(1, 2, 7, dtype=torch.float64)
    assert compare((expected * 1.02).to(dtype), expected) is not None
    assert compare((expected * 1.002).float(), expected) is not None
    assert compare((expected * (1 + 1e-6)).float(), expected) is None


def test_the_tolerance_of_a_case_replaces_the_default() -> None:
    """A case may ask for more or for less."""
    expected = torch.ones(3)
    assert compare(expected + 0.01, expected, tolerance=0.02) is None
    assert compare(expected + 1e-5, expected, tolerance=1e-7) is not None
    assert compare(1.01, 1.0, tolerance=0.02) is None


@pytest.mark.parametrize(
    ("got", "expected", "agree"),
    [
        pytest.param(torch.tensor(3.0), 3.0, True, id="tensor for float"),
        pytest.param(3.0, torch.tensor(3.0), True, id="float for tensor"),
        pytest.param(3, 3.0, True, id="int for float"),
        pytest.param(3.0, 3, True, id="whole float for int"),
        pytest.param(10**30 + 1, 10**30, False, id="exact int"),
        pytest.param(True, 1, False, id="bool for int"),
        pytest.param(1, True, False, id="int for bool"),
        pytest.param("1", 1, False, id="text for int"),
        pytest.param("a", "a", True, id="text"),
        pytest.param([1, 2], (1, 2), True, id="list for tuple"),
        pytest.param((1, 2, 3), (1, 2), False, id="too many"),
        pytest.param({"a": 1.0}, {"a": 1.0}, True, id="dict"),
        pytest.param({"a": 1.0, "b": 2.0}, {"a": 1.0}, False, id="extra key"),
        pytest.param({}, {"a": 1.0}, False, id="missing key"),
        pytest.param(None, None, True, id="None"),
        pytest.param(0, None, False, id="zero for None"),
    ],
)
def test_plain_values(got: Any, expected: Any, agree: bool) -> None:
    """Numbers agree by value; kinds that mean different things do not."""
    assert (compare(got, expected) is None) == agree


def test_the_place_inside_a_structure_is_named() -> None:
    """A mismatch says which item and which key it is in."""
    mismatch = compare({"state": [1.0, 2.0]}, {"state": [1.0, 3.0]})
    assert mismatch is not None
    assert mismatch.told("y") == "item 1 of `y`['state'] is 2 and should be 3"
    assert (mismatch.got, mismatch.expected) == (2.0, 3.0)


def test_a_gradient_does_not_disturb_the_comparison() -> None:
    """An answer that requires a gradient is compared, without a warning."""
    assert compare(torch.ones(2, requires_grad=True) * 2, torch.ones(2)) is not None


def test_dtype_is_known_for_tensors_only() -> None:
    """An array's dtype is not a tensor's."""
    assert dtype_of(torch.ones(1)) is torch.float32
    assert dtype_of(np.ones(1)) is None
    assert dtype_of(1.0) is None


@pytest.mark.parametrize("noise", [0.0, 1e-17, 3e-11], ids=str)
def test_what_should_vanish_may_differ_by_rounding(noise: float) -> None:
    """Zero and the reference's own rounding noise are the same expectation."""
    expected = torch.full((3,), noise, dtype=torch.float64)
    assert compare(torch.tensor([2e-16, -1e-16, 0.0], dtype=torch.float64), expected) is None
    assert compare(torch.tensor([1e-3, 0.0, 0.0], dtype=torch.float64), expected) is not None


def test_the_place_in_an_expression_is_an_expression() -> None:
    """A part that a driver makes of a result is named as it is made."""
    mismatch = compare(torch.tensor([True, False]), torch.tensor([False, False]))
    assert mismatch is not None
    assert mismatch.told("result == 0") == (
        "1 of 2 elements of `result == 0` is wrong; `(result == 0)[0]` is True and should be False"
    )
