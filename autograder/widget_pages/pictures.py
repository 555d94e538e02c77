"""A scene as a recording has it: with arrays in their places, and handles that stop where the page's sliders stop."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from course_lib.widgets.scene import Handle, Histogram, Lines, Montage, Panel, Plane, Scene, pack

__all__ = ["PHOTOGRAPH", "tree_of", "with_stops"]

PHOTOGRAPH = "webp"
"""The type of an array of images that are kept as photographs are, with a loss that the eye hardly sees."""
_EXACT = 40_000
"""Images of more bytes than this are photographs."""
_PIXELS, _QUALITY = 58_000, 45


def with_stops(scene: Scene, every: Mapping[str, Sequence[Any]], stops: Mapping[str, Sequence[Any]]) -> Scene:
    """A scene whose handles have places for the values that the page has.

    Args:
        every: name of a slider -> the values that the live widget has.
        stops: name of a slider -> those of the page.
    """

    def kept(name: str) -> list[int]:
        return [every[name].index(value) for value in stops[name]]

    def moved(handle: Handle) -> Handle:
        if handle.control in stops:
            across = kept(handle.control)
            handle = replace(handle, x=handle.x[across], now=_nearest(across, handle.now))
            if handle.y.size and not handle.second:
                handle = replace(handle, y=handle.y[across])
        if handle.second in stops:
            up = kept(handle.second)
            handle = replace(handle, y=handle.y[up], then=_nearest(up, handle.then))
        return handle

    def stopped(panel: Panel) -> Panel:
        if isinstance(panel, Histogram | Lines | Plane):
            return replace(panel, handles=tuple(map(moved, panel.handles)))
        return panel

    settled = {name: min(stops[name], key=lambda stop: abs(stop - value)) for name, value in scene.settled.items()}
    return replace(scene, panels=tuple(map(stopped, scene.panels)), settled=settled)


def _nearest(places: Sequence[int], place: int) -> int:
    return min(range(len(places)), key=lambda k: abs(places[k] - place))


def tree_of(scene: Scene) -> dict[str, Any]:
    """A scene as `pack` describes it, with the arrays themselves in place of their offsets."""
    spec, buffer = pack(scene)

    def whole(value: Any) -> Any:
        if isinstance(value, dict) and "at" in value:
            size = value["n"] * (4 if value["type"] == "f4" else 1)
            return {**value, "at": buffer[value["at"] : value["at"] + size]}
        if isinstance(value, dict):
            return {key: whole(part) for key, part in value.items()}
        return [whole(part) for part in value] if isinstance(value, list | tuple) else value

    tree: dict[str, Any] = whole(spec)
    for panel, found in zip(scene.panels, tree["panels"], strict=True):
        if isinstance(panel, Montage):
            found["images"] = _images(panel.images)
    return tree


def _images(images: NDArray[np.uint8]) -> dict[str, Any]:
    """Images (N, H, W, 3) one by one; large ones together as a photograph, no larger than is seen."""
    if images.size <= _EXACT:
        return {"type": "parts", "shape": list(images.shape), "parts": [image.tobytes() for image in images]}
    n, height, width, _ = images.shape
    scale = min(1.0, math.sqrt(_PIXELS / (n * height * width)))
    size = round(width * scale), round(height * scale)
    sheet = Image.new("RGB", (size[0], size[1] * n))
    for i, image in enumerate(images):
        sheet.paste(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS), (0, i * size[1]))
    data = io.BytesIO()
    sheet.save(data, PHOTOGRAPH, quality=_QUALITY, method=6)
    return {"type": PHOTOGRAPH, "shape": [n, size[1], size[0], 3], "at": data.getvalue(), "n": len(data.getvalue())}
