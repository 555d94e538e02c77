"""What a wrong answer that nobody has named gives to a question that is the same for the whole class.

Each submission is graded on inputs of its own, so wrong values of two students cannot be compared.  An answer that is
wrong in a way that no known mistake explains is therefore asked once more, after everything is judged, on cases from
a fixed seed.  No points hang on it; the report puts equal answers together (`autograder.similarity.unnamed_mistakes`).
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from autograder.exercise import Exercise
from course_lib.checking.card import plain
from course_lib.checking.keys import ExerciseKey, Failure, Response
from course_lib.checking.verdict import Verdict, observe

__all__ = ["Shown", "is_unnamed", "probe_key", "shown_by", "shown_of"]

_SEED = "the same for everybody"
_NUMBERS = 16
"""Of each output so many numbers are kept, evenly spread: enough to tell answers apart, 3 KB for an answer."""
_NOTHING_DONE = frozenset(
    {"NotImplementedError", "missing", "NameError", "timeout", "crash", "unreadable", "not-run", "unread"}
)

Shown = Mapping[str, Any]
"""``"case / output"`` -> ``[shape, numbers]``, or in words what came instead of numbers."""


def is_unnamed(verdict: Verdict) -> bool:
    """Whether values are wrong in a way that is repeatable and that no known mistake explains."""
    if verdict.banned or verdict.unsteady:
        return False
    unknown = [entry for entry in verdict.wrong if entry.aspect == "value" and entry not in verdict.explained]
    kinds = {seen.kind for entry in unknown if isinstance(seen := verdict.observed[entry], Failure)}
    return bool(unknown) and not kinds & _NOTHING_DONE


@functools.lru_cache(maxsize=256)
def probe_key(exercise: Exercise) -> ExerciseKey:
    """The cases that every such answer is asked."""
    return dataclasses.replace(exercise.make_key(_SEED, diagnose=False), forbidden=())


def shown_by(key: ExerciseKey, responses: Mapping[str, Response]) -> dict[str, Any]:
    """What an answer gave, short enough to be kept with the result."""
    shown: dict[str, Any] = {}
    for case in key.cases:
        if case.name in responses:
            for entry, seen in observe(case, responses[case.name]).items():
                if entry.aspect == "value":
                    shown[f"{entry.case} / {entry.output}"] = shown_of(seen)
    return shown


def shown_of(value: Any) -> list[Any] | str:
    """Shape and some numbers of a value; words for everything else, without what differs from run to run."""
    if isinstance(value, Failure):
        return f"{value.kind}: {re.sub(r'0x[0-9a-f]+', '0x', plain(value.message))[:160]}"
    if isinstance(value, bool | int | float):
        value = torch.tensor(float(value), dtype=torch.float64)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        value = torch.from_numpy(np.ascontiguousarray(value).astype(np.float64))
    if not isinstance(value, torch.Tensor) or value.is_complex():
        return plain(str(type(value).__name__))
    flat = value.detach().to(torch.float64).flatten()
    places = sorted({round(i * (len(flat) - 1) / (_NUMBERS - 1)) for i in range(_NUMBERS)}) if len(flat) else []
    return [list(value.shape), [_short(float(flat[place])) for place in places]]


def _short(number: float) -> float | str:
    """Six digits; JSON knows no infinities."""
    return float(f"{number:.6g}") if math.isfinite(number) else str(number)
