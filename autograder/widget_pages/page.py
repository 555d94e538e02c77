"""The page of a widget: one HTML file that loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from autograder.widget_pages.dials import Dial
from autograder.widget_pages.pictures import PHOTOGRAPH
from autograder.widget_pages.recording import Recording
from course_lib.widgets.controls import Control
from course_lib.widgets.explorer import Explorer
from course_lib.widgets.predictions import Marking, Placing
from course_lib.widgets.still import png

__all__ = ["render_page"]


def render_page(recording: Recording, call: str, notebook: str = "") -> str:
    """The page of a recorded widget; equal recordings give equal pages.

    Args:
        call: what a cell says that shows the live widget.
        notebook: file name of the notebook that it belongs to.
    """
    design = recording.design
    return _template().render(
        title=design.title,
        question=design.prediction.question,
        line=recording.opened.line,
        still=base64.b64encode(png(recording.opened)).decode("ascii"),
        recorded=list(_told(recording)),
        call=call,
        notebook=notebook,
        style=Markup(Explorer._css + _resource("page.css")),
        script=Markup(Explorer._esm + _resource("recording.js")),
        recording=base64.b64encode(recording.packed).decode("ascii"),
    )


def _told(recording: Recording) -> Iterator[str]:
    """What was recorded, in sentences."""
    design = recording.design
    labels = {control.name: control.label for control in design.controls}
    yield f"{recording.pictures:,} pictures with their texts, drawn from the numbers that the widget computed."
    dials = zip(recording.dials, design.controls, strict=True)
    yield f"Each control by itself: {'; '.join(_values(dial, control) for dial, control in dials)}."
    groups = [group for group in recording.groups if len(group) > 1]
    if len(labels) > 1 and frozenset(labels) in map(frozenset, groups):
        yield "Every combination of these."
    elif groups:
        largest = [one for one in groups if not any(set(one) < set(other) for other in groups)]
        yield f"Together: {'; '.join(' with '.join(labels[name] for name in group) for group in largest)}."
        yield "Of what was not recorded together, the control that you move stays and the other goes back."
    match design.prediction:
        case Marking():
            yield "The answer is given by axes; in the live widget single cells can be marked, and the star moved."
        case Placing(values=values) if (stops := len(recording.answers)) < len(values):
            yield f"Your answer can be put in {stops} of {len(values)} places."
    for label in recording.left_out:
        yield f"In the live widget only: “{label}”, with a running score."
    if PHOTOGRAPH in recording.data["nodes"]:
        yield "Photographs are smaller and softer than in the live widget."


def _values(dial: Dial, control: Control) -> str:
    if dial.seed:
        return f"{control.label}, {len(dial.values)} times"
    if dial.slider:
        return f"{control.label}, up to {max(map(len, dial.values))} times"
    return f"{control.label}, {'all' if len(dial.values) == dial.of else f'{len(dial.values)} of'} {dial.of} values"


@cache
def _template() -> jinja2.Template:
    return jinja2.Environment(autoescape=True, keep_trailing_newline=True).from_string(_resource("page.html.j2"))


@cache
def _resource(name: str) -> str:
    return files("autograder.widget_pages").joinpath("templates", name).read_text("utf-8")
