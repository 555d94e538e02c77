"""Moving a gradebook to another database, from SQLite to PostgreSQL in the middle of a semester, say.

Every row of nbgrader's tables is copied in one transaction and then read back and compared; the old gradebook stays as
it is.  Automatic and manual scores, comments, due dates, extensions and students are such rows.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import Base, Gradebook, get_alembic_version
from sqlalchemy import Connection, Engine, Table, create_engine, delete, func, insert, inspect, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from tqdm import tqdm

from autograder.errors import GradebookError, GradebookInUseError
from autograder.gradebook.opening import refusal

__all__ = ["Moved", "move_gradebook"]

_BATCH = 1000
_VERSION = "alembic_version"


@dataclass(frozen=True)
class Moved:
    """What was moved.

    Attributes:
        target: its address, without the password.
        rows: table -> number of rows.
    """

    target: str
    rows: dict[str, int]


def move_gradebook(source_url: str, target_url: str, *, show_progress: bool = False) -> Moved:
    """Copy a gradebook into an empty database.

    Args:
        target_url: as `postgresql://teacher:PASSWORD@HOST/gradebook`.

    Raises:
        GradebookError: if one of them cannot be used, or the target is not empty; nothing has been changed then.
    """
    source_address, target_address = _address(source_url), _address(target_url)
    shown = target_address.render_as_string(hide_password=True)
    if source_address == target_address:
        raise GradebookError(f"{shown} is the course's gradebook already", "name the database that it shall move to")
    if source_address.get_backend_name() == "sqlite" and not Path(source_address.database or "").is_file():
        raise GradebookError(f"no gradebook at {source_address.database}", "`autograder release` makes it")
    try:
        source, target = create_engine(source_address), create_engine(target_address)
    except (SQLAlchemyError, ImportError) as error:  # ImportError: the database's driver is not installed
        raise GradebookError(f"{shown} cannot be used: {_line(error)}", "is its driver installed?") from error
    try:
        _require_current(source, source_address)
        _require_empty(target, shown)
        Gradebook(target_url).close()  # makes nbgrader's tables
        rows = _copy(source, target, show_progress)
    except SQLAlchemyError as error:
        if isinstance(known := refusal(error), GradebookInUseError):
            raise known from error
        hint = "is the server running, and may this account write there? Nothing has been moved"
        raise GradebookError(f"the gradebook cannot be moved to {shown}: {_line(error)}", hint) from error
    finally:
        source.dispose()
        target.dispose()
    return Moved(shown, rows)


def _address(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        raise GradebookError(
            f"{url[:20]!r} is no address of a database", "write it as postgresql://teacher:PASSWORD@HOST/gradebook"
        ) from error


def _line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:200]


def _require_current(source: Engine, address: URL) -> None:
    wanted, found = get_alembic_version(), ""
    with source.connect() as connection:
        if inspect(connection).has_table(_VERSION):
            found = str(connection.scalar(text(f"SELECT version_num FROM {_VERSION}")))
    if found != wanted:
        shown = address.render_as_string(hide_password=True)
        raise GradebookError(f"{shown} is no gradebook of this version of nbgrader", "nbgrader db upgrade")


def _require_empty(target: Engine, shown: str) -> None:
    """No rows but the course's name, which nbgrader writes into every new gradebook, and no tables of others."""
    with target.connect() as connection:
        names = set(inspect(connection).get_table_names())
        ours = {table.name for table in Base.metadata.sorted_tables} | {_VERSION}
        if strangers := sorted(names - ours):
            raise GradebookError(
                f"{shown} is not empty: it has the table {strangers[0]!r}", "make a database of its own"
            )
        for table in Base.metadata.sorted_tables:
            if table.name in names and table.name != "course" and (count := _count(connection, table)):
                raise GradebookError(
                    f"{shown} is not empty: its table {table.name!r} has {count} rows", "make a database of its own"
                )


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _copy(source: Engine, target: Engine, show_progress: bool) -> dict[str, int]:
    """All rows, in the order in which tables point to each other; then compared."""
    tables: Sequence[Table] = Base.metadata.sorted_tables
    copied: dict[str, int] = {}
    with source.connect() as old, target.begin() as new:
        total = sum(_count(old, table) for table in tables)
        with tqdm(total=total, desc="gradebook", unit="row", file=sys.stdout, disable=not show_progress) as bar:
            new.execute(delete(Base.metadata.tables["course"]))
            for table in tables:
                copied[table.name] = 0
                for rows in _batches(old, table):
                    new.execute(insert(table), rows)
                    copied[table.name] += len(rows)
                    bar.update(len(rows))
        for table in tables:
            for before, after in itertools.zip_longest(_batches(old, table), _batches(new, table)):
                if before != after:
                    raise GradebookError(
                        f"the table {table.name!r} reads differently after moving", "nothing has been moved; tell us"
                    )
    return copied


def _batches(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    """A table's rows in parts, in the order of their ids."""
    last: Any = None
    while True:
        # Not by the database's own order of texts, which differs between databases, but it need only be the same here.
        query = select(table).order_by(_bytes_of(connection, table)).limit(_BATCH)
        if last is not None:
            query = query.where(_bytes_of(connection, table) > last)
        rows = [dict(row) for row in connection.execute(query).mappings()]
        if rows:
            yield rows
        if len(rows) < _BATCH:
            return
        last = rows[-1]["id"]


def _bytes_of(connection: Connection, table: Table) -> Any:
    """A table's key, sorted by its bytes in both databases."""
    return table.c.id.collate("C") if connection.dialect.name == "postgresql" else table.c.id
