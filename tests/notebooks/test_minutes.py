"""The short path of a notebook: the minutes that its head promises are those of the exercises that carry the mark."""

from __future__ import annotations

import re

import pytest

from tests.notebooks.source import read_notebook


@pytest.mark.parametrize("assignment", ["01_batchnorm", "02_dropout"])
def test_the_short_path_takes_what_the_head_says(assignment: str) -> None:
    """Marked exercises, and the whole of the table, in minutes."""
    notebook = read_notebook(assignment)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    marked = re.findall(r"^●{1,3} · (\d+) minutes · short path · ", text, re.MULTILINE)
    title = next(cell.source for cell in notebook.cells if cell.id == "title")
    (promised,) = re.findall(r"marked \*short path\* \((\d+) minutes\)", title)
    assert sum(map(int, marked)) == int(promised)
    assert "about 90 minutes" in title
    hours, minutes = re.findall(r"(\d+) hours(?: and (\d+) minutes)?, plus 15 minutes", title)[0]
    table = sum(int(found) for found in re.findall(r"^\| \d \|.*\| (\d+) \|$", title, re.MULTILINE))
    assert table == 60 * int(hours) + int(minutes or 0)
