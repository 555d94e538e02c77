"""`batchnorm-backward`: the gradient derived by hand, Ioffe and Szegedy 2015, section 3.

x reaches the output on three paths: directly, through the mean and through the variance.  A gradient dy whose
columns have mean zero makes the path through the mean vanish, one orthogonal to the centred input the path
through the variance; so each path has a case, and points, of its own.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor

from autograder.exercises.batchnorm import wording
from autograder.exercises.batchnorm.inputs import BIG, NARROW, TINY, columns, round_columns, scales
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["BACKWARD"]

Gradients = tuple[Tensor, Tensor, Tensor]


def _reference(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> Gradients:
    """PyTorch's own kernel (the tests hold it to autograd through the formula)."""
    _, mean, inverse = torch.native_batch_norm(x, gamma, None, None, None, True, 0.0, eps)
    kernel = torch.ops.aten.native_batch_norm_backward
    dx, dgamma, dbeta = kernel(dy, x, gamma, None, None, mean, inverse, True, eps, [True, True, True])
    return dx, dgamma, dbeta


def _case(dy: Tensor, x: Tensor, gamma: Tensor, eps: float = TINY, driver: str = "call") -> Case:
    return Case({"dy": dy, "x": x, "gamma": gamma, "eps": eps}, driver=driver)


def _upstream(g: Generator, x: Tensor, *, mean: bool = True, along_x: bool = True) -> Tensor:
    """A gradient dy, shape (N, D).

    Args:
        mean: whether its columns have a mean.
        along_x: whether they correlate with the centred columns of x.
    """
    direction = x - x.mean(0)
    direction = direction / direction.std(0, correction=0)
    dy = torch.randn(x.shape, generator=g, dtype=torch.float64)
    dy = dy - dy.mean(0)
    dy = dy - (dy * direction).mean(0) * direction
    sizes = 0.5 + torch.rand(2, x.shape[1], generator=g, dtype=torch.float64)
    return dy + sizes[0] * mean + sizes[1] * direction * along_x


def _cases(g: Generator) -> dict[str, Case]:
    x, y, z = columns(g, 7, 3), columns(g, 6, 4), columns(g, 8, 3)
    wide, square, narrow = columns(g, 7, 4), columns(g, 5, 5), columns(g, 6, 3, NARROW, level=1.0)
    tiny = torch.randint(1, 6, (4, 2), generator=g).double()
    return {
        "tiny": _case(tiny, round_columns(g), torch.tensor([2.0, -3.0], dtype=torch.float64)),
        "direct path only": _case(_upstream(g, x, mean=False, along_x=False), x, scales(g, 3)),
        "no path through the variance": _case(_upstream(g, y, along_x=False), y, scales(g, 4)),
        "no path through the mean": _case(_upstream(g, z, mean=False), z, scales(g, 3)),
        "all paths": _case(_upstream(g, wide), wide, scales(g, 4)),
        "square": _case(_upstream(g, square), square, scales(g, 5), driver="call-strided"),
        "small variance": _case(_upstream(g, narrow), narrow, scales(g, 3), BIG),
        "float32": _case(_upstream(g, x).float(), x.float(), scales(g, 3).float()),
    }


_BETA, _GAMMA, _DIRECT, _MEAN, _VARIANCE, _TOGETHER, _EPS, _DTYPE = (
    "gradient of beta",
    "gradient of gamma",
    "gradient of x: direct path",
    "gradient of x: path through the mean",
    "gradient of x: path through the variance",
    "gradient of x: all paths together",
    "epsilon as in the forward pass",
    "keeps the dtype",
)
_DX = (_DIRECT, _MEAN, _VARIANCE, _TOGETHER, _EPS, _DTYPE)


def _literal(
    dy: Tensor,
    x: Tensor,
    gamma: Tensor,
    eps: float,
    *,
    mean_path: float = 1.0,
    variance_path: float = 1.0,
    correction: int = 0,
) -> Gradients:
    """The right gradient, with a factor at each of the two indirect paths."""
    var, mean = torch.var_mean(x, dim=0, correction=correction)
    root = torch.sqrt(var + eps)
    xhat = (x - mean) / root
    g = dy * gamma
    dx = (g - mean_path * g.mean(0) - variance_path * xhat * (g * xhat).mean(0)) / root
    return dx, (dy * xhat).sum(0), dy.sum(0)


def _eps_outside(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> Gradients:
    std, mean = torch.std_mean(x, dim=0, correction=0)
    xhat = (x - mean) / (std + eps)
    g = dy * gamma
    return (g - g.mean(0) - xhat * (g * xhat).mean(0)) / (std + eps), (dy * xhat).sum(0), dy.sum(0)


def _dgamma_from_x(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> Gradients:
    dx, _, dbeta = _literal(dy, x, gamma, eps)
    return dx, (dy * x).sum(0), dbeta


def _without_gamma(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> Gradients:
    return _literal(dy, x, torch.ones_like(gamma), eps)


def _gamma_twice(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> Gradients:
    dx, dgamma, dbeta = _literal(dy, x, gamma, eps)
    return dx * gamma, dgamma, dbeta


def _averaged(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> Gradients:
    dx, dgamma, dbeta = _literal(dy, x, gamma, eps)
    return dx, dgamma / len(x), dbeta / len(x)


def _not_summed(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> Gradients:
    dx, _, _ = _literal(dy, x, gamma, eps)
    var, mean = torch.var_mean(x, dim=0, correction=0)
    return dx, dy * (x - mean) / torch.sqrt(var + eps), dy


def _swapped(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> Gradients:
    dx, dgamma, dbeta = _literal(dy, x, gamma, eps)
    return dx, dbeta, dgamma


def _summed_over_features(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> Gradients:
    dx, _, _ = _literal(dy, x, gamma, eps)
    var, mean = torch.var_mean(x, dim=0, correction=0)
    return dx, (dy * (x - mean) / torch.sqrt(var + eps)).sum(1), dy.sum(1)


def _not_divided(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> Gradients:
    dx, dgamma, dbeta = _literal(dy, x, gamma, eps)
    return dx * torch.sqrt(x.var(0, correction=0) + eps), dgamma, dbeta


_MISCONCEPTIONS = (
    Misconception(
        "statistics-as-constants",
        lambda dy, x, gamma, eps: _literal(dy, x, gamma, eps, mean_path=0, variance_path=0),
        "Mean and variance seem to be treated as constants, as they are in evaluation mode. In training they are "
        "computed from x, so x reaches the output through them as well: two more terms.",
        loses=(_MEAN, _VARIANCE, _TOGETHER, _EPS, _DTYPE),
    ),
    Misconception(
        "missing-mean-path",
        lambda dy, x, gamma, eps: _literal(dy, x, gamma, eps, mean_path=0),
        "The path through the mean is missing: the mean depends on every x in the batch, so moving one x moves all "
        "outputs a little. A sign of it: the columns of dx do not sum to zero.",
        loses=(_MEAN, _TOGETHER, _EPS, _DTYPE),
    ),
    Misconception(
        "missing-variance-path",
        lambda dy, x, gamma, eps: _literal(dy, x, gamma, eps, variance_path=0),
        "The path through the variance is missing: the variance depends on every x in the batch. "
        "A sign of it: the columns of dx still correlate with the normalised input.",
        loses=(_VARIANCE, _TOGETHER, _EPS, _DTYPE),
    ),
    Misconception(
        "mean-path-not-averaged",
        lambda dy, x, gamma, eps: _literal(dy, x, gamma, eps, mean_path=len(x)),
        "The term for the mean is too large by a factor N: each x moves the mean only by a fraction 1/N of its own "
        "move.",
        loses=(_MEAN, _TOGETHER, _EPS, _DTYPE),
    ),
    Misconception(
        "variance-path-not-averaged",
        lambda dy, x, gamma, eps: _literal(dy, x, gamma, eps, variance_path=len(x)),
        "The term for the variance is too large by a factor N: the variance is a mean over the batch, "
        "so each x has only a share of 1/N in it.",
        loses=(_VARIANCE, _TOGETHER, _EPS, _DTYPE),
    ),
    Misconception(
        "variance-path-sign",
        lambda dy, x, gamma, eps: _literal(dy, x, gamma, eps, variance_path=-1),
        "The term for the variance has the wrong sign. A larger variance makes the output smaller: "
        "the derivative of a reciprocal root is negative.",
        loses=(_VARIANCE, _TOGETHER, _EPS, _DTYPE),
    ),
    Misconception(
        "variance-path-halved",
        lambda dy, x, gamma, eps: _literal(dy, x, gamma, eps, variance_path=0.5),
        "The term for the variance is half as large as it should be. The factor one half from the root is "
        "cancelled by the two that comes from squaring the deviations; one of them seems to be lost.",
        loses=(_VARIANCE, _TOGETHER, _EPS, _DTYPE),
    ),
    Misconception(
        "gamma-gradient-from-raw-input",
        _dgamma_from_x,
        "The gradient of gamma seems to use x itself. gamma multiplies the normalised input, so that is its "
        "derivative.",
        loses=(_GAMMA, _EPS, _DTYPE),
    ),
    Misconception(
        "gamma-missing-in-dx",
        _without_gamma,
        "gamma does not seem to enter dx. On the way back to x the gradient passes the scaling by gamma first.",
        loses=_DX,
    ),
    Misconception(
        "gamma-twice-in-dx",
        _gamma_twice,
        "gamma seems to enter dx twice: once when the gradient passes the scaling, and once more at the end.",
        loses=_DX,
    ),
    Misconception(
        "deviation-missing-in-dx",
        _not_divided,
        "dx is too large by the standard deviation of each feature: the division by it in the forward pass "
        "scales the gradient as well.",
        loses=_DX,
    ),
    Misconception(
        "parameter-gradients-averaged",
        _averaged,
        "The gradients of gamma and beta are too small by exactly N. Every example contributes to the loss, "
        "so the contributions are added; an average belongs to the loss, if anywhere.",
        loses=(_GAMMA, _BETA, _EPS, _DTYPE),
    ),
    Misconception(
        "parameter-gradients-not-summed",
        _not_summed,
        "The gradients of gamma and beta still have one row for each example. A parameter that is used by every "
        "example collects the gradients of all of them.",
        loses=(_GAMMA, _BETA, _EPS, _DTYPE),
    ),
    Misconception(
        "summed-over-features",
        _summed_over_features,
        "The gradients of gamma and beta seem to be summed over the features. "
        "They have the shape of gamma and beta: what is summed over is the batch.",
        loses=(_GAMMA, _BETA, _EPS, _DTYPE),
    ),
    Misconception(
        "gradients-in-wrong-order",
        _swapped,
        "The gradients of gamma and beta have changed places. The order is dx, dgamma, dbeta.",
        loses=(_GAMMA, _BETA, _EPS, _DTYPE),
    ),
    Misconception(
        "unbiased-variance",
        lambda dy, x, gamma, eps: _literal(dy, x, gamma, eps, correction=1),
        wording.UNBIASED,
        loses=(_GAMMA, *_DX),
    ),
    Misconception(
        "epsilon-outside-root", _eps_outside, wording.EPS_OUTSIDE, loses=(_EPS,)
    ),
    Misconception(
        "epsilon-omitted",
        lambda dy, x, gamma, eps: _literal(dy, x, gamma, 0.0),
        "eps does not seem to enter. The gradient is that of the forward pass as it was computed, eps included; "
        "where the variance is small, it changes the gradient a great deal.",
        loses=(_EPS,),
    ),
)  # fmt: skip


def _step_by_step(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> list[Tensor]:
    """The computational graph walked backwards, one node at a time."""
    n = x.shape[0]
    centred = x - x.mean(0)
    root = torch.sqrt((centred**2).mean(0) + eps)
    inverse = 1 / root
    dxhat = dy * gamma
    dinverse = (dxhat * centred).sum(0)
    dcentred = dxhat * inverse
    dvar = dinverse * (-1 / root**2) * 0.5 / root
    dcentred = dcentred + torch.ones_like(x) / n * dvar * 2 * centred
    dmean = -dcentred.sum(0)
    return [dcentred + dmean / n, torch.einsum("nd,nd->d", dy, centred * inverse), dy.sum(0)]


def _by_jacobian(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> Gradients:
    """Each column by its (N, N) Jacobian."""
    n, d = x.shape
    dx, dgamma = torch.empty_like(x), torch.empty_like(gamma)
    eye = torch.eye(n, dtype=x.dtype)
    for j in range(d):
        mean = x[:, j].mean()
        root = ((x[:, j] - mean).square().mean() + eps).sqrt()
        xhat = (x[:, j] - mean) / root
        jacobian = (eye - 1 / n - torch.outer(xhat, xhat) / n) / root
        dx[:, j] = jacobian.T @ (gamma[j] * dy[:, j])
        dgamma[j] = xhat @ dy[:, j]
    return dx, dgamma, dy.sum(dim=0)


def _with_numpy(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> tuple[Tensor, ...]:
    d, a, s = (t.numpy().astype(np.float64) for t in (dy, x, gamma))
    inverse = 1 / np.sqrt(a.var(0) + eps)
    h = (a - a.mean(0)) * inverse
    dx = s * inverse / len(a) * (len(a) * d - d.sum(0) - h * (d * h).sum(0))
    return tuple(torch.from_numpy(t).to(x.dtype) for t in (dx, (d * h).sum(0), d.sum(0)))


def _in_place(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> Gradients:
    var, mean = torch.var_mean(x, 0, correction=0)
    xhat = x.sub(mean).mul_((var + eps).rsqrt())
    dbeta, dgamma = dy.sum(0), torch.mul(dy, xhat).sum(0)
    dx = dy.clone().sub_(dbeta / len(x)).addcmul_(xhat, dgamma, value=-1 / len(x))
    return dx.mul_(gamma / (var + eps).sqrt()), dgamma, dbeta


BACKWARD = Exercise(
    "batchnorm-backward",
    defines=("batchnorm_backward(dy, x, gamma, eps)",),
    returns=("dx", "dgamma", "dbeta"),
    reference=_reference,
    cases=_cases,
    criteria=(
        Criterion(_BETA, 0.5, cases=("tiny", "all paths", "square"), outputs=("dbeta",)),
        Criterion(_GAMMA, 1, cases=("tiny", "all paths", "square"), outputs=("dgamma",)),
        Criterion(_DIRECT, 1, cases=("direct path only",), outputs=("dx",)),
        Criterion(_MEAN, 1, cases=("no path through the variance",), outputs=("dx",)),
        Criterion(_VARIANCE, 1, cases=("no path through the mean",), outputs=("dx",)),
        Criterion(_TOGETHER, 0.5, cases=("tiny", "all paths", "square"), outputs=("dx",)),
        Criterion(_EPS, 0.5, cases=("small variance",)),
        Criterion(_DTYPE, 0.5, cases=("float32",), aspect="dtype"),
    ),
    misconceptions=_MISCONCEPTIONS,
    forbidden=(*wording.AUTOGRAD, *wording.NORMALISERS),
    right={
        "step by step": _step_by_step,
        "Jacobian": _by_jacobian,
        "numpy in float64": _with_numpy,
        "in place on copies": _in_place,
        "closed formula": _literal,
    },
)
