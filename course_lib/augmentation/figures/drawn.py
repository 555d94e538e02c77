"""Drawings that explain an operation: SVG that follows the page's text color, with a description in words."""

from __future__ import annotations

import base64
import functools
import io

import numpy as np
from PIL import Image

from course_lib.lab.drawing import arrow, show_drawing, words
from course_lib.lab.photographs import photograph
from course_lib.lab.plots import OKABE_ITO

__all__ = ["draw_scale_and_crop", "draw_ten_crops"]

CROP = 224
"""Side of the crops of both drawings, in pixels of the resized photograph."""
_GAP = 26


def draw_scale_and_crop(scale: float = 0.42) -> None:
    """ResNet's training recipe: three random short sides L, a random crop of 224 pixels from each, one size at the end.

    Args:
        scale: pixels of the drawing for one pixel of a resized photograph.
    """
    draws = ((256, 0.55, 0.3), (360, 0.8, 0.25), (480, 0.35, 0.45))  # L, then where the crop lies in the room it has
    ratio = _ratio("cat")
    body, x = [], 0.0
    tallest = scale * draws[-1][0]
    top = 30.0
    for number, (short, right, down) in enumerate(draws):
        width, height = scale * short * ratio, scale * short
        color, side = OKABE_ITO[number], scale * CROP
        left, upper = right * (width - side), down * (height - side)
        y = top + tallest - height
        body.append(_photo("cat", x, y, width, height))
        body.append(_box(x + left, y + upper, side, side, color))
        body.append(words((x + width / 2, y - 17), f"L = {short}"))
        # The crop by itself, below: the same side whatever L was.
        below = top + tallest + 54
        body.append(_cut("cat", f"scale-{number}", x + width / 2 - side / 2, below, side, (width, height, left, upper)))
        body.append(_box(x + width / 2 - side / 2, below, side, side, color))
        body.append(arrow((x + width / 2, top + tallest + 10), (x + width / 2, below - 10), width=2))
        x += width + _GAP
    height = top + tallest + 54 + scale * CROP + 26
    body.append(words(((x - _GAP) / 2, height - 11), f"three crops of {CROP} × {CROP}, ready for one batch"))
    said = (
        "One photograph of a cat, resized to short sides of 256, 360 and 480 pixels, each with a square of 224 pixels "
        "at a random place. Below, the three squares by themselves, all of one size: the larger the photograph is, "
        "the larger the cat, and the less of it fits in."
    )
    show_drawing(body, x - _GAP, height, said)


def draw_ten_crops(scale: float = 0.62) -> None:
    """Where the five crops lie, and the ten that the network sees, with their indices in the exercise.

    Args:
        scale: pixels of the drawing for one pixel of the photograph.
    """
    short, side = 256, scale * CROP * 0.8
    ratio = _ratio("cat")
    width, height = scale * short * ratio, scale * short
    top = 26.0
    places = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5)]  # down, right: shares of the room
    body = [_photo("cat", 0, top, width, height), words((width / 2, top - 14), "five places")]
    small = 0.55 * side
    first = width + 50
    for index, (down, right) in enumerate(places):
        left, upper = right * (width - side), down * (height - side)
        body.append(_box(left + 1.5, top + upper + 1.5, side - 3, side - 3, OKABE_ITO[index], index == 4))
        factor = small / side
        window = (factor * width, factor * height, factor * left, factor * upper)
        for mirrored in (False, True):
            x, y = first + index * (small + 14), top + mirrored * (small + 36)
            body.append(_cut("cat", f"ten-{index}-{mirrored:d}", x, y, small, window, mirrored))
            body.append(_box(x, y, small, small, OKABE_ITO[index], index == 4))
            body.append(words((x + small / 2, y + small + 12), f"{index + 5 * mirrored}"))
    end = first + 5 * (small + 14) - 14
    body.append(words(((first + end) / 2, top - 14), "their crops (0 to 4), mirrored (5 to 9)"))
    said = (
        "A photograph of a cat with five square crops: top left, top right, bottom left, bottom right and center. "
        "Beside it the five crops, numbered 0 to 4 in this order, and below them their mirror images, 5 to 9."
    )
    show_drawing(body, end, max(top + height, top + 2 * small + 36 + 22), said)


def _ratio(name: str) -> float:
    """Width over height of a photograph."""
    return photograph(name).shape[2] / photograph(name).shape[1]


@functools.cache
def _data(name: str) -> str:
    """The photograph as a data URI."""
    pixels = (photograph(name).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _photo(name: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<image href="{_data(name)}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        'preserveAspectRatio="none"/>'
    )


def _cut(
    name: str,
    key: str,
    x: float,
    y: float,
    side: float,
    window: tuple[float, float, float, float],
    mirrored: bool = False,
) -> str:
    """A square part of a photograph at (x, y).

    Args:
        name: of the photograph.
        key: tells this part from the others of the page.
        x: of its left edge.
        y: of its upper edge.
        side: of the square.
        window: width and height of the whole photograph, and left and upper edge of the part in it.
        mirrored: left to right.
    """
    width, height, left, upper = window
    turned = f"translate({x + side:.1f} {y:.1f}) scale(-1 1)" if mirrored else f"translate({x:.1f} {y:.1f})"
    clip = f'<clipPath id="cut-{key}"><rect width="{side:.1f}" height="{side:.1f}"/></clipPath>'
    whole = _photo(name, -left, -upper, width, height)
    return f'<g transform="{turned}">{clip}<g clip-path="url(#cut-{key})">{whole}</g></g>'


def _box(x: float, y: float, width: float, height: float, color: str, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="6 4"' if dashed else ""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="none"'
    # White below the color: visible on dark and on light parts of a photograph.
    return f'<rect {place} stroke="#fff" stroke-width="5"/><rect {place} stroke="{color}" stroke-width="3"{dashes}/>'
