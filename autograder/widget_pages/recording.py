"""Records a widget: what it shows and says for every answer, while its controls are moved.

The Python side of the widget is asked, as the live one does.  What is kept are the numbers of its pictures, which the
page draws with the live widget's own script: in light and dark, at any width, with handles that can be dragged.
"""

from __future__ import annotations

import itertools
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autograder.widget_pages.answers import Span, alike, listed_answers, members, spans_of, spreads
from autograder.widget_pages.dials import Dial, dials_of, groups_of, places_of, with_dials, without_votes
from autograder.widget_pages.pictures import tree_of, with_stops
from autograder.widget_pages.pool import Pool
from autograder.widget_pages.remembered import Remembered
from autograder.widget_pages.size import Size
from course_lib.widgets.controls import Slider, Votes
from course_lib.widgets.explorer import Design, State, described_design, explained, first_state, whole_state
from course_lib.widgets.predictions import Estimate, Marking, Placing
from course_lib.widgets.scene import Scene

__all__ = ["BUDGET", "Recording", "record"]

BUDGET = 400_000
"""Bytes of a recording, compressed, with choices from two lists; half of it with other pairs, a quarter without pairs
and with larger groups."""
_CALLS = 8_000
"""So often is a widget asked; this bounds the time that a page takes."""
_SAMPLE = 12
_FEWER = (1, 2, 4, 8)


@dataclass(frozen=True)
class Recording:
    """What a page needs.

    Attributes:
        opened: the picture before the prediction, for readers without scripts.
        dials: what can be set.
        groups: names of what can be set together.
        answers: that can be given; spans of numbers where a number is asked for.
        data: everything but the arrays, for JSON.
        arrays: of the pictures.
        pictures: how many there are that differ.
        left_out: labels of controls that only the live widget has.
    """

    design: Design
    opened: Scene
    dials: tuple[Dial, ...]
    groups: tuple[tuple[str, ...], ...]
    answers: tuple[Any, ...]
    data: Mapping[str, Any]
    arrays: bytes
    pictures: int
    left_out: tuple[str, ...] = ()

    @property
    def packed(self) -> bytes:
        """As the page has it: length of the JSON, JSON, arrays, all compressed."""
        return _packed(self.data, self.arrays)


def record(design: Design, budget: int = BUDGET) -> Recording:
    """Record a widget.

    Each control by itself is always there; where that is too much, with fewer of its values.  Then groups of controls
    that are moved together, two, then more, as long as they fit: choices from lists first, what draws anew last, and
    of others those that cost least first.

    Raises:
        NotAlikeError: if what it says to a number depends on it in a way that cannot be recorded.
    """
    left_out = tuple(one.label for one in design.controls if isinstance(one, Votes))
    design = without_votes(design)
    for fewer in _FEWER:
        recorder = _Recorder(design, dials_of(design.controls, fewer))
        for group in groups_of(recorder.dials, 1):
            recorder.add(group)
        if recorder.size() <= budget / 4:
            break
    for number in range(2, len(recorder.dials) + 1):
        costs = {group: recorder.cost(group) for group in groups_of(recorder.dials, number) if not recorder.has(group)}
        for group in sorted(costs, key=lambda group: (*_worth(group), costs[group])):
            share = (1 if all(dial.named for dial in group) else 1 / 2) if number == 2 else 1 / 4
            recorder.add_cheap(group, costs[group], budget * share)
    return replace(recorder.recording(), left_out=left_out)


class _Recorder:
    def __init__(self, design: Design, dials: tuple[Dial, ...]) -> None:
        self.design, self.dials = design, dials
        self._pool = Pool()
        self._groups: list[tuple[tuple[Dial, ...], list[int]]] = []
        every = {control.name: control.values for control in design.controls if isinstance(control, Slider)}
        stops = {dial.name: dial.values for dial in dials}
        if isinstance(design.prediction, Placing):
            every["guess"], stops["guess"] = design.prediction.values, places_of(design.prediction)
        self._picture = Remembered(lambda state: tree_of(with_stops(design.numbers(state), every, stops)))
        self._told = Remembered(lambda state: list(explained(design, state)))
        self._common: dict[tuple[int, int], Any] = {}
        self._nodes: dict[int, int] = {}
        self._sizes = (Size(), Size(), Size())
        self._counted = self._pool.mark()
        opened = whole_state(design, first_state(design), {})
        self.opened = design.numbers(opened)
        self._answers: list[Any] = listed_answers(design.prediction, self.opened)
        self._drawn: Span | None = None
        if isinstance(design.prediction, Estimate):
            self._answers, self._drawn = self._spans(design.prediction)
        self._open = [self._pool.put(self._picture(state)) for state in self._open_states()]

    def _open_states(self) -> list[dict[str, Any]]:
        """Before the prediction nothing moves but the answer itself."""
        question, start = self.design.prediction, first_state(self.design)
        changes: Sequence[dict[str, Any]] = [{}]
        if isinstance(question, Placing):
            changes = [{"guess": value} for value in places_of(question)]
        if isinstance(question, Marking):
            changes = [{"marked": cells} for cells in ((), *self._answers)]
        return [whole_state(self.design, {**start, **change}, {}) for change in changes]

    def _spans(self, question: Estimate) -> tuple[list[Any], Span | None]:
        """What is said in spans; and one span for the picture, if it shows every number in the same way."""
        drawn = spans_of(question, lambda number: self._picture(self._state(number, {})))
        if len(drawn) == 1:
            return list(spans_of(question, lambda number: self._told(self._state(number, {})))), drawn[0]
        both = (self._picture, self._told)
        return list(spans_of(question, lambda n: [part(self._state(n, {})) for part in both])), None

    def _state(self, answer: Any, settings: State) -> dict[str, Any]:
        state = {**first_state(self.design), **settings}
        if isinstance(self.design.prediction, Marking):
            state["marked"] = answer
        return whole_state(self.design, state, {"value": answer, "locked": True})

    def _frame(self, answer: Any, settings: State) -> int:
        """The node of a picture and what is said, of an answer or of a span of them."""
        parts = (self._picture, self._drawn or answer), (self._told, answer)
        return self._pool.list_of([self._part(part, asked, settings) for part, asked in parts])

    def _part(self, part: Remembered[Any], answer: Any, settings: State) -> int:
        if not isinstance(answer, Span):
            return self._node(part(self._state(answer, settings)))
        numbers = members(answer)
        one, other = (part(self._state(number, settings)) for number in (numbers[0], numbers[-1]))
        key = id(one), id(other)
        if key not in self._common:
            self._common[key] = alike(one, other, numbers[0], numbers[-1])
        return self._node(self._common[key])

    def _node(self, tree: Any) -> int:
        """The node of a tree that stays the same object."""
        if id(tree) not in self._nodes:
            self._nodes[id(tree)] = self._pool.put(tree)
        return self._nodes[id(tree)]

    def cost(self, group: tuple[Dial, ...]) -> tuple[float, float]:
        """By how many bytes a group would make it grow, and how often the widget would be asked; about."""
        settings = _settings(group)
        some, answers = settings[len(settings) // 2 :][:_SAMPLE], self._answers[:: -(-len(self._answers) // 3)]
        mark, before = self._pool.mark(), (self.size(), self._calls())
        grown = self.size(self._frames(group, some, answers)) - before[0]
        self._forget(mark)
        share = len(settings) / len(some) * len(self._answers) / len(answers)
        return grown * share / 2, (self._calls() - before[1]) * share  # more of them have parts in common

    def has(self, group: tuple[Dial, ...]) -> bool:
        """Whether a group was recorded."""
        return any(group == known for known, _ in self._groups)

    def _calls(self) -> int:
        return self._picture.calls + self._told.calls

    def add_cheap(self, group: tuple[Dial, ...], cost: tuple[float, float], most: float) -> None:
        """Record a group unless it costs too much."""
        if self.size() + cost[0] <= most and self._calls() + cost[1] <= _CALLS:
            self.add(group, most)

    def add(self, group: tuple[Dial, ...], most: float = math.inf) -> None:
        """Record a group if the whole stays as small as that."""
        mark, frames = self._pool.mark(), self._frames(group, _settings(group))
        if self.size(frames) > most:
            self._forget(mark)
            return
        self._groups.append((group, frames))
        for size, data in zip(self._sizes, self._news(frames), strict=True):
            size.take(data)
        self._counted = self._pool.mark()

    def _frames(
        self, group: Sequence[Dial], settings: Sequence[tuple[Any, ...]], answers: Sequence[Any] | None = None
    ) -> list[int]:
        names = [dial.name for dial in group]
        chosen = [dict(zip(names, values, strict=True)) for values in settings]
        return [self._frame(answer, setting) for answer in answers or self._answers for setting in chosen]

    def _forget(self, mark: tuple[int, int, int]) -> None:
        self._pool.cut(mark)
        self._nodes = {tree: node for tree, node in self._nodes.items() if node < mark[1]}

    def size(self, frames: Sequence[int] = ()) -> int:
        """Bytes that the recording has with what came since the last group, about."""
        return sum(size.with_more(data) for size, data in zip(self._sizes, self._news(frames), strict=True))

    def _news(self, frames: Sequence[int]) -> tuple[bytes, bytes, bytes]:
        _, nodes, arrays = self._counted
        return _json(self._pool.nodes[nodes:]), bytes(self._pool.arrays[arrays:]), _json(frames)

    def _data(self) -> dict[str, Any]:
        design = described_design(with_dials(self.design, self.dials), f"course-widget-{self.design.name}")
        question = design["prediction"]
        if isinstance(self.design.prediction, Marking):
            question |= {"kind": "spread", "spreads": spreads(self.opened)}
        answers = [span.upto if isinstance(span, Span) else span for span in self._answers]
        return {
            "design": design,
            "dials": [{"name": d.name, "values": d.values, "start": d.start} for d in self.dials],
            "answers": answers,
            "opened": self._open,
            "groups": [{"dials": [self.dials.index(d) for d in group], "frames": f} for group, f in self._groups],
            "keys": self._pool.keys,
            "nodes": self._pool.nodes,
        }

    def recording(self) -> Recording:
        """All that was recorded."""
        names = tuple(tuple(dial.name for dial in group) for group, _ in self._groups)
        drawn = {self._pool.nodes[node][1] for _, frames in self._groups for node in frames}
        answers, arrays = tuple(self._answers), bytes(self._pool.arrays)
        number = len(drawn.union(self._open))
        return Recording(self.design, self.opened, self.dials, names, answers, self._data(), arrays, number)


def _worth(group: Sequence[Dial]) -> tuple[bool, int]:
    """What is to be recorded first comes first: lists to choose from; what draws anew comes last."""
    return any(dial.seed for dial in group), sum(not dial.named for dial in group)


def _settings(group: Sequence[Dial]) -> list[tuple[Any, ...]]:
    return list(itertools.product(*(dial.values for dial in group)))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _packed(data: Mapping[str, Any], arrays: bytes) -> bytes:
    text = _json(data)
    text += b" " * (-len(text) % 4)
    return zlib.compress(len(text).to_bytes(4, "little") + text + arrays, 9)
