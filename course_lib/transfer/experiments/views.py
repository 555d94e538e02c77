"""What a network says to one photograph, looked at in several ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.lab.efficientnet import normalised, top_classes

__all__ = ["VIEWS", "View", "views"]


def _middle(image: Tensor) -> Tensor:
    quarter, side = image.shape[-1] // 4, image.shape[-1]
    return _resized(image[:, quarter : side - quarter, quarter : side - quarter], side)


def _resized(image: Tensor, side: int) -> Tensor:
    return F.interpolate(image[None], (side, side), mode="bilinear", align_corners=False, antialias=True)[0]


def _hidden(image: Tensor) -> Tensor:
    hidden = image.clone()
    hidden[..., image.shape[-1] // 2 :] = 0.5
    return hidden


VIEWS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "as it is": lambda image: image,
    "mirrored": lambda image: image.flip(-1),
    "upside down": lambda image: image.flip(-2),
    "the middle, enlarged": _middle,
    "without color": lambda image: image.mean(dim=0, keepdim=True).expand_as(image),
    "darker": lambda image: 0.3 * image,
    "in 32 x 32 pixels": lambda image: _resized(_resized(image, 32), image.shape[-1]),
    "right half hidden": _hidden,
}
"""Name -> how it is made of a photograph (3, H, H) in [0, 1]."""


@dataclass(frozen=True)
class View:
    """One way to look at a photograph.

    Attributes:
        name: key of `VIEWS`.
        image: (3, H, H), in [0, 1].
        top: the five most probable classes with their probabilities.
    """

    name: str
    image: Tensor
    top: tuple[tuple[str, float], ...]


def views(model: nn.Module, photograph: Tensor) -> list[View]:
    """The network's answers to a photograph (3, 224, 224) in [0, 1] and to what `VIEWS` makes of it.

    Args:
        model: normalized images -> logits (N, 1000), in evaluation mode.
        photograph: of any content.
    """
    images = torch.stack([make(photograph) for make in VIEWS.values()])
    found = top_classes(model, normalised(images))
    return [View(name, image, tuple(top)) for name, image, top in zip(VIEWS, images, found, strict=True)]
