"""Two ways to stay small: gradient descent that is stopped, and ridge regression, on one quadratic with two weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.widgets.controls import Choice, Slider
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Pick
from course_lib.widgets.scene import Axis, Bars, Curve, Handle, Mark, Plane, Scene, Series, decades, places

__all__ = ["DESIGN", "RATE", "STEPS", "STRENGTHS", "numbers", "two_ways_to_stay_small"]

RATE = 0.001
"""The learning rate: so small that the steps follow the gradient flow."""
# The reciprocals of these are again such numbers, so that every number of steps has its lambda = 1 / (RATE * steps).
_ROUND = (1.0, 1.25, 2.0, 2.5, 4.0, 5.0, 8.0)
STEPS = (*(round(r * 10**k) for k in range(2, 6) for r in _ROUND), 10**6)
STRENGTHS = tuple(float(f"{1 / (RATE * t):.6g}") for t in STEPS)
"""The lambda that belongs to each number of steps."""
_CONDITIONS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_ASKED = 10.0
_CURVATURES = np.logspace(-3, 0.5, 141)
_LEVELS = (0.01, 0.05, 0.15, 0.3, 0.55, 0.9)

Floats = NDArray[np.float64]


def _reached(curvature: Floats, steps: float | Floats, lam: float | Floats) -> tuple[Floats, Floats]:
    """The share of the least-squares weight that each of the two ways reaches, one after `steps`, one with `lam`.

    Args:
        curvature: eigenvalues of the Hessian, of a shape that goes with those of steps and lam.
        steps: of gradient descent from zero, with the learning rate `RATE`.
        lam: strength of the penalty lam / 2 * |w|^2.
    """
    return -np.expm1(steps * np.log1p(-RATE * curvature)), 1 / (1 + lam / curvature)


def _lam(state: State) -> float:
    return float(STRENGTHS[STEPS.index(state["steps"])] if state["tie"] == "tied" else state["lam"])


def numbers(state: State) -> Scene:
    """Contours and the least-squares solution; once locked in, both paths to it and both factors over the curvature."""
    curvature = np.array([1.0, 1.0 / state["condition"]])
    if not state["locked"]:
        spectrum = Bars("curvature along each weight", ("w₁", "w₂"), (Series("h", _f32(curvature)),), 0, 1.1)
        line = (
            f"Curvature 1 along w₁, {curvature[1]:g} along w₂. Least squares puts both weights at 1; both start at 0."
        )
        return Scene((_contours(curvature, (), ()), spectrum), line, height=310, weights=(3.0, 2.0))
    stopped, ridge = _reached(curvature, state["steps"], _lam(state))
    panels = (_paths(curvature, state), _factors(curvature, state))
    settled = {"lam": _lam(state)} if state["tie"] == "tied" else {}
    return Scene(panels, _line(stopped, ridge, state), height=310, settled=settled)


def _line(stopped: Floats, ridge: Floats, state: State) -> str:
    return (
        f"{int(state['steps']):,} steps (α t = {RATE * state['steps']:g}) reach {_percent(stopped)} of w₁ and w₂; "
        f"λ = {_lam(state):g} leaves {_percent(ridge)}. "
        f"At the same curvature the two factors differ by at most {_gap(state):.3f}."
    )


def _percent(share: Floats) -> str:
    return " and ".join(f"{100 * s:.3g}%" for s in share)


def _gap(state: State) -> float:
    """The largest difference of the two factors, over all curvatures in the picture."""
    stopped, ridge = _reached(_CURVATURES, state["steps"], _lam(state))
    return float(np.abs(stopped - ridge).max())


def _f32(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _contours(curvature: Floats, more: tuple[Curve, ...], handles: tuple[Handle, ...]) -> Plane:
    angle = np.linspace(0, 2 * np.pi, 121)
    ellipses = []
    for level in _LEVELS:
        x, y = (1 + np.sqrt(2 * level / h) * f(angle) for h, f in zip(curvature, (np.cos, np.sin), strict=True))
        ellipses.append(Curve("", _f32(x), _f32(y), "faint"))
    fixed = (
        Curve("least squares", _f32([1]), _f32([1]), "stars", 2),
        Curve("start", _f32([0]), _f32([0]), "crosses", 6),
    )
    axes = Axis(-0.15, 1.25, "w₁, the steep one"), Axis(-0.15, 1.25, "w₂, the flat one")
    return Plane("loss over two weights", (*ellipses, *fixed, *more), *axes, handles=handles)


def _paths(curvature: Floats, state: State) -> Plane:
    by_steps, by_strength = _reached(curvature[:, None], np.array(STEPS, float), np.array(STRENGTHS))
    fine = np.logspace(0, 7, 300)  # the handles' places alone would give corners
    descent, penalty = _reached(curvature[:, None], fine, 1 / (RATE * fine))
    curves = [
        Curve("gradient descent", _f32(descent[0]), _f32(descent[1])),
        Curve("ridge", _f32(penalty[0]), _f32(penalty[1]), "dashed", 1),
    ]
    if state.get("answer") in _GUESSES:
        x, y = _GUESSES[state["answer"]]
        curves.append(Curve("you said", _f32([x]), _f32([y]), "diamonds", 4))
    at = STEPS.index(state["steps"])
    handles = [
        Handle("steps", "Steps of gradient descent, along its path", places(by_steps[0]), places(by_steps[1]), at)
    ]
    if state["tie"] == "free":
        now = STRENGTHS.index(state["lam"])
        both = places(by_strength[0]), places(by_strength[1])
        handles.append(Handle("lam", "λ of ridge, along its path", *both, now, colour=1))
    else:
        curves.append(Curve("", _f32([by_strength[0, at]]), _f32([by_strength[1, at]]), "rings", 1))
    return _contours(curvature, tuple(curves), tuple(handles))


def _factors(curvature: Floats, state: State) -> Plane:
    over, at = np.log10(_CURVATURES), np.log10(curvature)
    curves = []
    for label, style, colour, all_h, both in zip(
        ("gradient descent, stopped", "ridge"),
        ("line", "dashed"),
        (0, 1),
        _reached(_CURVATURES, state["steps"], _lam(state)),
        _reached(curvature, state["steps"], _lam(state)),
        strict=True,
    ):
        curves += [
            Curve(label, _f32(over), _f32(all_h), style, colour),
            Curve("", _f32(at), _f32(both), "dots" if colour == 0 else "rings", colour),
        ]
    marks = (Mark(float(at[0]), "w₁"), *((Mark(float(at[1]), "w₂"),) if state["condition"] != 1 else ()))
    axis = Axis(-3, 0.5, "curvature h", decades(-3, 0))
    return Plane("share of the least-squares weight", tuple(curves), axis, Axis(0, 1.02), marks)


OPTIONS: Mapping[str, str] = {
    "steep": "w₁, the steep one, both times",
    "flat": "w₂, the flat one, both times",
    "apart": "w₂ if training is stopped early; with the penalty both by the same factor",
    "same": "both by the same factor, both times",
}
_GUESSES: Mapping[str, tuple[float, float]] = {
    "steep": (0.35, 0.8),
    "flat": (0.8, 0.35),
    "apart": (0.6, 0.6),
    "same": (0.6, 0.6),
}
"""A place in the picture that fits each answer."""

_REASONS: Mapping[str, str] = {
    "steep": "Along w₁ the gradient is large, so descent fits it first; and shrinking it costs the most loss.",
    "flat": "Along w₂ the gradient is small: descent has not come far yet, and giving up w₂ costs little loss.",
    "apart": "The penalty's own pull is the same factor for both, but the loss pulls back, and much less along w₂.",
    "same": "A single step of decay multiplies both alike, but the loss pulls back, and much less along w₂.",
}


def explain(answer: Any, state: State) -> str:
    """What was said, what it is, why; then the two ways as they stand."""
    curvature = np.array([1.0, 1 / state["condition"]])
    stopped, ridge = _reached(curvature, state["steps"], _lam(state))
    verdict = "" if answer == "flat" else f" It is {OPTIONS['flat']}."
    if state["condition"] == 1:
        now = "Now both curvatures are equal, and so are the factors: shrinking alike needs equal curvatures."
    elif state["tie"] == "tied":
        now = (
            f"With λ = 1 / (α t) the two ways nearly agree: w₂ is at {stopped[1]:.2f} and {ridge[1]:.2f}, w₁ at "
            f"{stopped[0]:.2f} and {ridge[0]:.2f}, and at no curvature in the picture are they more than "
            f"{_gap(state):.3f} apart. Whatever the curvature and the number of steps, it is never more than 0.204."
        )
    else:
        now = (
            f"Now w₂ is at {stopped[1]:.2f} (stopped) and {ridge[1]:.2f} (ridge), "
            f"w₁ at {stopped[0]:.2f} and {ridge[0]:.2f}."
        )
    return f"You said: {OPTIONS[answer]}.{verdict} {_REASONS[answer]} {now}"


DESIGN = Design(
    name="two-ways-to-stay-small",
    title="Two ways to stay small",
    controls=(
        Slider("steps", "Steps t", tuple(float(t) for t in STEPS), 1000.0),
        Slider("lam", "λ", STRENGTHS, 4.0),
        Choice("tie", "λ and the steps", {"free": "each on its own", "tied": "λ follows: 1 / (α t)"}, "free"),
        Slider("condition", "Condition number", _CONDITIONS, _ASKED),
    ),
    prediction=Pick(
        f"The loss is curved {_ASKED:g} times as much along w₁ as along w₂. Gradient descent from 0 is stopped early, "
        "or a penalty λ/2 · |w|² is added to the loss. Which weight stays further below its least-squares value?",
        OPTIONS,
        "Now drag the two points along their paths; then tie λ to the steps.",
    ),
    numbers=numbers,
    explain=explain,
    right=lambda answer, state: answer == "flat",
)


def two_ways_to_stay_small(fresh: bool = False) -> Explorer:
    """Show early stopping and ridge regression on one quadratic: two paths, and two factors over the curvature.

    Args:
        fresh: forget the prediction that was locked in before.
    """
    return show_widget(DESIGN, fresh)
