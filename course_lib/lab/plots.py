"""Figures that everybody can read: safe colors, a second cue beside color, a description in words.

Figures are made without `pyplot`, so that none is left open, and shown as an image with alternative text.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from course_lib.lab.display import NARROW_SCALE, show, unbroken

__all__ = [
    "DASHES",
    "MARKERS",
    "OKABE_ITO",
    "Picture",
    "Table",
    "bars",
    "counted",
    "curves",
    "figure",
    "image_tag",
    "legend_beside",
    "montage",
    "of_seeds",
    "show_figure",
    "show_table",
    "shown_like_ours",
    "spread",
    "titled",
]

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colors that stay apart for every kind of color vision (Okabe, Ito 2008); the yellow is left out: too pale."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
_DPI = 90
_FIRST_WORD = re.compile(r"\A[a-z]{2,}(?:-[a-z]{2,})*(?=[ :,\n]|\Z)(?! =)")
"""The name of a thing; symbols and names in code begin otherwise, or stand before an equals sign."""
# A dotted name, `torch.optim.AdamW`, may break after its dots: else tables do not fit on a phone.
_DOTTED = re.compile(r"(?<=\w\w)\.(?=[A-Za-z])")
_HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo")


class Picture:
    """A finished figure: PNG bytes with a description.

    Args:
        drawn: the figure.
        alt: what it shows, in words, with the important numbers.
        caption: a line below it.
        as_made: with its own resolution and without the empty margin, as a notebook shows figures.

    Attributes:
        png: the image.
        pictures: whether there are images or color maps in it, which have to look the same on a dark page.
        width: in pixels.
    """

    def __init__(self, drawn: Figure, alt: str, caption: str = "", as_made: bool = False) -> None:
        buffer = io.BytesIO()
        how: dict[str, Any] = {"dpi": "figure", "bbox_inches": "tight"} if as_made else {"dpi": _DPI}
        drawn.savefig(buffer, format="png", **how)
        self.png, self.alt, self.caption = buffer.getvalue(), alt, caption
        # A photograph's negative would be wrong, and the best of a color map must not become the darkest.
        maps = (part for ax in drawn.axes for part in ax.collections if part.get_array() is not None)
        self.pictures = bool(drawn.images) or any(ax.images for ax in drawn.axes) or next(maps, None) is not None
        self.width = int.from_bytes(self.png[16:20], "big")  # where a PNG says so

    def __repr__(self) -> str:
        return f"[figure: {self.alt}]"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode("ascii")
        caption = f"<figcaption>{unbroken(escape(self.caption))}</figcaption>" if self.caption else ""
        image = image_tag(data, self.alt, self.pictures, self.width)
        return f'<figure style="margin:4px 5px 8px">{image}{caption}</figure>'


def image_tag(data: str, alt: str, pictures: bool, width: int) -> str:
    """The HTML of a figure: by its class the style of `device.banner` finds what may turn dark.

    Args:
        data: a PNG image in base64.
        alt: what it shows, in words.
        pictures: whether images or color maps are in it, which have to look the same on a dark page.
        width: in pixels.
    """
    kind = "course-pictures" if pictures else "course-plot"
    style = f"max-width:100%;--course-narrow:{NARROW_SCALE * width:.0f}px"
    source = f'alt="{escape(alt)}" src="data:image/png;base64,{data}"'
    return f'<img class="{kind}" style="{style}" width="{width}" {source}>'


def figure(
    rows: int = 1, columns: int = 1, width: float = 4.2, height: float = 3.0, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure and its axes, row by row.

    Args:
        rows: of axes.
        columns: of axes.
        width: of one of the axes, in inches.
        height: of one of the axes, in inches.
        shared: `sharex`, `sharey` and the like, as for `Figure.subplots`.
    """
    drawn = Figure(figsize=(columns * width, rows * height), layout="constrained")
    FigureCanvasAgg(drawn)
    axes = drawn.subplots(rows, columns, squeeze=False, **shared)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25)
        ax.set_axisbelow(True)
    return drawn, list(axes.flat)


def show_figure(drawn: Figure, alt: str, caption: str = "") -> None:
    """Show a figure and let go of it.

    Args:
        drawn: the figure.
        alt: what it shows, in words, with the important numbers, for those who cannot see it.
        caption: a line below it, for everybody.
    """
    for ax in drawn.axes:
        _show_whole_markers(ax)
        ax.title.set_text(_begun(ax.get_title()))
    picture = Picture(drawn, alt, _begun(caption))
    drawn.clear()
    show(picture, repr(picture))


def _begun(words: str) -> str:
    """A title or a caption made of the name of a thing, begun as all others are."""
    return _FIRST_WORD.sub(lambda word: word[0].capitalize(), words)


def _show_whole_markers(ax: Axes) -> None:
    """Let markers at an edge of the plot reach beyond it, instead of being cut in half.

    Where an axis was made to begin at zero, what margin matplotlib had left above the highest point is too small.
    """
    for line in ax.lines:
        if line.get_marker() in ("None", None, "", " "):
            continue
        places = (line.get_transform() - ax.transAxes).transform(line.get_xydata())
        drawn = places[~np.isnan(places).any(axis=1)]
        # Not where points lie outside on purpose, as in an enlarged part; and a line without points has its place in a
        # corner of the figure: unclipped, it would make the layout squeeze the plot.
        if len(drawn) and np.all((drawn > -1e-6) & (drawn < 1 + 1e-6)):
            line.set_clip_on(False)


def shown_like_ours(drawn: Figure) -> str | None:
    """A figure that a student has made with `pyplot`, as HTML that follows the theme; `device.banner` asks for it.

    Args:
        drawn: the figure.

    Returns:
        None, and so what matplotlib shows by itself, for a figure that moves, for one that cannot be drawn (there the
        plain image says why), and where another format was asked for.
    """
    from matplotlib_inline.config import InlineBackend

    if "WebAgg" in type(drawn.canvas).__name__ or InlineBackend.instance().figure_formats != {"png"}:
        return None
    words = [text for ax in drawn.axes for text in (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) if text]
    try:
        picture = Picture(drawn, f"Your figure: {', '.join(words) or 'without a title'}.", as_made=True)
    except Exception:
        return None
    # Somebody who draws on black has chosen how it looks.
    picture.pictures = picture.pictures or sum(to_rgb(drawn.get_facecolor())) < 1.5
    return picture._repr_html_()


class Table:
    """A small table, as HTML and as text.

    Args:
        rows: of cells; the first row is the header.
    """

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        self.rows = rows

    def __repr__(self) -> str:
        widths = [max(len(row[i]) for row in self.rows) for i in range(len(self.rows[0]))]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in self.rows)

    def _repr_html_(self) -> str:
        def line(cells: Sequence[str], tag: str) -> str:
            # An empty header cell is none: a screen reader would announce a column without a name.
            tags = [tag if cell else "td" for cell in cells]
            words = (_DOTTED.sub(".<wbr>", unbroken(escape(cell))) for cell in cells)
            inner = (f'<{t} style="text-align:left">{w}</{t}>' for t, w in zip(tags, words, strict=True))
            return f"<tr>{''.join(inner)}</tr>"

        return "<table>" + line(self.rows[0], "th") + "".join(line(row, "td") for row in self.rows[1:]) + "</table>"


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Show a table of texts; one without rows says that there is nothing yet."""
    table = Table([header, *(rows or [["nothing yet", *[""] * (len(header) - 1)]])])
    show(table, repr(table))


def curves(ax: Axes, series: Mapping[str, tuple[Sequence[float], Sequence[float]]], markers: bool = True) -> None:
    """Draw lines that differ in color, dashes and marker.

    Args:
        ax: where.
        series: label -> (x, y).
        markers: whether single points are marked.
    """
    for i, (label, (x, y)) in enumerate(series.items()):
        k = i % len(OKABE_ITO)
        ax.plot(
            x,
            y,
            color=OKABE_ITO[k],
            linestyle=DASHES[k],
            marker=MARKERS[k] if markers else "",
            markersize=5,
            label=label,
        )
    if series:
        ax.legend(frameon=False)


def spread(ax: Axes, x: Sequence[float], runs: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Draw the mean of several runs and, as a band, how far they lie apart.

    Args:
        ax: where.
        x: (P,) places.
        runs: label -> one sequence of P values for each seed.
    """
    curves(ax, {label: (x, np.mean(values, axis=0).tolist()) for label, values in runs.items()})
    for i, values in enumerate(runs.values()):
        ax.fill_between(
            x,
            np.min(values, axis=0),
            np.max(values, axis=0),
            color=OKABE_ITO[i % len(OKABE_ITO)],
            alpha=0.18,
            linewidth=0,
        )


def legend_beside(ax: Axes) -> None:
    """Put the legend to the right of what is drawn, below the height of the title: a long one may run on above it."""
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, frameon=False, fontsize=9)


def bars(ax: Axes, groups: Sequence[str], series: Mapping[str, Sequence[float]]) -> None:
    """Draw grouped bars that differ in color and hatching, with their values on top."""
    width = 0.8 / max(1, len(series))
    for i, (label, values) in enumerate(series.items()):
        k = i % len(OKABE_ITO)
        x = np.arange(len(groups)) + (i - (len(series) - 1) / 2) * width
        drawn = ax.bar(x, values, width, label=label, color=OKABE_ITO[k], hatch=_HATCHES[k], edgecolor="white")
        ax.bar_label(drawn, fmt="%.3g", fontsize=8)
    ax.set_xticks(np.arange(len(groups)), groups)
    ax.margins(y=0.12)
    if len(series) > 1:
        ax.legend(frameon=False)
    else:
        ax.set_ylabel(next(iter(series), ""))


def counted(number: int, things: str) -> str:
    """A number of things, in words: "1 seed", "5 seeds".

    Args:
        number: of them.
        things: their name in the plural, which ends in s.
    """
    return f"{number:,} {things.removesuffix('s') if number == 1 else things}"


def of_seeds(number: int, several: str) -> str:
    """What is drawn of each seed, for a caption; of a single seed no bands and no small dots can be seen.

    Args:
        number: of seeds.
        several: the sentences where there are several.
    """
    return several if number > 1 else "One seed."


def titled(claim: str, holds: Any, otherwise: str) -> str:
    """The title of a figure: what it shows, where it does.

    A short run, or one that was stopped, need not show what the full one shows.

    Args:
        claim: what the figure is to show.
        holds: whether these numbers do.
        otherwise: what is drawn.
    """
    return claim if holds else otherwise


def montage(ax: Axes, images: torch.Tensor, columns: int, titles: Sequence[str] = ()) -> None:
    """Draw images side by side as one picture.

    Args:
        ax: where.
        images: (N, 1 or 3, H, W), in [0, 1].
        columns: images in a row.
        titles: a line for each column, written above it.
    """
    n, channels, height, width = images.shape
    rows = -(-n // columns)
    sheet = torch.ones(rows * columns, channels, height + 2, width + 2)
    sheet[:n, :, 1:-1, 1:-1] = images.detach().cpu()
    # (rows * columns, C, h, w) -> (rows, columns, C, h, w) -> (rows, h, columns, w, C)
    grid = sheet.view(rows, columns, channels, height + 2, width + 2).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    ax.imshow(grid.squeeze(-1).clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_yticks([])
    ax.set_xticks([(i + 0.5) * (width + 2) for i in range(len(titles))], titles, fontsize=9)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
