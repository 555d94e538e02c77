"""One JupyterLab for a worker of the suite, screenshots where they are asked for, and axe's rules."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from tests.browser.lab import Lab

SCREENSHOTS = os.environ.get("COURSE_SCREENSHOTS")


@pytest.fixture(scope="session")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab with this checkout's widgets, in whose folder every file of tests has one of its own."""
    from tests.browser.lab import lab

    folder, state = tmp_path_factory.mktemp("workbench"), tmp_path_factory.mktemp("state")
    with lab(folder, state, PYTHONPATH=str(ROOT)) as running:
        yield running


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page in a context of its own."""
    context = chromium.new_context(viewport={"width": 1100, "height": 1300}, reduced_motion="reduce")
    try:
        yield context.new_page()
    finally:
        context.close()


@pytest.fixture
def screenshot() -> Callable[[Page | Locator, str], None]:
    """Keeps a picture of something, for people to look at, if somebody has said where: no test looks at them."""

    def keep(seen: Page | Locator, name: str) -> None:
        if SCREENSHOTS:
            seen.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")

    return keep


@pytest.fixture
def accessible() -> Callable[[Page], None]:
    """Asserts that axe-core finds nothing to complain about in the outputs of a notebook."""
    from axe_playwright_python.sync_playwright import Axe

    def check(page: Page) -> None:
        found = Axe().run(page, context={"include": [[".jp-OutputArea-output"]]})
        assert found.response["passes"], "axe looked at nothing"
        assert found.violations_count == 0, found.generate_report()

    return check
