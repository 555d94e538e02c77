"""Opening nbgrader's gradebook, and the one place that says in words what its database refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nbgrader.api import Gradebook
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from autograder.errors import GradebookError, GradebookInUseError

__all__ = ["open_gradebook", "refusal", "shown_url"]

_AGAIN = "the same command goes on from here"
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "40P01", "53300")
"""SQLite's names, and PostgreSQL's codes: lock_not_available, deadlock_detected, too_many_connections."""
_KNOWN = {
    "SQLITE_FULL": ("cannot be written: no space is left", f"make room on the disk; then {_AGAIN}"),
    "SQLITE_READONLY": ("cannot be written: it is read-only", f"make it and its folder writable; then {_AGAIN}"),
    "SQLITE_CANTOPEN": ("cannot be opened: is its folder there and writable?", f"mend that; then {_AGAIN}"),
    "SQLITE_CORRUPT": ("is damaged", "restore it from a backup"),
    "SQLITE_NOTADB": ("cannot be read: file is not a database", "restore it from a backup, or correct db_url"),
}
"""Beginning of SQLite's name -> what is the matter, and what to do."""


@contextmanager
def open_gradebook(url: str) -> Iterator[Gradebook]:
    """nbgrader's gradebook.

    Raises:
        GradebookError: if the database refuses something, now or while it is open.
    """
    try:
        with Gradebook(url) as book:
            yield book
    except (SQLAlchemyError, ImportError) as error:  # ImportError: the database's driver is not installed
        raise refusal(error, url) from error


def refusal(error: Exception, url: str = "") -> GradebookError:
    """What a database has refused, as one line and what to do."""
    name = f"the gradebook {shown_url(url)}" if url else "the gradebook"
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorname", "") or getattr(cause, "sqlstate", "") or ""
    if code.startswith(_BUSY):
        hint = f"wait until that is done (a formgrader, a backup, a viewer of databases), or close it; then {_AGAIN}"
        return GradebookInUseError(f"{name} is in use by another program", hint)
    for known, (what, hint) in _KNOWN.items():
        if code.startswith(known):
            return GradebookError(f"{name} {what}", hint)
    lines = str(cause).splitlines() or [type(cause).__name__]
    return GradebookError(f"{name} cannot be used: {lines[0][:200]}", "autograder doctor tells more")


def shown_url(url: str) -> str:
    """A database's address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(its db_url is no address)"
