"""Which two submissions have most in common that is rare.

In a small exercise right answers are alike, so likeness alone accuses the class.  Here a shared fragment counts as
many bits as it is rare: `log2(N / n)` where `n` of `N` students have it.  What everybody wrote, or was given, counts
nothing.  Rare remarks and rare wrong answers count in the same way.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from autograder.similarity.fragments import Fragments

__all__ = ["Pair", "Shared", "Work", "find_pairs", "typical"]

_RARE = 0.1
"""A thing that at most a tenth of the class has (or two of them) is named as evidence."""
_LITTLE = 50.0
"""Bits below the line of the likeness: about what ten rare fragments are worth in a class of thirty."""
_MISTAKE, _REMARK = 8.0, 5.0
"""A wrong answer or a remark stands for several fragments of code."""


@dataclass(frozen=True)
class Work:
    """What is compared of one student.

    Attributes:
        code: exercise -> fragments of its solution cell.
        mistakes: what is wrong in a way that can be told: (exercise, name).
    """

    student: str
    code: Mapping[str, Fragments]
    mistakes: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Shared:
    """What two have in common in one exercise.

    Attributes:
        bits: how much, with the rarity of each part.
        lines: of the one and of the other: where rare parts stand.
    """

    exercise: str
    bits: float
    lines: tuple[frozenset[int], frozenset[int]]


@dataclass(frozen=True)
class Pair:
    """Two submissions.

    Attributes:
        likeness: what they have in common, of what either has, by rarity: 0 to 1.
        bits: what they have in common, in all.
        exercises: where, most first.
        mistakes: wrong answers that only few have: (exercise, name, how many have it).
        remarks: remarks that only few have: (exercise, text, how many have it).
    """

    students: tuple[str, str]
    likeness: float
    bits: float
    exercises: tuple[Shared, ...]
    mistakes: tuple[tuple[str, str, int], ...]
    remarks: tuple[tuple[str, str, int], ...]


_Thing = tuple[str, str, object]


def _things(work: Work, given: frozenset[int], given_remarks: frozenset[str]) -> dict[_Thing, float]:
    """Everything that can be shared, and how many times it counts."""
    found: dict[_Thing, float] = {("mistake", exercise, name): _MISTAKE for exercise, name in work.mistakes}
    for exercise, fragments in work.code.items():
        found |= {("code", exercise, run): 1.0 for run in fragments.lines if run not in given}
        found |= {("remark", exercise, text): _REMARK for text in fragments.remarks if text not in given_remarks}
    return found


def find_pairs(works: Sequence[Work], given: Sequence[Fragments] = (), most: int = 30) -> tuple[list[Pair], np.ndarray]:
    """The pairs that are most alike, most first, and the likeness of all pairs.

    Likeness is the cosine of what two have, each part by its rarity; a little is added below the line, so that two who
    have hardly anything of their own are not alike for it.

    Args:
        given: fragments of what students were handed out: they count nothing.
        most: how many pairs.
    """
    code = frozenset(run for fragments in given for run in fragments.lines)
    remarks = frozenset(text for fragments in given for text in fragments.remarks)
    things = [_things(work, code, remarks) for work in works]
    count = Counter(thing for own in things for thing in own)
    bits = _common(things, count)
    own = np.array([sum(times * _rarity(count[t], len(works)) for t, times in had.items()) for had in things])
    alike = bits / (np.sqrt(np.outer(own, own)) + _LITTLE)
    upper = np.triu_indices(len(works), 1)
    every = alike[upper]
    order = np.argsort(-every, kind="stable")[:most]
    found = [(int(upper[0][n]), int(upper[1][n])) for n in order if every[n] > 0]
    return [
        _pair((works[a], works[b]), (things[a], things[b]), count, len(works), float(alike[a, b]), float(bits[a, b]))
        for a, b in found
    ], every


def _common(things: Sequence[Mapping[_Thing, float]], count: Mapping[_Thing, int]) -> np.ndarray:
    """Bits that each two have in common, (N, N); on the diagonal what one has that another could share."""
    shared = {thing: number for number, thing in enumerate(t for t, n in count.items() if n > 1)}
    rows, columns, weights = [], [], []
    for row, own in enumerate(things):
        for thing, times in own.items():
            if thing in shared:
                rows.append(row)
                columns.append(shared[thing])
                weights.append(math.sqrt(times * _rarity(count[thing], len(things))))
    matrix = csr_matrix((weights, (rows, columns)), shape=(len(things), max(1, len(shared))))
    return np.asarray((matrix @ matrix.T).todense())


def _rarity(having: int, of: int) -> float:
    return math.log2(of / having)


def _pair(
    works: tuple[Work, Work],
    things: tuple[Mapping[_Thing, float], Mapping[_Thing, float]],
    count: Mapping[_Thing, int],
    of: int,
    likeness: float,
    bits: float,
) -> Pair:
    common = [thing for thing in things[0] if thing in things[1]]
    rare = [thing for thing in common if count[thing] <= max(2, _RARE * of)]
    by_exercise: dict[str, float] = {}
    for thing in common:
        by_exercise[thing[1]] = by_exercise.get(thing[1], 0.0) + things[0][thing] * _rarity(count[thing], of)
    runs: dict[str, list[int]] = {}
    for kind, exercise, what in rare:
        if kind == "code" and isinstance(what, int):
            runs.setdefault(exercise, []).append(what)
    named = [(kind, exercise, str(what), count[kind, exercise, what]) for kind, exercise, what in rare]
    return Pair(
        (works[0].student, works[1].student),
        likeness,
        bits,
        tuple(
            Shared(exercise, value, (_lines(works[0], exercise, runs), _lines(works[1], exercise, runs)))
            for exercise, value in sorted(by_exercise.items(), key=lambda item: (-item[1], item[0]))
            if value > 0
        ),
        tuple(sorted(found[1:] for found in named if found[0] == "mistake")),
        tuple(sorted(found[1:] for found in named if found[0] == "remark")),
    )


def _lines(work: Work, exercise: str, runs: Mapping[str, Sequence[int]]) -> frozenset[int]:
    of_exercise = work.code[exercise].lines if exercise in work.code else {}
    return frozenset(line for run in runs.get(exercise, ()) for line in of_exercise.get(run, ()))


def typical(every: np.ndarray) -> tuple[float, float]:
    """The likeness of the pair in the middle, and what only one pair in a hundred exceeds."""
    if not len(every):
        return 0.0, 0.0
    return float(np.median(every)), float(np.quantile(every, 0.99))
