"""Proof that a bundle holds no solution: every line of code that students must not see is searched for in every file.

A secret is a solution region of a source notebook, or the body of a function or a table in the course's `exercises/`
(references, misconceptions, right but odd answers).  It has leaked where the whole of it, any three lines in a row, or
one long line is found, whatever the indentation, spacing, blank lines and comments.  Answer data is decoded and
searched too; there, lines also count that were joined to one, as those of a hint are.
"""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import safetensors

from autograder.reading.statements import statements
from autograder.releasing.source_notebook import cells_of, read_source, solution_regions
from course_lib.checking.values import MAX_BYTES, unpack

__all__ = ["Leak", "Secret", "find_leaks", "secrets_of_exercises", "secrets_of_notebooks"]

RUN = 3
"""So many lines in a row are no coincidence."""

_MIN_RUN_CHARACTERS = 60
_MIN_WHOLE_CHARACTERS = 30
_MIN_LINE_CHARACTERS = 50
_TEXT = {".py", ".md", ".txt", ".toml", ".yml", ".yaml", ".cfg", ".json", ".html", ".js", ".css", ".csv", ""}
_IMPORT = re.compile(r"^(from|import) (autograder|exercises)\b")
_MARKER = re.compile(r"(BEGIN|END) SOLUTION")


@dataclass(frozen=True)
class Secret:
    """Lines that must not be in the bundle.

    Attributes:
        origin: where they come from, for the message.
        lines: normalized.
    """

    origin: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Leak:
    """Something found in a bundle that must not be there."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


def secrets_of_notebooks(folder: Path) -> list[Secret]:
    """The solution regions of all source notebooks below a folder."""
    return [
        Secret(f"the solution in {path.name}, {cell.place}", tuple(_normalised(region)))
        for path in sorted(folder.glob("*/*.ipynb"))
        for cell in cells_of(read_source(path))
        for region in solution_regions(cell)
    ]


def secrets_of_exercises(folder: Path) -> list[Secret]:
    """The bodies of all functions, and the tables, in the Python files below a folder."""
    return [
        Secret(f"exercises/{path.relative_to(folder)}, {name}", tuple(_normalised(lines)))
        for path in sorted(folder.rglob("*.py"))
        for name, lines in _bodies(path.read_text("utf-8"))
    ]


@lru_cache(maxsize=256)  # a course's exercises are the same in every release
def _bodies(source: str) -> tuple[tuple[str, list[str]], ...]:
    return tuple(_bodies_in(source))


def _bodies_in(source: str) -> Iterator[tuple[str, list[str]]]:
    lines = source.splitlines()
    tree = ast.parse(source)
    for table in tree.body:
        # A table of right answers.
        if isinstance(table, ast.Assign) and isinstance(table.value, ast.Dict):
            yield ast.unparse(table.targets[0]), lines[table.lineno : table.end_lineno]
    for node in statements(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        # One line (`return F.layer_norm(...)`) is what a notebook may well show as the library's way.
        if body and body[-1].end_lineno is not None and body[-1].end_lineno > body[0].lineno:
            yield node.name, lines[body[0].lineno - 1 : body[-1].end_lineno]


def _normalised(lines: Iterable[str]) -> Iterator[str]:
    """Lines without indentation, repeated spaces, blank lines and comments."""
    for line in lines:
        text = " ".join(line.split())
        if text and not text.startswith("#"):
            yield text.partition("  # ")[0]


def find_leaks(bundle: Path, secrets: Iterable[Secret]) -> list[Leak]:
    """Everything in a bundle that must not be there."""
    index = _index(secrets)
    runs = [(" ".join(lines), f"holds {origin}: {lines[0]}") for lines, origin in index[RUN].items()]
    leaks = [
        Leak(str(path.relative_to(bundle)), "belongs to the grader")
        for path in sorted(bundle.rglob("*"))
        if path.name in ("autograder", "exercises")
    ]
    for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
        name = str(path.relative_to(bundle))
        texts = list(_texts(path))
        found = dict.fromkeys(text for lines in texts for text in _search(lines, index))
        if _is_answers(path):
            found |= dict.fromkeys(text for lines in texts for text in _search_joined(lines, runs))
        leaks += [Leak(name, text) for text in found]
    return leaks


_Index = dict[int, dict[tuple[str, ...], str]]


def _index(secrets: Iterable[Secret]) -> _Index:
    """Number of lines -> these lines -> where they come from."""
    index: _Index = defaultdict(dict)

    def add(lines: tuple[str, ...], least: int, origin: str) -> None:
        if sum(map(len, lines)) >= least:
            index[len(lines)].setdefault(lines, origin)

    for secret in secrets:
        add(secret.lines, _MIN_WHOLE_CHARACTERS, secret.origin)
        for start in range(len(secret.lines)):
            add(secret.lines[start : start + 1], _MIN_LINE_CHARACTERS, secret.origin)
            if start + RUN <= len(secret.lines):
                add(secret.lines[start : start + RUN], _MIN_RUN_CHARACTERS, secret.origin)
    return index


def _search(raw: list[str], index: _Index) -> Iterator[str]:
    yield from (f"holds a solution marker: {line.strip()}" for line in raw if _MARKER.search(line))
    lines = list(_normalised(raw))
    yield from (f"imports {found[2]}: {line}" for line in lines if (found := _IMPORT.match(line)))
    for length, known in index.items():
        for start in range(len(lines) - length + 1):
            origin = known.get(tuple(lines[start : start + length]))
            if origin is not None:
                yield f"holds {origin}: {lines[start]}"


def _search_joined(raw: list[str], runs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """As `_search` for runs of lines whose line ends were lost, as those of a hint are."""
    text = " ".join(_normalised(" ".join(raw).split("\n")))
    if "=" in text or "(" in text:  # prose holds no code, and there is much of it
        yield from (words for run, words in runs if run in text)


def _is_answers(path: Path) -> bool:
    return path.suffix == ".safetensors" and path.parent.name == "answers"


def _texts(path: Path) -> Iterator[list[str]]:
    """Every text in a file, as lines."""
    if path.suffix == ".ipynb":
        yield from (text.splitlines() for text in _strings(json.loads(path.read_text("utf-8"))))
    elif _is_answers(path):
        yield from (text.splitlines() for text in _strings(_decoded(path)))
    elif path.suffix in _TEXT:
        yield path.read_text("utf-8", "replace").splitlines()


def _decoded(path: Path) -> list[Any]:
    with safetensors.safe_open(path, framework="pt") as file:
        return [unpack(file.get_tensor(name).numpy().tobytes(), max_header=MAX_BYTES) for name in file.keys()]  # noqa: SIM118 (no mapping)


def _strings(value: Any) -> Iterator[str]:
    """All strings in a tree; a list of strings (a cell's source) counts as one text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(key)
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        if value and all(isinstance(item, str) for item in value):
            yield "\n".join(item.rstrip("\n") for item in value)
        else:
            for item in value:
                yield from _strings(item)
