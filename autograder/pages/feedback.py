"""The students' pages, made by nbgrader from the autograded notebooks and the gradebook.

Each page shows the student's own cells, the grader's card for every exercise, marks and comments.  What students
wrote is cleaned (`autograder.pages.sanitize`, whatever `nbgrader_config.py` says), and every page forbids scripts.
"""

from __future__ import annotations

import copy
import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbconvert.writers.files import FilesWriter
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from tqdm import tqdm
from traitlets.config import Config

from autograder.course import Course
from autograder.errors import CourseError
from autograder.pages.feedback_page import FeedbackExporter
from autograder.pages.formulas import HEAD
from autograder.pages.mark_box import copy_for_exchange, mark_boxes, put_box

__all__ = ["Feedback", "make_feedback"]

# Nothing runs or loads, whatever the page holds: no script, no event handler, no foreign picture.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_HEAD = (
    '<meta charset="utf-8">\n'
    f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
    # Bootstrap hides that there is more to see
    "<style>summary { display: list-item !important; cursor: pointer; }</style>\n"
    f"{HEAD}\n"
)
# nbgrader's list of contents calls every exercise the same
_ENTRY = re.compile(r'<a href="#([a-z0-9-]+)">(?:Test cell|Written response)</a>')


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
    boxes = mark_boxes(course, assignment)
    printer = _Printer(course, assignment)
    chosen = students or graded
    for student in tqdm(chosen, desc="feedback", unit="page", file=sys.stdout, disable=not show_progress):
        try:
            made = printer.pages_of(student)
            for page in made:
                put_box(page, boxes.get(student, ""))
            copy_for_exchange(course, assignment, student, made)
            pages += made
        except (Exception, SystemExit) as error:  # one bad notebook must not cost the others their feedback
            reason = printer.said() or f"{type(error).__name__}: {error}"
            failed[student] = " ".join(reason.split())[:200]
    return Feedback(tuple(pages), failed)


class _Heard(logging.Handler):
    """Keeps what nbgrader logs: what it raises only refers to that."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.texts.append(record.getMessage())


class _Printer(GenerateFeedback):  # type: ignore[misc]  # nbgrader ships no types
    """nbgrader's converter, whose exporter compiles its templates once for all students."""

    def __init__(self, course: Course, assignment: str) -> None:
        config = _config(course, assignment)
        super().__init__(coursedir=CourseDirectory(config=config), config=config)
        self.exporter_class = FeedbackExporter
        self._assignment = assignment
        self._heard = _Heard()
        self.log = logging.Logger("feedback")
        self.log.addHandler(self._heard)
        self.force = True  # marks and comments may have changed without the notebook
        self.writer = FilesWriter(parent=self, config=self.config)
        self.exporter = self.exporter_class(parent=self, config=self.config)
        for preprocessor in self.preprocessors:
            self.exporter.register_preprocessor(preprocessor)  # type: ignore[no-untyped-call]

    def said(self) -> str:
        """The last line of the traceback of the pages that failed last; empty if there was none."""
        of_errors = [text.strip() for text in self._heard.texts if text.startswith("Traceback")]
        return of_errors[-1].splitlines()[-1] if of_errors else ""

    def pages_of(self, student: str) -> list[Path]:
        """Write one student's pages."""
        self._heard.texts.clear()
        source = Path(self._format_source(self._assignment, student))
        # nbgrader's own search takes an id such as b[o]b for a pattern
        self.assignments = {str(source): sorted(str(path) for path in source.iterdir() if path.suffix == ".ipynb")}
        self.convert_notebooks()
        folder = Path(self._format_dest(self._assignment, student))
        pages = sorted(path for path in folder.iterdir() if path.suffix == ".html")
        for page in pages:
            _finish(page)
        return pages


def _config(course: Course, assignment: str) -> Config:
    config = copy.deepcopy(course.config)
    config.CourseDirectory.assignment_id = assignment
    config.CourseDirectory.db_url = course.db_url
    return config


def _finish(page: Path) -> None:
    """Forbid scripts, and name the exercises in the list of contents."""
    text, found = re.subn(r"<head>", lambda head: f"{head[0]}\n{_HEAD}", page.read_text(encoding="utf-8"), count=1)
    if not found:
        page.unlink()
        raise ValueError("nbgrader's page has no <head> to put the content security policy in")
    page.write_text(_ENTRY.sub(r'<a href="#\1">\1</a>', text), encoding="utf-8")
