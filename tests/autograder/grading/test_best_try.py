"""Of several tries one is graded: the last, the best, or one by its number."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from autograder import cli
from autograder.course import Course
from autograder.results import read_results
from autograder.submissions.tries import Tries
from tests.support import made_up, small_course

NAME = made_up.ASSIGNMENT
MAY = dt.datetime(2026, 5, 1, 12)


def _notebook(course: Course, answer: str) -> bytes:
    released = json.loads(next((course.release / NAME).glob("*.ipynb")).read_text())
    for cell in released["cells"]:
        if cell["id"] == "column-scale-solution":
            cell["source"] = answer
        if cell["id"] == "pair-solution":
            cell["source"] = small_course.PAIR
    return json.dumps(released).encode()


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Ada was best first, Bob last; both were late at the end."""
    found = small_course.make(tmp_path_factory.mktemp("tries"))
    right, stub = _notebook(found, small_course.RIGHT), _notebook(found, small_course.STUB)
    unbiased = _notebook(found, small_course.UNBIASED)
    for student, answers in {"ada": (right, stub), "bob": (stub, unbiased, right), "cyd": (stub,)}.items():
        tries = Tries(found, NAME, student)
        for day, answer in enumerate(answers):
            tries.add({"made_up.ipynb": answer}, (f"{day}.ipynb",), MAY + dt.timedelta(days=day))
        tries.put_in_place(len(answers))
    return found


def _grade(course: Course, which: str) -> dict[str, float]:
    arguments = ["grade", NAME, "--sandbox", "none", "--workers", "1", "--which", which]
    assert cli.main(["--course", str(course.root), *arguments]) == 0
    return {name: result.score for name, result in read_results(course.results(NAME)).items()}


@pytest.mark.slow
def test_the_best_the_last_or_a_numbered_try_is_graded(course: Course, capsys: pytest.CaptureFixture[str]) -> None:
    """All stay there, so that one may change one's mind; what was graded to compare is not graded again."""
    assert _grade(course, "last") == {"ada": 2, "bob": 7, "cyd": 2}
    assert _grade(course, "best") == {"ada": 7, "bob": 7, "cyd": 2}
    assert "graded now of 1 students" in capsys.readouterr().out
    assert _grade(course, "1") == {"ada": 7, "bob": 2, "cyd": 2}
    assert _grade(course, "best") == {"ada": 7, "bob": 7, "cyd": 2}
    assert "all tries" not in capsys.readouterr().out
    assert [len(Tries(course, NAME, name).all()) for name in ("ada", "bob", "cyd")] == [2, 3, 1]


def test_what_a_late_try_costs_counts(course: Course, tmp_path: Path) -> None:
    """A right answer that is worth half for being late loses to an earlier one with one slip."""
    config = course.root / "nbgrader_config.py"
    before = config.read_text()
    rules = 'c.Autograder.late = {"percent": 50, "per": "day"}\n'
    config.write_text(f'{before}\n{rules}c.Autograder.due = {{"{NAME}": "2026-05-02 13:00"}}\n')
    try:
        _grade(Course.find(course.root), "best")
        assert (course.submitted / "bob" / NAME / "timestamp.txt").read_text().startswith("2026-05-02")
    finally:
        config.write_text(before)


def test_another_word_is_one_line(course: Course, capsys: pytest.CaptureFixture[str]) -> None:
    """With what was expected."""
    for word in ("worst", "0", "-1"):
        assert cli.main(["--course", str(course.root), "grade", NAME, f"--which={word}"]) == 2
        assert "expected best, last or the number" in capsys.readouterr().err


def test_a_number_that_nobody_has_is_one_line(course: Course, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a slip of the pen, and nothing is graded for it."""
    assert cli.main(["--course", str(course.root), "grade", NAME, "--which=9"]) == 2
    assert "--which 9: nobody has a try of that number; the highest number is 3" in capsys.readouterr().err
