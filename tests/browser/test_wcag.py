"""What axe does not look at, of WCAG 2.2 AA: size of targets, reflow, text spacing; see docs/accessibility.md."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autograder.widget_pages.page import render_page
from tests.support.all_widgets import WIDGETS, source_of
from tests.support.paths import ROOT
from tests.support.recorded import recording_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.lab import Lab, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WIDGET = "section.course-widget"

# A radio button's label is part of its target.
TARGETS = """() => [...document.querySelectorAll(".course-widget")].flatMap((widget) =>
    [...widget.querySelectorAll("button, input, select, summary, [role=slider], [role=button], [role=gridcell]")]
        .map((element) => (element.matches("[type=radio], [type=checkbox]") && element.labels[0]) || element)
        .map((element) => [element, element.getBoundingClientRect()])
        .filter(([, box]) => box.width > 0 && box.height > 0 && Math.min(box.width, box.height) < 23.9)
        .map(([element, box]) => `${widget.getAttribute("aria-label")}: ${element.tagName} ${element.className} ` +
            `${element.textContent.slice(0, 20)} ${box.width} x ${box.height}`))"""
# 1.4.12: nothing may be lost when a reader sets text like this.
SPACING = """* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
p { margin-bottom: 2em !important; }"""
CUT = """(within) => [...document.querySelectorAll(within + " *")]
    .filter((one) => one.clientWidth > 1 && one.clientHeight > 1 && one.innerText?.trim())
    .filter((one) => ["hidden", "clip"].some((way) =>
        getComputedStyle(one).overflowX === way || getComputedStyle(one).overflowY === way))
    .filter((one) => one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1)
    .map((one) => `${one.tagName} ${one.className}: ${one.innerText.slice(0, 40)}`)"""
WIDER = """() => [...document.querySelectorAll(".course-widget")]
    .filter((widget) => widget.scrollWidth > widget.clientWidth + 1)
    .map((widget) => `${widget.getAttribute("aria-label")}: ${widget.scrollWidth} in ${widget.clientWidth}`)"""


@pytest.fixture(scope="module")
def notebook(chromium: Any, workbench: Lab) -> Iterator[Notebook]:
    """All widgets, live, in one notebook."""
    from tests.browser.lab import Notebook, write_notebook

    write_notebook(
        workbench.folder / "wcag" / "n.ipynb", {f"widget-{n}": source_of(name) for n, name in enumerate(WIDGETS)}
    )
    context = chromium.new_context(viewport={"width": 1100, "height": 1300}, reduced_motion="reduce")
    opened = Notebook(workbench, context.new_page(), "wcag/n.ipynb")
    opened.run_all()
    opened.page.locator(f"{WIDGET} canvas[data-frame]").nth(len(WIDGETS) - 1).wait_for()
    yield opened
    opened.shut_down()
    context.close()


def test_everything_that_is_pressed_is_24_pixels_wide_and_high(notebook: Notebook) -> None:
    """2.5.8, before the prediction and after it, when the controls are there."""
    from tests.browser.operating import lock_in

    assert notebook.page.evaluate(TARGETS) == []
    for widget in notebook.page.locator(WIDGET).all():
        lock_in(widget)
    assert notebook.page.evaluate(TARGETS) == []


def test_widgets_lose_nothing_when_text_is_spaced(notebook: Notebook) -> None:
    """1.4.12: no text is cut, and nothing sticks out."""
    style = notebook.page.add_style_tag(content=SPACING)
    assert notebook.page.evaluate(CUT, ".course-widget") == []
    assert notebook.page.evaluate(WIDER) == []
    style.evaluate("(element) => element.remove()")


def test_widgets_fit_into_320_pixels(notebook: Notebook, screenshot: Callable[..., None]) -> None:
    """1.4.10: JupyterLab's own frame stays, so the widgets' place is made that narrow; pictures become smaller."""
    style = notebook.page.add_style_tag(
        content=".jp-OutputArea-output { width: 320px !important; flex: none !important; }"
    )
    notebook.page.wait_for_function(f"() => ({WIDER})().length === 0")
    screenshot(notebook.page, "wcag-320")
    style.evaluate("(element) => element.remove()")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two notebooks as web pages, and the page of one of their widgets."""
    folder = tmp_path_factory.mktemp("pages")
    for name in ("01_batchnorm", "06_hyperparameter_search"):
        shutil.copytree(ROOT / "notebooks" / name, folder / "release" / name)
    widgets = folder / "release" / "01_batchnorm" / "widgets"
    widgets.mkdir()
    page = render_page(recording_of("fuse_it"), "widgets.fuse_it()", "batchnorm.ipynb")
    (widgets / "fuse-it.html").write_text(page, "utf-8")
    specification = importlib.util.spec_from_file_location("make_pages", ROOT / "scripts" / "make_pages.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.main(folder / "release", folder / "docs")
    return folder / "docs"


@pytest.mark.parametrize("name", ["index", "batchnorm", "hyperparameter_search"])
def test_pages_fit_into_320_pixels_and_stand_spaced_text(
    pages: Path, page: Page, name: str, screenshot: Callable[..., None]
) -> None:
    """1.4.10 and 1.4.12: one scrolls down only; code, tables and formulas may scroll in a place of their own."""
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto((pages / f"{name}.html").as_uri())
    screenshot(page, f"wcag-320-{name}")
    width = "() => document.scrollingElement.scrollWidth"
    assert page.evaluate(width) <= 320
    headings = "() => [...document.querySelectorAll('h1, h2, h3')].filter((h) => h.scrollWidth > h.clientWidth + 1)"
    assert page.evaluate(f"() => ({headings})().map((h) => h.innerText)") == []
    page.add_style_tag(content=SPACING)
    assert page.evaluate(width) <= 320
    assert page.evaluate(CUT, "body") == []


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        *(("index", width, scheme) for width in (1280, 390) for scheme in ("light", "dark")),
        ("batchnorm", 1280, "light"),  # JupyterLab's light look, whatever the reader has
        ("hyperparameter_search", 390, "dark"),
    ],
)
def test_axe_finds_nothing_on_the_pages_of_the_notebooks(
    pages: Path, page: Page, name: str, width: int, scheme: Any, screenshot: Callable[..., None]
) -> None:
    """In light and dark, on a desk and on a telephone."""
    from axe_playwright_python.sync_playwright import Axe

    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    page.goto((pages / f"{name}.html").as_uri())
    screenshot(page, f"docs-{name}-{width}-{scheme}")
    found = Axe().run(page)
    assert found.response["passes"], "axe looked at nothing"
    assert found.violations_count == 0, found.generate_report()


def test_the_page_of_a_notebook_shows_its_widgets_and_leads_to_those_that_move(pages: Path, page: Page) -> None:
    """Nobody has run the notebook: the picture before the prediction, the question, and a link."""
    page.goto((pages / "index.html").as_uri())
    page.get_by_role("link", name="Batch normalization", exact=False).first.click()
    still = page.locator(".course-still")
    assert "When can one linear layer give exactly the same output?" in still.inner_text()
    still.get_by_role("link").click()
    page.locator("canvas[data-frame]").wait_for()


FOCUSED = """() => {
    const focused = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(focused);
    const box = focused.getBoundingClientRect();
    const seen = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return {
        widget: focused.closest(".course-widget")?.getAttribute("aria-label") ?? null,
        outlined: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
        hidden: box.width > 1
            && !(focused.contains(seen) || seen?.contains(focused) || focused.labels?.[0]?.contains(seen)),
    };
}"""


def test_the_keyboard_walks_through_the_whole_notebook(notebook: Notebook) -> None:
    """2.1.1, 2.1.2, 2.4.7, 2.4.11: Shift+Enter runs every cell, Tab reaches every widget, and is always seen."""
    page = notebook.page
    notebook.activate("widget-0")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:enter-command-mode')")
    before = [cell.execution_count for cell in notebook.content().cells if cell.source]
    for _ in before:
        page.keyboard.press("Shift+Enter")
    # Each has run again: the kernel is idle between two cells, too, and a cell that waits has no number.
    page.wait_for_function(
        """(before) => window.jupyterapp.shell.currentWidget.context.model.toJSON().cells
            .filter((cell) => cell.source.length).every((cell) => cell.execution_count > before)""",
        arg=max(before),
        timeout=120_000,
        polling=100,
    )
    page.locator(f"{WIDGET} canvas[data-frame]").nth(len(WIDGETS) - 1).wait_for()

    notebook.activate("widget-0")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:enter-command-mode')")
    reached, invisible = [], []
    for _ in range(400):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        if found["widget"] is not None:
            reached.append(found["widget"])
            if found["hidden"] or not found["outlined"]:
                invisible.append(found)
        if len(set(reached)) == len(WIDGETS):
            break
    titles = [widget.get_attribute("aria-label") for widget in page.locator(WIDGET).all()]
    assert list(dict.fromkeys(reached)) == titles
    assert invisible == []
