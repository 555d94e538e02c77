"""Why a call gave no value: the exception, and the line of the student's own code it came from."""

from __future__ import annotations

import linecache
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import numpy as np
import torch

from course_lib.checking.drivers import DRIVERS, copied, driver_named, takes_a_value
from course_lib.checking.keys import CaseKey, Entry, Failure
from course_lib.checking.verdict import Verdict

__all__ = ["Fault", "describe_call", "find_fault", "innermost_of_student", "is_unwritten"]

_NOT_THE_STUDENTS = (
    str(Path(__file__).parent.parent),
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    "<frozen ",
    "<__array_function__",
    "<string>",
)
_NO_EXCEPTION = frozenset({"wrong-number", "missing", "unreadable", "not-run", "NotImplementedError"})
_MAX_MESSAGE = 600


@dataclass(frozen=True)
class Fault:
    """An exception from a student's code.

    Attributes:
        kind: the exception's class.
        message: its text.
        case: name of the case.
        call: the call in words, with the shapes of its inputs.
        line_number: line within the student's cell or file; None if the call itself failed.
        line: the text of that line.
        signature: how the object is called, set when the call itself failed.
        returned: what the function had returned, where it was used after that and failed.
    """

    kind: str
    message: str
    case: str
    call: str
    line_number: int | None = None
    line: str = ""
    signature: str = ""
    returned: str = ""

    def told(self) -> str:
        """What happened, in sentences."""
        what = _spaced(f"{self.kind}: {self.message}" if self.message else self.kind)
        if self.returned and self.line_number is None:
            return f"Your function returned {self.returned}. Using it stopped with `{what}`, in the case “{self.case}”."
        if not self.call:
            text = _spaced(self.message or self.kind)
            return f"{text[:1].upper()}{text[1:]}, in the case “{self.case}”."
        words = f"Your code stopped with `{what}`"
        if self.line_number is not None:
            words += f" in line {self.line_number}" + (f", `{_spaced(self.line)}`" if self.line else "")
        elif self.signature:
            words += f" when it was called; it must be callable as `{self.signature}`"
        return f"{words}. That was in the case “{self.case}”, `{self.call}`."


def _spaced(text: str) -> str:
    """In one line, without the quotes that set code apart."""
    return " ".join(text.replace("`", "'").split())


def is_unwritten(verdict: Verdict, entry: Entry) -> bool:
    """Whether nothing is seen there because a stub still stands in the student's code."""
    seen = verdict.observed.get(entry)
    return isinstance(seen, Failure) and seen.kind == "NotImplementedError"


def find_fault(verdict: Verdict, namespace: Mapping[str, Any]) -> Fault | None:
    """Repeat the call that raised, to learn where; None if none did, or if it does not raise again.

    Of several it is the one that the first lost criterion is explained with.
    """
    lost = (r.entry for r in verdict.results if r.state == "lost" and r.entry is not None)
    shown = next((entry.case for entry in lost if not is_unwritten(verdict, entry)), "")
    cases = sorted(verdict.key.cases, key=lambda case: case.name != shown)
    case = next((case for case in cases if _failed(verdict, case, shown)), None)
    if case is None:
        return None
    inputs = {name: copied(value) for name, value in case.inputs.items()}
    try:
        driver_named(case.driver)(namespace, case.function, inputs)
    except (Exception, SystemExit) as error:  # as `drivers.run_case`
        return _fault(error, case, verdict)
    return None


def _failed(verdict: Verdict, case: CaseKey, shown: str) -> bool:
    """Whether a call raised, or did so before its inputs were made easier and that is what is explained."""
    seen = verdict.observed.get(Entry(case.name, case.outputs[0]))
    response = verdict.responses.get(case.name)
    eased = response is not None and bool(response.eased) and case.name == shown
    return eased or (isinstance(seen, Failure) and seen.kind not in _NO_EXCEPTION)


def _fault(error: BaseException, case: CaseKey, verdict: Verdict) -> Fault:
    try:
        text = str(error)[:_MAX_MESSAGE]
    except Exception:  # the student may have defined the exception, its `__str__` too
        text = ""
    number, line = _students_line(error.__traceback__)
    signature = "" if number is not None else _signature(verdict, case.function)
    response = verdict.responses.get(case.name)
    returned = response.returned if response is not None else ""
    call = "" if takes_a_value(case.driver) else describe_call(case)
    return Fault(type(error).__name__, text, case.name, call, number, line, signature, returned)


def _signature(verdict: Verdict, function: str) -> str:
    return next((s for name, s in zip(verdict.key.names, verdict.key.signatures, strict=True) if name == function), "")


def _students_line(traceback: TracebackType | None) -> tuple[int | None, str]:
    frame, number = innermost_of_student(traceback)
    return (number, linecache.getline(frame.f_code.co_filename, number).strip()) if frame is not None else (None, "")


def innermost_of_student(traceback: TracebackType | None) -> tuple[FrameType | None, int]:
    """The innermost frame that is neither ours nor a library's, and its line."""
    found: tuple[FrameType | None, int] = (None, 0)
    courses = {function.__module__.partition(".")[0] for function in DRIVERS.values()}
    while traceback is not None:
        package = str(traceback.tb_frame.f_globals.get("__name__")).partition(".")[0]
        if package not in courses and not traceback.tb_frame.f_code.co_filename.startswith(_NOT_THE_STUDENTS):
            found = traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next
    return found


def describe_call(case: CaseKey) -> str:
    """A call in words: the function and the shape of each input."""
    return f"{case.function}({', '.join(f'{name}: {_shape(value)}' for name, value in case.inputs.items())})"


def _shape(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, np.ndarray):
        return f"{value.shape} NumPy {value.dtype}"
    if isinstance(value, Mapping):
        return f"dict of {len(value)}"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of {len(value)}"
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
