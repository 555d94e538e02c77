"""Files that are there whole or not at all, whenever the program ends."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, content: str | bytes, mode: int | None = None) -> None:
    """Write a file under another name and put it into its place.

    Args:
        content: texts become UTF-8.
        mode: its permissions, before anything is in it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    if mode is not None:
        temporary.touch(mode=mode)
    temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    temporary.replace(path)
