"""Whatever figure a test of the library draws, its words can be read; and `exercises` is this course's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from matplotlib.figure import Figure

from course_lib.lab.plots import Picture
from tests.support.figures import unreadable


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Modules here import `exercises`, which is the package of whatever course was asked for last."""
    if isinstance(collector, pytest.Module) and "exercises" in sys.modules:
        from tests.support.course import COURSE

        COURSE.exercises(COURSE.assignments[0])


@pytest.fixture(autouse=True)
def words_of_figures_can_be_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No title, legend or label of a figure is cut off or runs into another."""
    found: list[str] = []
    made = Picture.__init__

    def checked(self: Picture, drawn: Figure, *args: Any, **more: Any) -> None:
        made(self, drawn, *args, **more)
        found.extend(unreadable(drawn))

    monkeypatch.setattr(Picture, "__init__", checked)
    yield
    assert found == []
