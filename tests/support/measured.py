"""Trainings that claims are about, measured once and kept: a test reads the numbers, and one training is made anew.

A topic that trains for minutes has a `runs.py` of functions decorated with `measured`, and beside it a `runs.json` with
what they returned.  Beside the numbers of a function stands a digest of all code and data that it depends on: when that
changes, reading fails with the command that records it anew.  One training of every topic is always made anew, and the
digests choose which, so another one after each change: the claims are asserted on it in its record's place.
`CLAIMS=full` makes all of them anew and reads nothing (`make claims`).
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import inspect
import io
import json
import os
import textwrap
import tokenize
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import torch

from tests.support.paths import ROOT

__all__ = [
    "Measured",
    "OutOfDateError",
    "Record",
    "data_beside",
    "essence",
    "imported",
    "measured",
    "record_of",
    "topics",
]

FULL = os.environ.get("CLAIMS") == "full"
COMMAND = "python scripts/record_claims.py"
_FOLDER = ROOT / "tests" / "course_lib"
_OURS = ("course_lib", "exercises", "tests")
_SHOWS = {"course_lib.lab.interrupted", "course_lib.lab.live"}
"""Modules that show numbers or say how a cell ended: they, and what only they import, are in no digest."""

Run = Callable[..., Any]


class OutOfDateError(AssertionError):
    """The code or the data has changed since a training was recorded."""


class Measured:
    """A function whose results are kept.

    Attributes:
        name: the function's.
        module: where it stands.
        units: the arguments of its runs, in their order; a claim's seeds, for instance.
    """

    def __init__(self, function: Run, units: Iterable[Hashable]) -> None:
        self.function, self.units = function, tuple(units)
        self.name, self.module = function.__name__, function.__module__
        functools.update_wrapper(self, function)

    def __call__(self, unit: Hashable) -> Any:
        """The numbers of one run: made anew if chance or `CLAIMS` says so, else as recorded.

        Raises:
            OutOfDateError: if there is no record of the function as it is.
        """
        if FULL or (self.name, unit) == record_of(self.module).sample:
            return self.fresh(unit)
        return record_of(self.module).read(self)[str(unit)]

    def side_by_side(self, *units: Hashable) -> list[Any]:
        """The numbers of several runs that are compared digit by digit: recorded ones, or all made on this machine.

        Two processors round differently, and a training makes much of little.
        """
        anew = any((self.name, unit) == record_of(self.module).sample for unit in units)
        return [self.fresh(unit) if anew else self(unit) for unit in units]

    def all(self) -> list[Any]:
        """The numbers of every run."""
        return [self(unit) for unit in self.units]

    @functools.cache  # noqa: B019 - as many as there are functions, and they live as long as their module
    def fresh(self, unit: Hashable) -> Any:
        """The numbers of a run that is made now, on one thread: these networks are tiny, and more would only wait."""
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return plain(self.function(unit))
        finally:
            torch.set_num_threads(before)

    @functools.cached_property
    def digest(self) -> str:
        """Of the function, of what it uses and of the data; not of the packages, which the lock pins."""
        found = hashlib.sha256(repr(self.units).encode())
        for part in sorted(_parts(self.function)):
            found.update(part.encode())
        return found.hexdigest()[:16]


def measured(units: Iterable[Hashable]) -> Callable[[Run], Measured]:
    """Decorates a function of one argument that returns numbers, in dicts, lists and dataclasses."""
    return lambda function: Measured(function, units)


class Record:
    """The numbers of a topic.

    Attributes:
        functions: what is measured, by name.
        path: where the numbers are kept.
    """

    def __init__(self, module: str) -> None:
        runs = importlib.import_module(module)
        self.functions = {name: each for name, each in vars(runs).items() if isinstance(each, Measured)}
        self.topic = module.split(".")[-2]
        assert runs.__file__ is not None
        self.path = Path(runs.__file__).with_suffix(".json")
        self._kept: dict[str, Any] = json.loads(self.path.read_text("utf-8")) if self.path.exists() else {}

    @functools.cached_property
    def sample(self) -> tuple[str, Hashable]:
        """The run that is made anew: name and unit."""
        runs = [(name, unit) for name, each in sorted(self.functions.items()) for unit in each.units]
        chance = hashlib.sha256("".join(each.digest for _, each in sorted(self.functions.items())).encode())
        return runs[int(chance.hexdigest(), 16) % len(runs)]

    def is_current(self, function: Measured) -> bool:
        """Whether the function is as it was when it was recorded."""
        return bool(self._kept.get(function.name, {}).get("digest") == function.digest)

    def read(self, function: Measured) -> Mapping[str, Any]:
        """The numbers of a function, unit -> what it returned.

        Raises:
            OutOfDateError: if there are none of the function as it is.
        """
        if not self.is_current(function):
            raise OutOfDateError(
                f"{function.name} in {self.path.with_suffix('.py').relative_to(ROOT)}, or something that it uses, has"
                f" changed since its runs were recorded. Record them anew: {COMMAND} {self.topic}"
            )
        runs: Mapping[str, Any] = self._kept[function.name]["runs"]
        return runs

    def write(self, function: Measured, runs: Mapping[str, Any]) -> None:
        """Keep the numbers of a function; those of functions that are no more are dropped."""
        kept = {**self._kept, function.name: {"digest": function.digest, "runs": runs}}
        self._kept = {name: kept[name] for name in self.functions if name in kept}
        lines = ",\n".join(f'"{name}": {_text(found)}' for name, found in self._kept.items())
        beside = self.path.with_suffix(".new")
        beside.write_text(f"{{\n{lines}\n}}\n", "utf-8")
        beside.replace(self.path)


@functools.cache
def record_of(module: str) -> Record:
    """The record beside a module."""
    return Record(module)


def topics() -> dict[str, str]:
    """Topics with recorded runs: name -> module."""
    return {path.parent.name: f"tests.course_lib.{path.parent.name}.runs" for path in sorted(_FOLDER.glob("*/runs.py"))}


def plain(value: Any) -> Any:
    """The same numbers as JSON holds them, with six digits; so a record and a run made now are of the same kind."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if hasattr(value, "__dataclass_fields__"):
        value = {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _text(found: Mapping[str, Any]) -> str:
    """A function's record, a line for each run."""
    runs = ",\n".join(f"  {json.dumps(unit)}: {json.dumps(run)}" for unit, run in found["runs"].items())
    return f'{{"digest": "{found["digest"]}", "runs": {{\n{runs}}}}}'


# --- what a function depends on


def _parts(function: Run) -> set[str]:
    """The function's source, the sources of what it names, and the data beside them."""
    parts, files = set(), set()
    waiting, seen = [function], set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        parts.add(essence(inspect.getsource(current)))
        for name in _names(current.__code__):
            value = current.__globals__.get(name)
            module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if module == function.__module__ and inspect.isfunction(value):
                waiting.append(value)
            elif isinstance(module, str) and module.split(".")[0] in _OURS and module != function.__module__:
                files |= imported(module)
            elif isinstance(value, (bool, int, float, str, tuple)):
                parts.add(f"{name} = {value!r}")
    for path in files:
        parts.add(essence(path.read_text("utf-8")))
    for folder in {path.parent for path in files}:
        parts |= data_beside(folder)
    return parts


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


@functools.cache
def data_beside(folder: Path) -> frozenset[str]:
    """Digests of the files that modules of a folder read."""
    files = [path for name in ("data", "datasets") for path in folder.glob(f"{name}/**/*") if path.is_file()]
    return frozenset(hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.suffix != ".pyc")


@functools.cache
def imported(module: str) -> frozenset[Path]:
    """The files of a module of this project and of all that it imports, as `import` would find them."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name in found or name in _SHOWS or path is None:
            continue
        found[name] = path
        waiting.extend(_imports(path))
    return frozenset(found.values())


def _file(module: str) -> Path | None:
    if module.split(".")[0] not in _OURS:
        return None
    path = ROOT.joinpath(*module.split("."))
    return next((each for each in (path / "__init__.py", path.with_suffix(".py")) if each.exists()), None)


@functools.cache
def _imports(path: Path) -> tuple[str, ...]:
    """What a file imports: modules, and what may be a module of a package."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def essence(source: str) -> str:
    """A source without comments, docstrings and blank lines: what does not change a number."""
    text = textwrap.dedent(source)
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            docstring = node.body[0]
            for row in range(docstring.lineno - 1, docstring.end_lineno or docstring.lineno):
                lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())
