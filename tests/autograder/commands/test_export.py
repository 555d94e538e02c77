"""Marks as tables."""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import io
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.api import Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.api import Student as GradebookStudent
from sqlalchemy.exc import SAWarning

from autograder.commands.export import run
from autograder.course import Course
from autograder.errors import GradebookError, UsageError
from autograder.gradebook.marks import AssignmentMarks, Mark, Student, read_marks
from autograder.gradebook.tables import FORMATS, export, safe

ADA = Student("ada", "Ada", "Lovelace", "ada@example.edu", "1815")
BOB = Student("bob")


def marks(*found: Mark, missing: tuple[Student, ...] = (), name: str = "01_batchnorm") -> AssignmentMarks:
    """The marks of an assignment of 40 points."""
    return AssignmentMarks(name, dt.datetime(2026, 5, 1, 12), 40.0, found, missing)


def mark(student: Student, automatic: float = 20.0, written: float = 5.0, penalty: float = 0.0) -> Mark:
    """A mark that is final."""
    raw = automatic + written
    return Mark(student, dt.datetime(2026, 5, 1, 11), automatic, written, raw, penalty, needs_grading=False)


def table(text: str) -> list[list[str]]:
    """The cells of a CSV text."""
    return list(csv.reader(io.StringIO(text, newline="")))


@contextmanager
def _opened(url: str) -> Iterator[Gradebook]:
    """A gradebook to fill; nbgrader 0.9.6 adds submissions in an order that SQLAlchemy warns about."""
    with Gradebook(url) as book, warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        yield book


@pytest.fixture(scope="module")
def gradebook(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A gradebook with one automatic and one written cell; Ada was late and graded by hand, Bob was not yet."""
    url = f"sqlite:///{tmp_path_factory.mktemp('course') / 'gradebook.db'}"
    with _opened(url) as book:
        book.add_assignment("01_batchnorm", duedate="2026-05-01 12:00:00")
        book.add_notebook("batchnorm", "01_batchnorm")
        book.add_grade_cell("forward", "batchnorm", "01_batchnorm", max_score=4, cell_type="code")
        book.add_grade_cell("why", "batchnorm", "01_batchnorm", max_score=6, cell_type="markdown")
        book.add_student("ada", first_name="Ada", last_name="Lovelace", email="ada@example.edu", lms_user_id="1815")
        book.add_student("bob")
        book.add_student("eve", first_name="Eve", last_name="=cmd|'/C calc'!A0")
        for student in ("ada", "bob"):
            book.add_submission("01_batchnorm", student)
            automatic = book.find_grade("forward", "batchnorm", "01_batchnorm", student)
            automatic.auto_score, automatic.needs_manual_grade = 3.5, False
        written = book.find_grade("why", "batchnorm", "01_batchnorm", "ada")
        written.manual_score, written.extra_credit, written.needs_manual_grade = 5.0, 0.5, False
        book.find_submission("01_batchnorm", "ada").notebooks[0].late_submission_penalty = 2.0
        book.db.commit()
    return url


def test_marks_hold_automatic_and_written_points_and_the_penalty(gradebook: str) -> None:
    """A total is what was earned by code and by hand, less the penalty."""
    (found,) = read_marks(gradebook)
    ada, bob = found.marks
    assert (ada.automatic, ada.written, ada.raw, ada.penalty, ada.total) == (3.5, 5.5, 9.0, 2.0, 7.0)
    assert (bob.total, bob.needs_grading, ada.needs_grading) == (3.5, True, False)
    assert (found.max_score, [student.id for student in found.missing]) == (10.0, ["eve"])


def test_a_penalty_never_makes_a_total_negative() -> None:
    """Being late costs at most everything."""
    assert mark(ADA, penalty=100.0).total == 0.0


def test_the_csv_has_a_row_for_everyone(gradebook: str) -> None:
    """Students who handed in nothing have 0 points and say so; a sum that waits for a person is empty, not less."""
    rows = list(csv.DictReader(io.StringIO(export(read_marks(gradebook)), newline="")))
    assert [(row["student_id"], row["score"], row["status"]) for row in rows] == [
        ("ada", "7", "graded"),
        ("bob", "", "needs manual grading"),
        ("eve", "0", "missing"),
    ]
    assert rows[0]["duedate"] == "2026-05-01 12:00:00"
    assert (rows[0]["percent"], rows[0]["late_submission_penalty"]) == ("70", "2")
    partial = list(csv.DictReader(io.StringIO(export(read_marks(gradebook), partial=True), newline="")))
    assert (partial[1]["score"], partial[1]["percent"]) == ("3.5", "35")


def test_canvas_gets_its_five_columns_and_the_points_possible() -> None:
    """The header is the one that Canvas' import asks for; nothing handed in stays empty."""
    rows = table(export([marks(mark(ADA), missing=(BOB,)), marks(mark(BOB), name="02_dropout")], "canvas"))
    assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01_batchnorm", "02_dropout"]
    assert rows[1] == ["    Points Possible", "", "", "", "", "40", "40"]
    assert rows[2] == ["Lovelace, Ada", "1815", "", "ada", "", "25", ""]
    assert rows[3] == ["bob", "", "", "bob", "", "", "25"]


def test_moodle_gets_columns_to_map_students_by() -> None:
    """User name, ID number and address are there; one column per assignment."""
    rows = table(export([marks(mark(ADA))], "moodle"))
    assert rows[0] == ["Username", "ID number", "Email address", "First name", "Last name", "01_batchnorm"]
    assert rows[1] == ["ada", "1815", "ada@example.edu", "Ada", "Lovelace", "25"]


@pytest.mark.parametrize("kind", sorted(FORMATS))
@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\r=1", "\uff1d1", "\x00=1"], ids=lambda text: repr(text)
)
def test_no_cell_is_taken_for_a_formula(kind: str, text: str) -> None:
    """Names and ids that begin like a formula are defused in every format."""
    student = Student(text, text, text, text, text)
    cells = [cell for row in table(export([marks(mark(student))], kind)) for cell in row]
    assert not [cell for cell in cells if cell.strip().startswith(("=", "+", "-", "@", "\uff1d"))]


@given(st.text())
def test_a_defused_text_is_one_line_and_no_formula(text: str) -> None:
    """Nothing that a student calls themselves breaks a row or starts a formula."""
    assert safe(text) == "-" or not safe(text).lstrip().startswith(("=", "+", "-", "@"))  # Moodle's "never"
    assert len(safe(text).splitlines()) <= 1


def test_ids_that_look_alike_are_told_apart() -> None:
    """What one does not see stands there as its number: blanks of no width, marks of direction, soft hyphens."""
    ids = ["ada", "ada\u200b", "ad\u202ea", "ad\u00ada", "ada\udc80", "ad\U000e0061a"]
    assert [safe(one) for one in ids] == ["ada", r"ada\u200b", r"ad\u202ea", r"ad\xada", r"ada\udc80", r"ad\U000e0061a"]
    assert safe("two\nlines\tand\u00a0blanks") == "two lines and blanks"


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5, unique=True))
def test_every_name_keeps_its_row(names: list[str]) -> None:
    """Commas, quotes and line ends in names do not shift columns."""
    found = marks(*(mark(Student(name, name)) for name in names))
    rows = table(export([found]))
    assert len(rows) == len(names) + 1
    assert {len(row) for row in rows} == {len(rows[0])}


def test_an_unknown_assignment_names_those_that_exist(gradebook: str) -> None:
    """A wrong name is met with the right ones."""
    with pytest.raises(GradebookError, match="it has: 01_batchnorm"):
        read_marks(gradebook, ["1_batchnorm"])


def test_a_missing_gradebook_is_not_made_by_looking(tmp_path: Path) -> None:
    """Reading marks of a course that has none leaves no file behind."""
    with pytest.raises(GradebookError, match="no gradebook"):
        read_marks(f"sqlite:///{tmp_path / 'gradebook.db'}")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_gradebook_is_a_known_error(tmp_path: Path) -> None:
    """Damage is told in one line."""
    (tmp_path / "gradebook.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(GradebookError):
        read_marks(f"sqlite:///{tmp_path / 'gradebook.db'}")


def test_the_command_says_where_the_marks_are_and_what_is_not_final(
    gradebook: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever exports too early is told how many answers wait."""
    folder = Path(gradebook.removeprefix("sqlite:///")).parent
    args = argparse.Namespace(assignments=[], format="canvas", out=None, roster=None, scale=False, partial=False)
    assert run(args, Course(folder)) == 0
    printed = capsys.readouterr().out
    assert "marks_canvas.csv" in printed
    assert "1 of 2 submissions wait for grading by hand" in printed
    assert (folder / "marks_canvas.csv").read_bytes().startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("kind", ["csv", "criteria", "mistakes"])
def test_a_roster_that_nothing_is_put_into_is_refused(kind: str, gradebook: str) -> None:
    """Nobody finds out from the table that it was not read."""
    folder = Path(gradebook.removeprefix("sqlite:///")).parent
    roster = Path("missing.csv")
    args = argparse.Namespace(assignments=[], format=kind, out=None, roster=roster, scale=False, partial=False)
    with pytest.raises(UsageError, match=f"the format is {kind}") as caught:
        run(args, Course(folder))
    assert "--format canvas" in caught.value.hint
    assert not (folder / f"marks_{kind}.csv").exists()


def test_a_thousand_students_are_exported_quickly(tmp_path: Path) -> None:
    """A large class does not keep anybody waiting."""
    url = f"sqlite:///{tmp_path / 'gradebook.db'}"
    with _opened(url) as book:
        assignment = book.add_assignment("01_batchnorm")
        notebook = book.add_notebook("batchnorm", "01_batchnorm")
        cells = [
            book.add_grade_cell(f"cell{i}", "batchnorm", "01_batchnorm", max_score=4, cell_type="code")
            for i in range(9)
        ]
        for number in range(1000):
            name = f"s{number}"
            book.db.add(GradebookStudent(id=name))
            book.db.add(SubmittedAssignment(id=name, assignment_id=assignment.id, student_id=name))
            book.db.add(SubmittedNotebook(id=name, assignment_id=name, notebook_id=notebook.id))
            for cell in cells:
                book.db.add(Grade(notebook_id=name, cell_id=cell.id, auto_score=3.0, needs_manual_grade=False))
        book.db.commit()
    started = time.perf_counter()
    (found,) = read_marks(url)
    text = export([found])
    assert time.perf_counter() - started < 10
    assert {mark.total for mark in found.marks} == {27.0}
    assert text.count("\n") == 1001
