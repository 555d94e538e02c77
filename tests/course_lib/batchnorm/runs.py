"""The trainings that claims of 01_batchnorm are about; `runs.json` beside this file holds what they gave."""

from __future__ import annotations

from typing import Any

from torch import nn

from course_lib.batchnorm.experiments import batches, sweeps
from course_lib.batchnorm.experiments.modes import contrast as trained_and_dimmed
from course_lib.batchnorm.experiments.modes import modes as trained_and_evaluated
from tests.support.measured import measured

SEEDS = (0, 1, 2, 3, 4)
SCALES = (0.01, 0.1, 0.3, 1.0, 3.0)
RATES = (0.08, 0.16, 0.64, 1.28, 2.56)
SIZES = (2, 4, 64)


@measured(SEEDS)
def scale_sweep(seed: int) -> Any:
    """Final losses over the initial scale."""
    return sweeps.sweep("initial scale", SCALES, (seed,)).losses


@measured(SEEDS)
def rate_sweep(seed: int) -> Any:
    """Final losses over the learning rate."""
    return sweeps.sweep("learning rate", RATES, (seed,)).losses


@measured([(size, seed) for size in SIZES for seed in SEEDS])
def batch_sizes(unit: tuple[int, int]) -> Any:
    """Errors at one batch size, by kind of normalization."""
    size, seed = unit
    return {label: runs[0][0] for label, runs in batches.batch_sizes((size,), (seed,)).errors.items()}


@measured(SEEDS)
def company(seed: int) -> Any:
    """What the other images of a batch do to the output for one."""
    return batches.company(seed=seed)


@measured(SEEDS)
def regularizing(seed: int) -> Any:
    """Losses with statistics of smaller and smaller groups."""
    return batches.regularizing((100, 20, 10, 5), (seed,))


@measured(SEEDS)
def contrast(seed: int) -> Any:
    """Accuracies on less and less contrast, by kind of normalization."""
    return {label: runs[0] for label, runs in trained_and_dimmed(seeds=(seed,)).accuracy.items()}


@measured(SEEDS)
def evaluated(seed: int) -> Any:
    """Accuracies of one network, evaluated rightly and wrongly."""
    return trained_and_evaluated(nn.BatchNorm2d, seed=seed)
