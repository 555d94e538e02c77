"""The instant check: a student's function, the public cases, and a card that says what holds.

It compares with the numbers that ship with the course.  The grader asks the
same with different numbers, under the same watch for forbidden operations, and
judges with the same code (`verdict`), so what this check accepts, grading
accepts.
"""

from __future__ import annotations

import contextlib
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from course_lib.checking import gpu_trace, watch
from course_lib.checking.answers import load_key
from course_lib.checking.card import Card, plain
from course_lib.checking.comparison import describe
from course_lib.checking.drivers import run_case, takes_a_value
from course_lib.checking.errors import CheckFailedError, CheckUsageError
from course_lib.checking.fault import Fault, find_fault
from course_lib.checking.gpu_trace import gpu_advice, traced_cases
from course_lib.checking.keys import CaseKey, ExerciseKey, Response, respond
from course_lib.checking.progress import record
from course_lib.checking.values import ValueFormatError, pack, unpack
from course_lib.checking.verdict import Verdict, judge
from course_lib.lab.display import show

__all__ = ["answered", "check", "examine"]

_MAX_WARNINGS, _MAX_WARNING = 3, 2000
_OF_PYTORCH = re.compile(r" ?\(Triggered internally at [^)]*\)")
"""Where in PyTorch's own code a warning comes from tells a student nothing."""


def check(exercise_id: str, *objects: Any) -> None:
    """Check an exercise and show what holds, what does not, and why.

    Args:
        exercise_id: as written in the notebook, ``"horizontal-flip"``.
        objects: what the exercise asks for, usually one function: the function itself, not its result.

    Raises:
        CheckFailedError: an `AssertionError`, if not every criterion holds.
        CheckUsageError: if the check cannot be made at all.
    """
    # Stock nbgrader gives 0 to a test cell that writes to stderr, whatever the reason.
    with contextlib.redirect_stderr(sys.stdout):
        # Here, so that what their imports warn of is not taken for a warning of the student's code.
        gpu_trace.warm_up()
        watch.warm_up()
        key = load_key(exercise_id)
        verdict, fault, advice = examine(key, objects)
        record(exercise_id, verdict.passed)
        card = Card(verdict, fault, advice)
        show(card, card.text())
    if not verdict.passed:
        raise CheckFailedError(_in_short(verdict))


def examine(key: ExerciseKey, objects: Sequence[Any]) -> tuple[Verdict, Fault | None, tuple[str, ...]]:
    """Run the cases of a key and judge.

    Returns:
        the verdict, the first exception with its line, and remarks (warnings that the code gave).
    """
    namespace = _namespace(key, objects)
    with _collected_warnings() as remarks:
        responses = {case.name: answered(namespace, case, key) for case in key.cases}
        verdict = judge(key, responses)
        fault = None if verdict.passed else find_fault(verdict, namespace)
    return verdict, fault, (*remarks, *_gpu_remarks(key, namespace))


def _gpu_remarks(key: ExerciseKey, namespace: Mapping[str, Any]) -> list[str]:
    """What would fail on a GPU."""
    found = (gpu_advice(namespace, c.function, c.driver, c.inputs) for c in traced_cases(key.cases))
    return [advice for advice in found if advice]


def answered(namespace: Mapping[str, Any], case: CaseKey, key: ExerciseKey) -> Response:
    """What a notebook's names answer to a case: through bytes, for what cannot travel in grading must not pass here."""
    forbidden, twice = key.forbidden if case.name in key.watched else (), case.name in key.called_twice
    raw = run_case(
        namespace, case.function, case.driver, case.inputs, forbidden=forbidden, twice=twice, returns=case.returns
    )
    try:
        return respond(unpack(pack(raw)))
    except ValueFormatError as error:
        return respond({"error": "unreadable", "message": f"the result cannot be read: {error}"})


def _namespace(key: ExerciseKey, objects: Sequence[Any]) -> Mapping[str, Any]:
    call = f'check("{key.id}", {", ".join(key.names)})'
    if len(objects) != len(key.names):
        raise CheckUsageError(f"expected {_count(len(key.names))}, got {len(objects)}; write {call}")
    values = {case.function for case in key.cases if takes_a_value(case.driver)}
    for name, given in zip(key.names, objects, strict=True):
        if name not in values and not callable(given):
            raise CheckUsageError(f"{name} should be a function or a class, got {describe(given)}; write {call}")
        own_name = getattr(given, "__name__", name)
        if own_name != name and own_name in key.names:
            raise CheckUsageError(f"{own_name} stands where {name} should; write {call}")
    return dict(zip(key.names, objects, strict=True))


def _count(number: int) -> str:
    return "one object after the name" if number == 1 else f"{number} objects after the name"


@contextlib.contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """Warnings of the student's code become remarks on the card instead of noise on stderr."""
    remarks: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield remarks
    told = (_OF_PYTORCH.sub("", plain(str(item.message)[:_MAX_WARNING])) for item in caught)
    texts = dict.fromkeys(f"Your code warns: {text[:200]}" for text in told)
    remarks.extend(list(texts)[:_MAX_WARNINGS])


def _in_short(verdict: Verdict) -> str:
    if verdict.failure is not None and verdict.failure.kind == "NotImplementedError":
        return f"{verdict.key.id}: not implemented yet"
    return f"{verdict.key.id}: {verdict.score:g} of {verdict.key.points:g} points"
