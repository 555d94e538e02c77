"""A network trained with functions that a student wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from course_lib.lab.data import fashion_mnist
from course_lib.lab.live import Live
from course_lib.lab.models import Norm, mlp
from course_lib.lab.training import train

__all__ = ["OwnTraining", "own_training"]

Forward = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], torch.Tensor]
Backward = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class OwnTraining:
    """Training losses of the same network with two implementations of batch normalization.

    Attributes:
        own: losses with the student's forward and backward pass.
        torch: losses with PyTorch's.
    """

    own: tuple[float, ...]
    torch: tuple[float, ...]

    @property
    def error(self) -> float:
        """Largest relative difference of the losses of the first ten steps; rounding grows with every later one."""
        return max(abs(a - b) / b for a, b in zip(self.own[:10], self.torch[:10], strict=True))


class _Own(nn.Module):
    """Batch normalization of (N, D) in training mode, made of two given functions."""

    def __init__(self, features: int, forward: Forward, backward: Backward, eps: float = 1e-5) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(features))
        self.beta = nn.Parameter(torch.zeros(features))
        self.eps = eps

        class Function(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
                ctx.save_for_backward(x, gamma)
                return forward(x, gamma, beta, eps)

            @staticmethod
            def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor, ...]:
                x, gamma = ctx.saved_tensors
                return backward(dy, x, gamma, eps)

        self._function = Function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._function.apply(x, self.gamma, self.beta)  # type: ignore[no-any-return, no-untyped-call]


def own_training(forward: Forward, backward: Backward, steps: int = 100, seed: int = 0) -> OwnTraining:
    """Train the same network with the student's batch normalization and with PyTorch's.

    Args:
        forward: as `batchnorm_forward` of the notebook.
        backward: as `batchnorm_backward`.
        steps: updates with 100 images each.
        seed: of the initial weights and of the order of the images.
    """
    x, y = fashion_mnist("train", 2000)
    runs = []
    norms: dict[str, Norm] = {
        "your forward and backward pass": lambda features: _Own(features, forward, backward),
        "torch.nn.BatchNorm1d": nn.BatchNorm1d,
    }
    with Live("Your functions in a network", 2 * steps, keep=False) as live:
        for label, norm in norms.items():

            def watch(step: int, loss: float, label: str = label) -> None:
                live.add(label, step, loss)
                live.advance()

            model = mlp(norm=norm, seed=seed)
            runs.append(train(model, x, y, steps=steps, batch_size=100, lr=0.2, seed=seed, momentum=0.0, on_step=watch))
    return OwnTraining(runs[0].losses, runs[1].losses)
