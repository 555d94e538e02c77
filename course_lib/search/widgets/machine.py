"""Beat the machine: one learning rate after the other, against a search that models what it has seen.

The twenty results of a slice are real runs of the table: validation accuracy after 16 epochs over the learning rate, at
one strength of the penalty and one seed.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.search.table import table
from course_lib.widgets.controls import Choice, Picks, Seed, Slider
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Estimate
from course_lib.widgets.scene import Axis, Curve, Handle, Mark, Plane, Scene, decades, places

__all__ = ["DESIGN", "PICKS", "Slice", "beat_the_machine", "game", "needed", "numbers", "slices"]

PICKS = 10
"""Runs that each player may make, after the two that are given."""
CLOSE = 0.005
"""So near to the best run counts as found."""
_LENGTH, _NOISE = 0.2, 0.1
_FLOOR = 0.5
_STRENGTHS = (5, 1, 8, 3, 7)
"""Places in the table's strengths of the penalty."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Slice:
    """Twenty runs that differ in the learning rate alone.

    Attributes:
        accuracy: (20,) on the validation images.
        start: the two runs that both players know.
    """

    accuracy: Floats
    start: tuple[int, int]

    @property
    def best(self) -> float:
        """The highest accuracy of the twenty."""
        return float(self.accuracy.max())


@functools.cache
def slices() -> tuple[Slice, ...]:
    """Twenty slices of the table: five strengths of the penalty, none of which spoils every run, and every seed."""
    accuracy = table().validation[..., -1]
    rng = np.random.default_rng(0)
    found = [accuracy[:, j, k] for k in range(accuracy.shape[2]) for j in _STRENGTHS]
    return tuple(Slice(line, (int(rng.integers(0, 3)), int(rng.integers(13, 18)))) for line in found)


@functools.cache
def _rates() -> tuple[float, ...]:
    return tuple(float(f"{rate:.2g}") for rate in table().lr)


@functools.cache
def _features() -> Floats:
    """Columns whose products are the prior covariance of the twenty values: (20, 20), from its eigenvectors."""
    place = np.linspace(0, 1, len(_rates()))
    values, vectors = np.linalg.eigh(np.exp(-0.5 * (np.subtract.outer(place, place) / _LENGTH) ** 2))
    found: Floats = vectors * np.sqrt(np.maximum(values, 0))
    return found


def _belief(line: Slice, known: list[int]) -> tuple[Floats, Floats]:
    """What is believed of all twenty runs once some are known: mean and standard deviation, (20,) each.

    Bayesian regression on the features of the prior, which equals a Gaussian process at these twenty places.
    """
    seen = line.accuracy[known]
    centre, spread = seen.mean(), max(float(seen.std()), 0.02)
    rows = _features()[known] / _NOISE
    scale = np.linalg.cholesky(np.eye(rows.shape[1]) + rows.T @ rows)
    half = np.linalg.solve(scale, _features().T)
    mean = half.T @ np.linalg.solve(scale, rows.T @ ((seen - centre) / spread / _NOISE))
    std: Floats = np.sqrt((half**2).sum(axis=0))
    return centre + spread * mean, spread * std


_QUANTILES = np.array([NormalDist().inv_cdf((k + 0.5) / 400) for k in range(400)])


def _gain(line: Slice, known: list[int]) -> Floats:
    """By how much each run is expected to beat the best known one, (20,): a mean over quantiles; 0 for known runs."""
    mean, std = _belief(line, known)
    found = np.maximum(mean[:, None] + std[:, None] * _QUANTILES - line.accuracy[known].max(), 0).mean(axis=1)
    found[known] = 0
    gain: Floats = found
    return gain


def _wish(line: Slice, known: list[int]) -> int:
    """The run with the largest expected improvement; where none is expected, the one known least about."""
    open_ones = [i for i in range(len(line.accuracy)) if i not in known]
    gain, std = _gain(line, known), _belief(line, known)[1]
    return max(open_ones, key=lambda i: (gain[i], std[i]))


@functools.cache
def game(which: int) -> tuple[int, ...]:
    """The machine's runs on a slice: the two given ones, then `PICKS` of its own."""
    line = slices()[which]
    known = list(line.start)
    for _ in range(PICKS):
        known.append(_wish(line, known))
    return tuple(known)


def needed(line: Slice, runs: tuple[int, ...]) -> int | None:
    """After how many picks of its own a player has a run that is close to the best; None if never."""
    close = [k for k, run in enumerate(runs) if line.accuracy[run] >= line.best - CLOSE]
    return max(0, close[0] - len(line.start) + 1) if close else None


def _which(state: State) -> int:
    return int(state["seed"]) % len(slices())


def _yours(state: State) -> tuple[int, ...]:
    line = slices()[_which(state)]
    return (*line.start, *(_rates().index(rate) for rate in state["picks"]))


def numbers(state: State) -> Scene:
    """The runs so far; after a pick what a model made of the runs before it, and both players' best."""
    line = slices()[_which(state)]
    if not state["locked"]:
        runs = _f32([line.accuracy[i] for i in line.start])
        given = Curve("runs that both players know", _f32(_log(line.start)), runs, "dots", 0)
        words = " and ".join(f"{line.accuracy[i]:.2f} at learning rate {_rates()[i]:g}" for i in line.start)
        return Scene((_plane("validation accuracy", (given,), ()),), f"Two runs are known: {words}.", height=290)
    panels = (_searched(line, state), _race(line, state))
    return Scene(panels, _line(line, state), height=290, weights=(1.9, 1.0))


def _f32(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _log(runs: Any) -> Floats:
    return np.log10(table().lr[list(runs)])


def _plane(title: str, curves: tuple[Curve, ...], marks: tuple[Mark, ...], handles: tuple[Handle, ...] = ()) -> Plane:
    low, high = _log((0, -1))
    axis = Axis(float(low) - 0.1, float(high) + 0.1, "learning rate", decades(-3, 0))
    return Plane(title, curves, axis, Axis(0, 0.95), marks, handles=handles)


def _searched(line: Slice, state: State) -> Plane:
    picks, yours, theirs = len(state["picks"]), _yours(state), game(_which(state))
    mine = state["shown"] == "yours"
    runs = list(yours if mine else theirs[: len(yours)])
    now = _rates().index(state["lr"])
    handle = Handle("lr", "Next learning rate; Enter makes the run", places(_log(range(len(_rates())))), now=now)
    curves: list[Curve] = []
    marks: tuple[Mark, ...] = ()
    if picks:
        before = runs[:-1]
        mean, std = _belief(line, before)
        gain, all_x = _gain(line, before), _log(range(len(mean)))
        edge = np.concatenate([np.clip(mean + 2 * std, 0, 1), np.clip(mean - 2 * std, 0, 1)[::-1]])
        curves += [
            Curve("model before this pick, ± 2 std", _f32([*all_x, *all_x[::-1]]), _f32(edge), "area", 5),
            Curve("", _f32(all_x), _f32(mean), "line", 5),
            Curve("expected improvement, scaled", _f32([*all_x, *all_x[::-1]]), _humps(gain), "area", 3),
        ]
        wish = _wish(line, before)
        took = "the machine would take" if mine else "the machine took"
        marks = (Mark(float(_log([wish])[0]), f"{took} {_rates()[wish]:g}"),)
    if picks == PICKS:
        curves.append(Curve("all twenty runs", _f32(_log(range(20))), _f32(line.accuracy), "faint"))
    old, new = (runs[:-1], runs[-1:]) if picks else (runs, [])
    curves.append(Curve("runs so far", _f32(_log(old)), _f32(line.accuracy[old]), "dots", 0))
    if new:
        curves.append(Curve("the last pick", _f32(_log(new)), _f32(line.accuracy[new]), "stars", 1))
    title = "your runs" if mine else "the machine's runs"
    marks += (Mark(float(handle.x[now]), f"next: {state['lr']:g}"),)
    return _plane(title, tuple(curves), marks, (handle,))


def _humps(gain: Floats) -> NDArray[np.float32]:
    """Expected improvements at the bottom of the picture, the largest a fifth of its height; closed along the axis."""
    top = 0.18 * gain / gain.max() if gain.max() > 0 else gain
    return _f32([*top, *np.zeros(len(top))])


def _race(line: Slice, state: State) -> Plane:
    yours, theirs = _yours(state), game(_which(state))[: len(_yours(state))]
    curves = []
    players = ("you", yours, "line", 1, "diamonds"), ("machine", theirs, "dashed", 0, "rings")
    for label, runs, style, colour, sign in players:
        best = np.maximum(_FLOOR, np.maximum.accumulate(line.accuracy[list(runs)])[len(line.start) - 1 :])
        curves += [
            Curve(label, _f32(range(len(best))), _f32(best), style, colour),
            Curve("", _f32(range(len(best))), _f32(best), sign, colour),
        ]
    ticks = (Mark(_FLOOR, "≤0.5"), *(Mark(v, f"{v:g}") for v in (0.55, 0.6, 0.65, 0.7, 0.75, 0.8)))
    return Plane("best so far", tuple(curves), Axis(0, PICKS, "picks"), Axis(_FLOOR, 0.81, "", ticks))


def _line(line: Slice, state: State) -> str:
    yours, theirs = _yours(state), game(_which(state))[: len(_yours(state))]
    mine, its = (float(line.accuracy[list(runs)].max()) for runs in (yours, theirs))
    picks = len(state["picks"])
    where = f"Slice {_which(state) + 1} of {len(slices())}, next: {state['lr']:g}."
    if not picks:
        return f"{where} Drag the line to a learning rate and press Run it. Best of the two known runs: {mine:.3f}."
    end = f" The best of the twenty is {line.best:.3f}." if picks == PICKS else ""
    whose = "Shown: your runs." if state["shown"] == "yours" else "Shown: the machine's runs."
    return f"{where} After {_picks(picks)}: you {mine:.3f}, the machine {its:.3f}.{end} {whose}"


def _picks(number: int) -> str:
    return "1 pick" if number == 1 else f"{number} picks"


@functools.cache
def _means() -> tuple[float, float]:
    """Mean number of picks over all slices until a run is close to the best: the machine's, and of blind choice."""
    counts = [needed(line, game(k)) for k, line in enumerate(slices())]
    found = np.array([PICKS if n is None else n for n in counts])
    return float(found.mean()), float(np.mean([_by_chance(line) for line in slices()]))


def _by_chance(line: Slice) -> float:
    """Mean number of picks until blind choice among the other eighteen runs is close to the best."""
    close = line.accuracy >= line.best - CLOSE
    others = len(close) - len(line.start)
    return 0.0 if close[list(line.start)].any() else (others + 1) / (int(close.sum()) + 1)


def right(answer: Any, state: State) -> bool:
    """Whether the number of picks is right, or next to it."""
    return bool(abs(answer - _means()[0]) <= 1)


def explain(answer: Any, state: State) -> str:
    """What was said, what it is, why; then how the game stands."""
    machine, blind = _means()
    if right(answer, state):
        why = "The first picks go where nothing is known yet, the next ones to the top"
    elif answer > machine:
        why = "Two or three runs already rule out most of the axis: the curve is smooth, and the model knows it"
    else:
        why = "The first picks are spent on learning where the curve is high"
    return (
        f"You said {answer:g}, it is {machine:.1f} on average. {why}. Choosing blindly takes {blind:.1f}. "
        f"{_standing(slices()[_which(state)], state)}"
    ).rstrip()


def _standing(line: Slice, state: State) -> str:
    yours, theirs = _yours(state), game(_which(state))[: len(_yours(state))]
    if not state["picks"]:
        return ""  # the line below says whose turn it is
    mine, its = needed(line, yours), needed(line, theirs)
    gap = float(line.accuracy[list(yours)].max() - line.accuracy[list(theirs)].max())
    if len(state["picks"]) < PICKS:
        ahead = "You are level" if gap == 0 else f"{'You are' if gap > 0 else 'The machine is'} ahead by {abs(gap):.3f}"
        return f"{ahead}."
    told = ["not yet" if n is None else f"after {_picks(n)}" for n in (mine, its)]
    return f"Within {CLOSE:g} of the best run: you {told[0]}, the machine {told[1]}."


_RATES = tuple(float(f"{10 ** (-3.5 + 4 * k / 19):.2g}") for k in range(20))
"""The learning rates of the table, as the slider shows them; written out, so that importing this reads no file."""

DESIGN = Design(
    name="beat-the-machine",
    title="Beat the machine",
    controls=(
        Slider("lr", "Next learning rate", _RATES, _RATES[10]),
        Picks("picks", "Run it", "lr", _RATES, PICKS),
        Choice("shown", "Show", {"yours": "your runs and the model", "machine": "the machine's runs"}, "yours"),
        Seed(label="Another slice"),
    ),
    prediction=Estimate(
        "Of twenty learning rates two have been run. A machine picks the next one where its model of the curve expects "
        "the largest improvement. How many picks does it need, on average over twenty such curves, until one is "
        f"within {CLOSE:g} of the best?",
        "picks",
        0,
        18,
        "Now it is your turn: drag the line to a learning rate, run it, and look where the machine would have gone.",
        "pick",
    ),
    numbers=numbers,
    explain=explain,
    right=right,
)


def beat_the_machine(fresh: bool = False) -> Explorer:
    """Search a slice of the table of runs by hand, against Bayesian optimization.

    Args:
        fresh: forget the prediction that was locked in before.
    """
    return show_widget(DESIGN, fresh)
