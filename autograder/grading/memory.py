"""What was judged before: most answers of a class are right, and many are the same to the last bit.

A verdict and its card follow from the hidden cases that were asked, the bytes that came back, and the advice about
GPUs; nothing else of a submission goes into them.  So equal bytes need not be judged again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from autograder.grading.marking import Marked

__all__ = ["Judged", "Memory", "Place"]

_MOST_CHARACTERS = 16 << 20
_LARGEST = 64 << 10
"""Of one card and its reasons; ordinary ones have 2,000 to 12,000."""

Place = tuple[bytes, bytes, tuple[str, ...]]
"""Digests of what was asked and of what came, and advice."""


@dataclass(frozen=True)
class Judged:
    """A judged exercise.  It may stand in several submissions, so nothing in it is ever changed.

    Attributes:
        banned: whether points were withheld for a forbidden operation.
        unnamed: whether values are wrong in a way that no known mistake explains.
    """

    marked: Marked
    banned: bool
    unnamed: bool

    @property
    def characters(self) -> int:
        """About what it takes."""
        result = self.marked.result
        texts = (self.marked.html, self.marked.text, result.message, result.counterexample)
        return 1000 + sum(map(len, (*texts, *result.reasons.values(), *result.advice, *result.withheld)))


class Memory:
    """Judged exercises of one batch in one process; beyond its size it forgets what was not asked for longest.

    Args:
        most: characters of all that is kept.
    """

    def __init__(self, most: int = _MOST_CHARACTERS) -> None:
        self._most = most
        self._kept: dict[Place, Judged] = {}
        self._lock = threading.Lock()  # workers of a cluster have several threads
        self.characters = 0

    def __len__(self) -> int:
        return len(self._kept)

    def recall(self, place: Place) -> Judged | None:
        """What was judged of the same bytes, if it is still known."""
        with self._lock:
            found = self._kept.pop(place, None)
            if found is not None:
                self._kept[place] = found  # behind all that was asked for earlier
            return found

    def keep(self, place: Place, judged: Judged) -> None:
        """Remember, unless it is larger than honest answers make it."""
        size = judged.characters
        if size > min(_LARGEST, self._most):
            return
        with self._lock:
            if place in self._kept:
                return
            self._kept[place] = judged
            self.characters += size
            while self.characters > self._most:
                self.characters -= self._kept.pop(next(iter(self._kept))).characters
