"""The clock of deadlines: work counts, stops do not, and the wall clock plays no part."""

from __future__ import annotations

import ast
import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import autograder
import course_lib
from autograder.sandbox import Limits, Sandbox
from autograder.sandbox.inside import clock as clock_module
from autograder.sandbox.inside.clock import LONGEST_WAIT_S, Clock
from tests.support import made_up

_STOP_S = 2.5


def _stopped_meanwhile(what: Callable[[], bool], after_s: float) -> bool:
    """What a forked process finds that is stopped (as by Ctrl-Z) while it works."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if what() else 2
        finally:
            os._exit(status)
    time.sleep(after_s)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(_STOP_S)
    os.kill(pid, signal.SIGCONT)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_time_goes_on_while_one_works() -> None:
    """Work of more than a second without a look at the clock counts, for laborious submissions pay for it.

    However little of the processor a loaded machine gives: what it does not give may be left out.
    """
    clock = Clock()
    began, worked = clock.now(), time.process_time()
    while time.process_time() - worked < 1.2:
        pass
    assert clock.now() - began >= 1.2


def test_time_goes_on_while_one_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting with looks at the clock counts in full; of a longer pause without work nothing does."""
    at = 100.0
    monkeypatch.setattr(clock_module, "time", SimpleNamespace(monotonic=lambda: at, process_time=lambda: 0.0))
    clock = Clock()
    began = clock.now()
    for _ in range(8):
        at += LONGEST_WAIT_S
        clock.now()
    assert clock.now() - began == 8 * LONGEST_WAIT_S
    at += 1.5
    assert clock.now() - began == 8 * LONGEST_WAIT_S


def test_time_stands_still_while_the_process_is_stopped() -> None:
    """As after Ctrl-Z and `fg`."""

    def waits_a_second() -> bool:
        clock = Clock()
        deadline, turns = clock.now() + 1, 0
        while clock.now() < deadline:
            time.sleep(0.1)
            turns += 1
        return turns > 5

    assert _stopped_meanwhile(waits_a_second, after_s=0.3)


@pytest.mark.sandbox
def test_a_grader_that_is_stopped_takes_no_time_from_a_student() -> None:
    """Cells and calls go on behind its back; their answers are there when it comes to itself, and count."""
    key = made_up.EXERCISE.make_key("stopped", diagnose=False)
    source = made_up.SOLUTION.replace("def column_scale", "import time\ntime.sleep(0.8)\n\n\ndef column_scale")
    with Sandbox() as sandbox:

        def is_answered() -> bool:
            limits = Limits(cell_s=1.5, call_s=1.5, submission_s=3)
            with sandbox.session(limits) as session:
                cells = [{"id": f"cell-{n}", "source": source} for n in range(2)]
                good = all(result.good for result in session.run_cells(cells))
                session.ask(key, "cpu")
                return good and len(list(session.answers())) == len(key.cases)

        assert _stopped_meanwhile(is_answered, after_s=0.4)


@pytest.mark.sandbox
def test_a_wall_clock_that_leaps_takes_no_time_from_a_student(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sets the clock a day forward and back again while a submission is graded."""
    days = itertools.cycle((0.0, 86_400.0, -86_400.0))
    wall = time.time
    with Sandbox() as sandbox, monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: wall() + next(days))
        with sandbox.session(Limits()) as session:
            (result,) = session.run_cells([{"id": "one", "source": "print(6 * 7)"}])
    assert result.good


def test_nothing_that_grades_asks_the_wall_clock() -> None:
    """`time.time` can leap; who measures takes `time.perf_counter`, who waits a clock that cannot be set."""
    asked = []
    for package in (autograder, course_lib):
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and ast.unparse(node) in ("time.time", "time.time_ns"):
                    asked.append(f"{path}:{node.lineno}")
    assert asked == []
