"""In a kernel of a person's Jupyter, an open exercise does not stop *Run All*, and an interrupt is one line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from tests.support.paths import ROOT

pytestmark = pytest.mark.timeout(120)

BEGIN = """
from course_lib.lab.interrupted import NothingFinishedError, keep_going
import IPython
from course_lib.lab.missing_names import say_what_is_missing
keep_going()
say_what_is_missing()
say_what_is_missing()
def your_function(x):
    raise NotImplementedError()
"""


@dataclass(frozen=True)
class Answer:
    """What a kernel answered: how it ended, and the lines of the error that it shows."""

    status: str
    lines: list[str]


@pytest.fixture(scope="module")
def kernels() -> Iterator[Callable[[bool], Callable[[str], Answer]]]:
    """By hand or not -> a way to run a cell in such a kernel."""
    begun: list[tuple[Any, Any]] = []

    def start(by_hand: bool) -> Callable[[str], Answer]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment |= {"JPY_SESSION_NAME": "a/notebook.ipynb"} if by_hand else {}
        manager, client = start_new_kernel(env=environment)
        begun.append((manager, client))

        def run(code: str) -> Answer:
            lines: list[str] = []

            def collect(message: Any) -> None:
                if message["msg_type"] == "error":
                    lines.extend(message["content"]["traceback"])

            reply = client.execute_interactive(code, output_hook=collect, timeout=60)
            return Answer(reply["content"]["status"], lines)

        assert run(BEGIN).status == "ok"
        return run

    yield start
    for manager, client in begun:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_by_hand_errors_are_shown_and_the_next_cell_runs(kernels: Callable[[bool], Callable[[str], Answer]]) -> None:
    """An open exercise is one line with its name; other errors keep their traceback; an interrupt stops the rest."""
    run = kernels(True)
    (line,) = run("your_function(1)").lines
    assert line.startswith("NotImplementedError: your_function is not written yet.")
    assert run("your_function(1)").status == "ok"
    (line,) = run("VALUES = {}\nraise NotImplementedError()").lines
    assert line.startswith("NotImplementedError: this cell is not written yet.")
    assert run("1 / 0").status == "ok"
    assert len(run("1 / 0").lines) > 1
    assert run("1 +").status == "ok"
    assert len(run("raise NotImplementedError('no such operator')").lines) > 1
    interrupted = run("raise KeyboardInterrupt")
    assert interrupted.status == "error"
    assert [line.partition(",")[0] for line in interrupted.lines] == ["KeyboardInterrupt: this cell was stopped"]
    (line,) = run("raise NothingFinishedError('seed')").lines
    assert line == "Stopped before the first seed was complete: nothing to show yet. Run the cell again."


def test_what_a_stopped_cell_would_have_made_is_missed_in_one_line(
    kernels: Callable[[bool], Callable[[str], Answer]],
) -> None:
    """Down a chain of cells, until it is made; a name that no cell makes keeps its traceback."""
    run = kernels(True)
    run("found = your_function(1)")
    (line,) = run("rows = [found for _ in range(3)]").lines
    assert line.startswith("NameError: 'found' is not there yet")
    (line,) = run("print(rows)").lines
    assert line.startswith("NameError: 'rows' is not there yet")
    assert len(run("print(foud)").lines) > 1
    assert run("found = 1").lines == run("rows = [found]").lines == run("print(rows)").lines == []
    assert len(run("del rows; print(rows)").lines) > 1


def test_without_a_person_errors_stay_errors(kernels: Callable[[bool], Callable[[str], Answer]]) -> None:
    """What runs a notebook without a person learns from the kernel that a cell failed."""
    run = kernels(False)
    assert run("your_function(1)").status == "error"
    assert len(run("your_function(1)").lines) > 1
