"""What stands in a course's settings and has no effect, so that it is mended before it costs somebody points."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from nbgrader.api import Student as GradebookStudent

from autograder.course import CONFIG_NAME, Course
from autograder.errors import GradebookError
from autograder.gradebook.lateness import EXTENSIONS
from autograder.gradebook.opening import open_gradebook
from autograder.gradebook.rules import Rules
from autograder.results import of_other_points, read_results
from autograder.sandbox import Limits

__all__ = ["SETTINGS", "notices", "outdated"]

SETTINGS = ("adjust", "canvas_columns", "colab", "due", "late", "library", "limits", "timezone", "title")
"""Every `c.Autograder.NAME` that something reads."""


def notices(course: Course, rules: Rules) -> list[str]:
    """A line for each: options and limits that nobody reads, and extensions of nobody."""
    return [*_options(course), *_limits(course), *_extensions(course, rules)]


def outdated(course: Course, assignment: str) -> str:
    """A line if submissions were graded with other points than the exercises have now; empty otherwise."""
    points = {name: exercise.points for name, exercise in course.exercises(assignment).items()}
    count = of_other_points(read_results(course.results(assignment)).values(), points)
    if not count:
        return ""
    were = "submission was" if count == 1 else "submissions were"
    return f"{count} {were} graded with other points than the exercises have now: autograder grade {assignment}"


def _options(course: Course) -> Iterator[str]:
    for name in course.config.get("Autograder", {}):
        if name not in SETTINGS:
            guess = _nearest(str(name), SETTINGS, "c.Autograder.")
            yield f"{CONFIG_NAME}: no option is called c.Autograder.{name}, so it does nothing; {guess}"


def _limits(course: Course) -> Iterator[str]:
    """What another assignment's grading would find, too, and what none would."""
    setting = course.setting("limits")
    if not isinstance(setting, Mapping):
        return
    limits = [field.name for field in dataclasses.fields(Limits)]
    for assignment, values in setting.items():
        place = f"{CONFIG_NAME}, c.Autograder.limits"
        if assignment != "*" and assignment not in course.assignments:
            guess = _nearest(str(assignment), course.assignments)
            yield f"{place}: there is no assignment {assignment!r}, so it does nothing; {guess}"
        for name in values if isinstance(values, Mapping) else ():
            if name not in limits:
                yield f"{place}, {assignment}: no limit is called {name!r}; {_nearest(str(name), limits)}"


def _nearest(name: str, known: Iterable[str], before: str = "") -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name.casefold(), names, n=1, cutoff=0.5)
    return f"did you mean {before}{near[0]}?" if near else f"there are: {', '.join(names) or 'none'}"


def _extensions(course: Course, rules: Rules) -> Iterator[str]:
    lines = rules.deadlines.lines
    known = _students(course) if lines else {}
    if not known:
        return
    by_key = {_key(text): student for student, name in known.items() for text in (name, student) if text}
    for student, number in lines.items():
        if student in known:
            continue
        near = difflib.get_close_matches(_key(student), by_key, n=1)
        guess = f"did you mean {by_key[near[0]]!r}?" if near else "write the name of their folder in submitted/"
        yield f"{EXTENSIONS}, line {number}: nobody here has the id {student!r}, so nobody gets it; {guess}"


def _key(text: str) -> str:
    """A name or an id without case, blanks and signs."""
    return "".join(sign for sign in text.casefold() if sign.isalnum()) or text


def _students(course: Course) -> dict[str, str]:
    """Id -> name, of everybody whom the gradebook knows or who handed something in."""
    try:
        found = {entry.name: "" for entry in os.scandir(course.submitted) if not entry.name.startswith(".")}
    except OSError:
        found = {}
    url = course.db_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        return found
    try:
        with open_gradebook(url) as book:
            row = GradebookStudent
            for student, first, last in book.db.query(row.id, row.first_name, row.last_name):
                found[student] = f"{first or ''} {last or ''}".strip()
    except GradebookError:  # whoever needs the gradebook says so
        pass
    return found
