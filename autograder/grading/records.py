"""What a course keeps about graded submissions, written so that a cut-off run can be completed exactly.

Each submission is written in three steps: the autograded notebook, the gradebook (one transaction), the result file.
The result file is taken away first and comes last: where it is, the other two are, and are of the same bytes.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from dataclasses import replace
from pathlib import Path

import nbformat

from autograder.course import Course
from autograder.errors import CourseError
from autograder.gradebook.graded import Graded
from autograder.gradebook.writer import GradebookWriter
from autograder.grading.marking import lost
from autograder.grading.task import Task
from autograder.releasing.earlier import known_texts
from autograder.results import Status, SubmissionResult, read_result, result_path, write_result
from autograder.sandbox import Limits
from autograder.submissions.notebook import Master
from autograder.submissions.submission import Job, Submission
from autograder.whole_files import write_whole

__all__ = [
    "is_done",
    "keep_beside",
    "load_master",
    "make_task",
    "note_lateness",
    "secret_seed",
    "write",
    "write_ungraded",
]


def load_master(course: Course, assignment: str) -> Master:
    """The released notebook of an assignment.

    Raises:
        UnknownAssignmentError: for an unknown name.
        CourseError: if it is not released.
    """
    course.require(assignment)
    folder = course.release / assignment
    notebooks = sorted(folder.glob("*.ipynb"))
    if len(notebooks) != 1:
        found = f"found {len(notebooks)} notebooks" if folder.is_dir() else "there is no such folder"
        raise CourseError(
            f"expected one released notebook in {folder}; {found}", f"run: autograder release {assignment}"
        )
    text = notebooks[0].read_text(encoding="utf-8")
    nbformat.reads(text, as_version=4)
    return Master(assignment, notebooks[0].stem, text, known_texts(course.root, assignment))


def make_task(
    course: Course, assignment: str, *, seed: int | None = None, limits: Limits | None = None, device: str = "cpu"
) -> Task:
    """An assignment of a course, ready to be graded; what is not given is the course's own.

    Raises:
        UnknownAssignmentError, CourseError: as `load_master`.
    """
    master = load_master(course, assignment)
    seed = secret_seed(course, assignment) if seed is None else seed
    task = Task(master, course.code, str(seed), limits or Limits.of_course(course.config, assignment), device)
    for name, exercise in task.exercises.items():
        released = master.cells[name].metadata.nbgrader.points if name in master.cells else None
        if released is not None and abs(released - exercise.points) > 1e-9:
            raise CourseError(
                f"{name}: the released notebook gives {released:g} points, the exercise's criteria {exercise.points:g}",
                f"run: autograder release {assignment}",
            )
    return task


def secret_seed(course: Course, assignment: str) -> int:
    """The seed of the hidden cases: drawn once, kept beside the results, readable by the instructor only."""
    path = course.root / ".autograder" / assignment / "seed.json"
    if path.is_file():
        try:
            return int(json.loads(path.read_text(encoding="utf-8"))["seed"])
        except (ValueError, KeyError, TypeError) as error:
            hint = "remove it to draw a new one; all submissions are graded again then"
            raise CourseError(f"{path} holds no seed", hint) from error
    seed = secrets.randbits(48)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"seed": seed}), mode=0o600)
    return seed


def is_done(course: Course, job: Job, task: Task, sandbox: str, book: GradebookWriter) -> bool:
    """Whether these bytes were graded with this seed by this grader, and all that was to be written is there."""
    result = read_result(result_path(course.results(book.master.assignment), job.student))
    if result is None or (result.digest, result.seed, result.sandbox) != (job.digest, task.seed, sandbox):
        return False
    if result.engine != task.engine:
        return False
    return _notebook_path(course, book.master, job.student).is_file() and book.holds(job.student)


def note_lateness(course: Course, book: GradebookWriter, job: Job) -> dt.datetime | None:
    """Bring what is kept about a graded submission up to date where its due date or its time has changed.

    No code is run again: what was earned does not depend on the time.

    Returns:
        When it was handed in, if known.
    """
    folder = course.results(book.master.assignment)
    result = read_result(result_path(folder, job.student))
    is_late = job.late_s > 0
    if result is not None and ("late" in result.flags) != is_late:
        flags = tuple(flag for flag in result.flags if flag != "late")
        status: Status = result.status
        if status in ("graded", "late"):
            status = "late" if is_late else "graded"
        write_result(folder, replace(result, status=status, flags=(*flags, *(["late"] if is_late else []))))
    path = _notebook_path(course, book.master, job.student)
    return keep_beside(path.parent, Submission.of(course, book.master.assignment, job.student))


def write(course: Course, book: GradebookWriter, graded: Graded) -> dt.datetime | None:
    """Write a submission's three records.

    Returns:
        When it was handed in, if known.
    """
    result = graded.result
    results = course.results(result.assignment)
    path_of_result = result_path(results, result.student)
    known = read_result(path_of_result)
    path_of_result.unlink(missing_ok=True)
    path = _notebook_path(course, book.master, result.student)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, graded.notebook)
    when = keep_beside(path.parent, Submission.of(course, result.assignment, result.student))
    before = known.written if known is not None else {}
    unchanged = frozenset(name for name, text in result.written.items() if before.get(name) == text)
    book.write(graded, when, unchanged)
    write_result(results, result)
    return when


def write_ungraded(course: Course, task: Task, student: str, reason: str) -> SubmissionResult:
    """Write down that the grader itself could not grade a submission, unless an earlier result stands.

    The gradebook gets nothing, for that would be a score; the next run tries again.
    """
    exercises = {name: lost(exercise, reason).result for name, exercise in task.exercises.items()}
    result = SubmissionResult(student, task.assignment, "ungraded", exercises, message=reason, notes=(reason,))
    folder = course.results(task.assignment)
    if read_result(result_path(folder, student)) is None:
        write_result(folder, result)
    return result


def keep_beside(folder: Path, submission: Submission) -> dt.datetime | None:
    """Put what nbgrader keeps beside an autograded notebook there: when it was handed in, and the exchange's secret.

    They are read and written anew, never copied: in a submission they can be links to anything.
    """
    when = submission.timestamp()
    text = f"{when.isoformat(' ')} UTC\n" if when is not None else ""
    if text and not _holds(folder / "timestamp.txt", text):
        write_whole(folder / "timestamp.txt", text)
    secret = submission.secret()
    # Without it `nbgrader release_feedback` finds no name for the page.
    if secret and not _holds(folder / "submission_secret.txt", secret):
        write_whole(folder / "submission_secret.txt", secret)
    return when


def _notebook_path(course: Course, master: Master, student: str) -> Path:
    return course.autograded / student / master.assignment / f"{master.notebook}.ipynb"


def _holds(path: Path, text: str) -> bool:
    try:
        return not path.is_symlink() and path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False
