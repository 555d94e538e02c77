"""Writing the beginnings: files from templates, cells into a notebook."""

from __future__ import annotations

import json
import keyword
import re
import shlex
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from autograder.course import CONFIG_NAME, Course
from autograder.errors import CourseError, SourceNotebookError, UsageError
from autograder.releasing.source_notebook import SourceCell, cells_of, read_source
from autograder.whole_files import write_over, write_together

__all__ = ["Written", "new_assignment", "new_course", "new_exercise"]

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SPELLED = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
"""Latin letters that are no letter a-z with an accent; `casefold` has made ss of ß."""
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

    Args:
        folder: its name is the course's title; the library's name is made of its letters a-z and digits.

    Raises:
        UsageError: if the folder's name makes no name for a package.
        CourseError: if something is there already.
    """
    root = folder.resolve()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise CourseError(f"{root} is not empty", "name a new folder: autograder new course DIR")
    word = _package_word(root.name)
    values = {
        "name": word.replace("_", "-"),
        "title": root.name,
        "title_in_python": json.dumps(root.name, ensure_ascii=False),
        "library": f"{word}_lib",
    }
    with _gone_if_it_fails(root):
        written = [
            _write(root / CONFIG_NAME, "nbgrader_config.py", values),
            _write(root / "README.md", "README.md", values),
            _write(root / values["library"] / "__init__.py", "library.py", values),
            _write(root / "exercises" / "__init__.py", "exercises.py", values),
            _write(root / ".gitignore", "gitignore", values),
        ]
        (root / "notebooks").mkdir()
    return Written(tuple(written), (f"cd {shlex.quote(str(folder))}", "autograder new assignment 01_first"))


def _package_word(name: str) -> str:
    """A name in the letters that a package may have: accents are left out.

    Raises:
        UsageError: if it has no such letter, or does not begin with one.
    """
    if not name.isprintable():
        raise UsageError(f"the folder's name {name!r} has characters that cannot be shown", "choose another name")
    letters = unicodedata.normalize("NFKD", name.casefold().translate(_SPELLED))
    plain = "".join(char for char in letters if not unicodedata.combining(char))
    word = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if not word or not word[0].isalpha():
        what = "begins with no Latin letter" if re.search("[a-z]", word) else "has no Latin letter"
        raise UsageError(
            f"the folder's name {name!r} {what}, and the package that students import is called after it",
            "begin the folder's name with a letter a-z; c.Autograder.title in nbgrader_config.py may say anything",
        )
    return word


def new_assignment(course: Course, name: str) -> Written:
    """A notebook with one exercise and one written question, and the exercise itself.

    Raises:
        UsageError: for a name that makes no folder or no package.
        CourseError: if the assignment, its topic or the exercise is there already.
    """
    topic = re.sub(r"^\d+[_-]?", "", name).lower().replace("-", "_")
    if not _ASSIGNMENT.fullmatch(name) or not topic.isidentifier() or keyword.iskeyword(topic):
        raise UsageError(f"{name!r} is no name for an assignment", "a number and a word, as 01_projection")
    folder = course.code.exercises_folder / topic
    room = course.root / course.code.library / topic
    taken = next((path for path in (course.source / name, folder, room) if path.exists()), None)
    if taken is not None:
        raise CourseError(f"{taken} exists already", "choose another name, or: autograder new exercise ASSIGNMENT NAME")
    notebook = course.source / name / f"{topic}.ipynb"
    with _gone_if_it_fails(folder, room, notebook.parent):
        _write(folder / "__init__.py", "topic.py", {"assignment": name})
        if room.parent.is_dir():  # where the course's library lies in its folder
            _write(room / "__init__.py", "library_topic.py", {"assignment": name})
        notebook.parent.mkdir(parents=True)
        write_over(notebook, _json(_notebook(topic, name)))
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
    function = name.replace("-", "_")
    if keyword.iskeyword(function):
        hint = f"choose another name, as {name}-1"
        raise UsageError(f"{name!r} is a word of Python's own, so no function can be called that", hint)
    folder = course.code.exercises_folder / topic
    path = folder / f"{function}.py"
    if path.exists():
        raise CourseError(f"{path} exists already", "choose another name")
    notebooks = sorted((course.source / assignment).glob("*.ipynb"))
    if len(notebooks) != 1:
        raise CourseError(f"expected one notebook in {course.source / assignment}, found {len(notebooks)}")
    content = read_source(notebooks[0])
    if isinstance(content, str):
        raise SourceNotebookError(f"{notebooks[0]} {content}", "nothing was written")
    new_cells = list(_cells(name, function))
    known = {cell.id for cell in cells_of(content)}
    if clash := sorted(known & {cell["id"] for cell in new_cells}):
        raise CourseError(f"{notebooks[0].name} has a cell {clash[0]!r} already", "choose another name")
    place = next((cell.position for cell in cells_of(content) if _is_written(cell)), len(content["cells"]))
    content["cells"][place:place] = new_cells
    init = folder / "__init__.py"
    write_together(
        {
            path: _text("exercise.py", {"id": name, "function": function}),
            notebooks[0]: _json(content),
            init: _listed(init, name),  # last: the course asks for what stands there
        }
    )
    return Written(
        (path, notebooks[0], init), (f"autograder rehearse {assignment}", f"autograder release {assignment}")
    )


@contextmanager
def _gone_if_it_fails(*folders: Path) -> Iterator[None]:
    """Folders that are not there yet, or empty: all that is put into them, or nothing, so that one can begin again."""
    were_there = [folder for folder in folders if folder.is_dir()]
    try:
        yield
    except BaseException:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        for folder in were_there:
            folder.mkdir(exist_ok=True)
        raise


def _text(template: str, values: dict[str, str]) -> str:
    text = files("autograder.authoring").joinpath("templates", f"{template}.template").read_text("utf-8")
    return Template(text).substitute(values)


def _write(path: Path, template: str, values: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_over(path, _text(template, values))
    return path


def _listed(init: Path, name: str) -> str:
    """The file with an id more at the end of EXERCISES, one a line."""
    text = init.read_text("utf-8")
    found = re.search(r"^EXERCISES = \((.*?)\)$", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise CourseError(f"{init} has no line EXERCISES = (...)", f'add "{name}" to it yourself')
    entries = [entry.strip() for entry in found[1].split(",") if entry.strip()]
    lines = "".join(f"    {entry},\n" for entry in [*entries, f'"{name}"'])
    return f"{text[: found.start()]}EXERCISES = (\n{lines}){text[found.end() :]}"


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


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


def _is_written(cell: SourceCell) -> bool:
    return cell.kind == "markdown" and cell.is_graded
