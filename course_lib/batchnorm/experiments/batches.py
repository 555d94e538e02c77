"""What the batch does to the numbers: its size, the company of an image, the noise."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from course_lib.lab.data import fashion_mnist
from course_lib.lab.interrupted import NothingFinishedError
from course_lib.lab.live import Live
from course_lib.lab.models import Norm, cnn, group_norm, mlp
from course_lib.lab.training import Batch, evaluate, train

__all__ = ["BatchSizes", "Company", "Regularizing", "batch_sizes", "company", "regularizing"]


@dataclass(frozen=True)
class BatchSizes:
    """Validation error over the batch size.

    Attributes:
        sizes: batch sizes, ascending.
        errors: label -> for each seed the errors in percent.
    """

    sizes: tuple[int, ...]
    errors: dict[str, tuple[tuple[float, ...], ...]]


def _small(split: Any, limit: int) -> Batch:
    """Images of half the height and width, which makes thousands of tiny steps affordable."""
    images, labels = fashion_mnist(split, limit)
    return F.avg_pool2d(images, 2), labels


def batch_sizes(
    sizes: Sequence[int] = (2, 4, 8, 16, 32, 64),
    seeds: Sequence[int] = (0, 1, 2),
    images: int = 512,
    epochs: int = 12,
) -> BatchSizes:
    """Train a small convolutional network with batch and with group normalization (Wu, He 2018, section 4.1).

    The learning rate is proportional to the batch size, so that an epoch moves the weights about equally far.  With few
    epochs the largest batches make too few steps, and what is compared is no longer the normalization.

    Args:
        sizes: batch sizes.
        seeds: of the initial weights and of the order of the images.
        images: number of training images.
        epochs: passes over them, whatever the batch size.

    Raises:
        NothingFinishedError: if it is stopped before the first seed is complete.
    """
    x, y = _small("train", images)
    validation = _small("validation", 1000)
    norms: dict[str, Norm] = {"batch norm": nn.BatchNorm2d, "group norm, 8 groups": group_norm(8)}
    complete: list[dict[str, tuple[float, ...]]] = []
    total = len(norms) * len(sizes) * len(seeds)
    with Live("Batch size", total, "batch size", "validation error in %", "x", keep=False, partial=True) as live:
        for seed in seeds:
            of_seed = {}
            for label, norm in norms.items():
                run = []
                for size in sorted(sizes, reverse=True):
                    model = cnn((16, 32, 64, 64), norm=norm, seed=seed)
                    lr = 0.1 * size / 32
                    train(model, x, y, epochs=epochs, batch_size=size, lr=lr, decay_to_zero=True, seed=seed)
                    run.append(100 * (1 - evaluate(model, *validation)[1]))
                    live.add(f"{label}, seed {seed}", size, run[-1])
                    live.advance()
                of_seed[label] = tuple(reversed(run))
            complete.append(of_seed)
    if not complete:
        raise NothingFinishedError("seed")
    return BatchSizes(tuple(sorted(sizes)), {label: tuple(run[label] for run in complete) for label in norms})


@dataclass(frozen=True)
class Company:
    """How much the output for one image depends on the other images of its batch.

    Attributes:
        sizes: batch sizes, ascending.
        noise: for each size the standard deviation of the logits over random batches, mean over logits and images.
        eval_noise: the same in evaluation mode, with the largest batches.
    """

    sizes: tuple[int, ...]
    noise: tuple[float, ...]
    eval_noise: float


@torch.no_grad()
def company(
    sizes: Sequence[int] = (4, 16, 64, 256), draws: int = 40, images: int = 5, seed: int = 0, steps: int = 120
) -> Company:
    """Train a small network, then put the same images into many random batches, in training mode.

    Args:
        sizes: batch sizes, ascending.
        draws: random batches for each image and size.
        images: how many images are followed.
        seed: of the initial weights, of the order of the images, and of the batches.
        steps: of the training before.
    """
    x, y = fashion_mnist("train", 2000)
    model = cnn(norm=nn.BatchNorm2d, seed=seed)
    with torch.enable_grad():
        train(model, x, y, steps=steps, batch_size=50, seed=seed)
    generator = torch.Generator().manual_seed(seed)

    def spread(size: int, training: bool) -> float:
        found = []
        for image in range(images):
            others = torch.randint(images, len(x), (draws, size - 1), generator=generator)
            net = copy.deepcopy(model).train(training)  # training mode would move the running statistics
            logits = torch.stack([net(torch.cat([x[image : image + 1], x[row]]))[0] for row in others])
            found.append(float(logits.std(dim=0).mean()))
        return sum(found) / len(found)

    noise = tuple(spread(size, True) for size in sizes)
    return Company(tuple(sizes), noise, spread(max(sizes), False))


class _Groups(nn.Module):
    """Batch normalization of (N, D) whose statistics come from groups of the batch (Hoffer et al. 2017, algorithm 1).

    The steps stay the same, and the learning rate, and the batches: only the noise of the statistics changes.
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.size, self.inner = size, nn.BatchNorm1d(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalize x (N, D), in training mode group by group."""
        parts = torch.split(x, self.size) if self.training else (x,)
        return torch.cat([self.inner(part) for part in parts])


@dataclass(frozen=True)
class Regularizing:
    """Losses at the end of training on few images with wrong labels: name -> one loss for each seed.

    Attributes:
        training: in evaluation mode, on the training images and their partly wrong labels.
        validation: on clean images.
    """

    training: dict[str, tuple[float, ...]]
    validation: dict[str, tuple[float, ...]]


def regularizing(
    groups: Sequence[int] = (100, 20, 10, 5), seeds: Sequence[int] = (0, 1, 2), epochs: int = 40
) -> Regularizing:
    """Train one network on 500 images, 15% wrong labels: plain, and with statistics from smaller and smaller groups.

    Args:
        groups: numbers of images that share their statistics; the batches have 100 images.
        seeds: of the initial weights and of the order of the images.
        epochs: passes over the images.

    Raises:
        NothingFinishedError: if it is stopped before the first seed is complete.
    """
    x, y = fashion_mnist("train", 500, 0.15)
    validation = fashion_mnist("validation", 1000)
    norms: dict[str, Norm | None] = {"no batch norm": None}
    norms |= {f"groups of {size}": functools.partial(_Groups, size=size) for size in groups}
    complete: list[dict[str, tuple[float, float]]] = []
    total = len(norms) * len(seeds)
    with Live("Does its noise regularize?", total, "run", "validation loss", keep=False, partial=True) as live:
        for seed in seeds:
            of_seed = {}
            for label, norm in norms.items():
                model = mlp(width=256, depth=2, norm=norm, seed=seed)
                train(model, x, y, epochs=epochs, batch_size=100, lr=0.1, momentum=0.0, seed=seed)
                of_seed[label] = (evaluate(model, x, y)[0], evaluate(model, *validation)[0])
                live.add(label, seed, of_seed[label][1])
                live.advance()
            complete.append(of_seed)
    if not complete:
        raise NothingFinishedError("seed")
    losses = [{label: tuple(run[label][i] for run in complete) for label in norms} for i in (0, 1)]
    return Regularizing(*losses)
