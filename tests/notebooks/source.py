"""The notebooks with their solutions: read, run as in grading, run as a whole."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from autograder.releasing.answers import write_answers
from tests.support.course import ASSIGNMENTS, COURSE
from tests.support.paths import ROOT

__all__ = [
    "QUICK_LIMIT_S",
    "Ran",
    "described",
    "folder_with_answers",
    "introductions",
    "ran_silently",
    "read_notebook",
    "run_graded_cells",
    "run_in_quick_mode",
]

_ONE_OF_MANY = re.compile(r"(?<![\d.,])1 (seeds|runs|draws|races|networks|images|trials|epochs|steps|passes)\b")
QUICK_LIMIT_S = 180
"""How long a whole notebook may take in quick mode, in processor seconds."""


@dataclass(frozen=True)
class Ran:
    """What a notebook showed when all of it ran.

    Attributes:
        html: all HTML outputs, in order.
        printed: what was written to stdout.
    """

    html: list[str]
    printed: str


def read_notebook(assignment: str) -> Any:
    """The source notebook of an assignment, read afresh."""
    (path,) = (COURSE.source / assignment).glob("*.ipynb")
    return nbformat.read(path, as_version=4)


def folder_with_answers(assignment: str, folder: Path) -> Path:
    """The folder, which then holds the answer data of the assignment."""
    write_answers(assignment, folder, ASSIGNMENTS[assignment])
    return folder


def introductions(assignment: str, notebook: Any) -> dict[str, str]:
    """Exercise id -> the Markdown cell before its solution cell."""
    cells = notebook.cells
    return {cell.id: cells[i - 2].source for i, cell in enumerate(cells) if cell.id in ASSIGNMENTS[assignment]}


def run_graded_cells(notebook: Any, answers: Path) -> dict[str, Any]:
    """What the cells define that are run when grading, in the working directory; a check that fails raises."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_ANSWERS", str(answers))
        for cell in notebook.cells:
            if cell.cell_type == "code" and "experiment" not in cell.metadata.get("tags", []):
                exec(compile(cell.source, cell.id, "exec"), namespace)
    return namespace


def run_in_quick_mode(notebook: Any, answers: Path, folder: Path) -> Ran:
    """Run every cell; nothing may fail or be written to stderr, and every figure must have a description."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_ANSWERS", str(answers))
        patch.setenv("COURSE_QUICK", "1")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        done = NotebookClient(
            nbformat.from_dict(notebook),
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        ).execute()
    html = ran_silently(done)
    described(html)
    return Ran(html, "".join(output.text for output in _outputs(done) if output.get("name") == "stdout"))


def ran_silently(done: nbformat.NotebookNode) -> list[str]:
    """Nothing was written to stderr; the pieces of HTML that a notebook's cells have shown, in their order."""
    outputs = _outputs(done)
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    return [_text(output.data["text/html"]) for output in outputs if "text/html" in output.get("data", {})]


def described(html: list[str]) -> None:
    """There are figures, each has a description, and what stands below one is a sentence; nothing is "1 seeds"."""
    pages = [_Images(page) for page in html]
    alts = [alt for page in pages for alt in page.alts]
    assert len(alts) >= 7
    assert all(len(alt) > 20 for alt in alts)
    captions = [caption for page in pages for caption in page.captions]
    assert [caption for caption in captions if re.match("[a-z]", caption)] == []
    assert [words for words in (*alts, *captions) if _ONE_OF_MANY.search(words)] == []


def _outputs(done: nbformat.NotebookNode) -> list[Any]:
    return [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]


def _text(lines: str | list[str]) -> str:
    """A page holds a text as lines."""
    return lines if isinstance(lines, str) else "".join(lines)


class _Images(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.alts: list[str] = []
        self.captions: list[str] = []
        self._in_caption = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the alternative texts."""
        self._in_caption = tag == "figcaption"
        if tag == "img":
            self.alts.append(dict(attrs).get("alt") or "")

    def handle_data(self, data: str) -> None:
        """Collect what stands below figures."""
        if self._in_caption:
            self.captions.append(data)
