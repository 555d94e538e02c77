"""What a student handed in, each time: `.autograder/ASSIGNMENT/tries/STUDENT/N/`, and which of them is to be graded.

Tries are never changed nor removed.  `submitted/STUDENT/ASSIGNMENT/` holds a copy of one of them; whatever else lies
there becomes a try before it is replaced.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from autograder.course import Course
from autograder.whole_files import write_whole

__all__ = ["Tries", "Try"]

_TIMESTAMP = "timestamp.txt"
_OURS = (_TIMESTAMP, "submission_secret.txt")


@dataclass(frozen=True)
class Try:
    """One time that a student handed in.

    Attributes:
        number: from 1, in the order of collecting.
        digest: SHA-256 of names and contents; empty for what was found in `submitted/` and holds no plain files only.
        origin: names of the files as the platform gave them.
        collected: when, in UTC.
        submitted: when it was handed in (UTC), if known.
        late: what Canvas said; None if nobody did.
    """

    number: int
    digest: str
    origin: tuple[str, ...]
    collected: str
    submitted: str = ""
    late: bool | None = None

    @property
    def order(self) -> tuple[str, int]:
        """Later tries have a greater one."""
        return self.submitted or self.collected, self.number


@dataclass(frozen=True)
class Tries:
    """All tries of one student for an assignment."""

    course: Course
    assignment: str
    student: str

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.course.root / ".autograder" / self.assignment / "tries" / self.student

    @property
    def place(self) -> Path:
        """Where the one that is graded lies."""
        return self.course.submitted / self.student / self.assignment

    def all(self) -> list[Try]:
        """All of them, in the order of collecting."""
        found = []
        for path in self.folder.glob("*.json"):
            data = json.loads(path.read_text(encoding="utf-8"))
            found.append(Try(**{**data, "origin": tuple(data["origin"])}))
        return sorted(found, key=lambda one: one.number)

    def files(self, number: int) -> Path:
        """The folder of one try."""
        return self.folder / str(number)

    def in_place(self) -> Try | None:
        """The try that lies in `submitted/`; None if something else lies there, or nothing."""
        digest = digest_of(self.place)
        return next((one for one in reversed(self.all()) if digest and one.digest == digest), None)

    def has(self, files: Mapping[str, bytes]) -> bool:
        """Whether a try has just these files."""
        digest = _digest(files)
        return any(one.digest == digest for one in self.all()) or digest_of(self.place) == digest

    def add(
        self,
        files: Mapping[str, bytes],
        origin: tuple[str, ...],
        submitted: dt.datetime | None = None,
        late: bool | None = None,
    ) -> Try | None:
        """Keep a try; None if the student's latest one is the same.

        Args:
            files: name -> content.
            submitted: when it was handed in (UTC, naive), if known.
            late: what Canvas says.
        """
        self._keep_what_lies_there()
        digest = _digest(files)
        known = self.all()
        same = next((one for one in known if one.digest == digest), None)
        when = submitted.isoformat(" ") if submitted is not None else ""
        if same is not None and (not when or when <= same.submitted or not same.submitted):
            if when and not same.submitted:  # the same files again, with a roster that knows the time
                self._note(
                    Try(same.number, digest, same.origin, same.collected, when, same.late if late is None else late)
                )
                _write_time(self.files(same.number), when)
            return None
        number = self._next()
        with _appearing(self.files(number)) as scratch:
            for name, content in files.items():
                (scratch / name).write_bytes(content)
            _write_time(scratch, when)
        added = Try(number, digest, origin, _now(), when, late)
        self._note(added)
        return added

    def put_in_place(self, number: int) -> bool:
        """Let this try be the one that is graded; False if it is already."""
        self._keep_what_lies_there()
        wanted = next(one for one in self.all() if one.number == number)
        current = digest_of(self.place)
        if current and current == wanted.digest and _time_of(self.place) == _time_of(self.files(number)):
            return False
        with _appearing(self.place) as scratch:  # what lies there is a copy of a try
            shutil.copytree(self.files(number), scratch, dirs_exist_ok=True, symlinks=True)
        return True

    def _keep_what_lies_there(self) -> None:
        """Make a try of what came to `submitted/` by another way, by the exchange or by hand."""
        try:
            self.place.lstat()
        except OSError:
            return
        digest = digest_of(self.place)
        known = self.all()
        if digest and any(one.digest == digest for one in known):
            return
        number, when = self._next(), _time_of(self.place)
        self.folder.mkdir(parents=True, exist_ok=True)
        if digest:
            with _appearing(self.files(number)) as scratch:
                shutil.copytree(self.place, scratch, dirs_exist_ok=True)
        else:  # links or folders: moved as it is, for a copy would follow them
            self.place.rename(self.files(number))
        self._note(
            Try(number, digest, (f"{self.course.submitted.name}/{self.student}/{self.assignment}",), _now(), when)
        )

    def _next(self) -> int:
        """A number that nothing has, not even a folder that was left when collecting was cut off."""
        names = [path.stem for path in self.folder.glob("[0-9]*")]
        return max((int(name) for name in names if name.isdecimal()), default=0) + 1

    def _note(self, one: Try) -> None:
        path = self.folder / f"{one.number}.json"
        write_whole(path, json.dumps(asdict(one), ensure_ascii=False))


@contextmanager
def _appearing(place: Path) -> Iterator[Path]:
    """A folder to fill, which then stands in its place as a whole, or is gone if filling it fails."""
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        yield scratch
        if place.exists():
            shutil.rmtree(place)
        scratch.chmod(0o755)
        scratch.rename(place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def digest_of(folder: Path) -> str:
    """SHA-256 of the files of a folder; empty if it holds anything but plain files, or is none itself."""
    try:
        if folder.is_symlink():
            return ""
        entries = list(os.scandir(folder))
        if not all(entry.is_file(follow_symlinks=False) for entry in entries):
            return ""
        return _digest({entry.name: Path(entry.path).read_bytes() for entry in entries if entry.name not in _OURS})
    except OSError:
        return ""


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
        whole.update(hashlib.sha256(files[name]).digest())
    return whole.hexdigest()


def _write_time(folder: Path, when: str) -> None:
    if when:
        (folder / _TIMESTAMP).write_text(f"{when} UTC\n", encoding="utf-8")


def _time_of(folder: Path) -> str:
    try:
        path = folder / _TIMESTAMP
        text = "" if path.is_symlink() else path.read_bytes()[:100].decode().strip()
        return dt.datetime.fromisoformat(text.removesuffix(" UTC")).isoformat(" ")
    except (OSError, ValueError):
        return ""


def _now() -> str:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None).isoformat(" ", "seconds")
