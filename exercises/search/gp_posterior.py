"""What a Gaussian process believes about a function after some observations (Rasmussen, Williams 2006, section 2.2)."""

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.draws import uniform
from exercises.search.shared import number, tensor

exercise = Exercise(
    "gp-posterior",
    "gp_posterior(X, y, X_new, length_scale, noise)",
    returns=("mean", "std"),
    forbidden=("sklearn",),
)
LINE = ("by hand", "one axis*", "little noise")
MEAN = exercise.criterion("the mean", 2, cases=LINE, outputs="mean")
STD = exercise.criterion("the standard deviation", 2, cases=LINE, outputs="std")
AXES = exercise.criterion("distances over all axes", 1, cases=("two axes", "as many*"))

TOLERANCE = 2e-4
"""In float64 too: what is usually added to the diagonal for safety, up to 1e-6, may stay."""

@exercise.cases
def cases(g):
    def case(n, d, m, length_scale, noise, dtype=torch.float64):
        """Seen points that are not too near to one another, new ones near them, but on none.

        On a seen point the spread without noise is a root of zero: rounding would decide what comes out.
        """
        steps = torch.stack([torch.randperm(n, generator=g) for _ in range(d)], dim=1).double()
        X = (steps + uniform(g, -0.2, 0.2, n, d)) * 0.8
        X_new = X[torch.arange(m) % n] + uniform(g, 0.12, 0.36, m, d) * (1 - 2 * torch.randint(2, (m, d), generator=g))
        y = 1.0 + uniform(g, -1.0, 1.0, n)
        given = {"X": X, "y": y, "X_new": X_new}
        inputs = {**{k: v.to(dtype) for k, v in given.items()}, "length_scale": length_scale, "noise": noise}
        return Case(inputs, tolerance=TOLERANCE)

    yield "by hand", {
        "X": tensor(0.0).reshape(1, 1), "y": tensor(5.0), "X_new": tensor(0.0, 100.0).reshape(2, 1),
        "length_scale": 1.0, "noise": 2.0,
    }
    yield "one axis", case(4, 1, 5, number(g, 0.6, 0.8), number(g, 0.3, 0.5))
    yield "one axis, long", case(5, 1, 3, number(g, 1.3, 1.6), number(g, 0.2, 0.4))
    yield "one axis, float32", case(4, 1, 6, number(g, 0.5, 0.7), number(g, 0.3, 0.5), torch.float32)
    yield "little noise", case(5, 1, 4, number(g, 0.6, 0.8), number(g, 0.12, 0.16))
    yield "two axes", case(5, 2, 4, number(g, 1.2, 1.4), number(g, 0.3, 0.5))
    yield "as many axes as points", case(3, 3, 3, number(g, 1.2, 1.5), number(g, 0.2, 0.4))

def kernel(a, b, length_scale):
    return torch.exp(-torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") ** 2 / (2 * length_scale**2))

@exercise.reference
def joint_normal(X, y, X_new, length_scale, noise):
    """Conditioning the joint distribution of one new point and all observations, for each new point."""
    mean, std = [], []
    K = kernel(X, X, length_scale) + noise**2 * torch.eye(len(X), dtype=X.dtype, device=X.device)
    inverse = torch.linalg.inv(K)
    for point in X_new:
        k = kernel(X, point[None], length_scale)[:, 0]
        mean.append(k @ inverse @ y)
        std.append((1 - k @ inverse @ k).sqrt())
    return torch.stack(mean), torch.stack(std)

@exercise.right
def cholesky(X, y, X_new, length_scale, noise):
    L = torch.linalg.cholesky(kernel(X, X, length_scale) + noise**2 * torch.eye(len(X), dtype=X.dtype))
    v = torch.linalg.solve_triangular(L, kernel(X, X_new, length_scale), upper=False)
    return kernel(X_new, X, length_scale) @ torch.cholesky_solve(y[:, None], L)[:, 0], (1 - v.square().sum(0)).sqrt()

@exercise.right
def whole_covariance(X, y, X_new, length_scale, noise):
    def k(a, b):
        squared = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
        return torch.exp(-0.5 * squared / length_scale**2)

    weights = torch.linalg.solve(k(X, X) + noise**2 * torch.eye(len(X), dtype=X.dtype), k(X, X_new)).T
    covariance = k(X_new, X_new) - weights @ k(X, X_new)
    return weights @ y, covariance.diagonal().clamp(min=0).sqrt()

@exercise.right
def numpy_eigenvectors(X, y, X_new, length_scale, noise):
    a, b, values = X.double().numpy(), X_new.double().numpy(), y.double().numpy()
    def k(p, q):
        return np.exp(-((p[:, None] - q[None]) ** 2).sum(-1) / (2 * length_scale**2))

    h, U = np.linalg.eigh(k(a, a))
    rotated = k(b, a) @ U
    mean = (rotated / (h + noise**2)) @ (U.T @ values)
    variance = 1 - (rotated**2 / (h + noise**2)).sum(1)
    return torch.from_numpy(mean).to(X.dtype), torch.from_numpy(np.sqrt(variance)).to(X.dtype)

@exercise.right
def with_a_jitter(X, y, X_new, length_scale, noise):
    return posterior(X, y, X_new, length_scale, (noise**2 + 1e-6) ** 0.5)

def posterior(X, y, X_new, length_scale, noise, k=kernel, prior=1.0):
    K = k(X, X, length_scale) + noise**2 * torch.eye(len(X), dtype=X.dtype)
    across = k(X_new, X, length_scale)
    explained = (across * torch.linalg.solve(K, across.T).T).sum(1)
    return across @ torch.linalg.solve(K, y), (prior - explained).sqrt()

@exercise.wrong(loses=(MEAN, STD), costs=0.75)
def noise_taken_for_a_variance(X, y, X_new, length_scale, noise):
    """The noise was added to the diagonal as it is. It is a standard deviation here, and the diagonal holds
    variances."""
    return posterior(X, y, X_new, length_scale, noise**0.5)

@exercise.wrong(loses=(MEAN, STD), costs=1)
def noise_left_out(X, y, X_new, length_scale, noise):
    """The noise is left out: the mean runs through every observation, and where one was made there is no doubt left.
    Observations are noisy."""
    return posterior(X, y, X_new, length_scale, 0.0)

@exercise.wrong(loses=STD, costs=0.5)
def variance_returned(X, y, X_new, length_scale, noise):
    """This is the variance. Its root, the standard deviation, is asked for."""
    mean, std = posterior(X, y, X_new, length_scale, noise)
    return mean, std**2

@exercise.wrong(loses=STD, costs=0.5)
def noise_of_a_new_observation_added(X, y, X_new, length_scale, noise):
    """The spread is that of a new noisy observation. The exercise asks for that of the function itself, without
    noise."""
    mean, std = posterior(X, y, X_new, length_scale, noise)
    return mean, (std**2 + noise**2).sqrt()

@exercise.wrong(loses=STD, costs=0.75)
def prior_variance_forgotten(X, y, X_new, length_scale, noise):
    """The part of the variance that the observations explain comes back. It is to be taken away from the variance
    before any observation, which is 1 for this kernel."""
    mean, std = posterior(X, y, X_new, length_scale, noise)
    return mean, (1 - std**2).sqrt()

@exercise.wrong(loses=(MEAN, STD), costs=0.5)
def half_missing_in_the_kernel(X, y, X_new, length_scale, noise):
    """The functions are assumed to vary too fast: in the exponent the factor 1/2 is missing."""
    return posterior(X, y, X_new, length_scale / 2**0.5, noise)

@exercise.wrong(loses=(MEAN, STD), costs=0.5)
def length_scale_not_squared(X, y, X_new, length_scale, noise):
    """In the exponent the squared distance is divided by the length scale itself. It has to be squared, too, or the
    result depends on the unit of X."""
    return posterior(X, y, X_new, length_scale**0.5, noise)

@exercise.wrong(loses=(MEAN, STD), costs=0.75)
def distance_not_squared(X, y, X_new, length_scale, noise):
    """The distance in the exponent is not squared, so the functions have kinks at the observations. The kernel asked
    for has the squared distance."""
    def k(a, b, length_scale):
        return torch.exp(-torch.cdist(a, b) / (2 * length_scale**2))

    return posterior(X, y, X_new, length_scale, noise, k)

@exercise.also(distance_not_squared)
def distance_in_length_scales_not_squared(X, y, X_new, length_scale, noise):
    def k(a, b, length_scale):
        return torch.exp(-torch.cdist(a, b) / length_scale)

    return posterior(X, y, X_new, length_scale, noise, k)

@exercise.wrong(loses=MEAN, costs=0.75)
def values_centered(X, y, X_new, length_scale, noise):
    """The mean of the observations was subtracted before and added afterward. This process has the mean 0 before any
    observation; centering is up to whoever calls the function."""
    mean, std = posterior(X, y - y.mean(), X_new, length_scale, noise)
    # One observation alone is its own mean.
    return mean + y.mean(), std

@exercise.wrong(loses=MEAN, costs=1.5)
def weights_not_solved_for(X, y, X_new, length_scale, noise):
    """The mean adds up what each observation suggests, as if the others were not there, so that near ones count several
    times. The matrix of the observations has to be solved for."""
    return kernel(X_new, X, length_scale) @ y, posterior(X, y, X_new, length_scale, noise)[1]

@exercise.wrong(loses=MEAN, costs=1.5)
def weighted_mean_of_the_values(X, y, X_new, length_scale, noise):
    """The mean is an average of the observed values, weighted by nearness. A Gaussian process goes back to 0 far away
    from all of them, and solves for the weights."""
    weights = kernel(X_new, X, length_scale)
    weights = weights / weights.sum(1, keepdim=True).clamp(min=1e-30)
    return weights @ y, posterior(X, y, X_new, length_scale, noise)[1]

@exercise.also(weighted_mean_of_the_values)
def weighted_mean_of_nothing(X, y, X_new, length_scale, noise):
    weights = kernel(X_new, X, length_scale)
    return (weights / weights.sum(1, keepdim=True)) @ y, posterior(X, y, X_new, length_scale, noise)[1]

@exercise.wrong(loses=STD, costs=0.75)
def whole_matrix_returned(X, y, X_new, length_scale, noise):
    """A whole matrix comes back, with a row and a column for each new point. One standard deviation for each new point
    is asked for: the roots of the diagonal."""
    K = kernel(X, X, length_scale) + noise**2 * torch.eye(len(X), dtype=X.dtype)
    across = kernel(X_new, X, length_scale)
    mean, _ = posterior(X, y, X_new, length_scale, noise)
    return mean, kernel(X_new, X_new, length_scale) - across @ torch.linalg.solve(K, across.T)

def without_the_sum(X, y, X_new, length_scale, noise):
    """1 minus the products of all pairs, from whose diagonal the sum would come."""
    mean, covariance = whole_matrix_returned(X, y, X_new, length_scale, noise)
    return mean, 1 - kernel(X_new, X_new, length_scale) + covariance

def roots_of(matrix, limited):
    """The roots of a whole matrix; where it is negative none, or 0."""

    def answer(X, y, X_new, length_scale, noise):
        mean, covariance = matrix(X, y, X_new, length_scale, noise)
        return mean, (covariance.clamp(min=0) if limited else covariance).sqrt()

    return answer

for matrix in (whole_matrix_returned, without_the_sum):
    for limited in (False, True):
        exercise.also(whole_matrix_returned)(roots_of(matrix, limited))

@exercise.wrong(loses=AXES, costs=0.75)
def first_axis_only(X, y, X_new, length_scale, noise):
    """Only the first coordinate of the points counts. The distance is that in all axes together."""
    return posterior(X[:, :1], y, X_new[:, :1], length_scale, noise)

@exercise.wrong(loses=AXES, costs=0.5)
def axes_added_before_squaring(X, y, X_new, length_scale, noise):
    """The distances along the axes were added up and then squared. The squares are added, as Pythagoras does."""
    def k(a, b, length_scale):
        return torch.exp(-torch.cdist(a, b, p=1) ** 2 / (2 * length_scale**2))

    return posterior(X, y, X_new, length_scale, noise, k)

@exercise.wrong(loses=AXES, costs=0.5)
def squares_averaged_over_axes(X, y, X_new, length_scale, noise):
    """The squares of the distances along the axes were averaged. They are added."""
    return posterior(X, y, X_new, length_scale * X.shape[1] ** 0.5, noise)

@exercise.wrong(loses=STD, costs=1)
def noise_left_out_of_the_spread(X, y, X_new, length_scale, noise):
    """The mean takes the noise into account, the standard deviation does not: no doubt is left where an observation was
    made."""
    return posterior(X, y, X_new, length_scale, noise)[0], posterior(X, y, X_new, length_scale, 0.0)[1]

@exercise.wrong(loses=(MEAN, STD), costs=0.5)
def results_in_wrong_order(X, y, X_new, length_scale, noise):
    """The two results are in the wrong order: the mean should come first, then the standard deviation."""
    mean, std = posterior(X, y, X_new, length_scale, noise)
    return std, mean

@exercise.wrong(loses=(MEAN, STD), costs=1)
def noise_on_every_entry(X, y, X_new, length_scale, noise):
    """The variance of the noise was added to every entry of the matrix, as if one error were common to all
    observations. Each has its own: it belongs on the diagonal."""
    def k(a, b, length_scale):
        return kernel(a, b, length_scale) + (noise**2 if a is b else 0.0)

    return posterior(X, y, X_new, length_scale, 0.0, k)

def squared(answer):
    """The same with a variance in place of the deviation."""
    def wrong(X, y, X_new, length_scale, noise):
        mean, std = answer(X, y, X_new, length_scale, noise)
        return mean, std**2

    return wrong

for jitter in (1e-10, 1e-8, 1e-6):
    exercise.also(noise_left_out)(
        lambda X, y, X_new, length_scale, noise, jitter=jitter: posterior(X, y, X_new, length_scale, jitter**0.5)
    )

for mistake in (noise_taken_for_a_variance, half_missing_in_the_kernel, length_scale_not_squared, noise_left_out):
    exercise.both(mistake, variance_returned)(squared(mistake))
exercise.both(noise_taken_for_a_variance, half_missing_in_the_kernel)(
    lambda X, y, X_new, length_scale, noise: posterior(X, y, X_new, length_scale / 2**0.5, noise**0.5)
)
exercise.both(noise_taken_for_a_variance, length_scale_not_squared)(
    lambda X, y, X_new, length_scale, noise: posterior(X, y, X_new, length_scale**0.5, noise**0.5)
)
