"""Writing the beginnings: files from templates, cells into a notebook."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from autograder.course import CONFIG_NAME, Course
from autograder.errors import CourseError, UsageError

__all__ = ["Written", "new_assignment", "new_course", "new_exercise"]

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_ASSIGNMENT = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*")


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        files: new or changed, in the order in which one would look at them.
        next: what to type next.
    """

    files: tuple[Path, ...]
    next: tuple[str, ...]


def new_course(folder: Path) -> Written:
    """An empty course: configuration, a library, a place for exercises and notebooks.

    Raises:
        CourseError: if something is there already.
    """
    root = folder.resolve()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise CourseError(f"{root} is not empty", "name a new folder: autograder new course DIR")
    word = re.sub(r"[^a-z0-9]+", "_", root.name.lower()).strip("_")
    if not word or word[0].isdigit():
        raise UsageError(f"{root.name!r} gives no name for a Python package", "begin the folder's name with a letter")
    values = {
        "name": word.replace("_", "-"),
        "title": word.replace("_", " ").capitalize(),
        "library": f"{word}_lib",
    }
    written = [
        _write(root / CONFIG_NAME, "nbgrader_config.py", values),
        _write(root / "README.md", "README.md", values),
        _write(root / values["library"] / "__init__.py", "library.py", values),
        _write(root / "exercises" / "__init__.py", "exercises.py", values),
        _write(root / ".gitignore", "gitignore", values),
    ]
    (root / "notebooks").mkdir()
    return Written(tuple(written), (f"cd {folder}", "autograder new assignment 01_first"))


def new_assignment(course: Course, name: str) -> Written:
    """A notebook with one exercise and one written question, and the exercise itself.

    Raises:
        UsageError: for a name that makes no folder or no package.
        CourseError: if the assignment, its topic or the exercise is there already.
    """
    topic = re.sub(r"^\d+[_-]?", "", name).lower().replace("-", "_")
    if not _ASSIGNMENT.fullmatch(name) or not topic.isidentifier():
        raise UsageError(f"{name!r} is no name for an assignment", "a number and a word, as 01_projection")
    folder = course.code.exercises_folder / topic
    room = course.root / course.code.library / topic
    taken = next((path for path in (course.source / name, folder, room) if path.exists()), None)
    if taken is not None:
        raise CourseError(f"{taken} exists already", "choose another name, or: autograder new exercise ASSIGNMENT NAME")
    _write(folder / "__init__.py", "topic.py", {"assignment": name})
    if room.parent.is_dir():  # where the course's library lies in its folder
        _write(room / "__init__.py", "library_topic.py", {"assignment": name})
    notebook = course.source / name / f"{topic}.ipynb"
    notebook.parent.mkdir(parents=True)
    _save(notebook, _notebook(topic, name))
    begun = new_exercise(Course.find(course.root), name, f"{topic.replace('_', '-')}-1")
    beside = (room / "__init__.py",) if room.is_dir() else ()
    return Written(tuple(dict.fromkeys((notebook, *begun.files, *beside))), begun.next)


def new_exercise(course: Course, assignment: str, name: str) -> Written:
    """An exercise in a file of its own, its line in EXERCISES, and its cells in the notebook.

    Raises:
        UnknownAssignmentError: if there is no such assignment.
        UsageError: for a name that is no id.
        CourseError: if it is there already, or the assignment has no single notebook.
    """
    topic = course.code.topic_of(assignment)
    if not _ID.fullmatch(name):
        hint = "small letters, digits and hyphens, as project-onto-line"
        raise UsageError(f"{name!r} is no id for an exercise", hint)
    folder = course.code.exercises_folder / topic
    path = folder / f"{name.replace('-', '_')}.py"
    if path.exists():
        raise CourseError(f"{path} exists already", "choose another name")
    notebooks = sorted((course.source / assignment).glob("*.ipynb"))
    if len(notebooks) != 1:
        raise CourseError(f"expected one notebook in {course.source / assignment}, found {len(notebooks)}")
    content = json.loads(notebooks[0].read_text("utf-8"))
    function = name.replace("-", "_")
    new_cells = list(_cells(name, function))
    known = {cell.get("id") for cell in content["cells"]}
    if clash := sorted(known & {cell["id"] for cell in new_cells}):
        raise CourseError(f"{notebooks[0].name} has a cell {clash[0]!r} already", "choose another name")
    _list(folder / "__init__.py", name)
    _write(path, "exercise.py", {"id": name, "function": function})
    place = next((n for n, cell in enumerate(content["cells"]) if _is_written(cell)), len(content["cells"]))
    content["cells"][place:place] = new_cells
    _save(notebooks[0], content)
    return Written(
        (path, notebooks[0], folder / "__init__.py"), (f"autograder release {assignment}", "autograder demo")
    )


def _write(path: Path, template: str, values: dict[str, str]) -> Path:
    text = files("autograder.authoring").joinpath("templates", f"{template}.template").read_text("utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(Template(text).substitute(values), "utf-8")
    return path


def _list(init: Path, name: str) -> None:
    """Put an id at the end of EXERCISES, one a line."""
    text = init.read_text("utf-8")
    found = re.search(r"^EXERCISES = \((.*?)\)$", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise CourseError(f"{init} has no line EXERCISES = (...)", f'add "{name}" to it yourself')
    entries = [entry.strip() for entry in found[1].split(",") if entry.strip()]
    lines = "".join(f"    {entry},\n" for entry in [*entries, f'"{name}"'])
    init.write_text(f"{text[: found.start()]}EXERCISES = (\n{lines}){text[found.end() :]}", "utf-8")


def _save(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _notebook(topic: str, name: str) -> dict[str, Any]:
    title = topic.replace("_", " ").capitalize()
    return {
        "cells": [
            _cell("markdown", "title", f"# {title}\n\nWhat you will be able to do when you have worked through this."),
            _cell(
                "code",
                "setup",
                "import torch\n\nfrom course_lib import check\nfrom course_lib.checking.progress import progress",
                locked=True,
            ),
            _cell(
                "markdown",
                "why",
                "A model answer, which stays here: students see a space for theirs.",
                grade=True,
                solution=True,
                points=2,
            ),
            _cell("code", "done", f'progress("{name}")', tags=["experiment"]),
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cells(name: str, function: str) -> Iterator[dict[str, Any]]:
    """What an exercise is in the notebook: text, solution, test."""
    yield _cell(
        "markdown",
        f"{name}-text",
        f"## {name.replace('-', ' ').capitalize()}\n\nWrite `{function}(x)`: the vector x, (n,), scaled to length 1. "
        "The zero vector stays as it is.\n\n2 points",
    )
    yield _cell(
        "code",
        f"{name}-solution",
        f"def {function}(x):\n"
        '    """x, (n,), scaled to length 1."""\n'
        "    ### BEGIN SOLUTION\n"
        "    length = x.square().sum().sqrt()\n"
        "    return x / length if length > 0 else x\n"
        "    ### END SOLUTION",
        solution=True,
    )
    yield _cell("code", name, f'check("{name}", {function})', grade=True, locked=True, points=2)


def _cell(kind: str, cell_id: str, source: str, tags: list[str] | None = None, **nbgrader: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"tags": tags} if tags else {}
    if nbgrader:
        flags = {"grade": False, "locked": False, "solution": False, "task": False, **nbgrader}
        metadata["nbgrader"] = {"cell_type": kind, "grade_id": cell_id, "schema_version": 3, **flags}
    lines = source.splitlines(keepends=True)
    cell: dict[str, Any] = {"cell_type": kind, "id": cell_id, "metadata": metadata, "source": lines}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _is_written(cell: dict[str, Any]) -> bool:
    meta = cell["metadata"].get("nbgrader", {})
    return cell["cell_type"] == "markdown" and bool(meta.get("grade"))
