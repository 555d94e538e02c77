"""The command `autograder release`: makes what students get, and says what was made."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from autograder.course import CONFIG_NAME, Course
from autograder.gradebook.notices import outdated
from autograder.releasing.colab import keep_address, valid_address
from autograder.releasing.release import Row, release

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("assignments", nargs="+", metavar="ASSIGNMENT", help="folders in notebooks/")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="folder of the student bundle; ./bundle by default")
    parser.add_argument(
        "--colab",
        nargs="?",
        const="",
        metavar="URL",
        help="make notebooks for Google Colab too; they fetch the bundle's archive from this address, which is kept in "
        "nbgrader_config.py, and without one ask the student to upload it",
    )


def run(args: argparse.Namespace, course: Course) -> int:
    """Release, and say what was made and what comes next."""
    address = course.colab if args.colab is None else _address(args.colab, course)
    released = release(course, args.assignments, args.bundle, address, _progress)
    if args.colab is not None and address is not None and address != course.colab:
        keep_address(course.root / CONFIG_NAME, address)
    print(_table(released.rows))
    bundle = released.bundle
    print(f"\nbundle   {bundle.folder}  ({bundle.files} files, {bundle.size / 1e6:.1f} MB, no solution in it)")
    print(f"archive  {bundle.archive}  ({bundle.archive.stat().st_size / 1e6:.1f} MB)")
    if released.colab is not None:
        print(f"colab    {released.colab.folder}  ({_fetched(address, bundle.archive.name)})")
    for made in filter(None, (bundle, released.colab)):
        for name in made.kept:
            print(f"kept     {made.folder.name}/{name}: it was edited in the old one")
    for line in (*released.not_installed, *released.without_page):
        print(f"note     {line}")
    for line in filter(None, (outdated(course, row.assignment) for row in released.rows)):
        print(f"note     {line}")
    if released.answers_note:
        print(f"note     {released.answers_note}")
    first = released.rows[0]
    print(
        f"\nNext: give students {bundle.archive.name}; put what they hand in into\n"
        f"  {course.submitted}/STUDENT/{first.assignment}/{first.notebooks[0]}\n"
        f"and run: autograder grade {first.assignment}"
    )
    return 0


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _address(given: str, course: Course) -> str:
    """Where notebooks in Colab fetch the archive: as given, as configured, or as somebody says who is asked once."""
    if not given and course.colab is None and sys.stdin.isatty():
        given = input(
            "Where will students find the archive? An address, or Enter if they upload it themselves: "
        ).strip()
    return valid_address(given) if given else course.colab or ""


def _fetched(address: str | None, archive: str) -> str:
    return f"put {archive} at {address}, and this folder beside it" if address else f"students upload {archive}"


def _table(rows: Sequence[Row]) -> str:
    titles = ("assignment", "exercises", "points", "by hand", "notebooks")
    lines = [titles] + [
        (row.assignment, str(row.exercises), f"{row.automatic:g}", f"{row.written:g}", ", ".join(row.notebooks))
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
