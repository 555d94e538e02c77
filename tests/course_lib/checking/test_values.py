"""Values travel unchanged, and bytes from anyone at all cannot do more than fail to be read."""

from __future__ import annotations

import collections
import itertools
import json
import math
import sys
import types
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from course_lib.checking.comparison import compare
from course_lib.checking.values import MAX_DEPTH, Iterated, Unsupported, ValueFormatError, pack, unpack
from tests.support.fuzzing import fuzz

plain_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=20),
)
values = st.recursive(
    plain_values,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=5), st.integers(), st.booleans()), inner, max_size=4),
    ),
    max_leaves=12,
)
DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool,
    torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64,
]  # fmt: skip


def test_values_with_the_same_header_share_nothing() -> None:
    """A header is read once; what is made of it is made anew each time."""
    first = {"result": [torch.ones(2), {"a": [1]}], "used": ["x"]}
    other = {"result": [torch.zeros(2), {"a": [1]}], "used": ["x"]}
    read = unpack(pack(first))
    read["result"][0] += 5
    read["result"][1]["a"].append(2)
    read["used"].clear()
    assert repr(unpack(pack(other))) == repr(other)
    assert repr(unpack(pack(first))) == repr(first)


@given(values)
def test_plain_values_come_back_equal(value: Any) -> None:
    """A tree of plain values keeps its structure, its types and its numbers."""
    again = unpack(pack(value))
    assert again == value
    assert repr(again) == repr(value)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)], ids=str)
def test_tensors_come_back_bit_for_bit(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    """Dtype, shape and every bit of a tensor survive."""
    tensor = (torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 9).to(dtype)
    again = unpack(pack(tensor))
    assert again.dtype == dtype
    assert torch.equal(again, tensor)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=str)
def test_numbers_that_are_not_finite_survive(value: float) -> None:
    """NaN and infinity are answers too: wrong ones, but they must arrive."""
    assert repr(unpack(pack([value]))) == repr([value])
    tensor = unpack(pack(torch.tensor([value, 1.0])))
    assert repr(tensor[0].item()) == repr(value)


def test_strided_tensors_arrive_contiguous() -> None:
    """Only the numbers of a view travel, not the memory behind it."""
    base = torch.arange(12.0).reshape(3, 4)
    for view in (base.T, base[:, ::2], base[0].expand(5, 4), base.flip(0)):
        again = unpack(pack(view))
        assert torch.equal(again, view)
        assert again.is_contiguous()
    assert len(pack(base[:1, :1])) < len(pack(base))


def test_tensors_that_share_memory_travel_apart() -> None:
    """The same tensor twice, or a view beside its base, comes back as two."""
    x = torch.ones(2, 2)
    first, second, row = unpack(pack((x, x, x[0])))
    first += 1
    assert second.sum() == 4
    assert row.tolist() == [1.0, 1.0]


def test_gradients_stay_behind() -> None:
    """A result that requires a gradient arrives as plain numbers."""
    assert not unpack(pack(torch.nn.Parameter(torch.ones(2)))).requires_grad


@pytest.mark.parametrize(
    "array",
    [np.arange(6.0).reshape(2, 3)[::-1], np.array(3), np.zeros((0, 2)), np.array([True, False])],
    ids=["reversed", "no dimensions", "empty", "bool"],
)
def test_numpy_arrays_come_back_as_arrays(array: Any) -> None:
    """An array stays an array, so that the reason for a lost point can say so."""
    again = unpack(pack(array))
    assert isinstance(again, np.ndarray)
    assert again.dtype == np.asarray(array).dtype
    np.testing.assert_array_equal(again, array)


@pytest.mark.parametrize("number", [np.float32(2.5), np.float64(0.1), np.int64(3), np.bool_(True)], ids=repr)
def test_a_number_of_numpy_is_a_number(number: Any) -> None:
    """It has no axes and takes the dtype of whatever it is used with, as Python's own."""
    again = unpack(pack(number))
    assert type(again) is type(number.item())
    assert again == number


def test_an_expanded_tensor_that_would_fill_the_memory_is_described() -> None:
    """It takes no memory until it is written out; so it is not."""
    huge = torch.zeros(1).expand(200_000, 200_000)
    assert unpack(pack(huge)) == Unsupported("a tensor too large to be handed over (40000000000 numbers)")


class _Liar:
    """Equal to everything, and full of side effects."""

    def __eq__(self, other: object) -> bool:
        return True

    def __reduce__(self) -> Any:
        raise AssertionError("somebody tried to pickle this")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param(_Liar(), "a _Liar", id="object"),
        pytest.param(lambda: None, "a function", id="function"),
        pytest.param(b"bytes", "a bytes", id="bytes"),
        pytest.param(1 + 2j, "a complex", id="complex number"),
        pytest.param(torch.ones(2, dtype=torch.complex64), "a complex tensor of torch.complex64", id="complex tensor"),
        pytest.param(torch.ones(2, 2).to_sparse(), "a tensor of layout torch.sparse_coo", id="sparse tensor"),
        pytest.param(torch.ones(2, device="meta"), "a meta tensor, which holds no numbers", id="meta tensor"),
        pytest.param(np.array([b"a"]), "a NumPy array of |S1", id="array of bytes"),
        pytest.param(np.array([None]), "a NumPy array of object", id="object array"),
        pytest.param(np.arange(3, dtype=">f8"), "a NumPy array of >f8", id="foreign byte order"),
        pytest.param("a" * 20_000, "a text of 20000 characters", id="long text"),
        pytest.param(1 << 10_000, "an integer of 10001 bits", id="huge integer"),
        pytest.param(Unsupported("a model"), "a model", id="already unsupported"),
    ],
)
def test_what_cannot_travel_says_what_it_was(value: Any, kind: str) -> None:
    """An unsupported value is replaced by its kind in words; what stands beside it arrives."""
    assert unpack(pack([value, 7])) == [Unsupported(kind), 7]


def test_deep_and_cyclic_structures_are_cut_off() -> None:
    """A list that contains itself ends at the depth limit."""
    cycle: list[Any] = []
    cycle.append(cycle)
    value = unpack(pack(cycle))
    for _ in range(MAX_DEPTH + 1):
        (value,) = value
    assert isinstance(value, Unsupported)


def test_structures_that_explode_are_refused() -> None:
    """Ten references to ten references to ... are few objects but more nodes than any answer needs."""
    value: list[Any] = [0] * 10
    for _ in range(7):
        value = [value] * 10
    assert isinstance(unpack(pack(value)), Unsupported)


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff" * 16)
@example((2).to_bytes(8, "little") + b"{}")
@example((20).to_bytes(8, "little") + b'{"__metadata__":{}} ')
@example((1 << 63).to_bytes(8, "little") + b"{}")
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    """Bytes that `pack` did not write raise `ValueFormatError` and nothing else."""
    with pytest.raises(ValueFormatError):
        unpack(data)


SAMPLE = pack({"y": torch.arange(6.0).reshape(2, 3), "n": [1, 2.5, None, "text"], "a": np.arange(3)})


@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), min_size=1, max_size=6))
@fuzz(300)
def test_damaged_bytes_are_refused_or_read(changes: list[tuple[int, int]]) -> None:
    """Whatever bytes are overwritten, reading gives a value or `ValueFormatError`."""
    data = bytearray(SAMPLE)
    for position, byte in changes:
        data[position] = byte
    _read(bytes(data))


@given(st.integers(0, len(SAMPLE) - 1))
def test_truncated_bytes_are_refused(length: int) -> None:
    """A message that was cut off is never half read."""
    with pytest.raises(ValueFormatError):
        unpack(SAMPLE[:length])


json_trees = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["t", "n", "x", "u", "l", "d", "", "ul", "z"]), inner, max_size=2),
    ),
    max_leaves=8,
)


@given(json_trees)
@fuzz(300)
def test_forged_trees_are_refused_or_read(tree: Any) -> None:
    """A well-formed file with any tree at all gives a value or `ValueFormatError`."""
    _read(safetensors.torch.save({"0": torch.ones(2)}, {"tree": json.dumps(tree)}))


def test_endless_nesting_is_refused() -> None:
    """Thousands of brackets exhaust neither the stack nor the patience."""
    tree = '{"l":[' * 5000 + "]}" * 5000
    with pytest.raises(ValueFormatError):
        unpack(safetensors.torch.save({}, {"tree": tree}))


def test_too_many_bytes_are_refused() -> None:
    """The size cap holds before anything is parsed."""
    with pytest.raises(ValueFormatError, match="at most 10 are accepted"):
        unpack(SAMPLE, max_bytes=10)


def _read(data: bytes) -> None:
    try:
        value = unpack(data)
    except ValueFormatError:
        return
    # What was read can be looked at and written again.
    repr(value)
    pack(value)
    assert compare(value, torch.ones(3)) is not None or isinstance(value, torch.Tensor | np.ndarray)


@pytest.mark.parametrize(
    "value", [{}, [torch.arange(3), torch.tensor([True]), torch.ones(2, 2)]], ids=["none", "three"]
)
def test_a_file_is_one_of_the_library_s(value: Any) -> None:
    """What is written by hand here is what `safetensors` reads, and the other way round."""
    tensors = safetensors.torch.load(pack(value))
    assert all(torch.equal(tensors[str(number)], tensor) for number, tensor in enumerate(value))
    tree = json.dumps({"l": [{"t": str(number)} for number in range(len(value))]})
    again = unpack(safetensors.torch.save(tensors, {"tree": tree}))
    assert all(map(torch.equal, again, value))


@pytest.mark.parametrize(
    "about",
    [
        {"shape": [2], "data_offsets": [0, 16]},
        {"shape": [1], "data_offsets": [8, 0]},
        {"shape": [-1, -1], "data_offsets": [0, 8]},
        {"shape": [1.0], "data_offsets": [0, 8]},
        {"shape": [1], "data_offsets": [-8, 0]},
        {"shape": [1 << 62, 4], "data_offsets": [0, 0]},
        {"shape": [0, 1 << 70], "data_offsets": [0, 0]},
        {"shape": [1] * 65, "data_offsets": [0, 8]},
        {"shape": [1], "data_offsets": [0, 8, 8]},
        {"shape": "1", "data_offsets": [0, 8]},
        {"shape": [1]},
    ],
    ids=str,
)
def test_tensors_that_lie_nowhere_are_refused(about: dict[str, Any]) -> None:
    """A place, a shape and a size that do not fit together take no memory and read none."""
    with pytest.raises(ValueFormatError):
        unpack(_file({"0": {"dtype": "F64", **about}}, bytes(8)))


def test_tensors_that_overlap_are_refused() -> None:
    """A thousand times the same eight bytes would be a file that grows when it is read."""
    same = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}
    with pytest.raises(ValueFormatError, match="more numbers than there are bytes"):
        unpack(_file({str(number): same for number in range(2)}, bytes(8)))


def _file(tensors: dict[str, Any], body: bytes) -> bytes:
    header = json.dumps({"__metadata__": {"tree": '{"t":"0"}'}, **tensors}).encode()
    return len(header).to_bytes(8, "little") + header + body


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        ({1, "a", (1, 2)}, {1, "a", (1, 2)}),
        ([{frozenset({1}), 2}], [{frozenset({1}), 2}]),
        (range(3), [0, 1, 2]),
        ({"a": 1}.keys(), ["a"]),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (Fraction(1, 4), 0.25),
        (Decimal("0.5"), 0.5),
        (np.str_("a"), "a"),
        (reversed([1, 2]), Iterated([2, 1])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_as_good_arrives(value: Any, arrives: Any) -> None:
    """Of several ways to hold the same, a person would not ask which."""
    seen = unpack(pack(value))
    assert seen == arrives
    assert type(seen) is type(arrives)


def test_arrays_of_text_keep_their_shape() -> None:
    """Whoever gets one can use it as it was given."""
    array = np.array([["a", "bc"], ["", "d"]])
    seen = unpack(pack(array))
    assert (seen.dtype.kind, seen.shape) == ("U", (2, 2))
    assert (seen == array).all()


def test_an_iterator_without_an_end_is_cut() -> None:
    """It is read only as far as anything is."""
    assert unpack(pack(itertools.count())) == Unsupported("a structure with too many parts")


@pytest.mark.parametrize("kind", ["d", "s"])
@pytest.mark.parametrize("key", ["{}", '{{"u":[{}]}}'], ids=["numbers", "tuples"])
def test_keys_that_were_chosen_to_collide_are_refused(kind: str, key: str) -> None:
    """Thirty thousand numbers with one hash would take a dict seven seconds, for each answer."""
    keys = [key.format(n * sys.hash_info.modulus) for n in range(1, 5000)]
    items = [f"[{text},null]" for text in keys] if kind == "d" else keys
    header = json.dumps({"__metadata__": {"tree": f'{{"{kind}":[{",".join(items)}]}}'}}).encode()
    with pytest.raises(ValueFormatError, match="more than 1000 keys"):
        unpack(len(header).to_bytes(8, "little") + header)
    assert "more than 1000 keys" in unpack(pack({n * sys.hash_info.modulus: 1 for n in range(5000)})).kind
