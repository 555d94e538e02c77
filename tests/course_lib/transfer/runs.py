"""The trainings that claims of 05_transfer_learning are about; `runs.json` beside this file holds what they gave."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.lab.data import fashion_mnist
from course_lib.lab.efficientnet import EfficientNetLite0, pretrained
from course_lib.transfer.experiments import faults, features, quadrants, tuning
from exercises.transfer import extract_features, freeze_backbone, layer_learning_rates, linear_probe, replace_head
from tests.support.measured import measured

SEEDS = (0, 1, 2, 3, 4)
KIND = "EfficientNet-Lite0"
KINDS = ("pixels", "untrained network", "small network, clothes", KIND)
PAIRS = {"first": ("Sandal", "Ankle boot"), "harder": ("Pullover", "Coat")}
"""What the notebook fine-tunes on first, and the harder variation that its text tells of."""
SHOTS = (1, 2, 5, 10, 20)
DECAYS = (0.0, 0.3, 1.0)
WAYS = ("batchnorm-forgotten", "eval-undone-by-train", "right")
PROBES = ("probe-1", "probe-2", "probe-3")
SAMPLE = (
    *itertools.product(quadrants.TARGETS, (1, 20), ("tune-1", "tune-3", "scratch"), (0, 3)),
    ("similar", 100, "tune-2", 1),
    ("different", 100, "tune-2", 1),
    ("similar", 5, "scratch", 2),
    ("different", 5, "tune-3", 2),
)
"""Trained cells of the transfer table that are compared with it."""
SMALL = tuple(quadrants.plan((0, 1), (5, 100), ("probe-2", "probe-3", "tune-3", "scratch")))
"""What the notebook runs live: `quadrants.repeat_in_small`, by default."""
PROBED = tuple(itertools.product(quadrants.TARGETS, quadrants.PER_CLASS, PROBES, quadrants.SEEDS))


# --- part 2


@measured(list(itertools.product((True, False), SEEDS)))
def head_run(unit: tuple[bool, int]) -> Any:
    """Fine-tuning with an optimizer made too early, or not."""
    too_early, seed = unit
    return faults.head_run(replace_head.replace, too_early, seed=seed)


@measured(list(itertools.product(WAYS, SEEDS)))
def drift(unit: tuple[str, int]) -> Any:
    """What a backbone does that was frozen in one of several ways."""
    way, seed = unit
    ways = (freeze_backbone.batchnorm_forgotten, freeze_backbone.eval_undone_by_train, freeze_backbone.freeze)
    return faults.drift(dict(zip(WAYS, ways, strict=True))[way], seed=seed)


# --- part 3


def model() -> EfficientNetLite0:
    """The network that knows photographs."""
    found = pretrained()
    assert found is not None
    return found


def images(which: str) -> tuple[Tensor, Tensor]:
    """The 500 images that probes of the notebook learn from, the 500 new ones, or these shifted; with labels."""
    x, y = fashion_mnist("train" if which == "known" else "validation", 500)
    return (features.shifted(x) if which == "shifted" else x), y


@functools.cache
def described(kind: str, which: str) -> tuple[Tensor, Tensor]:
    """Features of such images, with labels."""
    x, y = images(which)
    return extract_features.extract(features.feature_makers(model())[kind], x, 25), y


def accuracies(known: tuple[Tensor, Tensor], new: tuple[Tensor, Tensor], shots: int) -> list[float]:
    """Of linear probes that learn from so many images of each class, on five draws."""
    x, y = known
    draws = features.draws(500, shots, len(SEEDS))
    return [features.probe_accuracy(linear_probe.fit, (x[draw], y[draw]), new) for draw in draws]


@measured(KINDS)
def few_shot(kind: str) -> Any:
    """Accuracies of linear probes on one kind of features, as in the notebook, on five draws."""
    (known, labels), (new, new_labels) = described(kind, "known"), described(kind, "new")
    found = features.few_shot(linear_probe.fit, {kind: known}, {kind: new}, (labels, new_labels), SHOTS, len(SEEDS))
    return found[kind]


@measured(KINDS)
def lost_by_a_shift(kind: str) -> Any:
    """How much less accurate probes are on shifted images, on five draws."""
    before, after = (accuracies(described(kind, "known"), described(kind, which), 20) for which in ("new", "shifted"))
    return [a - b for a, b in zip(before, after, strict=True)]


@measured(["cached in training mode"])
def lost_by_training_mode(unit: str) -> Any:
    """How much less accurate probes are whose features were computed in training mode, on five draws."""
    x, y = images("known")
    maker = features.feature_makers(model())[KIND].train()
    with torch.no_grad():
        cached = torch.cat([maker(batch) for batch in torch.split(x, 25)])
    right, other = (accuracies(known, described(KIND, "new"), 20) for known in (described(KIND, "known"), (cached, y)))
    return [a - b for a, b in zip(right, other, strict=True)]


# --- part 4


@measured(SEEDS)
def rates(seed: int) -> Any:
    """Accuracies with a learning rate for each layer: target -> one for each of `DECAYS`."""
    runs = faults.rate_runs(layer_learning_rates.from_the_last_down, DECAYS, (seed,))
    return {target: [run.accuracy for run in runs if run.target == target] for target in ("similar", "different")}


def prepared(net: nn.Module, classes: int) -> Any:
    """A network with a new head, the rest frozen."""
    return freeze_backbone.freeze(replace_head.replace(net, classes))


@measured(list(itertools.product(PAIRS, SEEDS)))
def tuned(unit: tuple[str, int]) -> Any:
    """Two classes of clothes: recipe -> accuracy and last loss; from scratch on three seeds, as in the notebook."""
    pair, seed = unit
    runs = tuning.tuning_runs(model(), prepared, PAIRS[pair], (seed,), scratch=int(seed < 3))
    return {run.recipe: {"accuracy": run.accuracy, "loss": run.losses[-1]} for run in runs}


# --- the transfer table


@measured(dict.fromkeys((*PROBED, *SAMPLE, *SMALL)))
def cell(unit: tuple[str, int, str, int]) -> Any:
    """The accuracy of one cell of the transfer table."""
    return quadrants.run_cell(*unit).accuracy
