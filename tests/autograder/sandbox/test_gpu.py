"""Grading on a GPU: the same points as on the processor, and a device that submissions share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading import batch as grading
from autograder.grading.batch import Batch, Options, grade_course
from autograder.grading.pool import LocalPool
from autograder.grading.task import Task
from autograder.sandbox import Limits, Sandbox
from autograder.sandbox.inside.gpu import share_gpu
from course_lib.checking.drivers import attempt
from tests.support import made_up, small_course

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
    share_gpu.cache_clear()
    yield
    share_gpu.cache_clear()
    for place, value in zip(places, before, strict=True):
        place.allow_tf32 = value


@pytest.mark.usefixtures("tf32")
def test_a_child_takes_its_part_of_the_device_and_computes_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is divided by the slots, a tenth stays for the contexts; no TF32."""
    fractions: list[float] = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", fractions.append)
    for _ in range(2):
        share_gpu(3)
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
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(CourseError, match="no CUDA device"):
        grade_course(course, NAME, Options(device="cuda"))
    assert grading._device("auto") == "cpu"


@pytest.mark.sandbox
def test_a_child_on_a_gpu_may_reserve_addresses_but_not_fill_memory() -> None:
    """CUDA reserves address space for all memories together; what is written is limited as ever."""
    limits = Limits(memory_mib=256, cell_s=10)
    cells = [
        {"id": "reserve", "source": "import mmap; room = mmap.mmap(-1, 1 << 40, prot=0, flags=34)"},
        {"id": "fill", "source": "filled = bytearray(1 << 30)"},
    ]
    errors: dict[str, list[list[str]]] = {}
    for device in ("cuda", "cpu"):
        with Sandbox("bwrap", device) as sandbox, sandbox.session(limits) as session:
            found = list(session.run_cells(cells))
        errors[device] = [[output["ename"] for output in cell.outputs] for cell in found]
    assert errors == {"cuda": [[], ["MemoryError"]], "cpu": [["OSError"], ["MemoryError"]]}


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
    from course_lib.checking.values import pack, unpack

    raw, _ = attempt({"f": lambda x: x @ x.T}, "f", "call", {"x": torch.randn(64, 64)}, "cuda")
    assert raw["result"].device.type == "cuda"
    assert unpack(pack(raw), 1 << 20)["result"].device.type == "cpu"
