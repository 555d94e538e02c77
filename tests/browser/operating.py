"""Operating a live widget as a student does who has no mouse, and seeing that it answers."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

__all__ = [
    "frame",
    "lock_in",
    "move_every_control",
    "move_handle",
    "reachable_by_tab",
    "theme",
    "wait_until",
    "walk_through",
]

_POLL_MS = 20
"""How often a page is asked while a picture is on its way; by default before every picture, and so it has to draw."""

_CHANGED = """([canvas, frame, alt]) => canvas.dataset.frame !== frame && canvas.getAttribute("aria-label") !== alt"""


def frame(widget: Locator) -> tuple[str, str, str]:
    """The picture's number, its alternative text, its pixels."""
    canvas = widget.locator("canvas")
    return (
        canvas.get_attribute("data-frame") or "",
        canvas.get_attribute("aria-label") or "",
        str(canvas.evaluate("(canvas) => canvas.toDataURL()")),
    )


def lock_in(widget: Locator) -> None:
    """Answer the question by keyboard and lock it in; until then no control may open."""
    page = widget.page
    assert widget.locator(".cw-explore").evaluate("(box) => box.disabled")
    expect(widget.get_by_role("button", name="Lock in")).to_be_disabled()
    answers = widget.locator(".cw-predict input")
    if answers.count() == 0:
        _mark_some_cells(widget)
    elif answers.first.get_attribute("type") == "radio":
        answers.first.focus()
        page.keyboard.press("Space")
    elif answers.first.get_attribute("type") == "range":
        _place_a_marker(widget)
    else:
        answers.first.focus()
        page.keyboard.type("12")
    widget.get_by_role("button", name="Lock in").focus()
    page.keyboard.press("Enter")
    expect(widget.locator(".cw-note")).to_have_text("Locked in.")
    expect(widget.locator(".cw-explanation")).to_have_attribute("data-verdict", re.compile("right|wrong"))
    expect(widget.locator(".cw-question")).to_be_hidden()  # folded to one line
    expect(widget.locator(".cw-said")).to_contain_text("Your prediction: ")
    assert not widget.locator(".cw-explore").evaluate("(box) => box.disabled")


def _place_a_marker(widget: Locator) -> None:
    """The question's own handle in the picture, by keyboard: one step, then a larger one."""
    handle = widget.get_by_role("slider").and_(widget.locator(".cw-handle"))
    handle.focus()
    for key in ("ArrowRight", "Shift+ArrowRight"):
        before = frame(widget)
        widget.page.keyboard.press(key)
        _wait_for_change(widget, before)


def _mark_some_cells(widget: Locator) -> None:
    page, canvas = widget.page, widget.locator("canvas")
    canvas.focus()
    for key in ("Space", "ArrowDown", "ArrowRight", "Enter"):
        before = frame(widget)
        page.keyboard.press(key)
        if not key.startswith("Arrow"):
            _wait_for_change(widget, before)
    expect(widget.locator(".cw-cell")).to_contain_text("marked")


def move_every_control(widget: Locator) -> None:
    """Press a key on each control: the words, the picture and its number change, and no error shows."""
    for control in widget.locator(".cw-control").all():
        operable = control.locator("input, select, button").first
        _answers_to(widget, operable, _key(operable))
        expect(widget.locator(".cw-error")).to_be_hidden()
    expect(widget.locator(".cw-explanation")).to_contain_text("You ")


def move_handle(widget: Locator, handle: Locator) -> None:
    """Press one key on a handle in the picture, away from the end that it may stand at: words and picture change."""
    at_end = handle.evaluate("(e) => e.ariaValueNow === e.ariaValueMax")
    _answers_to(widget, handle, "ArrowLeft" if at_end else "ArrowRight")


def _answers_to(widget: Locator, operable: Locator, key: str) -> None:
    operable.focus()
    before = frame(widget)
    widget.page.keyboard.press(key)
    _wait_for_change(widget, before)
    assert frame(widget)[2] != before[2], f"the picture did not change: {operable.evaluate('(e) => e.outerHTML')}"


def _key(operable: Locator) -> str:
    kind: str = operable.evaluate("(e) => e.tagName")
    if kind == "BUTTON":
        return "Enter"
    if kind == "SELECT":
        return "Home" if operable.evaluate("(e) => e.selectedIndex === e.length - 1") else "End"
    at_end = operable.evaluate("(e) => e.value === e.max")
    return "ArrowLeft" if at_end else "ArrowRight"


def _wait_for_change(widget: Locator, before: tuple[str, str, str]) -> None:
    canvas = widget.locator("canvas").element_handle()
    wait_until(widget.page, _CHANGED, [canvas, before[0], before[1]])


def wait_until(page: Page, condition: str, arg: Any = None) -> None:
    """Wait for a condition, in JavaScript, of a page that is about to change."""
    page.wait_for_function(condition, arg=arg, polling=_POLL_MS)


def theme(page: Page, name: str, light: str) -> None:
    """Change JupyterLab's colours and wait until it has them."""
    change = "(theme) => { window.jupyterapp.commands.execute('apputils:change-theme', {theme}); return true; }"
    page.evaluate(change, name)
    # JupyterLab covers the page meanwhile, and takes the cover away twice if the next change comes too early.
    done = "(light) => document.body.dataset.jpThemeLight === light && !document.getElementById('jupyterlab-splash')"
    wait_until(page, done, light)


def reachable_by_tab(page: Page, widget: Locator) -> None:
    """Tab alone visits everything that can be operated, in the order of reading, and gets out again."""
    operable = widget.locator(":is(input:enabled, select:enabled, button:enabled, summary, [tabindex='0']):visible")
    # Of a group of radio buttons Tab visits one.
    expected = operable.evaluate_all(
        "(all) => all.filter((e) => e.type !== 'radio' || e.checked).map((e) => e.id || e.textContent || e.tagName)"
    )
    operable.first.focus()
    seen = []
    for _ in range(len(expected) + 2):
        here = page.evaluate(
            "(w) => w.contains(document.activeElement) ? (document.activeElement.id"
            " || document.activeElement.textContent || document.activeElement.tagName) : null",
            widget.element_handle(),
        )
        if here is None:
            break
        seen.append(here)
        page.keyboard.press("Tab")
    assert seen == expected, f"Tab visited {seen}, expected {expected}"


_OPERABLE = """() => {
    const kinds = "a[href], summary, button:enabled, select:enabled, input:enabled, [tabindex='0']";
    const shown = (e) => e.checkVisibility() && e.getBoundingClientRect().width > 0;
    // Links beside headings are shown to the mouse alone: what they do is in the table of contents, too.
    const within = ":is(.jp-OutputArea-output, .jp-MarkdownOutput)";
    const all = [...document.querySelectorAll(`${within} :is(${kinds})`)].filter(
        (e) => shown(e) && !e.matches(".jp-InternalAnchorLink") && (e.type !== "radio" || e.checked));
    all.forEach((e, number) => { e.dataset.walk = number; });
    return all.map((e) => e.outerHTML.slice(0, 200));
}"""
_WALKED = """() => {
    const focused = document.activeElement;
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(focused);
    const box = focused.getBoundingClientRect();
    const seen = document.elementFromPoint(box.x + Math.min(box.width / 2, 20), box.y + box.height / 2);
    return {
        number: focused.dataset.walk === undefined ? null : Number(focused.dataset.walk),
        inside: Boolean(focused.closest(".jp-Notebook")),
        outlined: outlineStyle !== "none" && parseFloat(outlineWidth) >= 1 || boxShadow !== "none",
        covered: box.width > 1
            && !(focused.contains(seen) || seen?.contains(focused) || focused.labels?.[0]?.contains(seen)),
        what: focused.outerHTML.slice(0, 200),
    };
}"""


def walk_through(page: Page) -> None:
    """From the first cell Tab alone visits every fold, link and control of the notebook, in the order of reading.

    Where it is can be seen each time, and nothing holds it.
    """
    wanted = page.evaluate(_OPERABLE)
    assert wanted
    page.evaluate(
        """() => {
            window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0;
            window.jupyterapp.commands.execute("notebook:enter-command-mode");
        }"""
    )
    reached, unseen = [], []
    for _ in range(3 * len(wanted) + 300):
        page.keyboard.press("Tab")
        here = page.evaluate(_WALKED)
        if reached and not here["inside"]:
            break
        if here["number"] is not None:
            reached.append(here["number"])
            if here["covered"] or not here["outlined"]:
                unseen.append(here)
    missed = [wanted[number] for number in sorted(set(range(len(wanted))) - set(reached))]
    assert missed == []
    assert reached == sorted(reached)
    assert unseen == []
