"""How a student's object is put through one case.

Most exercises are a function that is called (`call`).  A class or a function
that returns objects (a model, an optimizer's groups) needs a driver: a few
lines that use the object and return plain values, so that only numbers leave
the process in which the student's code runs.

A driver is a function ``(namespace, function, inputs) -> value``; it is the same
for the reference, for every misconception and for the student.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["DRIVERS", "Driver", "attempt", "changed_inputs", "driver", "run_case"]

Driver = Callable[[Mapping[str, Any], str, dict[str, Any]], Any]

DRIVERS: dict[str, Driver] = {}


def driver(name: str) -> Callable[[Driver], Driver]:
    """Register a driver under a name that cases can use."""

    def register(function: Driver) -> Driver:
        DRIVERS[name] = function
        return function

    return register


@driver("call")
def _call(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    return namespace[function](*inputs.values())


@driver("call-strided")
def _call_strided(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """As `call`, with tensors that are not contiguous in memory (bytes cannot carry that, so it is made here)."""
    return namespace[function](*(_strided(value) for value in inputs.values()))


def _strided(value: Any) -> Any:
    """The same numbers with the axes in reverse order in memory, as in Fortran: no two axes can be merged by a view."""
    if not isinstance(value, Tensor) or value.ndim < 2:
        return value
    backwards = tuple(reversed(range(value.ndim)))
    return value.permute(backwards).contiguous().permute(backwards)


@driver("value")
def _value(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """The student defines a plain value (a dict, say): hand it over."""
    return namespace[function]


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


def run_case(
    namespace: Mapping[str, Any], function: str, driver_name: str, inputs: Mapping[str, Any], device: str = "cpu"
) -> dict[str, Any]:
    """Put an object through a case; the raw response, ready for `values.pack` and `verdict.respond`.

    The object gets copies of the inputs, so `inputs` itself stays as it is and tells which of them were changed.
    """
    raw, given = attempt(namespace, function, driver_name, inputs, device)
    return raw if "error" in raw else {**raw, "changed": changed_inputs(inputs, given)}


def attempt(
    namespace: Mapping[str, Any], function: str, driver_name: str, inputs: Mapping[str, Any], device: str = "cpu"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """As `run_case`, but hands over the copies of the inputs as they are afterwards instead of judging them."""
    if function not in namespace:
        return {"error": "missing", "message": f"{function} is not defined"}, {}
    given = {name: _to_device(value, device) for name, value in inputs.items()}
    try:
        return {"result": DRIVERS[driver_name](namespace, function, given)}, given
    # SystemExit too: a call to exit() in an answer must not end the notebook's kernel or the grader's worker.
    except (Exception, SystemExit) as error:
        return {"error": type(error).__name__, "message": _in_one_line(error)}, given


def changed_inputs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the inputs that are not what they were."""
    return tuple(name for name, value in before.items() if name not in after or not _equal(after[name], value))


def _to_device(value: Any, device: str) -> Any:
    if isinstance(value, Tensor):
        return value.detach().to(device, copy=True)
    if isinstance(value, dict):
        return {key: _to_device(item, device) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_to_device(item, device) for item in value)
    return value


def _equal(after: Any, before: Any) -> bool:
    """Whether two inputs hold the same; NaN equals NaN."""
    if isinstance(before, Tensor):
        return isinstance(after, Tensor) and _equal_tensors(after, before)
    if isinstance(before, dict):
        same_keys = isinstance(after, dict) and list(after) == list(before)
        return same_keys and all(_equal(after[key], value) for key, value in before.items())
    if isinstance(before, tuple | list):
        same_length = isinstance(after, tuple | list) and len(after) == len(before)
        return same_length and all(map(_equal, after, before))
    # Nothing else can be changed in place (functions and modules are passed on as they are).
    return True


def _equal_tensors(after: Tensor, before: Tensor) -> bool:
    if after.dtype != before.dtype or after.shape != before.shape:
        return False
    after = after.detach().to(before.device)
    return torch.equal(after, before) or bool(((after == before) | (after.isnan() & before.isnan())).all())


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    if isinstance(error, NotImplementedError) and not text:
        return "not implemented yet"
    return f"{name}: {text[:300]}" if text else name


# Drivers of single assignments register themselves; at the end, because they need `driver` from here.
import course_lib.augmentation_drivers  # noqa: E402
import course_lib.dropout_drivers  # noqa: E402
import course_lib.transfer_drivers  # noqa: E402, F401
