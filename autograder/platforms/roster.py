"""Who is in the class: a roster as Canvas or Moodle export it, a table of one's own, or nbgrader's student table.

Known are Canvas' gradebook export (lib/gradebook_exporter.rb), Moodle's grading worksheet of an assignment
(mod/assign/gradingtable.php), its list of participants and its gradebook's export, in English or German, and plain
tables.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from autograder.errors import CourseError
from autograder.gradebook.marks import Student
from autograder.spreadsheets import decoded, separator

__all__ = ["COLUMNS", "Index", "Person", "Roster", "key_of", "parse_roster", "read_roster", "roster_of"]

Kind = Literal["canvas", "moodle", "plain"]
MAX_BYTES = 50_000_000
MAX_ROWS = 200_000
_FORM = "expected a CSV file: Canvas' gradebook export, Moodle's participants or grading worksheet, or id,name,email"

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "participant": ("identifier", "teilnehmernummer"),
    "canvas": ("canvas id", "canvas user id"),
    "id": (
        "student id",
        "student",
        "id",
        "username",
        "user name",
        "user",
        "login",
        "login id",
        "sis login id",
        "anmeldename",
    ),
    "number": (
        "id number",
        "idnumber",
        "sis user id",
        "student number",
        "matriculation number",
        "id nummer",
        "matrikelnummer",
    ),
    "email": ("email address", "email", "e mail", "mail", "e mail adresse"),
    "first": ("first name", "firstname", "given name", "vorname"),
    "last": ("last name", "lastname", "surname", "family name", "nachname"),
    "name": ("full name", "name", "student name", "vollständiger name"),
    "time": ("last modified submission", "submitted at", "submitted", "timestamp", "zuletzt geändert abgabe"),
    "grade": ("grade", "bewertung"),
    "feedback": ("feedback comments", "feedback als kommentar"),
    "most": ("maximum grade", "bestwertung", "maximale bewertung"),
}
"""What a column holds -> its titles, as `_title` writes them."""

_MONTH_NAMES = (
    "january february march april may june july august september october november december",
    "januar februar märz april mai juni juli august september oktober november dezember",
)
_MONTHS = {name: number for names in _MONTH_NAMES for number, name in enumerate(names.split(), start=1)}
_WRITTEN = re.compile(
    r"(?:\w{1,20},\s+)?(?:(?P<day>\d{1,2})\.?\s+(?P<month>\w{1,20})|(?P<month2>\w{1,20})\s+(?P<day2>\d{1,2}),)"
    r"\s+(?P<year>\d{4}),\s+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?:\s+(?P<half>am|pm))?"
)
_PARTICIPANT = re.compile(r"\D{1,80}(\d{1,18})")


@dataclass(frozen=True)
class Person:
    """A member of the class; unknown parts are empty.

    Attributes:
        id: the name of their folder in `submitted/`, which is nbgrader's id.
        number: an official number: Moodle's "ID number", Canvas' SIS id.
        participant: Moodle's number of the participant in this assignment.
        canvas: Canvas' number of the user.
        time: when the platform says that they handed in (UTC, naive).
        row: their line of the roster, from 0; -1 if only the gradebook knows them.
    """

    id: str = ""
    name: str = ""
    first: str = ""
    last: str = ""
    email: str = ""
    number: str = ""
    participant: str = ""
    canvas: str = ""
    time: dt.datetime | None = None
    row: int = -1

    @property
    def names(self) -> set[str]:
        """The keys of all ways to write the name."""
        whole = [self.name, f"{self.first} {self.last}", f"{self.last} {self.first}"]
        before, comma, after = self.name.partition(",")
        if comma:  # Canvas sorts by "Lovelace, Ada"
            whole.append(f"{after} {before}")
        return {key for text in whole if (key := key_of(text))}

    @property
    def shown(self) -> str:
        """Name and id."""
        name = self.name or f"{self.first} {self.last}".strip()
        return f"{name} ({self.id})" if name and self.id else name or self.id


@dataclass(frozen=True)
class Roster:
    """A class.

    Attributes:
        kind: which platform wrote the file.
        titles: of its columns, as they stand there.
        rows: its lines as they stand there.
        people: who is in it, or in the gradebook.
        unclear_times: lines whose time could not be read.
    """

    kind: Kind = "plain"
    titles: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    people: tuple[Person, ...] = ()
    unclear_times: int = 0

    def column(self, what: str) -> int | None:
        """Where a kind of column stands."""
        return _columns(self.titles, self.kind).get(what)


def key_of(text: str) -> str:
    """A name without case, blanks and signs, as both platforms may have changed it.

    >>> key_of("Lovelace, Ada") == key_of("lovelaceada")
    True
    """
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())


def read_roster(path: Path, zone: dt.tzinfo = dt.UTC) -> Roster:
    """Read a roster.

    Args:
        zone: of its times.

    Raises:
        CourseError: if it is none.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CourseError(f"{path} is larger than {MAX_BYTES / 1e6:g} MB", _FORM)
        text = decoded(path.read_bytes())
        if text is None:
            raise CourseError(f"{path} is not text", _FORM)
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror or error}", _FORM) from error
    try:
        return parse_roster(text, zone)
    except (ValueError, csv.Error) as error:
        raise CourseError(f"{path}: {error}", _FORM) from error


def parse_roster(text: str, zone: dt.tzinfo = dt.UTC) -> Roster:
    """Read a roster from its text.

    Raises:
        ValueError, csv.Error: if it is none.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator(text))
    lines = [tuple(row) for _, row in zip(range(MAX_ROWS + 1), reader, strict=False)]
    if len(lines) > MAX_ROWS:
        raise ValueError(f"it has more than {MAX_ROWS:,} lines")
    if not lines:
        raise ValueError("it is empty")
    titles = tuple(lines[0])
    rows = tuple(row for row in lines[1:] if any(cell.strip() for cell in row))
    kind = _kind(titles, rows)
    columns = _columns(titles, kind)
    if not columns.keys() & {"id", "email", "name", "last", "participant", "canvas", "number"}:
        raise ValueError(f"no column says who somebody is; found {', '.join(titles[:8])[:200]}")
    people, unclear = [], 0
    for position, row in enumerate(rows):
        if kind == "canvas" and _is_no_student(row):
            continue
        values = {what: row[at].strip() if at < len(row) else "" for what, at in columns.items()}
        time = _time(values.pop("time", ""), zone)
        unclear += time == "unclear"
        people.append(_person(values, None if isinstance(time, str) else time, position))
    return Roster(kind, titles, rows, tuple(people), unclear)


def _title(text: str) -> str:
    return " ".join(re.sub(r"[^\w]|_", " ", text.casefold()).split())


def _kind(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Kind:
    found = [_title(title) for title in titles]
    if found[:2] == ["student", "id"] and {"section", "sis login id"} & set(found):
        return "canvas"
    if found[:3] == ["lastname", "firstname", "id"] and "section" in found:
        return "canvas"
    grade, time = COLUMNS["grade"], ("last modified grade", "zuletzt geändert bewertung")
    first = [row[0].strip() for row in rows if row and row[0].strip()]
    has_numbers = bool(first) and all(_PARTICIPANT.fullmatch(cell) for cell in first)
    if set(grade) & set(found) and set(time) & set(found) and (found[0] in COLUMNS["participant"] or has_numbers):
        return "moodle"
    return "plain"


def _columns(titles: Sequence[str], kind: Kind) -> dict[str, int]:
    """What a column holds -> where it stands; of several titles for one thing, the first of `COLUMNS` that is there."""
    found = [_title(title) for title in titles]
    special: dict[str, int] = {}
    if kind == "canvas":
        names = {"lastname": "last", "firstname": "first", "student": "name", "id": "canvas"}
        special = {what: found.index(title) for title, what in names.items() if title in found}
    if kind == "moodle":
        special = {"participant": 0}
    taken = set(special.values())
    general = {
        what: next((found.index(title) for title in known if title in found and found.index(title) not in taken), None)
        for what, known in COLUMNS.items()
        if what not in special
    }
    return special | {what: at for what, at in general.items() if at is not None}


def _is_no_student(row: Sequence[str]) -> bool:
    """Canvas' lines between the titles and the students, and its made-up student."""
    first = row[0].strip() if row else ""
    return not first or first == "Points Possible" or first in ("Student, Test", "Test Student")


def _person(values: Mapping[str, str], time: dt.datetime | None, row: int) -> Person:
    participant = _PARTICIPANT.fullmatch(values.get("participant", ""))
    own = {what: text for what, text in values.items() if what in Person.__dataclass_fields__ and what != "participant"}
    person = Person(**own, participant=participant[1] if participant else "", time=time, row=row)
    return replace(person, id=person.id or person.number or person.email or person.canvas)


def _time(text: str, zone: dt.tzinfo) -> dt.datetime | Literal["unclear"] | None:
    """A time as ISO, or as Moodle writes it: "Friday, 3 April 2026, 2:05 PM", "Friday, April 3, 2026, 2:05 PM"; in UTC.

    Digits with slashes are nobody's guess: 3/4/2026 is in March or in April.
    """
    if not text or text == "-":
        return None
    try:
        found = dt.datetime.fromisoformat(text.removesuffix(" UTC") + ("+00:00" if text.endswith(" UTC") else ""))
    except ValueError:
        words = _WRITTEN.fullmatch(text.casefold()[:100])
        month = _MONTHS.get(words["month"] or words["month2"]) if words else None
        if words is None or month is None:
            return "unclear"
        hour = int(words["hour"]) % 12 + 12 * (words["half"] == "pm") if words["half"] else int(words["hour"])
        try:
            found = dt.datetime(
                int(words["year"]), month, int(words["day"] or words["day2"]), hour, int(words["minute"])
            )
        except ValueError:
            return "unclear"
    try:
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return "unclear"


def roster_of(students: Iterable[Student], read: Roster | None) -> Roster:
    """A roster joined with nbgrader's student table: who is in both keeps the id that the gradebook knows.

    They are the same where id, address or number are, and else where the name is, if it is only one's.
    """
    people = list(read.people) if read is not None else []
    by_key: dict[str, set[int]] = {}
    by_name: dict[str, set[int]] = {}
    for at, person in enumerate(people):
        for text in filter(None, (person.id, person.email, person.number, person.canvas)):
            by_key.setdefault(text.casefold(), set()).add(at)
        for name in person.names:
            by_name.setdefault(name, set()).add(at)
    known = [
        Person(s.id, f"{s.first_name} {s.last_name}".strip(), s.first_name, s.last_name, s.email, s.lms_user_id)
        for s in students
    ]
    taken: set[int] = set()
    for old in known:
        found: set[int] = set()
        for text in filter(None, (old.id, old.email, old.number)):
            found |= by_key.get(text.casefold(), set())
        if not found:
            for name in old.names:
                found |= {at for at in by_name.get(name, set()) if not (old.email and people[at].email)}
        found -= taken
        if len(found) == 1:
            (at,) = found
            taken.add(at)
            new = people[at]
            people[at] = replace(
                new,
                id=old.id,
                name=new.name or old.name,
                first=new.first or old.first,
                last=new.last or old.last,
                email=new.email or old.email,
                number=new.number or old.number,
            )
        elif not found:
            people.append(old)
    return replace(read or Roster(), people=tuple(people))


@dataclass
class Index:
    """Finds people by what a file's name says."""

    people: Sequence[Person]
    _by: dict[tuple[str, str], list[Person]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for person in self.people:
            for text in {person.id, person.email, person.number} - {""}:
                self._add("id", text.casefold(), person)
            for name in person.names:
                self._add("name", name, person)
            for what in ("participant", "canvas"):
                if number := getattr(person, what):
                    self._add(what, number, person)

    def _add(self, what: str, key: str, person: Person) -> None:
        self._by.setdefault((what, key), []).append(person)

    def has(self, what: str) -> bool:
        """Whether anybody has such a number."""
        return any(kind == what for kind, _ in self._by)

    def by(self, what: str, key: str) -> list[Person]:
        """Everybody with this participant's or Canvas number."""
        return _different(self._by.get((what, key), []))

    def by_text(self, text: str) -> list[Person]:
        """Everybody whose id, address, number or name this is."""
        found = [*self.by("id", text.strip().casefold()), *self.by("name", key_of(text))]
        return _different(found)


def _different(people: Iterable[Person]) -> list[Person]:
    """Each once; who stands in two lines of a roster under one id is one person."""
    return list({person.id or person.row: person for person in people}.values())
