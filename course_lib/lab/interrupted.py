"""Running a whole notebook by hand: an open exercise does not stop *Run All*, an interrupt is one line.

Only in a kernel that a person's Jupyter started.  Grading, validation and every other run without a person see
each error as it is.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any

__all__ = ["NothingFinishedError", "keep_going"]

_STUB = "is not written yet. This cell can run once it is; its exercise says what to do."
_CELL = "NotImplementedError: this cell is not written yet. The text above it says what belongs here."
_STOPPED = "KeyboardInterrupt: this cell was stopped, and nothing of it was kept. Run it again to start over."


class NothingFinishedError(Exception):
    """An experiment was stopped before its first run was complete, so there is nothing to show."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of the frames."""
        return [f"Stopped before the first {self} was complete: nothing to show yet. Run the cell again."]


def keep_going() -> None:
    """Let later cells run after one that failed, and say open exercises and interrupts in one line each.

    IPython hands the result of a cell to `post_run_cell` before the kernel reports it.  The error stays on the page,
    in red, and in the file; only the report that makes a front end drop the waiting cells is withdrawn.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    # Jupyter's server names the session for the kernels of people; nbclient and nbgrader start theirs without.
    if shell is None or "JPY_SESSION_NAME" not in os.environ or "NBGRADER_EXECUTION" in os.environ:
        return
    shell.set_custom_exc((NotImplementedError, KeyboardInterrupt), _told)
    if _go_on not in shell.events.callbacks["post_run_cell"]:
        shell.events.register("post_run_cell", _go_on)


def _go_on(result: Any) -> None:
    # A person who interrupts wants the waiting cells dropped, too: KeyboardInterrupt is no Exception.
    if isinstance(result.error_in_exec, Exception):
        result.error_in_exec = None
    if isinstance(result.error_before_exec, Exception):
        result.error_before_exec = None


def _told(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: int | None = None
) -> None:
    line = _STOPPED if isinstance(error, KeyboardInterrupt) else _stub_line(error, trace)
    if line:
        error._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _stub_line(error: BaseException, trace: TracebackType) -> str:
    """The line for an exercise, a function or a cell, that is still open; empty for other NotImplementedErrors."""
    while trace.tb_next is not None:
        trace = trace.tb_next
    inside = trace.tb_frame
    if str(error) or inside.f_globals.get("__name__") != "__main__":
        return ""
    name = inside.f_code.co_name
    if name == "<module>":
        return _CELL
    owner = inside.f_locals.get("self")
    return f"NotImplementedError: {name if owner is None else type(owner).__name__} {_STUB}"
