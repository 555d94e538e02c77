"""Tables as spreadsheets save them: in one of several encodings, with commas, semicolons or tabs."""

from __future__ import annotations

__all__ = ["decoded", "separator"]


def decoded(data: bytes) -> str | None:
    """The text of a file; None if it is none."""
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    return None


def separator(text: str) -> str:
    """What separates the columns of the first line."""
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)
