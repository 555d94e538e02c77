"""What commands write into a course, and what git may take of it: nothing about students."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from autograder import cli
from autograder.course import Course
from tests.support import made_up, small_course
from tests.support.downloads import Member, canvas_export, canvas_name, write_zip
from tests.support.paths import ROOT

NAME = made_up.ASSIGNMENT
ADA = Member("Ada", "Lovelace", "ada", "1815", 12, 4711)
BOB = Member("Bob", "Berg", "bob", "1816", 13, 4712)
CYD = Member("Cyd", "Late", "cyd", "1817", 14, 4713)


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize(
    "ignore", [ROOT / ".gitignore", ROOT / "autograder" / "authoring" / "templates" / "gitignore.template"], ids=str
)
def test_what_commands_write_about_students_never_goes_into_git(tmp_path: Path, ignore: Path) -> None:
    """Of a semester with a platform, nothing is left for `git add .`: neither works nor marks, pages, archives."""
    download, roster = tmp_path / "canvas.zip", tmp_path / "roster.csv"
    course = _course(tmp_path / "course", ignore)
    notebook = small_course.hand_in(small_course.make(tmp_path / "other"), "x").read_bytes()
    write_zip(download, {canvas_name(who, who.user, "made_up.ipynb"): notebook for who in (ADA, BOB, CYD)})
    roster.write_text(canvas_export((ADA, BOB, CYD)))
    for words in (
        ["release", NAME, "--colab", "https://example.edu/bundle.zip"],
        ["collect", NAME, str(download), "--roster", str(roster)],
        ["grade", NAME, "--sandbox", "none", "--seed", "7"],
        ["feedback", NAME, "--zip", "canvas"],
        ["report", NAME],
        ["similar", NAME],
        *(["export", NAME, "--format", kind] for kind in ("csv", "canvas", "moodle", "criteria", "mistakes")),
    ):
        assert cli.main(["--course", str(course.root), *words]) == 0, words
    assert (course.root / f"feedback_{NAME}_canvas.zip").is_file()
    assert _git(course.root, "status", "--porcelain", "--untracked-files=all").splitlines() == [" M nbgrader_config.py"]


def _course(root: Path, ignore: Path) -> Course:
    """What an instructor has under git before the first release, and nbgrader's files beside it."""
    course = small_course.make(root)
    shutil.copy(ignore, root / ".gitignore")
    _git(root, "init", "--quiet")
    _git(root, "add", ".gitignore", "nbgrader_config.py", "exercises", "notebooks")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.edu")
    _git(root, *who, "commit", "--quiet", "-m", "The course")
    return course
