"""Ways to freeze a backbone that all have the right effect; `freezing` has those that have not."""

from __future__ import annotations

import functools
import types
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    "NORMS",
    "by_a_wrapper",
    "by_affine_layers",
    "by_another_class",
    "by_hooks",
    "by_train_of_each_layer",
    "by_train_of_the_model",
    "head_of",
    "in_place",
    "keep_norms",
    "norms_of",
    "only_head_requires",
]

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def head_of(model: nn.Module) -> nn.Linear:
    """The last linear layer."""
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]


def norms_of(model: nn.Module) -> list[nn.Module]:
    """All batch normalisations."""
    return [module for module in model.modules() if isinstance(module, NORMS)]


def only_head_requires(model: nn.Module) -> nn.Module:
    """Flags alone: the half that everybody remembers."""
    model.requires_grad_(False)
    head_of(model).requires_grad_(True)
    return model


def by_train_of_each_layer(model: nn.Module) -> nn.Module:
    """Each batch normalisation stays in evaluation mode by a `train` of its own."""
    only_head_requires(model)
    for norm in norms_of(model):
        norm.eval()
        norm.train = types.MethodType(lambda self, mode=True: self, norm)  # type: ignore[method-assign]
    return model


def by_train_of_the_model(model: nn.Module) -> nn.Module:
    """The model's own `train` puts everything but the head back into evaluation mode."""
    only_head_requires(model)
    original, head = model.train, head_of(model)

    def train(mode: bool = True) -> nn.Module:
        original(mode)
        for module in model.modules():
            if module is not head:
                module.training = False
        return model

    model.train = train  # type: ignore[method-assign]
    return model.train()


def by_another_class(model: nn.Module) -> nn.Module:
    """The object gets another class, in which `train` spares batch normalisation."""

    def train(self: nn.Module, mode: bool = True) -> nn.Module:
        nn.Module.train(self, mode)
        for norm in norms_of(self):
            norm.eval()
        return self

    only_head_requires(model)
    model.__class__ = type("Frozen", (type(model),), {"train": train})
    return model.train(model.training)


def by_hooks(model: nn.Module) -> nn.Module:
    """Before each forward pass a hook puts batch normalisation back; features are detached in front of the head."""

    def rest(module: nn.Module, args: Any) -> None:
        for norm in norms_of(module):
            norm.eval()

    model.register_forward_pre_hook(rest)
    head_of(model).requires_grad_(True).register_forward_pre_hook(lambda _, args: tuple(arg.detach() for arg in args))
    return model


class _Affine(nn.Module):
    """Batch normalisation with fixed statistics, as one scale and one shift."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
        self.register_buffer("scale", scale.clone())
        self.register_buffer("shift", norm.bias.detach() - norm.running_mean * scale)

    def forward(self, x: Tensor) -> Tensor:
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return x * self.get_buffer("scale").reshape(shape) + self.get_buffer("shift").reshape(shape)


def by_affine_layers(model: nn.Module) -> nn.Module:
    """Batch normalisation is replaced by a fixed scale and shift."""
    only_head_requires(model)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, NORMS):
                setattr(parent, name, _Affine(child))
    return model


class _Wrapper(nn.Module):
    """The whole frozen model, of which `train` reaches the head only."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.eval()

    def train(self, mode: bool = True) -> _Wrapper:
        self.training = mode
        head_of(self.model).train(mode)
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)  # type: ignore[no-any-return]


def by_a_wrapper(model: nn.Module) -> nn.Module:
    """A module around the model."""
    return _Wrapper(only_head_requires(model))


def in_place(model: nn.Module) -> None:
    """As the first, by `functools.partial`, and nothing is returned."""

    def keep(norm: nn.Module, mode: bool = True) -> nn.Module:
        return norm

    only_head_requires(model)
    for norm in norms_of(model):
        norm.eval()
        norm.train = functools.partial(keep, norm)  # type: ignore[method-assign]


def keep_norms(model: nn.Module) -> nn.Module:
    """The half that many forget, for mistakes in the other half."""
    for norm in norms_of(model):
        norm.eval()
        norm.train = types.MethodType(lambda self, mode=True: self, norm)  # type: ignore[method-assign]
    return model
