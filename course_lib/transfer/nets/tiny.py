"""The tiny networks on which answers about models are tried: every shape in which a head hides in practice.

All take images (N, 2, 2, 2).  The last linear layer to be defined, which is also the last to run, is the head.
Numbers come from a formula with one parameter, so that a network travels as a name and a number.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["NETWORKS", "fill", "network"]


class _Fc(nn.Module):
    """As a ResNet: convolution, batch normalization, mean over the image; the head is called `fc`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, kernel, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2, 2, 2) -> (N, 3)."""
        return self.fc(torch.tanh(self.bn1(self.conv1(x))).mean((2, 3)))  # type: ignore[no-any-return]


class _Classifier(nn.Module):
    """As VGG: the head is the last of two linear layers in `classifier`."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(2, 4, 2), nn.Tanh(), nn.Flatten())
        self.classifier = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2, 2, 2) -> (N, 3)."""
        return self.classifier(self.features(x))  # type: ignore[no-any-return]


class _Head(nn.Module):
    """Blocks within blocks, batch normalization twice, and a head without bias."""

    def __init__(self) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten())
        neck = nn.Sequential(nn.Linear(12, 4), nn.BatchNorm1d(4), nn.Tanh())
        self.backbone = nn.Sequential(stem, neck)
        self.head = nn.Linear(4, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2, 2, 2) -> (N, 3)."""
        return self.head(self.backbone(x))  # type: ignore[no-any-return]


class _Shared(nn.Module):
    """One block under two names, and two layers that share their weight."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(8, 4)
        self.block = nn.Linear(4, 4)
        self.again = self.block
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.block.weight
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2, 2, 2) -> (N, 3)."""
        x = torch.tanh(self.stem(x.flatten(1)))
        return self.head(torch.tanh(self.norm(self.tied(self.again(self.block(x))))))  # type: ignore[no-any-return]


class _Scaled(nn.Module):
    """A block with a parameter of its own beside its layer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(5, 1))
        self.layer = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 8) -> (N, 5)."""
        return self.layer(x) * self.scale[:, 0]  # type: ignore[no-any-return]


class _Own(nn.Module):
    """As a vision transformer, the model owns a parameter that lies in no layer; so does a block."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 5))
        self.stem = nn.Linear(8, 8)
        self.block = _Scaled()
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2, 2, 2) -> (N, 3)."""
        return self.head(self.block(torch.tanh(self.stem(x.flatten(1)))) + self.token[0])  # type: ignore[no-any-return]


class _Nested(nn.Module):
    """Everything lies in blocks: batch normalization is called `bn` inside of one, dropout stands behind the head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential()
        self.stem.add_module("conv", nn.Conv2d(2, 3, 1))
        self.stem.add_module("bn", nn.BatchNorm2d(3))
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Sequential(nn.Linear(12, 4), nn.Tanh(), nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.0)))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2, 2, 2) -> (N, 3)."""
        return self.classifier(torch.tanh(self.stem(x)))  # type: ignore[no-any-return]


def _by_hand() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))


def _sequential() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3))


def _no_bias() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(8, 4), nn.Tanh(), nn.Sequential(nn.Linear(4, 3, bias=False)))


def _backbone() -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Tanh())
    return nn.Sequential(stem, nn.Flatten(), nn.Linear(12, 5), nn.BatchNorm1d(5))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "sequential": _sequential,
    "no bias": _no_bias,
    "fc": lambda: _Fc(2),
    "fc, 1 x 1": lambda: _Fc(1),
    "classifier": _Classifier,
    "head": _Head,
    "shared": _Shared,
    "nested": _Nested,
    "own": _Own,
    "by hand": _by_hand,
    "backbone": _backbone,
}
"""Name -> how to build it.  `backbone` has no head, images (N, 2, 2, 2) -> features (N, 5); `by hand` has no images."""

IN_PLAIN_CODE = {
    "by hand": "nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))",
    "sequential": "nn.Sequential(nn.Flatten(), nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3))",
    "fc": """nn.Sequential(OrderedDict(
    conv1=nn.Conv2d(2, 4, 2, bias=False), bn1=nn.BatchNorm2d(4), act=nn.Tanh(), flat=nn.Flatten(), fc=nn.Linear(4, 3),
))""",
    "classifier": """nn.Sequential(OrderedDict(
    features=nn.Sequential(nn.Conv2d(2, 4, 2), nn.Tanh(), nn.Flatten()),
    classifier=nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)),
))""",
    "head": """nn.Sequential(OrderedDict(
    backbone=nn.Sequential(
        nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten()),
        nn.Sequential(nn.Linear(12, 4), nn.BatchNorm1d(4), nn.Tanh()),
    ),
    head=nn.Linear(4, 3, bias=False),
))""",
    "nested": """nn.Sequential(OrderedDict(
    stem=nn.Sequential(OrderedDict(conv=nn.Conv2d(2, 3, 1), bn=nn.BatchNorm2d(3))),
    act=nn.Tanh(),
    classifier=nn.Sequential(
        nn.Flatten(),
        nn.Sequential(nn.Linear(12, 4), nn.Tanh(), nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.0))),
    ),
))""",
    "backbone": """nn.Sequential(
    nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Tanh()),
    nn.Flatten(), nn.Linear(12, 5), nn.BatchNorm1d(5),
)""",
}
"""Name -> how a student would write it, for an example to paste; its weights are drawn, its layers are the same."""


def network(name: str, phase: float, like: Tensor) -> nn.Module:
    """A network whose parameters and running statistics follow from `phase` alone.

    Args:
        name: one of `NETWORKS`.
        phase: number k, counted through the whole network, is made from sin(phase k^2 + k).
        like: a tensor of the dtype and on the device wanted.
    """
    model = NETWORKS[name]()
    model.to(like)
    fill(model, phase)
    return model


@torch.no_grad()
def fill(module: nn.Module, phase: float) -> None:
    """Set parameters and running statistics by the formula; weights in [-1, 1], scales and variances above 0."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    tensors = [(name, tensor) for name, tensor in tensors if tensor.is_floating_point()]
    sizes = [tensor.numel() for _, tensor in tensors]
    positive = _positive(module)
    for (name, tensor), values in zip(tensors, torch.split(_formula(phase, sum(sizes)), sizes), strict=True):
        values = values.view(tensor.shape)
        tensor.copy_(1.25 + 0.5 * values if name in positive else values)


@functools.lru_cache(maxsize=256)
def _formula(phase: float, count: int) -> Tensor:
    """Numbers 1 to `count`.  Kept: each network is made for the reference and again for every known mistake."""
    k = torch.arange(1, count + 1, dtype=torch.float64)
    return torch.sin(phase * k * k + k)


def _positive(module: nn.Module) -> set[str]:
    """Names of the tensors that must be above 0: scales and running variances of batch normalization."""
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    owners = [name for name, part in module.named_modules(remove_duplicate=False) if isinstance(part, norms)]
    return {f"{name}.{last}" if name else last for name in owners for last in ("weight", "running_var")}
