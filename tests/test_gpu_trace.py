"""Device faults are found without a GPU."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from autograder.exercises import ASSIGNMENTS
from autograder.exercises.model import Exercise
from course_lib.gpu_trace import DRIVERS_TRACED, gpu_advice

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
    [(_fresh, "mixes"), (_captured, "mixes"), (_numpy, "NumPy"), (_result, "stays on the CPU")],
    ids=["fresh tensor", "captured tensor", "numpy", "result on the CPU"],
)
def test_what_fails_on_a_gpu_is_named(function: Callable[..., Any], words: str) -> None:
    """The advice says what is wrong, with the function's name."""
    advice = gpu_advice({"f": function}, "f", "call", {"x": torch.randn(5, 4)})
    assert advice is not None
    assert words in advice
    assert advice.startswith("f")


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
            namespace = exercise.namespace(exercise.reference)
            assert gpu_advice(namespace, case.function, case.driver, case.inputs) is None


@pytest.mark.sandbox
def test_the_grader_and_the_check_pass_the_advice_on() -> None:
    """A function that is right on the CPU and would fail on a GPU keeps its points and gets the advice."""
    import dataclasses

    from autograder import engine
    from autograder.sandbox import Limits, Sandbox
    from course_lib.checking import examine
    from tests import made_up, small_course

    def pair(x: torch.Tensor) -> torch.Tensor:
        return x * torch.full(x.shape, 2.0)

    key = made_up.PAIR.make_key(1)
    verdict, _, advice = examine(key, (pair, lambda x: x / 2))
    assert verdict.passed
    assert any("double will fail on a GPU" in line for line in advice)
    with small_course.registered(), Sandbox() as sandbox:
        source = made_up.notebook()
        made_up.cell(source, "pair-solution")["source"] = (
            "def double(x):\n    return x * torch.full(x.shape, 2.0)\ndef halve(x):\n    return x / 2"
        )
        import json

        text = json.dumps(source)
        master = engine.Master(made_up.ASSIGNMENT, "made_up", text)
        graded = engine.grade(engine.Job("ada", text.encode()), master, "1", Limits(), sandbox)
    found = graded.result.exercises["pair"]
    assert found.score == found.max_score
    assert found.advice == ("double will fail on a GPU: " + found.advice[0].split(": ", 1)[1],)
    assert "will fail on a GPU" in graded.notebook
    assert dataclasses.asdict(found)["message"] == ""


def test_the_import_of_check_begins_with_the_slow_part_in_the_background() -> None:
    """The first check must not wait a second for imports, if the student read on meanwhile."""
    script = (
        "import threading, time, course_lib\n"
        "from course_lib import check\n"
        "[t.join() for t in threading.enumerate() if t.name == 'gpu-trace-warm-up']\n"
        "from course_lib.gpu_trace import warm_up\n"
        "print(warm_up.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("1", "")
