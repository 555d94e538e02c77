"""Make the pictures in the README: a card, a widget, a report; docs/images/*.png.

    python scripts/make_screenshots.py        # after scripts/setup_system.sh chromium; a minute

They are taken of the real things: JupyterLab in a headless Chromium, and the report on a sample class.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from autograder.answers import write_answers  # noqa: E402
from autograder.course import Course  # noqa: E402
from autograder.demo import demo  # noqa: E402
from tests.browser.lab import Lab, Notebook, browser, lab, write_notebook  # noqa: E402
from tests.browser.operating import lock_in  # noqa: E402

IMAGES = ROOT / "docs" / "images"
ASSIGNMENT = "01_batchnorm"
_WRONG = """import torch
from course_lib import check


def batchnorm_forward(x, gamma, beta, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0)
    return gamma * (x - mean) / torch.sqrt(var + eps) + beta


check("batchnorm-forward", batchnorm_forward)"""
_WIDGET = "from course_lib import widgets\n\nwidgets.batchnorm_pipeline(fresh=True)"


def card_and_widget(server: Lab, page: Page) -> None:
    """A wrong answer and what `check` says; a widget after the prediction."""
    write_notebook(server.folder / "pictures.ipynb", {"wrong": _WRONG, "widget": _WIDGET})
    notebook = Notebook(server, page, "pictures.ipynb")
    notebook.run_all()
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
    made = demo(Course.find(ROOT), ASSIGNMENT, out=folder)
    page.set_viewport_size({"width": 1000, "height": 900})
    page.goto(made.report.as_uri())
    page.screenshot(path=IMAGES / "report.png")


def main() -> None:
    """Take all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    with tempfile.TemporaryDirectory() as name, browser() as chromium:
        scratch = Path(name)
        answers = scratch / "answers"
        write_answers(ASSIGNMENT, answers)
        (scratch / "work").mkdir()
        page = chromium.new_page(viewport={"width": 1000, "height": 1000})
        environment = {"PYTHONPATH": str(ROOT), "COURSE_ANSWERS": str(answers)}
        with lab(scratch / "work", scratch / "state", **environment) as server:
            card_and_widget(server, page)
        report(scratch / "course", page)


if __name__ == "__main__":
    main()
