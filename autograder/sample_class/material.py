"""What a class works with: the released notebook, the solutions, and who depends on whom."""

from __future__ import annotations

import ast
import copy
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.course import Course
from autograder.errors import CourseError, SourceNotebookError
from autograder.exercise import Exercise

__all__ = ["Material", "load_material"]

Cell = dict[str, Any]
_MARKER = re.compile(r"^[ \t]*### (BEGIN|END) SOLUTION[ \t]*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Material:
    """All that is needed to write submissions of one assignment.

    Attributes:
        notebook: file name of the notebook.
        solutions: exercise id -> source of its solution cell.
        answers: grade id of a written question -> model answer.
    """

    assignment: str
    notebook: str
    released: Mapping[str, Any]
    solutions: Mapping[str, str]
    answers: Mapping[str, str]
    exercises: Mapping[str, Exercise]

    def fresh(self) -> dict[str, Any]:
        """A copy of the released notebook."""
        return copy.deepcopy(dict(self.released))

    @functools.cached_property
    def names(self) -> dict[str, str]:
        """Name that students define -> its exercise."""
        return {name: exercise.id for exercise in self.exercises.values() for name in exercise.names}

    @functools.cached_property
    def _uses(self) -> dict[str, set[str]]:
        """Exercise -> exercises whose functions its own solution calls."""
        uses = {}
        for exercise, source in self.solutions.items():
            read = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
            uses[exercise] = {self.names[name] for name in read if name in self.names} - {exercise}
        return uses

    def touched_by(self, exercise: str) -> frozenset[str]:
        """The exercise and all whose solution needs it, directly or not."""
        touched = {exercise}
        while more := {name for name, uses in self._uses.items() if uses & touched} - touched:
            touched |= more
        return frozenset(touched)


def load_material(course: Course, assignment: str) -> Material:
    """Read the source and the released notebook.

    Raises:
        UnknownAssignmentError: if there is no such assignment.
        CourseError: if it has not been released.
        SourceNotebookError: if an exercise has no solution cell.
    """
    exercises = course.exercises(assignment)
    source_path = _only_notebook(course.source / assignment, "the folder with the source notebook")
    released_path = course.release / assignment / source_path.name
    if not released_path.is_file():
        raise CourseError(f"{released_path} does not exist", f"release it first: autograder release {assignment}")
    cells = json.loads(source_path.read_text(encoding="utf-8"))["cells"]
    by_id = {cell["id"]: _text(cell) for cell in cells if "id" in cell}
    missing = [name for name in exercises if f"{name}-solution" not in by_id]
    if missing:
        raise SourceNotebookError(
            f"{source_path.name} has no solution cell for {', '.join(missing)}",
            "its id is the exercise's plus -solution",
        )
    return Material(
        assignment=assignment,
        notebook=source_path.name,
        released=_with_plain_sources(json.loads(released_path.read_text(encoding="utf-8"))),
        solutions={name: _MARKER.sub("", by_id[f"{name}-solution"]) for name in exercises},
        answers={cell["id"]: _MARKER.sub("", _text(cell)) for cell in cells if is_written(cell)},
        exercises=exercises,
    )


def is_written(cell: Cell) -> bool:
    """Whether a cell is a written question, graded by hand."""
    meta = cell.get("metadata", {}).get("nbgrader", {})
    return cell["cell_type"] == "markdown" and bool(meta.get("grade")) and bool(meta.get("solution"))


def _with_plain_sources(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with every cell's source as one text, not a list of lines."""
    return {**notebook, "cells": [{**cell, "source": _text(cell)} for cell in notebook["cells"]]}


def _text(cell: Cell) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _only_notebook(folder: Path, what: str) -> Path:
    found = sorted(folder.glob("*.ipynb"))
    if len(found) != 1:
        raise CourseError(f"{what} must hold one notebook, {folder} holds {len(found)}")
    return found[0]
