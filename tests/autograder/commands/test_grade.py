"""`autograder grade` on a small course: scores, reruns, crashes, bad input."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
import pytest
from nbgrader.api import Gradebook
from sqlalchemy.exc import OperationalError

from autograder import cli
from autograder.commands import grade
from autograder.course import Course
from autograder.course_code import CourseCode
from autograder.errors import AutograderError, CourseError, GradebookError, SandboxUnavailableError
from autograder.grading import batch as batch_module
from autograder.grading.batch import Batch, Options, grade_course
from autograder.grading.lock import hold
from autograder.results import read_results
from autograder.sandbox import Sandbox, launcher
from benchmarks.kills import Trials
from tests.support import made_up, small_course

pytestmark = pytest.mark.sandbox
NAME = made_up.ASSIGNMENT


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released course without submissions; copied by each test."""
    root = tmp_path_factory.mktemp("released")
    small_course.make(root)
    return root


@pytest.fixture(scope="module")
def warm_parent() -> Iterator[Sandbox]:
    """One warm parent for most tests: starting it takes seconds."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _shared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("own_sandbox"):
        return
    shared: Sandbox = request.getfixturevalue("warm_parent")

    def lend(kind: str, device: str = "cpu", code: CourseCode | None = None) -> Any:
        if kind != "bwrap":
            return Sandbox("none", device, code)
        return mock.Mock(
            wraps=shared, start=lambda: None, wait_ready=lambda: None, stop=lambda: None, kind="bwrap", device=device
        )

    for module in (batch_module, grade):
        monkeypatch.setattr(module, "Sandbox", lend)


@pytest.fixture
def course(released: Path, tmp_path: Path) -> Course:
    """A course of its own for the test."""
    root = tmp_path / "course"
    shutil.copytree(released, root)
    return Course.find(root)


def _hand_in_all(course: Course, copies: int = 1) -> None:
    for number in range(copies):
        for kind, (column_scale, pair) in small_course.ANSWERS.items():
            small_course.hand_in(course, f"{kind}{number}", column_scale, pair)


def _grade(course: Course, **options: Any) -> Batch:
    return grade_course(course, NAME, Options(**{"seed": 7, **options}))


def _scores(batch: Batch) -> dict[str, float]:
    return {result.student: result.score for result in batch.results}


def test_every_kind_of_answer_gets_its_points_and_reason(course: Course) -> None:
    """Right, wrong, missing and dying answers are graded side by side; the other exercise never suffers."""
    _hand_in_all(course)
    batch = _grade(course)
    results = {result.student: result for result in batch.results}
    assert _scores(batch) == {"right0": 7, "unbiased0": 6, "stub0": 2, "raises0": 2, "leaves0": 2}
    assert results["unbiased0"].exercises["column-scale"].misconceptions == ("unbiased-variance",)
    assert "exit status 3" in results["leaves0"].exercises["column-scale"].message
    assert results["leaves0"].status == "crashed"
    assert results["right0"].status == "graded"


def test_scores_reach_the_gradebook_and_the_formgraders_notebook(course: Course) -> None:
    """What nbgrader holds, and reads back from the autograded notebook, is what was graded."""
    _hand_in_all(course)
    _grade(course)
    rows = {(student, cell): score for student, cell, score, _, _ in small_course.scores(course)}
    assert rows["right0", "column-scale"] == 5
    assert rows["unbiased0", "column-scale"] == 4
    assert rows["right0", "why"] == 0  # left as released: nobody needs to read it
    path = course.autograded / "unbiased0" / NAME / "made_up.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    (output,) = next(cell for cell in notebook.cells if cell.id == "column-scale").outputs
    assert float(output.data["text/plain"]) == 4.0
    assert "N - 1" in output.data["text/html"].replace("<code>", "").replace("</code>", "")


def test_a_written_answer_waits_for_a_person(course: Course) -> None:
    """A changed written answer needs manual grading; an unchanged one is given 0."""
    path = small_course.hand_in(course, "ada")
    notebook = json.loads(path.read_text())
    next(cell for cell in notebook["cells"] if cell["id"] == "why")["source"] = "Because of noise."
    path.write_text(json.dumps(notebook))
    _grade(course)
    rows = {(student, cell): (score, needs) for student, cell, score, _, needs in small_course.scores(course)}
    assert rows["ada", "why"] == (None, 1)


def test_a_second_run_grades_only_what_is_new_or_changed(course: Course) -> None:
    """Running again costs nothing and changes nothing, except for a changed submission."""
    _hand_in_all(course)
    _grade(course)
    before = small_course.scores(course)
    assert _grade(course).graded == 0
    small_course.hand_in(course, "stub0")
    again = _grade(course)
    assert again.graded == 1
    assert _scores(again)["stub0"] == 7
    assert _grade(course, force=True).graded == 5
    assert [row for row in before if row[0] != "stub0"] == [r for r in small_course.scores(course) if r[0] != "stub0"]


def test_manual_scores_survive_a_second_grading(course: Course) -> None:
    """What a person has graded is never overwritten."""
    small_course.hand_in(course, "ada")
    _grade(course)
    with Gradebook(course.db_url) as book:
        book.find_grade("why", "made_up", NAME, "ada").manual_score = 3.5
        book.db.commit()
    _grade(course, force=True)
    rows = {cell: manual for _, cell, _, manual, _ in small_course.scores(course)}
    assert rows["why"] == 3.5


def test_a_written_answer_that_did_not_change_stays_graded(course: Course) -> None:
    """A regrade for other reasons does not ask a person again; a new text does."""
    small_course.hand_in(course, "ada", why="Because it is so.")
    _grade(course)
    with Gradebook(course.db_url) as book:
        grade = book.find_grade("why", "made_up", NAME, "ada")
        grade.manual_score, grade.needs_manual_grade = 3.5, False
        book.db.commit()
    _grade(course, force=True)
    assert _waits(course) == (3.5, False)
    small_course.hand_in(course, "ada", why="Because it is so, I think.")
    _grade(course)
    assert _waits(course) == (3.5, True)


def _waits(course: Course) -> tuple[float, bool]:
    with Gradebook(course.db_url) as book:
        grade = book.find_grade("why", "made_up", NAME, "ada")
        return grade.manual_score, grade.needs_manual_grade


def test_points_that_disagree_are_refused_in_one_line(course: Course) -> None:
    """After a change of points in the code the notebook must be released again, or marks would be wrong in silence."""
    path = next((course.release / NAME).glob("*.ipynb"))
    path.write_text(path.read_text().replace('"points": 5', '"points": 4'))
    with pytest.raises(CourseError, match=r"column-scale: the released notebook gives 4 points, .* 5") as caught:
        _grade(course)
    assert f"autograder release {NAME}" in caught.value.hint


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_scores_do_not_depend_on_the_number_of_workers(course: Course, workers: int) -> None:
    """The seed of a hidden case depends on the submission, not on who grades it when."""
    _hand_in_all(course, copies=2)
    one = _grade(course, workers=1)
    other = _grade(course, workers=workers, force=True)
    assert [(r.student, r.exercises) for r in one.results] == [(r.student, r.exercises) for r in other.results]


def test_without_a_seed_the_course_draws_a_secret_one_and_keeps_it(course: Course) -> None:
    """Two runs use the same hidden cases; nobody else can read the seed."""
    small_course.hand_in(course, "ada")
    first = _grade(course, seed=None)
    assert _grade(course, seed=None).seed == first.seed
    path = course.root / ".autograder" / NAME / "seed.json"
    assert path.stat().st_mode & 0o077 == 0


def _unreadable(course: Course) -> dict[str, str]:
    """Odd submissions, by student: the status that each must get."""
    small_course.hand_in_bytes(course, "json", b'{"cells": [')
    small_course.hand_in_bytes(course, "empty", b"")
    small_course.hand_in_bytes(course, "foreign", b'{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}')
    small_course.hand_in_bytes(course, "other", b"{}", "homework.ipynb")
    (course.submitted / "nothing" / NAME).mkdir(parents=True)
    link = course.submitted / "link" / NAME / "made_up.ipynb"
    link.parent.mkdir(parents=True)
    link.symlink_to("/etc/passwd")
    statuses = dict.fromkeys(("json", "empty", "foreign"), "unreadable")
    return {**statuses, "other": "missing", "nothing": "missing", "link": "missing"}


def test_what_cannot_be_read_gets_a_status_and_the_class_is_graded(course: Course) -> None:
    """Broken, empty, foreign, misnamed, absent and linked files: 0 points, a reason, and a row in the gradebook."""
    expected = _unreadable(course)
    small_course.hand_in(course, "ada")
    batch = _grade(course)
    assert {r.student: r.status for r in batch.results} == {**expected, "ada": "graded"}
    assert all(result.message for result in batch.results if result.student != "ada")
    assert _scores(batch)["ada"] == 7
    automatic = [row for row in small_course.scores(course) if row[1] in ("column-scale", "pair")]
    assert {(row[0], row[2]) for row in automatic if row[0] in expected} == {(student, 0) for student in expected}


def test_a_misnamed_notebook_is_graded_and_flagged(course: Course) -> None:
    """One notebook under another name is plainly meant."""
    path = small_course.hand_in(course, "ada")
    path.rename(path.with_name("made_up (1).ipynb"))
    (result,) = _grade(course).results
    assert result.score == 7
    assert result.flags == ("renamed-notebook",)


def test_a_late_submission_is_graded_and_says_so(course: Course, capsys: pytest.CaptureFixture[str]) -> None:
    """nbgrader's due date and the timestamp decide."""
    with Gradebook(course.db_url) as book:
        book.update_or_create_assignment(NAME, duedate=dt.datetime(2026, 1, 1))
    path = small_course.hand_in(course, "ada")
    (path.parent / "timestamp.txt").write_text("2026-01-02 00:00:00 UTC\n")
    (result,) = _grade(course).results
    assert (result.status, result.flags, result.score) == ("late", ("late",), 7)
    assert cli.main(["--course", str(course.root), "grade", NAME, "--seed", "7"]) == 0
    assert "  late: 1\n" in capsys.readouterr().out


def test_json_holds_the_contract_and_no_hidden_input(course: Course, tmp_path: Path) -> None:
    """`--json` has the documented fields and neither counterexamples nor inputs."""
    _hand_in_all(course)
    out = tmp_path / "out.json"
    status = cli.main(["--course", str(course.root), "grade", NAME, "--seed", "7", "--json", str(out)])
    data = json.loads(out.read_text())
    assert status == 0
    assert set(data) == {"assignment", "seed", "device", "sandbox", "students"}
    student = data["students"]["unbiased0"]
    assert student["exercises"]["column-scale"]["criteria"]["variance-of-the-columns"] is False
    assert "torch.tensor" not in out.read_text()
    stored = json.loads((course.results(NAME) / "unbiased0.json").read_text())
    assert "torch.tensor" in stored["exercises"]["column-scale"]["counterexample"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grade", "00_made_upp"], "did you mean '00_made_up'"),
        (["grade", NAME, "--student", "rihgt0"], "did you mean 'right0'"),
        (["grade", NAME, "--json", "/nowhere/x.json"], "no such folder"),
        (["grade", NAME, "--json", "/"], "--json: expected a file, found the folder /"),
        (["grade", NAME, "--device", "cuda"], "no CUDA device"),
    ],
    ids=["assignment", "student", "json", "json folder", "device"],
)
def test_wrong_use_is_one_line_and_a_hint(
    course: Course, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """Exit status 2, no traceback."""
    import torch

    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    small_course.hand_in(course, "right0")
    assert cli.main(["--course", str(course.root), *arguments]) == 2
    text = capsys.readouterr().err
    assert words in text
    assert len(text.strip().splitlines()) <= 2


def test_without_a_sandbox_nothing_runs(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """No bubblewrap: a clear error that says how to install it, unless `none` is asked for."""
    small_course.hand_in(course, "ada")
    monkeypatch.setattr(launcher, "probe", lambda: launcher.Probe(False, "bubblewrap is not installed", "install it"))
    with pytest.raises(SandboxUnavailableError, match="not installed") as caught:
        _grade(course)
    assert "install it" in caught.value.hint
    assert caught.value.exit_status == 2
    batch = _grade(course, sandbox="none")
    assert _scores(batch) == {"ada": 7}
    assert batch.results[0].sandbox == "none"


def test_a_second_grader_is_told_who_holds_the_course(course: Course) -> None:
    """Two graders never write the same gradebook."""
    small_course.hand_in(course, "ada")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        with hold(course.root / ".autograder" / "lock"):
            os.write(write, b"held")
            time.sleep(60)
        os._exit(0)
    assert os.read(read, 4) == b"held"
    with pytest.raises(GradebookError, match=f"process {pid} on"):
        _grade(course)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert _grade(course).graded == 1


def test_an_unreleased_assignment_says_what_to_run(course: Course) -> None:
    """The hint is the command."""
    shutil.rmtree(course.release / NAME)
    with pytest.raises(CourseError) as caught:
        _grade(course)
    assert f"autograder release {NAME}" in caught.value.hint


def test_an_id_that_is_none_is_named_and_stops_nobody(
    course: Course, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A folder name that is no text, or has two lines: a line, a result, a place in the report, but no score."""
    small_course.hand_in(course, "ada")
    ids = {os.fsdecode(b"gr\xfcn"): "gr\\xfcn", "two\nlines": "two\\nlines"}
    for student in ids:
        small_course.hand_in(course, student)
    batch = _grade(course)
    assert _scores(batch) == {"ada": 7}
    assert {failed.job.student for failed in batch.failed} == set(ids)
    path = tmp_path / "results.json"
    assert cli.main(["--course", str(course.root), "grade", NAME, "--seed", "7", "--json", str(path)]) == 1
    printed = capsys.readouterr().out
    summary = json.loads(path.read_text(encoding="utf-8"))["students"]
    stored = read_results(course.results(NAME))
    page = tmp_path / "report.html"
    assert cli.main(["--course", str(course.root), "report", NAME, "--out", str(page)]) == 0
    for shown in ids.values():
        assert f"NOT GRADED {shown}: the folder's name" in printed
        assert (summary[shown]["status"], stored[shown].status) == ("ungraded", "ungraded")
        assert f"{shown}" in page.read_text(encoding="utf-8")
    assert {row[0] for row in small_course.scores(course)} == {"ada"}


def test_a_student_with_the_longest_name_is_graded(course: Course) -> None:
    """A folder may be named in 255 bytes; the result's file takes the beginning of a long one, and a digest."""
    names = {"n" * 230, "ü" * 127, "m" * 255, "m" * 254 + "n"}
    for name in names:
        small_course.hand_in(course, name)
    batch = _grade(course)
    assert _scores(batch) == dict.fromkeys(names, 7)
    assert set(read_results(course.results(NAME))) == names
    assert {row[0] for row in small_course.scores(course)} == names
    assert _grade(course).graded == 0


def test_folders_that_lead_nowhere_get_a_line_and_a_result(course: Course) -> None:
    """A student's folder that is a link, whole, broken or in a circle, is not followed and not passed over."""
    small_course.hand_in(course, "ada")
    for name, target in (("linked", "ada"), ("broken", "nowhere"), ("circle", "circle")):
        (course.submitted / name).symlink_to(target)
    batch = _grade(course)
    assert {r.student: r.status for r in batch.results} == {
        "ada": "graded",
        **dict.fromkeys(("linked", "broken", "circle"), "missing"),
    }
    assert all("is a link to another place" in r.message for r in batch.results if r.student != "ada")


def test_a_course_that_cannot_be_written_is_one_line(course: Course) -> None:
    """Not one for every student: a gradebook that became read-only, a folder of somebody else's."""
    for number in range(3):
        small_course.hand_in(course, f"ada{number}")
    refused = sqlite3.OperationalError("attempt to write a readonly database")
    refused.sqlite_errorname = "SQLITE_READONLY"
    for error in (PermissionError(errno.EACCES, "no", "autograded/ada0"), OperationalError("", {}, refused)):
        broken = mock.patch.object(batch_module, "write", side_effect=error)
        with broken, pytest.raises(GradebookError, match="cannot be written"):
            _grade(course)


@pytest.mark.own_sandbox
def test_a_lost_sandbox_is_started_again(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warm parent dies in the middle of a batch: no submission is lost and none scores less."""
    _hand_in_all(course, copies=2)
    original = batch_module.write
    killed: list[int] = []

    def write_and_kill(*args: Any) -> None:
        original(*args)
        if not killed:
            killed.append(1)
            for child in _children():
                if "bwrap" in child[1]:
                    os.kill(child[0], signal.SIGKILL)

    monkeypatch.setattr(batch_module, "write", write_and_kill)
    batch = _grade(course, workers=2)
    assert killed
    assert not batch.failed
    assert _scores(batch)["right0"] == _scores(batch)["right1"] == 7
    assert _scores(batch)["unbiased1"] == 6


def _children() -> list[tuple[int, str]]:
    import psutil

    return [(child.pid, child.name()) for child in psutil.Process().children()]


@pytest.mark.own_sandbox
@pytest.mark.slow
def test_a_killed_run_is_completed_exactly(course: Course) -> None:
    """SIGKILL at random moments of a batch, then the same command: everything is as after an undisturbed run."""
    _hand_in_all(course, copies=4)
    trials = Trials(course, NAME, Options(seed=7, workers=2))
    rng = random.Random(5)
    outcomes = [trials.kill_at(rng.uniform(0.2, 1) * trials.seconds) for _ in range(6)]
    assert [outcome.differences for outcome in outcomes] == [()] * 6
    assert any(outcome.caught for outcome in outcomes)


def test_known_errors_have_hints() -> None:
    """Whatever the command raises on purpose can be shown in a line and a hint."""
    for error in AutograderError.__subclasses__():
        assert error.exit_status == 2
