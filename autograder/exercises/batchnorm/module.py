"""`batchnorm2d-module`: the layer as a module, exchangeable with `torch.nn.BatchNorm2d`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor, nn

from autograder.exercises.batchnorm import wording
from autograder.exercises.batchnorm.inputs import BIG, NARROW, TINY, images, scales, shifts, variances
from autograder.exercises.batchnorm.module_mistakes import MISTAKES, Plain
from autograder.exercises.batchnorm.module_titles import (
    BUFFERS,
    EPS,
    EVALUATION,
    GRADIENT,
    STATE,
    STATISTICS,
    TRAINING,
)
from autograder.exercises.model import Case, Criterion, Exercise

__all__ = ["MODULE"]

_RUN = (
    "train",
    "gradient",
    "running_mean",
    "running_var",
    "evaluation",
    "evaluation_again",
    "trainable",
    "history",
)
_EVALUATION = ("evaluation", "evaluation_again")


def _run(
    g: Generator, batches: list[Tensor], *, gradients: bool = True, outputs: tuple[str, ...] = _RUN, **settings: Any
) -> Case:
    _, c, h, w = batches[0].shape
    return Case(
        {
            "settings": {"num_features": c, **settings},
            "parameters": {"weight": scales(g, c), "bias": shifts(g, c)},
            "batches": batches,
            "probe": images(g, (2, c, h, w)),
            "gradients": gradients,
        },
        driver="training-run",
        outputs=outputs,
    )


def _constant_images(g: Generator, shape: tuple[int, int, int, int]) -> Tensor:
    """Each channel is one number throughout, so it makes no difference how its variance is taken or stored."""
    return shifts(g, shape[1], 2.0, 6.0)[:, None, None].expand(shape).clone()


def _exchange(g: Generator) -> Case:
    """Loading, one step on a batch without variance at a momentum of one half, saving."""
    state = {
        "weight": scales(g, 3),
        "bias": shifts(g, 3),
        "running_mean": shifts(g, 3, 1.0, 4.0),
        "running_var": variances(g, 3),
        "num_batches_tracked": torch.tensor(7),
    }
    inputs = {
        "settings": {"num_features": 3, "momentum": 0.5, "eps": TINY},
        "state": state,
        "batch": _constant_images(g, (3, 3, 2, 2)),
        "probe": images(g, (2, 3, 2, 4)),
    }
    return Case(inputs, driver="state-exchange", outputs=("initial", "imported", "state", "exported"))


def _cases(g: Generator) -> dict[str, Case]:
    small, wide = (2, 2, 2, 1), (5, 3, 2, 4)
    return {
        "one step": _run(g, [images(g, small)]),
        "three steps": _run(g, [images(g, wide) for _ in range(3)], momentum=0.3, eps=TINY),
        "without gradients": _run(
            g, [images(g, (3, 2, 2, 3))], gradients=False, eps=TINY, outputs=("train", "running_mean", "running_var")
        ),
        "constant batch": _run(g, [_constant_images(g, (3, 4, 2, 2))], momentum=0.5, eps=0.5, outputs=_EVALUATION),
        "small variance": _run(g, [images(g, (4, 3, 2, 3), NARROW, level=0.2)], eps=BIG, outputs=("train",)),
        "exchange with torch": _exchange(g),
    }


class _Functional(nn.Module):
    """Buffers under the right names, the mean and variance by moments, everything in one method."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        for name, value in (("running_mean", torch.zeros), ("running_var", torch.ones)):
            self.register_buffer(name, value(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        buffers = dict(self.named_buffers())
        mean, var = buffers["running_mean"], buffers["running_var"]
        if self.training:
            rows = x.transpose(0, 1).flatten(1)
            mean, var = rows.mean(1), rows.square().mean(1) - rows.mean(1) ** 2
            m, n = self.momentum, rows.shape[1]
            with torch.no_grad():
                buffers["running_mean"].lerp_(mean, m)
                buffers["running_var"].mul_(1 - m).add_(m * var * n / (n - 1))
                buffers["num_batches_tracked"] += 1
        scale = self.weight / torch.sqrt(var + self.eps)
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]


class _Reassigned(Plain):
    """New tensors are assigned to the buffers instead of changing them in place."""

    def track(self, mean: Tensor, var: Tensor, n: int) -> None:
        with torch.no_grad():
            self.running_mean = self.running_mean + self.momentum * (mean - self.running_mean)
            self.running_var = self.running_var + self.momentum * (var * n / (n - 1) - self.running_var)
            self.num_batches_tracked = self.num_batches_tracked + 1


class _Detached(Plain):
    """Running statistics through `detach`, in a loop over channels."""

    def track(self, mean: Tensor, var: Tensor, n: int) -> None:
        self.num_batches_tracked += 1
        for c in range(len(mean)):
            unbiased = var[c].detach() * n / (n - 1)
            self.running_mean[c] = (1 - self.momentum) * self.running_mean[c] + self.momentum * mean[c].detach()
            self.running_var[c] = (1 - self.momentum) * self.running_var[c] + self.momentum * unbiased


class _ByRows(Plain):
    """Images as rows of channels, and back."""

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
        var, mean = torch.var_mean(rows, dim=0, correction=0)
        return mean, var

    def normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        rows = x.movedim(1, -1)
        return torch.addcmul(self.bias, (rows - mean) * torch.rsqrt(var + self.eps), self.weight).movedim(-1, 1)


MODULE = Exercise(
    "batchnorm2d-module",
    defines=("class BatchNorm2d(num_features, eps=1e-5, momentum=0.1)",),
    returns=_RUN,
    reference=nn.BatchNorm2d,
    cases=_cases,
    criteria=(
        Criterion(TRAINING, 1, cases=("one step", "three steps", "without gradients"), outputs=("train",)),
        Criterion(GRADIENT, 0.5, cases=("one step", "three steps"), outputs=("gradient",)),
        Criterion(
            STATISTICS,
            1,
            cases=("one step", "three steps", "without gradients"),
            outputs=("running_mean", "running_var"),
        ),
        Criterion(EVALUATION, 1, cases=("constant batch",), outputs=_EVALUATION),
        Criterion(EPS, 0.5, cases=("small variance",), outputs=("train",)),
        Criterion(BUFFERS, 0.5, cases=("one step", "three steps"), outputs=("trainable", "history")),
        Criterion(STATE, 0.5, cases=("exchange with torch",)),
    ),
    misconceptions=MISTAKES,
    forbidden=wording.NORMALISERS,
    right={
        "one method": _Functional,
        "plain": Plain,
        "buffers reassigned": _Reassigned,
        "loop over channels": _Detached,
        "rows of channels": _ByRows,
    },
)
