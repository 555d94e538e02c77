"""Watching an experiment run: a progress bar on stdout, a curve that grows in place, and a button to stop."""

from __future__ import annotations

import sys
import textwrap
import time
from types import TracebackType
from typing import Any

from matplotlib.ticker import MaxNLocator
from tqdm import tqdm

from course_lib.lab.plots import Picture, curves, figure, legend_beside
from course_lib.lab.stop import stop_button

__all__ = ["Live"]

_SECONDS_BETWEEN_FRAMES = 1.0
_RUNNING = "{desc}{percentage:3.0f}%|{bar}{r_bar}"
_FINISHED = "{desc}{n_fmt} of {total_fmt} in {elapsed_s:.0f} s"
"""The bar while the work is done, and what it leaves: a full bar says nothing."""
_LINE = 28
"""Letters beside the height of a curve."""
_WORTH_TELLING_S = 1.0
"""Work that takes less shows no bar at all."""


class _Nothing:
    """Takes the place of a curve that is not there yet or no longer needed."""

    def __repr__(self) -> str:
        return ""

    def _repr_html_(self) -> str:
        return ""


class Live:
    """A progress bar and a curve for as long as the `with` block lasts.

    The bar is text on stdout: a notebook marks stderr as an error, and nbgrader's own grader takes points for it.
    The curve appears with its first point where IPython can display, and is updated in place about once a second;
    elsewhere there is only the bar.

    Args:
        title: of the curve, also the label of the bar.
        total: number of `advance` calls expected.
        xlabel: of the curve.
        ylabel: of the curve.
        log: the axes that are logarithmic: "", "x", "y" or "xy".
        keep: whether the curve stays when the block ends; not where a finished figure follows.
        partial: whether the code after the block can do with the runs that are complete.  Then an interrupt ends the
            block and no more, and `stopped` says so.

    Attributes:
        stopped: whether the block was ended by an interrupt.
    """

    def __init__(
        self,
        title: str,
        total: int,
        xlabel: str = "step",
        ylabel: str = "training loss",
        log: str = "",
        keep: bool = True,
        partial: bool = False,
    ) -> None:
        self.title, self.xlabel, self.ylabel, self.log = title, xlabel, ylabel, log
        self.series: dict[str, tuple[list[float], list[float]]] = {}
        self.stopped = False
        self._handle: Any = None
        self._button: Any = None
        self._drawn_at = 0.0
        self._done, self._total = 0, total
        self._keep, self._partial = keep, partial

    def __enter__(self) -> Live:
        ipython = sys.modules.get("IPython")
        if ipython is not None and ipython.get_ipython() is not None:
            from IPython.display import display

            self._button = stop_button("Stop, keep what is done" if self._partial else "Stop")
            self._handle = display(_Nothing(), display_id=True)
        named = self.title + (" " if self.title.endswith("?") else ": ")
        self._bar = tqdm(
            total=self._total,
            desc=named,
            file=sys.stdout,
            delay=_WORTH_TELLING_S,
            mininterval=0.5,
            ncols=88,
            bar_format=_RUNNING,
        )
        self._drawn_at = 0.0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._bar.bar_format = _FINISHED
        self._bar.leave = not isinstance(error, Exception)
        self._bar.close()
        if self._button is not None:
            self._button.close()
        self.stopped = self._partial and isinstance(error, KeyboardInterrupt)
        if self.stopped:
            print(f"Stopped at {self._done} of {self._total}. The runs that were complete by then are kept.")
        if self._keep or (error is not None and not self.stopped):
            self._draw()
        elif self._handle is not None:
            self._handle.update(_Nothing())
        return self.stopped

    def advance(self, steps: int = 1) -> None:
        """One more piece of the work is done."""
        self._done += steps
        self._bar.update(steps)
        if time.monotonic() - self._drawn_at > _SECONDS_BETWEEN_FRAMES:
            self._draw()

    def add(self, label: str, x: float, y: float) -> None:
        """A new point of a line; it appears with the next frame."""
        xs, ys = self.series.setdefault(label, ([], []))
        xs.append(x)
        ys.append(y)

    def _draw(self) -> None:
        if self._handle is not None and self.series:
            self._handle.update(self._picture())
            self._drawn_at = time.monotonic()

    def _picture(self) -> Picture:
        drawn, (ax,) = figure(width=8.0, height=2.8)
        few = all(len(x) <= 40 for x, _ in self.series.values())
        curves(ax, {label: (list(x), list(y)) for label, (x, y) in self.series.items()}, markers=few)
        if self.series:
            legend_beside(ax)  # nobody knows yet where the curves will run
        ax.set(xlabel=self.xlabel, ylabel="\n".join(textwrap.wrap(self.ylabel, _LINE)), title=self.title)
        if "x" in self.log:
            ax.set_xscale("log")
        elif all(float(x).is_integer() for xs, _ in self.series.values() for x in xs):
            ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))  # there is no seed 0.02
        if "y" in self.log:
            ax.set_yscale("log")
        return Picture(drawn, self._description())

    def _description(self) -> str:
        last = [f"{label}: {ys[-1]:.3g} at {xs[-1]:.3g}" for label, (xs, ys) in self.series.items()]
        return f"{self.title}: {self.ylabel} against {self.xlabel}. " + ("; ".join(last) if last else "Nothing yet.")
