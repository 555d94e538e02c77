"""The training loop of all experiments: seeded, and silent unless asked to report."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Batch", "Checkpoint", "History", "Transform", "batches", "evaluate", "train"]

Batch = tuple[torch.Tensor, torch.Tensor]
Transform = Callable[[torch.Tensor, torch.Tensor, torch.Generator], Batch]
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """How the model does on the validation images after so many steps.

    Attributes:
        step: number of updates made.
        loss: mean cross-entropy.
        accuracy: share of right answers, in [0, 1].
    """

    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class History:
    """What a training run did.

    Attributes:
        losses: the training loss of each step.
        checkpoints: one after each epoch, if there were validation images.
        diverged: whether the loss stopped being a finite number (then training stopped, too).
        seconds: wall-clock time.
    """

    losses: tuple[float, ...]
    checkpoints: tuple[Checkpoint, ...]
    diverged: bool
    seconds: float

    @property
    def final_loss(self) -> float:
        """Mean training loss of the last tenth of the steps; infinite if training diverged."""
        tail = self.losses[-max(1, len(self.losses) // 10) :]
        return math.inf if self.diverged or not tail else sum(tail) / len(tail)


def batches(size: int, batch_size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Indices of the batches of one epoch, shuffled; an incomplete last batch is left out."""
    order = torch.randperm(size, generator=generator)
    for start in range(0, size - batch_size + 1, batch_size):
        yield order[start : start + batch_size]


@torch.no_grad()
def evaluate(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, batch_size: int = 500, training: bool = False
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy; the model's mode is as before afterward.

    Args:
        model: images (N, C, H, W) -> logits (N, K).
        images: (N, C, H, W).
        labels: (N,).
        batch_size: matters only in training mode.
        training: put the model into training mode instead: the mistake that the course warns of.
    """
    before = model.training
    model.train(training)
    total, right = 0.0, 0
    for x, y in zip(torch.split(images, batch_size), torch.split(labels, batch_size), strict=True):
        logits = model(x)
        total += F.cross_entropy(logits, y, reduction="sum").item()
        right += int((logits.argmax(dim=1) == y).sum())
    model.train(before)
    return total / len(labels), right / len(labels)


def train(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    epochs: int = 1,
    steps: int | None = None,
    batch_size: int = 64,
    lr: float = 0.05,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    decay_to_zero: bool = False,
    optimizer: torch.optim.Optimizer | None = None,
    loss: Loss = F.cross_entropy,
    transform: Transform | None = None,
    validation: Batch | None = None,
    seed: int = 0,
    on_step: Callable[[int, float], None] | None = None,
) -> History:
    """Train with SGD, or with the given optimizer.

    Args:
        model: images (N, C, H, W) -> logits (N, K), on the same device as the images.
        images: (N, C, H, W).
        labels: (N,).
        epochs: passes over the images; ignored where `steps` is given.
        steps: number of updates.
        batch_size: images in an update.
        lr: learning rate of SGD.
        momentum: of SGD.
        weight_decay: of SGD.
        decay_to_zero: let the learning rate fall linearly to zero, so that the end depends less on the last batches.
        optimizer: replaces SGD.
        loss: (logits, labels) -> scalar.
        transform: (images, labels, generator) -> the batch that is really used.
        validation: images and labels that are evaluated after each epoch.
        seed: of shuffling and of `transform`; the model's own weights are seeded where it is built.
        on_step: called after each update with its number (from 1) and its loss.
    """
    start = time.perf_counter()
    generator = torch.Generator().manual_seed(seed)
    if optimizer is None:
        optimizer = torch.optim.SGD(model.parameters(), lr, momentum, weight_decay=weight_decay, fused=True)
    total = steps if steps is not None else epochs * (len(labels) // batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / total if decay_to_zero else 1.0)
    losses: list[float] = []
    checkpoints: list[Checkpoint] = []
    model.train()
    while len(losses) < total and not _diverged(losses):
        for index in batches(len(labels), batch_size, generator):
            x, y = images[index], labels[index]
            if transform is not None:
                x, y = transform(x, y, generator)
            losses.append(_update(model, optimizer, loss, x, y))
            schedule.step()
            if on_step is not None:
                on_step(len(losses), losses[-1])
            if len(losses) == total or _diverged(losses):
                break
        if validation is not None and not _diverged(losses):
            checkpoints.append(Checkpoint(len(losses), *evaluate(model, *validation)))
    return History(tuple(losses), tuple(checkpoints), _diverged(losses), time.perf_counter() - start)


def _update(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Loss, x: torch.Tensor, y: torch.Tensor) -> float:
    optimizer.zero_grad(set_to_none=True)
    value = loss(model(x), y)
    value.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return value.item()


def _diverged(losses: list[float]) -> bool:
    return bool(losses) and not math.isfinite(losses[-1])
