"""Marks go back in the platforms' own files."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.errors import UsageError
from autograder.gradebook.adjustments import Adjustment
from autograder.gradebook.marks import AssignmentMarks, Mark, Student
from autograder.gradebook.rules import Rules
from autograder.gradebook.tables import as_csv
from autograder.platforms.marks_back import canvas_marks, moodle_marks
from autograder.platforms.roster import Roster, parse_roster, roster_of
from tests.support.downloads import WORKSHEET, Member, canvas_export, moodle_worksheet

ADA = Member("Ada", "Lovelace", "ada", "1815", 12, 4711)
BOB = Member("José", "van der Berg", "jberg", "1816", 13, 4712)
CYD = Member("Cyd", "Never", "cyd", "1817", 14, 4713)
CLASS = (ADA, BOB, CYD)
RULES = Rules()


def _student(member: Member) -> Student:
    return Student(member.login, member.first, member.last, member.email, member.number)


def _marks(name: str = "01_made_up", most: float = 11.0, **changes: Any) -> AssignmentMarks:
    """Ada has 8.5 after a penalty, an answer of Bob's waits, Cyd handed in nothing."""
    marks = (
        Mark(_student(ADA), None, 6.0, 4.0, 10.0, 1.5, needs_grading=False),
        Mark(_student(BOB), None, 6.0, 0.0, 6.0, 0.0, needs_grading=True),
    )
    return AssignmentMarks(name, None, most, marks, (_student(CYD),), **changes)


def _joined(text: str) -> Roster:
    return roster_of([_student(member) for member in CLASS], parse_roster(text))


def _table(rows: list[Any]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(as_csv(rows), newline="")))


def test_canvas_gets_its_own_columns_back() -> None:
    """Numbers of users and of the assignment; who waits or handed in nothing keeps what stood there."""
    text = canvas_export(CLASS).replace('CS 1, group A",,4.00', 'CS 1, group A",3.25,4.00')
    rows = _table(canvas_marks([_marks()], _joined(text), {}).rows)
    assert rows == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Made up (5678)"],
        ["    Points Possible", "", "", "", "", "11.00"],
        ["Lovelace, Ada", "4711", "1815", "ada", "CS 1, group A", "8.5"],
        ["van der Berg, José", "4712", "1816", "jberg", "CS 1, group A", "3.25"],
        ["Never, Cyd", "4713", "1817", "cyd", "CS 1, group A", "3.25"],
    ]
    with_waiting = _table(canvas_marks([_marks()], _joined(text), {}, partial=True).rows)
    assert with_waiting[3][-1] == "6"


def test_a_column_that_is_not_plain_must_be_named() -> None:
    """Candidates are listed; the configuration decides."""
    roster = _joined(canvas_export(CLASS, "Homework 1 (5678)"))
    with pytest.raises(UsageError, match="'Homework 1 \\(5678\\)', 'Quiz 1 \\(91\\)'") as caught:
        canvas_marks([_marks()], roster, {})
    assert "canvas_columns" in caught.value.hint
    for title in ("Homework 1", "Homework 1 (5678)"):
        assert canvas_marks([_marks()], roster, {"01_made_up": title}).rows[0][-1] == "Homework 1 (5678)"
    with pytest.raises(UsageError, match="no column"):
        canvas_marks([_marks()], roster, {"01_made_up": "Homework 2"})


def test_moodle_gets_its_worksheet_back_with_grades() -> None:
    """Everything else stands as Moodle wrote it; what changed a mark is said to the student."""
    adjusted = _marks(most=50.0, adjustments={"pair": Adjustment("drop")})
    rows = _table(
        moodle_marks(adjusted, _joined(moodle_worksheet(CLASS, {"ada": "Friday, 3 April 2026, 2:05 PM"})), RULES).rows
    )
    assert rows[0] == list(WORKSHEET)
    ada = dict(zip(rows[0], rows[1], strict=True))
    assert (ada["Identifier"], ada["Grade"], ada["Maximum Grade"]) == ("Participant 12", "8.5", "50.00")
    assert (ada["Last modified (submission)"], ada["Last modified (grade)"]) == ("Friday, 3 April 2026, 2:05 PM", "-")
    assert ada["Feedback comments"] == "Handed in late: 1.5 of 10 points are taken off. pair: not counted."
    assert [row[5] for row in rows[2:]] == ["", ""]


def test_other_maximum_points_are_said_or_scaled() -> None:
    """Moodle silently leaves out what is above its maximum."""
    text = moodle_worksheet(CLASS)
    found = moodle_marks(_marks(), _joined(text), RULES)
    assert "11 points here, 50 on the platform" in found.notes[0]
    scaled = moodle_marks(_marks(most=10.0), _joined(text), RULES, scale=True)
    assert scaled.rows[1][5] == 42.5
    above = moodle_marks(_marks(), _joined(text.replace("50.00", "5,00")), RULES)
    assert "1 above the platform's 5 points" in above.notes[1]


def test_who_is_not_in_the_file_is_named() -> None:
    """Nobody's mark gets lost without a word."""
    found = canvas_marks([_marks()], _joined(canvas_export([BOB])), {})
    assert any("left out: ada" in note for note in found.notes)


def test_a_roster_that_is_no_worksheet_is_refused() -> None:
    """With what is missing."""
    with pytest.raises(UsageError, match="no column 'Grade'"):
        moodle_marks(_marks(), _joined("id,name\nada,Ada\n"), RULES)


@given(
    st.lists(
        st.text(st.characters(categories=["L", "P", "Z", "S"]), min_size=1, max_size=12),
        min_size=3,
        max_size=3,
        unique=True,
    )
)
def test_every_line_of_the_worksheet_comes_back(names: list[str]) -> None:
    """In its order, with its number, whatever people are called."""
    members = [Member(name, "X", f"s{n}", str(n), n, n) for n, name in enumerate(names)]
    rows = _table(moodle_marks(_marks(), _joined(moodle_worksheet(members)), RULES).rows)
    assert [row[0] for row in rows[1:]] == ["Participant 0", "Participant 1", "Participant 2"]
    assert {len(row) for row in rows} == {len(WORKSHEET)}
