"""What a student can move: declarations, from which the browser makes labeled HTML inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Choice", "Control", "Picks", "Seed", "Slider", "Votes", "clean", "defaults", "described", "steps"]


@dataclass(frozen=True)
class Slider:
    """A slider over a list of values.

    Attributes:
        name: key in the state.
        label: what it is, in words, with its unit.
        values: what it can be, in order.
        start: where it stands first; one of `values`.
    """

    name: str
    label: str
    values: tuple[float, ...]
    start: float

    def allows(self, value: Any) -> bool:
        """Whether this is one of the values."""
        return isinstance(value, int | float) and not isinstance(value, bool) and value in self.values


@dataclass(frozen=True)
class Choice:
    """A list to choose from.

    Attributes:
        name: key in the state.
        label: what is chosen.
        options: key -> what the student reads.
        start: key of the first choice.
    """

    name: str
    label: str
    options: Mapping[str, str]
    start: str

    def allows(self, value: Any) -> bool:
        """Whether this is the key of an option."""
        return isinstance(value, str) and value in self.options


@dataclass(frozen=True)
class Seed:
    """A button that draws the random numbers anew, and shows the seed.

    Attributes:
        name: key in the state.
        label: what is drawn.
        start: the first seed.
        count: how many there are; after the last comes 0 again.
    """

    name: str = "seed"
    label: str = "Draw again"
    start: int = 0
    count: int = 2**31

    def allows(self, value: Any) -> bool:
        """Whether this is a seed."""
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < self.count


@dataclass(frozen=True)
class Picks:
    """A button that takes the value at which a slider stands, and adds it to a list: one guess after the other.

    Attributes:
        name: key in the state.
        label: on the button.
        slider: name of the slider.
        values: what can be taken; the slider's values.
        most: so many can be taken.
        start: nothing taken yet.
    """

    name: str
    label: str
    slider: str
    values: tuple[float, ...]
    most: int
    start: tuple[float, ...] = ()

    def allows(self, value: Any) -> bool:
        """Whether this is a list of the slider's values, not too long."""
        known = isinstance(value, list | tuple) and all(isinstance(v, int | float) and v in self.values for v in value)
        return known and len(value) <= self.most


@dataclass(frozen=True)
class Votes:
    """A question with a button for each answer, asked of one thing of the picture after the other.

    The state has a list with an entry for each vote: the values of the controls in `about`, and the answer.  The first
    vote with certain values is about the first thing that the picture shows with them, the second about the second.

    Attributes:
        name: key in the state.
        label: the question.
        options: key -> words on the button.
        about: controls that decide what the picture shows.
        most: so many votes are kept.
        start: none yet.
    """

    name: str
    label: str
    options: Mapping[str, str]
    about: tuple[Slider | Choice | Seed, ...]
    most: int
    start: tuple[tuple[Any, ...], ...] = ()

    def allows(self, value: Any) -> bool:
        """Whether this is a list of votes, each with values that those controls can have, and not too long."""
        return isinstance(value, list | tuple) and len(value) <= self.most and all(map(self._is_vote, value))

    def _is_vote(self, vote: Any) -> bool:
        if not isinstance(vote, list | tuple) or len(vote) != len(self.about) + 1:
            return False
        *values, answer = vote
        known = all(control.allows(value) for control, value in zip(self.about, values, strict=True))
        return known and isinstance(answer, str) and answer in self.options


Control = Slider | Choice | Picks | Seed | Votes


def steps(low: float, high: float, step: float) -> tuple[float, ...]:
    """Equally spaced values from low to high, both included, rounded to what was meant: 0.3, not 0.3 and 4e-17."""
    return tuple(round(low + i * step, 6) for i in range(round((high - low) / step) + 1))


def defaults(controls: Sequence[Control]) -> dict[str, Any]:
    """The state that a widget starts with."""
    return {control.name: control.start for control in controls}


def clean(controls: Sequence[Control], state: Mapping[str, Any]) -> dict[str, Any]:
    """The state with every value that a control does not allow replaced by its start."""
    return {c.name: state[c.name] if c.name in state and c.allows(state[c.name]) else c.start for c in controls}


def described(control: Control) -> dict[str, Any]:
    """A control as the browser gets it."""
    found = asdict(control)
    if isinstance(control, Choice | Votes):
        found["options"] = [[key, text] for key, text in control.options.items()]
    if isinstance(control, Votes):
        found["about"] = [other.name for other in control.about]
    return {"kind": type(control).__name__.lower(), **found}
