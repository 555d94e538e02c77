"""docs/lecture_map.md: every slide of the lecture has its place, and every cell that is named exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import pytest

from tests.notebooks.source import read_notebook
from tests.support.course import ASSIGNMENTS, COURSE
from tests.support.paths import ROOT

SLIDES = (
    "Problem in deep network learning: change of distribution in activation across layers",
    "Normalize the inputs to a layer",
    "Layer details: per-channel mean and variance",
    "Layer details: after fully connected or convolutional layers, before the nonlinearity",
    "Extra capacity: learning the identity function",
    "Batch normalization: algorithm",
    "Test time: running averages, a linear operator, fused with the layer before",
    "Batch normalization: benefits, and a common source of bugs",
    "ConvNets: batch normalization for convolutional networks",
    "Layer normalization",
    "Instance normalization",
    "Batch-like normalization: group normalization",
    "Training overview",
    "Beyond training error",
    "Early stopping: stop when the validation error starts going up",
    "Early stopping: a similar effect to weight decay",
    "Early stopping: fluctuations and temporal smoothing",
    "Create more data for regularization",
    "Horizontal flips",
    "Random crops and scales: training",
    "Random crops and scales: testing",
    "Color jitter",
    "Examples: translation, flip, rotation, smooth warping, noise",
    "The choice of transformations depends on the task",
    "AutoAugment",
    "Reducing the number of parameters: a linear bottleneck layer",
    "Weight regularization: weight decay",
    "Transfer learning with CNNs: train on ImageNet",
    "Transfer learning with CNNs: small dataset",
    "Transfer learning with CNNs: bigger dataset",
    "The table of four strategies",
    "Stochastic regularization: noise in the computations",
    "Dropout: operations",
    "Regularization: dropout, forward pass",
    "Understanding dropout: redundant representation, co-adaptation",
    "Understanding dropout: an ensemble with shared weights",
    "Dropout at test time: average out the randomness",
    "Dropout at test time: a single neuron",
    "Dropout at test time: scale the activations",
    "Implementation: inverted dropout",
    "Other stochastic regularizers: DropConnect",
    "Other stochastic regularizers: fractional pooling",
    "Other stochastic regularizers: cutout",
    "Other stochastic regularizers: mixup",
    "In practice",
    "Cross-validation strategy: coarse to fine, in stages",
    "Tip for detecting explosions",
    "Run coarse search for 5 epochs",
    "Now run finer search",
    "Random search vs. grid search",
    "Hyperparameters to play with",
    "Other hyperparameter optimization methods",
    "Summary: a toolbox, and automatic model selection",
)
"""The titles of the lecture's slides, in its order; where a title comes several times, with what the slide is about."""

UNGRADED = {
    "Problem in deep network learning: change of distribution in activation across layers",
    "Training overview",
    "Beyond training error",
    "Create more data for regularization",
    "Stochastic regularization: noise in the computations",
    "In practice",
}
"""Slides that give an overview or a motivation: they are shown or measured, and nothing of them is graded."""


@cache
def rows() -> Mapping[str, tuple[list[str], list[str]]]:
    """Slide -> the cells that teach it, and those that grade it."""
    text = (ROOT / "docs" / "lecture_map.md").read_text("utf-8")
    found = re.findall(r"^\| (?!slide |---)(.+?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    cells = {slide: tuple(re.findall(r"`([^`]+)`", column) for column in columns) for slide, *columns in found}
    assert len(cells) == len(found)
    return cells  # type: ignore[return-value]


def parts(name: str) -> tuple[str, str]:
    """``04/low-rank`` -> the assignment that begins with 04, and the id."""
    number, _, cell_id = name.partition("/")
    (assignment,) = [a for a in COURSE.assignments if a.startswith(f"{number}_")]
    return assignment, cell_id


def test_every_slide_stands_on_the_page_in_the_order_of_the_lecture() -> None:
    """None is missing, none was made up."""
    assert tuple(rows()) == SLIDES


@pytest.mark.parametrize("slide", SLIDES)
def test_the_cells_of_a_slide_exist(slide: str) -> None:
    """In the notebook named; what grades is graded, by the machine or by a person."""
    teaching, grading = rows()[slide]
    assert teaching
    assert (not grading) == (slide in UNGRADED)
    for name in [*teaching, *grading]:
        assignment, cell_id = parts(name)
        cells = {cell.id: cell for cell in read_notebook(assignment).cells}
        assert cell_id in cells, name
        if name in grading:
            assert cells[cell_id].metadata["nbgrader"]["grade"], name


def test_every_exercise_grades_a_slide() -> None:
    """An exercise that belongs to no slide would be out of place in a course on this lecture."""
    named = {parts(name) for _, grading in rows().values() for name in grading}
    exercises = {(assignment, exercise) for assignment, found in ASSIGNMENTS.items() for exercise in found}
    assert exercises <= named
