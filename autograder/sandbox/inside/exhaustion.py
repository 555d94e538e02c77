"""An exception that means "a limit was reached", in words: which limit, how much was used.

It serves the message only.  The limits themselves are kept by the kernel and by the grader.  Nothing measured that
differs from run to run is in it: the same submission gets the same result.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping

__all__ = ["limit_reached"]

_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "Unable to allocate",
    "Cannot allocate memory",
    "std::bad_alloc",
)
_THREADS = ("can't start new thread", "Resource temporarily unavailable", "pthread_create")
_FILES = ("Too many open files",)
_SCRATCH = ("No space left on device", "File too large", "Disk quota exceeded")


def limit_reached(kind: str, message: str, limits: Mapping[str, float]) -> str:
    """The limit behind an exception; empty if it is none.

    Args:
        kind: class name of the exception.
        message: its text.
        limits: `Limits.as_dict()`.
    """
    if kind == "MemoryError" or any(words in message for words in _MEMORY):
        return f"the limit of {limits['memory_mib']:g} MiB of memory, beyond what the libraries take, was reached"
    if any(words in message for words in _THREADS):
        return f"the limit of {limits['threads']:g} threads was reached ({threading.active_count()} are running)"
    if any(words in message for words in _FILES):
        return f"the limit of {limits['files']:g} open files was reached ({_open_files(int(limits['files']))} are open)"
    if any(words in message for words in _SCRATCH):
        full = shutil.disk_usage("/tmp").used >> 20
        return f"the limit of {limits['scratch_mib']:g} MiB of files was reached ({full} MiB are in use under /tmp)"
    return ""


def _open_files(most: int) -> int:
    count = 0
    for descriptor in range(most):
        try:
            os.fstat(descriptor)
            count += 1
        except OSError:
            continue
    return count
