"""Drivers of the batch normalization assignment: a module in training, in evaluation, and exchanged with PyTorch's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.checking.drivers import driver

__all__: list[str] = []


@driver("training-run")
def _training_run(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Put a normalisation module through training steps, then evaluation.

    Inputs:
        settings: keyword arguments of the constructor.
        parameters: `weight` and `bias`, each (C,), set before the first step.
        batches: inputs for training mode, each (N, C, H, W), in order.
        probe: input for evaluation mode, (M, C, H, W).
        gradients: whether gradients are enabled while training mode runs.

    Returns a dict: `train`, the output for the last batch; `gradient` of a weighted sum of it with respect to that
    batch; `running_mean` and `running_var`, each (C,), under whatever name holds them; `evaluation` and
    `evaluation_again` of the probe; `trainable`, how many numbers an optimizer would move; `history`, whether the
    running statistics still hang on an autograd graph.
    """
    module = namespace[function](**inputs["settings"])
    module.to(inputs["probe"])
    _set_parameters(module, inputs["parameters"])
    module.train()
    batch = inputs["batches"][-1].requires_grad_(inputs["gradients"])
    with torch.set_grad_enabled(inputs["gradients"]):
        for earlier in inputs["batches"][:-1]:
            module(earlier)
        train = module(batch)
        gradient = _gradient(train, batch)
    batch.requires_grad_(False)
    statistics = {name: _statistic(module, name) for name in ("running_mean", "running_var")}
    module.eval()
    return {
        "train": train.detach(),
        "gradient": gradient,
        **{name: None if tensor is None else tensor.detach().flatten().clone() for name, tensor in statistics.items()},
        "evaluation": module(inputs["probe"]).detach(),
        "evaluation_again": module(inputs["probe"]).detach(),
        "trainable": sum(p.numel() for p in module.parameters() if p.requires_grad),
        "history": any(tensor is not None and tensor.grad_fn is not None for tensor in statistics.values()),
    }


@driver("state-exchange")
def _state_exchange(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Carry a state from PyTorch's batch normalisation into the student's module, and back after a training step.

    Inputs:
        settings: keyword arguments of the constructor.
        state: a `state_dict` of `torch.nn.BatchNorm2d`.
        batch: input of the training step, (N, C, H, W).
        probe: input for evaluation mode, (M, C, H, W).

    Returns a dict: `initial`, the student's first `state_dict`; `imported`, the student's evaluation output after
    loading the state; `state`, the student's `state_dict` after the step; `exported`, the evaluation output of
    PyTorch's module after loading that.  None stands for what loading did not allow.
    """
    module = namespace[function](**inputs["settings"])
    module.to(inputs["probe"])
    initial = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
    nothing = {"initial": initial, "imported": None, "state": None, "exported": None}
    if not _loads(module, inputs["state"]):
        return nothing
    imported = module.eval()(inputs["probe"]).detach()
    module.train()(inputs["batch"])
    state = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
    found = {**nothing, "imported": imported, "state": state}
    original = nn.BatchNorm2d(**inputs["settings"]).to(inputs["probe"])
    return {**found, "exported": original.eval()(inputs["probe"]).detach() if _loads(original, state) else None}


def _loads(module: nn.Module, state: dict[str, Tensor]) -> bool:
    """Load a state; False if names or shapes do not fit, which is how `load_state_dict` uses RuntimeError."""
    try:
        module.load_state_dict(state)
    except RuntimeError:
        return False
    return True


def _set_parameters(module: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Set parameters by name, or in their order where they have other names."""
    named = dict(module.named_parameters())
    targets = [named[name] for name in values] if set(values) <= set(named) else list(named.values())
    with torch.no_grad():
        for target, value in zip(targets, values.values(), strict=False):
            target.copy_(value.reshape(target.shape))


def _gradient(output: Tensor, x: Tensor) -> Tensor | None:
    """The gradient of a sum of `output` in which every element has a weight of its own."""
    if not output.requires_grad or not x.requires_grad:
        return None
    weights = torch.linspace(-1, 2, output.numel(), dtype=output.dtype, device=output.device).reshape(output.shape)
    (gradient,) = torch.autograd.grad((output * weights.square()).sum(), x, allow_unused=True)
    return gradient


def _statistic(module: nn.Module, name: str) -> Tensor | None:
    """A running statistic by its name in PyTorch, or the first tensor whose name holds its last word."""
    tensors: dict[str, Any] = {**dict(module.named_parameters()), **dict(module.named_buffers()), **vars(module)}
    word = name.split("_")[-1]
    candidates = [key for key in tensors if isinstance(tensors[key], Tensor) and word in key]
    if not candidates:
        return None
    found: Tensor = tensors[name if name in candidates else candidates[0]]
    return found
