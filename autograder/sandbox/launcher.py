"""Starting the sandbox: bubblewrap around the warm parent, and whether that can work here."""

from __future__ import annotations

import atexit
import contextlib
import functools
import glob
import importlib.util
import json
import os
import select
import shutil
import signal
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from autograder.errors import SandboxError, SandboxUnavailableError
from autograder.sandbox.devices import NOBODYS, VISIBLE, gpu_nodes, users_devices
from autograder.sandbox.inside import clock, frames, isolation
from autograder.sandbox.limits import Limits

if TYPE_CHECKING:
    from autograder.course_code import CourseCode
    from autograder.sandbox.session import Session

__all__ = ["Kind", "Probe", "Sandbox", "choose", "probe", "warm_sandbox"]

Kind = Literal["bwrap", "none"]
_INSIDE = Path(__file__).parent / "inside"
_PACKAGES = "/sandbox/packages"
_START_S = 120.0


@dataclass(frozen=True)
class Probe:
    """Whether a sandbox can work on this machine."""

    ok: bool
    reason: str = ""
    hint: str = ""


@functools.cache
def probe() -> Probe:
    """Try the real thing in small: bubblewrap, and inside it the namespaces that every child gets."""
    program = shutil.which("bwrap")
    if program is None:
        return Probe(False, "bubblewrap is not installed", "install it: sudo apt-get install bubblewrap")
    script = "from inside import isolation; isolation.be_nobody(); isolation.rehearse() and print('ok')"
    command = [*_bubblewrap(None), _program(), "-c", script]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Probe(False, f"bubblewrap does not run: {error}", _NAMESPACE_HINT)
    if done.stdout.strip() == "ok":
        return Probe(True)
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return Probe(False, f"bubblewrap cannot make its namespaces here: {lines[-1]}", _NAMESPACE_HINT)


_NAMESPACE_HINT = (
    "this machine or container forbids user namespaces; on Ubuntu 24.04 allow them with "
    "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, in a container start it with "
    "`--security-opt seccomp=unconfined --security-opt apparmor=unconfined`; `autograder doctor` tells more"
)


def choose(wish: str) -> Kind:
    """Turn ``--sandbox auto|bwrap|none`` into what will be used.

    Raises:
        SandboxUnavailableError: if no sandbox can work and `none` was not asked for.
    """
    if wish == "none":
        return "none"
    found = probe()
    if not found.ok:
        hint = f"{found.hint}; or, for submissions that you trust, --sandbox none"
        raise SandboxUnavailableError(found.reason, hint)
    return "bwrap"


def _bubblewrap(device: str | None, code: CourseCode | None = None) -> list[str]:
    """The command line in front of the program: what exists inside, and nothing else does.

    Args:
        code: of the course: its library is shown, its folder is not.
    """
    import course_lib

    command = ["bwrap", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    command += ["--cap-drop", "ALL"]
    if isolation.can_be_nobody():
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user"]
        if os.getuid() == 0:  # the kernel lets no one without rights make children of a namespace's root
            command += ["--uid", "65534", "--gid", "65534"]
    command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/tmp/home"]
    for path in _system_paths():
        command += _shown(path, path)
    for number, path in enumerate(_site_packages()):
        at = f"{_PACKAGES}{number}"
        command += _shown(path, at)
        for hidden in ("autograder", "course_lib"):  # an installed copy would show how is judged
            if (Path(path) / hidden).is_dir():
                command += _hidden(f"{at}/{hidden}")
    for path in _private_paths(code):
        command += _hidden(path)
    command += _shown(str(_INSIDE), "/sandbox/inside")
    command += _shown(str(Path(course_lib.__file__).parent), "/sandbox/course_lib")
    if code is not None and code.library_folder is not None:
        command += _shown(str(code.library_folder), f"/sandbox/{code.library}")
    if device == "cuda":
        command += _gpu_paths()
    if _python_moves():
        command += _shown(sys.base_prefix, "/sandbox/python")
    packages = [f"{_PACKAGES}{number}" for number in range(len(_site_packages()))]
    for name, value in _environment(["/sandbox", *packages], device).items():
        command += ["--setenv", name, value]
    # What bubblewrap made itself (/, /dev, /sandbox) belongs to an unprivileged user who starts it, and all children
    # share it: a file left there would reach the next submission.
    command += ["--remount-ro", "/dev", "--remount-ro", "/"]
    return [*command, "--chmod", "0777", "/tmp", "--chdir", "/tmp", "--"]


def _shown(path: str, at: str) -> list[str]:
    """A read-only path.  Its parents are made readable: bubblewrap's own default shuts out the unprivileged user."""
    command = []
    for parent in reversed(Path(at).parents[:-1]):
        command += ["--perms", "0755", "--dir", str(parent)]
    return [*command, "--ro-bind", path, at]


def _hidden(at: str) -> list[str]:
    return ["--tmpfs", at, "--remount-ro", at]


def _private_paths(code: CourseCode | None = None) -> list[str]:
    """What lies below a system path and is nobody's business: the course, and copies of the grader."""
    import autograder

    package = Path(os.path.realpath(str(autograder.__file__))).parent
    checkout = package.parent
    places = {str(package), *(f"{path}/autograder" for path in sys.path if path)}
    if code is not None:
        places.add(os.path.realpath(code.root))
    if (checkout / "nbgrader_config.py").is_file():
        places.add(str(checkout))
    places |= {str(folder) for base in (sys.base_prefix, "/usr") for folder in _installed_copies(Path(base))}
    shown = tuple(f"{path}/" for path in _system_paths())
    return sorted(place for place in places if place.startswith(shown) and os.path.isdir(place))


def _installed_copies(base: Path) -> list[Path]:
    patterns = ("lib/python3*/*-packages/autograder", "local/lib/python3*/*-packages/autograder")
    return [found for pattern in patterns for found in base.glob(pattern)]


def _system_paths() -> list[str]:
    """Read-only paths that are shown where they are: system libraries and the Python installation."""
    wanted = ["/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"]
    if not _python_moves():
        wanted.append(sys.base_prefix)
    paths: list[str] = []
    for path in wanted:
        if os.path.exists(path) and not any(path == kept or path.startswith(kept + "/") for kept in paths):
            paths.append(path)
    return paths


def _python_moves() -> bool:
    """A Python below /tmp would be hidden by the children's own /tmp: it is shown elsewhere."""
    return Path("/tmp") in Path(sys.base_prefix).parents


def _program() -> str:
    """The interpreter's path inside: the one behind the virtual environment (packages come by PYTHONPATH)."""
    program = Path(os.path.realpath(sys.executable))
    base = Path(os.path.realpath(sys.base_prefix))
    if _python_moves():
        return f"/sandbox/python/{program.relative_to(base)}"
    return str(program)


def _site_packages() -> list[str]:
    torch = importlib.util.find_spec("torch")  # not imported: the sandbox does that at the same time as its caller
    places = {str(Path(str(torch.origin)).parent.parent)} if torch is not None else set()
    own = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *places}
    return sorted({*own, *(path for path in site.getsitepackages() if os.path.isdir(path))})


def _environment(packages: Sequence[str], device: str | None) -> dict[str, str]:
    return {
        **_gpu_environment(device),
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp/home",
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "IPYTHONDIR": "/tmp/home/ipython",
        "MPLCONFIGDIR": "/tmp/home/matplotlib",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
        "COURSE_GRADING": "1",
    }


def _gpu_environment(device: str | None) -> dict[str, str]:
    if device != "cuda":
        return {VISIBLE: NOBODYS}
    said, folders = users_devices(), _driver_folders()
    chosen = {} if said is None else {VISIBLE: said}
    return {**chosen, "LD_LIBRARY_PATH": os.pathsep.join(folders)} if folders else chosen


def _gpu_paths() -> list[str]:
    """The NVIDIA device nodes and what the driver reads of the machine; nothing else."""
    command = [part for node in gpu_nodes() for part in ("--dev-bind", node, node)]
    shown = tuple(f"{path}/" for path in _system_paths())
    for path in ("/sys/bus/pci", "/sys/devices", *glob.glob("/sys/module/nvidia*"), *_driver_folders()):
        if os.path.exists(path) and not path.startswith(shown):
            command += _shown(path, path)
    return command


def _driver_folders() -> list[str]:
    """Where a container is handed the driver outside the system's own folders, as Kubernetes does it."""
    folders = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    return [folder for folder in folders if folder.startswith("/") and list(Path(folder).glob("libcuda.so*"))]


class Sandbox:
    """A warm parent, started on entry and ended on exit.

    Args:
        code: of the course whose submissions will run: their library is there, and its drivers are loaded.

    Sessions may be opened from several threads or forked processes: each request is one packet.
    """

    def __init__(self, kind: Kind = "bwrap", device: str = "cpu", code: CourseCode | None = None) -> None:
        self.kind = kind
        self.device = device
        self._code = code
        self.processors: tuple[int, ...] = ()
        """Processors that children of this process's sessions stay on; empty: all."""
        self._ready = False
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._errors: Any = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        self.wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start without waiting: the imports inside can overlap with the caller's own."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the sandbox, in `stop`)
        fd = str(theirs.fileno())
        libraries = self._code.libraries if self._code is not None else ()
        arguments = ["-m", "inside.parent", fd, "isolate" if self.kind == "bwrap" else "bare", *libraries]
        environment: dict[str, str] | None = None
        cwd = None
        if self.kind == "bwrap":
            command = [*_bubblewrap(self.device, self._code), _program(), *arguments]
        else:
            self._scratch = tempfile.TemporaryDirectory(prefix="autograder-")
            command = [sys.executable, *arguments]
            environment = self._bare_environment(self._scratch.name, self._code, self.device)
            cwd = self._scratch.name
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=environment,
            cwd=cwd,
        )
        theirs.close()
        self._control = mine

    @staticmethod
    def _bare_environment(scratch: str, code: CourseCode | None, device: str) -> dict[str, str]:
        import course_lib

        paths = [str(_INSIDE.parent), str(Path(course_lib.__file__).parent.parent), *_site_packages()]
        if code is not None and code.library_folder is not None:
            # The library alone: beside it in the course's folder lie the references.
            os.symlink(code.library_folder, f"{scratch}/{code.library}")
            paths.insert(0, scratch)
        return {
            **_environment(paths, device),
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": scratch,
            "TMPDIR": scratch,
            "IPYTHONDIR": f"{scratch}/ipython",
            "MPLCONFIGDIR": f"{scratch}/matplotlib",
        }

    @property
    def answers(self) -> bool:
        """Whether `wait_ready` would not have to wait any more."""
        return self._ready or self._control is None or bool(select.select([self._control], [], [], 0)[0])

    def wait_ready(self) -> None:
        """Wait until the parent is warm.

        Raises:
            SandboxError: if it ends or fails instead; the message holds its own words.
        """
        assert self._control is not None
        try:
            answer = json.loads(frames.arriving(self._control, 65536, clock.now() + _START_S) or b"{}")
        except (OSError, ValueError) as error:
            answer = {"error": str(error)}
        except frames.FrameTimeout:
            answer = {"error": f"not ready after {_START_S:g} s"}
        self._control.settimeout(None)
        if not answer.get("ready"):
            words = answer.get("error") or self._last_words()
            self.stop()
            raise SandboxError(
                f"the sandbox did not start: {words}",
                "autograder doctor shows what this machine can do",
            )
        self._ready = True

    def _last_words(self) -> str:
        if self._errors is None:
            return "no message"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return str(lines[-1]) if lines else "it ended without a message"

    def prepare(self, forbidden: Iterable[Sequence[str]]) -> None:
        """Let the parent look for these forbidden operations once, so that its children know their way.

        Args:
            forbidden: a list for each exercise that will be asked.
        """
        if self._control is not None:
            with contextlib.suppress(OSError):  # whoever asks for a session hears of it
                self._control.send(json.dumps({"forbidden": [list(rules) for rules in forbidden]}).encode())

    def session(self, limits: Limits) -> Session:
        """Fork a child for one submission; a context manager that kills it at the end."""
        from autograder.sandbox.session import Session

        if self._control is None:
            raise SandboxError("the sandbox is not running")
        channel, child_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        status, child_status = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        request = json.dumps({**limits.as_dict(), "processors": self.processors, "device": self.device}).encode()
        try:
            socket.send_fds(self._control, [request], [child_channel.fileno(), child_status.fileno()])
        except OSError as error:
            channel.close()
            status.close()
            raise SandboxError(f"the sandbox is gone: {self._last_words()}") from error
        finally:
            child_channel.close()
            child_status.close()
        return Session(channel, status, limits)

    @property
    def alive(self) -> bool:
        """Whether the warm parent runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End the parent and with it every child."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            if not self._ready:  # still importing: it would not notice for seconds that nobody waits any more
                self._process.kill()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGKILL)
                self._process.wait()
            self._process, self._ready = None, False
        if self._errors is not None:
            self._errors.close()
            self._errors = None
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None


_warm: dict[tuple[Kind, str, CourseCode | None], Sandbox] = {}
_warm_lock = threading.Lock()


def warm_sandbox(kind: Kind, device: str, code: CourseCode | None = None) -> Sandbox:
    """This process's one sandbox for a course, started at the first call, again if it was lost, and stopped at exit.

    For graders that are called back one submission at a time (nbgrader, Dask).
    """
    key = (kind, device, code)
    with _warm_lock:
        found = _warm.get(key)
        if found is not None and found.alive:
            return found
        import torch

        torch.set_num_threads(1)  # references are small: a second thread would only wait for the first
        sandbox = Sandbox(kind, device, code)
        sandbox.start()
        sandbox.wait_ready()
        if found is None:
            atexit.register(lambda: _warm[key].stop())
        _warm[key] = sandbox
        return sandbox
