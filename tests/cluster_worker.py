"""Loaded by the workers of a test's cluster (`dask worker --preload`): the made-up assignment, and ways to die.

A submission of a student whose name starts with ``killer`` ends the worker that grades it.  No submission can do that;
a fault of the grader, or the machine's own killer of processes that take too much memory, could.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from autograder import cluster
from autograder.engine import Graded, Job, grade
from tests import small_course

__all__: list[str] = []

_registered = small_course.registered()  # kept: the end of this object is the end of the registration
_registered.__enter__()


def _grade(job: Job, *arguments: Any) -> Graded:
    if job.student.startswith("killer"):
        os.kill(os.getpid(), signal.SIGKILL)
    return grade(job, *arguments)


cluster.grade = _grade
