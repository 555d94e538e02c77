"""Small networks with noise inside, built around the functions that a student writes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from course_lib.lab.models import seeded

__all__ = ["ConnectNet", "Dropout", "FractionalNet", "Noise", "dropout_net"]

Drop = Callable[[torch.Tensor, float, torch.Tensor, bool], torch.Tensor]
"""(x, p_keep, u, training) -> y, as the notebook's `inverted_dropout`."""
Connect = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float, torch.Tensor], torch.Tensor]
"""(x, W, b, p_keep, u) -> y, as the notebook's `dropconnect_train`."""
ConnectTest = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], torch.Tensor]
"""(x, W, b, p_keep) -> y, as the notebook's `dropconnect_test`."""
Boundaries = Callable[[int, int, float], torch.Tensor]
"""(n_in, n_out, u) -> boundaries, as the notebook's `pooling_boundaries`."""
Pool = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(x, rows, cols) -> pooled, as the notebook's `fractional_max_pool`."""


class Dropout(nn.Module):
    """A layer around a dropout function; its noise depends on the seed alone.

    Args:
        p_keep: probability of keeping a unit.
        drop: the function.
        seed: of the noise.
    """

    def __init__(self, p_keep: float, drop: Drop, seed: int = 0) -> None:
        super().__init__()
        self.p_keep, self.drop = p_keep, drop
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop units of x (N, D) in training mode."""
        u = torch.rand(x.shape, generator=self.generator, dtype=x.dtype).to(x.device)
        return self.drop(x, self.p_keep, u, self.training)


class Noise(nn.Module):
    """Gaussian noise of the given standard deviation on the input, in training mode only."""

    def __init__(self, std: float, seed: int = 0) -> None:
        super().__init__()
        self.std = std
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add noise to x of any shape."""
        if not self.training:
            return x
        return x + self.std * torch.randn(x.shape, generator=self.generator, dtype=x.dtype).to(x.device)


def dropout_net(
    p_keep: float, drop: Drop, width: int = 256, last: int = 256, seed: int = 0, noise: float = 0.0
) -> nn.Sequential:
    """784 - width - last - 10 with ReLU, dropout after both hidden layers.

    Args:
        p_keep: probability of keeping a hidden unit; 1 for a plain network.
        drop: the dropout function.
        width: units in the first hidden layer.
        last: units in the second.
        seed: of weights and noise.
        noise: standard deviation of noise on the input.
    """

    def build() -> nn.Sequential:
        return nn.Sequential(
            *([Noise(noise, seed)] if noise else []),
            nn.Flatten(),
            nn.Linear(784, width),
            nn.ReLU(),
            *([Dropout(p_keep, drop, seed)] if p_keep < 1 else []),
            nn.Linear(width, last),
            nn.ReLU(),
            *([Dropout(p_keep, drop, seed + 1)] if p_keep < 1 else []),
            nn.Linear(last, 10),
        )

    return seeded(build, seed)


class ConnectNet(nn.Module):
    """784 - width - width - 10 with ReLU; DropConnect on the weights between the two hidden layers."""

    def __init__(self, p_keep: float, train: Connect, test: ConnectTest, width: int = 128, seed: int = 0) -> None:
        super().__init__()
        self.p_keep, self.train_rule, self.test_rule = p_keep, train, test
        self.first, second, self.last = seeded(
            lambda: nn.ModuleList([nn.Linear(784, width), nn.Linear(width, width), nn.Linear(width, 10)]), seed
        )
        assert isinstance(second, nn.Linear)
        self.weight, self.bias = second.weight, second.bias
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (N, 1, 28, 28) -> logits (N, 10)."""
        h = F.relu(self.first(x.flatten(1)))
        W, b = self.weight, self.bias
        if self.training:
            u = torch.rand((len(h), *W.shape), generator=self.generator, dtype=h.dtype).to(h.device)
            h = self.train_rule(h, W, b, self.p_keep, u)
        else:
            h = self.test_rule(h, W, b, self.p_keep)
        logits: torch.Tensor = self.last(F.relu(h))
        return logits


class FractionalNet(nn.Module):
    """Two convolutions, each followed by fractional max pooling with new random regions on every call: 28, 20, 14."""

    def __init__(self, boundaries: Boundaries, pool: Pool, channels: int = 8, seed: int = 0) -> None:
        super().__init__()
        self.boundaries, self.pool = boundaries, pool
        self.first, self.second, self.last = seeded(
            lambda: nn.ModuleList(
                [
                    nn.Conv2d(1, channels, 3, padding=1),
                    nn.Conv2d(channels, 2 * channels, 3, padding=1),
                    nn.Linear(2 * channels * 14 * 14, 10),
                ]
            ),
            seed,
        )
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (N, 1, 28, 28) -> logits (N, 10)."""
        h = self._pooled(F.relu(self.first(x)), 20)
        h = self._pooled(F.relu(self.second(h)), 14)
        logits: torch.Tensor = self.last(h.flatten(1))
        return logits

    def _pooled(self, x: torch.Tensor, size: int) -> torch.Tensor:
        rows, cols = (self.boundaries(x.shape[-1], size, u) for u in torch.rand(2, generator=self.generator).tolist())
        return self.pool(x, rows, cols)
