"""Values as bytes: the one format in which answers, inputs and results travel.

A value is a tree of tensors and plain Python values.  It is written as one
`safetensors` file: the tensors in its body, the tree as JSON in its metadata
(key ``tree``).  Nothing is pickled, so reading a value written by untrusted
code can at worst fail with `ValueFormatError`.

The same format serves the answer data that ships to students, the inputs that
the grader sends into the sandbox and the results that come back.
"""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors
import torch

__all__ = ["Unsupported", "ValueFormatError", "pack", "unpack"]

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 16
MAX_NODES = 100_000
MAX_DIMENSIONS = 64
"""NumPy's limit.  A tensor of a hundred thousand dimensions overflows the stack of whoever turns it into a list."""

_PLAIN = (bool, int, float, str)
_MAX_TEXT = 10_000
MAX_HEADER = 1024 * 1024
"""JSON of three bytes (``[],``) takes 64 in memory: a header is where an answer could be large without numbers."""
_MAX_INT_BITS = 4096
_DTYPES = frozenset(
    getattr(torch, name)
    for name in "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 bfloat16 float32 float64".split()
)
"""Numbers that can be compared; the format itself knows more (complex numbers, floats of four bits)."""
_NAMES = {dtype: str(dtype).removeprefix("torch.") for dtype in _DTYPES}
_CODES = {"BOOL": torch.bool, "BF16": torch.bfloat16} | {
    f"{letter}{8 * dtype.itemsize}": dtype
    for dtype in _DTYPES - {torch.bool, torch.bfloat16}
    for letter in ("F" if dtype.is_floating_point else "I" if dtype.is_signed else "U")
}
"""The format's own names of the dtypes."""
_NOWHERE = torch.zeros(1)


class ValueFormatError(ValueError):
    """The bytes are not a value written by `pack`, or exceed a cap."""


@dataclass(frozen=True)
class Unsupported:
    """Stands for a value that cannot travel; `kind` says what it was, in words."""

    kind: str


def pack(value: Any, max_header: int = MAX_HEADER) -> bytes:
    """Write a value as safetensors bytes.

    Args:
        value: tensors, numpy arrays, None, bool, int, float, str, and tuples,
            lists and dicts of these.  Anything else becomes `Unsupported`.
        max_header: bytes for everything that is not a tensor's numbers.
    """
    tensors: dict[str, torch.Tensor] = {}
    try:
        data = _serialized(_encode(value, tensors, 0, [0]), tensors)
        if int.from_bytes(data[:8], "little") <= max_header:
            return data
    except _TooLargeError:
        pass
    return _serialized({"x": "a structure with too many parts"}, {})


def _serialized(tree: Any, tensors: dict[str, torch.Tensor]) -> bytes:
    specs = {name: _spec(tensor) for name, tensor in tensors.items()}
    return bytes(safetensors.serialize(specs, {"tree": json.dumps(tree)}))


def _spec(tensor: torch.Tensor) -> Any:
    """Where a plain contiguous tensor lies; `safetensors.torch.save` finds the same at many times the cost."""
    where = tensor.data_ptr() or _NOWHERE.data_ptr()  # nothing may be read from address 0, not even no bytes
    if not hasattr(safetensors, "TensorSpec"):  # before 0.8, which students may have, it takes the bytes themselves
        data = ctypes.string_at(where, tensor.nbytes)
        return {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data": data}
    return safetensors.TensorSpec(
        dtype=_NAMES[tensor.dtype], shape=tensor.shape, data_ptr=where, data_len=tensor.nbytes
    )


class _TooLargeError(Exception):
    """The structure has more parts than `unpack` would accept."""


def _encode(value: Any, tensors: dict[str, torch.Tensor], depth: int, count: list[int]) -> Any:
    count[0] += 1
    if count[0] > MAX_NODES:
        raise _TooLargeError
    if depth > MAX_DEPTH:
        return {"x": f"a structure more than {MAX_DEPTH} levels deep"}
    if value is None or type(value) in _PLAIN:
        return _encode_plain(value)
    if isinstance(value, torch.Tensor):
        return _encode_tensor(value, tensors)
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return _encode_plain(value.item())  # a number, as Python's own
    if isinstance(value, np.ndarray | np.generic):
        return _encode_array(np.asarray(value), tensors)
    if isinstance(value, Unsupported):
        return {"x": value.kind}
    if isinstance(value, dict):
        pairs = [[_encode(part, tensors, depth + 1, count) for part in pair] for pair in value.items()]
        return {"d": pairs}
    if isinstance(value, tuple | list):
        kind = "u" if isinstance(value, tuple) else "l"
        return {kind: [_encode(item, tensors, depth + 1, count) for item in value]}
    name = type(value).__name__
    return {"x": f"a{'n' * (name[:1].lower() in 'aeiou')} {name}"}


def _encode_plain(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        return {"x": f"a text of {len(value)} characters"}
    if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
        return {"x": f"an integer of {value.bit_length()} bits"}
    return value


def _encode_tensor(value: torch.Tensor, tensors: dict[str, torch.Tensor]) -> Any:
    if value.layout != torch.strided:
        return {"x": f"a tensor of layout {value.layout}"}
    if value.is_quantized:
        return {"x": "a quantized tensor"}
    if value.device.type == "meta":
        return {"x": "a meta tensor, which holds no numbers"}
    if value.dtype not in _DTYPES:
        return {"x": f"a {'complex ' * value.is_complex()}tensor of {value.dtype}"}
    if value.ndim > MAX_DIMENSIONS:
        return {"x": f"a tensor of {value.ndim} dimensions"}
    if value.numel() * value.element_size() > MAX_BYTES:  # expanded, it takes no memory yet
        return {"x": f"a tensor too large to be handed over ({value.numel()} numbers)"}
    plain = value.detach().resolve_conj().resolve_neg()
    if type(plain) is not torch.Tensor:
        plain = plain.as_subclass(torch.Tensor)
    name = str(len(tensors))
    tensors[name] = plain.to("cpu").contiguous()
    node = {"t": name}
    if value.device.type != "cpu":
        node["device"] = value.device.type
    return node


def _encode_array(value: np.ndarray[Any, Any], tensors: dict[str, torch.Tensor]) -> Any:
    try:
        tensor = torch.from_numpy(np.array(value, copy=True, order="C"))
    # TypeError: a dtype that torch does not have.  ValueError: a foreign byte order.
    except (TypeError, ValueError):
        return {"x": f"a NumPy array of {value.dtype}"}
    node = _encode_tensor(tensor, tensors)
    return {"n": node["t"]} if "t" in node else node


def unpack(data: bytes, max_bytes: int = MAX_BYTES, max_header: int = MAX_HEADER) -> Any:
    """Read what `pack` wrote.

    Raises:
        ValueFormatError: for anything else, including every kind of damage.
    """
    if len(data) > max_bytes:
        raise ValueFormatError(f"{len(data)} bytes, at most {max_bytes} are accepted")
    try:
        tree = json.loads(_metadata(data, max_header)["tree"])
        tensors = {name: _tensor(view) for name, view in safetensors.deserialize(data)}  # type: ignore[no-untyped-call]
        return _decode(tree, tensors, 0, [0])
    except ValueFormatError:
        raise
    # Damage shows in many exception types, here and inside the Rust reader (SafetensorError,
    # KeyError for an unknown dtype, UnicodeDecodeError, RecursionError, RuntimeError, ...).
    except Exception as error:
        raise ValueFormatError(f"not a readable value ({type(error).__name__})") from error


def _tensor(view: dict[str, Any]) -> torch.Tensor:
    dtype = _CODES.get(view["dtype"])
    if dtype is None or len(view["shape"]) > MAX_DIMENSIONS:
        raise ValueFormatError(f"a tensor of {view['dtype']} with {len(view['shape'])} dimensions")
    if not view["data"]:
        return torch.empty(view["shape"], dtype=dtype)
    return torch.frombuffer(view["data"], dtype=dtype).reshape(view["shape"])


def _metadata(data: bytes, max_header: int) -> dict[str, str]:
    if len(data) < 8:
        raise ValueFormatError("too short")
    size = int.from_bytes(data[:8], "little")
    if size > min(len(data) - 8, max_header):
        raise ValueFormatError("header longer than the data, or than a header may be")
    metadata = json.loads(data[8 : 8 + size]).get("__metadata__")
    if not isinstance(metadata, dict):
        raise ValueFormatError("no metadata")
    return metadata


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
    if kind == "d" and isinstance(content, list):
        return {
            _decode(key, tensors, depth + 1, count): _decode(item, tensors, depth + 1, count) for key, item in content
        }
    raise ValueFormatError(f"unknown node {kind[:20]!r}")


def _decode_plain(value: Any) -> Any:
    """What `_encode_plain` lets through."""
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        raise ValueFormatError(f"a text of {len(value)} characters")
    if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
        raise ValueFormatError(f"an integer of {value.bit_length()} bits")
    return value
