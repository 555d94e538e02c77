"""Grading on a Dask cluster: submissions travel as bytes, each worker has its own sandbox.

Workers need the same `autograder` and `course_lib` as the grader, byte for byte: what is compared before the first
submission leaves, and again on every worker that joins later.  A worker that dies has its submissions graded elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import torch

from autograder.engine import Graded, Job, engine_version, grade
from autograder.errors import AutograderError, ClusterError
from autograder.pool import Failed
from autograder.sandbox import Limits, choose, warm_sandbox
from autograder.sandbox.launcher import Kind
from autograder.submission import Master

__all__ = ["DaskPool"]

_CONNECT_S = 20
_PER_THREAD = 2
"""Submissions under way for each worker thread: one that runs and one that waits."""


class DaskPool:
    """Grades jobs on the workers of a Dask scheduler; a context manager.

    Args:
        address: of the scheduler, as ``tcp://host:8786``.
        master, seed, limits, kind, device: as for `autograder.engine.grade`, the same for all jobs.
    """

    def __init__(self, address: str, master: Master, seed: str, limits: Limits, kind: Kind, device: str) -> None:
        self._address = address
        self._arguments = (master, seed, limits, kind, device, own_version())
        self._client: Any = None

    def __enter__(self) -> Self:
        try:
            from distributed import Client
        except ImportError as error:
            raise ClusterError(
                "--cluster needs the package distributed", "pip install 'cnn-course-notebooks[cluster]'"
            ) from error
        try:
            self._client = Client(self._address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at {self._address} ({type(error).__name__})",
                "start one: dask scheduler; then on each machine: dask worker ADDRESS",
            ) from error
        try:
            self._check_workers()
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def _check_workers(self) -> None:
        try:
            versions = self._client.run(own_version)
        except Exception as error:  # a worker without this package cannot even read the question
            raise ClusterError(
                f"a worker cannot run the grader: {type(error).__name__}: {error}",
                "install this project on every worker, in the same version",
            ) from error
        if not versions:
            raise ClusterError(f"the scheduler at {self._address} has no workers", "start some: dask worker ADDRESS")
        for worker, version in versions.items():
            if version != own_version():
                raise _differs(worker, version)

    def run(self, jobs: Iterable[Job]) -> Iterator[Graded | Failed]:
        """Grade all jobs; results come in the order in which they are ready."""
        from distributed import as_completed

        waiting = iter(jobs)
        arguments = self._client.scatter(self._arguments, broadcast=True, hash=False)
        under_way: dict[Any, Job] = {}
        completed = as_completed()
        threads = sum(self._client.nthreads().values()) or 1

        def submit(count: int) -> None:
            for _ in range(count):
                job = next(waiting, None)
                if job is not None:
                    future = self._client.submit(_grade_here, job, arguments, pure=False, retries=2)
                    under_way[future] = job
                    completed.add(future)

        submit(threads * _PER_THREAD)
        while under_way:
            future = next(completed)
            job = under_way.pop(future)
            yield _outcome(future, job)
            submit(1)


def _outcome(future: Any, job: Job) -> Graded | Failed:
    error = future.exception()
    if error is None:
        graded: Graded = future.result()
        return graded
    if isinstance(error, ClusterError):
        raise error
    message = error.message if isinstance(error, AutograderError) else f"{type(error).__name__}: {error}"
    return Failed(job, f"on the cluster: {message}")


def own_version() -> str:
    """What must be equal on the grader and on every worker."""
    return f"grader {engine_version()}, torch {torch.__version__}, Python {sys.version_info[0]}.{sys.version_info[1]}"


def _differs(worker: str, version: str) -> ClusterError:
    return ClusterError(
        f"worker {worker} has another version: {version}; here: {own_version()}",
        "install the same version of this project on every worker, then start the workers again",
    )


def _grade_here(job: Job, arguments: tuple[Master, str, Limits, Kind, str, str]) -> Graded:
    """Grade one submission on a worker."""
    master, seed, limits, kind, device, version = arguments
    if version != own_version():
        from distributed import get_worker

        raise _differs(str(get_worker().address), own_version())
    return grade(job, master, seed, limits, warm_sandbox(choose(kind), device), device)
