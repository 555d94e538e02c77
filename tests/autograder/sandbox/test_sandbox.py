"""The sandbox: every limit is kept and says what was used where; children share nothing; the parent survives."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from autograder.errors import CourseError, SandboxError
from autograder.sandbox import Limits, Sandbox, Session, SessionEnded
from autograder.sandbox.inside import clock
from autograder.sandbox.launcher import _bubblewrap, _private_paths, _program
from course_lib.checking.keys import Response, respond
from course_lib.checking.values import Unsupported
from tests.support import made_up
from tests.support.other_users import readable_by_all, within
from tests.support.paths import ROOT

LIMITS = Limits(
    submission_s=30, cell_s=10, call_s=10, cpu_s=30, memory_mib=256, threads=12, files=48, scratch_mib=8, answer_mib=2
)
KEY = made_up.EXERCISE.make_key("sandbox", diagnose=False)
SECRET = "COURSE_SECRET_OF_THE_TEST"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One warm parent for all tests of this file, started by a process with a secret in its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET, "hunter2")
        with Sandbox() as running:
            yield running


def _run(session: Session, *sources: str) -> list[Any]:
    cells = [{"id": f"cell-{n}", "source": textwrap.dedent(source)} for n, source in enumerate(sources)]
    return list(session.run_cells(cells))


def _output(sandbox: Sandbox, source: str, **limits: Any) -> str:
    """What a cell printed, or its error, in a process of its own."""
    with sandbox.session(LIMITS.changed(**limits)) as session:
        (result,) = _run(session, source)
    return "".join(output.get("text", "") or output.get("evalue", "") for output in result.outputs)


def _ending(sandbox: Sandbox, source: str, **limits: Any) -> str:
    """How a cell that does not come to an end is stopped."""
    with sandbox.session(LIMITS.changed(**limits)) as session, pytest.raises(SessionEnded) as caught:
        _run(session, source)
    return caught.value.reason


def _call(sandbox: Sandbox, body: str, **limits: Any) -> Response:
    """The response to the first case of a call of a function with this body."""
    source = "import torch\ndef column_scale(x, gamma, eps):\n" + textwrap.indent(textwrap.dedent(body), "    ")
    with sandbox.session(LIMITS.changed(**limits)) as session:
        _run(session, source)
        session.ask(KEY, "cpu")
        return respond(next(session.answers())[1])


def _message(response: Response) -> str:
    assert response.failure is not None
    return response.failure.message


# --- limits


@pytest.mark.sandbox
def test_a_cell_stops_at_its_wall_clock_limit(sandbox: Sandbox) -> None:
    """The message names the limit."""
    started = time.monotonic()
    assert _ending(sandbox, "import time; time.sleep(60)", cell_s=0.5) == "the cell ran longer than its limit of 0.5 s"
    assert time.monotonic() - started < 5


@pytest.mark.sandbox
def test_calls_stop_at_their_wall_clock_limit(sandbox: Sandbox) -> None:
    """All cases of an exercise together have one limit; the message names it and the exercise."""
    with pytest.raises(SessionEnded, match=r"the calls of column-scale took longer than their limit of 0\.5 s"):
        _call(sandbox, "while True: pass", call_s=0.5)


@pytest.mark.sandbox
def test_cells_stop_at_the_submission_s_deadline(sandbox: Sandbox) -> None:
    """However patient each one is."""
    with sandbox.session(LIMITS) as session:
        cells = [{"id": str(n), "source": "import time; time.sleep(0.2)"} for n in range(100)]
        with pytest.raises(SessionEnded, match="the submission used up its limit of 30 s"):
            list(session.run_cells(cells, clock.now() + 1))


@pytest.mark.sandbox
def test_a_process_stops_at_its_processor_time(sandbox: Sandbox) -> None:
    """The message says which limit that is."""
    reason = _ending(sandbox, "while True: pass", cpu_s=1)
    assert reason == "the process used up its limit of 1 s of processor time"


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "source",
    ["bytearray(2**30)", "import torch\ntorch.ones(2**30)", "import numpy\nnumpy.ones(2**30)", "[0] * 2**30"],
    ids=["bytes", "torch", "numpy", "list"],
)
def test_memory_is_limited_in_cells(sandbox: Sandbox, source: str) -> None:
    """The cell fails with the limit's name; the process goes on."""
    words = "the limit of 256 MiB of memory, beyond what the libraries take, was reached"
    assert words in _output(sandbox, source)


@pytest.mark.sandbox
def test_memory_is_limited_in_calls(sandbox: Sandbox) -> None:
    """The answer says so instead of what torch says."""
    assert _message(_call(sandbox, "return torch.ones(2**30)")).startswith("the limit of 256 MiB of memory")


@pytest.mark.sandbox
def test_threads_are_limited(sandbox: Sandbox) -> None:
    """The message names the limit and how many run."""
    source = """
        import threading, time
        for _ in range(100): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    """
    assert re.search(r"the limit of 12 threads was reached \(\d+ are running\)", _output(sandbox, source))


@pytest.mark.sandbox
def test_open_files_are_limited(sandbox: Sandbox) -> None:
    """The message names the limit and how many are open."""
    words = _output(sandbox, "kept = [open('/dev/null') for _ in range(100)]")
    assert re.search(r"the limit of 48 open files was reached \(\d+ are open\)", words)


@pytest.mark.sandbox
@pytest.mark.parametrize("size", ["2**24", "2**20"], ids=["one file", "many files"])
def test_scratch_files_are_limited(sandbox: Sandbox, size: str) -> None:
    """The message names the limit and how much is in use."""
    words = _output(sandbox, f"for n in range(100): open(f'/tmp/{{n}}', 'wb').write(bytes({size}))")
    assert re.search(r"the limit of 8 MiB of files was reached \(\d+ MiB are in use under /tmp\)", words)


@pytest.mark.sandbox
def test_output_is_cut_at_its_limit(sandbox: Sandbox) -> None:
    """The output says that it was cut."""
    text = _output(sandbox, "for _ in range(1000): print('x' * 1000)", output_kib=16)
    assert len(text) < 17_000
    assert "the limit is reached" in text


@pytest.mark.sandbox
def test_an_answer_is_refused_beyond_its_limit(sandbox: Sandbox) -> None:
    """The message names the limit and the size."""
    response = _call(sandbox, "return torch.zeros(2**19, dtype=torch.float64)")
    assert _message(response) == "the answer has 4 MiB; the limit of all answers to this exercise is 2 MiB"


@pytest.mark.sandbox
def test_all_answers_to_an_exercise_have_one_limit(sandbox: Sandbox) -> None:
    """The grader keeps them until it has judged them: what one may have, twenty may not have each."""
    source = "import torch\ndef column_scale(x, gamma, eps):\n    return torch.zeros(190_000, dtype=torch.float64)"
    with sandbox.session(LIMITS) as session:
        _run(session, source)
        session.ask(KEY, "cpu")
        found = [respond(answer) for _, answer in session.answers()]
    assert len(found) == len(KEY.cases) > 2
    assert found[0].failure is None
    assert all("the limit of all answers" in _message(response) for response in found[1:])


@pytest.mark.sandbox
def test_a_result_that_cannot_travel_is_said_to_be_one(sandbox: Sandbox) -> None:
    """A view of a trillion elements takes no memory, and is not written out."""
    result = _call(sandbox, "return x[:1, :1].expand(10**6, 10**6)").result
    assert result == Unsupported("a tensor too large to be handed over (1000000000000 numbers)")


DEATHS = {
    "exit": ("import os; os._exit(3)", "exit status 3"),
    "segmentation fault": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "hang up": ("import os\nfor fd in range(3, 99):\n    try: os.close(fd)\n    except OSError: pass", "exit status"),
}


@pytest.mark.sandbox
@pytest.mark.parametrize(("source", "words"), DEATHS.values(), ids=DEATHS.keys())
def test_a_dead_process_says_how_it_died(sandbox: Sandbox, source: str, words: str) -> None:
    """In words that help to find the reason."""
    assert words in _ending(sandbox, source)


@pytest.mark.sandbox
def test_new_processes_are_refused(sandbox: Sandbox) -> None:
    """Limits are for one process: there is one."""
    source = """
        import os, subprocess
        for start in (os.fork, lambda: subprocess.run(["true"]), lambda: os.posix_spawn("/bin/true", ["true"], {})):
            try: print("started", start())
            except OSError as error: print(error.strerror)
    """
    assert _output(sandbox, source).split("\n")[:3] == ["Operation not permitted"] * 3


# --- isolation


@pytest.mark.sandbox
def test_a_child_has_a_process_group_of_its_own(sandbox: Sandbox) -> None:
    """kill(0) reaches nobody else: the warm parent answers afterwards."""
    _output(sandbox, "import os, signal\nfor pid in (0, -1):\n    os.kill(pid, signal.SIGKILL)")
    assert sandbox.alive
    assert _output(sandbox, "print('alive')") == "alive\n"


@pytest.mark.sandbox
def test_children_share_no_file(sandbox: Sandbox) -> None:
    """What one leaves in /tmp and /dev/shm the next does not see, and there is no other place to leave it."""
    leave = """
        import os
        for place in ("/tmp", "/dev/shm", "/", "/dev", "/sandbox", "/etc", "/proc", "/usr", "/sandbox/course_lib"):
            try: open(f"{place}/left-behind", "w").close(); print("wrote", place)
            except OSError: pass
    """
    assert _output(sandbox, leave) == "wrote /tmp\nwrote /dev/shm\n"
    look = "import os; print([p for p in ('/tmp', '/dev/shm') if os.path.exists(f'{p}/left-behind')])"
    assert _output(sandbox, look) == "[]\n"


_PROBE = """
import os
for place in ("/", "/dev", "/sandbox", "/etc", "/usr"):
    try:
        open(f"{place}/left-behind", "w").close()
        print("wrote", place)
    except OSError:
        pass
print("looked")
"""


@pytest.mark.sandbox
@pytest.mark.skipif(os.getuid() != 0, reason="is about a grader that root starts as somebody else")
def test_an_unprivileged_grader_s_sandbox_is_as_closed() -> None:
    """Bubblewrap's own folders belong to the user who starts it, and must be read-only all the same."""
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if shutil.which("setpriv") is None or shutil.which("unshare") is None:
        pytest.skip("setpriv and unshare (package util-linux) are not installed")
    base = [part for part in _bubblewrap(None) if part not in ("--cap-drop", "--cap-add", "ALL")]
    command = [part for part in base if not part.startswith("CAP_")]
    command.insert(1, "--unshare-user")
    places = readable_by_all(sys.base_prefix, sys.prefix, str(ROOT))
    whole = within(places, *drop, *command, _program(), "-c", _PROBE)
    done = subprocess.run(whole, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "looked\n", done.stderr


@pytest.mark.sandbox
def test_a_child_stays_on_the_processors_that_it_is_given(sandbox: Sandbox) -> None:
    """So its threads cannot take the time of another submission."""
    one = max(os.sched_getaffinity(0))
    sandbox.processors = (one,)
    try:
        source = """
            import os
            print(sorted(os.sched_getaffinity(0)))
            try: os.sched_setaffinity(0, range(64))
            except OSError as error: print(error.strerror)
        """
        assert _output(sandbox, source) == f"[{one}]\nOperation not permitted\n"
    finally:
        sandbox.processors = ()


@pytest.mark.sandbox
def test_the_environment_is_cleared(sandbox: Sandbox) -> None:
    """Nothing of the grader's environment is inside."""
    assert os.environ[SECRET] == "hunter2"
    assert SECRET not in _output(sandbox, "import os; print(os.environ)")


@pytest.mark.sandbox
def test_no_reference_can_be_imported(sandbox: Sandbox) -> None:
    """The grader's package is not there, wherever it is installed."""
    source = """
        import importlib.util, sys
        print(importlib.util.find_spec("autograder"), [m for m in sys.modules if m.startswith("autograder")])
    """
    assert _output(sandbox, source) == "None []\n"


def test_installed_copies_of_the_grader_are_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A grader installed without a virtual environment lies below a path that the sandbox shows."""
    base = tmp_path / "python"
    copy = base / "lib" / "python3.11" / "site-packages" / "autograder"
    copy.mkdir(parents=True)
    monkeypatch.setattr(sys, "base_prefix", str(base))
    monkeypatch.setattr("autograder.sandbox.launcher._python_moves", lambda: False)
    assert str(copy) in _private_paths()


@pytest.mark.sandbox
def test_a_child_that_is_hung_up_on_is_gone(sandbox: Sandbox) -> None:
    """Closing a session ends the process, whatever it does."""
    with sandbox.session(LIMITS) as session, pytest.raises(SessionEnded):
        _run(session, "import os\nos.kill(os.getpid(), 9)\nwhile True: os.read(0, 1); os._exit(5)")
    assert _output(sandbox, "print('next')") == "next\n"


@pytest.mark.sandbox
def test_a_sandbox_that_is_lost_is_no_student_s_fault() -> None:
    """The grader learns that its sandbox is gone, so that the submission is graded again."""
    with Sandbox() as running, running.session(LIMITS) as session:
        _run(session, "x = 1")
        assert running._process is not None
        running._process.kill()
        running._process.wait()
        with pytest.raises(SandboxError, match="ended while it was in use"):
            _run(session, "import time; time.sleep(5)")
        with pytest.raises(SandboxError, match="is gone"):
            running.session(LIMITS)


# --- limits as settings


def test_limits_can_be_changed_by_name() -> None:
    """What is not named keeps its default."""
    assert Limits().changed(cell_s=30) == dataclasses.replace(Limits(), cell_s=30)


BAD = {
    "unknown": {"cell_seconds": 3},
    "zero": {"cell_s": 0},
    "negative": {"memory_mib": -1},
    "text": {"cell_s": "30"},
    "true": {"threads": True},
}


@pytest.mark.parametrize("values", BAD.values(), ids=BAD.keys())
def test_limits_that_are_none_are_refused(values: dict[str, Any]) -> None:
    """With the name of the limit."""
    with pytest.raises(CourseError, match=next(iter(values))):
        Limits().changed(**values)


def test_the_course_s_configuration_sets_limits() -> None:
    """For every assignment, and for one."""
    config = Config()
    config.Autograder.limits = {"*": {"cell_s": 30, "files": 64}, "05_transfer_learning": {"cell_s": 60}}
    assert Limits.of_course(config, "01_batchnorm") == Limits(cell_s=30, files=64)
    assert Limits.of_course(config, "05_transfer_learning") == Limits(cell_s=60, files=64)
    assert Limits.of_course(Config(), "01_batchnorm") == Limits()


@pytest.mark.parametrize("value", [5, {"*": 5}, {"*": {"cells": 5}}], ids=["a number", "no table", "unknown limit"])
def test_a_wrong_configuration_is_explained(value: Any) -> None:
    """Instead of a traceback."""
    config = Config()
    config.Autograder.limits = value
    with pytest.raises(CourseError):
        Limits.of_course(config, "01_batchnorm")


def test_threads_of_a_child_have_other_numbers_than_its_first_thread_is_known_by(sandbox: Sandbox) -> None:
    """The C library still takes the child's thread for its parent's, which recursive locks would confuse."""
    source = """
import threading
numbers = []
threads = [threading.Thread(target=lambda: numbers.append(threading.get_native_id())) for _ in range(5)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
print(min(numbers))
"""
    assert int(_output(sandbox, source)) > 2  # bubblewrap's first process is 1, the warm parent is 2
