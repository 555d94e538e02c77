"""What the doctor finds and what it advises."""

from __future__ import annotations

import argparse
import sqlite3
from pathlib import Path

import pytest

from autograder.commands import doctor
from autograder.commands.doctor import Check, user_namespaces
from autograder.course import Course


def course_at(folder: Path) -> Course:
    """An empty course."""
    (folder / "nbgrader_config.py").write_text("c = get_config()\n")
    return Course.find(folder)


def gradebook_check(course: Course) -> Check:
    """The doctor's line about the gradebook."""
    return next(check for check in doctor.examine(course) if check.name == "gradebook")


@pytest.mark.sandbox
def test_a_machine_with_a_sandbox_can_grade(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 0, and a line that says so."""
    assert doctor.run(argparse.Namespace(), None) == 0
    output = capsys.readouterr().out
    assert "Grading can work on this machine." in output
    assert "tried: it works" in output


def test_without_bubblewrap_grading_cannot_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, the package named with the command that installs it."""
    which = doctor.shutil.which
    monkeypatch.setattr(doctor.shutil, "which", lambda name, **_: None if name == "bwrap" else which(name))
    assert doctor.run(argparse.Namespace(), None) == 2
    output = capsys.readouterr().out
    assert "MISSING  bubblewrap" in output
    assert "sudo apt-get install bubblewrap" in output


@pytest.mark.parametrize(
    ("setting", "value", "advice"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1\n", "/etc/apparmor.d/bwrap"),
        ("kernel/unprivileged_userns_clone", "0\n", "sysctl kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0\n", "sysctl user.max_user_namespaces="),
    ],
    ids=["AppArmor of Ubuntu 24.04", "hardened Debian", "none at all"],
)
def test_forbidden_namespaces_come_with_the_command_that_allows_them(
    setting: str, value: str, advice: str, tmp_path: Path
) -> None:
    """Each of the kernel's three switches is told apart."""
    (tmp_path / setting).parent.mkdir()
    (tmp_path / setting).write_text(value)
    check = user_namespaces(tmp_path)
    assert not check.ok
    assert advice in check.todo


def test_namespaces_are_allowed_where_no_setting_forbids_them(tmp_path: Path) -> None:
    """A kernel without these settings is not suspected."""
    assert user_namespaces(tmp_path).ok


def test_no_gradebook_yet_is_no_fault_and_none_is_made(tmp_path: Path) -> None:
    """The doctor looks and changes nothing."""
    course = course_at(tmp_path)
    check = gradebook_check(course)
    assert (check.ok, check.found) == (True, "none yet; `autograder release` makes it")
    assert not (tmp_path / "gradebook.db").exists()


def test_submissions_in_the_gradebook_are_counted(tmp_path: Path) -> None:
    """Read straight from nbgrader's table."""
    course = course_at(tmp_path)
    with sqlite3.connect(tmp_path / "gradebook.db") as connection:
        connection.execute("create table submitted_assignment (id text)")
        connection.executemany("insert into submitted_assignment values (?)", [("a",), ("b",)])
    connection.close()
    assert gradebook_check(course).found.endswith("2 submissions")


def test_a_damaged_gradebook_is_named(tmp_path: Path) -> None:
    """What is no database gets a line and what to do, not a traceback."""
    course = course_at(tmp_path)
    (tmp_path / "gradebook.db").write_bytes(b"not a database" * 100)
    check = gradebook_check(course)
    assert not check.ok
    assert "file is not a database" in check.found
    assert "backup" in check.todo


def test_a_course_that_cannot_be_written_to_cannot_be_graded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Read-only, or on a full disk: exit status 2 and what to do; nothing is written to find that out."""
    course = course_at(tmp_path)
    (tmp_path / "autograded").mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert _line(course, "writing").ok
    with monkeypatch.context() as patch:
        patch.setattr(doctor.os, "access", lambda path, mode: path != tmp_path / "autograded")
        assert (_line(course, "writing").word, _line(course, "writing").needed) == ("LOCKED", True)
        assert doctor.run(argparse.Namespace(), course) == 2
        assert "autograded is read-only" in capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(doctor.shutil, "disk_usage", lambda path: argparse.Namespace(free=5 << 20))
        assert _line(course, "writing").word == "FULL"
    assert sorted(tmp_path.rglob("*")) == before


def _line(course: Course, name: str) -> Check:
    return next(check for check in doctor.examine(course) if check.name == name)


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    """The gradebook's address may hold one."""
    (tmp_path / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.db_url = 'postgresql://u:hush@127.0.0.1:1/x'\n"
    )
    check = gradebook_check(Course.find(tmp_path))
    assert not check.ok
    assert "hush" not in check.found
