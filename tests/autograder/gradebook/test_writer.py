"""Rows of the gradebook, beside what other programs write into it meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder.gradebook.writer import GradebookWriter
from autograder.grading import engine, records
from autograder.sandbox import Sandbox
from autograder.submissions.submission import Submission
from tests.support import made_up, small_course


@pytest.mark.sandbox
def test_a_student_whom_another_program_enters_meanwhile_is_written_too(tmp_path: Path) -> None:
    """Formgrader, say, or a second batch: the row that is there is brought up to date."""
    course = small_course.make(tmp_path)
    for student in ("ada", "bea"):
        small_course.hand_in(course, student, why="because")
    task = records.make_task(course, made_up.ASSIGNMENT, seed=1)
    task.load()
    with Sandbox(code=course.code) as sandbox:
        ada, bea = (
            engine.grade_submission(Submission.of(course, made_up.ASSIGNMENT, student).job(task.master), task, sandbox)
            for student in ("ada", "bea")
        )
    with GradebookWriter(course.db_url, task.master) as ours, GradebookWriter(course.db_url, task.master) as theirs:
        ours.write(ada, None)
        theirs.write(bea, None)
        ours.write(bea, None)
    with Gradebook(course.db_url) as book:
        found = [book.find_submission(made_up.ASSIGNMENT, student) for student in ("ada", "bea")]
        assert [submission.score for submission in found] == [found[0].score, found[0].score]
        assert found[0].score > 0
