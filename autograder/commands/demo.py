"""The command `autograder demo`: makes the demonstration and shows the class."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.course import Course
from autograder.errors import CourseError
from autograder.results import SubmissionResult
from autograder.sample_class.classroom import Member
from autograder.sample_class.demo import Demo, demo

__all__ = ["add_arguments", "run", "show"]

_BAR = 12
_MAKE = (
    "  make lab          JupyterLab on the student version",
    "  make grade-lab    the written answers, graded by hand",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `autograder demo`."""
    parser.add_argument("--students", type=int, default=30, metavar="N", help="size of the class, default %(default)s")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where the copy of the course goes, default demo_course"
    )
    parser.add_argument("--assignment", metavar="ASSIGNMENT", help="default: the first of the course")
    parser.add_argument("--workers", type=int, metavar="N", help="processes, default one per processor")


def run(args: argparse.Namespace, course: Course) -> int:
    """Make the demonstration and show the class; 1 if somebody was not graded as expected."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    if not course.assignments:
        raise CourseError(f"{course.root} has no assignment with exercises", "autograder new assignment NAME makes one")
    made = demo(course, args.assignment or course.assignments[0], args.students, args.out, args.workers, console)
    return show(made, console)


def show(made: Demo, console: Console) -> int:
    """Print the class, who was not graded as expected, and what to do next; 1 if there is anybody such."""
    console.print()
    console.print(_table(made))
    wrong = [member for member in made.members if made.problems(member)]
    for member in wrong:
        console.print(Text(f"{member.student} ({member.kind}): {'; '.join(made.problems(member))}", style="red"))
    _print_paths(made, len(wrong), console)
    return 1 if wrong or made.batch.failed or made.feedback.failed else 0


def _table(made: Demo) -> Table:
    table = Table(title=f"A made-up class of {len(made.members)}: what each handed in, and what the grader says")
    for title in ("student", "handed in", "score", "status", "named mistakes"):
        table.add_column(title, no_wrap=title in ("student", "score"), overflow="fold")
    order = sorted(made.members, key=lambda member: (-_share(made.result(member)), member.student))
    for member in order:
        result = made.result(member)
        style = "red" if made.problems(member) else ""
        if result is None:
            table.add_row(member.student, member.kind, "", Text("not graded", "bold red"), "", style=style)
            continue
        slugs = dict.fromkeys(slug for exercise in result.exercises.values() for slug in exercise.misconceptions)
        status = Text(", ".join([result.status, *result.flags]), "" if result.status == "graded" else "yellow")
        table.add_row(member.student, member.kind, _score(result), status, ", ".join(slugs), style=style)
    return table


def _share(result: SubmissionResult | None) -> float:
    return result.score / result.max_score if result is not None and result.max_score else 0.0


def _score(result: SubmissionResult) -> Text:
    filled = round(_BAR * _share(result))
    return Text.assemble(
        ("█" * filled, "cyan"), ("░" * (_BAR - filled), "dim"), f" {result.score:4g} / {result.max_score:g}"
    )


def _print_paths(made: Demo, wrong: int, console: Console) -> None:
    batch, members = made.batch, len(made.members)
    interesting = next((member for member in made.members if member.kind == "misconceptions"), made.members[0])
    assignment, folder = shlex.quote(made.assignment), shlex.quote(str(made.course.root))
    lines = [
        "",
        f"{members - wrong} of {members} graded as expected, in {batch.seconds:.1f} s (sandbox: {batch.sandbox})",
        "",
        f"Report     {made.report}",
        f"Feedback   {made.course.feedback}; for instance of {interesting.student}:",
        f"           {_page_of(made, interesting)}",
        f"Gradebook  {made.course.root / 'gradebook.db'}",
        "",
        "Type next:",
        f"  {_program()} export --course {folder}    the marks as a table",
        f"  {_program()} grade {assignment} --force --course {folder}    the class again",
        *(_MAKE if Path("Makefile").is_file() else ()),
    ]
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def _program() -> str:
    """This program as it can be typed here, whether or not an environment is active."""
    return shlex.quote(os.path.relpath(Path(sys.executable).with_name("autograder")))


def _page_of(made: Demo, member: Member) -> Path | str:
    pages = sorted((made.course.feedback / member.student / made.assignment).glob("*.html"))
    return pages[0] if pages else "no page was made"
