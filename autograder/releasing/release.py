"""`autograder release`: from source notebooks to what students get, with a proof that no solution goes along.

The steps: check the source, let nbgrader make the released notebook and its gradebook entries, record its widgets,
write the answer data, build the bundle, search it.
"""

from __future__ import annotations

import copy
import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SQLAlchemyError

from autograder.course import Course
from autograder.errors import OF_THE_MACHINE, AutograderError, CourseError, GradebookError, SourceNotebookError
from autograder.exercise import Exercise
from autograder.gradebook.opening import refusal
from autograder.reading.imports import missing_imports
from autograder.releasing.answers import write_answers
from autograder.releasing.bundle import Bundle, build_bundle, build_colab
from autograder.releasing.colab import ColabDoor
from autograder.releasing.earlier import remember_texts
from autograder.releasing.leaks import secrets_of_exercises, secrets_of_notebooks
from autograder.releasing.rehearsal import require_right_answers
from autograder.releasing.source_checks import EXPERIMENT_TAG, require_releasable
from autograder.releasing.source_notebook import cells_of, read_source
from autograder.widget_pages.beside import write_pages
from course_lib.checking.answers import installed_answers
from course_lib.lab.course_folder import ANSWERS

__all__ = ["Released", "Row", "release"]

_SKIPPED = "skip-execution"
_NUMBERED = re.compile(r"\[Errno (\d+)\] (.*)")
"""An error of the operating system in nbgrader's log."""
_WORK = ".autograder"


@dataclass(frozen=True)
class Row:
    """What one released assignment holds.

    Attributes:
        automatic: points that the grader gives.
        written: points given by hand.
    """

    assignment: str
    exercises: int
    automatic: float
    written: float
    notebooks: tuple[str, ...]


@dataclass(frozen=True)
class Released:
    """What `release` made.

    Attributes:
        answers_note: empty, or why the check will not work in the source notebooks on this machine.
        colab: the notebooks for Colab, if the course has such.
        without_page: a line for each widget that cannot be recorded.
        not_installed: a line for each assignment that imports what this machine does not have.
    """

    rows: tuple[Row, ...]
    bundle: Bundle
    answers_note: str = ""
    colab: Bundle | None = None
    without_page: tuple[str, ...] = ()
    not_installed: tuple[str, ...] = ()


def release(
    course: Course,
    assignments: Sequence[str],
    bundle: Path | None = None,
    colab: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Released:
    """Release assignments.

    Args:
        course: the course.
        assignments: names of folders in its source directory.
        bundle: folder of the student bundle; ``<course>/bundle`` by default.
        colab: where notebooks in Colab fetch the bundle, empty if students upload it; by default what the course's
            configuration says.
        say: is told of what takes time.

    Raises:
        UnknownAssignmentError: the course has no exercises under a name.
        SourceNotebookError: a source notebook has problems, or the bundle would hold a solution.
        GradebookError: the gradebook refuses the change or cannot be opened.
    """
    chosen = {name: course.exercises(name) for name in dict.fromkeys(assignments)}
    for name, found in chosen.items():
        require_releasable(course.source / name, found)
        require_right_answers(course, name, found)
    pages: list[str] = []
    for name in chosen:
        _generate(course, name)
        kept = course.root / _WORK / "widget_pages"
        pages += write_pages(course.release / name, course.code.libraries, kept, say)
    secrets = secrets_of_notebooks(course.source) + secrets_of_exercises(course.code.exercises_folder)
    target = (bundle or course.root / "bundle").resolve()
    address = course.colab if colab is None else colab
    door = None
    if address is not None:
        door = ColabDoor(address, f"{target.name}.zip", f"{target.name}-colab", course.code.libraries)
    built = build_bundle(target, course, chosen, secrets, door)
    notebooks = build_colab(target.with_name(door.folder), door, built, list(chosen), secrets) if door else None
    rows = tuple(_row(course.source / name, name, found) for name, found in chosen.items())
    lacking = tuple(filter(None, (_not_installed(course, name) for name in chosen)))
    return Released(rows, built, _install_answers(course, chosen), notebooks, tuple(pages), lacking)


def _not_installed(course: Course, name: str) -> str:
    """What the released notebooks import and grading here would not find, in a line; empty if nothing."""
    cells = [cell for path in (course.release / name).glob("*.ipynb") for cell in nbformat.read(path, 4).cells]
    skipped = [cell.get("id") for cell in cells if EXPERIMENT_TAG in cell.metadata.get("tags", [])]
    missing = ", ".join(missing_imports(cells, course.code.libraries, skipped))
    if not missing:
        return ""
    return f"{name} imports {missing}, not installed here: install it before grading, or import it in experiments only"


def _row(folder: Path, name: str, exercises: Mapping[str, Exercise]) -> Row:
    paths = sorted(folder.glob("*.ipynb"))
    graded = [cell for path in paths for cell in cells_of(read_source(path)) if cell.is_graded]
    written = sum(cell.points or 0 for cell in graded if cell.id not in exercises)
    automatic = sum(exercise.points for exercise in exercises.values())
    return Row(name, len(exercises), automatic, written, tuple(path.name for path in paths))


def _install_answers(course: Course, assignments: Mapping[str, Mapping[str, Exercise]]) -> str:
    """Answer data for the check in the source notebooks, which run with this machine's `course_lib`.

    A course with a library of its own keeps them in its folder: ids of two courses may be the same.
    """
    folder = installed_answers() if course.code.library_folder is None else course.root / ANSWERS
    try:
        for name, exercises in assignments.items():
            write_answers(name, folder, exercises)
    except OSError as error:
        return (
            f"check() will find no answers in the source notebooks here: {folder} cannot be written ({error.strerror})"
        )
    return ""


class _Records(logging.Handler):
    """Collects what nbgrader logs instead of printing it."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _generate(course: Course, name: str) -> None:
    """Let nbgrader make the released assignment; an older one stays until the new one is whole."""
    staging = course.root / _WORK / "release"
    shutil.rmtree(staging, ignore_errors=True)
    config = copy.deepcopy(course.config)
    config.CourseDirectory.root = str(course.root)
    config.CourseDirectory.release_directory = str(staging.relative_to(course.root))
    records, log = _Records(), logging.Logger("autograder.releasing.release")
    log.addHandler(records)
    directory = CourseDirectory(config=config, log=log)
    directory.assignment_id = name
    try:
        GenerateAssignment(coursedir=directory, config=config, log=log, force=True).start()
    except Exception as error:  # nbgrader and the libraries below raise many types; the log tells which
        for cause in (error, error.__cause__, error.__context__):
            if isinstance(cause, SQLAlchemyError):
                raise refusal(cause, course.db_url) from error
        raise _known(name, [*records.texts, f"{type(error).__name__}: {error}"]) from error
    if not (staging / name).is_dir():
        raise CourseError(f"nbgrader made no release of {name}: {' '.join(records.texts)[-300:]}")
    for path in (staging / name).glob("*.ipynb"):
        _let_validation_skip_experiments(path)
    if (course.release / name).is_dir():  # of a release from before they were remembered
        remember_texts(course.root, name, course.release / name)
    remember_texts(course.root, name, staging / name)
    _replace(staging / name, course.release / name)
    shutil.rmtree(staging, ignore_errors=True)


def _let_validation_skip_experiments(path: Path) -> None:
    """Give experiments the tag that nbclient skips cells by, so that `nbgrader validate` does not wait for trainings.

    It needs nothing on the students' machines.  JupyterLab runs such cells as any others.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if EXPERIMENT_TAG in tags and _SKIPPED not in tags:
            cell.metadata.tags = [*tags, _SKIPPED]
    nbformat.write(notebook, path)


def _replace(fresh: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    old = fresh.with_name(f"{fresh.name}.old")
    if place.exists():
        place.rename(old)
    fresh.rename(place)


def _known(name: str, texts: Sequence[str]) -> AutograderError:
    """What nbgrader's log says, as one line and what to do."""
    log = "\n".join(texts)
    if "submissions associated with it" in log:
        return GradebookError(
            f"{name} has submissions in the gradebook, so its graded cells and notebooks can no longer be added, "
            "renamed or removed",
            "keep the ids of released cells; a text, a solution or points may change. For a fresh start: "
            f"nbgrader db assignment remove {name} --force (this deletes its marks)",
        )
    for number, words in _NUMBERED.findall(log):
        if int(number) in OF_THE_MACHINE:
            hint = f"{OF_THE_MACHINE[int(number)]}; then the same command goes on from here"
            return CourseError(f"{name} cannot be released: {words}", hint)
    lines = [
        line for line in log.splitlines() if line.strip() and not line.startswith((" ", "Traceback", "Please see"))
    ]
    causes = [line for line in lines if "Error" in line.partition(":")[0]]
    cause = (causes or lines or ["no reason given"])[0]
    if "sqlalchemy" in log or "alembic" in log:
        return GradebookError(
            f"the gradebook cannot be used: {cause}", "is it on a full disk, or held by another program?"
        )
    return SourceNotebookError(f"nbgrader cannot release {name}: {cause}", "repair the source notebook")
