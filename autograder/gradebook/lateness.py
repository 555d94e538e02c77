"""Due dates, extensions, and what being late costs: `c.Autograder.due`, `c.Autograder.late`, `extensions.csv`."""

from __future__ import annotations

import csv
import datetime as dt
import math
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.errors import CourseError
from autograder.gradebook.entered import Entered
from autograder.spreadsheets import decoded, separator

__all__ = ["EXTENSIONS", "Deadlines", "LatePolicy", "read_time", "time_zone"]

EXTENSIONS = "extensions.csv"
_EXTENSION_COLUMNS = ("student", "assignment", "until")
_MORE = re.compile(r"\+\s*(\d{1,5})\s*(minute|hour|day|week)s?")
_PER_S = {"hour": 3600.0, "day": 86400.0}
_LATE_FORM = '{"percent": 10, "per": "day", "grace_minutes": 15, "cap": 50}, or "none"'
_MAX_BYTES = 10_000_000


def time_zone(setting: object) -> dt.tzinfo:
    """The zone of times that are written without one: `c.Autograder.timezone`, by default UTC as in nbgrader.

    Raises:
        CourseError: for a name that nobody knows.
    """
    if setting is None:
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(str(setting))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CourseError(
            f"c.Autograder.timezone: no time zone is called {setting!r}",
            "write it as Europe/Berlin or America/New_York",
        ) from error


def read_time(value: object, zone: dt.tzinfo, place: str) -> dt.datetime:
    """A time as UTC without a zone, which is how nbgrader keeps times.

    Args:
        value: as "2026-05-01 23:59", with an offset or a zone's name behind it where it has its own; or a datetime.
        zone: of a time that names none.
        place: where it stands, for the message.

    Raises:
        CourseError: if it is no time.
    """
    when = value if isinstance(value, dt.datetime) else _parsed(str(value).strip())
    if when is None:
        raise CourseError(
            f"{place}: {str(value)[:80]!r} is not a time",
            'write it as "2026-05-01 23:59" or "2026-05-01 23:59 Europe/Berlin"',
        )
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone)
    return when.astimezone(dt.UTC).replace(tzinfo=None)


def _parsed(text: str) -> dt.datetime | None:
    if len(text) > 80 or len(text) < len("2026-05-01 23:59"):  # a day alone leaves open which end of it is meant
        return None
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        time, _, zone = text.rpartition(" ")
    try:
        when = dt.datetime.fromisoformat(time)
        return None if when.tzinfo else when.replace(tzinfo=zoneinfo.ZoneInfo(zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


@dataclass(frozen=True)
class LatePolicy:
    """What being late costs.

    Attributes:
        percent: of the points earned, for every hour or day that has begun since the due date.
        per_s: seconds of that hour or day.
        grace_s: seconds in which nobody is late.
        cap: percent that are taken at most.
    """

    percent: float = 0.0
    per_s: float = _PER_S["day"]
    grace_s: float = 0.0
    cap: float = 100.0

    @classmethod
    def of_setting(cls, setting: object) -> LatePolicy | None:
        """What `c.Autograder.late` says; None where it says nothing, so that nbgrader's own plugin decides.

        Raises:
            CourseError: for anything that is no policy.
        """
        if setting is None:
            return None
        if setting == "none":
            return cls()
        if not isinstance(setting, Mapping):
            raise CourseError(f"c.Autograder.late: {setting!r} is no policy", f"write it as {_LATE_FORM}")
        unknown = [key for key in setting if key not in ("percent", "per", "grace_minutes", "cap")]
        if unknown or "percent" not in setting:
            what = f"nothing is called {unknown[0]!r}" if unknown else "percent is missing"
            raise CourseError(f"c.Autograder.late: {what}", f"write it as {_LATE_FORM}")
        if setting.get("per", "day") not in _PER_S:
            raise CourseError(f"c.Autograder.late: per is {setting['per']!r}; expected day or hour", _LATE_FORM)
        return cls(
            _number(setting, "percent", 0.0, 100.0),
            _PER_S[setting.get("per", "day")],
            60 * _number(setting, "grace_minutes", 0.0, 1e6),
            _number(setting, "cap", 100.0, 100.0),
        )

    def late_s(self, seconds: float) -> float:
        """Seconds of lateness that count: none within the grace, all of them after it."""
        return seconds if seconds > self.grace_s else 0.0

    def penalty(self, points: float, seconds: float) -> float:
        """Points to take off.

        Args:
            points: earned by code and by hand.
            seconds: after the due date.
        """
        late = self.late_s(seconds)
        share = min(self.cap, self.percent * math.ceil(late / self.per_s)) if late > 0 else 0.0
        return round(max(0.0, points) * share / 100, 4)

    def __str__(self) -> str:
        """In words."""
        if not self.percent:
            return "nothing is taken off for being late"
        unit = "hour" if self.per_s == _PER_S["hour"] else "day"
        cap = f", at most {self.cap:g}%" if self.cap < 100 else ""
        grace = f", after {self.grace_s / 60:g} minutes of grace" if self.grace_s else ""
        return f"{self.percent:g}% of the points for every {unit} begun{cap}{grace}"


def _number(setting: Mapping[str, Any], name: str, default: float, most: float) -> float:
    value = setting.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise CourseError(f"c.Autograder.late: {name} is {value!r}; expected a number from 0 to {most:g}", _LATE_FORM)
    return float(value)


@dataclass(frozen=True)
class Deadlines:
    """When assignments are due, for everybody and for single students; all times in UTC.

    Attributes:
        due: assignment -> due date, of those that the course's configuration names; None: there is none.
        extensions: (student, assignment or "*") -> a later due date, or how much later it is.
        has_file: whether there is an `extensions.csv`; without one, extensions that nbgrader's own programs entered
            stay as they are.
        lines: student of the `extensions.csv` -> the line that names them first.
        entered: assignment -> what earlier settings put into the gradebook.
        root: the course's folder, where that is written down; None: nowhere.
    """

    due: Mapping[str, dt.datetime | None] = field(default_factory=dict)
    extensions: Mapping[tuple[str, str], dt.datetime | dt.timedelta] = field(default_factory=dict)
    has_file: bool = False
    lines: Mapping[str, int] = field(default_factory=dict)
    entered: Mapping[str, Entered] = field(default_factory=dict)
    root: Path | None = None

    @classmethod
    def read(cls, root: Path, due: object, zone: dt.tzinfo, assignments: tuple[str, ...]) -> Deadlines:
        """What `c.Autograder.due` and the course's `extensions.csv` say.

        Raises:
            CourseError: with the place of what cannot be understood.
        """
        if due is not None and not isinstance(due, Mapping):
            raise CourseError(f"c.Autograder.due: {due!r} is no table", 'write it as {"01_first": "2026-05-01 23:59"}')
        times: dict[str, dt.datetime | None] = {}
        for name, value in (due or {}).items():
            _require_known(str(name), assignments, "c.Autograder.due")
            times[str(name)] = None if value is None else read_time(value, zone, f"c.Autograder.due, {name}")
        entered = {name: Entered.read(root, name) for name in assignments}
        path = root / EXTENSIONS
        if not path.is_file():
            return cls(times, entered=entered, root=root)
        extensions, lines = _read_extensions(path, zone, assignments)
        return cls(times, extensions, True, lines, entered, root)

    def due_of(self, assignment: str, recorded: dt.datetime | None) -> dt.datetime | None:
        """When an assignment is due for everybody.

        Args:
            recorded: the date that the gradebook holds; it counts where the configuration names none, unless an earlier
                configuration put it there.
        """
        if assignment in self.due:
            return self.due[assignment]
        return self.entered_for(assignment).own_due(recorded)

    def extension_of(
        self, assignment: str, student: str, due: dt.datetime | None, recorded: dt.timedelta | None
    ) -> dt.timedelta | None:
        """How much later an assignment is due for a student.

        Args:
            recorded: the extension that the gradebook holds; it counts where there is no `extensions.csv`, unless an
                earlier one put it there.
        """
        if self.has_file:
            return self.extension(assignment, student, due)
        return self.entered_for(assignment).own_extension(student, recorded)

    def entered_for(self, assignment: str) -> Entered:
        """What earlier settings put into the gradebook."""
        return self.entered.get(assignment, Entered())

    def extension(self, assignment: str, student: str, due: dt.datetime | None) -> dt.timedelta | None:
        """How much later an assignment is due for a student; None for no extension, or without a due date."""
        found = self.extensions.get((student, assignment), self.extensions.get((student, "*")))
        if found is None or due is None:
            return None
        return max(dt.timedelta(0), found if isinstance(found, dt.timedelta) else found - due)


def _read_extensions(
    path: Path, zone: dt.tzinfo, assignments: tuple[str, ...]
) -> tuple[dict[tuple[str, str], dt.datetime | dt.timedelta], dict[str, int]]:
    """Extensions, and for each student the line that names them first."""
    form = "expected the columns student,assignment,until; until is a time, or as +2 days, +6 hours"
    if path.stat().st_size > _MAX_BYTES:
        raise CourseError(f"{path.name} is larger than {_MAX_BYTES / 1e6:g} MB", form)
    text = decoded(path.read_bytes())
    if text is None:
        raise CourseError(f"{path.name} is no text", form)
    reader = csv.reader(text.splitlines(), delimiter=separator(text), skipinitialspace=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise CourseError(f"{path.name} is no CSV file: {error}", form) from error
    titles = [title.casefold() for title in rows[0][1]] if rows else list(_EXTENSION_COLUMNS)
    if lacking := [name for name in _EXTENSION_COLUMNS if name not in titles]:
        found_there = ", ".join(titles)[:80]
        raise CourseError(f"{path.name}, line 1: no column is called {lacking[0]}; found: {found_there}", form)
    columns = [titles.index(name) for name in _EXTENSION_COLUMNS]
    found: dict[tuple[str, str], dt.datetime | dt.timedelta] = {}
    lines: dict[str, int] = {}
    for number, row in rows[1:]:
        place = f"{path.name}, line {number}"
        for name, column in zip(_EXTENSION_COLUMNS, columns, strict=True):
            if column >= len(row) or not row[column]:
                raise CourseError(f"{place}: there is no {name}", form)
        student, assignment, until = (row[column] for column in columns)
        lines.setdefault(student, number)
        if assignment != "*":
            _require_known(assignment, assignments, place)
        more = _MORE.fullmatch(until)
        later = dt.timedelta(**{f"{more[2]}s": int(more[1])}) if more else read_time(until, zone, place)
        if (student, assignment) in found:
            raise CourseError(f"{place}: {student} has a line for {assignment} already", "keep one of them")
        found[student, assignment] = later
    return found, lines


def _require_known(name: str, assignments: tuple[str, ...], place: str) -> None:
    if name not in assignments:
        raise CourseError(f"{place}: there is no assignment {name!r}", f"there are: {', '.join(assignments) or 'none'}")
