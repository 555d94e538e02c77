"""Every notebook: what it promises in words agrees with its exercises, and its graded cells run.

That all of it runs is seen where all of it is shown: `tests/browser/test_notebooks_live.py`.

What holds of one notebook holds of all.  Where one cannot have a property, a table beside the test says which, and why.
"""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from autograder.releasing.source_checks import check_assignment
from tests.notebooks.source import (
    folder_with_answers,
    introductions,
    read_notebook,
    run_graded_cells,
)
from tests.support.course import ASSIGNMENTS, COURSE
from tests.support.paths import ROOT

LONGEST_PART = 40
"""Minutes: nobody sits longer over one thing."""


@pytest.fixture(scope="module", params=COURSE.assignments)
def assignment(request: pytest.FixtureRequest) -> str:
    """Each assignment in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def notebook(assignment: str) -> Any:
    """Its source notebook."""
    return read_notebook(assignment)


@pytest.fixture(scope="module")
def answers(assignment: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with its answer data."""
    return folder_with_answers(assignment, tmp_path_factory.mktemp("answers"))


def texts_of(notebook: Any) -> dict[str, str]:
    """Id -> text of every Markdown cell."""
    return {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "markdown"}


def parts_of(notebook: Any) -> dict[int, list[Any]]:
    """Number -> the cells of a part, its heading first; the written questions and the summary belong to none."""
    parts: dict[int, list[Any]] = {}
    cells: list[Any] = []
    for cell in notebook.cells:
        if heading := re.fullmatch(r"part-(\d)", cell.id):
            cells = parts.setdefault(int(heading[1]), [])
        elif cell.id == "questions":
            cells = []
        cells.append(cell)
    return parts


# --- its shape


def test_the_source_notebook_can_be_released(assignment: str) -> None:
    """Ids, flags, points, calls of check, markers and tags are as the release demands."""
    assert check_assignment(COURSE.source / assignment, ASSIGNMENTS[assignment]) == []


def test_it_begins_and_ends_as_every_notebook_does(notebook: Any) -> None:
    """Title, how to work, what this machine is; at the end the summary, the progress and the papers."""
    ids = [cell.id for cell in notebook.cells]
    assert ids[:5] == ["title", "how-it-works", "environment", "setup", "machine"]
    assert ids[-3:] == ["summary", "results", "papers"]


def test_it_imports_its_own_topic_only(assignment: str, notebook: Any) -> None:
    """What two topics need is no part of either."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    imported = set(re.findall(r"^(?:from|import) course_lib\.(\w+)", code, re.MULTILINE))
    assert imported & set(COURSE.code.topics.values()) <= {COURSE.code.topics[assignment]}


def test_every_widget_of_its_topic_is_shown(assignment: str, notebook: Any) -> None:
    """A widget that no cell shows would be forgotten."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    package = f"course_lib.{COURSE.code.topics[assignment]}.widgets"
    names = import_module(package).__all__ if find_spec(package) is not None else []
    assert [name for name in names if f"widgets.{name}(" not in code] == []


def test_the_exercises_stand_in_the_order_of_their_list(assignment: str, notebook: Any) -> None:
    """So that "next" on the progress bar is the next one on the page."""
    found = [cell.id for cell in notebook.cells if cell.id in ASSIGNMENTS[assignment]]
    assert found == list(ASSIGNMENTS[assignment])


# --- its words


def test_the_points_are_thirty_to_fifty_and_some_written(notebook: Any) -> None:
    """One notebook is worth about as much as another; what a person grades, the questions' headings say."""
    points: dict[bool, list[float]] = {True: [], False: []}
    for cell in notebook.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("grade"):
            points[cell.cell_type == "code"].append(mark["points"])
    assert 30 <= sum(points[True]) <= 50
    text = "\n".join(texts_of(notebook).values())
    stated = re.findall(r"^## Question (\d): .* \((\d+) points\)$", text, re.MULTILINE)
    assert [(int(number), float(worth)) for number, worth in stated] == list(enumerate(points[False], 1))
    assert stated


def test_every_exercise_has_dots_minutes_points_and_three_hints(assignment: str, notebook: Any) -> None:
    """In the Markdown cell before its solution cell; the points are those of its criteria."""
    introduced = introductions(assignment, notebook)
    assert set(introduced) == set(ASSIGNMENTS[assignment])
    for exercise_id, text in introduced.items():
        (points,) = re.findall(r"^●{1,3} · \d+ minutes · (?:.* · )?([\d.]+) points?$", text, re.MULTILINE)
        assert float(points) == ASSIGNMENTS[assignment][exercise_id].points, exercise_id
        assert re.findall(r"<summary>Hint (\d)</summary>", text) == ["1", "2", "3"], exercise_id


def test_the_minutes_of_the_parts_agree(notebook: Any) -> None:
    """The table at the head says what stands above each part: no less than its exercises, and never too long."""
    rows = re.findall(r"^\| (\d) \|.*\| (\d+) \|$", texts_of(notebook)["title"], re.MULTILINE)
    table = {int(part): int(minutes) for part, minutes in rows}
    parts = parts_of(notebook)
    assert list(table) == list(parts) == list(range(1, len(parts) + 1))
    for part, cells in parts.items():
        text = "\n".join(cell.source for cell in cells)
        spent = sum(int(minutes) for minutes in re.findall(r"^●{1,3} · (\d+) minutes", text, re.MULTILINE))
        assert f"*{table[part]} minutes.*" in cells[0].source
        assert spent <= table[part] <= LONGEST_PART, part


ENDS_WITH_THE_WRITTEN_QUESTIONS = {("01_batchnorm", 6), ("02_dropout", 5)}
"""Last parts: the questions that are graded ask what one can answer."""


def test_every_part_ends_with_what_one_can_answer(assignment: str, notebook: Any) -> None:
    """In its last Markdown cell."""
    for part, cells in parts_of(notebook).items():
        if (assignment, part) not in ENDS_WITH_THE_WRITTEN_QUESTIONS:
            last = [cell for cell in cells if cell.cell_type == "markdown"][-1]
            assert "**Move on once you can answer:**" in last.source, part


def test_every_part_ends_with_the_progress_so_far(notebook: Any) -> None:
    """The bar, and a link to the exercise to go on with; at the very end it stands below the results."""
    *parts, _ = parts_of(notebook).items()
    assert [cells[-1].id for _, cells in parts] == [f"progress-{part}" for part, _ in parts]


EXPLAINED_OTHERWISE = {
    ("01_batchnorm", "widget-fuse-it"): "the widget explains itself, once the prediction is locked in",
    ("02_dropout", "see-derivation"): "shows the student's own expressions",
    ("02_dropout", "see-regions"): "the regions were described above",
}


def test_what_one_should_see_stands_after_every_picture(assignment: str, notebook: Any) -> None:
    """In a fold of the next Markdown cell, so that one can look first."""
    cells = notebook.cells
    for i, cell in enumerate(cells):
        if cell.cell_type == "code" and cell.id.startswith(("see-", "measure-", "widget-")):
            following = next(later for later in cells[i:] if later.cell_type == "markdown").source
            seen = re.search(r"<summary>(What you should see|Answer)</summary>", following)
            assert (seen is None) == ((assignment, cell.id) in EXPLAINED_OTHERWISE), cell.id


def test_titles_of_progress_begin_with_a_capital(notebook: Any) -> None:
    """As those of figures and of parts do."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    sources += [path.read_text("utf-8") for path in sorted((ROOT / "course_lib").rglob("*.py"))]
    titles = [title for source in sources for title in re.findall(r"""\bLive\(\s*f?["'](.+?)["'],""", source)]
    assert len(titles) > 15
    assert [title for title in titles if not title[0].isupper()] == []


def test_folds_and_formulas_are_closed(notebook: Any) -> None:
    """Every fold and every dollar sign has its partner, and no placeholder was left."""
    for cell_id, text in texts_of(notebook).items():
        assert text.count("<details>") == text.count("</details>") == text.count("</summary>"), cell_id
        without_code = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
        assert without_code.count("$") % 2 == 0, cell_id
        assert not re.search(r"\b[A-Z]+_[A-Z_]+\b", without_code), cell_id


def test_sizes_are_not_broken_at_the_end_of_a_line(notebook: Any) -> None:
    """On a phone a line would end with "a 3", and the next would begin with "× 3"."""
    for cell_id, text in texts_of(notebook).items():
        assert re.findall(r"\d × \d", text) == [], cell_id


def test_powers_of_ten_are_formulas(notebook: Any) -> None:
    """A line would end within 5e-4, at the hyphen."""
    for cell_id, text in texts_of(notebook).items():
        without_code = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
        assert re.findall(r"\de-\d+", without_code) == [], cell_id


def test_an_empty_line_follows_the_title_of_a_fold(notebook: Any) -> None:
    """Without it Markdown inside stays raw, tables and formulas on lines of their own included."""
    for cell_id, text in texts_of(notebook).items():
        for title, content in re.findall(r"<summary>(.*?)</summary>(.*?)</details>", text, re.DOTALL):
            assert content.startswith("\n\n"), f"{cell_id}: {title}"
            assert content.endswith("\n\n"), f"{cell_id}: {title}"


SPELLED = {"cv2": "OpenCV", "skimage": "scikit-image", "sklearn": "scikit-learn"}


def test_every_forbidden_package_is_named(assignment: str, notebook: Any) -> None:
    """Where the conventions are, or beside the exercise; whoever is told nothing loses points for nothing."""
    conventions, introduced = texts_of(notebook)["how-it-works"], introductions(assignment, notebook)
    for exercise_id, exercise in ASSIGNMENTS[assignment].items():
        text = conventions + introduced[exercise_id]
        assert not exercise.forbidden or "not allowed" in text, exercise_id
        packages = {name for name in exercise.forbidden if not name.startswith(("torch.", ".", "course_lib."))}
        assert {name for name in packages if SPELLED.get(name, name) not in text} == set(), exercise_id


# --- it runs


@pytest.fixture
def in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What cells write lands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_no_graded_cell_needs_a_name_from_an_experiment(
    assignment: str, notebook: Any, answers: Path, in_own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the experiment cells, as in grading, every check passes and nothing is written to stderr."""
    exercises = ASSIGNMENTS[assignment]
    defined = run_graded_cells(notebook, answers)
    output, errors = capsys.readouterr()
    assert output.count("passed") >= len(exercises)
    assert errors == ""
    assert {name for exercise in exercises.values() for name in exercise.names} <= set(defined)
