"""The experiments of 01_batchnorm: each returns numbers; `figures` draws them.

Every claim of the notebook about training is asserted on these functions by
`tests/course_lib/batchnorm/test_claims.py`.
"""

from __future__ import annotations

import copy
import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from course_lib.lab.data import fashion_mnist
from course_lib.lab.live import Live
from course_lib.lab.models import Norm, cnn, group_norm, mlp
from course_lib.lab.training import Batch, evaluate, train

__all__ = [
    "Activations",
    "BatchSizes",
    "Fusion",
    "Modes",
    "OwnTraining",
    "Sweep",
    "activations",
    "batch_sizes",
    "fused",
    "fusion",
    "milliseconds",
    "modes",
    "own_training",
    "sweep",
]

Forward = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], torch.Tensor]
Backward = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
Fuse = Callable[..., tuple[torch.Tensor, torch.Tensor]]

WITHOUT, WITH = "without batch norm", "with batch norm"
_NORMS: dict[str, Norm | None] = {WITHOUT: None, WITH: nn.BatchNorm1d}
# A network that "trains" has at least halved the loss of guessing among ten classes.
_TRAINS = math.log(10) / 2


@dataclass(frozen=True, eq=False)
class Activations:
    """Outputs of every hidden layer of one network at its start.

    Attributes:
        scale: of the initial weights, 1 is He's.
        normalised: with batch normalisation or without.
        layers: one (images * units,) tensor for each hidden layer, after the ReLU.
    """

    scale: float
    normalised: bool
    layers: tuple[torch.Tensor, ...]

    @property
    def stds(self) -> tuple[float, ...]:
        """Standard deviation of each layer's outputs."""
        return tuple(float(layer.std()) for layer in self.layers)

    @property
    def growth(self) -> float:
        """Standard deviation in the last layer divided by that in the first."""
        return self.stds[-1] / self.stds[0]


@torch.no_grad()
def activations(scale: float, normalised: bool, depth: int = 10, seed: int = 0) -> Activations:
    """Send 256 training images through a deep network that has not been trained."""
    x, _ = fashion_mnist("train", 256)
    found = []
    for layer in mlp(depth=depth, norm=nn.BatchNorm1d if normalised else None, scale=scale, seed=seed):
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            found.append(x.flatten())
    return Activations(scale, normalised, tuple(found))


@dataclass(frozen=True)
class Sweep:
    """Training loss after a fixed number of steps, over one setting, without and with batch normalisation.

    Attributes:
        setting: "learning rate" or "initial scale".
        values: of the setting, ascending.
        losses: label -> one sequence of losses for each seed; infinite where training diverged.
    """

    setting: str
    values: tuple[float, ...]
    losses: dict[str, tuple[tuple[float, ...], ...]]

    def working(self, label: str) -> list[list[float]]:
        """For each seed the values with which the network trains."""
        return [[v for v, loss in zip(self.values, run, strict=True) if loss < _TRAINS] for run in self.losses[label]]

    def largest(self, label: str) -> list[float]:
        """For each seed the largest value with which the network trains; 0 if there is none."""
        return [max(values, default=0.0) for values in self.working(label)]

    def width(self, label: str) -> list[float]:
        """For each seed largest / smallest value with which the network trains; 0 if there is none."""
        return [max(values) / min(values) if values else 0.0 for values in self.working(label)]


def sweep(
    setting: str, values: Sequence[float], seeds: Sequence[int] = (0, 1, 2), steps: int = 100, live: Live | None = None
) -> Sweep:
    """Train a network of 5 hidden layers with plain SGD for every value of a setting.

    Args:
        setting: "learning rate" (the initial scale is 1) or "initial scale" (the learning rate is 0.1).
        values: of the setting, ascending.
        seeds: of the initial weights and of the order of the images.
        steps: updates with 100 images each.
        live: where to report.
    """
    x, y = fashion_mnist("train", 2000)
    losses: dict[str, list[tuple[float, ...]]] = {WITHOUT: [], WITH: []}
    for seed in seeds:
        for label, norm in _NORMS.items():
            run = []
            for value in values:
                lr, scale = (value, 1.0) if setting == "learning rate" else (0.1, value)
                model = mlp(norm=norm, scale=scale, seed=seed)
                run.append(train(model, x, y, steps=steps, batch_size=100, lr=lr, momentum=0.0, seed=seed).final_loss)
                if live is not None:
                    # Above guessing the exact loss says nothing; a diverged run must not stretch the axis.
                    live.add(f"{label}, seed {seed}", value, min(run[-1], 3.0))
                    live.advance()
            losses[label].append(tuple(run))
    return Sweep(setting, tuple(values), {label: tuple(runs) for label, runs in losses.items()})


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
    epochs: int = 3,
    live: Live | None = None,
) -> BatchSizes:
    """Train a small convolutional network with batch and with group normalisation (Wu, He 2018, section 4.1).

    The learning rate is proportional to the batch size, so that an epoch moves the weights about equally far.

    Args:
        sizes: batch sizes.
        seeds: of the initial weights and of the order of the images.
        images: number of training images.
        epochs: passes over them, whatever the batch size.
        live: where to report, advanced once for each training run.
    """
    x, y = _small("train", images)
    validation = _small("validation", 1000)
    norms: dict[str, Norm] = {"batch norm": nn.BatchNorm2d, "group norm, 8 groups": group_norm(8)}
    errors: dict[str, list[tuple[float, ...]]] = {label: [] for label in norms}
    for seed in seeds:
        for label, norm in norms.items():
            run = []
            for size in sorted(sizes, reverse=True):
                model = cnn((16, 32, 64, 64), norm=norm, seed=seed)
                lr = 0.1 * size / 32
                train(model, x, y, epochs=epochs, batch_size=size, lr=lr, decay_to_zero=True, seed=seed)
                run.append(100 * (1 - evaluate(model, *validation)[1]))
                if live is not None:
                    live.add(f"{label}, seed {seed}", size, run[-1])
                    live.advance()
            errors[label].append(tuple(reversed(run)))
    return BatchSizes(tuple(sorted(sizes)), {label: tuple(runs) for label, runs in errors.items()})


@dataclass(frozen=True)
class Modes:
    """Accuracy in percent of one trained network, evaluated in several ways.

    Attributes:
        right: evaluation mode.
        shuffled: training mode, batches of 100 images of all classes.
        sorted: training mode, batches of 100 images of one class.
        single: training mode, one image at a time.
        early_train: after `early_steps` steps, in training mode on shuffled batches.
        early_eval: the same weights in evaluation mode: the running statistics have not arrived yet.
        moved: by how much one evaluation in training mode changes the running means, in percent of their size.
    """

    right: float
    shuffled: float
    sorted: float
    single: float
    without_buffers: float
    moved: float


def modes(norm: Norm, seed: int = 0, images: int = 3000, live: Live | None = None) -> Modes:
    """Train a small convolutional network and evaluate it rightly and wrongly.

    Args:
        norm: the normalisation layer, e.g. the student's own.
        seed: of the initial weights and of the order of the images.
        images: number of training images.
        live: where to report, advanced once for each of 2 * images / 50 steps.
    """
    x, y = fashion_mnist("train", images)
    vx, vy = fashion_mnist("validation", 1000)
    model = cnn(norm=norm, seed=seed)

    def watch(step: int, loss: float) -> None:
        if live is not None:
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
class Fusion:
    """A network before and after its normalisations were folded into its convolutions.

    Attributes:
        error: largest difference of two logits.
        largest: the largest logit, to compare the error with.
        same_class: share of the images with the same predicted class.
        before_ms: time for one image with normalisations, the median of all repetitions, in milliseconds.
        after_ms: the same without.
        layers: number of modules before and after.
    """

    error: float
    largest: float
    same_class: float
    before_ms: float
    after_ms: float
    layers: tuple[int, int]


@torch.no_grad()
def fused(model: nn.Sequential, fuse: Fuse) -> nn.Sequential:
    """The network with every convolution and the batch normalisation after it made one convolution."""
    layers: list[nn.Module] = []
    for layer in model:
        if isinstance(layer, nn.BatchNorm2d) and isinstance(layers[-1], nn.Conv2d):
            conv = copy.deepcopy(layers[-1])
            statistics = (layer.running_mean, layer.running_var, layer.eps)
            weight, bias = fuse(conv.weight, conv.bias, layer.weight, layer.bias, *statistics)
            conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
            layers[-1] = conv
        else:
            layers.append(layer)
    return nn.Sequential(*layers).eval()


def milliseconds(function: Callable[[], object], repetitions: int = 30) -> float:
    """The median time of a call, in milliseconds."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - start))
    return sorted(times)[repetitions // 2]


@torch.no_grad()
def fusion(fuse: Fuse, repetitions: int = 40, steps: int = 60, seed: int = 0, live: Live | None = None) -> Fusion:
    """Train a network, fold its normalisations away, compare outputs and time.

    Args:
        fuse: as `fuse_conv_batchnorm` of the notebook.
        repetitions: of the timing; the two networks take turns, so that other programs disturb both alike.
        steps: of the training before.
        seed: of the initial weights and of the order of the images.
        live: where to report, advanced once for each repetition.
    """
    x, y = fashion_mnist("train", 2000)
    model = cnn((16, 32, 32), norm=nn.BatchNorm2d, seed=seed)
    with torch.enable_grad():
        train(model, x, y, steps=steps, batch_size=50, seed=seed)
    before, after = model.eval(), fused(model, fuse)
    images, _ = fashion_mnist("validation", 200)
    a, b = before(images), after(images)
    times: dict[str, list[float]] = {"with batch norm": [], "fused": []}
    for repetition in range(repetitions):
        for label, net in (("with batch norm", before), ("fused", after)):
            times[label].append(milliseconds(functools.partial(net, images[:1]), 15))
            if live is not None:
                live.add(label, repetition, times[label][-1])
        if live is not None:
            live.advance()
    medians = [sorted(values)[len(values) // 2] for values in times.values()]
    return Fusion(
        error=float((a - b).abs().max()),
        largest=float(a.abs().max()),
        same_class=float((a.argmax(1) == b.argmax(1)).float().mean()),
        before_ms=medians[0],
        after_ms=medians[1],
        layers=(len(before), len(after)),
    )


@dataclass(frozen=True)
class OwnTraining:
    """Training losses of the same network with two implementations of batch normalisation.

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
    """Batch normalisation of (N, D) in training mode, made of two given functions."""

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


def own_training(
    forward: Forward, backward: Backward, steps: int = 100, seed: int = 0, live: Live | None = None
) -> OwnTraining:
    """Train the same network with the student's batch normalisation and with PyTorch's.

    Args:
        forward: as `batchnorm_forward` of the notebook.
        backward: as `batchnorm_backward`.
        steps: updates with 100 images each.
        seed: of the initial weights and of the order of the images.
        live: where to report, advanced once for each of 2 * steps.
    """
    x, y = fashion_mnist("train", 2000)
    runs = []
    norms: dict[str, Norm] = {
        "your forward and backward pass": lambda features: _Own(features, forward, backward),
        "torch.nn.BatchNorm1d": nn.BatchNorm1d,
    }
    for label, norm in norms.items():

        def watch(step: int, loss: float, label: str = label) -> None:
            if live is not None:
                live.add(label, step, loss)
                live.advance()

        model = mlp(norm=norm, seed=seed)
        runs.append(train(model, x, y, steps=steps, batch_size=100, lr=0.2, seed=seed, momentum=0.0, on_step=watch))
    return OwnTraining(runs[0].losses, runs[1].losses)
