"""Which submissions a person should look at, and why: by gravity, each sentence once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from autograder.results import SubmissionResult

__all__ = ["Attention", "Level", "attention_of"]

Level = Literal["act", "look", "know"]
_LEVELS: tuple[Level, ...] = ("act", "look", "know")

_STATUS_REASON: dict[str, tuple[Level, str]] = {
    "unreadable": ("act", "the notebook could not be read"),
    "missing": ("act", "no notebook was found"),
    "crashed": ("act", "crashed while it was graded"),
    "timeout": ("act", "ran into the time limit"),
    "ungraded": ("act", "not graded: the grader itself could not do it"),
}
_FLAG_REASON: dict[str, tuple[Level, str]] = {
    "lost-answer": ("act", "a written answer is not in its cell, but there is text of the student's own elsewhere"),
    "unread-code": ("act", "holds code that is too long or too deep to be read, so it was not run"),
    "several-notebooks": ("act", "several notebooks in the folder; the note says which one was graded"),
    "dynamic-code": ("look", "code reaches into the machine that watches it"),
    "edited-tests": ("know", "changed locked test cells (they were restored)"),
    "renamed-notebook": ("know", "handed in under another file name"),
    "late": ("know", "handed in late"),
}
_WITHHELD: tuple[Level, str] = ("look", "uses an operation that the exercise forbids; the points are withheld")


@dataclass(frozen=True)
class Attention:
    """A reason to look at submissions, and at which.

    Attributes:
        level: `act` where something has to be done, `look` where a person decides, `know` for the rest.
        details: what is said of some of them, each sentence once, with those that it is said of.
    """

    level: Level
    reason: str
    students: tuple[str, ...]
    details: tuple[tuple[str, tuple[str, ...]], ...] = ()


def attention_of(results: Sequence[SubmissionResult]) -> tuple[Attention, ...]:
    """What a person should look at, the gravest and most frequent first, no sentence twice.

    Args:
        results: in the order of the students.
    """
    found: dict[tuple[Level, str], dict[str, list[str]]] = {}
    for result in results:
        for level, reason, detail in _reasons(result):
            found.setdefault((level, reason), {}).setdefault(detail, []).append(result.student)
    found_in = [
        Attention(
            level,
            reason,
            tuple(sorted({student for who in details.values() for student in who})),
            tuple(
                (text, tuple(who)) for text, who in sorted(details.items(), key=lambda d: (-len(d[1]), d[0])) if text
            ),
        )
        for (level, reason), details in found.items()
    ]
    return tuple(sorted(found_in, key=lambda a: (_LEVELS.index(a.level), -len(a.students), a.reason)))


def _reasons(result: SubmissionResult) -> Iterator[tuple[Level, str, str]]:
    """Level, reason, and what there is to say of this one."""
    if result.status in _STATUS_REASON:
        yield (*_STATUS_REASON[result.status], result.message)
    withheld = {name: exercise.withheld for name, exercise in result.exercises.items() if exercise.withheld}
    for flag in dict.fromkeys((*result.flags, *(["late"] if result.status == "late" else []))):
        if flag == "banned-operation" and withheld:
            continue
        detail = ", ".join(result.findings[:3]) if flag == "dynamic-code" else ""
        if flag == "several-notebooks":
            detail = result.message
        yield (*_FLAG_REASON.get(flag, _WITHHELD if flag == "banned-operation" else ("look", flag)), detail)
    for name, operations in withheld.items():
        yield (*_WITHHELD, f"{name}: {', '.join(operations)}")
