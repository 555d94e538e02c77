"""Early stopping: when to stop, which weights to keep, and why it resembles weight decay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from course_lib.lab.live import Live
from course_lib.lab.models import mlp
from course_lib.regularization.nets.stacked import (
    INPUTS,
    Runs,
    Setting,
    memorizing,
    on_one_thread,
    small,
    train_side_by_side,
)

__all__ = [
    "RULES",
    "Ends",
    "Equivalence",
    "equal_norms",
    "fluctuating",
    "overfitting",
    "patience_regrets",
    "smoothing_regrets",
    "stop_and_keep",
]

Array = NDArray[np.float64]
Stopper = Callable[..., Any]
"""(patience, min_delta) -> an object with `step(loss, state)`, `best_epoch` and the like."""
Smooth = Callable[[Tensor, float], Tensor]


def overfitting(
    seeds: Sequence[int] = (0, 1, 2, 3, 4), images: int = 300, epochs: int = 70, live: Live | None = None
) -> Runs:
    """Networks 196-128-10 that memorize their images without any regularization, looked at after each epoch."""
    with on_one_thread():
        return train_side_by_side(
            lambda seed: mlp(INPUTS, 128, depth=1, seed=seed),
            [Setting(seed) for seed in seeds],
            lambda seed: memorizing(seed, images),
            epochs=epochs,
            checks={"validation": small("validation", 1000), "test": small("test")},
            live=live,
            labels=[f"seed {seed}" for seed in seeds],
        )


def stop_and_keep(stopper: Any, losses: Sequence[float]) -> tuple[int, int]:
    """Show losses to an object that stops early until it says stop.

    Returns:
        the epoch in which it said so, or the last one; the epoch whose weights it kept.
    """
    for epoch, loss in enumerate(losses):
        if stopper.step(float(loss), {"epoch": torch.tensor(epoch)}):
            break
    return epoch, int(stopper.best_state["epoch"])


@dataclass(frozen=True)
class Ends:
    """Where a rule ended in each of the runs.

    Attributes:
        regrets: test loss at the weights kept, minus the lowest test loss of the whole run.
        stops: checks that were made.
        optimism: test loss at the weights kept, minus the value of the curve by which they were chosen.
    """

    regrets: tuple[float, ...]
    stops: tuple[int, ...]
    optimism: tuple[float, ...]

    @property
    def regret(self) -> float:
        """Mean over the runs."""
        return float(np.mean(self.regrets))


def patience_regrets(
    stopper: Stopper, runs: Runs, patiences: Sequence[int], min_deltas: Sequence[float] = (0.0,)
) -> dict[tuple[float, int], Ends]:
    """What the student's class makes of recorded runs: (min_delta, patience) -> where it ends."""
    validation, test = runs.validation.T.numpy(), runs.test.T.numpy()
    return {
        (min_delta, patience): _ends(
            [stop_and_keep(stopper(patience, min_delta), curve) for curve in validation], validation, test
        )
        for min_delta in min_deltas
        for patience in patiences
    }


def _ends(where: Sequence[tuple[int, int]], chosen_by: Array, test: Array) -> Ends:
    regrets = tuple(float(test[i, kept] - np.nanmin(test[i])) for i, (_, kept) in enumerate(where))
    optimism = tuple(float(test[i, kept] - chosen_by[i, kept]) for i, (_, kept) in enumerate(where))
    return Ends(regrets, tuple(stop + 1 for stop, _ in where), optimism)


def fluctuating(
    runs: int = 10,
    images: int = 1000,
    every_steps: int = 10,
    epochs: int = 60,
    live: Live | None = None,
    first: int = 0,
) -> Runs:
    """Networks whose curves are looked at every few steps on 400 validation images, so that they fluctuate.

    Half of the images are for choosing and the test images for judging.
    """
    with on_one_thread():
        return train_side_by_side(
            lambda seed: mlp(INPUTS, 128, depth=1, seed=seed),
            [Setting(first + seed) for seed in range(runs)],
            lambda seed: memorizing(seed, images),
            epochs=epochs,
            checks={"validation": small("validation", 400), "test": small("test")},
            every_steps=every_steps,
            live=live,
            labels=[f"run {seed + 1}" if seed < 3 else "" for seed in range(runs)],
        )


RULES = ("raw curve", "smoothed curve", "smoothed curve stops, raw curve chooses")


def smoothing_regrets(
    stopper: Stopper, smooth: Smooth, runs: Runs, patiences: Sequence[int], beta: float
) -> dict[tuple[str, int], Ends]:
    """Three ways to use a fluctuating curve: (rule, patience) -> where it ends.

    Each smoothed curve is the student's; a rule that keeps the weights at the raw minimum looks for it before the stop.
    """
    raw, test = runs.validation.T.numpy(), runs.test.T.numpy()
    calm = np.stack([smooth(curve, beta).numpy() for curve in runs.validation.T])
    found = {}
    for patience in patiences:
        by_raw = [stop_and_keep(stopper(patience, 0.0), curve) for curve in raw]
        by_calm = [stop_and_keep(stopper(patience, 0.0), curve) for curve in calm]
        both = [(stop, int(np.argmin(curve[: stop + 1]))) for (stop, _), curve in zip(by_calm, raw, strict=True)]
        for rule, where, curves in zip(RULES, (by_raw, by_calm, both), (raw, calm, raw), strict=True):
            found[rule, patience] = _ends(where, curves, test)
    return found


@dataclass(frozen=True, eq=False)
class Equivalence:
    """Networks from small initial weights: without regularization, and with every strength of decay.

    Attributes:
        strengths: (L,), the first of which is 0.
        seeds: (S,).
        runs: networks in the order of strengths, and for each strength in the order of seeds.
    """

    strengths: tuple[float, ...]
    seeds: tuple[int, ...]
    runs: Runs

    def _of(self, lam: float) -> slice:
        first = self.strengths.index(lam) * len(self.seeds)
        return slice(first, first + len(self.seeds))

    @property
    def best_strength(self) -> float:
        """The strength with the lowest mean validation loss at the end."""
        means = [float(self.runs.validation[-1, self._of(lam)].mean()) for lam in self.strengths]
        return self.strengths[int(np.argmin(means))]

    def curves(self, name: str, lam: float) -> Tensor:
        """A quantity of `Runs` over the checks, (T, S), at one strength."""
        values: Tensor = getattr(self.runs, name)
        return values[:, self._of(lam)]

    @property
    def stopped_at(self) -> list[int]:
        """For each seed the check at which the unregularized network had its lowest validation loss."""
        return [int(t) for t in self.curves("validation", 0.0).argmin(0)]

    def _at_stop(self, name: str) -> list[float]:
        return [float(self.curves(name, 0.0)[t, i]) for i, t in enumerate(self.stopped_at)]

    def _at_end(self, name: str, lam: float) -> list[float]:
        return [float(value) for value in self.curves(name, lam)[-1]]

    @property
    def losses(self) -> dict[str, list[float]]:
        """Validation loss for each seed: stopped at its best, decayed by the best strength, neither."""
        decayed = self._at_end("validation", self.best_strength)
        return {"stopped": self._at_stop("validation"), "decayed": decayed, "neither": self._at_end("validation", 0.0)}

    @property
    def norms(self) -> dict[str, list[float]]:
        """Norm of the weights for each seed, as `losses`."""
        decayed = self._at_end("norms", self.best_strength)
        return {"stopped": self._at_stop("norms"), "decayed": decayed, "neither": self._at_end("norms", 0.0)}


def equal_norms(
    strengths: Sequence[float] = (0.0, 1e-2, 2e-2, 5e-2, 1e-1),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    epochs: int = 60,
    live: Live | None = None,
) -> Equivalence:
    """Networks 196-64-10 whose weights start with a standard deviation of 0.01, with and without weight decay."""
    settings = [Setting(seed, 0.03, lam) for lam in strengths for seed in seeds]
    labels = [f"λ = {lam:g}" if seed == seeds[0] else "" for lam in strengths for seed in seeds]
    with on_one_thread():
        runs = train_side_by_side(
            _small_weights,
            settings,
            epochs=epochs,
            checks={"validation": small("validation", 1000)},
            live=live,
            labels=labels,
        )
    return Equivalence(tuple(strengths), tuple(seeds), runs)


def _small_weights(seed: int) -> nn.Module:
    model = mlp(INPUTS, 64, depth=1, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01, generator=generator)
    return model
