"""Fine-tuning the network that knows photographs, on forty small pictures, against the same network from scratch.

What does not train is computed once, and what two recipes do not train is computed once for both; the new images, which
are the same for every draw, pass it once altogether.  The claims of the notebook about it are asserted by
`tests/course_lib/transfer/test_claims.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.lab.data import CLASSES, fashion_mnist
from course_lib.lab.efficientnet import EfficientNetLite0
from course_lib.lab.interrupted import NothingFinishedError
from course_lib.lab.live import Live
from course_lib.lab.models import seeded
from course_lib.lab.training import Batch
from course_lib.transfer.experiments.features import Enlarged, Fit, shifted

__all__ = ["RECIPES", "Pair", "Tuned", "pixel_accuracy", "tuning_runs", "two_classes"]

Pair = tuple[str, str]
"""Names of two of the classes of Fashion-MNIST."""
RECIPES = {
    "head": "only the new head trains",
    "last block": "head and last block train",
    "scratch": "from scratch, all of it trains",
}
_SIZE = 96
_LAST = 16
"""Where the last block begins in `EfficientNetLite0.features`: it and the convolution behind it, a million weights."""
_HEAD_RATE, _BLOCK_RATE, _BATCH = 3e-3, 1e-3, 20
_SCRATCH_RATE = 1e-3
"""On the first draw better than 3e-4 (accuracy 0.62 against 0.52)."""

Prepare = Callable[[nn.Module, int], Any]
"""(model, classes) -> the model with a new head, the rest frozen: the notebook's two functions, one after the other."""


@dataclass(frozen=True)
class Tuned:
    """One training.

    Attributes:
        recipe: key of `RECIPES`.
        seed: of the choice of images, of new weights and of the order.
        accuracy: on new images, in [0, 1].
        losses: training loss of each step.
    """

    recipe: str
    seed: int
    accuracy: float
    losses: tuple[float, ...]


def two_classes(pair: Pair, per_class: int, seed: int, test: int = 300) -> tuple[Batch, Batch]:
    """Images (N, 1, 28, 28) of a pair with labels 0 and 1: so many of each class to learn from, others for the test.

    Like photographs, and unlike those of the data set, they are not centered: all are shifted by up to 3 pixels.

    Args:
        pair: what is to be told apart.
        per_class: images of each class to learn from.
        seed: of their choice.
        test: images for the test, the same for every seed.

    Raises:
        ValueError: if the pair is not two different classes.
    """
    (images, labels), (new_images, new_labels) = _images_of(pair, "train"), _images_of(pair, "validation")
    generator = torch.Generator().manual_seed(seed)
    rows = [(labels == label).nonzero()[:, 0] for label in (0, 1)]
    chosen = torch.cat([of[torch.randperm(len(of), generator=generator)[:per_class]] for of in rows])
    return (images[chosen], labels[chosen]), (new_images[:test], new_labels[:test])


def _images_of(pair: Pair, split: Any) -> Batch:
    if len(set(pair)) != 2 or not set(pair) <= set(CLASSES):
        raise ValueError(f"expected two different classes of {', '.join(CLASSES)}; got {', '.join(pair)}")
    images, labels = fashion_mnist(split)
    first, second = (CLASSES.index(name) for name in pair)
    kept = (labels == first) | (labels == second)
    return shifted(images[kept]), (labels[kept] == second).long()


def tuning_runs(
    model: EfficientNetLite0,
    prepare: Prepare,
    pair: Pair,
    seeds: Sequence[int] = (0, 1, 2),
    per_class: int = 20,
    steps: int = 40,
    scratch: int = 3,
) -> list[Tuned]:
    """Train the pretrained network, and the same from scratch, on a few images of two classes, in as many steps.

    The pretrained weights stay as they are.

    Args:
        model: with its pretrained weights; a copy of it trains.
        prepare: gives a model a new head and freezes the rest.
        pair: what is to be told apart.
        seeds: one run of every recipe for each.
        per_class: images of each class.
        steps: of training.
        scratch: so many of the seeds, the first ones, are trained from scratch as well, which takes longest.
    """
    runs: list[Tuned] = []
    _prepared(model, prepare)  # what is wrong with it should show before the features are computed
    frozen = _Frozen(model)
    planned = {seed: [name for name in RECIPES if name != "scratch" or n < scratch] for n, seed in enumerate(seeds)}
    total = steps * sum(map(len, planned.values()))
    with Live("Two classes", total, "step", keep=False, partial=True) as live:
        new, new_labels = two_classes(pair, per_class, seeds[0])[1]
        tests = frozen(new)
        for seed, recipes in planned.items():
            known, labels = two_classes(pair, per_class, seed)[0]
            inputs = frozen(known)
            of_seed = []
            for recipe in recipes:
                net, groups = _training_part(model, prepare, recipe, seed)
                losses = _train(net, inputs[recipe], labels, groups, seed, steps, f"{recipe}, seed {seed}", live)
                if recipe == "scratch":
                    _settle(net, inputs[recipe])
                accuracy = _accuracy(net, tests[recipe], new_labels)
                of_seed.append(Tuned(recipe, seed, accuracy, tuple(losses)))
            runs += of_seed
    if not runs:
        raise NothingFinishedError("seed")
    return runs


def pixel_accuracy(fit: Fit, pair: Pair, seed: int, per_class: int = 20, lam: float = 30.0) -> float:
    """What a linear probe on the 784 pixels makes of the same images: the least that a network has to beat.

    Args:
        fit: as `fit_linear_probe` of the notebook.
        pair: what is to be told apart.
        seed: of the choice of images.
        per_class: images of each class.
        lam: the penalty.
    """
    (images, labels), (new_images, new_labels) = two_classes(pair, per_class, seed)
    weights, bias = fit(images.flatten(1), labels, len(pair), lam)
    guesses = (new_images.flatten(1) @ weights.T + bias).argmax(dim=1)
    return float((guesses == new_labels).float().mean())


class _Frozen:
    """What never changes: it gives each recipe its images as far as they can be computed before the training.

    Args:
        model: with its pretrained weights; a copy of it is used, in evaluation mode.
    """

    def __init__(self, model: EfficientNetLite0) -> None:
        net = copy.deepcopy(model).eval()
        below, above = net.features[:_LAST], net.features[_LAST:]
        self._parts = {"scratch": Enlarged(_SIZE), "last block": below, "head": nn.Sequential(above, net.pool)}

    @torch.no_grad()
    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Images (N, 1, 28, 28) -> recipe -> what its training part is given, (N, ...)."""
        found = {}
        for recipe, part in self._parts.items():
            found[recipe] = images = torch.cat([part(batch) for batch in torch.split(images, 25)])
        return found


def _training_part(
    model: EfficientNetLite0, prepare: Prepare, recipe: str, seed: int
) -> tuple[nn.Module, list[dict[str, Any]]]:
    """What runs in every step, and what of it trains at which rate."""
    if recipe == "scratch":
        net = seeded(_untrained, seed)
        return net, [{"params": list(net.parameters()), "lr": _SCRATCH_RATE}]
    tuned = seeded(lambda: _prepared(model, prepare), seed)
    groups = [{"params": list(tuned.classifier.parameters()), "lr": _HEAD_RATE}]
    if recipe == "head":
        return tuned.classifier, groups
    above = tuned.features[_LAST:]
    groups.append({"params": list(above.requires_grad_(True).parameters()), "lr": _BLOCK_RATE})
    return nn.Sequential(above, tuned.pool, tuned.classifier), groups


def _untrained() -> EfficientNetLite0:
    """The same network with random weights."""
    net = EfficientNetLite0(2)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third less time
    return net


@torch.no_grad()
def _settle(net: nn.Module, images: Tensor) -> None:
    """Running statistics of these images with the weights as they are: in forty steps an average does not catch up."""
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            part.momentum = None  # the plain mean, here of one batch
    net.train()
    net(images)


def _prepared(model: EfficientNetLite0, prepare: Prepare) -> EfficientNetLite0:
    """A copy of the model, prepared by the student's functions; they may work in place and return nothing."""
    tuned = copy.deepcopy(model)
    found = prepare(tuned, 2)
    return found if isinstance(found, EfficientNetLite0) else tuned


def _train(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    groups: list[dict[str, Any]],
    seed: int,
    steps: int,
    name: str,
    live: Live,
) -> list[float]:
    optimizer = torch.optim.AdamW(groups)
    generator = torch.Generator().manual_seed(seed)
    losses: list[float] = []
    net.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # the network's dropout draws from the global generator
        while len(losses) < steps:
            order = torch.split(torch.randperm(len(labels), generator=generator), _BATCH)
            for index in order[: steps - len(losses)]:
                optimizer.zero_grad()
                loss = F.cross_entropy(net(images[index]), labels[index])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                losses.append(loss.item())
                live.add(name, len(losses), losses[-1])
                live.advance()
    return losses


@torch.no_grad()
def _accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    net.eval()
    guesses = torch.cat([net(batch).argmax(dim=1) for batch in torch.split(images, 50)])
    return float((guesses == labels).float().mean())
