"""One call that shows the mistake, as code that a student can paste below the solution and run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from course_lib.checking.verdict import CaseKey, CriterionResult, Entry, Failure, Verdict

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
    if not all(_is_small(value) for value in (*case.inputs.values(), *case.expected.values())):
        return ""
    seen = verdict.observed.get(result.entry)
    lines = ["import torch", "", *_call(case, result.entry)]
    if not isinstance(seen, Failure):
        lines += _comparison(case, result.entry)
    elif case.driver != "call":
        lines.append("print(answer)")
    if isinstance(seen, torch.Tensor) and seen.numel() <= MAX_NUMBERS and result.entry.aspect == "value":
        lines += [f"# {line}" for line in f"The check got {_literal(seen, _DIGITS_OF_RESULTS)}".split("\n")]
    code = "\n".join(lines)
    return code if len(code) <= _MAX_CHARACTERS else ""


def _call(case: CaseKey, entry: Entry) -> Iterator[str]:
    """Lines that define the inputs and call."""
    if case.driver == "call":
        for name, value in case.inputs.items():
            yield f"{name} = {_literal(value)}"
        if entry.aspect == "inputs":
            yield f"before = {{{', '.join(f'{name!r}: {name}.clone()' for name in _tensors(case.inputs))}}}"
        yield f"{', '.join(case.outputs)} = {case.function}({', '.join(case.inputs)})"
        return
    yield "from course_lib.checking.drivers import run_case"
    yield ""
    yield f"inputs = {_literal(dict(case.inputs))}"
    yield f"answer = run_case({{{case.function!r}: {case.function}}}, {case.function!r}, {case.driver!r}, inputs)"


def _comparison(case: CaseKey, entry: Entry) -> Iterator[str]:
    """Lines that print what came back beside what is expected."""
    if entry.aspect == "inputs" and case.driver == "call":
        yield "for name, old in before.items():"
        yield '    print(name, "was", old, "and is", locals()[name])'
        return
    if entry.aspect == "inputs":
        yield 'print("changed inputs:", answer["changed"])'
        return
    got = entry.output
    if case.driver != "call":
        got = "result"
        yield 'result = answer["result"]'
        if len(case.outputs) > 1:
            position = case.outputs.index(entry.output)
            yield f"result = result[{entry.output!r} if isinstance(result, dict) else {position}]"
    expected = case.expected[entry.output]
    if entry.aspect == "dtype" and isinstance(expected, torch.Tensor):
        yield f'print("got     ", getattr({got}, "dtype", type({got})))'
        yield f'print("expected", {expected.dtype})'
        return
    yield f'print("got     ", {got})'
    yield f'print("expected", {_literal(expected, _DIGITS_OF_RESULTS)})'


def _tensors(inputs: Mapping[str, Any]) -> list[str]:
    return [name for name, value in inputs.items() if isinstance(value, torch.Tensor)]


def _is_small(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() <= MAX_NUMBERS and value.layout == torch.strided
    if isinstance(value, np.ndarray):
        return value.size <= MAX_NUMBERS
    if isinstance(value, Mapping):
        return all(_is_small(item) for item in value.values())
    if isinstance(value, tuple | list):
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
        return f"{_tensor_literal(torch.from_numpy(value), digits)}.numpy()"
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
