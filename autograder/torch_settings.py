"""How torch is set where it computes references: on tensors of a few dozen numbers."""

from __future__ import annotations

__all__ = ["for_small_tensors"]


def for_small_tensors() -> None:
    """One thread, since a second would only wait for the first; no oneDNN.

    oneDNN compiles a kernel for each new shape, which takes ten times as long as the convolution that it is for.
    """
    import torch

    torch.set_num_threads(1)
    torch.backends.mkldnn.set_flags(False)  # type: ignore[no-untyped-call]
