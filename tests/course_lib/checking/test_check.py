"""The instant check: what a student sees, what it raises, how fast, and that it stays quiet on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from autograder.exercise import Exercise
from autograder.releasing.answers import PUBLIC_SEED, write_answers
from course_lib.checking import answers, progress
from course_lib.checking import check as checking
from course_lib.checking.check import check, examine
from course_lib.checking.errors import AnswersMissingError, CheckFailedError, CheckUsageError, UnknownExerciseError
from course_lib.checking.keys import Failure
from tests.support import made_up
from tests.support.course import ASSIGNMENTS
from tests.support.paths import ROOT

ALL = [exercise for exercises in ASSIGNMENTS.values() for exercise in exercises.values()]
NESTED = st.recursive(st.none() | st.integers() | st.text(max_size=9), st.lists)


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with answer data, as the current one."""
    write_answers(made_up.ASSIGNMENT, tmp_path / "answers", made_up.EXERCISES)
    monkeypatch.setenv(answers.ENVIRONMENT_VARIABLE, str(tmp_path / "answers"))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stub(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> torch.Tensor:
    """What the released notebook holds."""
    raise NotImplementedError


def broken(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> torch.Tensor:
    """Stops at a line that a student must find."""
    weights = gamma[:-1]
    return x @ weights


def test_a_right_function_passes_returns_none_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A pass shows the points and writes nothing to stderr."""
    assert check("column-scale", made_up.reference) is None  # type: ignore[func-returns-value]
    out, err = capsys.readouterr()
    assert "✓ column-scale: 5 of 5 points" in out
    assert err == ""


def test_a_known_mistake_is_named_with_its_first_wrong_element(capsys: pytest.CaptureFixture[str]) -> None:
    """The card gives the hint, the element that is wrong, and what is expected there."""
    with pytest.raises(CheckFailedError, match=r"^column-scale: 4 of 5 points$"):
        check("column-scale", made_up.unbiased)
    out, err = capsys.readouterr()
    assert "The sum was divided by `N - 1`" in out
    assert "`y[0, 0]`, is -1 and should be -1.22474" in out
    assert err == ""


def test_a_failed_check_is_an_assertion_error() -> None:
    """Stock nbgrader and `nbgrader validate` see a failed test."""
    with pytest.raises(AssertionError):
        check("column-scale", made_up.unbiased)


def test_a_stub_is_called_open_not_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """Work that was not begun is not reported as a mistake."""
    with pytest.raises(CheckFailedError, match="not implemented yet"):
        check("column-scale", stub)
    assert "○ column-scale: 0 of 5 points (open)" in capsys.readouterr().out


def test_an_exception_is_shown_with_the_students_line_and_the_shapes(capsys: pytest.CaptureFixture[str]) -> None:
    """The exception, the line of the student's own code, the case and its shapes are all there."""
    with pytest.raises(CheckFailedError):
        check("column-scale", broken)
    out = capsys.readouterr().out
    line = broken.__code__.co_firstlineno + 3
    assert "stopped with `RuntimeError" in out
    assert f"in line {line}, `return x @ weights`" in " ".join(out.split())
    assert "x: (3, 2) float32" in out


def test_a_wrong_signature_names_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A function that cannot be called at all is told how it must be callable."""
    with pytest.raises(CheckFailedError):
        check("column-scale", lambda x: x)
    assert "must be callable as `column_scale(x, gamma, eps)`" in capsys.readouterr().out


def test_noise_of_the_students_code_never_reaches_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """Warnings become remarks on the card; text for stderr goes to stdout."""

    def noisy(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
        warnings.warn("old function", DeprecationWarning, stacklevel=1)
        print("progress", file=sys.stderr)
        return made_up.reference(x.requires_grad_(), gamma, eps)

    check("column-scale", noisy)
    out, err = capfd.readouterr()
    assert "Your code warns: old function" in out
    assert err == ""


def test_results_that_still_carry_gradients_are_judged_like_any_other() -> None:
    """A function that was written with autograd passes."""

    def with_graph(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
        return made_up.reference(x, gamma.clone().requires_grad_(), eps)

    check("column-scale", with_graph)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        pytest.param(("colum-scale", stub), UnknownExerciseError, "did you mean 'column-scale'", id="misspelt"),
        pytest.param(("zzz", stub), UnknownExerciseError, "there are: column-scale, pair", id="unknown"),
        pytest.param(("column-scale",), CheckUsageError, "expected one object", id="nothing given"),
        pytest.param(("column-scale", stub, stub), CheckUsageError, "got 2", id="too many"),
        pytest.param(("column-scale", torch.ones(2)), CheckUsageError, "tensor of shape", id="a result"),
        pytest.param(("column-scale", None), CheckUsageError, "should be a function", id="None"),
    ],
)
def test_wrong_use_is_explained(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    """Wrong arguments give one line that says what to write."""
    with pytest.raises(error, match=message):
        check(*arguments)


def test_two_functions_in_the_wrong_order_are_noticed() -> None:
    """A pair given in the wrong order is a slip of the call, not a wrong answer."""

    def double(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    def halve(x: torch.Tensor) -> torch.Tensor:
        return x / 2

    check("pair", double, halve)
    with pytest.raises(CheckUsageError, match=r"check\(\"pair\", double, halve\)"):
        check("pair", halve, double)


def test_the_inputs_of_a_check_survive_a_function_that_spoils_them() -> None:
    """A second check sees fresh inputs, whatever the first did to its own."""

    def spoils(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
        result = made_up.reference(x, gamma, eps)
        x.fill_(float("nan"))
        return result

    with pytest.raises(CheckFailedError, match=r"4\.5 of 5"):
        check("column-scale", spoils)
    check("column-scale", made_up.reference)


def test_missing_answers_say_what_to_do(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both readers of the message, student and instructor, learn their next step."""
    monkeypatch.setattr(answers, "answer_folders", lambda: (workplace / "nowhere",))
    with pytest.raises(AnswersMissingError, match=r"autograder release ASSIGNMENT") as caught:
        check("column-scale", stub)
    assert "unpack the course bundle again" in str(caught.value)


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(0, 4000), junk=st.binary(max_size=40))
def test_damaged_answers_are_reported_not_raised_raw(cut: int, junk: bytes) -> None:
    """Whatever happened to the file, the message says it is damaged and what to do."""
    path = Path(os.environ[answers.ENVIRONMENT_VARIABLE]) / f"{made_up.ASSIGNMENT}.safetensors"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:cut] + junk)
        with pytest.raises(CheckUsageError):
            check("column-scale", stub)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(("version", "words"), [(2, "an older version"), (99, "a newer version")])
def test_answers_of_another_version_say_so_and_leave_the_others_alone(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, version: int, words: str
) -> None:
    """In one line, with what to do; what lies beside them can be used all the same."""
    monkeypatch.setattr(answers, "_FORMAT", f"course answers {version}")
    write_answers("07_other", workplace / "answers", {"other": made_up.changed(made_up.PAIR, id="other")})
    monkeypatch.undo()
    monkeypatch.setenv(answers.ENVIRONMENT_VARIABLE, str(workplace / "answers"))
    assert answers.load_key("column-scale").id == "column-scale"
    with pytest.raises(AnswersMissingError) as caught:
        answers.load_key("other")
    assert words in str(caught.value)
    assert "download the course bundle again" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_call_of_exit_is_shown_like_any_exception(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the first call nor the one that looks for the line ends the kernel."""

    def leaves(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> Any:
        return sys.exit("enough") if eps > 1e-3 else made_up.reference(x, gamma, eps)

    with pytest.raises(CheckFailedError):
        check("column-scale", leaves)
    assert "stopped with `SystemExit: enough`" in " ".join(capsys.readouterr().out.split())


def test_a_key_survives_the_answer_file() -> None:
    """The shipped key equals the one it was made from, failures' messages excepted."""
    made = made_up.EXERCISE.make_key(PUBLIC_SEED)
    read = answers.load_key("column-scale")
    assert read.signatures == made.signatures
    assert read.criteria == made.criteria
    for one, other in zip(read.cases, made.cases, strict=True):
        assert (one.name, one.function, one.driver, one.outputs) == (
            other.name,
            other.function,
            other.driver,
            other.outputs,
        )
        for name in made_up.EXERCISE.returns:
            assert torch.equal(one.expected[name], other.expected[name])
    for one_print, other_print in zip(read.misconceptions, made.misconceptions, strict=True):
        assert (one_print.slugs, one_print.hints, one_print.loses, one_print.prices) == (
            other_print.slugs,
            other_print.hints,
            other_print.loses,
            other_print.prices,
        )
        assert set(one_print.footprint) == set(other_print.footprint)


def test_answers_quote_no_line_of_a_wrong_answer() -> None:
    """A wrong answer that raises is stored by its exception's kind alone."""
    found = next(m for m in answers.load_key("column-scale").misconceptions if m.slugs == ("wrong-product",))
    kinds = {seen.kind for seen in found.footprint.values() if isinstance(seen, Failure)}
    assert kinds == {"RuntimeError"}
    data = (Path(os.environ[answers.ENVIRONMENT_VARIABLE]) / f"{made_up.ASSIGNMENT}.safetensors").read_bytes()
    assert b"secret_line_of_a_wrong_answer" not in data
    assert b"mat1" not in data


def test_equal_exercises_give_equal_answer_files(tmp_path: Path) -> None:
    """The bundle can be rebuilt byte for byte."""
    one = write_answers(made_up.ASSIGNMENT, tmp_path / "one", made_up.EXERCISES)
    two = write_answers(made_up.ASSIGNMENT, tmp_path / "two", made_up.EXERCISES)
    assert one.read_bytes() == two.read_bytes()


def test_a_new_release_is_seen_without_a_restart(tmp_path: Path) -> None:
    """The cache follows the file."""
    folder = Path(os.environ[answers.ENVIRONMENT_VARIABLE])
    assert answers.exercise_ids(made_up.ASSIGNMENT) == ("column-scale", "pair")
    write_answers(made_up.ASSIGNMENT, folder, {"pair": made_up.PAIR})
    assert answers.exercise_ids(made_up.ASSIGNMENT) == ("pair",)


@pytest.mark.parametrize("function", [made_up.reference, made_up.unbiased, broken], ids=["right", "wrong", "raises"])
def test_a_check_answers_within_200_ms(function: Callable[..., Any]) -> None:
    """Loading the answers, running, judging and showing together stay under the promised time."""
    seconds = []
    for _ in range(3):
        answers._read_key.cache_clear()
        start = time.perf_counter()
        with contextlib.suppress(CheckFailedError):
            check("column-scale", function)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.2


@pytest.mark.parametrize("exercise", ALL, ids=lambda exercise: exercise.id)
def test_every_check_of_the_course_answers_within_200_ms(exercise: Exercise) -> None:
    """A wrong answer costs most: it is diagnosed and explained.  Time of this process: the machine may be busy."""
    folder = Path(os.environ[answers.ENVIRONMENT_VARIABLE])
    write_answers("one", folder, {exercise.id: exercise})
    wrong = exercise.namespace(exercise.misconceptions[0].wrong)
    seconds = []
    for _ in range(3):
        answers._read_key.cache_clear()
        start = time.process_time()
        with pytest.raises(CheckFailedError):
            check(exercise.id, *(wrong[name] for name in exercise.names))
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.2


def test_in_a_notebook_a_failure_is_one_line_and_the_card_is_html(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under IPython no frame of the library is shown, and the rich card is displayed once."""
    shown: list[Any] = []
    shell = InteractiveShell.instance()
    try:
        monkeypatch.setattr("IPython.display.display", shown.append)
        shell.user_ns.update(check=check, f=made_up.unbiased)
        shell.run_cell('check("column-scale", f)')
        out, err = capsys.readouterr()
    finally:
        InteractiveShell.clear_instance()
    assert "CheckFailedError: column-scale: 4 of 5 points" in out
    assert "Traceback" not in out
    assert "checking.py" not in out
    assert err == ""
    assert [list(card._repr_mimebundle_()) for card in shown] == [["text/html", "text/plain"]]


def test_a_terminal_without_unicode_gets_words() -> None:
    """The signs have substitutes where the encoding lacks them."""
    code = "from course_lib.lab import display; display.show(None, '✓ right “x” é')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert done.stdout.strip() == b'[ok] right "x" ?'
    assert done.stderr == b""


def test_what_cannot_travel_to_the_grader_does_not_pass_here() -> None:
    """An object that imitates equality is judged as the thing it is, exactly as in grading."""

    class Equal:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    verdict, _, _ = examine(answers.load_key("column-scale"), [lambda x, gamma, eps: (Equal(), Equal())])
    assert verdict.score == 0


def test_progress_is_kept_and_counts_the_exercises_that_pass(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two exercises, one passed: `progress` says so, also to a fresh reader of the file."""
    check("column-scale", made_up.reference)
    with pytest.raises(CheckFailedError):
        check("pair", lambda x: x, lambda x: x)
    capsys.readouterr()
    progress.progress(made_up.ASSIGNMENT)
    assert capsys.readouterr().out.strip() == "1 of 2 exercises pass. Next: pair"
    assert progress.read_progress(workplace) == {"column-scale": True, "pair": False}


def test_the_next_exercise_is_a_link_to_its_heading(workplace: Path) -> None:
    """As students read it, and with the name that JupyterLab gives the heading; the id only where there is none."""
    cells = [
        {"id": "text", "cell_type": "markdown", "source": ["# T\n", "\n", "## Implement: `pair`, `other` <1>\n", "x"]},
        {"id": "pair", "cell_type": "code", "source": "check()"},
    ]
    (workplace / "renamed.ipynb").write_text(json.dumps({"cells": cells}))
    (workplace / "damaged.ipynb").write_text("{")
    assert progress.place_of("pair", workplace) == progress.Place(
        "Implement: pair, other <1>", "#Implement:-pair,-other-%3C1%3E"
    )
    assert progress.place_of("column-scale", workplace) == progress.Place("column-scale", "")
    progress.record("column-scale", True)
    html = progress.progress_of(made_up.ASSIGNMENT)._repr_mimebundle_()["text/html"]
    assert "<a href='#Implement:-pair,-other-%3C1%3E'>Implement: pair, other &lt;1&gt;</a>" in html


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=60) | NESTED.map(lambda value: json.dumps({"exercises": value}).encode()))
def test_a_damaged_progress_file_counts_as_empty_and_is_replaced(content: bytes) -> None:
    """No content of the file can break a check."""
    Path(progress.FILE_NAME).write_bytes(content)
    assert progress.read_progress(Path()) == {}
    progress.record("pair", True)
    assert progress.read_progress(Path()) == {"pair": True}


def test_a_check_works_where_nothing_can_be_written(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unwritable folder costs the memory, not the check."""
    blocked = workplace / "file"
    blocked.write_text("not a folder")
    monkeypatch.setattr(checking, "record", lambda name, passed: progress.record(name, passed, blocked))
    check("column-scale", made_up.reference)
    assert blocked.read_text() == "not a folder"


def test_grading_leaves_no_progress_behind(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file belongs to the student's folder, not to the graded copy."""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    check("column-scale", made_up.reference)
    assert not (workplace / progress.FILE_NAME).exists()
