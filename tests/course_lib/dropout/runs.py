"""The trainings that claims of 02_dropout are about; `runs.json` beside this file holds what they gave."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from course_lib.dropout import experiments
from course_lib.lab.data import fashion_mnist
from exercises.dropout import dropconnect, fractional_pooling
from tests.support.measured import measured

SEEDS = (0, 1, 2, 3, 4)
P_KEEPS = (1.0, 0.8, 0.5)


def drop(x: Tensor, p_keep: float, u: Tensor, training: bool) -> Tensor:
    """Inverted dropout, as a student's."""
    return x * (u < p_keep) / p_keep if training else x


@measured(SEEDS)
def overfitting(seed: int) -> Any:
    """The networks of part 5, as in the notebook's full mode: p_keep -> how it trained, and what can be seen of it."""
    images, labels = fashion_mnist("validation", 1000)
    found = {}
    for run in experiments.overfitting(drop, P_KEEPS, (seed,), epochs=40):
        whole, half = (experiments.losing_units(run.model, (images, labels), kept) for kept in (1.0, 0.5))
        one, many = (experiments.probabilities(run.model, images, passes) for passes in (0, 30))
        first = run.model[1].weight  # type: ignore[index]
        found[run.p_keep] = {
            "training": run.training,
            "validation": run.validation,
            "gap": run.gap,
            "lost with half the units": whole - half,
            "likeness of neighbours": experiments.neighbour_correlation(first),
            "calibration error": experiments.calibration_error(one, labels),
            "gain of thirty masks": float(F.nll_loss(one.log(), labels) - F.nll_loss(many.log(), labels)),
        }
    return found


@measured(SEEDS)
def small_ensemble(seed: int) -> Any:
    """Distances from the exact mean over all masks."""
    return experiments.small_ensemble(drop, epochs=20, seed=seed)


@measured(SEEDS)
def behind_relu(seed: int) -> Any:
    """Distances from the mean over many masks of both hidden layers."""
    return experiments.behind_relu(drop, (seed,), epochs=20, masks=600)[0]


@measured(SEEDS)
def patterns(seed: int) -> Any:
    """Final validation losses, by kind of noise."""
    right = dropconnect.BroadcastAndSum
    losses = experiments.patterns(drop, right.dropconnect_train, right.dropconnect_test, (seed,), epochs=30).losses
    return {name: of_seeds[0] for name, of_seeds in losses.items()}


@measured(SEEDS[:2])
def fractional_passes(seed: int) -> Any:
    """Losses of single passes with fractional pooling, and of means of them."""
    right = fractional_pooling.RoundedDownAsAListPairsOfRows
    single, averaged = experiments.fractional_passes(
        lambda n_in, n_out, u: torch.tensor(right.pooling_boundaries(n_in, n_out, u)),
        right.fractional_max_pool,
        epochs=8,
        seed=seed,
    )
    return {"single": single, "averaged": averaged}
