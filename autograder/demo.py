"""`autograder demo`: the whole way from a source notebook to a class report, on a class made up for it.

The course's notebooks are copied into a folder of their own; release, submissions, gradebook, feedback and report are
made there, so that nothing of a real course is touched.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.batch import Batch, Options, grade_course
from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercises import ASSIGNMENTS, assignment_named
from autograder.feedback import Feedback, make_feedback
from autograder.release import release
from autograder.report import write_report
from autograder.results import SubmissionResult
from autograder.sample_class import Member, make_class
from autograder.sandbox import probe

__all__ = ["Demo", "add_arguments", "demo", "run", "show"]

_MARK = ".autograder-demo"
_BAR = 12


@dataclass(frozen=True)
class Demo:
    """What the demonstration made.

    Attributes:
        course: the copy of the course.
        members: the class, with what grading must find in each.
        feedback: the students' pages.
    """

    course: Course
    assignment: str
    members: tuple[Member, ...]
    batch: Batch
    feedback: Feedback
    report: Path

    def result(self, member: Member) -> SubmissionResult | None:
        """A member's result; None if the grader could not grade it."""
        return next((found for found in self.batch.results if found.student == member.student), None)

    def problems(self, member: Member) -> list[str]:
        """How a member's result differs from what was expected."""
        result = self.result(member)
        return ["not graded"] if result is None else member.expectation.problems(result)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `autograder demo`."""
    parser.add_argument("--students", type=int, default=30, metavar="N", help="size of the class, default %(default)s")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where the copy of the course goes, default demo_course"
    )
    parser.add_argument("--assignment", default=next(iter(ASSIGNMENTS)), help="default %(default)s")
    parser.add_argument("--workers", type=int, metavar="N", help="processes, default one per processor")


def run(args: argparse.Namespace, course: Course) -> int:
    """Make the demonstration and show the class; 1 if somebody was not graded as expected."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    made = demo(course, args.assignment, args.students, args.out, args.workers, console)
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


def demo(
    course: Course,
    assignment: str,
    students: int = 30,
    out: Path | None = None,
    workers: int | None = None,
    console: Console | None = None,
) -> Demo:
    """Release, make a class, grade it, give feedback, report.

    Args:
        course: the course whose notebooks are copied.
        students: size of the class.
        out: folder of the copy; ``demo_course`` in the working directory by default.
        workers: processes that grade.
        console: where progress is told; nowhere by default.

    Raises:
        AutograderError: as the steps do.
    """
    assignment_named(assignment)
    if students < 1:
        raise CourseError(f"a class of {students} students cannot be made", "--students takes a number from 1")
    tell = console or Console(quiet=True)
    copy = _copy_course(course, assignment, (out or Path("demo_course")).resolve())
    _step(tell, 1, f"Releasing {assignment}: checks, student version, answers as numbers")
    released = release(copy, [assignment], copy.root / "bundle")
    row = released.rows[0]
    tell.print(f"  {row.exercises} exercises, {row.automatic:g} automatic and {row.written:g} written points")
    sandbox = probe()
    _step(tell, 2, f"Making a class of {students}")
    members = make_class(copy, assignment, students, hostile=sandbox.ok)
    _enrol(copy, members)
    if not sandbox.ok:
        tell.print(
            f"  no sandbox works here: {sandbox.reason}; the class goes without its hostile members", style="yellow"
        )
        tell.print(f"  {sandbox.hint}", style="yellow")
    _step(tell, 3, "Grading in the sandbox" if sandbox.ok else "Grading without a sandbox")
    options = Options(workers=workers, seed=1, sandbox="bwrap" if sandbox.ok else "none", force=True)
    batch = grade_course(copy, assignment, options, show_progress=console is not None)
    _step(tell, 4, "Feedback for every student, and the class report")
    feedback = make_feedback(copy, assignment, show_progress=console is not None)
    return Demo(copy, assignment, tuple(members), batch, feedback, write_report(copy, assignment))


def _step(console: Console, number: int, what: str) -> None:
    console.print(Text.assemble((f"{number}/4 ", "bold cyan"), (what, "bold"), (time.strftime("  %H:%M:%S"), "dim")))


def _copy_course(course: Course, assignment: str, out: Path) -> Course:
    """A fresh copy of the course's configuration and of one assignment.

    Raises:
        CourseError: if the folder holds something that no demonstration made.
    """
    if out.exists() and not (out / _MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise CourseError(f"{out} exists and was not made by `autograder demo`", "name another folder: --out DIR")
    if not (course.source / assignment).is_dir():
        raise CourseError(f"there is no folder {course.source / assignment}", "is --course DIR the course's folder?")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / _MARK).write_text("made by `autograder demo`, which replaces this folder\n")
    return course.copy(out, [assignment])


def _enrol(course: Course, members: Sequence[Member]) -> None:
    """Names and addresses into the gradebook, as an instructor imports them."""
    with Gradebook(course.db_url) as gradebook:
        for member in members:
            person = member.person
            gradebook.update_or_create_student(
                person.id, first_name=person.first_name, last_name=person.last_name, email=person.email
            )


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
    assignment = made.assignment
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
        f"  {_program()} export --course {made.course.root}    the marks as a table",
        f"  {_program()} grade {assignment} --force --course {made.course.root}    the class again",
        "  make lab          JupyterLab on the student version",
        "  make grade-lab    JupyterLab with formgrader, for the written answers",
    ]
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def _program() -> str:
    """This program as it can be typed here, whether or not an environment is active."""
    return os.path.relpath(Path(sys.executable).with_name("autograder"))


def _page_of(made: Demo, member: Member) -> Path | str:
    pages = sorted((made.course.feedback / member.student / made.assignment).glob("*.html"))
    return pages[0] if pages else "no page was made"
