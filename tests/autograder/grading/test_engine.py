"""Grading one submission: whatever its code does, every exercise gets a score and a reason in words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from hypothesis import given
from nbformat.notebooknode import NotebookNode
from nbgrader import utils

from autograder.gradebook.graded import Graded
from autograder.grading import engine
from autograder.grading.engine import grade_submission
from autograder.grading.task import Task
from autograder.sandbox import Limits, Sandbox
from autograder.submissions.notebook import Master, digest_of
from autograder.submissions.submission import Job
from tests.support import made_up
from tests.support.fuzzing import any_notebook, fuzz

pytestmark = pytest.mark.sandbox

LIMITS = Limits(submission_s=20, cell_s=1.5, call_s=1.5, memory_mib=256, restarts=3)
RIGHT, PAIR = made_up.SOLUTION, made_up.PAIR_SOLUTION


def _released() -> dict[str, Any]:
    notebook = made_up.notebook()
    for name in ("column-scale-solution", "pair-solution"):
        made_up.cell(notebook, name)["source"] = "# YOUR CODE HERE\nraise NotImplementedError()"
    return notebook


MASTER = Master(made_up.ASSIGNMENT, "made_up", json.dumps(_released()))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One warm parent; the made-up exercises are known."""
    with Sandbox() as running:
        yield running


def _notebook(column_scale: str = RIGHT, pair: str = PAIR, *extra: dict[str, Any]) -> dict[str, Any]:
    notebook = _released()
    made_up.cell(notebook, "column-scale-solution")["source"] = column_scale
    made_up.cell(notebook, "pair-solution")["source"] = pair
    notebook["cells"][2:2] = extra
    return notebook


def _task(seed: str = "1", **limits: Any) -> Task:
    return Task(MASTER, made_up.CODE, seed, LIMITS.changed(**limits))


def _grade(sandbox: Sandbox, notebook: Any, seed: str = "1", **limits: Any) -> Graded:
    data = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
    graded = grade_submission(Job("ada", data), _task(seed, **limits), sandbox)
    nbformat.validate(_read(graded))  # whatever a submission holds, formgrader and feedback get a notebook
    return graded


def _read(graded: Graded) -> NotebookNode:
    return nbformat.reads(graded.notebook, as_version=4)


def _message(graded: Graded, exercise: str = "column-scale") -> str:
    return graded.result.exercises[exercise].message


def test_a_right_submission_gets_everything_without_a_word(sandbox: Sandbox) -> None:
    """Full marks, no message, no flag, no note."""
    result = _grade(sandbox, _notebook()).result
    assert (result.score, result.status, result.flags, result.notes) == (7, "graded", (), ())
    assert [exercise.message for exercise in result.exercises.values()] == ["", ""]


def test_the_released_stub_gets_nothing(sandbox: Sandbox) -> None:
    """And is told that it is not implemented."""
    graded = _grade(sandbox, _released())
    assert (graded.result.score, graded.result.status) == (0, "graded")
    assert "NotImplementedError" in _message(graded)


def test_the_same_bytes_and_seed_give_the_same_result(sandbox: Sandbox) -> None:
    """Byte for byte, notebook and all; another seed asks with other numbers."""
    wrong = _notebook("def column_scale(x, gamma, eps):\n    return x, gamma")
    first, again, other = (_grade(sandbox, wrong, seed) for seed in ("1", "1", "2"))
    assert dataclasses.replace(first.result, seconds=0) == dataclasses.replace(again.result, seconds=0)
    assert first.notebook == again.notebook
    assert first.result.exercises["column-scale"].reasons != other.result.exercises["column-scale"].reasons


def test_each_test_cell_has_one_output_that_nbgrader_reads_as_the_score(sandbox: Sandbox) -> None:
    """And cells of the student's keep theirs."""
    graded = _grade(sandbox, _notebook(RIGHT + "\nprint('loaded')"))
    cells = {cell.id: cell for cell in _read(graded).cells}
    (score,) = cells["column-scale"].outputs
    assert (score.output_type, score.data["text/plain"]) == ("execute_result", "5.0")
    assert cells["column-scale-solution"].outputs[0].text == "loaded\n"


def test_the_marks_for_the_gradebook_are_those_that_nbgrader_reads_from_the_notebook(sandbox: Sandbox) -> None:
    """Scores by nbgrader's own rules, and which solutions were left as they were released."""
    graded = _grade(sandbox, _notebook(RIGHT, "# YOUR CODE HERE\nraise NotImplementedError()"))
    known = [cell for cell in _read(graded).cells if "nbgrader" in cell.metadata]
    scores = {c.metadata.nbgrader.grade_id: utils.determine_grade(c)[0] for c in known if utils.is_grade(c)}
    assert dict(graded.marks.scores) == scores
    assert graded.marks.scores["column-scale"] == 5.0


REASONS = {
    "renamed": (RIGHT.replace("column_scale", "columnscale"), "its cell defines columnscale instead"),
    "syntax error": ("def column_scale(:", "its cell stopped with SyntaxError: invalid syntax (line 1)"),
    "exception in its cell": ("1 / 0\n" + RIGHT, "its cell stopped with ZeroDivisionError: division by zero"),
    "endless cell": ("while True: pass\n" + RIGHT, "its cell was stopped: the cell ran longer than its limit of 1.5 s"),
    "endless call": (
        "def column_scale(x, gamma, eps):\n    while True: pass",
        "the calls of column-scale took longer than their limit of 1.5 s",
    ),
    "dead": ("import os\ndef column_scale(x, gamma, eps):\n    os._exit(3)", "ended itself with exit status 3"),
    "too deep to read": (RIGHT + "\nx = " + "-" * 20_000 + "1", "the grader cannot read it: it is nested too deeply"),
    "wrong number": ("def column_scale(x, gamma, eps):\n    return x", "returned a tensor"),
    "memory": (
        "def column_scale(x, gamma, eps):\n    return torch.ones(2**30), x",
        "the limit of 256 MiB of memory",
    ),
    "unreadable answer": (
        "import os\ndef column_scale(x, gamma, eps):\n    for fd in range(40):\n        try: os.write(fd, b'x' * 99)\n"
        "        except OSError: pass\n    return x, x",
        "the code wrote into the connection to the grader",
    ),
}


@pytest.mark.parametrize(("source", "words"), REASONS.values(), ids=REASONS.keys())
def test_lost_points_have_a_reason_and_other_exercises_their_points(sandbox: Sandbox, source: str, words: str) -> None:
    """What went wrong and where; the other exercise is graded all the same."""
    graded = _grade(sandbox, _notebook(source))
    assert words in _message(graded)
    assert graded.result.exercises["column-scale"].score == 0
    assert graded.result.exercises["pair"].score == 2


def test_a_name_from_an_experiment_cell_is_explained(sandbox: Sandbox) -> None:
    """Experiments are not run when grading."""
    helper = made_up.code("own", "def helper(x):\n    return x", tags=("experiment",))
    graded = _grade(sandbox, _notebook("def column_scale(x, gamma, eps):\n    return helper(x), x", PAIR, helper))
    assert "defined in an experiment cell, which is not run when grading" in _message(graded)


def test_a_submission_has_one_deadline(sandbox: Sandbox) -> None:
    """Cells that are patient together run out of time; what is left says so."""
    cells = [made_up.code(f"own-{n}", "import time; time.sleep(0.5)") for n in range(50)]
    graded = _grade(sandbox, _notebook(RIGHT, PAIR, *cells), submission_s=2)
    assert graded.result.status == "timeout"
    assert graded.result.seconds < 8
    assert "the submission used up its limit of 2 s" in _message(graded)


def test_output_of_a_whole_submission_is_limited(sandbox: Sandbox) -> None:
    """What comes later is left out, with a word about it."""
    cells = [made_up.code(f"own-{n}", "print('x' * 200_000)") for n in range(12)]
    graded = _grade(sandbox, _notebook(RIGHT, PAIR, *cells), outputs_mib=1)
    assert len(graded.notebook) < 2_500_000
    assert "the limit of 1 MiB of output is reached" in graded.notebook
    assert graded.result.score == 7


def test_fifty_megabytes_of_old_outputs_cost_nothing(sandbox: Sandbox) -> None:
    """What a notebook showed on the student's machine is neither looked at nor kept."""
    notebook = _notebook()
    made_up.cell(notebook, "plot")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": ["x" * 100 + "\n"] * 500_000}
    ]
    graded = _grade(sandbox, notebook)
    assert graded.result.score == 7
    assert graded.result.seconds < 15
    assert len(graded.notebook) < 200_000


def test_very_long_names_and_lines_are_graded(sandbox: Sandbox) -> None:
    """Of cells, of variables, of the student; a line of a hundred thousand characters too."""
    long = "x" * 5_000
    cell = made_up.code(long, f"{long} = 1\nnumbers = [{'1, ' * 30_000}]")
    data = json.dumps(_notebook(RIGHT, PAIR, cell)).encode()
    graded = grade_submission(Job("s" * 250, data), _task(), sandbox)
    assert (graded.result.student, graded.result.score) == ("s" * 250, 7)
    nbformat.validate(nbformat.reads(graded.notebook, as_version=4))


UNREADABLE = {
    "nothing": (None, "missing", "no notebook was handed in"),
    "text": (b"my homework", "unreadable", "not JSON"),
    "foreign": (b'{"cells": [{"cell_type": "code", "source": "1"}]}', "unreadable", "none of the assignment's cells"),
}


@pytest.mark.parametrize(("data", "status", "words"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_has_a_status_and_a_message(
    sandbox: Sandbox, data: bytes | None, status: str, words: str
) -> None:
    """Every exercise gets 0 with the reason, and there is a notebook that the formgrader can open."""
    graded = grade_submission(Job("ada", data), _task(), sandbox)
    assert (graded.result.status, graded.result.score, graded.result.max_score) == (status, 0, 7)
    assert words in graded.result.message
    assert words in _message(graded)
    assert len(json.loads(graded.notebook)["cells"]) >= len(MASTER.cells)


def test_a_forbidden_operation_withholds_the_points(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its exercise only, with its name; the submission is flagged."""
    task = _task()
    forbidden = made_up.changed(made_up.EXERCISE, forbidden=("torch.rsqrt",))
    monkeypatch.setitem(vars(task), "exercises", {**made_up.EXERCISES, forbidden.id: forbidden})
    graded = grade_submission(Job("ada", json.dumps(_notebook()).encode()), task, sandbox)
    assert graded.result.exercises["column-scale"].withheld == ("torch.Tensor.rsqrt",)
    assert graded.result.score == 2
    assert graded.result.flags == ("banned-operation",)


def test_values_that_break_the_comparison_cost_their_own_exercise_only(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the grader ever stumble over what a child made up, it fails closed."""
    real = engine.judge

    def stumble(key: Any, responses: Any) -> Any:
        if key.id == "column-scale" and not any(r.failure for r in responses.values()):
            raise RuntimeError("stumbled")
        return real(key, responses)

    monkeypatch.setattr(engine, "judge", stumble)
    graded = _grade(sandbox, _notebook())
    assert _message(graded) == "the answers cannot be judged (RuntimeError)"
    assert graded.result.score == 2


def test_whether_inputs_were_changed_is_found_outside(sandbox: Sandbox) -> None:
    """A child that says that it changed nothing is not believed."""
    changing = RIGHT.replace("deviation = x - middle", "deviation = x.sub_(middle)")
    patch = made_up.code(
        "own", "import course_lib.checking.drivers as d\nd.changed_inputs = d._equal = lambda *a: True"
    )
    graded = _grade(sandbox, _notebook(changing, PAIR, patch))
    assert graded.result.exercises["column-scale"].criteria["leaves-its-inputs-unchanged"] is False
    assert graded.result.flags == ("dynamic-code",)


@fuzz(25, full=10_000)
@given(notebook=any_notebook())
def test_any_notebook_is_graded(sandbox: Sandbox, notebook: dict[str, Any]) -> None:
    """Whatever it holds and does: every exercise has its points and reasons, and the formgrader can open the result."""
    graded = _grade(sandbox, notebook, cell_s=3, call_s=3)
    assert list(graded.result.exercises) == list(made_up.EXERCISES)
    assert 0 <= graded.result.score <= graded.result.max_score == 7
    for exercise in graded.result.exercises.values():
        assert exercise.message or exercise.score == exercise.max_score
    nbformat.validate(nbformat.reads(graded.notebook, as_version=4))


def test_a_late_submission_says_so(sandbox: Sandbox) -> None:
    """Status and flag; the points are those of a submission in time."""
    graded = grade_submission(Job("ada", json.dumps(_notebook()).encode(), late_s=60.0), _task(), sandbox)
    assert (graded.result.status, graded.result.flags, graded.result.score) == ("late", ("late",), 7)


def test_emptying_the_namespace_costs_nothing(sandbox: Sandbox) -> None:
    """Functions are asked for at the end; `%reset` in the middle must not take away those above it."""
    for magic in ("%reset -f", "get_ipython().run_line_magic('reset', '-f')", "%reset_selective -f column"):
        graded = _grade(sandbox, _notebook(RIGHT, PAIR.replace("def double", f"{magic}\n\n\ndef double", 1)))
        assert graded.result.exercises["column-scale"].score == 5, magic


def test_a_terminal_is_nobody_s(sandbox: Sandbox) -> None:
    """Two submissions could write to each other through one."""
    cell = made_up.code(
        "mine",
        "import os\nseen = os.listdir('/dev/pts') if os.access('/dev/pts', os.R_OK) else []\n"
        "try:\n    os.open('/dev/ptmx', os.O_RDWR)\n    opened = True\nexcept OSError:\n    opened = False\n"
        "print('seen', seen, 'opened', opened)",
    )
    cells = _read(_grade(sandbox, _notebook(RIGHT, PAIR, cell))).cells
    assert any("seen [] opened False" in output.get("text", "") for cell in cells for output in cell.get("outputs", ()))


def test_a_cell_of_an_earlier_release_is_no_edited_test(sandbox: Sandbox) -> None:
    """The instructor changed it after some had fetched the notebook: nobody is accused."""
    old = _notebook()
    made_up.cell(old, "column-scale")["source"] = "# run me\ncheck('column-scale', column_scale)"
    assert _grade(sandbox, old).result.flags == ("edited-tests",)
    earlier = frozenset({digest_of(made_up.cell(old, "column-scale")["source"])})
    task = dataclasses.replace(_task(), master=dataclasses.replace(MASTER, earlier=earlier))
    result = grade_submission(Job("ada", json.dumps(old).encode()), task, sandbox).result
    assert (result.flags, result.score) == ((), 7)
    assert result.notes == ("the locked cell column-scale is that of an earlier release; its released text is used",)
