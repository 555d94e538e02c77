"""Files that are there whole or not at all, whenever the program ends."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["write_over", "write_together", "write_whole"]


def write_whole(path: Path, content: str | bytes, mode: int | None = None) -> None:
    """Write a file under another name and put it into its place; a link that stands there is replaced, not followed.

    Args:
        content: texts become UTF-8.
        mode: its permissions, before anything is in it.
    """
    _prepared(path, content, mode).replace(path)


def write_over(path: Path, content: str | bytes) -> None:
    """Write a file of the user's, as `write_together` does."""
    write_together({path: content})


def write_together(contents: Mapping[Path, str | bytes]) -> None:
    """Write files of the user's: all of them, or none if the disk is full, so that the same command can come again.

    Links are followed and permissions kept, as an editor would; what is no file, as /dev/stdout, is written to.
    """
    prepared: dict[Path, Path] = {}
    path = Path()
    try:
        for path, content in contents.items():
            place = Path(os.path.realpath(path))
            if place.exists() and not place.is_file():
                place.write_bytes(_bytes(content))
            else:
                mode = place.stat().st_mode & 0o7777 if place.exists() else None
                prepared[place] = _prepared(place, content, mode)
        for place, temporary in prepared.items():
            temporary.replace(place)
    except BaseException as error:
        for temporary in prepared.values():
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # as the user wrote it, not where a link leads
        raise


def _prepared(path: Path, content: str | bytes, mode: int | None) -> Path:
    """A file beside `path` with its content; nothing is left of it if it cannot be written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if mode is not None:
            temporary.touch(mode=mode)
            temporary.chmod(mode)  # whatever the umask takes away
        temporary.write_bytes(_bytes(content))
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):  # which file it was about, also where the system does not say so
            error.filename = str(path)
        raise
    return temporary


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
