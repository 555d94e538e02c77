"""The text of all notebooks in JupyterLab, as wide as on a desk, on half a screen and on a phone: where lines break."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from tests.browser.lab import Lab, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WIDTHS = (1280, 900, 390)
PRINTED = "Training labels that are reproduced, wrong ones included: 98.7% without a penalty; averaged over 5 seeds."
FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('mine')\nplt.show()"

# Punctuation that a line begins with although it belongs to the formula before it; "(" at the end of a line.
PUNCTUATION = r"""() => {
    const box = (node, at) => {
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + 1);
        return range.getBoundingClientRect();
    };
    const lost = [];
    for (const formula of document.querySelectorAll(".jp-RenderedMarkdown mjx-container:not([display])")) {
        const { previousSibling: before, nextSibling: after } = formula, own = formula.getBoundingClientRect();
        const next = after?.nodeType === Node.TEXT_NODE && /^[.,;:?!)]/.test(after.data);
        const last = before?.nodeType === Node.TEXT_NODE && /\($/.test(before.data);
        if (next && box(after, 0).left < own.right - 5 || last && box(before, before.length - 1).right > own.left + 5)
            lost.push(formula.parentElement.textContent.slice(0, 80));
    }
    return lost;
}"""
# A name in a heading, in the head of a table or in its first column that is broken in two.
NAMES = r"""() => [...document.querySelectorAll(".jp-RenderedMarkdown :is(h1, h2, h3, th, td:first-child) code")]
    .filter((code) => code.getClientRects().length > 1 && !/\s/.test(code.textContent))
    .map((code) => code.textContent)"""
# Text that sticks out of its cell, where nothing in it may be moved sideways.
CUT = """() => [...document.querySelectorAll(".jp-RenderedMarkdown")]
    .filter((cell) => cell.scrollWidth > cell.clientWidth + 1 && !cell.querySelector("table, mjx-container, pre"))
    .map((cell) => cell.textContent.slice(0, 80))"""
# A line of a program in the text that is folded: the program has more lines on the page than in its source.
FOLDED = r"""() => [...document.querySelectorAll(".jp-RenderedMarkdown pre > code")].filter((code) => {
    const tall = document.createRange();
    tall.selectNodeContents(code);
    const lines = code.textContent.trimEnd().split("\n").length;
    return tall.getBoundingClientRect().height > (lines + 0.5) * parseFloat(getComputedStyle(code).lineHeight);
}).map((code) => code.textContent.slice(0, 80))"""
# Printed words that are broken in two.
WORDS = r"""() => {
    const text = document.querySelector(".jp-OutputArea-output pre").firstChild, top = (at) => {
        const range = document.createRange();
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        return range.getBoundingClientRect().top;
    };
    return [...text.data.matchAll(/\S\S+/g)]
        .filter((found) => top(found.index) !== top(found.index + found[0].length - 1)).map((found) => found[0]);
}"""


@pytest.fixture(scope="module")
def notebook(chromium: Any, workbench: Lab) -> Iterator[Notebook]:
    """All that the notebooks say, below their banner, a printed line and a figure of the student's own."""
    from tests.browser.lab import Notebook, write_notebook

    path = workbench.folder / "style" / "n.ipynb"
    cells = {"printed": f"print({PRINTED!r})", "banner": "from course_lib.lab.device import banner\nbanner(1)"}
    write_notebook(path, {**cells, "figure": FIGURE})
    written = nbformat.read(path, as_version=4)
    for source in sorted(ROOT.glob("notebooks/*/*.ipynb")):
        said = (cell.source for cell in nbformat.read(source, as_version=4).cells if cell.cell_type == "markdown")
        written.cells += [nbformat.v4.new_markdown_cell(text.replace("<details>", "<details open>")) for text in said]
    nbformat.write(written, path)
    context = chromium.new_context(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce")
    opened = Notebook(workbench, context.new_page(), "style/n.ipynb")
    opened.run_all()
    opened.page.wait_for_function("() => !/\\$[^$]+\\$/.test(document.querySelector('.jp-Notebook').innerText)")
    yield opened
    opened.shut_down()
    context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_lines_break_where_a_printer_would_break_them(notebook: Notebook, width: int) -> None:
    """Not before the period after a formula, not within a printed word, a name that fits or a line of a program."""
    page = notebook.page
    page.set_viewport_size({"width": width, "height": 1000})
    page.wait_for_function("(width) => document.querySelector('.jp-Notebook').clientWidth <= width", arg=width)
    assert page.locator(".jp-RenderedMarkdown mjx-container:not([display])").count() > 300
    assert page.evaluate(PUNCTUATION) == []
    assert page.evaluate(NAMES) == []
    assert page.evaluate(CUT) == []
    assert page.locator(".jp-RenderedMarkdown pre > code").count() > 2
    assert page.evaluate(FOLDED) == []
    assert page.evaluate(WORDS) == []


def test_a_figure_of_the_students_own_is_shown_once_and_turns_dark(notebook: Notebook) -> None:
    """As HTML: JupyterLab prefers that to the plain image beside it."""
    from tests.browser.operating import theme

    page = notebook.page
    images = page.locator(".jp-OutputArea-output img")
    assert images.count() == 1
    assert images.get_attribute("alt") == "Your figure: mine."
    for name, light, found in (("JupyterLab Dark", "false", "invert(0.93)"), ("JupyterLab Light", "true", "none")):
        theme(page, name, light)
        assert found in images.evaluate("(image) => getComputedStyle(image).filter")


def test_the_table_of_the_start_page_fits_on_a_phone(chromium: Any) -> None:
    """A notebook has a line for each of its four cells; to a screen reader it is still a table."""
    from course_lib.checking.progress import Place
    from course_lib.start import Entry, StartPage

    first = Place("Implement: random_horizontal_flip", "#Implement")
    entry = Entry("03_augmentation", "03_augmentation/a.ipynb", "Data augmentation", 205, 0, 17, first)
    page = chromium.new_page(viewport={"width": 330, "height": 700})
    page.set_content(StartPage((entry,)).html())
    assert page.evaluate("document.documentElement.scrollWidth") == 330
    tops = page.locator("td").evaluate_all("(cells) => cells.map((cell) => cell.getBoundingClientRect().top)")
    assert sorted(set(tops)) == tops
    assert page.get_by_role("row").count() == 1
    assert page.get_by_role("cell").count() == 4
    page.close()
