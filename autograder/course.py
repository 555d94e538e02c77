"""The course folder: where nbgrader's files lie and how it is configured."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder.errors import CourseError

__all__ = ["CONFIG_NAME", "Course"]

CONFIG_NAME = "nbgrader_config.py"


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
            CourseError: if there is none, or if its configuration cannot be read.
        """
        folder = (start or Path.cwd()).resolve()
        if not folder.is_dir():
            raise CourseError(f"no such folder: {folder}", "name the course's folder: --course DIR")
        for root in (folder, *folder.parents):
            if (root / CONFIG_NAME).is_file():
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

    def results(self, assignment: str) -> Path:
        """Where the grader keeps its own record of an assignment, one JSON file a student."""
        return self.root / ".autograder" / assignment / "results"

    def copy(self, out: Path, assignments: Sequence[str]) -> Course:
        """A course in `out` with this one's configuration and the source notebooks of some assignments."""
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.root / CONFIG_NAME, out / CONFIG_NAME)
        made = Course.find(out)
        for name in assignments:
            ignore = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
            shutil.copytree(self.source / name, made.source / name, ignore=ignore)
        return made

    def _step(self, name: str) -> Path:
        # nbgrader's defaults: the folder is called like the step
        return self.root / str(self.config.CourseDirectory.get(f"{name}_directory") or name)


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
