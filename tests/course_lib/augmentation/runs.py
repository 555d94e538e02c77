"""The trainings that claims of 03_augmentation are about; `runs.json` beside this file holds what they gave."""

from __future__ import annotations

from typing import Any

from course_lib.augmentation import experiments
from tests.course_lib.augmentation.answers import apply, cutout, flip, mixup, predict, soft_loss
from tests.support.measured import measured

SEEDS = (0, 1, 2, 3, 4)


@measured(SEEDS)
def mirrors(seed: int) -> Any:
    """The networks of part 1, as in the notebook's full mode: task -> losses and accuracies without and with flips."""
    return {
        found.task: {"losses": [each[0] for each in found.losses], "accuracies": [each[0] for each in found.accuracies]}
        for found in experiments.mirrored(flip, (seed,), epochs=30)
    }


@measured(SEEDS)
def views(seed: int) -> Any:
    """The network of part 2: way of testing -> loss and accuracy."""
    return experiments.several_views(predict, (seed,), epochs=30)[0].results


@measured(SEEDS)
def recipes(seed: int) -> Any:
    """The networks of part 5, by recipe."""
    kept = ("epochs", "training", "validation", "accuracy")
    runs = experiments.recipes(flip, cutout, mixup, soft_loss, (seed,), epochs=50)
    return {run.recipe: {name: getattr(run, name) for name in kept} for run in runs}


@measured(SEEDS)
def searches(seed: int) -> Any:
    """The search of part 6."""
    return experiments.search(apply, flip, budget=10, short=15, epochs=40, seed=seed)
