"""The house: which folder may import which, no circle, and no topic in what serves every topic."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.support.course import COURSE
from tests.support.paths import ROOT

PACKAGES = ("autograder", "course_lib", "exercises")
TOPICS = tuple(sorted(path.parent.name for path in ROOT.glob("exercises/*/__init__.py")))
PLAIN_WORDS = frozenset({"search"})
"""Topics whose names are also words that any program uses: of these only paths and imports are looked for."""
GENERIC = ("autograder", "course_lib/checking", "course_lib/lab", "course_lib/widgets")

MAY_IMPORT = {
    "course_lib.lab": set(),
    "course_lib.checking": {"course_lib.lab"},
    "course_lib.widgets": {"course_lib.lab"},
    "course_lib.start": {"course_lib.checking", "course_lib.lab"},
    **{f"course_lib.{topic}": {"course_lib.checking", "course_lib.lab", "course_lib.widgets"} for topic in TOPICS},
    **{f"exercises.{topic}": {"autograder.exercise", "exercises.draws", "course_lib.checking"} for topic in TOPICS},
}
"""Folder -> folders that it may import; what is not listed here is held by the test of circles alone."""


@cache
def modules() -> Mapping[str, Path]:
    """Name of a module -> its file."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of ours that a module imports anywhere, but for type checkers."""
    tree = ast.parse(modules()[module].read_text("utf-8"))
    hidden = {id(part) for node in ast.walk(tree) if _is_for_types(node) for part in ast.walk(node)}
    named = (name for node in ast.walk(tree) if id(node) not in hidden for name in _names(node, module))
    return frozenset(name for name in named if name in modules() and name != module)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _names(node: ast.AST, module: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (item.name for item in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:  # inside the sandbox the package has a name of its own
            base = ".".join([*module.split(".")[: -node.level], *([node.module] if node.module else [])])
        whole = [f"{base}.{item.name}" for item in node.names]
        # `from package import module` depends on the module, and on the package only for what is no module.
        yield from (name if name in modules() else base for name in whole)


def folder_of(module: str) -> str:
    """The room that a module is in: two names deep."""
    return ".".join(module.split(".")[:2])


def test_no_module_imports_itself_over_others() -> None:
    """Neither modules nor folders import each other in a circle, also not inside functions."""
    graphlib.TopologicalSorter({module: imports(module) for module in modules()}).prepare()
    folders: dict[str, set[str]] = {}
    for module in modules():
        room = folder_of(module)
        folders.setdefault(room, set()).update({folder_of(name) for name in imports(module)} - {room})
    graphlib.TopologicalSorter(folders).prepare()


def test_imports_go_one_way() -> None:
    """notebooks -> course_lib; exercises -> autograder.exercise, course_lib; autograder -> course_lib."""
    wrong = []
    for module in modules():
        allowed = MAY_IMPORT.get(folder_of(module))
        for name in imports(module):
            up = module.split(".")[0] == "course_lib" and name.split(".")[0] != "course_lib"
            up |= module.split(".")[0] == "autograder" and name.split(".")[0] == "exercises"
            known = allowed is None or folder_of(name) in allowed | {folder_of(module)}
            wrong += [f"{module} imports {name}"] if up or not known else []
    assert wrong == []


@pytest.mark.parametrize("folder", GENERIC)
def test_what_serves_every_topic_names_none(folder: str) -> None:
    """A topic could be moved to another course, and another course's topic comes without an edit here."""
    topics = set(TOPICS) - PLAIN_WORDS
    words = {*topics, *COURSE.assignments, *(name for topic in topics for name in (f"{topic}_", f"_{topic}"))}
    names = rf"(?<![A-Za-z.])({'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})(?![a-z])"
    plain = "|".join(PLAIN_WORDS)
    pattern = re.compile(rf"{names}|(?:course_lib|exercises)[./]({plain})\b|[\"']({plain})[/\"']")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".js", ".css", ".j2", ".ipynb", ".template"}
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_a_topic_has_one_name() -> None:
    """What students import, what references are and what tests are about stand under the same name."""
    assert set(TOPICS) == {COURSE.code.topic_of(name) for name in COURSE.assignments}
    for topic in TOPICS:
        assert (ROOT / "course_lib" / topic / "__init__.py").is_file(), topic


def test_exercises_are_loaded_through_the_course_alone() -> None:
    """Nothing that is installed needs the folder: a course is wherever its configuration lies."""
    assert not [
        module
        for module in modules()
        if module.split(".")[0] != "exercises" and any(name.split(".")[0] == "exercises" for name in imports(module))
    ]


def test_no_assertion_is_true_whatever_is_measured() -> None:
    """`assert a < b if c else d` asserts that d is not 0 where c is false: no branch may be a number."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assert) and isinstance(node.test, ast.IfExp):
                branches = (node.test.body, node.test.orelse)
                numbers = [b.value for b in branches if isinstance(b, ast.Constant) and not isinstance(b.value, bool)]
                assert not numbers, f"{path.relative_to(ROOT)}:{node.lineno}"
