"""One feature on its way through batch normalization, in training and in evaluation."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.widgets.controls import Seed, Slider, steps
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Pick
from course_lib.widgets.scene import Handle, Histogram, Scene, histogram, in_percent, places

__all__ = ["DESIGN", "Pipeline", "batchnorm_pipeline", "numbers", "run_pipeline"]

GAMMA, BETA, EPS = 1.5, 0.5, 1e-5
MEAN, STD = 1.0, 2.0
"""Mean and standard deviation of the data that the running statistics were collected on."""
SHIFTS = steps(-10, 10, 0.5)
"""By how much the input can be shifted."""
_PLACES = places([MEAN + shift for shift in SHIFTS])
_ASKED_SHIFT = 5.0
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Pipeline:
    """One batch of one feature, (N,) each.

    Attributes:
        x: the input.
        normalized: x with the mean and the biased variance of its own batch.
        train: gamma * normalized + beta.
        evaluated: the same layer with its stored statistics.
    """

    x: NDArray[np.float64]
    normalized: NDArray[np.float64]
    train: NDArray[np.float64]
    evaluated: NDArray[np.float64]


def run_pipeline(batch: int, shift: float, scale: float, seed: int) -> Pipeline:
    """A batch through the layer (Ioffe, Szegedy 2015, algorithms 1 and 2).

    The noise of a smaller batch is the beginning of that of a larger one, so that a slider changes one thing only.
    """
    noise = np.random.default_rng(seed).standard_normal(1024)[:batch]
    x = MEAN + shift + STD * scale * noise
    normalized = (x - x.mean()) / np.sqrt(x.var() + EPS)
    stored = (x - MEAN) / np.sqrt(STD**2 + EPS)
    return Pipeline(x, normalized, GAMMA * normalized + BETA, GAMMA * stored + BETA)


def numbers(state: State) -> Scene:
    """Four histograms: x, x normalized, y in training, y in evaluation; dashed, without shift and scale."""
    found = run_pipeline(int(state["batch"]), state["shift"], state["scale"], state["seed"])
    moved = (state["shift"], state["scale"]) != (0.0, 1.0)
    before = run_pipeline(int(state["batch"]), 0.0, 1.0, state["seed"])
    ghosts = [part if moved else None for part in (before.x, before.normalized, before.train, before.evaluated)]
    handle = Handle("shift", "Shift of the input, dragged on its histogram", _PLACES, now=SHIFTS.index(state["shift"]))
    panels = (
        histogram("input x", found.x, -14, 16, colour=0, before=ghosts[0], handles=(handle,)),
        histogram("x̂, this batch's statistics", found.normalized, -5, 5, colour=5, before=ghosts[1]),
        histogram("y in train", found.train, -12, 12, colour=2, before=ghosts[2]),
        histogram("y in eval", found.evaluated, -12, 12, colour=1, before=ghosts[3]),
    )
    line = (
        f"x has mean {_signed(found.x.mean())} and std {found.x.std():.2f}; "
        f"y in train {_signed(found.train.mean())} and {found.train.std():.2f}; "
        f"y in eval {_signed(found.evaluated.mean())} and {found.evaluated.std():.2f}.{_beyond(panels)}"
    )
    return Scene(panels, line, height=230)


def _beyond(panels: tuple[Histogram, ...]) -> str:
    """How much lies outside the axes, if anything does."""
    missing = zip(
        ("x", "x̂", "y in train", "y in eval"), (1 - float(panel.shares.sum()) for panel in panels), strict=True
    )
    told = [f"{in_percent(share)} of {name}" for name, share in missing if share > _ROUNDING]
    return f" Beyond the axis: {' and '.join(told)}." if told else ""


def _signed(value: Any) -> str:
    return f"{value:z.2f}".replace("-", "−")


@functools.cache
def _moves(shift: float) -> tuple[float, float]:
    """By how much the mean of y moves in train and in eval when the input shifts; measured on one batch."""
    before, after = (run_pipeline(256, s, 1.0, 0) for s in (0.0, shift))
    return float((after.train - before.train).mean()), float((after.evaluated - before.evaluated).mean())


def explain(answer: Any, state: State) -> str:
    """What was said, what it is, why."""
    train, evaluated = _moves(_ASKED_SHIFT)
    verdict = "That is it" if answer == _right() else f"It is: {OPTIONS[_right()]}"
    now = ""
    if state["shift"]:
        moved_train, moved_eval = _moves(state["shift"])
        now = (
            f" Your shift of {state['shift']:g}: train {abs(moved_train):.2f}, "
            f"eval γ · {state['shift']:g} / {STD:g} = {moved_eval:.3g}."
        ).replace("-", "−")
    small = (
        " With 2 examples x̂ is always −1 and +1: all that is left is which x is the larger."
        if state["batch"] == 2
        else ""
    )
    return (
        f"You said: {OPTIONS[answer]}. {verdict}. {_WHY[answer]}In training the mean of this very batch is subtracted, "
        f"shift included, so y moves by {abs(train):.2f}. In evaluation the stored mean {MEAN:g} is subtracted and the "
        f"shift stays: γ · {_ASKED_SHIFT:g} / {STD:g} = {evaluated:.2f}.{now}{small}"
    )


OPTIONS: Mapping[str, str] = {
    "both-stay": "y stays where it is in train and in eval",
    "eval-moves": f"y stays in train; in eval it moves by {GAMMA * _ASKED_SHIFT / STD:g}",
    "train-moves": f"y moves by {GAMMA * _ASKED_SHIFT / STD:g} in train; in eval it stays",
    "both-move": f"y moves by {GAMMA * _ASKED_SHIFT / STD:g} in train and in eval",
}


@functools.cache
def _right() -> str:
    train, evaluated = (abs(moved) > 0.01 for moved in _moves(_ASKED_SHIFT))
    return {(False, False): "both-stay", (False, True): "eval-moves", (True, False): "train-moves"}.get(
        (train, evaluated), "both-move"
    )


_WHY = {
    "both-stay": "You are right about training; the stored statistics know nothing of the shift. ",
    "eval-moves": "",
    "train-moves": "It is the other way around. ",
    "both-move": "You are right about evaluation; in training the layer sees the shift and takes it out. ",
}
"""What each answer overlooks."""


DESIGN = Design(
    name="batchnorm-pipeline",
    title="One feature through batch normalization",
    controls=(
        Slider("shift", "Shift of the input", SHIFTS, 0.0),
        Slider("scale", "Scale of the input", steps(0.25, 4, 0.25), 1.0),
        Slider("batch", "Batch size", tuple(float(2**k) for k in range(1, 11)), 256.0),
        Seed(label="Another batch"),
    ),
    prediction=Pick(
        f"The layer has γ = {GAMMA:g}, β = {BETA:g}; its stored statistics are mean {MEAN:g} and standard deviation "
        f"{STD:g}, those of the data below. Now {_ASKED_SHIFT:g} is added to every input. How far does y move?",
        OPTIONS,
        f"Now set the shift to {_ASKED_SHIFT:g} and compare the two histograms on the right. "
        "The first histogram can be dragged, too.",
    ),
    numbers=numbers,
    explain=explain,
    right=lambda answer, state: answer == _right(),
)


def batchnorm_pipeline(fresh: bool = False) -> Explorer:
    """Show how shift, scale and batch size of an input go through batch normalization.

    Args:
        fresh: forget the prediction that was locked in before.
    """
    return show_widget(DESIGN, fresh)
