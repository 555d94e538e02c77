"""Right answers to the exercises of the augmentation assignment, as a student would write them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["apply", "cutout", "flip", "mixup", "predict", "soft_loss", "ten_crop"]


def flip(x: Tensor, p: float, u: Tensor) -> Tensor:
    """Random horizontal flips, as a student's."""
    return torch.where((u < p).view(-1, 1, 1, 1), x.flip(-1), x)


def ten_crop(image: Tensor, crop: int) -> Tensor:
    """Four corners, the centre, and their mirror images."""
    down, right_ = image.shape[1] - crop, image.shape[2] - crop
    places = [(0, 0), (0, right_), (down, 0), (down, right_), (down // 2, right_ // 2)]
    five = torch.stack([image[:, y : y + crop, x : x + crop] for y, x in places])
    return torch.cat([five, five.flip(-1)])


def predict(model: Any, image: Tensor, sizes: Any, crop: int) -> Tensor:
    """Mean probability over ten crops at every size; the images are square."""
    resized = [F.interpolate(image[None], (s, s), mode="bilinear", align_corners=False)[0] for s in sizes]
    return torch.cat([F.softmax(model(ten_crop(one, crop)), dim=1) for one in resized]).mean(dim=0)


def cutout(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    """A clipped square of zeros."""
    top, left = centre_y - length // 2, centre_x - length // 2
    hidden = image.clone()
    hidden[:, max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)] = 0
    return hidden


def mixup(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> tuple[Tensor, Tensor]:
    """Images and labels mixed with the same shares."""
    a, b = lam.view(-1, 1, 1, 1), lam.view(-1, 1)
    return a * x + (1 - a) * x[permutation], b * y + (1 - b) * y[permutation]


def soft_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy against distributions."""
    return -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean()


def apply(image: Tensor, subpolicy: Any, operations: Any, u: Tensor) -> Tensor:
    """The steps that happen, in order."""
    for (name, probability, magnitude), value in zip(subpolicy, u.tolist(), strict=True):
        image = operations[name](image, magnitude) if value < probability else image
    return image
