"""Coarse to fine: nine runs over a wide range, a box for nine more, and a switch that stops what explodes.

A run is looked up: learning rate and penalty get the result of the nearest run of the table (`Table.nearest`, in the
logarithm), that of its first seed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.search.table import table
from course_lib.widgets.controls import Choice, Seed, Slider, steps
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Pick
from course_lib.widgets.scene import Axis, Bars, Curve, Handle, Plane, Scene, Series, decades, places

__all__ = ["DESIGN", "RUNS", "Runs", "coarse_to_fine", "drawn", "gains", "numbers", "results", "trained"]

RUNS = 9
"""Runs of each stage."""
_LOW, _HIGH = np.array([-3.5, -5.0]), np.array([0.5, 0.0])
"""Exponents of the whole range: learning rate, penalty."""
_HALF = np.array([0.75, 1.0])
"""Half the box, in decades."""
_FACTOR, _GOOD, _FAIR = 3.0, 0.75, 0.6
_EPOCHS = 16

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Runs:
    """Runs of one stage, (n,) each.

    Attributes:
        lr: learning rates.
        reg: strengths of the penalty.
        accuracy: on the validation images after 16 epochs.
        epochs: trained until the cost was more than three times the first one, or not finite; 16 if it never was.
    """

    lr: Floats
    reg: Floats
    accuracy: Floats
    epochs: Floats

    @property
    def stopped(self) -> NDArray[np.bool_]:
        """Which runs the switch stops."""
        return self.epochs < _EPOCHS

    @property
    def saved(self) -> float:
        """Epochs that the switch saves."""
        return float((_EPOCHS - self.epochs).sum())


@functools.cache
def trained() -> Floats:
    """(20, 10) epochs until the switch stops the run of the first seed, of `_EPOCHS`."""
    costs = table().costs[:, :, 0]
    with np.errstate(invalid="ignore", over="ignore"):
        fine = costs <= _FACTOR * costs[..., :1]  # not where it is NaN
    whole = fine.all(axis=-1)
    return np.where(whole, _EPOCHS, _EPOCHS * (fine.argmin(axis=-1) + 1) / costs.shape[-1])


def results(lr: Floats, reg: Floats) -> Runs:
    """Look runs up in the table."""
    cells = [table().nearest(*setting) for setting in zip(lr, reg, strict=True)]
    rows, columns = np.array(cells).T
    return Runs(lr, reg, table().validation[rows, columns, 0, -1], trained()[rows, columns])


def drawn(kind: str, low: Floats, high: Floats, seed: int) -> Floats:
    """Nine settings in a box, (9, 2): three rows of three ("grid", shifted by a random part of a row) or "random"."""
    rng = np.random.default_rng(seed)
    if kind == "random":
        return low + (high - low) * rng.random((RUNS, 2))
    at = (np.arange(3)[:, None] + rng.random(2)) / 3
    lr, reg = (np.repeat(at[:, 0], 3), np.tile(at[:, 1], 3))
    return low + (high - low) * np.stack([lr, reg], axis=1)


def _coarse(state: State) -> Runs:
    if state["axes"] == "log":
        found = 10 ** drawn(state["kind"], _LOW, _HIGH, state["seed"])
    else:
        found = drawn(state["kind"], 10**_LOW, 10**_HIGH, state["seed"])
    return results(*found.T)


def _box(state: State) -> tuple[Floats, Floats]:
    """Lower and upper exponents of the finer range."""
    centre = np.log10([state["lr"], state["reg"]])
    return np.maximum(_LOW, centre - _HALF), np.minimum(_HIGH, centre + _HALF)


def _fine(state: State) -> Runs:
    found: Floats = 10 ** drawn(state["kind"], *_box(state), state["seed"] + 1000)
    return results(*found.T)


def numbers(state: State) -> Scene:
    """The coarse runs; once locked in, the box, the fine runs inside it, and what they gained."""
    coarse = _coarse(state)
    if not state["locked"]:
        plane = _plane("nine coarse runs", coarse, state["axes"], _LOW, _HIGH)
        line = f"{_distinct(coarse)} Best {_best(coarse):.3f}, median {_median(coarse):.3f} of {RUNS} coarse runs."
        return Scene((plane,), line, height=310)
    fine, (low, high) = _fine(state), _box(state)
    handle = Handle(
        "lr", "The finer range: learning rate and penalty",
        places(_shown(_RATES, state["axes"])), places(_shown(_STRENGTHS, state["axes"])),
        _RATES.index(state["lr"]), "reg", _STRENGTHS.index(state["reg"]),
    )  # fmt: skip
    pairs = [_shown(10 ** np.array(pair), state["axes"]) for pair in zip(low, high, strict=True)]
    corners = tuple(float(v) for pair in pairs for v in pair)
    stages = {"coarse": coarse, "fine": fine}
    gained = tuple(Series(name, _f32(np.array([_best(runs), _median(runs)]))) for name, runs in stages.items())
    panels = (
        _plane("nine coarse runs", coarse, state["axes"], _LOW, _HIGH, corners, (handle,)),
        _plane("nine runs in the box", fine, "log", low, high, legend=False),
        Bars("accuracy", ("best", "median"), gained, 0, 1),
    )
    saved, stopped = coarse.saved + fine.saved, [int(runs.stopped.sum()) for runs in (coarse, fine)]
    line = (
        f"{_distinct(coarse)} Coarse: best {_best(coarse):.3f}, median {_median(coarse):.3f}; in the box: best "
        f"{_best(fine):.3f}, median {_median(fine):.3f}. Kill switch (cost above 3 × the first): {stopped[0]} "
        f"coarse and {stopped[1]} fine runs stopped, {saved:.0f} of {2 * RUNS * _EPOCHS} epochs saved."
    )
    return Scene(panels, line, height=310, weights=(1.6, 1.4, 1.0))


def _distinct(runs: Runs) -> str:
    number = len(np.unique(runs.lr.round(9)))
    return f"{RUNS} runs, {number} different learning rates."


def _best(runs: Runs) -> float:
    return float(runs.accuracy.max())


def _median(runs: Runs) -> float:
    return float(np.median(runs.accuracy))


def _shown(values: Any, axes: str) -> Floats:
    """Values as they lie on the axes."""
    found: Floats = np.log10(values) if axes == "log" else np.asarray(values, np.float64)
    return found


def _plane(
    title: str,
    runs: Runs,
    axes: str,
    low: Floats,
    high: Floats,
    box: tuple[float, ...] = (),
    handles: tuple[Handle, ...] = (),
    legend: bool = True,
) -> Plane:
    x, y = _shown(runs.lr, axes), _shown(runs.reg, axes)
    good, fair = runs.accuracy >= _GOOD, (runs.accuracy >= _FAIR) & (runs.accuracy < _GOOD)
    kinds = [
        (f"{_GOOD:g} or more", "stars", 2, good & ~runs.stopped),
        (f"{_FAIR:g} or more", "dots", 0, fair & ~runs.stopped),
        ("less", "rings", 4, (runs.accuracy < _FAIR) & ~runs.stopped),
        ("stopped", "crosses", 1, runs.stopped),
    ]
    if not legend:
        kinds = [("", *kind[1:]) for kind in kinds]
    curves = [Curve(name, _f32(x[which]), _f32(y[which]), sign, colour) for name, sign, colour, which in kinds]
    curves += [Curve("", _f32(x), _f32(y), "rug-x", 3), Curve("", _f32(x), _f32(y), "rug-y", 3)]
    axis = _log_axis if axes == "log" else _linear_axis
    both = axis("learning rate", low[0], high[0]), axis("penalty λ", low[1], high[1])
    return Plane(title, tuple(curves), *both, box=box, handles=handles)


def _log_axis(label: str, low: float, high: float) -> Axis:
    ticks = decades(math.ceil(low - 0.05), math.floor(high + 0.05))
    return Axis(float(low) - 0.12, float(high) + 0.12, label, ticks)


def _linear_axis(label: str, low: float, high: float) -> Axis:
    return Axis(-0.03 * 10**high, 1.03 * 10**high, label)


def _f32(values: Floats) -> NDArray[np.float32]:
    return values.astype(np.float32)


OPTIONS: Mapping[str, str] = {
    "both": "both of them, clearly",
    "best": "mainly the best run",
    "median": "mainly the median run",
    "neither": "neither: nine runs are too few",
}


@functools.cache
def gains(kind: str = "random", repetitions: int = 200) -> tuple[float, float]:
    """Mean gain of the best and of the median, from nine runs in the whole range to nine in a box around their best."""
    found = []
    for seed in range(repetitions):
        points = drawn(kind, _LOW, _HIGH, seed)
        coarse = results(*(10**points).T)
        centre = points[coarse.accuracy.argmax()]
        low, high = np.maximum(_LOW, centre - _HALF), np.minimum(_HIGH, centre + _HALF)
        fine = results(*(10 ** drawn(kind, low, high, seed + 1000)).T)
        found.append((_best(fine) - _best(coarse), _median(fine) - _median(coarse)))
    best, median = np.mean(found, axis=0)
    return float(best), float(median)


@functools.cache
def _right() -> str:
    best, median = (gain > 0.05 for gain in gains())
    return {(True, True): "both", (True, False): "best", (False, True): "median"}.get((best, median), "neither")


_WHY: Mapping[str, str] = {
    "both": "The best of nine wide draws is near the top already, and near the top the curve is flat",
    "best": "The best of nine wide draws is near the top already; what the box removes are the bad runs",
    "median": "The box removes the bad runs, and the top is flat",
    "neither": "Nine are enough to leave out the quarter of the range where nothing is learned",
}


def explain(answer: Any, state: State) -> str:
    """What was said, what it is, why; then the box as it stands."""
    best, median = gains()
    verdict = "Indeed" if answer == _right() else f"It is {OPTIONS[_right()]}"
    return (
        f"You said: {OPTIONS[answer]}. {verdict}: over 200 draws of nine random runs, a box around the best one gains "
        f"{best:.3f} for the best run and {median:.3f} for the median. {_WHY[answer]}. {_now(state)}"
    )


def _now(state: State) -> str:
    coarse, fine = _coarse(state), _fine(state)
    inside = _box(state)
    top = np.log10([coarse.lr[coarse.accuracy.argmax()], coarse.reg[coarse.accuracy.argmax()]])
    if state["axes"] == "linear":
        top = 0.1 * 10 ** _HIGH[0]
        small = int((coarse.lr < top).sum())
        few = "none" if small == 0 else f"only {small}"
        fall = "falls" if small == 1 else "fall"
        return f"On linear axes {few} of {RUNS} learning rates {fall} into the lower three of the four decades."
    if _best(fine) < _best(coarse) - 0.02:
        return "Now your box misses the good region: its best run is worse than the best coarse one."
    if not ((inside[0] <= top).all() and (top <= inside[1]).all()):
        return "Now the best coarse run lies outside your box."
    best, median = _best(fine) - _best(coarse), _median(fine) - _median(coarse)
    return f"Now the best gains {_signed(best)} and the median {_signed(median)}."


def _signed(value: float) -> str:
    return f"{value:z.3f}".replace("-", "−")


_RATES = tuple(float(f"{10**e:.2g}") for e in steps(-3.5, 0.5, 0.25))
_STRENGTHS = tuple(float(f"{10**e:.2g}") for e in steps(-5, 0, 0.5))

DESIGN = Design(
    name="coarse-to-fine",
    title="Coarse to fine",
    controls=(
        Slider("lr", "Box: learning rate", _RATES, _RATES[2]),
        Slider("reg", "Box: penalty λ", _STRENGTHS, _STRENGTHS[8]),
        Choice("kind", "Nine runs", {"random": "at random", "grid": "on a 3 × 3 grid"}, "random"),
        Choice("axes", "Drawn evenly on", {"log": "logarithmic axes", "linear": "linear axes"}, "log"),
        Seed(label="Draw again"),
    ),
    prediction=Pick(
        "Nine random settings were trained. Nine more follow in a smaller box around the best one. What gets better?",
        OPTIONS,
        "Now drag the box to where the best runs are; then try the grid, look at the marks along the axes, and try "
        "linear axes.",
    ),
    numbers=numbers,
    explain=explain,
    right=lambda answer, state: answer == _right(),
)


def coarse_to_fine(fresh: bool = False) -> Explorer:
    """Show a coarse search, a finer one in a box that can be dragged, and what stopping exploded runs saves.

    Args:
        fresh: forget the prediction that was locked in before.
    """
    return show_widget(DESIGN, fresh)
