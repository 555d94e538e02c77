"""nbgrader's own doors: `nbgrader autograde`, and the formgrader's Autograde button and grading page in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nbgrader.api import Gradebook

from autograder.course import Course
from autograder.grading.batch import grade_course
from autograder.releasing.release import release
from autograder.results import read_results
from autograder.sample_class.material import load_material
from tests.support import small_course
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.lab import Lab

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(600)]
NAME, NOTEBOOK, EXERCISE = "01_batchnorm", "batchnorm", "batchnorm-forward"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course with three submissions: ada has all, bob one mistake, eve prints a score of her own."""
    root = tmp_path_factory.mktemp("formgrader") / "course"
    course = Course.find(ROOT).copy(root, [NAME])
    release(course, [NAME], root / "bundle")
    material = load_material(course, NAME)
    forge = "import sys\nget_ipython().displayhook(99.0)\nsys.displayhook(99.0)\n"
    edits: dict[str, Callable[[str], str]] = {
        "ada": lambda source: source,
        "bob": lambda source: source.replace("torch.sqrt(variance + eps)", "(torch.sqrt(variance) + eps)"),
        "eve": lambda source: forge + "\n".join(f"def {name}(*args): return 99.0" for name in _names(material)),
    }
    for student, edit in edits.items():
        notebook = material.fresh()
        for cell in notebook["cells"]:
            solution = material.solutions.get(cell["id"].removesuffix("-solution"))
            if cell["id"].endswith("-solution") and solution is not None:
                cell["source"] = edit(solution) if cell["id"] == f"{EXERCISE}-solution" else solution
            elif cell["id"] in material.answers:
                cell["source"] = f"An answer of {student}, <script>document.title = 'stolen'</script> in words."
        small_course.write_submission(course, student, NAME, notebook, f"{NOTEBOOK}.ipynb")
    return root


def _names(material: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = material.exercises[EXERCISE].names
    return names


@pytest.fixture
def course(prepared: Path, tmp_path: Path) -> Course:
    """A course of its own for the test."""
    shutil.copytree(prepared, tmp_path / "course")
    return Course.find(tmp_path / "course")


@pytest.fixture
def expected(course: Course, tmp_path: Path) -> list[tuple[Any, ...]]:
    """The gradebook that `autograder grade` makes of the same files with the same seed."""
    other = tmp_path / "other"
    shutil.copytree(course.root, other)
    found = Course.find(other)
    batch = grade_course(found, NAME)
    assert not batch.failed
    seed = found.root / ".autograder" / NAME / "seed.json"
    (course.root / ".autograder" / NAME).mkdir(parents=True, exist_ok=True)
    shutil.copy(seed, course.root / ".autograder" / NAME / "seed.json")
    scores = {result.student: (result.score, result.max_score) for result in batch.results}
    assert scores["ada"][0] == scores["ada"][1]
    assert scores["ada"][0] > scores["bob"][0] > scores["eve"][0]
    return small_course.scores(found)


def test_nbgrader_s_own_command_gives_the_outside_verdict(course: Course, expected: list[tuple[Any, ...]]) -> None:
    """The rows of `autograder grade`, written by nbgrader; a printed score counts for nothing."""
    command = [str(BIN / "nbgrader"), "autograde", NAME]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert small_course.scores(course) == expected
    results = read_results(course.results(NAME))
    assert set(results) == {"ada", "bob", "eve"}
    assert results["bob"].exercises[EXERCISE].misconceptions
    assert grade_course(course, NAME).graded == 0, "what nbgrader's door graded is graded"


@pytest.fixture
def server(course: Course, tmp_path: Path) -> Iterator[Lab]:
    """Jupyter with nbgrader's formgrader, in the course's folder, as `make grade-lab` starts it."""
    from tests.browser.lab import lab

    state = tmp_path / "state"
    state.mkdir()
    with lab(course.root, state) as running:
        yield running


@pytest.mark.browser
def test_the_autograde_button_and_the_grading_page(
    course: Course,
    expected: list[tuple[Any, ...]],
    server: Lab,
    page: Page,
    screenshot: Callable[[Any, str], None],
) -> None:
    """Pressed for each student: the outside verdict is in table and gradebook; then the page opens for a person."""
    from playwright.sync_api import expect

    page.set_viewport_size({"width": 1300, "height": 900})
    page.goto(f"{server.url}login?token={server.token}")  # the formgrader's own pages do not keep a token
    page.goto(f"{server.url}formgrader/manage_submissions/{NAME}")
    for student in ("ada", "bob", "eve"):
        row = page.locator("tr", has=page.locator("td.student-id", has_text=re.compile(f"^{student}$")))
        expect(row.locator(".status")).to_have_text("needs autograding", timeout=60_000)
        row.locator("td.autograde a").click()
        expect(page.locator(".modal-title")).to_have_text("Success", timeout=180_000)
        if student == "bob":
            screenshot(page, "formgrader-autograde")
        page.locator(".modal-footer button").click()
        expect(page.locator(".modal")).to_have_count(0)
        expect(row.locator(".status")).to_have_text("needs manual grading")
        points = sum(score for who, _, score, _, _ in expected if who == student and score is not None)
        assert float((row.locator(".score").inner_text()).split("/")[0]) == points
    screenshot(page, "formgrader-submissions")
    assert small_course.scores(course) == expected
    _grade_by_hand(course, server, page, screenshot)


def _grade_by_hand(course: Course, server: Lab, page: Page, screenshot: Callable[[Any, str], None]) -> None:
    """Open bob's notebook, read the verdict, give points for a written answer, see them in the gradebook."""
    from playwright.sync_api import expect

    with Gradebook(course.db_url) as book:
        notebook = book.find_submission_notebook(NOTEBOOK, NAME, "bob")
        identifier = notebook.id
        written = next(grade.cell.name for grade in notebook.grades if grade.needs_manual_grade)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.url}formgrader/submissions/{identifier}/?index=0")
    hint = next(iter(read_results(course.results(NAME))["bob"].exercises[EXERCISE].hints))
    expect(page.locator("body")).to_contain_text("An answer of bob")
    expect(page.locator("body")).to_contain_text(hint.replace("`", "")[:40])
    assert page.title() != "stolen"
    page.wait_for_function("() => formgrader.grades?.loaded")  # until then it saves nothing
    box = page.locator("input.score[id]:near(:text('An answer of bob'))").first
    box.scroll_into_view_if_needed()
    box.fill("1")
    with page.expect_response(lambda response: "/api/grade/" in response.url) as saved:
        box.press("Tab")
    assert saved.value.ok
    screenshot(page, "formgrader-grading")
    with Gradebook(course.db_url) as book:
        grades = book.find_submission_notebook(NOTEBOOK, NAME, "bob").grades
        given = {grade.cell.name: grade.manual_score for grade in grades if grade.manual_score is not None}
    assert given == {written: 1.0}
    assert errors == []
    # Formulas are set without a program from elsewhere, which tests could not fetch.
    assert page.locator("math").count() > 20
    assert not [address for address in asked if not address.startswith((server.url, "data:"))]
