"""Notebooks in `submitted/` that grading passes over, because they lie a folder off."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from autograder.course import Course
from autograder.submissions.submission import readable_id

__all__ = ["misplaced"]

_MOST_ENTRIES = 1000


def misplaced(course: Course, assignment: str) -> list[str]:
    """A line for each place that holds notebooks, and is neither this assignment's nor another's of the course."""
    others = {path.name for path in course.source.glob("*/")} | set(course.assignments)
    lines = []
    for name, path, is_folder in _entries(course.submitted):
        if not is_folder:
            if name.lower().endswith(".ipynb"):
                where = f"{course.submitted.name}/{Path(name).stem}/{assignment}/"
                lines.append(_line(course, path, f"move it to {where}, or: autograder collect {assignment} FILE"))
        elif not os.path.lexists(path / assignment):
            lines += _of_student(course, path, assignment, others)
    return lines


def _of_student(course: Course, folder: Path, assignment: str, others: set[str]) -> Iterator[str]:
    wanted = f"{course.submitted.name}/{readable_id(folder.name)}/{assignment}"
    for name, path, is_folder in _entries(folder):
        if not is_folder and name.lower().endswith(".ipynb"):
            yield _line(course, path, f"move it to {wanted}/")
        elif is_folder and name not in others and _holds_notebook(path):
            is_near = difflib.get_close_matches(name.casefold(), [assignment.casefold()], n=1)
            todo = (
                f"rename the folder to {assignment}" if is_near else f"what is of this assignment goes into {wanted}/"
            )
            yield _line(course, path, todo)


def _line(course: Course, path: Path, todo: str) -> str:
    place = readable_id(path.relative_to(course.submitted).as_posix())
    return f"{course.submitted.name}/{place} is not graded, for it is not in the folder of an assignment: {todo}"


def _entries(folder: Path) -> Iterator[tuple[str, Path, bool]]:
    """Plain files and folders, by name; links are for grading to refuse."""
    try:
        found = sorted(
            (entry.name, Path(entry.path), entry.is_dir(follow_symlinks=False))
            for entry in os.scandir(folder)
            if not entry.name.startswith(".") and not entry.is_symlink()
        )
    except OSError:
        return
    yield from found


def _holds_notebook(folder: Path) -> bool:
    """Whether a notebook lies in it or a folder further down."""
    for name, path, is_folder in islice(_entries(folder), _MOST_ENTRIES):
        if is_folder:
            if any(inner.lower().endswith(".ipynb") for inner, _, _ in islice(_entries(path), _MOST_ENTRIES)):
                return True
        elif name.lower().endswith(".ipynb"):
            return True
    return False
