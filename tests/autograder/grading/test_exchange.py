"""The whole way through nbgrader's exchange: hand out, validate, hand in, grade, give back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograder import cli
from autograder.results import read_results
from tests.support import made_up
from tests.support.exchange import COURSE, hand_out, nbgrader, solved
from tests.support.hub import Hub, lack_of_hub

pytestmark = pytest.mark.slow
NAME = made_up.ASSIGNMENT


@pytest.fixture(autouse=True)
def _answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release must not write into the answers of this checkout."""
    (tmp_path / "answers").mkdir()
    monkeypatch.setenv("COURSE_ANSWERS", str(tmp_path / "answers"))


def _grade_and_give_back(teacher: Path) -> None:
    log = nbgrader(teacher, "collect", NAME)
    assert "Collecting" in log, log
    for command in (["grade", NAME, "--sandbox", "none", "--workers", "1"], ["feedback", NAME]):
        assert cli.main(["--course", str(teacher), *command]) == 0
    log = nbgrader(teacher, "release_feedback", NAME)
    assert "Feedback released" in log, log


def test_from_hand_out_to_feedback_through_the_exchange(tmp_path: Path) -> None:
    """A student validates a notebook, renames it, hands it in, and fetches feedback."""
    handed_out = hand_out(tmp_path)
    student = tmp_path / "student"
    student.mkdir()
    (student / "nbgrader_config.py").write_text(handed_out.student_config)
    log = nbgrader(student, "fetch_assignment", NAME)
    assert "Fetched as" in log, log
    path = student / NAME / "made_up.ipynb"
    path.write_text(json.dumps(solved(json.loads(path.read_text()))))
    log = nbgrader(student, "validate", str(path), library=handed_out.bundle)
    assert "Success! Your notebook passes all the tests." in log, log
    path.rename(path.with_name("made_up (1).ipynb"))
    log = nbgrader(student, "submit", NAME)
    assert "Submitted as" in log, log
    _grade_and_give_back(handed_out.course.root)
    (result,) = read_results(handed_out.course.results(NAME)).values()
    assert (result.score, result.flags) == (7, ("renamed-notebook",))
    log = nbgrader(student, "fetch_feedback", NAME)
    pages = list((student / NAME / "feedback").rglob("*.html"))
    assert [page.name for page in pages] == ["made_up (1).html"], log


@pytest.mark.skipif(lack_of_hub() is not None, reason=lack_of_hub() or "")
def test_the_same_on_a_jupyterhub(tmp_path: Path) -> None:
    """In a student's own server of a real hub: the buttons of nbgrader's list of assignments, and Validate."""
    handed_out = hand_out(tmp_path)
    with Hub(tmp_path / "hub", handed_out.bundle, handed_out.student_config) as hub:
        about = {"course_id": COURSE, "assignment_id": NAME}
        hub.server("POST", "assignments/fetch", about)
        where = f"api/contents/{NAME}/made_up.ipynb"
        content = hub.server("GET", where)["content"]
        hub.server("PUT", where, {"type": "notebook", "content": solved(content)})
        said = hub.server("POST", "assignments/validate", {"path": f"{NAME}/made_up.ipynb"})
        assert (said["success"], said["value"]) == (True, {}), said
        assert hub.server("POST", "assignments/submit", about)["success"]
        _grade_and_give_back(handed_out.course.root)
        (result,) = read_results(handed_out.course.results(NAME)).values()
        assert (result.score, result.flags) == (7, ())
        hub.server("POST", "assignments/fetch_feedback", about)
        assert [page.name for page in (hub.home / NAME / "feedback").rglob("*.html")] == ["made_up.html"]
