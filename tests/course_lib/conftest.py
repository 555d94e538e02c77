"""Whatever figure a test of the library draws, its words can be read; and `exercises` is this course's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from matplotlib.figure import Figure

from course_lib.lab.plots import Picture
from tests.support.figures import unreadable
from tests.support.paths import ROOT


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Modules here import `exercises`, which is the package of whatever course was asked for last."""
    if isinstance(collector, pytest.Module):
        _use_our_exercises()


def pytest_runtest_setup() -> None:
    """So do some when they run, and what ran before may have asked for another course."""
    _use_our_exercises()


def _use_our_exercises() -> None:
    known = sys.modules.get("exercises")
    if known is not None and str(ROOT / "exercises") not in map(str, known.__path__):
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
