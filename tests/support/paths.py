"""Where this repository lies."""

from pathlib import Path

__all__ = ["ROOT"]

ROOT = Path(__file__).parent.parent.parent
