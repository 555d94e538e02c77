"""Files in a download: a folder, a zip, a zip inside a zip, or one file, read without trusting any of it.

Nothing is unpacked to disk.  Links, paths that lead outside, encrypted and oversized entries are refused by name; a zip
inside a zip is looked into, to a depth; what has been looked at is read when it is asked for.
"""

from __future__ import annotations

import functools
import io
import os
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import CourseError

__all__ = ["Refused", "Upload", "Uploads", "read_uploads"]

MAX_FILES = 100_000
MAX_FILE_BYTES = 64 << 20
MAX_TOTAL_BYTES = 32 << 30
MAX_RATIO = 200
"""A notebook full of zeros is compressed a thousandfold; honest ones, ten- to twentyfold."""
MAX_DEPTH = 3
_SMALL = 4 << 20
"""Below this size no ratio is suspicious: reading it costs nothing."""
_MAX_NAME = 1000
_JUNK = frozenset({"__macosx", ".ds_store", "thumbs.db", "desktop.ini", ".ipynb_checkpoints", "__pycache__"})


@dataclass(frozen=True)
class Upload:
    """A file of a download.

    Attributes:
        parts: its path: folders, and zips inside the download, then its name.
        size: bytes that it claims to have; `read` never returns more.
        read: its content; raises `OSError` if it cannot be had.
        path: where it lies on disk, if it does.
    """

    parts: tuple[str, ...]
    size: int
    read: Callable[[], bytes]
    path: Path | None = None

    @property
    def name(self) -> str:
        """Its path as people read it."""
        return "/".join(self.parts)


@dataclass(frozen=True)
class Refused:
    """A file that is not looked at, and why.

    Attributes:
        owned_by: what `--owner` calls it, or the folder that it is in; empty where no owner helps.
    """

    name: str
    reason: str
    owned_by: str = ""


@dataclass(frozen=True)
class Uploads:
    """What a download holds."""

    files: tuple[Upload, ...]
    refused: tuple[Refused, ...]


def read_uploads(path: Path) -> Uploads:
    """Look at a download.

    Args:
        path: a folder, a zip, or a single file.

    Raises:
        CourseError: if there is nothing, or far too much.
    """
    if path.is_dir():
        listed = list(_in_folder(path))
    elif path.is_file():
        upload = Upload((_clean(path.name),), path.stat().st_size, functools.partial(_read_file, path), path)
        listed = list(_in_archive(upload, (), 0)) if _is_archive(upload) else [upload]
    else:
        raise CourseError(f"{path} does not exist", "name the folder or the zip that the platform gave you")
    expanded = list(_limited(listed, path))
    return Uploads(
        tuple(found for found in expanded if isinstance(found, Upload)),
        tuple(found for found in expanded if isinstance(found, Refused)),
    )


def _limited(found: list[Upload | Refused], path: Path) -> Iterator[Upload | Refused]:
    total = 0
    for count, one in enumerate(found, start=1):
        total += one.size if isinstance(one, Upload) else 0
        if count > MAX_FILES or total > MAX_TOTAL_BYTES:
            limit = f"{MAX_FILES:,} files" if count > MAX_FILES else f"{MAX_TOTAL_BYTES >> 30} GiB"
            raise CourseError(f"{path} holds more than {limit}", "is it the download of one assignment?")
        yield one


def _in_folder(root: Path) -> Iterator[Upload | Refused]:
    unreadable: list[OSError] = []
    for folder, names, files in os.walk(root, onerror=unreadable.append):
        names[:] = sorted(name for name in names if not _is_junk((name,)))
        here = Path(folder)
        inside = here.relative_to(root).parts
        for name in [name for name in names if (here / name).is_symlink()]:
            yield Refused("/".join((*inside, _clean(name))), "it is a link")
        for name in sorted(files):
            parts = (*(_clean(part) for part in inside), _clean(name))
            path = here / name
            about = path.lstat()
            if _is_junk(parts):
                continue
            if not stat.S_ISREG(about.st_mode):
                yield Refused("/".join(parts), "it is a link" if path.is_symlink() else "it is no regular file")
                continue
            yield from _looked_into(Upload(parts, about.st_size, functools.partial(_read_file, path), path), 0)
    for error in unreadable:
        yield Refused(_clean(str(error.filename)), error.strerror or "it cannot be read")


def _looked_into(upload: Upload, depth: int) -> Iterator[Upload | Refused]:
    """A file, or what a zip holds."""
    if upload.size > MAX_FILE_BYTES:
        most = f"{MAX_FILE_BYTES >> 20} MiB"
        yield Refused(upload.name, f"it has {upload.size >> 20} MiB; at most {most} are read")
    elif _is_archive(upload):
        if depth >= MAX_DEPTH:
            yield Refused(upload.name, f"it is a zip in more than {MAX_DEPTH} others")
        else:
            yield from _in_archive(upload, upload.parts, depth + 1)
    else:
        yield upload


def _is_archive(upload: Upload) -> bool:
    return upload.parts[-1].lower().endswith(".zip")


def _in_archive(archive: Upload, inside: tuple[str, ...], depth: int) -> Iterator[Upload | Refused]:
    name = archive.name
    try:
        entries = _opened(archive).infolist()
        if len(entries) > MAX_FILES:
            yield Refused(name, f"it holds more than {MAX_FILES:,} files")
            return
        for entry in entries:
            if not entry.filename.endswith("/"):
                yield from _entry(archive, entry, inside, depth)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, zlib.error) as error:
        yield Refused(name, f"it is no zip that can be read ({' '.join(str(error).split())[:80]})")


def _opened(archive: Upload) -> zipfile.ZipFile:
    """An archive from disk, which may be larger than memory and is opened once; one inside another, from memory."""
    if archive.path is None:
        return zipfile.ZipFile(io.BytesIO(archive.read()))
    about = archive.path.stat()
    return _on_disk(archive.path, (about.st_ino, about.st_size, about.st_mtime_ns))


@functools.lru_cache(maxsize=4)
def _on_disk(path: Path, _: tuple[int, int, int]) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _entry(archive: Upload, entry: zipfile.ZipInfo, inside: tuple[str, ...], depth: int) -> Iterator[Upload | Refused]:
    text = _decoded(entry).replace("\\", "/")
    shown = "/".join((*inside, _clean(text)))[-200:]
    raw = text.split("/")
    if not text.strip(" ./"):
        yield Refused(shown, "it has no name")
    elif len(text) > _MAX_NAME:
        yield Refused(shown, "its name is too long")
    elif text.startswith("/") or ".." in raw or (len(raw[0]) == 2 and raw[0].endswith(":")):
        yield Refused(shown, "its path leads outside of the zip")
    elif _is_junk(parts := tuple(_clean(part) for part in raw if part not in ("", "."))):
        return
    elif stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        yield Refused(shown, "it is a link or no regular file")
    elif entry.flag_bits & 0x1:
        yield Refused(shown, "it is encrypted")
    elif entry.file_size > _SMALL and entry.file_size > MAX_RATIO * max(1, entry.compress_size):
        yield Refused(shown, f"it is compressed more than {MAX_RATIO} times, as only made-up files are")
    else:
        read = functools.partial(_read_entry, archive, entry)
        yield from _looked_into(Upload((*inside, *parts), entry.file_size, read), depth)


def _read_entry(archive: Upload, entry: zipfile.ZipInfo) -> bytes:
    try:
        with _opened(archive).open(entry) as file:
            return file.read(MAX_FILE_BYTES)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, KeyError, EOFError, zlib.error) as error:
        raise OSError(f"it cannot be unpacked ({' '.join(str(error).split())[:80]})") from error


def _read_file(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is no regular file")
        return file.read(MAX_FILE_BYTES)


def _decoded(entry: zipfile.ZipInfo) -> str:
    """An entry's name: many programs, Canvas among them, write UTF-8 without saying so."""
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename


def _clean(text: str) -> str:
    """A name in composed form, without control characters."""
    plain = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    return "".join(char if char.isprintable() else "_" for char in plain)


def _is_junk(parts: tuple[str, ...]) -> bool:
    return not parts or any(part.lower() in _JUNK for part in parts) or parts[-1].startswith((".", "~$"))
