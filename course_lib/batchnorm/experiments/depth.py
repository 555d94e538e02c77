"""Deep networks at their start: outputs and gradients, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from course_lib.lab.data import fashion_mnist
from course_lib.lab.models import mlp

__all__ = ["Activations", "Gradients", "activations", "gradients"]


@dataclass(frozen=True, eq=False)
class Activations:
    """Outputs of every hidden layer of one network at its start.

    Attributes:
        scale: of the initial weights, 1 is He's.
        normalized: with batch normalization or without.
        layers: one (images * units,) tensor for each hidden layer, after the ReLU.
    """

    scale: float
    normalized: bool
    layers: tuple[torch.Tensor, ...]

    @property
    def stds(self) -> tuple[float, ...]:
        """Standard deviation of each layer's outputs."""
        return tuple(float(layer.std()) for layer in self.layers)

    @property
    def growth(self) -> float:
        """Standard deviation in the last layer divided by that in the first."""
        return self.stds[-1] / self.stds[0]


@torch.no_grad()
def activations(scale: float, normalized: bool, depth: int = 10, seed: int = 0) -> Activations:
    """Send 256 training images through a deep network that has not been trained."""
    x, _ = fashion_mnist("train", 256)
    found = []
    for layer in mlp(depth=depth, norm=nn.BatchNorm1d if normalized else None, scale=scale, seed=seed):
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            found.append(x.flatten())
    return Activations(scale, normalized, tuple(found))


@dataclass(frozen=True)
class Gradients:
    """Gradients of the weights of one network at its start.

    Attributes:
        scale: of the initial weights, 1 is He's.
        normalized: with batch normalization or without.
        norms: for each linear layer, the first one first, the Euclidean norm of its weights' gradient.
    """

    scale: float
    normalized: bool
    norms: tuple[float, ...]


def gradients(scale: float, normalized: bool, depth: int = 10, seed: int = 0) -> Gradients:
    """Send the loss of 256 training images back through a deep network that has not been trained."""
    x, y = fashion_mnist("train", 256)
    model = mlp(depth=depth, norm=nn.BatchNorm1d if normalized else None, scale=scale, seed=seed)
    weights = [layer.weight for layer in model if isinstance(layer, nn.Linear)]
    found = torch.autograd.grad(F.cross_entropy(model(x), y), weights)
    return Gradients(scale, normalized, tuple(float(gradient.norm()) for gradient in found))
