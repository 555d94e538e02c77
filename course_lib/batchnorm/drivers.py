"""Drivers of the batch normalization assignment: a module in training, in evaluation, and exchanged with PyTorch's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.checking.drivers import Shown, driver
from course_lib.checking.values import Unsupported
from course_lib.checking.watch import unwatched

__all__: list[str] = []


_TRAINING_RUN = """\
layer = {function}(**settings).to(probe)
layer.load_state_dict(parameters, strict=False)
x = batches[-1].clone().requires_grad_(gradients)
with torch.set_grad_enabled(gradients):
    for earlier in batches[:-1]:
        layer(earlier)
    train = layer(x)
layer.eval()
evaluation, evaluation_again = layer(probe), layer(probe)"""
_CUT_OFF = Unsupported("missing (no gradient reaches the input)")
_GRADIENT = (
    "torch.autograd.grad("
    "(train * torch.linspace(-1, 2, train.numel(), dtype=train.dtype).reshape(train.shape) ** 2).sum(), x)[0]"
)


@driver(
    "training-run",
    shown=Shown(
        _TRAINING_RUN,
        {
            "train": "train",
            "gradient": _GRADIENT,
            "running_mean": "layer.running_mean",
            "running_var": "layer.running_var",
            "evaluation": "evaluation",
            "evaluation_again": "evaluation_again",
            "trainable": "sum(p.numel() for p in layer.parameters() if p.requires_grad)",
            "in_parameters": "sum(p.numel() for p in layer.parameters())",
            "history": "layer.running_mean.grad_fn is not None or layer.running_var.grad_fn is not None",
        },
    ),
)
def _training_run(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Put a normalization module through training steps, then evaluation.

    Inputs:
        settings: keyword arguments of the constructor.
        parameters: `weight` and `bias`, each (C,), set before the first step.
        batches: inputs for training mode, each (N, C, H, W), in order.
        probe: input for evaluation mode, (M, C, H, W).
        gradients: whether gradients are enabled while training mode runs.

    Returns a dict: `train`, the output for the last batch; `gradient` of a weighted sum of it with respect to that
    batch; `running_mean` and `running_var`, each (C,), under whatever name holds them; `evaluation` and
    `evaluation_again` of the probe; `trainable`, how many numbers an optimizer would move; `in_parameters`, how many
    numbers are in parameters, also in those that are not trained; `history`, whether the running statistics still hang
    on an autograd graph.

    Statistics that are not registered stay behind when the module takes the dtype of the probe.  That is seen where
    the module is saved, and is not for their dtype to say once more.
    """
    module = namespace[function](**inputs["settings"])
    module.to(inputs["probe"])
    _set_parameters(module, inputs["parameters"])
    module.train()
    *before, batch = inputs["batches"]
    with torch.set_grad_enabled(inputs["gradients"]), _copies() as copy:
        for earlier in before:
            module(copy(earlier))
        batch.requires_grad_(inputs["gradients"])
        train = module(copy(batch))
        gradient = _gradient(train, batch)
        batch.requires_grad_(False)
    tensors = _tensors(module)
    statistics = {name: _statistic(tensors, name) for name in ("running_mean", "running_var")}
    history = any(tensor is not None and tensor.grad_fn is not None for tensor in statistics.values())
    registered = {id(tensor) for tensor in (*module.parameters(), *module.buffers())}
    kept = {name: _kept(tensor, registered, inputs["probe"].dtype) for name, tensor in statistics.items()}
    module.eval()
    with _copies() as copy:
        once, again = (_plain(module(copy(inputs["probe"]))) for _ in range(2))
    counts = {
        "trainable": sum(p.numel() for p in module.parameters() if p.requires_grad),
        "in_parameters": sum(p.numel() for p in module.parameters()),
    }
    found = {"train": _plain(train), "gradient": gradient, **kept, "evaluation": once, "evaluation_again": again}
    return {**found, **counts, "history": history}


_STATE_EXCHANGE = """\
layer = {function}(**settings).to(probe)
initial = dict(layer.state_dict())
layer.load_state_dict(state)
imported = layer.eval()(probe)
layer.train()(batch)
torchs = torch.nn.BatchNorm2d(**settings).to(probe)
torchs.load_state_dict(layer.state_dict())
exported = torchs.eval()(probe)"""


@driver(
    "state-exchange",
    shown=Shown(
        _STATE_EXCHANGE,
        {
            "initial": "initial",
            "counts_in_integers": "not layer.num_batches_tracked.is_floating_point()",
            "imported": "imported",
            "state": "dict(layer.state_dict())",
            "exported": "exported",
        },
    ),
)
def _state_exchange(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Carry a state from PyTorch's batch normalization into the student's module, and back after a training step.

    Inputs:
        settings: keyword arguments of the constructor.
        state: a `state_dict` of `torch.nn.BatchNorm2d`.
        batch: input of the training step, (N, C, H, W).
        probe: input for evaluation mode, (M, C, H, W).

    Returns a dict: `initial`, the student's first `state_dict`; `counts_in_integers`, whether `num_batches_tracked` is
    an integer tensor (None without one); `imported`, the student's evaluation output after
    loading the state; `state`, the student's `state_dict` after the step; `exported`, the evaluation output of
    PyTorch's module after loading that.  None stands for what loading did not allow.
    """
    module = namespace[function](**inputs["settings"])
    module.to(inputs["probe"])
    initial = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
    counter = initial.get("num_batches_tracked")
    whole = None if counter is None else not counter.is_floating_point()
    nothing = {"initial": initial, "counts_in_integers": whole, "imported": None, "state": None, "exported": None}
    if not _loads(module, inputs["state"]):
        return nothing
    with unwatched():  # PyTorch's own layer is this driver's, not the student's
        original = nn.BatchNorm2d(**inputs["settings"]).to(inputs["probe"]).eval()
    probe = inputs["probe"].clone()
    with _copies() as copy:
        imported = _plain(module.eval()(copy(inputs["probe"])))
        module.train()(copy(inputs["batch"]))
    state = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
    with unwatched():
        exported = original(probe).detach() if _loads(original, state) else None
    return {**nothing, "imported": imported, "state": state, "exported": exported}


@contextlib.contextmanager
def _copies() -> Iterator[Callable[[Tensor], Tensor]]:
    """Hand out copies of inputs, and carry over to the inputs at the end what was done to the copies.

    So a layer that works in place loses that alone: neither is a leaf changed on which a gradient hangs, nor does
    the next call see the change.
    """
    lent: list[tuple[Tensor, Tensor]] = []

    def copy(x: Tensor) -> Tensor:
        lent.append((x, x.clone()))
        return lent[-1][1]

    yield copy
    with torch.no_grad():
        for x, spoiled in [(x, copied) for x, copied in lent if not torch.equal(x, copied)]:
            x.copy_(spoiled.reshape(x.shape))


def _loads(module: nn.Module, state: dict[str, Tensor]) -> bool:
    """Load a state; False if names or shapes do not fit, which is how `load_state_dict` uses RuntimeError."""
    try:
        module.load_state_dict(state)
    except RuntimeError:
        return False
    return True


def _set_parameters(module: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Set weights by name, whatever kind of tensor they are, or parameters in order where they have other names."""
    tensors = _tensors(module)
    targets = [tensors[name] for name in values] if set(values) <= set(tensors) else list(module.parameters())
    with torch.no_grad():
        for target, value in zip(targets, values.values(), strict=False):
            target.copy_(value.reshape(target.shape))


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters, buffers and plain attributes that are tensors, by name."""
    found: dict[str, Any] = {**dict(module.named_parameters()), **dict(module.named_buffers()), **vars(module)}
    return {name: value for name, value in found.items() if isinstance(value, Tensor)}


def _plain(output: Any) -> Any:
    """What a module returned, without its graph."""
    return output.detach() if isinstance(output, Tensor) else output


def _gradient(output: Any, x: Tensor) -> Tensor | Unsupported | None:
    """The gradient of a sum of `output` in which every element has a weight of its own."""
    if not isinstance(output, Tensor) or not x.requires_grad:
        return None
    if not output.requires_grad:
        return _CUT_OFF
    weights = torch.linspace(-1, 2, output.numel(), dtype=output.dtype, device=output.device).reshape(output.shape)
    gradients: tuple[Tensor | None, ...] = torch.autograd.grad((output * weights.square()).sum(), x, allow_unused=True)
    return _CUT_OFF if gradients[0] is None else gradients[0]


def _kept(statistic: Tensor | None, registered: Collection[int], dtype: torch.dtype) -> Tensor | None:
    """A copy of a running statistic (evaluation may change it); in `dtype` if it is none of the registered ones."""
    if statistic is None:
        return None
    return statistic.detach().flatten().to(statistic.dtype if id(statistic) in registered else dtype, copy=True)


def _statistic(tensors: Mapping[str, Tensor], name: str) -> Tensor | None:
    """A running statistic by its name in PyTorch, or the first tensor whose name holds its last word."""
    candidates = [key for key in tensors if name.split("_")[-1] in key]
    return tensors[name if name in candidates else candidates[0]] if candidates else None
