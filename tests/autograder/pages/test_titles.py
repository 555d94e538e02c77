"""Names that people read for graded cells."""

from __future__ import annotations

import json

import nbformat
import pytest

from autograder.pages.titles import titles_of
from tests.support.made_up import code, markdown
from tests.support.paths import ROOT


def _titles(*cells: dict[str, object]) -> dict[str, str]:
    return titles_of(nbformat.from_dict(list(cells)))


def test_a_cell_is_called_by_the_heading_above_it() -> None:
    """Without step, points and signs of Markdown."""
    text = markdown("text", "# The title\n\n## Implement: `group_norm`\nWords.\n\n## Question 1: why? (5 points)")
    assert _titles(text, markdown("why", "", grade=True, solution=True)) == {"why": "Question 1: why?"}
    text = markdown("text", "## Implement: `group_norm`\n2 points")
    assert _titles(text, code("group-norm", "", grade=True)) == {"group-norm": "group_norm"}


def test_no_two_cells_have_one_name() -> None:
    """The second below a heading, and one below none but the title, are called by their ids."""
    title, text = markdown("title", "# Made up"), markdown("text", "## One")
    cells = [code("a", "", grade=True), text, code("b", "", grade=True), code("c", "", grade=True)]
    assert _titles(title, *cells) == {"a": "a", "b": "One", "c": "c"}


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*/*.ipynb")), ids=lambda path: path.stem)
def test_every_graded_cell_of_the_course_has_a_heading_of_its_own(path: object) -> None:
    """Nobody reads an id where a name could stand."""
    notebook = nbformat.from_dict(json.loads(path.read_text(encoding="utf-8")))  # type: ignore[attr-defined]
    for cell in notebook.cells:
        cell.source = "".join(cell.source)
    titles = titles_of(notebook.cells)
    assert [name for name, title in titles.items() if name == title and "-" in name] == []
