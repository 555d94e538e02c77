"""The warm parent: imports everything once, then forks one isolated child per request.

It runs no student code and holds no secret.  Requests come as one packet on a SOCK_SEQPACKET socket, with two
descriptors: the channel on which the child will talk to the grader, and a status socket on which this process tells
how the child ended, and whose closing (by the grader, or by the grader's death) kills the child.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

gc.disable()  # nothing that the imports below make is garbage: collections would take a fifth of their time

# Before the first operation: a parent that has used two threads gives children that hang in their first
# parallel operation, and one that has asked CUDA's runtime for devices gives children that cannot use it.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")

import torch

torch.set_num_threads(1)
# oneDNN compiles a kernel for each shape, which takes longer than the tiny convolution that it is for.
torch.backends.mkldnn.set_flags(False)  # type: ignore[no-untyped-call]

import course_lib
from course_lib.checking import gpu_trace, watch
from course_lib.checking.check import check

from . import isolation
from .gpu import share_gpu
from .pristine import Keeper
from .serve import run_child
from .shell import CapturingShell

__all__ = ["main"]

_HAS_GPU = torch.cuda.is_available()
"""With one, the first `backward` starts threads for it, and the first fake tensor its context: no child that is forked
afterwards could use it.  Each child begins with these itself then."""

_MANY = 16
"""So many children, and more are to be expected."""


def _import_whole(library: str) -> None:
    """Import a library with the drivers of all its topics, but without the widgets, which no graded cell shows."""
    package = importlib.import_module(library)
    for module in pkgutil.walk_packages(package.__path__, f"{library}."):
        if ".widgets" not in module.name:
            importlib.import_module(module.name)


def _warm_up(libraries: Sequence[str]) -> CapturingShell:
    """Do once what every child would do: first figure, first linear algebra, first fake tensors, the shell."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    import numpy  # noqa: F401  (imported for the children)
    import sympy

    for library in ("course_lib", *libraries):
        _import_whole(library)
    # Else the first `from course_lib import check` of each child would look up versions and start a thread.
    course_lib.check = check
    x, y = sympy.symbols("x y")
    sympy.expand((x + y) ** 2).subs({x: 1, y: 2})
    shell = CapturingShell()
    known = set(shell.namespace)
    shell.run(
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([0, 1]); plt.show()",
        1 << 20,
    )
    for name in set(shell.namespace) - known:
        del shell.namespace[name]
    plt.close("all")
    watch.warm_up(backward=not _HAS_GPU)
    x = torch.randn(8, 4, dtype=torch.float64, requires_grad=True)
    torch.linalg.svd((x * 2).detach())
    y = torch.nn.functional.conv2d(x.view(1, 2, 4, 4), torch.randn(3, 2, 3, 3).double()).sum()
    if not _HAS_GPU:
        torch.autograd.grad(y, x)
        gpu_trace.warm_up()  # comes after: where PyTorch is built for GPUs, a fake one counts as one from now on
    return shell


class WarmParent:
    """Accepts requests, forks, reaps, kills."""

    def __init__(self, control: socket.socket, isolate: bool, shell: CapturingShell) -> None:
        self._control = control
        self._isolate = isolate
        self._shell = shell
        self._keeper = Keeper()
        self._started = 0
        self._base_mib = isolation.memory_in_use_mib()
        self._children: dict[int, tuple[socket.socket, float]] = {}
        self._wake_read, wake_write = os.pipe()
        for fd in (self._wake_read, wake_write):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self._wake_write = wake_write

    def run(self) -> None:
        """Serve until the control socket closes."""
        while True:
            watched = {status.fileno(): pid for pid, (status, _) in self._children.items()}
            ready, _, _ = select.select([self._control.fileno(), self._wake_read, *watched], [], [])
            if self._wake_read in ready:
                _drain(self._wake_read)
            self._reap()
            for fd in ready:
                pid = watched.get(fd)
                if pid in self._children:  # the grader closed it (it never writes): stop the child
                    os.kill(pid, signal.SIGKILL)
                    self._wait(pid)
            if self._control.fileno() in ready and not self._accept():
                for pid in list(self._children):
                    os.kill(pid, signal.SIGKILL)
                return

    def _accept(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._control, 65536, 2)
        if not data:
            return False
        if len(fds) == 2:
            self._started += 1
            if self._started == _MANY:
                isolation.use_large_pages()
            self._start(json.loads(data), fds[0], socket.socket(fileno=fds[1]))
        elif not fds:
            watch.warm_up(*map(tuple, json.loads(data)["forbidden"]), backward=not _HAS_GPU)
            gc.freeze()
        return True

    def _start(self, limits: dict[str, Any], channel_fd: int, status: socket.socket) -> None:
        report_read, report_write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        started = time.monotonic()
        uid, gid = os.getuid(), os.getgid()
        try:
            pid = isolation.fork_into_namespaces() if self._isolate else os.fork()
        except OSError as error:  # short of memory or processes: this submission waits for better times, others go on
            _tell(status, {"error": f"no process could be started: {error.strerror}"})
            for fd in (report_read, report_write, channel_fd):
                os.close(fd)
            status.close()
            return
        if pid == 0:
            self._be_the_student(limits, channel_fd, report_write, uid, gid)
        os.close(report_write)
        os.close(channel_fd)
        report = b""
        while part := os.read(report_read, 4096):
            report += part
        os.close(report_read)
        if report:
            os.waitpid(pid, 0)
            _tell(status, {"error": report.decode(errors="replace")})
            status.close()
        else:
            self._children[pid] = (status, started)

    def _be_the_student(self, limits: dict[str, Any], channel_fd: int, report: int, uid: int, gid: int) -> None:
        """Never returns.  What hinders the isolation is written to `report`, whose closing says that all is well."""
        device = limits.get("device", "cpu")
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _close_all_but({0, 1, 2, channel_fd, report})
            if limits.get("processors"):
                os.sched_setaffinity(0, limits["processors"])
            if self._isolate:
                isolation.settle_in(uid, gid, limits["scratch_mib"], device)
            scratch = "/tmp/work" if self._isolate else os.environ.get("TMPDIR", "/tmp")
            os.makedirs(scratch, exist_ok=True)
            os.chdir(scratch)
            # Signals to "my process group" cross the borders of namespaces: without a group of its own, one submission
            # could kill this parent.
            os.setsid()
            isolation.set_limits(limits, self._base_mib, device)
            if self._isolate:
                isolation.give_up_privileges()
                isolation.filter_system_calls(device)
            if device == "cuda":  # before any code of the student's: what fails here is not theirs
                share_gpu(int(limits["gpu_slots"]))
        except BaseException as error:
            os.write(report, f"{type(error).__name__}: {error}".encode())
            os._exit(71)
        os.close(report)
        run_child(channel_fd, self._shell, limits, self._keeper)

    def _reap(self) -> None:
        for pid in list(self._children):
            self._wait(pid, os.WNOHANG)

    def _wait(self, pid: int, options: int = 0) -> None:
        done, status_word, usage = os.wait4(pid, options)
        if done == 0:
            return
        status, started = self._children.pop(pid)
        cpu = usage.ru_utime + usage.ru_stime
        _tell(
            status,
            {
                "status": os.waitstatus_to_exitcode(status_word),
                "cpu_s": round(cpu, 3),
                "memory_mib": usage.ru_maxrss >> 10,
                "wall_s": round(time.monotonic() - started, 3),
            },
        )
        status.close()


def _tell(status: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the grader may no longer listen
        status.sendall(json.dumps(message).encode())


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass


def _close_all_but(kept: set[int]) -> None:
    low = 3
    for fd in sorted(fd for fd in kept if fd > 2):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, 65536)


def main() -> None:
    """Take the control socket's number, `isolate` or `bare`, and the course's libraries; say "ready" when warm."""
    control = socket.socket(fileno=int(sys.argv[1]))
    isolate = sys.argv[2] == "isolate"
    try:
        if isolate:
            isolation.be_nobody()
            if not isolation.rehearse():  # better known now than from every single submission
                raise OSError("no process can be isolated here")
        shell = _warm_up(sys.argv[3:])
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        gc.freeze()  # children do not copy pages only because a collection touched them
        gc.enable()
        parent = WarmParent(control, isolate, shell)
    except BaseException as error:
        control.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        raise
    control.send(json.dumps({"ready": True, "torch": torch.__version__, "python": sys.version.split()[0]}).encode())
    parent.run()
    os._exit(0)  # taking all modules apart would take a fifth of a second, for which the grader waits


if __name__ == "__main__":
    main()
