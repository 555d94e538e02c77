"""The command `autograder new`: begins a course, an assignment, an exercise or a known mistake."""

from __future__ import annotations

import argparse
from pathlib import Path

from autograder.authoring.scaffold import Written, new_assignment, new_course, new_exercise
from autograder.course import Course
from autograder.errors import CourseError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    kinds.add_parser("course", help="a folder with all that a course needs").add_argument("folder", type=Path)
    kinds.add_parser("assignment", help="a notebook with one exercise").add_argument("name", help="as 01_projection")
    exercise = kinds.add_parser("exercise", help="one more exercise in an assignment")
    exercise.add_argument("assignment", help="name of the assignment")
    exercise.add_argument("name", help="its id, as project-onto-line")
    mistake = kinds.add_parser("misconception", help="a known mistake, from answers that the report puts together")
    mistake.add_argument("assignment", help="name of the assignment")
    mistake.add_argument("exercise", help="id of the exercise")
    mistake.add_argument("group", help="name of the group, as the report shows it")
    for kind in kinds.choices.values():  # behind the kind, too, where people write it
        kind.add_argument("--course", type=Path, default=argparse.SUPPRESS, metavar="DIR", help=argparse.SUPPRESS)


def run(args: argparse.Namespace, course: Course | None) -> int:
    """Write it, and say what was written and what comes next."""
    if args.kind == "course":
        return _tell(new_course(args.folder))
    if course is None:
        hint = "go to its folder, or begin one: autograder new course DIR"
        raise CourseError("there is no course here or above", hint)
    if args.kind == "assignment":
        return _tell(new_assignment(course, args.name))
    if args.kind == "misconception":
        from autograder.authoring.misconception import new_misconception

        return _tell(new_misconception(course, args.assignment, args.exercise, args.group))
    return _tell(new_exercise(course, args.assignment, args.name))


def _tell(written: Written) -> int:
    here = Path.cwd()
    for path in written.files:
        print(f"wrote    {path.relative_to(here) if path.is_relative_to(here) else path}")
    print("\nNext:", *(f"  {line}" for line in written.next), sep="\n")
    return 0
