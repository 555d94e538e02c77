"""What students predicted in widgets, from the saved outputs of their notebooks.

A widget's still picture carries the locked prediction (`course_lib.widgets.still`).  Anybody can write such a thing
into a file, and no points hang on it: it is found by a pattern in the bytes, in linear time, and capped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from course_lib.checking.card import plain
from course_lib.widgets.still import PREDICTION

__all__ = ["Predicted", "PredictionStats", "count_predictions", "predictions_in"]

_MARK = re.compile(rb"\b%s=\\?[\"']([A-Za-z0-9%%._~;+-]{1,6000})\\?[\"']" % PREDICTION.encode())
_MOST = 200
_LONGEST = 300
_MOST_ANSWERS = 12


@dataclass(frozen=True)
class Predicted:
    """One locked prediction."""

    widget: str
    question: str
    said: str
    right: bool


@dataclass(frozen=True)
class PredictionStats:
    """A question over the class.

    Attributes:
        answers: what was said and by how many, the most frequent first.
        right: how many were right.
        of: how many predicted.
    """

    widget: str
    question: str
    answers: tuple[tuple[str, int], ...]
    right: int
    of: int


def predictions_in(data: bytes) -> dict[str, Predicted]:
    """Widget -> the last prediction that a submitted file holds of it."""
    found: dict[str, Predicted] = {}
    for number, match in enumerate(_MARK.finditer(data)):
        if number >= _MOST:
            break
        parts = [
            " ".join(plain(unquote(part, errors="replace")).split())[:_LONGEST] for part in match[1].decode().split(";")
        ]
        if len(parts) == 4 and all(parts[:3]) and parts[3] in ("right", "wrong"):
            found[parts[0]] = Predicted(parts[0], parts[1], parts[2], parts[3] == "right")
    return found


def count_predictions(class_: Iterable[Mapping[str, Predicted]]) -> tuple[PredictionStats, ...]:
    """Each question over a class, those that surprised most first.

    Of a widget the question that most answered counts: another one is an older release's, or made up.
    """
    by_widget: dict[str, list[Predicted]] = {}
    for one in class_:
        for predicted in one.values():
            by_widget.setdefault(predicted.widget, []).append(predicted)
    return tuple(sorted(map(_counted, by_widget.values()), key=lambda s: (s.right / s.of, s.widget)))


def _counted(given: list[Predicted]) -> PredictionStats:
    questions = Counter(predicted.question for predicted in given)
    question = min(questions, key=lambda text: (-questions[text], text))
    given = [predicted for predicted in given if predicted.question == question]
    said = Counter(predicted.said for predicted in given)
    answers = sorted(said.items(), key=lambda pair: (-pair[1], pair[0]))
    right = sum(predicted.right for predicted in given)
    return PredictionStats(given[0].widget, question, tuple(answers[:_MOST_ANSWERS]), right, len(given))
