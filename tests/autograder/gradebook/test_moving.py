"""Moving a gradebook without a server: what is refused, and that all rows come along."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook
from sqlalchemy import Connection, Table

from autograder.errors import GradebookError
from autograder.gradebook import moving
from autograder.gradebook.moving import move_gradebook


def _gradebook(path: Path, students: int = 0) -> str:
    url = f"sqlite:///{path}"
    with Gradebook(url, course_id="mine") as book:
        for number in range(students):
            book.add_student(f"s{number}")
    return url


def test_every_row_comes_along_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the course's name; the old one stays as it was."""
    monkeypatch.setattr(moving, "_BATCH", 7)
    source, target = _gradebook(tmp_path / "a.db", 30), f"sqlite:///{tmp_path / 'b.db'}"
    before = (tmp_path / "a.db").read_bytes()
    moved = move_gradebook(source, target)
    assert (moved.rows["student"], moved.rows["course"]) == (30, 1)
    with Gradebook(target, course_id="mine") as book:
        assert len(book.students) == 30
    assert (tmp_path / "a.db").read_bytes() == before


def test_a_target_with_anything_in_it_is_refused(tmp_path: Path) -> None:
    """Rows, or tables of another program; an empty gradebook is empty."""
    source = _gradebook(tmp_path / "a.db", 1)
    with pytest.raises(GradebookError, match="its table 'student' has 2 rows"):
        move_gradebook(source, _gradebook(tmp_path / "full.db", 2))
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE bills (id INTEGER)")
    with pytest.raises(GradebookError, match="it has the table 'bills'"):
        move_gradebook(source, f"sqlite:///{tmp_path / 'other.db'}")
    assert move_gradebook(source, _gradebook(tmp_path / "empty.db")).rows["student"] == 1


def test_a_move_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command may follow."""
    source, target = _gradebook(tmp_path / "a.db", 3), f"sqlite:///{tmp_path / 'b.db'}"
    real = moving._batches

    def lossy(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
        rows = real(connection, table)
        return iter(()) if table.name == "student" and str(connection.engine.url) == target else rows

    monkeypatch.setattr(moving, "_batches", lossy)
    with pytest.raises(GradebookError, match="'student' reads differently"):
        move_gradebook(source, target)
    monkeypatch.undo()
    assert move_gradebook(source, target).rows["student"] == 3


@pytest.mark.parametrize(
    ("target", "words"),
    [("nonsense", "is no address"), ("oracle://x/y", "cannot be used"), ("sqlite:///{same}", "gradebook already")],
)
def test_what_is_no_target_is_one_line(tmp_path: Path, target: str, words: str) -> None:
    """With how it is written."""
    source = _gradebook(tmp_path / "a.db")
    with pytest.raises(GradebookError, match=words):
        move_gradebook(source, target.format(same=tmp_path / "a.db"))


def test_what_is_no_gradebook_is_not_moved(tmp_path: Path) -> None:
    """A missing file is not made by looking."""
    with pytest.raises(GradebookError, match="no gradebook at"):
        move_gradebook(f"sqlite:///{tmp_path / 'none.db'}", f"sqlite:///{tmp_path / 'b.db'}")
    assert not list(tmp_path.iterdir())
    sqlite3.connect(tmp_path / "empty.db").close()
    (tmp_path / "empty.db").touch()
    with pytest.raises(GradebookError, match="no gradebook of this version"):
        move_gradebook(f"sqlite:///{tmp_path / 'empty.db'}", f"sqlite:///{tmp_path / 'b.db'}")
