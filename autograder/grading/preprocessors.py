"""The same engine behind nbgrader's own doors: `nbgrader autograde` and the formgrader's Autograde button.

`nbgrader_config.py` puts `Repair` and `GradeInSandbox` in the place of nbgrader's sanitizing and executing
preprocessors.  The score reaches the gradebook through nbgrader's stock `SaveAutoGrades`, which reads it from the
output that `GradeInSandbox` puts into each test cell.
"""

from __future__ import annotations

import copy
import datetime as dt
import functools
import os
import shutil
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties, NbGraderPreprocessor
from traitlets import Unicode

from autograder.course import Course
from autograder.gradebook.rules import Rules
from autograder.gradebook.writer import GradebookWriter
from autograder.grading.engine import grade_submission
from autograder.grading.records import keep_beside, load_master, make_task
from autograder.results import write_result
from autograder.sandbox import choose, warm_sandbox
from autograder.submissions.notebook import MAX_BYTES, read_cells, repair
from autograder.submissions.submission import Submission

__all__ = ["GradeInSandbox", "LatePenalties", "Repair", "SubmittedNotebook"]

Resources = dict[str, Any]

_parsed_timestamp = CourseDirectory.get_existing_timestamp


def _timestamp(directory: CourseDirectory, folder: str) -> dt.datetime | None:
    """nbgrader's own reading of `timestamp.txt`, which would end the submission for one that holds no time."""
    if os.path.islink(os.path.join(folder, "timestamp.txt")):
        return None
    try:
        found: dt.datetime | None = _parsed_timestamp(directory, folder)
    except (Exception, SystemExit):  # dateutil meets odd text with any exception, nbgrader with its end
        return None
    return found


# nbgrader (0.9.6) names no class that could be replaced here; to go when it reads timestamps without raising.
CourseDirectory.get_existing_timestamp = _timestamp


@functools.cache
def _course(root: str) -> Course:
    return Course.find(Path(root))


def _course_of(preprocessor: NbGraderPreprocessor | NotebookExporter) -> Course:
    """The course whose configuration the preprocessor was made with."""
    root = preprocessor.config.CourseDirectory.get("root") or "."
    return _course(str(Path(str(root)).resolve()))


class Repair(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader ships no hints
    """Brings a submission back to the released notebook's cells; see `autograder.submissions.notebook.repair`."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Replace the cells."""
        course, about = _course_of(self), resources["nbgrader"]
        master = load_master(course, about["assignment"])
        repaired = repair(read_cells(nbformat.writes(nb).encode()), master)
        for note in repaired.notes:
            self.log.warning("%s", note)
        _forget_copies(course, about["assignment"], about["student"])
        nb.cells = [from_dict(cell) for cell in repaired.cells]  # the released notebook's own metadata stay as they are
        nb.metadata = {"kernelspec": master.node.metadata.get("kernelspec", {})}
        nb.nbformat_minor = 5
        return nb, resources


def _forget_copies(course: Course, assignment: str, student: str) -> None:
    """Take away what nbgrader copied from the submission's folder, through links too; nothing of it is for pages."""
    folder = course.autograded / student / assignment
    if not folder.is_dir() or folder.is_symlink():
        return
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        elif not entry.name.endswith(".ipynb"):
            os.unlink(entry.path)
    keep_beside(folder, Submission.of(course, assignment, student))


class SubmittedNotebook(NotebookExporter):
    """Reads what was handed in; what is no notebook becomes the released one, so that it gets a result with a reason.

    `GradeInSandbox` grades the submitted bytes themselves, so nothing is earned by that.
    """

    def from_filename(self, filename: str, resources: Any = None, **settings: Any) -> Any:
        """The notebook in a file."""
        try:
            if os.path.islink(filename):
                raise ValueError("a link")
            with open(filename, "rb") as file:
                nbformat.reads(file.read(MAX_BYTES).decode(), as_version=4)
            return super().from_filename(filename, resources, **settings)
        except Exception as error:  # damage meets nbformat with any exception
            if not resources or "nbgrader" not in resources:
                raise
            kind = type(error).__name__
            self.log.warning("%s is no notebook (%s): it gets a result with that reason", filename, kind)
            released = load_master(_course_of(self), resources["nbgrader"]["assignment"]).node
            return super().from_notebook_node(copy.deepcopy(released), resources, **settings)  # type: ignore[no-untyped-call]


class GradeInSandbox(NbGraderPreprocessor):  # type: ignore[misc]
    """Grades the submitted file in the sandbox and puts scores and cards into the test cells."""

    sandbox = Unicode("auto", help="auto, bwrap or none, as in `autograder grade --sandbox`").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Replace the notebook by the graded one."""
        course = _course_of(self)
        assignment, student = resources["nbgrader"]["assignment"], resources["nbgrader"]["student"]
        task = make_task(course, assignment)
        submission = Submission.of(course, assignment, student)
        with GradebookWriter(course.db_url, task.master, rules=Rules.of(course)) as book:
            late_s = book.late_s(student, submission.timestamp())
        job = submission.job(task.master, late_s)
        graded = grade_submission(job, task, warm_sandbox(choose(self.sandbox), task.device, course.code))
        write_result(course.results(assignment), graded.result)
        self.log.info("%s: %g of %g points", student, graded.result.score, graded.result.max_score)
        return nbformat.reads(graded.notebook, as_version=4), resources


class LatePenalties(AssignLatePenalties):  # type: ignore[misc]
    """Penalties as `c.Autograder.late` says; nbgrader's own, by its plugin, where that says nothing."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Write the penalty into the gradebook; the notebook stays as it is."""
        course, about = _course_of(self), resources["nbgrader"]
        rules = Rules.of(course)
        if rules.late is None:
            found: tuple[NotebookNode, Resources] = super().preprocess(nb, resources)
            return found
        master = load_master(course, about["assignment"])
        with GradebookWriter(course.db_url, master, rules=rules) as book:
            book.settle({})
        return nb, resources
