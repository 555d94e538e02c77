"""The whole way on a made-up class: every member gets what they should, and nothing else happens."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from rich.console import Console

from autograder.commands.demo import show
from autograder.course import Course
from autograder.errors import CourseError
from autograder.gradebook.marks import read_marks
from autograder.sample_class.demo import Demo, demo
from tests.support.course import ASSIGNMENTS
from tests.support.loops import end_loops_soon
from tests.support.paths import ROOT


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_whole_way_on_a_made_up_class(assignment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody gets what they should, in results, gradebook, pages and on the screen.

    One test an assignment: grading its class takes long, and workers of the suite share no fixtures.
    """
    monkeypatch.setenv("COURSE_ANSWERS", str(tmp_path / "answers"))
    (tmp_path / "answers").mkdir()
    end_loops_soon(monkeypatch)
    made = demo(Course.find(ROOT), assignment, 30, tmp_path / "course")
    everybody_got_what_they_should(made)
    the_gradebook_says_what_the_results_say(made)
    written_answers_wait_for_a_person(made)
    everybody_has_a_page_that_the_report_links(made)
    the_screen_shows_the_class_and_what_to_type_next(made)


def everybody_got_what_they_should(made: Demo) -> None:
    """Right answers full marks, mistakes their names, broken and hostile submissions what they earned, nobody lost."""
    problems = {f"{member.student}, {member.kind}": made.problems(member) for member in made.members}
    assert {who: what for who, what in problems.items() if what} == {}
    assert made.batch.failed == ()
    assert len(made.batch.results) == len(made.members)


def the_gradebook_says_what_the_results_say(made: Demo) -> None:
    """Marks, results and names agree for every student."""
    (marks,) = read_marks(made.course.db_url)
    automatic = {mark.student.id: mark.automatic for mark in marks.marks}
    assert automatic == {result.student: result.score for result in made.batch.results}
    named = {mark.student.id: mark.student.last_name for mark in marks.marks}
    assert named == {member.student: member.person.last_name for member in made.members}


def written_answers_wait_for_a_person(made: Demo) -> None:
    """Nothing written by hand is graded by itself."""
    with Gradebook(made.course.db_url) as book:
        solution = next(member for member in made.members if member.kind == "solution")
        assert book.find_submission(made.assignment, solution.student).needs_manual_grade


def everybody_has_a_page_that_the_report_links(made: Demo) -> None:
    """Readable or not, each submission is answered."""
    assert made.feedback.failed == {}
    assert len(made.feedback.pages) == len(made.members)
    report = made.report.read_text(encoding="utf-8")
    assert report.count('href="feedback/') == len(made.members)


def the_screen_shows_the_class_and_what_to_type_next(made: Demo) -> None:
    """Whoever runs it sees each student, where things lie, and how to go on."""
    console = Console(file=io.StringIO(), width=140)
    assert show(made, console) == 0
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(member.student in printed for member in made.members)
    assert "30 of 30 graded as expected" in printed
    assert str(made.report) in printed.replace("\n", "")
    typed = printed.partition("Type next:")[2].split()
    assert Path(typed[0]).resolve() == Path(sys.executable).with_name("autograder").resolve()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    """Only what a demonstration made is replaced."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CourseError, match="not made by"):
        demo(Course.find(ROOT), next(iter(ASSIGNMENTS)), 3, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("students", [0, -3])
def test_a_class_needs_students(students: int, tmp_path: Path) -> None:
    """A wrong number is a known error."""
    with pytest.raises(CourseError, match="cannot be made"):
        demo(Course.find(ROOT), next(iter(ASSIGNMENTS)), students, tmp_path)
