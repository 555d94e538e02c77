"""A table of real training runs: 20 learning rates x 10 decay strengths x 4 seeds, made once and stored.

A search strategy asks for the result of a run; here the answer takes microseconds, so that a strategy can be tried
hundreds of times and its luck be told from its merit.  `scripts/make_search_runs.py` makes the table, and a test trains
a sample of its cells again.

    >>> runs = table()
    >>> runs.validation.shape                        # learning rate, decay, seed, after 1, 2, 4, 8 and 16 epochs
    (20, 10, 4, 5)

The setting: 1,000 images of Fashion-MNIST (14 x 14 pixels, 10% of the labels wrong), a network with one hidden layer
of 50 units, SGD with momentum 0.9, 50 images in a batch; 2,000 validation images and 2,000 test images.

It is stored as `data/search_runs.npz`, arrays of numbers only (`allow_pickle=False`), under the names of the attributes
of `Table`; costs are in half precision.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from dataclasses import dataclass, fields
from importlib import resources

import numpy as np
import torch
from numpy.typing import NDArray

from course_lib.lab.training import batches
from course_lib.search.nets import Population, images

__all__ = ["EPOCHS", "RUNS", "Table", "axes", "run_cells", "table"]

RUNS = "search_runs.npz"
EPOCHS = (1, 2, 4, 8, 16)
"""After so many epochs a run is looked at."""
SEEDS = (0, 1, 2, 3)
IMAGES, LABEL_NOISE, BATCH, HIDDEN = 1000, 0.1, 50, 50

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """All runs.  A cell is a pair (i, j): learning rate `lr[i]`, decay strength `reg[j]`.

    Attributes:
        lr: (20,) learning rates, ascending, evenly spaced in the logarithm.
        reg: (10,) strengths of the L2 penalty, ascending, evenly spaced in the logarithm.
        seeds: (4,) of the initial weights, the order of the images and the wrong labels.
        epochs: (5,) when a run was looked at: after 1, 2, 4, 8 and 16 epochs.
        validation: (20, 10, 4, 5) accuracy on 2,000 validation images, in [0, 1], after so many epochs.
        loss: (20, 10, 4, 5) cross-entropy on the same images; NaN where the weights are no longer finite.
        test: (20, 10, 4) accuracy on 2,000 test images after the last epoch.
        costs: (20, 10, 4, 320) training cost of every step, the cross-entropy of its batch; infinite or NaN at the end
            of a run that diverged.
        seconds: (4,) processor time of the 200 runs of a seed, all at once on one thread.
    """

    lr: Floats
    reg: Floats
    seeds: NDArray[np.int64]
    epochs: NDArray[np.int64]
    validation: Floats
    loss: Floats
    test: Floats
    costs: Floats
    seconds: Floats

    @functools.cached_property
    def truth(self) -> Floats:
        """(20, 10) mean test accuracy over the seeds: what a search is judged by, and never sees."""
        mean: Floats = self.test.mean(axis=2)
        return mean

    @functools.cached_property
    def diverged(self) -> NDArray[np.bool_]:
        """(20, 10, 4) whether the weights of a run stopped being finite."""
        lost: NDArray[np.bool_] = ~np.isfinite(self.loss[..., -1])
        return lost

    @functools.cached_property
    def best(self) -> tuple[int, int]:
        """The cell with the highest `truth`."""
        i, j = np.unravel_index(int(self.truth.argmax()), self.truth.shape)
        return int(i), int(j)

    def nearest(self, lr: float, reg: float) -> tuple[int, int]:
        """The cell that is nearest to a setting, in the logarithm."""
        i = np.abs(np.log(self.lr) - np.log(lr)).argmin()
        j = np.abs(np.log(self.reg) - np.log(reg)).argmin()
        return int(i), int(j)


def axes() -> tuple[Floats, Floats]:
    """The learning rates (20,) and the decay strengths (10,) of the table."""
    return np.logspace(-3.5, 0.5, 20), np.logspace(-5.0, 0.0, 10)


@functools.cache
def table() -> Table:
    """The stored table."""
    data = resources.files("course_lib.search").joinpath("data", RUNS).read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        found = {field.name: stored[field.name] for field in fields(Table)}
    whole = ("seeds", "epochs")
    return Table(**{name: values if name in whole else values.astype(np.float64) for name, values in found.items()})


def run_cells(lr: Floats, reg: Floats, seed: int) -> Iterator[tuple[int, Floats, Population]]:
    """Train networks in the setting of the table, all at once.

    Args:
        lr: (K,) learning rates.
        reg: (K,) decay strengths.
        seed: of the initial weights, the order of the images and the wrong labels.

    Yields:
        after every epoch its number, from 1, the costs (K, 20) of its steps, and the networks as they are.
    """
    x, y = images("train", IMAGES, label_noise=LABEL_NOISE, seed=seed)
    nets = Population(torch.from_numpy(lr), torch.from_numpy(reg), HIDDEN, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(1, EPOCHS[-1] + 1):
        costs = [nets.step(x[index], y[index]) for index in batches(len(y), BATCH, generator)]
        yield epoch, torch.stack(costs, dim=1).double().numpy(), nets
