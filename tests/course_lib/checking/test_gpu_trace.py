"""Device faults are found without a GPU."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import numpy as np
import pytest
import torch

from autograder.exercise import Exercise
from autograder.gradebook.graded import Graded
from autograder.grading.engine import grade_submission
from autograder.grading.task import Task
from autograder.pages.feedback_page import FeedbackExporter
from autograder.sandbox import Limits, Sandbox
from autograder.submissions.notebook import Master
from autograder.submissions.submission import Job
from course_lib.checking import gpu_trace
from course_lib.checking.card import Card
from course_lib.checking.check import examine
from course_lib.checking.gpu_trace import DRIVERS_TRACED, gpu_advice
from tests.support import made_up
from tests.support.course import ASSIGNMENTS

_CPU_CONSTANT = torch.ones(4)


def _fresh(x: torch.Tensor) -> torch.Tensor:
    return x - torch.zeros(4)


def _captured(x: torch.Tensor) -> torch.Tensor:
    return x * _CPU_CONSTANT


def _numpy(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.asarray(x) - 1)


def _result(x: torch.Tensor) -> torch.Tensor:
    return torch.zeros(x.shape)


def _right(x: torch.Tensor) -> torch.Tensor:
    return (x - x.mean(dim=0)) @ torch.eye(4, dtype=x.dtype, device=x.device) + torch.zeros_like(x) * 2.0


def _through_the_cpu(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(x.cpu().numpy() - 1).to(x.device)


def _asks_for_values(x: torch.Tensor) -> torch.Tensor:
    return x if float(x.sum()) > 0 else -x


def _scalar(x: torch.Tensor) -> torch.Tensor:
    return x * torch.tensor(2.0)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (_fresh, "in its line 2 a tensor is made on the CPU"),
        (_captured, "in its line 2 a tensor is made on the CPU"),
        (_numpy, "NumPy"),
        (_result, "stays on the CPU"),
    ],
    ids=["fresh tensor", "captured tensor", "numpy", "result on the CPU"],
)
def test_what_fails_on_a_gpu_is_named(function: Callable[..., Any], words: str) -> None:
    """The advice says what is wrong, with the function's name."""
    advice = gpu_advice({"f": function}, "f", "call", {"x": torch.randn(5, 4)})
    assert advice is not None
    assert words in advice
    assert "`f`" in advice


@pytest.mark.parametrize("function", [_right, _through_the_cpu, _asks_for_values, _scalar], ids=lambda f: f.__name__)
def test_what_works_or_cannot_be_followed_gets_no_advice(function: Callable[..., Any]) -> None:
    """No false alarm."""
    assert gpu_advice({"f": function}, "f", "call", {"x": torch.randn(5, 4)}) is None


@pytest.mark.parametrize(
    "exercise",
    [exercise for exercises in ASSIGNMENTS.values() for exercise in exercises.values()],
    ids=lambda exercise: exercise.id,
)
def test_references_get_no_advice(exercise: Exercise) -> None:
    """The course's own references work on every device."""
    for case in exercise.make_key(3, diagnose=False).cases:
        if case.driver in DRIVERS_TRACED:
            namespace = exercise.namespace(exercise.reference_answer)
            assert gpu_advice(namespace, case.function, case.driver, case.inputs) is None


RIGHT = "def double(x):\n    return x * torch.full_like(x, 2.0)\n\n\ndef halve(x):\n    return x / 2"
BESIDE = "def double(x):\n    return x * torch.full(x.shape, 2.0)\n\n\ndef halve(x):\n    return x / 2"
BESIDE_AND_WRONG = BESIDE.replace("2.0", "3.0")
HANGS = "import time\n" + RIGHT.replace("return x * torch", "while x.is_cuda: pass\n    return x * torch")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One warm parent; the made-up exercises are known."""
    with Sandbox() as running:
        yield running


def _graded(sandbox: Sandbox, pair: str, **limits: Any) -> Graded:
    source = made_up.notebook()
    made_up.cell(source, "pair-solution")["source"] = pair
    data = json.dumps(source)
    master = Master(made_up.ASSIGNMENT, "made_up", data)
    task = Task(master, made_up.CODE, "1", Limits().changed(**limits))
    return grade_submission(Job("ada", data.encode()), task, sandbox)


@pytest.mark.sandbox
def test_a_function_that_would_fail_on_a_gpu_keeps_its_points_and_gets_the_advice(sandbox: Sandbox) -> None:
    """In the result, in the card of the autograded notebook (which the feedback shows), and not as a message."""
    graded = _graded(sandbox, BESIDE)
    found = graded.result.exercises["pair"]
    assert (found.score, found.message) == (found.max_score, "")
    (advice,) = found.advice
    assert advice.startswith("`double` will fail on a GPU: `t` is made on the CPU")
    assert "Advice:</strong> <code>double</code> will fail on a GPU" in graded.notebook
    page, _ = FeedbackExporter().from_notebook_node(nbformat.reads(graded.notebook, as_version=4))
    assert "<code>double</code> will fail on a GPU" in page


@pytest.mark.sandbox
def test_a_function_that_works_on_every_device_gets_no_advice(sandbox: Sandbox) -> None:
    """Neither in the result nor in the notebook."""
    graded = _graded(sandbox, RIGHT)
    assert [exercise.advice for exercise in graded.result.exercises.values()] == [(), ()]
    assert "GPU" not in graded.notebook


@pytest.mark.sandbox
def test_a_wrong_function_gets_its_verdict_and_the_advice(sandbox: Sandbox) -> None:
    """Advice takes the place of nothing."""
    found = _graded(sandbox, BESIDE_AND_WRONG).result.exercises["pair"]
    assert found.criteria == {"doubles": False, "halves": True}
    assert found.message
    assert "will fail on a GPU" in found.advice[0]


@pytest.mark.sandbox
def test_a_function_that_hangs_in_the_trace_costs_no_points(sandbox: Sandbox) -> None:
    """The trace has its time limit; the submission is graded all the same."""
    graded = _graded(sandbox, HANGS, call_s=1.5)
    assert graded.result.score == 7
    assert graded.result.status == "graded"
    assert graded.result.exercises["pair"].advice == ()


def test_the_check_passes_the_advice_on() -> None:
    """Students see it on their card, under a verdict that is not touched."""

    def double(x: torch.Tensor) -> torch.Tensor:
        return x * torch.full(x.shape, 2.0)

    verdict, fault, advice = examine(made_up.PAIR.make_key(1), (double, lambda x: x / 2))
    assert verdict.passed
    card = Card(verdict, fault, tuple(advice))
    assert "`double` will fail on a GPU" in str(card)
    assert "<code>double</code> will fail on a GPU" in card.html()
    _, _, nothing = examine(made_up.PAIR.make_key(1), (lambda x: x + x, lambda x: x / 2))
    assert list(nothing) == []


def test_the_import_of_check_begins_with_the_slow_part_in_the_background() -> None:
    """The first check must not wait a second for imports, if the student read on meanwhile."""
    script = (
        "import threading, time, course_lib\n"
        "from course_lib import check\n"
        "[t.join() for t in threading.enumerate() if t.name == 'gpu-trace-warm-up']\n"
        "from course_lib.checking.gpu_trace import warm_up\n"
        "print(warm_up.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("1", "")


@pytest.mark.parametrize(("version", "started"), [("2.5.1", False), ("2.11.0+cu130", False), ("2.13.0+cpu", True)])
def test_an_older_pytorch_is_not_warmed_up_in_a_thread(
    version: str, started: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the next backward pass could crash the kernel."""
    seen: list[str] = []
    monkeypatch.setattr(torch, "__version__", version)
    monkeypatch.setattr(gpu_trace, "warm_up", lambda: seen.append("traced"))
    gpu_trace.warm_up_in_background()
    for thread in threading.enumerate():
        if thread.name == "gpu-trace-warm-up":
            thread.join()
    assert bool(seen) == started
