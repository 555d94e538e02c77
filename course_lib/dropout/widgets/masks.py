"""Every dropout mask of the lecture's neuron, its probability, and three ways to the mean output."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.widgets.controls import Choice, Seed, Slider, steps
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Estimate
from course_lib.widgets.scene import Bars, Lines, Scene, Series

__all__ = ["DESIGN", "Masks", "all_masks", "numbers", "weigh"]

FIRST, SECOND = 6.0, 4.0
"""w1 * x, which stays, and the w2 * y of the question."""
SAMPLES = 300
_ASKED_P = 0.8
_NAMES = ("none", "only y", "only x", "both")


@dataclass(frozen=True)
class Masks:
    """All masks of a neuron with two inputs, (4,) each, in the order of `_NAMES`.

    Attributes:
        probability: of each mask.
        output: of the neuron under each mask.
        mean: of the output, exact.
        scaled: the output in one pass, with both inputs multiplied by the probability of keeping.
    """

    probability: NDArray[np.float64]
    output: NDArray[np.float64]
    mean: float
    scaled: float


def weigh(first: float, second: float, p_keep: float, relu: bool) -> Masks:
    """Weigh the outputs of all masks (Srivastava et al. 2014, section 4).

    Args:
        first: weight times input, of the first input.
        second: the same of the second input.
        p_keep: probability of keeping an input.
        relu: whether a ReLU follows.
    """
    masks = np.array(list(itertools.product((0, 1), repeat=2)))
    probability = np.prod(np.where(masks, p_keep, 1 - p_keep), axis=1)
    a = masks @ np.array([first, second])
    output, scaled = (np.maximum(a, 0), max(0.0, p_keep * (first + second))) if relu else (a, p_keep * (first + second))
    return Masks(probability, output, float(probability @ output), scaled)


def _keep(state: State) -> float:
    """The probability of keeping, whichever of the two probabilities the slider stands for."""
    return float(state["p"] if state["meaning"] == "keep" else round(1 - state["p"], 6))


def _weighed(state: State) -> Masks:
    return weigh(FIRST, state["second"], _keep(state), state["after"] == "relu")


def numbers(state: State) -> Scene:
    """The probability of each mask, and the mean of sampled masks closing in on the exact one.

    Before the prediction it shows the neuron of the question, without anything that tells its mean.
    """
    found = _weighed(state)
    hidden = np.float32(1 if state["locked"] else np.nan)
    names = tuple(f"{name}: {_signed(value)}" for name, value in zip(_NAMES, found.output, strict=True))
    known = (Series("p", hidden * found.probability.astype(np.float32)),)
    name = "relu(a)" if state["after"] == "relu" else "a"
    shares = Bars(f"masks: {name} and its probability", names, known, 0, 1)
    drawn = np.random.default_rng(state["seed"]).random((SAMPLES, 2)) < _keep(state)
    sampled = found.output[drawn[:, 0] * 2 + drawn[:, 1]]
    count = np.arange(1, SAMPLES + 1)
    series = (
        Series("mean of sampled masks", hidden * (np.cumsum(sampled) / count).astype(np.float32)),
        Series("exact mean", hidden * np.full(SAMPLES, found.mean, np.float32), "dashed"),
        Series("scaled weights", hidden * np.where(count % 12 == 0, found.scaled, np.nan).astype(np.float32), "dots"),
    )
    means = Lines("three ways to the mean", count.astype(np.float32), series, -2, 13, "sampled masks")
    if not state["locked"]:
        outputs = ", ".join(f"{_signed(value)} with {name}" for name, value in zip(_NAMES, found.output, strict=True))
        line = f"The neuron of the question, p_keep = {_keep(state):g}. Its output: {outputs}."
        return Scene((shares, means), line, height=270, weights=(1.0, 1.2))
    line = (
        f"p_keep = {_keep(state):g}, p_drop = {1 - _keep(state):.3g}: "
        f"the mean of {name} over the four masks is {_signed(found.mean)}, "
        f"scaled weights give {_signed(found.scaled)}, {SAMPLES} sampled masks {_signed(float(sampled.mean()))}."
    )
    return Scene((shares, means), line, height=270, weights=(1.0, 1.2))


def _signed(value: float) -> str:
    return f"{value:z.3g}".replace("-", "−")


def right(answer: Any, state: State) -> bool:
    """Whether the mean is right."""
    return bool(abs(answer - weigh(FIRST, SECOND, _ASKED_P, relu=False).mean) < 1e-9)


def explain(answer: Any, state: State) -> str:
    """What was said, what it is, why."""
    right = weigh(FIRST, SECOND, _ASKED_P, relu=False)
    terms = " + ".join(
        f"{p:.2g} · {value:g}" for p, value in zip(right.probability[::-1], right.output[::-1], strict=True)
    )
    found = _weighed(state)
    gap = found.mean - found.scaled
    if state["after"] == "nothing":
        now = "The neuron is linear: the mean over the masks is p times the full value, for any p."
    elif state["second"] >= 0:
        now = "The ReLU cuts no mask off, so the mean of the outputs is still p times the full value."
    elif abs(gap) < 1e-9:
        now = "At this p only one mask is possible, so there is nothing to average."
    else:
        now = (
            f"With the ReLU the mean is {_signed(found.mean)}, scaled weights give {_signed(found.scaled)}: some masks "
            "are cut off at zero and others are not, so scaling the weights is only approximate."
        )
    return f"You said {_signed(answer)}, it is {_signed(right.mean)}: {terms}. {_slip(answer)}{now}"


def _slip(answer: float) -> str:
    """What leads to a wrong answer, where that can be told."""
    whole = FIRST + SECOND
    cases = 100 * _ASKED_P**2
    slips = {
        whole: f"{whole:g} is the output when nothing is dropped, which happens in {cases:.0f}% of the cases.",
        (1 - _ASKED_P) * whole: f"For that, inputs would be dropped with probability {_ASKED_P:g}.",
        _ASKED_P**2 * whole: "That counts the mask which keeps both inputs, and forgets the two which keep one.",
        whole / 2: "That is the plain average of the four outputs, but the four masks are not equally likely.",
    }
    told = next((text for value, text in slips.items() if abs(answer - value) < 0.005), "")
    return f"{told} " if told else ""


DESIGN = Design(
    name="all-masks",
    title="All four masks of one neuron",
    controls=(
        Slider("p", "p", steps(0.1, 1, 0.1), _ASKED_P),
        Choice(
            "meaning",
            "p is the probability of",
            {"keep": "keeping, p_keep (the lecture)", "drop": "dropping, p_drop (PyTorch)"},
            "keep",
        ),
        Slider("second", "w₂y", steps(-8, 6, 1), SECOND),
        Choice("after", "After the neuron", {"nothing": "nothing", "relu": "a ReLU"}, "nothing"),
        Seed(label="Other samples"),
    ),
    prediction=Estimate(
        f"a = w₁x + w₂y with w₁x = {FIRST:g} and w₂y = {SECOND:g}. Each input is kept with probability {_ASKED_P:g}. "
        "What is the mean of a over the masks?",
        "",
        -100,
        100,
        "Now move p; then read it as PyTorch does; then make w₂y negative and put a ReLU after the neuron.",
    ),
    numbers=numbers,
    explain=explain,
    right=right,
)


def all_masks(fresh: bool = False) -> Explorer:
    """Show every dropout mask of a neuron, and how the mean output comes about.

    Args:
        fresh: forget the prediction that was locked in before.
    """
    return show_widget(DESIGN, fresh)
