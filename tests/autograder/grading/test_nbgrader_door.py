"""`nbgrader autograde`: the same engine, as closed as `autograder grade`, and a result for whatever was handed in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.course import Course
from autograder.grading.batch import Options, grade_course
from autograder.pages.feedback import make_feedback
from autograder.releasing.release import release
from autograder.results import read_results
from tests.support import made_up

NAME = made_up.ASSIGNMENT
CONFIG = Path(__file__).parents[2] / "courses" / "linear_algebra" / "nbgrader_config.py"
PRIVATE = "private: nobody's business"
DAMAGED = {
    "empty": b"",
    "nul": b"\0" * 50,
    "deep": b"[" * 5000,
    "tomorrow": b'{"nbformat": 9, "nbformat_minor": 0, "metadata": {}, "cells": []}',
    "text": b"I have no notebook",
}


def _nbgrader(course: Course, *arguments: str) -> str:
    place = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course.root,
        env={**os.environ, "PATH": place},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    """A released course: Ada is honest, Mallory links, others handed in what is no notebook."""
    root = tmp_path_factory.mktemp("door")
    config = CONFIG.read_text().replace("linear-algebra", "door").replace("c.Autograder.library", "# ")
    # The code below is our own: it needs no sandbox, and so runs on every machine.
    exchange = root / "exchange"
    exchange.mkdir(mode=0o777)
    exchange.chmod(0o777)  # the exchange wants it open to all
    own = f'c.GradeInSandbox.sandbox = "none"\nc.Exchange.root = {str(exchange)!r}\n'
    (root / "nbgrader_config.py").write_text(f"{config}\n{own}")
    made_up.write_notebook(root)
    (root / "private.txt").write_text(PRIVATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_ANSWERS", str(root / "answers"))
        (root / "answers").mkdir()
        found = Course.find(root)
        release(found, [NAME])
        solved = made_up.notebook()
        for student in ("ada", "mallory", "link", *DAMAGED):
            folder = found.submitted / student / NAME
            folder.mkdir(parents=True)
            if student in DAMAGED:
                (folder / "made_up.ipynb").write_bytes(DAMAGED[student])
            elif student == "link":
                (folder / "made_up.ipynb").symlink_to(root / "notebooks" / NAME / "made_up.ipynb")
            else:
                (folder / "made_up.ipynb").write_text(json.dumps(solved))
        ada = found.submitted / "ada" / NAME
        (ada / "timestamp.txt").write_text("2026-01-01 10:00:00 UTC")
        (ada / "submission_secret.txt").write_text("b2c7d0e9a1")
        (found.submitted / "text" / NAME / "timestamp.txt").write_text("yesterday, after lunch")
        mallory = found.submitted / "mallory" / NAME
        (mallory / "notes.txt").symlink_to(root / "private.txt")
        (mallory / "timestamp.txt").symlink_to(root / "private.txt")
        (mallory / "submission_secret.txt").symlink_to(root / "private.txt")
        (mallory / "data").symlink_to(root / "notebooks")
        (mallory / "g.db").symlink_to(root / "gradebook.db")
        yield found


@pytest.mark.slow
def test_nbgrader_s_own_command_is_as_closed_as_ours(course: Course) -> None:
    """Nothing is copied but the notebook, its time and the exchange's secret; everybody gets a result with a reason."""
    log = _nbgrader(course, "autograde", NAME)
    results = read_results(course.results(NAME))
    assert set(results) == {"ada", "mallory", "link", *DAMAGED}, log[-3000:]
    assert (results["ada"].score, results["mallory"].score) == (7, 7)
    for student in ("link", *DAMAGED):
        assert results[student].score == 0
        assert results[student].message, student
        assert results[student].status in ("missing", "unreadable"), student
    _nothing_private(course.autograded)
    assert (course.autograded / "ada" / NAME / "submission_secret.txt").read_text() == "b2c7d0e9a1"
    _nbgrader(course, "generate_feedback", NAME)
    assert (course.feedback / "ada" / NAME / "made_up.html").is_file()
    _nothing_private(course.feedback)


def _nothing_private(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".ipynb", ".html", ".txt"}
    assert {path.name for path in files if path.suffix == ".txt"} <= {"timestamp.txt", "submission_secret.txt"}
    assert not any(PRIVATE in path.read_text() for path in files)
    assert not any(path.is_symlink() for path in folder.rglob("*"))


def test_our_own_command_carries_the_secret_of_the_exchange(course: Course) -> None:
    """`nbgrader release_feedback` names pages after it."""
    shutil.rmtree(course.autograded, ignore_errors=True)
    grade_course(course, NAME, Options(students=["ada", "mallory"], workers=1, seed=1, sandbox="none", force=True))
    assert (course.autograded / "ada" / NAME / "submission_secret.txt").read_text() == "b2c7d0e9a1"
    assert not (course.autograded / "mallory" / NAME / "submission_secret.txt").exists()
    _nothing_private(course.autograded)
    made = make_feedback(course, NAME, ["ada"])
    assert made.failed == {}
    log = _nbgrader(course, "release_feedback", NAME, "--student=ada")
    assert list((course.root / "exchange").rglob("feedback/*.html")), log[-2000:]
