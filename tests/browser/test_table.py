"""The table of transfer learning fills while one explores: live, after reopening, and on the page without Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autograder.widget_pages.page import render_page
from tests.support.all_widgets import source_of
from tests.support.recorded import recording_of

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAME = "transfer_quadrants"
FIRST_ENTRY = {"x": 70, "y": 85}
"""A place in it, in pixels of the picture."""


def fill(page: Page, widget: Locator) -> None:
    """Before the prediction a click does nothing; then every entry looked at is filled, also by a click."""
    from playwright.sync_api import expect

    canvas = widget.locator("canvas")
    canvas.click(position=FIRST_ENTRY)
    expect(canvas).to_have_attribute("data-seen", "")
    widget.get_by_label("linear classifier on block 2").press("Space")
    widget.get_by_role("button", name="Lock in").press("Enter")
    expect(canvas).to_have_attribute("data-seen", "2")
    widget.get_by_role("slider", name="Images per class").first.press("ArrowRight")
    expect(canvas).to_have_attribute("data-seen", "2,3")
    canvas.click(position=FIRST_ENTRY)
    expect(canvas).to_have_attribute("data-seen", "0,2,3")
    expect(widget.get_by_label("Target", exact=True)).to_have_value("similar")
    expect(widget.locator(".cw-line")).to_contain_text("The lecture's advice, linear classifier on the top layer,")
    widget.get_by_role("button", name="Reset").press("Enter")
    expect(widget.get_by_label("Target", exact=True)).to_have_value("different")
    expect(canvas).to_have_attribute("data-seen", "0,2,3")


def test_the_live_table_fills_and_is_still_filled_when_the_notebook_is_opened_again(page: Page, workbench: Lab) -> None:
    """As long as the kernel lives."""
    from playwright.sync_api import expect

    from tests.browser.lab import Notebook, write_notebook

    write_notebook(workbench.folder / "table" / "n.ipynb", {"widget": source_of(NAME)})
    notebook = Notebook(workbench, page, "table/n.ipynb")
    notebook.run_all()
    widget = page.locator("section.course-widget")
    widget.locator("canvas[data-frame]").wait_for()
    fill(page, widget)
    notebook.save()
    notebook.reopen()
    expect(page.locator("section.course-widget canvas")).to_have_attribute("data-seen", "0,2,3")
    assert notebook.errors == []


def test_the_table_fills_on_the_page_without_python(page: Any, tmp_path: Path) -> None:
    """The page draws with the live widget's script, which keeps what was seen."""
    path = tmp_path / "page.html"
    path.write_text(render_page(recording_of(NAME), f"widgets.{NAME}()", "n.ipynb"), "utf-8")
    page.goto(path.as_uri())
    widget = page.locator("section.course-widget")
    widget.locator("canvas[data-frame]").wait_for()
    fill(page, widget)
