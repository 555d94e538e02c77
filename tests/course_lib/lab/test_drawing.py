"""Drawings are sound SVG with a description, and follow the page's text color."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import pytest
from matplotlib.textpath import TextPath

import course_lib.augmentation.figures.drawn as augmentation
import course_lib.batchnorm.figures as batchnorm
import course_lib.dropout.figures as dropout
from course_lib.lab import drawing


@pytest.mark.parametrize(
    "draw",
    [
        batchnorm.draw_graph,
        batchnorm.draw_shared_means,
        dropout.draw_neuron,
        augmentation.draw_scale_and_crop,
        augmentation.draw_ten_crops,
    ],
    ids=lambda draw: draw.__name__,
)
def test_every_drawing_is_sound_described_and_inside_its_frame(
    draw: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It parses, has a long description, and no word is outside."""
    shown: list[drawing.Drawing] = []
    monkeypatch.setattr(drawing, "show", lambda thing, text: shown.append(thing))
    draw()
    (made,) = shown
    root = ElementTree.fromstring(made._repr_html_())
    assert root.get("role") == "img"
    assert len(root.get("aria-label") or "") > 100
    assert root.get("fill") == "currentColor"
    left, _, width, height = (float(v) for v in (root.get("viewBox") or "").split())
    texts = [element for element in root.iter() if element.tag.endswith("text")]
    assert texts
    for text in texts:
        at, line = float(text.get("x") or -1), "".join(text.itertext())
        size = float(text.get("font-size") or root.get("font-size") or 0)
        wide = TextPath((0, 0), line.replace("$", ""), size=size).get_extents().width if line.strip() else 0
        start = at - {"start": 0, "middle": wide / 2, "end": wide}[text.get("text-anchor") or "start"]
        assert left <= start, f"{line!r} is cut off on the left"
        assert start + wide <= left + width, f"{line!r} is cut off on the right"
        assert 0 < float(text.get("y") or -1) < height


def test_an_arrow_ends_where_it_points() -> None:
    """The tip of its head is the end, whatever the bend."""
    for bend in (-20.0, 0.0, 20.0):
        svg = drawing.arrow((0, 0), (100, 40), bend=bend)
        tip = re.search(r'points="([\d.]+),([\d.]+) ', svg)
        assert tip is not None
        assert math.dist((float(tip[1]), float(tip[2])), (100, 40)) < 0.2


def test_words_are_escaped() -> None:
    """What looks like markup stays text."""
    assert "&lt;b&gt;" in drawing.words((0, 0), "<b>")
    assert "<b>" not in drawing.Drawing([], 1, 1, "<b>").svg


def test_numbers_that_share_a_mean_are_as_many_as_the_table_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the visible faces: batch norm a channel of every image, layer norm all of one image, and so on."""
    shown: list[drawing.Drawing] = []
    monkeypatch.setattr(drawing, "show", lambda thing, text: shown.append(thing))
    batchnorm.draw_shared_means()
    colored = re.findall(r'fill="(#\w+)"', shown[0].svg)
    # front + top + right: 4 + 4 + 16, 24 + 6 + 4, 4 + 1 + 4, 8 + 2 + 4
    assert len(colored) == (4 + 4 + 16) + (24 + 6 + 4) + (4 + 1 + 4) + (8 + 2 + 4)
