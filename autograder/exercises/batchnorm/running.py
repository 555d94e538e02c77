"""`running-statistics`: what training keeps for later, with PyTorch's momentum and unbiased variance."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from autograder.exercises.batchnorm import wording
from autograder.exercises.batchnorm.inputs import columns, round_columns, shifts, uniform
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["RUNNING_STATISTICS"]

Pair = tuple[Tensor, Tensor]


def _reference(running_mean: Tensor, running_var: Tensor, x: Tensor, momentum: float) -> Pair:
    mean, var = running_mean.clone(), running_var.clone()
    F.batch_norm(x, mean, var, training=True, momentum=momentum)
    return mean, var


def _case(g: Generator, x: Tensor, momentum: float) -> Case:
    d = x.shape[1]
    old = (shifts(g, d, 1.0, 4.0), uniform(g, (d,), 2.0, 9.0))
    mean, var = (t.to(x.dtype) for t in old)
    return Case({"running_mean": mean, "running_var": var, "x": x, "momentum": momentum})


def _cases(g: Generator) -> dict[str, Case]:
    return {
        "tiny": _case(g, round_columns(g), 0.25),
        "momentum 0.1": _case(g, columns(g, 6, 3), 0.1),
        "square": _case(g, columns(g, 5, 5), 0.3),
        # Old and new weigh the same, so this case says nothing about the convention.
        "momentum 0.5": _case(g, columns(g, 7, 4), 0.5),
        # A batch without variance, so this case says nothing about how the variance is taken.
        "constant batch": _case(g, columns(g, 6, 3)[:1].repeat(6, 1), 0.5),
        "float32": _case(g, columns(g, 8, 3).float(), 0.2),
    }


_MEAN, _MOMENTUM, _VAR, _INPUTS = (
    "moves the running mean",
    "momentum is the weight of the new value",
    "moves the running variance by the unbiased variance",
    "leaves the old statistics unchanged",
)
_ALL = (_MEAN, _MOMENTUM, _VAR, _INPUTS)


def _mix(old: Tensor, new: Tensor, momentum: float) -> Tensor:
    return (1 - momentum) * old + momentum * new


def _var_around_running_mean(rm: Tensor, rv: Tensor, x: Tensor, m: float) -> Pair:
    mean = _mix(rm, x.mean(0), m)
    return mean, _mix(rv, ((x - mean) ** 2).sum(0) / (len(x) - 1), m)


def _in_place(rm: Tensor, rv: Tensor, x: Tensor, m: float) -> Pair:
    return rm.mul_(1 - m).add_(m * x.mean(0)), rv.mul_(1 - m).add_(m * x.var(0))


_MISCONCEPTIONS = (
    Misconception(
        "momentum-swapped",
        lambda rm, rv, x, m: (_mix(rm, x.mean(0), 1 - m), _mix(rv, x.var(0), 1 - m)),
        "momentum seems to be the weight of the old value, as in some other libraries and courses. "
        "Here, as in PyTorch, it is the weight of the new one.",
        loses=(_MOMENTUM, _VAR),
    ),
    Misconception(
        "biased-running-variance",
        lambda rm, rv, x, m: (_mix(rm, x.mean(0), m), _mix(rv, x.var(0, correction=0), m)),
        "The running variance seems to be moved by the biased variance of the batch. It stands for the variance of "
        "all data, which a batch underestimates; the running statistics use the unbiased one.",
        loses=(_VAR,),
    ),
    Misconception(
        "correction-inverted",
        lambda rm, rv, x, m: (
            _mix(rm, x.mean(0), m),
            _mix(rv, x.var(0, correction=0) * (len(x) - 1) / len(x), m),
        ),
        "The correction for the bias goes the wrong way: it makes the variance of the batch smaller instead of larger.",
        loses=(_VAR,),
    ),
    Misconception(
        "deviation-stored",
        lambda rm, rv, x, m: (_mix(rm, x.mean(0), m), _mix(rv, x.std(0), m)),
        "The running variance seems to be moved by a standard deviation. Keep variances; the root comes at inference.",
        loses=(_VAR,),
    ),
    Misconception(
        "deviation-around-running-mean",
        _var_around_running_mean,
        "The deviations seem to be taken from the running mean. The variance of the batch is around the mean of the "
        "batch.",
        loses=(_VAR, _INPUTS),
    ),
    Misconception(
        "nothing-moves",
        lambda rm, rv, x, m: (rm.clone(), rv.clone()),
        "The statistics come back as they were: the updated values seem to be lost on the way, not returned.",
        loses=_ALL,
    ),
    Misconception(
        "batch-statistics-only",
        lambda rm, rv, x, m: (x.mean(0), x.var(0)),
        "The results are those of this batch alone; the old statistics do not enter. "
        "A running average keeps most of what it knew before.",
        loses=_ALL,
    ),
    Misconception(
        "old-value-not-faded",
        lambda rm, rv, x, m: (rm + m * x.mean(0), rv + m * x.var(0)),
        "The new value is added, but the old one keeps its full weight, so the statistics grow with every batch. "
        "The two weights add up to 1.",
        loses=_ALL,
    ),
    Misconception(
        "statistics-of-each-row",
        lambda rm, rv, x, m: (_mix(rm, x.mean(1), m), _mix(rv, x.var(1), m)),
        "Mean and variance seem to be taken over the features of each example. There is one running value for each "
        "feature, taken over the batch.",
        loses=_ALL,
    ),
    Misconception(
        "variance-not-moved",
        lambda rm, rv, x, m: (_mix(rm, x.mean(0), m), rv.clone()),
        "The running mean moves, the running variance stays as it was.",
        loses=(_VAR, _INPUTS),
    ),
    Misconception(
        "statistics-changed-in-place",
        _in_place,
        "The values are right, but the old statistics were overwritten. The function returns new tensors; "
        "a caller who keeps the old ones must find them unchanged.",
        loses=(_INPUTS,),
    ),
)

RUNNING_STATISTICS = Exercise(
    "running-statistics",
    defines=("update_running_statistics(running_mean, running_var, x, momentum)",),
    returns=("new_mean", "new_var"),
    reference=_reference,
    cases=_cases,
    criteria=(
        Criterion(_MEAN, 0.5, cases=("momentum 0.5",), outputs=("new_mean",)),
        Criterion(_MOMENTUM, 1, cases=("tiny", "momentum 0.1", "square", "float32"), outputs=("new_mean",)),
        Criterion(_VAR, 1, cases=("tiny", "momentum 0.1", "square", "momentum 0.5", "float32"), outputs=("new_var",)),
        Criterion(_INPUTS, 0.5, cases=("constant batch",), aspect="inputs"),
    ),
    misconceptions=_MISCONCEPTIONS,
    forbidden=wording.NORMALISERS,
    right={
        "lerp": lambda rm, rv, x, m: (torch.lerp(rm, x.mean(0), m), torch.lerp(rv, x.var(0), m)),
        "step towards the new value": lambda rm, rv, x, m: [rm + m * (x.mean(0) - rm), rv + m * (x.var(0) - rv)],
        "corrected by hand": lambda rm, rv, x, m: (
            rm * (1 - m) + m * x.sum(0) / len(x),
            rv * (1 - m) + m * ((x - x.mean(0)) ** 2).mean(0) * len(x) / (len(x) - 1),
        ),
        "numpy": lambda rm, rv, x, m: (
            torch.from_numpy((1 - m) * rm.numpy() + m * x.numpy().mean(0)).to(x.dtype),
            torch.from_numpy((1 - m) * rv.numpy() + m * x.numpy().var(0, ddof=1)).to(x.dtype),
        ),
        "covariance matrix": lambda rm, rv, x, m: (
            _mix(rm, torch.einsum("nd->d", x) / x.shape[0], m),
            _mix(rv, torch.cov(x.T).diagonal(), m),
        ),
    },
)
