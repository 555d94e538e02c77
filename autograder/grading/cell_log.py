"""What the cells of one submission showed, and which of them failed."""

from __future__ import annotations

import re

from nbformat.notebooknode import NotebookNode

from autograder.grading.outputs import clean_outputs, error_output, text_output
from autograder.sandbox import CellResult, Limits, SessionEnded
from course_lib.checking.card import plain

__all__ = ["CellLog"]

_FILE = re.compile(r"\(<ipython-input-[^>]*>, (line \d+)\)")
"""Where a `SyntaxError` stands; the file is one that only Python knows."""


class CellLog:
    """Keeps outputs within the limits, which the process was told too but need not have kept.

    Attributes:
        outputs: cell id -> what it showed.
        failed: cell id -> why, in words.
        stopped: ids of cells that are not run again: they hung, killed their process, or cannot be read.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sizes: dict[str, int] = {}
        self._used = 0
        self.outputs: dict[str, list[NotebookNode]] = {}
        self.failed: dict[str, str] = {}
        self.stopped: set[str] = set()

    def ran(self, cell: str, result: CellResult) -> None:
        """A cell came to its end, good or bad."""
        self.outputs[cell] = self._cleaned(cell, result.outputs)
        self.failed.pop(cell, None)
        if not result.good:
            errors = [output for output in self.outputs[cell] if output.output_type == "error"]
            last = errors[-1] if errors else None
            why = f"its cell stopped with {last.ename}: {last.evalue}" if last else "its cell failed"
            self.failed[cell] = _FILE.sub(r"(\1)", why)

    def stop(self, cell: str, why: SessionEnded) -> None:
        """A cell is not run (again)."""
        self.stopped.add(cell)
        self.outputs[cell] = [error_output(why.kind, plain(why.reason))]
        self.failed[cell] = f"its cell was {why.reason if why.kind == 'unread' else f'stopped: {why.reason}'}"

    def _cleaned(self, cell: str, claimed: object) -> list[NotebookNode]:
        self._used -= self._sizes.get(cell, 0)  # it may have run before
        room = max(0, (self._limits.outputs_mib << 20) - self._used)
        of_cell = self._limits.output_kib << 10
        outputs, self._sizes[cell] = clean_outputs(claimed, min(of_cell, room))
        self._used += self._sizes[cell]
        if room < of_cell and isinstance(claimed, list) and len(outputs) < len(claimed):
            words = (
                f"[what else there is, is left out: the limit of {self._limits.outputs_mib} MiB of output is reached]"
            )
            outputs.append(text_output(words))
        return outputs
