"""Due dates, extensions and penalties: what may be written, and what comes of it."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.errors import CourseError
from autograder.gradebook.lateness import Deadlines, LatePolicy, read_time, time_zone

DAY = 86400.0
ASSIGNMENTS = ("01_first", "02_second")
TEN_A_DAY = LatePolicy(percent=10, per_s=DAY, grace_s=900, cap=50)


@pytest.mark.parametrize(
    ("seconds", "penalty"),
    [(0, 0), (900, 0), (901, 4), (DAY, 4), (DAY + 1, 8), (4.5 * DAY, 20), (30 * DAY, 20)],
)
def test_every_day_begun_costs_ten_per_cent_up_to_half(seconds: float, penalty: float) -> None:
    """Nothing within the grace; after it the time counts from the due date."""
    assert TEN_A_DAY.penalty(40.0, seconds) == penalty


@given(
    st.floats(0, 1000),
    st.floats(0, 1e7),
    st.floats(0, 1e7),
    st.builds(LatePolicy, st.floats(0, 100), st.sampled_from([3600.0, DAY]), st.floats(0, 1e6), st.floats(0, 100)),
)
def test_a_penalty_grows_with_time_and_never_exceeds_what_was_earned(
    points: float, early: float, more: float, policy: LatePolicy
) -> None:
    """Whatever the policy, nobody loses more than they have, nor less for being later."""
    first, second = policy.penalty(points, early), policy.penalty(points, early + more)
    assert 0 <= first <= second <= points + 1e-4


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("10 percent", "is no policy"),
        ({}, "percent is missing"),
        ({"percent": 10, "perr": "day"}, "nothing is called 'perr'"),
        ({"percent": 10, "per": "week"}, "expected day or hour"),
        ({"percent": "10"}, "expected a number from 0 to 100"),
        ({"percent": -1}, "expected a number from 0 to 100"),
        ({"percent": True}, "expected a number"),
        ({"percent": float("nan")}, "expected a number"),
        ({"percent": 10, "cap": 120}, "cap is 120"),
    ],
)
def test_a_wrong_policy_is_one_line(setting: Any, words: str) -> None:
    """What was found, and how it is written."""
    with pytest.raises(CourseError, match=words) as caught:
        LatePolicy.of_setting(setting)
    assert "\n" not in caught.value.message + caught.value.hint
    assert '"percent": 10' in caught.value.hint


def test_none_takes_nothing_off_and_says_so() -> None:
    """`"none"` is a policy; no setting at all leaves the decision to nbgrader's plugin."""
    policy = LatePolicy.of_setting("none")
    assert policy is not None
    assert policy.penalty(40.0, 1e9) == 0
    assert LatePolicy.of_setting(None) is None


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-05-01 23:59", "2026-05-01 21:59"),
        ("2026-05-01 23:59 UTC", "2026-05-01 23:59"),
        ("2026-05-01 23:59 America/New_York", "2026-05-02 03:59"),
        ("2026-05-01T23:59:00+02:00", "2026-05-01 21:59"),
        ("2026-01-01 12:00", "2026-01-01 11:00"),
    ],
)
def test_a_time_is_that_of_the_course_unless_it_says_otherwise(text: str, utc: str) -> None:
    """Summer time included."""
    assert read_time(text, time_zone("Europe/Berlin"), "here") == dt.datetime.fromisoformat(utc)


@pytest.mark.parametrize(
    "text", ["tomorrow", "2026-13-01 10:00", "2026-05-01", "01.05.2026 10:00", "2026-05-01 10:00 Mars/Base", ""]
)
def test_what_is_no_time_is_said(text: str) -> None:
    """A day alone is none: which end of it would be meant?"""
    with pytest.raises(CourseError, match="is not a time"):
        read_time(text, dt.UTC, "c.Autograder.due, 01_first")


@given(st.text(max_size=100))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    """Neither a time nor an error of another kind."""
    with contextlib.suppress(CourseError):
        read_time(text, dt.UTC, "here")


def test_an_unknown_time_zone_is_said() -> None:
    """With an example."""
    with pytest.raises(CourseError, match="no time zone is called 'Berlin'"):
        time_zone("Berlin")


def _deadlines(root: Path, text: str) -> Deadlines:
    (root / "extensions.csv").write_text(text, encoding="utf-8")
    return Deadlines.read(root, {"01_first": "2026-05-01 12:00"}, dt.UTC, ASSIGNMENTS)


def test_an_extension_is_a_time_or_so_much_longer(tmp_path: Path) -> None:
    """For one assignment, or for all."""
    found = _deadlines(
        tmp_path,
        "\ufeffstudent, assignment, until\nada,01_first,2026-05-03 12:00\nbob,*,+2 days\neve,01_first,+90 minutes\n",
    )
    due = found.due["01_first"]
    assert found.extension("01_first", "ada", due) == dt.timedelta(days=2)
    assert found.extension("01_first", "bob", due) == dt.timedelta(days=2)
    assert found.extension("01_first", "eve", due) == dt.timedelta(minutes=90)
    assert found.extension("02_second", "ada", due) is None
    assert found.extension("01_first", "zoe", due) is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_extensions_are_read_as_spreadsheets_write_them(tmp_path: Path, separator: str, encoding: str) -> None:
    """As rosters are: with semicolons where a comma is in numbers, in any of three encodings, columns in any order."""
    lines = ["Assignment,Until,Student,Why", "01_first,+2 days,zoë,ill", ",,,"]
    (tmp_path / "extensions.csv").write_text("\n".join(lines).replace(",", separator), encoding=encoding)
    found = Deadlines.read(tmp_path, None, dt.UTC, ASSIGNMENTS)
    assert found.extensions == {("zoë", "01_first"): dt.timedelta(days=2)}


def test_a_file_without_its_titles_is_refused(tmp_path: Path) -> None:
    """Its first line would be lost in silence."""
    with pytest.raises(CourseError, match="line 1: no column is called student; found: ada, 01_first") as caught:
        _read_plain(tmp_path, "ada,01_first,+2 days\n")
    assert "student,assignment,until" in caught.value.hint
    assert _read_plain(tmp_path, "").extensions == {}


def _read_plain(root: Path, text: str) -> Deadlines:
    (root / "extensions.csv").write_text(text)
    return Deadlines.read(root, None, dt.UTC, ASSIGNMENTS)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ada,1_first,+2 days", "there is no assignment '1_first'"),
        ("ada,01_first", "there is no until"),
        ("ada,01_first,later", "line 2: 'later' is not a time"),
        ("ada,01_first,+2 days\nada,01_first,+3 days", "ada has a line for 01_first already"),
    ],
)
def test_a_wrong_extension_is_named_by_its_line(tmp_path: Path, line: str, words: str) -> None:
    """One line, so that it can be mended."""
    with pytest.raises(CourseError, match=words):
        _deadlines(tmp_path, f"student,assignment,until\n{line}\n")
