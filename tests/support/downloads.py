"""Downloads as Moodle and Canvas make them, to the letter, and the rosters that they export.

Moodle: mod/assign/classes/downloader.php, mod/assign/gradingtable.php.  Canvas: lib/content_zipper.rb,
lib/gradebook_exporter.rb.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Member", "canvas_export", "canvas_name", "moodle_folder", "moodle_worksheet", "write_zip"]

WORKSHEET = (
    "Identifier", "Full name", "ID number", "Email address", "Status", "Grade", "Maximum Grade", "Grade can be changed",
    "Last modified (submission)", "Last modified (grade)", "Feedback comments",
)  # fmt: skip
ASSIGNMENT_COLUMN = "Made up (5678)"


@dataclass(frozen=True)
class Member:
    """A student as both platforms know them."""

    first: str
    last: str
    login: str
    number: str
    participant: int
    user: int

    @property
    def full(self) -> str:
        """Moodle's full name."""
        return f"{self.first} {self.last}"

    @property
    def email(self) -> str:
        """An address of RFC 2606."""
        return f"{self.login}@example.edu"


def moodle_folder(member: Member, plugin: str = "file", end: str = "_") -> str:
    """The folder of a student in Moodle's zip; before 4.1 with an underscore at its end."""
    return f"{member.full.replace('_', ' ')}_{member.participant}_assignsubmission_{plugin}{end}"


def canvas_name(member: Member, attachment: int, file: str, late: bool = False) -> str:
    """The name of a file in Canvas' zip."""
    parts = [f"{member.last}, {member.first}".lower(), *(["LATE"] if late else []), str(member.user)]
    label = re.sub(r"[^\w]", "", "_".join(parts))
    return f"{label}_{attachment}_{file}"


def moodle_worksheet(
    members: Iterable[Member], times: Mapping[str, str] | None = None, titles: Sequence[str] = WORKSHEET
) -> str:
    """The grading worksheet of an assignment of 50 points."""
    rows = [
        (
            f"Participant {member.participant}", member.full, member.number, member.email,
            "Submitted for grading - ", "", "50.00", "Yes", (times or {}).get(member.login, "-"), "-", "",
        )
        for member in members
    ]  # fmt: skip
    return _csv([titles, *rows])


def canvas_export(members: Iterable[Member], column: str = ASSIGNMENT_COLUMN) -> str:
    """The gradebook's export, with a line of posting policies and the points possible."""
    rows: list[Sequence[str]] = [
        (
            "Student",
            "ID",
            "SIS User ID",
            "SIS Login ID",
            "Section",
            column,
            "Quiz 1 (91)",
            "Current Score",
            "Final Score",
        ),
        ("", "", "", "", "", "Manual Posting", "", "", ""),
        ("    Points Possible", "", "", "", "", "11.00", "5.00", "(read only)", "(read only)"),
    ]
    rows += [
        (f"{m.last}, {m.first}", str(m.user), m.number, m.login, "CS 1, group A", "", "4.00", "80.00", "80.00")
        for m in members
    ]
    rows.append(("Student, Test", "99999", "", "f00ba4", "CS 1, group A", "", "", "", ""))
    return _csv(rows)


def _csv(rows: Iterable[Sequence[str]]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def write_zip(path: Path, files: Mapping[str, bytes | str]) -> Path:
    """A zip with these files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path
