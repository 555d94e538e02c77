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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.checking.comparison import describe
from course_lib.checking.shapes import in_shape, shape_in_words
from course_lib.checking.values import pack, settled
from course_lib.checking.watch import Watch

__all__ = [
    "CONTIGUOUS",
    "DRIVERS",
    "STRIDED",
    "Driver",
    "Shown",
    "as_numbers",
    "attempt",
    "called",
    "can_change",
    "cast",
    "changed_inputs",
    "copied",
    "driver",
    "driver_named",
    "eased",
    "floating_dtype",
    "run_case",
    "shown_by",
    "strided",
    "takes_a_value",
    "tensors_in",
]

Driver = Callable[[Mapping[str, Any], str, dict[str, Any]], Any]

STRIDED = "-strided"
"""Ends the name of a driver that hands over tensors which are not contiguous in memory."""

CONTIGUOUS = "contiguous"

_OWN_LIBRARY = "course_lib"
_SHORT = 50
"""A longer expression is not read as a name."""

DRIVERS: dict[str, Driver] = {}
"""Drivers that have been imported, by the name that cases use."""


@dataclass(frozen=True)
class Shown:
    """How a case of a driver looks in plain code, for the example that a student can paste and run.

    Attributes:
        call: lines that make ``result`` out of the inputs, which stand above under their names; ``{function}`` is what
            the student defined, ``{arguments}`` are the names of the inputs.
        outputs: output name -> expression in ``result``; each is ``result`` itself if there is none at all, and one
            that is left out has no example.
        words: output name -> what it is called in a sentence, beginning with "the", where its expression says less.
        hides: inputs that are not shown as they are, because `prepare` shows them in another way.
        prepare: lines that come before the call, from the inputs; without any the case has no example.
    """

    call: str = "result = {function}({arguments})"
    outputs: Mapping[str, str] = field(default_factory=dict)
    hides: tuple[str, ...] = ()
    prepare: Callable[[Mapping[str, Any]], Sequence[str]] | None = None
    words: Mapping[str, str] = field(default_factory=dict)


_SHOWN: dict[str, Shown] = {}
_OF_VALUES: set[str] = set()


def driver(name: str, *, of_value: bool = False, shown: Shown | None = None) -> Callable[[Driver], Driver]:
    """Register a driver under a name that cases can use; a topic's own gets the topic in front.

    Args:
        of_value: the student defines a plain value, no function or class.
        shown: how its cases look in plain code; without it a card shows no example of them.
    """

    def register(function: Driver) -> Driver:
        full = _prefix(function.__module__) + name
        DRIVERS[full] = function
        if of_value:
            _OF_VALUES.add(full)
        if shown is not None:
            _SHOWN[full] = shown
        return function

    return register


def shown_by(name: str) -> Shown | None:
    """How cases of a driver look in plain code."""
    driver_named(name)
    return _SHOWN.get(name)


def called(name: str, output: str) -> str:
    """What a student calls an output.

    What a driver makes of a result has words of its own, or is called as it is made, if that is short.
    """
    how = shown_by(name)
    if how is not None and output in how.words:
        return how.words[output]
    made = how.outputs.get(output, "") if how is not None else ""
    return made if 0 < len(made) <= _SHORT else output


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


@driver("call", shown=Shown())
def _call(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    return namespace[function](*inputs.values())


@driver("call-strided", shown=Shown())
def _call_strided(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """As `call`, with tensors that are not contiguous in memory (bytes cannot carry that, so it is made here)."""
    return namespace[function](*map(strided, inputs.values()))


def strided(value: Any) -> Any:
    """The same numbers with the axes in reverse order in memory, as in Fortran: no two axes can be merged by a view."""
    if not isinstance(value, Tensor) or value.ndim < 2:
        return value
    backwards = tuple(reversed(range(value.ndim)))
    return value.permute(backwards).contiguous().permute(backwards)


@driver("value", of_value=True, shown=Shown(call="result = {function}"))
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
    namespace: Mapping[str, Any],
    function: str,
    driver_name: str,
    inputs: Mapping[str, Any],
    device: str = "cpu",
    *,
    forbidden: tuple[str, ...] = (),
    twice: bool = False,
    returns: str = "",
) -> dict[str, Any]:
    """Put an object through a case; the raw response, ready for `values.pack` and `keys.respond`.

    The object gets copies of the inputs, so `inputs` itself stays as it is and tells which of them were changed.

    Args:
        forbidden: say which of these operations ran.
        twice: call a second time, watched in another way, and hand over its result too if it differs.
        returns: what the function should return, in words.  Where the driver takes it apart and it has another shape,
            what comes of the same numbers in that shape is handed over, too.
    """
    raw, given = attempt(
        namespace, function, driver_name, inputs, device, forbidden=forbidden, twice=twice, returns=returns
    )
    return raw if "error" in raw else {**raw, "changed": changed_inputs(eased(inputs, raw.get("eased", ())), given)}


def attempt(
    namespace: Mapping[str, Any],
    function: str,
    driver_name: str,
    inputs: Mapping[str, Any],
    device: str = "cpu",
    *,
    forbidden: tuple[str, ...] = (),
    twice: bool = False,
    returns: str = "",
    anew: Callable[[], dict[str, Any]] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """As `run_case`, but hands over the copies of the inputs as they are afterward instead of judging them.

    Args:
        anew: makes the inputs once more, should a call fail; with it a single call gets `inputs` themselves.
    """
    if function not in namespace:
        return {"error": "missing", "message": f"{function} is not defined"}, {}
    with Watch(forbidden, "functions") as watch:
        raw, given = _with_ease(namespace, function, driver_name, inputs, device, None if twice else anew)
    used = watch.used
    if twice and "error" not in raw:
        with Watch(() if used else forbidden, "operations") as watch:
            again, _ = _with_ease(namespace, function, driver_name, inputs, device)
        used = used or watch.used
        if not _are_same(raw, again):
            raw["again"] = again
    if returns and raw.get("returned", returns) != returns:
        once_more = inputs if twice or anew is None else anew()
        mended, _ = _with_ease(namespace, function, driver_name, once_more, device, returns=returns)
        if "slip" in mended and "result" in mended:
            raw["arranged"] = {"slip": mended["slip"], "result": mended["result"]}
    return {**raw, "used": used} if forbidden else raw, given


def _are_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two responses are the same to the last bit."""
    try:
        return pack(one) == pack(other)
    except Exception:  # an object that only pretends to be a tensor
        return False


def _with_ease(
    namespace: Mapping[str, Any],
    function: str,
    driver_name: str,
    inputs: Mapping[str, Any],
    device: str,
    anew: Callable[[], dict[str, Any]] | None = None,
    returns: str = "",
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Call; where that raises, with inputs that are easier to take: one slip should not hide everything else."""
    own = dict(inputs) if anew is not None and device == "cpu" else _copies(inputs, device)
    raw, given, error = _once(namespace, function, driver_name, own, device, returns)
    if isinstance(error, NotImplementedError) or not isinstance(error, RuntimeError | TypeError | ValueError):
        return raw, given
    inputs = anew() if anew is not None else inputs
    for ease in _eases(driver_name, inputs):
        name = driver_name.removesuffix(STRIDED) if CONTIGUOUS in ease else driver_name
        easier, other, failed = _once(namespace, function, name, _copies(eased(inputs, ease), device), device, returns)
        if failed is None:
            return {**easier, "eased": ease, "obstacle": raw["message"]}, other
    return raw, given


def _copies(inputs: Mapping[str, Any], device: str) -> dict[str, Any]:
    return {name: copied(value, device) for name, value in inputs.items()}


def _once(
    namespace: Mapping[str, Any],
    function: str,
    driver_name: str,
    given: dict[str, Any],
    device: str,
    returns: str = "",
) -> tuple[dict[str, Any], dict[str, Any], BaseException | None]:
    plain = driver_name.removesuffix(STRIDED) == "call"
    recorder = None if plain or isinstance(namespace[function], type) else _Recorder(namespace[function], returns)
    if recorder is not None and callable(recorder.function):
        namespace = {**namespace, function: recorder}
    raw: dict[str, Any]
    try:
        result = settled(driver_named(driver_name)(namespace, function, given))
        raw, failed = {"result": result}, None
        if plain and device != "cpu" and isinstance(result, Tensor) and result.device.type != torch.device(device).type:
            raw["device"] = result.device.type
    # SystemExit too: a call to exit() in an answer must not end the notebook's kernel or the grader's worker.
    except (Exception, SystemExit) as error:
        raw, failed = {"error": type(error).__name__, "message": _in_one_line(error)}, error
    if recorder is not None and recorder.returned:
        raw["returned"] = recorder.returned
    if recorder is not None and recorder.slip:
        raw["slip"] = recorder.slip
    return raw, given, failed


class _Recorder:
    """A function, and what it returned last, in words: its driver may take that apart.

    Args:
        returns: what it should return, in words, if its driver is to get the same numbers in that shape.
    """

    def __init__(self, function: Any, returns: str = "") -> None:
        self.function = function
        self.returned = self.slip = ""
        self._shape = shape_in_words(returns)

    def __call__(self, *args: Any, **settings: Any) -> Any:
        result = self.function(*args, **settings)
        self.returned = describe(result)
        mended = in_shape(result, self._shape) if self._shape is not None else None
        if mended is not None:
            self.slip, result = mended
        return result


def _eases(driver_name: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Ways to make inputs easier to take: contiguous in memory, in the other floating dtype, both."""
    found = floating_dtype(inputs)
    other = {torch.float64: "float32", torch.float32: "float64"}.get(found) if found is not None else None
    strided_case = driver_name.endswith(STRIDED)
    if strided_case:
        yield (CONTIGUOUS,)
    if other is not None:
        yield (other,)
    if strided_case and other is not None:
        yield (CONTIGUOUS, other)


def eased(inputs: Mapping[str, Any], ease: Sequence[str]) -> dict[str, Any]:
    """The inputs as they were given after easing: floats in the dtype that it names."""
    name = next((word for word in ease if word in ("float32", "float64")), None)
    return dict(inputs) if name is None else {key: cast(v, getattr(torch, name)) for key, v in inputs.items()}


def cast(value: Any, dtype: torch.dtype) -> Any:
    """A tree with all floating tensors in a dtype."""
    if isinstance(value, Tensor):
        return value.to(dtype) if value.dtype is not dtype and value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: cast(item, dtype) for key, item in value.items()}
    return type(value)(cast(item, dtype) for item in value) if isinstance(value, tuple | list) else value


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors of a tree."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping | tuple | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from tensors_in(item)


def floating_dtype(value: Any) -> torch.dtype | None:
    """The dtype of the first floating tensor of a tree: results keep it, a convention of every exercise."""
    return next((tensor.dtype for tensor in tensors_in(value) if tensor.is_floating_point()), None)


def changed_inputs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the inputs that are not what they were."""
    return tuple(name for name, value in before.items() if name not in after or not _equal(after[name], value))


def copied(value: Any, device: str = "cpu") -> Any:
    """A tree with copies of its tensors."""
    if isinstance(value, Tensor):
        value = value.detach() if value.requires_grad else value
        here = value.is_cpu if device == "cpu" else value.device.type == device
        return value.clone() if here else value.to(device, copy=True)
    if isinstance(value, dict):
        return {key: copied(item, device) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(copied(item, device) for item in value)
    return value.copy() if isinstance(value, np.ndarray | set) else value


def can_change(value: Any) -> bool:
    """Whether whoever gets a value could change it in place."""
    return isinstance(value, Tensor | np.ndarray | list | dict | set) or (
        isinstance(value, tuple) and any(map(can_change, value))
    )


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
    if isinstance(before, np.ndarray):
        kinds = after.dtype.kind + before.dtype.kind if isinstance(after, np.ndarray) else ""
        return bool(kinds) and np.array_equal(after, before, equal_nan=set(kinds) <= set("fc"))
    if isinstance(before, set):
        return bool(after == before)
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
    if isinstance(error, NotImplementedError):
        return text[:300] or "not implemented yet"
    return f"{name}: {text[:300]}" if text else name
