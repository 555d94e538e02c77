"""A photograph in several views, each with the network's five best guesses; and the button for one's own photograph."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from torch import Tensor, nn

from course_lib.lab.efficientnet import square
from course_lib.lab.photographs import photograph
from course_lib.lab.picture_file import MOST_BYTES, read_picture
from course_lib.transfer.experiments.views import View, views

if TYPE_CHECKING:
    from course_lib.widgets.file_button import Answer, FileButton

__all__ = ["cards", "own_picture", "said"]

_SHOWN = 168
"""Pixels along the side of a card's picture."""
_NOTE = (
    "JPEG, PNG, WebP, GIF, BMP or TIFF, at most 8 MB. It goes to the kernel of this notebook and nowhere else, "
    "and it is not saved with the notebook."
)


def cards(found: Sequence[View]) -> str:
    """HTML: a card for each view with its picture and its guesses; as many in a row as the window has room for."""
    grid = (
        "display:grid;grid-template-columns:repeat(auto-fill,minmax(max(112px,20%),1fr));gap:14px 16px;max-width:760px"
    )
    return f'<div style="{grid}">{"".join(map(_card, found))}</div>'


def said(found: Sequence[View]) -> str:
    """The first guess, and in how many views it stays, in a sentence."""
    guess, chance = found[0].top[0]
    same = sum(view.top[0][0] == guess for view in found)
    return f"{found[0].name}: {guess} {_chance(chance)}; the first guess is the same in {same} of {len(found)} views."


def own_picture(model: nn.Module, start: str = "coffee") -> FileButton:
    """Show a photograph in several views with the network's guesses, and a button for a photograph of one's own.

    Args:
        model: normalized images -> logits (N, 1000), in evaluation mode.
        start: name of the photograph that is shown in any case.

    Returns:
        the button; it works on while the kernel runs.
    """
    # Imported by whoever looks: importing this module costs nothing where only functions are graded.
    from course_lib.widgets.file_button import Answer, FileButton, show_file_button

    def answer(data: bytes) -> Answer:
        found = views(model, read_picture(data))
        return Answer(cards(found), said(found))

    before = cards(views(model, square(photograph(start))))
    button = FileButton("A photograph of your own", _NOTE, "image/*", MOST_BYTES, answer)
    show_file_button(button, before)
    return button


def _card(view: View) -> str:
    guesses = "".join(
        f'<li style="margin:2px 0 0;padding:0"><span style="display:flex;justify-content:space-between;gap:6px">'
        f"<span>{escape(name)}</span><span>{escape(_chance(chance))}</span></span>"
        f'<span style="display:block;height:4px;width:{max(1, round(100 * chance))}%;background:#0072b2"></span></li>'
        for name, chance in view.top
    )
    image = (
        f'<img style="width:100%;height:auto;display:block" width="{_SHOWN}" height="{_SHOWN}" '
        f'alt="The photograph, {escape(view.name)}." src="data:image/jpeg;base64,{_jpeg(view.image)}">'
    )
    return (
        f'<figure style="margin:0">{image}<figcaption style="text-align:left"><strong>{escape(view.name)}</strong>'
        f'<ol style="list-style:none;margin:2px 0 0;padding:0;font-size:12px;line-height:1.3">{guesses}</ol>'
        "</figcaption></figure>"
    )


def _chance(chance: float) -> str:
    """Two places; what would be rounded to nothing is said to be little."""
    return f"{chance:.2f}" if chance >= 0.005 else "<0.01"


def _jpeg(image: Tensor) -> str:
    pixels = (image.clamp(0, 1) * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((_SHOWN, _SHOWN), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
