"""`linear-probe`: ridge regression on one-hot targets, with a free bias (Hoerl, Kennard 1970)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Generator, Tensor

from autograder.exercises.dropout.draws import uniform
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["PROBE"]


def _one_hot(labels: Tensor, num_classes: int, like: Tensor) -> Tensor:
    return torch.eye(num_classes, dtype=like.dtype, device=like.device)[labels]


def _ridge(x: Tensor, y: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    """Centred normal equations: x (N, F), y (N, K) -> (K, F), (K,)."""
    mean_x, mean_y = x.mean(0), y.mean(0)
    xc, yc = x - mean_x, y - mean_y
    eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    weights = torch.linalg.solve(xc.T @ xc + lam * eye, xc.T @ yc).T
    return weights, mean_y - weights @ mean_x


def _fit(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    x = features.double()
    weights, bias = _ridge(x, _one_hot(labels, num_classes, x), lam)
    return weights.to(features.dtype), bias.to(features.dtype)


def _fit_rows_added(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    """Least squares with sqrt(lam) times the identity below the data and a column of ones beside it."""
    n, f = features.shape
    x = torch.zeros(n + f, f + 1, dtype=torch.float64)
    x[:n, :f], x[:n, f] = features, 1.0
    x[n:, :f] = lam**0.5 * torch.eye(f)
    y = torch.zeros(n + f, num_classes, dtype=torch.float64)
    y[:n] = torch.nn.functional.one_hot(labels, num_classes)
    solution = torch.linalg.lstsq(x, y).solution.to(features.dtype)
    return solution[:f].T, solution[f]


def _fit_svd(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    x = features.double()
    y = _one_hot(labels, num_classes, x)
    u, s, vh = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    weights = (vh.T @ torch.diag(s / (s**2 + lam)) @ u.T @ (y - y.mean(0))).T
    return weights.to(features.dtype), (y.mean(0) - weights @ x.mean(0)).to(features.dtype)


def _fit_dual(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    """Through the matrix of scalar products between images, (N, N)."""
    x = features.double()
    y = _one_hot(labels, num_classes, x)
    xc = x - x.mean(0)
    alpha = torch.linalg.solve(xc @ xc.T + lam * torch.eye(len(x)), y - y.mean(0))
    weights = (xc.T @ alpha).T
    return weights.to(features.dtype), (y.mean(0) - weights @ x.mean(0)).to(features.dtype)


def _fit_numpy(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    """NumPy, a penalty matrix with a zero for the bias, one class at a time."""
    x = np.column_stack([features.numpy().astype(float), np.ones(len(features))])
    penalty = lam * np.eye(x.shape[1])
    penalty[-1, -1] = 0.0
    found = [np.linalg.solve(x.T @ x + penalty, x.T @ (labels.numpy() == k).astype(float)) for k in range(num_classes)]
    solution = torch.tensor(np.stack(found)).to(features.dtype)
    return solution[:, :-1], solution[:, -1]


def _wrong(
    x: Callable[[Tensor], Tensor] = lambda x: x,
    y: Callable[[Tensor], Tensor] = lambda y: y,
    lam: Callable[[float, int], float] = lambda lam, n: lam,
) -> Callable[[Tensor, Tensor, int, float], tuple[Tensor, Tensor]]:
    """Ridge regression on other features, targets, or with another penalty (of lam and the number of images)."""

    def fit(features: Tensor, labels: Tensor, num_classes: int, penalty: float) -> tuple[Tensor, Tensor]:
        inputs = x(features.double())
        targets = y(_one_hot(labels, num_classes, inputs))
        weights, bias = _ridge(inputs, targets, lam(penalty, len(features)))
        return weights.to(features.dtype), bias.to(features.dtype)

    return fit


def _bias_penalised(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    x = torch.cat([features.double(), torch.ones(len(features), 1, dtype=torch.float64)], dim=1)
    y = _one_hot(labels, num_classes, x)
    solution = torch.linalg.solve(x.T @ x + lam * torch.eye(x.shape[1]), x.T @ y).T.to(features.dtype)
    return solution[:, :-1], solution[:, -1]


def _no_bias(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    x = features.double()
    y = _one_hot(labels, num_classes, x)
    weights = torch.linalg.solve(x.T @ x + lam * torch.eye(x.shape[1]), x.T @ y).T
    return weights.to(features.dtype), torch.zeros(num_classes, dtype=features.dtype)


def _bias_of_targets(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    weights, _ = _fit(features, labels, num_classes, lam)
    return weights, _one_hot(labels, num_classes, features).mean(0)


def _uncentred(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    """The bias fits the weights, but these were found without one."""
    weights, _ = _no_bias(features, labels, num_classes, lam)
    bias = _one_hot(labels, num_classes, features).mean(0) - weights @ features.mean(0)
    return weights, bias


def _by_largest_label(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    return _fit(features, labels, int(labels.max()) + 1, lam)


def _transposed(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    weights, bias = _fit(features, labels, num_classes, lam)
    return weights.T, bias


def _labels_as_numbers(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    x = features.double()
    weights, bias = _ridge(x, labels.double().unsqueeze(1), lam)
    return weights[0].to(features.dtype), bias[0].to(features.dtype)


def _float32(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    weights, bias = _fit(features, labels, num_classes, lam)
    return weights.float(), bias.float()


def _in_place(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    weights, bias = _fit(features, labels, num_classes, lam)
    features -= features.mean(0)
    return weights, bias


_OUTPUTS = ("W", "b")


_TOLERANCE = 4e-4
"""In float64 too: an iterative solver that stops at PyTorch's usual tolerances comes that near to the minimum."""


def _cases(g: Generator) -> dict[str, Case]:
    def case(
        n: int, f: int, classes: int, lam: float, absent: bool = False, dtype: torch.dtype = torch.float64
    ) -> Case:
        labels = torch.arange(n) % (classes - absent)
        spread, level = uniform(g, 0.5, 2.0, f), uniform(g, 2.0, 4.0, f)
        centres = uniform(g, -1.0, 1.0, classes, f)
        x = level + spread * (centres[labels] + uniform(g, -1.0, 1.0, n, f))
        order = torch.randperm(n, generator=g)
        inputs = {"features": x[order].to(dtype), "labels": labels[order], "num_classes": classes, "lam": lam}
        return Case(inputs, outputs=_OUTPUTS, tolerance=_TOLERANCE)

    return {
        "many images": case(12, 2, 3, 1.7),
        "another penalty": case(10, 4, 2, 0.3),
        "a class without images": case(8, 3, 4, 0.6, absent=True),
        "more features than images": case(4, 6, 2, 2.5),
        "float32": case(9, 2, 3, 3.1, dtype=torch.float32),
    }


_WEIGHTS = "the weights minimise squared error and penalty"
_BIAS = "the bias fits and is not penalised"
_SIZES = "a row for every class, also without images, and few images are enough"
_DTYPE = "keeps the dtype"
_INPUTS = "leaves the features as they are"
_MAIN = ("many*", "another*", "float32")
_ODD = ("a class*", "more*")
_EVERYTHING = (_WEIGHTS, _BIAS, _SIZES, _DTYPE, _INPUTS)

PROBE = Exercise(
    "linear-probe",
    defines=("fit_linear_probe(features, labels, num_classes, lam)",),
    returns=_OUTPUTS,
    reference=_fit,
    cases=_cases,
    criteria=(
        Criterion(_WEIGHTS, 2.5, cases=_MAIN, outputs=("W",)),
        Criterion(_BIAS, 2, cases=_MAIN, outputs=("b",)),
        Criterion(_SIZES, 1.5, cases=_ODD),
        Criterion(_DTYPE, 0.5, cases=("many images", "float32"), aspect="dtype"),
        Criterion(_INPUTS, 0.5, cases=("many images", "float32"), aspect="inputs"),
    ),
    misconceptions=(
        Misconception(
            "bias-penalised",
            _bias_penalised,
            "The bias is shrunk with the weights: it was handled as the weight of one more feature. It only says how "
            "frequent a class is, and the objective leaves it free.",
            _EVERYTHING,
        ),
        Misconception(
            "no-bias",
            _no_bias,
            "There is no bias, so every prediction is forced through the origin. The features have means far from "
            "zero.",
            _EVERYTHING,
        ),
        Misconception(
            "bias-is-the-mean-of-the-targets",
            _bias_of_targets,
            "The bias is the mean of the targets. That holds for centred features; for those that came in, what the "
            "weights make of the mean feature has to be taken away.",
            (_BIAS, _SIZES, _DTYPE, _INPUTS),
        ),
        Misconception(
            "weights-without-centring",
            _uncentred,
            "The weights were found as if there were no bias, which was added later. Both minimise the objective "
            "together: centre first, or give the bias a column.",
            _EVERYTHING,
        ),
        Misconception(
            "mean-instead-of-sum",
            _wrong(lam=lambda lam, n: lam * n),
            "The penalty is too strong by the number of images. The objective has the sum of the squared errors, not "
            "their mean.",
            _EVERYTHING,
        ),
        Misconception(
            "penalty-divided-by-images",
            _wrong(lam=lambda lam, n: lam / n),
            "The penalty is too weak by the number of images. The objective has the sum of the squared errors, and "
            "lam stands as it is before the penalty.",
            _EVERYTHING,
        ),
        Misconception(
            "half-the-penalty",
            _wrong(lam=lambda lam, n: lam / 2),
            "The penalty is half as strong as asked for. There is no factor of one half in this objective.",
            _EVERYTHING,
        ),
        Misconception(
            "half-the-error",
            _wrong(lam=lambda lam, n: lam * 2),
            "The penalty is twice as strong as asked for. There is no factor of one half before the squared errors.",
            _EVERYTHING,
        ),
        Misconception(
            "penalty-squared",
            _wrong(lam=lambda lam, n: lam**2),
            "lam enters squared. Where rows are added below the data they are squared with it, so they need its root.",
            _EVERYTHING,
        ),
        Misconception(
            "no-penalty",
            lambda features, labels, num_classes, lam: _fit_svd(features, labels, num_classes, 0.0),
            "The penalty is missing: this is plain least squares.",
            _EVERYTHING,
        ),
        Misconception(
            "targets-plus-minus-one",
            _wrong(y=lambda y: 2 * y - 1),
            "The targets are +1 and -1. One-hot targets are 1 for the class and 0 for the others.",
            _EVERYTHING,
        ),
        Misconception(
            "labels-as-numbers",
            _labels_as_numbers,
            "The class numbers themselves were fitted, as if class 2 were twice class 1. Each class needs a target of "
            "its own.",
            _EVERYTHING,
        ),
        Misconception(
            "features-standardised",
            _wrong(x=lambda x: (x - x.mean(0)) / x.std(0)),
            "The weights belong to standardised features. Those that come in later are not, and the penalty weighs "
            "every feature differently.",
            _EVERYTHING,
        ),
        Misconception(
            "weights-transposed",
            _transposed,
            "The weights are transposed: asked for is (K, F), a row for each class, as in a linear layer.",
            (_WEIGHTS, _SIZES, _DTYPE, _INPUTS),
        ),
        Misconception(
            "classes-counted-from-labels",
            _by_largest_label,
            "The number of classes was taken from the labels. A class without an image then has no row, and the head "
            "does not fit to the others.",
            (_SIZES,),
        ),
        Misconception(
            "always-float32",
            _float32,
            "The result is float32 whatever came in. It should have the dtype of the features.",
            (_DTYPE,),
        ),
        Misconception(
            "changes-its-input",
            _in_place,
            "The features were changed in place. Whoever holds them, a cache for example, now has others.",
            (_INPUTS,),
        ),
    ),
    forbidden=("sklearn", "scipy.optimize"),
    right={
        "rows added, least squares": _fit_rows_added,
        "singular values": _fit_svd,
        "scalar products of images": _fit_dual,
        "NumPy, one class at a time": _fit_numpy,
    },
)
