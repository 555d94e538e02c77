"""The page of every widget that needs no Python: operated by keyboard, read by axe, and true to the live widget."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autograder.widget_pages.page import render_page
from course_lib.widgets.controls import Choice, Picks, Seed, Slider
from course_lib.widgets.explorer import Design, explained, first_state, whole_state
from course_lib.widgets.predictions import Estimate, Marking, Pick, Placing
from tests.support.all_widgets import WIDGETS
from tests.support.recorded import recording_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LOOKS = [(1280, "light"), (1280, "dark"), (900, "light"), (390, "light"), (390, "dark")]
SMALL = """() => [...document.querySelectorAll("button, input, select, summary, [role=slider]")]
    .map((one) => (one.matches("[type=radio], [type=checkbox]") && one.labels[0]) || one)
    .map((one) => [one, one.getBoundingClientRect()])
    .filter(([, box]) => box.width > 0 && box.height > 0 && Math.min(box.width, box.height) < 23.9)
    .map(([one, box]) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 20)} ${box.width}`)"""


@pytest.fixture(params=WIDGETS)
def name(request: pytest.FixtureRequest) -> str:
    """Every widget of every topic."""
    found: str = request.param
    return found


@pytest.fixture
def opened(name: str, page: Page, tmp_path: Path) -> Page:
    """The page of a widget, as a file; nothing may be asked from elsewhere, and no script may fail."""
    path = tmp_path / f"{name}.html"
    path.write_text(render_page(recording_of(name), f"widgets.{name}()", "n.ipynb"), "utf-8")
    asked, failed = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(path.as_uri())
    page.locator("canvas[data-frame]").wait_for()
    assert asked == [path.as_uri()]
    page.failed = failed  # type: ignore[attr-defined]
    return page


def looked_at(page: Page, screenshot: Callable[..., None], name: str) -> None:
    """At every width, in light and dark: nothing for axe, nothing wider than the window, nothing too small to hit."""
    from axe_playwright_python.sync_playwright import Axe

    from tests.browser.operating import wait_until

    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        wait_until(page, f"() => document.body.dataset.jpThemeLight === '{str(scheme == 'light').lower()}'")
        found = Axe().run(page)
        assert found.response["passes"], "axe looked at nothing"
        assert found.violations_count == 0, f"{width} {scheme}: {found.generate_report()}"
        assert page.evaluate("() => document.scrollingElement.scrollWidth") <= width
        assert page.evaluate(SMALL) == []
        screenshot(page, f"page-{name}-{width}-{scheme}")


def answer(page: Page, design: Design) -> tuple[Any, dict[str, Any]]:
    """Answer the question by keyboard and lock it in; what was answered, and the state."""
    state, question = first_state(design), design.prediction
    inputs = page.locator(".cw-predict input")
    inputs.first.focus()
    said: Any = None
    match question:
        case Pick(options=options):
            page.keyboard.press("Space")
            said = next(iter(options))
        case Estimate():
            page.keyboard.type("12.5")
            said = 12.5
        case Marking():
            page.keyboard.press("Space")
            inputs.nth(2).focus()
            page.keyboard.press("Space")
            n, c, h, w = design.numbers(whole_state(design, state, {})).panels[0].shape  # type: ignore[union-attr]
            said = [(i * c * h + k) * w for i in range(n) for k in range(h)]
            state["marked"] = said
        case Placing():
            page.keyboard.press("ArrowRight")
            page.keyboard.press("ArrowRight")
            said = state["guess"] = float(page.locator(".cw-predict output").inner_text())
    page.get_by_role("button", name="Lock in").press("Enter")
    return said, state


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("running_statistics", "-3"), ("ensemble", "1e9"), ("beat_the_machine", "19"), ("all_masks", "-")],
    indirect=["name"],
)
def test_a_number_out_of_range_is_answered(opened: Page, name: str, wrong: str) -> None:
    """The note says which numbers are taken, until there is one or nothing again."""
    from playwright.sync_api import expect

    question = recording_of(name).design.prediction
    assert isinstance(question, Estimate)
    asked, note = opened.locator(".cw-predict input"), opened.locator(".cw-note")
    lock, before = opened.get_by_role("button", name="Lock in"), note.inner_text()
    asked.press_sequentially(wrong)
    low, high = (f"{bound:,.0f}".replace("-", "\N{MINUS SIGN}") for bound in (question.low, question.high))
    expect(note).to_have_text(f"A number from {low} to {high}.")
    expect(asked).to_have_attribute("aria-invalid", "true")
    expect(lock).to_be_disabled()
    for key in ("Home", "Shift+End", "Delete"):
        asked.press(key)
    expect(note).to_have_text(before)
    asked.fill("1")
    expect(note).to_have_text(before)
    expect(asked).to_have_attribute("aria-invalid", "false")
    lock.press("Enter")
    expect(note).to_have_text("Locked in.")
    expect(opened.locator(".cw-said")).to_have_text(f" Your prediction: {question.words(1.0)}")


def told(page: Page) -> tuple[str, str]:
    """The line and the explanation, without its sign."""
    explanation = page.locator(".cw-explanation > span").inner_text()
    return page.locator(".cw-line").inner_text(), explanation


def expected(design: Design, said: Any, state: dict[str, Any], moved: bool) -> tuple[str, str]:
    """What the live widget says."""
    whole = whole_state(design, state, {"value": said, "locked": True})
    return design.numbers(whole).line, explained(design, whole, moved)[0]


def shown_state(page: Page, design: Design, state: dict[str, Any]) -> dict[str, Any]:
    """The state that the controls show."""
    found = dict(state)
    for control, box in zip(design.controls, page.locator(".cw-control").all(), strict=True):
        match control:
            case Slider():
                shown = box.locator("output").inner_text().replace("−", "-").replace(",", "")
                found[control.name] = next(v for v in control.values if float(shown) == v)
            case Choice():
                found[control.name] = box.locator("select").input_value()
            case Seed():
                found[control.name] = int(box.locator("output").inner_text().removeprefix("seed "))
            case Picks():
                taken = box.locator("output").inner_text().startswith("1")
                found[control.name] = state["taken"] if taken else []
    return found


def test_a_page_is_operated_by_keyboard_and_says_what_the_live_widget_says(
    opened: Page, name: str, screenshot: Callable[..., None]
) -> None:
    """Question first; then each control changes picture and words; nothing for axe before and after."""
    from playwright.sync_api import expect

    design = recording_of(name).design
    assert opened.locator(".cw-explore").evaluate("(box) => box.disabled")
    expect(opened.get_by_role("button", name="Lock in")).to_be_disabled()
    looked_at(opened, screenshot, f"{name}-open")
    said, state = answer(opened, design)
    verdict = explained(design, whole_state(design, state, {"value": said, "locked": True}))[1]
    expect(opened.locator(".cw-explanation")).to_have_attribute("data-verdict", verdict)
    expect(opened.locator(".cw-explanation")).to_contain_text("Right." if verdict == "right" else "Not quite.")
    assert told(opened) == expected(design, said, state, moved=False)
    canvas = opened.locator("canvas")
    pixels = "(canvas) => canvas.toDataURL()"
    for control, box in zip(design.controls, opened.locator(".cw-control").all(), strict=True):
        before, alt = canvas.evaluate(pixels), canvas.get_attribute("aria-label")
        operable = box.locator("input, select, button").first
        operable.focus()
        if isinstance(control, Picks):
            state["taken"] = [shown_state(opened, design, state)[control.slider]]
        at_end = operable.evaluate("(one) => one.max ? one.value === one.max : one.selectedIndex === one.length - 1")
        keys = {"range": ("ArrowRight", "ArrowLeft"), "select-one": ("End", "Home")}
        opened.keyboard.press(keys.get(str(operable.evaluate("(one) => one.type")), ("Enter", "Enter"))[int(at_end)])
        expect(canvas).not_to_have_attribute("aria-label", re.compile(re.escape(alt or "")))
        assert canvas.evaluate(pixels) != before, control.label
        assert told(opened) == expected(design, said, shown_state(opened, design, state), moved=True), control.label
    expect(opened.locator(".cw-error")).to_be_hidden()
    opened.locator("main > details > summary").press("Enter")
    looked_at(opened, screenshot, name)
    assert opened.failed == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["fuse_it", "two_ways_to_stay_small"], indirect=True)
def test_every_choice_gets_its_own_verdict(opened: Page, name: str) -> None:
    """Right and wrong, with the reason for this one."""
    from playwright.sync_api import expect

    design = recording_of(name).design
    assert isinstance(design.prediction, Pick)
    for key, words in design.prediction.options.items():
        opened.reload()
        opened.get_by_label(words, exact=True).check()
        opened.get_by_role("button", name="Lock in").click()
        explanation, verdict = explained(design, whole_state(design, {}, {"value": key, "locked": True}), moved=False)
        expect(opened.locator(".cw-explanation")).to_have_attribute("data-verdict", verdict)
        assert opened.locator(".cw-explanation > span").inner_text() == explanation


@pytest.mark.parametrize("name", ["batchnorm_pipeline"], indirect=True)
def test_a_handle_is_dragged_and_what_was_not_recorded_together_goes_back(opened: Page, name: str) -> None:
    """The control that is moved stays; the other is named."""
    from playwright.sync_api import expect

    answer(opened, recording_of(name).design)
    handle = opened.get_by_role("slider", name="Shift of the input, dragged on its histogram")
    box = handle.bounding_box()
    assert box is not None
    opened.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.mouse.down()
    opened.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2, steps=4)
    opened.mouse.up()
    shift = opened.get_by_label("Shift of the input", exact=True)
    expect(shift).not_to_have_attribute("aria-valuetext", "0")
    opened.get_by_label("Scale of the input").press("ArrowRight")
    opened.get_by_label("Batch size").press("ArrowLeft")
    opened.get_by_role("button", name="Another batch").press("Enter")
    expect(opened.locator("#together")).to_contain_text("put back to where it began: ")
    expect(opened.locator(".cw-value").last).to_have_text("seed 1")


@pytest.mark.parametrize("scripts", [False, True], ids=["no scripts", "an old browser"])
def test_where_its_script_cannot_run_a_page_shows_its_picture_and_says_why(
    chromium: Browser, tmp_path: Path, scripts: bool
) -> None:
    """In JupyterLab, which shows files without their scripts at first; in browsers that cannot unpack."""
    from playwright.sync_api import expect

    path = tmp_path / "n.html"
    path.write_text(render_page(recording_of("fuse_it"), "widgets.fuse_it()", "n.ipynb"), "utf-8")
    context = chromium.new_context(java_script_enabled=scripts)
    context.add_init_script("delete window.DecompressionStream")
    page = context.new_page()
    page.goto(path.as_uri())
    expect(page.get_by_text(recording_of("fuse_it").design.prediction.question)).to_be_visible()
    expect(page.get_by_text("older than 2023" if scripts else "scripts are switched off")).to_be_visible()
    assert page.locator("#still img").bounding_box()["width"] > 300  # type: ignore[index]
    context.close()
