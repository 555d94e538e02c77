"""Titles of the criteria of `batchnorm2d-module`."""

from __future__ import annotations

from typing import Final

__all__ = ["BUFFERS", "EPS", "EVALUATION", "GRADIENT", "STATE", "STATISTICS", "TRAINING"]

TRAINING: Final = "training normalises by the statistics of the batch"
GRADIENT: Final = "the gradient passes through mean and variance"
STATISTICS: Final = "running statistics after one and three steps"
EVALUATION: Final = "evaluation uses the running statistics"
EPS: Final = "respects eps in training"
BUFFERS: Final = "running statistics are not trained and keep no history"
STATE: Final = "state_dict can be exchanged with torch's"
