"""Recordings of widgets for tests, and what a page makes of them, in Python."""

from __future__ import annotations

import functools
import sys
from importlib import import_module
from typing import Any

from autograder.widget_pages.answers import Span
from autograder.widget_pages.pool import SAID, Pool
from autograder.widget_pages.recording import Recording, record
from course_lib.widgets.explorer import Design
from tests.support.all_widgets import WIDGETS

__all__ = ["design_of", "frame", "recording_of", "tree"]

BUDGET = 120_000
"""Bytes; less than pages have, so that tests are fast."""


def design_of(name: str) -> Design:
    """The declaration of a widget."""
    function = getattr(import_module(WIDGETS[name]), name)
    design: Design = sys.modules[function.__module__].DESIGN  # type: ignore[attr-defined]
    return design


@functools.cache
def recording_of(name: str) -> Recording:
    """A widget, recorded once for all tests of a process."""
    return record(design_of(name), BUDGET)


def tree(pool: Pool | Recording, place: int, said: float | None = None) -> Any:
    """What a page makes of a node, with arrays as bytes."""
    data = pool.data if isinstance(pool, Recording) else {"keys": pool.keys, "nodes": pool.nodes}
    node = data["nodes"][place]
    if isinstance(node, str):
        return node.replace(SAID, f"{said:g}".replace("-", "−") if said is not None else SAID)
    if not isinstance(node, list):
        return node
    kind, *parts = node
    if kind == -3:
        return said
    made = [tree(pool, part, said) for part in parts]
    if kind < 0:
        return "".join(made) if kind == -2 else made
    found = dict(zip(data["keys"][kind], made, strict=True))
    if {"at", "type", "n"} <= found.keys():
        size = found["n"] * (4 if found["type"] == "f4" else 1)
        found["at"] = bytes(pool.arrays[found["at"] : found["at"] + size])
    if found.get("type") == "parts":
        size = found["shape"][1] * found["shape"][2] * 3
        found["parts"] = [bytes(pool.arrays[at : at + size]) for at in found["parts"]]
    return found


def frame(recording: Recording, group: tuple[str, ...], answer: Any, settings: dict[str, Any]) -> tuple[Any, str, str]:
    """What a page shows and says: picture, explanation, verdict."""
    dials = {dial.name: dial for dial in recording.dials}
    at = next(i for i, a in enumerate(recording.answers) if (answer <= a.upto if isinstance(a, Span) else a == answer))
    for name in group:
        at = at * len(dials[name].values) + dials[name].values.index(settings[name])
    node = recording.data["groups"][recording.groups.index(group)]["frames"][at]
    said = answer if isinstance(recording.answers[0], Span) else None
    picture, (explanation, verdict) = tree(recording, node, said)
    return picture, explanation, verdict
