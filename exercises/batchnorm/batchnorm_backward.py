"""The gradient of batch normalization, derived by hand; Ioffe and Szegedy 2015, section 3.

x reaches the output on three paths: directly, through the mean and through the variance.  A gradient dy whose columns
have mean zero makes the path through the mean vanish, one orthogonal to the centered input the path through the
variance; so each path has a case, and points, of its own.
"""

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.batchnorm.shared import (
    BIG,
    EPS_OUTSIDE,
    NARROW,
    NORMALISERS,
    TINY,
    UNBIASED,
    columns,
    round_columns,
    scales,
)

exercise = Exercise(
    "batchnorm-backward",
    "batchnorm_backward(dy, x, gamma, eps)",
    returns=("dx", "dgamma", "dbeta"),
    forbidden=("torch.autograd", "torch.func", ".backward", *NORMALISERS),
)
BETA = exercise.criterion("gradient of beta", 0.5, cases=("tiny", "all paths", "square"), outputs="dbeta")
GAMMA = exercise.criterion("gradient of gamma", 1, cases=("tiny", "all paths", "square"), outputs="dgamma")
DIRECT = exercise.criterion("gradient of x: direct path", 1, cases="direct path only", outputs="dx")
MEAN = exercise.criterion("gradient of x: path through the mean", 1, cases="no path through the variance", outputs="dx")
VARIANCE = exercise.criterion(
    "gradient of x: path through the variance", 1, cases="no path through the mean", outputs="dx"
)
TOGETHER = exercise.criterion(
    "gradient of x: all paths together", 0.5, cases=("tiny", "all paths", "square"), outputs="dx"
)
EPS = exercise.criterion("epsilon as in the forward pass", 0.5, cases="small variance")
DTYPE = exercise.criterion("keeps the dtype", 0.5, cases="float32", aspect="dtype")

def case(dy, x, gamma, eps=TINY, driver="call"):
    return Case({"dy": dy, "x": x, "gamma": gamma, "eps": eps}, driver=driver)

def upstream(g, x, *, mean=True, along_x=True):
    """A gradient dy, shape (N, D).

    Args:
        mean: whether its columns have a mean.
        along_x: whether they correlate with the centered columns of x."""
    direction = x - x.mean(0)
    direction = direction / direction.std(0, correction=0)
    dy = torch.randn(x.shape, generator=g, dtype=torch.float64)
    dy = dy - dy.mean(0)
    dy = dy - (dy * direction).mean(0) * direction
    sizes = 0.5 + torch.rand(2, x.shape[1], generator=g, dtype=torch.float64)
    return dy + sizes[0] * mean + sizes[1] * direction * along_x

@exercise.cases
def cases(g):
    x, y, z = columns(g, 7, 3), columns(g, 6, 4), columns(g, 8, 3)
    wide, square, narrow = columns(g, 7, 4), columns(g, 5, 5), columns(g, 6, 3, NARROW, level=1.0)
    tiny = torch.randint(1, 6, (4, 2), generator=g).double()
    yield "tiny", case(tiny, round_columns(g), torch.tensor([2.0, -3.0], dtype=torch.float64))
    yield "direct path only", case(upstream(g, x, mean=False, along_x=False), x, scales(g, 3))
    yield "no path through the variance", case(upstream(g, y, along_x=False), y, scales(g, 4))
    yield "no path through the mean", case(upstream(g, z, mean=False), z, scales(g, 3))
    yield "all paths", case(upstream(g, wide), wide, scales(g, 4))
    yield "square", case(upstream(g, square), square, scales(g, 5), driver="call-strided")
    yield "small variance", case(upstream(g, narrow), narrow, scales(g, 3), BIG)
    yield "float32", case(upstream(g, x).float(), x.float(), scales(g, 3).float())

@exercise.reference
def by_torch(dy, x, gamma, eps):
    """PyTorch's own kernel (the tests hold it to autograd through the formula)."""
    _, mean, inverse = torch.native_batch_norm(x, gamma, None, None, None, True, 0.0, eps)
    kernel = torch.ops.aten.native_batch_norm_backward
    dx, dgamma, dbeta = kernel(dy, x, gamma, None, None, mean, inverse, True, eps, [True, True, True])
    return dx, dgamma, dbeta

@exercise.right
def step_by_step(dy, x, gamma, eps):
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

@exercise.right
def jacobian(dy, x, gamma, eps):
    """Each column by its (N, N) Jacobian."""
    n, d = x.shape
    dx, dgamma = torch.empty_like(x), torch.empty_like(gamma)
    eye = torch.eye(n, dtype=x.dtype)
    for j in range(d):
        mean = x[:, j].mean()
        root = ((x[:, j] - mean).square().mean() + eps).sqrt()
        xhat = (x[:, j] - mean) / root
        derivatives = (eye - 1 / n - torch.outer(xhat, xhat) / n) / root
        dx[:, j] = derivatives.T @ (gamma[j] * dy[:, j])
        dgamma[j] = xhat @ dy[:, j]
    return dx, dgamma, dy.sum(dim=0)

@exercise.right
def numpy_in_float64(dy, x, gamma, eps):
    d, a, s = (t.numpy().astype(np.float64) for t in (dy, x, gamma))
    inverse = 1 / np.sqrt(a.var(0) + eps)
    h = (a - a.mean(0)) * inverse
    dx = s * inverse / len(a) * (len(a) * d - d.sum(0) - h * (d * h).sum(0))
    return tuple(torch.from_numpy(t).to(x.dtype) for t in (dx, (d * h).sum(0), d.sum(0)))

@exercise.right
def in_place_on_copies(dy, x, gamma, eps):
    var, mean = torch.var_mean(x, 0, correction=0)
    xhat = x.sub(mean).mul_((var + eps).rsqrt())
    dbeta, dgamma = dy.sum(0), torch.mul(dy, xhat).sum(0)
    dx = dy.clone().sub_(dbeta / len(x)).addcmul_(xhat, dgamma, value=-1 / len(x))
    return dx.mul_(gamma / (var + eps).sqrt()), dgamma, dbeta

@exercise.right
def closed_formula(dy, x, gamma, eps, *, mean_path=1.0, variance_path=1.0, correction=0):
    """The right gradient, with a factor at each of the two indirect paths."""
    var, mean = torch.var_mean(x, dim=0, correction=correction)
    root = torch.sqrt(var + eps)
    xhat = (x - mean) / root
    g = dy * gamma
    dx = (g - mean_path * g.mean(0) - variance_path * xhat * (g * xhat).mean(0)) / root
    return dx, (dy * xhat).sum(0), dy.sum(0)

@exercise.wrong(loses=(MEAN, VARIANCE, TOGETHER, EPS))
def statistics_as_constants(dy, x, gamma, eps):
    """Mean and variance seem to be treated as constants, as they are in evaluation mode. In training they are computed
    from x, so x reaches the output through them as well: two more terms."""
    return closed_formula(dy, x, gamma, eps, mean_path=0, variance_path=0)

@exercise.wrong(loses=(MEAN, TOGETHER, EPS))
def missing_mean_path(dy, x, gamma, eps):
    """The path through the mean is missing: the mean depends on every x in the batch, so moving one x moves all outputs
    a little. A sign of it: the columns of dx do not sum to zero."""
    return closed_formula(dy, x, gamma, eps, mean_path=0)

@exercise.wrong(loses=(VARIANCE, TOGETHER, EPS))
def missing_variance_path(dy, x, gamma, eps):
    """The path through the variance is missing: the variance depends on every x in the batch. A sign of it: the columns
    of dx still correlate with the normalised input."""
    return closed_formula(dy, x, gamma, eps, variance_path=0)

@exercise.wrong(loses=(MEAN, TOGETHER, EPS))
def mean_path_not_averaged(dy, x, gamma, eps):
    """The term for the mean is too large by a factor N: each x moves the mean only by a fraction 1/N
    of its own move."""
    return closed_formula(dy, x, gamma, eps, mean_path=len(x))

@exercise.wrong(loses=(VARIANCE, TOGETHER, EPS))
def variance_path_not_averaged(dy, x, gamma, eps):
    """The term for the variance is too large by a factor N: the variance is a mean over the batch, so each x has only a
    share of 1/N in it."""
    return closed_formula(dy, x, gamma, eps, variance_path=len(x))

@exercise.wrong(loses=(VARIANCE, TOGETHER, EPS))
def variance_path_sign(dy, x, gamma, eps):
    """The term for the variance has the wrong sign. A larger variance makes the output smaller: the derivative of a
    reciprocal root is negative."""
    return closed_formula(dy, x, gamma, eps, variance_path=-1)

@exercise.wrong(loses=(VARIANCE, TOGETHER, EPS))
def variance_path_halved(dy, x, gamma, eps):
    """The term for the variance is half as large as it should be. The factor one half from the root is cancelled by the
    two that comes from squaring the deviations; one of them seems to be lost."""
    return closed_formula(dy, x, gamma, eps, variance_path=0.5)

@exercise.wrong(loses=(GAMMA, EPS))
def gamma_gradient_from_raw_input(dy, x, gamma, eps):
    """The gradient of gamma seems to use x itself. gamma multiplies the normalised input, so that is its derivative."""
    dx, _, dbeta = closed_formula(dy, x, gamma, eps)
    return dx, (dy * x).sum(0), dbeta

@exercise.wrong(loses=(DIRECT, MEAN, VARIANCE, TOGETHER, EPS))
def gamma_missing_in_dx(dy, x, gamma, eps):
    """gamma does not seem to enter dx. On the way back to x the gradient passes the scaling by gamma first."""
    return closed_formula(dy, x, torch.ones_like(gamma), eps)

@exercise.wrong(loses=(DIRECT, MEAN, VARIANCE, TOGETHER, EPS))
def gamma_twice_in_dx(dy, x, gamma, eps):
    """gamma seems to enter dx twice: once when the gradient passes the scaling, and once more at the end."""
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps)
    return dx * gamma, dgamma, dbeta

@exercise.wrong(loses=(DIRECT, MEAN, VARIANCE, TOGETHER, EPS))
def deviation_missing_in_dx(dy, x, gamma, eps):
    """dx is too large by the standard deviation of each feature: the division by it in the forward pass scales the
    gradient as well."""
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps)
    return dx * torch.sqrt(x.var(0, correction=0) + eps), dgamma, dbeta

@exercise.wrong(loses=(BETA, GAMMA, EPS))
def parameter_gradients_averaged(dy, x, gamma, eps):
    """The gradients of gamma and beta are too small by exactly N. Every example contributes to the loss, so the
    contributions are added; an average belongs to the loss, if anywhere."""
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps)
    return dx, dgamma / len(x), dbeta / len(x)

@exercise.wrong(loses=(BETA, GAMMA, EPS))
def parameter_gradients_not_summed(dy, x, gamma, eps):
    """The gradients of gamma and beta still have one row for each example. A parameter that is used by every example
    collects the gradients of all of them."""
    dx, _, _ = closed_formula(dy, x, gamma, eps)
    var, mean = torch.var_mean(x, dim=0, correction=0)
    return dx, dy * (x - mean) / torch.sqrt(var + eps), dy

@exercise.wrong(loses=(BETA, GAMMA, EPS))
def summed_over_features(dy, x, gamma, eps):
    """The gradients of gamma and beta seem to be summed over the features. They have the shape of gamma and beta: what
    is summed over is the batch."""
    dx, _, _ = closed_formula(dy, x, gamma, eps)
    var, mean = torch.var_mean(x, dim=0, correction=0)
    return dx, (dy * (x - mean) / torch.sqrt(var + eps)).sum(1), dy.sum(1)

@exercise.wrong(loses=(BETA, GAMMA, EPS))
def gradients_in_wrong_order(dy, x, gamma, eps):
    """The gradients of gamma and beta have changed places. The order is dx, dgamma, dbeta."""
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps)
    return dx, dbeta, dgamma

@exercise.wrong(loses=(GAMMA, DIRECT, MEAN, VARIANCE, TOGETHER, EPS), hint=UNBIASED)
def unbiased_variance(dy, x, gamma, eps):
    return closed_formula(dy, x, gamma, eps, correction=1)

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(dy, x, gamma, eps):
    std, mean = torch.std_mean(x, dim=0, correction=0)
    xhat = (x - mean) / (std + eps)
    g = dy * gamma
    return (g - g.mean(0) - xhat * (g * xhat).mean(0)) / (std + eps), (dy * xhat).sum(0), dy.sum(0)

@exercise.wrong(loses=EPS)
def epsilon_omitted(dy, x, gamma, eps):
    """eps does not seem to enter. The gradient is that of the forward pass as it was computed, eps included; where the
    variance is small, it changes the gradient a great deal."""
    return closed_formula(dy, x, gamma, 0.0)
