"""Running statistics: an exponential average follows a jump in the data, and an evaluation comes too early."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.widgets.controls import Seed, Slider, steps
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Estimate
from course_lib.widgets.scene import Handle, Lines, Mark, Scene, Series, places

__all__ = ["DESIGN", "follow", "numbers", "running_statistics", "steps_to_cover"]

BEFORE, AFTER = 20, 100
"""Training steps shown before and after the jump."""
STD = 1.0
EVALUATED = steps(0, AFTER, 1)
"""Steps after which the network can be evaluated."""
_ASKED_MOMENTUM, _SHARE = 0.1, 0.9


def steps_to_cover(share: float, momentum: float) -> int:
    """The first number of updates after which an exponential average has covered a share of a jump.

    After n updates (1 - momentum) ** n of the jump is left.
    """
    return 1 if momentum >= 1 else math.ceil(math.log(1 - share) / math.log(1 - momentum))


def follow(means: NDArray[np.float64], momentum: float, start: float) -> NDArray[np.float64]:
    """The running mean after each update, momentum being the weight of the new value, as in PyTorch.

    Args:
        means: (steps,), mean of each batch.
        momentum: in (0, 1].
        start: the running mean before the first update.
    """
    running, found = start, np.empty_like(means)
    for i, mean in enumerate(means):
        running = (1 - momentum) * running + momentum * mean
        found[i] = running
    return found


def _simulated(state: State) -> tuple[NDArray[np.float64], ...]:
    """Step, true mean, mean of each batch, running mean; (BEFORE + AFTER,) each."""
    step = np.arange(-BEFORE + 1, AFTER + 1, dtype=np.float64)
    true = np.where(step > 0, state["jump"], 0.0)
    noise = np.random.default_rng(state["seed"]).standard_normal(len(step))
    means = true + STD * noise / math.sqrt(state["batch"])
    return step, true, means, follow(means, state["momentum"], 0.0)


def numbers(state: State) -> Scene:
    """Batch means and their running mean around a jump of the data's true mean."""
    step, true, means, running = _simulated(state)
    early = int(state["eval"])
    trained = step <= early
    series: tuple[Series, ...] = (
        Series("mean of a batch", np.where(trained, means, np.nan).astype(np.float32), "dots"),
        Series("true mean", true.astype(np.float32), "dashed"),
        Series("running mean", np.where(trained, running, np.nan).astype(np.float32)),
    )
    if state["locked"]:
        series += (Series("if training went on", np.where(trained, np.nan, running).astype(np.float32), "dashed"),)
    got = float(running[BEFORE - 1 + early])
    share = (
        f", {100 * got / state['jump']:.0f}% of the jump (without noise {100 * _covered(state, early):.0f}%)"
        if state["jump"]
        else ""
    )
    need = steps_to_cover(_SHARE, state["momentum"])
    marks: tuple[Mark, ...] = (Mark(float(early), f"eval at step {early}"),)
    known = ""
    if state["locked"]:  # before, it would give the answer away
        marks += (Mark(float(need), f"90% after {need}"),)
        if state.get("answer") is not None:
            marks += (Mark(float(state["answer"]), f"you said {state['answer']:g}"),)
        known = f"90% of a jump takes {_steps(need)}. "
    line = (
        f"Momentum {state['momentum']:g}. {known}Evaluated after {_steps(early)}, "
        f"the running mean is {_signed(got)}{share}; in evaluation every y is off by "
        f"γ · {_signed((state['jump'] - got) / STD)}."
    )
    handle = Handle("eval", "Step after which the network is evaluated", places(EVALUATED), now=early)
    x, title = step.astype(np.float32), "running mean after a jump in the data"
    panel = Lines(title, x, series, -2, 6.5, "training step", marks, handles=(handle,))
    return Scene((panel,), line, height=270)


def _steps(number: int) -> str:
    return "1 step" if number == 1 else f"{number} steps"


def _covered(state: State, steps_done: int) -> float:
    return 1.0 - float((1 - state["momentum"]) ** steps_done)


def _signed(value: float) -> str:
    return f"{value:z.2f}".replace("-", "−")


def right(answer: Any, state: State) -> bool:
    """Whether the number of steps is right, or next to it."""
    return bool(abs(answer - steps_to_cover(_SHARE, _ASKED_MOMENTUM)) <= 1)


def explain(answer: Any, state: State) -> str:
    """What was said, what it is, why."""
    right = steps_to_cover(_SHARE, _ASKED_MOMENTUM)
    said = f"It is {right}, as you said" if answer == right else f"You said {answer:g}, it is {right}"
    left = (1 - _ASKED_MOMENTUM) ** right
    now = steps_to_cover(_SHARE, state["momentum"])
    noise = math.sqrt(state["momentum"] / (2 - state["momentum"]))
    return (
        f"{said}: each step leaves {1 - _ASKED_MOMENTUM:g} of the distance, "
        f"and {1 - _ASKED_MOMENTUM:g} to the power {right} = {left:.3f} is the first below {1 - _SHARE:.1f}. "
        f"{_slip(answer)}"
        f"With momentum {state['momentum']:g} it takes {_steps(now)}, and the running mean keeps {noise:.2f} "
        "of the noise of a batch mean: it cannot be fast and smooth at once."
    )


def _slip(answer: float) -> str:
    """What leads to a wrong answer, where that can be told."""
    if answer in (1, 2):
        return "In PyTorch the momentum is the weight of the new batch, not that of the old mean. "
    if answer in (round(_SHARE / _ASKED_MOMENTUM), round(1 / _ASKED_MOMENTUM)):
        return "A step covers a tenth of what is left, not a tenth of the whole jump. "
    return ""


DESIGN = Design(
    name="running-statistics",
    title="Running statistics follow the data, late",
    controls=(
        Slider("momentum", "Momentum", (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0), 0.1),
        Slider("jump", "Jump of the true mean", steps(0, 5, 0.5), 4.0),
        Slider("eval", "Evaluate after step", EVALUATED, 5.0),
        Slider("batch", "Batch size", tuple(float(2**k) for k in range(0, 9)), 16.0),
        Seed(label="Other batches"),
    ),
    prediction=Estimate(
        f"The true mean of the data jumps. With momentum {_ASKED_MOMENTUM:g}, after how many training steps has the "
        f"running mean covered {100 * _SHARE:.0f}% of the jump?",
        "steps",
        0,
        10_000,
        "Now move the momentum, and the step at which the network is evaluated.",
        "step",
    ),
    numbers=numbers,
    explain=explain,
    right=right,
)


def running_statistics(fresh: bool = False) -> Explorer:
    """Show how a running mean follows a jump in the data, and what an early evaluation costs.

    Args:
        fresh: forget the prediction that was locked in before.
    """
    return show_widget(DESIGN, fresh)
