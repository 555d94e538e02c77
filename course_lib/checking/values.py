"""Values as bytes: the one format in which answers, inputs and results travel.

A value is a tree of tensors and plain Python values.  It is written as one
safetensors file: the tensors in its body, the tree as JSON in its metadata
(key ``tree``).  Nothing is pickled, so reading a value written by untrusted
code can at worst fail with `ValueFormatError`.

The same format serves the answer data that ships to students, the inputs that
the grader sends into the sandbox and the results that come back: two hundred
small values for each submission.  The library `safetensors` is made for few
large ones and takes several times as long for these, so the format, eight bytes
of length, JSON and numbers, is written and read here.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, MappingView, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import torch

__all__ = ["Iterated", "Unsupported", "ValueFormatError", "as_sent", "pack", "settled", "unpack", "unsupported_in"]

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 16
MAX_NODES = 100_000
MAX_DIMENSIONS = 64
"""NumPy's limit.  A tensor of a hundred thousand dimensions overflows the stack of whoever turns it into a list."""

_PLAIN = (bool, int, float, str)
_MAX_TEXT = 10_000
MAX_HEADER = 1024 * 1024
"""JSON of three bytes (``[],``) takes 64 in memory: a header is where an answer could be large without numbers."""
_SHORT = 2048
"""A header up to this length is remembered; what is made of it takes about twenty times its space."""
_MAX_INT_BITS = 4096
_MAX_ODD_KEYS, _HASH_BITS = 1000, 60
"""Keys and items of sets that could be chosen to have one hash: with very many, a dict takes minutes to build."""
_DTYPES = frozenset(
    getattr(torch, name)
    for name in "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 bfloat16 float32 float64".split()
)
"""Numbers that can be compared; the format itself knows more (complex numbers, floats of four bits)."""
_CODES = {"BOOL": torch.bool, "BF16": torch.bfloat16} | {
    f"{letter}{8 * dtype.itemsize}": dtype
    for dtype in _DTYPES - {torch.bool, torch.bfloat16}
    for letter in ("F" if dtype.is_floating_point else "I" if dtype.is_signed else "U")
}
"""The format's own names of the dtypes."""
_NAMES = {dtype: code for code, dtype in _CODES.items()}
_SIZES: dict[torch.dtype, int] = {dtype: dtype.itemsize for dtype in _DTYPES}
_quoted = json.encoder.encode_basestring_ascii
_raw_decode = json.JSONDecoder().raw_decode


class ValueFormatError(ValueError):
    """The bytes are not a value written by `pack`, or exceed a cap."""


@dataclass(frozen=True)
class Unsupported:
    """Stands for a value that cannot travel; `kind` says what it was, in words."""

    kind: str


class Iterated(list[Any]):
    """What an iterator gave, which gives each item only once."""


def settled(value: Any) -> Any:
    """A result with what its iterators give in their place: each of them can be asked only once."""
    if isinstance(value, Iterator):
        return Iterated(itertools.islice(value, MAX_NODES + 1))
    if type(value) in (tuple, list) and any(isinstance(item, Iterator) for item in value):
        return type(value)(settled(item) for item in value)
    return value


def as_sent(value: Any) -> Any:
    """A value as it is after its way through bytes."""
    return value if _is_simple(value) else unpack(pack(value))


def _is_simple(value: Any) -> bool:
    """Whether it arrives as it is, for sure."""
    if isinstance(value, dict):
        return type(value) is dict and all(_is_simple(key) and _is_simple(item) for key, item in value.items())
    if isinstance(value, tuple | list):
        return type(value) in (tuple, list) and all(map(_is_simple, value))
    if type(value) is torch.Tensor:
        return value.dtype in _DTYPES and value.layout == torch.strided
    return value is None or type(value) in _PLAIN or (type(value) is np.ndarray and value.dtype.kind in "biuf")


def unsupported_in(value: Any) -> str | None:
    """What cannot travel of a value, in words; None if all of it can."""
    todo = [as_sent(value)]
    while todo:
        found = todo.pop()
        if isinstance(found, Unsupported):
            return found.kind
        if isinstance(found, dict):
            todo += [*found, *found.values()]
        elif isinstance(found, tuple | list | Set):
            todo += found
    return None


def pack(value: Any, max_header: int = MAX_HEADER) -> bytes:
    """Write a value as safetensors bytes.

    Args:
        value: tensors, numpy arrays, None, bool, int, float, str, and tuples, lists, sets and dicts of these.  What is
            as good becomes one of them: a range a list, a fraction a float; an iterator becomes `Iterated`.  Anything
            else becomes `Unsupported`.
        max_header: bytes for everything that is not a tensor's numbers.
    """
    tensors: list[torch.Tensor] = []
    try:
        data = _written(_encode(value, tensors, 0, [0]), tensors)
        if int.from_bytes(data[:8], "little") <= max_header:
            return data
    except _TooLargeError:
        pass
    return _written(_unsupported("a structure with too many parts"), [])


def _written(tree: str, tensors: list[torch.Tensor]) -> bytes:
    """The file.  Wide numbers come first and the header's length is a multiple of 8, so that all are aligned."""
    header, parts, end = [f'{{"__metadata__":{{"tree":{_quoted(tree)}}}'], [b"", b""], 0
    for number, tensor in sorted(enumerate(tensors), key=_by_width) if len(tensors) > 1 else enumerate(tensors):
        begin, end = end, end + tensor.nbytes
        where = f'"shape":{list(tensor.shape)},"data_offsets":[{begin},{end}]'
        header.append(f'"{number}":{{"dtype":"{_NAMES[tensor.dtype]}",{where}}}')
        if end > begin:
            parts.append(ctypes.string_at(tensor.data_ptr(), end - begin))
    text = f"{','.join(header)}}}".encode()
    text += b" " * (-len(text) % 8)
    parts[:2] = len(text).to_bytes(8, "little"), text
    return b"".join(parts)


def _by_width(numbered: tuple[int, torch.Tensor]) -> int:
    return -_SIZES[numbered[1].dtype]


class _TooLargeError(Exception):
    """The structure has more parts than `unpack` would accept."""


def _encode(value: Any, tensors: list[torch.Tensor], depth: int, count: list[int]) -> str:
    """A value as JSON."""
    count[0] += 1
    if count[0] > MAX_NODES:
        raise _TooLargeError
    if depth > MAX_DEPTH:
        return _unsupported(f"a structure more than {MAX_DEPTH} levels deep")
    if value is None or type(value) in _PLAIN:
        return _encode_plain(value)
    if isinstance(value, torch.Tensor):
        return _encode_tensor(value, tensors)
    if isinstance(value, dict):
        if _are_too_odd(value):
            return _unsupported(_TOO_ODD.format("dict"))
        inner = [_encode(part, tensors, depth + 1, count) for pair in value.items() for part in pair]
        return f'{{"d":[{",".join(map("[{},{}]".format, inner[::2], inner[1::2]))}]}}'
    if isinstance(value, tuple | list):
        kind = "u" if isinstance(value, tuple) else "i" if isinstance(value, Iterated) else "l"
        return f'{{"{kind}":[{",".join([_encode(item, tensors, depth + 1, count) for item in value])}]}}'
    if isinstance(value, str):
        return _encode_plain(str.__str__(value))
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return _encode_plain(value.item())  # a number, as Python's own
    if isinstance(value, np.ndarray | np.generic):
        return _encode_array(np.asarray(value), tensors)
    if isinstance(value, Unsupported):
        return _unsupported(value.kind)
    if isinstance(value, Fraction | Decimal):
        return _encode_plain(float(value))
    bytewise = isinstance(value, bytes | bytearray | memoryview)
    if isinstance(value, Set | Sequence | MappingView | Iterator) and not bytewise:
        return _encode_items(value, tensors, depth, count)
    if isinstance(value, Mapping):
        return _encode(dict(value), tensors, depth, count)
    name = type(value).__name__
    return _unsupported(f"a{'n' * (name[:1].lower() in 'aeiou')} {name}")


def _unsupported(kind: str) -> str:
    return f'{{"x":{_quoted(kind)}}}'


def _encode_plain(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value) if len(value) <= _MAX_TEXT else _unsupported(f"a text of {len(value)} characters")
    if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
        return _unsupported(f"an integer of {value.bit_length()} bits")
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)
    return json.dumps(value)


def _encode_tensor(value: torch.Tensor, tensors: list[torch.Tensor]) -> str:
    if value.layout != torch.strided:
        return _unsupported(f"a tensor of layout {value.layout}")
    if value.is_quantized:
        return _unsupported("a quantized tensor")
    if value.is_meta:
        return _unsupported("a meta tensor, which holds no numbers")
    if value.dtype not in _DTYPES:
        return _unsupported(f"a {'complex ' * value.is_complex()}tensor of {value.dtype}")
    if value.ndim > MAX_DIMENSIONS:
        return _unsupported(f"a tensor of {value.ndim} dimensions")
    if value.numel() * value.element_size() > MAX_BYTES:  # expanded, it takes no memory yet
        return _unsupported(f"a tensor too large to be handed over ({value.numel()} numbers)")
    plain = value.detach() if value.requires_grad else value
    if plain.is_neg():
        plain = plain.resolve_neg()
    if type(plain) is not torch.Tensor:
        plain = plain.as_subclass(torch.Tensor)
    device = "" if value.is_cpu else f',"device":{_quoted(value.device.type)}'
    tensors.append((plain.to("cpu") if device else plain).contiguous())
    return f'{{"t":"{len(tensors) - 1}"{device}}}'


def _encode_items(value: Any, tensors: list[torch.Tensor], depth: int, count: list[int]) -> str:
    """Sets, in an order that does not change from run to run, and what gives items without being a list."""
    if isinstance(value, Set) and _are_too_odd(value):
        return _unsupported(_TOO_ODD.format("set"))
    items = [_encode(item, tensors, depth + 1, count) for item in itertools.islice(value, MAX_NODES + 1)]
    if isinstance(value, Set) and not isinstance(value, MappingView):
        return f'{{"s":[{",".join(sorted(items))}]}}'
    return f'{{"{"i" if isinstance(value, Iterator) else "l"}":[{",".join(items)}]}}'


_TOO_ODD = f"a {{}} with more than {_MAX_ODD_KEYS} keys that are tuples or very long numbers"


def _are_too_odd(keys: Iterable[Any]) -> bool:
    """Whether more of these keys than are allowed could be made to have one hash: text and usual numbers cannot."""
    odd = (
        not isinstance(k, str | float | None) and not (isinstance(k, int) and k.bit_length() <= _HASH_BITS)
        for k in keys
    )
    return sum(odd) > _MAX_ODD_KEYS


def _encode_array(value: np.ndarray[Any, Any], tensors: list[torch.Tensor]) -> str:
    if value.dtype.kind == "U" and value.size <= MAX_NODES:
        return f'{{"a":[{list(value.shape)},[{",".join(map(_encode_plain, value.ravel().tolist()))}]]}}'
    try:
        tensor = torch.from_numpy(np.array(value, copy=True, order="C"))
    # TypeError: a dtype that torch does not have.  ValueError: a foreign byte order.
    except (TypeError, ValueError):
        return _unsupported(f"a NumPy array of {value.dtype}")
    return _encode_tensor(tensor, tensors).replace('{"t":', '{"n":', 1)


def unpack(data: bytes, max_bytes: int = MAX_BYTES, max_header: int = MAX_HEADER) -> Any:
    """Read what `pack` wrote.

    Raises:
        ValueFormatError: for anything else, including every kind of damage.
    """
    if len(data) > max_bytes:
        raise ValueFormatError(f"{len(data)} bytes, at most {max_bytes} are accepted")
    try:
        header, body = _split(data, max_header)
        tree, places = _read_short(header) if len(header) <= _SHORT else _read_header(header)
        tensors, left = {}, len(body)
        for name, about in places:
            tensors[name] = tensor = _tensor(body, *about)
            left -= tensor.nbytes
            if left < 0:  # parts that overlap could take many times the size of the file
                raise ValueFormatError("more numbers than there are bytes")
        return _decode(tree, tensors, 0, [0])
    except ValueFormatError:
        raise
    # Damage shows in many exception types (KeyError, TypeError, UnicodeDecodeError, RecursionError, RuntimeError, ...).
    except Exception as error:
        raise ValueFormatError(f"not a readable value ({type(error).__name__})") from error


def _split(data: bytes, max_header: int) -> tuple[bytes, bytes]:
    """The file's header, and the bytes behind it."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(len(data) - 8, max_header):
        raise ValueFormatError("header longer than the data, or than a header may be")
    return data[8 : 8 + size], data[8 + size :]


def _read_header(data: bytes) -> tuple[Any, list[tuple[str, list[Any]]]]:
    """The tree, and each tensor's name with its dtype, shape, and begin and end in what comes behind."""
    header = _parsed(data.decode())
    if not isinstance(header, dict):
        raise ValueFormatError("the header is no object")
    tree = _parsed(header.pop("__metadata__")["tree"])
    return tree, [(name, [about["dtype"], about["shape"], *about["data_offsets"]]) for name, about in header.items()]


_read_short = functools.lru_cache(maxsize=512)(_read_header)
"""Whoever grades reads a hundred answers of a submission, and most begin as in all of a class: only numbers differ."""


def _parsed(text: str) -> Any:
    """As `json.loads`, which takes half as long again."""
    value, end = _raw_decode(text)
    if text[end:].strip(" "):
        raise ValueFormatError("something stands behind the JSON")
    return value


def _tensor(body: bytes, code: str, shape: list[int], begin: int, end: int) -> torch.Tensor:
    dtype, size = _CODES.get(code), end - begin
    if dtype is None or len(shape) > MAX_DIMENSIONS:
        raise ValueFormatError(f"a tensor of {code} with {len(shape)} dimensions")
    if not 0 <= begin <= end <= len(body) or math.prod(shape) * _SIZES[dtype] != size:
        raise ValueFormatError("a tensor's place and shape do not fit together")
    tensor = torch.empty(shape, dtype=dtype)
    if tensor.nbytes != size:
        raise ValueFormatError("a tensor's shape is none")
    ctypes.memmove(tensor.data_ptr(), body[begin:end], size)
    return tensor


def _decode(node: Any, tensors: dict[str, torch.Tensor], depth: int, count: list[int]) -> Any:
    count[0] += 1
    if depth > MAX_DEPTH + 1 or count[0] > MAX_NODES:
        raise ValueFormatError("too deep or too many parts")
    if node is None or type(node) in _PLAIN:
        return _decode_plain(node)
    if not isinstance(node, dict) or not node:
        raise ValueFormatError("unknown node")
    kind, content = next(iter(node.items()))
    if kind == "t":
        return tensors[content]
    if kind == "n":
        return tensors[content].numpy()
    if kind == "x":
        return Unsupported(str(content)[:200])
    if kind in ("u", "l") and isinstance(content, list):
        items = [_decode(item, tensors, depth + 1, count) for item in content]
        return tuple(items) if kind == "u" else items
    if kind == "i" and isinstance(content, list):
        return Iterated(_decode(item, tensors, depth + 1, count) for item in content)
    if kind == "s" and isinstance(content, list):
        return _set_of([_decode(item, tensors, depth + 1, count) for item in content])
    if kind == "a" and isinstance(content, list):
        return _texts(*content)
    if kind == "d" and isinstance(content, list):
        keys = [_decode(key, tensors, depth + 1, count) for key, _ in content]
        if _are_too_odd(keys):
            raise ValueFormatError(_TOO_ODD.format("dict"))
        return dict(zip(keys, [_decode(item, tensors, depth + 1, count) for _, item in content], strict=True))
    raise ValueFormatError(f"unknown node {kind[:20]!r}")


def _set_of(items: list[Any]) -> set[Any]:
    if _are_too_odd(items):
        raise ValueFormatError(_TOO_ODD.format("set"))
    return {frozenset(item) if isinstance(item, set) else item for item in items}


def _texts(shape: list[int], texts: list[Any]) -> Any:
    if len(texts) > MAX_NODES or not all(type(text) is str and len(text) <= _MAX_TEXT for text in texts):
        raise ValueFormatError("an array of something else than text")
    longest = max(map(len, texts), default=0)
    if longest * len(texts) * 4 > MAX_BYTES:  # each takes as much memory as the longest
        raise ValueFormatError("an array of long texts")
    return np.array(texts, dtype=str).reshape(shape)


def _decode_plain(value: Any) -> Any:
    """What `_encode_plain` lets through."""
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        raise ValueFormatError(f"a text of {len(value)} characters")
    if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
        raise ValueFormatError(f"an integer of {value.bit_length()} bits")
    return value
