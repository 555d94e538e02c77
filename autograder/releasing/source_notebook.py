"""A source notebook as it stands in its file: cells that may be malformed in every way.

It is read as plain JSON, because nbformat and nbgrader repair some faults
silently (a missing id, say) and refuse others with a traceback.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["BEGIN", "END", "SourceCell", "cells_of", "read_source", "solution_regions"]

BEGIN, END = "BEGIN SOLUTION", "END SOLUTION"
"""nbgrader's markers: a line that contains one of these."""

_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7})(?= |$)", re.MULTILINE)
"""At the start of a line of the file; in a cell it would stand behind a quote."""
_FLAGS = ("grade", "solution", "locked")


@dataclass(frozen=True)
class SourceCell:
    """One cell.

    Attributes:
        kind: `code`, `markdown`, or whatever stands there.
        id: empty if there is none.
        position: index in the notebook.
        raw: the cell's JSON object.
    """

    kind: str
    id: str
    position: int
    source: str
    metadata: Mapping[str, Any]
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def nbgrader(self) -> Mapping[str, Any] | None:
        """Nbgrader's metadata, if it knows the cell."""
        found = self.metadata.get("nbgrader")
        return found if isinstance(found, dict) else None

    @property
    def place(self) -> str:
        """How messages call the cell."""
        return f"cell {self.id!r}" if self.id else f"cell number {self.position + 1}"

    def is_a(self, *flags: str) -> bool:
        """Whether exactly these of grade, solution, locked are set."""
        return self.nbgrader is not None and all(bool(self.nbgrader.get(name)) == (name in flags) for name in _FLAGS)

    @property
    def is_graded(self) -> bool:
        """Whether points are given for it."""
        return self.nbgrader is not None and bool(self.nbgrader.get("grade"))

    @property
    def is_solution(self) -> bool:
        """Whether students write in it."""
        return self.nbgrader is not None and bool(self.nbgrader.get("solution"))

    @property
    def points(self) -> float | None:
        """Its points, if that is a number."""
        found = (self.nbgrader or {}).get("points")
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def read_source(path: Path) -> dict[str, Any] | str:
    """The notebook, or in words what is wrong with the file."""
    try:
        text = path.read_text("utf-8")
        if conflict := _CONFLICT.search(text):
            line = text.count("\n", 0, conflict.start()) + 1
            return f"has a conflict marker of Git in line {line}, {conflict[0]}; decide for one version"
        data = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        return f"is not readable JSON ({error}); restore the file"
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        return "is not a notebook: there is no list of cells; restore the file"
    return data


def cells_of(notebook: Mapping[str, Any] | str) -> Iterator[SourceCell]:
    """The cells of what `read_source` gave; none of an unreadable file."""
    for position, item in enumerate(notebook["cells"] if isinstance(notebook, Mapping) else ()):
        raw = item if isinstance(item, dict) else {}
        metadata = raw.get("metadata")
        yield SourceCell(
            kind=str(raw.get("cell_type", "")),
            id=raw["id"] if isinstance(raw.get("id"), str) else "",
            position=position,
            source=_text(raw.get("source", "")),
            metadata=metadata if isinstance(metadata, dict) else {},
            raw=raw,
        )


def _text(source: Any) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def solution_regions(cell: SourceCell) -> list[list[str]]:
    """The lines between each pair of markers; for a written answer without markers, all lines."""
    regions: list[list[str]] = []
    is_open = False
    for line in cell.source.splitlines():
        if BEGIN in line:
            is_open = True
            regions.append([])
        elif END in line:
            is_open = False
        elif is_open:
            regions[-1].append(line)
    if not regions and cell.is_solution and cell.is_graded:
        return [cell.source.splitlines()]
    return regions
