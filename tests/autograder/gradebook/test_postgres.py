"""The gradebook in a real PostgreSQL server: the same rows as in SQLite, through every command that reads them."""

from __future__ import annotations

import csv
import datetime as dt
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook
from nbgrader.api import Student as GradebookStudent

from autograder import cli
from autograder.course import Course
from autograder.errors import GradebookError
from autograder.grading import batch as grading
from autograder.grading.batch import Batch, Options, grade_course
from autograder.releasing.release import release
from tests.support import made_up, small_course
from tests.support.postgres import server

pytestmark = [pytest.mark.postgres, pytest.mark.sandbox, pytest.mark.slow]
NAME = made_up.ASSIGNMENT


@pytest.fixture
def in_sqlite(tmp_path: Path) -> Course:
    """A released course with submissions and the default gradebook."""
    course = small_course.make(tmp_path / "sqlite")
    for kind, (column_scale, pair) in small_course.ANSWERS.items():
        for number in range(2):
            small_course.hand_in(course, f"{kind}{number}", column_scale, pair)
    small_course.hand_in_bytes(course, "größe 🎓", b"")
    return course


@pytest.fixture
def in_postgres(in_sqlite: Course, tmp_path: Path) -> Iterator[Course]:
    """The same course with its gradebook in a server of its own."""
    root = tmp_path / "postgres"
    shutil.copytree(in_sqlite.root, root, ignore=shutil.ignore_patterns("gradebook.db"))
    with server() as url:
        with (root / "nbgrader_config.py").open("a") as file:
            file.write(f"\nc.CourseDirectory.db_url = {url!r}\n")
        course = Course.find(root)
        release(course, [NAME], root / "bundle")
        yield course


def _grade(course: Course, **options: Any) -> Batch:
    return grade_course(course, NAME, Options(seed=7, workers=2, **options))


def test_the_rows_are_those_of_sqlite(
    in_sqlite: Course, in_postgres: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scores, comments and what needs a person; and export, report, feedback and doctor read them."""
    for course in (in_sqlite, in_postgres):
        assert not _grade(course).failed
        assert _grade(course).graded == 0
    assert not (in_postgres.root / "gradebook.db").exists()
    assert small_course.scores(in_postgres) == small_course.scores(in_sqlite)
    assert _exported(in_postgres) == _exported(in_sqlite)
    for command in (["report", NAME], ["feedback", NAME, "--student", "right0"], ["doctor"]):
        assert cli.main(["--course", str(in_postgres.root), *command]) == 0, command
    shown = capsys.readouterr().out
    assert "postgresql://teacher:***@" in shown
    assert "11 submissions" in shown


def _exported(course: Course) -> list[list[str]]:
    assert cli.main(["--course", str(course.root), "export"]) == 0
    with (course.root / "marks_csv.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len(rows) > 10
    return rows


def test_a_killed_run_is_completed_exactly(in_sqlite: Course, in_postgres: Course) -> None:
    """SIGKILL in the middle of the batch, then the same command; what a person wrote meanwhile stays."""
    _grade(in_sqlite)
    pid = os.fork()
    if pid == 0:
        real, written = grading.write, 0

        def write_and_die(*args: Any) -> None:
            nonlocal written
            written += 1
            if written == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*args)

        grading.write = write_and_die  # type: ignore[attr-defined]
        try:
            _grade(in_postgres)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    assert _grade(in_postgres).graded == 7
    assert small_course.scores(in_postgres) == small_course.scores(in_sqlite)
    with Gradebook(in_postgres.db_url) as book:
        book.find_grade("why", "made_up", NAME, "right0").manual_score = 3.5
        book.db.commit()
    _grade(in_postgres, force=True)
    assert ("right0", "why", 0.0, 3.5, False) in small_course.scores(in_postgres)


def test_a_name_that_the_database_refuses_stops_nobody(in_postgres: Course) -> None:
    """PostgreSQL holds names to their length, which SQLite does not; the submission is named, the others are graded."""
    small_course.hand_in(in_postgres, "x" * 200)
    batch = _grade(in_postgres)
    assert [failed.job.student for failed in batch.failed] == ["x" * 200]
    assert "could not be written" in batch.failed[0].reason
    assert batch.graded == 11


def test_a_server_that_is_gone_is_one_line(in_postgres: Course) -> None:
    """The message has the address without its password, and comes at once."""
    config = in_postgres.root / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.CourseDirectory.db_url = 'postgresql://a:secret@127.0.0.1:1/b'\n")
    started = time.monotonic()
    with pytest.raises(GradebookError, match="cannot be used") as caught:
        _grade(Course.find(in_postgres.root))
    assert time.monotonic() - started < 60
    assert "secret" not in caught.value.message
    assert len(caught.value.message) < 500


def test_a_gradebook_is_moved_in_the_middle_of_a_semester(
    in_sqlite: Course, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scores, manual marks, comments, due date, extension, names: all of it, and grading goes on there."""
    _grade(in_sqlite)
    with Gradebook(in_sqlite.db_url) as book:
        book.update_or_create_assignment(NAME, duedate="2026-05-01 12:00:00")
        book.update_or_create_student("right0", first_name="Zoë", last_name="O'Neil", email="zoe@example.edu")
        for number in range(2500):  # more than one batch, and ids that databases sort differently
            book.db.add(GradebookStudent(id=f"{'Aa_é-1'[number % 6]}{number}"))
        grade = book.find_grade("why", "made_up", NAME, "right0")
        grade.manual_score, grade.extra_credit = 3.5, 0.25
        book.find_comment("why", "made_up", NAME, "right0").manual_comment = "Schön! 🎓"
        book.find_submission(NAME, "right1").extension = dt.timedelta(days=2, minutes=7)
        book.db.commit()
    before = small_course.scores(in_sqlite)
    exported = _exported(in_sqlite)
    with server() as url:
        move = ["--course", str(in_sqlite.root), "gradebook", "move", url]
        assert cli.main(move) == 0
        shown = capsys.readouterr().out
        assert "read back and compared" in shown
        assert url.split(":")[2].split("@")[0] not in shown
        with (in_sqlite.root / "nbgrader_config.py").open("a") as file:
            file.write(f"\nc.CourseDirectory.db_url = {url!r}\n")
        moved = Course.find(in_sqlite.root)
        assert small_course.scores(moved) == before
        assert _exported(moved) == exported
        assert _grade(moved).graded == 0
        with Gradebook(url) as book:
            assert book.find_comment("why", "made_up", NAME, "right0").manual_comment == "Schön! 🎓"
            assert book.find_submission(NAME, "right1").extension == dt.timedelta(days=2, minutes=7)
            assert book.find_assignment(NAME).duedate == dt.datetime(2026, 5, 1, 12)
            assert len(book.students) == 2511
        (in_sqlite.root / "nbgrader_config.py").write_text("c = get_config()\n")
        capsys.readouterr()
        assert cli.main(move) == 2
        assert "is not empty" in capsys.readouterr().err
    assert cli.main([*move[:-1], "postgresql://a:secret@127.0.0.1:1/b"]) == 2
    text = capsys.readouterr().err
    assert "secret" not in text
    assert len(text.strip().splitlines()) <= 2
