"""What was handed in: `submitted/<student>/<assignment>/`, read without trusting it.

A student can put anything into that folder: links to other files, pipes, wrong names.  Only regular files inside the
folder itself are read, never through a link.
"""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nbgrader.utils import parse_utc

from autograder.course import Course
from autograder.errors import CourseError
from autograder.submissions.notebook import (
    MAX_BYTES,
    Cell,
    Master,
    UnreadableError,
    digest_of,
    is_notebook,
    read_cells,
)
from autograder.submissions.words import words_of

__all__ = ["Job", "Submission", "id_problem", "readable_id", "students_of"]


@dataclass(frozen=True)
class Job:
    """What there is to grade: plain data, so that it can travel to another machine.

    Attributes:
        data: the submitted file; None if there is none.
        problem: why there is none, or what is odd about it ("the file was named ...").
        flags: `renamed-notebook`, `several-notebooks`.
        late_s: seconds after the due date.
    """

    student: str
    data: bytes | None
    problem: str = ""
    late_s: float = 0.0
    flags: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the submitted bytes (empty if there are none)."""
        return hashlib.sha256(self.data).hexdigest() if self.data is not None else ""


def students_of(course: Course, assignment: str, wanted: Sequence[str] = ()) -> list[str]:
    """Ids of the students who handed something in for an assignment, sorted.

    Raises:
        CourseError: if a wanted student handed nothing in, with the nearest id.
    """
    root = course.submitted
    found = sorted(entry.name for entry in _folders(root) if _is_there(entry, assignment))
    for student in wanted:
        if student not in found:
            near = difflib.get_close_matches(student, found, n=1)
            guess = f"did you mean {near[0]!r}?" if near else f"expected in {root / student / assignment}"
            raise CourseError(f"student {student!r} handed in nothing for {assignment}", guess)
    return [student for student in found if not wanted or student in wanted]


def _folders(root: Path) -> Iterator[os.DirEntry[str]]:
    if not root.is_dir():
        return
    for entry in os.scandir(root):
        if (entry.is_dir(follow_symlinks=False) or entry.is_symlink()) and not entry.name.startswith("."):
            yield entry


def _is_there(folder: os.DirEntry[str], assignment: str) -> bool:
    """Whether something lies there, or may: what it is, `Submission.job` finds out."""
    try:
        os.lstat(os.path.join(folder.path, assignment))
    except (FileNotFoundError, NotADirectoryError):
        return folder.is_symlink() and not os.path.exists(folder.path)
    except OSError:  # a folder that may not be read, a link in a circle
        return True
    return True


def id_problem(student: str) -> str:
    """Why nobody can be graded under this id; empty if somebody can."""
    try:
        student.encode()
    except UnicodeEncodeError:
        return "the folder's name is not UTF-8: rename it to the student's id"
    if "\n" in student:  # nbgrader finds no page of theirs
        return "the folder's name holds a line break: rename it to the student's id"
    return ""


def readable_id(student: str) -> str:
    """An id on one line of a terminal: what is not UTF-8 or not to be seen stands there as its number."""
    text = os.fsencode(student).decode(errors="backslashreplace")
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


@dataclass(frozen=True)
class Submission:
    """The folder of one student for one assignment."""

    folder: Path
    student: str

    @classmethod
    def of(cls, course: Course, assignment: str, student: str) -> Submission:
        """The submission of a student."""
        return cls(course.submitted / student / assignment, student)

    def timestamp(self) -> dt.datetime | None:
        """When it was handed in (UTC, naive), from nbgrader's `timestamp.txt`; None if there is no readable one."""
        try:
            if self._problem():
                return None
            text = _read_regular(self.folder / "timestamp.txt", 1000).decode().strip()
            when: dt.datetime | None = parse_utc(text) if text else None
            return when
        except Exception:  # dateutil meets odd text with any exception
            return None

    def secret(self) -> str:
        """What the exchange names a feedback page after, from nbgrader's `submission_secret.txt`; empty if none."""
        try:
            text = (
                "" if self._problem() else _read_regular(self.folder / "submission_secret.txt", 1000).decode().strip()
            )
        except (OSError, UnicodeDecodeError, UnreadableError):
            return ""
        return text if re.fullmatch(r"[\w-]{1,200}", text) else ""

    def _problem(self) -> str:
        """Why nothing in the folder is looked at; empty if it is a folder of its own."""
        if self.folder.parent.is_symlink():
            return "the student's folder is a link to another place"
        try:
            kind = self.folder.lstat().st_mode
        except OSError as error:
            return f"the folder cannot be read: {error.strerror}"
        if stat.S_ISLNK(kind):
            return "the submission's folder is a link to another place"
        return "" if stat.S_ISDIR(kind) else "there is a file where the submission's folder should be"

    def job(self, master: Master, late_s: float = 0.0) -> Job:
        """What there is to grade.  A single notebook under a wrong name is taken if it is plainly this assignment's.

        Args:
            late_s: seconds that it was handed in after its due date.
        """
        if problem := self._problem():
            return Job(self.student, None, problem)
        found, problem, flags = self._notebook(master)
        return Job(self.student, found, problem, late_s, flags)

    def _notebook(self, master: Master) -> tuple[bytes | None, str, tuple[str, ...]]:
        """The file to grade, what is odd about it, and flags.

        The one of the right name, unless nobody has worked on it and another one of this assignment was worked on:
        then that, for a second upload often gets a number in its name.
        """
        name = f"{master.notebook}.ipynb"
        data, problem = self._read(name)
        others = [other for other in self._other_notebooks() if other != name]
        ours = self._ours_among(others[:_MOST_OTHERS], master)
        if data is None and problem:
            return None, problem, ()
        if data is None and not ours:  # under another ending, or in a folder further down
            more = self._hidden_notebooks()
            ours = self._ours_among(more[:_MOST_OTHERS], master)
            others += [name for name in more if "/" in name or name in ours]
        if data is None and len(ours) != 1:
            found = f"found {', '.join(map(repr, others[:5]))}" if others else self._what_is_there()
            return None, f"there is no {name}; {found}", ()
        if data is None:
            (other,) = ours
            return ours[other][0], f"the file was named {other!r} instead of {name!r}", ("renamed-notebook",)
        worked_on = [other for other, (_, cells) in ours.items() if _is_worked_on(cells, master)]
        if not worked_on:
            return data, "", ()
        if len(worked_on) == 1 and not _is_worked_on(_cells_of(data), master):
            (other,) = worked_on
            return ours[other][0], f"{name!r} was as released; {other!r} was graded instead", ("several-notebooks",)
        listed = ", ".join(map(repr, worked_on[:5]))
        return data, f"{name!r} was graded; the folder also holds {listed}", ("several-notebooks",)

    def _read(self, name: str) -> tuple[bytes | None, str]:
        """A file's bytes; or why it cannot be read, nothing if there is none."""
        try:
            return _read_regular(self.folder / name, MAX_BYTES), ""
        except FileNotFoundError:
            return None, ""
        except (OSError, UnreadableError) as error:
            return None, f"{name} cannot be read: {getattr(error, 'strerror', None) or error}"

    def notebooks(self) -> list[str]:
        """Names of the files that are called like notebooks, the first few."""
        return [] if self._problem() else self._other_notebooks()[:_MOST_OTHERS]

    def _other_notebooks(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self.folder) if entry.name.lower().endswith(".ipynb"))
        except OSError:
            return []

    def _hidden_notebooks(self) -> list[str]:
        """Files that are notebooks by their content or lie in a folder of the submission's."""
        found = []
        left = _OTHERS_BYTES
        for name in islice(_files_in(self.folder, _DEEPEST), _MOST_FILES):
            if name.lower().endswith(".ipynb"):
                found += [name] if "/" in name else []
                continue
            try:
                data = _read_regular(self.folder / name, left)
            except (OSError, UnreadableError):
                continue
            left -= len(data)
            found += [name] if is_notebook(data) else []
        return found

    def _what_is_there(self) -> str:
        """What the folder holds instead of a notebook."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.folder) if entry.name not in _NOT_HANDED_IN)
        except OSError:
            names = []
        return f"the folder holds {', '.join(map(repr, names[:5]))}" if names else "the folder is empty"

    def _ours_among(self, names: Sequence[str], master: Master) -> dict[str, tuple[bytes, list[Cell]]]:
        """The notebooks of this assignment among files of other names, as far as they are read."""
        ours: dict[str, tuple[bytes, list[Cell]]] = {}
        left = _OTHERS_BYTES
        for name in names:
            try:
                data = _read_regular(self.folder / name, left)
            except (OSError, UnreadableError):
                continue
            left -= len(data)
            cells = _cells_of(data)
            if _is_of(cells, master):
                ours[name] = data, cells
        return ours


def _files_in(folder: Path, depth: int, inside: str = "") -> Iterator[str]:
    """Paths of the files in a folder and those below it, never through a link."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _NOT_HANDED_IN or entry.name == "__MACOSX":
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth:
                yield from _files_in(Path(entry.path), depth - 1, f"{inside}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            yield f"{inside}{entry.name}"


_DEEPEST, _MOST_FILES = 3, 50
"""Folders below a submission's that are looked into, and files in all of them."""
_MOST_OTHERS, _OTHERS_BYTES = 8, 64 << 20
"""Looked through before the submission is handed to a worker, so while all of them wait."""
_NOT_HANDED_IN = frozenset({"timestamp.txt", "submission_secret.txt", ".ipynb_checkpoints"})


def _cells_of(data: bytes) -> list[Cell]:
    """The cells of a notebook; none of what is none."""
    try:
        return read_cells(data)
    except UnreadableError:
        return []


def _is_of(cells: Sequence[Cell], master: Master) -> bool:
    """Whether a notebook is plainly this assignment's: half of its cells are there by name, or by text."""
    names = {cell.name for cell in cells} & set(master.cells)
    released = {digest_of(text) for text in master.text.values()}
    texts = {digest_of(cell.source) for cell in cells} & released  # some editors take names away
    return 2 * len(names) >= len(master.cells) or 2 * len(texts) >= len(released)


def _is_worked_on(cells: Sequence[Cell], master: Master) -> bool:
    """Whether a cell that students write in differs from what was released."""
    released = {name: words_of(cell.source) for name, cell in master.cells.items() if cell.metadata.nbgrader.solution}
    return any(cell.name in released and words_of(cell.source) != released[cell.name] for cell in cells)


def _read_regular(path: Path, most: int) -> bytes:
    """Read a regular file, never through a link, never more than `most` bytes.

    Raises:
        UnreadableError: if it is a link, a pipe, a device, has other names, or is too long.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise UnreadableError("it is a link, not a file") from error
        raise
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise UnreadableError("it is no regular file")
        if about.st_nlink > 1:
            raise UnreadableError("it is a hard link to a file that has other names too")
        if about.st_size > most:
            raise UnreadableError(f"it has {about.st_size >> 20} MiB; at most {most >> 20} MiB are read")
        return file.read(most + 1)
