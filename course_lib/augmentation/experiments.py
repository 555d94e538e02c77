"""The experiments of 03_augmentation: each returns numbers; `figures` draws them.

They use the functions that a student wrote wherever these are fast enough, and `course_lib.augmentation.augment` for
the rest.  Every claim of the notebook about training is asserted on these functions by
`tests/course_lib/augmentation/test_claims.py`.  An experiment that is stopped returns what is finished.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.augmentation import augment
from course_lib.augmentation.augment.policies import Apply, Policy, policies, random_policy
from course_lib.augmentation.nets import (
    Cut,
    Flip,
    Mix,
    chained,
    cutouts,
    flips,
    image_net,
    mixups,
    shifts,
)
from course_lib.lab.data import digits, fashion_mnist
from course_lib.lab.interrupted import NothingFinishedError
from course_lib.lab.live import Live
from course_lib.lab.training import Batch, Loss, Transform, evaluate, train

__all__ = [
    "Mirrored",
    "Run",
    "Search",
    "Views",
    "few_images",
    "mirrored",
    "recipes",
    "search",
    "several_views",
]

Predict = Callable[[nn.Module, Tensor, Sequence[int], int], Tensor]
"""(model, image, sizes, crop) -> (K,) probabilities, as the notebook's `multi_scale_predict`."""

LABEL_NOISE = 0.15
CROP = 24


def few_images(limit: int = 500) -> tuple[Batch, Batch]:
    """Training images with 15% flipped labels, and 1,000 clean validation images."""
    return fashion_mnist("train", limit, LABEL_NOISE), fashion_mnist("validation", 1000)


@dataclass(frozen=True)
class Run:
    """One trained network and its way there; losses are in evaluation mode, on images as they are.

    Attributes:
        recipe: what was done to the training images.
        seed: of weights, shuffling and augmentation.
        epochs: after which the losses were taken.
        training: losses on the training images and their labels.
        validation: losses on the validation images.
        accuracy: on the validation images, at the end.
        seconds: for one epoch of training.
    """

    recipe: str
    seed: int
    epochs: tuple[int, ...]
    training: tuple[float, ...]
    validation: tuple[float, ...]
    accuracy: float
    seconds: float


def recipes(flip: Flip, cut: Cut, mix: Mix, loss: Loss, seeds: Sequence[int], epochs: int) -> list[Run]:
    """Train one network on few images, with more and more augmentation.

    Args:
        flip: random horizontal flips.
        cut: cutout of one image.
        mix: mixup of a batch.
        loss: cross-entropy with soft targets, for mixup.
        seeds: one run for each.
        epochs: passes over the training images.
    """
    data, validation = few_images()
    basic = [flips(flip), shifts(1)]
    kinds: dict[str, tuple[Transform | None, Loss]] = {
        "none": (None, F.cross_entropy),
        "flips and shifts": (chained(basic), F.cross_entropy),
        "with cutout": (chained([*basic, cutouts(cut, 8)]), F.cross_entropy),
        "with mixup": (chained([*basic, mixups(mix, 0.4)]), loss),
    }
    runs: list[Run] = []
    with Live(
        "Four recipes", len(kinds) * len(seeds) * epochs, "epoch", "validation loss", keep=False, partial=True
    ) as live:
        for seed, (name, (transform, criterion)) in itertools.product(seeds, kinds.items()):
            runs.append(_run(name, seed, transform, criterion, data, validation, epochs, live))
    if not runs:
        raise NothingFinishedError("run")
    return runs


def _run(
    name: str,
    seed: int,
    transform: Transform | None,
    loss: Loss,
    data: Batch,
    validation: Batch,
    epochs: int,
    live: Live,
) -> Run:
    model = image_net(seed=seed)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    looked, training, held_out, accuracy, spent = [], [], [], 0.0, 0.0
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        train(
            model, *data, batch_size=50, optimizer=optimizer, loss=loss, transform=transform, seed=1000 * seed + epoch
        )
        spent += time.perf_counter() - start
        live.advance()
        if epoch % 3 == 0 or epoch == epochs:
            looked.append(epoch)
            training.append(evaluate(model, *data)[0])
            value, accuracy = evaluate(model, *validation)
            held_out.append(value)
            live.add(f"{name}, seed {seed}", epoch, value)
    return Run(name, seed, tuple(looked), tuple(training), tuple(held_out), accuracy, spent / epochs)


@dataclass(frozen=True)
class Mirrored:
    """Validation losses and accuracies of one network on one task: without and with flips, one for each seed."""

    task: str
    losses: tuple[tuple[float, ...], tuple[float, ...]]
    accuracies: tuple[tuple[float, ...], tuple[float, ...]]


def mirrored(flip: Flip, seeds: Sequence[int], epochs: int, limit: int = 500) -> list[Mirrored]:
    """The same augmentation, random horizontal flips, on clothing and on digits.

    Clothing is validated twice: on the images as they are, and with every second one mirrored.
    """
    x, y = fashion_mnist("validation", 1000)
    both_sides = x.clone()
    both_sides[::2] = x[::2].flip(-1)
    clothing = {"clothing as it is": (x, y), "clothing seen from both sides": (both_sides, y)}
    tasks: list[tuple[Batch, dict[str, Batch], int]] = [
        (fashion_mnist("train", limit), clothing, 28),
        (digits("train", limit), {"digits": digits("validation")}, 8),
    ]
    names = [name for _, validations, _ in tasks for name in validations]
    seen: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    with Live("Flips", 2 * len(tasks) * len(seeds), "seed", "validation loss", keep=False, partial=True) as live:
        # All runs of a seed behind one another: whenever the experiment is stopped, whole seeds are finished.
        for seed, (data, validations, side), flipped in itertools.product(seeds, tasks, (False, True)):
            model = image_net(side, seed)
            optimizer = torch.optim.Adam(model.parameters(), 1e-3)
            transform = flips(flip) if flipped else None
            train(model, *data, epochs=epochs, batch_size=50, optimizer=optimizer, transform=transform, seed=seed)
            for name, validation in validations.items():
                seen.setdefault((name, flipped), []).append(evaluate(model, *validation))
                live.add(f"{name}, {'with' if flipped else 'without'} flips", seed, seen[name, flipped][-1][0])
            live.advance()
    whole = min(len(seen.get((name, flipped), ())) for name in names for flipped in (False, True))
    if not whole:
        raise NothingFinishedError("seed")
    return [Mirrored(name, _part(seen, name, 0, whole), _part(seen, name, 1, whole)) for name in names]


def _part(
    seen: dict[tuple[str, bool], list[tuple[float, float]]], name: str, k: int, whole: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Losses (k = 0) or accuracies (k = 1) of the finished seeds, without and with flips."""
    plain, flipped = (tuple(end[k] for end in seen[name, way][:whole]) for way in (False, True))
    return plain, flipped


@dataclass(frozen=True)
class Views:
    """One network, tested in several ways on the same images: name -> (loss, accuracy)."""

    seed: int
    results: dict[str, tuple[float, float]]


def several_views(
    predict: Predict, seeds: Sequence[int], epochs: int, images: int = 1000, limit: int = 1000
) -> list[Views]:
    """ResNet's recipe, scaled down: train on random scales and crops, test on one crop, ten crops, several scales.

    Args:
        predict: the student's multi-scale prediction.
        seeds: one network for each.
        epochs: passes over the training images.
        images: how many validation images are tested.
        limit: training images.
    """
    data, (x, y) = fashion_mnist("train", limit), fashion_mnist("validation", images)
    center = x[:, :, 2:26, 2:26]
    ways = {"ten crops": (28,), "ten crops, three scales": (26, 28, 30)}
    found: list[Views] = []
    with Live(
        "Random scales and crops", len(seeds) * epochs, "epoch", "validation loss", keep=False, partial=True
    ) as live:
        for seed in seeds:
            model = image_net(CROP, seed)
            optimizer = torch.optim.Adam(model.parameters(), 1e-3)
            for epoch in range(1, epochs + 1):
                train(
                    model, *data, batch_size=50, optimizer=optimizer, transform=_scaled_crops, seed=1000 * seed + epoch
                )
                if epoch % 3 == 0 or epoch == epochs:
                    live.add(f"center crop, seed {seed}", epoch, evaluate(model, center, y)[0])
                live.advance()
            model.eval()
            results = {"center crop": evaluate(model, center, y)}
            for name, sizes in ways.items():
                with torch.no_grad():
                    guesses = torch.stack([predict(model, image, sizes, CROP) for image in x])
                right = float((guesses.argmax(dim=1) == y).float().mean())
                results[name] = (float(F.nll_loss(guesses.log(), y)), right)
            found.append(Views(seed, results))
    if not found:
        raise NothingFinishedError("seed")
    return found


def _scaled_crops(x: Tensor, y: Tensor, generator: torch.Generator) -> Batch:
    flipped = augment.horizontal_flip(x, augment.draw_flips(len(x), 0.5, generator))
    crops = augment.draw_scale_crops(len(x), (28, 28), 25, 32, CROP, generator)
    return augment.scale_crop(flipped, crops, CROP), y


@dataclass(frozen=True)
class Search:
    """A search among random policies, and what its choice is worth.

    Attributes:
        candidates: the policies tried.
        scores: loss of each after a short training, on images kept for the search.
        best: index of the one with the lowest score.
        final: name -> validation loss after the full training: "none", "flips and shifts", "found", and one for each
            random policy.
    """

    candidates: list[Policy]
    scores: list[float]
    best: int
    final: dict[str, float]

    @property
    def random(self) -> list[float]:
        """Final losses of the policies that nobody chose."""
        return [loss for name, loss in self.final.items() if name.startswith("random")]


def search(apply: Apply, flip: Flip, budget: int, short: int, epochs: int, seed: int = 0, others: int = 3) -> Search:
    """Try random policies in short trainings, keep the best, and train fully with it and with some others.

    Args:
        apply: the student's function.
        flip: random horizontal flips.
        budget: policies tried.
        short: epochs of each trial.
        epochs: of the full training.
        seed: of everything.
        others: policies for the comparison, drawn at random and not by the search.
    """
    data, validation = few_images()
    x, y = fashion_mnist("train", 1500)
    kept = (x[1000:], y[1000:])  # clean labels, and in no training
    generator = torch.Generator().manual_seed(seed)
    candidates = [random_policy(generator) for _ in range(budget)]
    rivals = [random_policy(generator) for _ in range(others)]
    scores: list[float] = []
    final: dict[str, float] = {}
    with Live("Search", budget + others + 3, "training", "loss", keep=False, partial=True) as live:

        def loss_of(transform: Transform | None, length: int, judge: Batch) -> float:
            model = image_net(seed=seed)
            optimizer = torch.optim.Adam(model.parameters(), 1e-3)
            train(model, *data, epochs=length, batch_size=50, optimizer=optimizer, transform=transform, seed=seed)
            return evaluate(model, *judge)[0]

        for number, policy in enumerate(candidates, 1):
            scores.append(loss_of(policies(policy, apply), short, kept))
            live.add("policies, after a short training", number, scores[-1])
            live.advance()
        best = min(range(budget), key=scores.__getitem__)
        finals: dict[str, Transform | None] = {
            "none": None,
            "flips and shifts": chained([flips(flip), shifts(1)]),
            "found": policies(candidates[best], apply),
            **{f"random {i + 1}": policies(policy, apply) for i, policy in enumerate(rivals)},
        }
        for number, (name, transform) in enumerate(finals.items(), budget + 1):
            final[name] = loss_of(transform, epochs, validation)
            live.add("after the full training", number, final[name])
            live.advance()
    if not scores:
        raise NothingFinishedError("training")
    best = min(range(len(scores)), key=scores.__getitem__)
    return Search(candidates[: len(scores)], scores, best, final)
