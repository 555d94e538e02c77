"""A course that hands out through nbgrader's exchange, and what a student does there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.course import Course
from autograder.releasing.release import release
from tests.support import made_up, small_course
from tests.support.paths import ROOT

__all__ = ["HandedOut", "hand_out", "nbgrader", "solved"]

COURSE = "hub"


@dataclass(frozen=True)
class HandedOut:
    """A course whose assignment lies in the exchange.

    Attributes:
        student_config: text of the `nbgrader_config.py` that students have.
        bundle: what must be on the path of students' kernels.
    """

    course: Course
    student_config: str
    bundle: Path


def hand_out(folder: Path) -> HandedOut:
    """Release the made-up assignment, with an experiment of an hour in it."""
    exchange = folder / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)  # the exchange wants it open to all
    teacher = folder / "teacher"
    source = made_up.notebook()
    made_up.cell(source, "plot")["source"] = "import time\n\ntime.sleep(3600)"
    made_up.write_notebook(teacher, source)
    own = f"c.Exchange.root = {str(exchange)!r}\nc.CourseDirectory.course_id = {COURSE!r}\n"
    (teacher / "nbgrader_config.py").write_text(f"{(ROOT / 'nbgrader_config.py').read_text()}\n{own}")
    course = Course.find(teacher)
    release(course, [made_up.ASSIGNMENT], folder / "bundle")
    log = nbgrader(teacher, "release_assignment", made_up.ASSIGNMENT)
    assert "Released as" in log, log
    return HandedOut(course, f"c = get_config()\n{own}", folder / "bundle")


def nbgrader(folder: Path, *arguments: str, library: Path = ROOT) -> str:
    """Run nbgrader; its whole output."""
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        env=environment(folder, library),
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.stdout + done.stderr


def environment(folder: Path, library: Path) -> dict[str, str]:
    """Of a process of somebody whose home is a folder."""
    place = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    data = str(folder / ".data")  # the exchange keeps a student's own copies there
    found = {**os.environ, "PATH": place, "PYTHONPATH": str(library), "JUPYTER_DATA_DIR": data, "XDG_DATA_HOME": data}
    found.pop("COURSE_ANSWERS", None)
    return found


def solved(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """The released notebook with right answers."""
    answers = {
        "column-scale-solution": small_course.RIGHT,
        "pair-solution": small_course.PAIR,
        "why": "The batch is small.",
    }
    found: dict[str, Any] = json.loads(json.dumps(notebook))
    for cell in found["cells"]:
        cell["source"] = answers.get(cell["id"], cell["source"])
    return found
