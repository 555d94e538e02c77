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

from course_lib.values import pack

__all__ = ["DRIVERS", "Driver", "driver", "run_case"]

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


@driver("value")
def _value(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """The student defines a plain value (a dict, say): hand it over."""
    return namespace[function]


@driver("training-run")
def _training_run(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Put a normalisation module through training steps, evaluation and a state-dict exchange.

    Inputs:
        settings: dict of keyword arguments for the constructor.
        state: dict name -> tensor loaded before the first step, or None to keep the initial state.
        batches: list of inputs for training mode, in order.
        probe: one input for evaluation mode.

    Returns a dict: `train` (output of the last batch), `evaluation`, and every entry of the final `state_dict`
    as `state`, `parameters` (sorted names of what an optimizer would move) and `gradient` of the sum of squares of
    the last training output with respect to its input.
    """
    module = namespace[function](**inputs["settings"])
    module.to(inputs["probe"].dtype)
    if inputs["state"] is not None:
        module.load_state_dict({name: tensor.clone() for name, tensor in inputs["state"].items()})
    module.train()
    last = None
    batch = inputs["batches"][-1].clone().requires_grad_(True)
    for step in [*inputs["batches"][:-1], batch]:
        last = module(step)
    (gradient,) = torch.autograd.grad((last * torch.linspace(0, 1, last.numel(), dtype=last.dtype, device=last.device).view_as(last)).sum(), batch)
    module.eval()
    evaluation = module(inputs["probe"])
    again = module(inputs["probe"])
    state = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
    return {
        "train": last.detach(),
        "gradient": gradient,
        "evaluation": evaluation.detach(),
        "evaluation_again": again.detach(),
        "state": state,
        "parameters": sorted(name for name, _ in module.named_parameters()),
    }


def run_case(
    namespace: Mapping[str, Any], function: str, driver_name: str, inputs: Mapping[str, Any], device: str = "cpu"
) -> dict[str, Any]:
    """Put an object through a case; the raw response, ready for `values.pack` and `verdict.respond`."""
    if function not in namespace:
        return {"error": "missing", "message": f"{function} is not defined"}
    given = {name: _to_device(value, device) for name, value in inputs.items()}
    before = {name: pack(value) for name, value in given.items()}
    try:
        result = DRIVERS[driver_name](namespace, function, given)
    except Exception as error:
        return {"error": type(error).__name__, "message": _in_one_line(error)}
    changed = tuple(name for name, value in given.items() if pack(value) != before[name])
    return {"result": result, "changed": changed}


def _to_device(value: Any, device: str) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().to(device, copy=True)
    if isinstance(value, dict):
        return {key: _to_device(item, device) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_to_device(item, device) for item in value)
    return value


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    if isinstance(error, NotImplementedError) and not text:
        return "not implemented yet"
    return f"{name}: {text[:300]}" if text else name
