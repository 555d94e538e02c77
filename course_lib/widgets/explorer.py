"""The frame of every widget: predict, explore, see, read why.

One model with one comm: the browser sends the state of the controls (never more than one message ahead; the newest
state wins), the kernel answers with a scene in one binary buffer.  The controls are plain HTML inputs with labels,
because those have names that screen readers read, which ipywidgets' sliders have not.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from course_lib.widgets.controls import Control, clean, defaults, described
from course_lib.widgets.predictions import Marking, Pick, Placing, Prediction, read_predictions, write_prediction
from course_lib.widgets.scene import Scene, pack
from course_lib.widgets.still import page_beside, still_bundle

__all__ = ["Design", "Explorer", "State", "described_design", "explained", "first_state", "show_widget", "whole_state"]

State = Mapping[str, Any]
_STATIC = Path(__file__).parent / "static"
_QUIET_S = 1.5
_ENTRIES = 64
"""A table has fewer."""
_SCRIPTS = ("listen", "canvas", "panels", "handles", "questions", "cells", "explorer")


@dataclass(frozen=True)
class Design:
    """A widget, declared.

    Attributes:
        name: key under which its prediction is remembered.
        title: what the student reads above it.
        controls: at most four, and a seed.
        prediction: the question asked first.
        numbers: pure function from the state to the picture.  The state has a value for each control, "locked",
            "answer" (what was locked in, or None) and "seen" (which entries of a `Table` the page has shown); with a
            `Marking` also "marked" (the cells marked so far) and "star" (the cell pointed at), with a `Placing` also
            "guess".
        explain: pure function from the answer and the state to "You said ..., it is ..., because ...".
        right: pure function from the answer and the state to whether it is right, which the explanation shows.
    """

    name: str
    title: str
    controls: tuple[Control, ...]
    prediction: Prediction
    numbers: Callable[[State], Scene]
    explain: Callable[[Any, State], str]
    right: Callable[[Any, State], bool]


class Explorer(anywidget.AnyWidget):
    """A live widget.

    Attributes:
        state: values of the controls; the browser and Python may set it.
        answer: the prediction: "value", "locked", and "moved" once a control was moved afterward.
        picture: the scene's description, and the explanation.
        pixels: the scene's arrays.
        alt: the scene in words.
        error: an exception from `numbers` or `explain`, in one line; empty if there is none.
    """

    _esm = "".join((_STATIC / f"{name}.js").read_text("utf-8") for name in _SCRIPTS)
    _css = (_STATIC / "explorer.css").read_text("utf-8")

    design = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True, echo_update=False)
    answer = traitlets.Dict().tag(sync=True, echo_update=False)
    picture = traitlets.Dict().tag(sync=True, echo_update=False)
    pixels = traitlets.Bytes().tag(sync=True, echo_update=False)
    alt = traitlets.Unicode().tag(sync=True, echo_update=False)
    error = traitlets.Unicode().tag(sync=True, echo_update=False)

    def __init__(self, design: Design) -> None:
        self._design = design
        self._still: Any = None
        self._waiting: asyncio.TimerHandle | None = None
        self._frame = 0
        name = f"course-widget-{uuid.uuid4().hex}"  # several widgets stand in one page
        super().__init__(
            model_id=name,
            design=described_design(design, name),
            state=first_state(design),
            answer=_remembered(design),
            layout={"width": "100%"},
        )
        self._refresh()
        self.observe(self._answered, "answer")
        self.observe(self._moved, "state")

    def __repr__(self) -> str:
        return f"[{self._design.title}: {self.alt}]"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        # First what lasts: a saved, reopened or exported notebook has no kernel behind the live one.
        # Its image costs more time than all the rest, so it comes last.
        title = self._design.title
        self._still = display({"text/html": f"<p>{escape(title)}</p>", "text/plain": title}, raw=True, display_id=True)
        bundle = {"application/vnd.jupyter.widget-view+json": {"model_id": self.model_id, "version_major": 2,
                                                               "version_minor": 1}}  # fmt: skip
        display(bundle, raw=True)
        self._still.update(self._still_bundle(), raw=True)

    def current(self) -> dict[str, Any]:
        """The state as `numbers` gets it."""
        return whole_state(self._design, self.state, self.answer)

    def _moved(self, change: object) -> None:
        self._renew_still_later()
        if self.answer.get("locked") and not self.answer.get("moved"):
            self.answer = {**self.answer, "moved": True}  # refreshes
        else:
            self._refresh()

    def _renew_still_later(self) -> None:
        """Once nothing has moved for a while, let the still picture show the last state."""
        if self._still is None:
            return
        if self._waiting is not None:
            self._waiting.cancel()
        with contextlib.suppress(RuntimeError):  # no loop runs: nobody operates this in a page
            self._waiting = asyncio.get_running_loop().call_later(_QUIET_S, self._renew_still)

    def _renew_still(self) -> None:
        if self._still is not None and not self.error and self.comm is not None:
            self._still.update(self._still_bundle(), raw=True)

    def _answered(self, change: object) -> None:
        value, locked = self.answer.get("value"), bool(self.answer.get("locked"))
        if locked and not self._design.prediction.allows(value):
            self.answer = {}
            return
        if locked:
            write_prediction(self._design.name, self.answer)
        self._refresh()
        if locked:
            self._renew_still()

    def _refresh(self) -> None:
        try:
            state = self.current()
            scene = self._design.numbers(state)
            spec, pixels = pack(scene)
            explanation, verdict = explained(self._design, state, bool(self.answer.get("moved")))
            spec |= {"explanation": explanation, "verdict": verdict}
        except Exception as problem:  # in a callback nobody would see it: the page shows it instead
            error = f"{type(problem).__name__}: {problem}"
            with self.hold_sync():
                self._frame += 1
                self.picture = {**self.picture, "frame": self._frame}
                self.error = error
            return
        self._frame += 1
        with self.hold_sync():
            self.picture = {**spec, "frame": self._frame}
            self.pixels, self.alt, self.error = pixels, scene.line, ""

    def _still_bundle(self) -> dict[str, str]:
        state = self.current()
        _, verdict = explained(self._design, state)
        name, question = self._design.name, self._design.prediction
        answer = question.words(self.answer["value"]) if verdict else ""
        prediction = (name, question.question, answer, verdict) if verdict else ()
        said = str(self.picture.get("explanation", "")) if verdict else question.question
        scene = self._design.numbers(state)
        return still_bundle(self._design.title, scene, said, prediction, page_beside(name))


def described_design(design: Design, name: str) -> dict[str, Any]:
    """A widget's declaration as the browser gets it.

    Args:
        name: the model's id, and the first part of all ids of the widget in a page.
    """
    prediction = asdict(design.prediction)
    if isinstance(design.prediction, Pick):
        prediction["options"] = [[key, text] for key, text in design.prediction.options.items()]
    return {
        "id": name,
        "title": design.title,
        "controls": [described(control) for control in design.controls],
        "prediction": {"kind": type(design.prediction).__name__.lower(), **prediction},
        "start": first_state(design),
    }


def first_state(design: Design) -> dict[str, Any]:
    """The state of a widget that nobody has touched."""
    match design.prediction:
        case Marking():
            return {**defaults(design.controls), "marked": [], "star": 0}
        case Placing(start=start):
            return {**defaults(design.controls), "guess": start}
    return defaults(design.controls)


def whole_state(design: Design, state: State, answer: Mapping[str, Any]) -> dict[str, Any]:
    """A state as `numbers` gets it: cleaned, with what was locked in.

    Args:
        state: values of the controls, from a page that may send anything.
        answer: the prediction: "value" and "locked".
    """
    found = clean(design.controls, state)
    found["locked"] = bool(answer.get("locked"))
    found["answer"] = answer["value"] if found["locked"] else None
    found["seen"] = _entries_of(state.get("seen"))
    if isinstance(design.prediction, Marking):
        found |= _cells_of(design.prediction, state)
    if isinstance(design.prediction, Placing):
        guess = answer["value"] if found["locked"] else state.get("guess")
        found["guess"] = guess if design.prediction.allows(guess) else design.prediction.start
    return found


def explained(design: Design, state: State, moved: bool = True) -> tuple[str, str]:
    """The explanation, and "right" or "wrong"; both empty before the prediction is locked in.

    Args:
        state: as `numbers` gets it.
        moved: a control was moved since; what to do next is no longer said then.
    """
    if not state["locked"]:
        return "", ""
    text = design.explain(state["answer"], state)
    verdict = "right" if design.right(state["answer"], state) else "wrong"
    return text if moved else f"{text} {design.prediction.then}", verdict


def _entries_of(seen: Any) -> tuple[int, ...]:
    """Numbers of a table's entries, from a page that may send anything; none where it is no short list of those."""
    known = isinstance(seen, list | tuple) and len(seen) <= _ENTRIES
    return tuple(sorted({n for n in seen if type(n) is int and 0 <= n < _ENTRIES})) if known else ()


def _cells_of(prediction: Marking, state: State) -> dict[str, Any]:
    marked, star = state.get("marked", []), state.get("star", 0)
    return {
        "marked": tuple(marked) if prediction.allows(marked) else (),
        "star": star if prediction.allows([star]) else 0,
    }


def _remembered(design: Design) -> dict[str, Any]:
    known = read_predictions().get(design.name, {})
    if known.get("locked") is True and design.prediction.allows(known.get("value")):
        return {"value": known["value"], "locked": True, "moved": known.get("moved") is True}
    return {}


_open: dict[tuple[str, str], Explorer] = {}


def show_widget(design: Design, fresh: bool = False) -> Explorer:
    """A widget for the cell that runs now; the one that an earlier run of this cell made is closed.

    Args:
        design: what to show.
        fresh: forget the prediction that was locked in before.
    """
    if fresh:
        write_prediction(design.name, None)
    key = (design.name, _running_cell())
    old = _open.pop(key, None)
    if old is not None:
        old.close()
    _open[key] = Explorer(design)
    return _open[key]


def _running_cell() -> str:
    """The id of the cell that runs; empty where nobody knows it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    try:
        return str(kernel.get_parent("shell")["metadata"]["cellId"])  # type: ignore[union-attr]
    except (AttributeError, KeyError, TypeError):
        return ""
