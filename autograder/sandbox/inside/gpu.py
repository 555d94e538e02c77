"""How a child behaves on a GPU that others use at the same time: exact in float32, and modest."""

from __future__ import annotations

import torch

__all__ = ["compute_exactly", "share_gpu"]

_FOR_TENSORS = 0.9
"""Part of a device's memory that is divided; the rest is for the contexts themselves, which PyTorch does not count."""


def share_gpu(slots: int) -> None:
    """Start CUDA, which takes a third of a second, and take one of `slots` equal parts of the memory.

    Raises:
        RuntimeError: as PyTorch does where the device cannot be used.
    """
    torch.cuda.set_per_process_memory_fraction(_FOR_TENSORS / slots)
    torch.ones(1, device="cuda").sum().item()


def compute_exactly() -> None:
    """Compute in float32 where float32 is asked for, whatever the student's cells have set.

    TF32 rounds factors to 10 bits: a right answer would miss the tolerance of its dtype.
    """
    # The older of two ways to say it: the newer one breaks student code that reads `allow_tf32`.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
