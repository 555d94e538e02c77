"""Drivers of the transfer assignment: answers that work on a model are tried on tiny networks.

The grader names a network and sends numbers; the network is built here, handed to the student's function and then used
as anybody would use it.  What is handed over is what it computes (features, logits, weights after training), so any
mechanism that has the right effect is right.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.checking.drivers import Shown, as_numbers, driver
from course_lib.transfer.nets.tiny import IN_PLAIN_CODE, fill, network

__all__: list[str] = []

_AS_IT_WAS = "the model as it was"
"""Came back, and is worth nothing."""
_LEARNING_RATE = 0.5
_STEPS = 3


@contextlib.contextmanager
def _own_randomness() -> Iterator[None]:
    """Initial weights of new layers are the same in every run, and the global generator stays as it was."""
    before = torch.default_generator.get_state()
    # Not `torch.manual_seed`, which looks for every kind of GPU and costs more than the network.
    torch.default_generator.manual_seed(0)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)


def _build(inputs: Mapping[str, Any]) -> nn.Module:
    """The network that the inputs `network`, `phase` and `frozen` describe.

    `frozen` lists parts by their names: none of their parameters requires a gradient.
    """
    model = network(inputs["network"], inputs["phase"], inputs["images"])
    for name in inputs["frozen"]:
        model.get_submodule(name).requires_grad_(False)
    return model


_NETWORK = ("network", "phase", "frozen", "images")
_RESTING = ("0.1", "3")
"""Layers in evaluation mode in a backbone of mixed modes: one inside a block, one outside."""
_IMAGES = "torch.zeros(2, 2, 2, 2, dtype=weight.dtype)"


def _in_plain_code(inputs: Mapping[str, Any], *more: str, name: str = "model") -> list[str]:
    """The network of a case as a student would write it, and further lines; nothing where it takes too long to write.

    Parts are frozen last, as `_build` and the drivers do.
    """
    code = IN_PLAIN_CODE.get(inputs["network"])
    if code is None:
        return []
    imports = ["from collections import OrderedDict"] * ("OrderedDict" in code)
    frozen = [f"{name}.get_submodule({part!r}).requires_grad_(False)" for part in inputs["frozen"]]
    kind = [f"{name}.double()"] * (inputs["images"].dtype == torch.float64)
    return [*imports, "from torch import nn", "", f"{name} = {code}", *more, *kind, *frozen]


def _last_linear(model: nn.Module) -> nn.Linear:
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]


@torch.no_grad()
def _through(model: nn.Module, head: nn.Module, images: Tensor) -> tuple[Tensor | None, Any]:
    """What enters the head, None if nothing does, and what the model returns."""
    seen: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    try:
        output = model(images)
    finally:
        hook.remove()
    return seen[-1] if seen else None, output


def _numbers_of(module: nn.Module) -> Tensor:
    """All parameters in one row."""
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


@driver(
    "replaced-head",
    shown=Shown(
        prepare=lambda inputs: _in_plain_code(inputs, "model.eval()"),
        hides=_NETWORK,
        call="result = {function}(model, num_classes)\nmodel = model if result is None else result\n"
        "head = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]\nweight = head.weight",
        outputs={
            "shape": f"list(model({_IMAGES}).shape)",
            "dtype": f"str(model({_IMAGES}).dtype)",
            "trainable": "weight.requires_grad",
            "others": "[p.requires_grad for p in model.parameters() if all(p is not own for own in head.parameters())]",
            "returned": "isinstance(result, nn.Module) and result is not head",
        },
    ),
)
def _replaced_head(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Have the head of a network replaced, and use the result.

    The network comes in evaluation mode, but for the flag of the outermost module: either mode, set for all, shows.

    Inputs:
        network, phase, frozen: see `_build`.
        num_classes: number of outputs asked for.
        images: (N, 2, 2, 2).

    Returns a dict: `features`, what enters the last linear layer; `shape` and `dtype` of the logits; `logits` after
    that layer's weight was set by the formula and its bias, if any, to 0; `trainable`, whether all of its parameters
    require a gradient; `fresh`, whether none of its weights is one of the old; `others`, whether each other parameter
    requires a gradient; `modes`, whether all modules but the head that still have their names are in their modes;
    `returned`, whether the model came back (if not, the one handed in is looked at), in words if it is as it was.
    """
    with _own_randomness():
        model = _build(inputs).eval()
        model.training = True
        replaced = _last_linear(model)
        modes = {name: module.training for name, module in model.named_modules() if module is not replaced}
        old = replaced.weight.detach().clone()
        before = _numbers_of(model)
        result = namespace[function](model, inputs["num_classes"])
        returned = isinstance(result, nn.Module) and not isinstance(result, nn.Linear)
        model = result if returned else model
        unchanged = returned and _are_those_of(model, before)
        head = _last_linear(model)
        kept = all(modes.get(name, module.training) == module.training for name, module in model.named_modules())
        features, logits = _through(model.eval(), head, inputs["images"])
        own = {id(parameter) for parameter in head.parameters()}
        found = {
            "features": features,
            "trainable": all(parameter.requires_grad for parameter in head.parameters()),
            "fresh": not bool(torch.isin(head.weight.detach(), old[old != 0]).any()),
            "others": [parameter.requires_grad for parameter in model.parameters() if id(parameter) not in own],
            "modes": kept,
            "returned": _AS_IT_WAS if unchanged else returned,
            "shape": list(logits.shape),
            "dtype": str(logits.dtype),
        }
        fill(head, inputs["phase"] + 1)
        if head.bias is not None:
            nn.init.zeros_(head.bias)
        return {**found, "logits": _through(model, head, inputs["images"])[1]}


def _are_those_of(module: nn.Module, numbers: Tensor) -> bool:
    """Whether the parameters still have these numbers; one that has no numbers yet has others."""
    if any(nn.parameter.is_lazy(parameter) for parameter in module.parameters()):
        return False
    own = _numbers_of(module)
    return own.shape == numbers.shape and bool(torch.equal(own, numbers))


@driver("frozen-training")
def _frozen_training(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Have the backbone of a network frozen, then train the network for three steps of SGD.

    Inputs:
        network, phase, frozen: see `_build`.
        images: training images (N, 2, 2, 2).
        labels: (N,).
        probe: other images, (M, 2, 2, 2).
        epochs: whether evaluation and training mode are set before each step, as at the start of an epoch.  If not,
            the mode stays as the function left it.
        weight_decay, momentum: of the optimizer, which holds all parameters.

    Returns a dict: `head`, the head's parameters in one row; `in_training` and `in_evaluation`, what enters the head
    for the probe in either mode, after training; `returned`, whether the model came back, in words if nothing in it
    rested.
    """
    with _own_randomness():
        model = _build(inputs).train()
        head = _last_linear(model)
        result = namespace[function](model)
        returned = isinstance(result, nn.Module)
        model = result if returned else model
        head = head if any(module is head for module in model.modules()) else _last_linear(model)
        before = [parameter.detach().clone() for parameter in model.parameters()]
        velocities: dict[Tensor, Tensor] = {}
        for _ in range(_STEPS):
            if inputs["epochs"]:
                model.eval()
                model.train()
            loss = F.cross_entropy(model(inputs["images"]), inputs["labels"])
            model.zero_grad()
            if loss.requires_grad:  # else everything is frozen
                loss.backward()  # type: ignore[no-untyped-call]
            _descend(model, velocities, inputs["momentum"], inputs["weight_decay"])
        rests = any(torch.equal(parameter, old) for parameter, old in zip(model.parameters(), before, strict=True))
        in_training, _ = _through(model, head, inputs["probe"])
        trained = _numbers_of(head)
        model.eval()
        in_evaluation, _ = _through(model, head, inputs["probe"])
        found = {"head": trained, "in_training": in_training, "in_evaluation": in_evaluation}
        return {**found, "returned": returned if rests or not returned else _AS_IT_WAS}


@torch.no_grad()
def _descend(model: nn.Module, velocities: dict[Tensor, Tensor], momentum: float, weight_decay: float) -> None:
    """One step of SGD on whatever has a gradient.  By hand: PyTorch's optimizers take two seconds to import."""
    for parameter in model.parameters():
        if parameter.grad is not None:
            gradient = parameter.grad + weight_decay * parameter
            velocities[parameter] = momentum * velocities.get(parameter, torch.zeros_like(gradient)) + gradient
            parameter.sub_(_LEARNING_RATE * velocities[parameter])


@driver(
    "extraction",
    shown=Shown(
        prepare=lambda inputs: _in_plain_code(
            inputs,
            f"images = torch.randn({len(inputs['images'])}, 2, 2, 2, dtype={inputs['images'].dtype})",
            f"backbone.train({inputs['mode'] != 'eval'})",
            *[f"backbone.get_submodule({name!r}).eval()" for name in _RESTING if inputs["mode"] == "mixed"],
            name="backbone",
        ),
        hides=(*_NETWORK, "mode"),
        call="result = {function}(backbone, images, batch_size)",
        outputs={
            "graph": "result.requires_grad",
            "grad_mode": "torch.is_grad_enabled()",
            "others": "[parameter.requires_grad for parameter in backbone.parameters()]",
            "modes": "[module.training for module in backbone.modules()]",
        },
    ),
)
def _extraction(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Have features extracted, and look at what came back and at what was left behind.

    Inputs:
        network, phase, frozen: see `_build`.
        mode: `train`, `eval`, or `mixed` (training mode, with both batch normalizations in evaluation mode).
        images: (N, 2, 2, 2).
        batch_size: images at a time.

    Returns a dict: `features`; `ran`, whether at least as many images went through as there are; `statistics`, the
    buffers afterward in one row; `fits`, whether images came in batches of at most `batch_size`; `graph`, whether the
    result still hangs on an autograd graph; `grad_mode`, whether gradients are enabled afterward; `others`, whether
    each parameter requires a gradient; `modes`, whether each module is in training mode.
    """
    with _own_randomness(), torch.enable_grad():
        backbone = _build(inputs).train(inputs["mode"] != "eval")
        if inputs["mode"] == "mixed":
            for name in _RESTING:
                backbone.get_submodule(name).eval()
        sizes: list[int] = []
        first = next(module for module in backbone.modules() if not list(module.children()))
        hook = first.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
        result = namespace[function](backbone, inputs["images"], inputs["batch_size"])
        hook.remove()
        grad_mode = torch.is_grad_enabled()
    buffers = [buffer.flatten() for buffer in backbone.buffers() if buffer.is_floating_point()]
    return {
        "features": result,
        "ran": sum(sizes) >= len(inputs["images"]),
        "statistics": torch.cat(buffers).clone(),
        "fits": bool(sizes) and max(sizes) <= inputs["batch_size"],
        "graph": isinstance(result, Tensor) and result.requires_grad,
        "grad_mode": grad_mode,
        "others": [parameter.requires_grad for parameter in backbone.parameters()],
        "modes": [module.training for module in backbone.modules()],
    }


@driver(
    "parameter-count",
    shown=Shown(
        prepare=lambda inputs: _in_plain_code(
            inputs,
            *[f'model.add_module("added", nn.Linear({inputs["added"]}, {inputs["added"] + 1}))']
            * bool(inputs["added"]),
        ),
        hides=(*_NETWORK, "added"),
        call="result = {function}(model)",
        outputs={"trainable": "result[0]", "total": "result[1]"},
    ),
)
def _parameter_count(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Have the parameters of a network counted: `trainable` and `total`, as whatever kind of number came back.

    Inputs: network, phase, frozen, see `_build`; images, (N, 2, 2, 2), of the dtype wanted; added, the width of one
    more linear layer, which trains unless everything is frozen, or 0 for none.
    """
    with _own_randomness():
        model = _build(inputs)
        if inputs["added"]:
            added = nn.Linear(inputs["added"], inputs["added"] + 1).to(inputs["images"])
            model.add_module("added", added.requires_grad_("" not in inputs["frozen"]))
        return namespace[function](model)


@driver("rates", shown=Shown(outputs={"rates": "result", "layers": "len(result)", "last": "result[-1]"}))
def _rates(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """A row of numbers of any kind: the `rates`, their number `layers`, and the `last` of them.

    What an iterator hands out comes with words that say so: it has no length and no last entry.
    """
    result = namespace[function](*inputs.values())
    if isinstance(result, Iterator):
        return dict.fromkeys(("rates", "layers", "last"), ("an iterator over", as_numbers(list(result))))
    rates = as_numbers(result)
    if not isinstance(rates, Tensor) or rates.ndim != 1 or not len(rates):
        return dict.fromkeys(("rates", "layers", "last"), rates)
    return {"rates": rates, "layers": len(rates), "last": float(rates[-1])}
