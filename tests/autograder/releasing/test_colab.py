"""Colab: what students get for it, that its first cell works wherever it runs, and that its submissions grade alike."""

from __future__ import annotations

import argparse
import copy
import functools
import http.server
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from autograder.commands import release as command
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading.engine import grade_submission
from autograder.grading.task import Task
from autograder.releasing.colab import CELL, ColabDoor, keep_address, valid_address
from autograder.releasing.release import release
from autograder.sandbox import Limits, Sandbox
from autograder.submissions.notebook import Master
from autograder.submissions.submission import Job
from course_lib.lab import colab
from tests.support import made_up
from tests.support.made_up import ASSIGNMENT, cell
from tests.support.paths import ROOT

STUB = Path(__file__).parent.parent.parent / "support" / "google_colab"
GITHUB = "https://github.com/ada/course/raw/main/2027/bundle.zip"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The made-up course, released with notebooks for Colab whose archive is uploaded."""
    root = tmp_path_factory.mktemp("course")
    made_up.write_notebook(root)
    shutil.copy(ROOT / "nbgrader_config.py", root / "nbgrader_config.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autograder.releasing.release.installed_answers", lambda: root / "installed")
        release(Course.find(root), [ASSIGNMENT], colab="")
    return Course.find(root)


def notebook_for_colab(course: Course) -> dict[str, Any]:
    """What a student opens in Colab."""
    found: dict[str, Any] = json.loads((course.root / "bundle-colab" / ASSIGNMENT / "made_up.ipynb").read_text())
    return found


def first_cell(course: Course, address: str = "") -> str:
    """The code of its first cell, with another address in it."""
    source = "".join(notebook_for_colab(course)["cells"][0]["source"])
    return source.replace('ARCHIVE = ""', f"ARCHIVE = {json.dumps(address)}")


def run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a folder, with the stub of Google's package and without this project on the path."""
    variables = {**os.environ, "PYTHONPATH": str(STUB), **environment}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=60)


WHERE = "\nimport course_lib\nprint(course_lib.__file__)\n"


def test_the_notebooks_are_those_of_the_bundle_with_one_more_cell(course: Course) -> None:
    """It is left alone when grading, and nbgrader does not know it."""
    ours = json.loads((course.root / "bundle" / ASSIGNMENT / "made_up.ipynb").read_text())
    notebook = notebook_for_colab(course)
    first = notebook["cells"].pop(0)
    assert notebook["cells"] == ours["cells"]
    assert (first["id"], first["metadata"]["tags"]) == (CELL, ["experiment"])
    assert "nbgrader" not in first["metadata"]
    nbformat.validate(nbformat.from_dict(notebook_for_colab(course)))


def test_the_first_cell_takes_the_library_from_an_uploaded_archive(course: Course, tmp_path: Path) -> None:
    """Beside the notebook, where it is found again after a restart; nothing else of the archive is unpacked."""
    shutil.copy(course.root / "bundle.zip", tmp_path / "bundle (1).zip")
    done = run(first_cell(course) + WHERE, tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "course_lib") in done.stdout
    assert "custom widgets are on" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle (1).zip", "course_lib", "requirements.txt"]
    (tmp_path / "bundle (1).zip").unlink()
    again = run(first_cell(course) + WHERE, tmp_path)
    assert again.returncode == 0, again.stderr


def test_the_first_cell_asks_for_the_archive(course: Course, tmp_path: Path) -> None:
    """Where there is neither an address nor a file; whoever chooses none, or another file, is told what to do."""
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    none = run(first_cell(course), tmp_path, UPLOADS=str(uploads))
    assert "Upload bundle.zip with the folder icon" in none.stderr
    (uploads / "homework.zip").write_text("<html>")
    assert "There is no course in that file" in run(first_cell(course), tmp_path, UPLOADS=str(uploads)).stderr
    (uploads / "homework.zip").unlink()
    shutil.copy(course.root / "bundle.zip", uploads)
    done = run(first_cell(course) + WHERE, tmp_path, UPLOADS=str(uploads))
    assert done.returncode == 0, done.stderr


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def address(course: Course) -> Iterator[str]:
    """A server that has the archive."""
    handler = functools.partial(_Quiet, directory=str(course.root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/bundle.zip"
        server.shutdown()


def test_the_first_cell_fetches_the_archive(course: Course, address: str, tmp_path: Path) -> None:
    """A wrong address is one sentence that says what to do instead."""
    wrong = run(first_cell(course, address + ".gone"), tmp_path)
    assert re.search(r"There is no course in http.*gone \(HTTP Error 404.*\)\. Upload bundle\.zip", wrong.stderr)
    done = run(first_cell(course, address) + WHERE, tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "course_lib") in done.stdout


def test_the_first_cell_does_nothing_anywhere_else(course: Course, tmp_path: Path) -> None:
    """A copy of the notebook may come back to a laptop."""
    done = run(first_cell(course), tmp_path, PYTHONPATH="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_missing_is_installed_and_nothing_that_colab_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch, NumPy and the kernel are never asked for, and pip may not touch anything that is there."""
    (tmp_path / "requirements.txt").write_text("# t\nanywidget>=0.9\nno-such-thing>=2\nnumpy>=99\ntorch>=99\n-e .\n")
    assert list(colab.missing(tmp_path / "requirements.txt")) == ["no-such-thing>=2"]
    monkeypatch.setattr(colab, "_is_installed", lambda name: False)
    wanted = list(colab.missing(tmp_path / "requirements.txt"))
    assert wanted == ["anywidget>=0.9", "no-such-thing>=2"]
    asked = colab.pip_command(wanted, tmp_path)
    assert asked[-2:] == wanted
    held = (tmp_path / "constraints.txt").read_text().splitlines()
    assert f"torch=={importlib.metadata.version('torch')}" in held
    assert f"ipykernel=={importlib.metadata.version('ipykernel')}" in held


def test_what_pip_cannot_do_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Its last lines, and no word that all is well."""
    (tmp_path / "requirements.txt").write_text("no-such-thing>=2\n")
    failing = [sys.executable, "-c", "import sys; sys.exit('ERROR: no such thing')"]
    monkeypatch.setattr(colab, "pip_command", lambda wanted, scratch: failing)
    colab.set_up(tmp_path)
    printed = capsys.readouterr().out
    assert "ERROR: no such thing\nThat failed." in printed
    assert "Ready" not in printed


# --- the address


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        (GITHUB, "ada/course/blob/main/2027/bundle-colab/01_a/a.ipynb"),
        (
            "https://raw.githubusercontent.com/ada/course/main/bundle.zip",
            "ada/course/blob/main/bundle-colab/01_a/a.ipynb",
        ),
        ("https://github.com/ada/course/releases/download/v1/bundle.zip", None),
        ("https://example.edu/bundle.zip", None),
        ("", None),
    ],
)
def test_a_badge_opens_the_notebook_where_colab_can(address: str, folder: str | None, tmp_path: Path) -> None:
    """Colab opens notebooks from a branch on GitHub by a link; elsewhere the way is described."""
    (tmp_path / "01_a").mkdir()
    (tmp_path / "01_a" / "a.ipynb").write_text("{}")
    door = ColabDoor(address, "bundle.zip", "bundle-colab", ("course_lib",))
    links = door.links(tmp_path, ["01_a"])
    assert (f"(https://colab.research.google.com/github/{folder})" in links) == (folder is not None)
    assert ("Upload notebook" in door.steps()) == (folder is None)
    assert ("asks for the file `bundle.zip`" in door.steps()) == (not address)


@pytest.mark.parametrize(
    "text", ["bundle.zip", "ftp://x/y", "https://", "file:///etc/passwd", "https://a b/c", "http://[x"]
)
def test_an_address_that_nobody_can_fetch_is_refused(text: str) -> None:
    """With an example of one that is taken."""
    with pytest.raises(CourseError, match="expected the address"):
        valid_address(text)


def test_the_page_of_a_file_on_github_becomes_the_file() -> None:
    """It is what people copy from the browser."""
    assert valid_address(f" {GITHUB.replace('/raw/', '/blob/')}\n") == GITHUB


def test_the_address_is_kept_in_the_configuration_and_replaced(course: Course, tmp_path: Path) -> None:
    """Nobody is asked twice; whatever else stands there stays."""
    config = tmp_path / "nbgrader_config.py"
    before = (course.root / config.name).read_text()
    config.write_text(before)
    assert Course.find(tmp_path).colab is None
    for address in (GITHUB, 'https://x/"y\\', ""):
        keep_address(config, address)
        assert Course.find(tmp_path).colab == address
    assert config.read_text().startswith(before.rstrip())
    assert config.read_text().count("c.Autograder.colab") == 1


def test_the_command_keeps_the_address_and_says_what_to_put_where(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A later release makes the notebooks again without being told."""
    root = shutil.copytree(course.root, tmp_path / "course")
    monkeypatch.setattr("autograder.releasing.release.installed_answers", lambda: tmp_path / "installed")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args([ASSIGNMENT, "--colab", GITHUB]), Course.find(root))
    assert f"put bundle.zip at {GITHUB}, and this folder beside it" in capsys.readouterr().out
    assert Course.find(root).colab == GITHUB
    (root / "bundle-colab" / "README.md").unlink()
    command.run(parser.parse_args([ASSIGNMENT]), Course.find(root))
    badge = "colab.research.google.com/github/ada/course/blob/main/2027/bundle-colab/00_made_up/made_up.ipynb"
    assert badge in (root / "bundle-colab" / "README.md").read_text()
    assert badge in (root / "bundle" / "README.md").read_text()


# --- what comes back


def as_colab_saves(notebook: dict[str, Any]) -> dict[str, Any]:
    """Colab writes format 4.0: no cell ids, its own in the metadata, and settings of its own."""
    saved = copy.deepcopy(notebook)
    saved["nbformat_minor"] = 0
    saved["metadata"] = {
        "colab": {"provenance": [], "toc_visible": True},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
        "accelerator": "GPU",
    }
    for n, one in enumerate(saved["cells"]):
        one["metadata"] = {**one["metadata"], "id": one.pop("id")}
        if one["cell_type"] == "code":
            one["metadata"] |= {"colab": {"base_uri": "https://localhost:8080/"}, "outputId": f"0a1b-{n}"}
            one["execution_count"] = n
            one["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["x\n"]}]
    return saved


@pytest.mark.sandbox
def test_what_colab_saves_is_graded_as_the_same_answers_from_elsewhere(course: Course) -> None:
    """The same scores, and no flag for the additional cell."""
    master = Master(ASSIGNMENT, "made_up", (course.release / ASSIGNMENT / "made_up.ipynb").read_text())
    elsewhere = json.loads((course.release / ASSIGNMENT / "made_up.ipynb").read_text())
    in_colab = notebook_for_colab(course)
    for notebook in (elsewhere, in_colab):
        cell(notebook, "column-scale-solution")["source"] = made_up.SOLUTION
        cell(notebook, "pair-solution")["source"] = made_up.PAIR_SOLUTION.replace("x, x", "x, x + 1")
    task = Task(master, made_up.CODE, "1", Limits(submission_s=30))
    with Sandbox() as sandbox:
        jobs = [Job("ada", json.dumps(n).encode()) for n in (elsewhere, as_colab_saves(in_colab))]
        one, other = (grade_submission(job, task, sandbox) for job in jobs)
    assert one.result.score == other.result.score == 6
    assert {name: e.score for name, e in one.result.exercises.items()} == {
        name: e.score for name, e in other.result.exercises.items()
    }
    assert one.result.flags == other.result.flags == ()


@pytest.mark.slow
def test_the_whole_notebook_runs_in_colab(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With right answers, from an empty folder, in a kernel that knows nothing of the course."""
    shutil.copy(course.root / "bundle.zip", tmp_path)
    notebook = notebook_for_colab(course)
    cell(notebook, "column-scale-solution")["source"] = made_up.SOLUTION
    cell(notebook, "pair-solution")["source"] = made_up.PAIR_SOLUTION
    monkeypatch.setenv("PYTHONPATH", str(STUB))
    monkeypatch.delenv("COURSE_ANSWERS", raising=False)
    client = NotebookClient(
        nbformat.reads(json.dumps(notebook), as_version=4),
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    done = client.execute()
    assert "Ready." in done.cells[0].outputs[0].text
    shown = json.dumps(done.cells[4].outputs)
    assert "5 of 5 points" in shown
