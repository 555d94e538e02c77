"""The lecture's search from coarse to fine, and learning rates that fall: real networks, trained while one watches.

All return numbers; `figures` draws them.  Every claim that the notebook makes about them is asserted by
`tests/course_lib/search/test_claims.py`.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from course_lib.lab.live import Live
from course_lib.lab.training import batches
from course_lib.search.nets import Population, images, on_one_thread

__all__ = ["LECTURE", "LIMIT", "Search", "Sweep", "run_search", "schedules", "share_beyond"]

LECTURE = torch.tensor([[1e-6, 1e-3], [1e-5, 1e5]], dtype=torch.float64)
"""The ranges of the lecture's coarse search: learning rate, strength of the L2 penalty."""
LIMIT = 2 * (1 + 0.9)
"""With momentum 0.9, a weight that only decays grows without bound if lr * reg is larger than this."""
EPOCHS, IMAGES, BATCH, HIDDEN, DEVIATION = 5, 2000, 100, 50, 1e-3

LogUniform = Callable[[float, float, Tensor], Any]
Exploded = Callable[[Tensor], Any]
Decayed = Callable[[float, float, int], Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Search:
    """Settings that were tried, in the order in which they were drawn.

    Attributes:
        bounds: (2, 2) ranges of learning rate and strength.
        lr: (K,) learning rates.
        reg: (K,) strengths of the L2 penalty.
        accuracy: (K,) on 1,000 validation images, in [0, 1], after the last epoch.
        stopped: (K,) the step at which the explosion rule would have stopped the run; -1 if never.
        steps: of a run that is not stopped.
        diverged: (K,) whether the weights stopped being finite.
        seconds: wall-clock time of training.
    """

    bounds: Tensor
    lr: Floats
    reg: Floats
    accuracy: Floats
    stopped: NDArray[np.int64]
    steps: int
    diverged: NDArray[np.bool_]
    seconds: float

    @property
    def saved(self) -> float:
        """Share of all steps that the rule would have saved, in [0, 1]."""
        left = np.where(self.stopped >= 0, self.steps - 1 - self.stopped, 0)
        return float(left.sum() / (self.steps * len(self.lr)))

    @property
    def order(self) -> NDArray[np.int64]:
        """Numbers of the trials, the best first."""
        ranked: NDArray[np.int64] = np.argsort(-self.accuracy, kind="stable")
        return ranked


def run_search(
    log_uniform: LogUniform,
    exploded: Exploded,
    bounds: Tensor = LECTURE,
    count: int = 100,
    seed: int = 0,
    show: Callable[[Search], None] | None = None,
    at_once: int = 20,
) -> Search:
    """Draw settings and train a network with each, as the lecture's program does.

    Two layers, 50 hidden units, pixels from 0 to 255 less their mean, 5 epochs of 2,000 images, 100 in a batch,
    momentum 0.9, and a learning rate that is multiplied by 0.9 after every epoch.

    Args:
        log_uniform: as in the notebook; draws the settings.
        exploded: as in the notebook; looks at the costs of every run, (steps,).
        bounds: (2, 2) ranges of learning rate and strength.
        count: number of settings.
        seed: of the draws, the initial weights and the order of the images.
        show: called with what is known whenever some more runs are done.
        at_once: how many networks train side by side.

    A search that is interrupted returns the runs that are done.
    """
    generator = torch.Generator().manual_seed(seed)
    u = torch.rand(2, count, generator=generator, dtype=torch.float64)
    (lr_low, lr_high), (reg_low, reg_high) = bounds.tolist()
    lr = torch.as_tensor(log_uniform(lr_low, lr_high, u[0])).double()
    reg = torch.as_tensor(log_uniform(reg_low, reg_high, u[1])).double()
    accuracy: list[float] = []
    stopped: list[int] = []
    diverged: list[bool] = []
    start = time.perf_counter()

    def found() -> Search:
        n, seconds = len(accuracy), time.perf_counter() - start
        numbers = lr[:n].numpy(), reg[:n].numpy(), np.array(accuracy), np.array(stopped, dtype=np.int64)
        return Search(bounds, *numbers, EPOCHS * IMAGES // BATCH, np.array(diverged, dtype=bool), seconds)

    try:
        with on_one_thread():
            for first in range(0, count, at_once):
                some = slice(first, first + at_once)
                costs, right, finite = _train(lr[some], reg[some], seed)
                stopped += [int(exploded(row)) for row in costs]
                accuracy += right.tolist()
                diverged += (~finite).tolist()
                if show is not None:
                    show(found())
    except KeyboardInterrupt:
        accuracy = accuracy[: len(diverged)]
        print(f"Interrupted: {len(accuracy)} of {count} runs are done and kept.")
    return found()


def _train(lr: Tensor, reg: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Costs (K, steps), validation accuracies (K,), and which networks are still finite (K,)."""
    x, y = images("train", IMAGES, "raw")
    validation = images("validation", 1000, "raw")
    nets = Population(lr, reg, HIDDEN, DEVIATION, seed)
    generator = torch.Generator().manual_seed(seed)
    costs = [
        nets.step(x[index], y[index], 0.9**epoch)
        for epoch in range(EPOCHS)
        for index in batches(len(y), BATCH, generator)
    ]
    return torch.stack(costs, dim=1), nets.accuracies(*validation), nets.losses(*validation).isfinite()


def share_beyond(bounds: Tensor = LECTURE, limit: float = LIMIT, draws: int = 1_000_000, seed: int = 0) -> float:
    """Share of the settings, drawn evenly in the logarithm, with a product of learning rate and strength above a limit.

    Counted, not derived.
    """
    u = np.random.default_rng(seed).uniform(size=(2, draws))
    low, high = bounds.log().numpy().T
    exponent = ((1 - u.T) * low + u.T * high).sum(axis=1)
    return float((exponent > math.log(limit)).mean())


@dataclass(frozen=True, eq=False)
class Sweep:
    """Training with several schedules of the learning rate.

    Attributes:
        rates: label -> (steps,) the learning rate of every step.
        accuracy: label -> (seeds, epochs) on 1,000 validation images, in [0, 1], after every epoch.
    """

    rates: Mapping[str, Floats]
    accuracy: Mapping[str, Floats]


@contextlib.contextmanager
def _kept(found: list[list[Floats]], seeds: Sequence[int]) -> Iterator[None]:
    """Whoever interrupts keeps the seeds that are done, if there are any."""
    try:
        yield
    except KeyboardInterrupt:
        if not found:
            raise
        print(f"Interrupted: {len(found)} of {len(seeds)} seeds are done and kept.")


def schedules(
    of_step: Mapping[str, Callable[[int, int], float]],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    epochs: int = 15,
    live: Live | None = None,
) -> Sweep:
    """Train the same network with each schedule: 2,000 images, a tenth of the labels wrong, batches of 50.

    Args:
        of_step: label -> the learning rate at a step, of so many.
        seeds: of the initial weights, the order of the images and the wrong labels.
        epochs: passes over the images.
        live: where to report, advanced once for every epoch of a seed.
    """
    steps = epochs * IMAGES // 50
    rates = {label: np.array([float(rate(step, steps)) for step in range(steps)]) for label, rate in of_step.items()}
    table = torch.tensor(np.stack(list(rates.values())), dtype=torch.float32)
    validation = images("validation", 1000)
    found: list[list[Floats]] = []
    with on_one_thread(), _kept(found, seeds):
        for seed in seeds:
            x, y = images("train", IMAGES, label_noise=0.1, seed=seed)
            ones = torch.ones(len(rates))
            nets = Population(ones, 5e-3 * ones, HIDDEN, seed=seed)
            generator, step = torch.Generator().manual_seed(seed), 0
            of_seed: list[Floats] = []
            for epoch in range(1, epochs + 1):
                for index in batches(len(y), 50, generator):
                    nets.step(x[index], y[index], table[:, step])
                    step += 1
                of_seed.append(nets.accuracies(*validation).double().numpy())
                if live is not None:
                    if seed == seeds[0]:
                        for label, value in zip(rates, of_seed[-1], strict=True):
                            live.add(label, epoch, float(value))
                    live.advance()
            found.append(of_seed)
    accuracy = np.array(found)  # (seeds, epochs, labels)
    return Sweep(rates, {label: accuracy[:, :, i] for i, label in enumerate(rates)})
