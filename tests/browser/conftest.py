"""One browser for a worker of the suite, screenshots of what was seen, and axe's rules."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

SCREENSHOTS = Path(os.environ.get("COURSE_SCREENSHOTS", Path(__file__).parent.parent.parent / "build" / "screenshots"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    from tests.browser.lab import browser

    with browser() as running:
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
    """Keeps a picture of something, for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def keep(seen: Page | Locator, name: str) -> None:
        seen.screenshot(path=SCREENSHOTS / f"{name}.png")

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
