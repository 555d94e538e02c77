"""What a course's settings have put into the gradebook, so that it goes when they go.

A due date, an extension or a penalty in nbgrader's tables may come from the course's files or from nbgrader's own
programs.  What comes from the files is written down beside the results, with what stood there before; what somebody has
changed since is theirs.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.whole_files import write_whole

__all__ = ["Entered"]


@dataclass(frozen=True)
class Entered:
    """Of one assignment.

    Attributes:
        due: the due date that was entered, and the one before; None if none was.
        extensions: student -> the extension that was entered, and the one before.
        penalties: student -> points that were taken off for being late.
    """

    due: tuple[dt.datetime | None, dt.datetime | None] | None = None
    extensions: Mapping[str, tuple[dt.timedelta | None, dt.timedelta | None]] = field(default_factory=dict)
    penalties: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path, assignment: str) -> Entered:
        """What is written down; nothing where that cannot be read."""
        try:
            data = json.loads(_path(root, assignment).read_text(encoding="utf-8"))
            due = data["due"]
            return cls(
                None if due is None else (_time(due[0]), _time(due[1])),
                {student: (_span(now), _span(before)) for student, (now, before) in data["extensions"].items()},
                {student: float(points) for student, points in data["penalties"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            return cls()

    def write(self, root: Path, assignment: str) -> None:
        """Write it down, if that changes anything."""
        if self == Entered.read(root, assignment):
            return
        due = None if self.due is None else [None if when is None else when.isoformat(" ") for when in self.due]
        extensions = {
            student: [None if span is None else span.total_seconds() for span in pair]
            for student, pair in self.extensions.items()
        }
        path = _path(root, assignment)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"due": due, "extensions": extensions, "penalties": dict(self.penalties)}))

    def own_due(self, recorded: dt.datetime | None) -> dt.datetime | None:
        """The due date of the gradebook without what was entered there."""
        return self.due[1] if self.due is not None and self.due[0] == recorded else recorded

    def own_extension(self, student: str, recorded: dt.timedelta | None) -> dt.timedelta | None:
        """A student's extension without what was entered."""
        now, before = self.extensions.get(student, (recorded, recorded))
        return before if now == recorded else recorded

    def own_penalty(self, student: str, recorded: float) -> float:
        """A student's penalty without what was entered."""
        entered = self.penalties.get(student)
        return 0.0 if entered is not None and abs(entered - recorded) < 1e-6 else recorded


def _path(root: Path, assignment: str) -> Path:
    return root / ".autograder" / assignment / "deadlines.json"


def _time(value: Any) -> dt.datetime | None:
    return None if value is None else dt.datetime.fromisoformat(value)


def _span(value: Any) -> dt.timedelta | None:
    return None if value is None else dt.timedelta(seconds=value)
