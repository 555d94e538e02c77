"""A course in whose folder somebody works: it keeps the answer data of its released assignments for its authors."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ANSWERS", "answers_of_course"]

ANSWERS = Path(".autograder") / "answers"
"""Where a course keeps answer data, in its folder."""


def answers_of_course(place: Path | None = None) -> Path | None:
    """The answer data that a course keeps, in the nearest folder at or above a place (by default here); else None."""
    here = (place or Path()).absolute()
    return next((folder / ANSWERS for folder in (here, *here.parents) if (folder / ANSWERS).is_dir()), None)
