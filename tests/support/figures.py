"""Whether the words of a figure can be read: none runs out of the picture or into other words."""

from __future__ import annotations

import itertools

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

__all__ = ["unreadable"]

_SLACK = 1.5
"""Pixels by which boxes may touch: the box of a text is a little larger than its ink."""


def unreadable(drawn: Figure) -> list[str]:
    """Titles, legends and labels that are cut off or overlap, in words; empty if all is well."""
    drawn.draw_without_rendering()  # lays it out
    words = [box for ax in drawn.axes for box in _words(ax)]
    words += [("the figure's legend", legend.get_window_extent()) for legend in drawn.legends]
    room = drawn.bbox.padded(_SLACK)
    cut = [f"{name} is cut off" for name, box in words if not _holds(room, box)]
    pairs = itertools.combinations(words, 2)
    return cut + [f"{one} runs into {other}" for (one, a), (other, b) in pairs if _overlap(a, b)]


def _words(ax: Axes) -> list[tuple[str, Bbox]]:
    """Title, labels, ticks and legend of one plot, each with its place in pixels."""
    ticks = []
    if ax.axison and ax.get_visible():
        shown = ((ax.xaxis, sorted(ax.get_xlim())), (ax.yaxis, sorted(ax.get_ylim())))
        ticks = [
            tick.label1
            for axis, (low, high) in shown
            for tick in axis.get_major_ticks()
            if low <= tick.get_loc() <= high and tick.label1.get_visible()
        ]
        ticks += [ax.xaxis.label, ax.yaxis.label]
    texts = [text for text in (ax.title, *ticks) if text.get_text().strip()]
    found = [(repr(text.get_text()), text.get_window_extent()) for text in texts]
    legend = ax.get_legend()
    return found + ([("the legend", legend.get_window_extent())] if legend is not None else [])


def _holds(room: Bbox, box: Bbox) -> bool:
    return room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1


def _overlap(a: Bbox, b: Bbox) -> bool:
    wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return wide > _SLACK and high > _SLACK
