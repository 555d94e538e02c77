"""Rosters as Canvas and Moodle export them, and everybody else's."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.errors import CourseError
from autograder.gradebook.marks import Student
from autograder.platforms.roster import Index, Person, key_of, parse_roster, read_roster, roster_of
from tests.support.downloads import Member, canvas_export, moodle_worksheet

ADA = Member("Ada", "Lovelace", "ada", "1815", 12, 4711)
BOB = Member("José", "van der Berg", "jberg", "1816", 13, 4712)
ZONE = dt.timezone(dt.timedelta(hours=2))


def test_a_canvas_export_has_users_logins_and_no_made_up_student() -> None:
    """Lines of policies and of points are no people."""
    roster = parse_roster(canvas_export([ADA, BOB]))
    assert roster.kind == "canvas"
    assert [(p.id, p.canvas, p.number, p.name) for p in roster.people] == [
        ("ada", "4711", "1815", "Lovelace, Ada"),
        ("jberg", "4712", "1816", "van der Berg, José"),
    ]


def test_a_moodle_worksheet_has_participants_and_times() -> None:
    """Times are those of the course's zone, in English or German."""
    text = moodle_worksheet(
        [ADA, BOB], {"ada": "Friday, 3 April 2026, 2:05 PM", "jberg": "Freitag, 3. April 2026, 14:05"}
    )
    roster = parse_roster(text, ZONE)
    assert (roster.kind, roster.unclear_times) == ("moodle", 0)
    assert [(p.participant, p.email, p.number) for p in roster.people] == [
        ("12", "ada@example.edu", "1815"),
        ("13", "jberg@example.edu", "1816"),
    ]
    assert {p.time for p in roster.people} == {dt.datetime(2026, 4, 3, 12, 5)}


def test_a_german_worksheet_is_one_too() -> None:
    """Its columns are found by Moodle's own German titles."""
    german = (
        "ID", "Vollständiger Name", "ID-Nummer", "E-Mail-Adresse", "Status", "Bewertung", "Bestwertung",
        "Bewertung kann geändert werden", "Zuletzt geändert (Abgabe)", "Zuletzt geändert (Bewertung)",
        "Feedback als Kommentar",
    )  # fmt: skip
    text = moodle_worksheet([ADA], titles=german).replace("Participant 12", "Teilnehmer/in 12")
    roster = parse_roster(text)
    assert roster.kind == "moodle"
    assert [(p.participant, p.email, p.name) for p in roster.people] == [("12", "ada@example.edu", "Ada Lovelace")]
    assert roster.column("grade") == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,name,email\nada,Ada Lovelace,ada@x.edu\n", Person("ada", "Ada Lovelace", email="ada@x.edu", row=0)),
        (
            "First name;Last name;ID number\nAda;Lovelace;1815\n",
            Person("1815", first="Ada", last="Lovelace", number="1815", row=0),
        ),
        (
            "\ufeffFirst name,Last name,Email address,Groups\nAda,Lovelace,a@x.edu,\n",
            Person("a@x.edu", first="Ada", last="Lovelace", email="a@x.edu", row=0),
        ),
        (
            "Username\tSurname\tTimestamp\nada\tLovelace\t2026-04-03 10:00\n",
            Person("ada", last="Lovelace", time=dt.datetime(2026, 4, 3, 8), row=0),
        ),
    ],
)
def test_plain_tables_are_read_by_their_titles(text: str, expected: Person) -> None:
    """Commas, semicolons or tabs."""
    assert parse_roster(text, ZONE).people == (expected,)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty|no column"),
        (b"colour,size\nred,3\n", "no column says who somebody is"),
        (b"\x00\x01", "no column|NUL"),
    ],
)
def test_what_is_no_roster_is_one_line(tmp_path: Path, data: bytes, words: str) -> None:
    """It says which files are meant."""
    path = tmp_path / "roster.csv"
    path.write_bytes(data)
    with pytest.raises(CourseError, match=words) as caught:
        read_roster(path)
    assert "Canvas' gradebook export" in caught.value.hint
    with pytest.raises(CourseError, match="cannot be read"):
        read_roster(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "text", ["3/4/2026 14:05", "yesterday", "31 February 2026, 2:05 PM", "Friday, 3 Aprill 2026, 2:05 PM"]
)
def test_a_time_that_can_be_two_is_none(text: str) -> None:
    """It is counted, not guessed."""
    roster = parse_roster(moodle_worksheet([ADA], {"ada": text}))
    assert (roster.people[0].time, roster.unclear_times) == (None, 1)


@given(st.text(max_size=300))
def test_any_text_is_a_roster_or_refused(text: str) -> None:
    """No other error."""
    with contextlib.suppress(ValueError, csv.Error):
        parse_roster(text)


_WORD = st.text(
    st.characters(categories=["L", "N", "P", "Z"], exclude_characters=",;\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"),
    max_size=20,
)


@given(st.lists(st.tuples(_WORD, _WORD, _WORD), max_size=8))
def test_rows_come_back_as_they_stood(rows: list[tuple[str, str, str]]) -> None:
    """What is kept of a roster goes back unchanged; nobody is lost but in empty lines."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([("Identifier", "Full name", "Email address"), *rows])
    roster = parse_roster(buffer.getvalue())
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    assert list(roster.rows) == kept
    assert len(roster.people) == len(kept)


def test_the_gradebooks_ids_win() -> None:
    """Who is known by address, number or name keeps the id that grades hang on; others get the roster's."""
    known = [
        Student("lovelace", "Ada", "Lovelace", "ADA@example.edu"),
        Student("berg", "José", "van der Berg"),
        Student("eve", "Eve", "Only-Here"),
    ]
    cyd = Member("Cyd", "New", "cyd", "1817", 14, 4713)
    joined = roster_of(known, parse_roster(moodle_worksheet([ADA, BOB, cyd])))
    assert [(p.id, p.participant) for p in joined.people] == [
        ("lovelace", "12"),
        ("berg", "13"),
        ("1817", "14"),
        ("eve", ""),
    ]


def test_two_of_one_name_are_not_joined_by_it() -> None:
    """Then only addresses and numbers decide."""
    twin = Member("Ada", "Lovelace", "ada2", "1820", 20, 4720)
    joined = roster_of([Student("lovelace", "Ada", "Lovelace")], parse_roster(moodle_worksheet([ADA, twin])))
    assert [p.id for p in joined.people] == ["1815", "1820"]
    assert len(Index(joined.people).by_text("ada lovelace")) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [("Lovelace, Ada", "lovelaceada"), ("O'Brien-Núñez", "obriennúñez"), ("李 雷", "李雷"), ("Ｆｕｌｌ", "full")],
)
def test_names_are_compared_without_signs_and_case(first: str, second: str) -> None:
    """As Canvas and Moodle change them."""
    assert key_of(first) == key_of(second)
