"""What was handed in: `submitted/<student>/<assignment>/`, read without trusting it.

A student can put anything into that folder: links to other files, pipes, wrong names.  Only regular files inside the
folder itself are read, never through a link.
"""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nbgrader.utils import parse_utc

from autograder.course import Course
from autograder.errors import CourseError
from autograder.submissions.notebook import MAX_BYTES, Master, UnreadableError, read_cells

__all__ = ["Job", "Submission", "students_of"]


@dataclass(frozen=True)
class Job:
    """What there is to grade: plain data, so that it can travel to another machine.

    Attributes:
        data: the submitted file; None if there is none.
        problem: why there is none, or what is odd about it ("the file was named ...").
        late_s: seconds after the due date.
    """

    student: str
    data: bytes | None
    problem: str = ""
    late_s: float = 0.0

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
    found = sorted(entry.name for entry in _folders(root) if _is_there(Path(entry.path) / assignment))
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
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield entry


def _is_there(path: Path) -> bool:
    """Whether something lies there; what it is, `Submission.job` finds out."""
    try:
        path.lstat()
    except OSError:
        return False
    return True


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

    def _problem(self) -> str:
        """Why nothing in the folder is looked at; empty if it is a folder of its own."""
        try:
            kind = self.folder.lstat().st_mode
        except OSError as error:
            return f"the folder cannot be read: {error.strerror}"
        if stat.S_ISLNK(kind):
            return "the submission's folder is a link to another place"
        return "" if stat.S_ISDIR(kind) else "there is a file where the submission's folder should be"

    def job(self, master: Master, due: dt.datetime | None) -> Job:
        """What there is to grade.  A single notebook under a wrong name is taken if it is plainly this assignment's."""
        when = self.timestamp()
        late = (when - due).total_seconds() if when is not None and due is not None else 0.0
        name = f"{master.notebook}.ipynb"
        if problem := self._problem():
            return Job(self.student, None, problem)
        try:
            return Job(self.student, _read_regular(self.folder / name, MAX_BYTES), late_s=max(0.0, late))
        except FileNotFoundError:
            pass
        except (OSError, UnreadableError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return Job(self.student, None, f"{name} cannot be read: {reason}", max(0.0, late))
        others = self._other_notebooks()
        data = self._if_ours(others[0], master) if len(others) == 1 else None
        if data is not None:
            return Job(self.student, data, f"the file was named {others[0]!r} instead of {name!r}", max(0.0, late))
        found = f"found {', '.join(map(repr, others[:5]))}" if others else "the folder holds no notebook"
        return Job(self.student, None, f"there is no {name}; {found}", max(0.0, late))

    def _other_notebooks(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self.folder) if entry.name.lower().endswith(".ipynb"))
        except OSError:
            return []

    def _if_ours(self, name: str, master: Master) -> bytes | None:
        try:
            data = _read_regular(self.folder / name, MAX_BYTES)
            ids = {cell.name for cell in read_cells(data)}
        except (OSError, UnreadableError):
            return None
        return data if 2 * len(ids & set(master.cells)) >= len(master.cells) else None


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
