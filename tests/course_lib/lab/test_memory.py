"""Freed memory stays with the process, and comes back without the system."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from course_lib.lab import memory
from tests.support.fresh_process import in_fresh_process


def _pages_mapped_by_a_step() -> float:
    """Pages that the system maps in a step of a small network, on average; after ten, in which the heap grows."""
    import resource

    torch.manual_seed(0)
    model = nn.Sequential(
        *[nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()],
        *[nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AvgPool2d(2)],
        *[nn.Flatten(), nn.Linear(32 * 14 * 14, 10)],
    )
    images, labels = torch.randn(64, 1, 28, 28), torch.randint(10, (64,))
    before = 0
    for step in range(30):
        if step == 10:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        nn.functional.cross_entropy(model(images), labels).backward()
        model.zero_grad()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20


def _with_the_allocator_as_it_is() -> None:
    assert _pages_mapped_by_a_step() > 800


def _with_freed_memory_kept() -> None:
    assert memory.keep_freed_memory()
    assert _pages_mapped_by_a_step() < 400


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator of Linux")
def test_a_step_gets_its_memory_without_the_system() -> None:
    """Next to none of the pages of its tensors is mapped anew; without that thousands are."""
    in_fresh_process(_with_freed_memory_kept)
    in_fresh_process(_with_the_allocator_as_it_is)


def test_where_there_is_no_such_allocator_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux without glibc; macOS and Windows."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())
    assert not memory.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not memory.keep_freed_memory()
