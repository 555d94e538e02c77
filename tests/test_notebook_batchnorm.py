"""notebooks/01_batchnorm/batchnorm.ipynb: what it promises in words agrees with the exercises, and all of it runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.answers import write_answers
from autograder.exercises import ASSIGNMENTS
from autograder.source_checks import check_assignment
from tests.notebook_runs import run_in_quick_mode

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks" / "01_batchnorm"
EXERCISES = ASSIGNMENTS["01_batchnorm"]


@pytest.fixture(scope="module")
def notebook() -> Any:
    """The source notebook, read afresh for this module."""
    return nbformat.read(FOLDER / "batchnorm.ipynb", as_version=4)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the answer data of this assignment."""
    folder = tmp_path_factory.mktemp("answers")
    write_answers("01_batchnorm", folder)
    return folder


def test_the_source_notebook_can_be_released() -> None:
    """Ids, flags, points, calls of check, markers and tags are as the release demands."""
    assert check_assignment(FOLDER, EXERCISES) == []


def test_the_points_in_the_text_are_those_of_the_exercise(notebook: Any) -> None:
    """The markdown cell before each solution cell names the points of the test cell after it."""
    cells = notebook.cells
    for i, cell in enumerate(cells):
        if cell.id in EXERCISES:
            (stated,) = re.findall(r"(\d+) points$", cells[i - 2].source, flags=re.MULTILINE)
            assert float(stated) == EXERCISES[cell.id].points, cell.id


def test_the_minutes_of_the_parts_agree(notebook: Any) -> None:
    """The table at the head says what stands above each part, at most 40 minutes each."""
    cells = {cell.id: cell.source for cell in notebook.cells}
    table = {
        int(part): int(minutes) for part, minutes in re.findall(r"^\| (\d) \|.*\| (\d+) \|$", cells["title"], re.M)
    }
    assert sorted(table) == [1, 2, 3, 4, 5, 6]
    for part, minutes in table.items():
        assert f"*{minutes} minutes.*" in cells[f"part-{part}"]
        assert minutes <= 40


def test_every_exercise_has_dots_minutes_and_three_hints(notebook: Any) -> None:
    """Each is introduced by the cell before its solution cell."""
    cells = notebook.cells
    for i, cell in enumerate(cells):
        if cell.id in EXERCISES:
            text = cells[i - 2].source
            assert re.search(r"^●{1,3} · \d+ minutes · ", text, re.MULTILINE), cell.id
            assert re.findall(r"<summary>Hint (\d)</summary>", text) == ["1", "2", "3"], cell.id


def test_every_part_ends_with_what_one_can_answer_and_every_measurement_with_what_one_should_see(notebook: Any) -> None:
    """Parts 1 to 5 close with questions; the cell after an experiment that measures holds a fold."""
    text = "\n".join(cell.source for cell in notebook.cells)
    assert text.count("**Move on once you can answer:**") == 5
    cells = notebook.cells
    for i, cell in enumerate(cells):
        if cell.cell_type == "code" and cell.id.startswith(("see-", "measure-")):
            following = next(later for later in cells[i:] if later.cell_type == "markdown")
            assert "<details>" in following.source, cell.id


def test_folds_and_formulas_are_closed(notebook: Any) -> None:
    """Every fold and every dollar sign has its partner."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert cell.source.count("<details>") == cell.source.count("</details>"), cell.id
            without_code = re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)
            assert without_code.count("$") % 2 == 0, cell.id


def test_no_graded_cell_needs_a_name_from_an_experiment(
    notebook: Any, answers: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the experiment cells, as in grading, every check passes and nothing is written to stderr."""
    monkeypatch.setenv("COURSE_ANSWERS", str(answers))
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "experiment" not in cell.metadata.get("tags", []):
            exec(compile(cell.source, cell.id, "exec"), namespace)
    output, errors = capsys.readouterr()
    assert output.count("passed") >= len(EXERCISES)
    assert errors == ""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_notebook_runs_in_quick_mode(
    notebook: Any, answers: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Top to bottom without an error or a word on stderr; every figure has a description, every exercise passes."""
    html = run_in_quick_mode(notebook, answers, monkeypatch, tmp_path)
    assert "13 of 13 exercises pass" in html[-1]
