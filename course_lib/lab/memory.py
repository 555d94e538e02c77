"""Memory that tensors have freed stays with the process.

glibc gives freed blocks of some hundred kilobytes back to the system and asks for them again at the next step of a
training, which then waits while the system maps and clears thousands of pages; longest in a virtual machine, whose
memory is itself virtual.
"""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT, _LARGEST = 512 << 20, 32 << 20
"""Bytes: what may lie unused at the end of the heap, and the largest block that is taken from the heap (glibc allows
no larger one)."""


def keep_freed_memory() -> bool:
    """Have the allocator keep up to 512 MiB that are free.  Numbers do not change.

    Returns:
        Whether it does: on Linux with glibc, and not in a process that has been given another allocator.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, _LARGEST) and mallopt(_TRIM_THRESHOLD, _KEPT))
