"""Would this function work on a GPU?  Answered without one.

The function is called with fake tensors that claim to lie on `cuda` and hold no numbers (`FakeTensorMode`): an
operation that mixes devices fails as it would on a GPU.  The answer is advice and never points: code that asks for
values (``if x.sum() > 0``) cannot be followed, and the process that traces is the student's own.
"""

from __future__ import annotations

import functools
import linecache
import logging
import re
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from course_lib.checking.drivers import driver_named, tensors_in
from course_lib.checking.fault import innermost_of_student
from course_lib.checking.keys import CaseKey

__all__ = [
    "DRIVERS_TRACED",
    "GpuFault",
    "gpu_advice",
    "gpu_fault",
    "may_leave_the_gpu",
    "traced_cases",
    "warm_up",
    "warm_up_in_background",
]

# What a function must name to bring in a tensor on another device than its inputs'.  Tracing costs 8 ms a function
# (and 1.5 s the first time), reading its names nothing.
_SOURCES = frozenset(
    "zeros ones empty full eye arange range linspace logspace tensor as_tensor asarray scalar_tensor from_numpy "
    "frombuffer rand randn randint randperm normal Tensor FloatTensor DoubleTensor LongTensor BoolTensor IntTensor "
    "numpy np array stack cpu to device one_hot meshgrid tril_indices triu_indices combinations cartesian_prod "
    "complex hann_window bartlett_window blackman_window vander empty_strided sparse_coo_tensor exec eval".split()
)

DRIVERS_TRACED = frozenset({"call", "call-strided"})
"""Drivers that make no tensors of their own."""


def traced_cases(cases: Iterable[CaseKey]) -> tuple[CaseKey, ...]:
    """Of each function the smallest case that can be traced."""
    smallest: dict[str, CaseKey] = {}
    for case in sorted(cases, key=lambda case: case.size):
        if case.driver in DRIVERS_TRACED:
            smallest.setdefault(case.function, case)
    return tuple(smallest.values())


_MOST = 500
_MOST_OPERATIONS, _MOST_REPEATED = 60, 15
"""A loop does the same again and again, and an operation on fake tensors takes half a millisecond."""
_SAFE_IN_A_THREAD = (2, 13)
_warming = threading.Lock()
_LOG = logging.getLogger("torch._subclasses.fake_tensor")

_ADVICE = {
    "mixed": "`{function}` will fail on a GPU: {made} on the CPU and {meet} an input that lies on the GPU. Make new "
    "tensors where the inputs are, with `device={input}.device`.",
    "numpy": "`{function}` will fail on a GPU: NumPy cannot read a tensor that lies there (`{input}`, or what is made "
    "of it).",
    "result": "On a GPU the result of `{function}` stays on the CPU. Make new tensors where the inputs are, with "
    "`device={input}.device`.",
}
_MOST_NAMES, _LONGEST_NAME = 2, 40


@dataclass(frozen=True)
class GpuFault:
    """What would go wrong on a GPU.  No sentences, so that nobody can put his own into the grader's mouth.

    Attributes:
        kind: ``mixed`` (devices), ``numpy`` (reads a tensor on the GPU), ``result`` (lies on the CPU).
        made: the student's variables that lie on the CPU.
        line: where, counted from the first line of the function, if no variable is known.
    """

    kind: str
    made: tuple[str, ...] = ()
    line: int | None = None

    @classmethod
    def read(cls, raw: object) -> GpuFault | None:
        """What untrusted code may have written; None for anything odd."""
        if not isinstance(raw, dict) or raw.get("kind") not in _ADVICE:
            return None
        made, line = raw.get("made"), raw.get("line")
        names = [name for name in made if isinstance(name, str)] if isinstance(made, list) else []
        plain = tuple(name for name in names[:_MOST_NAMES] if name.isidentifier() and len(name) <= _LONGEST_NAME)
        return cls(raw["kind"], plain, line if type(line) is int and 0 < line < 10_000 else None)

    def told(self, function: str, inputs: Mapping[str, Any]) -> str:
        """In words, for a function and its inputs."""
        of_a_tensor = next((name for name, value in inputs.items() if next(tensors_in(value), None) is not None), "x")
        if self.made:
            made = f"{' and '.join(f'`{name}`' for name in self.made)} {'are' if len(self.made) > 1 else 'is'} made"
        else:
            made = f"in its line {self.line} a tensor is made" if self.line else "a tensor is made"
        meet = "meet" if len(self.made) > 1 else "meets"
        return _ADVICE[self.kind].format(function=function, input=of_a_tensor, made=made, meet=meet)


class _NumpyOnGpuError(Exception):
    """A tensor on the GPU is handed to NumPy."""


class _UnknownError(Exception):
    """The trace cannot be followed further."""


class _Watch(TorchFunctionMode):
    """Sees tensors on their way to NumPy, of which fake tensors know nothing; ends a trace that gets long."""

    def __init__(self) -> None:
        super().__init__()
        self._left, self._repeated_left = _MOST_OPERATIONS, _MOST_REPEATED
        self._seen: set[tuple[Any, types.CodeType, int]] = set()

    def __torch_function__(
        self, func: Callable[..., Any], kinds: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in (Tensor.numpy, Tensor.__array__, Tensor.tolist, Tensor.__float__, Tensor.__bool__):
            on_gpu = bool(args) and isinstance(args[0], Tensor) and args[0].device.type == "cuda"
            if on_gpu and func in (Tensor.numpy, Tensor.__array__):
                raise _NumpyOnGpuError
            raise _UnknownError
        frame = sys._getframe(1)
        here = (func, frame.f_code, frame.f_lineno)
        self._left -= 1
        self._repeated_left -= here in self._seen
        self._seen.add(here)
        if self._left < 0 or self._repeated_left < 0:
            raise _UnknownError
        return func(*args, **(kwargs or {}))


@functools.cache
def warm_up() -> None:
    """Do the first trace, whose imports take a second; once, and whoever asks meanwhile waits for it."""
    with _warming:
        _trace({"f": lambda x: x @ torch.ones(4, 4)}, "f", "call", {"x": torch.ones(2, 4)})


def warm_up_in_background() -> None:
    """Begin with `warm_up` while the student reads on.

    Not with an older PyTorch: with 2.11 on Python 3.13, a trace in a thread that has ended made the next `backward`
    crash.  The first check takes a second longer there.

    A Python that ends meanwhile waits for the thread: PyTorch aborts the process if its code is still running then.
    """
    if tuple(map(int, torch.__version__.split(".")[:2])) < _SAFE_IN_A_THREAD:
        return
    threading.Thread(target=warm_up, name="gpu-trace-warm-up", daemon=False).start()


def may_leave_the_gpu(function: Any) -> bool:
    """Whether a function, or one that it calls, names anything that could make or keep a tensor elsewhere.

    False is certain; True is a reason to trace.
    """
    todo: list[Any] = [function]
    seen: set[int] = set()
    while todo:
        found = todo.pop()
        if isinstance(found, Tensor | np.ndarray):
            return True
        if id(found) in seen or len(seen) > _MOST:
            continue
        seen.add(id(found))
        if isinstance(found, type) and found.__module__ == "__main__":
            todo += vars(found).values()
        if not isinstance(found, types.FunctionType):
            continue
        names = set(_names(found.__code__))
        if names & _SOURCES:
            return True
        todo += [cell.cell_contents for cell in found.__closure__ or () if _is_filled(cell)]
        todo += [*(found.__defaults__ or ()), *(found.__kwdefaults__ or {}).values()]
        todo += [found.__globals__[name] for name in names if name in found.__globals__]
    return not isinstance(function, types.FunctionType)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def gpu_advice(namespace: Mapping[str, Any], function: str, driver: str, inputs: Mapping[str, Any]) -> str | None:
    """What to know before running a function on a GPU, in words; None if nothing is wrong or nothing can be said.

    Args:
        namespace, function, driver, inputs: as for `drivers.run_case`.
    """
    fault = gpu_fault(namespace, function, driver, inputs)
    return fault.told(function, inputs) if fault is not None else None


def gpu_fault(namespace: Mapping[str, Any], function: str, driver: str, inputs: Mapping[str, Any]) -> GpuFault | None:
    """The same as it is found."""
    if driver not in DRIVERS_TRACED or function not in namespace or next(tensors_in(inputs), None) is None:
        return None
    if not may_leave_the_gpu(namespace[function]):
        return None
    return _trace(namespace, function, driver, inputs)


def _trace(namespace: Mapping[str, Any], function: str, driver: str, inputs: Mapping[str, Any]) -> GpuFault | None:
    # What the framework would log of an operation that fails is said here in the student's own terms.
    _LOG.disabled, was_disabled = True, _LOG.disabled
    try:
        with warnings.catch_warnings(), FakeTensorMode(allow_non_fake_inputs=True), _Watch():
            warnings.simplefilter("ignore")
            result = driver_named(driver)(namespace, function, {name: _faked(value) for name, value in inputs.items()})
            on_cpu = any(tensor.device.type == "cpu" for tensor in tensors_in(result))
    except _NumpyOnGpuError:
        return GpuFault("numpy")
    except Exception as error:
        mixed = "same device" in str(error) or "different devices" in str(error)
        return _where_devices_meet(error, namespace[function]) if mixed else None
    finally:
        _LOG.disabled = was_disabled
    return GpuFault("result") if on_cpu else None


def _where_devices_meet(error: Exception, function: Any) -> GpuFault:
    """With the student's own variables that lie on the CPU where the trace ended, else with the line."""
    frame, number = innermost_of_student(error.__traceback__)
    if frame is None:
        return GpuFault("mixed")
    names = [name for name, value in frame.f_locals.items() if isinstance(value, Tensor) and value.device.type == "cpu"]
    line = linecache.getline(frame.f_code.co_filename, number)
    used = [name for name in names if name in re.findall(r"\w+", line)] or names
    inside = frame.f_code is getattr(function, "__code__", None)
    return GpuFault("mixed", tuple(used[:_MOST_NAMES]), number - frame.f_code.co_firstlineno + 1 if inside else None)


def _faked(value: Any) -> Any:
    if isinstance(value, Tensor):
        return torch.empty(value.shape, dtype=value.dtype, device="cuda")
    if isinstance(value, dict):
        return {key: _faked(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_faked(item) for item in value)
    return value
