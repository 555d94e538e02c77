"""The report as one HTML page: no external resource, no script that a student could have written.

Student text is escaped by the template engine and its control characters are made visible; should something slip
through all the same, the page's content security policy lets no script run but the sorting of the table.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup, escape

from autograder.pages.class_summary import ClassSummary

__all__ = ["render"]


def render(
    summary: ClassSummary,
    links: Mapping[str, str] | None = None,
    generated: datetime | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """The page.

    Args:
        links: student -> address of the feedback page, relative to the report, quoted.
        generated: the time shown; now by default.
        remarks: on the class as a whole: lateness, exercises that count differently.
    """
    script = _resource("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _template().render(
        s=summary,
        links=links or {},
        remarks=remarks,
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
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=_visible)
    environment.filters["prose"] = _prose
    return environment.from_string(_resource("report.html.j2"))


def _prose(text: str) -> Markup:
    """Plain text in which `backticks` mark code."""
    parts = _visible(text).split("`")
    if len(parts) % 2 == 0:  # a backtick without its partner
        return escape(_visible(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def _visible(value: Any) -> Any:
    """Control and direction characters as a replacement mark: they must not reorder or hide what is shown."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(
        "\ufffd" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") and char not in "\n\t" else char
        for char in value
    )
