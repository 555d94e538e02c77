"""What a widget's picture shows, free of how it is drawn: panels of numbers, and one line that says the same in words.

A scene is drawn twice: live, on a canvas in the browser, and once as a still picture by Matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Axis",
    "Bars",
    "Cells",
    "Curve",
    "Entry",
    "Handle",
    "Histogram",
    "Lines",
    "Mark",
    "Montage",
    "Panel",
    "Plane",
    "Scene",
    "Series",
    "Table",
    "decades",
    "histogram",
    "in_percent",
    "pack",
    "places",
]

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
class Handle:
    """Something in a panel that can be dragged, or moved by the arrow keys; it moves a slider and is moved by it.

    Attributes:
        control: name of the slider.
        label: what is moved; its accessible name.
        x: (n,) where it stands for each value of the slider, in data coordinates.
        y: (n,) the same on the y axis; empty for a line over the whole height of the panel.
        now: which of the places it stands at.
        second: name of the slider that it moves along y, if it moves two; then `y` has a place for each value of that.
        then: which place on the y axis it stands at, if it moves two sliders.
        color: place in the palette.
    """

    control: str
    label: str
    x: Floats
    y: Floats = field(default_factory=lambda: np.empty(0, np.float32))
    now: int = 0
    second: str = ""
    then: int = 0
    colour: int = 0

    @property
    def place(self) -> tuple[float, float | None]:
        """Where it stands, in data coordinates; no y for a line."""
        if not self.y.size:
            return float(self.x[self.now]), None
        return float(self.x[self.now]), float(self.y[self.then if self.second else self.now])


@dataclass(frozen=True)
class Histogram:
    """Shares of values in equal bins.

    Attributes:
        shares: (bins,), each in [0, 1].
        low: left edge of the first bin.
        high: right edge of the last bin.
        top: share at the upper edge of the panel; the same in every frame, so that nothing jumps.
        color: place in the palette.
        ghost: (bins,), an outline behind it: how it was before; empty for none.
    """

    title: str
    shares: Floats
    low: float
    high: float
    top: float
    marks: tuple[Mark, ...] = ()
    colour: int = 0
    ghost: Floats = field(default_factory=lambda: np.empty(0, np.float32))
    handles: tuple[Handle, ...] = ()


@dataclass(frozen=True)
class Series:
    """One line of a `Lines` panel, or one color of a `Bars` panel.

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
        ticks: of the x axis, where they are not to be chosen: 1, 10, 100 on one that is logarithmic, say.
    """

    title: str
    x: Floats
    series: tuple[Series, ...]
    low: float
    high: float
    xlabel: str = ""
    marks: tuple[Mark, ...] = ()
    ticks: tuple[Mark, ...] = ()
    handles: tuple[Handle, ...] = ()


@dataclass(frozen=True)
class Axis:
    """One axis of a `Plane`.

    Attributes:
        low: its lower end.
        high: its upper end.
        ticks: where they are not to be chosen.
    """

    low: float
    high: float
    label: str = ""
    ticks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Curve:
    """Points in a `Plane`, joined or not.

    Attributes:
        label: in the legend; empty for none there.
        x: (n,).
        y: (n,); NaN leaves a gap.
        style: "line", "dashed", "faint" (thin and gray), "area" (a closed outline, filled), "dots", "rings", "crosses",
            "stars", "diamonds"; "rug-x" and "rug-y" draw short strokes at the axis, for its values alone.
        color: place in the palette.
    """

    label: str
    x: Floats
    y: Floats
    style: str = "line"
    colour: int = 0


@dataclass(frozen=True)
class Plane:
    """Curves and points over two axes.

    Attributes:
        box: (x low, x high, y low, y high), a rectangle in data coordinates; empty for none.
    """

    title: str
    curves: tuple[Curve, ...]
    x: Axis
    y: Axis
    marks: tuple[Mark, ...] = ()
    box: tuple[float, ...] = ()
    handles: tuple[Handle, ...] = ()


@dataclass(frozen=True)
class Bars:
    """Groups of bars with their values; NaN is shown as "?": not known yet.

    Attributes:
        groups: names of the groups.
        low: lower end of the axis.
        high: upper end of the axis.
        decimals: of the numbers at the bars.
    """

    title: str
    groups: tuple[str, ...]
    series: tuple[Series, ...]
    low: float
    high: float
    decimals: int = 2


@dataclass(frozen=True)
class Montage:
    """Small images side by side.

    Attributes:
        images: (N, H, W, 3), 0 to 255.
        columns: images in a row.
        captions: one line under each image, or none.
        levels: (N,), in [0, 1], a bar under each image that is so much of its width; empty for none.
        colours: (N,), places in the palette, of the bars.
        outlined: the image that has a frame; -1 for none.
    """

    title: str
    images: Bytes
    columns: int
    captions: tuple[str, ...] = ()
    levels: Floats = field(default_factory=lambda: np.empty(0, np.float32))
    colours: Bytes = field(default_factory=lambda: np.empty(0, np.uint8))
    outlined: int = -1


@dataclass(frozen=True)
class Cells:
    """The numbers of an activation of shape (N, C, H, W) as small squares: a row for each example, a tile a channel.

    Attributes:
        shape: (N, C, H, W).
        groups: (N * C * H * W,), which group a cell belongs to, for its color; 255 for none.
        signs: (N * C * H * W,), index into `letters`, what is written in the cell; 0 for nothing.
        letters: the signs.
        framed: (N * C * H * W,), 1 where a cell has a frame; empty for none.
    """

    title: str
    shape: tuple[int, int, int, int]
    groups: Bytes
    signs: Bytes
    letters: tuple[str, ...] = ("", "★", "✓", "✗")
    framed: Bytes = field(default_factory=lambda: np.empty(0, np.uint8))


@dataclass(frozen=True)
class Entry:
    """One line in a cell of a `Table`.

    Attributes:
        label: what it is about.
        found: what was found there, in two short lines; empty where nothing may be told yet.
        settings: (name of a control, its value): what shows it.  Clicking the entry sets them.
    """

    label: str
    found: str
    settings: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Table:
    """A table in words that fills: an entry shows what was found once the picture has been about it.

    The page keeps the numbers of those entries, counted through all cells row by row, in the state as "seen".

    Attributes:
        columns: their headings.
        rows: their headings.
        headings: of the cells, row by row.
        entries: of each cell.
        now: number of the entry that the picture is about.
        seen: numbers of the entries that it was about before.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    headings: tuple[str, ...]
    entries: tuple[tuple[Entry, ...], ...]
    now: int
    seen: tuple[int, ...] = ()


Panel = Histogram | Lines | Plane | Bars | Montage | Cells | Table


@dataclass(frozen=True)
class Scene:
    """A picture.

    Attributes:
        line: the key numbers in words; also the alternative text.
        width: of the picture, in CSS pixels; the same for every state of a widget.
        height: of the picture, in CSS pixels.
        weights: shares of the width that the panels get; equal ones if empty.
        settled: values of controls that another control has set, for the controls to show.
    """

    panels: tuple[Panel, ...]
    line: str
    width: int = 760
    height: int = 240
    weights: tuple[float, ...] = field(default=())
    settled: Mapping[str, float] = field(default_factory=dict)


def decades(low: int, high: int, step: int = 1) -> tuple[Mark, ...]:
    """Ticks of an axis of base-10 logarithms that carry the numbers themselves: 1e-4, 1e-3, ...

    Args:
        low: exponent of the first.
        high: exponent of the last.
        step: from one to the next.
    """
    plain = {-1: "0.1", 0: "1", 1: "10", 2: "100"}
    return tuple(Mark(float(k), plain.get(k, f"1e{k}".replace("-", "−"))) for k in range(low, high + 1, step))


def places(values: ArrayLike) -> Floats:
    """Where a handle stands for each value of its slider, as `Handle` takes it."""
    return np.asarray(values, np.float32)


def histogram(
    title: str,
    values: ArrayLike,
    low: float,
    high: float,
    bins: int = 40,
    top: float = 0.25,
    colour: int = 0,
    before: ArrayLike | None = None,
    handles: tuple[Handle, ...] = (),
) -> Histogram:
    """The histogram of values, marked with their mean; an outline behind it shows what they were `before`.

    Values outside [low, high] are in no bin: a mark at the edge says how many they are.  The mean is that of all.
    """

    def shares(found: ArrayLike) -> Floats:
        data = np.asarray(found, dtype=np.float64)
        counts, _ = np.histogram(data, bins, (low, high))
        return (counts / max(1, data.size)).astype(np.float32)

    data = np.asarray(values, dtype=np.float64)
    mean = float(data.mean())
    marks = [Mark(mean, f"mean {mean:z.2f}".replace("-", "−"))]
    if below := float((data < low).mean()):
        marks.append(Mark(low, f"← {in_percent(below)}"))
    if above := float((data > high).mean()):
        marks.append(Mark(high, f"{in_percent(above)} →"))
    ghost = np.empty(0, np.float32) if before is None else shares(before)
    return Histogram(title, shares(values), low, high, top, tuple(marks), colour, ghost, handles)


def in_percent(share: float) -> str:
    """A share that is not zero."""
    return "<1%" if share < 0.01 else f"{100 * share:.0f}%"


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
    spec["settled"] = dict(scene.settled)
    return spec, bytes(buffer)
