"""What a released notebook imports and this machine does not have: its cells would fail for everybody."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Collection, Iterable, Iterator

from nbformat.notebooknode import NotebookNode

from autograder.reading.code_cells import read_code

__all__ = ["missing_imports"]


def missing_imports(cells: Iterable[NotebookNode], libraries: Collection[str], skipped: Collection[str]) -> list[str]:
    """A line of words for each package that is not installed here: its name, and the cell that imports it.

    What is imported in a `try`, an `if` or a function may be missing.

    Args:
        libraries: packages of the course's own.
        skipped: ids of cells that are not run when grading.
    """
    found: dict[str, str] = {}
    for cell in cells:
        if cell.cell_type == "code" and cell.get("id") not in skipped:
            for name in _imported(cell.source):
                if name not in libraries and name not in found and not _is_there(name):
                    found[name] = f"{name} (cell {cell.get('id')!r})"
    return list(found.values())


def _imported(source: str) -> Iterator[str]:
    for statement in read_code(source).body:
        if isinstance(statement, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            yield statement.module.partition(".")[0]


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # ValueError: a module of this process without a place
        return True
