"""One call that shows the mistake, as code that a student can paste below the solution and run."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from course_lib.checking.drivers import STRIDED, Shown, can_change, shown_by
from course_lib.checking.keys import CaseKey, Entry, Failure
from course_lib.checking.verdict import CriterionResult, Verdict

__all__ = ["counterexample"]

MAX_NUMBERS = 24
"""A tensor with more numbers than this is not shown: nobody works it by hand."""

_MAX_CHARACTERS = 4000
_LINE = 80
_DIGITS = {torch.float32: 9, torch.float16: 5, torch.bfloat16: 4}
_DIGITS_OF_RESULTS = 6
_PLAIN = (bool, int, float, str, type(None))


def counterexample(verdict: Verdict, result: CriterionResult) -> str:
    """Code that repeats the call at which a criterion was lost; empty if it would be too long to be of use.

    It builds the inputs, calls the student's object, and prints what comes back beside what is expected.
    """
    if result.entry is None:
        return ""
    case = next(case for case in verdict.key.cases if case.name == result.entry.case)
    shown = shown_by(case.driver)
    hidden = {} if shown is None else dict.fromkeys(shown.hides)
    inputs = {name: value for name, value in case.inputs.items() if name not in hidden}
    if shown is None or (shown.outputs and result.entry.aspect == "value" and result.entry.output not in shown.outputs):
        return ""
    if not all(_is_small(value) for value in (*inputs.values(), case.expected.get(result.entry.output))):
        return ""
    prepared = [] if shown.prepare is None else list(shown.prepare(case.inputs))
    if shown.prepare is not None and not prepared:
        return ""
    seen = verdict.observed.get(result.entry)
    lines = list(_call(case, shown, inputs, prepared, result.entry))
    if not isinstance(seen, Failure) and result.entry.aspect != "layout":
        lines += _comparison(case, shown, result.entry, verdict.key.tells)
    if isinstance(seen, torch.Tensor) and seen.numel() <= MAX_NUMBERS and result.entry.aspect == "value":
        lines += [f"# The check got {_literal(seen, _DIGITS_OF_RESULTS)}".replace("\n", "\n# ")]
    code = "\n".join([*_imports("\n".join(lines)), *lines])
    return code if len(code) <= _MAX_CHARACTERS else ""


def _call(
    case: CaseKey, shown: Shown, inputs: Mapping[str, Any], prepared: Sequence[str], entry: Entry
) -> Iterator[str]:
    """Lines that define the inputs and call."""
    for name, value in inputs.items():
        yield f"{name} = {_literal(value)}"
    if case.driver.endswith(STRIDED):
        yield "# The same numbers, not contiguous in memory:"
        for name, value in inputs.items():
            if isinstance(value, torch.Tensor) and value.ndim > 1:
                backwards = f".permute({', '.join(map(str, reversed(range(value.ndim))))})"
                yield f"{name} = {name}{backwards}.contiguous(){backwards}"
    if entry.aspect == "inputs":
        yield f"before = {{{', '.join(_kept(name, value) for name, value in inputs.items() if can_change(value))}}}"
    yield from prepared
    call = shown.call.format(function=case.function, arguments=", ".join(case.inputs))
    if _is_plain(case):
        call = call.replace("result", ", ".join(case.outputs), 1)
    yield from call.split("\n")


def _is_plain(case: CaseKey) -> bool:
    return case.driver.removesuffix(STRIDED) == "call"


def _comparison(case: CaseKey, shown: Shown, entry: Entry, tells: bool) -> Iterator[str]:
    """Lines that print what came back beside what is expected."""
    if entry.aspect == "inputs":
        yield "for name, old in before.items():"
        yield '    print(name, "was", old, "and is", globals()[name])'
        return
    got = entry.output if _is_plain(case) else shown.outputs.get(entry.output, "result")
    expected = case.expected[entry.output]
    if entry.aspect == "dtype" and isinstance(expected, torch.Tensor):
        yield f'print("got     ", getattr({got}, "dtype", None))'
        yield f'print("expected", {expected.dtype})'
        return
    yield f'print("got     ", {got})'
    if tells:
        yield f'print("expected", {_literal(expected, _DIGITS_OF_RESULTS)})'


def _kept(name: str, value: Any) -> str:
    """An item of a dict: a copy of an input, to compare it with later."""
    return f"{name!r}: {name}.clone()" if isinstance(value, torch.Tensor) else f"{name!r}: copy.deepcopy({name})"


def _imports(code: str) -> list[str]:
    """What the lines below need, and an empty line; nothing if they need nothing."""
    modules = [("copy", "import copy"), ("np", "import numpy as np"), ("torch", "import torch")]
    found = [statement for name, statement in modules if re.search(rf"\b{name}\.", code)]
    return [*found, ""] if found else []


def _is_small(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() <= MAX_NUMBERS and value.layout == torch.strided
    if isinstance(value, np.ndarray):
        return value.size <= MAX_NUMBERS
    if isinstance(value, Mapping):
        return all(_is_small(item) for item in value.values())
    if isinstance(value, tuple | list):
        return len(value) <= MAX_NUMBERS and all(_is_small(item) for item in value)
    if isinstance(value, set):
        return len(value) <= MAX_NUMBERS and all(_is_small(item) for item in value)
    return type(value) in _PLAIN


def _literal(value: Any, digits: int | None = None) -> str:
    """A Python expression for a value.

    Args:
        value: of the kinds that `values.pack` takes.
        digits: significant digits; as many as the dtype carries by default.
    """
    if isinstance(value, torch.Tensor):
        return _tensor_literal(value, digits)
    if isinstance(value, np.ndarray):
        return _array_literal(value, digits)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_literal(item, digits)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple | list):
        items = ", ".join(_literal(item, digits) for item in value)
        return f"[{items}]" if isinstance(value, list) else f"({items},)" if len(value) == 1 else f"({items})"
    return _number(value, digits)


def _tensor_literal(value: torch.Tensor, digits: int | None) -> str:
    default = value.dtype in (torch.float32, torch.int64, torch.bool) and value.numel()
    dtype = "" if default else f", dtype={value.dtype}"
    if value.numel() == 0:
        return f"torch.empty({tuple(value.shape)}{dtype})"
    text = _nested(value.tolist(), digits or _DIGITS.get(value.dtype))
    if len(text) > _LINE and value.ndim > 1:
        # One row a line, which is also how the tensor prints.
        text = text.replace("], ", "],\n    ")
    return f"torch.tensor({text}{dtype})"


def _array_literal(value: np.ndarray[Any, Any], digits: int | None) -> str:
    default = value.dtype in (np.float64, np.int64, np.bool_) or value.dtype.kind == "U"
    dtype = "" if default else f', dtype="{value.dtype}"'
    if value.size == 0:
        return f"np.empty({value.shape}{dtype})"
    return f"np.array({_nested(value.tolist(), digits or (9 if value.dtype == np.float32 else None))}{dtype})"


def _nested(value: Any, digits: int | None) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_nested(item, digits) for item in value) + "]"
    return _number(value, digits)


def _number(value: Any, digits: int | None) -> str:
    if not isinstance(value, float):
        return repr(value)
    if not math.isfinite(value):
        return f"float({str(value)!r})"
    return repr(float(f"{value:.{digits}g}")) if digits else repr(value)
