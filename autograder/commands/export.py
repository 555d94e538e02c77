"""The command `autograder export`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder.course import Course
from autograder.errors import CourseError, UsageError
from autograder.gradebook.details import criteria, mistakes
from autograder.gradebook.marks import AssignmentMarks, read_marks
from autograder.gradebook.notices import notices, outdated
from autograder.gradebook.remarks import of_class
from autograder.gradebook.rules import Rules
from autograder.gradebook.tables import FORMATS, Row, as_csv, export
from autograder.platforms.collecting import everybody_of
from autograder.platforms.marks_back import canvas_marks, moodle_marks
from autograder.platforms.roster import Roster, read_roster, roster_of
from autograder.results import read_results
from autograder.whole_files import write_over

__all__ = ["add_arguments", "run"]

_DETAILS = {"criteria": criteria, "mistakes": mistakes}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `autograder export`."""
    parser.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="default: all in the gradebook")
    parser.add_argument(
        "--format",
        choices=[*sorted(FORMATS), *_DETAILS],
        default="csv",
        help="canvas, moodle: for their import; criteria, mistakes: a line for each (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE.csv", help="default: marks_FORMAT.csv in the course; - prints"
    )
    parser.add_argument(
        "--roster",
        type=Path,
        metavar="FILE.csv",
        help="Canvas' export or Moodle's worksheet to put marks into; default: the one that collect was given",
    )
    parser.add_argument("--scale", action="store_true", help="scale points to the platform's maximum")
    parser.add_argument(
        "--partial", action="store_true", help="also totals with answers that wait to be graded by hand, counted 0"
    )


def run(args: argparse.Namespace, course: Course) -> int:
    """Write the table, and say what is not final in it."""
    _require_use_of_roster(args)
    rules = Rules.of(course)
    found = read_marks(course.db_url, args.assignments, rules)
    notes: list[str] = []
    if args.format in _DETAILS:
        text = as_csv(_details(course, args.format, found))
    else:
        text = _platform(args, course, rules, found, notes) or export(found, args.format, partial=args.partial)
    if args.out == Path("-"):
        sys.stdout.write(text)
        told = sys.stderr
    else:
        path = args.out or course.root / f"marks_{args.format}.csv"
        # A byte order mark tells spreadsheets that the file is UTF-8; Moodle and Canvas accept it too.
        write_over(path, text.encode("utf-8-sig"))
        print(f"Marks: {path}")
        told = sys.stdout
    if args.format not in _DETAILS:
        for line in (*_unfinished(found, rules, args.partial), *notes):
            print(line, file=told)
    old = (outdated(course, marks.name) for marks in found if marks.name in course.assignments)
    for line in (*filter(None, old), *notices(course, rules)):
        print(f"note: {line}", file=told)
    return 0


def _require_use_of_roster(args: argparse.Namespace) -> None:
    if args.roster is not None and args.format not in ("canvas", "moodle"):
        raise UsageError(
            f"--roster is what marks are put into for a platform, but the format is {args.format}",
            "add --format canvas or --format moodle, or leave --roster out",
        )


def _unfinished(found: Sequence[AssignmentMarks], rules: Rules, partial: bool) -> list[str]:
    """What is not final, and what does not count as it is."""
    lines = []
    for marks in found:
        waiting = sum(mark.needs_grading for mark in marks.marks)
        if waiting:
            how = "counted 0 so far" if partial else "their marks are left out; --partial writes them"
            lines.append(f"{marks.name}: {waiting} of {len(marks.marks)} submissions wait for grading by hand ({how})")
        lines += [f"{marks.name}: {line}" for line in of_class(marks, rules)]
    return lines


def _platform(
    args: argparse.Namespace, course: Course, rules: Rules, found: Sequence[AssignmentMarks], notes: list[str]
) -> str:
    """Marks in the platform's own file; empty if there is none."""
    if args.format not in ("canvas", "moodle"):
        return ""
    rosters = {marks.name: _roster(args.roster, course, rules, marks) for marks in found}
    fitting = {name: roster for name, roster in rosters.items() if roster.kind == args.format}
    if args.roster is not None and not fitting:
        raise UsageError(
            f"{args.roster} is not what {args.format.title()} exports",
            "Canvas: Grades > Export; Moodle: the assignment's Download grading worksheet",
        )
    if not fitting:
        notes.append(
            f"no file of {args.format.title()} is known: its import must find students by login or address; better: "
            "--roster FILE.csv, Canvas' Grades > Export or Moodle's Download grading worksheet"
        )
        return ""
    if args.format == "moodle":
        if len(found) != 1:
            notes.append("several assignments: a table for Moodle's Grades > Import; name one for its worksheet")
            return ""
        returned = moodle_marks(found[0], fitting[found[0].name], rules, partial=args.partial, scale=args.scale)
    else:
        marked = [marks for marks in found if marks.name in fitting]
        returned = canvas_marks(
            marked, fitting[marked[-1].name], _columns(course), partial=args.partial, scale=args.scale
        )
        left_out = [marks.name for marks in found if marks.name not in fitting]
        if left_out:
            returned.notes.append(f"without a file of Canvas, so left out: {', '.join(left_out)}")
    notes += returned.notes
    return as_csv(returned.rows)


def _roster(path: Path | None, course: Course, rules: Rules, marks: AssignmentMarks) -> Roster:
    if path is None:
        return everybody_of(course, marks.name, rules.zone)
    students = [*(mark.student for mark in marks.marks), *marks.missing]
    return roster_of(students, read_roster(path, rules.zone))


def _columns(course: Course) -> Mapping[str, str]:
    columns = course.setting("canvas_columns") or {}
    if not isinstance(columns, Mapping):
        raise CourseError(
            f"c.Autograder.canvas_columns: {columns!r} is no table", 'write it as {"01_first": "First (5678)"}'
        )
    return columns


def _details(course: Course, kind: str, found: Sequence[AssignmentMarks]) -> list[Row]:
    rows: list[Row] = []
    for marks in found:
        results = list(read_results(course.results(marks.name)).values())
        table = list(_DETAILS[kind](marks.name, results, course.exercises(marks.name), marks.adjustments))
        rows += table if not rows else table[1:]
    return rows
