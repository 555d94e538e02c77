"""The command `autograder`: finds the course, runs one command, turns known errors into a line and a hint.

Each command is a module in `autograder/commands/` with `add_arguments(parser)` and `run(args, course) -> exit status`.
It is imported when it is asked for, so that `autograder --help` does not wait for torch.
"""

from __future__ import annotations

import argparse
import atexit
import difflib
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from autograder.course import Course
from autograder.errors import OF_THE_MACHINE, AutograderError, CourseError, UsageError

__all__ = ["COMMANDS", "Command", "main", "program"]


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        summary: what it does, for the list of commands.
        needs_course: whether it fails outside a course folder.
    """

    summary: str
    needs_course: bool = True


_BROKEN_PIPE = 141

COMMANDS = {
    "doctor": Command("what this machine can do: sandbox, GPU, gradebook, versions", needs_course=False),
    "new": Command("begin a course, an assignment, an exercise or a known mistake", needs_course=False),
    "rehearse": Command(
        "try exercises before students do: right answers pass, known mistakes are named at their price"
    ),
    "release": Command("make the students' version of assignments, with answer data"),
    "collect": Command("bring a download of Moodle or Canvas, or folders of files, into the course"),
    "grade": Command("grade submissions in the sandbox, into the gradebook"),
    "feedback": Command("make the students' feedback pages"),
    "report": Command("what the class can do and where it errs, as one HTML file"),
    "similar": Command("what two submissions have in common that others have not, side by side"),
    "export": Command("marks as a table: csv, canvas or moodle"),
    "gradebook": Command("move the gradebook to another database, as PostgreSQL"),
    "demo": Command("release, make a sample class, grade it, report"),
}


def program() -> NoReturn:
    """The process behind the command `autograder`: as `main`, without the seconds that Python wastes around it.

    While torch and nbgrader are imported, garbage is looked for seldom, and the grammar of international addresses,
    which jsonschema would have a parser made for, is not found; at the end modules are not taken apart.
    """
    gc.set_threshold(200_000, 20, 20)
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    try:
        status = main()
    except SystemExit as ended:  # argparse
        if not isinstance(ended.code, int | None):
            raise
        status = ended.code or 0
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        status = _BROKEN_PIPE
    os._exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status (0 done, 1 something could not be graded, 2 wrong use)."""
    # nbgrader calls the program `alembic` by name: it lies beside this Python, also when no environment is active.
    # jsonschema builds a grammar of addresses when it is imported, which takes 0.9 s, more than all of nbgrader, and is
    # asked for by no notebook's schema.  Without this package it does without.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _run(words)
    except AutograderError as error:
        return _told(error)
    except KeyboardInterrupt:
        print("autograder: interrupted; the same command again goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output (`| head`) has seen enough; Python must not complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError as error:
        if error.errno in OF_THE_MACHINE:
            hint = f"{OF_THE_MACHINE[error.errno]}; then the same command goes on from here"
        elif _is_named(error.filename, words):
            hint = "is that the right path?"
        else:
            raise
        where = f"{error.filename}: " if error.filename else ""
        return _told(AutograderError(f"{where}{error.strerror}", hint))
    except Exception as error:
        if (type(error).__module__, type(error).__name__) != ("sqlalchemy.exc", "OperationalError"):
            raise
        from autograder.gradebook.opening import refusal  # takes a second

        return _told(refusal(error))


def _told(error: AutograderError) -> int:
    print(f"autograder: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
    return error.exit_status


def _is_named(path: object, words: Sequence[str]) -> bool:
    """Whether a path stands among the words of the command, or a folder on the way to one that does."""
    if not isinstance(path, str | os.PathLike):
        return False
    values = (word.partition("=")[2] if word.startswith("--") else word for word in words)
    place = os.path.abspath(path)
    return any(f"{os.path.abspath(value)}{os.sep}".startswith(f"{place}{os.sep}") for value in values if value)


def _run(arguments: Sequence[str]) -> int:
    first = _top_parser().parse_args(arguments)
    if first.command is None:
        _top_parser().print_help()
        return 2
    command = _command_named(first.command)
    module = importlib.import_module(f"autograder.commands.{first.command}")
    args = _command_parser(first.command, command, module).parse_args(first.rest)
    course = _course(args.course or first.course, command)
    return int(module.run(args, course))


def _top_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="autograder",
        usage="autograder [--course DIR] COMMAND ...",
        description="Releases and grades the course's notebooks.",
        epilog=f"commands:\n{listing}\n\nautograder COMMAND --help tells more about each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    _add_course(parser)
    parser.add_argument("command", nargs="?", metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _command_parser(name: str, command: Command, module: ModuleType) -> argparse.ArgumentParser:
    description = command.summary[0].upper() + command.summary[1:] + "."
    parser = argparse.ArgumentParser(prog=f"autograder {name}", description=description, allow_abbrev=False)
    module.add_arguments(parser)
    _add_course(parser)
    return parser


def _add_course(parser: argparse.ArgumentParser) -> None:
    what = "the folder with nbgrader_config.py; by default this one or the nearest above it"
    parser.add_argument("--course", type=Path, metavar="DIR", help=what)


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: that takes longer than all else before a command starts."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the version and exit."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("cnn-course-notebooks")
        except PackageNotFoundError:  # run from a checkout that is not installed
            found = "(not installed)"
        print(f"autograder {found}")
        parser.exit()


def _command_named(name: str) -> Command:
    if name in COMMANDS:
        return COMMANDS[name]
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "autograder --help lists them with what they do"
    raise UsageError(f"unknown command {name!r}; there are: {', '.join(COMMANDS)}", hint)


def _course(folder: Path | None, command: Command) -> Course | None:
    try:
        return Course.find(folder)
    except CourseError:
        if command.needs_course or folder is not None:
            raise
        return None


if __name__ == "__main__":
    program()
