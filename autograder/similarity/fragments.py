"""Code as a set of short fragments that survive renaming, reformatting and moving.

Winnowing after Schleimer, Wilkerson and Aiken, *Winnowing: Local Algorithms for Document Fingerprinting*, SIGMOD 2003:
hashes of all runs of tokens, of which the smallest of every window is kept.  Names that the author chose are all the
same token; attributes (`torch.mean`), built-in names, keywords and numbers stay.
"""

from __future__ import annotations

import builtins
import hashlib
import io
import keyword
import re
import token
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["Fragments", "fragments_of", "remarks_in"]

_RUN = 7
_WINDOW = 4
"""Whatever `_RUN + _WINDOW - 1` tokens two texts share is found."""
_MOST_CHARACTERS = 50_000
_SHORTEST_REMARK = 12
_KEPT = frozenset(keyword.kwlist) | frozenset(vars(builtins))
_LEFT_OUT = frozenset(
    {token.COMMENT, token.NL, token.NEWLINE, token.INDENT, token.DEDENT, token.ENDMARKER, token.ENCODING}
)
_UNDECIDED = (SyntaxError, tokenize.TokenError, IndentationError, ValueError)


@dataclass(frozen=True)
class Fragments:
    """The fragments of one piece of code.

    Attributes:
        lines: fragment -> the lines (from 1) in which it stands.
        remarks: comments and longer texts, as people write them -> their line.
    """

    lines: Mapping[int, frozenset[int]] = field(default_factory=dict)
    remarks: Mapping[str, int] = field(default_factory=dict)


def fragments_of(source: str) -> Fragments:
    """The fragments of a cell; of code that is no Python as far as it can be read."""
    words: list[str] = []
    places: list[int] = []
    remarks: dict[str, int] = {}
    after_dot = False
    for found in _tokens(source[:_MOST_CHARACTERS]):
        if found.type in (token.COMMENT, token.STRING):
            remarks.update((remark, found.start[0]) for remark in remarks_in(found.string))
        if found.type in _LEFT_OUT:
            continue
        words.append(_word(found, after_dot))
        places.append(found.start[0])
        after_dot = found.string == "."
    return Fragments(_winnowed(words, places), remarks)


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    try:
        yield from tokenize.generate_tokens(io.StringIO(source).readline)
    except _UNDECIDED:
        return


def _word(found: tokenize.TokenInfo, after_dot: bool) -> str:
    if found.type == token.NAME:
        return found.string if after_dot or found.string in _KEPT else "V"
    return "S" if found.type == token.STRING else found.string


def _winnowed(words: list[str], places: list[int]) -> dict[int, frozenset[int]]:
    runs = [_hash(words[n : n + _RUN]) for n in range(len(words) - _RUN + 1)]
    chosen: dict[int, set[int]] = {}
    for start in range(max(1, len(runs) - _WINDOW + 1) if runs else 0):
        window = runs[start : start + _WINDOW]
        smallest = min(window)
        at = start + len(window) - 1 - window[::-1].index(smallest)
        chosen.setdefault(smallest, set()).update(places[at : at + _RUN])
    return {run: frozenset(lines) for run, lines in chosen.items()}


def _hash(words: list[str]) -> int:
    return int.from_bytes(hashlib.blake2b("\0".join(words).encode(errors="replace"), digest_size=7).digest())


def remarks_in(text: str) -> Iterator[str]:
    """The lines of a comment or text that are long enough to be somebody's own, without signs and case."""
    for line in text.splitlines()[:50]:
        words = " ".join(re.findall(r"\w+", line.lower()[:400]))
        if len(words) >= _SHORTEST_REMARK:
            yield words
