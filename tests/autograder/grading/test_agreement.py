"""What the check in the notebook says of an answer, grading says too: every right one, every mistake, every ban."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course
from autograder.exercise import Exercise
from autograder.grading.engine import grade_submission
from autograder.grading.records import make_task
from autograder.releasing.release import release
from autograder.results import ExerciseResult
from autograder.sample_class.draft import Draft
from autograder.sample_class.kinds import shortcut_in
from autograder.sample_class.material import Material, load_material
from autograder.sample_class.student_code import UnportableCodeError, student_code
from autograder.sandbox import Sandbox
from autograder.submissions.submission import Job
from course_lib.checking.check import examine
from course_lib.checking.verdict import Verdict
from tests.support.course import COURSE
from tests.support.paths import ROOT

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One warm parent for all assignments."""
    with Sandbox() as running:
        yield running


def _portable(exercise: Exercise, what: Any) -> str | None:
    """An implementation as a student would hand it in, if it can be written down."""
    try:
        return student_code(exercise.namespace(what), f"own_{exercise.id.replace('-', '_')}")
    except UnportableCodeError:
        return None


def _answers(exercise: Exercise) -> list[str]:
    """Right answers, all known mistakes, a fourth of those made together, and one that uses what is forbidden."""
    alone = [mistake.wrong for mistake in exercise.misconceptions if len(mistake.slugs) == 1]
    together = [mistake.wrong for mistake in exercise.misconceptions if len(mistake.slugs) > 1]
    known = [*exercise.right_answers.values(), *alone, *together[::4]]
    found = [source for what in known if (source := _portable(exercise, what)) is not None]
    forbidden = shortcut_in(exercise, found[0])
    return [*found, *([forbidden] if forbidden else [])]


@pytest.mark.parametrize("assignment", COURSE.assignments)
def test_check_and_grading_agree(assignment: str, tmp_path: Path, sandbox: Sandbox) -> None:
    """Points, states of the criteria, names and bans are equal on the same cases, in the sandbox and out of it."""
    course = Course.find(ROOT).copy(tmp_path, [assignment])
    release(course, [assignment], tmp_path / "bundle")
    material, task = load_material(course, assignment), make_task(course, assignment, seed=5)
    compared = banned = 0
    for sources in _rounds(material):
        draft = Draft(material, random.Random(1))
        for exercise_id, source in sources.items():
            draft.write(exercise_id, source)
        job = Job("ada", draft.text().encode())
        graded = grade_submission(job, task, sandbox).result
        for exercise_id, source in sources.items():
            exercise = material.exercises[exercise_id]
            space: dict[str, Any] = {}
            exec(source, space)
            key = task.deck.draw(exercise_id, "ada", job.digest)
            verdict, _, _ = examine(key, [space[name] for name in exercise.names])
            result = graded.exercises[exercise_id]
            assert _said(verdict) == _graded(result), f"{exercise_id}: {result.message}\n{source}"
            compared += 1
            banned += bool(verdict.banned)
    assert compared > 100
    assert banned or not any(
        shortcut_in(exercise, f"def {exercise.names[0]}(): pass") for exercise in material.exercises.values()
    )


def _rounds(material: Material) -> Iterator[dict[str, str]]:
    """Submissions in which each exercise has another answer, and the solution where no more are known."""
    by_exercise = {name: _answers(exercise) for name, exercise in material.exercises.items()}
    for number in range(max(map(len, by_exercise.values()))):
        yield {name: answers[number] for name, answers in by_exercise.items() if number < len(answers)}


def _said(verdict: Verdict) -> tuple[Any, ...]:
    states = {r.criterion.slug: None if r.state == "not judged" else r.holds for r in verdict.results}
    return verdict.score, states, tuple(found.slug for found in verdict.misconceptions), verdict.banned


def _graded(result: ExerciseResult) -> tuple[Any, ...]:
    return result.score, dict(result.criteria), result.misconceptions, result.withheld
