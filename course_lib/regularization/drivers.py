"""Drivers of the weight regularization assignment.

Two factors are judged by their product, a penalty by its value and its gradient, groups of parameters by what a step of
an optimizer makes of them, and a class that stops early by what it says and keeps over a whole training.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.checking.drivers import STRIDED, Shown, driver, strided
from course_lib.regularization.nets.tiny import IN_PLAIN_CODE, kinds, network

__all__: list[str] = []

_KINDS = ("weights", "biases", "normalization")
_RATE = 0.5
"""Learning rate of the one step that shows which parameters decay."""
_DEFAULT = 0.01
"""Decay of a group that names none: the default of `torch.optim.AdamW`."""

_FACTORS = Shown(
    outputs={"product": "result[0] @ result[1]", "left": "list(result[0].shape)", "right": "list(result[1].shape)"},
    words={
        "product": "the product of your two factors",
        "left": "the shape of the first factor",
        "right": "the shape of the second factor",
    },
)


@driver("factors" + STRIDED, shown=_FACTORS)
def _strided_factors(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """As `factors`, with a matrix that is not contiguous in memory."""
    return _factors(namespace, function, {name: strided(value) for name, value in inputs.items()})


@driver("factors", shown=_FACTORS)
def _factors(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Have a matrix approximated by two factors, of which only the product counts.

    Inputs: W, (m, n); k.

    Returns a dict: `left` and `right`, the shapes of the factors; `product`, (m, n), or in words why there is none.
    Where no two matrices came back, all three are what did.
    """
    result = namespace[function](*inputs.values())
    matrices = isinstance(result, tuple | list) and all(isinstance(f, Tensor | np.ndarray) for f in result)
    if not matrices or len(result) != 2 or not all(f.ndim == 2 for f in result):
        return dict.fromkeys(("product", "left", "right"), result)
    left, right = result
    shapes = list(left.shape), list(right.shape)
    fits = shapes[0][1] == shapes[1][0]
    product = left @ right if fits else f"factors {shapes[0]} and {shapes[1]}, which cannot be multiplied"
    return {"product": product, "left": shapes[0], "right": shapes[1]}


@driver(
    "penalty",
    shown=Shown(
        "weights = [weight.requires_grad_() for weight in weights]\nresult = {function}({arguments})",
        {
            "penalty": "result",
            "gradients": "torch.autograd.grad(result, weights, allow_unused=True, materialize_grads=True)\n"
            "      if getattr(result, 'requires_grad', False) else 'none: no graph leads to the weights'",
        },
    ),
)
def _penalty(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Have a penalty computed, and differentiate it.

    Inputs: weights, a list of tensors; lam.

    Returns a dict: `penalty`, what came back, without its graph; `gradients`, its derivative with respect to each
    weight (of the sum, if there is more than one number), zeros for a weight to which none leads.  Where no number came
    back, both are what did.
    """
    weights: list[Tensor] = inputs["weights"]
    with torch.enable_grad(), _lent(weights) as lent:
        result = namespace[function](lent, inputs["lam"])
        is_number = isinstance(result, Tensor | np.ndarray | np.generic | float | int)
        gradients = _gradients(result, weights) if is_number else result
    return {"penalty": result.detach() if isinstance(result, Tensor) else result, "gradients": gradients}


@contextlib.contextmanager
def _lent(leaves: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Copies of leaves, in their graph; what was done to the copies in place is done to the leaves at the end.

    On the leaves themselves nothing may be done in place, so a slip that costs little would stop everything.
    """
    for leaf in leaves:
        leaf.requires_grad_()
    lent = [leaf.clone() for leaf in leaves]
    yield lent
    with torch.no_grad():
        for leaf, copy in zip(leaves, lent, strict=False):
            leaf.requires_grad_(False)
            if copy.shape == leaf.shape and not torch.equal(copy, leaf):
                leaf.copy_(copy)


def _gradients(result: Any, leaves: Sequence[Tensor]) -> list[Tensor]:
    nothing = [torch.zeros_like(leaf) for leaf in leaves]
    if not (isinstance(result, Tensor) and result.requires_grad):
        return nothing
    try:
        found = torch.autograd.grad(result.sum(), leaves, allow_unused=True, materialize_grads=True)
    except RuntimeError:  # what the graph needs was overwritten in place
        return nothing
    return list(found)


def _in_plain_code(inputs: Mapping[str, Any]) -> list[str]:
    """The network of a case as a student would write it; nothing where it is more than one expression."""
    code = IN_PLAIN_CODE.get(inputs["network"])
    if code is None:
        return []
    sorted_out = kinds(network(inputs["network"], inputs["start"]))
    names = [f"{kind} = {[name for name, _ in of_kind]}" for kind, of_kind in sorted_out.items()]
    return [
        "from torch import nn",
        "",
        f"model = {code}",
        *names,
        f"for parameter in model.parameters():\n    nn.init.constant_(parameter, {inputs['start']})",
    ]


@driver(
    "decay-step",
    shown=Shown(
        prepare=_in_plain_code,
        hides=("network", "start"),
        call="result = {function}(model, weight_decay)\n"
        f"# One step of SGD with a learning rate of {_RATE}; every gradient is the same.\n"
        "for group in result:\n"
        "    for parameter in group['params']:\n"
        f"        parameter.data -= {_RATE} * (gradient + group.get('weight_decay', {_DEFAULT}) * parameter.data)\n"
        "after = [(name, parameter.mean().item()) for name, parameter in model.named_parameters()]",
        outputs={kind: f"torch.tensor([value for name, value in after if name in {kind}])" for kind in _KINDS},
    ),
)
@torch.no_grad()
def _decay_step(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Have the parameters of a network put into groups, and make one step of SGD with them.

    All numbers of all parameters are equal before the step, and have equal gradients.

    Inputs: network, its name; start, the value of its parameters; weight_decay; gradient.

    Returns a dict: for each kind of parameters (`weights`, `biases`, `normalization`) one number each after the step.
    A parameter in no group stays, one in two groups makes two steps, and a group without a decay gets AdamW's default.
    Where no groups came back, each is what did.
    """
    model = network(inputs["network"], inputs["start"])
    result = namespace[function](model, inputs["weight_decay"])
    if not isinstance(result, tuple | list) or not all(isinstance(g, dict) and "params" in g for g in result):
        return dict.fromkeys(_KINDS, result)
    for group in result:
        for member in _members(group["params"]):
            member.sub_(_RATE * (inputs["gradient"] + group.get("weight_decay", _DEFAULT) * member))
    return {
        kind: torch.tensor([float(parameter.mean()) for _, parameter in of_kind], dtype=torch.float64)
        for kind, of_kind in kinds(model).items()
    }


def _members(params: Any) -> Iterator[Tensor]:
    """The parameters of a group, in every form that PyTorch's optimizers take."""
    if isinstance(params, Tensor):
        yield params
        return
    for item in params:
        member = item[1] if isinstance(item, tuple) else item
        if isinstance(member, Tensor):
            yield member


_OF_A_STOPPER = {
    "stops": "stops",
    "best_loss": "stopper.best_loss",
    "best_epoch": "stopper.best_epoch",
    "best_state": "stopper.best_state['weight']",
}


@driver(
    "stopping",
    shown=Shown(
        hides=(),
        call="stopper = {function}(patience, min_delta)\n"
        "stops = []\n"
        "state = dict(weight=torch.tensor([start], dtype=torch.float64))\n"
        "for loss in losses:\n"
        "    stops.append(bool(stopper.step(loss, state)))\n"
        "    state['weight'] += 1  # training goes on in the same tensors",
        outputs=_OF_A_STOPPER,
    ),
)
def _stopping(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Show losses to an object that stops early, while its state is trained further, and look at what it says.

    It is asked on after it has said stop, as long as the losses last.

    Inputs: patience, min_delta, see the exercise; losses, one for each epoch; start, the weight before training.

    Returns a dict: `stops`, what each step said; `best_loss`, `best_epoch`; `best_state`, the weight that was kept.
    An attribute that is not there is None.  Where no object with a method `step` came back, each is what did.
    """
    return _watching(namespace[function](inputs["patience"], inputs["min_delta"]), inputs)


def _watching(stopper: Any, inputs: Mapping[str, Any], other: Any = None) -> dict[str, Any]:
    if not callable(getattr(stopper, "step", None)):
        return dict.fromkeys(_OF_A_STOPPER, stopper)
    state = {"weight": torch.tensor([inputs["start"]], dtype=torch.float64)}
    stops = []
    for epoch, loss in enumerate(inputs["losses"]):
        stops.append(bool(stopper.step(loss, state)))
        if other is not None:
            other.step(inputs["other_losses"][epoch], {"weight": -state["weight"]})
        state["weight"] += 1
    kept = getattr(stopper, "best_state", None)
    found = {"stops": stops, "best_state": kept.get("weight") if isinstance(kept, Mapping) else kept}
    return {**found, **{name: getattr(stopper, name, None) for name in ("best_loss", "best_epoch")}}


@driver(
    "two-stoppings",
    shown=Shown(
        hides=(),
        call="stopper = {function}(patience, min_delta)\n"
        "other = {function}(patience, min_delta)\n"
        "stops = []\n"
        "state = dict(weight=torch.tensor([start], dtype=torch.float64))\n"
        "for loss, other_loss in zip(losses, other_losses):\n"
        "    stops.append(bool(stopper.step(loss, state)))\n"
        "    other.step(other_loss, dict(weight=-state['weight']))  # another training\n"
        "    state['weight'] += 1",
        outputs=_OF_A_STOPPER,
    ),
)
def _two_stoppings(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """As `stopping`, while a second object of the same class watches another training: the two take turns.

    Inputs: as there, and other_losses, as many.
    """
    stopper, other = (namespace[function](inputs["patience"], inputs["min_delta"]) for _ in range(2))
    return _watching(stopper, inputs, other)
