"""What is compared of a class: the solution cells as they were graded, and what is wrong in them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
from tqdm import tqdm

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercise import Exercise
from autograder.grading.records import load_master
from autograder.results import SubmissionResult, read_results
from autograder.similarity.fragments import Fragments, fragments_of
from autograder.similarity.pairs import Pair, Work, find_pairs
from autograder.similarity.unnamed_mistakes import unnamed_mistakes

__all__ = ["Comparison", "compare_class"]

_FEWEST = 3


@dataclass(frozen=True)
class Comparison:
    """A class compared.

    Attributes:
        students: whose code was compared: who changed a solution cell.
        pairs: most alike first.
        every: the likeness of all pairs.
        code: student -> exercise -> source.
    """

    assignment: str
    students: tuple[str, ...]
    pairs: tuple[Pair, ...]
    every: np.ndarray
    code: Mapping[str, Mapping[str, str]]


def compare_class(course: Course, assignment: str, most: int = 30, *, show_progress: bool = False) -> Comparison:
    """Compare everybody who was graded with everybody else.

    Args:
        most: how many pairs to keep.

    Raises:
        UnknownAssignmentError: if there is no such assignment.
        CourseError: if too few are graded.
    """
    exercises = course.exercises(assignment)
    master = load_master(course, assignment)
    results = read_results(course.results(assignment))
    given = {name: master.text.get(f"{name}-solution", "") for name in exercises}
    mistakes = _mistakes(results, exercises)
    code: dict[str, dict[str, str]] = {}
    works: list[Work] = []
    for student in tqdm(sorted(results), desc="reading", unit="subm.", file=sys.stdout, disable=not show_progress):
        path = course.autograded / student / assignment / f"{master.notebook}.ipynb"
        own = {name: text for name, text in _solutions(path) if name in given and text.strip() != given[name].strip()}
        if own:
            code[student] = own
            fragments = {name: fragments_of(text) for name, text in own.items()}
            works.append(Work(student, fragments, frozenset(mistakes.get(student, ()))))
    if len(works) < _FEWEST:
        raise CourseError(
            f"{len(works)} graded submissions of {assignment} hold code of their own; at least {_FEWEST} are compared",
            f"autograder grade {assignment}",
        )
    pairs, every = find_pairs(works, _handed_out(master.text), most)
    return Comparison(assignment, tuple(work.student for work in works), tuple(pairs), every, code)


def _solutions(path: Path) -> Iterator[tuple[str, str]]:
    """Exercise and code of the solution cells of a graded notebook; none of one that cannot be read."""
    try:
        cells = nbformat.read(path, as_version=4).cells
    except (OSError, ValueError):
        return
    for cell in cells:
        name = str(cell.get("id", ""))
        if cell.cell_type == "code" and name.endswith("-solution"):
            yield name.removesuffix("-solution"), cell.source


def _handed_out(texts: Mapping[str, str]) -> list[Fragments]:
    """All that students were given: stubs, examples, and what stands in the text."""
    return [fragments_of(text) for text in texts.values()]


def _mistakes(
    results: Mapping[str, SubmissionResult], exercises: Mapping[str, Exercise]
) -> dict[str, set[tuple[str, str]]]:
    """Student -> what is wrong, by name; wrong in the same way without a name is as good."""
    found: dict[str, set[tuple[str, str]]] = {}
    for student, result in results.items():
        for name, answer in result.exercises.items():
            found.setdefault(student, set()).update((name, slug) for slug in answer.misconceptions)
    for group in unnamed_mistakes(results.values(), exercises, smallest=2):
        for student in group.students:
            found[student].add((group.exercise, f"the same wrong values ({group.name})"))
    return found
