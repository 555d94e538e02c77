"""Networks of the augmentation notebook, and how its experiments transform batches with the student's functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.augmentation import augment
from course_lib.lab.models import seeded
from course_lib.lab.training import Transform

__all__ = ["Cut", "Flip", "Mix", "chained", "cutouts", "flips", "image_net", "mixups", "shifts"]

Flip = Callable[[Tensor, float, Tensor], Tensor]
"""(x, p, u) -> y, as the notebook's `random_horizontal_flip`."""
Cut = Callable[[Tensor, int, int, int], Tensor]
"""(image, length, centre_y, centre_x) -> image, as the notebook's `cutout`."""
Mix = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(x, y, lam, permutation) -> (x, y), as the notebook's `mixup`."""


def image_net(side: int = 28, seed: int = 0, classes: int = 10) -> nn.Sequential:
    """Two convolutions with stride 2 and two linear layers: large enough to learn a thousand images by heart.

    Args:
        side: of the gray images; divisible by 4.
        seed: of the weights.
        classes: number of logits.
    """

    def build() -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * (side // 4) ** 2, 128),
            nn.ReLU(),
            nn.Linear(128, classes),
        )

    return seeded(build, seed)


def chained(transforms: Sequence[Transform]) -> Transform:
    """One transformation of a batch after the other."""

    def transform(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        for one in transforms:
            x, y = one(x, y, generator)
        return x, y

    return transform


def flips(flip: Flip, p: float = 0.5) -> Transform:
    """Random horizontal flips by the student's function."""
    return lambda x, y, generator: (flip(x, p, torch.rand(len(x), generator=generator)), y)


def shifts(padding: int) -> Transform:
    """Random crops of the same size after padding with zeros."""

    def transform(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        corners = augment.draw_corners(len(x), (2 * padding, 2 * padding), generator)
        return augment.crop(x, corners, x.shape[-1], padding), y

    return transform


def cutouts(cut: Cut, length: int) -> Transform:
    """A hole in every image by the student's function, at a random pixel."""

    def transform(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        centres = augment.draw_centres(x, generator).tolist()
        return torch.stack([cut(image, length, cy, cx) for image, (cy, cx) in zip(x, centres, strict=True)]), y

    return transform


def mixups(mix: Mix, alpha: float, classes: int = 10) -> Transform:
    """Mixed pairs by the student's function; labels become one-hot targets."""

    def transform(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        lam, partner = augment.draw_mix(len(x), alpha, generator)
        return mix(x, F.one_hot(y, classes).to(x), lam.to(x), partner)

    return transform
