"""A linear layer and the batch normalization behind it, fused to one linear layer: when that is exact and when not."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.widgets.controls import Choice, Slider, steps
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Pick
from course_lib.widgets.scene import Bars, Lines, Scene, Series

__all__ = ["DESIGN", "Fusion", "compare", "fuse_it", "numbers"]

WEIGHT, BIAS, BETA, MEAN, EPS = 1.2, 0.5, -0.5, 1.0, 1e-5
_INPUT = np.linspace(-3.0, 3.0, 121)


@dataclass(frozen=True)
class Fusion:
    """Two layers and the one that shall replace them, on the same inputs.

    Attributes:
        two: (n,), output of linear, batchnorm and, if chosen, the ReLU between.
        one: (n,), output of the fused layer, behind the same ReLU.
        weight: of the fused layer.
        bias: of the fused layer.
    """

    two: NDArray[np.float64]
    one: NDArray[np.float64]
    weight: float
    bias: float

    @property
    def difference(self) -> float:
        """The largest difference of the two outputs."""
        return float(np.abs(self.two - self.one).max())


def compare(gamma: float, mean: float, var: float, relu: bool, train: bool) -> Fusion:
    """One unit, linear -> (ReLU) -> batchnorm, against its fusion with the stored statistics.

    Args:
        gamma: scale of the normalization.
        mean: stored mean.
        var: stored variance.
        relu: a ReLU stands between the two layers.
        train: the normalization uses the statistics of this batch instead of the stored ones.
    """
    hidden = WEIGHT * _INPUT + BIAS
    hidden = np.maximum(hidden, 0) if relu else hidden
    used_mean, used_var = (hidden.mean(), hidden.var()) if train else (mean, var)
    two = gamma * (hidden - used_mean) / np.sqrt(used_var + EPS) + BETA
    scale = gamma / np.sqrt(var + EPS)
    weight, bias = WEIGHT * scale, (BIAS - mean) * scale + BETA
    one = weight * _INPUT + bias
    return Fusion(two, np.maximum(one, 0) if relu else one, float(weight), float(bias))


def numbers(state: State) -> Scene:
    """The two outputs over the input, and weight and bias before and after."""
    found = compare(state["gamma"], MEAN, state["var"], state["between"] == "relu", state["mode"] == "train")
    two = Series("linear, batchnorm" if state["between"] == "nothing" else "linear, ReLU, batchnorm", _f32(found.two))
    one = Series("fused" if state["between"] == "nothing" else "fused, ReLU", _f32(found.one), "dashed")
    outputs = Lines("output of one unit", _f32(_INPUT), (two, one), -8, 8, "input")
    before = Series("before", np.array([WEIGHT, BIAS], np.float32))
    after = Series("fused", np.array([found.weight, found.bias], np.float32))
    parameters = Bars("its parameters", ("weight", "bias"), (before, after), -8, 8)
    line = (
        f"W = {WEIGHT:g} becomes W′ = {found.weight:z.2f}, b = {BIAS:g} becomes b′ = {found.bias:z.2f}. "
        f"Largest difference of the outputs: {_size(found.difference)}."
    ).replace("-", "−")
    return Scene((outputs, parameters), line, height=270, weights=(3.0, 2.0))


def _f32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.astype(np.float32)


def _size(difference: float) -> str:
    return f"{difference:.0e} (rounding only)" if difference < 1e-9 else f"{difference:.2f}"


OPTIONS: Mapping[str, str] = {
    "always": "always, since batchnorm is linear",
    "eval": "in eval only, with nothing between the two",
    "eval-relu": "in eval only, even with a ReLU between the two",
    "nothing": "in train and eval, with nothing between the two",
}


def _exact(relu: bool, train: bool) -> bool:
    """Whether fusion is exact for several statistics, not only for lucky ones."""
    return all(compare(1.5, mean, var, relu, train).difference < 1e-9 for mean in (0.0, 1.0) for var in (0.5, 3.0))


@functools.cache
def _right() -> str:
    found = {(relu, train) for relu in (False, True) for train in (False, True) if _exact(relu, train)}
    known = {
        frozenset({(False, False)}): "eval",
        frozenset({(False, False), (True, False)}): "eval-relu",
        frozenset({(False, False), (False, True)}): "nothing",
    }
    return known.get(frozenset(found), "always")


def explain(answer: Any, state: State) -> str:
    """What was said, what it is, why."""
    relu, train = state["between"] == "relu", state["mode"] == "train"
    found = compare(state["gamma"], MEAN, state["var"], relu, train)
    verdict = "That is it" if answer == _right() else f"It is exact {OPTIONS[_right()]}"
    reason = {
        (False, False): "Here both are affine in the input with fixed numbers, and so is their composition.",
        (True, False): "The ReLU comes before batchnorm's shift: a fused layer with a ReLU has its kink elsewhere.",
        (False, True): "In train the mean and variance come from each batch: no fixed weight can follow them.",
        (True, True): "Both spoil it: the ReLU between, and statistics that change with each batch.",
    }[relu, train]
    return (
        f"You said: {OPTIONS[answer]}. {verdict}. {_WHY[answer]}{reason} "
        f"Now the outputs differ by at most {_size(found.difference)}."
    ).replace("e-", "e−")


_WHY = {
    "always": "With stored statistics batchnorm is linear (plus a constant); in train the batch itself decides what is "
    "subtracted and divided. ",
    "eval": "",
    "eval-relu": "You are right about the mode, but a ReLU in between is not linear. ",
    "nothing": "You are right about the ReLU, but in train the statistics change with every batch. ",
}
"""What each answer overlooks."""


DESIGN = Design(
    name="fuse-it",
    title="Fuse it: linear and batchnorm as one layer",
    controls=(
        Choice("between", "Between the two layers", {"nothing": "nothing", "relu": "a ReLU"}, "nothing"),
        Choice("mode", "Mode of batchnorm", {"eval": "eval, stored statistics", "train": "train, this batch"}, "eval"),
        Slider("gamma", "γ", steps(-3, 3, 0.25), 1.5),
        Slider("var", "Stored variance", steps(0.25, 4, 0.25), 2.0),
    ),
    prediction=Pick(
        "A linear layer, then batchnorm. When can one linear layer give exactly the same output?",
        OPTIONS,
        "Now put a ReLU between the layers, then switch to train, and watch the largest difference.",
    ),
    numbers=numbers,
    explain=explain,
    right=lambda answer, state: answer == _right(),
)


def fuse_it(fresh: bool = False) -> Explorer:
    """Show when a linear layer and batchnorm can be fused to one linear layer.

    Args:
        fresh: forget the prediction that was locked in before.
    """
    return show_widget(DESIGN, fresh)
