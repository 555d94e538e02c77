"""What an author wants to know first: is every right answer right, and every known mistake named at its price?

An exercise is Python, and anything in it can be wrong: the reference, the notebook's own solution, a mistake that stops
with a `NameError` or that no case shows.  Answers are judged here as a student's are, on several seeds.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import io
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import course_lib
from autograder.course import Course
from autograder.errors import SourceNotebookError
from autograder.exercise import Exercise, Misconception
from autograder.reading.code_cells import read_code
from autograder.releasing.source_checks import EXPERIMENT_TAG
from autograder.releasing.source_notebook import SourceCell, cells_of, read_source
from course_lib.checking.card import reason, shown
from course_lib.checking.check import answered, check
from course_lib.checking.keys import ExerciseKey, Failure
from course_lib.checking.verdict import CONVENTION_SLIPS, Verdict, judge

__all__ = ["Rehearsal", "Solutions", "rehearse", "require_right_answers"]


@dataclass(frozen=True)
class Solutions:
    """What the source notebooks define, run without tests and experiments.

    Attributes:
        namespace: the names.
        stopped: a line for each cell that stops with an exception.
        lacks_a_package: whether one of them does because something is not installed.
    """

    namespace: Mapping[str, Any]
    stopped: tuple[str, ...]
    lacks_a_package: bool = False

    @classmethod
    def of(cls, course: Course, assignment: str) -> Solutions:
        """Run the cells of an assignment's source notebooks, in this process: they are the author's own."""
        namespace: dict[str, Any] = {"__name__": "__main__", "get_ipython": _NoShell}
        stopped, lacks = [], False
        os.environ.setdefault("MPLBACKEND", "agg")
        course_lib.check = check  # else the notebook's import begins to warm up in the background, for checks to come
        for path in sorted((course.source / assignment).glob("*.ipynb")):
            for cell in filter(_is_to_run, cells_of(read_source(path))):
                try:
                    with contextlib.redirect_stdout(io.StringIO()):
                        exec(_compiled(cell), namespace)
                except (Exception, SystemExit) as error:
                    lacks |= isinstance(error, ModuleNotFoundError)
                    stopped.append(f"{path.name}, {cell.place}, stops with {type(error).__name__}: {error}")
        return cls(namespace, tuple(stopped), lacks)


def _is_to_run(cell: SourceCell) -> bool:
    is_test = cell.is_graded and not cell.is_solution
    tags = cell.metadata.get("tags")
    return cell.kind == "code" and not is_test and EXPERIMENT_TAG not in (tags if isinstance(tags, list) else ())


def _compiled(cell: SourceCell) -> CodeType:
    """A cell's code with what its magics hold; the magics themselves do nothing."""
    code = read_code(cell.source)
    if code.refused:
        raise ValueError(code.refused)
    return compile(ast.Module(list(code.body), []) if code.body else cell.source, cell.place, "exec")


class _NoShell:
    """In place of IPython, for what magics become."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


@dataclass(frozen=True)
class Rehearsal:
    """What came of one exercise.

    Attributes:
        tried: how many right answers (reference and solution among them) and how many mistakes.
        problems: a line each.
    """

    exercise: str
    tried: tuple[int, int]
    problems: tuple[str, ...]


def rehearse(
    exercise: Exercise, seeds: int, solutions: Mapping[str, Any] | None = None, *, mistakes: bool = True
) -> Rehearsal:
    """Try an exercise on several seeds.

    Args:
        solutions: the names that its notebook defines.
        mistakes: whether known mistakes are tried, too.

    Raises:
        CourseError: if its cases, criteria or reference do not fit together.
    """
    tried = [_Tried("its reference", exercise.namespace(exercise.reference_answer), watched=False)]
    if solutions is not None:
        own = {name: solutions[name] for name in exercise.names if name in solutions}
        tried.append(_Tried("the notebook's solution", own))
    tried += [_Tried(f"the right answer {name!r}", exercise.namespace(a)) for name, a in exercise.right_answers.items()]
    right = len(tried)
    for mistake in exercise.misconceptions if mistakes else ():
        names = exercise.namespace(mistake.wrong)
        tried.append(_Tried(f"the known mistake {mistake.slug!r}", names, mistake, watched=False))
    for seed in range(seeds):
        key = exercise.with_suspects(exercise.make_key(f"rehearsal {seed}", diagnose=False), remember=True)
        unwatched = dataclasses.replace(key, forbidden=())
        for one in tried:
            verdict = _verdict(key if one.watched else unwatched, one.names)
            one.lines.append(_of_right(verdict) if one.mistake is None else _of_wrong(one.mistake, verdict))
    problems = tuple(filter(None, (one.problem for one in tried)))
    return Rehearsal(exercise.id, (right, len(tried) - right), problems)


@dataclass
class _Tried:
    """An answer, and what is wrong with what came of it on each seed; empty where nothing is.

    Attributes:
        watched: whether forbidden operations are looked for; a reference may use them.
    """

    name: str
    names: Mapping[str, Any]
    mistake: Misconception | None = None
    watched: bool = True
    lines: list[str] = field(default_factory=list)

    @property
    def problem(self) -> str:
        """What is wrong on the first seed that shows it, and on how many."""
        bad = [line for line in self.lines if line]
        seen = f" (on {len(bad)} of {len(self.lines)} seeds)" if len(bad) < len(self.lines) else ""
        return f"{self.name} {bad[0]}{seen}" if bad else ""


def require_right_answers(course: Course, assignment: str, exercises: Mapping[str, Exercise]) -> None:
    """Refuse an assignment in which a right answer would not pass: the reference's, the notebook's, an unusual one.

    Raises:
        SourceNotebookError: with a line for each.
        CourseError: as `rehearse`.
    """
    solutions = Solutions.of(course, assignment)
    # What is not installed here may be where students work and where is graded: that has a line of its own.
    lines = [] if solutions.lacks_a_package else list(solutions.stopped)
    own = None if solutions.lacks_a_package else solutions.namespace
    for name, exercise in exercises.items():
        lines += [f"{name}: {line}" for line in rehearse(exercise, 1, own, mistakes=False).problems]
    if lines:
        what = f"{assignment} cannot be released, {len(lines)} problem{'s' * (len(lines) > 1)}:"
        hint = f"correct the notebook or the exercise, then: autograder rehearse {assignment}"
        raise SourceNotebookError(what + "".join(f"\n  {line}" for line in lines), hint)


def _verdict(key: ExerciseKey, names: Mapping[str, Any]) -> Verdict:
    """As a student's answer is judged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return judge(key, {case.name: answered(names, case, key) for case in key.cases})


def _of_right(verdict: Verdict) -> str:
    if verdict.passed:
        return ""
    if verdict.banned:
        return f"uses {verdict.banned[0]}, which the exercise forbids"
    why = verdict.failure.message if verdict.failure is not None else reason(verdict, shown(verdict))
    return f"gets {verdict.score:g} of {verdict.key.points:g} points. {why}".rstrip()


def _of_wrong(mistake: Misconception, verdict: Verdict) -> str:
    if verdict.passed:
        return "is right in every case: none shows it"
    found = {slip.slug for slip in verdict.misconceptions} - (set(CONVENTION_SLIPS) - set(mistake.slugs))
    failures = {seen.kind: seen.message for seen in verdict.observed.values() if isinstance(seen, Failure)}
    if "NameError" in failures:
        return f"stops with {failures['NameError']}"
    if found != set(mistake.slugs):
        as_what = f"called {' and '.join(map(repr, sorted(found)))}" if found else "not named"
        return f"is {as_what}: another one gives the same, or it does not lose the criteria that it is about"
    lost, costs = verdict.key.points - verdict.score, mistake.costs
    return f"loses {lost:g} points instead of {costs:g}" if abs(lost - costs) > 1e-6 else ""
