"""What a stopped cell would have made is missed in one line, not in a traceback.

*Run All* goes on past an open exercise (`interrupted.keep_going`); the cells after it then lack names of that cell.
"""

from __future__ import annotations

import ast
import sys
from types import TracebackType
from typing import Any

__all__ = ["say_what_is_missing"]

_UNMADE = "is not there yet, because the cell above that makes it has stopped. Run that one first."
_unmade: set[str] = set()
"""Names that cells would have made which stopped before their end."""


def say_what_is_missing() -> None:
    """Add missing names to the errors that `interrupted.keep_going` says in one line, where it does so."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not shell.custom_exceptions or NameError in shell.custom_exceptions:
        return
    others, told_others = shell.custom_exceptions, shell.CustomTB

    def told(
        shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: int | None = None
    ) -> None:
        if not isinstance(error, NameError):
            told_others(kind, error, trace, tb_offset=tb_offset)
            return
        if error.name in _unmade:
            error._render_traceback_ = lambda: [f"NameError: '{error.name}' {_UNMADE}"]  # type: ignore[attr-defined]
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)

    shell.set_custom_exc((*others, NameError), told)
    shell.events.callbacks["post_run_cell"].insert(0, _remember)  # before the error is withdrawn


def _remember(result: Any) -> None:
    names = _made_by(result.info.raw_cell)
    if isinstance(result.error_in_exec, Exception):
        _unmade.update(names)
    else:
        _unmade.difference_update(names)


def _made_by(cell: str) -> set[str]:
    """The names that a cell gives a value to; none if it is no Python."""
    try:
        tree = ast.parse(cell)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stored | {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
