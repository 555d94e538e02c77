"""Grading a class into the gradebook, in any number of goes.

A run that was cut off at any moment is completed by the same call, with the same seed and so the same scores
(`autograder.grading.records`).
"""

from __future__ import annotations

import datetime as dt
import errno
import itertools
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Self

import torch
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from autograder.course import Course
from autograder.errors import CourseError, GradebookError, GradebookInUseError, SandboxError
from autograder.gradebook.graded import Graded
from autograder.gradebook.late_plugin import nbgrader_plugin
from autograder.gradebook.opening import refusal
from autograder.gradebook.rules import Rules
from autograder.gradebook.writer import GradebookWriter
from autograder.grading.cluster import DaskPool
from autograder.grading.lock import hold
from autograder.grading.pool import Failed, LocalPool, default_workers
from autograder.grading.records import is_done, make_task, note_lateness, write, write_ungraded
from autograder.grading.task import Task
from autograder.reading.imports import missing_imports
from autograder.results import SubmissionResult, read_result, result_path
from autograder.sandbox import Limits, Sandbox, choose
from autograder.sandbox.devices import has_gpu, hide_gpus
from autograder.sandbox.launcher import Kind
from autograder.submissions.submission import Job, Submission, id_problem, readable_id, students_of

_SANDBOX_STARTS = 3

__all__ = ["Batch", "Options", "grade_course", "grade_only"]


@dataclass(frozen=True)
class Options:
    """How to grade.

    Attributes:
        students: only these; empty: all who handed in.
        workers: processes; None: as many as the machine bears.
        device: `auto`, `cpu` or `cuda`.
        seed: None: the course's own secret seed for the assignment, drawn once.
        sandbox: `auto`, `bwrap` or `none`.
        cluster: address of a Dask scheduler, or empty.
        force: grade again what is graded already.
        gpu_slots: submissions that use the GPU at the same time; None: as the limits say.
        limits: None: those of the course's configuration.
    """

    students: tuple[str, ...] = ()
    workers: int | None = None
    device: str = "cpu"
    seed: int | None = None
    sandbox: str = "auto"
    cluster: str = ""
    force: bool = False
    gpu_slots: int | None = None
    limits: Limits | None = None


@dataclass(frozen=True)
class Batch:
    """What a run did.

    Attributes:
        results: of all students asked for, also those graded in earlier runs.
        graded: how many were graded in this run.
        failed: submissions that the grader itself could not grade.
        ungraded: what is written down about those.
        seconds: wall-clock time of this run.
    """

    results: tuple[SubmissionResult, ...]
    graded: int
    failed: tuple[Failed, ...]
    ungraded: tuple[SubmissionResult, ...]
    seconds: float
    seed: int
    device: str
    sandbox: str


def grade_course(
    course: Course,
    assignment: str,
    options: Options | None = None,
    *,
    sandbox: Sandbox | None = None,
    show_progress: bool = False,
) -> Batch:
    """Grade an assignment's submissions into the gradebook.

    Args:
        sandbox: one that the caller has started already, to win time; it is stopped here.
        show_progress: show a bar with rate and time left on stdout.

    Raises:
        AutograderError: for everything that can be known beforehand: assignment, course, sandbox, gradebook, lock.
    """
    started = time.perf_counter()
    options = options or Options()
    torch.set_num_threads(1)  # before the workers are forked
    device = _device(options.device, options.cluster)
    if not hide_gpus() and not options.cluster:
        raise CourseError("this process has used a GPU itself, so it cannot start workers", "grade in one that has not")
    with hold(course.root / ".autograder" / "lock"):
        limits = _limits(course, assignment, options)
        task = make_task(course, assignment, seed=options.seed, limits=limits, device=device)
        if not options.cluster:
            _require_imports(course, task)
        everybody = students_of(course, assignment, options.students)
        failed = [Failed(Job(student, None), why) for student in everybody if (why := id_problem(student))]
        students = [student for student in everybody if not id_problem(student)]
        rules = Rules.of(course)
        kind = sandbox.kind if sandbox is not None else _kind(options)
        graded = 0
        with (
            GradebookWriter(course.db_url, task.master, nbgrader_plugin(course), rules) as book,
            _Bar(assignment, len(students), show_progress) as bar,
        ):
            times: dict[str, dt.datetime | None] = {}
            jobs = _jobs(course, task, students, kind, book, bar, options.force, times)
            if (first := next(jobs, None)) is not None:
                workers = min(len(students), options.workers or default_workers())
                # Each worker has one child at a time, and so one context on the device.
                workers = min(workers, limits.gpu_slots) if device == "cuda" else workers
                if sandbox is not None and sandbox.device != device:
                    sandbox.stop()
                    sandbox = None
                used = sandbox or Sandbox(kind, device, course.code)
                with closing(
                    _outcomes(itertools.chain([first], jobs), options.cluster, workers, task, used)
                ) as outcomes:
                    for outcome in outcomes:
                        outcome = outcome if isinstance(outcome, Failed) else _written(course, book, outcome, times)
                        if isinstance(outcome, Failed):
                            failed.append(outcome)
                        else:
                            graded += 1
                        bar.step(outcome)
            book.settle(times)
        ungraded = [
            write_ungraded(course, task, readable_id(failure.job.student), failure.reason) for failure in failed
        ]
    folder = course.results(assignment)
    names = {outcome.job.student for outcome in failed}
    paths = [result_path(folder, student) for student in students if student not in names]
    results = tuple(found for path in paths if (found := read_result(path)) is not None)
    return Batch(
        results, graded, tuple(failed), tuple(ungraded), time.perf_counter() - started, int(task.seed), device, kind
    )


def grade_only(
    course: Course, task: Task, jobs: Sequence[Job], options: Options, *, show_progress: bool = False
) -> Iterator[Graded]:
    """Grade submissions without writing anything; those that the grader itself cannot grade are left out.

    Raises:
        AutograderError: as `grade_course`.
    """
    torch.set_num_threads(1)
    if not options.cluster:
        _require_imports(course, task)
    kind = _kind(options)
    workers = min(len(jobs), options.workers or default_workers())
    sandbox = Sandbox(kind, task.device, course.code)
    with (
        _Bar(f"{task.assignment}: all tries", len(jobs), show_progress) as bar,
        closing(_outcomes(iter(jobs), options.cluster, workers, task, sandbox)) as outcomes,
    ):
        for outcome in outcomes:
            bar.step(outcome)
            if isinstance(outcome, Graded):
                yield outcome


class _Bar:
    """A bar with rate and time left on stdout, which counts what is still to be graded."""

    def __init__(self, title: str, total: int, shown: bool) -> None:
        self._bar = tqdm(total=total, desc=title, unit="subm.", file=sys.stdout, disable=not shown)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def step(self, outcome: Graded | Failed) -> None:
        """One more is graded."""
        self._bar.set_postfix_str(_label(outcome), refresh=False)
        self._bar.update()

    def skip(self) -> None:
        """One was graded before."""
        if self._bar.total:
            self._bar.total -= 1


def _require_imports(course: Course, task: Task) -> None:
    """Make sure that the cells which students do not write can import what they name.

    Raises:
        CourseError: if not: everybody would lose the points of what comes after.
    """
    given = [cell for cell in task.master.node.cells if not cell.metadata.get("nbgrader", {}).get("solution")]
    missing = ", ".join(missing_imports(given, course.code.libraries, task.master.experiments))
    if missing:
        raise CourseError(
            f"{task.assignment} cannot be graded: its notebook imports {missing}, which is not installed here",
            "install it into the environment of this program, or release the notebook without it",
        )


def _limits(course: Course, assignment: str, options: Options) -> Limits:
    limits = options.limits or Limits.of_course(course.config, assignment)
    return limits.changed(gpu_slots=options.gpu_slots) if options.gpu_slots is not None else limits


def _jobs(
    course: Course,
    task: Task,
    students: Sequence[str],
    kind: Kind,
    book: GradebookWriter,
    bar: _Bar,
    force: bool,
    times: dict[str, dt.datetime | None],
) -> Iterator[Job]:
    """What is to be graded, each read when its turn comes: everything, or what has no valid result yet.

    Of the others the times of handing in are put into `times`.
    """
    for student in students:
        submission = Submission.of(course, task.assignment, student)
        job = submission.job(task.master, book.late_s(student, submission.timestamp()))
        if force or not is_done(course, job, task, kind, book):
            yield job
        else:
            times[student] = note_lateness(course, book, job)
            bar.skip()


def _written(
    course: Course, book: GradebookWriter, graded: Graded, times: dict[str, dt.datetime | None]
) -> Graded | Failed:
    """Write a submission; one that cannot be written (a name that the database refuses, say) stops no other."""
    try:
        times[graded.result.student] = write(course, book, graded)
    except (SQLAlchemyError, OSError, UnicodeError) as error:
        if isinstance(known := refusal(error, course.db_url), GradebookInUseError):
            raise known from error
        if why := _is_the_courses(error):
            hint = f"mend that in {course.root}; the same command goes on from here"
            raise GradebookError(f"the course folder cannot be written: {why}", hint) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return Failed(Job(graded.result.student, None), f"the result could not be written: {reason}")
    return graded


_EVERYBODYS = {
    errno.ENOSPC: "no space is left",
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "it is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    "SQLITE_FULL": "no space is left",
    "SQLITE_READONLY": "the gradebook is read-only",
    "SQLITE_CANTOPEN": "the gradebook cannot be opened",
}


def _is_the_courses(error: Exception) -> str:
    """Why nobody's result could be written now; empty if it is about this one."""
    if isinstance(error, OSError):
        return f"{_EVERYBODYS[error.errno]} ({error.filename})" if error.errno in _EVERYBODYS else ""
    name = str(getattr(getattr(error, "orig", None), "sqlite_errorname", ""))
    return next((why for known, why in _EVERYBODYS.items() if name.startswith(str(known))), "")


def _label(outcome: Graded | Failed) -> str:
    if isinstance(outcome, Failed):
        return f"{readable_id(outcome.job.student)[:30]}: not graded"
    result = outcome.result
    return f"{readable_id(result.student)[:30]}: {result.score:g}/{result.max_score:g} {result.status}"


def _kind(options: Options) -> Kind:
    """Workers of a cluster find out by themselves whether they can have the sandbox that is asked for."""
    if options.cluster:
        return "none" if options.sandbox == "none" else "bwrap"
    return choose(options.sandbox)


def _device(wish: str, cluster: str = "") -> str:
    if wish == "cpu" or (cluster and wish == "cuda"):  # a cluster's workers look for their devices themselves
        return wish
    there = has_gpu()
    if wish == "cuda" and not there:
        raise CourseError("--device cuda: torch finds no CUDA device", "use --device cpu; autograder doctor tells more")
    return "cuda" if there else "cpu"


def _outcomes(
    jobs: Iterator[Job], cluster: str, workers: int, task: Task, sandbox: Sandbox
) -> Generator[Graded | Failed, None, None]:
    """Grade jobs on this machine or on a cluster, each once; a sandbox that is lost on the way is started again."""
    if cluster:
        with DaskPool(cluster, task, sandbox.kind) as pool_of_machines:
            yield from pool_of_machines.run(jobs)
        return
    for tries_left in range(_SANDBOX_STARTS - 1, -1, -1):
        lost: list[Failed] = []
        with _local_pool(workers, task, sandbox) as pool:
            for outcome in pool.run(jobs):
                if isinstance(outcome, Failed) and outcome.sandbox_lost:
                    lost.append(outcome)
                else:
                    yield outcome
        if not lost:
            return
        if tries_left:
            jobs = itertools.chain((failure.job for failure in lost), jobs)
        else:
            yield from lost
            yield from (Failed(job, lost[0].reason, sandbox_lost=True) for job in jobs)


@contextmanager
def _local_pool(workers: int, task: Task, sandbox: Sandbox) -> Iterator[LocalPool]:
    if not sandbox.alive:
        sandbox.start()
    try:
        # Forked while the warm parent is still importing; none of them uses it before it is ready.
        task.deck.fill(enough=lambda: sandbox.answers)
        pool = LocalPool(workers, task, sandbox)
        try:
            try:
                sandbox.wait_ready()
            except SandboxError:
                choose(sandbox.kind)  # says it better if no sandbox can work here at all
                raise
            sandbox.prepare(exercise.forbidden for exercise in task.exercises.values())
            yield pool
        finally:
            pool.close()
    finally:
        sandbox.stop()
