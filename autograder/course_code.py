"""The Python of a course: its exercises, which never leave the house, and the library that its students import.

A course is a folder, so its code is imported from there and not from an installed package:

    exercises/TOPIC/__init__.py       ASSIGNMENT = "01_first"; EXERCISES = ids in the order of the notebook
    exercises/TOPIC/EXERCISE.py       `exercise = Exercise(...)`, in the file of its id with _ for -
    LIBRARY/                          named in nbgrader_config.py as c.Autograder.library

It can be packed into bytes and unpacked on another machine, so that a cluster's workers grade any course.
"""

from __future__ import annotations

import ast
import difflib
import functools
import hashlib
import importlib
import importlib.util
import io
import os
import re
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from autograder.errors import CourseError, UnknownAssignmentError

if TYPE_CHECKING:
    from autograder.exercise import Exercise
    from course_lib.checking.drivers import Driver

__all__ = ["OWN_LIBRARY", "CourseCode"]

OWN_LIBRARY = "course_lib"
"""The library that comes with the grader: every course's notebooks have it."""

_EXERCISES = "exercises"
_SKIPPED = ("__pycache__", ".ipynb_checkpoints")


@dataclass(frozen=True)
class CourseCode:
    """The exercises and the library in a course's folder.

    Attributes:
        root: the folder.
        library: name of the package that its notebooks import besides `course_lib`; `course_lib` itself if none.
    """

    root: Path
    library: str = OWN_LIBRARY

    @property
    def exercises_folder(self) -> Path:
        """Where the references lie."""
        return self.root / _EXERCISES

    @property
    def library_folder(self) -> Path | None:
        """The course's own library; None if it has none besides `course_lib`."""
        return None if self.library == OWN_LIBRARY else self.root / self.library

    @property
    def libraries(self) -> tuple[str, ...]:
        """The packages that students import."""
        return tuple(dict.fromkeys((OWN_LIBRARY, self.library)))

    @functools.cached_property
    def topics(self) -> Mapping[str, str]:
        """Assignment -> name of its folder in `exercises/`, in the order of the assignments; imports nothing.

        Raises:
            CourseError: if two folders say that they hold the same assignment.
        """
        if self.exercises_folder.is_dir():
            os.listdir(self.exercises_folder)  # says so if that is not allowed, where glob finds nothing
        found: dict[str, str] = {}
        for path in sorted(self.exercises_folder.glob("*/__init__.py")):
            name = _assignment_in(path)
            if name in found:
                raise CourseError(
                    f"exercises/{found[name]} and exercises/{path.parent.name} both say ASSIGNMENT = {name!r}",
                    "give each folder an assignment of its own",
                )
            if name:
                found[name] = path.parent.name
        return dict(sorted(found.items()))

    def exercises(self, assignment: str) -> Mapping[str, Exercise]:
        """The exercises of an assignment by id, in the order of its notebook.

        Raises:
            UnknownAssignmentError: with the nearest name, if no folder holds that assignment.
            CourseError: if its code cannot be imported or does not define what it says.
        """
        self.topic_of(assignment)
        self.import_library()
        _import_package(self.exercises_folder, self.version)
        return _imported_exercises(self, self.version, assignment)

    def topic_of(self, assignment: str) -> str:
        """Name of the folder in `exercises/` that holds an assignment.

        Raises:
            UnknownAssignmentError: with the nearest name, if none does.
        """
        if assignment not in self.topics:
            near = difflib.get_close_matches(assignment, self.topics, n=1, cutoff=0.3)
            raise UnknownAssignmentError(assignment, tuple(self.topics), near[0] if near else None)
        return self.topics[assignment]

    def import_library(self) -> ModuleType:
        """Import the course's library from its folder."""
        if self.library_folder is None:
            return importlib.import_module(OWN_LIBRARY)
        if not (self.library_folder / "__init__.py").is_file():
            raise CourseError(
                f"{self.library_folder} is no Python package", "correct c.Autograder.library in nbgrader_config.py"
            )
        return _import_package(self.library_folder, self.version)

    @functools.cached_property
    def version(self) -> str:
        """Changes whenever the course's exercises or its library change."""
        digest = hashlib.sha256()
        for path in self._files():
            digest.update(f"{path.relative_to(self.root)}\0".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def packed(self) -> bytes:
        """Exercises and library as bytes, not compressed; equal code gives equal bytes."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path in self._files():
                archive.writestr(zipfile.ZipInfo(path.relative_to(self.root).as_posix()), path.read_bytes())
            archive.comment = self.library.encode()
        return buffer.getvalue()

    @staticmethod
    @functools.lru_cache(maxsize=8)
    def unpacked(data: bytes) -> CourseCode:
        """The code that `packed` made bytes, in a folder that is there as long as this process."""
        folder = tempfile.TemporaryDirectory(prefix="autograder-course-")
        _KEPT.append(folder)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(folder.name)
            return CourseCode(Path(folder.name), archive.comment.decode())

    def _files(self) -> Iterator[Path]:
        for folder in filter(None, (self.exercises_folder, self.library_folder)):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not any(part in _SKIPPED for part in path.parts):
                    yield path


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _assignment_in(path: Path) -> str:
    """What a topic's `__init__.py` says is its assignment; empty if nothing."""
    try:
        body = ast.parse(path.read_text("utf-8")).body
    except (OSError, SyntaxError, ValueError) as error:
        raise CourseError(f"{path} cannot be read: {error}", "correct that file") from error
    for node in body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "ASSIGNMENT" for t in node.targets):
            value = node.value.value if isinstance(node.value, ast.Constant) else None
            if isinstance(value, str):
                return value
    return ""


@functools.lru_cache(maxsize=64)
def _imported_exercises(code: CourseCode, version: str, assignment: str) -> Mapping[str, Exercise]:
    del version  # part of the key: changed files are imported anew
    package = f"{_EXERCISES}.{code.topics[assignment]}"
    ids = getattr(_import(package, code), "EXERCISES", None)
    if not isinstance(ids, tuple | list) or not all(isinstance(name, str) for name in ids):
        raise CourseError(f"{package} defines no EXERCISES", "list the ids of its exercises: EXERCISES = (...)")
    for name in ids:
        _require_hints(code.exercises_folder / code.topics[assignment] / f"{name.replace('-', '_')}.py")
    return {name: _exercise_in(_import(f"{package}.{name.replace('-', '_')}", code), name) for name in ids}


_WITHOUT_HINT = re.compile(r'^(?:def|class) (\w+)[^\n]*:\n {4}"{6}$', re.MULTILINE)
"""A mistake as `new misconception` writes it: its code is a student's."""


def _require_hints(path: Path) -> None:
    """Refuse a file that holds a student's code which nobody has read yet, before it is imported.

    Raises:
        CourseError: if a mistake in it has no hint.
    """
    found = _WITHOUT_HINT.search(path.read_text("utf-8")) if path.is_file() else None
    if found:
        raise CourseError(
            f"{path}: no hint for {found[1]}",
            "read its code, which is a student's, and write the hint as its docstring",
        )


def _exercise_in(module: ModuleType, name: str) -> Exercise:
    from autograder.exercise import Exercise

    found = getattr(module, "exercise", None)
    if not isinstance(found, Exercise) or found.id != name:
        what = f"an exercise with the id {found.id!r}" if isinstance(found, Exercise) else "no `exercise`"
        raise CourseError(f"{module.__file__} defines {what}", f"it must define exercise = Exercise({name!r}, ...)")
    if lack := found.lack():
        raise CourseError(f"{module.__file__}: {lack}", "CONTRIBUTING.md shows a whole exercise")
    return found


def _import(name: str, code: CourseCode) -> ModuleType:
    try:
        return importlib.import_module(name)
    except CourseError:
        raise
    except Exception as error:  # the file is Python: anything can happen
        message = f"{name} cannot be imported: {type(error).__name__}: {error}"
        raise CourseError(message, f"correct {_place(error, code) or name}") from error


def _place(error: Exception, code: CourseCode) -> str:
    """The file and line of the course that an exception points at; empty if none."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(f"{code.root}/")]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else ""


@dataclass
class _Loaded:
    """A package of a course that was imported.

    Attributes:
        modules: it and all below it, by name.
        drivers: the drivers that they registered.
    """

    version: str
    modules: dict[str, ModuleType]
    drivers: dict[str, Driver]


_LOADED: dict[Path, _Loaded] = {}


def _import_package(folder: Path, version: str) -> ModuleType:
    """Import a package by the name of its folder.

    Courses have packages of the same name.  The one that was asked for last is the one that `import` finds; another
    steps aside, and comes back as it was when it is asked for again.
    """
    from course_lib.checking import drivers  # torch takes a second, and who only asks for names need not wait for it

    folder = folder.resolve()
    name = folder.name
    known = sys.modules.get(name)
    if known is not None and _is_from(known, folder) and folder in _LOADED and _LOADED[folder].version == version:
        return known
    if not folder.is_dir():
        raise CourseError(f"there is no folder {folder}", "autograder new assignment NAME makes it")
    _step_aside(name, drivers.DRIVERS)
    loaded = _LOADED.get(folder)
    if loaded is not None and loaded.version == version:
        sys.modules.update(loaded.modules)
        drivers.DRIVERS.update(loaded.drivers)
        return loaded.modules[name]
    _LOADED[folder] = _Loaded(version, {}, {})
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    importlib.invalidate_caches()
    try:
        spec.loader.exec_module(package)
    except Exception as error:
        del sys.modules[name]
        raise CourseError(
            f"{folder} cannot be imported: {type(error).__name__}: {error}", "correct that file"
        ) from error
    return package


def _is_from(module: ModuleType, folder: Path) -> bool:
    return Path(str(module.__file__)).parent == folder


def _step_aside(name: str, table: dict[str, Driver]) -> None:
    """Take a package out of `sys.modules`, and its drivers out of their table; remember both."""
    package = sys.modules.get(name)
    if package is None:
        return
    modules = {found: module for found, module in sys.modules.copy().items() if found.partition(".")[0] == name}
    own = {key: found for key, found in table.items() if found.__module__.partition(".")[0] == name}
    if (loaded := _LOADED.get(Path(str(package.__file__)).parent)) is not None:
        loaded.modules, loaded.drivers = modules, own
    for found in modules:
        del sys.modules[found]
    for key in own:
        del table[key]
