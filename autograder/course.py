"""The course: a folder with nbgrader's files, the exercises, the students' library, and the configuration."""

from __future__ import annotations

import ast
import functools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder.course_code import OWN_LIBRARY, CourseCode
from autograder.errors import CourseError

if TYPE_CHECKING:
    from autograder.exercise import Exercise

__all__ = ["CONFIG_NAME", "Course"]

CONFIG_NAME = "nbgrader_config.py"

_HANDED_IN = frozenset({".autograder", "autograded", "inbound", "submitted"})
"""Folders that hold what students handed in, wherever they lie: in a course, in the exchange, on another disk."""
_STEPS = ("submitted", "autograded", "feedback", "release")
"""Steps of nbgrader whose folders may hold files of students: what lies beside a notebook goes along to feedback."""


@dataclass(frozen=True)
class Course:
    """A folder with an `nbgrader_config.py`, read once.

    Attributes:
        root: absolute path of the folder.
        config: what its `nbgrader_config.py` says; pass a copy of it to nbgrader's objects.
    """

    root: Path
    config: Config = field(default_factory=Config, repr=False, compare=False)

    @classmethod
    def find(cls, start: Path | None = None) -> Course:
        """The course whose folder is `start` (by default the working directory) or the nearest one above it.

        Raises:
            CourseError: if there is none, if its configuration cannot be read, or if a student may have written it:
                it is Python, which would run with the instructor's rights.
        """
        folder = (start or Path.cwd()).resolve()
        if not folder.is_dir():
            raise CourseError(f"no such folder: {folder}", "name the course's folder: --course DIR")
        for root in (folder, *folder.parents):
            if (root / CONFIG_NAME).is_file():
                if (place := _of_students(root)) is not None:
                    raise CourseError(
                        f"{root / CONFIG_NAME} lies in {place}, among files of students, so it is not read",
                        "name the course's folder: --course DIR; a course of yours needs another place",
                    )
                return cls(root, _read_config(root))
        raise CourseError(
            f"no {CONFIG_NAME} in {folder} or above it", "go to the course's folder or name it: --course DIR"
        )

    @property
    def source(self) -> Path:
        """Assignments with solutions."""
        return self._step("source")

    @property
    def release(self) -> Path:
        """Assignments as the students get them."""
        return self._step("release")

    @property
    def submitted(self) -> Path:
        """What students handed in: ``<student>/<assignment>/<notebook>.ipynb``."""
        return self._step("submitted")

    @property
    def autograded(self) -> Path:
        """Graded notebooks, which the formgrader opens."""
        return self._step("autograded")

    @property
    def feedback(self) -> Path:
        """Pages for the students."""
        return self._step("feedback")

    @property
    def db_url(self) -> str:
        """Address of the gradebook's database."""
        default = f"sqlite:///{self.root / 'gradebook.db'}"
        return str(self.config.CourseDirectory.get("db_url") or default)

    @property
    def title(self) -> str:
        """What it is called in the files that students get."""
        return str(self.setting("title") or self.name)

    @property
    def colab(self) -> str | None:
        """Where notebooks in Google Colab fetch the bundle; empty if students upload it, None if there are no such."""
        found = self.setting("colab")
        return None if found is None else str(found)

    @property
    def name(self) -> str:
        """Its `course_id`, by default the folder's name."""
        return str(self.config.CourseDirectory.get("course_id") or self.root.name)

    @functools.cached_property
    def code(self) -> CourseCode:
        """Its exercises and its library, which are imported only when they are asked for."""
        return CourseCode(self.root, str(self.setting("library") or OWN_LIBRARY))

    @property
    def assignments(self) -> tuple[str, ...]:
        """Names of the assignments that have exercises."""
        return tuple(self.code.topics)

    def exercises(self, assignment: str) -> Mapping[str, Exercise]:
        """The exercises of an assignment by id, in the order of its notebook.

        Raises:
            UnknownAssignmentError: with the nearest name, if there is no such assignment.
            CourseError: if its code cannot be imported.
        """
        return self.code.exercises(assignment)

    def require(self, assignment: str) -> None:
        """Make sure that there is such an assignment, without importing it.

        Raises:
            UnknownAssignmentError: if not.
        """
        self.code.topic_of(assignment)

    def results(self, assignment: str) -> Path:
        """Where the grader keeps its own record of an assignment, one JSON file a student."""
        return self.root / ".autograder" / assignment / "results"

    def copy(self, out: Path, assignments: Sequence[str]) -> Course:
        """A course in `out` with this one's configuration and code, and the source notebooks of some assignments."""
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.root / CONFIG_NAME, out / CONFIG_NAME)
        made = Course.find(out)
        ignore = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
        for folder in filter(None, (self.code.exercises_folder, self.code.library_folder)):
            shutil.copytree(folder, out / folder.name, ignore=ignore)
        for name in assignments:
            shutil.copytree(self.source / name, made.source / name, ignore=ignore)
        return made

    def setting(self, name: str) -> object:
        """What ``c.Autograder.NAME`` of `nbgrader_config.py` says; None where it says nothing."""
        return self.config.get("Autograder", {}).get(name)

    def _step(self, name: str) -> Path:
        # nbgrader's defaults: the folder is called like the step
        return self.root / str(self.config.CourseDirectory.get(f"{name}_directory") or name)


def _of_students(root: Path) -> Path | None:
    """The folder of students' files that a configuration lies in; None if it lies in none.

    No configuration is run for that.
    """
    inside = (root, *root.parents)
    named = next((folder for folder in inside if folder.name in _HANDED_IN), None)
    if named is not None:
        return named
    courses = (folder for folder in root.parents if (folder / CONFIG_NAME).is_file())
    places = ((course / name).resolve() for course in courses for name in _names_of_steps(course / CONFIG_NAME))
    return next((place for place in places if place in inside), None)


def _names_of_steps(path: Path) -> Iterator[str]:
    """What the folders of `_STEPS` are called, as far as a configuration's text tells."""
    yield from _STEPS
    try:
        nodes = list(ast.walk(ast.parse(path.read_bytes())))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    attributes = {f"{step}_directory" for step in _STEPS}
    for node in nodes:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Attribute) and target.attr in attributes for target in node.targets
        ):
            parts = [part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
            yield from (part for part in parts if isinstance(part, str) and "\0" not in part)


def _read_config(root: Path) -> Config:
    try:
        config: Config = PyFileConfigLoader(CONFIG_NAME, path=str(root)).load_config()
    except Exception as error:  # the file is Python: anything can happen
        raise CourseError(
            f"{root / CONFIG_NAME} cannot be read: {type(error).__name__}: {error}", "correct that file"
        ) from error
    # A relative root would depend on the working directory of whoever uses the configuration.
    config.CourseDirectory.root = str(root)
    return config
