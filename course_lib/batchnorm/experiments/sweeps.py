"""One setting varied, without and with batch normalization: what trains, and what does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from course_lib.lab.data import fashion_mnist
from course_lib.lab.interrupted import NothingFinishedError
from course_lib.lab.live import Live
from course_lib.lab.models import Norm, mlp
from course_lib.lab.training import train

__all__ = ["CEILING", "WITH", "WITHOUT", "Sweep", "sweep"]

WITHOUT, WITH = "without batch norm", "with batch norm"
CEILING = 3.0
"""A loss above it is drawn here, marked as diverged: guessing gives 2.3."""
_NORMS: dict[str, Norm | None] = {WITHOUT: None, WITH: nn.BatchNorm1d}
# A network that "trains" has at least halved the loss of guessing among ten classes.
_TRAINS = math.log(10) / 2


@dataclass(frozen=True)
class Sweep:
    """Training loss after a fixed number of steps, over one setting, without and with batch normalization.

    Attributes:
        setting: "learning rate" or "initial scale".
        values: of the setting, ascending.
        losses: label -> one sequence of losses for each seed; infinite where training diverged.
    """

    setting: str
    values: tuple[float, ...]
    losses: dict[str, tuple[tuple[float, ...], ...]]

    def working(self, label: str) -> list[list[float]]:
        """For each seed the values with which the network trains."""
        return [[v for v, loss in zip(self.values, run, strict=True) if loss < _TRAINS] for run in self.losses[label]]

    def largest(self, label: str) -> list[float]:
        """For each seed the largest value with which the network trains; 0 if there is none."""
        return [max(values, default=0.0) for values in self.working(label)]

    def width(self, label: str) -> list[float]:
        """For each seed largest / smallest value with which the network trains; 0 if there is none."""
        return [max(values) / min(values) if values else 0.0 for values in self.working(label)]


def sweep(setting: str, values: Sequence[float], seeds: Sequence[int] = (0, 1, 2), steps: int = 100) -> Sweep:
    """Train a network of 5 hidden layers with plain SGD for every value of a setting.

    Args:
        setting: "learning rate" (the initial scale is 1) or "initial scale" (the learning rate is 0.1).
        values: of the setting, ascending.
        seeds: of the initial weights and of the order of the images.
        steps: updates with 100 images each.

    Raises:
        NothingFinishedError: if it is stopped before the first seed is complete.
    """
    x, y = fashion_mnist("train", 2000)
    complete: list[dict[str, tuple[float, ...]]] = []
    total = len(_NORMS) * len(values) * len(seeds)
    with Live(f"Loss over the {setting}", total, setting, "final loss", "x", keep=False, partial=True) as live:
        for seed in seeds:
            of_seed = {}
            for label, norm in _NORMS.items():
                run = []
                for value in values:
                    lr, scale = (value, 1.0) if setting == "learning rate" else (0.1, value)
                    model = mlp(norm=norm, scale=scale, seed=seed)
                    done = train(model, x, y, steps=steps, batch_size=100, lr=lr, momentum=0.0, seed=seed)
                    run.append(done.final_loss)
                    # Above guessing the exact loss says nothing; a diverged run must not stretch the axis.
                    live.add(f"{label}, seed {seed}", value, min(run[-1], CEILING))
                    live.advance()
                of_seed[label] = tuple(run)
            complete.append(of_seed)
    if not complete:
        raise NothingFinishedError("seed")
    return Sweep(setting, tuple(values), {label: tuple(run[label] for run in complete) for label in _NORMS})
