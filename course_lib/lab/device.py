"""Where the notebook computes, and how long it will take there."""

from __future__ import annotations

import os
import platform
import sys
from typing import TypeVar

import torch

from course_lib.lab.display import show
from course_lib.lab.memory import keep_freed_memory

__all__ = ["Banner", "banner", "best_device", "quick", "scaled"]

_T = TypeVar("_T")


def best_device() -> torch.device:
    """The GPU if there is one that PyTorch can use, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def quick() -> bool:
    """Whether experiments should be short: the environment variable COURSE_QUICK is set to something but 0."""
    return os.environ.get("COURSE_QUICK", "0") not in ("", "0")


def scaled(full: _T, short: _T) -> _T:
    """The first value normally, the second in quick mode."""
    return short if quick() else full


_STYLE = """<style>
.jp-Notebook { --jp-mirror-editor-comment-color: #2f6464; }
[data-jp-theme-light="false"] .jp-Notebook { --jp-mirror-editor-comment-color: #63a9a9; }
[data-jp-theme-light="false"] .course-plot { filter: invert(0.93) hue-rotate(180deg); }
[data-jp-theme-light="false"] .course-pictures { border-radius: 6px; }
.jp-OutputArea-output.jp-RenderedText pre { word-break: normal; overflow-wrap: anywhere; }
.jp-RenderedMarkdown :is(h1, h2, h3) { line-height: 1.2; text-wrap: balance; }
.jp-RenderedMarkdown :is(p, li), .jp-RenderedText pre { text-wrap: pretty; }
.jp-RenderedMarkdown details + p { margin-top: 0.8em; }
.jp-RenderedMarkdown mjx-container { max-width: 100%; overflow: auto hidden; }
.jp-RenderedMarkdown mjx-container:not([display]) { white-space: nowrap; }
.jp-RenderedMarkdown mjx-container:not([display])::before { content: "\\2060"; }
.jp-RenderedMarkdown th:not([align]) { text-align: left; }
.jp-RenderedMarkdown :is(th, td:first-child) code { white-space: nowrap; }
.jp-RenderedMarkdown td:not(:first-child) code { white-space: pre-wrap; overflow-wrap: anywhere; }
.jp-RenderedMarkdown td:not(:first-child):has(> code) { min-width: 15em; }
.jp-RenderedMarkdown pre { overflow-x: auto; }
.jp-RenderedHTMLCommon.jp-RenderedMarkdown pre > code { white-space: pre; }
@media (max-width: 600px) {
.jp-RenderedMarkdown :is(h1, h2, h3, p, li) code { white-space: pre-wrap; overflow-wrap: anywhere; }
.jp-RenderedMarkdown :is(h1, h2, h3) code { font-size: 0.64em !important; }
.course-plot, .course-pictures { max-width: var(--course-narrow) !important; }
.course-drawing { min-width: var(--course-narrow); }
}</style>"""
"""For the whole notebook.

JupyterLab's comments are too faint to read (3.5 to 1 in the dark), it breaks printed lines within words, and a period
after a formula would begin the next line.  On its dark page white turns into the page's own #111, black into #eee, and
colors keep their hue; photographs stay as they are.  Where the browser can, no paragraph ends with a line of one short
word.  In tables a name in the first column stays whole, longer code breaks; lines of a program are moved sideways, not
folded.  On a phone, names of functions break, and are smaller in headings; formulas, figures and drawings are moved
sideways, not shrunk or folded.
"""


class Banner:
    """One line about the machine and the time, for the head of a notebook."""

    def __init__(self, minutes: float) -> None:
        device = best_device()
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU ({platform.machine()})"
        threads = torch.get_num_threads()
        mode = "quick mode (COURSE_QUICK=1)" if quick() else "full mode; COURSE_QUICK=1 shortens them"
        self.text = (
            f"Device: {name}, {threads} thread{'s' * (threads != 1)}, PyTorch {torch.__version__}. "
            f"All experiments together: about {minutes:g} minutes on 2 CPU cores in full mode. Now: {mode}."
        )

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f'{_STYLE}<div role="note" style="border-left:4px solid #0072B2;padding:.3em .8em">{self.text}</div>'


def banner(minutes: float) -> None:
    """Show the device banner.

    Args:
        minutes: what all experiments of the notebook take on 2 CPU cores, in minutes.
    """
    line = Banner(minutes)
    show(line, line.text)
    keep_freed_memory()
    _turn_own_figures_dark()


def _turn_own_figures_dark() -> None:
    """What a student draws with `pyplot` follows the theme, too, and is readable on a phone."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return
    from matplotlib.figure import Figure

    from course_lib.lab.plots import shown_like_ours

    # Not a formatter of IPython's: `%matplotlib inline`, which comes by itself later, forgets those.
    Figure._repr_html_ = shown_like_ours  # type: ignore[assignment,method-assign]
