"""The widgets of all topics: each is shown by a function of its topic's package `course_lib.TOPIC.widgets`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tests.support.paths import ROOT

__all__ = ["PACKAGES", "WIDGETS", "show", "source_of"]

PACKAGES = tuple(
    f"course_lib.{path.parent.parent.name}.widgets" for path in sorted(ROOT.glob("course_lib/*/widgets/__init__.py"))
)
"""The packages, one a topic."""

WIDGETS = {name: package for package in PACKAGES for name in import_module(package).__all__}
"""Name of a widget -> its package."""


def show(name: str, **options: Any) -> Any:
    """Show a widget here."""
    return getattr(import_module(WIDGETS[name]), name)(**options)


def source_of(name: str, arguments: str = "") -> str:
    """The cell that shows a widget."""
    return f"from {WIDGETS[name]} import {name}\n\n{name}({arguments})"
