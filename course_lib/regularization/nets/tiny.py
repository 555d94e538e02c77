"""The tiny networks whose parameters are to be sorted into groups: each has a kind of layer that is easily forgotten.

They are never run.  A network travels as a name and as two numbers, the value and the gradient of all its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

__all__ = ["IN_PLAIN_CODE", "NETWORKS", "kinds", "network"]

_NORMALIZATION = ("Norm",)
"""Ends, but for the number of dimensions, the name of every normalization layer of PyTorch."""


class _Block(nn.Module):
    """A residual block of a small language model: normalization inside, under names that do not say so."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LayerNorm(3)
        self.inner = nn.Sequential(nn.Linear(3, 4), nn.GroupNorm(2, 4), nn.ReLU(), nn.Linear(4, 3, bias=False))


class _Blocks(nn.Module):
    """An embedding, a parameter that belongs to no layer, blocks in a list, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.position = nn.Parameter(torch.zeros(4, 3))
        self.blocks = nn.ModuleList([_Block(), _Block()])
        self.norm = nn.LayerNorm(3)
        self.head = nn.Linear(3, 5)


class _Tied(nn.Module):
    """The last layer shares its weight with the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(4, 3)
        self.hidden = nn.Linear(3, 3)
        self.decoder = nn.Linear(3, 4)
        self.decoder.weight = self.embedding.weight


NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    "linear, batchnorm": lambda: nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1)),
    "convolution, batchnorm": lambda: nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)
    ),
    "without biases": lambda: nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False), nn.InstanceNorm2d(2, affine=True), nn.Flatten(), nn.Linear(8, 3, bias=False)
    ),
    "layernorm over images": lambda: nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.LayerNorm((2, 4, 4)), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)
    ),
    "bias in a name": lambda: nn.ModuleDict({"bias_net": nn.Linear(2, 3), "head": nn.Linear(3, 1)}),
    "blocks": _Blocks,
    "tied": _Tied,
}
"""Name -> a network."""

IN_PLAIN_CODE: Mapping[str, str] = {
    "linear, batchnorm": "nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))",
    "convolution, batchnorm": (
        "nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))"
    ),
    "without biases": (
        "nn.Sequential(\n    nn.Conv2d(1, 2, 3, bias=False), nn.InstanceNorm2d(2, affine=True),\n"
        "    nn.Flatten(), nn.Linear(8, 3, bias=False),\n)"
    ),
    "layernorm over images": (
        "nn.Sequential(\n    nn.Conv2d(1, 2, 3, padding=1), nn.LayerNorm((2, 4, 4)), nn.ReLU(),\n"
        "    nn.Flatten(), nn.Linear(32, 3),\n)"
    ),
    "bias in a name": 'nn.ModuleDict({"bias_net": nn.Linear(2, 3), "head": nn.Linear(3, 1)})',
}
"""Name -> the same in one expression, for the networks that are one."""


def network(name: str, value: float) -> nn.Module:
    """A network in float64 whose parameters are all filled with a value; the global generator stays as it was."""
    before = torch.default_generator.get_state()
    model = NETWORKS[name]().double()
    torch.default_generator.set_state(before)
    for parameter in model.parameters():
        nn.init.constant_(parameter, value)
    return model


def kinds(model: nn.Module) -> dict[str, list[tuple[str, Tensor]]]:
    """Names and parameters of a model by kind, each parameter once.

    Returns:
        "normalization": those of normalization layers; "biases": other biases; "weights": all else.
    """
    found: dict[str, list[tuple[str, Tensor]]] = {"weights": [], "biases": [], "normalization": []}
    for name, parameter in model.named_parameters():
        owner, _, own = name.rpartition(".")
        of_norm = type(model.get_submodule(owner)).__name__.rstrip("123d").endswith(_NORMALIZATION)
        kind = "normalization" if of_norm else "biases" if own == "bias" else "weights"
        found[kind].append((name, parameter))
    return found
