"""What remains of pages and tables when the disk is full: the old ones, or none, and no half of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder import cli
from tests.support import made_up, small_course
from tests.support.full_disk import full_disk

NAME = made_up.ASSIGNMENT


def test_a_full_disk_cuts_no_page_and_no_table_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, however many students there are; the same command goes on."""
    course = small_course.make(tmp_path)
    for student in ("ada", "bob", "cyd"):
        small_course.hand_in(course, student)

    def run(*words: str) -> int:
        return cli.main(["--course", str(course.root), *words])

    assert run("grade", NAME, "--sandbox", "none", "--seed", "7") == 0
    commands = {
        ("feedback", NAME): "feedback/*/*/*.html",
        ("report", NAME): "report_*.html",
        ("similar", NAME): "similar_*.html",
        ("export", NAME): "marks_*.csv",
    }
    for words, pattern in commands.items():
        capsys.readouterr()
        with full_disk(0):
            assert run(*words) == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("autograder:")]
        assert line.endswith("No space left on device")
        assert list(course.root.glob(pattern)) == []
        assert run(*words) == 0
        whole = {path: path.read_bytes() for path in course.root.glob(pattern)}
        assert len(whole) == (3 if words[0] == "feedback" else 1)
        if words[0] != "feedback":
            with full_disk(0):
                assert run(*words) == 2
            assert {path: path.read_bytes() for path in course.root.glob(pattern)} == whole
    assert not [path for path in course.root.rglob(".*.*") if path.name.rpartition(".")[2].isdecimal()]
