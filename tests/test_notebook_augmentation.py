"""notebooks/03_augmentation/augmentation.ipynb: its words agree with the exercises, and all of it runs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch

from autograder.answers import write_answers
from autograder.exercises import ASSIGNMENTS
from autograder.source_checks import check_assignment
from course_lib import augment
from tests.notebook_runs import run_in_quick_mode

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks" / "03_augmentation"
EXERCISES = ASSIGNMENTS["03_augmentation"]
QUICK_LIMIT_S = 180


@pytest.fixture(scope="module")
def notebook() -> Any:
    """The source notebook, read afresh for this module."""
    return nbformat.read(FOLDER / "augmentation.ipynb", as_version=4)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the answer data of this assignment."""
    folder = tmp_path_factory.mktemp("answers")
    write_answers("03_augmentation", folder)
    return folder


def test_the_source_notebook_can_be_released() -> None:
    """Ids, flags, points, calls of check, markers and tags are as the release demands."""
    assert check_assignment(FOLDER, EXERCISES) == []


def test_the_points_add_up_to_fifty_a_fifth_of_them_written(notebook: Any) -> None:
    """Forty by the grader, ten by a person."""
    points: dict[bool, float] = {True: 0.0, False: 0.0}
    for cell in notebook.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("grade"):
            points[cell.cell_type == "code"] += mark["points"]
    assert points == {True: 40.0, False: 10.0}


def test_the_exercises_stand_in_the_order_of_their_list(notebook: Any) -> None:
    """So that "next" on the progress bar is the next one on the page."""
    assert [cell.id for cell in notebook.cells if cell.id in EXERCISES] == list(EXERCISES)


def test_the_points_in_the_text_are_those_of_the_exercise(notebook: Any) -> None:
    """The markdown cell before each solution cell names the points of the test cell after it."""
    cells = notebook.cells
    for i, cell in enumerate(cells):
        if cell.id in EXERCISES:
            (stated,) = re.findall(r" ([\d.]+) points?$", cells[i - 2].source, flags=re.MULTILINE)
            assert float(stated) == EXERCISES[cell.id].points, cell.id


def test_the_minutes_of_the_parts_agree(notebook: Any) -> None:
    """The table at the head says what stands above each part, no less than its exercises, at most 40 minutes."""
    cells = {cell.id: cell.source for cell in notebook.cells}
    found = re.findall(r"^\| (\d) \|.*\| (\d+) \|$", cells["title"], re.M)
    table = {int(part): int(minutes) for part, minutes in found}
    assert sorted(table) == [1, 2, 3, 4, 5, 6]
    spent: dict[int, int] = {}
    part = 0
    for cell in notebook.cells:
        if heading := re.match(r"part-(\d)$", cell.id):
            part = int(heading[1])
        if cell.id.startswith("implement-"):
            (minutes,) = re.findall(r"^●{1,3} · (\d+) minutes", cell.source, re.M)
            spent[part] = spent.get(part, 0) + int(minutes)
    for part, minutes in table.items():
        assert f"*{minutes} minutes.*" in cells[f"part-{part}"]
        assert spent[part] <= minutes <= 40


def test_every_exercise_has_dots_minutes_and_three_hints(notebook: Any) -> None:
    """Each is introduced by the cell before its solution cell."""
    cells = notebook.cells
    for i, cell in enumerate(cells):
        if cell.id in EXERCISES:
            text = cells[i - 2].source
            assert re.search(r"^●{1,3} · \d+ minutes · ", text, re.MULTILINE), cell.id
            assert re.findall(r"<summary>Hint (\d)</summary>", text) == ["1", "2", "3"], cell.id


def test_every_part_ends_with_what_one_can_answer_and_every_picture_with_what_one_should_see(notebook: Any) -> None:
    """All six parts close with questions; the cell after an experiment that shows something holds a fold."""
    text = "\n".join(cell.source for cell in notebook.cells)
    assert text.count("**Move on once you can answer:**") == 6
    cells = notebook.cells
    for i, cell in enumerate(cells):
        if cell.cell_type == "code" and cell.id.startswith(("see-", "measure-", "widget-")):
            following = next(later for later in cells[i:] if later.cell_type == "markdown")
            assert "<details>" in following.source, cell.id


def test_folds_and_formulas_are_closed(notebook: Any) -> None:
    """Every fold and every dollar sign has its partner, and no placeholder was left."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert cell.source.count("<details>") == cell.source.count("</details>"), cell.id
            without_code = re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)
            assert without_code.count("$") % 2 == 0, cell.id
            assert not re.search(r"\b[A-Z]+_[A-Z_]+\b", without_code), cell.id


@pytest.fixture(scope="module")
def solved(notebook: Any, answers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the cells define that are run when grading; a check that fails raises."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_ANSWERS", str(answers))
        patch.chdir(tmp_path_factory.mktemp("work"))
        for cell in notebook.cells:
            if cell.cell_type == "code" and "experiment" not in cell.metadata.get("tags", []):
                exec(compile(cell.source, cell.id, "exec"), namespace)
        yield namespace


def test_no_graded_cell_needs_a_name_from_an_experiment(solved: dict[str, Any]) -> None:
    """Without the experiment cells, as in grading, every check passes and everything asked for is defined."""
    assert {name for exercise in EXERCISES.values() for name in exercise.names} <= set(solved)


def test_the_course_s_batches_are_what_the_notebook_s_functions_give_one_by_one(solved: dict[str, Any]) -> None:
    """`course_lib.augment` is the same thing for many images at once."""
    g = torch.Generator().manual_seed(0)
    x = torch.rand(5, 3, 9, 13, generator=g, dtype=torch.float64)
    u = torch.rand(5, 9, 13, generator=g)
    angles, alphas = torch.tensor([0.0, 90.0, -17.0, 200.0, 45.0]).double(), torch.randn(5, 3, generator=g).double()
    fields = 3 * torch.randn(5, 2, 9, 13, generator=g, dtype=torch.float64)
    factors = 0.5 + torch.rand(2, 5, generator=g, dtype=torch.float64)
    centres = torch.randint(0, 9, (5, 2), generator=g)
    rows, columns = centres.T.tolist()
    values, vectors = solved["pca_colour_basis"](x)
    crops = torch.tensor([[7, 10, 0, 3], [8, 12, 1, 0], [14, 20, 7, 13], [9, 13, 2, 6], [7, 10, 0, 0]])

    def cut(image: torch.Tensor, crop: torch.Tensor) -> torch.Tensor:
        height, _, top, left = crop.tolist()
        return solved["resize_short_side"](image, height)[:, top : top + 7, left : left + 7]

    pairs = {
        "rotate": (augment.rotate(x, angles), [solved["rotate"](i, float(a)) for i, a in zip(x, angles, strict=True)]),
        "warp": (augment.smooth_warp(x, fields), list(map(solved["smooth_warp"], x, fields))),
        "jitter": (augment.colour_jitter(x, *factors), list(map(solved["colour_jitter"], x, *factors))),
        "noise": (
            augment.pixel_noise(x, u < 0.3),
            list(map(solved["flip_random_pixels"], x, [0.3] * 5, u)),
        ),
        "cutout": (
            augment.cutout(x, centres, 5),
            list(map(solved["cutout"], x, [5] * 5, rows, columns)),
        ),
        "lighting": (
            augment.pca_lighting(x, values, vectors, alphas),
            [solved["pca_lighting"](i, values, vectors, a) for i, a in zip(x, alphas, strict=True)],
        ),
        "scale and crop": (augment.scale_crop(x, crops, 7), list(map(cut, x, crops))),
    }
    for name, (at_once, one_by_one) in pairs.items():
        assert torch.allclose(at_once, torch.stack(one_by_one), atol=1e-9), name


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_notebook_runs_in_quick_mode(
    notebook: Any, answers: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Top to bottom without an error or a word on stderr; every figure has a description, every exercise passes."""
    start = time.monotonic()
    html = run_in_quick_mode(notebook, answers, monkeypatch, tmp_path)
    assert time.monotonic() - start < QUICK_LIMIT_S
    assert "17 of 17 exercises pass" in html[-1]
