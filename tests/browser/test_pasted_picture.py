"""A picture from the clipboard, on its whole way: JupyterLab, submission, grading, formgrader, feedback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nbgrader.api import Gradebook

from autograder.course import Course
from autograder.grading.batch import Options, grade_course
from autograder.pages.feedback import make_feedback
from tests.support import made_up, small_course

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.lab import Lab

pytestmark = [pytest.mark.sandbox, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
_WORDS, _COMMENT = "My sketch of the two columns:", "The arrow should point up."
# A drawing of 160 x 90 pixels goes into the real clipboard, as from a program that makes screenshots.
_COPY = """async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [160, 90];
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff8e0"; pen.fillRect(0, 0, 160, 90);
    pen.fillStyle = "#2a5db0"; pen.fillRect(30, 30, 30, 50); pen.fillRect(90, 10, 30, 70);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
}"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A released course, and ada's copy of the notebook with everything solved but the written answer."""
    made = small_course.make(tmp_path_factory.mktemp("pasted") / "course")
    (made.root / "home").mkdir()
    small_course.hand_in(made, "ada").rename(made.root / "home" / "made_up.ipynb")
    return made


@pytest.fixture
def server(course: Course, tmp_path: Path) -> Iterator[Lab]:
    """JupyterLab with nbgrader's formgrader, in the course's folder."""
    from tests.browser.lab import lab

    state = tmp_path / "state"
    state.mkdir()
    with lab(course.root, state) as running:
        yield running


def test_a_picture_from_the_clipboard_reaches_grader_and_student(
    course: Course, server: Lab, page: Page, screenshot: Callable[[Any, str], None]
) -> None:
    """Pasted with Ctrl+V, saved, handed in; a person sees it beside the box for points, the student on the page."""
    _paste(server, page, screenshot)
    written = course.root / "home" / "made_up.ipynb"
    answer = made_up.cell(json.loads(written.read_text(encoding="utf-8")), "why")
    assert len(answer["attachments"]) == 1, "JupyterLab keeps what was pasted in the cell"
    small_course.hand_in_bytes(course, "ada", written.read_bytes())
    (result,) = grade_course(course, made_up.ASSIGNMENT, Options(seed=7)).results
    assert (result.score, result.flags) == (small_course.FULL, ())
    _comment(course, server, page, screenshot)
    (feedback,) = make_feedback(course, made_up.ASSIGNMENT).pages
    page.set_viewport_size({"width": 900, "height": 900})
    page.goto(feedback.as_uri())
    assert _COMMENT in page.locator("body").inner_text()
    _see_picture(page)
    page.locator('img[src^="data:image/png"]').scroll_into_view_if_needed()
    screenshot(page, "pasted-picture-feedback")


def _paste(server: Lab, page: Page, screenshot: Callable[[Any, str], None]) -> None:
    from tests.browser.lab import Notebook

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    notebook = Notebook(server, page, "home/made_up.ipynb")
    notebook.activate("why")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:enter-edit-mode')")
    editor = page.locator(".jp-Notebook .jp-Cell.jp-mod-active .cm-content")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(f"{_WORDS}\n\n")
    page.evaluate(_COPY)
    editor.focus()
    page.keyboard.press("Control+V")
    page.wait_for_function(
        """() => {
            const cell = window.jupyterapp.shell.currentWidget.content.activeCell.model;
            return cell.attachments.length === 1 && cell.sharedModel.getSource().includes("](attachment:");
        }"""
    )
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    page.wait_for_selector(".jp-Notebook .jp-Cell.jp-mod-active img")
    screenshot(page, "pasted-picture-lab")
    notebook.save()
    assert notebook.errors == []


def _comment(course: Course, server: Lab, page: Page, screenshot: Callable[[Any, str], None]) -> None:
    from playwright.sync_api import expect

    with Gradebook(course.db_url) as book:
        identifier = book.find_submission_notebook("made_up", made_up.ASSIGNMENT, "ada").id
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{server.url}login?token={server.token}")  # the formgrader's own pages do not keep a token
    page.goto(f"{server.url}formgrader/submissions/{identifier}/?index=0")
    expect(page.locator("body")).to_contain_text(_WORDS)
    _see_picture(page)
    page.wait_for_function("() => formgrader.comments?.loaded")  # until then it saves nothing, and then empties the box
    box = page.locator("textarea.comment").last
    box.scroll_into_view_if_needed()
    box.fill(_COMMENT)
    with page.expect_response(lambda response: "/api/comment/" in response.url) as saved:
        box.press("Tab")
    assert saved.value.ok
    screenshot(page, "pasted-picture-formgrader")
    with Gradebook(course.db_url) as book:
        comments = book.find_submission_notebook("made_up", made_up.ASSIGNMENT, "ada").comments
        assert {comment.name: comment.manual_comment for comment in comments}["why"] == _COMMENT


def _see_picture(page: Page) -> None:
    """It is there, was decoded, and has its size."""
    page.wait_for_function(
        """() => [...document.images].some(
            (image) => image.src.startsWith("data:image/png") && image.naturalWidth === 160 && image.offsetWidth > 40
        )"""
    )
