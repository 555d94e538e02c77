"""`batchnorm-forward` and `batchnorm-identity`: training mode on (N, D), Ioffe and Szegedy 2015, Algorithm 1."""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from autograder.exercises.batchnorm import wording
from autograder.exercises.batchnorm.inputs import (
    BIG,
    NARROW,
    TINY,
    columns,
    plain,
    round_columns,
    scales,
    shifts,
)
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["FORWARD", "IDENTITY"]

# --- batchnorm-forward


def _reference(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    return F.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)


def _case(x: Tensor, gamma: Tensor, beta: Tensor, eps: float, driver: str = "call") -> Case:
    return Case({"x": x, "gamma": gamma, "beta": beta, "eps": eps}, driver=driver)


def _narrow_columns(g: Generator) -> Tensor:
    """(6, 3), small variances; the last column is constant."""
    x = columns(g, 6, 3, NARROW, level=1.0)
    x[:, 2] = x[0, 2]
    return x


def _forward_cases(g: Generator) -> dict[str, Case]:
    return {
        "tiny": _case(round_columns(g), *plain(2), TINY),
        "wide": _case(columns(g, 7, 4), *plain(4), TINY),
        "one feature": _case(columns(g, 6, 1), *plain(1), TINY),
        "gamma and beta": _case(columns(g, 6, 3), scales(g, 3), shifts(g, 3), TINY),
        "square": _case(columns(g, 5, 5), scales(g, 5), shifts(g, 5), TINY, driver="call-strided"),
        "small variance": _case(_narrow_columns(g), *plain(3), BIG),
        "float32": _case(columns(g, 8, 3).float(), *plain(3, torch.float32), TINY),
    }


_CENTRE, _AFFINE, _EPS, _DTYPE, _INPUTS = (
    "normalises over the batch",
    "scale and shift",
    "epsilon inside the root",
    "keeps the dtype",
    "leaves its inputs unchanged",
)
_ALL = (_CENTRE, _AFFINE, _EPS, _DTYPE, _INPUTS)


def _standardised(x: Tensor, eps: float, axis: int = 0, correction: int = 0) -> Tensor:
    mean = x.mean(axis, keepdim=True)
    return (x - mean) / torch.sqrt(x.var(axis, correction=correction, keepdim=True) + eps)


def _in_place(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    var = x.var(0, correction=0)
    x -= x.mean(0)
    return gamma * x / torch.sqrt(var + eps) + beta


_FORWARD_MISCONCEPTIONS = (
    Misconception(
        "unbiased-variance",
        lambda x, gamma, beta, eps: gamma * _standardised(x, eps, correction=1) + beta,
        wording.UNBIASED,
        loses=_ALL,
    ),
    Misconception(
        "epsilon-outside-root",
        lambda x, gamma, beta, eps: gamma * (x - x.mean(0)) / (x.std(0, correction=0) + eps) + beta,
        wording.EPS_OUTSIDE,
        loses=(_EPS,),
    ),
    Misconception(
        "epsilon-omitted",
        lambda x, gamma, beta, eps: gamma * _standardised(x, 0.0) + beta,
        wording.EPS_OMITTED,
        loses=(_EPS,),
    ),
    Misconception(
        "epsilon-fixed",
        lambda x, gamma, beta, eps: gamma * _standardised(x, 1e-5) + beta,
        wording.EPS_FIXED,
        loses=(_EPS,),
    ),
    Misconception(
        "divides-by-variance",
        lambda x, gamma, beta, eps: gamma * (x - x.mean(0)) / (x.var(0, correction=0) + eps) + beta,
        wording.NOT_ROOTED,
        loses=_ALL,
    ),
    Misconception(
        "normalises-each-row",
        lambda x, gamma, beta, eps: gamma * _standardised(x, eps, axis=1) + beta,
        "Every row comes out with mean 0: mean and variance seem to be taken over the features of one example. "
        "Batch normalisation takes them over the batch, for each feature on its own.",
        loses=_ALL,
    ),
    Misconception(
        "one-mean-for-everything",
        lambda x, gamma, beta, eps: gamma * (x - x.mean()) / torch.sqrt(x.var(correction=0) + eps) + beta,
        "One mean and one variance seem to be used for the whole array. "
        "Each feature has its own: the features may have very different sizes.",
        # With a single feature the whole array is the feature; the other cases show it.
        loses=_ALL,
    ),
    Misconception(
        "mean-not-subtracted",
        lambda x, gamma, beta, eps: gamma * x / torch.sqrt(x.var(0, correction=0) + eps) + beta,
        "The spread is right but the columns are not centred: the mean of each feature seems not to be subtracted.",
        loses=_ALL,
    ),
    Misconception(
        "affine-forgotten",
        lambda x, gamma, beta, eps: _standardised(x, eps),
        wording.AFFINE_FORGOTTEN,
        loses=(_AFFINE,),
    ),
    Misconception(
        "gamma-and-beta-swapped",
        lambda x, gamma, beta, eps: beta * _standardised(x, eps) + gamma,
        "gamma and beta seem to have changed places: gamma is the scale, beta what is added.",
        loses=_ALL,
    ),
    Misconception(
        "shift-is-scaled-too",
        lambda x, gamma, beta, eps: gamma * (_standardised(x, eps) + beta),
        "beta seems to be added before the multiplication by gamma, so it is scaled as well. It comes last.",
        loses=(_AFFINE,),
    ),
    Misconception(
        "scale-per-example",
        lambda x, gamma, beta, eps: gamma[:, None] * _standardised(x, eps) + beta[:, None],
        "gamma and beta seem to be laid along the batch, one for each example. "
        "There is one for each feature; only where N equals D does the other way run at all.",
        loses=_ALL,
    ),
    Misconception("input-changed", _in_place, wording.INPUT_CHANGED, loses=(_INPUTS,)),
    Misconception(
        "always-float32",
        lambda x, gamma, beta, eps: _reference(x, gamma, beta, eps).float(),
        wording.FLOAT32,
        (_DTYPE,),
    ),
)


def _by_column(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    out = torch.empty_like(x)
    for j in range(x.shape[1]):
        mean = sum(x[i, j] for i in range(len(x))) / len(x)
        var = sum((x[i, j] - mean) ** 2 for i in range(len(x))) / len(x)
        for i in range(len(x)):
            out[i, j] = gamma[j] * (x[i, j] - mean) / (var + eps) ** 0.5 + beta[j]
    return out


def _with_einsum(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    centred = x - torch.einsum("nd->d", x) / x.shape[0]
    var = torch.einsum("nd,nd->d", centred, centred) / x.shape[0]
    return torch.einsum("nd,d->nd", centred, gamma * torch.rsqrt(var + eps)) + beta


def _with_numpy(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    a = x.numpy()
    y = gamma.numpy() * (a - a.mean(axis=0)) / np.sqrt(a.var(axis=0) + eps) + beta.numpy()
    return torch.from_numpy(y).to(x.dtype)


def _by_moments(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    wide = x.double()
    mean = wide.mean(0)
    var = (wide**2).mean(0) - mean**2
    return (gamma * (wide - mean) / torch.sqrt(var + eps) + beta).to(x.dtype)


def _on_a_copy(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    var, mean = torch.var_mean(x, dim=0, correction=0)
    y = x.clone()
    y -= mean
    y /= (var + eps).sqrt_()
    return torch.addcmul(beta, y, gamma)


FORWARD = Exercise(
    "batchnorm-forward",
    defines=("batchnorm_forward(x, gamma, beta, eps)",),
    returns=("y",),
    reference=_reference,
    cases=_forward_cases,
    criteria=(
        Criterion(_CENTRE, 1.5, cases=("tiny", "wide", "one feature")),
        Criterion(_AFFINE, 1, cases=("gamma and beta", "square")),
        Criterion(_EPS, 0.5, cases=("small variance",)),
        Criterion(_DTYPE, 0.5, cases=("float32", "wide"), aspect="dtype"),
        Criterion(_INPUTS, 0.5, cases=("tiny", "wide"), aspect="inputs"),
    ),
    misconceptions=_FORWARD_MISCONCEPTIONS,
    forbidden=wording.NORMALISERS,
    right={
        "loops": _by_column,
        "einsum": _with_einsum,
        "numpy": _with_numpy,
        "moments in float64": _by_moments,
        "in place on a copy": _on_a_copy,
    },
)

# --- batchnorm-identity


def _identity_reference(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    mean = x.sum(0) / len(x)
    return torch.sqrt(((x - mean) ** 2).sum(0) / len(x) + eps), mean


def _identity_cases(g: Generator) -> dict[str, Case]:
    return {
        "tiny": Case({"x": round_columns(g), "eps": TINY}),
        "wide": Case({"x": columns(g, 7, 4), "eps": TINY}),
        "square": Case({"x": columns(g, 5, 5), "eps": TINY}, driver="call-strided"),
        "small variance": Case({"x": _narrow_columns(g), "eps": BIG}),
        "float32": Case({"x": columns(g, 8, 3).float(), "eps": TINY}),
    }


_I_GAMMA, _I_BETA, _I_EPS, _I_DTYPE = (
    "gamma undoes the division",
    "beta undoes the subtraction",
    "gamma takes epsilon into account",
    "keeps the dtype",
)
_I_WIDE = ("tiny", "wide", "square")


def _deviation(x: Tensor, eps: float) -> Tensor:
    return torch.sqrt(x.var(0, correction=0) + eps)


_IDENTITY_MISCONCEPTIONS = (
    Misconception(
        "gamma-is-the-variance",
        lambda x, eps: (x.var(0, correction=0) + eps, x.mean(0)),
        "gamma seems to be the variance. The forward pass divides by a root of it, so that root is what must be "
        "undone.",
        loses=(_I_GAMMA, _I_EPS, _I_DTYPE),
    ),
    Misconception(
        "gamma-inverted",
        lambda x, eps: (1 / _deviation(x, eps), x.mean(0)),
        "gamma is the reciprocal of what undoes the division: it would divide by the deviation a second time.",
        loses=(_I_GAMMA, _I_EPS, _I_DTYPE),
    ),
    Misconception(
        "beta-negated",
        lambda x, eps: (_deviation(x, eps), -x.mean(0)),
        "beta has the wrong sign: the mean was subtracted, so it has to be added back.",
        loses=(_I_BETA, _I_DTYPE),
    ),
    Misconception(
        "beta-as-for-inference",
        lambda x, eps: (_deviation(x, eps), x.mean(0) / _deviation(x, eps)),
        "beta seems to be the mean divided by the deviation. beta is added after the scaling by gamma, "
        "where values are in the units of x again.",
        loses=(_I_BETA, _I_DTYPE),
    ),
    Misconception(
        "initial-values",
        lambda x, eps: (torch.ones_like(x[0]), torch.zeros_like(x[0])),
        "gamma = 1 and beta = 0 are where training starts; with them the output is normalised, not equal to x.",
        loses=(_I_GAMMA, _I_BETA, _I_EPS, _I_DTYPE),
    ),
    Misconception(
        "unbiased-variance",
        lambda x, eps: (torch.sqrt(x.var(0) + eps), x.mean(0)),
        wording.UNBIASED,
        loses=(_I_GAMMA, _I_EPS, _I_DTYPE),
    ),
    Misconception(
        "epsilon-omitted",
        lambda x, eps: (x.std(0, correction=0), x.mean(0)),
        "gamma is the bare standard deviation. The forward pass divides by something slightly larger, because of eps; "
        "where the variance is small, the difference shows.",
        loses=(_I_EPS,),
    ),
    Misconception(
        "epsilon-outside-root",
        lambda x, eps: (x.std(0, correction=0) + eps, x.mean(0)),
        wording.EPS_OUTSIDE,
        loses=(_I_EPS,),
    ),
    Misconception(
        "statistics-of-each-row",
        lambda x, eps: (torch.sqrt(x.var(1, correction=0) + eps), x.mean(1)),
        "There is one pair of numbers for each example; it should be one for each feature, taken over the batch.",
        loses=(_I_GAMMA, _I_BETA, _I_EPS, _I_DTYPE),
    ),
    Misconception(
        "gamma-and-beta-swapped",
        lambda x, eps: (x.mean(0), _deviation(x, eps)),
        "The two results are in the wrong order: gamma first, then beta.",
        loses=(_I_GAMMA, _I_BETA, _I_EPS, _I_DTYPE),
    ),
)


def _identity_by_solving(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    zeros = torch.zeros_like(x[0])
    normal = _by_column(x, zeros + 1, zeros, eps)
    # gamma from the ratio of the spreads; a constant feature has no spread to compare.
    spread = normal.std(0, correction=0)
    gamma = torch.where(spread > 0, x.std(0, correction=0) / spread, torch.full_like(zeros, eps**0.5))
    return gamma, x.mean(0)


IDENTITY = Exercise(
    "batchnorm-identity",
    defines=("identity_parameters(x, eps)",),
    returns=("gamma", "beta"),
    reference=_identity_reference,
    cases=_identity_cases,
    criteria=(
        Criterion(_I_GAMMA, 0.5, cases=_I_WIDE, outputs=("gamma",)),
        Criterion(_I_BETA, 0.5, cases=(*_I_WIDE, "small variance"), outputs=("beta",)),
        Criterion(_I_EPS, 0.5, cases=("small variance",), outputs=("gamma",)),
        Criterion(_I_DTYPE, 0.5, cases=("float32",), aspect="dtype"),
    ),
    misconceptions=_IDENTITY_MISCONCEPTIONS,
    forbidden=wording.NORMALISERS,
    right={
        "a list": lambda x, eps: [(x.var(0, correction=0) + eps) ** 0.5, x.mean(0)],
        "norms": lambda x, eps: (
            torch.sqrt(torch.linalg.vector_norm(x - x.mean(0), dim=0) ** 2 / len(x) + eps),
            x.mean(0),
        ),
        "numpy": lambda x, eps: (
            torch.tensor(np.sqrt(np.var(x.numpy(), axis=0) + eps), dtype=x.dtype),
            torch.tensor(np.mean(x.numpy(), axis=0), dtype=x.dtype),
        ),
        "corrected unbiased variance": lambda x, eps: (
            torch.sqrt(x.var(0) * (len(x) - 1) / len(x) + eps),
            torch.einsum("nd->d", x) / len(x),
        ),
        "solved from the forward pass": _identity_by_solving,
    },
)
