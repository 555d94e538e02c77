"""The last state of a widget as an image, for notebooks that are read without a kernel."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from course_lib.lab.plots import DASHES, OKABE_ITO, image_tag
from course_lib.widgets.scene import (
    Axis,
    Bars,
    Cells,
    Curve,
    Handle,
    Histogram,
    Lines,
    Mark,
    Montage,
    Panel,
    Plane,
    Scene,
    Table,
)

__all__ = ["PAGES", "PREDICTION", "draw", "page_beside", "png", "still", "still_bundle"]

PREDICTION = "data-course-prediction"
"""The attribute of a still picture that holds a locked prediction, for whoever reads a saved notebook."""

PAGES = "widgets"
"""The folder beside a notebook with a page for each of its widgets that moves without Python, where such were made."""

_DPI = 96
_COLORS = 128
_HATCHES = ("", "////", "....", "xxxx")
_CROWDED = 40
"""Letters of the names of groups of bars, beyond which they would run into each other."""
_NO_GROUP = 255
_SIGNS = {"dots": "o", "rings": "o", "crosses": "x", "stars": "*", "diamonds": "D"}

# While the live widget stands below it, the still picture hides; without a kernel, the empty place of the widget does.
_STYLE = """<style>
.jp-OutputArea-child:has(.course-still):has(+ .jp-OutputArea-child .course-widget) { display: none; }
.jp-OutputArea-child:has(.course-still) + .jp-OutputArea-child:not(:has(.course-widget, [data-mime-type]))
{ display: none; }
</style>"""


def page_beside(name: str) -> str:
    """The address of a widget's page from the notebook that runs; empty if there is none.

    Args:
        name: of the widget's design.
    """
    page = Path(PAGES) / f"{name}.html"
    return page.as_posix() if page.is_file() else ""


def still_bundle(
    title: str, scene: Scene, said: str = "", prediction: Sequence[str] = (), page: str = ""
) -> dict[str, str]:
    """A scene in every form that a notebook may be turned into: HTML, an image for print, and words.

    Args:
        said: the explanation, or before the prediction the question.
        prediction: what was locked in, if anything: widget, question, what was said, `right` or `wrong`.
        page: address of a page that moves without Python.
    """
    data = base64.b64encode(png(scene)).decode("ascii")
    words = [_sentence(title), scene.line, said]
    return {
        "text/html": still(title, scene, said, prediction, page, data),
        "image/png": data,
        "text/plain": "\n".join(filter(None, words)),
    }


def still(
    title: str,
    scene: Scene,
    said: str = "",
    prediction: Sequence[str] = (),
    page: str = "",
    data: str = "",
) -> str:
    """A scene as HTML: an image with alternative text and a caption; arguments as of `still_bundle`.

    Args:
        data: the image in base64, if it is there already.
    """
    data = data or base64.b64encode(png(scene)).decode("ascii")
    more = f"<br>{escape(said)}" if said else ""
    # in signs that neither HTML nor JSON writes otherwise
    mark = f' {PREDICTION}="{";".join(quote(part, safe="") for part in prediction)}"' if prediction else ""
    pictures = any(isinstance(panel, Montage) for panel in scene.panels)
    link = f' Where that does not work, open <a href="{escape(page)}">{escape(page)}</a>.' if page else ""
    return (
        f'{_STYLE}<figure class="course-still"{mark} style="margin:4px 5px 8px">'
        f"{image_tag(data, f'{_sentence(title)} {scene.line}', pictures, scene.width)}"
        f"<figcaption><strong>{escape(title)}</strong><br>{escape(scene.line)}{more}<br>"
        f"<em>Still picture: run the cell to move it.{link}</em></figcaption></figure>"
    )


def _sentence(title: str) -> str:
    return title if title.endswith(("?", ".")) else f"{title}."


def png(scene: Scene) -> bytes:
    """A scene as a PNG image of its own size, with so few colors that it is a third as large."""
    figure = draw(scene)
    buffer, small = io.BytesIO(), io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    image = Image.open(buffer).convert("RGB")
    image.quantize(_COLORS, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return small.getvalue()


def draw(scene: Scene, figure: Figure | None = None) -> Figure:
    """A scene as a Matplotlib figure.

    Args:
        scene: what to draw.
        figure: where; by default a new one that pyplot does not know, so that none is left open.
    """
    if figure is None:
        figure = Figure()
        FigureCanvasAgg(figure)
    figure.set_size_inches(scene.width / _DPI, scene.height / _DPI)
    ratios = scene.weights or [1.0] * len(scene.panels)
    axes = figure.subplots(1, len(scene.panels), squeeze=False, width_ratios=ratios)[0]
    # Fixed margins: a layout that is computed takes longer than the drawing.
    room = 26 * max(_rows(panel) for panel in scene.panels) / 2
    top = 1 - (24 + room) / scene.height
    figure.subplots_adjust(left=0.07, right=0.98, top=top, bottom=42 / scene.height, wspace=0.22)
    for ax, panel in zip(axes, scene.panels, strict=True):
        ax.set_title(panel.title, fontsize=9)
        ax.tick_params(labelsize=7)
        ax.spines[["top", "right"]].set_visible(False)
        _panel(ax, panel)
    return figure


def _rows(panel: Panel) -> int:
    """Rows of the legend that stands above a panel."""
    match panel:
        case Lines():
            labels = len(panel.series)
        case Plane():
            labels = sum(bool(curve.label) for curve in panel.curves)
        case Bars():
            labels = len(panel.series) if len(panel.series) > 1 else 0
        case _:
            labels = 0
    return -(-labels // 2)


def _panel(ax: Axes, panel: Panel) -> None:
    match panel:
        case Histogram():
            _histogram(ax, panel)
        case Lines():
            _lines(ax, panel)
        case Plane():
            _plane(ax, panel)
        case Bars():
            _bars(ax, panel)
        case Montage():
            _montage(ax, panel)
        case Cells():
            _cells(ax, panel)
        case Table():
            _table(ax, panel)


def _histogram(ax: Axes, panel: Histogram) -> None:
    edges = np.linspace(panel.low, panel.high, len(panel.shares) + 1)
    ax.bar(edges[:-1], panel.shares, np.diff(edges), align="edge", color=OKABE_ITO[panel.colour % len(OKABE_ITO)])
    if panel.ghost.size:
        ax.stairs(panel.ghost, edges, color="0.3", linestyle=":", linewidth=1)
    ax.set(xlim=(panel.low, panel.high), ylim=(0, panel.top), yticks=[])
    _handles(ax, panel.handles)
    _marks(ax, panel.marks)


def _marks(ax: Axes, marks: tuple[Mark, ...]) -> None:
    low, high = ax.get_xlim()
    for i, mark in enumerate(marks):
        x = float(np.clip(mark.x, low, high))
        ax.axvline(x, color="0.2", linewidth=1, linestyle="--")
        side = "right" if x > (low + high) / 2 else "left"
        height = 0.97 - 0.09 * i
        ax.text(x, height, f" {mark.label} ", fontsize=7, ha=side, va="top", transform=ax.get_xaxis_transform())


def _lines(ax: Axes, panel: Lines) -> None:
    for i, series in enumerate(panel.series):
        colour = OKABE_ITO[i % len(OKABE_ITO)]
        if series.style == "dots":
            ax.plot(panel.x, series.y, "o", color=colour, markersize=2.5, label=series.label)
        else:
            dashes = DASHES[1] if series.style == "dashed" else DASHES[0]
            ax.plot(panel.x, series.y, color=colour, linestyle=dashes, label=series.label)
    ax.set(xlim=(panel.x[0], panel.x[-1]), ylim=(panel.low, panel.high))
    ax.set_xlabel(panel.xlabel, fontsize=8)
    if panel.ticks:
        ax.set_xticks([tick.x for tick in panel.ticks], [tick.label for tick in panel.ticks])
    _handles(ax, panel.handles)
    _legend(ax, [series.label for series in panel.series])
    _marks(ax, panel.marks)


def _legend(ax: Axes, labels: list[str]) -> None:
    """Beside what is drawn, not over it: between the title and the plot."""
    if not any(labels):
        return
    columns = 2 if len(labels) > 1 else 1
    ax.legend(frameon=False, fontsize=6.5, ncols=columns, loc="lower left", bbox_to_anchor=(0, 0.98), borderaxespad=0)
    ax.title.set_position((0.5, 1.0))
    ax.set_title(ax.get_title(), fontsize=9, pad=6 + 11 * -(-len(labels) // columns))


def _plane(ax: Axes, panel: Plane) -> None:
    _axes(ax, panel.x, panel.y)
    for curve in panel.curves:
        _curve(ax, curve)
    if panel.box:
        left, right, bottom, top = panel.box
        ax.add_patch(Rectangle((left, bottom), right - left, top - bottom, facecolor="0.5", alpha=0.15))
        ax.add_patch(Rectangle((left, bottom), right - left, top - bottom, fill=False, edgecolor="0.1", linewidth=1.5))
    _handles(ax, panel.handles)
    _legend(ax, [curve.label for curve in panel.curves if curve.label])
    _marks(ax, panel.marks)


def _axes(ax: Axes, x: Axis, y: Axis) -> None:
    ax.set(xlim=(x.low, x.high), ylim=(y.low, y.high))
    ax.set_xlabel(x.label, fontsize=8)
    ax.set_ylabel(y.label, fontsize=8)
    if x.ticks:
        ax.set_xticks([tick.x for tick in x.ticks], [tick.label for tick in x.ticks])
    if y.ticks:
        ax.set_yticks([tick.x for tick in y.ticks], [tick.label for tick in y.ticks])


def _curve(ax: Axes, curve: Curve) -> None:
    colour = "0.6" if curve.style == "faint" else OKABE_ITO[curve.colour % len(OKABE_ITO)]
    label = curve.label or "_"
    if curve.style in _SIGNS:
        size = 60 if curve.style == "stars" else 22
        sign = _SIGNS[curve.style]
        if curve.style == "rings":
            ax.scatter(curve.x, curve.y, size, facecolors="none", edgecolors=colour, marker=sign, label=label, zorder=3)
        else:
            ax.scatter(curve.x, curve.y, size, colour, marker=sign, label=label, zorder=3)
    elif curve.style == "area":
        ax.fill(curve.x, curve.y, color=colour, alpha=0.2, linewidth=0, label=label)
    elif curve.style == "rug-x":
        ax.plot(curve.x, np.zeros(len(curve.x)), "|", color=colour, markersize=9, label=label, clip_on=False,
                transform=ax.get_xaxis_transform())  # fmt: skip
    elif curve.style == "rug-y":
        ax.plot(np.zeros(len(curve.y)), curve.y, "_", color=colour, markersize=9, label=label, clip_on=False,
                transform=ax.get_yaxis_transform())  # fmt: skip
    else:
        dashes, width = DASHES[int(curve.style == "dashed")], 0.8 if curve.style == "faint" else 1.6
        ax.plot(curve.x, curve.y, color=colour, linestyle=dashes, linewidth=width, label=label)


def _handles(ax: Axes, handles: tuple[Handle, ...]) -> None:
    for handle in handles:
        x, y = handle.place
        if y is None:
            ax.axvline(x, color=OKABE_ITO[handle.colour], linewidth=1.2)
        else:
            ax.scatter([x], [y], 60, "white", edgecolors=OKABE_ITO[handle.colour], linewidths=2, zorder=4)


def _bars(ax: Axes, panel: Bars) -> None:
    width = 0.8 / len(panel.series)
    for i, series in enumerate(panel.series):
        x = np.arange(len(panel.groups)) + (i - (len(panel.series) - 1) / 2) * width
        hatch = _HATCHES[i % len(_HATCHES)]
        colour = OKABE_ITO[i % len(OKABE_ITO)]
        heights = np.nan_to_num(series.y)
        drawn = ax.bar(x, heights, width * 0.92, label=series.label, color=colour, hatch=hatch, edgecolor="white")
        if len(panel.groups) * len(panel.series) <= 12:
            known = ["?" if np.isnan(value) else f"{value:z.{panel.decimals}f}" for value in series.y]
            ax.bar_label(drawn, known, fontsize=7)
    ax.set(ylim=(panel.low, panel.high))
    crowded = sum(map(len, panel.groups)) > _CROWDED
    ax.set_xticks(np.arange(len(panel.groups)), panel.groups)
    if crowded:
        ax.tick_params("x", rotation=30, pad=1)
        for label in ax.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    ax.axhline(0, color="0.4", linewidth=0.8)
    if len(panel.series) > 1:
        _legend(ax, [series.label for series in panel.series])


def _montage(ax: Axes, panel: Montage) -> None:
    n, height, width, _ = panel.images.shape
    rows = -(-n // panel.columns)
    bar = max(2, height // 14) if panel.levels.size else 0
    below = (max(2, height // 5) if panel.captions else 1) + bar  # room for a caption
    sheet = np.full((rows * panel.columns, height + 1 + below, width + 2, 3), 255, np.uint8)
    sheet[:n, 1:-below, 1:-1] = panel.images
    # (rows * columns, h, w, 3) -> (rows, h, columns, w, 3) -> (rows * h, columns * w, 3)
    grid = sheet.reshape(rows, panel.columns, *sheet.shape[1:]).swapaxes(1, 2)
    ax.imshow(grid.reshape(rows * sheet.shape[1], panel.columns * sheet.shape[2], 3), interpolation="nearest")
    ax.set_axis_off()
    for i, (level, colour) in enumerate(zip(panel.levels.tolist(), panel.colours.tolist(), strict=True)):
        row, column = divmod(i, panel.columns)
        corner = column * sheet.shape[2], row * sheet.shape[1] + height + 1.5
        ax.add_patch(Rectangle(corner, width, bar - 1, color="0.88", linewidth=0))
        ax.add_patch(Rectangle(corner, width * level, bar - 1, color=OKABE_ITO[colour % len(OKABE_ITO)], linewidth=0))
    if panel.outlined >= 0:
        row, column = divmod(panel.outlined, panel.columns)
        corner = column * sheet.shape[2] + 1, row * sheet.shape[1] + 1
        ax.add_patch(Rectangle(corner, width - 2, height - 2, fill=False, edgecolor=OKABE_ITO[4], linewidth=1.5))
    for i, caption in enumerate(panel.captions):
        row, column = divmod(i, panel.columns)
        place = ((column + 0.5) * sheet.shape[2], (row + 1) * sheet.shape[1])
        ax.text(*place, caption, fontsize=6, ha="center", va="bottom")


def _cells(ax: Axes, panel: Cells) -> None:
    n, c, h, w = panel.shape
    for index in range(n * c * h * w):
        i, j, k, m = np.unravel_index(index, panel.shape)
        x, y = float(j * (w + 0.6) + m), float(i * (h + 0.6) + k)
        group = int(panel.groups[index])
        colour = "0.88" if group == _NO_GROUP else OKABE_ITO[group % len(OKABE_ITO)]
        alpha = 1.0 if group == _NO_GROUP else 0.55
        ax.add_patch(_square(x, y, colour, alpha))
        if panel.framed.size and panel.framed[index]:
            ax.add_patch(Rectangle((x + 0.09, y + 0.09), 0.76, 0.76, fill=False, edgecolor="0.1", linewidth=1.2))
        sign = panel.letters[panel.signs[index]]
        if sign:
            # Matplotlib's font lacks some of the signs that a browser has.
            ax.text(
                x + 0.5, y + 0.5, {"✓": "x", "✗": "-", "★": "*"}.get(sign, sign), fontsize=8, ha="center", va="center"
            )
    ax.set_xlim(-0.3, c * (w + 0.6))
    ax.set_ylim(n * (h + 0.6), -0.3)
    ax.set_aspect("equal")
    ax.set_xticks([j * (w + 0.6) + w / 2 for j in range(c)], [f"c={j}" for j in range(c)])
    ax.set_yticks([i * (h + 0.6) + h / 2 for i in range(n)], [f"n={i}" for i in range(n)])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


def _table(ax: Axes, panel: Table) -> None:
    rows, columns = len(panel.rows), len(panel.columns)
    ax.set(xlim=(0, columns), ylim=(rows, 0))
    ax.set_xticks([j + 0.5 for j in range(columns)], panel.columns)
    ax.set_yticks([i + 0.5 for i in range(rows)], panel.rows, rotation=90, va="center")
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    known, number = {*panel.seen, panel.now}, 0
    for cell, entries in enumerate(panel.entries):
        y, x = divmod(cell, columns)
        ax.add_patch(Rectangle((x + 0.01, y + 0.01), 0.98, 0.98, fill=False, edgecolor="0.5", linewidth=0.8))
        heading = textwrap.fill(panel.headings[cell], 24)
        ax.text(x + 0.05, y + 0.05, heading, fontsize=7, weight="bold", va="top")
        first = 0.1 + 0.1 * (heading.count("\n") + 1)
        for k, entry in enumerate(entries):
            top, height = y + first + k * (0.97 - first) / len(entries), (0.97 - first) / len(entries)
            if number == panel.now:
                corner, tall = (x + 0.03, top), height - 0.02
                ax.add_patch(Rectangle(corner, 0.94, tall, facecolor="0.92", edgecolor=OKABE_ITO[1], linewidth=1.5))
            found = entry.found if entry.found and number in known else "?"
            ax.text(x + 0.06, top + height / 2, f"{entry.label}: {found}", fontsize=6.5, va="center", linespacing=1.3)
            number += 1


def _square(x: float, y: float, colour: str, alpha: float) -> Rectangle:
    return Rectangle((x, y), 0.94, 0.94, facecolor=colour, alpha=alpha, edgecolor="0.4", linewidth=0.4)
