"""One network evaluated rightly and wrongly, and images that have changed since training."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from course_lib.lab.data import fashion_mnist
from course_lib.lab.interrupted import NothingFinishedError
from course_lib.lab.live import Live
from course_lib.lab.models import Norm, cnn, group_norm
from course_lib.lab.training import evaluate, train

__all__ = ["Contrast", "Modes", "contrast", "modes"]


@dataclass(frozen=True)
class Modes:
    """Accuracy in percent of one trained network, evaluated in several ways.

    Attributes:
        right: evaluation mode.
        shuffled: training mode, batches of 100 images of all classes.
        sorted: training mode, batches of 100 images of one class.
        single: training mode, one image at a time.
        without_buffers: evaluation mode, after a checkpoint that kept the parameters only.
        moved: by how much one evaluation in training mode changes the running means, in percent of their size.
    """

    right: float
    shuffled: float
    sorted: float
    single: float
    without_buffers: float
    moved: float


def modes(norm: Norm, seed: int = 0, images: int = 3000) -> Modes:
    """Train a small convolutional network and evaluate it rightly and wrongly.

    Args:
        norm: the normalization layer, e.g. the student's own.
        seed: of the initial weights and of the order of the images.
        images: number of training images.
    """
    x, y = fashion_mnist("train", images)
    vx, vy = fashion_mnist("validation", 1000)
    model = cnn(norm=norm, seed=seed)

    with Live("Training with your layer", 2 * (images // 50), keep=False) as live:

        def watch(step: int, loss: float) -> None:
            live.add("training loss", step, loss)
            live.advance()

        train(model, x, y, epochs=2, batch_size=50, lr=0.05, seed=seed, on_step=watch)
    order = vy.argsort(stable=True)
    fresh = cnn(norm=norm, seed=seed)
    fresh.load_state_dict(dict(model.named_parameters()), strict=False)

    def accuracy(net: nn.Module, x: torch.Tensor, y: torch.Tensor, size: int, training: bool) -> float:
        return 100 * evaluate(copy.deepcopy(net), x, y, batch_size=size, training=training)[1]

    return Modes(
        right=accuracy(model, vx, vy, 100, False),
        shuffled=accuracy(model, vx, vy, 100, True),
        sorted=accuracy(model, vx[order], vy[order], 100, True),
        single=accuracy(model, vx, vy, 1, True),
        without_buffers=accuracy(fresh, vx, vy, 100, False),
        moved=_moved(model, vx[order], vy[order]),
    )


def _moved(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    def means(net: nn.Module) -> torch.Tensor:
        found = [b.flatten() for name, b in net.named_buffers() if name.endswith("running_mean")]
        return torch.cat(found) if found else torch.ones(1)

    after = copy.deepcopy(model)
    evaluate(after, x, y, batch_size=100, training=True)
    return float(100 * (means(after) - means(model)).norm() / means(model).norm())


@dataclass(frozen=True)
class Contrast:
    """Accuracy in percent on images of less and less contrast.

    Attributes:
        factors: what the gray values are multiplied by, descending from 1.
        accuracy: name of the normalization -> for each seed the accuracies.
    """

    factors: tuple[float, ...]
    accuracy: dict[str, tuple[tuple[float, ...], ...]]


def contrast(
    factors: Sequence[float] = (1.0, 0.6, 0.4, 0.25), seeds: Sequence[int] = (0, 1, 2), images: int = 2000
) -> Contrast:
    """Train with batch, layer and instance normalization at full contrast; evaluate at less.

    Args:
        factors: what the gray values are multiplied by, descending from 1.
        seeds: of the initial weights and of the order of the images.
        images: number of training images.

    Raises:
        NothingFinishedError: if it is stopped before the first seed is complete.
    """
    x, y = fashion_mnist("train", images)
    vx, vy = fashion_mnist("validation", 1000)
    norms: dict[str, Norm] = {
        "batch norm": nn.BatchNorm2d,
        "layer norm": group_norm(1),
        "instance norm": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    }
    complete: list[dict[str, tuple[float, ...]]] = []
    with Live("Less contrast", len(norms) * len(seeds), "seed", "accuracy in %", keep=False, partial=True) as live:
        for seed in seeds:
            of_seed = {}
            for label, norm in norms.items():
                model = cnn(norm=norm, seed=seed)
                train(model, x, y, epochs=3, batch_size=50, lr=0.05, seed=seed)
                of_seed[label] = tuple(100 * evaluate(model, vx * factor, vy)[1] for factor in factors)
                live.add(label, seed, of_seed[label][-1])
                live.advance()
            complete.append(of_seed)
    if not complete:
        raise NothingFinishedError("seed")
    return Contrast(tuple(factors), {label: tuple(run[label] for run in complete) for label in norms})
