"""One grader at a time: a lock file that tells who holds it."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autograder.errors import GradebookError

__all__ = ["hold"]


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock; it goes with the process, however that ends.

    Raises:
        GradebookError: if another process holds it, with what that process wrote about itself.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            # Not flock: that would be held by the forked workers, too, after this process was killed.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            holder = file.read(500).strip() or "an unknown process"
            raise GradebookError(f"another grader works on this course: {holder}", "wait for it, or stop it") from error
        file.seek(0)
        file.truncate()
        now = dt.datetime.now().isoformat(" ", "seconds")
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since {now}\n")
        file.flush()
        yield
        file.seek(0)
        file.truncate()
