"""The students' pages, made from the autograded notebooks, the gradebook and the stored results.

Each page says at the top what was lost, why, and how to mend it (`autograder.pages.feedback_summary`); below stands the
student's notebook with the grader's card for every exercise, marks and comments.  What students wrote is cleaned
(`autograder.pages.sanitize`, whatever `nbgrader_config.py` says), and every page forbids scripts.  nbgrader's converter
finds and places the files, so that `nbgrader release_feedback` hands the pages out.
"""

from __future__ import annotations

import copy
import errno
import functools
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbconvert.writers.files import FilesWriter
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm
from traitlets.config import Config

from autograder.course import Course
from autograder.errors import CourseError
from autograder.gradebook.late_plugin import nbgrader_plugin
from autograder.gradebook.marks import AssignmentMarks, read_marks
from autograder.gradebook.opening import open_gradebook, refusal
from autograder.gradebook.remarks import of_mark
from autograder.gradebook.rules import Rules
from autograder.gradebook.student_marks import read_student_marks
from autograder.gradebook.writer import GradebookWriter
from autograder.grading.records import load_master
from autograder.pages.feedback_page import FeedbackExporter
from autograder.pages.feedback_summary import FeedbackSummary, summarize_feedback
from autograder.pages.titles import titles_of
from autograder.results import read_result, result_path
from autograder.submissions.submission import Submission
from autograder.whole_files import write_whole

__all__ = ["Feedback", "make_feedback"]

# Nothing runs or loads, whatever the page holds: no script, no event handler, no foreign picture.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_HEAD = f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'


@dataclass(frozen=True)
class Feedback:
    """What was made.

    Attributes:
        pages: the files, in the order of the students.
        failed: student -> why there is no page.
    """

    pages: tuple[Path, ...]
    failed: dict[str, str]


def make_feedback(
    course: Course, assignment: str, students: Sequence[str] = (), *, show_progress: bool = False
) -> Feedback:
    """Write ``feedback/<student>/<assignment>/<notebook>.html`` from what the gradebook holds now.

    Args:
        students: ids; by default everyone who has been graded.

    Raises:
        UnknownAssignmentError: if there is no such assignment.
        CourseError: if nothing, or a named student, has not been graded.
    """
    course.require(assignment)
    graded = sorted(path.parent.name for path in course.autograded.glob(f"*/{assignment}") if path.is_dir())
    unknown = [student for student in students if student not in graded]
    if unknown or not graded:
        who = f"{unknown[0]!r} has no graded {assignment}" if unknown else f"nothing of {assignment} is graded yet"
        raise CourseError(f"{who} in {course.autograded}", f"grade first: autograder grade {assignment}")
    pages: list[Path] = []
    failed: dict[str, str] = {}
    chosen = students or graded
    with _printer(course, assignment) as printer:
        for student in tqdm(chosen, desc="feedback", unit="page", file=sys.stdout, disable=not show_progress):
            try:
                made = printer.pages_of(student)
                _copy_for_exchange(course, assignment, student, made)
                pages += made
            except (Exception, SystemExit) as error:  # one bad notebook must not cost the others their feedback
                cause = printer.cause or error
                if isinstance(cause, SQLAlchemyError):  # nobody else's page could be made either
                    raise refusal(cause, course.db_url) from error
                if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                    raise cause from None
                failed[student] = f"{type(cause).__name__}: {' '.join(str(cause).split())[:200]}"
    return Feedback(tuple(pages), failed)


@contextmanager
def _printer(course: Course, assignment: str) -> Iterator[_Printer]:
    rules = Rules.of(course)
    with GradebookWriter(course.db_url, load_master(course, assignment), nbgrader_plugin(course), rules) as writer:
        writer.settle({})  # hand grading, due dates and extensions may have changed the penalties
    (marks,) = read_marks(course.db_url, [assignment], rules)
    with open_gradebook(course.db_url) as book:
        yield _Printer(course, marks, rules, book)


def _copy_for_exchange(course: Course, assignment: str, student: str, pages: Sequence[Path]) -> None:
    """The page once more under each name that the student's notebooks have.

    `nbgrader fetch_feedback` asks for a page named like the file that was handed in, not like the released one.
    """
    if len(pages) != 1:
        return
    (page,) = pages
    for name in Submission.of(course, assignment, student).notebooks():
        other = page.with_name(f"{Path(name).stem}.html")
        if other != page:
            write_whole(other, page.read_bytes())


class _WholePages(FilesWriter):
    """nbconvert's writer, which leaves no page that was cut short and none without the policy."""

    def write(self, output: str, resources: dict[str, Any], notebook_name: str | None = None, **kw: Any) -> str:
        """Write a page where nbconvert would."""
        place = Path(self.build_directory, f"{notebook_name}{resources.get('output_extension', '')}")
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, _without_scripts(output))
        return str(place)


class _Printer(GenerateFeedback):  # type: ignore[misc]  # nbgrader ships no types
    """nbgrader's converter, whose exporter compiles its templates once for all students."""

    def __init__(self, course: Course, marks: AssignmentMarks, rules: Rules, book: Gradebook) -> None:
        assignment = marks.name
        config = _config(course, assignment)
        super().__init__(coursedir=CourseDirectory(config=config), config=config)
        self.exporter_class = FeedbackExporter
        self._course = course
        self._assignment = assignment
        self._marks = marks
        self._counted = {mark.student.id: mark for mark in marks.marks}
        self._rules = rules
        self._book = book
        self._student = ""
        self.cause: Exception | None = None
        """Why the last page could not be made; nbgrader itself says only that there is a traceback."""
        self.log.setLevel(logging.CRITICAL)
        self.force = True  # marks and comments may have changed without the notebook
        self.preprocessors: list[Any] = []  # nbgrader's put marks into the cells; here they come with the summary
        self.writer = _WholePages(parent=self, config=self.config)  # type: ignore[no-untyped-call]
        self.exporter = self.exporter_class(parent=self, config=self.config)

    @functools.cached_property
    def _titles(self) -> dict[str, str]:
        return titles_of(load_master(self._course, self._assignment).node.cells)

    def _summary(self) -> FeedbackSummary:
        marks = read_student_marks(self._book, self._assignment, self._student)
        if marks is None:
            raise CourseError(f"the gradebook has no {self._assignment} of {self._student}")
        remarks: list[str] = []
        if self._student in self._counted:
            counted = self._counted[self._student]
            marks = marks.counted(self._marks.adjustments, counted.penalty)
            remarks = of_mark(self._marks, counted, self._rules, self._titles)
        result = read_result(result_path(self._course.results(self._assignment), self._student))
        exercises = self._course.exercises(self._assignment)
        return summarize_feedback(marks, result, exercises, self._titles, self._assignment, self._student, remarks)

    def init_single_notebook_resources(self, notebook_filename: str) -> dict[str, Any]:
        """What the template is given besides the notebook."""
        resources: dict[str, Any] = super().init_single_notebook_resources(notebook_filename)
        resources["feedback"] = self._summary()
        return resources

    def convert_single_notebook(self, notebook_filename: str) -> None:
        """As nbgrader does it; what goes wrong is remembered."""
        try:
            super().convert_single_notebook(notebook_filename)
        except Exception as error:
            self.cause = error
            raise

    def pages_of(self, student: str) -> list[Path]:
        """Write one student's pages."""
        self._student, self.cause = student, None
        source = Path(self._format_source(self._assignment, student))
        # nbgrader's own search takes an id such as b[o]b for a pattern
        self.assignments = {str(source): sorted(str(path) for path in source.iterdir() if path.suffix == ".ipynb")}
        self.convert_notebooks()
        folder = Path(self._format_dest(self._assignment, student))
        pages = sorted(path for path in folder.iterdir() if path.suffix == ".html")
        return pages


def _config(course: Course, assignment: str) -> Config:
    config = copy.deepcopy(course.config)
    config.CourseDirectory.assignment_id = assignment
    config.CourseDirectory.db_url = course.db_url
    return config


def _without_scripts(page: str) -> str:
    """The page, which forbids scripts."""
    text, found = re.subn(r"<head>", lambda head: f"{head[0]}\n{_HEAD}", page, count=1)
    if not found:
        raise ValueError("the page has no <head> to put the content security policy in")
    return text
