"""A sample class in which endless loops end soon."""

from __future__ import annotations

import functools

import pytest

from autograder.grading.batch import Options
from autograder.sample_class import demo
from autograder.sandbox import Limits

__all__ = ["end_loops_soon"]

_SOON = Limits(cell_s=5, call_s=5)


def end_loops_soon(patch: pytest.MonkeyPatch) -> None:
    """Members of a sample class loop for ever: with the usual limits a processor turns for half a minute, for nothing.

    That loops end at their limits, and not before, is tested in `tests/autograder/sandbox/test_sandbox.py`.
    """
    patch.setattr(demo, "Options", functools.partial(Options, limits=_SOON))
