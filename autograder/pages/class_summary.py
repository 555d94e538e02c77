"""A class in figures: what the report shows, computed from the results alone.

Everything here is a pure function of `SubmissionResult`s and of the exercises' definitions; nothing is read or
written.  Students who handed in nothing readable count with 0 points, as they do in the gradebook.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autograder.exercise import Exercise
from autograder.gradebook.adjustments import Adjustments, adjusted
from autograder.pages.attention import Attention, attention_of
from autograder.results import ExerciseResult, SubmissionResult
from autograder.similarity.unnamed_mistakes import UnnamedMistake, unnamed_mistakes

__all__ = [
    "AdviceStats",
    "Bin",
    "ClassSummary",
    "CriterionStats",
    "ExerciseStats",
    "MisconceptionStats",
    "StudentRow",
    "UnexplainedStats",
    "summarise",
]

BINS = 10
_NOT_TRIED = frozenset({"NotImplementedError", "missing", "NameError"})
"""Kinds of failures of those who have not written it, or not under its name."""


@dataclass(frozen=True)
class Bin:
    """One bar of the distribution: scores in [low, high) percent; the last bar includes 100."""

    low: int
    high: int
    count: int


@dataclass(frozen=True)
class CriterionStats:
    """How many met one criterion, of those in whose answers it could be judged."""

    slug: str
    title: str
    points: float
    met: int
    of: int

    @property
    def rate(self) -> float:
        """Share that met it, 0 to 1."""
        return self.met / self.of if self.of else 0.0


@dataclass(frozen=True)
class ExerciseStats:
    """One exercise over the class.

    Attributes:
        mean: mean points.
        full: how many have every point.
    """

    id: str
    max_score: float
    mean: float
    full: int
    of: int
    criteria: tuple[CriterionStats, ...]

    @property
    def rate(self) -> float:
        """Mean share of the points, 0 to 1."""
        return self.mean / self.max_score if self.max_score else 0.0


@dataclass(frozen=True)
class MisconceptionStats:
    """A recognized mistake and who made it."""

    exercise: str
    slug: str
    hint: str
    students: tuple[str, ...]


@dataclass(frozen=True)
class UnexplainedStats:
    """Wrong answers to an exercise that match no known mistake: candidates for the list, or for a look."""

    exercise: str
    students: tuple[str, ...]


@dataclass(frozen=True)
class AdviceStats:
    """A remark without points, as "will fail on a GPU": said by the students' processes, so not proved."""

    exercise: str
    text: str
    students: tuple[str, ...]


@dataclass(frozen=True)
class StudentRow:
    """One line of the table of students."""

    student: str
    status: str
    score: float
    max_score: float
    misconceptions: tuple[str, ...]
    flags: tuple[str, ...]
    seconds: float

    @property
    def rate(self) -> float:
        """Share of the automatic points, 0 to 1."""
        return self.score / self.max_score if self.max_score else 0.0


@dataclass(frozen=True)
class ClassSummary:
    """What the report shows."""

    assignment: str
    max_score: float
    mean: float
    median: float
    full: int
    seconds: float
    sandboxes: tuple[str, ...]
    devices: tuple[str, ...]
    bins: tuple[Bin, ...]
    exercises: tuple[ExerciseStats, ...]
    misconceptions: tuple[MisconceptionStats, ...]
    unnamed: tuple[UnnamedMistake, ...]
    unexplained: tuple[UnexplainedStats, ...]
    advice: tuple[AdviceStats, ...]
    attention: tuple[Attention, ...]
    students: tuple[StudentRow, ...]

    @property
    def with_known_mistakes(self) -> int:
        """How many students made a mistake that has a name."""
        return sum(bool(row.misconceptions) for row in self.students)

    @property
    def to_look_at(self) -> int:
        """How many submissions a person has to do something about, or to decide on."""
        return len({student for found in self.attention if found.level != "know" for student in found.students})


def summarise(
    assignment: str,
    results: Iterable[SubmissionResult],
    exercises: Mapping[str, Exercise] | None = None,
    adjustments: Adjustments | None = None,
) -> ClassSummary:
    """Count everything that the report shows.

    Args:
        results: in any order; one per student.
        exercises: the definitions, for titles, hints and order; what they do not know is shown by its slug.
        adjustments: exercises that do not count as they are; scores are those that count, an exercise's own figures are
            those that were earned.
    """
    known = exercises or {}
    everybody = sorted(results, key=lambda result: result.student)
    counted_all = adjusted(everybody, adjustments or {})
    max_score = _max_score(counted_all, known, adjustments or {})
    counted = [result for result in counted_all if result.status != "ungraded"]  # whose points nobody knows
    ordered = [result for result in everybody if result.status != "ungraded"]
    rows = tuple(_row(result, max_score) for result in counted)
    scores = [row.score for row in rows]
    return ClassSummary(
        assignment=assignment,
        max_score=max_score,
        mean=statistics.fmean(scores) if scores else 0.0,
        median=statistics.median(scores) if scores else 0.0,
        full=sum(row.max_score > 0 and row.score >= row.max_score for row in rows),
        seconds=sum(result.seconds for result in ordered),
        sandboxes=tuple(sorted({result.sandbox for result in ordered if result.sandbox})),
        devices=tuple(sorted({result.device for result in ordered if result.device})),
        bins=_bins([row.rate for row in rows]),
        exercises=tuple(_exercise_stats(name, ordered, known.get(name)) for name in _exercise_names(ordered, known)),
        misconceptions=_misconceptions(ordered, known),
        unnamed=unnamed_mistakes(ordered, known),
        unexplained=_unexplained(ordered),
        advice=_advice(ordered),
        attention=attention_of(everybody),
        students=tuple(_row(result, max_score) for result in counted_all),
    )


def _max_score(results: Sequence[SubmissionResult], known: Mapping[str, Exercise], adjustments: Adjustments) -> float:
    if known:
        return sum(
            adjustments[name].max_score(exercise.points) if name in adjustments else exercise.points
            for name, exercise in known.items()
        )
    return max((result.max_score for result in results), default=0.0)


def _row(result: SubmissionResult, max_score: float) -> StudentRow:
    slugs = dict.fromkeys(slug for exercise in result.exercises.values() for slug in exercise.misconceptions)
    return StudentRow(
        result.student, result.status, result.score, max_score, tuple(slugs), result.flags, result.seconds
    )


def _bins(rates: Sequence[float]) -> tuple[Bin, ...]:
    counts = [0] * BINS
    for rate in rates:
        # A rounding error must not move 70% into the bin below.
        counts[min(BINS - 1, max(0, int(rate * BINS + 1e-9)))] += 1
    width = 100 // BINS
    return tuple(Bin(i * width, (i + 1) * width, count) for i, count in enumerate(counts))


def _exercise_names(results: Sequence[SubmissionResult], known: Mapping[str, Exercise]) -> list[str]:
    return list(dict.fromkeys([*known, *(name for result in results for name in result.exercises)]))


def _exercise_stats(name: str, results: Sequence[SubmissionResult], definition: Exercise | None) -> ExerciseStats:
    answers = [result.exercises[name] for result in results if name in result.exercises]
    total = len(results)
    max_score = definition.points if definition else max((answer.max_score for answer in answers), default=0.0)
    return ExerciseStats(
        id=name,
        max_score=max_score,
        mean=sum(answer.score for answer in answers) / total if total else 0.0,
        full=sum(answer.max_score > 0 and answer.score >= answer.max_score for answer in answers),
        of=total,
        criteria=_criteria(answers, definition, total),
    )


def _criteria(answers: Sequence[ExerciseResult], definition: Exercise | None, total: int) -> tuple[CriterionStats, ...]:
    titles = {c.slug: (c.title, c.points) for c in definition.marked} if definition else {}
    slugs = dict.fromkeys([*titles, *(slug for answer in answers for slug in answer.criteria)])
    return tuple(
        CriterionStats(
            slug,
            *titles.get(slug, (slug, 0.0)),
            met=sum(answer.criteria.get(slug) is True for answer in answers),
            of=total - sum(slug in answer.criteria and answer.criteria[slug] is None for answer in answers),
        )
        for slug in slugs
    )


def _misconceptions(
    results: Sequence[SubmissionResult], known: Mapping[str, Exercise]
) -> tuple[MisconceptionStats, ...]:
    students: dict[tuple[str, str], list[str]] = {}
    hints = {
        (name, slug): hint
        for name, exercise in known.items()
        for mistake in exercise.misconceptions
        for slug, hint in zip(mistake.slugs, mistake.hints, strict=True)
    }
    for result in results:
        for name, exercise in result.exercises.items():
            for position, slug in enumerate(exercise.misconceptions):
                students.setdefault((name, slug), []).append(result.student)
                if position < len(exercise.hints):
                    hints.setdefault((name, slug), exercise.hints[position])
    found = [MisconceptionStats(*key, hints.get(key, ""), tuple(who)) for key, who in students.items()]
    return tuple(sorted(found, key=lambda m: (-len(m.students), m.exercise, m.slug)))


def _unexplained(results: Sequence[SubmissionResult]) -> tuple[UnexplainedStats, ...]:
    students: dict[str, list[str]] = {}
    for result in results:
        for name, exercise in result.exercises.items():
            if result.status in ("graded", "late") and _is_unexplained(exercise):
                students.setdefault(name, []).append(result.student)
    found = [UnexplainedStats(name, tuple(who)) for name, who in students.items()]
    return tuple(sorted(found, key=lambda u: (-len(u.students), u.exercise)))


def _is_unexplained(exercise: ExerciseResult) -> bool:
    if exercise.score >= exercise.max_score or exercise.misconceptions or exercise.withheld:
        return False
    return not _NOT_TRIED & set(exercise.failures)


def _advice(results: Sequence[SubmissionResult]) -> tuple[AdviceStats, ...]:
    students: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for name, exercise in result.exercises.items():
            for text in exercise.advice:
                students.setdefault((name, text), []).append(result.student)
    found = [AdviceStats(*key, tuple(who)) for key, who in students.items()]
    return tuple(sorted(found, key=lambda a: (-len(a.students), a.exercise, a.text)))
