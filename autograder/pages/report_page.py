"""The report as one HTML page: no external resource, no script that a student could have written.

Student text is escaped by the template engine and its control characters are made visible; should something slip
through all the same, the page's content security policy lets no script run but the sorting of the table.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from autograder.pages.class_summary import ClassSummary
from autograder.pages.prose import prose, visible

__all__ = ["render"]


def render(summary: ClassSummary, links: Mapping[str, str] | None = None, generated: datetime | None = None) -> str:
    """The page.

    Args:
        links: student -> address of the feedback page, relative to the report, quoted.
        generated: the time shown; now by default.
    """
    script = _resource("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _template().render(
        s=summary,
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
    return environment.from_string(_resource("report.html.j2"))
