"""The pages of the hand grader as HTML: students' text is cleaned, formulas are set, no name is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from autograder.hand_grading.answers import Answer, Question, Sheet
from autograder.pages.feedback_page import FeedbackExporter, clean_with_formulas
from autograder.pages.feedback_summary import points
from autograder.pages.prose import prose, visible

__all__ = ["Row", "render_index", "render_problem", "render_sheet", "resource"]

Row = tuple[Question, int, int]
"""A question, how many answers wait, and how many there are."""


def render_index(base: str, assignments: Mapping[str, Sequence[Row]]) -> str:
    """The list of questions of all assignments."""
    return _template("index.html.j2").render(base=base, assignments=assignments)


def render_problem(base: str, problem: str) -> str:
    """A page that says what is wrong and what to do."""
    return _template("problem.html.j2").render(base=base, problem=problem)


def render_sheet(base: str, sheet: Sheet, others: Sequence[Question]) -> str:
    """All answers to one question."""
    place = [other.cell for other in others].index(sheet.question.cell)
    markdown = _Markdown()
    return _template("sheet.html.j2").render(
        base=base,
        sheet=sheet,
        q=sheet.question,
        text=markdown.of(sheet.question.text),
        model=markdown.of(sheet.question.model),
        answers=[(answer, markdown.of_answer(answer)) for answer in sheet.answers],
        previous=others[place - 1] if place else None,
        next=others[place + 1] if place + 1 < len(others) else None,
    )


class _Markdown:
    """Markdown as clean HTML."""

    def __init__(self) -> None:
        self._exporter = FeedbackExporter()

    def of(self, source: str) -> Markup:
        """A text of the course's."""
        return self._set(source, {})

    def of_answer(self, answer: Answer) -> Markup:
        """An answer with its pictures."""
        return self._set(answer.node.source, {"cell": answer.node})

    def _set(self, source: str, context: Mapping[str, object]) -> Markup:
        rendered = self._exporter.markdown2html(context, source)
        return Markup(clean_with_formulas(rendered))  # clean: see autograder.pages.sanitize


def resource(name: str) -> str:
    """One of the files beside the templates."""
    return files("autograder.hand_grading").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _template(name: str) -> jinja2.Template:
    loader = jinja2.FunctionLoader(resource)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=visible, loader=loader)
    environment.filters.update(prose=prose, points=points)
    return environment.get_template(name)
