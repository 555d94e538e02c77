"""What a value would be in the shape that is asked for."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.checking.comparison import describe
from course_lib.checking.drivers import DRIVERS, driver, run_case
from course_lib.checking.keys import respond
from course_lib.checking.shapes import AXIS, GROUPS, LIST, in_shape, shape_in_words
from course_lib.checking.values import pack, unpack

X = torch.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("got", "slip"),
    [
        pytest.param(X[None], AXIS, id="an axis too many"),
        pytest.param(X[:, None], AXIS, id="an axis between"),
        pytest.param(X.flatten(), GROUPS, id="flat"),
        pytest.param(list(X), LIST, id="a list of rows"),
        pytest.param(tuple(X), LIST, id="a tuple of rows"),
        pytest.param([*X[None]], LIST, id="a list of one"),
    ],
)
def test_a_slip_is_found_and_mended(got: Any, slip: str) -> None:
    """The same numbers in the same order."""
    found = in_shape(got, (2, 3))
    assert found is not None
    assert found[0] == slip
    assert torch.equal(found[1], X)


@pytest.mark.parametrize(
    "got",
    [
        pytest.param(X, id="as asked"),
        pytest.param(X[:1], id="too few"),
        pytest.param(None, id="nothing"),
        pytest.param("X", id="text"),
        pytest.param([X, X[:1]], id="rows of several lengths"),
        pytest.param([10**400] * 6, id="beyond all floats"),
        pytest.param([X, None], id="half of it nothing"),
        pytest.param({"x": X}, id="a dict"),
        pytest.param(torch.empty(6, device="meta"), id="without numbers"),
        pytest.param(X.T.to_sparse(), id="sparse"),
    ],
)
def test_nothing_else_is_one(got: Any) -> None:
    """What differs otherwise stays as it is."""
    assert in_shape(got, (2, 3)) is None


@given(st.lists(st.integers(0, 4), max_size=4))
def test_a_shape_is_read_as_it_is_described(shape: list[int]) -> None:
    """`describe` and this are two directions of one thing."""
    assert shape_in_words(describe(torch.zeros(shape))) == tuple(shape)


@pytest.mark.parametrize("words", ["None", "a list of 2", "a tuple of 2 tensors of shape (2,)", "3.5", "a model", ""])
def test_nothing_but_a_tensor_has_a_shape(words: str) -> None:
    """A driver whose function returns anything else is told none."""
    assert shape_in_words(words) is None


def test_a_driver_gets_the_same_numbers_once_more_as_asked() -> None:
    """What it makes of them travels beside what it made of the result as it is, also where that raises."""

    @driver("first-row-of-two")
    def _first_row(namespace: Any, function: str, inputs: dict[str, Any]) -> Any:
        rows, columns = namespace[function](*inputs.values()).shape
        return {"rows": rows, "columns": columns}

    name = next(known for known in DRIVERS if known.endswith("first-row-of-two"))
    try:
        raw = run_case({"f": lambda x: x[None]}, "f", name, {"x": X}, returns="a tensor of shape (2, 3)")
        response = respond(unpack(pack(raw)))
        assert response.failure is not None
        assert response.failure.kind == "ValueError"
        assert (response.slip, response.arranged) == (AXIS, respond({"result": {"rows": 2, "columns": 3}}))
        right = run_case({"f": lambda x: x}, "f", name, {"x": X}, returns="a tensor of shape (2, 3)")
        assert "arranged" not in right, "a right result is not called again"
    finally:
        del DRIVERS[name]


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda s: st.lists(s, max_size=3)),
    st.sampled_from([AXIS, "", "nonsense", None, 3, ["axis-of-length-one"]]),
)
def test_what_a_child_says_of_it_cannot_hurt(result: Any, slip: Any) -> None:
    """Anything odd is left out."""
    for arranged in ({"slip": slip, "result": result}, result, {"slip": slip}):
        response = respond({"result": math.pi, "arranged": arranged})
        assert response.failure is None
        assert response.slip in ("", AXIS)
        assert (response.arranged is None) == (response.slip == "")
