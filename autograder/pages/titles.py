"""What people call the graded cells of a notebook: the heading that stands above each."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nbformat.notebooknode import NotebookNode

__all__ = ["titles_of"]

_HEADING = re.compile(r"^ {0,3}#{2,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_STEP = re.compile(r"^(?:implement|derive|explain)\s*:\s*", re.IGNORECASE)
_POINTS = re.compile(r"\s*\(\d+(?:\.\d+)?\s+points?\)\s*$")


def titles_of(cells: Iterable[NotebookNode]) -> dict[str, str]:
    """Name of a graded cell -> the last heading above it (not the title), without its points; else the name itself.

    Args:
        cells: of the released notebook, in order.
    """
    titles: dict[str, str] = {}
    heading = ""
    for cell in cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        if nbgrader.get("grade"):
            name = nbgrader["grade_id"]
            titles[name] = heading if heading and heading not in titles.values() else name
        elif cell.cell_type == "markdown":
            found = _HEADING.findall(cell.source)
            heading = _plain(found[-1]) if found else heading
    return titles


def _plain(heading: str) -> str:
    text = _POINTS.sub("", _STEP.sub("", heading.strip()))
    return re.sub(r"[`*$]", "", text).strip()
