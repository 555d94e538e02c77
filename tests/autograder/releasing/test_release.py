"""Release: what students get, that no solution goes along, and that nothing is lost when it fails."""

from __future__ import annotations

import argparse
import errno
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbconvert.writers.files import FilesWriter
from nbgrader.api import Gradebook
from traitlets.config import Config

from autograder.commands import release as command
from autograder.course import Course
from autograder.errors import CourseError, GradebookError, SourceNotebookError, UnknownAssignmentError
from autograder.releasing import bundle as bundles
from autograder.releasing import release as releases
from autograder.releasing.leaks import find_leaks, secrets_of_exercises, secrets_of_notebooks
from autograder.releasing.release import Released, release
from autograder.releasing.student_environment import imported_packages, requirements
from course_lib.lab import environment
from tests.support import made_up
from tests.support.course import ASSIGNMENTS
from tests.support.made_up import ASSIGNMENT, cell
from tests.support.paths import ROOT

# nbgrader builds a submission before it adds it to its session.
ORM_NOISE = pytest.mark.filterwarnings("ignore:Object of type <Submitted")


def open_course(root: Path) -> Course:
    """The course in a folder."""
    config = Config()
    config.CourseDirectory.source_directory = "notebooks"
    config.CourseDirectory.root = str(root)
    return Course(root, config)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests write no answers into the checkout, and find the programs beside this Python."""
    # nbgrader calls the program `alembic` by name; the command line sets this for itself.
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setattr(releases, "installed_answers", lambda: tmp_path / "installed" / "answers")


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course before and after its first release; made once, because a new gradebook takes seconds."""
    folder = tmp_path_factory.mktemp("templates")
    with pytest.MonkeyPatch.context() as patch:
        elsewhere.__wrapped__(folder, patch)  # type: ignore[attr-defined]
        made_up.write_notebook(folder / "fresh")
        Gradebook(open_course(folder / "fresh").db_url).close()
        shutil.copytree(folder / "fresh", folder / "released")
        make(open_course(folder / "released"))
    return folder


@pytest.fixture
def course(templates: Path, tmp_path: Path) -> Course:
    """A course with the made-up assignment, not released yet."""
    return open_course(shutil.copytree(templates / "fresh", tmp_path / "course"))


@pytest.fixture
def released(templates: Path, tmp_path: Path) -> Course:
    """The same course, released once."""
    return open_course(shutil.copytree(templates / "released", tmp_path / "course"))


def make(course: Course) -> Released:
    """Release the made-up assignment."""
    return release(course, [ASSIGNMENT])


def edit(course: Course, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the source notebook."""
    notebook = made_up.notebook()
    change(notebook)
    made_up.write_notebook(course.root, notebook)


def released_notebook(course: Course) -> dict[str, Any]:
    """The notebook in the bundle."""
    text = (course.root / "bundle" / ASSIGNMENT / "made_up.ipynb").read_text()
    notebook: dict[str, Any] = json.loads(text)
    return notebook


def test_the_released_notebook_holds_stubs_for_solutions_and_answers(course: Course) -> None:
    """Solutions and written answers are replaced, everything else stays, and the gradebook knows the points."""
    made = make(course)
    notebook = released_notebook(course)
    stub = "".join(cell(notebook, "column-scale-solution")["source"])
    assert stub.endswith("    # YOUR CODE HERE\n    raise NotImplementedError()")
    assert "rsqrt" not in stub
    assert "".join(cell(notebook, "why")["source"]) == "YOUR ANSWER HERE"
    assert "".join(cell(notebook, "column-scale")["source"]) == 'check("column-scale", column_scale)'
    assert made.rows == (releases.Row(ASSIGNMENT, 2, 7.0, 4.0, ("made_up.ipynb",)),)
    with Gradebook(course.db_url) as gradebook:
        assert gradebook.find_assignment(ASSIGNMENT).max_score == 11


def test_the_bundle_holds_the_library_the_answers_and_an_environment_but_no_grader(released: Course) -> None:
    """Everything a student needs is there; nothing of the grader is."""
    folder = released.root / "bundle"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    wanted = {
        f"{ASSIGNMENT}/made_up.ipynb",
        f"course_lib/answers/{ASSIGNMENT}.safetensors",
        "course_lib/checking/check.py",
        "environment.yml",
        "requirements.txt",
        "setup.py",
        "README.md",
    }
    assert wanted <= names
    assert not [name for name in names if "autograder" in name or "__pycache__" in name or name.endswith(".db")]


def test_the_archive_holds_the_same_files_as_the_folder(released: Course) -> None:
    """What is given away is what was searched."""
    folder = released.root / "bundle"
    with zipfile.ZipFile(released.root / "bundle.zip") as archive:
        packed = {name.removeprefix("bundle/"): archive.read(name) for name in archive.namelist()}
    assert packed == {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_releasing_twice_gives_equal_archives(released: Course) -> None:
    """A second release of the same source changes nothing."""
    one = make(released).bundle.archive.read_bytes()
    assert make(released).bundle.archive.read_bytes() == one


def test_a_check_in_the_bundle_works_alone(released: Course) -> None:
    """With nothing but the bundle on the path, the check passes the solution."""
    folder = released.root / "bundle"
    code = f"""
import course_lib, torch
from course_lib.checking.check import check
print(course_lib.__file__)
{made_up.PAIR_SOLUTION}
check("pair", double, halve)
"""
    environment = {name: value for name, value in os.environ.items() if name != "COURSE_ANSWERS"}
    environment |= {"PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder / ASSIGNMENT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(folder))
    assert "✓ pair: 2 of 2 points" in done.stdout
    assert done.stderr == ""


def test_requirements_name_what_the_bundle_imports_and_not_the_grader(released: Course) -> None:
    """They follow the imports; nbgrader is not asked of students."""
    folder = released.root / "bundle"
    lines = [line for line in (folder / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    names = {line.partition(">=")[0] for line in lines}
    assert {"torch", "numpy", "safetensors", "jupyterlab"} <= names
    assert "nbgrader" not in names
    assert lines[-1] == "-e ."


def test_requirements_are_lower_bounds_so_that_nothing_newer_is_replaced(released: Course) -> None:
    """Those of pyproject.toml where it has them; for PyTorch the oldest that was tried; else what is installed here."""
    asked = dict(re.findall(r'^    "([a-z0-9-]+)>=([0-9.]+)', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    lines = (released.root / "bundle" / "requirements.txt").read_text().splitlines()[1:-1]
    assert all(re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", line) for line in lines)
    bounds = dict(line.split(">=") for line in lines)
    assert bounds.pop("torch") == environment.TORCH.oldest
    assert bounds == {name: asked[name] for name in bounds}
    assert f"sortedcontainers>={importlib.metadata.version('sortedcontainers')}\n" in requirements(["sortedcontainers"])


def test_the_bundle_states_what_was_tested_and_a_small_build_of_pytorch(released: Course) -> None:
    """On Linux PyPI's build brings gigabytes for graphics cards: the README has the line that spares them."""
    folder = released.root / "bundle"
    stated = f"Tested with Python {environment.PYTHON} and PyTorch {environment.TORCH}; newer ones should do."
    assert all(stated in (folder / name).read_text() for name in ("README.md", "requirements.txt"))
    readme = (folder / "README.md").read_text()
    assert "uv pip install torch --index-url https://download.pytorch.org/whl/cpu" in readme
    assert readme.index("uv venv") < readme.index("python -m venv")


@pytest.mark.slow
def test_installing_the_bundle_makes_its_server_extension_known(released: Course, tmp_path: Path) -> None:
    """After `pip install -e .` a plain `jupyter lab` hands on small messages at once."""
    folder = released.root / "bundle"
    assert (folder / "setup.py").read_text() == (ROOT / "setup.py").read_text()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--ignore-installed"]
    subprocess.run([*pip, "--prefix", str(tmp_path), "--editable", "."], cwd=folder, check=True)
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(tmp_path / "etc" / "jupyter"),
        "PYTHONPATH": str(folder),
        "HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "jupyter", "server", "extension", "list"]
    listed = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)
    shown = listed.stdout + listed.stderr
    section = shown.partition(str(tmp_path))[2].partition("Config dir")[0]
    assert re.search(r"course_lib\.widgets\.prompt_server .*enabled", section), shown
    assert re.search(r"course_lib\.widgets\.prompt_server .*OK", section), shown


def test_an_import_in_a_cell_with_a_magic_command_counts(tmp_path: Path) -> None:
    """A cell that is not plain Python still shows what it imports."""
    notebook = {"cells": [made_up.code("a", "%matplotlib inline\nimport sympy as sp\nfrom PIL import Image")]}
    (tmp_path / "a.ipynb").write_text(json.dumps(notebook))
    assert imported_packages(tmp_path) == {"sympy", "pillow"}


def solution_in_text(notebook: dict[str, Any]) -> None:
    """A markdown cell shows the solution, spaced otherwise and with a comment between."""
    text = "middle  =  x.mean(dim=0)\n# then\n\n  deviation = x - middle\nspread = (deviation**2).mean(dim=0)"
    notebook["cells"].append(made_up.markdown("oops", f"Try:\n```\n{text}\n```"))


LEAKS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "solution in a markdown cell": (solution_in_text, "the solution in made_up.ipynb, cell 'column-scale-solution'"),
    "one long line in a code cell": (
        lambda n: cell(n, "plot").update(source="return gamma * deviation * (spread + eps).rsqrt(), middle"),
        "the solution in made_up.ipynb, cell 'column-scale-solution'",
    ),
    "written answer in the text": (
        lambda n: n["cells"].append(
            made_up.markdown("oops", "Also: \nThe batch is small, that is the whole story of it.")
        ),
        "the solution in made_up.ipynb, cell 'why'",
    ),
    "solution in the metadata": (
        lambda n: n["metadata"].update(note="    return torch.add(x, x).clone()"),
        "the solution in made_up.ipynb, cell 'pair-solution'",
    ),
}


@pytest.mark.parametrize(("change", "message"), LEAKS.values(), ids=LEAKS)
def test_a_notebook_that_gives_a_solution_away_is_refused(
    released: Course, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    """The message names the file and the solution; the older bundle stays as it was."""
    before = (released.root / "bundle.zip").read_bytes(), released_notebook(released)
    edit(released, change)
    with pytest.raises(SourceNotebookError, match="would give solutions away") as caught:
        make(released)
    assert f"{ASSIGNMENT}/made_up.ipynb: holds {message}" in caught.value.message
    assert ((released.root / "bundle.zip").read_bytes(), released_notebook(released)) == before


REFERENCE = '''def layer(x, eps):
    """Not a secret by itself."""
    variance, middle = torch.var_mean(x, dim=1, correction=0, keepdim=True)
    scaled = (x - middle) * torch.rsqrt(variance + eps)
    return scaled.to(x.dtype)
'''


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("course_lib/extra.py", REFERENCE, "exercises/e.py, layer", id="a reference"),
        pytest.param("README.md", "    " + REFERENCE.replace("\n", "\n\n"), "exercises/e.py, layer", id="in a text"),
        pytest.param(
            "course_lib/x.py", "def f():\n    from autograder import errors", "imports autograder", id="import"
        ),
        pytest.param("a/b.ipynb", json.dumps({"cells": ["### BEGIN SOLUTION"]}), "solution marker", id="marker"),
        pytest.param("autograder/x.bin", "x", "belongs to the grader", id="folder"),
    ],
)
def test_the_search_finds_what_belongs_to_the_grader(tmp_path: Path, name: str, content: str, message: str) -> None:
    """References, imports, markers and folders of the grader are found wherever they are."""
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "e.py").write_text(REFERENCE)
    secrets = secrets_of_exercises(tmp_path / "exercises")
    path = tmp_path / "bundle" / name
    assert find_leaks(tmp_path / "bundle", secrets) == []
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert any(message in str(leak) for leak in find_leaks(tmp_path / "bundle", secrets))


def test_a_hint_that_quotes_a_solution_is_found_in_the_answer_data(course: Course) -> None:
    """Answer data is packed; the search unpacks it."""
    path = course.root / "exercises" / "made_up" / "column_scale.py"
    hint = "Write: middle = x.mean(dim=0)\n    deviation = x - middle\n    spread = (deviation**2).mean(dim=0)"
    path.write_text(path.read_text().replace("Two results are asked for.", hint))
    with pytest.raises(SourceNotebookError, match=r"answers/00_made_up\.safetensors: holds the solution"):
        make(open_course(course.root))


def test_source_problems_stop_the_release_before_anything_is_written(course: Course) -> None:
    """A faulty source leaves no release, no gradebook entry, no bundle."""
    edit(course, lambda n: cell(n, "plot").update(execution_count=1))
    with pytest.raises(SourceNotebookError, match="holds an execution count"):
        make(course)
    assert sorted(path.name for path in course.root.iterdir()) == ["exercises", "gradebook.db", "notebooks"]
    with Gradebook(course.db_url) as gradebook:
        assert gradebook.assignments == []


def test_an_unknown_assignment_is_named_with_its_neighbour(course: Course) -> None:
    """The registry knows no such assignment."""
    with pytest.raises(UnknownAssignmentError):
        release(course, ["01_batchnrom"])


def submit(course: Course) -> None:
    """Put a submission into the gradebook."""
    with Gradebook(course.db_url) as gradebook:
        gradebook.add_student("ada")
        gradebook.add_submission(ASSIGNMENT, "ada")


@ORM_NOISE
def test_a_text_may_change_after_submissions(released: Course) -> None:
    """A corrected sentence is released again, the gradebook keeps its submissions."""
    submit(released)
    edit(released, lambda n: cell(n, "title").update(source="# Better title"))
    make(released)
    assert "".join(cell(released_notebook(released), "title")["source"]) == "# Better title"
    with Gradebook(released.db_url) as gradebook:
        assert len(gradebook.assignment_submissions(ASSIGNMENT)) == 1


@ORM_NOISE
def test_cells_may_not_change_after_submissions_and_the_old_release_stays(released: Course) -> None:
    """nbgrader's refusal is one line with a way out; the release that students work on is untouched."""
    submit(released)
    before = released_notebook(released)
    edit(released, lambda n: n["cells"].append(made_up.markdown("more", "x", grade=True, solution=True, points=1)))
    with pytest.raises(GradebookError, match="has submissions in the gradebook") as caught:
        make(released)
    assert "nbgrader db assignment remove 00_made_up" in caught.value.hint
    assert "\n" not in caught.value.message
    assert released_notebook(released) == before
    assert (released.release / ASSIGNMENT / "made_up.ipynb").is_file()


def test_a_folder_that_is_not_a_bundle_is_never_replaced(course: Course, tmp_path: Path) -> None:
    """Somebody's files are safe from a slip with --bundle."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years")
    with pytest.raises(CourseError, match="is not a student bundle"):
        release(course, [ASSIGNMENT], tmp_path / "precious")
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "years"


def test_work_in_an_old_bundle_is_kept(released: Course) -> None:
    """An edited notebook, an own file and the progress survive a rebuild, and are not in the archive."""
    folder = released.root / "bundle" / ASSIGNMENT
    (folder / "made_up.ipynb").write_text("my work")
    (folder / "mine.txt").write_text("notes")
    (folder / ".course_progress.json").write_text("{}")
    made = make(released).bundle
    assert set(made.kept) == {f"{ASSIGNMENT}/made_up.ipynb", f"{ASSIGNMENT}/mine.txt"}
    assert (folder / "made_up.ipynb").read_text() == "my work"
    assert (folder / ".course_progress.json").is_file()
    with zipfile.ZipFile(made.archive) as archive:
        assert b"my work" not in archive.read(f"bundle/{ASSIGNMENT}/made_up.ipynb")
        assert f"bundle/{ASSIGNMENT}/mine.txt" not in archive.namelist()


def test_work_on_an_older_version_gets_another_name(released: Course) -> None:
    """When the released notebook changed, both are there: the new one in its place, the old work beside it."""
    folder = released.root / "bundle" / ASSIGNMENT
    (folder / "made_up.ipynb").write_text("my work")
    edit(released, lambda n: cell(n, "title").update(source="# New"))
    (kept,) = make(released).bundle.kept
    assert (released.root / "bundle" / kept).read_text() == "my work"
    assert "".join(cell(released_notebook(released), "title")["source"]) == "# New"


def test_a_damaged_manifest_loses_no_work(released: Course) -> None:
    """Without the list of files, everything in the old folder counts as work."""
    folder = released.root / "bundle"
    (folder / bundles.MANIFEST).write_text("{")
    (folder / ASSIGNMENT / "made_up.ipynb").write_text("my work")
    (kept,) = make(released).bundle.kept
    assert (folder / kept).read_text() == "my work"


def test_answers_are_installed_for_the_source_notebooks_too(course: Course, tmp_path: Path) -> None:
    """After a release, `check` works in the source notebook; where that is impossible, a note says so."""
    make(course)
    installed = tmp_path / "installed" / "answers" / f"{ASSIGNMENT}.safetensors"
    shipped = course.root / "bundle" / "course_lib" / "answers" / f"{ASSIGNMENT}.safetensors"
    assert installed.read_bytes() == shipped.read_bytes()


def test_a_full_disk_is_no_fault_of_the_source_notebook(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """nbgrader swallows the error, and the hint must not be to repair the notebook."""

    def write(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "made_up.ipynb")

    with monkeypatch.context() as patch:
        patch.setattr(FilesWriter, "write", write)
        with pytest.raises(CourseError, match="00_made_up cannot be released: No space left on device") as caught:
            make(course)
    assert caught.value.hint == "make room on the disk; then the same command goes on from here"
    assert make(course).rows


def test_an_unwritable_library_is_a_note_not_a_failure(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A course_lib installed for all users does not stop a release."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(releases, "installed_answers", lambda: tmp_path / "file" / "answers")
    assert "cannot be written" in make(course).answers_note


def test_the_command_prints_a_table_and_what_comes_next(course: Course, capfd: pytest.CaptureFixture[str]) -> None:
    """An instructor sees points, files, sizes and the next command, and nothing of nbgrader's log."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args([ASSIGNMENT]), course) == 0
    out, err = capfd.readouterr()
    assert (
        "assignment  exercises  points  by hand  notebooks\n00_made_up  2          7       4        made_up.ipynb"
        in out
    )
    assert "no solution in it" in out
    assert "autograder grade 00_made_up" in out
    assert err == ""


def test_this_courses_own_secrets_are_read() -> None:
    """The proof is about something: the course's references and misconceptions are among the secrets."""
    assert len(secrets_of_exercises(ROOT / "exercises")) > 5
    assert secrets_of_notebooks(Path("/nowhere")) == []


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_every_assignment_of_this_course_can_be_released(templates: Path, tmp_path: Path, assignment: str) -> None:
    """The real sources pass the checks, and neither their solutions nor a reference is in the bundle."""
    root = shutil.copytree(templates / "fresh", tmp_path / "course")
    shutil.copytree(ROOT / "notebooks", root / "notebooks", dirs_exist_ok=True)
    shutil.rmtree(root / "exercises")
    shutil.copytree(ROOT / "exercises", root / "exercises")
    course = open_course(root)
    (row,) = release(course, [assignment]).rows
    assert row.exercises == len(ASSIGNMENTS[assignment])
    assert row.written > 0
    secrets = secrets_of_notebooks(ROOT / "notebooks")
    assert len(secrets) >= row.exercises
    assert find_leaks(root / "bundle", secrets + secrets_of_exercises(ROOT / "exercises")) == []
