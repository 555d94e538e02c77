"""Make what the README shows: the counts in its table of assignments, and its pictures in docs/images/.

    python scripts/make_readme.py             # after scripts/setup_system.sh chromium; a minute
    python scripts/make_readme.py --counts    # the counts alone; a second

The pictures are taken of the real things: JupyterLab in a headless Chromium, and the report on a sample class.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from autograder.releasing.answers import write_answers  # noqa: E402
from autograder.sample_class.demo import demo  # noqa: E402
from tests.browser.lab import Lab, Notebook, browser, lab, write_notebook  # noqa: E402
from tests.browser.operating import lock_in  # noqa: E402
from tests.support.course import COURSE  # noqa: E402

IMAGES = ROOT / "docs" / "images"
ASSIGNMENT = "01_batchnorm"
_WRONG = """import torch
from course_lib import check


def batchnorm_forward(x, gamma, beta, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0)
    return gamma * (x - mean) / torch.sqrt(var + eps) + beta


check("batchnorm-forward", batchnorm_forward)"""
_WIDGET = "from course_lib.batchnorm import widgets\n\nwidgets.batchnorm_pipeline(fresh=True)"


def counted(text: str) -> str:
    """The README with the numbers of exercises and of known mistakes as they are now.

    Raises:
        LookupError: for an assignment that has no row.
    """
    for name in COURSE.assignments:
        exercises = COURSE.exercises(name).values()
        mistakes = sum(len(exercise.misconceptions) for exercise in exercises)
        row = re.compile(rf"^(\| `{re.escape(name)}` \| [^|]+) \| \d+ \| \d+ \|$", re.MULTILINE)
        text, found = row.subn(rf"\1 | {len(exercises)} | {mistakes} |", text)
        if not found:
            raise LookupError(f"README.md has no row for {name}; add one: | `{name}` | what it is about | 0 | 0 |")
    return text


def card_and_widget(server: Lab, page: Page) -> None:
    """A wrong answer and what `check` says; a widget after the prediction."""
    cells = {"wrong": _WRONG, "widget": _WIDGET}
    write_notebook(server.folder / "pictures.ipynb", cells)
    notebook = Notebook(server, page, "pictures.ipynb")
    for cell in cells:
        notebook.run_cell(cell)
    page.locator(".jp-OutputArea-output div[role=group]").first.screenshot(path=IMAGES / "card.png")
    widget = page.locator("section.course-widget")
    lock_in(widget)
    slider = widget.locator("input[type=range]").first
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    widget.screenshot(path=IMAGES / "widget.png")


def report(folder: Path, page: Page) -> None:
    """The head of the report on a sample class."""
    made = demo(COURSE, ASSIGNMENT, out=folder)
    page.set_viewport_size({"width": 1000, "height": 900})
    page.goto(made.report.as_uri())
    page.screenshot(path=IMAGES / "report.png")


def main() -> None:
    """Write the counts and take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--counts", action="store_true", help="the counts alone")
    readme = ROOT / "README.md"
    readme.write_text(counted(readme.read_text("utf-8")), "utf-8")
    if not parser.parse_args().counts:
        take_pictures()


def take_pictures() -> None:
    """A card, a widget, a report."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    with tempfile.TemporaryDirectory() as name, browser() as chromium:
        scratch = Path(name)
        answers = scratch / "answers"
        write_answers(ASSIGNMENT, answers, COURSE.exercises(ASSIGNMENT))
        (scratch / "work").mkdir()
        page = chromium.new_page(viewport={"width": 1000, "height": 1000})
        environment = {"PYTHONPATH": str(ROOT), "COURSE_ANSWERS": str(answers)}
        with lab(scratch / "work", scratch / "state", **environment) as server:
            card_and_widget(server, page)
        report(scratch / "course", page)


if __name__ == "__main__":
    main()
