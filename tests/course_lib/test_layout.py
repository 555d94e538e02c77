"""The students' library: every topic has the same rooms, so that whoever knows one knows all."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.course import COURSE
from tests.support.paths import ROOT

LIBRARY = ROOT / "course_lib"
TOPICS = sorted(COURSE.code.topics.values())
ROOMS = frozenset({"experiments", "figures", "nets", "drivers", "widgets"})
OF_ITS_OWN = {"augmentation": {"augment"}, "search": {"table"}}
"""Further rooms of a topic: what its notebook uses after it was written, for many images at once; recorded runs."""
DATA = "data"

each_topic = pytest.mark.parametrize("topic", TOPICS)


def rooms_of(topic: str) -> set[str]:
    """Modules and packages of a topic; a folder without Python is none."""
    return {
        path.stem if path.suffix == ".py" else path.name
        for path in (LIBRARY / topic).iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    } - {"__init__"}


@each_topic
def test_every_topic_has_the_same_rooms(topic: str) -> None:
    """Those that it needs, each a module or a package; a further one is a decision of its own."""
    assert rooms_of(topic) <= ROOMS | OF_ITS_OWN.get(topic, set())


@each_topic
def test_every_room_says_what_it_is_for_and_what_it_gives(topic: str) -> None:
    """A docstring, and `__all__` where a notebook takes names from it; a topic itself holds no code."""
    for room in rooms_of(topic):
        module = import_module(f"course_lib.{topic}.{room}")
        assert module.__doc__, room
        assert hasattr(module, "__all__") or hasattr(module, "__path__"), room
    body = ast.parse((LIBRARY / topic / "__init__.py").read_text("utf-8")).body
    assert [type(node) for node in body] == [ast.Expr]


@each_topic
def test_a_topic_holds_code_and_data_only(topic: str) -> None:
    """Files that are no Python lie in the folder `data`."""
    others = [
        path.relative_to(LIBRARY / topic)
        for path in (LIBRARY / topic).rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    ]
    assert [path for path in others if path.parts[0] != DATA] == []


def test_no_topic_knows_another_and_nothing_generic_knows_one() -> None:
    """What two topics need belongs to neither."""
    wrong = {
        str(path.relative_to(LIBRARY)): found
        for path in sorted(LIBRARY.rglob("*.py"))
        if (found := _topics_imported(path) - {path.relative_to(LIBRARY).parts[0]})
    }
    assert wrong == {}


def _topics_imported(path: Path) -> set[str]:
    names = [
        name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    ]
    return {parts[1] for name in names if len(parts := name.split(".")) > 1 and parts[0] == "course_lib"} & set(TOPICS)
