"""What the exercises on images share: pictures whose pixels tell where they come from, noise, and wording."""

from __future__ import annotations

import math

import torch

from course_lib.verdict import Aspect

__all__ = [
    "DTYPE",
    "HINT_FLOAT32",
    "HINT_IN_PLACE",
    "KEEPS",
    "KEPT",
    "LIBRARY_IMAGES",
    "noise",
    "numbered",
    "picture",
    "rotation",
    "uniform",
]

LIBRARY_IMAGES = ("torchvision", "kornia", "albumentations", "cv2", "skimage", "scipy.ndimage")
"""Libraries whose single call would be the answer.  What PyTorch itself has for images may be used."""

DTYPE = "keeps the dtype"
KEEPS = "keeps the dtype and leaves its inputs unchanged"
KEPT: tuple[Aspect, ...] = ("dtype", "inputs")
"""The aspects that `KEEPS` stands for."""

HINT_FLOAT32 = "The result is float32 whatever came in. It should have the dtype of the image."
HINT_IN_PLACE = (
    "The image that was passed in is changed. It belongs to the data set and comes back in every epoch: make a new "
    "tensor."
)

_MARGIN = 0.03


def uniform(g: torch.Generator, low: float, high: float, *shape: int) -> torch.Tensor:
    """Uniform on [low, high), float64."""
    return low + (high - low) * torch.rand(*shape, generator=g, dtype=torch.float64)


def picture(
    g: torch.Generator, *shape: int, low: float = 0.05, high: float = 0.95, dtype: torch.dtype = torch.float64
) -> torch.Tensor:
    """An image or a batch in which no two pixels are alike, within [low, high)."""
    return uniform(g, low, high, *shape).to(dtype)


def numbered(*shape: int) -> torch.Tensor:
    """An image whose pixels count 0.01, 0.02, ... in reading order: a value tells its place.  float64."""
    count = torch.Size(shape).numel()
    return (torch.arange(1, count + 1, dtype=torch.float64) / 100).reshape(shape)


def noise(g: torch.Generator, p: float, *shape: int) -> torch.Tensor:
    """Uniform noise on [0, 1), float64, never within rounding of `p`; its first number lies below p, its last not."""
    u = torch.rand(*shape, generator=g, dtype=torch.float64)
    u = torch.where((u - p).abs() < _MARGIN, (u + 0.5) % 1.0, u)
    flat = u.view(-1)
    flat[0] = p * uniform(g, 0.2, 0.8, 1).item()
    flat[-1] = 1 - (1 - p) * uniform(g, 0.2, 0.8, 1).item()
    return u


def rotation(g: torch.Generator) -> torch.Tensor:
    """A rotation in colour space, (3, 3), far from symmetric and from any exchange of axes, float64."""
    a, b, c = uniform(g, 0.5, 0.7, 3).tolist()
    x = torch.tensor([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]], dtype=torch.float64)
    y = torch.tensor([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]], dtype=torch.float64)
    z = torch.tensor([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]], dtype=torch.float64)
    return x @ y @ z
