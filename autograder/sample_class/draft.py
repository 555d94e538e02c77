"""One submission while it is being written."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from autograder.sample_class.material import Cell, Material, is_written
from autograder.sample_class.people import written_answer

__all__ = ["Draft"]


class Draft:
    """A student's copy of the released notebook, edited cell by cell.

    It starts out solved: every kind of student is described by how they differ from one who is right.
    """

    def __init__(self, material: Material, rng: random.Random, *, solved: bool = True) -> None:
        self.material = material
        self.rng = rng
        self.file_name = material.notebook
        self._notebook = material.fresh()
        self._text: str | None = None
        if solved:
            for exercise, source in material.solutions.items():
                self.write(exercise, source)
            self._answer_questions()

    @property
    def cells(self) -> list[Cell]:
        """The cells, open to every change."""
        cells: list[Cell] = self._notebook["cells"]
        return cells

    @property
    def metadata(self) -> dict[str, Any]:
        """The notebook's metadata."""
        metadata: dict[str, Any] = self._notebook["metadata"]
        return metadata

    def write(self, exercise: str, source: str) -> None:
        """Put code into the solution cell of an exercise."""
        self._cell(f"{exercise}-solution")["source"] = source

    def read(self, exercise: str) -> str:
        """The code in the solution cell of an exercise."""
        source: str = self._cell(f"{exercise}-solution")["source"]
        return source

    def remove(self, cell_id: str) -> None:
        """Delete a cell."""
        self.cells.remove(self._cell(cell_id))

    def duplicate(self, cell_id: str) -> None:
        """Put a copy of a cell, metadata and id included, below it."""
        position = self.cells.index(self._cell(cell_id))
        self.cells.insert(position + 1, copy.deepcopy(self.cells[position]))

    def damage(self, text: str) -> None:
        """Hand in this text instead of the notebook."""
        self._text = text

    def text(self) -> str:
        """The file's content."""
        return self._text if self._text is not None else json.dumps(self._notebook, indent=1, ensure_ascii=False)

    def _cell(self, cell_id: str) -> Cell:
        return next(cell for cell in self.cells if cell.get("id") == cell_id)

    def _answer_questions(self) -> None:
        for cell in self.cells:
            if is_written(cell):
                answer = written_answer(self.material.answers.get(cell["id"], ""), self.rng)
                if answer is not None:
                    cell["source"] = answer
