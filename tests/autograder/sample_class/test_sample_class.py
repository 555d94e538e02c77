"""The sample class: code that stands on its own, kinds that are what they say."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercise import Exercise
from autograder.releasing.release import release
from autograder.results import ExerciseResult, SubmissionResult
from autograder.sample_class.classroom import Member, make_class
from autograder.sample_class.expectation import Expectation
from autograder.sample_class.kinds import KINDS
from autograder.sample_class.people import people, written_answer
from autograder.sample_class.student_code import UnportableCodeError, student_code
from course_lib.checking.drivers import run_case
from course_lib.checking.keys import ExerciseKey, respond
from course_lib.checking.values import MAX_BYTES, pack
from course_lib.checking.verdict import Verdict, judge
from tests.support import made_up
from tests.support.course import ASSIGNMENTS

EPS = 0.5


def _helper(x: float) -> float:
    return x + EPS


def _uses_helper(x: float, limit: int = 3) -> float:
    """A docstring that would give it away."""
    total: float = 0.0
    for _ in range(limit):
        total += _helper(x)  # a comment that would give it away
    return math.floor(total)


def _recursive(n: int) -> int:
    return 1 if n <= 1 else n * _recursive(n - 1)


def _enclosing(scale: float) -> Callable[[float], float]:
    def inner(x: float) -> float:
        return scale * _helper(x)

    return inner


class _Base(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + EPS


class _Derived(_Base):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


LAMBDAS = {"double": lambda x: 2 * x, "triple": lambda x: (
    3 * x
)}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "argument", "expected"),
    [
        pytest.param(_uses_helper, 1.0, 4, id="helper and constant"),
        pytest.param(_recursive, 5, 120, id="recursion"),
        pytest.param(_enclosing(3.0), 1.0, 4.5, id="closure"),
        pytest.param(LAMBDAS["double"], 4, 8, id="lambda"),
        pytest.param(LAMBDAS["triple"], 4, 12, id="second lambda of a line"),
        pytest.param(partial(_uses_helper, limit=2), 1.0, 3, id="partial"),
        pytest.param(math.sqrt, 9.0, 3.0, id="imported"),
    ],
)
def test_code_of_a_student_stands_on_its_own(value: Any, argument: Any, expected: Any) -> None:
    """Whatever a function refers to comes along; nothing else is needed to run it."""
    namespace: dict[str, Any] = {}
    exec(student_code({"answer": value}, "task"), namespace)
    assert namespace["answer"](argument) == expected


def test_a_class_brings_its_base_and_super_along() -> None:
    """Modules are classes with parents."""
    namespace: dict[str, Any] = {}
    exec(student_code({"Layer": _Derived}, "task"), namespace)
    assert namespace["Layer"]()(torch.ones(())).item() == 3.0


def test_nothing_gives_the_origin_away() -> None:
    """Docstrings, comments, annotations and the registry's own names are gone."""
    source = student_code({"answer": _uses_helper}, "task")
    assert "give it away" not in source
    assert "float" not in source
    assert "_uses_helper" not in source


def test_helpers_of_two_cells_do_not_meet() -> None:
    """Every helper carries its exercise's name, so that no cell overwrites another's."""
    assert "def one_helper(" in student_code({"a": _uses_helper}, "one")
    assert "def two_helper(" in student_code({"b": _uses_helper}, "two")


def test_what_cannot_be_written_down_is_refused() -> None:
    """A tensor in a closure is no source code."""
    tensor = torch.ones(3)

    def answer(x: float) -> torch.Tensor:
        return x * tensor

    with pytest.raises(UnportableCodeError, match="Tensor"):
        student_code({"answer": answer}, "task")


EVERY = [
    pytest.param(exercise, id=f"{assignment}-{exercise.id}")
    for assignment, exercises in ASSIGNMENTS.items()
    for exercise in exercises.values()
]


def _answers(key: ExerciseKey, namespace: dict[str, Any]) -> dict[str, Any]:
    return {case.name: run_case(namespace, case.function, case.driver, case.inputs) for case in key.cases}


def _verdict(key: ExerciseKey, answers: dict[str, Any]) -> Verdict:
    return judge(key, {name: respond(raw) for name, raw in answers.items()})


@pytest.mark.parametrize("exercise", EVERY)
def test_every_answer_of_the_registry_can_be_handed_in(exercise: Exercise) -> None:
    """Written out as a student's code, each right and wrong implementation gets the verdict that it gets itself."""
    key = exercise.make_key("sample class")
    reference = exercise.namespace(exercise.reference_answer)
    implementations = [*exercise.right_answers.values(), *(m.wrong for m in exercise.misconceptions)]
    for what in implementations:
        original = exercise.namespace(what)
        own = {name: value for name, value in original.items() if reference.get(name) is not value}
        handed_in: dict[str, Any] = {}
        exec(student_code(own, exercise.id.replace("-", "_")), handed_in)
        written, own_answers = _answers(key, {**reference, **handed_in}), _answers(key, original)
        if pack(written, MAX_BYTES) == pack(own_answers, MAX_BYTES):  # as almost always; so is the verdict, then
            continue
        same, other = _verdict(key, written), _verdict(key, own_answers)
        assert [r.holds for r in same.results] == [r.holds for r in other.results]
        assert [m.slug for m in same.misconceptions] == [m.slug for m in other.misconceptions]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A made-up course, released."""
    root = tmp_path_factory.mktemp("course")
    (root / "nbgrader_config.py").write_text('c = get_config()\nc.CourseDirectory.source_directory = "notebooks"\n')
    made_up.write_notebook(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_ANSWERS", str(root / "answers"))
        (root / "answers").mkdir()
        found = Course.find(root)
        release(found, [made_up.ASSIGNMENT])
        yield found


def _files(course: Course) -> dict[str, bytes]:
    return {str(path.relative_to(course.submitted)): path.read_bytes() for path in course.submitted.rglob("*.ipynb")}


def _cells(course: Course, member: Member) -> dict[str, str]:
    path = course.submitted / member.student / made_up.ASSIGNMENT / "made_up.ipynb"
    return {cell["id"]: cell["source"] for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]}


def _one(members: list[Member], kind: str) -> Member:
    return next(member for member in members if member.kind == kind)


def test_a_class_of_thirty_has_every_kind(course: Course) -> None:
    """From 30 students on, nothing that a grader must bear is left out."""
    kinds = [member.kind for member in make_class(course, made_up.ASSIGNMENT, 30)]
    assert len(kinds) == 30
    assert set(kinds) == {kind.name for kind in KINDS} | {"misconceptions"}
    assert kinds.count("misconceptions") >= 6


@pytest.mark.parametrize("students", [1, 7, 30, 200])
def test_a_class_has_the_size_that_was_asked_for(course: Course, students: int) -> None:
    """Every student has an id of their own and a file."""
    members = make_class(course, made_up.ASSIGNMENT, students)
    assert len({member.student for member in members}) == students
    assert all((course.submitted / member.student / made_up.ASSIGNMENT).is_dir() for member in members)


def test_without_a_sandbox_nobody_is_hostile(course: Course) -> None:
    """Loops, bombs and forgeries stay out where nothing could hold them."""
    hostile = {kind.name for kind in KINDS if kind.hostile}
    members = make_class(course, made_up.ASSIGNMENT, 60, hostile=False)
    assert not hostile & {member.kind for member in members}


def test_equal_seeds_make_equal_classes(course: Course) -> None:
    """A class can be made again, byte for byte."""
    first = make_class(course, made_up.ASSIGNMENT, 40, seed=3)
    files = _files(course)
    assert make_class(course, made_up.ASSIGNMENT, 40, seed=3) == first
    assert _files(course) == files


def test_misconceptions_all_come_up(course: Course) -> None:
    """A large class makes every mistake that can be written down and is not forbidden."""
    members = make_class(course, made_up.ASSIGNMENT, 200)
    named = {slug for member in members for slug in member.expectation.named.values()}
    assert named == {slug for e in made_up.EXERCISES.values() for m in e.misconceptions for slug in m.slugs}


def test_a_solution_is_the_one_of_the_source_notebook(course: Course) -> None:
    """Solved cells hold the solution without its markers; locked cells are as released."""
    cells = _cells(course, _one(make_class(course, made_up.ASSIGNMENT, 30), "solution"))
    assert "middle = x.mean(dim=0)" in cells["column-scale-solution"]
    assert "### BEGIN" not in "".join(cells.values())
    assert cells["column-scale"] == 'check("column-scale", column_scale)'


def test_a_stub_is_as_released(course: Course) -> None:
    """Who did nothing hands in the released notebook."""
    cells = _cells(course, _one(make_class(course, made_up.ASSIGNMENT, 30), "stub untouched"))
    assert "raise NotImplementedError()" in cells["column-scale-solution"]


def test_most_written_questions_are_answered(course: Course) -> None:
    """The formgrader has something to grade."""
    members = make_class(course, made_up.ASSIGNMENT, 30)
    texts = [_cells(course, member)["why"] for member in members if member.kind in ("solution", "misconceptions")]
    assert sum("YOUR ANSWER HERE" not in text for text in texts) > len(texts) / 2


def test_an_unreleased_assignment_is_told(tmp_path: Path) -> None:
    """A class needs the released notebook; the error says how to make it."""
    made_up.write_notebook(tmp_path)
    (tmp_path / "nbgrader_config.py").write_text('c = get_config()\nc.CourseDirectory.source_directory = "notebooks"\n')
    with pytest.raises(CourseError) as caught:
        make_class(Course.find(tmp_path), made_up.ASSIGNMENT)
    assert "autograder release" in caught.value.hint


def test_people_have_plain_ids_of_their_own() -> None:
    """Ids are what universities give: lower-case letters and a number."""
    ids = [person.id for person in people(2000, random.Random(1))]
    assert len(set(ids)) == 2000
    assert all(name.isascii() and name.isalnum() and name == name.lower() for name in ids)


def test_a_written_answer_says_part_of_the_model_answer() -> None:
    """Answers differ, and are about the question."""
    model = "The mean depends on every example of the batch. So the noise of the batch regularises. It is like dropout."
    answers = {written_answer(model, random.Random(seed)) for seed in range(40)}
    assert None in answers
    assert len(answers) > 8
    assert any(answer and "noise of the batch" in answer for answer in answers)


def result(**changes: Any) -> SubmissionResult:
    """One exercise with half its points."""
    half = ExerciseResult(2.0, 4.0, {"a": True, "b": False}, ("slug",))
    return SubmissionResult("ada", "x", **{"status": "graded", "exercises": {"one": half}, **changes})


@pytest.mark.parametrize(
    ("expectation", "holds"),
    [
        (Expectation(), True),
        (Expectation(statuses=frozenset({"timeout"})), False),
        (Expectation(full=frozenset({"one"})), False),
        (Expectation(full=frozenset({"two"})), False),
        (Expectation(nothing=frozenset({"one"})), False),
        (Expectation(lost={"one": frozenset({"b"})}, named={"one": "slug"}), True),
        (Expectation(lost={"one": frozenset({"a"})}), False),
        (Expectation(named={"one": "other"}), False),
        (Expectation(flag="banned-operation"), False),
    ],
)
def test_an_expectation_sees_every_difference(expectation: Expectation, holds: bool) -> None:
    """The class tests the grader only if an expectation can fail."""
    assert (expectation.problems(result()) == []) is holds
