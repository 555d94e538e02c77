"""Ridge regression and early-stopped gradient descent on one quadratic, seen along the axes of its Hessian."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from course_lib.regularization.nets.stacked import small

__all__ = ["Paths", "Regression", "largest_difference", "regression", "solutions"]

Ridge = Callable[[Tensor, float], Tensor]
"""(h, lam) -> shares."""
Descent = Callable[[Tensor, float, int], Tensor]
"""(h, lr, steps) -> shares."""

_SHIRTS = (0, 6)
"""T-shirt/top and Shirt."""


@dataclass(frozen=True, eq=False)
class Regression:
    """Linear regression of -1 and 1 on pixels, along the axes of its Hessian X^T X / n.

    Attributes:
        h: (r,), eigenvalues, descending.
        axes: (INPUTS, r), eigenvectors in columns.
        solution: (r,), the least-squares solution along each axis.
        new: (N, r), validation images along the axes, centered like the training images.
        targets: (N,), -1 and 1, less the mean of the training targets.
    """

    h: Tensor
    axes: Tensor
    solution: Tensor
    new: Tensor
    targets: Tensor

    @property
    def lr(self) -> float:
        """A learning rate of half of what would diverge: 1 / h_max."""
        return 1.0 / float(self.h[0])

    def error(self, shares: Tensor) -> float:
        """Mean squared error on the validation images if so much of the solution is fitted along each axis."""
        return float((self.new @ (shares * self.solution) - self.targets).square().mean())

    def weights(self, shares: Tensor) -> Tensor:
        """The weights themselves, (r,), along the axes."""
        return shares * self.solution


def regression(seed: int = 0, images: int = 200, flipped: float = 0.15) -> Regression:
    """T-shirts against shirts from few images, some with the wrong label."""
    x, y = _two_classes("train", images)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(y), generator=generator)[:images]
    x, y = x[order], y[order]
    y = torch.where(torch.rand(len(y), generator=generator) < flipped, -y, y)
    mean_x, mean_y = x.mean(0), y.mean()
    u, s, vh = torch.linalg.svd((x - mean_x) / len(x) ** 0.5, full_matrices=False)
    keep = s > 1e-6 * s[0]
    solution = (u.T @ (y - mean_y) / len(x) ** 0.5)[keep] / s[keep]
    new, targets = _two_classes("validation", None)
    return Regression(s[keep] ** 2, vh[keep].T, solution, (new - mean_x) @ vh[keep].T, targets - mean_y)


def _two_classes(split: str, images: int | None) -> tuple[Tensor, Tensor]:
    """Images of the two classes, (N, INPUTS), and -1 or 1, (N,), in float64; at least so many, four times over."""
    x, labels = small("validation" if split == "validation" else "train")
    chosen = (labels == _SHIRTS[0]) | (labels == _SHIRTS[1])
    x, labels = x[chosen].double(), labels[chosen]
    if images is not None:
        x, labels = x[: 4 * images], labels[: 4 * images]
    return x, torch.where(labels == _SHIRTS[0], -1.0, 1.0).double()


@dataclass(frozen=True)
class Paths:
    """Both ways from 0 to least squares, matched by lam = 1 / (lr steps).

    Attributes:
        steps: (T,), of gradient descent.
        errors: way -> (T,), mean squared error on the validation images.
        norms: way -> (T,), norm of the weights.
        cosine: (T,), cosine between the weights of both.
    """

    steps: tuple[int, ...]
    errors: dict[str, tuple[float, ...]]
    norms: dict[str, tuple[float, ...]]
    cosine: tuple[float, ...]

    @property
    def best(self) -> dict[str, float]:
        """The lowest error of each way."""
        return {way: min(errors) for way, errors in self.errors.items()}

    @property
    def best_at(self) -> dict[str, int]:
        """The number of steps, or what goes with it, of the lowest error of each way."""
        return {way: self.steps[int(np.argmin(errors))] for way, errors in self.errors.items()}


def solutions(problem: Regression, ridge: Ridge, descent: Descent, steps: Sequence[int]) -> Paths:
    """Follow both with the student's shares."""
    errors: dict[str, list[float]] = {"gradient descent": [], "ridge": []}
    norms: dict[str, list[float]] = {"gradient descent": [], "ridge": []}
    cosines = []
    for t in steps:
        shares = {
            "gradient descent": descent(problem.h, problem.lr, t),
            "ridge": ridge(problem.h, 1 / (problem.lr * t)),
        }
        for way, share in shares.items():
            errors[way].append(problem.error(share))
            norms[way].append(float(problem.weights(share).norm()))
        weights = [problem.weights(share) for share in shares.values()]
        cosines.append(float(torch.nn.functional.cosine_similarity(weights[0], weights[1], dim=0)))
    whole = [{way: tuple(values) for way, values in of.items()} for of in (errors, norms)]
    return Paths(tuple(steps), whole[0], whole[1], tuple(cosines))


def largest_difference(ridge: Ridge, descent: Descent, steps: int = 10_000) -> tuple[float, float]:
    """The largest difference of the two shares over all h where lam = 1 / (lr steps), and lr h steps where it is."""
    lr = 1.0
    products = torch.logspace(-3, 2, 20_001, dtype=torch.float64)
    h = products / (lr * steps)
    difference = descent(h, lr, steps) - ridge(h, 1 / (lr * steps))
    place = int(difference.abs().argmax())
    return float(difference[place]), float(products[place])
