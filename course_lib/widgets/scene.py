"""What a widget's picture shows, free of how it is drawn: panels of numbers, and one line that says the same in words.

A scene is drawn twice: live, on a canvas in the browser, and once as a still picture by Matplotlib.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Bars", "Cells", "Histogram", "Lines", "Mark", "Montage", "Panel", "Scene", "Series", "histogram", "pack"]

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Mark:
    """A place on the x axis worth a line of its own.

    Attributes:
        x: in data coordinates.
        label: written beside it.
    """

    x: float
    label: str


@dataclass(frozen=True)
class Histogram:
    """Shares of values in equal bins.

    Attributes:
        shares: (bins,), each in [0, 1].
        low: left edge of the first bin.
        high: right edge of the last bin.
        top: share at the upper edge of the panel; the same in every frame, so that nothing jumps.
        colour: place in the palette.
    """

    title: str
    shares: Floats
    low: float
    high: float
    top: float
    marks: tuple[Mark, ...] = ()
    colour: int = 0


@dataclass(frozen=True)
class Series:
    """One line of a `Lines` panel, or one colour of a `Bars` panel.

    Attributes:
        y: (n,); NaN leaves a gap.
        style: "line", "dashed" or "dots"; bars differ by hatching instead.
    """

    label: str
    y: Floats
    style: str = "line"


@dataclass(frozen=True)
class Lines:
    """Curves over one x axis.

    Attributes:
        x: (n,).
        low: lower end of the y axis.
        high: upper end of the y axis.
    """

    title: str
    x: Floats
    series: tuple[Series, ...]
    low: float
    high: float
    xlabel: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Bars:
    """Groups of bars with their values.

    Attributes:
        groups: names of the groups.
        low: lower end of the axis.
        high: upper end of the axis.
    """

    title: str
    groups: tuple[str, ...]
    series: tuple[Series, ...]
    low: float
    high: float


@dataclass(frozen=True)
class Montage:
    """Small images side by side.

    Attributes:
        images: (N, H, W, 3), 0 to 255.
        columns: images in a row.
        captions: one line under each image, or none.
    """

    title: str
    images: Bytes
    columns: int
    captions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cells:
    """The numbers of an activation of shape (N, C, H, W) as small squares: a row for each example, a tile a channel.

    Attributes:
        shape: (N, C, H, W).
        groups: (N * C * H * W,), which group a cell belongs to, for its colour; 255 for none.
        signs: (N * C * H * W,), index into `letters`, what is written in the cell; 0 for nothing.
        letters: the signs.
    """

    title: str
    shape: tuple[int, int, int, int]
    groups: Bytes
    signs: Bytes
    letters: tuple[str, ...] = ("", "★", "✓", "✗")


Panel = Histogram | Lines | Bars | Montage | Cells


@dataclass(frozen=True)
class Scene:
    """A picture.

    Attributes:
        line: the key numbers in words; also the alternative text.
        width: of the picture, in CSS pixels; the same for every state of a widget.
        height: of the picture, in CSS pixels.
        weights: shares of the width that the panels get; equal ones if empty.
    """

    panels: tuple[Panel, ...]
    line: str
    width: int = 760
    height: int = 240
    weights: tuple[float, ...] = field(default=())


def histogram(
    title: str, values: ArrayLike, low: float, high: float, bins: int = 40, top: float = 0.25, colour: int = 0
) -> Histogram:
    """The histogram of values, marked with their mean.

    Values outside [low, high] are counted in the outermost bins, so that none vanishes from the picture.
    """
    data = np.asarray(values, dtype=np.float64)
    counts, _ = np.histogram(np.clip(data, low, high), bins, (low, high))
    shares = (counts / max(1, data.size)).astype(np.float32)
    mean = float(data.mean())
    return Histogram(title, shares, low, high, top, (Mark(mean, f"mean {mean:.2f}"),), colour)


def pack(scene: Scene) -> tuple[dict[str, Any], bytes]:
    """A scene as a small JSON value and one buffer that holds all of its arrays.

    Returns:
        the description, in which an array is ``{"at": byte offset, "n": elements, "type": "f4" or "u1"}``, and the
        buffer, little-endian, every array aligned to four bytes.
    """
    buffer = bytearray()

    def stored(array: NDArray[Any]) -> dict[str, Any]:
        kind = "u1" if array.dtype == np.uint8 else "f4"
        raw = np.ascontiguousarray(array, dtype=f"<{kind}" if kind == "f4" else np.uint8).tobytes()
        place = {"at": len(buffer), "n": int(array.size), "type": kind}
        buffer.extend(raw + b"\0" * (-len(raw) % 4))
        return place

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return {**stored(value), "shape": list(value.shape)}
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        if hasattr(value, "__dataclass_fields__"):
            return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
        return value

    panels = [{"kind": type(panel).__name__.lower(), **plain(panel)} for panel in scene.panels]
    weights = list(scene.weights or [1.0] * len(scene.panels))
    spec = {"panels": panels, "line": scene.line, "width": scene.width, "height": scene.height, "weights": weights}
    return spec, bytes(buffer)
