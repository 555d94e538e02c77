"""A course with one made-up assignment, released, and submissions to it: for tests of grading as a whole."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from autograder.course import Course
from autograder.releasing.release import release
from tests.support import made_up
from tests.support.paths import ROOT

RIGHT = made_up.SOLUTION
UNBIASED = RIGHT.replace("(deviation**2).mean(dim=0)", "x.var(dim=0)")
STUB = "def column_scale(x, gamma, eps):\n    raise NotImplementedError()"
PAIR = made_up.PAIR_SOLUTION
FULL = 7.0

ANSWERS = {
    "right": (RIGHT, PAIR),
    "unbiased": (UNBIASED, PAIR),
    "stub": (STUB, PAIR),
    "raises": ("def column_scale(x, gamma, eps):\n    return x @ x", PAIR),
    "leaves": ("import os\ndef column_scale(x, gamma, eps):\n    os._exit(3)", PAIR),
}
"""Kind of answer -> text of the two solution cells."""


def make(root: Path) -> Course:
    """A released course in `root`: a copy of one that this process has released."""
    shutil.copytree(_released(), root, dirs_exist_ok=True)
    return Course.find(root)


@functools.cache
def _released() -> Path:
    folder = tempfile.mkdtemp(prefix="small_course_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    root = Path(folder)
    made_up.write_notebook(root)
    shutil.copy(ROOT / "nbgrader_config.py", root / "nbgrader_config.py")
    release(Course.find(root), [made_up.ASSIGNMENT], root / "bundle")
    return root


def hand_in(
    course: Course, student: str, column_scale: str = RIGHT, pair: str = PAIR, extra: str = "", why: str = ""
) -> Path:
    """Write a submission: the released notebook with the given answers, and one more cell if there is any."""
    released = next((course.release / made_up.ASSIGNMENT).glob("*.ipynb"))
    notebook: dict[str, Any] = json.loads(released.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["id"] == "column-scale-solution":
            cell["source"] = column_scale
        elif cell["id"] == "pair-solution":
            cell["source"] = pair
        elif cell["id"] == "why" and why:
            cell["source"] = why
    if extra:
        notebook["cells"].insert(2, made_up.code("mine", extra))
    return hand_in_bytes(course, student, json.dumps(notebook).encode(), released.name)


def write_submission(course: Course, student: str, assignment: str, notebook: Mapping[str, Any], name: str) -> Path:
    """Write a submission to any assignment."""
    path = course.submitted / student / assignment / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def hand_in_bytes(course: Course, student: str, data: bytes, name: str = "made_up.ipynb") -> Path:
    """Write a submission as it is."""
    path = course.submitted / student / made_up.ASSIGNMENT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def scores(course: Course) -> list[tuple[Any, ...]]:
    """All scores in the gradebook, by student and cell, with what needs a person and the comments."""
    query = """
        select sa.student_id, cell.name, grade.auto_score, grade.manual_score, grade.needs_manual_grade
        from grade join base_cell cell on grade.cell_id = cell.id
        join submitted_notebook sn on grade.notebook_id = sn.id
        join submitted_assignment sa on sn.assignment_id = sa.id
    """
    engine = create_engine(course.db_url)
    try:
        with engine.connect() as database:
            return sorted(tuple(row) for row in database.execute(text(query)))
    finally:
        engine.dispose()
