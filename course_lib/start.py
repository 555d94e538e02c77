"""The start page: every assignment with what is done, how long it takes, and the machine it runs on."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from course_lib.checking.answers import exercise_ids
from course_lib.checking.errors import CheckUsageError
from course_lib.checking.progress import Place, progress_of
from course_lib.lab.device import best_device, quick
from course_lib.lab.display import show

__all__ = ["Entry", "StartPage", "entries", "start_page"]

_MAX_BYTES = 50_000_000
_MINUTES = re.compile(r"^\|[^|]*\|[^|]*\|\s*(\d+)\s*\|$|^\*(\d+) minutes\.", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """One notebook.

    Attributes:
        assignment: name of its folder.
        path: of the notebook, relative to the start page.
        title: its first heading.
        minutes: what it says it takes, the parts added up; 0 if it does not say.
        passed: exercises that pass.
        total: exercises.
        next: where the first exercise begins that does not pass yet; None if all pass.
    """

    assignment: str
    path: str
    title: str
    minutes: int
    passed: int
    total: int
    next: Place | None


def start_page(folder: Path | None = None) -> None:
    """Show the start page.

    Args:
        folder: the course's folder; the working directory by default.
    """
    page = StartPage(tuple(entries(folder or Path())))
    show(page, str(page))


def entries(folder: Path) -> list[Entry]:
    """The notebooks in the course's folder, in the order of their folders' names."""
    return [entry for path in sorted(folder.glob("[0-9]*/*.ipynb")) if (entry := _entry(folder, path)) is not None]


def _entry(folder: Path, path: Path) -> Entry | None:
    assignment = path.parent.name
    try:
        exercise_ids(assignment)
        text = _prose(path)
    except (CheckUsageError, OSError, ValueError, RecursionError):
        return None
    done = progress_of(assignment, path.parent)
    heading = re.search(r"^# +(.+)$", text, re.MULTILINE)
    return Entry(
        assignment,
        path.relative_to(folder).as_posix(),
        heading[1].strip() if heading else path.stem,
        _minutes(text),
        len(done.passed),
        len(done.passed) + len(done.missing),
        done.next,
    )


def _prose(path: Path) -> str:
    """The Markdown of a notebook, which a student may have changed in any way."""
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f"{path} is too large")
    data: Any = json.loads(path.read_text("utf-8"))
    cells = data.get("cells") if isinstance(data, dict) else None
    texts = []
    for cell in cells if isinstance(cells, list) else []:
        if isinstance(cell, dict) and cell.get("cell_type") == "markdown":
            source = cell.get("source", "")
            texts.append("".join(map(str, source)) if isinstance(source, list) else str(source))
    return "\n\n".join(texts)


def _minutes(text: str) -> int:
    """The sum of the table of parts, or else of the parts' own lines (`*35 minutes.*`)."""
    table, parts = 0, 0
    for in_table, in_part in _MINUTES.findall(text):
        table, parts = table + int(in_table or 0), parts + int(in_part or 0)
    return table or parts


_STYLE = """<style>
.jp-RenderedMarkdown h1 { line-height: 1.2; }
.course-start span { white-space: nowrap; }
@media (max-width: 600px) {
.course-start, .course-start :is(tbody, tr, td) { display: block; white-space: normal; max-width: 100%; }
.course-start thead { display: none; }
.course-start tr { padding: 0.5em 0; }
.course-start td { padding: 0.3em 0.5em !important; }
}</style>"""
"""On a phone four columns do not fit: there a notebook has a line for each."""


@dataclass(frozen=True)
class StartPage:
    """What `start_page` displays: a table where there is HTML, lines elsewhere."""

    entries: tuple[Entry, ...]

    def __str__(self) -> str:
        lines = [f"{e.title} ({e.path}): {_done(e)}; {_time(e)}" for e in self.entries]
        return "\n".join([*(lines or ["No notebooks here: open this page in the course's folder."]), _machine()])

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self.html()}

    def html(self) -> str:
        """The page for a notebook."""
        if not self.entries:
            return "<p>No notebooks here: open this page in the course's folder.</p>"
        head = "".join(
            f"<th scope='col' style='text-align:left'>{t}</th>" for t in ("notebook", "done", "time", "next")
        )
        rows = "".join(_row(entry) for entry in self.entries)
        table = f"<table class='course-start' role='table'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return f"{_STYLE}{table}<p>{escape(_machine())}</p>"


def _row(entry: Entry) -> str:
    bar = (
        f"<progress value='{entry.passed}' max='{max(1, entry.total)}' style='width:7em' "
        f"aria-label='{escape(entry.title, quote=True)}: exercises that pass'></progress>"
    )
    cells = (
        f"<a href='{escape(entry.path, quote=True)}'>{escape(entry.title)}</a>",
        f"{bar} <span>{escape(_done(entry))}</span>",
        f"<span>{escape(_time(entry))}</span>",
        _next(entry),
    )
    # Roles, since what is no table to the eye, on a phone, would be none to a screen reader either.
    return (
        "<tr role='row'>" + "".join(f"<td role='cell' style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>"
    )


def _next(entry: Entry) -> str:
    if entry.next is None:
        return "all done"
    target = escape(quote(entry.path) + entry.next.anchor, quote=True)
    return f"<a href='{target}'>{escape(entry.next.heading)}</a>"


def _done(entry: Entry) -> str:
    return f"{entry.passed} of {entry.total} exercises pass"


def _time(entry: Entry) -> str:
    if not entry.minutes:
        return "no estimate"
    hours, minutes = divmod(entry.minutes, 60)
    return f"about {hours} h {minutes:02d} min" if hours else f"about {minutes} min"


def _machine() -> str:
    device = best_device()
    mode = "quick experiments (COURSE_QUICK=1)" if quick() else "full experiments (COURSE_QUICK=1 shortens them)"
    return f"Experiments run on {'the GPU' if device.type == 'cuda' else 'the CPU'}; {mode}."
