"""`autograder grade --cluster` on a real scheduler and real workers: the same scores, whoever dies on the way."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.cli import main
from autograder.course import Course
from autograder.errors import ClusterError
from autograder.grading import batch as grading
from autograder.grading import cluster
from autograder.grading.batch import Batch, Options, grade_course
from autograder.results import ExerciseResult
from tests.support import made_up, small_course
from tests.support.dask_cluster import ROOT, Cluster, scheduler

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(600)]
NAME = made_up.ASSIGNMENT


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler, and two workers that are started anew when they die."""
    with scheduler(tmp_path_factory.mktemp("cluster")) as found:
        found.start_workers(2)
        yield found


@pytest.fixture
def two(running: Cluster) -> Cluster:
    """The cluster with both of its workers; it gives up a submission after two deaths."""
    running.wait_for_workers(2)
    running.give_up_after(2)
    return running


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released course with submissions of every kind; copied by each test."""
    root = tmp_path_factory.mktemp("released")
    course = small_course.make(root)
    for number in range(3):
        for kind, (column_scale, pair) in small_course.ANSWERS.items():
            small_course.hand_in(course, f"{kind}{number}", column_scale, pair, "import time; time.sleep(0.2)")
    small_course.hand_in_bytes(course, "empty", b"")
    return root


@pytest.fixture(scope="module")
def expected(released: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Results and gradebook of the class, graded on this machine without a cluster."""
    root = tmp_path_factory.mktemp("local") / "course"
    shutil.copytree(released, root)
    course = Course.find(root)
    return _exercises(grade_course(course, NAME, Options(seed=7))), small_course.scores(course)


@pytest.fixture
def course(released: Path, tmp_path: Path) -> Course:
    """A course of its own for the test."""
    root = tmp_path / "course"
    shutil.copytree(released, root)
    return Course.find(root)


def _grade(course: Course, address: str) -> Batch:
    return grade_course(course, NAME, Options(seed=7, cluster=address))


def _exercises(batch: Batch) -> dict[str, dict[str, ExerciseResult]]:
    return {result.student: dict(result.exercises) for result in batch.results}


def test_a_cluster_gives_the_scores_of_one_machine(two: Cluster, course: Course, expected: tuple[Any, Any]) -> None:
    """Result by result, and row by row in the gradebook; both workers had a part in it."""
    batch = _grade(course, two.address)
    assert not batch.failed
    assert (_exercises(batch), small_course.scores(course)) == expected
    assert all(two.ask(_graded_here).values())


def _graded_here() -> bool:
    return cluster._opened.cache_info().hits > 0


def test_a_worker_that_is_killed_has_its_submissions_graded_elsewhere(
    two: Cluster, course: Course, expected: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL in the middle of the batch: nothing is lost, nothing scores less."""
    victim = min(two.ask(os.getpid).values())
    real, written = grading.write, 0

    def write_and_kill(*args: Any) -> None:
        nonlocal written
        real(*args)
        written += 1
        if written == 3:
            os.kill(victim, signal.SIGKILL)

    monkeypatch.setattr(grading, "write", write_and_kill)
    batch = _grade(course, two.address)
    assert written == 16
    assert not batch.failed
    assert (_exercises(batch), small_course.scores(course)) == expected


def test_a_submission_that_kills_its_workers_is_named_and_alone(
    two: Cluster, course: Course, expected: tuple[Any, Any]
) -> None:
    """It ends as one that could not be graded; those that waited beside it get what they deserve."""
    two.give_up_after(1)  # each death costs a worker's start, some ten seconds
    for name in ("killer-a", "killer-b"):
        small_course.hand_in(course, name)
    batch = _grade(course, two.address)
    assert {failed.job.student for failed in batch.failed} == {"killer-a", "killer-b"}
    assert all("every worker that tried it died" in failed.reason for failed in batch.failed)
    assert (_exercises(batch), small_course.scores(course)) == expected


def test_an_interrupted_run_is_completed_by_the_same_command(
    two: Cluster, course: Course, expected: tuple[Any, Any]
) -> None:
    """Ctrl-C ends the program with one line and leaves nothing half; the rest is graded by the next run."""
    command = [sys.executable, "-c", _CLI, "--course", str(course.root), "grade", NAME, "--seed=7"]
    workers = list(two.ask(os.getpid).values())
    process = subprocess.Popen([*command, "--cluster", two.address], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while len(list(course.results(NAME).glob("[!.]*.json"))) < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    for worker in workers:  # or they could be done before the signal comes
        os.kill(worker, signal.SIGSTOP)
    try:
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=60)
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert words.strip() == "autograder: interrupted; the same command again goes on from here"
    rest = _grade(course, two.address)
    assert 0 < rest.graded <= 15
    assert (_exercises(rest), small_course.scores(course)) == expected


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler to which each test starts workers of its own, and ends them."""
    with scheduler(tmp_path_factory.mktemp("bare")) as found:
        yield found


@pytest.fixture
def empty(bare: Cluster) -> Iterator[Cluster]:
    """The scheduler without workers."""
    yield bare
    bare.end_workers()


def test_a_worker_of_another_version_is_refused(empty: Cluster, course: Course, tmp_path: Path) -> None:
    """By name, with both versions, before anything is graded."""
    for package in ("autograder", "course_lib"):
        shutil.copytree(ROOT / package, tmp_path / "old" / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "old" / "autograder" / "engine.py").open("a") as file:
        file.write("# an older version\n")
    os.symlink(ROOT / "tests", tmp_path / "old" / "tests")
    empty.start_workers(1, "--no-nanny", PYTHONPATH=str(tmp_path / "old"))
    with pytest.raises(ClusterError, match=r"worker tcp://.* has another version: grader .*; here: grader ") as caught:
        _grade(course, empty.address)
    assert "install the same version" in caught.value.hint
    assert small_course.scores(course) == []


def test_a_worker_without_the_grader_is_refused(empty: Cluster, course: Course, tmp_path: Path) -> None:
    """A worker in another environment cannot even read the question, and is named."""
    (tmp_path / "sitecustomize.py").write_text('import sys\nsys.modules["autograder"] = None\n')
    empty.start_workers(1, "--no-nanny", preload=False, PYTHONPATH=str(tmp_path))
    with pytest.raises(ClusterError, match=r"worker tcp://.* cannot run the grader"):
        _grade(course, empty.address)


def test_a_scheduler_without_workers_says_so(empty: Cluster, course: Course) -> None:
    """And how to start some."""
    with pytest.raises(ClusterError, match="has no workers") as caught:
        _grade(course, empty.address)
    assert caught.value.hint == f"start some, on each machine: dask worker {empty.address}"


def test_workers_that_are_gone_for_good_end_the_run(
    empty: Cluster, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever; what was graded is kept."""
    monkeypatch.setattr(cluster, "_ALONE_S", 2.0)
    empty.start_workers(1, "--no-nanny")
    real = grading.write

    def write_and_kill(*args: Any) -> None:
        real(*args)
        empty.workers[0].kill()

    monkeypatch.setattr(grading, "write", write_and_kill)
    with pytest.raises(ClusterError, match="has no workers any more"):
        _grade(course, empty.address)
    assert small_course.scores(course)


def test_a_scheduler_that_ends_ends_the_run(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one line, not with a traceback of the network."""
    with scheduler(tmp_path / "cluster") as found:
        found.start_workers(1, "--no-nanny")
        real = grading.write

        def write_and_kill(*args: Any) -> None:
            real(*args)
            found.scheduler.kill()

        monkeypatch.setattr(grading, "write", write_and_kill)
        with pytest.raises(ClusterError, match="ended or was restarted"):
            _grade(course, found.address)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _says_that_nobody_answers(status: int, words: str) -> None:
    lines = words.strip().splitlines()
    assert (status, len(lines)) == (2, 2), words
    assert "no Dask scheduler answers at" in lines[0]
    assert "dask scheduler" in lines[1]


def test_the_program_says_in_one_line_where_nobody_answers(course: Course) -> None:
    """Exit status 2, two lines on stderr, at once: nothing of the libraries, and nothing at the end of the process."""
    command = [sys.executable, "-c", _CLI, "--course", str(course.root), "grade", NAME]
    command += ["--cluster", f"tcp://127.0.0.1:{_free_port()}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    _says_that_nobody_answers(done.returncode, done.stderr)


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "nonsense://x"])
def test_an_address_where_nobody_answers_is_one_line(
    course: Course, address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """However it is written."""
    started = time.monotonic()
    status = main(["--course", str(course.root), "grade", NAME, "--cluster", address.format(port=_free_port())])
    _says_that_nobody_answers(status, capfd.readouterr().err)
    assert time.monotonic() - started < 60


# Whoever starts the tests in the background may have them ignore Ctrl-C; the program inherits that.
_CLI = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from autograder.cli import main
sys.exit(main(sys.argv[1:]))
"""
