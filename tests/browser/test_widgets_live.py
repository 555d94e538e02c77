"""Every widget in a real JupyterLab: operated by keyboard, read by axe, saved, reopened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from course_lib import widgets

if TYPE_CHECKING:
    from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ROOT = Path(__file__).parent.parent.parent
TITLE = "section.course-widget"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on an empty folder."""
    from tests.browser.lab import lab

    folder, state = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("state")
    with lab(folder, state, PYTHONPATH=str(ROOT)) as running:
        yield running


def notebook_of(server: Lab, page: Any, name: str) -> Any:
    """A notebook with one widget, run."""
    from tests.browser.lab import Notebook, write_notebook

    folder = server.folder / name
    write_notebook(folder / "one.ipynb", {"widget": f"from course_lib import widgets\n\nwidgets.{name}()"})
    notebook = Notebook(server, page, f"{name}/one.ipynb")
    notebook.run_all()
    notebook.page.locator(f"{TITLE} canvas[data-frame]").wait_for()
    return notebook


@pytest.mark.parametrize("name", widgets.__all__)
def test_a_widget_from_prediction_to_reopened_notebook(
    server: Lab, page: Any, name: str, screenshot: Callable[..., None], accessible: Callable[..., None]
) -> None:
    """By keyboard alone; nothing for axe to find in either theme; the prediction outlives reload and restart."""
    from playwright.sync_api import expect

    from tests.browser.operating import lock_in, move_every_control, reachable_by_tab

    notebook = notebook_of(server, page, name)
    widget = page.locator(TITLE)
    assert page.locator(".course-still").is_hidden()
    screenshot(widget, f"{name}-1-before")
    accessible(page)
    lock_in(widget)
    reachable_by_tab(page, widget)
    move_every_control(widget)
    screenshot(widget, f"{name}-2-explored")
    accessible(page)

    page.evaluate("() => { window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}); }")
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    screenshot(widget, f"{name}-3-dark")
    accessible(page)
    page.evaluate("() => { window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'}); }")
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'true'")

    notebook.save()
    notebook.open()  # the kernel lives on, and with it the widget
    expect(widget.locator(".cw-note")).to_have_text("Locked in.")
    expect(widget.locator(".cw-explanation")).to_contain_text("You ")

    notebook.shut_down()
    notebook.open()
    still = page.locator(".course-still img")
    expect(still).to_be_visible()
    assert page.locator(TITLE).count() == 0
    assert len(still.get_attribute("alt") or "") > 40
    assert page.get_by_text("Error displaying widget").locator("visible=true").count() == 0
    screenshot(page.locator(".jp-OutputArea").first, f"{name}-4-reopened")
    accessible(page)

    notebook.run_all()
    expect(widget.locator(".cw-note")).to_have_text("Locked in.")
    expect(page.locator(".course-still")).to_be_hidden()
    remembered = json.loads((server.folder / name / ".course_predictions.json").read_text("utf-8"))
    assert len(remembered["predictions"]) == 1
    assert notebook.errors == []


def test_a_drag_never_queues_and_leaves_nothing_behind(server: Lab, page: Any) -> None:
    """Of a hundred events in a row two are answered, the first and the last; the page does not grow with updates."""
    from tests.browser.operating import lock_in

    notebook_of(server, page, "batchnorm_pipeline")
    widget = page.locator(TITLE)
    if widget.get_by_role("button", name="Lock in").is_visible():
        lock_in(widget)
    canvas, slider = widget.locator("canvas"), widget.locator("input[type=range]").first
    before = int(canvas.get_attribute("data-frame") or 0)
    drag = """(input) => {
        for (let i = 0; i < 100; i++) {
            input.value = String(i % 40);
            input.dispatchEvent(new Event("input", { bubbles: true }));
        }
        return input.getAttribute("aria-valuetext");
    }"""
    slider.evaluate(drag)
    page.wait_for_function("([c, n]) => Number(c.dataset.frame) === n", arg=[canvas.element_handle(), before + 2])
    assert "x has mean 0.50" in (canvas.get_attribute("aria-label") or "")  # shift −0.5, the last of the hundred

    session = page.context.new_cdp_session(page)

    def size() -> tuple[int, int]:
        session.send("HeapProfiler.collectGarbage")
        counted = session.send("Memory.getDOMCounters")
        return counted["nodes"], counted["jsEventListeners"]

    frame = before + 2
    many = (
        """([input, n]) => { input.value = String(n); input.dispatchEvent(new Event("input", { bubbles: true })); }"""
    )
    arrived = "([c, n]) => Number(c.dataset.frame) >= n"

    def updates(times: int) -> None:
        nonlocal frame
        for i in range(times):
            frame += 1
            page.evaluate(many, [slider.element_handle(), i % 40])
            page.wait_for_function(arrived, arg=[canvas.element_handle(), frame])

    updates(20)
    nodes, listeners = size()
    updates(100)
    more_nodes, more_listeners = size()
    assert more_listeners - listeners <= 5
    assert more_nodes - nodes <= 60  # a hundred updates that each left a node behind would be 100


def test_an_error_in_a_widget_reaches_the_page(server: Lab, page: Any, screenshot: Callable[..., None]) -> None:
    """A student sees that something is wrong, and in which words to report it."""
    from playwright.sync_api import expect

    from tests.browser.lab import Notebook, write_notebook

    source = """
from dataclasses import replace
from course_lib.widgets import explorer, fusion

def numbers(state):
    if state["mode"] == "train":
        raise ValueError("a made-up fault")
    return fusion.numbers(state)

explorer.show_widget(replace(fusion.DESIGN, name="broken", numbers=numbers))
"""
    write_notebook(server.folder / "broken" / "one.ipynb", {"widget": source})
    notebook = Notebook(server, page, "broken/one.ipynb")
    notebook.run_all()
    widget = page.locator(TITLE)
    from tests.browser.operating import lock_in

    lock_in(widget)
    mode = widget.get_by_label("Mode of batchnorm")
    mode.select_option("train")
    expect(widget.get_by_role("alert")).to_have_text("This picture could not be computed. ValueError: a made-up fault")
    screenshot(widget, "an-error")
    mode.select_option("eval")
    expect(widget.locator(".cw-error")).to_be_hidden()
