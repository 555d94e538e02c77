"""Statements are found wherever Python lets one stand."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from autograder.reading.statements import statements
from tests.support.paths import ROOT

SOURCES = sorted([*ROOT.glob("autograder/**/*.py"), *ROOT.glob("exercises/*/*.py"), *ROOT.glob("course_lib/**/*.py")])


def kinds(nodes: object) -> set[int]:
    """Which statements, as identities."""
    return {id(node) for node in nodes if isinstance(node, ast.stmt)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", SOURCES[::7], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_statement_of_a_file_is_found(path: Path) -> None:
    """As many as a walk over all nodes finds."""
    tree = ast.parse(path.read_text("utf-8"))
    assert kinds(statements(tree)) == kinds(ast.walk(tree))


def test_a_statement_may_stand_in_any_block() -> None:
    """Also where this project has none."""
    source = """
match x:
    case 1:
        import a
try:
    pass
except* ValueError:
    import b
else:
    import c
finally:
    import d
async def f():
    async with y:
        async for z in y:
            import e
        else:
            import g
while x:
    import h
else:
    class K:
        import i
if x:
    pass
elif y:
    import j
f = lambda: 0 if x else 1
"""
    tree = ast.parse(source)
    assert kinds(statements(tree)) == kinds(ast.walk(tree))
    assert sum(isinstance(node, ast.Import) for node in statements(tree)) == 9
