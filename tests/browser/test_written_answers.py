"""Two graders in two browsers on one question, and the pages that instructors and students open, as people see them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nbgrader.api import Gradebook

from autograder.course import Course
from autograder.grading.batch import Options, grade_course
from autograder.pages.feedback import make_feedback
from autograder.pages.report import write_report
from autograder.pages.similar_page import write_similar
from autograder.similarity.works import compare_class
from tests.support import made_up, small_course

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
NAME = made_up.ASSIGNMENT
SIZES = [(1280, "light"), (900, "dark"), (390, "light"), (390, "dark")]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A graded class of five."""
    course = small_course.make(tmp_path_factory.mktemp("written") / "course")
    long = (
        "A table:\n\n| | a |\n|---|---|\n| 1 | "
        + "wide " * 60
        + "|\n\n$$"
        + "x_1 + " * 80
        + "1$$\n\n`"
        + "y" * 300
        + "`"
    )
    for student, answer in {"ada": "One.", "bob": "Two.", "cho": long, "dan": "Four.", "eve": ""}.items():
        wrong = small_course.RIGHT.replace("gamma * deviation", "gamma * 3 * deviation")
        small_course.hand_in(course, student, wrong if student != "ada" else small_course.UNBIASED, why=answer)
    # The code above is our own: it needs no sandbox, and so runs on every machine.
    grade_course(course, NAME, Options(workers=1, seed=1, sandbox="none"))
    return course


@pytest.fixture(scope="module")
def server(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Jupyter in the course's folder, as `make grade-lab` starts it."""
    from tests.browser.lab import lab

    with lab(course.root, tmp_path_factory.mktemp("state")) as running:
        yield running


def _grader(chromium: Browser, server: Lab) -> Page:
    """A grader's own browser, at the question."""
    page = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce").new_page()
    page.goto(f"{server.url}login?token={server.token}")
    page.goto(f"{server.url}autograder/written")
    page.get_by_role("link", name="why").click()
    return page


# A server that takes its time: points, comment and Enter come while the first of them is on its way.
SLOW = """() => {
    const fetched = window.fetch;
    window.fetch = async (...all) => { await new Promise((go) => setTimeout(go, 700)); return fetched(...all); };
}"""


def _marks(course: Course) -> dict[str, tuple[float | None, str]]:
    with Gradebook(course.db_url) as book:
        found = {}
        for submission in book.assignment_submissions(NAME):
            grade = book.find_grade("why", "made_up", NAME, submission.student.id)
            comment = book.find_comment("why", "made_up", NAME, submission.student.id)
            found[submission.student.id] = (grade.manual_score, comment.manual_comment or "")
        return found


def test_two_graders_do_not_overwrite_each_other(
    chromium: Browser, server: Lab, course: Course, screenshot: Callable[[Any, str], None]
) -> None:
    """By keyboard: points with a comma, Enter to the next; the other one is told, and decides."""
    from playwright.sync_api import expect

    first, second = _grader(chromium, server), _grader(chromium, server)
    errors: list[str] = []
    for page in (first, second):
        page.on("pageerror", lambda error: errors.append(str(error)))
    first.evaluate(SLOW)
    expect(first.locator("#left")).to_have_text("4 of 5 wait")
    expect(first.locator("aside")).to_contain_text("that is the whole story of it")
    one = first.locator(".answer").first
    one.locator(".points").focus()
    first.keyboard.type("1,5")
    first.keyboard.press("Tab")
    first.keyboard.type("Say more.")
    first.keyboard.press("Shift+Tab")
    first.keyboard.press("Enter")
    expect(one.locator(".state")).to_have_text("Saved: 1.5 of 4")
    # Not `to_be_focused`: of two open pages only one has the browser's focus, and only one is drawn.
    focused = "() => document.activeElement === document.querySelectorAll('.answer .points')[1]"
    first.wait_for_function(focused, polling=100)
    expect(first.locator("#left")).to_have_text("3 of 5 wait")
    assert (1.5, "Say more.") in _marks(course).values()

    theirs = second.locator(".answer").first
    theirs.locator(".points").fill("3")
    theirs.locator(".points").press("Enter")
    expect(theirs.locator(".state")).to_contain_text("Somebody else graded this answer in the meantime: 1.5 of 4")
    expect(theirs.locator(".state")).to_contain_text("Say more.")
    screenshot(second, "written-overtaken")
    assert (1.5, "Say more.") in _marks(course).values()
    theirs.get_by_role("button", name="Save mine").click()
    expect(theirs.locator(".state")).to_have_text("Saved: 3 of 4")
    assert (3.0, "") in _marks(course).values()

    two = first.locator(".answer").nth(1)
    for typed, told in (("7", "7 is more than the 4 points"), ("a lot", "no number of points")):
        two.locator(".points").fill(typed)
        two.locator(".points").press("Enter")
        expect(two.locator(".state")).to_contain_text(told)
        expect(two.locator(".points")).to_have_attribute("aria-invalid", "true")
    two.locator(".points").fill("2")
    two.locator(".reuse").select_option("Say more.")
    expect(two.locator(".state")).to_have_text("Saved: 2 of 4")
    assert (2.0, "Say more.") in _marks(course).values()

    # A new text: the points that stand there are kept by Enter, and the answer waits no longer.
    with Gradebook(course.db_url) as book:
        given = next(name for name, marks in _marks(course).items() if marks == (2.0, "Say more."))
        book.find_grade("why", "made_up", NAME, given).needs_manual_grade = True
        book.db.commit()
    first.reload()
    changed = first.locator(".answer", has_text="the text has changed since")
    left = int((first.locator("#left").text_content() or "").split()[0])
    changed.locator(".points").press("Enter")
    expect(changed.locator(".state")).to_have_text("Saved: 2 of 4")
    expect(first.locator("#left")).to_have_text(re.compile(rf"^{left - 1} of 5|^all 5"))
    with Gradebook(course.db_url) as book:
        assert not book.find_grade("why", "made_up", NAME, given).needs_manual_grade
    assert errors == []


def test_nothing_is_saved_without_the_page_s_own_token(server: Lab, course: Course) -> None:
    """A foreign page, or nobody in particular, changes no marks."""
    import urllib.error
    import urllib.request

    with Gradebook(course.db_url) as book:
        grade = book.find_grade("why", "made_up", NAME, "dan").id
    body = b'{"points": "4", "comment": "", "seen": {"score": null, "comment": ""}}'
    before = _marks(course)
    request = urllib.request.Request(f"{server.url}autograder/written/api/{grade}", body, method="PUT")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 403
    assert _marks(course) == before


def _look(page: Page, address: str) -> None:
    """Nothing wider than the screen, nothing for axe to complain about, nothing asked from elsewhere."""
    from axe_playwright_python.sync_playwright import Axe

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0, address
    found = Axe().run(page)
    assert found.response["passes"]
    assert found.violations_count == 0, found.generate_report()
    origin = re.match(r"file:|https?://[^/]+", address)
    assert origin is not None
    assert not [url for url in asked if not url.startswith((origin[0], "data:"))]


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_pages_are_readable_at_every_width(
    chromium: Browser, server: Lab, course: Course, width: int, scheme: Any, screenshot: Callable[[Any, str], None]
) -> None:
    """Feedback, report, similar submissions, written answers: light and dark, from a desk to a phone."""
    pages: dict[str, Path] = {
        "report": write_report(course, NAME),
        "feedback": make_feedback(course, NAME, ["cho"]).pages[0],
    }
    pages["similar"] = write_similar(compare_class(course, NAME), course.root / "similar.html")
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    try:
        for name, path in pages.items():
            page = context.new_page()
            _look(page, path.as_uri())
            screenshot(page, f"{name}-{width}-{scheme}")
        page = context.new_page()
        page.goto(f"{server.url}login?token={server.token}")
        for place in ("autograder/written", f"autograder/written/{NAME}/why"):
            page = context.new_page()
            _look(page, f"{server.url}{place}")
            screenshot(page, f"written-{place.count('/')}-{width}-{scheme}")
    finally:
        context.close()


def test_a_feedback_page_prints_on_two_pages(chromium: Browser, course: Course, tmp_path: Path) -> None:
    """The summary, and a word about where the notebook is."""
    (path,) = make_feedback(course, NAME, ["bob"]).pages
    page = chromium.new_page()
    page.goto(path.as_uri())
    printed = page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b[^s]", printed)) <= 2
    page.emulate_media(media="print")
    assert page.locator(".notebook").is_hidden()
    assert page.locator(".printnote").is_visible()
    page.close()
