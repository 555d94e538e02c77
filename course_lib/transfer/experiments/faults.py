"""Faults of transfer learning, each made on purpose and measured.

All return numbers; `figures` draws them.  Every claim that the notebook makes about them is asserted by
`tests/course_lib/transfer/test_claims.py`.  An experiment that is stopped returns the seeds that are finished.
"""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from course_lib.lab.data import fashion_mnist
from course_lib.lab.efficientnet import imagenet_classes, normalised
from course_lib.lab.interrupted import NothingFinishedError
from course_lib.lab.live import Live
from course_lib.lab.models import cnn, seeded
from course_lib.lab.training import Batch, evaluate, train

__all__ = [
    "Drift",
    "HeadRun",
    "RateRun",
    "drift",
    "drifts",
    "frozen_with_momentum",
    "head_run",
    "head_runs",
    "negatives",
    "rate_runs",
    "small_net",
    "watched_normalisations",
]

Freeze = Callable[[nn.Module], Any]
Rates = Callable[[int, float, float], Any]

_CLASSES = 10
_Run = TypeVar("_Run")


@functools.cache
def _small_net(seed: int) -> nn.Sequential:
    images, labels = fashion_mnist("train", 3000)
    model = cnn((16, 32, 64), norm=nn.BatchNorm2d, seed=seed)
    train(model, images, labels, epochs=4, batch_size=50, decay_to_zero=True, seed=seed)
    return model.eval()


def small_net(seed: int = 0) -> nn.Sequential:
    """A small network with batch normalization, trained on 3,000 images of Fashion-MNIST; a fresh copy of it."""
    return copy.deepcopy(_small_net(seed))


def negatives(split: Any, limit: int) -> Batch:
    """Other images: Fashion-MNIST as photographic negatives, dark clothes on white."""
    images, labels = fashion_mnist(split, limit)
    return 1 - images, labels


def _head(model: nn.Module) -> nn.Linear:
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]


def _new_head(model: nn.Sequential, seed: int) -> nn.Sequential:
    model[-1] = seeded(lambda: nn.Linear(_head(model).in_features, _CLASSES), seed)
    return model


# --- batch normalization that drifts --------------------------------------------------------------------------


@dataclass(frozen=True)
class Drift:
    """What fine-tuning a head did to a backbone that should not have moved.

    Attributes:
        source_before: accuracy on the source images, before, in [0, 1].
        source_after: the same after the head was trained on other images and the old head was put back.
        target: accuracy on the other images with the new head.
        moved: mean change of the features of one and the same image, relative to their size.
    """

    source_before: float
    source_after: float
    target: float
    moved: float


def drift(freeze: Freeze, steps: int = 120, seed: int = 0) -> Drift:
    """Give a trained network a new head, freeze the rest, train on negatives; then put the old head back.

    Args:
        freeze: as `freeze_backbone` of the notebook.
        steps: of training, 50 images each.
        seed: of the networks and of the order.
    """
    source, target = fashion_mnist("validation", 1000), negatives("validation", 1000)
    model = small_net(seed)
    old_head, features = copy.deepcopy(_head(model)), _features(model, source[0])
    before = evaluate(model, *source)[1]
    frozen = freeze(_new_head(model, seed))
    model = frozen if isinstance(frozen, nn.Sequential) else model
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trainable, 0.05, 0.9)
    train(model, *negatives("train", 1000), steps=steps, batch_size=50, optimizer=optimizer, seed=seed)
    on_target = evaluate(model, *target)[1]
    _head(model).load_state_dict(old_head.state_dict())
    after = evaluate(model, *source)[1]
    moved = (_features(model, source[0]) - features).norm(dim=1) / features.norm(dim=1)
    return Drift(before, after, on_target, float(moved.mean()))


@torch.no_grad()
def _features(model: nn.Sequential, images: Tensor) -> Tensor:
    return model.eval()[:-1](images)  # type: ignore[no-any-return]


# --- the optimizer that does not know the head -----------------------------------------------------------------


@dataclass(frozen=True)
class HeadRun:
    """Fine-tuning with a new head.

    Attributes:
        losses: training loss of each step.
        head_moved: how far the head's weight went, relative to its size at the start.
        accuracy: on validation images, in [0, 1].
    """

    losses: tuple[float, ...]
    head_moved: float
    accuracy: float


def head_run(
    replace_head: Callable[[nn.Module, int], Any], too_early: bool, steps: int = 100, seed: int = 0
) -> HeadRun:
    """Replace the head and train everything, with the optimizer made before or after the replacement.

    Args:
        replace_head: as in the notebook.
        too_early: make the optimizer before.
        steps: of training, 50 images each.
        seed: of the new head and of the order.
    """
    model: nn.Module = small_net(seed)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9)
    model = seeded(lambda: replace_head(model, _CLASSES), seed)
    if not too_early:
        optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9)
    start = _head(model).weight.detach().clone()
    history = train(model, *negatives("train", 1000), steps=steps, batch_size=50, optimizer=optimizer, seed=seed)
    moved = float((_head(model).weight.detach() - start).norm() / start.norm())
    return HeadRun(history.losses, moved, evaluate(model, *negatives("validation", 1000))[1])


def head_runs(
    replace_head: Callable[[nn.Module, int], Any], seeds: Sequence[int] = (0, 1, 2), steps: int = 100
) -> dict[str, list[HeadRun]]:
    """`head_run` with the optimizer made at the right time and too early, on several seeds.

    Args:
        replace_head: as in the notebook.
        seeds: one pair of runs for each.
        steps: of training.
    """
    ways = {"optimizer after the head": False, "optimizer before the head": True}
    runs: dict[str, list[HeadRun]] = {name: [] for name in ways}
    with Live("A new head", len(ways) * len(seeds), "step", keep=False, partial=True) as live:
        for seed, (name, too_early) in itertools.product(seeds, ways.items()):
            runs[name].append(head_run(replace_head, too_early, steps, seed))
            for step in range(10, steps + 1, 10):
                live.add(f"{name}, seed {seed}", step, sum(runs[name][-1].losses[step - 10 : step]) / 10)
            live.advance()
    return _whole(runs)


def drifts(ways: Mapping[str, Freeze], seeds: Sequence[int] = (0, 1, 2)) -> dict[str, list[Drift]]:
    """`drift` for several ways to freeze, on several seeds.

    Args:
        ways: name -> a function like `freeze_backbone`.
        seeds: one run of each way for each.
    """
    runs: dict[str, list[Drift]] = {name: [] for name in ways}
    title, quantity = "Frozen in several ways", "accuracy on the old images, afterward"
    with Live(title, len(ways) * len(seeds), "seed", quantity, keep=False, partial=True) as live:
        for seed, (name, freeze) in itertools.product(seeds, ways.items()):
            runs[name].append(drift(freeze, seed=seed))
            live.add(name, seed, runs[name][-1].source_after)
            live.advance()
    return _whole(runs)


def _whole(runs: Mapping[str, Sequence[_Run]]) -> dict[str, list[_Run]]:
    """The seeds of which all runs are finished."""
    whole = min(map(len, runs.values()))
    if not whole:
        raise NothingFinishedError("seed")
    return {name: list(of_name[:whole]) for name, of_name in runs.items()}


# --- momentum -------------------------------------------------------------------------------------------------


def frozen_with_momentum(set_to_none: bool, steps: int = 12, freeze_at: int = 4) -> list[float]:
    """A weight on its way down a parabola, frozen on the way; its value after each step.

    Args:
        set_to_none: what `zero_grad` does: remove gradients, or fill them with zeros.
        steps: of SGD with momentum 0.9.
        freeze_at: the step before which `requires_grad` is switched off.
    """
    weight = nn.Parameter(torch.tensor(1.0))
    optimizer = torch.optim.SGD([weight], 0.05, momentum=0.9)
    values = [weight.item()]
    for step in range(steps):
        if step == freeze_at:
            weight.requires_grad_(False)
        optimizer.zero_grad(set_to_none=set_to_none)
        if weight.requires_grad:
            weight.square().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        values.append(weight.item())
    return values


# --- input normalization --------------------------------------------------------------------------------------


@torch.no_grad()
def watched_normalisations(
    model: nn.Module, images: Tensor, right: Sequence[Sequence[str]]
) -> dict[str, list[tuple[str, float]]]:
    """What the network says when images are not prepared as in its training.

    Args:
        model: ImageNet network, in evaluation mode.
        images: (N, 3, 224, 224) in [0, 1].
        right: for each image the names of the classes that are right.

    Returns:
        preparation -> for each image the first class and the probability of all right ones together.
    """
    names = imagenet_classes()
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "as in training": normalised,
        "left in [0, 1]": lambda x: x,
        "values 0 to 255": lambda x: 255 * x,
        "normalized twice": lambda x: normalised(normalised(x)),
        "red and blue exchanged": lambda x: normalised(x.flip(1)),
    }
    found: dict[str, list[tuple[str, float]]] = {}
    for way, prepare in ways.items():
        chances = torch.softmax(model(prepare(images)), dim=1)
        columns = [[names.index(name) for name in names_of_one] for names_of_one in right]
        found[way] = [(names[int(p.argmax())], float(p[c].sum())) for p, c in zip(chances, columns, strict=True)]
    return found


# --- a learning rate for each layer ---------------------------------------------------------------------------


@dataclass(frozen=True)
class RateRun:
    """Fine-tuning with a learning rate for each layer.

    Attributes:
        target: `similar` or `different` images.
        decay: factor from each layer to the one before it; 0: only the head trains, 1: all layers at one rate.
        accuracy: on validation images, in [0, 1].
    """

    target: str
    decay: float
    accuracy: float


def rate_runs(
    layer_learning_rates: Rates, decays: Sequence[float] = (0.0, 0.1, 0.3, 1.0), seeds: Sequence[int] = (0, 1, 2)
) -> list[RateRun]:
    """Fine-tune a trained network with a new head at a base rate of 0.3, for 100 steps of 20 images.

    Two targets: 50 new images of the kind that it knows, and 200 negatives.

    Args:
        layer_learning_rates: as in the notebook; the network has four layers.
        decays: what is tried.
        seeds: of the networks and of the order.
    """
    images, labels = fashion_mnist("train", 3050)
    targets = {
        "similar": ((images[3000:], labels[3000:]), fashion_mnist("validation", 500)),
        "different": (negatives("train", 200), negatives("validation", 500)),
    }
    cells = list(itertools.product(seeds, targets, decays))
    found: list[RateRun] = []
    with Live("Learning rates", len(cells), "decay", "accuracy", keep=False, partial=True) as live:
        for seed, target, decay in cells:
            rates = [float(rate) for rate in layer_learning_rates(4, 0.3, decay)]
            found.append(RateRun(target, decay, _tuned(rates, *targets[target], seed)))
            live.add(f"{target} images, seed {seed}", decay, found[-1].accuracy)
            live.advance()
    whole = len(found) - len(found) % (len(targets) * len(decays))
    if not whole:
        raise NothingFinishedError("seed")
    return found[:whole]


def _tuned(rates: Sequence[float], known: Batch, new: Batch, seed: int) -> float:
    """Accuracy after fine-tuning with these rates for the three convolutions (with normalization) and the head."""
    model = _new_head(small_net(seed), seed)
    layers = [model[0:2], model[3:5], model[6:8], model[-1:]]
    groups = [{"params": list(part.parameters()), "lr": rate} for part, rate in zip(layers, rates, strict=True)]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    train(model, *known, steps=100, batch_size=20, optimizer=optimizer, decay_to_zero=True, seed=seed)
    return evaluate(model, *new)[1]
