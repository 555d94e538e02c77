"""Marks in the files that Canvas and Moodle themselves wrote, so that they find every student again.

Canvas' import (lib/gradebook_importer.rb) finds students by the column ID and an assignment by the number in its title,
"Title (5678)".  Moodle's upload of a grading worksheet (mod/assign/feedback/offline/importgradeslib.php) finds them by
"Participant 123".  A cell for which there is no mark keeps what stood in it: neither platform then changes anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autograder.errors import UsageError
from autograder.gradebook.marks import AssignmentMarks
from autograder.gradebook.remarks import of_mark
from autograder.gradebook.rules import Rules
from autograder.gradebook.tables import Row
from autograder.platforms.roster import Roster, key_of

__all__ = ["Returned", "canvas_marks", "moodle_marks"]

_TITLE_WITH_ID = re.compile(r"(?P<title>.*) \((?P<id>\d+)\)", re.DOTALL)


@dataclass
class Returned:
    """A table, and what a person should know about it."""

    rows: list[Row]
    notes: list[str] = field(default_factory=list)


def canvas_marks(
    assignments: Sequence[AssignmentMarks],
    roster: Roster,
    columns: Mapping[str, str],
    *,
    partial: bool = False,
    scale: bool = False,
) -> Returned:
    """Canvas' own export with marks in it.

    Args:
        roster: Canvas' export, joined with the gradebook's students.
        columns: assignment -> title of its column, where that is not plain.
        partial: also marks of submissions in which answers wait.
        scale: to the points that Canvas knows.

    Raises:
        UsageError: if an assignment's column is not plain.
    """
    sections = [at for at, title in enumerate(roster.titles) if title.strip() == "Section"]
    last = sections[0] + 1 if sections else 2
    places = {marks.name: _canvas_column(marks.name, roster.titles[last:], columns) + last for marks in assignments}
    keep = [*range(last), *places.values()]
    points = next((row for row in roster.rows if row and row[0].strip() == "Points Possible"), ())
    table = Returned([[roster.titles[at] for at in keep]])
    table.rows.append(["    Points Possible", *([""] * (last - 1)), *(_cell(points, at) for at in places.values())])
    most = {marks.name: _number(_cell(points, places[marks.name])) for marks in assignments}
    lines = {person.row: person.id for person in roster.people if person.row >= 0}
    cells = {marks.name: _totals(marks, most[marks.name], partial, scale, table.notes) for marks in assignments}
    for line, student in sorted(lines.items()):
        row: Row = [_cell(roster.rows[line], at) for at in keep]
        for at, marks in enumerate(assignments, start=last):
            if student in cells[marks.name]:
                row[at] = cells[marks.name][student]
        table.rows.append(row)
    _note_strangers(assignments, set(lines.values()), table.notes)
    return table


def _canvas_column(assignment: str, titles: Sequence[str], columns: Mapping[str, str]) -> int:
    """Which of Canvas' columns is an assignment's.

    Raises:
        UsageError: if none or several can be it.
    """
    read = {at: _TITLE_WITH_ID.fullmatch(title.strip()) for at, title in enumerate(titles)}
    known = {at: one["title"] for at, one in read.items() if one is not None}
    if wanted := columns.get(assignment):
        found = [at for at in known if wanted in (titles[at].strip(), known[at])]
    else:
        found = [at for at, title in known.items() if _alike(title, assignment)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(repr(titles[at]) for at in list(known)[:12]) or "none"
    raise UsageError(
        f"{'more than one' if found else 'no'} column of Canvas' export is {wanted or assignment!r}; it has: {listed}",
        f'say which in nbgrader_config.py: c.Autograder.canvas_columns = {{"{assignment}": "TITLE (NUMBER)"}}',
    )


def _alike(title: str, assignment: str) -> bool:
    """Whether a title is an assignment's name, with or without its number: `01_first` is "First"."""
    return key_of(title) in (key_of(assignment), key_of(re.sub(r"^\d+_", "", assignment)))


def moodle_marks(
    marks: AssignmentMarks, roster: Roster, rules: Rules, *, partial: bool = False, scale: bool = False
) -> Returned:
    """Moodle's own grading worksheet with marks in it.

    Args:
        roster: the worksheet, joined with the gradebook's students.
        rules: for the remark of a mark that is not the sum of the points.
        partial: also marks of submissions in which answers wait.
        scale: to the points that Moodle knows.

    Raises:
        UsageError: if it has no column for grades.
    """
    grade, feedback, most = (roster.column(what) for what in ("grade", "feedback", "most"))
    if grade is None:
        raise UsageError("the roster is no grading worksheet of Moodle: it has no column 'Grade'", "collect --roster")
    table = Returned([list(roster.titles)])
    first = roster.rows[0] if roster.rows else ()
    totals = _totals(marks, _number(_cell(first, most)) if most is not None else None, partial, scale, table.notes)
    by_student = {mark.student.id: mark for mark in marks.marks}
    lines = {person.row: person.id for person in roster.people if person.row >= 0}
    for line, cells in enumerate(roster.rows):
        row: Row = [_cell(cells, at) for at in range(len(roster.titles))]
        student = lines.get(line, "")
        if student in totals:
            row[grade] = totals[student]
            if feedback is not None and not row[feedback]:
                row[feedback] = " ".join(of_mark(marks, by_student[student], rules))
        table.rows.append(row)
    _note_strangers([marks], set(lines.values()), table.notes)
    return table


def _totals(
    marks: AssignmentMarks, most: float | None, partial: bool, scale: bool, notes: list[str]
) -> dict[str, float]:
    """Student -> mark, of those whose mark is final."""
    factor = 1.0
    if most is not None and abs(most - marks.max_score) > 1e-6 and marks.max_score:
        if scale:
            factor = most / marks.max_score
            notes.append(f"{marks.name}: scaled from {marks.max_score:g} to the platform's {most:g} points")
        else:
            notes.append(
                f"{marks.name} has {marks.max_score:g} points here, {most:g} on the platform: change that, or --scale"
            )
    found = {m.student.id: round(factor * m.total, 2) for m in marks.marks if partial or not m.needs_grading}
    above = sum(total > most + 1e-6 for total in found.values()) if most is not None else 0
    if above:
        notes.append(f"{marks.name}: {above} above the platform's {most:g} points; Moodle leaves such marks out")
    return found


def _note_strangers(assignments: Sequence[AssignmentMarks], known: set[str], notes: list[str]) -> None:
    strangers = sorted({mark.student.id for marks in assignments for mark in marks.marks} - known)
    if strangers:
        more = f" and {len(strangers) - 5} more" if len(strangers) > 5 else ""
        notes.append(f"not in the platform's file, so left out: {', '.join(strangers[:5])}{more}")


def _cell(row: Sequence[str], at: int) -> str:
    return row[at] if at < len(row) else ""


def _number(text: str) -> float | None:
    """A number as Canvas and Moodle write it, with a point or a comma."""
    plain = text.strip().replace(",", ".")
    return float(plain) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", plain) else None
