"""Answers that are wrong in the same way, where the way has no name yet: candidates for a known mistake.

Compared are the answers to the question that everybody is asked (`autograder.grading.probe`).  Those that agree on
all of it, up to rounding, are a group; three make one that is worth a name.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autograder.exercise import Exercise
from autograder.grading.probe import probe_key, shown_of
from autograder.results import ExerciseResult, SubmissionResult

__all__ = ["SMALLEST", "UnnamedMistake", "unnamed_mistakes"]

SMALLEST = 3
"""So many students make a group."""
_TOLERANCE = 1e-3
_TINY = 1e-9


@dataclass(frozen=True)
class UnnamedMistake:
    """A group of answers.

    Attributes:
        name: short key, the same as long as the values are.
        students: who is in it, sorted; the first is the example.
        loses: slugs of the criteria that all of them lost.
        sentence: what the grader says of the first.
        case: the case and output that show it, in words.
        got: what they give there, shape and numbers, or an exception in words.
        expected: what is right there.
    """

    exercise: str
    name: str
    students: tuple[str, ...]
    loses: tuple[str, ...]
    sentence: str
    case: str
    got: str
    expected: str

    @property
    def example(self) -> str:
        """The student whose code is shown."""
        return self.students[0]


def unnamed_mistakes(
    results: Iterable[SubmissionResult], exercises: Mapping[str, Exercise], smallest: int = SMALLEST
) -> tuple[UnnamedMistake, ...]:
    """The groups of a class, the largest first.

    Args:
        smallest: how many students a group has at least.
    """
    answers: dict[str, list[tuple[str, ExerciseResult]]] = defaultdict(list)
    for result in sorted(results, key=lambda result: result.student):
        for name, answer in result.exercises.items():
            if answer.shown and name in exercises:
                answers[name].append((result.student, answer))
    found = [
        _described(exercises[name], group)
        for name, given in answers.items()
        for group in _groups(given)
        if len(group) >= smallest
    ]
    return tuple(sorted(found, key=lambda group: (-len(group.students), group.exercise, group.name)))


def _groups(answers: Sequence[tuple[str, ExerciseResult]]) -> list[list[tuple[str, ExerciseResult]]]:
    """Those that agree with the first of a group; groups are looked for only among answers of the same form."""
    by_form: dict[str, list[list[tuple[str, ExerciseResult]]]] = defaultdict(list)
    for student, answer in answers:
        groups = by_form[_form(answer.shown)]
        same = next((group for group in groups if _agree(group[0][1].shown, answer.shown)), None)
        if same is None:
            groups.append([(student, answer)])
        else:
            same.append((student, answer))
    return [group for groups in by_form.values() for group in groups]


def _form(shown: Mapping[str, Any]) -> str:
    """What must be equal to the letter: cases, shapes, exceptions."""
    return repr(sorted((entry, value if isinstance(value, str) else value[0]) for entry, value in shown.items()))


def _agree(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    pairs = ((value[1], other[entry][1]) for entry, value in one.items() if not isinstance(value, str))
    return all(_equal(ours, theirs) for ours, theirs in pairs)


def _equal(ours: Sequence[Any], theirs: Sequence[Any]) -> bool:
    scale = max((abs(number) for number in ours if isinstance(number, int | float)), default=0.0)
    return len(ours) == len(theirs) and all(
        a == b
        if isinstance(a, str) or isinstance(b, str)
        else math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE * scale + _TINY)
        for a, b in zip(ours, theirs, strict=True)
    )


def _described(exercise: Exercise, group: Sequence[tuple[str, ExerciseResult]]) -> UnnamedMistake:
    students = tuple(student for student, _ in group)
    first = group[0][1]
    lost = Counter(slug for _, answer in group for slug, met in answer.criteria.items() if met is False)
    case, got, expected = _difference(exercise, first.shown)
    return UnnamedMistake(
        exercise.id,
        _name(first.shown),
        students,
        tuple(criterion.slug for criterion in exercise.criteria if lost[criterion.slug] == len(group)),
        first.message,
        case,
        got,
        expected,
    )


def _name(shown: Mapping[str, Any]) -> str:
    """Four letters of a hash of the values to two digits, which rounding hardly ever changes."""
    coarse = sorted(
        (entry, value if isinstance(value, str) else [value[0], [_coarse(number) for number in value[1]]])
        for entry, value in shown.items()
    )
    return hashlib.sha256(repr(coarse).encode()).hexdigest()[:4]


def _coarse(number: Any) -> str:
    return f"{number:.2g}" if isinstance(number, int | float) and abs(number) > _TINY else str(bool(number))


def _difference(exercise: Exercise, shown: Mapping[str, Any]) -> tuple[str, str, str]:
    """The first place, a small case if there is one, where the group differs from what is right."""
    for case in probe_key(exercise).cases:
        for output, expected in case.expected.items():
            entry, right = f"{case.name} / {output}", shown_of(expected)
            got = shown.get(entry)
            if got is None or got == right:
                continue
            if isinstance(got, str) or isinstance(right, str) or got[0] != right[0] or not _equal(right[1], got[1]):
                return entry, _words(got), _words(right)
    return "", "", ""


def _words(value: Any, most: int = 6) -> str:
    """Numbers as people read them, the first few."""
    if isinstance(value, str):
        return value
    shape, numbers = value
    listed = ", ".join(f"{number:g}" if isinstance(number, int | float) else str(number) for number in numbers[:most])
    more = ", …" if math.prod(shape) > most else ""
    return f"{listed}{more}" + (f"  (shape {', '.join(map(str, shape))})" if shape else "")
