"""A made-up course and its notebook: tests of the tools must not depend on the course's own exercises."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

from autograder.course_code import CourseCode
from autograder.exercise import Exercise

ASSIGNMENT = "00_made_up"
FOLDER = Path(__file__).parent.parent / "courses" / "made_up"
CODE = CourseCode(FOLDER)
EXERCISES = CODE.exercises(ASSIGNMENT)
EXERCISE, PAIR = EXERCISES["column-scale"], EXERCISES["pair"]

reference: Any = EXERCISE.reference_answer
unbiased, only_y, raises = (misconception.wrong for misconception in EXERCISE.misconceptions)


def changed(exercise: Exercise, **values: Any) -> Exercise:
    """An exercise that differs from another in some attributes."""
    other = Exercise(exercise.id, *exercise.defines, returns=exercise.returns, forbidden=exercise.forbidden)
    vars(other).update({name: value for name, value in vars(exercise).items() if name in vars(other)})
    vars(other).update({"reference_answer": exercise.reference_answer, **values})
    return other


SOLUTION = '''def column_scale(x, gamma, eps):
    """Scale the columns."""
    ### BEGIN SOLUTION
    middle = x.mean(dim=0)
    deviation = x - middle
    spread = (deviation**2).mean(dim=0)
    return gamma * deviation * (spread + eps).rsqrt(), middle
    ### END SOLUTION'''

PAIR_SOLUTION = """def double(x):
    ### BEGIN SOLUTION
    return torch.add(x, x).clone()
    ### END SOLUTION


def halve(x):
    ### BEGIN SOLUTION
    return x / torch.full_like(x, 2.0)
    ### END SOLUTION"""


def code(cell_id: str, source: str, *, tags: tuple[str, ...] = (), **nbgrader: Any) -> dict[str, Any]:
    """A code cell; with keyword arguments it gets nbgrader's metadata."""
    return _cell("code", cell_id, source, tags, nbgrader) | {"outputs": [], "execution_count": None}


def markdown(cell_id: str, source: str, **nbgrader: Any) -> dict[str, Any]:
    """A markdown cell."""
    return _cell("markdown", cell_id, source, (), nbgrader)


def _cell(kind: str, cell_id: str, source: str, tags: tuple[str, ...], nbgrader: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"tags": list(tags)} if tags else {}
    if nbgrader:
        common = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
        metadata["nbgrader"] = {**common, "grade_id": cell_id, "cell_type": kind, **nbgrader}
    return {"cell_type": kind, "id": cell_id, "metadata": metadata, "source": source}


_NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}},
    "cells": [
        markdown("title", "# Made up\n\nScale the columns."),
        code("setup", "import torch\n\nfrom course_lib import check", locked=True),
        code("column-scale-solution", SOLUTION, solution=True),
        code("column-scale", 'check("column-scale", column_scale)', grade=True, locked=True, points=5),
        code("pair-solution", PAIR_SOLUTION, solution=True),
        code("pair", 'check("pair", double, halve)', grade=True, locked=True, points=2),
        code("plot", "print(column_scale)", tags=("experiment",)),
        markdown("why", "The batch is small, that is the whole story of it.", grade=True, solution=True, points=4),
    ],
}


def notebook() -> dict[str, Any]:
    """A fresh copy of a source notebook that may be released."""
    return copy.deepcopy(_NOTEBOOK)


def cell(source: dict[str, Any], cell_id: str) -> dict[str, Any]:
    """A cell of a notebook by id."""
    return next(item for item in source["cells"] if item["id"] == cell_id)


def write_notebook(folder: Path, source: dict[str, Any] | None = None) -> Path:
    """Write a source notebook where `autograder release` looks for it, and the exercises if they are not there yet."""
    if not (folder / "exercises").exists():
        shutil.copytree(FOLDER / "exercises", folder / "exercises", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "notebooks" / ASSIGNMENT / "made_up.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(source or notebook(), indent=1) + "\n")
    return path
