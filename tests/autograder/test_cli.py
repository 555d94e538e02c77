"""The command line: quick help, known errors as a line and a hint, bugs with their traceback."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import types
from pathlib import Path

import pytest

from autograder import cli
from autograder.course import Course
from autograder.errors import GradebookError
from tests.support.paths import ROOT


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A command `try` that needs no course; tests replace what it does."""
    module = types.ModuleType("autograder.commands.try")
    module.add_arguments = lambda parser: parser.add_argument("--number", type=int, default=0)
    module.run = lambda args, course: args.number
    monkeypatch.setitem(sys.modules, "autograder.commands.try", module)
    monkeypatch.setitem(cli.COMMANDS, "try", cli.Command("a trial", needs_course=False))
    monkeypatch.setenv("PATH", os.environ["PATH"])
    return module


def test_the_exit_status_is_the_commands(command: types.ModuleType) -> None:
    """What a command's `run` returns is what the shell sees."""
    assert cli.main(["try", "--number", "1"]) == 1


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "after it"])
def test_the_course_may_be_named_on_either_side(before: bool, command: types.ModuleType, tmp_path: Path) -> None:
    """`--course DIR` is an option of all commands."""
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n")
    seen: list[Course] = []
    command.run = lambda args, course: seen.append(course) or 0
    option = ["--course", str(tmp_path)]
    assert cli.main([*option, "try"] if before else ["try", *option]) == 0
    assert [course.root for course in seen] == [tmp_path.resolve()]


def test_a_known_error_is_a_line_and_a_hint(command: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback, exit status 2."""

    def run(args: argparse.Namespace, course: Course) -> int:
        raise GradebookError("the gradebook is in use", "wait")

    command.run = run
    assert cli.main(["try"]) == 2
    assert capsys.readouterr().err == "autograder: the gradebook is in use\nhint: wait\n"


def test_a_bug_keeps_its_traceback(command: types.ModuleType) -> None:
    """What nobody foresaw is not hidden behind a line."""

    def run(args: argparse.Namespace, course: Course) -> int:
        raise ZeroDivisionError

    command.run = run
    with pytest.raises(ZeroDivisionError):
        cli.main(["try"])


@pytest.mark.parametrize("words", [["--out", "{}/none/a.csv"], ["--out={}/none/a.csv"], ["{}/none"]])
def test_a_path_that_was_typed_is_named_in_one_line(
    command: types.ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """Whatever a command does with it; a file that nobody named is a bug and keeps its traceback."""
    typed = [word.format(tmp_path) for word in words]
    command.add_arguments = lambda parser: (parser.add_argument("--out"), parser.add_argument("place", nargs="?"))
    wanted = tmp_path / "none" / "a.csv" if "a.csv" in words[-1] else tmp_path / "none"

    def run(args: argparse.Namespace, course: Course) -> int:
        return len(wanted.read_text())

    command.run = run
    assert cli.main(["try", *typed]) == 2
    assert (
        capsys.readouterr().err == f"autograder: {wanted}: No such file or directory\nhint: is that the right path?\n"
    )
    with pytest.raises(FileNotFoundError):
        cli.main(["try", str(tmp_path / "other")])


def test_an_interrupt_says_how_to_go_on(command: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is no traceback either."""

    def run(args: argparse.Namespace, course: Course) -> int:
        raise KeyboardInterrupt

    command.run = run
    assert cli.main(["try"]) == 130
    assert "same command again" in capsys.readouterr().err


def test_an_unknown_command_gets_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    """`autograder grad` is answered with `grade`."""
    assert cli.main(["grad"]) == 2
    assert "did you mean 'grade'?" in capsys.readouterr().err


def test_an_unknown_option_is_wrong_use(command: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Options are never guessed from a prefix: what is graded must not hang on a typing error."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["try", "--num", "1"])
    assert caught.value.code == 2
    assert "--num" in capsys.readouterr().err


def test_outside_a_course_a_command_that_needs_one_says_so(
    command: types.ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and the option that helps."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["try"]) == 0
    monkeypatch.setitem(cli.COMMANDS, "try", cli.Command("a trial"))
    assert cli.main(["try"]) == 2
    assert "--course DIR" in capsys.readouterr().err


def test_programs_beside_this_python_are_found(command: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """nbgrader starts `alembic` by name, also where no environment is active."""
    monkeypatch.setenv("PATH", "/usr/bin")
    cli.main(["try"])
    assert os.environ["PATH"].split(os.pathsep) == [str(Path(sys.executable).parent), "/usr/bin"]


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_explains_its_arguments(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`autograder NAME --help` works for each command of the list."""
    with pytest.raises(SystemExit) as caught:
        cli.main([name, "--help"])
    assert caught.value.code == 0
    assert f"usage: autograder {name}" in capsys.readouterr().out


def test_help_lists_all_commands_without_waiting_for_torch() -> None:
    """Under 0.3 s of processor time; torch alone takes more than a second."""
    used = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "autograder.cli", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert all(f"  {name} " in done.stdout for name in cli.COMMANDS)
    assert min(used) < 0.3


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`autograder --version` names the program."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("autograder ")


def _program(*arguments: str, code: str = "") -> list[str]:
    """A command line of the program as installed; `code` is run in its process first."""
    return [sys.executable, "-c", f"from autograder import cli\n{code}\ncli.program()", *arguments]


def test_the_process_ends_with_the_commands_status_and_all_that_was_printed(tmp_path: Path) -> None:
    """Though modules are not taken apart at the end: output in a file, exit handlers, help, wrong use, a bug."""
    handler = "import atexit; atexit.register(lambda: print('handled'))"
    out = tmp_path / "out.txt"
    with out.open("wb") as file:
        assert subprocess.run(_program("--help", code=handler), stdout=file).returncode == 0
    assert out.read_text().startswith("usage: autograder")
    assert out.read_text().endswith("handled\n")
    wrong = subprocess.run(_program("grad"), capture_output=True, text=True)
    assert (wrong.returncode, "did you mean" in wrong.stderr) == (2, True)
    assert subprocess.run(_program("doctor", "--nonsense"), capture_output=True).returncode == 2
    bug = subprocess.run(_program(code="cli._run = lambda a: 1 / 0"), capture_output=True, text=True)
    assert (bug.returncode, "ZeroDivisionError" in bug.stderr) == (1, True)


def test_no_command_compiles_a_grammar_of_web_addresses() -> None:
    """A second of processor time at every start, for a format that no notebook has; notebooks are validated as ever."""
    code = """
import sys, autograder.grading.batch, nbformat
assert "jsonschema" in sys.modules and "lark" not in sys.modules
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
nbformat.validate(notebook)
notebook.cells[0].cell_type = "tune"
assert not nbformat.validator.isvalid(notebook)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_is_no_fault(unbuffered: str) -> None:
    """`autograder report ... | true` ends without a traceback, whether print or the end notices."""
    code = "import time\ncli._run = lambda arguments: time.sleep(0.5) or print('much') or 0"
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(
        _program(code=code), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_as_a_module_it_imports_nothing_from_the_working_directory(tmp_path: Path) -> None:
    """Which may be a student's folder; Python itself would look there first."""
    for name in ("argparse", "difflib", "torch", "rich"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this ran')\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-m", "autograder", "doctor", "--help"], cwd=tmp_path, env=environment, capture_output=True
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
