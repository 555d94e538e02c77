"""Honest submissions that look odd get every point, a page, their written answer, and no flag undeserved."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from autograder.course import Course
from autograder.grading.batch import Options, grade_course
from autograder.pages.feedback import make_feedback
from autograder.releasing.release import release
from autograder.sample_class.material import load_material
from tests.support import made_up, small_course
from tests.support.course import COURSE
from tests.support.oddities import CHANGES, EDITORS, Oddity, odd_submission

pytestmark = pytest.mark.sandbox
_REAL = os.environ.get("ODD_ASSIGNMENT", "02_dropout")
_MANY = 200


def _graded(course: Course, assignment: str, numbers: Sequence[int]) -> list[str]:
    """Hand in, grade and print the submissions with these numbers; everything that is wrong with what came of it."""
    material = load_material(course, assignment)
    odd = [odd_submission(material, number) for number in numbers]
    for oddity in odd:
        folder = course.submitted / oddity.student / assignment
        folder.mkdir(parents=True)
        (folder / oddity.file_name).write_bytes(oddity.data)
    batch = grade_course(course, assignment, Options(seed=7))
    results = {result.student: result for result in batch.results}
    pages = make_feedback(course, assignment)
    wrong = [f"{failed.job.student}: not graded: {failed.reason}" for failed in batch.failed]
    wrong += [f"{student}: no page: {why}" for student, why in pages.failed.items()]
    for oddity in odd:
        result = results[oddity.student]
        about = f"{oddity.student} ({', '.join(oddity.kinds)})"
        if (result.status, result.score) != ("graded", result.max_score):
            lost = {name: e.message for name, e in result.exercises.items() if e.score < e.max_score}
            wrong.append(f"{about}: {result.status}, {result.score:g} of {result.max_score:g}: {lost}")
        if set(result.flags) != set(oddity.flags):
            wrong.append(f"{about}: flags {result.flags}, expected {oddity.flags}: {result.findings or result.notes}")
        wrong += [f"{about}: {what}" for what in _lost(course, assignment, oddity)]
    return wrong


def _lost(course: Course, assignment: str, oddity: Oddity) -> list[str]:
    """What of the written answer did not reach the person who grades it, or the student's page."""
    (notebook,) = (course.autograded / oddity.student / assignment).glob("*.ipynb")
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    answers = [c for c in cells if c["metadata"].get("nbgrader", {}).get("grade") and c["cell_type"] == "markdown"]
    page = next((course.feedback / oddity.student / assignment).glob("*.html")).read_text(encoding="utf-8")
    found = []
    if not any(oddity.answer in "".join(cell["source"]) for cell in answers):
        found.append("the written answer is not in its cell")
    if oddity.answer not in page:
        found.append("the written answer is not on the page")
    if "pasted_picture" in oddity.kinds and "retyped_answer" not in oddity.kinds and "data:image/" not in page:
        found.append("the pasted picture is not on the page")
    return found


def test_a_few_odd_submissions_to_a_real_assignment_lose_nothing(tmp_path: Path) -> None:
    """One from every editor, each with a change or several; `ODD_ASSIGNMENT` names another assignment of the course."""
    course = COURSE.copy(tmp_path / "course", [_REAL])
    release(course, [_REAL], tmp_path / "bundle")
    wrong = _graded(course, _REAL, range(0, 3 * len(EDITORS), 3))
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.timeout(1200)
def test_two_hundred_odd_submissions_lose_nothing(tmp_path: Path) -> None:
    """Changes and editors in ever other company; what is odd about them has nothing to do with what is asked."""
    assert len(CHANGES) * len(EDITORS) // 2 <= _MANY
    course = small_course.make(tmp_path / "course")
    wrong = _graded(course, made_up.ASSIGNMENT, range(_MANY))
    assert not wrong, "\n".join(wrong)
