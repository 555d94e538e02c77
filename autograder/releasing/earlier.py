"""Which texts the locked cells have had, over all releases: who has an older one of them did not edit anything."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat

from autograder.submissions.notebook import digest_of
from autograder.whole_files import write_whole

__all__ = ["known_texts", "remember_texts"]


def known_texts(root: Path, assignment: str) -> frozenset[str]:
    """Digests of the locked cells of every release so far; none where that was before they were kept."""
    try:
        found = json.loads(_path(root, assignment).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return frozenset()
    return frozenset(text for text in found if isinstance(text, str)) if isinstance(found, list) else frozenset()


def remember_texts(root: Path, assignment: str, released: Path) -> None:
    """Add the locked cells of the notebooks in a released folder."""
    known = set(known_texts(root, assignment))
    for path in released.glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.metadata.get("nbgrader", {}).get("locked"):
                known.add(digest_of(cell.source))
    path = _path(root, assignment)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(sorted(known)))


def _path(root: Path, assignment: str) -> Path:
    return root / ".autograder" / assignment / "released.json"
