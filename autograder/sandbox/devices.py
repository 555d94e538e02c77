"""GPUs: whether there is one, and that the grader's own process leaves it alone.

A process that has asked CUDA for its devices can't be forked any more: no child can use them, and in a child even the
first `backward` on the processor fails.  But the grader forks its workers, and computes its references on the
processor.  So it asks the driver's library (NVML) instead, and sees no device itself.
"""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator

__all__ = ["NOBODYS", "VISIBLE", "gpu_nodes", "has_gpu", "hide_gpus", "users_devices"]

VISIBLE = "CUDA_VISIBLE_DEVICES"
NOBODYS = "-1"
"""Its value where no device may be seen."""

_users = os.environ.get(VISIBLE)


def gpu_nodes() -> list[str]:
    """The device files of NVIDIA's driver; under WSL there is one for everything."""
    return sorted([*glob.glob("/dev/nvidia*"), *glob.glob("/dev/dxg")])


def users_devices() -> str | None:
    """Which devices the user of this process wants to be seen; None for all."""
    said = os.environ.get(VISIBLE)
    return _users if said == NOBODYS else said


def has_gpu() -> bool:
    """Whether submissions could be graded on a CUDA device."""
    import torch

    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    with _devices(users_devices()):
        return torch.cuda.is_available()


def hide_gpus() -> bool:
    """From now on this process uses none.

    Returns:
        whether it has used none before: else it can't be forked.
    """
    import torch

    global _users
    _users = users_devices()
    os.environ[VISIBLE] = NOBODYS
    return not torch.cuda.is_initialized()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _devices(said: str | None) -> Iterator[None]:
    before = os.environ.pop(VISIBLE, None)
    if said is not None:
        os.environ[VISIBLE] = said
    try:
        yield
    finally:
        os.environ.pop(VISIBLE, None)
        if before is not None:
            os.environ[VISIBLE] = before
