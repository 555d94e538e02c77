"""The lecture's table of transfer learning, tried: how much data, how similar, which recipe.

One cell is one training run.  The whole table was run once by `scripts/make_transfer_runs.py` and is stored; notebook
and widget read it, a test repeats a sample of it.
"""

from __future__ import annotations

import csv
import functools
import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from importlib import resources

import torch
from torch import nn
from torch.nn import functional as F

from course_lib.lab.data import fashion_mnist
from course_lib.lab.interrupted import NothingFinishedError
from course_lib.lab.live import Live
from course_lib.lab.training import Batch, evaluate, train
from course_lib.transfer.nets.quadrants import BLOCKS, SOURCE_CLASSES, grid_features, shifted, small_backbone, small_net

__all__ = [
    "ADVICE",
    "AMOUNTS",
    "PER_CLASS",
    "RECIPES",
    "RUNS",
    "SEEDS",
    "TARGETS",
    "Advice",
    "Fit",
    "Run",
    "Summary",
    "best_recipes",
    "plan",
    "repeat_in_small",
    "ridge",
    "run_cell",
    "run_of",
    "standing",
    "stored_runs",
    "summaries",
    "target_images",
    "training_images",
]

TARGETS = {"similar": "five other clothes", "different": "handwritten digits"}
"""Target -> what it is."""
PER_CLASS = (1, 5, 20, 100)
"""Labeled images a class."""
AMOUNTS = {"little": (1, 5), "much": (20, 100)}
"""Row of the lecture's table -> the numbers of images that stand for it here."""
RECIPES = {
    "probe-1": "linear classifier on block 1",
    "probe-2": "linear classifier on block 2",
    "probe-3": "linear classifier on block 3, the top",
    "tune-1": "fine-tune the last block",
    "tune-2": "fine-tune the last two blocks",
    "tune-3": "fine-tune all three blocks",
    "scratch": "train all from scratch",
}
"""Recipe -> what is done; every recipe also gets a new last layer."""


@dataclass(frozen=True)
class Advice:
    """What a cell of the lecture's table says.

    Attributes:
        words: the lecture's.
        recipes: keys of `RECIPES` that follow it.
    """

    words: str
    recipes: frozenset[str]


ADVICE = {
    ("similar", "little"): Advice("linear classifier on the top layer", frozenset({"probe-3"})),
    ("different", "little"): Advice("linear classifier from different stages", frozenset({"probe-1", "probe-2"})),
    ("similar", "much"): Advice("fine-tune a few layers", frozenset({"tune-1"})),
    ("different", "much"): Advice("fine-tune a larger number of layers", frozenset({"tune-2", "tune-3"})),
}
"""(target, amount) -> the lecture's advice, in the order of its table."""
SEEDS = tuple(range(5))
RUNS = "transfer_runs.csv"
_RIDGE = 0.03
"""lambda for each training image."""
_STEPS, _BATCH, _RATE = 200, 32, 3e-3
_TARGET_CLASSES = tuple(c for c in range(10) if c not in SOURCE_CLASSES)
_DIGITS_FOR_TEST = 74
"""Of each digit; at least 100 are left for training."""

Fit = Callable[[torch.Tensor, torch.Tensor, int, float], tuple[torch.Tensor, torch.Tensor]]
"""(features (N, F), labels (N,), classes, lambda) -> (W (K, F), b (K,)), as the notebook's `fit_linear_probe`."""


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        target: key of `TARGETS`.
        per_class: labeled images per class.
        recipe: key of `RECIPES`.
        seed: of the choice of images, the new weights and the shuffling.
        accuracy: on the test images, in [0, 1].
        seconds: of training, without testing; on one core.
    """

    target: str
    per_class: int
    recipe: str
    seed: int
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class Summary:
    """The runs of one cell of the table, over its seeds.

    Attributes:
        accuracies: one for each seed, in the order of seeds.
        seconds: mean.
    """

    accuracies: tuple[float, ...]
    seconds: float

    @property
    def mean(self) -> float:
        """Mean accuracy."""
        return statistics.fmean(self.accuracies)

    @property
    def std(self) -> float:
        """Standard deviation of the accuracy between seeds; 0 for a single one."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0


@functools.cache
def target_images(target: str) -> tuple[Batch, Batch]:
    """Images to draw from, and test images that no run trains on; all shifted at random, labels 0..K-1.

    Args:
        target: "similar", five classes of Fashion-MNIST that the backbone has not seen, 200 test images each, or
            "different", scikit-learn's ten digits, enlarged from 8 x 8 to 28 x 28, 74 test images each.
    """
    pool, test = _clothes() if target == "similar" else _digits()
    return (shifted(pool[0], 1), pool[1]), (shifted(test[0], 2), test[1])


def _clothes() -> tuple[Batch, Batch]:
    classes = torch.tensor(_TARGET_CLASSES)

    def chosen(images: torch.Tensor, labels: torch.Tensor) -> Batch:
        kept = torch.isin(labels, classes)
        return images[kept], torch.searchsorted(classes, labels[kept])

    return chosen(*fashion_mnist("train")), chosen(*fashion_mnist("test"))


def _digits() -> tuple[Batch, Batch]:
    from sklearn.datasets import load_digits  # costs a second, which only those pay who run a cell

    data = load_digits()
    small = torch.tensor(data.images, dtype=torch.float32).div(16).unsqueeze(1)  # (N, 8, 8) -> (N, 1, 8, 8)
    images = F.interpolate(small, size=28, mode="bilinear", align_corners=False)
    labels = torch.tensor(data.target, dtype=torch.int64)
    of_class = [(labels == digit).nonzero().flatten() for digit in range(10)]
    pool = torch.cat([index[_DIGITS_FOR_TEST:] for index in of_class])
    test = torch.cat([index[:_DIGITS_FOR_TEST] for index in of_class])
    return (images[pool], labels[pool]), (images[test], labels[test])


def training_images(target: str, per_class: int, seed: int) -> Batch:
    """The labeled images of a run: so many of each class, drawn at random."""
    images, labels = target_images(target)[0]
    generator = torch.Generator().manual_seed(1000 + seed)
    drawn = []
    for label in range(int(labels.max()) + 1):
        index = (labels == label).nonzero().flatten()
        drawn.append(index[torch.randperm(len(index), generator=generator)[:per_class]])
    index = torch.cat(drawn)
    return images[index], labels[index]


def ridge(
    features: torch.Tensor, labels: torch.Tensor, num_classes: int, lam: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """scikit-learn's ridge regression on one-hot targets, as a `Fit`."""
    from sklearn.linear_model import Ridge

    found = Ridge(alpha=lam).fit(features.numpy(), F.one_hot(labels, num_classes).double().numpy())
    return torch.tensor(found.coef_), torch.tensor(found.intercept_)


@functools.cache
def _pretrained() -> nn.Sequential:
    return small_backbone()


@torch.no_grad()
def _after(blocks: int, images: torch.Tensor) -> torch.Tensor:
    """Output of the pretrained network's first blocks: what is frozen needs to be computed only once."""
    return torch.cat([_pretrained()[:blocks](x) for x in torch.split(images, 500)]) if blocks else images


@functools.cache
def _test_after(target: str, blocks: int) -> Batch:
    images, labels = target_images(target)[1]
    return _after(blocks, images), labels


def run_cell(target: str, per_class: int, recipe: str, seed: int, fit: Fit = ridge) -> Run:
    """One training run of the table.

    Args:
        target: key of `TARGETS`.
        per_class: labeled images per class.
        recipe: key of `RECIPES`.
        seed: any; the table has those of `SEEDS`.
        fit: fits the linear classifier of the probes.
    """
    images, labels = training_images(target, per_class, seed)
    kind, _, number = recipe.partition("-")
    used = int(number) if kind == "probe" else BLOCKS - int(number or BLOCKS)  # pretrained blocks that are not trained
    test = _test_after(target, used)
    start = time.perf_counter()
    x = _after(used, images)
    if kind == "probe":
        accuracy, end = _probe(x, labels, test, fit)
    else:
        net = small_net(int(labels.max()) + 1, seed)
        if kind == "tune":
            net[:BLOCKS].load_state_dict(_pretrained().state_dict())
        # The frozen blocks are left out of the network that trains: nothing can change them, batch statistics included.
        accuracy, end = _trained(net[used:], x, labels, test, seed)
    return Run(target, per_class, recipe, seed, accuracy, end - start)


def _probe(x: torch.Tensor, labels: torch.Tensor, test: Batch, fit: Fit) -> tuple[float, float]:
    features = grid_features(x).double()
    W, b = fit(features, labels, int(labels.max()) + 1, _RIDGE * len(labels))
    end = time.perf_counter()
    guess = (grid_features(test[0]).double() @ W.double().T + b.double()).argmax(dim=1)
    return float((guess == test[1]).double().mean()), end


def _trained(net: nn.Module, x: torch.Tensor, labels: torch.Tensor, test: Batch, seed: int) -> tuple[float, float]:
    optimizer = torch.optim.Adam(net.parameters(), _RATE, fused=True)
    batch_size = min(_BATCH, len(labels))
    train(net, x, labels, steps=_STEPS, batch_size=batch_size, optimizer=optimizer, decay_to_zero=True, seed=seed)
    end = time.perf_counter()
    net.eval()
    return evaluate(net, *test)[1], end


def plan(
    seeds: Sequence[int] = SEEDS, sizes: Sequence[int] = PER_CLASS, recipes: Iterable[str] = RECIPES
) -> list[tuple[str, int, str, int]]:
    """(target, images per class, recipe, seed) of every run, all recipes of a draw of images behind one another."""
    return [(t, n, r, s) for s, t, n, r in itertools.product(seeds, TARGETS, sizes, tuple(recipes))]


def stored_runs() -> tuple[Run, ...]:
    """Every run of the table, as stored."""
    text = resources.files("course_lib.transfer").joinpath("data", RUNS).read_text("utf-8")
    return tuple(run_of(row) for row in csv.DictReader(text.splitlines()))


def run_of(row: dict[str, str]) -> Run:
    """A row of the stored table as a run."""
    kinds: dict[str, Callable[[str], object]] = {"per_class": int, "seed": int, "accuracy": float, "seconds": float}
    return Run(**{f.name: kinds.get(f.name, str)(row[f.name]) for f in fields(Run)})  # type: ignore[arg-type]


def summaries(runs: Iterable[Run]) -> dict[tuple[str, int, str], Summary]:
    """(target, images per class, recipe) -> its runs, in the order in which they first come."""
    cells: dict[tuple[str, int, str], list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        cells.setdefault((run.target, run.per_class, run.recipe), []).append(run)
    return {
        cell: Summary(tuple(run.accuracy for run in found), statistics.fmean(run.seconds for run in found))
        for cell, found in cells.items()
    }


def best_recipes(found: dict[tuple[str, int, str], Summary], target: str, per_class: int) -> tuple[str, ...]:
    """The recipe with the highest mean accuracy, then those that cannot be told from it, by falling mean.

    All recipes of a seed train on the same images, so the differences seed by seed decide: a recipe ties with the
    best unless Student's paired t test tells them apart (two-sided, 5%).  Whatever has a higher mean than a recipe
    that ties counts as level, too: with five seeds, a mark that skips the second of three says more about the test
    than about the recipes.
    """
    cells = {recipe: s for (t, n, recipe), s in found.items() if (t, n) == (target, per_class)}
    ranked = sorted(cells, key=lambda recipe: -cells[recipe].mean)
    last = max(i for i, recipe in enumerate(ranked) if i == 0 or _ties(cells[ranked[0]], cells[recipe]))
    return tuple(ranked[: last + 1])


def standing(found: dict[tuple[str, int, str], Summary], target: str, per_class: int) -> str:
    """How the lecture's advice does with so many images: "wins", "is level" with other recipes, or "is behind"."""
    (amount,) = (name for name, numbers in AMOUNTS.items() if per_class in numbers)
    advised, level = ADVICE[target, amount].recipes, best_recipes(found, target, per_class)
    if advised.isdisjoint(level):
        return "is behind"
    return "wins" if advised.issuperset(level) else "is level"


def _ties(best: Summary, other: Summary) -> bool:
    gaps = [a - b for a, b in zip(best.accuracies, other.accuracies, strict=True)]
    if len(gaps) < 2:
        return gaps[0] <= 0
    from scipy.special import stdtrit  # half a second, for whoever does not compare recipes

    bound = float(stdtrit(len(gaps) - 1, 0.975))
    return statistics.fmean(gaps) <= bound * statistics.stdev(gaps) / math.sqrt(len(gaps))


def repeat_in_small(
    fit: Fit = ridge,
    seeds: Sequence[int] = (0, 1),
    sizes: Sequence[int] = (5, 100),
    recipes: Sequence[str] = ("probe-2", "probe-3", "tune-3", "scratch"),
) -> list[Run]:
    """A part of the table, run now, for both targets.

    Args:
        fit: fits the linear classifier of the probes.
        seeds: one run of each cell for each.
        sizes: labeled images per class.
        recipes: keys of `RECIPES`.
    """
    cells = plan(seeds, sizes, recipes)
    runs: list[Run] = []
    sums: dict[str, list[float]] = {}
    with Live(
        "Transfer, in small", len(cells), "runs of a recipe", "mean test accuracy", keep=False, partial=True
    ) as live:
        for cell in cells:
            runs.append(run_cell(*cell, fit=fit))
            of_recipe = sums.setdefault(runs[-1].recipe, [])
            of_recipe.append(runs[-1].accuracy)
            live.add(runs[-1].recipe, len(of_recipe), statistics.fmean(of_recipe))
            live.advance()
    # Recipes are compared on the same images: a draw that not all of them have seen is left out.
    whole = len(runs) - len(runs) % len(recipes)
    if not whole:
        raise NothingFinishedError("draw of images")
    return runs[:whole]
