"""Notebooks in `submitted/` that lie a folder off."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder import cli
from autograder.submissions.misplaced import misplaced
from tests.support import made_up, small_course

NAME = made_up.ASSIGNMENT


def test_what_is_passed_over_is_named_with_where_it_belongs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody loses their points without a line; other assignments, and other files, are passed over rightly."""
    course = small_course.make(tmp_path)
    (course.source / "09_other").mkdir()
    for place in (
        f"ada/{NAME}/made_up.ipynb", "ada/09_other/x.ipynb", "bob/09_other/x.ipynb", "bob/notes.txt",
        "eve/a.ipynb", f"fay/{NAME.upper()}/a.ipynb", "gus/week 1/deep/a.ipynb", "hal.ipynb", ".hidden/a.ipynb",
    ):  # fmt: skip
        path = course.submitted / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    (course.submitted / "link").symlink_to("eve")
    lines = misplaced(course, NAME)
    assert [(line.partition(" ")[0], line.partition(": ")[2]) for line in lines] == [
        ("submitted/eve/a.ipynb", f"move it to submitted/eve/{NAME}/"),
        (f"submitted/fay/{NAME.upper()}", f"rename the folder to {NAME}"),
        ("submitted/gus/week", f"what is of this assignment goes into submitted/gus/{NAME}/"),
        ("submitted/hal.ipynb", f"move it to submitted/hal/{NAME}/, or: autograder collect {NAME} FILE"),
    ]
    assert cli.main(["--course", str(course.root), "grade", NAME, "--sandbox", "none", "--seed", "7"]) == 0
    assert all(f"note: {line}\n" in capsys.readouterr().out for line in lines[:1])
