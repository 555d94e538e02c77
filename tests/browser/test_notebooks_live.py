"""Every notebook in a real JupyterLab, as students get it and with the solutions."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from tests.notebooks.source import QUICK_LIMIT_S, described, ran_silently
from tests.support.course import ASSIGNMENTS as ASSIGNED
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from tests.browser.lab import Lab

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ASSIGNMENTS = sorted(path.parent.name for path in ROOT.glob("notebooks/*/*.ipynb"))
STUBS = {"NotImplementedError", "CheckFailedError"}
WIDGET = "section.course-widget"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The student bundle of all assignments; beside each notebook stands its source, as `solution.ipynb`."""
    from autograder.releasing.release import release
    from tests.support.course import COURSE

    root = tmp_path_factory.mktemp("course")
    folder = release(COURSE.copy(root, ASSIGNMENTS), ASSIGNMENTS, root / "bundle").bundle.folder
    for name in ASSIGNMENTS:
        for path in (root / "notebooks" / name).glob("*.ipynb"):
            shutil.copy(path, folder / name / "solution.ipynb")
    return folder


@pytest.fixture(scope="module")
def environment(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A student's: there is no grader."""
    absent = tmp_path_factory.mktemp("absent")
    lines = 'import sys\nsys.modules["autograder"] = None\nsys.modules["nbgrader"] = None\n'
    (absent / "sitecustomize.py").write_text(lines)
    return {"PYTHONPATH": os.pathsep.join([str(absent), str(bundle)]), "COURSE_QUICK": "1"}


@pytest.fixture(scope="module")
def server(bundle: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on the bundle."""
    from tests.browser.lab import lab

    with lab(bundle, tmp_path_factory.mktemp("state"), **environment) as running:
        yield running


def errors_of(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Cell id -> name and text of the error that it ended with."""
    return {
        cell.id: f"{output.ename}: {output.evalue}"
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    }


def released(bundle: Path, assignment: str) -> Path:
    """What a student gets."""
    (path,) = (p for p in (bundle / assignment).glob("*.ipynb") if p.name != "solution.ipynb")
    return path


def only_what_is_open_fails(content: nbformat.NotebookNode) -> None:
    """Nothing fails but what the student has not written yet, and every exercise says that it is open."""
    failed = errors_of(content)
    # An experiment may use what an earlier one made with the student's function; without that the name is missing.
    experiments = {cell.id for cell in content.cells if "experiment" in cell.metadata.get("tags", ())}
    other = {name: error for name, error in failed.items() if error.partition(":")[0] not in STUBS}
    assert {name: error for name, error in other.items() if name not in experiments or "NameError" not in error} == {}
    exercises = [cell.id for cell in content.cells if cell.cell_type == "code" and cell.source.startswith("check(")]
    assert exercises
    assert {name: "not implemented yet" in failed.get(name, "").lower() for name in exercises} == dict.fromkeys(
        exercises, True
    )
    ran_silently(content)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_released_notebook_runs_to_its_end(assignment: str, bundle: Path, environment: dict[str, str]) -> None:
    """Where a student works, whether it is shown in a browser or not."""
    path = released(bundle, assignment)
    client = NotebookClient(
        nbformat.read(path, as_version=4),
        timeout=300,
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    only_what_is_open_fails(client.execute(env={**os.environ, **environment}))


@pytest.mark.browser
def test_open_exercises_in_the_browser(server: Lab, page: Any, bundle: Path) -> None:
    """Run All reaches the end of a released notebook; that nothing but open exercises fails is tested of each below."""
    from tests.browser.lab import Notebook

    path = released(bundle, ASSIGNMENTS[0])
    notebook = Notebook(server, page, path.relative_to(bundle).as_posix())
    notebook.run_all()
    only_what_is_open_fails(notebook.content())
    assert notebook.errors == []


def kernel_seconds(folder: Path) -> float:
    """The processor time of the kernels in a folder, so that other programs do not count."""
    seconds = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if Path(process.cwd()) == folder:
                spent = process.cpu_times()
                seconds += spent.user + spent.system
    return seconds


@pytest.mark.browser
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_solved_notebook_from_first_cell_to_reopening(
    server: Lab,
    page: Any,
    assignment: str,
    bundle: Path,
    screenshot: Callable[..., None],
    accessible: Callable[..., None],
) -> None:
    """It runs silently and in time, every card is green, every widget answers the keyboard, axe finds nothing.

    Every figure has a description, and every widget leaves a picture behind.
    """
    from playwright.sync_api import expect

    from tests.browser.lab import Notebook
    from tests.browser.operating import lock_in, move_every_control, reachable_by_tab, walk_through

    notebook = Notebook(server, page, f"{assignment}/solution.ipynb")
    notebook.run_all()
    assert 1 < kernel_seconds(bundle / assignment) < QUICK_LIMIT_S
    content = notebook.content()
    assert errors_of(content) == {}
    pages = ran_silently(content)
    described(pages)
    n = len(ASSIGNED[assignment])
    assert f"{n} of {n} exercises pass" in pages[-1]
    exercises = [cell for cell in content.cells if cell.cell_type == "code" and cell.source.startswith("check(")]
    cards = [output.data["text/plain"] for cell in exercises for output in cell.outputs if "data" in output]
    assert len(cards) == len(exercises) > 0
    assert all(card.startswith("✓") for card in cards), cards

    widgets = page.locator(WIDGET)
    calls = sum(cell.source.strip().startswith("widgets.") for cell in content.cells if cell.cell_type == "code")
    expect(widgets).to_have_count(calls)
    for number, widget in enumerate(widgets.all()):
        lock_in(widget)
        reachable_by_tab(page, widget)
        move_every_control(widget)
        screenshot(widget, f"{assignment}-widget-{number}")
    accessible(page)
    walk_through(page)
    photograph(page, screenshot, assignment, "solved")

    expect(page.locator(f"{WIDGET} .cw-note")).to_have_text(["Locked in."] * calls)
    notebook.save()
    notebook.shut_down()
    notebook.open()  # while the kernel lives, widgets do, too: test_widgets_live.py asserts that of every widget
    assert page.locator(WIDGET).count() == 0
    for empty in page.get_by_text(re.compile("Loading widget|Error displaying widget")).all():
        expect(empty).to_be_hidden()
    for still in page.locator(".course-still img").all():
        expect(still).to_be_visible()
        assert len(still.get_attribute("alt") or "") > 40
    assert page.locator(".course-still img").count() == calls
    accessible(page)
    photograph(page, screenshot, assignment, "reopened")
    assert notebook.errors == []


def photograph(page: Any, screenshot: Callable[..., None], assignment: str, when: str) -> None:
    """Keep a picture of every cell that has an output, if somebody has said where: finding them takes its time, too."""
    if "COURSE_SCREENSHOTS" in os.environ:
        for number, area in enumerate(page.locator(".jp-Cell:has(.jp-OutputArea-child)").all()):
            screenshot(area, f"{assignment}-{when}-{number:02d}")


@pytest.mark.browser
def test_the_start_page_shows_every_notebook(
    server: Lab, page: Any, screenshot: Callable[..., None], accessible: Callable[..., None]
) -> None:
    """What `make lab` opens: the environment is sound, and every assignment is linked."""
    from tests.browser.lab import Notebook

    notebook = Notebook(server, page, "start.ipynb")
    notebook.run_all()
    assert errors_of(notebook.content()) == {}
    page.get_by_text("Environment: ready").wait_for()
    rows = page.locator(".jp-OutputArea tbody tr")
    # Each has two here: the one that students get, and the solution.
    assert rows.count() == 2 * len(ASSIGNMENTS)
    accessible(page)
    screenshot(page, "start-page")
