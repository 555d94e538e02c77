"""Jupyter Notebook 7, which many people prefer: cards, live widgets, and still pictures without a kernel."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from course_lib.checking.answers import ENVIRONMENT_VARIABLE, write_keys
from tests.support import made_up
from tests.support.all_widgets import source_of
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WIDGET = "section.course-widget"
CELLS = {
    "setup": "import torch\nfrom course_lib import check\nfrom course_lib.lab.environment import check_environment\n"
    "check_environment()  # sees to it that a check that fails does not stop Run All",
    "answer": made_up.SOLUTION.replace("x.mean(dim=0)", "x.mean(dim=1)"),
    "column-scale": 'check("column-scale", column_scale)',
    "widget": source_of("batchnorm_pipeline"),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lab]:
    """Notebook 7 on a folder with answer data."""
    from tests.browser.lab import lab

    (tmp_path / "work").mkdir()
    answers = tmp_path / "answers"
    write_keys(answers / f"{made_up.ASSIGNMENT}.safetensors", made_up.ASSIGNMENT, [made_up.EXERCISE.make_key("a")])
    variables = {"PYTHONPATH": str(ROOT), ENVIRONMENT_VARIABLE: str(answers)}
    with lab(tmp_path / "work", tmp_path / "state", notebook_7=True, **variables) as running:
        yield running


def choose(page: Any, *names: str) -> None:
    """Choose from a menu, as a person does: this program gives its pages no handle on itself."""
    page.get_by_role("menuitem", name=names[0], exact=True).click()
    page.get_by_role("menuitem", name=names[1]).first.click()


# The page calls itself idle before it has a kernel, and shows the kernel's picture only afterward.
_READY = """() => document.querySelector("img[title^='Python 3']")
    && document.querySelector(".jp-Notebook-ExecutionIndicator")?.dataset.status === "idle";
"""


def run_all(page: Any) -> None:
    """Run all cells as soon as the page has its kernel."""
    page.wait_for_function(_READY)
    choose(page, "Run", "Run All Cells")
    page.get_by_text("Environment: ready").wait_for()


def wait_until(page: Any, holds: Callable[[], bool]) -> None:
    """Wait for something outside of the page."""
    from tests.browser.lab import WAIT_S

    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"waited {WAIT_S} s in vain"
        page.wait_for_timeout(100)


def test_cards_widgets_and_stills_in_notebook_7(
    server: Lab, page: Any, screenshot: Callable[..., None], accessible: Callable[..., None]
) -> None:
    """Operated by keyboard, read by axe, saved, and opened again without a kernel."""
    from playwright.sync_api import expect

    from tests.browser.lab import WAIT_S, write_notebook
    from tests.browser.operating import lock_in, move_every_control

    write_notebook(server.folder / "n.ipynb", CELLS)
    page.set_default_timeout(WAIT_S * 1000)
    address = f"{server.url}notebooks/n.ipynb?token={server.token}"
    page.goto(address)
    run_all(page)
    widget, still = page.locator(WIDGET), page.locator(".course-still")
    widget.locator("canvas[data-frame]").wait_for()
    expect(page.get_by_text("of 5 points").first).to_be_visible()
    expect(still).to_be_hidden()
    accessible(page)
    lock_in(widget)
    move_every_control(widget)
    expect(widget.locator(".cw-explanation")).to_contain_text("You ")
    screenshot(page, "notebook-7-live")
    line = widget.locator("canvas").get_attribute("aria-label")
    # The still picture follows a moment after the last movement.
    expect(page.locator(".course-still img")).to_have_attribute("alt", re.compile(re.escape(line)))
    choose(page, "File", "Save Notebook")
    wait_until(page, lambda: "course-still" in (server.folder / "n.ipynb").read_text("utf-8"))
    choose(page, "Kernel", "Shut Down Kernel")
    page.goto(address + "&again")
    expect(still).to_be_visible()
    assert widget.count() == 0
    accessible(page)
    screenshot(page, "notebook-7-reopened")
