"""The experiments of 02_dropout: each returns numbers; `figures` draws them.

All train small networks on few images with flipped labels, where overfitting is real.  Every claim of the notebook
about training is asserted on these functions by `tests/course_lib/dropout/test_claims.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from course_lib.dropout.nets import (
    Boundaries,
    Connect,
    ConnectNet,
    ConnectTest,
    Drop,
    Dropout,
    FractionalNet,
    Pool,
    dropout_net,
)
from course_lib.lab.data import fashion_mnist
from course_lib.lab.interrupted import NothingFinishedError
from course_lib.lab.live import Live
from course_lib.lab.training import Batch, evaluate, train

__all__ = [
    "BehindRelu",
    "Ensemble",
    "Patterns",
    "Run",
    "behind_relu",
    "calibration_error",
    "few_images",
    "fractional_passes",
    "gradient_check",
    "losing_units",
    "neighbour_correlation",
    "overfitting",
    "patterns",
    "probabilities",
    "small_ensemble",
]

LABEL_NOISE = 0.15


def few_images(limit: int = 500) -> tuple[Batch, Batch]:
    """Training images with 15% flipped labels, and 1,000 clean validation images."""
    return fashion_mnist("train", limit, LABEL_NOISE), fashion_mnist("validation", 1000)


def gradient_check(drop: Drop, p_keep: float, seed: int = 0) -> tuple[float, float]:
    """How well a dropout's gradient agrees with its own differences, and its mean output for ones.

    Returns:
        the largest relative error against central differences, in float64; the mean of drop(ones).
    """
    generator = torch.Generator().manual_seed(seed)
    x, u, weights = torch.rand(3, 20, 50, generator=generator, dtype=torch.float64).unbind()
    x.requires_grad_(True)
    (analytic,) = torch.autograd.grad((drop(x, p_keep, u, True) * weights).sum(), x)
    step = 1e-5
    with torch.no_grad():
        # Every output depends on one input only, so that all differences come from two calls.
        numeric = (drop(x + step, p_keep, u, True) - drop(x - step, p_keep, u, True)) / (2 * step) * weights
    error = (analytic - numeric).abs() / (analytic.abs() + numeric.abs()).clamp(min=1e-12)
    return float(error.max()), float(drop(torch.ones_like(u), p_keep, u, True).mean())


@dataclass(frozen=True)
class Run:
    """One trained network and its way there; losses are in evaluation mode, one after every second epoch.

    Attributes:
        p_keep: probability of keeping a hidden unit.
        seed: of weights, noise and shuffling.
        model: the network.
        epochs: after which the losses were taken.
        training: losses on the training images and their partly wrong labels.
        validation: losses on the validation images.
    """

    p_keep: float
    seed: int
    model: nn.Module
    epochs: tuple[int, ...]
    training: tuple[float, ...]
    validation: tuple[float, ...]

    @property
    def gap(self) -> float:
        """How much larger the validation loss ends than the training loss."""
        return self.validation[-1] - self.training[-1]


def overfitting(drop: Drop, p_keeps: Sequence[float], seeds: Sequence[int], epochs: int) -> list[Run]:
    """Train the same network with several probabilities of keeping a unit.

    Args:
        drop: inverted dropout.
        p_keeps: probabilities; 1 is the plain network.
        seeds: one run for each.
        epochs: passes over the training images.

    Returns:
        the runs of every seed that was complete when it ended or was stopped, seed after seed.

    Raises:
        NothingFinishedError: if it is stopped before the first seed is complete.
    """
    data, validation = few_images()
    runs: list[Run] = []
    total = len(p_keeps) * len(seeds) * epochs
    with Live("Few images, wrong labels", total, "epoch", "validation loss", keep=False, partial=True) as live:
        for seed in seeds:
            of_seed = []
            for p_keep in p_keeps:
                model, label = dropout_net(p_keep, drop, seed=seed), f"p_keep = {p_keep:g}, seed {seed}"
                of_seed.append(_fit(model, p_keep, seed, data, validation, epochs, live, label))
            runs += of_seed
    if not runs:
        raise NothingFinishedError("seed")
    return runs


def _fit(
    model: nn.Module, p_keep: float, seed: int, data: Batch, validation: Batch, epochs: int, live: Live, label: str
) -> Run:
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    looked, training, held_out = [], [], []
    for epoch in range(1, epochs + 1):
        train(model, *data, batch_size=50, optimizer=optimizer, seed=1000 * seed + epoch)
        live.advance()
        if epoch % 2 == 0 or epoch == epochs:
            looked.append(epoch)
            training.append(evaluate(model, *data)[0])
            held_out.append(evaluate(model, *validation)[0])
            live.add(label, epoch, held_out[-1])
    return Run(p_keep, seed, model, tuple(looked), tuple(training), tuple(held_out))


@torch.no_grad()
def losing_units(model: nn.Module, data: Batch, p_keep: float, draws: int = 10, seed: int = 0) -> float:
    """Accuracy when every hidden unit is lost for good with probability 1 - p_keep, mean over draws.

    What is kept is scaled by 1 / p_keep, so that a network fails only for want of the units themselves.
    """
    images, labels = data
    generator = torch.Generator().manual_seed(seed)
    right = 0
    for _ in range(draws):
        h = images
        for layer in model.children():
            h = h if isinstance(layer, Dropout) else layer(h)
            if isinstance(layer, nn.ReLU):
                # One mask for all images: the units are gone.
                h = h * (torch.rand(h.shape[1], generator=generator) < p_keep) / p_keep
        right += int((h.argmax(dim=1) == labels).sum())
    return right / draws / len(labels)


def neighbour_correlation(weights: torch.Tensor) -> float:
    """How smooth first-layer features are: correlation of the weights of horizontally adjacent pixels.

    Args:
        weights: (K, 784), of 28 x 28 pixels each.
    """
    images = weights.detach().reshape(-1, 28, 28)
    left, right = images[:, :, :-1].flatten(), images[:, :, 1:].flatten()
    return float(torch.corrcoef(torch.stack([left, right]))[0, 1])


@torch.no_grad()
def probabilities(model: nn.Module, images: torch.Tensor, samples: int = 0) -> torch.Tensor:
    """Class probabilities (N, 10): by the test rule, or (samples > 0) as the mean over so many noisy passes."""
    before = model.training
    model.train(samples > 0)
    passes = [F.softmax(model(images), dim=1) for _ in range(max(1, samples))]
    model.train(before)
    return torch.stack(passes).mean(dim=0)


def calibration_error(guess: torch.Tensor, labels: torch.Tensor, bins: int = 10) -> float:
    """Expected calibration error: the mean distance of confidence and accuracy (Guo et al. 2017, eq. 3).

    Args:
        guess: (N, K) probabilities.
        labels: (N,).
        bins: equal parts of the range of confidence.
    """
    confidence, predicted = guess.max(dim=1)
    right = (predicted == labels).to(guess.dtype)
    group = (confidence * bins).long().clamp(max=bins - 1)
    error = 0.0
    for b in range(bins):
        inside = group == b
        if bool(inside.any()):
            error += float(inside.float().mean() * (confidence[inside].mean() - right[inside].mean()).abs())
    return error


@dataclass(frozen=True)
class Ensemble:
    """How far approximations lie from the exact mean over all masks of the last hidden layer.

    A distance is half the sum of absolute differences of two probability vectors, mean over images: in [0, 1].

    Attributes:
        units: D, so that there are 2**D masks.
        scaled: distance of the network with scaled weights.
        samples: numbers of sampled masks.
        sampled: distance of the mean over so many masks.
        geometric: largest difference of the scaled network from the renormalized geometric mean.
    """

    units: int
    scaled: float
    samples: tuple[int, ...]
    sampled: tuple[float, ...]
    geometric: float


@torch.no_grad()
def small_ensemble(drop: Drop, epochs: int, seed: int = 0, units: int = 10, p_keep: float = 0.5) -> Ensemble:
    """Train a network whose last hidden layer is small, and average over all its masks, image by image."""
    data, (images, _) = few_images()
    model = dropout_net(p_keep, drop, last=units, seed=seed)
    title = f"Training the network for the ensemble, seed {seed}"
    with Live(title, epochs, "epoch", "validation loss", keep=False) as live, torch.enable_grad():
        _fit(model, p_keep, seed, data, fashion_mnist("validation", 1000), epochs, live, f"seed {seed}")
    *body, head = model.eval().children()
    h = nn.Sequential(*body)(images[:200])
    assert isinstance(head, nn.Linear)
    # Kept units count 1 / p_keep in inverted dropout; here that factor stands in the weights.
    W, b = head.weight / p_keep, head.bias
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=units)))
    chances = (masks * p_keep + (1 - masks) * (1 - p_keep)).prod(dim=1)
    logs = F.log_softmax(torch.einsum("kd,md,nd->mnk", W, masks, h) + b, dim=2)
    exact = torch.einsum("m,mnk->nk", chances, logs.exp())
    scaled = F.softmax(p_keep * h @ W.T + b, dim=1)
    geometric = F.softmax(torch.einsum("m,mnk->nk", chances, logs), dim=1)
    samples = (1, 4, 16, 64, 256)
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.multinomial(chances, 20 * s, replacement=True, generator=generator).view(20, s) for s in samples]
    sampled = [sum(_distance(logs[row].exp().mean(dim=0), exact) for row in rows) / 20 for rows in drawn]
    largest = float((scaled - geometric).abs().max())
    return Ensemble(units, _distance(scaled, exact), samples, tuple(sampled), largest)


def _distance(p: torch.Tensor, q: torch.Tensor) -> float:
    return float((p - q).abs().sum(dim=1).mean() / 2)


@dataclass(frozen=True)
class BehindRelu:
    """Distances from the mean over many sampled masks of both hidden layers, as in `Ensemble`.

    Attributes:
        scaled: of one pass with scaled weights.
        one: of one random mask.
        four: of the mean of 4 random masks.
        sixteen: of the mean of 16 random masks.
    """

    scaled: float
    one: float
    four: float
    sixteen: float


@torch.no_grad()
def behind_relu(drop: Drop, seeds: Sequence[int], epochs: int, masks: int = 1000) -> list[BehindRelu]:
    """Train with dropout after both hidden layers, so that the first masks pass a ReLU; compare ways to average.

    Args:
        drop: inverted dropout.
        seeds: one network for each.
        epochs: passes over the training images.
        masks: how many are sampled for the mean that takes the place of the exact one.

    Raises:
        NothingFinishedError: if it is stopped before the first seed is complete.
    """
    data, validation = few_images()
    images = validation[0][:200]
    found = []
    total = len(seeds) * epochs
    with Live("Dropout after both layers", total, "epoch", "validation loss", keep=False, partial=True) as live:
        for seed in seeds:
            model = dropout_net(0.5, drop, seed=seed)
            with torch.enable_grad():
                _fit(model, 0.5, seed, data, validation, epochs, live, f"seed {seed}")
            scaled = probabilities(model, images)
            model.train()
            passes = torch.stack([F.softmax(model(images), dim=1) for _ in range(masks)])
            mean = passes.mean(dim=0)
            # 10 means of each size: so small a part of all masks that their share in the mean hardly matters.
            by_size = [
                sum(_distance(part.mean(dim=0), mean) for part in torch.split(passes[: 10 * size], size)) / 10
                for size in (1, 4, 16)
            ]
            found.append(BehindRelu(_distance(scaled, mean), *by_size))
    if not found:
        raise NothingFinishedError("seed")
    return found


@dataclass(frozen=True)
class Patterns:
    """Final validation losses of one network with several kinds of noise: name -> one loss for each seed."""

    losses: dict[str, list[float]]


def patterns(drop: Drop, connect: Connect, connect_test: ConnectTest, seeds: Sequence[int], epochs: int) -> Patterns:
    """Train one network, plain and with three kinds of noise.

    Args:
        drop: inverted dropout.
        connect: DropConnect in training.
        connect_test: DropConnect at test time.
        seeds: one run of each network for each.
        epochs: passes over the training images.

    Raises:
        NothingFinishedError: if it is stopped before the first seed is complete.
    """
    data, validation = few_images()
    complete: list[dict[str, float]] = []
    total = 4 * len(seeds) * epochs
    with Live("Three kinds of noise", total, "epoch", "validation loss", keep=False, partial=True) as live:
        for seed in seeds:
            models: dict[str, nn.Module] = {
                "none": dropout_net(1.0, drop, 128, 128, seed),
                "input noise": dropout_net(1.0, drop, 128, 128, seed, noise=0.5),
                "DropConnect": ConnectNet(0.5, connect, connect_test, 128, seed),
                "dropout": dropout_net(0.5, drop, 128, 128, seed),
            }
            of_seed = {}
            for name, model in models.items():
                run = _fit(model, 1.0, seed, data, validation, epochs, live, f"{name}, seed {seed}")
                of_seed[name] = run.validation[-1]
            complete.append(of_seed)
    if not complete:
        raise NothingFinishedError("seed")
    return Patterns({name: [of_seed[name] for of_seed in complete] for name in complete[0]})


def fractional_passes(
    boundaries: Boundaries, pool: Pool, epochs: int, passes: int = 12, seed: int = 0
) -> tuple[list[float], list[float]]:
    """Validation loss of a network with fractional pooling: of single passes, and of the mean of the first k passes."""
    data, (images, labels) = few_images()
    model = FractionalNet(boundaries, pool, seed=seed)
    with Live("Fractional max pooling", epochs, "epoch", "validation loss", keep=False) as live:
        _fit(model, 1.0, seed, data, (images, labels), epochs, live, f"seed {seed}")
    guesses = torch.stack([probabilities(model, images) for _ in range(passes)])
    single = [float(F.nll_loss(guess.log(), labels)) for guess in guesses]
    averaged = [float(F.nll_loss(guesses[:k].mean(dim=0).log(), labels)) for k in range(1, passes + 1)]
    return single, averaged
