"""Formulas on static pages: set without a script, harmless whatever a student wrote."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.exporters import HTMLExporter

from autograder.pages.formulas import HEAD, markdown_with_formulas, set_formulas, without_mathjax
from autograder.pages.sanitize import strip_files_prefix
from tests.support.paths import ROOT


def _set(markdown: str) -> str:
    return set_formulas(strip_files_prefix(markdown_with_formulas(HTMLExporter(), {}, markdown)))


def test_formulas_become_mathml_and_prose_stays() -> None:
    """Inline and displayed; prices and code are none."""
    page = _set("From $\\hat{x}_i < 1$ and `$no$` it costs \\$5.\n\n$$\\frac{\\partial L}{\\partial x_i}$$\n")
    assert page.count("<math") == 2
    assert page.count('display="block"') == 1
    assert "<mfrac>" in page
    assert "<code>$no$</code>" in page
    assert "costs $5." in page


def test_punctuation_stays_with_its_formula() -> None:
    """No line begins with a period, or ends with a parenthesis that opens."""
    page = _set("Let ($x$), $y$ and $z$.\n\n$$a$$.\n")
    whole = re.findall(r"<span data-whole>(\(?)<math.*?</math>(.*?)</span>", page)
    assert whole == [("(", "),"), ("", ".")]
    styles = [HEAD, *(path.read_text("utf-8") for path in (ROOT / "autograder").rglob("*.css"))]
    assert ["[data-whole] { white-space: nowrap; }" in style for style in styles if "math[" in style] == [True] * 3


HARMFUL = [
    r"$\href{javascript:alert(1)}{x}$",
    r"$\text{<script>alert(1)</script>}$",
    r"$\text{<img src=x onerror=alert(1)>}$",
    r"$\style{position:fixed}{x}$",
    r"$\class{jp-Cell}{x}$",
    r"$\color{red" + '"' + r" onload=" + '"' + r"x}{y}$",
    r"$$\begin{align}<iframe src=x></iframe>\end{align}$$",
    '<span class="tex-inline">\\href{javascript:alert(1)}{x}</span>',
    '<math><mtext><img src=x onerror="alert(1)"></mtext></math>',
]


@pytest.mark.parametrize("markdown", HARMFUL)
def test_what_could_run_or_load_is_shown_as_text(markdown: str) -> None:
    """No formula brings in an element or attribute that does something."""
    found: list[tuple[str, str]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.extend((tag, name) for name, _ in [("", ""), *attributes])  # type: ignore[method-assign]
    parser.feed(_set(markdown))
    assert not {tag for tag, _ in found} & {"a", "iframe", "script", "style"}
    assert not {name for _, name in found} & {"class", "href", "onerror", "onload", "src", "style"}


_PIECES = st.sampled_from([*"$\\{}<>&^_abx1 \n\"'", "\\frac", "\\text", "\\href", "\\left", "&lt;", "$$"])


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_any_text_can_be_set(text: str) -> None:
    """Odd TeX never raises, and never leaves an element behind that Markdown does not make."""
    page = _set(text)
    assert "<script" not in page


def _formulas() -> list[Any]:
    found = []
    for path in sorted(ROOT.glob("notebooks/*/*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found.append(pytest.param([c for c in cells if c["cell_type"] == "markdown"], id=path.stem))
    return found


@pytest.mark.parametrize("cells", _formulas())
def test_every_formula_of_a_notebook_can_be_set(cells: list[dict[str, Any]]) -> None:
    """None falls back to its TeX, and no command is left unknown."""
    for cell in cells:
        clean = strip_files_prefix(markdown_with_formulas(HTMLExporter(), {}, "".join(cell["source"])))
        page = set_formulas(clean)
        assert page.count("<math") == clean.count('<span class="tex-'), clean
        assert "<mi>\\" not in page, page


def test_mathjax_is_taken_out_of_nbconverts_pages() -> None:
    """A page of nbconvert's own asks another host for it; ours does not."""
    page, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook())
    assert "mathjax/2.7" in page
    assert "mathjax/2.7" not in without_mathjax(page)
