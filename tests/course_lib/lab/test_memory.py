"""Freed memory stays with the process, and comes back without the system."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace

import pytest
import torch

from course_lib.lab import memory
from tests.support.fresh_process import in_fresh_process


def _pages_mapped_by_a_step() -> int:
    """Pages that the system maps while 60 MiB of tensors are made and freed, as in a step of a training.

    Of twenty steps, the median: the heap grows to its size in a few of them.
    """
    import resource

    found = []
    for _ in range(20):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        held = [torch.ones(mib << 18) for mib in (3, 20, 30, 7)]
        del held
        found.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return sorted(found)[10]


def _with_the_allocator_as_it_is() -> None:
    assert _pages_mapped_by_a_step() > 1000


def _with_freed_memory_kept() -> None:
    assert memory.keep_freed_memory()
    assert _pages_mapped_by_a_step() < 100


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator of Linux")
def test_a_step_gets_its_memory_without_the_system() -> None:
    """Of the 15,000 pages of its tensors next to none is mapped anew; without it thousands are."""
    in_fresh_process(_with_freed_memory_kept)
    in_fresh_process(_with_the_allocator_as_it_is)


def test_where_there_is_no_such_allocator_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux without glibc; macOS and Windows."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())
    assert not memory.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not memory.keep_freed_memory()
