"""Feedback pages in a zip that Moodle or Canvas takes back, under the names by which they know their students.

Moodle: the assignment's "Upload multiple feedback files in a zip" reads `NAME_NUMBER_assignsubmission_file` folders as
its own download has them (mod/assign/feedback/file/importziplib.php).  Canvas: "Re-Upload Submissions" looks for the
numbers of user and attachment in the names of its own download (infer_comment_context_from_filename in
app/models/abstract_assignment.rb) and shows the file under the attachment's name.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autograder.course import Course
from autograder.errors import CourseError
from autograder.gradebook.rules import Rules
from autograder.platforms.collecting import everybody_of, read_returning
from autograder.platforms.names import label_of
from autograder.platforms.roster import Person

__all__ = ["FeedbackZip", "zip_feedback"]

_TIME = (1980, 1, 1, 0, 0, 0)
_MOODLE_FOLDER = re.compile(r"(.+?_\d+_assignsubmission_[a-z]+)", re.DOTALL)


@dataclass(frozen=True)
class FeedbackZip:
    """What was made.

    Attributes:
        without: students whose page has no way back.
    """

    path: Path
    count: int
    without: tuple[str, ...]


def zip_feedback(course: Course, assignment: str, platform: str, notebook: str, students: Sequence[str]) -> FeedbackZip:
    """Put the pages of some students into a zip for the platform.

    Args:
        platform: `moodle` or `canvas`.
        notebook: the released notebook's name, which the page is called like.

    Raises:
        CourseError: if there is a way back for nobody.
    """
    people = {person.id: person for person in everybody_of(course, assignment, Rules.of(course).zone).people}
    returning = read_returning(course, assignment)
    path = course.root / f"feedback_{assignment}_{platform}.zip"
    entries: dict[str, Path] = {}
    without = []
    for student in students:
        page = course.feedback / student / assignment / f"{notebook}.html"
        parts = returning[student].parts if student in returning and returning[student].platform == platform else ()
        name = _moodle(parts, people.get(student), page.name) if platform == "moodle" else _canvas(parts)
        if name and page.is_file():
            entries[name] = page
        else:
            without.append(student)
    if not entries:
        raise CourseError(
            f"no feedback of {assignment} has a way back to {platform.title()}",
            f"collect its download first: autograder collect {assignment} DOWNLOAD.zip --roster FILE.csv",
        )
    temporary = path.with_suffix(".zip.part")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, page in sorted(entries.items()):
                entry = zipfile.ZipInfo(name, _TIME)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, page.read_bytes(), zipfile.ZIP_DEFLATED)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # of an archive that found no room
    return FeedbackZip(path, len(entries), tuple(without))


def _moodle(parts: Sequence[str], person: Person | None, page: str) -> str:
    """The folder of the download, and the page in it; made from the worksheet for who was collected otherwise."""
    for part in parts:
        if found := _MOODLE_FOLDER.match(part):
            return f"{found[1]}_/{page}"
    if person is None or not person.participant:
        return ""
    name = person.name or f"{person.first} {person.last}".strip() or "Participant"
    return f"{re.sub(r'[_/]', ' ', name)}_{person.participant}_assignsubmission_file_/{page}"


def _canvas(parts: Sequence[str]) -> str:
    """The name of the downloaded notebook, as a page; nothing for what was typed in: it has no attachment."""
    files = [part for part in parts if (label := label_of((part,))) is not None and not label.typed]
    ordered = sorted(files, key=lambda part: not part.lower().endswith(".ipynb"))
    return f"{PurePosixPath(ordered[0]).stem}.html" if ordered else ""
