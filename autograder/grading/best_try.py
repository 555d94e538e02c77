"""Which of a student's tries is graded: the last one, the one with the most automatic points, or one by its number.

To find the best, every try is graded in the sandbox once; none of that reaches the gradebook.  What a try earned is
kept beside it, for the same seed and the same exercises.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path

from autograder.course import Course
from autograder.errors import UsageError
from autograder.gradebook.adjustments import adjusted
from autograder.gradebook.rules import Rules
from autograder.gradebook.writer import GradebookWriter
from autograder.grading.batch import Options, grade_only
from autograder.grading.lock import hold
from autograder.grading.records import make_task
from autograder.results import SubmissionResult, read_result, result_path, write_result
from autograder.submissions.submission import Job, Submission, students_of
from autograder.submissions.tries import Tries, Try

__all__ = ["place_tries"]


def place_tries(
    course: Course, assignment: str, which: str, options: Options, *, show_progress: bool = False
) -> dict[str, int]:
    """Put the chosen try of every student into `submitted/`.

    Args:
        which: `best`, `last`, or a number; a student who has no try of that number keeps the last one.
        options: how to grade where that is needed.

    Returns:
        Student -> number, of those whose submission changed by it.

    Raises:
        UsageError: for another word.
        AutograderError: as grading does.
    """
    if which not in ("best", "last") and not (which.isdecimal() and int(which) > 0):
        raise UsageError(f"--which {which}: expected best, last or the number of a try", "as --which best")
    course.require(assignment)
    changed = {}
    students = students_of(course, assignment, options.students)
    with hold(course.root / ".autograder" / "lock"):
        several = {student: tries for student in students if (tries := Tries(course, assignment, student)).all()}
        if which.isdecimal() and not any(str(one.number) == which for tries in several.values() for one in tries.all()):
            most = max((one.number for tries in several.values() for one in tries.all()), default=0)
            has = f"the highest number is {most}" if most else "nothing was collected"
            raise UsageError(
                f"--which {which}: nobody has a try of that number; {has}", "autograder collect keeps every try"
            )
        choose = _best(course, assignment, several, options, show_progress) if which == "best" else _by(which)
        for student, tries in several.items():
            chosen = choose(student, tries.all())
            if tries.put_in_place(chosen.number):
                changed[student] = chosen.number
    return changed


Choice = Callable[[str, Sequence[Try]], Try]


def _by(which: str) -> Choice:
    def choose(_: str, tries: Sequence[Try]) -> Try:
        last = max(tries, key=lambda one: one.order)
        return next((one for one in tries if str(one.number) == which), last)

    return choose


def _best(course: Course, assignment: str, several: dict[str, Tries], options: Options, show_progress: bool) -> Choice:
    """Grade what has not been graded yet, and choose by the points that count, the later one of equals."""
    rules = Rules.of(course)
    task = make_task(course, assignment, seed=options.seed, limits=options.limits)
    results: dict[tuple[str, int], SubmissionResult] = {}
    waiting: dict[tuple[str, str], list[int]] = {}
    late: dict[tuple[str, int], float] = {}
    jobs: list[Job] = []
    with GradebookWriter(course.db_url, task.master, rules=rules) as book:
        for student, tries in several.items():
            known = tries.all()
            for one in known if len(known) > 1 else ():
                when = dt.datetime.fromisoformat(one.submitted) if one.submitted else None
                late[student, one.number] = book.late_s(student, when)
                job = Submission(tries.files(one.number), student).job(task.master)
                earlier = read_result(result_path(_graded(tries, one.number), student))
                if earlier is not None and (earlier.digest, earlier.seed, earlier.engine) == (
                    job.digest,
                    task.seed,
                    task.engine,
                ):
                    results[student, one.number] = earlier
                    continue
                if (student, job.digest) not in waiting:
                    jobs.append(job)
                waiting.setdefault((student, job.digest), []).append(one.number)
    if jobs:
        for graded in grade_only(course, task, jobs, options, show_progress=show_progress):
            student = graded.result.student
            for number in waiting[student, graded.result.digest]:
                results[student, number] = graded.result
                write_result(_graded(several[student], number), graded.result)

    def counts(student: str, one: Try) -> float:
        if (student, one.number) not in results:  # it could not be graded
            return -1.0
        (result,) = adjusted([results[student, one.number]], rules.of_exercises(assignment))
        penalty = rules.late.penalty(result.score, late[student, one.number]) if rules.late is not None else 0.0
        return round(result.score - penalty, 4)

    return lambda student, tries: max(tries, key=lambda one: (counts(student, one), one.order))


def _graded(tries: Tries, number: int) -> Path:
    """Where the result of a try is kept."""
    return tries.folder / f"{number}.graded"
