"""Grading a class into the gradebook, in any number of goes.

A run that was cut off at any moment is completed by the same call, with the same seed and so the same scores
(`autograder.records`).
"""

from __future__ import annotations

import errno
import itertools
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import torch
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from autograder.cluster import DaskPool
from autograder.course import Course
from autograder.engine import Graded, Job
from autograder.errors import CourseError, GradebookError, SandboxError
from autograder.gradebook import GradebookWriter
from autograder.inbox import Submission, students_of
from autograder.lock import hold
from autograder.pool import Failed, LocalPool, default_workers
from autograder.records import is_done, load_master, secret_seed, write
from autograder.results import SubmissionResult, read_result
from autograder.sandbox import Limits, Sandbox, choose
from autograder.sandbox.launcher import Kind
from autograder.submission import Master

_SANDBOX_STARTS = 3

__all__ = ["Batch", "Options", "grade_course"]


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
        seconds: wall-clock time of this run.
    """

    results: tuple[SubmissionResult, ...]
    graded: int
    failed: tuple[Failed, ...]
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
    master = load_master(course, assignment)
    students = students_of(course, assignment, options.students)
    limits = options.limits or Limits.of_course(course.config, assignment)
    limits = limits.changed(gpu_slots=options.gpu_slots) if options.gpu_slots is not None else limits
    device = _device(options.device, options.cluster)
    kind = sandbox.kind if sandbox is not None else _kind(options)
    with hold(course.root / ".autograder" / "lock"):
        seed = options.seed if options.seed is not None else secret_seed(course, assignment)
        with GradebookWriter(course.db_url, master, _penalty(course)) as book:
            due = book.due()
            todo = [
                student
                for student in students
                if options.force
                or not is_done(
                    course, Submission.of(course, assignment, student).job(master, due), str(seed), kind, book
                )
            ]
        jobs = (Submission.of(course, assignment, student).job(master, due) for student in todo)
        failed: list[Failed] = []
        if todo:
            workers = min(len(todo), options.workers or default_workers())
            # Each worker has one child at a time, and so one context on the device.
            workers = min(workers, limits.gpu_slots) if device == "cuda" else workers
            arguments = (master, str(seed), limits)
            with (
                GradebookWriter(course.db_url, master, _penalty(course)) as book,
                tqdm(total=len(todo), desc=assignment, unit="subm.", file=sys.stdout, disable=not show_progress) as bar,
                closing(_outcomes(jobs, options, workers, arguments, sandbox or Sandbox(kind, device))) as outcomes,
            ):
                for outcome in outcomes:
                    outcome = outcome if isinstance(outcome, Failed) else _written(course, book, outcome)
                    if isinstance(outcome, Failed):
                        failed.append(outcome)
                    bar.set_postfix_str(_label(outcome), refresh=False)
                    bar.update()
    folder = course.results(assignment)
    results = [found for s in students if (found := read_result(folder / f"{s}.json")) is not None]
    names = {outcome.job.student for outcome in failed}
    results = [result for result in results if result.student not in names]
    graded = len(todo) - len(failed)
    return Batch(tuple(results), graded, tuple(failed), time.perf_counter() - started, seed, device, kind)


def _written(course: Course, book: GradebookWriter, graded: Graded) -> Graded | Failed:
    """Write a submission; one that cannot be written (a name that the database refuses, say) stops no other."""
    try:
        write(course, book, graded)
    except (SQLAlchemyError, OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise GradebookError(f"the course folder cannot be written: {error.strerror}", str(course.root)) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return Failed(Job(graded.result.student, None), f"the result could not be written: {reason}")
    return graded


def _label(outcome: Graded | Failed) -> str:
    if isinstance(outcome, Failed):
        return f"{outcome.job.student}: not graded"
    result = outcome.result
    return f"{result.student}: {result.score:g}/{result.max_score:g} {result.status}"


def _kind(options: Options) -> Kind:
    """Workers of a cluster find out by themselves whether they can have the sandbox that is asked for."""
    if options.cluster:
        return "none" if options.sandbox == "none" else "bwrap"
    return choose(options.sandbox)


def _device(wish: str, cluster: str = "") -> str:
    if wish == "cpu" or (cluster and wish == "cuda"):  # a cluster's workers look for their devices themselves
        return wish
    there = torch.cuda.is_available()
    if wish == "cuda" and not there:
        raise CourseError("--device cuda: torch finds no CUDA device", "use --device cpu; autograder doctor tells more")
    return "cuda" if there else "cpu"


def _outcomes(
    jobs: Iterator[Job],
    options: Options,
    workers: int,
    arguments: tuple[Master, str, Limits],
    sandbox: Sandbox,
) -> Generator[Graded | Failed, None, None]:
    """Grade jobs on this machine or on a cluster, each once; a sandbox that is lost on the way is started again."""
    if options.cluster:
        with DaskPool(options.cluster, *arguments, sandbox.kind, sandbox.device) as cluster:
            yield from cluster.run(jobs)
        return
    for tries_left in range(_SANDBOX_STARTS - 1, -1, -1):
        lost: list[Failed] = []
        with _local_pool(workers, arguments, sandbox) as pool:
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
def _local_pool(workers: int, arguments: tuple[Master, str, Limits], sandbox: Sandbox) -> Iterator[LocalPool]:
    if not sandbox.alive:
        sandbox.start()
    try:
        # Forked while the warm parent is still importing; none of them uses it before it is ready.
        pool = LocalPool(workers, *arguments, sandbox, sandbox.device)
        try:
            try:
                sandbox.wait_ready()
            except SandboxError:
                choose(sandbox.kind)  # says it better if no sandbox can work here at all
                raise
            yield pool
        finally:
            pool.close()
    finally:
        sandbox.stop()


def _penalty(course: Course) -> LateSubmissionPlugin | None:
    """The late-penalty plugin that the course's nbgrader configuration names, if any."""
    if "plugin_class" not in course.config.get("AssignLatePenalties", {}):
        return None
    preprocessor = AssignLatePenalties(config=course.config)
    preprocessor.init_plugin()
    return preprocessor.plugin_inst
