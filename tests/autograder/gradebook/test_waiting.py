"""Marks, feedback and report say alike what still waits for a person."""

from __future__ import annotations

import pytest
from nbgrader.api import Gradebook

from autograder.course import Course
from autograder.gradebook.item_marks import read_item_marks
from autograder.gradebook.marks import read_marks
from autograder.gradebook.student_marks import read_student_marks
from autograder.gradebook.waiting import is_waiting
from autograder.grading.batch import Options, grade_course
from tests.support import made_up, small_course

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """One student whose answers to code and question are both there."""
    made = small_course.make(tmp_path_factory.mktemp("waiting"))
    small_course.hand_in(made, "ada", why="because")
    grade_course(made, made_up.ASSIGNMENT, Options(seed=7, workers=1))
    return made


@pytest.mark.parametrize(
    ("cell", "manual", "flag", "waits"),
    [
        ("why", None, True, True),
        ("why", 3.0, False, False),
        ("why", 3.0, True, True),  # graded by hand, then the text changed
        ("pair", 1.5, True, False),  # a person's correction of code, then a regrade
        ("pair", None, False, False),
    ],
)
def test_marks_feedback_and_report_agree(
    course: Course, cell: str, manual: float | None, flag: bool, waits: bool
) -> None:
    """About a written answer and about code that a person corrected, before and after another grading."""
    with Gradebook(course.db_url) as book:
        for name in ("why", "pair", "column-scale"):
            grade = book.find_grade(name, "made_up", made_up.ASSIGNMENT, "ada")
            mine = name == cell
            grade.manual_score = manual if mine else (4.0 if name == "why" else None)
            grade.needs_manual_grade = flag if mine else False
        book.db.commit()
        found = read_student_marks(book, made_up.ASSIGNMENT, "ada")
        grade = book.find_grade(cell, "made_up", made_up.ASSIGNMENT, "ada")
        assert is_waiting(grade.needs_manual_grade, grade.auto_score, grade.manual_score) is waits
    (marks,) = read_marks(course.db_url, [made_up.ASSIGNMENT])
    items = read_item_marks(course.db_url, made_up.ASSIGNMENT)
    assert marks.marks[0].needs_grading is waits
    assert found is not None
    assert found.cells[cell].waits is waits
    assert items[cell].waiting == waits
