"""A narrow linear layer: where it helps, and where it does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_lib.lab.live import Live
from course_lib.lab.models import mlp, seeded
from course_lib.regularization.nets.stacked import INPUTS, Runs, Setting, on_one_thread, small, train_side_by_side

__all__ = ["HIDDEN", "Narrow", "Teacher", "narrow_networks", "teacher_errors"]

LowRank = Callable[[Tensor, int], tuple[Tensor, Tensor]]
"""(W, k) -> its best approximation of rank k, as two factors."""

HIDDEN = 128


@dataclass(frozen=True)
class Teacher:
    """Errors of linear maps of every width, learned from noisy answers of a teacher of rank 3.

    Attributes:
        widths: (P,), ascending; the last one is no bottleneck.
        train: for each seed (P,), mean squared error on the training examples.
        excess: for each seed (P,), mean squared error of the noise-free answers to new examples.
    """

    widths: tuple[int, ...]
    train: tuple[tuple[float, ...], ...]
    excess: tuple[tuple[float, ...], ...]

    @property
    def winners(self) -> list[int]:
        """For each seed the width with the lowest excess error."""
        return [self.widths[row.index(min(row))] for row in self.excess]


def teacher_errors(
    low_rank: LowRank,
    widths: Sequence[int] = (1, 2, 3, 5, 10, 20, 50),
    seeds: Sequence[int] = tuple(range(20)),
    examples: int = 100,
    size: int = 50,
    rank: int = 3,
) -> Teacher:
    """Reduced-rank regression (Izenman 1975): least squares, and the student's best approximation of its answers.

    Among all maps that pass through `width` numbers, this one has the smallest error on the training examples.

    Args:
        low_rank: the student's.
        widths: of the bottleneck.
        seeds: of the teacher, the examples and the noise.
        examples: that the maps learn from.
        size: numbers of inputs and of outputs.
        rank: of the teacher.
    """
    train, excess = [], []
    for seed in seeds:
        g = torch.Generator().manual_seed(seed)

        def normal(rows: int, columns: int, g: torch.Generator = g) -> Tensor:
            return torch.randn(rows, columns, generator=g, dtype=torch.float64)

        teacher = normal(size, rank) @ normal(rank, size) / size**0.5
        x = normal(examples, size)
        y = x @ teacher + normal(examples, size)
        learned = torch.linalg.lstsq(x, y).solution
        back = torch.linalg.pinv(x)
        maps = []
        for width in widths:
            narrow, wide = low_rank(x @ learned, width)
            maps.append(back @ narrow @ wide)
        train.append(tuple(float((x @ own - y).square().mean()) for own in maps))
        # Inputs have unit variance, so the error of new answers is the squared distance of the maps.
        excess.append(tuple(float((own - teacher).square().sum() / size) for own in maps))
    return Teacher(tuple(widths), tuple(train), tuple(excess))


@dataclass(frozen=True, eq=False)
class Narrow:
    """Networks whose first map passes through a bottleneck, each on several seeds.

    Attributes:
        widths: (P,), 0 for the direct map.
        runs: one for each width; networks in the order of the seeds.
    """

    widths: tuple[int, ...]
    runs: tuple[Runs, ...]

    def at_the_end(self, name: str) -> dict[int, list[float]]:
        """Width -> a quantity of `Runs` at the end for each seed."""
        return {
            width: [float(value) for value in getattr(runs, name)[-1]]
            for width, runs in zip(self.widths, self.runs, strict=True)
        }


def narrow_networks(
    widths: Sequence[int] = (0, 2, 4, 8, 16, 32, 128),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    epochs: int = 50,
    live: Live | None = None,
) -> Narrow:
    """Train 196-128-10 on 300 images, a fifth with a wrong label, with a linear layer of every width put in front."""
    found = []
    with on_one_thread():
        for width in widths:
            found.append(
                train_side_by_side(
                    lambda seed, width=width: _with_bottleneck(width, seed),  # type: ignore[misc]
                    [Setting(seed, 0.01) for seed in seeds],
                    epochs=epochs,
                    checks={"validation": small("validation", 1000)},
                    every=5,
                    live=live,
                    labels=[f"width {width}" if width else "no bottleneck"],
                )
            )
    return Narrow(tuple(widths), tuple(found))


def _with_bottleneck(width: int, seed: int) -> nn.Module:
    model = mlp(INPUTS, HIDDEN, depth=1, seed=seed)
    if not width:
        return model
    into = seeded(lambda: nn.Linear(INPUTS, width, bias=False), seed)
    out = seeded(lambda: nn.Linear(width, HIDDEN), seed)
    generator = torch.Generator().manual_seed(seed)
    # Variances 1/n into the narrow layer and 2/n out of it: the product starts as large as the direct map.
    nn.init.normal_(into.weight, std=INPUTS**-0.5, generator=generator)
    nn.init.normal_(out.weight, std=(2 / width) ** 0.5, generator=generator)
    nn.init.zeros_(out.bias)
    _, _, *rest = model
    return nn.Sequential(into, out, *rest)
