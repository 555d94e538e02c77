"""Questions asked before anything moves, and the small file that remembers the answers.

The file lies beside the notebook and is a convenience: it decides no points, an unreadable one counts as empty, and an
unwritable folder is no error.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["FILE_NAME", "Estimate", "Marking", "Pick", "Placing", "Prediction", "read_predictions", "write_prediction"]

FILE_NAME = ".course_predictions.json"
_MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class Pick:
    """Choose one of several answers.

    Attributes:
        question: what is asked.
        options: key -> what the student reads.
        then: what to do once it is locked in; stands behind the explanation until a control moves.
    """

    question: str
    options: Mapping[str, str]
    then: str

    def allows(self, value: Any) -> bool:
        """Whether this is an answer."""
        return isinstance(value, str) and value in self.options

    def words(self, value: Any) -> str:
        """An answer as people read it."""
        return self.options[value]


@dataclass(frozen=True)
class Estimate:
    """Say a number.

    Attributes:
        question: what is asked.
        unit: what stands behind the number.
        one: the same behind the number 1; empty if it is the same word.
        low: smallest number that is taken.
        high: largest number that is taken.
        then: what to do once it is locked in; stands behind the explanation until a control moves.
    """

    question: str
    unit: str
    low: float
    high: float
    then: str
    one: str = ""

    def allows(self, value: Any) -> bool:
        """Whether this is an answer."""
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return number and self.low <= value <= self.high

    def words(self, value: Any) -> str:
        """An answer as people read it."""
        return f"{value:g} {(self.one if value == 1 else '') or self.unit}".strip()


@dataclass(frozen=True)
class Marking:
    """Mark cells in the picture.

    Attributes:
        question: what is asked.
        cells: number of cells.
        then: what to do once it is locked in.
    """

    question: str
    cells: int
    then: str

    def allows(self, value: Any) -> bool:
        """Whether this is a list of cells."""
        return isinstance(value, list | tuple) and all(
            isinstance(i, int) and not isinstance(i, bool) and 0 <= i < self.cells for i in value
        )

    def words(self, value: Any) -> str:
        """An answer as people read it."""
        count = len(set(value))
        return f"{count} cell{'' if count == 1 else 's'} marked" if count else "none marked"


@dataclass(frozen=True)
class Placing:
    """Drag something in the picture to its place; the state has it as "guess".

    Attributes:
        question: what is asked.
        label: what is dragged.
        values: where it can be, in order.
        start: where it stands first; it has to be moved before it can be locked in.
        forward: it moves to later values only, because what it has passed cannot be undone.
        then: what to do once it is locked in.
    """

    question: str
    label: str
    values: tuple[float, ...]
    start: float
    forward: bool
    then: str

    def allows(self, value: Any) -> bool:
        """Whether this is one of the places."""
        return isinstance(value, int | float) and not isinstance(value, bool) and value in self.values

    def words(self, value: Any) -> str:
        """An answer as people read it."""
        return f"{value:g}"


Prediction = Pick | Estimate | Marking | Placing


def read_predictions(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Widget -> what was predicted; empty for a missing or damaged file."""
    try:
        path = (folder or Path()) / FILE_NAME
        if path.stat().st_size > _MAX_BYTES:
            return {}
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    found = data.get("predictions") if isinstance(data, dict) else None
    return {key: value for key, value in found.items() if isinstance(value, dict)} if isinstance(found, dict) else {}


def write_prediction(widget: str, answer: Mapping[str, Any] | None, folder: Path | None = None) -> None:
    """Remember an answer, or forget it (None); silently does nothing where that is impossible."""
    if os.environ.get("NBGRADER_EXECUTION") == "autograde":
        return
    folder = folder or Path()
    known = read_predictions(folder)
    known.pop(widget, None)
    if answer is not None:
        known[widget] = dict(answer)
    with contextlib.suppress(OSError, ValueError):
        _replace(folder / FILE_NAME, json.dumps({"version": 1, "predictions": known}, indent=1))


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
