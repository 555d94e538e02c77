"""Trainings that claims of 06_hyperparameter_search are about; `runs.json` beside this file holds what they gave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from course_lib.search.experiments import coarse
from exercises.search.exploded import step_by_step
from exercises.search.learning_rate_schedules import Reference
from exercises.search.log_uniform import by_exponents
from exercises.search.refine_range import axis_by_axis
from tests.support.measured import measured

SEEDS = (0, 1, 2, 3, 4)


@measured(SEEDS)
def searched(seed: int) -> Any:
    """The notebook's coarse search of a seed, and the fine one that follows from it."""
    first = coarse.run_search(by_exponents, step_by_step, seed=seed)
    points = torch.tensor(np.stack([first.lr, first.reg], axis=1))
    box = axis_by_axis(points, torch.tensor(first.accuracy), 10, first.bounds)
    second = coarse.run_search(by_exponents, step_by_step, box, seed=seed + 100)
    return {"coarse": replace(first, seconds=0.0), "fine": replace(second, seconds=0.0)}


@measured(SEEDS)
def schedules(seed: int) -> Any:
    """Accuracies at the end, by schedule."""
    kinds = {
        "large": lambda step, steps: 0.05,
        "small": lambda step, steps: 0.005,
        "decayed": lambda step, steps: Reference.decayed_lr(0.05, 0.9, step // 40),
        "steps": lambda step, steps: 0.05 * 0.1 ** ((step >= 0.6 * steps) + (step >= 0.85 * steps)),
        "cosine": lambda step, steps: Reference.cosine_lr(0.05, step, steps),
    }
    return {kind: float(runs[0, -1]) for kind, runs in coarse.schedules(kinds, (seed,)).accuracy.items()}
