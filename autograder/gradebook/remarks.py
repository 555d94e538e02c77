"""What a mark is besides the sum of the points, in sentences: late, extended, an exercise that counts differently."""

from __future__ import annotations

from collections.abc import Mapping

from autograder.gradebook.marks import AssignmentMarks, Mark
from autograder.gradebook.rules import Rules

__all__ = ["of_class", "of_mark"]


def of_mark(marks: AssignmentMarks, mark: Mark, rules: Rules, titles: Mapping[str, str] | None = None) -> list[str]:
    """For the student; empty if there is nothing to say.

    Args:
        titles: of exercises and written questions, where they have some.
    """
    called = titles or {}
    lines = []
    if mark.due is not None and marks.due is not None and mark.due > marks.due:
        lines.append(f"Your due date is {rules.shown(mark.due)}, an extension.")
    if mark.timestamp is not None and mark.due is not None and mark.late_s > 0:
        when = f"Handed in {rules.shown(mark.timestamp)}, {_span(mark.late_s)} after {rules.shown(mark.due)}"
        lines.append(f"{when}: {_cost(mark)}.")
    elif mark.penalty:
        lines.append(f"Handed in late: {_cost(mark)}.")
    lines += [f"{called.get(name, name)}: {adjustment}." for name, adjustment in marks.adjustments.items()]
    return lines


def of_class(marks: AssignmentMarks, rules: Rules) -> list[str]:
    """For the instructor; empty if there is nothing to say."""
    lines = []
    late = [mark for mark in marks.marks if mark.late_s > 0 or mark.penalty]
    if late:
        lost = sum(mark.penalty for mark in late)
        policy = f" ({rules.late})" if rules.late is not None else ""
        count = "1 submission was" if len(late) == 1 else f"{len(late)} submissions were"
        lines.append(f"{count} late, which cost {lost:g} points{policy}")
    extended = sum(1 for mark in marks.marks if mark.due and marks.due and mark.due > marks.due)
    if extended:
        lines.append(f"{extended} with an extension")
    return lines + [f"{name}: {adjustment}" for name, adjustment in marks.adjustments.items()]


def _cost(mark: Mark) -> str:
    return f"{mark.penalty:g} of {mark.raw:g} points are taken off" if mark.penalty else "nothing is taken off"


def _span(seconds: float) -> str:
    """A span in its largest unit, not rounded up.

    >>> _span(90 * 60), _span(3 * 86400)
    ('90 minutes', '3 days')
    """
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size or unit == "minute":
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return ""
