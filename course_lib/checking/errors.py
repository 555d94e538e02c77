"""Everything that a student's check can say no with.

    CheckFailedError (AssertionError)     the answer is not right yet; the card above the line says why
    CheckUsageError (TypeError)           `check` was called in a way it cannot work
    ├── UnknownExerciseError              no exercise of that name
    └── AnswersMissingError               the answer data is not where it should be, or damaged

In a notebook each shows as one line: the card has said the rest, and twenty
frames of this library would only hide it.
"""

from __future__ import annotations

__all__ = ["AnswersMissingError", "CheckFailedError", "CheckUsageError", "UnknownExerciseError"]


class _OneLine(Exception):
    """An exception that IPython shows without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of the frames."""
        return [f"{type(self).__name__}: {self}"]


class CheckFailedError(_OneLine, AssertionError):
    """Not every criterion holds."""


class CheckUsageError(_OneLine, TypeError):
    """`check` cannot work with these arguments."""


class UnknownExerciseError(CheckUsageError):
    """No exercise of that name is in the answer data."""


class AnswersMissingError(CheckUsageError):
    """The answer data is missing or damaged."""
