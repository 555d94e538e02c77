"""Feedback pages: what students get to read, and what cannot run in it."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.course import Course
from autograder.errors import CourseError
from autograder.gradebook.marks import read_marks
from autograder.grading.batch import Options, grade_course
from autograder.pages.feedback import make_feedback
from autograder.releasing.release import release
from tests.support import made_up

HOSTILE = """<script>document.title = "stolen"</script> <img src="http://192.0.2.1/x.png" onerror="alert(1)">
<a href="javascript:alert(2)">here</a> <iframe src="http://192.0.2.1/"></iframe> <style>body {display: none}</style>
<svg onload="alert(3)"></svg> [there](javascript:alert(4)) &lt;b&gt;"""


class Reader(HTMLParser):
    """Collects the elements and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Remember its text."""
        self.words.append(data)

    @property
    def text(self) -> str:
        """All text, in one line."""
        return " ".join(" ".join(self.words).split())

    def dangers(self) -> list[str]:
        """Elements and attributes that could run or load something."""
        found = []
        for tag, attributes in self.tags:
            address = str(attributes.get("src") or attributes.get("href") or "")
            if tag in ("script", "iframe", "object", "embed", "form", "base"):
                found.append(f"<{tag}>")
            found += [f"{tag} {name}" for name in attributes if name.startswith("on")]
            if address and not address.startswith(("#", "data:image/", "https://", "http://nbgrader")):
                found.append(f"{tag} {address}")
        return found


def _hand_in(course: Course, student: str, answer: str, source: str) -> None:
    notebook = json.loads((course.release / made_up.ASSIGNMENT / "made_up.ipynb").read_text())
    for cell in notebook["cells"]:
        if cell["id"] == "why":
            cell["source"] = answer
        if cell["id"] == "column-scale-solution":
            cell["source"] = source
    notebook["cells"].append({"cell_type": "raw", "id": "raw", "metadata": {}, "source": HOSTILE})
    path = course.submitted / student / made_up.ASSIGNMENT / "made_up.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook))


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    """A released and graded course: Ada is right, Mallory writes HTML, Bob's id is a pattern."""
    root = tmp_path_factory.mktemp("course")
    (root / "nbgrader_config.py").write_text('c = get_config()\nc.CourseDirectory.source_directory = "notebooks"\n')
    made_up.write_notebook(root)
    right = made_up.SOLUTION.replace("### BEGIN SOLUTION", "").replace("### END SOLUTION", "")
    hostile = f"from IPython.display import HTML, display\ndisplay(HTML({HOSTILE!r}))\nraise ValueError({HOSTILE!r})"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_ANSWERS", str(root / "answers"))
        (root / "answers").mkdir()
        found = Course.find(root)
        release(found, [made_up.ASSIGNMENT])
        _hand_in(found, "ada", "Because the *batch* is small.", right)
        _hand_in(found, "mallory", HOSTILE, hostile)
        _hand_in(found, "b[o]b", "I do not know.", "")
        # The code above is our own: it needs no sandbox, and so runs on every machine.
        grade_course(found, made_up.ASSIGNMENT, Options(workers=1, seed=1, sandbox="none"))
        yield found


def _page(course: Course, student: str) -> str:
    made = make_feedback(course, made_up.ASSIGNMENT, [student])
    assert made.failed == {}
    (page,) = made.pages
    return page.read_text(encoding="utf-8")


def test_a_page_shows_the_card_of_every_exercise(course: Course) -> None:
    """Students read which criterion holds and which does not, with its points."""
    text = Reader(_page(course, "ada")).text
    assert "column-scale: 5 of 5 points" in text
    assert "pair: 0 of 2 points" in text
    assert "variance of the columns" in text


def test_a_page_says_first_what_was_lost_and_why(course: Course) -> None:
    """What is missing stands above the notebook, with its reason, and leads to its cell."""
    page = _page(course, "ada")
    text = Reader(page).text
    top, _, notebook = text.partition("Your notebook")
    assert "pair 0 of 2 points" in top
    assert "Not implemented yet" in top
    assert "What was lost, and why" in top
    assert "column-scale 5 of 5 points" in top
    assert "Scale the columns" in notebook
    ids = [str(attributes["id"]) for _, attributes in Reader(page).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {str(a["href"])[1:] for tag, a in Reader(page).tags if tag == "a" and str(a.get("href")).startswith("#")}
    assert targets <= set(ids)


def test_a_reason_that_begins_with_a_name_keeps_it(course: Course) -> None:
    """A sentence begins with a capital, code does not: Python knows no `Column_scale`."""
    assert "<code>column_scale</code> is not defined; its cell stopped with ValueError" in _page(course, "mallory")


def test_an_answer_that_nobody_has_graded_yet_never_looks_like_0(course: Course) -> None:
    """It says so wherever its points would stand, and the total is of what is graded."""
    text = Reader(_page(course, "b[o]b")).text
    assert "why not graded yet (4 points)" in text
    assert "0 of 7 points graded so far" in text
    assert "4 points of 11 are not graded yet" in text
    assert "0 of 4" not in text


def test_a_page_has_the_numbers_of_the_gradebook(course: Course) -> None:
    """For every student: total, penalty, and points of each cell, whatever a person changed."""
    with Gradebook(course.db_url) as book:
        grade = book.find_grade("pair", "made_up", made_up.ASSIGNMENT, "mallory")
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 1.5, 0.25, False
        notebook = book.find_submission_notebook("made_up", made_up.ASSIGNMENT, "mallory")
        notebook.late_submission_penalty = 1.25
        notebook.assignment.assignment.duedate = dt.datetime(2026, 1, 1)
        notebook.assignment.timestamp = dt.datetime(2026, 1, 1, 1, 30)
        book.db.commit()
    try:
        text = Reader(_page(course, "mallory")).text
        (marks,) = read_marks(course.db_url, [made_up.ASSIGNMENT])
        total = next(mark.total for mark in marks.marks if mark.student.id == "mallory")
        assert total == 0.5
        assert f"Feedback {made_up.ASSIGNMENT} mallory {total:g} of 7 points graded so far" in text
        assert "pair 1.75 of 2 points" in text
        assert (
            "Handed in 2026-01-01 01:30 UTC, 90 minutes after 2026-01-01 00:00 UTC: 1.25 of 1.75 points are taken off"
            in text
        )
        assert "changed by a person" in text
    finally:
        with Gradebook(course.db_url) as book:
            book.find_assignment(made_up.ASSIGNMENT).duedate = None
            book.db.commit()


def test_a_page_shows_marks_and_comments_as_they_are_now(course: Course) -> None:
    """Written answers that were graded by hand since then are in the next page."""
    with Gradebook(course.db_url) as book:
        grade = book.find_grade("why", "made_up", made_up.ASSIGNMENT, "ada")
        grade.manual_score, grade.needs_manual_grade = 3.5, False
        book.find_comment("why", "made_up", made_up.ASSIGNMENT, "ada").manual_comment = "Well *argued*."
        book.db.commit()
    text = Reader(_page(course, "ada")).text
    assert "8.5 of 11 points" in text
    assert "why 3.5 of 4 points" in text
    assert "Well argued ." in text
    assert "not graded yet" not in text


def test_nothing_of_a_student_runs_in_a_page(course: Course) -> None:
    """Scripts in answers, raw cells, outputs and error texts are shown, not run."""
    reader = Reader(_page(course, "mallory"))
    assert reader.dangers() == []
    assert "stolen" in reader.text


def test_nothing_runs_whatever_the_graded_notebook_holds(course: Course) -> None:
    """The page does not rely on what was cleaned when it was graded."""
    folder = course.autograded / "mallory" / made_up.ASSIGNMENT
    path = folder / "made_up.ipynb"
    kept = path.read_text()
    notebook: Any = nbformat.read(path, as_version=4)
    data = {"text/html": HOSTILE, "text/markdown": HOSTILE, "image/svg+xml": HOSTILE, "text/plain": HOSTILE}
    for mime, content in [*data.items(), ("application/javascript", "alert(1)"), ("text/latex", HOSTILE)]:
        output = nbformat.v4.new_output("display_data", {mime: content})
        notebook.cells[1].outputs.append(output)
    notebook.cells[1].outputs.append(nbformat.v4.new_output("stream", name="stderr", text=HOSTILE))
    folder.chmod(0o755)
    path.chmod(0o644)
    nbformat.write(notebook, path)
    try:
        assert Reader(_page(course, "mallory")).dangers() == []
    finally:
        path.write_text(kept)


def test_a_page_forbids_scripts_of_its_own(course: Course) -> None:
    """Should something slip through, the browser is told not to run it."""
    page = _page(course, "ada")
    policy = next(a["content"] for tag, a in Reader(page).tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "<script" not in page


def test_an_id_that_looks_like_a_pattern_is_taken_as_it_is(course: Course) -> None:
    """Students called b[o]b get their own page."""
    assert "pair: 0 of 2 points" in Reader(_page(course, "b[o]b")).text


def test_one_broken_notebook_costs_nobody_else_the_feedback(course: Course) -> None:
    """What cannot be shown is named; all others get their pages."""
    broken = course.autograded / "zed" / made_up.ASSIGNMENT
    broken.mkdir(parents=True)
    (broken / "made_up.ipynb").write_text("{")
    try:
        made = make_feedback(course, made_up.ASSIGNMENT)
    finally:
        shutil.rmtree(broken.parent)
    assert list(made.failed) == ["zed"]
    assert "traceback" not in made.failed["zed"]
    assert {page.parent.parent.name for page in made.pages} == {"ada", "mallory", "b[o]b"}


def test_a_student_who_was_not_graded_is_told(course: Course) -> None:
    """A wrong id is a known error with a hint."""
    with pytest.raises(CourseError, match="'eve'") as caught:
        make_feedback(course, made_up.ASSIGNMENT, ["eve"])
    assert "autograder grade" in caught.value.hint
