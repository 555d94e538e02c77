"""Pictures that students paste into their answers: JupyterLab keeps them in the cell, as attachments.

A picture passes if it is a PNG or a JPEG of a reasonable size; whatever else an attachment holds does not.  nbconvert
refuses a whole page for one reference to a picture that is not there, so such references become text.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, TypeGuard
from urllib.parse import quote, unquote

__all__ = ["Attachments", "as_code", "attached", "is_picture", "named_plainly", "without_dangling"]

Attachments = Mapping[str, Mapping[str, str]]
"""File name -> media type -> base64."""

MAX_CHARACTERS = 3 << 20
"""Of one picture, in base64; a photograph from a telephone fits in."""
MAX_PIXELS = 40_000_000
_MAX_PICTURES = 12
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_JPEG = b"\xff\xd8\xff"
_SIZES_OF_JPEG = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_ADDRESS = "attachment:"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_REFERENCE = re.compile(r"attachment:([^\s)\"'<>\]]{0,300})")
_IN_MARKDOWN = re.compile(r"!\[[^\]\n]*\]\(\s?\Z")
_LONGEST_WORDS = 300
_LONGEST_RENDERED = 25_000


def attached(claimed: Any) -> Attachments:
    """The pictures among what a submitted cell says is attached to it."""
    kept: dict[str, dict[str, str]] = {}
    for name, bundle in claimed.items() if isinstance(claimed, dict) else ():
        if not isinstance(name, str) or not isinstance(bundle, dict) or len(kept) >= _MAX_PICTURES:
            continue
        if not 0 < len(name) <= _LONGEST_WORDS:
            continue
        for media, data in bundle.items():
            text = "".join(map(str, data)) if isinstance(data, list) else data
            text = text.replace("\n", "") if isinstance(text, str) else text
            if is_picture(text) and media in ("image/png", "image/jpeg"):
                kept[name] = {media: text}
                break
    return kept


def is_picture(data: Any) -> TypeGuard[str]:
    """Whether this is a PNG or JPEG in base64 that a browser can show without harm: its pixels are counted, too."""
    if not isinstance(data, str) or len(data) > MAX_CHARACTERS:
        return False
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return False
    width, height = _size_of_png(raw) or _size_of_jpeg(raw) or (0, 0)
    return 0 < width * height <= MAX_PIXELS


def _size_of_png(raw: bytes) -> tuple[int, int] | None:
    if not raw.startswith(_PNG) or len(raw) < 24:
        return None
    return int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:24], "big")


def _size_of_jpeg(raw: bytes) -> tuple[int, int] | None:
    """From the frame header: segments are skipped one after the other until it comes."""
    at = 2 if raw.startswith(_JPEG) else len(raw)
    while at + 9 < len(raw) and raw[at] == 0xFF:
        if raw[at + 1] in _SIZES_OF_JPEG:
            height, width = raw[at + 5 : at + 7], raw[at + 7 : at + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        at += 1 if raw[at + 1] == 0xFF else 2 + max(2, int.from_bytes(raw[at + 2 : at + 4], "big"))
    return None


def named_plainly(source: str, pictures: Attachments) -> tuple[str, Attachments]:
    """Markdown and its pictures, with plain names for those whose names editors write in several ways.

    ``a (1).png`` may stand there as it is or with ``%20``, ``%28``; nbconvert finds none of them.
    """
    spelled = {spelling: name for name in pictures if not _PLAIN_NAME.fullmatch(name) for spelling in _spellings(name)}
    if not spelled:
        return source, pictures
    stem = "picture"
    while any(name.startswith(stem) for name in pictures):
        stem += "-"
    plain = {name: f"{stem}{n}.{_ending(name)}" for n, name in enumerate(pictures, 1) if name in spelled.values()}
    begin, *parts = source.split(_ADDRESS)
    renamed = [begin]
    for part in parts:
        spelling = max((s for s in spelled if part.startswith(s)), key=len, default="")
        renamed.append(f"{plain[spelled[spelling]]}{part[len(spelling) :]}" if spelling else part)
    return _ADDRESS.join(renamed), {plain.get(name, name): media for name, media in pictures.items()}


def _spellings(name: str) -> set[str]:
    kept_signs = ("", "!*'()~", "!*'()~;,/?:@&=+$#", "!*'~;,/?:@&=+$#")  # of JavaScript's two ways, and Jupyter's own
    return {name, *(quote(name, safe=signs) for signs in kept_signs)}


def _ending(name: str) -> str:
    return "png" if name.lower().endswith(".png") else "jpeg"


def without_dangling(source: str, pictures: Attachments) -> str:
    """Markdown in which every reference to an attachment has its picture, so that nbconvert makes a page of it."""
    parts: list[str] = []
    end = 0
    for found in _REFERENCE.finditer(source):
        if found[1] in pictures:
            continue
        before = _IN_MARKDOWN.search(source[max(end, found.start() - _LONGEST_WORDS) : found.start()])
        close = source.find(")", found.end(), found.end() + _LONGEST_WORDS) if before else -1
        begin = found.start() - len(before[0]) if before and close >= 0 else found.start()
        name = unquote(found[1]) or "without a name"
        parts.append(source[end:begin])
        parts.append(f"[picture missing: {name}]" if begin < found.start() else f"missing-picture-{found[1]}")
        end = close + 1 if begin < found.start() else found.end()
    source = "".join([*parts, source[end:]])
    return source if _renders(source, pictures) else as_code(source)


def as_code(text: str) -> str:
    """Markdown that shows a text as it is."""
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _renders(source: str, pictures: Attachments) -> bool:
    """Whether nbconvert takes it: a reference can be hidden behind entities, too."""
    if "![" not in source and "<img" not in source.lower():
        return True
    if len(source) > _LONGEST_RENDERED:
        return False
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    attachments = {name: dict(media) for name, media in pictures.items()}
    try:
        MarkdownWithMath(renderer=IPythonRenderer(escape=False, attachments=attachments)).render(source)
    except Exception:  # it meets odd references with several
        return False
    return True
