"""A text without its blanks: editors change those, and what a person wrote stays the same."""

from __future__ import annotations

from functools import lru_cache

__all__ = ["words_of"]

_SHORT = 4_000


def words_of(text: str) -> str:
    """The words of a text with one blank between two; most texts of a class are those that were released."""
    return _remembered(text) if len(text) <= _SHORT else _words_of(text)


def _words_of(text: str) -> str:
    return " ".join(text.split())


_remembered = lru_cache(maxsize=1024)(_words_of)
