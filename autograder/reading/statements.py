"""The statements of a piece of code, without its expressions, which are ten times as many."""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = ["statements"]

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement below a module or a statement, nested ones too; and what holds some, as `except` does."""
    for block in _BLOCKS:
        for child in getattr(node, block, ()):
            yield child
            yield from statements(child)
