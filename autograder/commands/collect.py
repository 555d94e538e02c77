"""The command `autograder collect`: what a learning platform hands out, into the course."""

from __future__ import annotations

import argparse
import shlex
import unicodedata
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.course import Course
from autograder.platforms.collecting import Collected, collect
from autograder.platforms.uploads import Refused
from course_lib.checking.card import plain

__all__ = ["add_arguments", "run"]

_SHOWN = 20
_WHAT = {
    "new": "new",
    "again": "handed in again; earlier tries are kept",
    "unchanged": "as before",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("assignment", metavar="ASSIGNMENT", help="its folder in the course, as 01_first")
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a download (zip or folder), or files named after students"
    )
    parser.add_argument(
        "--roster",
        type=Path,
        metavar="FILE.csv",
        help="the class: Canvas' gradebook export, Moodle's grading worksheet or participants, or id,name,email; kept",
    )
    parser.add_argument(
        "--owner",
        action="append",
        default=[],
        type=_owner,
        metavar="NAME=ID",
        help="whose a folder or file is (repeatable)",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and write nothing")
    parser.add_argument("--all", action="store_true", help=f"list everything, not only the first {_SHOWN}")


def _owner(text: str) -> tuple[str, str]:
    name, sign, student = text.rpartition("=")
    if not (sign and name and student):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=ID")
    # As names in downloads are read; a shell completes a folder's name with a slash.
    return unicodedata.normalize("NFC", name.rstrip("/") or name), student


def run(args: argparse.Namespace, course: Course) -> int:
    """Collect, and say what was done; 1 if something is unclear."""
    found = collect(course, args.assignment, args.paths, args.roster, dict(args.owner), dry_run=args.dry_run)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    where = f" from {found.platform.title()}" if found.platform else ""
    console.print(
        Text(f"{args.assignment}{where}{': nothing is written' if args.dry_run else ''}", "bold"), soft_wrap=True
    )
    console.print(_table(found))
    limit = None if args.all else _SHOWN
    _list(console, "", [f"{row.name}: {'; '.join(row.notes)}" for row in found.rows if row.notes], limit)
    _list(console, "UNCLEAR ", [_unclear(one) for one in found.unclear], limit)
    if found.unnamed:
        names = ", ".join(repr(name) for name in found.unnamed)
        line = f"--owner: nothing in the download is called {names}; lines with UNCLEAR say what to write"
        console.print(Text(plain(line)), soft_wrap=True)
    if found.unclear:
        hint = "nobody got what is unclear; say whose it is, as its line does, or correct the roster, and collect again"
        console.print(Text(hint), soft_wrap=True)
    if found.rows and not args.dry_run:
        console.print(Text(f"next: autograder grade {args.assignment}"), soft_wrap=True)
    return 1 if found.unclear else 0


def _unclear(one: Refused) -> str:
    """What it is, why nobody got it, and what to type if one knows whose it is."""
    option = f" (--owner {shlex.quote(f'{one.owned_by}=ID')})" if one.owned_by else ""
    return f"{one.name}: {one.reason}{option}"


def _table(found: Collected) -> Table:
    table = Table(show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    table.add_column("")
    counts = Counter(row.what for row in found.rows)
    table.add_row("students", str(len(found.rows)), f"of {found.roster} in the roster" if found.roster else "no roster")
    for what, words in _WHAT.items():
        if counts[what]:
            table.add_row("", str(counts[what]), words)
    table.add_row("files", str(sum(row.files for row in found.rows)), "")
    timed = sum(row.when is not None for row in found.rows)
    late = sum(bool(row.late) for row in found.rows)
    times = [
        *([f"{late} late, says Canvas"] if late else []),
        *([_unclear_times(found)] if found.unclear_times else []),
    ]
    table.add_row("times known", str(timed), "; ".join(times))
    if found.roster:
        names = ", ".join(plain(student) for student in found.without[:5])
        more = f" and {len(found.without) - 5} more" if len(found.without) > 5 else ""
        table.add_row("nothing from", str(len(found.without)), Text(f"{names}{more}"))
    table.add_row("unclear", Text(str(len(found.unclear)), "bold red" if found.unclear else ""), "")
    return table


def _unclear_times(found: Collected) -> str:
    return f"{found.unclear_times} in the roster cannot be read; expected as 2026-05-01 14:05, or in English"


def _list(console: Console, word: str, lines: list[str], limit: int | None) -> None:
    for line in lines[:limit]:
        console.print(Text(f"  {word}{plain(line)}"), soft_wrap=True)
    if limit is not None and len(lines) > limit:
        console.print(f"  ... and {len(lines) - limit} more: --all", style="dim")
