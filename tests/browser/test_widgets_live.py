"""Every widget in a real JupyterLab: operated by keyboard, read by axe, saved, reopened."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.all_widgets import WIDGETS, source_of

if TYPE_CHECKING:
    from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NO_WIDGET = re.compile("Loading widget|Error displaying widget")
WIDGET = "section.course-widget"


@pytest.fixture
def server(workbench: Lab) -> Lab:
    """JupyterLab with the course's own extension."""
    assert "course_lib.widgets.prompt_server | extension was successfully loaded" in workbench.log.read_text("utf-8")
    return workbench


def notebook_of(server: Lab, page: Any, *names: str) -> Any:
    """A notebook with a cell for each of these widgets, run."""
    from tests.browser.lab import Notebook, write_notebook

    folder = f"live-{'-'.join(names)[:40]}"
    cells = {f"widget-{n}": source_of(name) for n, name in enumerate(names)}
    write_notebook(server.folder / folder / "widgets.ipynb", cells)
    notebook = Notebook(server, page, f"{folder}/widgets.ipynb")
    notebook.run_all()
    notebook.page.locator(f"{WIDGET} canvas[data-frame]").nth(len(names) - 1).wait_for()
    return notebook


@pytest.mark.timeout(600)
def test_widgets_in_the_dark_and_after_a_restart(
    server: Lab, page: Any, screenshot: Callable[..., None], accessible: Callable[..., None]
) -> None:
    """Nothing for axe to find in either theme and at any width, before and after; predictions outlive a new kernel."""
    from playwright.sync_api import expect

    from tests.browser.operating import lock_in, move_every_control, theme

    names = list(WIDGETS)
    notebook = notebook_of(server, page, *names)
    found, stills = page.locator(WIDGET), page.locator(".course-still")
    for name, widget, still in zip(names, found.all(), stills.all(), strict=True):
        expect(still).to_be_hidden()
        screenshot(widget, f"{name}-1-before")
    accessible(page)
    for name, widget in zip(names, found.all(), strict=True):
        lock_in(widget)
        move_every_control(widget)
        screenshot(widget, f"{name}-2-explored")
    size = page.viewport_size
    for width in (1280, 900, 390):
        page.set_viewport_size({"width": width, "height": 900})
        accessible(page)
        theme(page, "JupyterLab Dark", "false")
        accessible(page)
        theme(page, "JupyterLab Light", "true")
    page.set_viewport_size(size)
    theme(page, "JupyterLab Dark", "false")
    for name, widget in zip(names, found.all(), strict=True):
        screenshot(widget, f"{name}-3-dark")
    theme(page, "JupyterLab Light", "true")

    notebook.save()
    notebook.reopen()
    expect(page.locator(f"{WIDGET} .cw-note")).to_have_text(["Locked in."] * len(names))
    for widget in found.all():
        expect(widget.locator(".cw-explanation")).to_contain_text("You ")

    notebook.shut_down()
    notebook.open()
    assert found.count() == 0
    for name, still, empty in zip(names, stills.all(), page.get_by_text(NO_WIDGET).all(), strict=True):
        expect(still).to_be_visible()
        expect(empty).to_be_hidden()
        screenshot(still, f"{name}-4-reopened")
    accessible(page)

    notebook.run_all()
    expect(page.locator(f"{WIDGET} .cw-note")).to_have_text(["Locked in."] * len(names))
    remembered = json.loads(next(server.folder.glob(f"live-{names[0]}*/.course_predictions.json")).read_text("utf-8"))
    assert len(remembered["predictions"]) == len(names)
    assert notebook.errors == []


# One update after the other, each when the one before is drawn.
_UPDATES = """async ([input, canvas, times]) => {
    for (let i = 0; i < times; i++) {
        const next = Number(canvas.dataset.frame) + 1;
        input.value = String(i % 40);
        input.dispatchEvent(new Event("input", { bubbles: true }));
        while (Number(canvas.dataset.frame) < next) await new Promise((go) => setTimeout(go, 5));
    }
}"""


def test_a_drag_never_queues_and_leaves_nothing_behind(server: Lab, page: Any) -> None:
    """Of a hundred events in a row two are answered, the first and the last; the page does not grow with updates."""
    from tests.browser.operating import lock_in, wait_until

    notebook_of(server, page, "batchnorm_pipeline")
    widget = page.locator(WIDGET)
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
    wait_until(page, "([c, n]) => Number(c.dataset.frame) === n", [canvas.element_handle(), before + 2])
    assert "x has mean 0.50" in (canvas.get_attribute("aria-label") or "")  # shift −0.5, the last of the hundred

    session = page.context.new_cdp_session(page)

    def size() -> tuple[int, int]:
        session.send("HeapProfiler.collectGarbage")
        counted = session.send("Memory.getDOMCounters")
        return counted["nodes"], counted["jsEventListeners"]

    def updates(times: int) -> None:
        page.evaluate(_UPDATES, [slider.element_handle(), canvas.element_handle(), times])

    updates(20)
    sizes = [size()]
    for _ in range(3):
        updates(100)
        sizes.append(size())
    assert int(canvas.get_attribute("data-frame") or 0) == before + 2 + 20 + 3 * 100
    # JupyterLab itself adds something now and then; what an update leaves behind is there in every round.
    nodes, listeners = (
        min(after[kind] - before[kind] for before, after in itertools.pairwise(sizes)) for kind in (0, 1)
    )
    assert listeners <= 5
    assert nodes <= 60  # a hundred updates that each left a node behind would be 100


def test_an_error_in_a_widget_reaches_the_page(server: Lab, page: Any, screenshot: Callable[..., None]) -> None:
    """A student sees that something is wrong, and in which words to report it."""
    from playwright.sync_api import expect

    from tests.browser.lab import Notebook, write_notebook

    source = """
from dataclasses import replace
from course_lib.widgets import explorer
from course_lib.batchnorm.widgets import fusion
def numbers(state):
    if state["mode"] == "train":
        raise ValueError("a made-up fault")
    return fusion.numbers(state)

explorer.show_widget(replace(fusion.DESIGN, name="broken", numbers=numbers))
"""
    write_notebook(server.folder / "live-broken" / "one.ipynb", {"widget": source})
    notebook = Notebook(server, page, "live-broken/one.ipynb")
    notebook.run_all()
    widget = page.locator(WIDGET)
    from tests.browser.operating import lock_in

    lock_in(widget)
    mode = widget.get_by_label("Mode of batchnorm")
    mode.select_option("train")
    expect(widget.get_by_role("alert")).to_have_text("This picture could not be computed. ValueError: a made-up fault")
    screenshot(widget, "an-error")
    mode.select_option("eval")
    expect(widget.locator(".cw-error")).to_be_hidden()


# anywidget gives a page two seconds to load a widget's script; here they are over at once, as on a page that was busy.
_LATE = """
window.courseLate = 0;
AbortSignal.timeout = () => {
    window.courseLate += 1;
    const over = new AbortController();
    queueMicrotask(() => over.abort());
    return over.signal;
};
"""


_FILE = """
from course_lib.widgets.file_button import Answer, FileButton
FileButton("A file", "Any.", "*", 100, lambda data: Answer("", f"{len(data)} bytes"))
"""


def test_a_widget_whose_page_was_too_slow_for_it_answers(server: Lab, page: Any) -> None:
    """Its first picture comes, and every later one, though anywidget has given its model up; a file button's, too."""
    from playwright.sync_api import expect

    from tests.browser.lab import Notebook, write_notebook
    from tests.browser.operating import lock_in, move_every_control

    page.add_init_script(_LATE)
    cells = {name: source_of(name) for name in ("fuse_it", "where_to_stop")}
    write_notebook(server.folder / "slow" / "n.ipynb", cells | {"file": _FILE})
    notebook = Notebook(server, page, "slow/n.ipynb")
    notebook.run_all()
    expect(page.locator(f"{WIDGET} canvas[data-frame]")).to_have_count(2)
    assert page.evaluate("window.courseLate") == 3
    for widget in page.locator(WIDGET).all():
        lock_in(widget)
        move_every_control(widget)
    page.get_by_label("A file").set_input_files([{"name": "a.txt", "mimeType": "text/plain", "buffer": b"seven.."}])
    expect(page.locator(".course-file").get_by_role("status")).to_have_text("a.txt: 7 bytes")
    assert notebook.errors == []


def test_whoever_waits_for_a_kernel_is_told_why(
    server: Lab, page: Any, screenshot: Callable[..., None], accessible: Callable[..., None]
) -> None:
    """The line comes while it does not answer, goes with the picture for the last move, and comes after a restart."""
    from playwright.sync_api import expect

    from tests.browser.lab import Notebook, write_notebook
    from tests.browser.operating import lock_in

    cells = {"widget": source_of("fuse_it"), "number": 'import os\nprint("process", os.getpid())'}
    write_notebook(server.folder / "late" / "n.ipynb", cells)
    notebook = Notebook(server, page, "late/n.ipynb")
    notebook.run_all()
    widget, late = page.locator(WIDGET), page.locator(".cw-late")
    lock_in(widget)
    process = int(page.get_by_text(re.compile(r"process \d+")).inner_text().split()[1])
    before = widget.locator("canvas").get_attribute("data-frame") or ""
    slider = widget.locator("input[type=range]").first
    os.kill(process, signal.SIGSTOP)
    for _ in range(3):
        slider.press("ArrowRight")
    expect(late).to_contain_text("The kernel has not answered yet.")
    accessible(page)
    screenshot(widget, "a-late-kernel")
    os.kill(process, signal.SIGCONT)
    expect(late).to_be_empty()
    expect(widget.locator("canvas")).not_to_have_attribute("data-frame", before)

    notebook.restart()
    slider.press("ArrowRight")
    expect(late).to_contain_text("after a restart, run this cell again")
