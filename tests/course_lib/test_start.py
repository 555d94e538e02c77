"""The start page and the check of the environment: one look, or one line, says where one stands."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib import start
from course_lib.checking import progress
from course_lib.lab import environment
from tests.support import made_up
from tests.support.paths import ROOT


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course of one notebook with answer data, as a student has it."""
    from course_lib.checking.answers import ENVIRONMENT_VARIABLE, write_keys

    answers = tmp_path / "answers"
    write_keys(answers / f"{made_up.ASSIGNMENT}.safetensors", made_up.ASSIGNMENT, [made_up.EXERCISE.make_key("start")])
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(answers))
    write(
        tmp_path, ["# Made up\n\n| part | topic | minutes |\n|---|---|---|\n| 1 | a | 35 |\n| 2 | b | 40 |\n", "# No"]
    )
    return tmp_path


def write(course: Path, texts: list[str]) -> None:
    """A notebook of Markdown cells."""
    path = course / made_up.ASSIGNMENT / "made_up.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": [text]} for text in texts]}))


def test_the_start_page_says_what_is_there_done_and_next(course: Path) -> None:
    """Title, sum of the minutes, progress, and the exercise to go on with."""
    (entry,) = start.entries(course)
    assert (entry.title, entry.minutes, entry.passed, entry.total) == ("Made up", 75, 0, 1)
    assert entry.next is not None
    assert (entry.next.heading, entry.next.anchor) == (made_up.EXERCISE.id, "")  # no cell of this notebook has the id
    progress.record(made_up.EXERCISE.id, True, course / made_up.ASSIGNMENT)
    (entry,) = start.entries(course)
    assert (entry.passed, entry.next) == (1, None)
    text = str(start.StartPage((entry,)))
    assert "Made up (00_made_up/made_up.ipynb): 1 of 1 exercises pass; about 1 h 15 min" in text


def test_minutes_of_parts_count_where_there_is_no_table(course: Path) -> None:
    """A table of parts is one way to state them, a line below the part's heading the other."""
    write(course, ["# T", "## A\n*20 minutes.*", "## B\n*15 minutes. Two questions.*"])
    assert start.entries(course)[0].minutes == 35
    write(course, ["# T"])
    assert "no estimate" in str(start.StartPage(tuple(start.entries(course))))


def test_titles_cannot_become_html(course: Path) -> None:
    """A notebook is a file that anybody may have edited."""
    write(course, ["# <script>alert(1)</script>"])
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            tags.append(tag)

    Reader().feed(start.StartPage(tuple(start.entries(course))).html())
    assert "table" in tags
    assert "script" not in tags


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    """The page opened in the wrong place."""
    assert "open this page in the course's folder" in str(start.StartPage(tuple(start.entries(tmp_path))))


@given(content=st.binary(max_size=100) | st.sampled_from([b"[]", b'{"cells": 3}', b'{"cells": [1, {"source": 4}]}']))
def test_a_damaged_notebook_never_breaks_the_page(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It is left out, or shown by its file's name."""
    folder = tmp_path_factory.getbasetemp() / "damaged"
    (folder / "00_made_up").mkdir(parents=True, exist_ok=True)
    (folder / "00_made_up" / "n.ipynb").write_bytes(content)
    assert len(start.entries(folder)) <= 1


def test_the_bundles_start_page_runs_what_is_tested_here() -> None:
    """The notebook that `make lab` opens calls these two functions and holds no output."""
    notebook = json.loads((ROOT / "autograder/releasing/templates/start.ipynb").read_text())
    code = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    assert "check_environment()" in code
    assert "start_page()" in code
    assert not any(cell.get("outputs") for cell in notebook["cells"])


def test_a_sound_environment_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready, with the versions that a question to the course's staff should state."""
    monkeypatch.setenv("COURSE_ANSWERS", "somewhere")
    environment.check_environment()
    printed = capsys.readouterr()
    assert printed.out.startswith("Environment: ready (Python 3.")
    assert (printed.out.count("\n"), printed.err) == (1, "")


def test_a_missing_package_is_named_with_the_command(tmp_path: Path) -> None:
    """And with the Python that lacks it: most often it is the wrong one."""
    (tmp_path / "requirements.txt").write_text("torch==2.13.0\n")
    found = list(environment.faults(tmp_path, tmp_path, find=lambda name: None if name == "torch" else object()))
    assert f"torch is not installed for {sys.executable}" in found[0].wrong
    assert f'cd "{tmp_path}" && python -m pip install -r requirements.txt' in found[0].mend


def test_a_package_that_is_too_old_is_told_and_a_newer_one_is_not(tmp_path: Path) -> None:
    """The bundle's requirements are lower bounds."""
    (tmp_path / "requirements.txt").write_text("# tested\ntorch>=1.13\nnumpy>=99.1\ntqdm>=4\n-e .\n")
    wrong = [fault.wrong for fault in environment.faults(tmp_path, tmp_path)]
    assert any(line.startswith("numpy is ") and line.endswith("the course needs 99.1 or newer") for line in wrong)
    assert not any(line.startswith(("torch", "tqdm")) for line in wrong)


@given(
    numbers=st.lists(st.integers(0, 99), min_size=1, max_size=4), suffix=st.sampled_from(["", "+cpu", "rc1", ".post1"])
)
def test_versions_are_ordered_by_their_numbers(numbers: list[int], suffix: str) -> None:
    """2.10 comes after 2.9, 2.0 is 2, and what follows the numbers does not count."""
    read = environment._numbers(".".join(map(str, numbers)) + suffix)
    assert read == tuple(numbers[: max((i + 1 for i, n in enumerate(numbers) if n), default=1)])


@pytest.mark.parametrize(
    ("torch", "told"),
    [("2.99.1+cpu", "newer than"), ("1.13.0", "needs"), (environment.TORCH.newest + ".7", ""), (None, "")],
)
def test_the_first_check_says_in_one_line_that_a_version_was_not_tested(
    torch: str | None, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once, and it never refuses."""
    monkeypatch.setattr(environment, "_told", False)
    monkeypatch.setattr(environment, "_version", lambda name: torch)
    environment.tell_if_untested()
    environment.tell_if_untested()
    printed = capsys.readouterr().out
    assert printed.count("\n") == bool(told)
    assert told in printed


def test_a_newer_pytorch_is_ready_and_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same line that says that all is well."""
    monkeypatch.setenv("COURSE_ANSWERS", "somewhere")
    monkeypatch.setattr(environment, "_version", lambda name: "2.99.0" if name == "torch" else "99")
    environment.check_environment()
    printed = capsys.readouterr().out
    assert printed.startswith("Environment: ready")
    assert f"PyTorch 2.99.0; the course was tested with PyTorch {environment.TORCH})." in printed


def test_importing_check_takes_little_once_torch_is_there() -> None:
    """Under two seconds of processor time: nothing is imported that the first check does not need."""
    code = (
        "import time, torch\n"
        "started = time.thread_time()\n"  # what a thread warms up meanwhile keeps nobody waiting
        "from course_lib import check\n"
        "import sys\n"
        "assert not {'matplotlib.pyplot', 'sklearn', 'scipy.stats', 'anywidget'} & set(sys.modules)\n"
        "print(time.thread_time() - started)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60, capture_output=True, text=True
    )
    assert float(done.stdout) < 2


def test_a_python_that_ends_at_once_ends_well() -> None:
    """A script that only imports: what is warmed up beside it must not abort it (it did, every second time)."""
    for _ in range(6):
        subprocess.run([sys.executable, "-c", "from course_lib import check"], cwd=ROOT, check=True, timeout=60)


def test_missing_answers_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them no check works, so the first cell says it."""
    monkeypatch.delenv("COURSE_ANSWERS", raising=False)
    assert any("no answer data" in fault.wrong for fault in environment.faults(tmp_path, tmp_path))


def test_checking_the_environment_loads_nothing_heavy() -> None:
    """Else a missing package would be a traceback before it is a sentence."""
    code = "import course_lib.lab.environment, sys; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60).returncode == 0
