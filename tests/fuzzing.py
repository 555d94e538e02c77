"""How hard the fuzz tests try."""

from __future__ import annotations

import os

__all__ = ["examples"]


def examples(usual: int) -> int:
    """Number of examples of a fuzz test: `usual`, or what the environment variable FUZZ_EXAMPLES asks for."""
    return int(os.environ.get("FUZZ_EXAMPLES", usual))
