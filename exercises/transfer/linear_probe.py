"""A linear probe: ridge regression on one-hot targets, with a free bias (Hoerl, Kennard 1970)."""

import numpy as np
import torch

from autograder.exercise import Case, Exercise, one_of
from exercises.draws import uniform

MAIN = ("by hand", "many*", "another*", "float32")

exercise = Exercise(
    "linear-probe",
    "fit_linear_probe(features, labels, num_classes, lam)",
    returns=("W", "b"),
    forbidden=("sklearn", "scipy.optimize"),
)
WEIGHTS = exercise.criterion("the weights minimize squared error and penalty", 2.5, cases=MAIN, outputs="W")
BIAS = exercise.criterion("the bias fits and is not penalized", 2, cases=MAIN, outputs="b")
SIZES = exercise.criterion(
    "a row for every class, also without images, and few images are enough", 2, cases=("a class*", "more*")
)
ALL_VALUES = (WEIGHTS, BIAS, SIZES)

TOLERANCE = 4e-4
"""In float64 too: an iterative solver that stops at PyTorch's usual tolerances comes that near to the minimum."""

@exercise.cases
def cases(g):
    def case(n, f, classes, lam, absent=False, dtype=torch.float64):
        labels = torch.arange(n) % (classes - absent)
        spread, level = uniform(g, 0.5, 2.0, f), uniform(g, 2.0, 4.0, f)
        centres = uniform(g, -1.0, 1.0, classes, f)
        x = level + spread * (centres[labels] + uniform(g, -1.0, 1.0, n, f))
        order = torch.randperm(n, generator=g)
        inputs = {"features": x[order].to(dtype), "labels": labels[order], "num_classes": classes, "lam": lam}
        return Case(inputs, tolerance=TOLERANCE)

    def silent_features(h, order):
        """Six features, four of which are 0 for all images, as those of units that never fire.

        All numbers that solving meets are exact, so what is not regularized is singular to the last bit: with others
        rounding would decide whether it fails or gives numbers without meaning.
        """
        x = torch.zeros(4, 6, dtype=torch.float64)
        x[:, 0] = one_of(g, 2.0, 2.5, 3.0) + h * torch.tensor([1, 1, -1, -1])
        x[:, 1] = one_of(g, 2.0, 3.5, 4.0) + h * torch.tensor([1, -1, 0, 0])
        labels = torch.tensor([1, 0, 0, 0])[order]
        return Case({"features": x[order], "labels": labels, "num_classes": 2, "lam": 4 * h**2}, tolerance=TOLERANCE)

    by_hand = {"features": torch.tensor([[0.0], [0.0], [2.0], [2.0]], dtype=torch.float64)}
    yield "by hand", Case({**by_hand, "labels": torch.tensor([0, 0, 1, 1]), "num_classes": 2, "lam": 4.0})
    yield "many images", case(12, 2, 3, 1.7)
    yield "another penalty", case(10, 4, 2, 0.3)
    yield "a class without images", case(8, 3, 4, 0.6, absent=True)
    yield "more features than images", silent_features(one_of(g, 0.5, 0.75, 1.0, 1.25), torch.randperm(4, generator=g))
    yield "float32", case(9, 2, 3, 3.1, dtype=torch.float32)

def ridge(x, y, lam):
    """Centered normal equations: x (N, F), y (N, K) -> (K, F), (K,)."""
    mean_x, mean_y = x.mean(0), y.mean(0)
    xc, yc = x - mean_x, y - mean_y
    eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    weights = torch.linalg.solve(xc.T @ xc + lam * eye, xc.T @ yc).T
    return weights, mean_y - weights @ mean_x

def one_hot(labels, num_classes, like):
    return torch.eye(num_classes, dtype=like.dtype, device=like.device)[labels]

def solved(features, labels, num_classes, penalty):
    """The centered normal equations with a penalty that is made of the identity."""
    x = features.double()
    y = one_hot(labels, num_classes, x)
    xc, yc = x - x.mean(0), y - y.mean(0)
    weights = torch.linalg.solve(xc.T @ xc + penalty(torch.eye(x.shape[1], dtype=x.dtype)), xc.T @ yc).T
    return cast(features, weights, y.mean(0) - weights @ x.mean(0))

def cast(features, weights, bias):
    return weights.to(features.dtype), bias.to(features.dtype)

@exercise.reference
def fit(features, labels, num_classes, lam):
    x = features.double()
    return cast(features, *ridge(x, one_hot(labels, num_classes, x), lam))

@exercise.right
def rows_added_least_squares(features, labels, num_classes, lam):
    """Least squares with sqrt(lam) times the identity below the data and a column of ones beside it."""
    n, f = features.shape
    x = torch.zeros(n + f, f + 1, dtype=torch.float64)
    x[:n, :f], x[:n, f] = features, 1.0
    x[n:, :f] = lam**0.5 * torch.eye(f)
    y = torch.zeros(n + f, num_classes, dtype=torch.float64)
    y[:n] = torch.nn.functional.one_hot(labels, num_classes)
    solution = torch.linalg.lstsq(x, y).solution.to(features.dtype)
    return solution[:f].T, solution[f]

@exercise.right
def singular_values(features, labels, num_classes, lam):
    x = features.double()
    y = one_hot(labels, num_classes, x)
    u, s, vh = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    weights = (vh.T @ torch.diag(s / (s**2 + lam)) @ u.T @ (y - y.mean(0))).T
    return cast(features, weights, y.mean(0) - weights @ x.mean(0))

@exercise.right
def scalar_products_of_images(features, labels, num_classes, lam):
    """Through the matrix of scalar products between images, (N, N)."""
    x = features.double()
    y = one_hot(labels, num_classes, x)
    xc = x - x.mean(0)
    alpha = torch.linalg.solve(xc @ xc.T + lam * torch.eye(len(x)), y - y.mean(0))
    weights = (xc.T @ alpha).T
    return cast(features, weights, y.mean(0) - weights @ x.mean(0))

@exercise.right
def numpy_one_class_at_a_time(features, labels, num_classes, lam):
    """NumPy, a penalty matrix with a zero for the bias, one class at a time."""
    x = np.column_stack([features.numpy().astype(float), np.ones(len(features))])
    penalty = lam * np.eye(x.shape[1])
    penalty[-1, -1] = 0.0
    found = [np.linalg.solve(x.T @ x + penalty, x.T @ (labels.numpy() == k).astype(float)) for k in range(num_classes)]
    solution = torch.tensor(np.stack(found)).to(features.dtype)
    return solution[:, :-1], solution[:, -1]

@exercise.wrong(loses=BIAS, costs=2)
def bias_penalized(features, labels, num_classes, lam):
    """The bias is shrunk with the weights: it was handled as the weight of one more feature. It only says how frequent
    a class is, and the objective leaves it free."""
    x = torch.cat([features.double(), torch.ones(len(features), 1, dtype=torch.float64)], dim=1)
    y = one_hot(labels, num_classes, x)
    solution = torch.linalg.solve(x.T @ x + lam * torch.eye(x.shape[1]), x.T @ y).T.to(features.dtype)
    return solution[:, :-1], solution[:, -1]

@exercise.wrong(loses=BIAS, costs=3)
def no_bias(features, labels, num_classes, lam):
    """There is no bias, so every prediction is forced through the origin. The features have means far from zero."""
    x = features.double()
    y = one_hot(labels, num_classes, x)
    weights = torch.linalg.solve(x.T @ x + lam * torch.eye(x.shape[1]), x.T @ y).T
    return weights.to(features.dtype), torch.zeros(num_classes, dtype=features.dtype)

@exercise.wrong(loses=BIAS, costs=1.5)
def bias_is_the_mean_of_the_targets(features, labels, num_classes, lam):
    """The bias is the mean of the targets. That holds for centered features; for those that came in, what the weights
    make of the mean feature has to be taken away."""
    weights, _ = fit(features, labels, num_classes, lam)
    return weights, one_hot(labels, num_classes, features).mean(0)

@exercise.wrong(loses=WEIGHTS, costs=2)
def weights_without_centering(features, labels, num_classes, lam):
    """The weights were found as if there were no bias, which was added later. Both minimize the objective together:
    center first, or give the bias a column."""
    weights, _ = no_bias(features, labels, num_classes, lam)
    bias = one_hot(labels, num_classes, features).mean(0) - weights @ features.mean(0)
    return weights, bias

@exercise.wrong(loses=WEIGHTS, costs=1.5)
def mean_instead_of_sum(features, labels, num_classes, lam):
    """The penalty is too strong by the number of images. The objective has the sum of the squared errors, not their
    mean."""
    return fit(features, labels, num_classes, lam * len(features))

@exercise.wrong(loses=WEIGHTS, costs=1.5)
def penalty_divided_by_images(features, labels, num_classes, lam):
    """The penalty is too weak by a factor of the number of images. The objective adds up the squared errors of all
    images and multiplies the penalty by lam alone."""
    return fit(features, labels, num_classes, lam / len(features))

@exercise.wrong(loses=WEIGHTS, costs=1)
def half_the_penalty(features, labels, num_classes, lam):
    """The penalty is half as strong as asked for. There is no factor of one half in this objective."""
    return fit(features, labels, num_classes, lam / 2)

@exercise.wrong(loses=WEIGHTS, costs=1)
def half_the_error(features, labels, num_classes, lam):
    """The penalty is twice as strong as asked for. There is no factor of one half before the squared errors."""
    return fit(features, labels, num_classes, 2 * lam)

@exercise.wrong(loses=WEIGHTS, costs=1)
def penalty_squared(features, labels, num_classes, lam):
    """lam enters squared. Where rows are added below the data they are squared with it, so they need its root."""
    return fit(features, labels, num_classes, lam**2)

@exercise.wrong(loses=WEIGHTS, costs=2)
def no_penalty(features, labels, num_classes, lam):
    """The penalty is missing: this is plain least squares."""
    return singular_values(features, labels, num_classes, 0.0)

@exercise.wrong(loses=WEIGHTS, costs=2)
def targets_plus_minus_one(features, labels, num_classes, lam):
    """The targets are +1 and -1. One-hot targets are 1 for the class and 0 for the others."""
    x = features.double()
    return cast(features, *ridge(x, 2 * one_hot(labels, num_classes, x) - 1, lam))

@exercise.wrong(loses=(WEIGHTS, BIAS, SIZES), costs=5)
def labels_as_numbers(features, labels, num_classes, lam):
    """The class numbers themselves were fitted, as if class 2 were twice class 1. Each class needs a
    target of its own."""
    x = features.double()
    weights, bias = ridge(x, labels.double().unsqueeze(1), lam)
    return cast(features, weights[0], bias[0])

@exercise.wrong(loses=WEIGHTS, costs=2)
def features_standardized(features, labels, num_classes, lam):
    """The weights belong to standardized features. Those that come in later are not, and the penalty weighs every
    feature differently."""
    x = features.double()
    return cast(features, *ridge((x - x.mean(0)) / x.std(0), one_hot(labels, num_classes, x), lam))

@exercise.wrong(loses=WEIGHTS, costs=1)
def weights_transposed(features, labels, num_classes, lam):
    """The weights are transposed: (K, F) is asked for, a row for each class, as in a linear layer."""
    weights, bias = fit(features, labels, num_classes, lam)
    return weights.T, bias

@exercise.wrong(loses=SIZES, costs=1.5)
def classes_counted_from_labels(features, labels, num_classes, lam):
    """The number of classes was taken from the labels. A class without an image then has no row, and the head does not
    fit the others."""
    return fit(features, labels, int(labels.max()) + 1, lam)

@exercise.wrong(loses=WEIGHTS, costs=1.5)
def penalty_on_every_entry(features, labels, num_classes, lam):
    """lam was added to every entry of the matrix. Only its diagonal belongs to the penalty: the squares of the weights
    are summed, not their products."""
    x = features.double()
    y = one_hot(labels, num_classes, x)
    xc, yc = x - x.mean(0), y - y.mean(0)
    weights = (torch.linalg.pinv(xc.T @ xc + lam) @ xc.T @ yc).T
    return cast(features, weights, y.mean(0) - weights @ x.mean(0))

@exercise.also(penalty_on_every_entry)
def penalty_on_every_entry_solved(features, labels, num_classes, lam):
    return solved(features, labels, num_classes, lambda eye: torch.full_like(eye, lam))

@exercise.wrong(loses=BIAS, costs=1)
def mean_of_the_targets_left_out(features, labels, num_classes, lam):
    """The bias takes away what the weights make of the mean feature, and adds nothing. The mean of the targets is
    missing: the prediction for the mean feature should be the mean target."""
    weights, _ = fit(features, labels, num_classes, lam)
    return weights, -weights @ features.mean(0)

@exercise.wrong(loses=BIAS, costs=1)
def bias_with_the_wrong_sign(features, labels, num_classes, lam):
    """What the weights make of the mean feature was added to the bias. It has to be taken away, so that the prediction
    for the mean feature is the mean target."""
    weights, _ = fit(features, labels, num_classes, lam)
    return weights, one_hot(labels, num_classes, features).mean(0) + weights @ features.mean(0)

@exercise.wrong(loses=BIAS, costs=1.5)
def bias_left_at_zero(features, labels, num_classes, lam):
    """The weights are right, the bias is zero. It holds what the means of features and targets leave over."""
    weights, bias = fit(features, labels, num_classes, lam)
    return weights, torch.zeros_like(bias)

@exercise.wrong(loses=WEIGHTS, costs=1.5)
def covariance_and_sum_mixed(features, labels, num_classes, lam):
    """The covariance of the features was divided by their number, the products with the targets were not. Both are sums
    over the images here."""
    x = features.double()
    y = one_hot(labels, num_classes, x)
    xc, yc = x - x.mean(0), y - y.mean(0)
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    weights = torch.linalg.solve(xc.T @ xc / len(x) + lam * eye, xc.T @ yc).T
    return cast(features, weights, y.mean(0) - weights @ x.mean(0))

@exercise.also(no_penalty)
def no_penalty_by_the_pseudoinverse(features, labels, num_classes, lam):
    x = features.double()
    y = one_hot(labels, num_classes, x)
    weights = (torch.linalg.pinv(x - x.mean(0)) @ (y - y.mean(0))).T
    return cast(features, weights, y.mean(0) - weights @ x.mean(0))

@exercise.also(no_penalty)
def no_penalty_and_a_column_of_ones(features, labels, num_classes, lam):
    x = torch.cat([features.double(), torch.ones(len(features), 1, dtype=torch.float64)], dim=1)
    solution = (torch.linalg.pinv(x) @ one_hot(labels, num_classes, x)).T
    return cast(features, solution[:, :-1], solution[:, -1])

@exercise.also(no_penalty)
def no_penalty_solved(features, labels, num_classes, lam):
    return solved(features, labels, num_classes, torch.zeros_like)

@exercise.also(no_penalty)
def no_penalty_solved_with_a_column_of_ones(features, labels, num_classes, lam):
    x = torch.cat([features.double(), torch.ones(len(features), 1, dtype=torch.float64)], dim=1)
    solution = torch.linalg.solve(x.T @ x, x.T @ one_hot(labels, num_classes, x)).T
    return cast(features, solution[:, :-1], solution[:, -1])

@exercise.also(features_standardized)
def standardized_but_for_silent_features(features, labels, num_classes, lam):
    x = features.double()
    return cast(features, *ridge((x - x.mean(0)) / (x.std(0) + 1e-9), one_hot(labels, num_classes, x), lam))

@exercise.also(features_standardized)
def standardized_with_a_bias_for_what_comes_in(features, labels, num_classes, lam):
    x = features.double()
    deviation = x.std(0)
    weights, bias = ridge(x / deviation, one_hot(labels, num_classes, x), lam)
    return cast(features, weights, bias)

STRENGTHS = {
    half_the_penalty: lambda lam, n: lam / 2,
    half_the_error: lambda lam, n: 2 * lam,
    penalty_squared: lambda lam, n: lam**2,
    mean_instead_of_sum: lambda lam, n: lam * n,
    penalty_divided_by_images: lambda lam, n: lam / n,
}

for weaker, strength in STRENGTHS.items():
    for mistake in (
        bias_is_the_mean_of_the_targets, bias_with_the_wrong_sign, bias_left_at_zero, mean_of_the_targets_left_out
    ):
        exercise.both(weaker, mistake)(
            lambda features, labels, num_classes, lam, strength=strength, mistake=mistake: mistake(
                features, labels, num_classes, strength(lam, len(features))
            )
        )
