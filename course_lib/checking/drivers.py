"""How a student's object is put through one case.

Most exercises are a function that is called (`call`).  A class or a function that returns objects (a model, an
optimizer's groups) needs a driver: a few lines that use the object and return plain values, so that only numbers leave
the process in which the student's code runs.

A driver is a function ``(namespace, function, inputs) -> value``; it is the same for the reference, for every
misconception and for the student.  Those of one topic live in its package's `drivers.py`, and a case calls them
``"TOPIC/NAME"``; they are imported when a case first asks for one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "DRIVERS",
    "Driver",
    "as_numbers",
    "attempt",
    "changed_inputs",
    "driver",
    "driver_named",
    "run_case",
    "strided",
    "takes_a_value",
]

Driver = Callable[[Mapping[str, Any], str, dict[str, Any]], Any]

DRIVERS: dict[str, Driver] = {}
"""Drivers that have been imported, by the name that cases use."""

_OWN_LIBRARY = "course_lib"
_OF_VALUES: set[str] = set()


def driver(name: str, *, of_value: bool = False) -> Callable[[Driver], Driver]:
    """Register a driver under a name that cases can use; a topic's own gets the topic in front.

    Args:
        of_value: the student defines a plain value, no function or class.
    """

    def register(function: Driver) -> Driver:
        full = _prefix(function.__module__) + name
        DRIVERS[full] = function
        if of_value:
            _OF_VALUES.add(full)
        return function

    return register


def _prefix(module: str) -> str:
    """`course_lib.TOPIC.drivers` -> ``TOPIC/``; `algebra_lib.projection.drivers` -> ``algebra_lib.projection/``."""
    package = module.removesuffix(".drivers")
    if package == __package__:
        return ""
    return f"{package.removeprefix(f'{_OWN_LIBRARY}.')}/"


def driver_named(name: str) -> Driver:
    """The driver that a case calls so, imported with its topic if it was not yet.

    Raises:
        LookupError: if there is none.
    """
    topic, separator, _ = name.rpartition("/")
    if name not in DRIVERS and separator:
        module = f"{topic if '.' in topic else f'{_OWN_LIBRARY}.{topic}'}.drivers"
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise LookupError(f"there is no driver {name!r}: {error}") from error
    if name not in DRIVERS:
        raise LookupError(f"there is no driver {name!r}; there are: {', '.join(sorted(DRIVERS))}")
    return DRIVERS[name]


def takes_a_value(name: str) -> bool:
    """Whether a driver takes a plain value instead of a function or a class."""
    driver_named(name)
    return name in _OF_VALUES


@driver("call")
def _call(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    return namespace[function](*inputs.values())


@driver("call-strided")
def _call_strided(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """As `call`, with tensors that are not contiguous in memory (bytes cannot carry that, so it is made here)."""
    return namespace[function](*map(strided, inputs.values()))


def strided(value: Any) -> Any:
    """The same numbers with the axes in reverse order in memory, as in Fortran: no two axes can be merged by a view."""
    if not isinstance(value, Tensor) or value.ndim < 2:
        return value
    backwards = tuple(reversed(range(value.ndim)))
    return value.permute(backwards).contiguous().permute(backwards)


@driver("value", of_value=True)
def _value(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """The student defines a plain value (a dict, say): hand it over."""
    return namespace[function]


def as_numbers(result: Any) -> Any:
    """A tensor, an array or nested lists of numbers as a float64 tensor; anything else as it is."""
    if isinstance(result, tuple | list):
        try:
            result = torch.tensor(result, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            return result
    if isinstance(result, np.ndarray) and result.dtype.kind in "biuf":
        result = torch.from_numpy(np.array(result))
    return result.detach().cpu().to(torch.float64) if isinstance(result, Tensor) else result


def run_case(
    namespace: Mapping[str, Any], function: str, driver_name: str, inputs: Mapping[str, Any], device: str = "cpu"
) -> dict[str, Any]:
    """Put an object through a case; the raw response, ready for `values.pack` and `verdict.respond`.

    The object gets copies of the inputs, so `inputs` itself stays as it is and tells which of them were changed.
    """
    raw, given = attempt(namespace, function, driver_name, inputs, device)
    return raw if "error" in raw else {**raw, "changed": changed_inputs(inputs, given)}


def attempt(
    namespace: Mapping[str, Any], function: str, driver_name: str, inputs: Mapping[str, Any], device: str = "cpu"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """As `run_case`, but hands over the copies of the inputs as they are afterwards instead of judging them."""
    if function not in namespace:
        return {"error": "missing", "message": f"{function} is not defined"}, {}
    given = {name: _to_device(value, device) for name, value in inputs.items()}
    try:
        return {"result": driver_named(driver_name)(namespace, function, given)}, given
    # SystemExit too: a call to exit() in an answer must not end the notebook's kernel or the grader's worker.
    except (Exception, SystemExit) as error:
        return {"error": type(error).__name__, "message": _in_one_line(error)}, given


def changed_inputs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the inputs that are not what they were."""
    return tuple(name for name, value in before.items() if name not in after or not _equal(after[name], value))


def _to_device(value: Any, device: str) -> Any:
    if isinstance(value, Tensor):
        return value.detach().to(device, copy=True)
    if isinstance(value, dict):
        return {key: _to_device(item, device) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_to_device(item, device) for item in value)
    return value


def _equal(after: Any, before: Any) -> bool:
    """Whether two inputs hold the same; NaN equals NaN."""
    if isinstance(before, Tensor):
        return isinstance(after, Tensor) and _equal_tensors(after, before)
    if isinstance(before, dict):
        same_keys = isinstance(after, dict) and list(after) == list(before)
        return same_keys and all(_equal(after[key], value) for key, value in before.items())
    if isinstance(before, tuple | list):
        same_length = isinstance(after, tuple | list) and len(after) == len(before)
        return same_length and all(map(_equal, after, before))
    # Nothing else can be changed in place (functions and modules are passed on as they are).
    return True


def _equal_tensors(after: Tensor, before: Tensor) -> bool:
    if after.dtype != before.dtype or after.shape != before.shape:
        return False
    after = after.detach().to(before.device)
    return torch.equal(after, before) or bool(((after == before) | (after.isnan() & before.isnan())).all())


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    if isinstance(error, NotImplementedError) and not text:
        return "not implemented yet"
    return f"{name}: {text[:300]}" if text else name
