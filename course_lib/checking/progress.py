"""How far a student is: which checks passed, kept beside the notebook across restarts.

The file is a convenience.  It decides no points, and nothing about it may ever
break a check: an unreadable file counts as empty, an unwritable folder as no memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from course_lib.checking.answers import exercise_ids
from course_lib.lab.display import show

__all__ = ["FILE_NAME", "Place", "Progress", "place_of", "progress", "progress_of", "read_progress", "record"]

FILE_NAME = ".course_progress.json"
_MAX_BYTES = 1_000_000
_MAX_NOTEBOOK_BYTES = 50_000_000
_LITERAL = "!$&'()*+,;=:@/?-._~"
"""Signs that may stand in the fragment of an address as they are (RFC 3986, section 3.5)."""
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """Where an exercise begins.

    Attributes:
        heading: what stands above it, as students read it.
        anchor: the end of a link to it, "#" included; empty where the heading is not known.
    """

    heading: str
    anchor: str


@dataclass(frozen=True)
class Progress:
    """The state of one assignment.

    Attributes:
        passed: ids of the exercises that pass.
        missing: ids of the others, in the order of the notebook.
        next: where the first of those begins; None if all pass.
    """

    assignment: str
    passed: tuple[str, ...]
    missing: tuple[str, ...]
    next: Place | None = None

    def __str__(self) -> str:
        total = len(self.passed) + len(self.missing)
        if not total:
            return f"{self.assignment}: there are no exercises to check"
        line = f"{len(self.passed)} of {total} exercises pass"
        return f"{line}. Next: {self.next.heading}" if self.next is not None else f"{line}. All done."

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        total = max(1, len(self.passed) + len(self.missing))
        bar = (
            f"<progress value='{len(self.passed)}' max='{total}' aria-label='exercises that pass' "
            f"style='width:min(16em, 23vw);vertical-align:middle'></progress>"
        )
        text = escape(str(self))
        if self.next is not None and self.next.anchor:
            heading = escape(self.next.heading)
            link = f"<a href='{escape(self.next.anchor, quote=True)}'>{heading}</a>"
            text = text.removesuffix(heading) + link
        return {"text/plain": str(self), "text/html": f"<div>{bar} {text}</div>"}


def progress(assignment: str) -> None:
    """Show how many exercises of an assignment pass, and which comes next."""
    state = progress_of(assignment)
    show(state, str(state))


def progress_of(assignment: str, folder: Path | None = None) -> Progress:
    """The state of an assignment.

    Args:
        assignment: name of the assignment, as its folder.
        folder: where the progress file lies; the current folder (that of the notebook) by default.
    """
    ids = exercise_ids(assignment)
    known = read_progress(folder or Path())
    passed = tuple(name for name in ids if known.get(name, False))
    missing = tuple(name for name in ids if name not in passed)
    return Progress(assignment, passed, missing, place_of(missing[0], folder or Path()) if missing else None)


def place_of(exercise_id: str, folder: Path) -> Place:
    """Where an exercise begins in a notebook of the folder: the heading before its test cell.

    A student may have renamed or changed the notebook in any way; then the id has to do.
    """
    for path in sorted(folder.glob("*.ipynb")):
        heading = ""
        for cell_id, kind, source in _cells_of(path):
            if kind == "markdown" and (found := _HEADING.findall(source)):
                heading = re.sub(r"[`*]", "", found[-1])
            elif cell_id == exercise_id and heading:
                # JupyterLab and Notebook name a heading after its text, with hyphens for spaces, and compare literally.
                return Place(heading, "#" + quote(heading.replace(" ", "-"), safe=_LITERAL))
    return Place(exercise_id, "")


def _cells_of(path: Path) -> list[tuple[str, str, str]]:
    """Id, type and source of the cells of a notebook; nothing where it cannot be read."""
    try:
        data = json.loads(path.read_text("utf-8")) if path.stat().st_size <= _MAX_NOTEBOOK_BYTES else {}
    except (OSError, ValueError, RecursionError):
        return []
    cells = data.get("cells") if isinstance(data, dict) else None
    found = []
    for cell in cells if isinstance(cells, list) else []:
        if isinstance(cell, dict):
            source = cell.get("source", "")
            text = "".join(map(str, source)) if isinstance(source, list) else str(source)
            found.append((str(cell.get("id", "")), str(cell.get("cell_type", "")), text))
    return found


def read_progress(folder: Path) -> dict[str, bool]:
    """Exercise id -> whether its last check passed; empty for a missing or damaged file."""
    try:
        path = folder / FILE_NAME
        if path.stat().st_size > _MAX_BYTES:
            return {}
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    exercises = data.get("exercises") if isinstance(data, dict) else None
    if not isinstance(exercises, dict):
        return {}
    return {name: entry.get("passed") is True for name, entry in exercises.items() if isinstance(entry, dict)}


def record(exercise_id: str, passed: bool, folder: Path | None = None) -> None:
    """Remember the outcome of a check; silently does nothing where that is impossible."""
    if os.environ.get("NBGRADER_EXECUTION") == "autograde":
        return
    with contextlib.suppress(OSError, ValueError):
        _write(folder or Path(), {**read_progress(folder or Path()), exercise_id: passed})


def _write(folder: Path, state: Mapping[str, bool]) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"version": 1, "saved": now, "exercises": {name: {"passed": ok} for name, ok in state.items()}})
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=FILE_NAME)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(folder / FILE_NAME)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
