"""Grading by hand: what is shown, what is taken for points, and that nobody overwrites anybody."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.api import Gradebook

from autograder.course import Course
from autograder.errors import GradebookError
from autograder.gradebook.marks import read_marks
from autograder.grading.batch import Options, grade_course
from autograder.hand_grading.answers import questions_of, read_sheet
from autograder.hand_grading.formgrader import FormgraderExporter, replace_exporter
from autograder.hand_grading.pages import render_index, render_sheet
from autograder.hand_grading.saving import Given, NotPointsError, OvertakenError, points_in, save
from tests.support import made_up, small_course

NAME = made_up.ASSIGNMENT
NOTHING = Given(None, "")


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Two who wrote an answer, one hostile, one who wrote none."""
    course = small_course.make(tmp_path_factory.mktemp("course"))
    small_course.hand_in(course, "ada", why="Because $x^2$ is *large*.")
    small_course.hand_in(course, "bob", why="I think it is small.")
    small_course.hand_in(course, "mallory", why="<script>alert(1)</script> <img src=x onerror=alert(2)>")
    small_course.hand_in(course, "zoe")
    # The code above is our own: it needs no sandbox, and so runs on every machine.
    grade_course(course, NAME, Options(workers=1, seed=1, sandbox="none"))
    return course


@pytest.fixture
def course(graded: Course, tmp_path: Path) -> Course:
    """A copy that a test may change."""
    shutil.copytree(graded.root, tmp_path / "course", ignore=shutil.ignore_patterns("bundle*"))
    return Course.find(tmp_path / "course")


def _grade_of(course: Course, student: str) -> str:
    with Gradebook(course.db_url) as book:
        return str(book.find_grade("why", "made_up", NAME, student).id)


def test_the_model_answer_comes_from_the_source_notebook(course: Course) -> None:
    """Releasing throws it away; whoever grades needs it."""
    (question,) = questions_of(course, NAME)
    assert (question.cell, question.max_score) == ("why", 4)
    assert question.model == "The batch is small, that is the whole story of it."


def test_a_line_with_points_of_its_own_stands_alone(course: Course) -> None:
    """A model answer with points is a rubric."""
    path = course.source / NAME / "made_up.ipynb"
    path.write_text(path.read_text().replace("The batch is small, that", "Small (1 point).\\nTrue (3 points)\\nThat"))
    (question,) = questions_of(course, NAME)
    assert question.model.startswith("Small (1 point).\n\nTrue (3 points)\n\nThat")


def test_a_sheet_has_everybody_s_answer_and_nobody_s_name(course: Course) -> None:
    """In an order that is the same for all graders; who wrote nothing comes last."""
    sheet = read_sheet(course, NAME, "why")
    assert len(sheet.answers) == 4
    assert [answer.empty for answer in sheet.answers] == [False, False, False, True]
    assert sheet.open == 3
    assert sheet == read_sheet(course, NAME, "why")
    page = render_sheet("/autograder/written", sheet, questions_of(course, NAME))
    assert not [name for name in ("ada", "bob", "mallory", "zoe") if re.search(rf"\b{name}\b", page)]
    assert "I think it is small." in page
    assert "<math" in page
    assert "<script>" not in page
    assert "onerror" not in page
    with pytest.raises(GradebookError, match="no written question 'x'"):
        read_sheet(course, NAME, "x")


def test_points_are_in_the_gradebook_as_if_formgrader_had_written_them(course: Course) -> None:
    """The answer waits no longer, marks count it, and a comment can be used again; cleared, it waits anew."""
    grade = _grade_of(course, "ada")
    with Gradebook(course.db_url) as book:
        assert save(book, grade, NOTHING, "2,5", "Well argued.") == Given(2.5, "Well argued.")
        found = book.find_grade("why", "made_up", NAME, "ada")
        assert (found.manual_score, found.needs_manual_grade) == (2.5, False)
        assert book.find_comment("why", "made_up", NAME, "ada").comment == "Well argued."
    (marks,) = read_marks(course.db_url, [NAME])
    assert {mark.student.id: mark.written for mark in marks.marks}["ada"] == 2.5
    sheet = read_sheet(course, NAME, "why")
    assert sheet.comments == ("Well argued.",)
    assert sheet.open == 2
    with Gradebook(course.db_url) as book:
        save(book, grade, Given(2.5, "Well argued."), "", "")
        found = book.find_grade("why", "made_up", NAME, "ada")
        assert (found.manual_score, found.needs_manual_grade) == (None, True)
    assert read_sheet(course, NAME, "why").open == 3


def test_an_answer_that_changed_after_it_was_graded_waits_until_its_points_are_saved_again(course: Course) -> None:
    """Also where they stay the same; so does one whose text may stand in another cell, though its own is empty."""
    grade = _grade_of(course, "ada")
    with Gradebook(course.db_url) as book:
        save(book, grade, NOTHING, "2", "")
        for name in ("ada", "zoe"):  # what the grader writes for a new text, and for an answer that was not found
            found = book.find_grade("why", "made_up", NAME, name)
            found.needs_manual_grade = True
            found.auto_score = None
        book.db.commit()
    sheet = read_sheet(course, NAME, "why")
    assert sheet.open == 4
    assert [answer.again for answer in sheet.answers if answer.grade == grade] == [True]
    assert not any(answer.blank for answer in sheet.answers)
    assert "that counts 0 points" not in render_sheet("/autograder/written", sheet, questions_of(course, NAME))
    with Gradebook(course.db_url) as book:
        save(book, grade, Given(2.0, ""), "2", "")
    assert read_sheet(course, NAME, "why").open == 3


def test_the_second_of_two_graders_is_told(course: Course) -> None:
    """Of points, of a comment, and of what formgrader wrote; nothing of theirs is written."""
    grade = _grade_of(course, "bob")
    with Gradebook(course.db_url) as book:
        save(book, grade, NOTHING, "4", "")
        with pytest.raises(OvertakenError) as caught:
            save(book, grade, NOTHING, "1", "Too short.")
        assert caught.value.now == Given(4.0, "")
        save(book, grade, caught.value.now, "4", "Good.")
        with pytest.raises(OvertakenError) as caught:
            save(book, grade, Given(4.0, ""), "3", "")
        assert caught.value.now == Given(4.0, "Good.")
        found = book.find_grade("why", "made_up", NAME, "bob")
        found.manual_score = 0.5  # formgrader
        book.db.commit()
        with pytest.raises(OvertakenError):
            save(book, grade, Given(4.0, "Good."), "3", "")
        with pytest.raises(KeyError):
            save(book, "nobody", NOTHING, "1", "")
        with pytest.raises(NotPointsError, match="more than the 4 points"):
            save(book, grade, Given(0.5, "Good."), "5", "")


def test_of_many_who_save_at_the_same_moment_one_wins(course: Course) -> None:
    """The others are told; the winner's points and comment belong together."""
    grade = _grade_of(course, "ada")
    start, won, told = threading.Barrier(6), [], []

    def grader(number: int) -> None:
        with Gradebook(course.db_url) as book:
            start.wait()
            try:
                save(book, grade, NOTHING, f"{number / 2}", f"by {number}")
                won.append(number)
            except OvertakenError as error:
                told.append(error.now)

    threads = [threading.Thread(target=grader, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert told == [Given(won[0] / 2, f"by {won[0]}")] * 5


@pytest.mark.parametrize(
    "typed", ["1.5.2", "-1", "1e3", "nan", "inf", "abc", "1 5", "٣", "5.5", "1,5,0", "+2", "9" * 50]
)
def test_what_is_no_number_of_points_is_an_error(typed: str) -> None:
    """Never another number, and never 0 or the maximum instead."""
    with pytest.raises(NotPointsError):
        points_in(typed, 5)


@given(st.decimals(0, 5, places=2), st.sampled_from(".,"), st.sampled_from(["", " "]))
def test_a_comma_is_a_point(number: object, sign: str, around: str) -> None:
    """One and a half is 1.5 and 1,5."""
    assert points_in(f"{around}{str(number).replace('.', sign)}{around}", 5) == float(str(number))


@given(st.text(max_size=40))
def test_any_text_gives_points_in_range_or_an_error(text: str) -> None:
    """Whatever is typed or sent."""
    try:
        found = points_in(text, 5)
    except NotPointsError:
        return
    assert found is None or 0 <= found <= 5


def test_the_list_of_questions_says_what_waits(course: Course) -> None:
    """With one in words that fit."""
    (question,) = questions_of(course, NAME)
    page = render_index("/autograder/written", {NAME: [(question, 1, 40)], "empty": []})
    assert "1 of 40 waits" in page
    assert f'href="/autograder/written/{NAME}/why"' in page
    assert "empty" not in page


def test_formgrader_s_exporter_is_replaced_once_and_keeps_its_configuration() -> None:
    """And where there is no formgrader nothing happens."""
    from nbconvert.exporters import HTMLExporter
    from traitlets.config import Config

    theirs = HTMLExporter(config=Config({"HTMLExporter": {"anchor_link_text": "#"}}))
    settings = {"nbgrader_exporter": theirs}
    assert replace_exporter(settings)
    ours = settings["nbgrader_exporter"]
    assert isinstance(ours, FormgraderExporter)
    assert ours.anchor_link_text == "#"
    assert replace_exporter(settings)
    assert settings["nbgrader_exporter"] is ours
    assert not replace_exporter({})
