"""Right answers to the exercises of the regularization assignment, as a student would write them."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = [
    "EarlyStopping",
    "adam_l2_step",
    "adamw_step",
    "best_low_rank",
    "gradient_descent_shrinkage",
    "ridge_shrinkage",
    "smooth",
]


def adam_l2_step(
    w: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, lr: float, b1: float, b2: float, eps: float, lam: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Adam on loss and penalty."""
    grad = grad + lam * w
    m, v = torch.lerp(grad, m, b1), torch.lerp(grad.square(), v, b2)
    return w - lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + eps), m, v


def adamw_step(
    w: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, lr: float, b1: float, b2: float, eps: float, lam: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Adam, and decay beside it."""
    moved, m, v = adam_l2_step(w, grad, m, v, t, lr, b1, b2, eps, 0.0)
    return moved - lr * lam * w, m, v


class EarlyStopping:
    """Stops after so many losses in a row that were no improvement."""

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        self.patience, self.min_delta = patience, min_delta
        self.best_loss, self.best_epoch = math.inf, -1
        self.best_state: Mapping[str, Tensor] = {}
        self._epoch = -1

    def step(self, loss: float, state: Mapping[str, Tensor]) -> bool:
        """Whether to stop."""
        self._epoch += 1
        if loss < self.best_loss - self.min_delta:
            self.best_loss, self.best_epoch, self.best_state = loss, self._epoch, copy.deepcopy(state)
        return self._epoch - self.best_epoch >= self.patience


def smooth(values: Tensor, beta: float) -> Tensor:
    """Weighted means of the past."""
    total, weight, found = 0.0, 0.0, []
    for value in values.tolist():
        total, weight = beta * total + value, beta * weight + 1
        found.append(total / weight)
    return torch.tensor(found, dtype=values.dtype)


def ridge_shrinkage(h: Tensor, lam: float) -> Tensor:
    """What a penalty leaves."""
    return h / (h + lam)


def gradient_descent_shrinkage(h: Tensor, lr: float, steps: int) -> Tensor:
    """What so many steps reach."""
    return 1 - (1 - lr * h) ** steps


def best_low_rank(matrix: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Two thin factors."""
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    return u[:, :k] * s[:k], vh[:k]
