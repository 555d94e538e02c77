"""The Python in a code cell, parsed without running it; IPython's magics are followed as far as they hold code.

The source is hostile: it may be endless, nested without end, or hide behind magics.  What is too much to be read is
`refused`, and whoever runs cells must not run it: otherwise code could be kept from the reader's eyes.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from IPython.core.inputtransformer2 import TransformerManager

__all__ = ["CellCode", "read_code"]

MAX_CHARACTERS = 50_000
_MAX_WITH_MAGICS = 20_000
_MAX_MAGICS = 20
_MAX_NESTING = 3
_MAGIC_LINE = re.compile(r"^[ \t]*(?:[%!?]|.*\?[ \t]*$|.*=[ \t]*[%!])", re.MULTILINE)
_HOLD_CODE = frozenset({"capture", "prun", "time", "timeit"})
_HARMLESS = frozenset(
    "alias_magic autoreload cd conda config env history html latex lsmagic ls markdown matplotlib pip precision pwd "
    "pylab pinfo pinfo2 svg system sx who whos".split()
)
_EXTENSIONS = ("load_ext", "reload_ext")
"""An extension is a module, perhaps a file of the student's own; only ``autoreload``, part of IPython, is known."""


@dataclass(frozen=True)
class CellCode:
    """What is known about a cell's code.

    Attributes:
        body: its statements; empty if it is no Python (it will not run either).
        magics: magics that can do what a reader cannot follow.
        refused: why the cell is not read; empty if it is.
    """

    body: tuple[ast.stmt, ...] = ()
    magics: tuple[str, ...] = ()
    refused: str = ""


def read_code(source: str, nesting: int = 0) -> CellCode:
    """Parse a cell."""
    if len(source) > MAX_CHARACTERS:
        return CellCode(refused=f"it has {len(source)} characters; at most {MAX_CHARACTERS} are read")
    try:
        tree = _parse(source)
        if tree is not None:
            return CellCode(tuple(tree.body))
        magics = len(_MAGIC_LINE.findall(source))
        if not magics:
            return CellCode()
        if magics > _MAX_MAGICS or len(source) > _MAX_WITH_MAGICS or nesting > _MAX_NESTING:
            return CellCode(refused=f"it has {magics} lines with magics and {len(source)} characters")
        tree = _parse(TransformerManager().transform_cell(source))
    except (RecursionError, MemoryError):
        # Whether deep nesting runs depends on settings that the code itself can change.
        return CellCode(refused="it is nested too deeply")
    except Exception as error:  # IPython's transformers meet damaged code with any exception
        return CellCode(refused=f"its magics cannot be read ({type(error).__name__})")
    return _without_magics(tree, nesting) if tree is not None else CellCode()


def _parse(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


class _Magics(ast.NodeTransformer):
    """Takes IPython's calls out of a transformed cell and keeps the code that they hold."""

    def __init__(self, nesting: int) -> None:
        self.nesting = nesting
        self.body: list[ast.stmt] = []
        self.names: list[str] = []
        self.refused = ""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replace the call of a magic."""
        call = _magic_call(node)
        if call is None:
            return self.generic_visit(node)
        name, code = call
        if name in _HOLD_CODE and code is not None:
            inner = read_code(_without_options(code), self.nesting + 1)
            self.body += inner.body
            self.names += inner.magics
            self.refused = self.refused or inner.refused
        elif name not in _HARMLESS and not (name in _EXTENSIONS and code is not None and code.strip() == "autoreload"):
            self.names.append(f"%{name}")
        return ast.copy_location(ast.Constant(None), node)


def _magic_call(node: ast.Call) -> tuple[str, str | None] | None:
    """Name and code of ``get_ipython().run_..._magic(...)`` and its like; None for any other call."""
    function = node.func
    if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call)):
        return None
    owner = function.value.func
    if not (isinstance(owner, ast.Name) and owner.id == "get_ipython") or node.keywords:
        return None
    texts = [a.value if isinstance(a, ast.Constant) and isinstance(a.value, str) else None for a in node.args]
    if function.attr in ("system", "getoutput"):
        return "system", None
    if function.attr == "run_line_magic" and len(texts) == 2 and texts[0]:
        return texts[0], texts[1]
    if function.attr == "run_cell_magic" and len(texts) == 3 and texts[0]:
        return texts[0], texts[2]
    return None


def _without_options(code: str) -> str:
    """The code after a line magic's options (``-n 10``)."""
    return re.sub(r"\A(?:\s*-\w+(?:\s+\d+)?)+\s", "", code)


def _without_magics(tree: ast.Module, nesting: int) -> CellCode:
    magics = _Magics(nesting)
    visited = magics.visit(tree)
    assert isinstance(visited, ast.Module)
    return CellCode((*visited.body, *magics.body), tuple(magics.names), magics.refused)
