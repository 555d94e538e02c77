"""What can be dragged in a widget's picture: by mouse, by finger, by keyboard, and always one state with its slider."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.all_widgets import WIDGETS, source_of

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, ViewportSize

    from tests.browser.lab import Lab, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WIDGET = "section.course-widget"
WINDOW: ViewportSize = {"width": 1100, "height": 1300}
NAMES = (
    "batchnorm_pipeline",
    "running_statistics",
    "ensemble",
    "where_to_stop",
    "two_ways_to_stay_small",
    "beat_the_machine",
    "coarse_to_fine",
    "transfer_quadrants",
)
"""The widgets in which something can be dragged."""


PATH = "dragging/n.ipynb"


@pytest.fixture(scope="module")
def notebook(workbench: Lab, chromium: Any) -> Iterator[Notebook]:
    """One notebook for all tests, with a cell for every widget: opening one and starting its kernel takes long."""
    from tests.browser.lab import Notebook, write_notebook

    write_notebook(workbench.folder / PATH, {name: source_of(name, "fresh=True") for name in WIDGETS})
    context = chromium.new_context(viewport=WINDOW, reduced_motion="reduce")
    opened = Notebook(workbench, context.new_page(), PATH)
    yield opened
    opened.shut_down()
    context.close()


@pytest.fixture
def page(notebook: Notebook) -> Page:
    """Its page, with no widget in it, whatever the test before has left."""
    from playwright.sync_api import expect

    notebook.page.set_viewport_size(WINDOW)
    notebook.clear()
    expect(notebook.page.locator(WIDGET)).to_have_count(0)
    return notebook.page


def show(notebook: Notebook, *names: str, locked: bool = True) -> None:
    """Make these widgets anew, each with a prediction locked in."""
    from playwright.sync_api import expect

    from tests.browser.operating import lock_in

    for name in names:
        notebook.run_cell(name)
    widgets = notebook.page.locator(WIDGET)
    expect(widgets.locator("canvas[data-frame]")).to_have_count(len(names))
    if locked:
        for widget in widgets.all():
            lock_in(widget)


def centre(element: Locator) -> tuple[float, float]:
    """The middle of an element, in pixels of the page."""
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def comes_to(element: Locator, x: float, within: float) -> None:
    """Its middle stands there, or will when the picture for the last move has come."""
    from tests.browser.lab import WAIT_S

    deadline = time.monotonic() + WAIT_S
    while (there := centre(element)[0]) != pytest.approx(x, abs=within):
        assert time.monotonic() < deadline, f"it stands at {there}, and not at {x}"


def drag(page: Any, element: Locator, right: float, down: float = 0) -> None:
    """Press on its middle, move in ten steps, release."""
    element.hover()  # once it stands still, and nothing covers it
    x, y = centre(element)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=10)
    page.mouse.up()


def test_a_mouse_drags_the_shift_on_its_histogram(
    notebook: Notebook, page: Page, screenshot: Callable[..., None]
) -> None:
    """Slider, handle, words and picture follow; to the left and to the right; releasing leaves it there."""
    from playwright.sync_api import expect

    from tests.browser.operating import frame, wait_until

    show(notebook, "batchnorm_pipeline")
    widget = page.locator(WIDGET)
    handle, slider = widget.locator(".cw-handle"), widget.get_by_label("Shift of the input", exact=True)
    before, (start, _) = frame(widget), centre(handle)
    page.evaluate(_WATCH_FOR_BLANKS)
    drag(page, handle, 30)
    value = float(slider.get_attribute("aria-valuetext") or "nan")
    assert value > 2
    comes_to(handle, start + 30, within=4)  # the nearest place
    expect(handle).to_have_attribute("aria-valuetext", f"{value:g}")
    wait_until(
        page,
        "([c, words]) => c.getAttribute('aria-label').includes(words)",
        [widget.locator("canvas").element_handle(), f"x has mean {1 + value:.2f}"],
    )
    assert frame(widget)[2] != before[2]
    wait_until(page, "() => window.seen.frames > 3")
    assert page.evaluate("() => { window.looking = false; return window.seen.blank; }") == 0
    screenshot(widget, "a-shift-dragged")
    drag(page, handle, -40)
    assert float(slider.evaluate("(e) => Number(e.getAttribute('aria-valuetext').replace('\\u2212', '-'))")) < 0
    handle.hover()
    x, y = centre(handle)
    page.mouse.move(x + 20, y)  # no button: nothing is dragged
    comes_to(handle, x, within=0.5)


def test_the_slider_moves_the_handle(notebook: Notebook, page: Page) -> None:
    """The other way round: one state."""
    show(notebook, "batchnorm_pipeline")
    widget = page.locator(WIDGET)
    handle, slider = widget.locator(".cw-handle"), widget.get_by_label("Shift of the input", exact=True)
    start, _ = centre(handle)
    slider.focus()
    page.keyboard.press("End")
    assert handle.get_attribute("aria-valuetext") == "10"
    assert centre(handle)[0] > start + 30
    widget.get_by_role("button", name="Reset").click()
    comes_to(handle, start, within=0.5)


def test_the_keyboard_does_all_that_a_mouse_can(notebook: Notebook, page: Page) -> None:
    """Arrows by one place, Shift and Page by a tenth, Home and End; the page and the notebook do not take the keys."""
    show(notebook, "batchnorm_pipeline")
    widget = page.locator(WIDGET)
    handle = widget.get_by_role("slider", name="Shift of the input, dragged on its histogram")
    handle.focus()
    keys = {
        "ArrowRight": "0.5",
        "Shift+ArrowRight": "2.5",
        "ArrowUp": "3",
        "PageDown": "1",
        "Shift+ArrowLeft": "−1",
        "ArrowDown": "−1.5",
        "Home": "−10",
        "End": "10",
    }
    for key, value in keys.items():
        page.keyboard.press(key)
        assert handle.get_attribute("aria-valuetext") == value, key
        assert handle.evaluate("(e) => document.activeElement === e"), key
    assert handle.evaluate("(e) => getComputedStyle(e).outlineStyle") != "none"


@pytest.mark.timeout(600)
def test_every_handle_is_large_named_and_moves_its_slider(notebook: Notebook, page: Page, accessible: Any) -> None:
    """24 pixels at least, a cursor that shows it, a name and a value; the picture answers to each of them."""
    from tests.browser.operating import move_handle, reachable_by_tab

    names = [name for name in WIDGETS if name in NAMES]  # as their cells stand in the notebook
    show(notebook, *names)
    for name, widget in zip(names, page.locator(WIDGET).all(), strict=True):
        handles = widget.locator(".cw-handle")
        assert handles.count() == {"two_ways_to_stay_small": 2, "where_to_stop": 0}.get(name, 1), name
        for handle in handles.all():
            box = handle.bounding_box()
            assert box
            assert min(box["width"], box["height"]) >= 24
            assert handle.get_attribute("aria-label")
            assert handle.evaluate("(e) => getComputedStyle(e).cursor") in ("grab", "ew-resize")
            move_handle(widget, handle)
        reachable_by_tab(page, widget)
    accessible(page)


def test_a_box_is_dragged_in_both_directions(notebook: Notebook, page: Page, screenshot: Callable[..., None]) -> None:
    """One handle, two sliders: along the learning rate by left and right, along the penalty by up and down."""
    show(notebook, "coarse_to_fine")
    widget = page.locator(WIDGET)
    handle = widget.locator(".cw-handle")
    lr, reg = widget.get_by_label("Box: learning rate"), widget.get_by_label("Box: penalty λ")

    def values() -> tuple[float, float]:
        return tuple(float(e.get_attribute("aria-valuetext") or "nan") for e in (lr, reg))  # type: ignore[return-value]

    before = values()
    drag(page, handle, 60, 80)
    after = values()
    assert after[0] > before[0]
    assert after[1] < before[1]
    screenshot(widget, "a-box-dragged")
    handle.focus()
    page.keyboard.press("ArrowUp")
    assert values()[0] == after[0]
    assert values()[1] > after[1]
    page.keyboard.press("ArrowLeft")
    assert values()[0] < after[0]
    assert handle.get_attribute("aria-valuetext") == ", ".join(f"{value:g}" for value in values())


def test_a_point_is_dragged_along_its_path(notebook: Notebook, page: Page) -> None:
    """The place of the path nearest to the pointer is taken, wherever the pointer goes."""
    show(notebook, "two_ways_to_stay_small")
    widget = page.locator(WIDGET)
    steps = widget.get_by_role("slider", name="Steps of gradient descent, along its path")
    (x, y), start = centre(steps), steps.get_attribute("aria-valuenow")
    drag(page, steps, 120, -160)  # towards the least-squares solution, not on the path
    assert int(steps.get_attribute("aria-valuenow") or 0) > int(start or 0)
    now = centre(steps)
    assert now[0] > x
    assert now[1] < y


def test_a_tied_slider_follows(notebook: Notebook, page: Page) -> None:
    """λ follows the steps: its slider shows what the picture shows, and stays there once it is free again."""
    from playwright.sync_api import expect

    show(notebook, "two_ways_to_stay_small")
    widget = page.locator(WIDGET)
    tie, strength, steps = (widget.get_by_label(name, exact=True) for name in ("λ and the steps", "λ", "Steps t"))
    expect(strength).to_have_attribute("aria-valuetext", "4")
    tie.select_option("tied")
    expect(strength).to_have_attribute("aria-valuetext", "1")
    steps.press("ArrowRight")
    expect(strength).to_have_attribute("aria-valuetext", "0.8")
    tie.select_option("free")
    expect(widget.locator(".cw-handle")).to_have_count(2)
    expect(strength).to_have_attribute("aria-valuetext", "0.8")


def test_the_still_picture_shows_the_last_state(notebook: Notebook, page: Page) -> None:
    """A little after the last move, without anybody asking."""
    from tests.browser.operating import wait_until

    show(notebook, "batchnorm_pipeline")
    widget = page.locator(WIDGET)
    widget.locator(".cw-handle").press("End")
    wait_until(page, "() => document.querySelector('.course-still img').alt.includes('x has mean 11.')")


def test_training_goes_forward_only(notebook: Notebook, page: Page, screenshot: Callable[..., None]) -> None:
    """The marker of the question cannot be taken back, neither by mouse nor by keyboard nor on its slider."""
    from playwright.sync_api import expect

    show(notebook, "where_to_stop", locked=False)
    widget = page.locator(WIDGET)
    handle, slider = widget.locator(".cw-handle"), widget.locator(".cw-predict input")
    lock = widget.get_by_role("button", name="Lock in")
    expect(lock).to_be_disabled()
    drag(page, handle, 60)
    reached = int(handle.get_attribute("aria-valuetext") or 0)
    assert 4 < reached <= 24
    expect(lock).to_be_enabled()
    drag(page, handle, -60)
    for key in ("ArrowLeft", "Home", "PageDown"):
        handle.focus()
        page.keyboard.press(key)
        slider.focus()
        page.keyboard.press(key)
    assert handle.get_attribute("aria-valuetext") == str(reached)
    assert slider.get_attribute("aria-valuetext") == str(reached)
    expect(widget.locator("canvas")).to_have_attribute("aria-label", re.compile(f"Epoch {reached}:"))
    screenshot(widget, "a-marker-dragged")
    lock.click()
    expect(handle).to_have_count(0)
    expect(widget.locator(".cw-said")).to_contain_text(f"Train until epoch: {reached}")


def test_enter_on_the_handle_makes_the_run(notebook: Notebook, page: Page) -> None:
    """A student who uses the keyboard need not leave the picture; ten runs, no more; another slice starts over."""
    from playwright.sync_api import expect

    from tests.browser.operating import wait_until

    show(notebook, "beat_the_machine")
    widget = page.locator(WIDGET)
    handle, count = widget.locator(".cw-handle"), widget.locator(".cw-control output").nth(1)
    handle.focus()
    for number in range(1, 13):
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
        expect(count).to_have_text(f"{min(number, 10)} of 10")
    wait_until(
        page,
        "(c) => c.getAttribute('aria-label').includes('After 10 picks')",
        widget.locator("canvas").element_handle(),
    )
    widget.get_by_role("button", name="Another slice").click()
    expect(count).to_have_text("0 of 10")


def test_a_finger_drags_and_the_page_does_not_scroll(notebook: Notebook, chromium: Any) -> None:
    """Touch: on a handle it drags."""
    from tests.browser.lab import Notebook

    context = chromium.new_context(viewport={"width": 900, "height": 900}, has_touch=True)
    page = context.new_page()
    try:
        show(Notebook(notebook.server, page, PATH), "running_statistics")
        widget = page.locator(WIDGET)
        handle = widget.locator(".cw-handle")
        x, y = centre(handle)
        session = context.new_cdp_session(page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            found = [{"x": a, "y": b} for a, b in points]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": found})

        touch("touchStart", (x, y))
        for step in range(1, 9):
            touch("touchMove", (x + 10 * step, y + 5 * step))
        touch("touchEnd")
        assert int(handle.get_attribute("aria-valuetext") or 0) > 8
        assert centre(handle)[1] == pytest.approx(y, abs=1)
    finally:
        context.close()


@pytest.mark.timeout(600)
def test_every_widget_fits_into_every_window(notebook: Notebook, page: Page, screenshot: Callable[..., None]) -> None:
    """Nothing sticks out at 390, 900 and 1280 pixels; at 1280 x 800 a whole widget is seen at once.

    Nor are words of a picture cut off or squeezed, or those of a choice.  All widgets stand in one page: no id occurs
    twice, and the words of an answer choose the answer beside them.
    """
    from tests.browser.operating import lock_in, theme, wait_until

    names = list(WIDGETS)
    page.evaluate(_NOTE_WORDS)
    show(notebook, *names, locked=False)
    ids = page.evaluate("() => [...document.querySelectorAll('section.course-widget [id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids)) > 0
    for widget in page.locator(WIDGET).all():
        words = widget.locator(".cw-option label").last
        if words.count() and widget.locator("input[type=radio]").count():
            words.click()
            page.mouse.move(0, 0)
            assert widget.locator("input[type=radio]").last.is_checked()
    for locked in (False, True):
        for width in (1280, 900, 390):
            page.set_viewport_size({"width": width, "height": 800})
            theme(page, "JupyterLab Dark", "false")  # for a moment the page has no style, and no width
            theme(page, "JupyterLab Light", "true")
            for name, widget in zip(names, page.locator(WIDGET).all(), strict=True):
                wait_until(page, _FITS, widget.element_handle())
                assert widget.evaluate(_CUT_CHOICES) == [], f"{name} at {width}"
                screenshot(widget, f"{name}-{width}{'-locked' if locked else ''}")
                height = widget.bounding_box()["height"]
                assert height <= 690 or width < 1280, f"{name} is {height:.0f} high"
        assert sorted(page.evaluate("() => [...window.cutWords]")) == []
        assert page.evaluate("() => window.words") > 1000
        if not locked:
            page.set_viewport_size({"width": 1280, "height": 800})
            for widget in page.locator(WIDGET).all():
                lock = widget.get_by_role("button", name="Lock in")
                lock.click() if lock.is_enabled() else lock_in(widget)


# Looks at every frame of the page: a picture that flickers is empty in some of them.
_WATCH_FOR_BLANKS = """() => {
    const canvas = document.querySelector("section.course-widget canvas"), context = canvas.getContext("2d");
    window.seen = { frames: 0, blank: 0 };
    window.looking = true;
    const look = () => {
        const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
        window.seen.frames += 1;
        if (!data.some((value) => value)) window.seen.blank += 1;
        if (window.looking) requestAnimationFrame(look);
    };
    look();
}"""
# Keeps the words that do not fit onto the canvas on which they are written, and those that are squeezed to fit.
_NOTE_WORDS = """(() => {
    window.cutWords = new Set();
    window.words = 0;
    const write = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (words, x, y, most) {
        const natural = this.measureText(words).width, width = Math.min(natural, most ?? natural);
        const from = { left: 0, center: width / 2, right: width }[this.textAlign];
        const matrix = this.getTransform();
        const ends = [x - from, x - from + width].map((at) => new DOMPoint(at, y).matrixTransform(matrix));
        const slack = 2 * matrix.a + 2 * Math.abs(matrix.b), { width: wide, height: high } = this.canvas;
        const inside = ends.every((p) => p.x > -slack && p.x < wide + slack && p.y > -slack && p.y < high + slack);
        if (wide > 200 * matrix.a && (!inside || natural > 1.12 * width)) window.cutWords.add(`${words} on ${wide}`);
        window.words += 1;
        return write.call(this, words, x, y, most);
    };
})()"""
# The longest words of each choice, if the box is too narrow for them and its arrow.
_CUT_CHOICES = """(widget) => [...widget.querySelectorAll("select")].filter((e) => e.offsetWidth).flatMap((select) => {
    const pen = document.createElement("canvas").getContext("2d"), style = getComputedStyle(select);
    pen.font = `${style.fontSize} ${style.fontFamily}`;
    const room = select.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - 18;
    return [...select.options].map((option) => option.text).filter((words) => pen.measureText(words).width > room);
})"""
_FITS = """(widget) => {
    const edge = widget.getBoundingClientRect().right + 1, all = [...widget.querySelectorAll("*")];
    return all.every((e) => e.getBoundingClientRect().right <= edge);
}"""
