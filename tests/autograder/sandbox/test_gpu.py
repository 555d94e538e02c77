"""Grading on a GPU: the same points as on the processor, and a device that submissions share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import pytest
import torch

from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading import batch as grading
from autograder.grading.batch import Batch, Options, grade_course
from autograder.grading.pool import LocalPool
from autograder.grading.task import Task
from autograder.sandbox import Sandbox, devices, launcher
from autograder.sandbox.inside.gpu import compute_exactly, share_gpu
from autograder.sandbox.launcher import Kind
from course_lib.checking.drivers import attempt
from tests.support import made_up, small_course
from tests.support.fresh_process import in_fresh_process
from tests.support.paths import ROOT

NAME = made_up.ASSIGNMENT
ON_THE_CPU = "def double(x):\n    return x * torch.full(x.shape, 2.0)\n\n\ndef halve(x):\n    return x / 2"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A released course with one submission of each kind."""
    course = small_course.make(tmp_path)
    for kind, (column_scale, pair) in small_course.ANSWERS.items():
        small_course.hand_in(course, kind, column_scale, pair)
    return course


def test_every_tensor_of_a_call_is_on_the_device() -> None:
    """Wherever it is: in lists, tuples and dicts too; `meta` stands for a device that this machine may not have."""
    seen: list[str] = []

    def look(x: torch.Tensor, pair: Any, named: Any, number: int) -> torch.Tensor:
        seen.extend(str(tensor.device) for tensor in (x, *pair, *named["a"]))
        return x

    one = torch.ones(2)
    attempt({"f": look}, "f", "call", {"x": one, "pair": (one, one), "named": {"a": [one]}, "number": 3}, "meta")
    assert seen == ["meta"] * 4


@pytest.fixture
def tf32() -> Iterator[None]:
    """TF32 is on, as students and other libraries may leave it; afterwards as it was."""
    places = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [place.allow_tf32 for place in places]
    for place in places:
        place.allow_tf32 = True
    yield
    for place, value in zip(places, before, strict=True):
        place.allow_tf32 = value


@pytest.mark.usefixtures("tf32")
def test_a_child_takes_its_part_of_the_device_and_computes_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is divided by the slots, a tenth stays for the contexts; no TF32."""
    fractions: list[float] = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", fractions.append)
    monkeypatch.setattr(torch, "ones", mock.Mock())
    share_gpu(3)
    compute_exactly()
    assert fractions == [pytest.approx(0.3)]
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ("device", "options", "workers"),
    [
        ("cuda", {"workers": 5}, 4),
        ("cuda", {"workers": 5, "gpu_slots": 2}, 2),
        ("cuda", {"workers": 1, "gpu_slots": 2}, 1),
        ("cpu", {"workers": 5, "gpu_slots": 2}, 5),
    ],
    ids=["default", "two slots", "fewer workers", "cpu"],
)
@pytest.mark.sandbox
def test_no_more_submissions_use_a_gpu_than_there_are_slots(
    course: Course, monkeypatch: pytest.MonkeyPatch, device: str, options: dict[str, int], workers: int
) -> None:
    """A worker has one child at a time; each child is told how many share the device."""
    seen: list[tuple[int, int]] = []

    @contextmanager
    def pool(count: int, task: Task, _: Sandbox) -> Iterator[Any]:
        seen.append((count, task.limits.gpu_slots))
        yield mock.Mock(spec=LocalPool, run=lambda jobs: iter(()))

    monkeypatch.setattr(grading, "_device", lambda *_: device)
    monkeypatch.setattr(grading, "_local_pool", pool)
    grade_course(course, NAME, Options(seed=1, **options))  # type: ignore[arg-type]
    assert seen == [(workers, options.get("gpu_slots", 4))]


def test_asking_for_a_gpu_where_there_is_none_is_refused(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is graded; `auto` takes the processor."""
    monkeypatch.setattr(grading, "has_gpu", lambda: False)
    with pytest.raises(CourseError, match="no CUDA device"):
        grade_course(course, NAME, Options(device="cuda"))
    assert grading._device("auto") == "cpu"


def test_the_graders_own_process_sees_no_gpu_and_its_children_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has asked CUDA for devices can't be forked: not even references on the processor work then."""
    asked: list[str | None] = []
    monkeypatch.setattr(
        torch.cuda, "is_available", lambda: asked.append(os.environ.get("CUDA_VISIBLE_DEVICES")) or True
    )
    monkeypatch.setattr(devices, "_users", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    for _ in range(2):  # a second assignment in the same process
        assert devices.hide_gpus()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
        assert devices.has_gpu()
    assert asked == ["1", "1"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
    assert launcher._environment([], "cuda")["CUDA_VISIBLE_DEVICES"] == "1"
    assert launcher._environment([], "cpu")["CUDA_VISIBLE_DEVICES"] == "-1"


def test_a_process_that_has_used_a_gpu_does_not_start_workers(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line instead of a failure of every submission."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(CourseError, match="has used a GPU itself"):
        grade_course(course, NAME, Options(device="cpu"))


@pytest.mark.sandbox
@pytest.mark.parametrize("kind", ["none", "bwrap"])
def test_the_warm_parent_has_one_thread(kind: Kind) -> None:
    """What it forks would miss the others; PyTorch built for CUDA starts some at a `backward` after a trace."""
    with Sandbox(kind) as sandbox:
        assert sandbox._process is not None
        found = psutil.Process(sandbox._process.pid)
        assert [one.num_threads() for one in [found, *found.children(recursive=True)]][-1] == 1


BESIDE_A_GPU = """
import sys
import torch
from torch.autograd import graph
from torch._subclasses import FakeTensorMode
torch.cuda.is_available = lambda: True
def used(*_, **__):
    sys.exit("the warm parent would have used the GPU")
graph._engine_run_backward = torch.autograd._engine_run_backward = FakeTensorMode.__enter__ = used
torch.cuda._lazy_init = torch._C._cuda_getDeviceCount = used
from autograder.sandbox.inside import parent
parent._warm_up(())
parent.watch.warm_up(("torch.var",), backward=not parent._HAS_GPU)
"""


def test_the_warm_parent_leaves_a_gpu_to_its_children() -> None:
    """No backward, no fake tensor, no question to CUDA: each would keep the device from all that are forked later."""
    done = subprocess.run([sys.executable, "-c", BESIDE_A_GPU], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]


@pytest.mark.sandbox
def test_a_gpu_that_cannot_be_used_is_not_the_students_fault(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets 0 points for it: the submissions are not graded, and it is said why."""
    monkeypatch.setattr(grading, "has_gpu", lambda: True)
    monkeypatch.setattr(launcher, "_gpu_paths", list)
    batch = grade_course(course, NAME, Options(seed=7, device="cuda", workers=2))
    assert batch.results == ()
    assert batch.failed
    assert all(failed.reason.startswith("the sandbox could not start a process: ") for failed in batch.failed)


def test_a_driver_outside_the_system_folders_is_found_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes hands it over in a folder that LD_LIBRARY_PATH names; other folders named there stay outside."""
    driver, other = tmp_path / "nvidia", tmp_path / "other"
    for folder in (driver, other):
        folder.mkdir()
    (driver / "libcuda.so.1").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{other}::relative:{driver}")
    command = launcher._bubblewrap("cuda", None)
    assert command[command.index("LD_LIBRARY_PATH") + 1] == str(driver)
    assert ["--ro-bind", str(driver), str(driver)] in [command[n : n + 3] for n in range(len(command))]
    assert str(other) not in command
    assert "LD_LIBRARY_PATH" not in launcher._bubblewrap("cpu", None)


STARTED_AS_CUDA_STARTS = """
import ctypes, json, os, socket, sys, threading
from inside import isolation
isolation.be_nobody()
uid, gid = os.getuid(), os.getgid()
read, write = os.pipe()
if isolation.fork_into_namespaces() == 0:
    isolation.settle_in(uid, gid, 8, sys.argv[1])
    isolation.give_up_privileges()
    isolation.filter_system_calls(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.pthread_self.restype = ctypes.c_ulong
    named, done, handles = threading.Event(), threading.Event(), []
    def thread():
        handles.append((libc.pthread_self(), threading.get_native_id()))
        named.set()
        done.wait()
    threading.Thread(target=thread, daemon=True).start()
    named.wait()
    (handle, number), = handles
    def can(path, rights):
        try:
            os.close(os.open(path, rights))
            return True
        except OSError:
            return False
    def reaches_a_network():
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.connect(("192.0.2.1", 9))
            return True
        except OSError:
            return False
    found = {
        "memory file": libc.memfd_create(b"x", 0) >= 0,
        "names another thread": libc.pthread_setname_np(ctypes.c_ulong(handle), b"cuda-EvtHandlr") == 0,
        "names it by numbers": can(f"/proc/{os.getpid()}/task/{number}/comm", os.O_RDWR),
        "own memory": can("/proc/self/maps", os.O_RDONLY) and "python" in open("/proc/self/maps").read(),
        "socket": libc.socket(1, 1, 0) >= 0,
        "network": reaches_a_network(),
        "/proc": sorted(os.listdir("/proc")),
        "process": libc.fork() >= 0,
    }
    os.write(write, json.dumps(found).encode())
    os._exit(0)
os.close(write)
print(os.read(read, 65536).decode())
"""


@pytest.mark.sandbox
@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_a_child_on_a_gpu_may_do_what_cuda_does_at_its_start(device: str) -> None:
    """Else it is error 304 for everybody.  No other process is seen, and a child on the processor has no /proc."""
    command = [*launcher._bubblewrap("cuda"), launcher._program(), "-c", STARTED_AS_CUDA_STARTS, device]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = json.loads(done.stdout or json.dumps(done.stderr))
    shown = found.pop("/proc")
    assert found.pop("network") is False
    assert found.pop("process") is False
    if device == "cpu":
        assert shown == []
        assert not any(found.values())
    else:
        assert all(found.values()), found
        assert set(shown) <= {"1", "self", "thread-self", "cpuinfo", "devices", "driver", "meminfo", "modules", "sys"}


LIMITED = """
import mmap, sys
from autograder.sandbox import Limits
from autograder.sandbox.inside import isolation
isolation.set_limits(Limits(memory_mib=256).as_dict(), isolation.memory_in_use_mib(), sys.argv[1])
for what in (lambda: mmap.mmap(-1, 1 << 40, prot=0, flags=34), lambda: bytearray(1 << 30)):
    try:
        what()
        print("fits")
    except (OSError, MemoryError) as error:
        print(type(error).__name__)
"""


def test_a_child_on_a_gpu_may_reserve_addresses_but_not_fill_memory() -> None:
    """CUDA reserves address space for all memories together; what is written is limited as ever."""
    found = {
        device: subprocess.run(
            [sys.executable, "-c", LIMITED, device], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.split()
        for device in ("cuda", "cpu")
    }
    assert found == {"cuda": ["fits", "MemoryError"], "cpu": ["OSError", "MemoryError"]}


@pytest.fixture
def graded_on_gpu(course: Course) -> Batch:
    """The class, and one who computes beside the device, graded on a GPU."""
    small_course.hand_in(course, "beside", small_course.RIGHT, ON_THE_CPU)
    return grade_course(course, NAME, Options(seed=7, device="cuda", workers=2))


@pytest.mark.gpu
@pytest.mark.sandbox
@pytest.mark.slow
def test_a_gpu_gives_the_points_of_the_processor(course: Course, graded_on_gpu: Batch) -> None:
    """Criterion by criterion, with the same misconceptions; only what fails there loses points, and says why."""
    on_cpu = grade_course(course, NAME, Options(seed=7, device="cpu", workers=2, force=True))
    found = {result.student: result for result in graded_on_gpu.results}
    beside = found.pop("beside").exercises["pair"]
    assert beside.criteria["doubles"] is False
    assert "device" in beside.message
    for result in on_cpu.results:
        if result.student != "beside":
            there = found[result.student]
            assert there.device == "cuda"
            assert [(e.criteria, e.misconceptions) for e in there.exercises.values()] == [
                (e.criteria, e.misconceptions) for e in result.exercises.values()
            ]


@pytest.mark.gpu
def test_tensors_come_back_from_a_gpu() -> None:
    """Results of a call on the device are values on the processor for the grader."""
    in_fresh_process(send_back_from_gpu)


def send_back_from_gpu() -> None:
    """For a process that may use the GPU."""
    from course_lib.checking.values import pack, unpack

    raw, _ = attempt({"f": lambda x: x @ x.T}, "f", "call", {"x": torch.randn(64, 64)}, "cuda")
    assert raw["result"].device.type == "cuda"
    assert unpack(pack(raw), 1 << 20)["result"].device.type == "cpu"
