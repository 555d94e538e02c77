"""Where would you stop? A validation curve that fluctuates, a student who has to decide, and a rule.

The curves were recorded: `scripts/make_stopping_curves.py`.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.widgets.controls import Choice, Seed, Slider, steps
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Placing
from course_lib.widgets.scene import Axis, Bars, Curve, Handle, Mark, Plane, Scene, Series, places

__all__ = [
    "DESIGN",
    "KEPT",
    "Outcome",
    "Run",
    "numbers",
    "race",
    "recorded",
    "right",
    "stopped_by_hand",
    "where_to_stop",
]

_FIRST = 4
"""Epochs that have been trained when the student comes in."""
KEPT: Mapping[str, str] = {"raw": "raw value", "smooth": "smoothed value"}
"""Where the rule keeps the weights."""
_PLACES = steps(_FIRST, 60, 1)
"""Epochs at which one can stop."""
_CLOSE, _PATIENT = 0.02, 10
"""A regret and a number of wasted epochs that are still good."""
_LOW, _HIGH = 0.75, 1.7


@dataclass(frozen=True)
class Run:
    """One recorded training run; index k is after k epochs.

    Attributes:
        validation: (61,), cross-entropy on 300 validation images.
        test: (61,), cross-entropy on 2,000 test images.
    """

    validation: NDArray[np.float64]
    test: NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What came of stopping.

    Attributes:
        stop: epochs that were trained.
        kept: the epoch whose weights were kept.
        regret: test loss of those weights minus the lowest test loss of the whole run.
    """

    stop: int
    kept: int
    regret: float

    @property
    def wasted(self) -> int:
        """Epochs that were trained after the weights that were kept."""
        return self.stop - self.kept


@functools.cache
def recorded() -> tuple[Run, ...]:
    """The recorded runs; they differ in wrong labels, initialization, order of the batches and validation images."""
    data = resources.files("course_lib.regularization").joinpath("data", "stopping_curves.npz").read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        validation, test = found["validation"].astype(np.float64), found["test"].astype(np.float64)
    return tuple(Run(*curves) for curves in zip(validation, test, strict=True))


def _outcome(run: Run, stop: int, kept: int) -> Outcome:
    return Outcome(stop, kept, float(run.test[kept] - run.test.min()))


def stopped_by_hand(run: Run, epoch: int) -> Outcome:
    """Stop after an epoch, and keep the weights with the lowest validation loss until then."""
    return _outcome(run, epoch, int(run.validation[: epoch + 1].argmin()))


@functools.cache
def _weights(beta: float) -> NDArray[np.float64]:
    """Row k has the weights with which epochs 0..k enter their average: powers of beta that add up to one."""
    epochs = np.arange(len(recorded()[0].validation))
    age = np.subtract.outer(epochs, epochs)
    powers = np.where(age >= 0, float(beta) ** np.maximum(age, 0), 0.0)
    found: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return found


def race(run: Run, patience: int, min_delta: float, beta: float, keep: str) -> Outcome:
    """What a rule does on a run.

    Args:
        run: the curves.
        patience: epochs without improvement until it stops.
        min_delta: smaller improvements do not count.
        beta: of the moving average that the rule looks at; 0 for the raw curve.
        keep: "raw" for the weights at the lowest raw validation loss, "smooth" for those at the lowest average.
    """
    seen = _weights(beta) @ run.validation
    stop, last_good = len(seen) - 1, 0
    while last_good < stop:
        better = np.flatnonzero(seen[last_good + 1 : last_good + 1 + patience] < seen[last_good] - min_delta)
        if not better.size:
            stop = min(stop, last_good + patience)
            break
        last_good += 1 + int(better[0])
    curve = run.validation if keep == "raw" else seen
    return _outcome(run, stop, int(curve[: stop + 1].argmin()))


def _ruled(run: Run, state: State) -> Outcome:
    return race(run, int(state["patience"]), state["min_delta"], state["beta"], state["keep"])


def numbers(state: State) -> Scene:
    """The validation curve up to the marker; once locked in, all of it, and how you and the rule fared."""
    run = recorded()[state["seed"] % len(recorded())]
    return _raced(run, state) if state["locked"] else _running(run, int(state["guess"]))


def _plane(title: str, curves: tuple[Curve, ...], marks: tuple[Mark, ...], handles: tuple[Handle, ...] = ()) -> Plane:
    last = len(recorded()[0].validation) - 1
    return Plane(title, curves, Axis(0, last, "epoch"), Axis(_LOW, _HIGH, "loss"), marks, handles=handles)


def _running(run: Run, now: int) -> Scene:
    epoch, lowest = _f32(range(now + 1)), int(run.validation[: now + 1].argmin())
    curves = (
        Curve("validation loss so far", epoch, _f32(run.validation[: now + 1])),
        Curve("lowest so far: these weights would be kept", *_point(run, lowest), style="stars", colour=1),
    )
    handle = Handle("guess", "Train until epoch", places(_PLACES), now=_PLACES.index(now))
    line = (
        f"Epoch {now}: validation loss {run.validation[now]:.2f}. "
        f"The lowest so far is {run.validation[lowest]:.2f}, at epoch {lowest}."
    )
    return Scene((_plane("training is running", curves, (), (handle,)),), line, height=300)


def _f32(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _point(run: Run, epoch: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return _f32([epoch]), _f32([run.validation[epoch]])


def _asked(state: State) -> bool:
    """Whether this is the run that was stopped by hand; on the others the same epoch is tried again."""
    return int(state["seed"]) % len(recorded()) == 0


def _raced(run: Run, state: State) -> Scene:
    you, rule = stopped_by_hand(run, int(state["guess"])), _ruled(run, state)
    never = stopped_by_hand(run, len(run.validation) - 1)
    epoch = _f32(range(len(run.validation)))
    curves = [Curve("validation", epoch, _f32(run.validation)), Curve("test", epoch, _f32(run.test), "line", 2)]
    smoothed = _weights(state["beta"]) @ run.validation
    if state["beta"]:
        curves.append(Curve("smoothed", epoch, _f32(smoothed), "dashed", 3))
    curves.append(
        Curve("you keep" if _asked(state) else "your epoch keeps", *_point(run, you.kept), style="diamonds", colour=4)
    )
    height = smoothed if state["keep"] == "smooth" and state["beta"] else run.validation
    curves.append(Curve("the rule keeps", _f32([rule.kept]), _f32([height[rule.kept]]), "stars", 1))
    yours = f"you stop at {you.stop}" if _asked(state) else f"your epoch, {you.stop}"
    marks = (Mark(you.stop, yours), Mark(rule.stop, f"rule stops at {rule.stop}"))
    title = f"patience {state['patience']:g}, min_delta {state['min_delta']:g}, β {state['beta']:g}"
    names = ("you", "rule", "last")
    regrets = _f32([you.regret, rule.regret, run.test[-1] - run.test.min()])
    wasted = _f32([you.wasted, rule.wasted, never.stop - never.kept])
    panels = (
        _plane(title, tuple(curves), marks),
        Bars("regret", names, (Series("regret", regrets),), 0, 0.6, 3),
        Bars("wasted epochs", names, (Series("wasted epochs", wasted),), 0, 60, 0),
    )
    who = "You" if _asked(state) else "Your epoch again"
    line = (
        f"Run {state['seed'] % len(recorded()) + 1} of {len(recorded())}. {who}: {_told(you)}. "
        f"The {_rule_in_words(state)}: {_told(rule)}. Last epoch: regret {regrets[-1]:.3f}."
    )
    return Scene(panels, line, height=300, weights=(3.0, 1.0, 1.0))


def _rule_in_words(state: State) -> str:
    smoothed = f", β {state['beta']:g}, weights at the lowest {KEPT[state['keep']]}" if state["beta"] else ""
    return f"rule with patience {state['patience']:g}, min_delta {state['min_delta']:g}{smoothed}"


def _told(found: Outcome) -> str:
    return (
        f"stop at epoch {found.stop}, weights of epoch {found.kept}, "
        f"regret {found.regret:.3f}, {_epochs(found.wasted)} wasted"
    )


def _best_found(run: Run, found: Outcome) -> bool:
    """Whether nobody could have known better: the lowest validation loss of the run, or nearly the lowest test loss."""
    return found.kept == int(run.validation.argmin()) or found.regret <= _CLOSE


def right(answer: Any, state: State) -> bool:
    """Whether the weights kept of the first run are good, and were not paid for with too many epochs."""
    return _good(recorded()[0], int(answer))


def _good(run: Run, epoch: int) -> bool:
    found = stopped_by_hand(run, epoch)
    return _best_found(run, found) and found.wasted <= _PATIENT


def explain(answer: Any, state: State) -> str:
    """How the choice did on this run, and why; then the rule."""
    run = recorded()[state["seed"] % len(recorded())]
    you, rule = stopped_by_hand(run, int(answer)), _ruled(run, state)
    said = f"You stopped at epoch {you.stop}."
    if not _asked(state):
        said = f"You stopped the first run at epoch {you.stop}. Now the same epoch on another run."
    return f"{said} {_judged(run, you)} {_rule_judged(run, you, rule, state)}"


def _judged(run: Run, you: Outcome) -> str:
    later = int(run.validation.argmin())
    if not _best_found(run, you):
        return (
            f"That is too early: the curve is only fluctuating, and at epoch {later} it is down to "
            f"{run.validation[later]:.2f}. Your weights have a test loss {you.regret:.3f} above the best of the run."
        )
    if you.wasted > _PATIENT:
        return (
            f"The weights of epoch {you.kept} are good ones, but the {you.wasted} epochs after them are trained in "
            "vain: nothing better comes."
        )
    if you.regret > _CLOSE:
        return (
            f"You have the lowest validation loss of the run. The regret of {you.regret:.3f} is not your fault: 300 "
            "validation images and the test images do not agree on the best epoch."
        )
    return f"You keep the weights of epoch {you.kept}, and no others are much better: their regret is {you.regret:.3f}."


def _rule_judged(run: Run, you: Outcome, rule: Outcome, state: State) -> str:
    raw = stopped_by_hand(run, rule.stop)
    if rule.regret > _CLOSE and state["keep"] == "smooth" and state["beta"] and raw.regret < rule.regret:
        why = f"A moving average lags, so its lowest value comes late; the raw curve points to epoch {raw.kept}."
    elif rule.regret > _CLOSE and not _best_found(run, rule) and state["min_delta"]:
        why = f"The rule ignores improvements smaller than {state['min_delta']:g} and gives up too early."
    elif rule.regret > _CLOSE and not _best_found(run, rule):
        why = f"The rule mistakes a fluctuation for the end, after {_epochs(state['patience'])} without improvement."
    elif rule.wasted > _PATIENT:
        why = f"The rule wastes {rule.wasted} epochs until it is sure."
    elif rule.regret > _CLOSE:
        why = "The rule has the lowest validation loss of the run, and is misled by the 300 images."
    else:
        why = "The rule does well here."
    gap = you.regret - rule.regret
    ahead = "You and the rule keep the same weights." if you.kept == rule.kept else _ahead(gap)
    return f"{why} {ahead}"


def _epochs(number: float) -> str:
    return "1 epoch" if number == 1 else f"{number:g} epochs"


def _ahead(gap: float) -> str:
    if abs(gap) < 0.0005:
        return "Both have equally good weights."
    return f"{'The rule keeps' if gap > 0 else 'You keep'} the better weights, by {abs(gap):.3f}."


DESIGN = Design(
    name="where-to-stop",
    title="Where would you stop?",
    controls=(
        Slider("patience", "Patience, in epochs", (1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 20.0), 1.0),
        Slider("min_delta", "min_delta", (0.0, 0.01, 0.02, 0.05, 0.1), 0.0),
        Slider("beta", "β of the smoothing", (0.0, 0.5, 0.8, 0.9), 0.0),
        Choice("keep", "Keep the weights at the lowest", KEPT, "raw"),
        Seed(label="Another run"),
    ),
    prediction=Placing(
        "A network memorizes 300 images, a fifth of them with wrong labels. Drag the marker to train on, and stop when "
        "you think that nothing better will come. The weights with the lowest validation loss so far are kept; every "
        "epoch after them is wasted. There is no way back.",
        "Train until epoch",
        _PLACES,
        float(_FIRST),
        True,
        "Now raise the patience until the rule does as well; then smooth, and keep the weights at the lowest smoothed "
        "value.",
    ),
    numbers=numbers,
    explain=explain,
    right=right,
)


def where_to_stop(fresh: bool = False) -> Explorer:
    """Show a validation curve while it runs, and how patience, min_delta and smoothing compare with your own choice.

    Args:
        fresh: forget the prediction that was locked in before.
    """
    return show_widget(DESIGN, fresh)
