"""The report as one HTML page: no external resource, no script that a student could have written.

Student text is escaped by the template engine and its control characters are made visible; should something slip
through all the same, the page's content security policy lets no script run but the sorting of the table.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from autograder.gradebook.item_marks import AssignmentTrend
from autograder.pages.class_summary import ClassSummary
from autograder.pages.feedback_summary import points
from autograder.pages.item_analysis import FEWEST, Item
from autograder.pages.prose import prose, visible
from autograder.submissions.predictions import PredictionStats

__all__ = ["Insights", "render"]


@dataclass(frozen=True)
class Insights:
    """What the report shows besides the results.

    Attributes:
        items: difficulty and discrimination.
        trend: the course's assignments.
        predictions: what the class said before it saw.
        examples: group of answers without a name -> code of its first student.
        counterexamples: the same group -> inputs, what came and what is right, as code.
        remarks: lateness, extensions, and exercises that count differently, in sentences.
    """

    items: tuple[Item, ...] = ()
    trend: tuple[AssignmentTrend, ...] = ()
    predictions: tuple[PredictionStats, ...] = ()
    examples: Mapping[str, str] = field(default_factory=dict)
    counterexamples: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def render(
    summary: ClassSummary,
    links: Mapping[str, str] | None = None,
    generated: datetime | None = None,
    insights: Insights | None = None,
) -> str:
    """The page.

    Args:
        links: student -> address of the feedback page, relative to the report, quoted.
        generated: the time shown; now by default.
    """
    script = _resource("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _template().render(
        s=summary,
        more=insights or Insights(),
        fewest=FEWEST,
        links=links or {},
        loop_ids={row.student: number for number, row in enumerate(summary.students, start=1)},
        generated=(generated or datetime.now().astimezone()).strftime("%-d %B %Y, %H:%M"),
        # Our own files, never student text.
        style=Markup(_resource("report.css")),
        script=Markup(script),
        script_hash=Markup(digest),
    )


def _resource(name: str) -> str:
    return files("autograder.pages").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=visible)
    environment.filters["prose"] = prose
    environment.filters["points"] = points
    return environment.from_string(_resource("report.html.j2"))
