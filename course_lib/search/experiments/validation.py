"""What a validation score is worth: the luck of the best of many, leaks, and k folds against one split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from course_lib.search.nets import images, on_one_thread
from course_lib.search.table import table

__all__ = ["Curse", "Estimates", "Leak", "best_of", "curse", "leak", "split_or_folds"]

Floats = NDArray[np.float64]
KFold = Callable[[int, int, Tensor], Any]


def best_of(trials: int, on: int, accuracy: float = 0.8, repetitions: int = 4000, seed: int = 0) -> Floats:
    """The highest of several validation accuracies, (repetitions,), where all trials are equally good.

    Args:
        trials: how many are compared.
        on: number of validation images.
        accuracy: the true one of every trial.
        repetitions: how often.
        seed: of the luck.
    """
    right = np.random.default_rng(seed).binomial(on, accuracy, size=(repetitions, trials))
    best: Floats = right.max(axis=1) / on
    return best


@dataclass(frozen=True, eq=False)
class Curse:
    """Winners of a search on the table, chosen on few validation images.

    Attributes:
        on: number of validation images.
        reported: (races,) validation accuracy of the winner: what would be reported.
        fresh: (races,) accuracy of the same network on test images.
        best: accuracy on test images of the best network of the same race.
    """

    on: int
    reported: Floats
    fresh: Floats
    best: Floats


def curse(on: int, trials: int = 50, repetitions: int = 1000, seed: int = 0) -> Curse:
    """Random search on the table, with so many validation images.

    A network of which a share p of the 2,000 validation images is right is right on a binomial number of a few of
    them.

    Args:
        on: number of validation images.
        trials: settings that are tried.
        repetitions: races.
        seed: of their luck.
    """
    runs = table()
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(repetitions):
        some = rng.permutation(runs.test.size)[:trials]
        seen = rng.binomial(on, runs.validation[..., -1].ravel()[some]) / on
        test = runs.test.ravel()[some]
        winner = int(seen.argmax())
        rows.append((seen[winner], test[winner], test.max()))
    return Curse(on, *np.array(rows).T)


@dataclass(frozen=True)
class Leak:
    """Accuracy on labels that are pure chance, by cross-validation.

    Attributes:
        outside: the features were chosen first, on all examples.
        inside: the features were chosen anew in every fold, on its training part.
    """

    outside: float
    inside: float


@on_one_thread()
def leak(
    kfold_indices: KFold, examples: int = 50, features: int = 5000, kept: int = 20, k: int = 5, seed: int = 0
) -> Leak:
    """Choose the features that go best with random labels, and cross-validate (Hastie et al. 2009, section 7.10.2).

    Args:
        kfold_indices: as in the notebook.
        examples: half of them of each class.
        features: random numbers for each example.
        kept: features that are chosen.
        k: folds.
        seed: of everything.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(examples, features, generator=generator)
    y = (torch.arange(examples) % 2).float()
    order = torch.randperm(examples, generator=generator)
    chosen = _best_features(x, y, kept)
    hits: dict[bool, list[float]] = {True: [], False: []}
    for train, held in kfold_indices(examples, k, order):
        a, b = torch.as_tensor(train).long(), torch.as_tensor(held).long()
        for first in (True, False):
            columns = chosen if first else _best_features(x[a], y[a], kept)
            hits[first] += _nearest_mean(x[a][:, columns], y[a], x[b][:, columns]).eq(y[b]).float().tolist()
    return Leak(*(sum(hits[first]) / examples for first in (True, False)))


def _best_features(x: Tensor, y: Tensor, kept: int) -> Tensor:
    """Columns with the largest difference of the class means, in standard deviations."""
    gap = (x[y == 1].mean(0) - x[y == 0].mean(0)).abs() / x.std(0)
    return gap.topk(kept).indices


def _nearest_mean(x: Tensor, y: Tensor, new: Tensor) -> Tensor:
    means = torch.stack([x[y == label].mean(0) for label in (0.0, 1.0)])
    return torch.cdist(new, means).argmin(1).float()


@dataclass(frozen=True, eq=False)
class Estimates:
    """Two estimates of the accuracy of the same classifier, on many small samples.

    Attributes:
        split: (samples,) on one held-out fifth.
        folds: (samples,) over five folds.
        true: (samples,) on 2,000 test images, trained on all of the sample.
    """

    split: Floats
    folds: Floats
    true: Floats


@on_one_thread()
def split_or_folds(
    kfold_indices: KFold, samples: int = 40, size: int = 200, k: int = 5, lam: float = 300.0, seed: int = 0
) -> Estimates:
    """Estimate the accuracy of a ridge classifier from a few images, by one split and by k folds.

    Args:
        kfold_indices: as in the notebook.
        samples: how many small data sets.
        size: images of each.
        k: folds; the one split holds out the first of them.
        lam: strength of the ridge penalty.
        seed: of the samples.
    """
    x, y = images("train", 8000)
    test = images("test", 2000)
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for _ in range(samples):
        some = torch.randperm(len(y), generator=generator)[:size]
        a, b = x[some], y[some]
        order = torch.randperm(size, generator=generator)
        right: list[Sequence[float]] = []
        for train, held in kfold_indices(size, k, order):
            fit, out = torch.as_tensor(train).long(), torch.as_tensor(held).long()
            right.append(_ridge_hits(a[fit], b[fit], a[out], b[out], lam).tolist())
        together = [hit for fold in right for hit in fold]
        true = float(_ridge_hits(a, b, *test, lam).mean())
        rows.append((sum(right[0]) / len(right[0]), sum(together) / len(together), true))
    return Estimates(*np.array(rows).T)


def _ridge_hits(x: Tensor, y: Tensor, new: Tensor, labels: Tensor, lam: float) -> Tensor:
    """Whether a ridge classifier is right, (N,); its bias is that of the class shares."""
    targets = torch.nn.functional.one_hot(y, 10).float()
    centre = x.mean(0)
    gram = (x - centre).T @ (x - centre) + lam * torch.eye(x.shape[1])
    weights = torch.linalg.solve(gram, (x - centre).T @ (targets - targets.mean(0)))
    guess = ((new - centre) @ weights + targets.mean(0)).argmax(1)
    hits: Tensor = (guess == labels).float()
    return hits
