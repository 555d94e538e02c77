"""Points that were changed after grading: nobody gets a page or a mark of the old ones without a word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autograder.cli import main
from autograder.gradebook.notices import outdated
from autograder.grading.batch import Options, grade_course
from autograder.results import ExerciseResult, SubmissionResult, of_other_points, read_results, write_result
from tests.support import made_up, small_course

NAME = made_up.ASSIGNMENT


def test_who_exports_or_looks_is_told_and_pages_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that mends it is in the line; where nothing has changed nothing is said."""
    course = small_course.make(tmp_path)
    small_course.hand_in(course, "ada")
    small_course.hand_in(course, "bob", column_scale=small_course.UNBIASED)
    grade_course(course, NAME, Options(workers=1, seed=1, sandbox="none"))
    assert outdated(course, NAME) == ""
    folder = course.results(NAME)
    for result in read_results(folder).values():
        exercises = {name: replace(one, max_score=one.max_score + 2) for name, one in result.exercises.items()}
        write_result(folder, replace(result, exercises=exercises))
    monkeypatch.chdir(course.root)
    capsys.readouterr()
    assert main(["feedback", NAME]) == 2
    told = capsys.readouterr().err
    assert "2 submissions were graded with other points than the exercises have now" in told
    assert f"autograder grade {NAME}" in told
    assert not course.feedback.exists()
    for command in (["export"], ["report", NAME], ["release", NAME]):
        assert main(command) == 0
        printed = capsys.readouterr()
        assert "2 submissions were graded with other points" in printed.out + printed.err, command


def test_what_could_not_be_graded_is_not_out_of_date() -> None:
    """Such a submission has no exercises; one with another set of exercises is out of date."""
    one = ExerciseResult(1.0, 2.0, {})
    ungraded, old = (SubmissionResult("ada", NAME, "graded", found) for found in ({}, {"a": one, "b": one}))
    assert of_other_points([ungraded], {"a": 2.0}) == 0
    assert of_other_points([ungraded, old], {"a": 2.0, "b": 2.0}) == 0
    assert of_other_points([ungraded, old], {"a": 2.0}) == 1
    assert of_other_points([old, old], {"a": 2.0, "b": 3.0}) == 2
