"""The Python in a code cell, parsed without running it; IPython's magics are followed as far as they hold code.

The source is hostile: it may be endless, nested without end, or hide behind magics.  What is too much to be read is
`refused`, and whoever runs cells must not run it: otherwise code could be kept from the reader's eyes.  Everything here
takes time in proportion to the length of the code.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from IPython.core.inputtransformer2 import TransformerManager

__all__ = ["SHORT", "STRANGE_LINES", "CellCode", "bound_at_top_level", "children", "read_code", "walk"]

MAX_CHARACTERS = 50_000
_MAX_WITH_MAGICS = 20_000
SHORT = 2_000
"""Cells up to this length are remembered: a tree takes about a hundred times the space of its text."""
_MAX_MAGICS = 20
_MAX_NESTING = 3
_ASSIGNED_MAGIC = re.compile(r"=[ \t]*[%!]")
_HOLD_CODE = frozenset({"capture", "prun", "time", "timeit"})
_KNOWN_CELLS = frozenset("HTML SVG bash html javascript js latex markdown sh svg system sx writefile".split())
"""Magics of whole cells that hold no Python; a file of Python is `writefile`, too, but not harmless."""
STRANGE_LINES = frozenset("debug edit load loadpy macro pdb recall rep rerun run store".split())
"""Magics of lines that run code from elsewhere."""
_EXTENSIONS = frozenset({"autoreload", "tensorboard", "google.colab.data_table"})
"""An extension is a module, perhaps a file of the student's own."""
_PLAIN = frozenset("arg asname attr conversion ctx id is_async kind level module op ops simple type_comment".split())
_FIELDS = {
    kind: tuple(name for name in reversed(kind._fields) if name not in _PLAIN)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""Where the nodes below one are; `ast.iter_child_nodes` takes twice as long."""


@dataclass(frozen=True)
class CellCode:
    """What is known about a cell's code.

    Attributes:
        body: its statements; empty if it is no Python (it will not run either).
        magics: line and name of magics that run what is not read here.
        refused: why the cell is not read; empty if it is.
    """

    body: tuple[ast.stmt, ...] = ()
    magics: tuple[tuple[int, str], ...] = ()
    refused: str = ""


def read_code(source: str, nesting: int = 0) -> CellCode:
    """Parse a cell; most of a notebook's cells are the same in all of a class, and these are parsed once."""
    if len(source) > MAX_CHARACTERS:
        return CellCode(refused=f"it has {len(source)} characters; at most {MAX_CHARACTERS} are read")
    # What is inside of magics is moved to its place in the cell, so each cell needs its own.
    return _remembered(source) if nesting == 0 and len(source) <= SHORT else _read(source, nesting)


@lru_cache(maxsize=256)
def _remembered(source: str) -> CellCode:
    return _read(source, 0)


def _read(source: str, nesting: int) -> CellCode:
    try:
        tree = _parse(source)
        if tree is not None:
            return CellCode(tuple(tree.body))
        magics = sum(map(_has_magic, source.splitlines()))
        if not magics:
            return CellCode()
        if magics > _MAX_MAGICS or len(source) > _MAX_WITH_MAGICS or nesting > _MAX_NESTING:
            return CellCode(refused=f"it has {magics} lines with magics and {len(source)} characters")
        tree = _parse(TransformerManager().transform_cell(source))
        return _with_magics(tree, nesting) if tree is not None else CellCode()
    except (RecursionError, MemoryError):
        # Whether deep nesting runs depends on settings that the code itself can change.
        return CellCode(refused="it is nested too deeply")
    except Exception as error:  # IPython's transformers meet damaged code with any exception
        return CellCode(refused=f"its magics cannot be read ({type(error).__name__})")


def walk(*roots: ast.AST) -> Iterator[ast.AST]:
    """All nodes below and with the roots in the order of the source, without recursion: code can be nested deeply."""
    todo = list(reversed(roots))
    while todo:
        node = todo.pop()
        yield node
        todo += children(node)


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below a node, the last one first; without those that only stand for a sign."""
    found: list[ast.AST] = []
    for name in _FIELDS[type(node)]:
        value = getattr(node, name, None)
        if type(value) is list:
            found += [item for item in reversed(value) if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def _parse(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def _has_magic(line: str) -> bool:
    text = line.strip()
    return text.startswith(("%", "!", "?")) or text.endswith("?") or _ASSIGNED_MAGIC.search(text) is not None


def _with_magics(tree: ast.Module, nesting: int) -> CellCode:
    """A transformed cell with the code that its magics hold."""
    body: list[ast.stmt] = list(tree.body)
    magics: list[tuple[int, str]] = []
    for node in walk(tree):
        call = _magic_call(node)
        if call is None:
            continue
        name, line, cell = call
        if name in _HOLD_CODE:
            inner = _joined(read_code(text, nesting + 1) for text in (_without_options(line), cell) if text)
            if inner.refused:
                return inner
            below = node.lineno - 1 + bool(cell)  # type: ignore[attr-defined]
            body += (ast.increment_lineno(statement, below) for statement in inner.body)
            magics += ((number + below, inner_name) for number, inner_name in inner.magics)
        elif _is_strange(name, line, cell):
            magics.append((node.lineno, f"%{name}"))  # type: ignore[attr-defined]
    return CellCode(tuple(body), tuple(magics))


def _joined(parts: Iterable[CellCode]) -> CellCode:
    every = list(parts)
    refused = next((part.refused for part in every if part.refused), "")
    body, magics = (tuple(chain.from_iterable(getattr(part, name) for part in every)) for name in ("body", "magics"))
    return CellCode(body, magics, refused)


def _is_strange(name: str, line: str, cell: str | None) -> bool:
    if name in ("load_ext", "reload_ext"):
        return line.strip() not in _EXTENSIONS
    if name in ("writefile", "file"):
        return line.strip().endswith((".py", ".pth", ".ipy"))
    return name in STRANGE_LINES or (cell is not None and name not in _KNOWN_CELLS)


def _magic_call(node: ast.AST) -> tuple[str, str, str | None] | None:
    """What ``get_ipython().run_..._magic(...)`` calls: the magic, the rest of its line, the rest of its cell."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    expected = {"run_line_magic": 2, "run_cell_magic": 3}.get(node.func.attr)
    texts = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    if expected is None or not len(texts) == len(node.args) == expected:
        return None
    return texts[0], texts[1], texts[2] if expected == 3 else None


def _without_options(code: str) -> str:
    """The code after a line magic's options (``-n 10``)."""
    words = code.split(" ")
    while len(words) > 1 and (words[0].startswith("-") or words[0].isdecimal() or not words[0]):
        del words[0]
    return " ".join(words)


def bound_at_top_level(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Names that statements bind where they stand, in loops and conditions too, but not inside functions."""
    todo: list[ast.AST] = []
    todo += [*body][::-1]
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            yield node.name
        if not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            todo += children(node)
