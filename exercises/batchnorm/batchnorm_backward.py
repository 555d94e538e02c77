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
    BY_HAND,
    EPS_FIXED,
    EPS_OUTSIDE,
    NARROW,
    NORMALISERS,
    TINY,
    UNBIASED,
    columns,
    scales,
    sizes,
)

WHOLE = ("by hand", "all paths", "square", "float32")
DIRECT_ONLY, NO_VARIANCE, NO_MEAN = "direct path only", "no path through the variance", "no path through the mean"

exercise = Exercise(
    "batchnorm-backward",
    "batchnorm_backward(dy, x, gamma, eps)",
    returns=("dx", "dgamma", "dbeta"),
    forbidden=("torch.autograd.grad", *NORMALISERS),
)
BETA = exercise.criterion("gradient of beta", 0.5, cases=WHOLE, outputs="dbeta")
GAMMA = exercise.criterion("gradient of gamma", 1, cases=WHOLE, outputs="dgamma")
DIRECT = exercise.criterion("gradient of x: direct path", 1, cases=f"{DIRECT_ONLY}*", outputs="dx")
MEAN = exercise.criterion("gradient of x: path through the mean", 1, cases=f"{NO_VARIANCE}*", outputs="dx")
VARIANCE = exercise.criterion("gradient of x: path through the variance", 1, cases=f"{NO_MEAN}*", outputs="dx")
TOGETHER = exercise.criterion("gradient of x: all paths together", 0.5, cases=WHOLE, outputs="dx")
WITH_EPS = ("large epsilon, by hand", "small variance")
EPS = exercise.criterion("epsilon as in the forward pass", 0.5, cases=WITH_EPS, outputs=("dx", "dgamma"))

def case(dy, x, gamma, eps=TINY, driver="call"):
    return Case({"dy": dy, "x": x, "gamma": gamma, "eps": eps}, driver=driver)

def by_hand(g, *, mean=True, along_x=True, large=False):
    """Columns of m - k and m + k; dy has a part along 1, one along x and one along neither, in whole numbers."""
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)[torch.randperm(4, generator=g)]
    neither = signs.prod(1, keepdim=True)
    k = sizes(g, 2, small=True) if large else 2 * (torch.randperm(2, generator=g) + 1).double()
    parts = torch.randint(1, 4, (3, 2), generator=g)
    dy = parts[0] * 4 * mean + parts[1] * signs * along_x + parts[2] * neither * 2
    gamma = torch.tensor([10.0, -20.0], dtype=torch.float64) if large else k.flip(0) * torch.tensor([1, -1])
    return case(dy, torch.randperm(9, generator=g)[:2] - 4 + k * signs, gamma, BY_HAND if large else TINY)

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
    parts = 0.5 + torch.rand(2, x.shape[1], generator=g, dtype=torch.float64)
    return dy + parts[0] * mean + parts[1] * direction * along_x

@exercise.cases
def cases(g):
    x, y, z = columns(g, 7, 3), columns(g, 6, 4), columns(g, 8, 3)
    wide, square, narrow = columns(g, 7, 4), columns(g, 4, 4), columns(g, 6, 3, NARROW, level=1.0)
    dy_narrow = upstream(g, narrow)
    narrow[:, 2] = 0.5
    yield "by hand", by_hand(g)
    yield f"{DIRECT_ONLY}, by hand", by_hand(g, mean=False, along_x=False)
    yield f"{NO_VARIANCE}, by hand", by_hand(g, along_x=False)
    yield f"{NO_MEAN}, by hand", by_hand(g, mean=False)
    yield "large epsilon, by hand", by_hand(g, large=True)
    yield DIRECT_ONLY, case(upstream(g, x, mean=False, along_x=False), x, scales(g, 3))
    yield NO_VARIANCE, case(upstream(g, y, along_x=False), y, scales(g, 4))
    yield NO_MEAN, case(upstream(g, z, mean=False), z, scales(g, 3))
    yield "all paths", case(upstream(g, wide), wide, scales(g, 4))
    yield "square", case(upstream(g, square), square, scales(g, 4), driver="call-strided")
    yield "small variance", case(dy_narrow, narrow, scales(g, 3), BIG)
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
    root = torch.sqrt(x.var(0, correction=correction) + eps)
    return by_root(dy, x, gamma, root, mean_path=mean_path, variance_path=variance_path)

def by_root(dy, x, gamma, root, *, mean_path=1.0, variance_path=1.0):
    """The gradient, given what the forward pass divided by."""
    xhat = (x - x.mean(0)) / root
    g = dy * gamma
    dx = (g - mean_path * g.mean(0) - variance_path * xhat * (g * xhat).mean(0)) / root
    return dx, (dy * xhat).sum(0), dy.sum(0)

def normalized(x, eps):
    return (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps)

@exercise.wrong(loses=(MEAN, VARIANCE))
def statistics_as_constants(dy, x, gamma, eps):
    """Mean and variance seem to be treated as constants, as they are in evaluation mode. In training they are computed
    from x, so x reaches the output through them as well: two more terms."""
    return closed_formula(dy, x, gamma, eps, mean_path=0, variance_path=0)

@exercise.wrong(loses=MEAN)
def missing_mean_path(dy, x, gamma, eps):
    """The path through the mean is missing: the mean depends on every x in the batch, so moving one x moves all outputs
    a little. A sign of it: the columns of dx do not sum to zero."""
    return closed_formula(dy, x, gamma, eps, mean_path=0)

@exercise.wrong(loses=VARIANCE)
def missing_variance_path(dy, x, gamma, eps):
    """The path through the variance is missing, or its term always comes out as zero: the variance depends on every
    x in the batch. A sign of it: the columns of dx still correlate with the normalized input."""
    return closed_formula(dy, x, gamma, eps, variance_path=0)

@exercise.wrong(loses=MEAN, costs=0.5)
def mean_path_not_averaged(dy, x, gamma, eps):
    """The term for the mean is too large by a factor of N: each x moves the mean only by a fraction 1/N
    of its own move."""
    return closed_formula(dy, x, gamma, eps, mean_path=len(x))

@exercise.wrong(loses=MEAN, costs=0.5)
def mean_path_sign(dy, x, gamma, eps):
    """The term for the mean has the wrong sign. The mean is subtracted, so what flows back through it is subtracted as
    well."""
    return closed_formula(dy, x, gamma, eps, mean_path=-1)

@exercise.wrong(loses=VARIANCE, costs=0.5)
def variance_path_not_averaged(dy, x, gamma, eps):
    """The term for the variance is too large by a factor of N: the variance is a mean over the batch, so each x has a
    share of 1/N in it."""
    return closed_formula(dy, x, gamma, eps, variance_path=len(x))

@exercise.wrong(loses=VARIANCE, costs=0.5)
def variance_path_sign(dy, x, gamma, eps):
    """The term for the variance has the wrong sign. A larger variance makes the output smaller: the derivative of a
    reciprocal root is negative."""
    return closed_formula(dy, x, gamma, eps, variance_path=-1)

@exercise.wrong(loses=VARIANCE, costs=0.5)
def variance_path_halved(dy, x, gamma, eps):
    """The term for the variance is half as large as it should be. The factor one half from the root is canceled by the
    two that comes from squaring the deviations; one of them seems to be lost."""
    return closed_formula(dy, x, gamma, eps, variance_path=0.5)

@exercise.wrong(loses=VARIANCE, costs=0.5)
def variance_path_doubled(dy, x, gamma, eps):
    """The term for the variance is twice as large as it should be. The two that comes from squaring the deviations is
    canceled by the one half from the root, which seems to be lost."""
    return closed_formula(dy, x, gamma, eps, variance_path=2)

@exercise.wrong(loses=VARIANCE, costs=0.5)
def variance_path_unbiased(dy, x, gamma, eps):
    """The term for the variance is too large by N / (N - 1): its derivative seems to be that of the unbiased variance.
    The forward pass divides the squared deviations by N."""
    return closed_formula(dy, x, gamma, eps, variance_path=len(x) / (len(x) - 1))

@exercise.wrong(loses=VARIANCE)
def variance_path_without_the_input(dy, x, gamma, eps):
    """The term for the variance is the same number for the whole column. How much an input moves the variance
    depends on how far it lies from the mean, so the term holds the normalized input once more."""
    root = torch.sqrt(x.var(0, correction=0) + eps)
    g, xhat = dy * gamma, normalized(x, eps)
    return (g - g.mean(0) - (g * xhat).mean(0)) / root, (dy * xhat).sum(0), dy.sum(0)

@exercise.wrong(loses=GAMMA)
def gamma_gradient_from_raw_input(dy, x, gamma, eps):
    """The gradient of gamma seems to use x itself. gamma multiplies the normalized input, so that is its derivative."""
    dx, _, dbeta = closed_formula(dy, x, gamma, eps)
    return dx, (dy * x).sum(0), dbeta

@exercise.wrong(loses=GAMMA, costs=0.75)
def gamma_gradient_from_centered_input(dy, x, gamma, eps):
    """The gradient of gamma seems to use the centered input, which was not yet divided by its deviation. gamma
    multiplies the normalized input, so that is its derivative."""
    dx, _, dbeta = closed_formula(dy, x, gamma, eps)
    return dx, (dy * (x - x.mean(0))).sum(0), dbeta

@exercise.wrong(loses=GAMMA, costs=0.75)
def gamma_gradient_scaled_by_gamma(dy, x, gamma, eps):
    """The gradient of gamma seems to hold gamma itself. On the way to gamma the gradient has not passed the scaling
    yet: it is the one that arrives at y."""
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps)
    return dx, gamma * dgamma, dbeta

@exercise.wrong(loses=DIRECT)
def gamma_missing_in_dx(dy, x, gamma, eps):
    """gamma does not seem to enter dx. On the way back to x the gradient passes the scaling by gamma first."""
    return closed_formula(dy, x, torch.ones_like(gamma), eps)

@exercise.wrong(loses=(MEAN, VARIANCE), costs=1)
def gamma_in_the_direct_path_only(dy, x, gamma, eps):
    """gamma enters the direct path, but not those through mean and variance. On the way back to x the gradient passes
    the scaling by gamma first, whichever path it takes from there."""
    root, xhat = torch.sqrt(x.var(0, correction=0) + eps), normalized(x, eps)
    return (dy * gamma - dy.mean(0) - xhat * (dy * xhat).mean(0)) / root, (dy * xhat).sum(0), dy.sum(0)

@exercise.wrong(loses=DIRECT)
def gamma_twice_in_dx(dy, x, gamma, eps):
    """gamma seems to enter dx twice: once when the gradient passes the scaling, and once more at the end."""
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps)
    return dx * gamma, dgamma, dbeta

@exercise.wrong(loses=DIRECT)
def deviation_missing_in_dx(dy, x, gamma, eps):
    """dx is too large by the standard deviation of each feature: the division by it in the forward pass scales the
    gradient as well."""
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps)
    return dx * torch.sqrt(x.var(0, correction=0) + eps), dgamma, dbeta

@exercise.wrong(loses=DIRECT)
def dx_divided_by_variance(dy, x, gamma, eps):
    """dx seems to be divided by the variance. The forward pass divides by its root, and that is what scales the
    gradient."""
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps)
    return dx / torch.sqrt(x.var(0, correction=0) + eps), dgamma, dbeta

@exercise.wrong(loses=DIRECT, costs=0.75)
def dx_averaged(dy, x, gamma, eps):
    """dx is too small by a factor of N. With means in the bracket there is no factor 1/N in front; with 1/N in front,
    the bracket holds N times the direct term, minus two sums."""
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps)
    return dx / len(x), dgamma, dbeta

@exercise.wrong(loses=DIRECT, costs=0.75)
def dx_not_averaged(dy, x, gamma, eps):
    """dx is too large by a factor of N. In the formula with N times the direct term and two sums in the bracket, a
    factor 1/N stands in front."""
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps)
    return dx * len(x), dgamma, dbeta

@exercise.wrong(loses=(BETA, GAMMA), costs=0.75)
def parameter_gradients_averaged(dy, x, gamma, eps):
    """The gradients of gamma and beta are too small by a factor of N. Every example contributes to the loss, so the
    contributions are added; an average belongs to the loss, if anywhere."""
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps)
    return dx, dgamma / len(x), dbeta / len(x)

@exercise.wrong(loses=(BETA, GAMMA), costs=1)
def parameter_gradients_not_summed(dy, x, gamma, eps):
    """The gradients of gamma and beta still have one row for each example. A parameter that is used by every example
    collects the gradients of all of them."""
    dx, _, _ = closed_formula(dy, x, gamma, eps)
    return dx, dy * normalized(x, eps), dy

@exercise.wrong(loses=(BETA, GAMMA), costs=1)
def summed_over_features(dy, x, gamma, eps):
    """The gradients of gamma and beta seem to be summed over the features. They have the shape of gamma and beta: what
    is summed over is the batch."""
    dx, _, _ = closed_formula(dy, x, gamma, eps)
    return dx, (dy * normalized(x, eps)).sum(1), dy.sum(1)

@exercise.wrong(loses=(BETA, GAMMA), costs=0.5)
def gradients_in_wrong_order(dy, x, gamma, eps):
    """The gradients of gamma and beta have changed places. The order is dx, dgamma, dbeta."""
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps)
    return dx, dbeta, dgamma

@exercise.wrong(loses=(GAMMA, DIRECT), costs=1, hint=UNBIASED)
def unbiased_variance(dy, x, gamma, eps):
    return closed_formula(dy, x, gamma, eps, correction=1)

@exercise.also(unbiased_variance)
def gradient_through_the_unbiased_variance(dy, x, gamma, eps):
    n = len(x)
    return closed_formula(dy, x, gamma, eps, correction=1, variance_path=n / (n - 1))

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
def epsilon_outside_root(dy, x, gamma, eps):
    return by_root(dy, x, gamma, x.std(0, correction=0) + eps)

@exercise.wrong(loses=EPS)
def epsilon_omitted(dy, x, gamma, eps):
    """eps does not seem to enter. The gradient is that of the forward pass as it was computed, eps included; where the
    variance is small, it changes the gradient a great deal."""
    return closed_formula(dy, x, gamma, 0.0)

@exercise.wrong(loses=EPS, hint=EPS_FIXED)
def epsilon_fixed(dy, x, gamma, eps):
    return closed_formula(dy, x, gamma, 1e-5)

@exercise.both(unbiased_variance, epsilon_outside_root)
def unbiased_and_epsilon_outside(dy, x, gamma, eps):
    return by_root(dy, x, gamma, x.std(0) + eps)

@exercise.both(statistics_as_constants, gamma_missing_in_dx)
def upstream_divided_by_the_deviation(dy, x, gamma, eps):
    return closed_formula(dy, x, torch.ones_like(gamma), eps, mean_path=0, variance_path=0)

@exercise.both(missing_mean_path, gamma_missing_in_dx)
def no_mean_path_no_gamma(dy, x, gamma, eps):
    return closed_formula(dy, x, torch.ones_like(gamma), eps, mean_path=0)

@exercise.both(missing_variance_path, gamma_missing_in_dx)
def no_variance_path_no_gamma(dy, x, gamma, eps):
    return closed_formula(dy, x, torch.ones_like(gamma), eps, variance_path=0)

@exercise.both(mean_path_not_averaged, variance_path_not_averaged)
def neither_path_averaged(dy, x, gamma, eps):
    return closed_formula(dy, x, gamma, eps, mean_path=len(x), variance_path=len(x))

def add_without_gamma(*mistakes, mean_path=lambda n: 1, variance_path=lambda n: 1):
    """Add that gamma is missing in dx, and the factors of the two indirect paths are wrong as well."""

    @exercise.both(*mistakes, gamma_missing_in_dx)
    def without_gamma(dy, x, gamma, eps):
        factors = {"mean_path": mean_path(len(x)), "variance_path": variance_path(len(x))}
        return closed_formula(dy, x, torch.ones_like(gamma), eps, **factors)

def summed(n):
    return n

def negative(n):
    return -1

add_without_gamma(mean_path_not_averaged, mean_path=summed)
add_without_gamma(variance_path_not_averaged, variance_path=summed)
add_without_gamma(mean_path_not_averaged, variance_path_not_averaged, mean_path=summed, variance_path=summed)
add_without_gamma(mean_path_sign, mean_path=negative)
add_without_gamma(variance_path_sign, variance_path=negative)

@exercise.both(unbiased_variance, missing_mean_path)
def unbiased_without_mean_path(dy, x, gamma, eps):
    return closed_formula(dy, x, gamma, eps, correction=1, mean_path=0)

@exercise.both(unbiased_variance, missing_variance_path)
def unbiased_without_variance_path(dy, x, gamma, eps):
    return closed_formula(dy, x, gamma, eps, correction=1, variance_path=0)

@exercise.both(unbiased_variance, statistics_as_constants)
def unbiased_constants(dy, x, gamma, eps):
    return closed_formula(dy, x, gamma, eps, correction=1, mean_path=0, variance_path=0)

@exercise.both(unbiased_variance, gamma_missing_in_dx)
def unbiased_without_gamma(dy, x, gamma, eps):
    return closed_formula(dy, x, torch.ones_like(gamma), eps, correction=1)

@exercise.both(unbiased_variance, parameter_gradients_averaged)
def unbiased_and_averaged(dy, x, gamma, eps):
    dx, dgamma, dbeta = closed_formula(dy, x, gamma, eps, correction=1)
    return dx, dgamma / len(x), dbeta / len(x)

# The same three where the gradient goes through the unbiased variance.
@exercise.both(unbiased_variance, missing_mean_path)
def through_unbiased_without_mean_path(dy, x, gamma, eps):
    return closed_formula(dy, x, gamma, eps, correction=1, mean_path=0, variance_path=len(x) / (len(x) - 1))

@exercise.both(unbiased_variance, gamma_missing_in_dx)
def through_unbiased_without_gamma(dy, x, gamma, eps):
    return gradient_through_the_unbiased_variance(dy, x, torch.ones_like(gamma), eps)

@exercise.both(unbiased_variance, parameter_gradients_averaged)
def through_unbiased_and_averaged(dy, x, gamma, eps):
    dx, dgamma, dbeta = gradient_through_the_unbiased_variance(dy, x, gamma, eps)
    return dx, dgamma / len(x), dbeta / len(x)
