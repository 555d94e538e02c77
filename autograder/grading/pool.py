"""A pool of grading processes on this machine.

The workers are forked from a process that has imported everything, and share one warm parent.  A worker that dies
(out of memory, killed) is replaced and its submission tried once more.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import multiprocessing.connection
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from autograder.errors import SandboxError
from autograder.gradebook.graded import Graded
from autograder.grading.engine import grade_submission
from autograder.grading.task import Task
from autograder.sandbox import Sandbox
from autograder.submissions.submission import Job

__all__ = ["Failed", "LocalPool", "default_workers"]

_TRIES = 2
_PR_SET_PDEATHSIG = 1
_WORKER_MIB = 600
"""Memory that one worker and the child it talks to need, without the student's own."""


@dataclass(frozen=True)
class Failed:
    """A submission that could not be graded because of the grader itself."""

    job: Job
    reason: str
    sandbox_lost: bool = False
    """The warm parent is gone: the submission has not been tried, and no other can be with this pool."""


def default_workers() -> int:
    """One worker per processor that this process may use, fewer if memory is short."""
    processors = len(os.sched_getaffinity(0))
    pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return max(1, min(processors, pages // _WORKER_MIB))


@dataclass
class _Worker:
    number: int
    process: Any
    connection: multiprocessing.connection.Connection
    job: Job | None = None
    tries: int = 0


class LocalPool:
    """Grades jobs with forked workers; results come in the order in which they are ready.

    Args:
        task: the same for all jobs.
    """

    def __init__(self, workers: int, task: Task, sandbox: Sandbox) -> None:
        self._context = multiprocessing.get_context("fork")
        task.load()  # once, and not by every worker
        self._arguments = (task, sandbox)
        self._workers = [self._start(number) for number in range(max(1, workers))]

    def _start(self, number: int) -> _Worker:
        mine, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(number, theirs, mine, *self._arguments), daemon=True)
        process.start()
        theirs.close()
        return _Worker(number, process, mine)

    def run(self, jobs: Iterable[Job]) -> Iterator[Graded | Failed]:
        """Grade jobs; they are taken one by one as workers become free, and no more once the sandbox is lost."""
        waiting = iter(jobs)
        lost = False
        for worker in self._workers:
            self._give(worker, next(waiting, None))
        while busy := [worker for worker in self._workers if worker.job is not None]:
            ready = multiprocessing.connection.wait([worker.connection for worker in busy])
            for worker in busy:
                if worker.connection not in ready:
                    continue
                outcome = self._take(worker)
                if outcome is not None:
                    lost = lost or (isinstance(outcome, Failed) and outcome.sandbox_lost)
                    self._give(worker, None if lost else next(waiting, None))
                    yield outcome

    def _give(self, worker: _Worker, job: Job | None) -> None:
        worker.job, worker.tries = job, worker.tries if worker.job is job else 0
        if job is not None:
            try:
                worker.connection.send(job)
            except OSError:
                self._replace(worker)
                worker.connection.send(job)

    def _take(self, worker: _Worker) -> Graded | Failed | None:
        job = worker.job
        assert job is not None
        try:
            outcome = worker.connection.recv()
        except (EOFError, OSError):
            self._replace(worker)
            worker.tries += 1
            if worker.tries < _TRIES:
                worker.connection.send(job)
                return None
            outcome = Failed(job, "the grading process died twice (killed, or out of memory)")
        worker.tries = 0
        assert isinstance(outcome, Graded | Failed)
        return outcome

    def _replace(self, worker: _Worker) -> None:
        worker.connection.close()
        worker.process.kill()
        worker.process.join()
        fresh = self._start(worker.number)
        worker.process, worker.connection = fresh.process, fresh.connection

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.process.join(timeout=2)
            worker.process.kill()
            worker.process.join()


def _work(
    number: int,
    connection: multiprocessing.connection.Connection,
    parents_end: multiprocessing.connection.Connection,
    task: Task,
    sandbox: Sandbox,
) -> None:
    """Grade what comes until the other side closes."""
    parents_end.close()
    gc.freeze()  # what was imported will not become garbage, and is looked through again and again
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # nobody would take the result
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends the batch in order
    # Each worker's children stay on one processor: fifty busy threads slow nobody down but themselves.
    processors = sorted(os.sched_getaffinity(0))
    sandbox.processors = (processors[number % len(processors)],)
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        try:
            outcome: Graded | Failed = grade_submission(job, task, sandbox)
        except SandboxError as error:
            outcome = Failed(job, error.message, sandbox_lost=True)
        except Exception as error:  # a fault of the grader must not take the batch with it
            outcome = Failed(job, f"{type(error).__name__}: {error}")
        try:
            connection.send(outcome)
        except OSError:  # the run was ended: nobody takes it any more
            return
