"""`batchnorm-inference` and `batchnorm-as-affine`: what the layer does after training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from autograder.exercises.batchnorm import wording
from autograder.exercises.batchnorm.inputs import (
    BIG,
    TINY,
    columns,
    plain,
    scales,
    shifts,
    variances,
)
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["AFFINE", "INFERENCE"]

Pair = tuple[Tensor, Tensor]

# --- batchnorm-inference


def _inference_reference(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    return F.batch_norm(x, mean, var, gamma, beta, training=False, eps=eps)


def _inference_case(g: Generator, x: Tensor, affine: Pair, *, small: bool = False, driver: str = "call") -> Case:
    d = x.shape[1]
    tensors = (x, *affine, shifts(g, d, 1.0, 4.0), variances(g, d, small=small))
    names = ("x", "gamma", "beta", "running_mean", "running_var")
    inputs = {name: tensor.to(x.dtype) for name, tensor in zip(names, tensors, strict=True)}
    return Case({**inputs, "eps": BIG if small else TINY}, driver=driver)


def _tiny_inference(g: Generator) -> Case:
    """Whole numbers, and variances that are squares."""
    x = torch.randint(-9, 10, (3, 2), generator=g).double()
    mean = torch.randint(1, 5, (2,), generator=g).double()
    var = torch.tensor([4.0, 9.0], dtype=torch.float64)[torch.randperm(2, generator=g)]
    gamma, beta = plain(2)
    return Case({"x": x, "gamma": gamma, "beta": beta, "running_mean": mean, "running_var": var, "eps": TINY})


def _inference_cases(g: Generator) -> dict[str, Case]:
    return {
        "tiny": _tiny_inference(g),
        "wide": _inference_case(g, columns(g, 7, 4), plain(4)),
        "gamma and beta": _inference_case(g, columns(g, 6, 3), (scales(g, 3), shifts(g, 3))),
        "square": _inference_case(g, columns(g, 5, 5), (scales(g, 5), shifts(g, 5)), driver="call-strided"),
        "single row": _inference_case(g, shifts(g, 4, 2.0, 9.0)[None], plain(4)),
        "small variance": _inference_case(g, columns(g, 6, 3), plain(3), small=True),
        "float32": _inference_case(g, columns(g, 8, 3).float(), plain(3)),
    }


_STATS, _SCALE, _ROW, _EPS, _DTYPE, _INPUTS = (
    "uses the running statistics",
    "scale and shift",
    "a single row is enough",
    "epsilon inside the root",
    "keeps the dtype",
    "leaves the running statistics unchanged",
)
_ALL = (_STATS, _SCALE, _ROW, _EPS, _DTYPE, _INPUTS)


def _batch_statistics(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    return gamma * (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps) + beta


def _still_tracking(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    y = _inference_reference(x, gamma, beta, mean, var, eps)
    mean.mul_(0.9).add_(0.1 * x.mean(0))
    var.mul_(0.9).add_(0.1 * x.var(0, correction=0))
    return y


_INFERENCE_MISCONCEPTIONS = (
    Misconception(
        "batch-statistics",
        _batch_statistics,
        "The statistics of the batch at hand seem to be used. At inference each row must get the same answer whatever "
        "stands beside it, so the stored statistics are used; a batch of one would give beta and nothing else.",
        loses=_ALL,
    ),
    Misconception(
        "batch-mean-running-variance",
        lambda x, gamma, beta, mean, var, eps: gamma * (x - x.mean(0)) / torch.sqrt(var + eps) + beta,
        "The running variance is used, but the mean seems to be that of the batch. Both come from training.",
        loses=_ALL,
    ),
    Misconception(
        "running-mean-batch-variance",
        lambda x, gamma, beta, mean, var, eps: gamma * (x - mean) / torch.sqrt(x.var(0, correction=0) + eps) + beta,
        "The running mean is used, but the variance seems to be that of the batch. Both come from training.",
        loses=_ALL,
    ),
    Misconception(
        "divides-by-variance",
        lambda x, gamma, beta, mean, var, eps: gamma * (x - mean) / (var + eps) + beta,
        "The division seems to be by the running variance. The running variance is a variance: its root is still to "
        "be taken.",
        loses=_ALL,
    ),
    Misconception(
        "mean-not-subtracted",
        lambda x, gamma, beta, mean, var, eps: gamma * x / torch.sqrt(var + eps) + beta,
        "The running mean does not seem to be subtracted.",
        loses=_ALL,
    ),
    Misconception(
        "affine-forgotten",
        lambda x, gamma, beta, mean, var, eps: (x - mean) / torch.sqrt(var + eps),
        "gamma and beta seem to be unused. They were learnt in training and belong to evaluation as well.",
        loses=(_SCALE,),
    ),
    Misconception(
        "gamma-and-beta-swapped",
        lambda x, gamma, beta, mean, var, eps: beta * (x - mean) / torch.sqrt(var + eps) + gamma,
        "gamma and beta seem to have changed places: gamma is the scale, beta what is added.",
        loses=_ALL,
    ),
    Misconception(
        "epsilon-omitted",
        lambda x, gamma, beta, mean, var, eps: gamma * (x - mean) / torch.sqrt(var) + beta,
        "eps does not seem to enter. Training divided by the root of variance plus eps; "
        "evaluation must do the same, or small variances give another network.",
        loses=(_EPS,),
    ),
    Misconception(
        "epsilon-outside-root",
        lambda x, gamma, beta, mean, var, eps: gamma * (x - mean) / (torch.sqrt(var) + eps) + beta,
        wording.EPS_OUTSIDE,
        loses=(_EPS,),
    ),
    Misconception(
        "epsilon-fixed",
        lambda x, gamma, beta, mean, var, eps: gamma * (x - mean) / torch.sqrt(var + 1e-5) + beta,
        wording.EPS_FIXED,
        loses=(_EPS,),
    ),
    Misconception(
        "statistics-still-updated",
        _still_tracking,
        "The values are right, but the running statistics were changed by the call. "
        "At inference they are read only; otherwise the second answer differs from the first.",
        loses=(_INPUTS,),
    ),
)


def _row_by_row(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    return torch.stack([beta + gamma * (row - mean) * (var + eps) ** -0.5 for row in x])


def _inference_with_numpy(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    scale = gamma.numpy() / np.sqrt(var.numpy() + eps)
    return torch.as_tensor(x.numpy() * scale + (beta.numpy() - mean.numpy() * scale), dtype=x.dtype)


INFERENCE = Exercise(
    "batchnorm-inference",
    defines=("batchnorm_inference(x, gamma, beta, running_mean, running_var, eps)",),
    returns=("y",),
    reference=_inference_reference,
    cases=_inference_cases,
    criteria=(
        Criterion(_STATS, 0.5, cases=("tiny", "wide")),
        Criterion(_SCALE, 0.5, cases=("gamma and beta", "square")),
        Criterion(_ROW, 0.5, cases=("single row",)),
        Criterion(_EPS, 0.5, cases=("small variance",)),
        Criterion(_DTYPE, 0.5, cases=("float32", "wide"), aspect="dtype"),
        Criterion(_INPUTS, 0.5, cases=("tiny", "wide"), aspect="inputs"),
    ),
    misconceptions=_INFERENCE_MISCONCEPTIONS,
    forbidden=wording.NORMALISERS,
    right={
        "row by row": _row_by_row,
        "numpy, as an affine map": _inference_with_numpy,
        "einsum": lambda x, gamma, beta, mean, var, eps: (
            torch.einsum("nd,d->nd", x - mean, gamma / (var + eps).sqrt()) + beta
        ),
        "in place on a copy": lambda x, gamma, beta, mean, var, eps: (
            x.clone().sub_(mean).mul_(torch.rsqrt(var + eps)).mul_(gamma).add_(beta)
        ),
        "float64 inside": lambda x, gamma, beta, mean, var, eps: torch.addcmul(
            beta.double(), (x.double() - mean) / (var.double() + eps).sqrt(), gamma.double()
        ).to(x.dtype),
    },
)

# --- batchnorm-as-affine


def _affine_reference(gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float) -> Pair:
    """Scale and shift read off the layer itself, at x = 0 and x = 1."""
    probes = torch.stack([torch.zeros_like(mean), torch.ones_like(mean)])
    at_0, at_1 = F.batch_norm(probes, mean, var, gamma, beta, training=False, eps=eps)
    return at_1 - at_0, at_0


def _affine_case(g: Generator, d: int, *, small: bool = False, dtype: torch.dtype = torch.float64) -> Case:
    tensors = (scales(g, d), shifts(g, d), shifts(g, d, 1.0, 4.0), variances(g, d, small=small))
    names = ("gamma", "beta", "running_mean", "running_var")
    inputs = {name: tensor.to(dtype) for name, tensor in zip(names, tensors, strict=True)}
    return Case({**inputs, "eps": BIG if small else TINY})


def _affine_cases(g: Generator) -> dict[str, Case]:
    whole = [torch.randint(2, 6, (2,), generator=g).double() for _ in range(3)]
    tiny = {"gamma": whole[0] * torch.tensor([1, -1]), "beta": whole[1], "running_mean": whole[2]}
    square = torch.tensor([4.0, 9.0], dtype=torch.float64)
    return {
        "tiny": Case({**tiny, "running_var": square, "eps": TINY}),
        "wide": _affine_case(g, 5),
        "one feature": _affine_case(g, 1),
        "small variance": _affine_case(g, 3, small=True),
        "float32": _affine_case(g, 4, dtype=torch.float32),
    }


_A_SCALE, _A_SHIFT, _A_EPS, _A_DTYPE = "scale", "shift", "epsilon inside the root", "keeps the dtype"
_A_ALL = (_A_SCALE, _A_SHIFT, _A_EPS, _A_DTYPE)
_A_WIDE = ("tiny", "wide", "one feature")


def _rate(gamma: Tensor, var: Tensor, eps: float) -> Tensor:
    return gamma / torch.sqrt(var + eps)


_AFFINE_MISCONCEPTIONS = (
    Misconception(
        "mean-not-in-shift",
        lambda gamma, beta, mean, var, eps: (_rate(gamma, var, eps), beta.clone()),
        "The shift is beta alone. The running mean is subtracted from x before scaling; that constant has to go "
        "somewhere.",
        loses=(_A_SHIFT, _A_EPS, _A_DTYPE),
    ),
    Misconception(
        "beta-not-in-shift",
        lambda gamma, beta, mean, var, eps: (_rate(gamma, var, eps), -mean * _rate(gamma, var, eps)),
        "beta does not seem to enter the shift.",
        loses=(_A_SHIFT, _A_EPS, _A_DTYPE),
    ),
    Misconception(
        "mean-added",
        lambda gamma, beta, mean, var, eps: (_rate(gamma, var, eps), beta + mean * _rate(gamma, var, eps)),
        "The part of the shift that comes from the running mean has the wrong sign: the mean is subtracted from x.",
        loses=(_A_SHIFT, _A_EPS, _A_DTYPE),
    ),
    Misconception(
        "mean-not-scaled",
        lambda gamma, beta, mean, var, eps: (_rate(gamma, var, eps), beta - mean),
        "The running mean enters the shift unscaled. It is subtracted before the scaling, so it is scaled like x.",
        loses=(_A_SHIFT, _A_EPS, _A_DTYPE),
    ),
    Misconception(
        "beta-scaled",
        lambda gamma, beta, mean, var, eps: (_rate(gamma, var, eps), (beta - mean) * _rate(gamma, var, eps)),
        "beta seems to be scaled together with the running mean. It is added last, after the scaling.",
        loses=(_A_SHIFT, _A_EPS, _A_DTYPE),
    ),
    Misconception(
        "gamma-missing",
        lambda gamma, beta, mean, var, eps: (
            1 / torch.sqrt(var + eps),
            beta - mean / torch.sqrt(var + eps),
        ),
        "gamma does not seem to enter: the scale is that of the normalisation alone.",
        loses=_A_ALL,
    ),
    Misconception(
        "divides-by-variance",
        lambda gamma, beta, mean, var, eps: (gamma / (var + eps), beta - mean * gamma / (var + eps)),
        "The scale seems to hold the running variance itself. Its root is what normalisation divides by.",
        loses=_A_ALL,
    ),
    Misconception(
        "absolute-gamma",
        lambda gamma, beta, mean, var, eps: (
            _rate(gamma.abs(), var, eps),
            beta - mean * _rate(gamma.abs(), var, eps),
        ),
        "The sign of gamma seems to be lost. gamma may be negative, and then the layer turns its input over.",
        loses=_A_ALL,
    ),
    Misconception(
        "epsilon-omitted",
        lambda gamma, beta, mean, var, eps: (_rate(gamma, var, 0.0), beta - mean * _rate(gamma, var, 0.0)),
        wording.EPS_OMITTED,
        loses=(_A_EPS,),
    ),
    Misconception(
        "epsilon-outside-root",
        lambda gamma, beta, mean, var, eps: (
            gamma / (var.sqrt() + eps),
            beta - mean * gamma / (var.sqrt() + eps),
        ),
        wording.EPS_OUTSIDE,
        loses=(_A_EPS,),
    ),
    Misconception(
        "scale-and-shift-swapped",
        lambda gamma, beta, mean, var, eps: (beta - mean * _rate(gamma, var, eps), _rate(gamma, var, eps)),
        "The two results are in the wrong order: scale first, then shift.",
        loses=_A_ALL,
    ),
)


def _affine_by_element(gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float) -> Pair:
    scale, shift = torch.empty_like(gamma), torch.empty_like(beta)
    for j, (s, b, m, v) in enumerate(zip(gamma, beta, mean, var, strict=True)):
        scale[j] = s * (v + eps) ** -0.5
        shift[j] = b - m * scale[j]
    return scale, shift


AFFINE = Exercise(
    "batchnorm-as-affine",
    defines=("batchnorm_as_affine(gamma, beta, running_mean, running_var, eps)",),
    returns=("scale", "shift"),
    reference=_affine_reference,
    cases=_affine_cases,
    criteria=(
        Criterion(_A_SCALE, 0.5, cases=_A_WIDE, outputs=("scale",)),
        Criterion(_A_SHIFT, 0.5, cases=_A_WIDE, outputs=("shift",)),
        Criterion(_A_EPS, 0.5, cases=("small variance",)),
        Criterion(_A_DTYPE, 0.5, cases=("float32",), aspect="dtype"),
    ),
    misconceptions=_AFFINE_MISCONCEPTIONS,
    forbidden=wording.NORMALISERS,
    right={
        "element by element": _affine_by_element,
        "read off at 0 and 1": lambda gamma, beta, mean, var, eps: [
            gamma * (1 - mean) / torch.sqrt(var + eps) + gamma * mean / torch.sqrt(var + eps),
            gamma * (0 - mean) / torch.sqrt(var + eps) + beta,
        ],
        "rsqrt": lambda gamma, beta, mean, var, eps: (
            gamma * torch.rsqrt(var + eps),
            torch.addcmul(beta, mean, gamma * torch.rsqrt(var + eps), value=-1),
        ),
        "float64 inside": lambda gamma, beta, mean, var, eps: tuple(
            t.to(gamma.dtype)
            for t in _affine_by_element(gamma.double(), beta.double(), mean.double(), var.double(), eps)
        ),
    },
)
