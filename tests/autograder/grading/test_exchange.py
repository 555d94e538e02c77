"""The whole way through nbgrader's exchange, as on a JupyterHub: hand out, validate, hand in, grade, give back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder import cli
from autograder.course import Course
from autograder.releasing.release import release
from autograder.results import read_results
from tests.support import made_up, small_course
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow
NAME = made_up.ASSIGNMENT
_CONFIG = """c = get_config()
c.CourseDirectory.course_id = "hub"
c.Exchange.root = {exchange!r}
"""


def _nbgrader(folder: Path, *arguments: str, library: Path = ROOT) -> str:
    place = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    data = folder / ".data"  # the exchange keeps a student's own copies there
    environment = {**os.environ, "PATH": place, "PYTHONPATH": str(library), "JUPYTER_DATA_DIR": str(data)}
    environment["XDG_DATA_HOME"] = str(data)
    environment.pop("COURSE_ANSWERS", None)
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.stdout + done.stderr


def test_from_hand_out_to_feedback_through_the_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A student who renamed the notebook validates it, hands it in, and fetches feedback."""
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    teacher, student = tmp_path / "teacher", tmp_path / "student"
    student.mkdir()
    source = made_up.notebook()
    made_up.cell(source, "plot")["source"] = "import time\n\ntime.sleep(3600)"
    made_up.write_notebook(teacher, source)
    own = f'c.Exchange.root = {str(exchange)!r}\nc.CourseDirectory.course_id = "hub"\n'
    (teacher / "nbgrader_config.py").write_text(f"{(ROOT / 'nbgrader_config.py').read_text()}\n{own}")
    (student / "nbgrader_config.py").write_text(_CONFIG.format(exchange=str(exchange)))
    monkeypatch.setenv("COURSE_ANSWERS", str(tmp_path / "answers"))
    (tmp_path / "answers").mkdir()
    course = Course.find(teacher)
    release(course, [NAME], tmp_path / "bundle")
    assert "Released as" in (log := _nbgrader(teacher, "release_assignment", NAME)), log
    # What the hub's kernels find on their path is the bundle's library, with the answers in it.
    library = tmp_path / "bundle"
    assert "Fetched as" in (log := _nbgrader(student, "fetch_assignment", NAME)), log
    path = student / NAME / "made_up.ipynb"
    _solve(path)
    log = _nbgrader(student, "validate", str(path), library=library)
    assert "Success! Your notebook passes all the tests." in log, log
    path.rename(path.with_name("made_up (1).ipynb"))
    assert "Submitted as" in (log := _nbgrader(student, "submit", NAME)), log
    assert "Collecting" in (log := _nbgrader(teacher, "collect", NAME)), log
    grade = ["grade", NAME, "--sandbox", "none", "--workers", "1"]
    for command in (grade, ["feedback", NAME]):
        assert cli.main(["--course", str(teacher), *command]) == 0
    (result,) = read_results(course.results(NAME)).values()
    assert (result.score, result.flags) == (7, ("renamed-notebook",))
    assert "Feedback released" in (log := _nbgrader(teacher, "release_feedback", NAME)), log
    log = _nbgrader(student, "fetch_feedback", NAME)
    pages = list((student / NAME / "feedback").rglob("*.html"))
    assert [page.name for page in pages] == ["made_up (1).html"], log
    assert "made_up" in pages[0].read_text()


def _solve(path: Path) -> None:
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if cell["id"] == "column-scale-solution":
            cell["source"] = small_course.RIGHT
        elif cell["id"] == "pair-solution":
            cell["source"] = small_course.PAIR
        elif cell["id"] == "why":
            cell["source"] = "The batch is small."
    path.write_text(json.dumps(notebook))
