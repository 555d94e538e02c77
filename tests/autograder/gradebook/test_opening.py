"""A gradebook that cannot be used: every command says so in the same words."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from sqlalchemy.exc import OperationalError

from autograder import cli
from autograder.commands import doctor
from autograder.course import Course
from autograder.gradebook.opening import refusal
from tests.support import made_up, small_course

NAME = made_up.ASSIGNMENT


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    """A released course with one submission, graded, and a database for which nobody waits long."""
    monkeypatch.setattr(sqlite3.dbapi2, "connect", functools.partial(sqlite3.dbapi2.connect, timeout=0.2))
    made = small_course.make(tmp_path / "course")
    small_course.hand_in(made, "ada")
    assert _run(made, "grade") == 0
    return made


def _run(course: Course, command: str) -> int:
    more = {
        "grade": ["--sandbox", "none", "--seed", "7"],
        "collect": [str(course.root / "download"), "--roster", str(course.root / "class.csv")],
    }
    return cli.main(["--course", str(course.root), command, NAME, *more.get(command, [])])


@contextmanager
def _held(course: Course, how: str) -> Iterator[None]:
    other = sqlite3.connect(course.root / "gradebook.db", isolation_level=None)
    other.execute(f"begin {how}")
    try:
        yield
    finally:
        other.execute("rollback")
        other.close()


@pytest.mark.parametrize(
    ("how", "command"),
    [
        *(("exclusive", command) for command in ("collect", "grade", "feedback", "report", "export", "release")),
        *(("immediate", command) for command in ("collect", "grade")),
    ],
)
def test_a_gradebook_in_use_is_one_line(
    course: Course, capsys: pytest.CaptureFixture[str], how: str, command: str
) -> None:
    """Whoever holds it, whatever was to be done: no SQL, and the same command later goes on."""
    (course.root / "download").mkdir()
    small_course.hand_in(course, "eve").rename(course.root / "download" / "eve.ipynb")
    (course.root / "class.csv").write_text("id,name,email\neve,Eve,\n")
    small_course.hand_in(course, "bob")
    capsys.readouterr()
    with _held(course, how):
        assert _run(course, command) == 2
    told = capsys.readouterr().err
    first, second = [line for line in told.splitlines() if line.startswith(("autograder:", "hint:"))]
    assert first.endswith("gradebook.db is in use by another program")
    assert "the same command goes on from here" in second
    assert not {"Traceback", "SQL:", "sqlalche.me"} & set(told.split())
    assert _run(course, command) == 0


def test_the_doctor_does_not_send_for_a_backup_where_the_gradebook_is_in_use(course: Course) -> None:
    """Somebody who follows that advice overwrites a sound gradebook."""
    with _held(course, "exclusive"):
        check = next(check for check in doctor.examine(course) if check.name == "gradebook")
    assert (check.ok, check.word) == (False, "IN USE")
    assert "backup," in check.todo  # one that is being made
    assert "restore" not in check.todo


@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("SQLITE_BUSY", "in use", "goes on"),
        ("SQLITE_LOCKED_SHAREDCACHE", "in use", "goes on"),
        ("SQLITE_FULL", "no space", "make room"),
        ("SQLITE_READONLY_DIRECTORY", "read-only", "writable"),
        ("SQLITE_CORRUPT", "damaged", "backup"),
        ("SQLITE_ERROR", "cannot be used: no such table", "doctor"),
    ],
)
def test_what_a_database_refuses_is_said_in_words(name: str, words: str, hint: str) -> None:
    """Without the statement that it refused."""
    cause = sqlite3.OperationalError("no such table")
    with mock.patch.object(cause, "sqlite_errorname", name, create=True):
        known = refusal(OperationalError("SELECT 1", {}, cause), "sqlite:///x.db")
    assert words in known.message
    assert hint in known.hint
    assert "SELECT" not in known.message
