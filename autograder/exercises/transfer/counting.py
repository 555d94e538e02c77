"""`trainable-parameters`: how many numbers train, and how many there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Generator, Tensor, nn

from autograder.exercises.model import Case, Criterion, Exercise, Misconception, one_of
from autograder.exercises.transfer.cases import images, phase

__all__ = ["COUNT"]


def _count(model: nn.Module) -> tuple[int, int]:
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes)


def _count_by_modules(model: nn.Module) -> list[int]:
    """Module by module, remembering what was seen."""
    seen: dict[int, Tensor] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            seen[id(parameter)] = parameter
    trainable = [parameter for parameter in seen.values() if parameter.requires_grad]
    return [sum(int(np.prod(p.shape)) for p in chosen) for chosen in (trainable, seen.values())]


def _count_tensors(model: nn.Module) -> tuple[Tensor, Tensor]:
    """As tensors, from the flattened vector."""
    total = nn.utils.parameters_to_vector(model.parameters()).numel()
    frozen = sum(p.nelement() for p in model.parameters() if not p.requires_grad)
    return torch.tensor(total - frozen), torch.tensor(total)


def _named(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters by every name they have, so that shared ones come repeatedly."""
    for name, module in model.named_modules(remove_duplicate=False):
        for last, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            yield f"{name}.{last}", parameter


def _sums(parameters: Sequence[Tensor]) -> tuple[int, int]:
    return sum(p.numel() for p in parameters if p.requires_grad), sum(p.numel() for p in parameters)


def _shared_twice(model: nn.Module) -> tuple[int, int]:
    return _sums([parameter for _, parameter in _named(model)])


def _with_buffers(model: nn.Module) -> tuple[int, int]:
    trainable, total = _count(model)
    return trainable, total + sum(buffer.numel() for buffer in model.buffers())


def _by_state(model: nn.Module) -> tuple[int, int]:
    return _count(model)[0], sum(tensor.numel() for tensor in model.state_dict().values())


def _tensors_counted(model: nn.Module) -> tuple[int, int]:
    flags = [parameter.requires_grad for parameter in model.parameters()]
    return sum(flags), len(flags)


def _swapped(model: nn.Module) -> tuple[int, int]:
    trainable, total = _count(model)
    return total, trainable


def _frozen_and_total(model: nn.Module) -> tuple[int, int]:
    trainable, total = _count(model)
    return total - trainable, total


def _trainable_and_frozen(model: nn.Module) -> tuple[int, int]:
    trainable, total = _count(model)
    return trainable, total - trainable


def _flag_ignored(model: nn.Module) -> tuple[int, int]:
    return _count(model)[1], _count(model)[1]


def _no_norms(model: nn.Module) -> tuple[int, int]:
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    return _sums(list({id(p): p for layer in layers for p in layer.parameters()}.values()))


def _no_biases(model: nn.Module) -> tuple[int, int]:
    return _sums([p for name, p in model.named_parameters() if name.endswith("weight")])


def _count_cases(g: Generator) -> dict[str, Case]:
    def case(net: str, *frozen: str) -> Case:
        inputs = {
            "network": net,
            "phase": phase(g),
            "frozen": list(frozen),
            "images": images(g, 1),
            "added": one_of(g, 2, 3, 4, 5, 6, 7, 8, 9),
        }
        return Case(inputs, driver="parameter-count", outputs=("trainable", "total"))

    return {
        "nothing frozen": case("fc"),
        "a part frozen": case("classifier", "features"),
        "blocks, one frozen": case("head", "backbone.1"),
        "everything frozen": case("sequential", ""),
        "shared": case("shared"),
        "shared, frozen": case("shared", "block"),
    }


_TOTAL = "counts every number of every parameter"
_TRAINABLE = "tells those that train from the others"
_SHARED = "counts what is shared once"
_NOT_SHARED = ("nothing*", "a part*", "blocks*", "everything*")

COUNT = Exercise(
    "trainable-parameters",
    defines=("count_parameters(model)",),
    returns=("trainable", "total"),
    reference=_count,
    cases=_count_cases,
    criteria=(
        Criterion(_TOTAL, 1, cases=_NOT_SHARED, outputs=("total",)),
        Criterion(_TRAINABLE, 1, cases=_NOT_SHARED, outputs=("trainable",)),
        Criterion(_SHARED, 1, cases=("shared*",)),
    ),
    misconceptions=(
        Misconception(
            "shared-counted-twice",
            _shared_twice,
            "What two layers share was counted for each of them. There is one set of numbers, and an optimizer moves "
            "it once.",
            (_SHARED,),
        ),
        Misconception(
            "buffers-counted",
            _with_buffers,
            "The running statistics of batch normalisation are in the total. They are buffers, not parameters: no "
            "gradient ever reaches them.",
            (_TOTAL, _SHARED),
        ),
        Misconception(
            "state-dict-counted",
            _by_state,
            "The total is that of the state_dict. It also holds buffers, and shared tensors under each of their names.",
            (_TOTAL, _SHARED),
        ),
        Misconception(
            "tensors-counted",
            _tensors_counted,
            "The tensors were counted, not the numbers in them.",
            (_TOTAL, _TRAINABLE, _SHARED),
        ),
        Misconception(
            "order-swapped",
            _swapped,
            "The two numbers are exchanged: first those that train, then all.",
            (_TOTAL, _TRAINABLE, _SHARED),
        ),
        Misconception(
            "frozen-counted",
            _frozen_and_total,
            "The first number counts what is frozen. Asked for is what trains.",
            (_TRAINABLE, _SHARED),
        ),
        Misconception(
            "frozen-instead-of-total",
            _trainable_and_frozen,
            "The second number counts what is frozen. Asked for are all parameters.",
            (_TOTAL, _SHARED),
        ),
        Misconception(
            "frozen-not-told-apart",
            _flag_ignored,
            "Both numbers are the total. Whether a parameter trains is written on it.",
            (_TRAINABLE, _SHARED),
        ),
        Misconception(
            "normalisation-left-out",
            _no_norms,
            "Only linear and convolutional layers were counted. The scale and shift of batch normalisation are "
            "parameters too.",
            (_TOTAL, _TRAINABLE, _SHARED),
        ),
        Misconception(
            "biases-left-out",
            _no_biases,
            "The biases are missing. They are parameters as well.",
            (_TOTAL, _TRAINABLE, _SHARED),
        ),
    ),
    right={"module by module, a list": _count_by_modules, "vector, as tensors": _count_tensors},
)
