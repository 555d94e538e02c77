"""A Dask cluster on this machine: a scheduler and workers as programs of their own, ended with the test."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT

__all__ = ["Cluster", "scheduler"]

_START_S = 240


@dataclass
class Cluster:
    """A running scheduler.

    Attributes:
        address: where it listens.
        folder: logs and the workers' own files.
    """

    address: str
    folder: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def ask(self, function: Any) -> dict[str, Any]:
        """What a function returns on each worker, by address."""
        from distributed import Client

        with Client(self.address, timeout=_START_S, set_as_default=False) as client:
            answers: dict[str, Any] = client.run(function)
            return answers

    def give_up_after(self, deaths: int) -> None:
        """Have Dask give up a submission when so many workers have died of it."""
        from distributed import Client

        with Client(self.address, timeout=_START_S, set_as_default=False) as client:
            client.run_on_scheduler(_allow, deaths - 1)

    def start_workers(self, number: int, *arguments: str, preload: bool = True, **environment: str) -> None:
        """Start workers with one thread each, and wait until they are there.

        Args:
            preload: whether they know the made-up assignment.
        """
        before = len(self.ask(os.getpid))
        for _ in range(number):
            name = f"worker{len(self.workers)}"
            command = ["worker", self.address, "--nthreads=1", "--memory-limit=0", "--no-dashboard", f"--name={name}"]
            command += ["--host=127.0.0.1", f"--local-directory={self.folder / name}"]
            command += [f"--preload={ROOT / 'tests' / 'support' / 'cluster_worker.py'}"] if preload else []
            command += arguments
            self.workers.append(_start(command, self.folder / f"{name}.log", environment))
        self.wait_for_workers(before + number)

    def end_workers(self) -> None:
        """End all workers, and wait until the scheduler knows."""
        from distributed import Client

        for worker in self.workers:
            _end(worker)
        self.workers.clear()
        with Client(self.address, timeout=_START_S, set_as_default=False) as client:
            deadline = time.monotonic() + _START_S
            while client.scheduler_info()["workers"] and time.monotonic() < deadline:
                time.sleep(0.1)

    def wait_for_workers(self, number: int) -> None:
        """Wait until so many workers are there."""
        from distributed import Client

        with Client(self.address, timeout=_START_S, set_as_default=False) as client:
            client.wait_for_workers(number, timeout=_START_S)


def _allow(failures: int, dask_scheduler: Any = None) -> None:
    dask_scheduler.allowed_failures = failures


@contextlib.contextmanager
def scheduler(folder: Path, **environment: str) -> Iterator[Cluster]:
    """A scheduler without workers; at the end it and all workers that were started are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    where = folder / "scheduler.json"
    command = ["scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={where}"]
    process = _start(command, folder / "scheduler.log", environment)
    cluster: Cluster | None = None
    try:
        cluster = Cluster(_address(where, process), folder, process)
        yield cluster
    finally:
        for started in [*(cluster.workers if cluster is not None else []), process]:
            _end(started)


def _start(command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **environment}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + command[0], *command[1:]],
            stdout=output,
            stderr=output,
            env=variables,
            cwd=log.parent,
        )


def _address(where: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            return str(json.loads(where.read_text())["address"])
        time.sleep(0.1)
    raise RuntimeError(f"no scheduler came up; it wrote:\n{(where.parent / 'scheduler.log').read_text()[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()  # a nanny ends its worker with itself
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
