"""A graded submission, and what of it nbgrader's gradebook holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nbformat.notebooknode import NotebookNode
from nbgrader import utils

from autograder.results import SubmissionResult

__all__ = ["NO_MARKS", "CellMarks", "Graded"]


@dataclass(frozen=True)
class CellMarks:
    """What nbgrader's gradebook holds about the cells of a submission.

    Attributes:
        scores: name of a graded cell -> automatic score; None: a person must look.
        untouched: solution cells that are as they were released.
    """

    scores: Mapping[str, float | None]
    untouched: frozenset[str]

    @classmethod
    def of(cls, cells: Sequence[NotebookNode], lost: Sequence[str] = ()) -> CellMarks:
        """As nbgrader itself would read them from the autograded notebook.

        Args:
            lost: written answers that may stand in other cells: a person decides, and an empty cell is no 0.
        """
        known = [cell for cell in cells if "nbgrader" in cell.metadata]
        graded = {cell.metadata.nbgrader.grade_id: cell for cell in known if utils.is_grade(cell)}
        return cls(
            {name: None if name in lost else utils.determine_grade(cell)[0] for name, cell in graded.items()},
            frozenset(c.metadata.nbgrader.grade_id for c in known if utils.is_solution(c) and _is_untouched(c)),
        )


def _is_untouched(cell: NotebookNode) -> bool:
    return bool(cell.metadata.nbgrader.get("checksum") == utils.compute_checksum(cell))


NO_MARKS = CellMarks({}, frozenset())


@dataclass(frozen=True)
class Graded:
    """A result, the autograded notebook as JSON text, and what of it goes into the gradebook."""

    result: SubmissionResult
    notebook: str
    marks: CellMarks
