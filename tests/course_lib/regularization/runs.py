"""Trainings that claims of 04_weight_regularization are about; `runs.json` beside this file holds what they gave."""

from __future__ import annotations

from typing import Any

from course_lib.regularization.experiments import bottleneck, decay, stopping
from tests.course_lib.regularization.answers import EarlyStopping, adam_l2_step, adamw_step, smooth
from tests.support.measured import measured

SEEDS = (0, 1, 2, 3, 4)
SETS = {"first": SEEDS, "further": (5, 6, 7, 8, 9)}
"""Seeds whose networks are trained side by side."""
STRENGTHS = (1e-6, 1e-4, 1e-2, 1e-1, 1.0)
PATIENCES = (3, 5, 10, 20)


@measured(SEEDS)
def l2_sweep(seed: int) -> Any:
    """Quantities at the end at all strengths, and the largest weight without and with a penalty."""
    sweep = decay.l2_sweep(seeds=(seed,))
    found = {name: sweep.at_the_end(name)[0] for name in ("remembered", "validation", "norms")}
    largest = [float(sweep.filters(lam).abs().max()) for lam in (0.0, 0.1)]
    others = {"strengths": sweep.strengths, "steps": sweep.steps}
    return {**found, "gap": sweep.gap[0], "largest weights": largest, **others}


@measured(SEEDS)
def adam(seed: int) -> Any:
    """Both rules at every strength: what is left of the dead weights, and the validation loss."""
    rules = {"L2 in Adam": adam_l2_step, "AdamW": adamw_step}
    runs = decay.adam_runs(rules, STRENGTHS, (seed,), epochs=30)
    return [{"rule": run.rule, "lam": run.lam, "dead": run.dead, "validation": run.validation} for run in runs]


@measured(list(SETS))
def overfitting(which: str) -> Any:
    """Curves over the epochs, (epochs, seeds)."""
    runs = stopping.overfitting(SETS[which])
    return {"validation": runs.validation, "test": runs.test}


@measured([0, 10])
def smoothing(first: int) -> Any:
    """Regrets on ten runs: of each rule at each patience, and of going back from the smoothed minimum."""
    runs = stopping.fluctuating(epochs=40, first=first)
    ends = stopping.smoothing_regrets(EarlyStopping, smooth, runs, PATIENCES, 0.9)
    regrets = {rule: [ends[rule, patience].regrets for patience in PATIENCES] for rule in stopping.RULES}
    return {"regrets": regrets, "going back": _regret_of_going_back(runs, 9)}


def _regret_of_going_back(runs: Any, lag: int) -> float:
    """Mean regret of the check that lies the lag before the smoothed minimum, with a patience of 5."""
    regrets = []
    for curve, test in zip(runs.validation.T, runs.test.T, strict=True):
        _, kept = stopping.stop_and_keep(EarlyStopping(5), smooth(curve, 0.9).tolist())
        regrets.append(float(test[max(0, kept - lag)] - test.min()))
    return sum(regrets) / len(regrets)


@measured(list(SETS))
def equal_norms(which: str) -> Any:
    """Small weights by stopping and by decay."""
    found = stopping.equal_norms(seeds=SETS[which])
    return {"best strength": found.best_strength, "norms": found.norms, "losses": found.losses}


@measured(list(SETS))
def narrow(which: str) -> Any:
    """Networks with a bottleneck: width -> at the end for each seed, and the lowest mean validation loss on the way."""
    found = bottleneck.narrow_networks(seeds=SETS[which])
    return {
        "remembered": found.at_the_end("remembered"),
        "validation": found.at_the_end("validation"),
        "lowest": [float(runs.validation.min(0).values.mean()) for runs in found.runs],
    }
