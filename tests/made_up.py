"""A made-up exercise and its notebook: tests of the tools must not depend on the course's own exercises."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch

from autograder.exercises import Case, Criterion, Exercise, Misconception

ASSIGNMENT = "00_made_up"


def reference(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale the columns to variance 1, by torch's own functions; also their means."""
    variance, centre = torch.var_mean(x, dim=0, correction=0)
    return gamma * (x - centre) / torch.sqrt(variance + eps), centre


def unbiased(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Divides by N - 1."""
    variance, centre = torch.var_mean(x, dim=0, correction=1)
    return gamma * (x - centre) / torch.sqrt(variance + eps), centre


def only_y(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> torch.Tensor:
    """Forgets the second result."""
    return reference(x, gamma, eps)[0]


def raises(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> torch.Tensor:
    """Cannot be computed for this shape."""
    secret_line_of_a_wrong_answer = x @ gamma[:-1]
    return secret_line_of_a_wrong_answer


def _cases(draw: torch.Generator) -> dict[str, Case]:
    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    return {
        "random": Case({"x": 9 * normal(7, 5) + 3, "gamma": normal(5), "eps": 1e-9}),
        "small variance": Case({"x": 0.1 * normal(6, 3), "gamma": normal(3), "eps": 1e-2}),
        "tiny": Case({"x": torch.tensor([[1.0, 2.0], [3.0, 8.0], [2.0, 5.0]]), "gamma": torch.ones(2), "eps": 1e-9}),
    }


EXERCISE = Exercise(
    "column-scale",
    defines=("column_scale(x, gamma, eps)",),
    returns=("y", "centre"),
    reference=reference,
    cases=_cases,
    criteria=[
        Criterion("centre of the columns", 1, outputs=("centre",)),
        Criterion("variance of the columns", 2, cases=("random", "tiny"), outputs=("y",)),
        Criterion("eps inside the root", 1, cases=("small variance",), outputs=("y",)),
        Criterion("keeps the dtype", 0.5, aspect="dtype"),
        Criterion("leaves its inputs unchanged", 0.5, aspect="inputs"),
    ],
    misconceptions=[
        Misconception(
            "unbiased-variance",
            unbiased,
            "The sum was divided by `N - 1`; a batch is divided by its size.",
            ("variance of the columns", "eps inside the root", "keeps the dtype", "leaves its inputs unchanged"),
        ),
        Misconception("one-result", only_y, "Two results are asked for.", ()),
        Misconception("wrong-product", raises, "The product is taken over the wrong axis.", ()),
    ],
)

PAIR = Exercise(
    "pair",
    defines=("double(x)", "halve(x)"),
    returns=("y",),
    reference={"double": lambda x: 2 * x, "halve": lambda x: x / 2},
    cases=lambda draw: {
        "double": Case({"x": torch.randn(4, generator=draw)}, function="double"),
        "halve": Case({"x": torch.randn(3, generator=draw)}, function="halve"),
    },
    criteria=[Criterion("doubles", 1, cases=("double",)), Criterion("halves", 1, cases=("halve",))],
)

EXERCISES = {EXERCISE.id: EXERCISE, PAIR.id: PAIR}

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
    """Write a source notebook where `autograder release` looks for it."""
    path = folder / "notebooks" / ASSIGNMENT / "made_up.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(source or notebook(), indent=1) + "\n")
    return path
