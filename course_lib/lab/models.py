"""The small networks of the experiments, with a choice of normalization."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import nn

__all__ = ["Norm", "cnn", "group_norm", "mlp", "seeded"]

_Model = TypeVar("_Model", bound=nn.Module)
Norm = Callable[[int], nn.Module]
"""Number of features or channels -> a layer that normalizes them, e.g. `nn.BatchNorm2d`."""


def seeded(build: Callable[[], _Model], seed: int) -> _Model:
    """Build a model whose initial weights depend on the seed alone; PyTorch's global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def group_norm(groups: int) -> Norm:
    """Group normalization with so many groups, as a choice for `cnn`."""
    return lambda channels: nn.GroupNorm(groups, channels)


def mlp(
    inputs: int = 784,
    width: int = 100,
    depth: int = 5,
    classes: int = 10,
    norm: Norm | None = None,
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Sequential:
    """A plain deep network: `depth` times linear, (normalization,) ReLU; then a linear layer.

    Args:
        inputs: number of input features; images are flattened.
        width: units in each hidden layer.
        depth: number of hidden layers.
        classes: number of logits.
        norm: the normalization between linear layer and ReLU; none by default.
        scale: initial weights have the standard deviation scale * sqrt(2 / fan-in) (He et al. 2015, eq. 10).
        seed: of the initial weights.
    """

    def build() -> nn.Sequential:
        layers: list[nn.Module] = [nn.Flatten()]
        for fan_in in [inputs] + [width] * (depth - 1):
            # A bias before a normalization is removed with the mean.
            layers.append(nn.Linear(fan_in, width, bias=norm is None))
            layers += [norm(width), nn.ReLU()] if norm is not None else [nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(width, classes))

    return _initialised(seeded(build, seed), scale, seed)


def cnn(
    channels: Sequence[int] = (16, 32, 32),
    classes: int = 10,
    norm: Norm | None = None,
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Sequential:
    """A small convolutional network for 28 x 28 gray images.

    Each stage: 3 x 3 convolution with stride 2, (normalization,) ReLU; then the mean over the image and a linear layer.

    Args:
        channels: of each stage.
        classes: number of logits.
        norm: the normalization between convolution and ReLU; none by default.
        scale: of the initial weights, as for `mlp`.
        seed: of the initial weights.
    """

    def build() -> nn.Sequential:
        layers: list[nn.Module] = []
        for c_in, c_out in itertools.pairwise([1, *channels]):
            layers.append(nn.Conv2d(c_in, c_out, 3, stride=2, padding=1, bias=norm is None))
            layers += [norm(c_out), nn.ReLU()] if norm is not None else [nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], classes))

    return _initialised(seeded(build, seed), scale, seed)


@torch.no_grad()
def _initialised(model: _Model, scale: float, seed: int) -> _Model:
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.normal_(0.0, scale * math.sqrt(2.0 / fan_in), generator=generator)
            if module.bias is not None:
                module.bias.zero_()
    return model
