"""The demonstration: the whole way from a source notebook to a class report, on a class made up for it.

The course's notebooks are copied into a folder of their own; release, submissions, gradebook, feedback and report are
made there, so that nothing of a real course is touched.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from autograder.course import Course
from autograder.errors import CourseError
from autograder.gradebook.opening import open_gradebook
from autograder.grading.batch import Batch, Options, grade_course
from autograder.pages.feedback import Feedback, make_feedback
from autograder.pages.report import write_report
from autograder.releasing.release import release
from autograder.results import SubmissionResult
from autograder.sample_class.classroom import Member, make_class
from autograder.sandbox import probe

__all__ = ["Demo", "demo"]

_MARK = ".autograder-demo"


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
    course.require(assignment)
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
    with open_gradebook(course.db_url) as gradebook:
        for member in members:
            person = member.person
            gradebook.update_or_create_student(
                person.id, first_name=person.first_name, last_name=person.last_name, email=person.email
            )
