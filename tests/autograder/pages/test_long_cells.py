"""Whatever a cell is filled with, a page of it takes little time: in feedback, and with nbconvert's own renderer."""

from __future__ import annotations

import json
import time
from typing import Any

import nbformat
import pytest
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from autograder.pages.feedback_page import FeedbackExporter
from autograder.pages.sanitize import clean_html
from autograder.submissions.notebook import Master, read_cells, repair, shorten_code
from tests.support import made_up

MASTER = Master(made_up.ASSIGNMENT, "made_up", json.dumps(made_up.notebook()))
UNITS = (
    *(chr(code) for code in (9, 10, *range(32, 127))),
    "\\begin{a}",
    "<b>",
    "</b>",
    "<!--",
    "<a href='",
    "[a](",
    "![",
    "[[",
    "$$",
    "$a$ ",
    "**a",
    "_a*",
    "~~",
    "> ",
    "- ",
    "  - ",
    "1. ",
    "|a",
    "|a|\n|-|\n",
    "&amp;",
    "&#",
    "`a",
    "```\n",
    "\n\n\n",
    "a \n",
    "<details>",
    "\\(",
    "attachment:",
    "![a](attachment:b) ",
    "http://a.b ",
    "a  \t b",
)


def _cells(text: str, count: int = 1) -> list[Any]:
    notebook = made_up.notebook()
    made_up.cell(notebook, "why")["source"] = text
    notebook["cells"] += [made_up.markdown(f"mine-{n}", text) for n in range(count - 1)]
    return repair(read_cells(json.dumps(notebook).encode()), MASTER).cells


@pytest.mark.parametrize("unit", UNITS)
def test_a_megabyte_of_anything_is_shown_in_good_time(unit: str) -> None:
    """Of every character and of every construct of Markdown; the words around it are still there."""
    started = time.process_time()
    cells = _cells("Before. " + f"a{unit}" * (500_000 // len(unit)) + unit * (500_000 // len(unit)))
    node = nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})
    page, _ = FeedbackExporter().from_notebook_node(node)
    for cell in cells:
        if cell.cell_type == "markdown":
            clean_html(markdown2html_mistune(cell.source))  # what the formgrader does
    assert time.process_time() - started < 6
    assert "Before." in page
    assert "more characters are in the submitted file" in page


CODE_UNITS = (
    "\n  ",
    "()",
    ".b",
    "@",
    "\\",
    "'''",
    "f'{",
    "%a\n",
    "from a ",
    "x = 1, 2 + 3\n",
    "é",
)


@pytest.mark.parametrize("unit", CODE_UNITS)
def test_endless_code_is_shown_in_good_time(unit: str) -> None:
    """Cut after it was run: in feedback, and by nbconvert's own highlighting, which the formgrader uses."""
    notebook = made_up.notebook()
    notebook["cells"] += [made_up.code(f"mine-{n}", "a = b" + unit * (100_000 // len(unit)) + "c") for n in range(3)]
    repaired = repair(read_cells(json.dumps(notebook).encode()), MASTER)
    assert sum(len(repaired.by_id[name].source) for name in repaired.runnable) > 290_000, "what runs is whole"
    shorten_code(repaired)
    started = time.process_time()
    node = nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": repaired.cells})
    FeedbackExporter().from_notebook_node(node)
    highlight = Highlight2HTML(pygments_lexer="ipython3")
    for cell in repaired.cells:
        if cell.cell_type == "code":
            highlight(cell.source)
    assert time.process_time() - started < 12
    assert "too long for a page" in " ".join(repaired.notes)


def test_many_long_cells_are_cut_together() -> None:
    """Two hundred cells of 20,000 characters are no more than twenty."""
    cells = _cells("word " * 4_000, 200)
    assert sum(len(cell.source) for cell in cells if cell.cell_type == "markdown") < 500_000


def test_what_people_write_is_not_touched() -> None:
    """Tables, code, formulas, long lines of blanks in code: as they were."""
    table, formula = "| a | b |\n|---|---|\n| 1 | 2 |", "$$\\begin{aligned} x &= 1 \\end{aligned}$$"
    text = f"{table}\n\n{formula}\n\n```\n    code    # why\n```\n\n" * 20 + "The end."
    (why,) = (cell for cell in _cells(text) if cell.id == "why")
    assert why.source == text
    notebook = made_up.notebook()
    notebook["cells"].append(made_up.code("mine", "def f():\n    pass\n\n\n\nx = [" + "1, " * 500 + "]\n" * 20))
    repaired = repair(read_cells(json.dumps(notebook).encode()), MASTER)
    before = [cell.source for cell in repaired.cells]
    shorten_code(repaired)
    assert [cell.source for cell in repaired.cells] == before
