"""Why a name was not there when a function was called: the story of the cell that should have defined it."""

from __future__ import annotations

from functools import cached_property

from autograder.exercise import Exercise
from autograder.grading.cell_log import CellLog
from autograder.reading.source_reader import SourceReader
from autograder.submissions.notebook import Repaired
from course_lib.checking.keys import Failure, Response

__all__ = ["MissingNames"]


class MissingNames:
    """Explains names that are missing in one submission."""

    def __init__(self, repaired: Repaired, log: CellLog) -> None:
        self._repaired = repaired
        self._log = log

    def explained(self, response: Response, exercise: Exercise) -> Response:
        """A failure because of a missing name, with what became of that name; anything else as it is."""
        failure = response.failure
        if failure is None or failure.kind not in ("missing", "NameError"):
            return response
        name = failure.message.split(" ")[0] if failure.kind == "missing" else _unknown_name(failure.message)
        return Response(failure=Failure(failure.kind, f"{failure.message}{self._story(name, exercise)}"))

    def _story(self, name: str, exercise: Exercise) -> str:
        cells, failed = self._repaired.by_id, self._log.failed
        solution_id = f"{exercise.id}-solution"
        for cell_id in self._repaired.runnable:
            if cell_id in failed and (cell_id == solution_id or (name and name in cells[cell_id].source)):
                return f"; {failed[cell_id]}"
        if name and self._unrun.defines(name):
            return "; it is defined in an experiment cell, which is not run when grading: move it to another cell"
        solution = cells.get(solution_id)
        others = SourceReader([solution.source]).defined if solution is not None and name in exercise.names else ()
        if name in others:
            return "; its cell was changed on the way, or did not come as far as its definition"
        return f"; its cell defines {', '.join(others[:3])} instead" if others else ""

    @cached_property
    def _unrun(self) -> SourceReader:
        """The code of the cells that are not run."""
        runnable = frozenset(self._repaired.runnable)
        return SourceReader(
            [cell.source for cell in self._repaired.cells if cell.cell_type == "code" and cell.id not in runnable]
        )


def _unknown_name(message: str) -> str:
    return message.split("'")[1] if message.count("'") >= 2 else ""
