"""Drawings made of shapes and words: SVG in the page's own text color, light or dark, with a description."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from course_lib.lab.display import NARROW_SCALE, show

__all__ = ["Drawing", "arrow", "node", "polygon", "show_drawing", "words"]

Point = tuple[float, float]
_EDGE = 3
"""Pixels at the left and the right, for lines on the very edge."""


class Drawing:
    """An SVG with a description.

    Attributes:
        svg: the whole element.
        alt: what it shows, in words.
    """

    def __init__(self, shapes: Sequence[str], width: float, height: float, alt: str) -> None:
        self.alt = alt
        self.svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(alt, quote=True)}" '
            f'class="course-drawing" viewBox="{-_EDGE} 0 {width + 2 * _EDGE:g} {height:g}" '
            f'style="--course-narrow:{NARROW_SCALE * width:.0f}px;'
            f"width:100%;max-width:{width + 2 * _EDGE:g}px;height:auto;"
            "color:var(--jp-content-font-color1, inherit);"
            'font-family:var(--jp-content-font-family, sans-serif)" '
            f'font-size="15" fill="currentColor" stroke-width="1.6">{"".join(shapes)}</svg>'
        )

    def __repr__(self) -> str:
        return f"[drawing: {self.alt}]"

    def _repr_html_(self) -> str:
        return self.svg


def show_drawing(shapes: Sequence[str], width: float, height: float, alt: str) -> None:
    """Show a drawing.

    Args:
        shapes: what the functions of this module give, from back to front.
        width: of the drawing, in pixels.
        height: of the drawing, in pixels.
        alt: what it shows, in words, for those who cannot see it.
    """
    drawing = Drawing(shapes, width, height, alt)
    show(drawing, repr(drawing))


def words(at: Point, text: str, size: float = 15, color: str = "currentColor", anchor: str = "middle") -> str:
    """A line of text around a point."""
    x, y = at
    return (
        f'<text x="{x:g}" y="{y + 0.35 * size:g}" text-anchor="{anchor}" font-size="{size:g}" fill="{color}">'
        f"{escape(text)}</text>"
    )


def node(at: Point, text: str, radius: float = 22, color: str = "currentColor", dashes: str = "") -> str:
    """A circle with a word in it."""
    x, y = at
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="none" stroke="{color}"{dashed}/>' + words(at, text)


def arrow(
    start: Point, end: Point, color: str = "currentColor", dashes: str = "", width: float = 1.6, bend: float = 0.0
) -> str:
    """A line with a head at its end.

    Args:
        start: where it begins.
        end: where it points.
        color: of the line and its head.
        dashes: as SVG's `stroke-dasharray`; a second cue beside color.
        width: of the line, in pixels.
        bend: how far it swings out to its left, in pixels.
    """
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy)
    left = (dy / length, -dx / length)
    middle = ((start[0] + end[0]) / 2 + 2 * bend * left[0], (start[1] + end[1]) / 2 + 2 * bend * left[1])
    ax, ay = end[0] - middle[0], end[1] - middle[1]
    far = math.hypot(ax, ay)
    ux, uy = ax / far, ay / far
    size = 6 + 1.5 * width
    base = (end[0] - size * ux, end[1] - size * uy)
    head = [end, (base[0] - 0.45 * size * uy, base[1] + 0.45 * size * ux)]
    head.append((base[0] + 0.45 * size * uy, base[1] - 0.45 * size * ux))
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<path d="M{start[0]:.1f} {start[1]:.1f}Q{middle[0]:.1f} {middle[1]:.1f} {base[0]:.1f} {base[1]:.1f}" '
        f'fill="none" stroke="{color}" stroke-width="{width:g}"{dashed}/>' + polygon(head, color, color)
    )


def polygon(corners: Sequence[Point], fill: str, stroke: str = "currentColor", width: float = 0.8) -> str:
    """A filled shape with straight sides."""
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    return f'<polygon points="{points}" fill="{fill}" stroke="{stroke}" stroke-width="{width:g}"/>'
