"""Grading on a Dask cluster: submissions travel as bytes, each worker has its own sandbox.

Workers need the same `autograder` and `course_lib` as the grader, byte for byte: what is compared before the first
submission leaves, and again on every worker that joins later.  The course itself, its exercises and its own library,
travels with the submissions.  A worker that dies has its submissions graded elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import pickle
import socket
import sys
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import torch

from autograder.course_code import CourseCode
from autograder.errors import AutograderError, ClusterError, SandboxUnavailableError
from autograder.gradebook.graded import Graded
from autograder.grading.engine import grade_submission
from autograder.grading.pool import Failed
from autograder.grading.task import Task, grader_version
from autograder.sandbox import choose, warm_sandbox
from autograder.sandbox.devices import has_gpu
from autograder.sandbox.launcher import Kind
from autograder.submissions.submission import Job

__all__ = ["DaskPool", "own_version"]

_CONNECT_S, _CLOSE_S = 20, 10
_LOOK_S = 1.0
"""How often the workers are counted: they come and go."""
_ALONE_S = 60.0
"""How long to wait for a worker when all are gone: one that is started anew needs some seconds."""
_PER_THREAD = 2
"""Submissions under way for each worker thread: one that runs and one that waits."""
_LARGE_GRAPH = {"distributed.admin.large-graph-warning-threshold": "1 GiB"}
"""A submission with 50 MB of outputs is no reason for a warning on the screen."""


class DaskPool:
    """Grades jobs on the workers of a Dask scheduler; a context manager.

    Args:
        address: of the scheduler, as ``tcp://host:8786``.
        task: the same for all jobs.
        kind: of the sandbox on every worker.
    """

    def __init__(self, address: str, task: Task, kind: Kind) -> None:
        self._address = address
        self._kind: Kind = kind
        self._device = task.device
        # In every task, and not once on every worker: what is stored on workers is lost with the last that has it.
        # `replace` leaves behind what the master has computed about itself.
        content = (replace(task.master), task.code.packed(), task.seed, task.limits, kind, task.device)
        self._parcel = zlib.compress(pickle.dumps(content))
        self._client: Any = None
        self._threads = 1
        self._looked = self._seen = 0.0

    def __enter__(self) -> Self:
        try:
            from distributed import Client
        except ImportError as error:
            raise ClusterError(
                "--cluster needs the package distributed", "pip install 'cnn-course-notebooks[cluster]'"
            ) from error
        for name in ("distributed", "tornado.application"):  # what matters is said in our own words
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            _knock(self._address)
            self._client = Client(self._address, timeout=_CONNECT_S)
        except (OSError, ValueError, TypeError) as error:
            reason = getattr(error, "strerror", None) or " ".join(f"{error}".split())[:100] or type(error).__name__
            raise ClusterError(
                f"no Dask scheduler answers at {self._address} ({reason})",
                "start one: dask scheduler; then on each machine: dask worker ADDRESS",
            ) from error
        try:
            self._check_workers()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        """Leave; the scheduler drops what nobody waits for any more."""
        with contextlib.suppress(OSError, TimeoutError):  # it may be the scheduler that is gone
            self._client.close(timeout=_CLOSE_S)

    def _check_workers(self) -> None:
        found = self._client.run(_introduce, self._kind, self._device, on_error="return")
        if not found:
            hint = f"start some, on each machine: dask worker {self._address}"
            raise ClusterError(f"the scheduler at {self._address} has no workers", hint)
        for worker, answer in found.items():
            if isinstance(answer, Exception):  # without this package a worker cannot even read the question
                raise ClusterError(
                    f"worker {worker} cannot run the grader: {type(answer).__name__}: {answer}",
                    "install this project on every worker, in the same version",
                )
            version, lack = answer
            if version != own_version():
                raise _differs(worker, version)
            if lack:
                raise ClusterError(f"worker {worker} cannot grade: {lack}", "mend it, or stop that worker")

    def run(self, jobs: Iterable[Job]) -> Iterator[Graded | Failed]:
        """Grade all jobs; results come in the order in which they are ready.

        Dask gives up a submission after some of its workers have died.  It may only have waited beside the one that
        killed them, so at the end it is tried once more with nothing beside it.
        """
        suspects: list[Job] = []
        for job, outcome in self._graded(iter(jobs), alone=False):
            if outcome is None:
                suspects.append(job)
            else:
                yield outcome
        for job, outcome in self._graded(iter(suspects), alone=True):
            yield outcome or Failed(job, "on the cluster: every worker that tried it died (killed, or out of memory)")

    def _graded(self, jobs: Iterator[Job], alone: bool) -> Iterator[tuple[Job, Graded | Failed | None]]:
        """Jobs with their outcomes; None for one whose workers died."""
        under_way: dict[Any, Job] = {}
        self._seen = time.monotonic()
        while True:
            self._look()
            room = 1 if alone else self._threads * _PER_THREAD
            for job in itertools.islice(jobs, max(0, room - len(under_way))):
                under_way[self._submit(job)] = job
            if not under_way:
                return
            for future, outcome in self._finished(list(under_way)):
                yield under_way[future], self._judged(outcome, under_way.pop(future))

    def _submit(self, job: Job) -> Any:
        import dask.config

        with dask.config.set(_LARGE_GRAPH):
            return self._client.submit(_grade_here, job, self._parcel, own_version(), pure=False, retries=2)

    def _finished(self, futures: list[Any]) -> list[tuple[Any, Graded | BaseException]]:
        """Those that are done, with results or exceptions; waits a moment for one."""
        from distributed import CancelledError, wait

        with contextlib.suppress(TimeoutError, CancelledError):
            wait(futures, timeout=_LOOK_S, return_when="FIRST_COMPLETED")
        found: list[tuple[Any, Graded | BaseException]] = []
        for future in futures:
            if future.done():
                try:
                    found.append((future, future.result(timeout=_CONNECT_S)))
                except TimeoutError:  # its worker died after it was done: it is being graded again
                    continue
                except (Exception, CancelledError) as error:
                    found.append((future, error))
        return found

    def _look(self) -> None:
        """Count the threads of the workers, now and then."""
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return
        try:
            threads = sum(self._client.nthreads().values())
        except (OSError, TimeoutError) as error:
            raise self._lost() from error
        self._looked = now
        if threads:
            self._threads, self._seen = threads, now
        elif now - self._seen > _ALONE_S:
            hint = f"start some: dask worker {self._address}; then the same command again"
            raise ClusterError(f"the scheduler at {self._address} has no workers any more", hint)

    def _judged(self, outcome: Graded | BaseException, job: Job) -> Graded | Failed | None:
        from distributed import CancelledError, KilledWorker

        if isinstance(outcome, Graded):
            return outcome
        if isinstance(outcome, KilledWorker):
            return None
        if isinstance(outcome, CancelledError):
            raise self._lost() from outcome
        if isinstance(outcome, ClusterError):
            raise outcome
        message = outcome.message if isinstance(outcome, AutograderError) else f"{type(outcome).__name__}: {outcome}"
        return Failed(job, f"on the cluster: {message}")

    def _lost(self) -> ClusterError:
        hint = "start it and its workers again, then the same command: what is graded stays graded"
        return ClusterError(f"the scheduler at {self._address} ended or was restarted", hint)


def _knock(address: str) -> None:
    """Try the door once: Dask itself keeps trying one that nobody opens.

    Raises:
        OSError: if nobody listens there.
        ValueError: if it is no address.
    """
    from distributed.comm.addressing import get_address_host_port

    host, port = get_address_host_port(address)
    with socket.create_connection((host, port), timeout=_CONNECT_S / 4):
        pass


def own_version() -> str:
    """What must be equal on the grader and on every worker."""
    return f"grader {grader_version()}, torch {torch.__version__}, Python {sys.version_info[0]}.{sys.version_info[1]}"


def _introduce(kind: Kind, device: str) -> tuple[str, str]:
    """What a worker says of itself: its version, and what it lacks (nothing: empty)."""
    lack = ""
    try:
        choose(kind)
    except SandboxUnavailableError as error:
        lack = f"{error.message} ({error.hint})"
    if device == "cuda" and not has_gpu():
        lack = lack or "torch finds no CUDA device there"
    return own_version(), lack


def _differs(worker: str, version: str) -> ClusterError:
    return ClusterError(
        f"worker {worker} has another version: {version}; here: {own_version()}",
        "install the same version of this project on every worker, then start the workers again",
    )


@functools.lru_cache(maxsize=2)
def _opened(parcel: bytes) -> tuple[Task, Kind]:
    """What is the same for all jobs of a batch, unpacked once on each worker."""
    master, code, seed, limits, kind, device = pickle.loads(zlib.decompress(parcel))
    return Task(master, CourseCode.unpacked(code), seed, limits, device), kind


def _grade_here(job: Job, parcel: bytes, version: str) -> Graded:
    """Grade one submission on a worker."""
    if version != own_version():
        from distributed import get_worker

        raise _differs(str(get_worker().address), own_version())
    task, kind = _opened(parcel)
    return grade_submission(job, task, warm_sandbox(choose(kind), task.device, task.code))
