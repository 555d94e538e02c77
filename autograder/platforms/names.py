"""Whose a file is, by the names that Moodle and Canvas give to what they hand out.

Moodle (mod/assign/classes/downloader.php, locallib.php before 4.1): `FULL NAME_NUMBER_assignsubmission_PLUGIN/FILE`,
with an underscore at the folder's end in older versions; where "Download submissions in folders" is off, the same
joined by underscores.  NUMBER is the participant's of this assignment, as in the grading worksheet; with anonymous
submissions the name is "Participant"; of a group it is the group's.

Canvas (lib/content_zipper.rb): `NAME_LATE_USER_ATTACHMENT_FILE`, the name in lower case without blanks and commas,
`LATE` only where it was, `anon_CODE` instead of name and user in anonymous assignments, `_text.html` and `_link.html`
for what was typed in.  FILE gets a number (`-1`) where a student handed in a name again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["Label", "label_of"]

Platform = Literal["moodle", "canvas", ""]
_MOODLE = re.compile(
    r"(?P<name>[^_].*?)_(?P<number>\d{1,18})_assignsubmission_(?P<plugin>[a-z]+)(?:_(?P<file>.*))?", re.DOTALL
)
_CANVAS = re.compile(
    r"(?:(?P<name>.*?)_)??(?:(?P<late>late|LATE)_)?(?P<user>\d{1,18}|anon_[A-Za-z0-9]+)_(?:(?P<file>\d{1,18})_(?P<own>.+)|(?P<typed>text|link)\.html)",
    re.DOTALL,
)
_MAX = 1000


@dataclass(frozen=True)
class Label:
    """What a platform's name says.

    Attributes:
        part: the folder or file that says it, as it has to be called when feedback goes back.
        name: the student's, as the platform writes it.
        number: Moodle's participant, or Canvas' user.
        late: what Canvas says; None where the platform says nothing.
        files: the rest of the path: the student's own folders and file.
        typed: it was not a file but text or a link.
    """

    platform: Platform
    part: str
    name: str
    number: str
    files: tuple[str, ...]
    late: bool | None = None
    typed: bool = False


def label_of(parts: tuple[str, ...]) -> Label | None:
    """Read the name of a file in a download; None if neither platform made it.

    Args:
        parts: folders and file, below the download's own folder.
    """
    first, rest = parts[0][:_MAX], parts[1:]
    if found := _MOODLE.fullmatch(first):
        own = found["file"] or ""
        files = (own, *rest) if own else rest
        if files:
            typed = found["plugin"] == "onlinetext"
            return Label("moodle", first, found["name"].strip(), found["number"], files, typed=typed)
    if found := _CANVAS.fullmatch(first):
        if found["typed"]:
            own = f"{found['typed']}.html"
        else:
            own = found["own"]
        late = found["late"] is not None
        return Label(
            "canvas", first, found["name"] or "", found["user"], (own, *rest), late=late, typed=bool(found["typed"])
        )
    return None
