"""Which widgets a library has, and which of them a notebook shows.

A widget is a function that a package `LIBRARY.TOPIC.widgets` offers, of a module that declares it as `DESIGN`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from course_lib.widgets.explorer import Design

__all__ = ["Shown", "widget_packages", "widgets_in"]


@dataclass(frozen=True)
class Shown:
    """A widget that a cell shows.

    Attributes:
        cell: index of the cell in its notebook.
        call: what the cell says.
    """

    design: Design
    cell: int
    call: str


def widget_packages(libraries: Sequence[str]) -> Mapping[str, str]:
    """Name of a widget -> the package that offers it."""
    found: dict[str, str] = {}
    for library in libraries:
        for folder in import_module(library).__path__:
            for path in sorted(Path(folder).glob("*/widgets/__init__.py")):
                package = f"{library}.{path.parents[1].name}.widgets"
                found |= dict.fromkeys(getattr(import_module(package), "__all__", ()), package)
    return found


def widgets_in(notebook: Mapping[str, Any], packages: Mapping[str, str]) -> Iterator[Shown]:
    """The widgets that a notebook shows, in order.

    Args:
        packages: as `widget_packages` finds them.
    """
    for place, cell in enumerate(notebook["cells"]):
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if cell["cell_type"] != "code" or not any(name in source for name in packages):
            continue
        for call in _calls(source):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            design = _design(packages[name], name) if name in packages else None
            if design is not None:
                yield Shown(design, place, ast.unparse(call))


def _calls(source: str) -> list[ast.Call]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):  # a cell with a magic command
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _design(package: str, name: str) -> Design | None:
    function = getattr(import_module(package), name)
    design = getattr(sys.modules.get(getattr(function, "__module__", "")), "DESIGN", None)
    return design if isinstance(design, Design) else None
