"""The small network of the transfer experiment, and its pretrained weights.

It was pretrained on five classes of Fashion-MNIST, shifted at random, by `scripts/make_transfer_runs.py`.
"""

from __future__ import annotations

from importlib import resources

import torch
from safetensors.torch import load
from torch import nn
from torch.nn import functional as F

from course_lib.lab.models import seeded

__all__ = [
    "BLOCKS",
    "FEATURES",
    "SHIFT",
    "SOURCE_CLASSES",
    "WEIGHTS",
    "grid_features",
    "shifted",
    "small_backbone",
    "small_net",
]

SOURCE_CLASSES = (0, 2, 5, 7, 8)
"""T-shirt, pullover, sandal, sneaker, bag: what the network was pretrained on."""
BLOCKS = 3
FEATURES = 576
"""Of the top block: 64 channels on a grid of 3 x 3."""
SHIFT = 4
"""How far images are shifted at most, in pixels: a pixel alone says little then, and features matter."""
WEIGHTS = "transfer_backbone.safetensors"
_CHANNELS = (1, 16, 32, 64)
_GRID = 3


def small_net(classes: int, seed: int) -> nn.Sequential:
    """Three blocks (3 x 3 convolution, batchnorm, ReLU, 2 x 2 maximum), then a linear layer; 26,000 parameters.

    Args:
        classes: number of logits.
        seed: of the initial weights.
    """

    def block(c_in: int, c_out: int) -> nn.Sequential:
        conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU(), nn.MaxPool2d(2))

    def build() -> nn.Sequential:
        blocks = [block(_CHANNELS[i], _CHANNELS[i + 1]) for i in range(BLOCKS)]
        return nn.Sequential(*blocks, nn.Sequential(nn.Flatten(), nn.Linear(FEATURES, classes)))

    return seeded(build, seed)


def small_backbone() -> nn.Sequential:
    """The pretrained network without its head: images (N, 1, 28, 28) in [0, 1] -> features (N, 576), in eval mode."""
    net = nn.Sequential(*list(small_net(1, 0).children())[:BLOCKS], nn.Flatten())
    net.load_state_dict(load(resources.files("course_lib.transfer").joinpath("data", WEIGHTS).read_bytes()))
    return net.eval()


def grid_features(h: torch.Tensor) -> torch.Tensor:
    """The output of a block (N, C, H, W), averaged over 3 x 3 regions, as features (N, 9 C).

    So the features of every block tell equally well where something is, and differ only in what they see.
    """
    return F.adaptive_avg_pool2d(h, _GRID).flatten(1)  # (N, C, 3, 3) -> (N, 9 C)


def shifted(images: torch.Tensor, seed: int, most: int = SHIFT) -> torch.Tensor:
    """Each image moved at random by at most so many pixels each way, filled up with black.

    Args:
        images: (N, C, H, W).
        seed: of the shifts.
        most: in pixels.
    """
    generator = torch.Generator().manual_seed(seed)
    height, width = images.shape[2:]
    padded = F.pad(images, (most, most, most, most))
    corners = torch.randint(0, 2 * most + 1, (len(images), 2), generator=generator).tolist()
    return torch.stack([x[:, i : i + height, j : j + width] for x, (i, j) in zip(padded, corners, strict=True)])
