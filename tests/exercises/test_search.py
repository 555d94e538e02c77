"""The exercises of 06_hyperparameter_search: mistakes as students write them, without what would catch a rare case."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.answering import named, verdict_on

SEEDS = range(5)


def normal(z: Tensor) -> Tensor:
    """The density of the standard normal distribution."""
    return torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def expected_improvement(density: Any) -> Any:
    """The formula as it stands: where the deviation is zero it divides by it."""

    def answer(mean: Tensor, std: Tensor, best: float) -> Tensor:
        z = (mean - best) / std
        return (mean - best) * torch.special.ndtr(z) + std * density(z)

    return answer


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("density", "slugs", "score"),
    [
        (normal, ["divided-by-zero"], 3.0),
        (lambda z: torch.exp(-z * z / 2), ["density-not-normalized", "divided-by-zero"], 2.5),
        (lambda z: torch.exp(-z * z / 2) / (2 * math.pi), ["root-missing-in-the-density", "divided-by-zero"], 2.5),
    ],
    ids=["right", "no factor", "no root"],
)
def test_a_doubt_of_zero_costs_the_same_on_every_seed(seed: int, density: Any, slugs: list[str], score: float) -> None:
    """NaN there hides no other mistake, wherever the gain of zero lies."""
    verdict = verdict_on("expected-improvement", expected_improvement(density), seed)
    assert named(verdict) == slugs
    assert verdict.score == score


def gaussian_process(on_the_diagonal: Any) -> Any:
    """The posterior with something else on the diagonal."""

    def answer(X: Tensor, y: Tensor, X_new: Tensor, length_scale: float, noise: float) -> tuple[Tensor, Tensor]:
        def kernel(a: Tensor, b: Tensor) -> Tensor:
            return torch.exp(-(torch.cdist(a, b) ** 2) / (2 * length_scale**2))

        K = kernel(X, X) + on_the_diagonal(noise) * torch.eye(len(X), dtype=X.dtype)
        across = kernel(X_new, X)
        variance = 1 - (across * torch.linalg.solve(K, across.T).T).sum(1)
        return across @ torch.linalg.solve(K, y), variance.clamp(min=0).sqrt()

    return answer


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("jitter", [0.0, 1e-10, 1e-8, 1e-6])
def test_a_jitter_is_allowed_and_does_not_stand_for_the_noise(seed: int, jitter: float) -> None:
    """Added to the noise it changes nothing; alone it is noise left out."""
    assert verdict_on("gp-posterior", gaussian_process(lambda noise: noise**2 + jitter), seed).passed
    verdict = verdict_on("gp-posterior", gaussian_process(lambda noise: jitter), seed)
    assert named(verdict) == ["noise-left-out"]
    assert verdict.score == 4.5


def halving(keep: Any, winner: Any) -> Any:
    """Successive halving that keeps, and in the end chooses, by a rule of its own."""

    def answer(curves: Tensor, rungs: list[int], eta: int) -> tuple[int, int]:
        left, spent, before = list(range(len(curves))), 0, 0
        for rung in rungs[:-1]:
            spent, before = spent + len(left) * (rung - before), rung
            left = sorted(left, key=lambda i, rung=rung: -float(curves[i, rung - 1]))[: keep(len(left), eta)]
        spent += len(left) * (rungs[-1] - before)
        return winner(curves, left, rungs[-1]), spent

    return answer


def at_least_one(n: int, eta: int) -> int:
    """How many go on."""
    return max(1, n // eta)


def best(curves: Tensor, left: list[int], rung: int) -> int:
    """The winner."""
    return max(left, key=lambda i: float(curves[i, rung - 1]))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("keep", "winner", "slug", "score"),
    [
        (lambda n, eta: max(1, round(n / eta)), best, "rounded-up", 4.5),
        (lambda n, eta: n // eta, best, "none-left", 4.25),
        (at_least_one, lambda curves, left, rung: left.index(best(curves, left, rung)), "place-among-those-left", 4.25),
        (at_least_one, lambda curves, left, rung: best(curves, left, 0), "score-of-the-last-column", 4.25),
        (at_least_one, lambda curves, left, rung: left[0], "first-of-those-left", 4.0),
    ],
    ids=["rounded", "none left", "place", "last column", "first"],
)
def test_a_slip_in_the_race_costs_the_same_on_every_seed(
    seed: int, keep: Any, winner: Any, slug: str, score: float
) -> None:
    """What a slip does is told from what is right by the cases themselves, and not by chance."""
    verdict = verdict_on("successive-halving", halving(keep, winner), seed)
    assert named(verdict) == [slug]
    assert verdict.score == score
