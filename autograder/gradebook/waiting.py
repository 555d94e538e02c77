"""Whether the points of a graded cell are still to be given by a person: the one answer for marks, pages and report."""

from __future__ import annotations

__all__ = ["is_waiting"]


def is_waiting(needs_manual_grade: bool | None, auto_score: float | None, manual_score: float | None) -> bool:
    """What nbgrader's flag means for a cell.

    Points that a person gave to code stand when the code is graded again, although nbgrader asks for a second look.  Of
    a written answer the flag decides: its text may be another than the one that was graded.
    """
    return bool(needs_manual_grade) and (auto_score is None or manual_score is None)
