"""The extension of the Jupyter server: pages for grading by hand, and the formgrader without a network.

The pages stand under `autograder/written`.  The extension is found through `etc/jupyter/jupyter_server_config.d`, where
installing this package puts it.  It serves the course that the formgrader serves, or the one in whose folder the server
was started; elsewhere its pages say that there is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.ioloop import IOLoop

from autograder.course import Course
from autograder.errors import AutograderError
from autograder.gradebook.item_marks import read_item_marks
from autograder.gradebook.opening import open_gradebook
from autograder.hand_grading.answers import questions_of, read_sheet
from autograder.hand_grading.formgrader import replace_exporter
from autograder.hand_grading.pages import Row, render_index, render_problem, render_sheet, resource
from autograder.hand_grading.saving import Given, NotPointsError, OvertakenError, save

__all__ = ["PATH", "handlers"]

PATH = "autograder/written"
_LONGEST_COMMENT = 20_000
_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_FILES = {"page.js": "text/javascript", "page.css": "text/css"}


class _Page(JupyterHandler):
    """A page about the course in the server's folder."""

    auth_resource = "contents"

    @property
    def content_security_policy(self) -> str:
        """Only the page's own script runs, and nothing is loaded from elsewhere."""
        return _POLICY

    @property
    def base(self) -> str:
        """Address of the first page."""
        return url_path_join(self.base_url, PATH)

    def course(self) -> Course:
        """The course in the server's folder.

        Raises:
            CourseError: if there is none.
        """
        return _course(self.settings)

    def show_problem(self, error: AutograderError) -> None:
        """A known error as a page."""
        self.set_status(404)
        self.finish(render_problem(self.base, f"{error.message}. {error.hint}" if error.hint else error.message))


class _Index(_Page):
    @web.authenticated
    @authorized
    def get(self) -> None:
        """The questions of all released assignments, with what waits."""
        try:
            course = self.course()
            self.finish(render_index(self.base, {name: _rows(course, name) for name in course.assignments}))
        except AutograderError as error:
            self.show_problem(error)


def _course(settings: Mapping[str, Any]) -> Course:
    """The course that nbgrader's formgrader serves, else the one in the server's folder.

    Raises:
        CourseError: if there is none.
    """
    formgrader = settings.get("nbgrader_formgrader")
    folder = formgrader.coursedir.root if formgrader is not None else settings.get("server_root_dir", ".")
    return Course.find(Path(str(folder)).expanduser())


def _rows(course: Course, assignment: str) -> list[Row]:
    try:
        questions = questions_of(course, assignment)
    except AutograderError:  # not released yet
        return []
    marks = read_item_marks(course.db_url, assignment)
    found = [(question, marks.get(question.cell)) for question in questions]
    return [(q, item.waiting, item.waiting + len(item.points)) if item else (q, 0, 0) for q, item in found]


class _Sheet(_Page):
    @web.authenticated
    @authorized
    def get(self, assignment: str, cell: str) -> None:
        """All answers to one question."""
        try:
            course = self.course()
            sheet = read_sheet(course, assignment, cell)
            self.finish(render_sheet(self.base, sheet, questions_of(course, assignment)))
        except AutograderError as error:
            self.show_problem(error)


class _File(_Page):
    @web.authenticated
    @authorized
    def get(self, name: str) -> None:
        """The page's script or style."""
        self.set_header("Content-Type", f"{_FILES[name]}; charset=utf-8")
        self.finish(resource(name))


class _Save(APIHandler):
    """Takes points and a comment for one answer, as JSON; says no where somebody else was there in the meantime."""

    auth_resource = "contents"

    @web.authenticated
    @authorized
    def put(self, grade: str) -> None:
        """``{"points": "1,5", "comment": "", "seen": {"score": null, "comment": ""}}``."""
        try:
            points, comment, seen = self._asked()
            with open_gradebook(_course(self.settings).db_url) as book:
                saved = save(book, grade, seen, points, comment)
        except NotPointsError as error:
            self._answer(422, problem=str(error))
        except OvertakenError as error:
            self._answer(409, problem=str(error), **_as_json(error.now))
        except KeyError:
            self._answer(404, problem="this answer is not in the gradebook any more; load the page again")
        except AutograderError as error:
            self._answer(404, problem=error.message)
        else:
            self._answer(200, **_as_json(saved))

    def _asked(self) -> tuple[str, str, Given]:
        """Points and comment as they were typed, and what the grader saw.

        Raises:
            NotPointsError: for a body or points that are none.
        """
        try:
            body = json.loads(self.request.body)
            points, comment, seen = str(body["points"]), str(body["comment"]), body["seen"]
            known = Given(None if seen["score"] is None else float(seen["score"]), str(seen["comment"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise NotPointsError("the request could not be read; load the page again") from error
        return points, comment.strip()[:_LONGEST_COMMENT], known

    def _answer(self, status: int, **content: object) -> None:
        self.set_status(status)
        self.finish(json.dumps(content))


def _as_json(given: Given) -> dict[str, object]:
    return {"score": given.score, "comment": given.comment}


def handlers(base_url: str) -> list[tuple[str, type[Any]]]:
    """The addresses of the pages."""
    base = url_path_join(base_url, PATH)
    return [
        (rf"{base}/?", _Index),
        (rf"{base}/files/(page\.js|page\.css)", _File),
        (rf"{base}/api/([\w-]+)", _Save),
        (rf"{base}/([\w-]+)/([\w-]+)", _Sheet),
    ]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    web_app = server.web_app
    web_app.add_handlers(".*$", handlers(web_app.settings["base_url"]))
    # Extensions are loaded one after the other: nbgrader's has made its exporter when the server begins to serve.
    IOLoop.current().add_callback(replace_exporter, web_app.settings)
