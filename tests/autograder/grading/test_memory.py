"""What was judged is remembered: results are the same with and without it, and it stays small whatever comes."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.course import Course
from autograder.gradebook.graded import Graded
from autograder.grading.cell_log import CellLog
from autograder.grading.engine import grade_submission
from autograder.grading.marking import mark
from autograder.grading.memory import Judged, Memory
from autograder.grading.records import make_task
from autograder.grading.student_process import Answers, StudentProcess
from autograder.grading.task import Task
from autograder.sample_class.classroom import make_class
from autograder.sandbox import Limits, Sandbox
from autograder.sandbox.session import Packed
from autograder.submissions.notebook import Master
from autograder.submissions.submission import Job, Submission
from course_lib.checking.keys import Failure, respond
from course_lib.checking.values import pack
from course_lib.checking.verdict import judge
from tests.support import made_up, small_course

MEMBERS = 40


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A small course whose class holds all kinds of answers."""
    made = small_course.make(tmp_path_factory.mktemp("course"))
    shutil.copytree(made_up.FOLDER / "exercises", made.root / "exercises", dirs_exist_ok=True)
    return Course.find(made.root)


@pytest.fixture(scope="module")
def sandbox(course: Course) -> Iterator[Sandbox]:
    """One warm parent."""
    with Sandbox(code=course.code) as running:
        yield running


class _Counted(Memory):
    """Says what it was asked."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.asked: Counter[bool] = Counter()

    def recall(self, place: Any) -> Judged | None:
        """As it does."""
        found = super().recall(place)
        self.asked[found is not None] += 1
        return found


def _with(task: Task, memory: Memory) -> Task:
    made = dataclasses.replace(task)
    vars(made).update(exercises=task.exercises, deck=task.deck, engine=task.engine, memory=memory)
    return made


def _written(graded: Graded) -> tuple[object, ...]:
    return dataclasses.replace(graded.result, seconds=0), graded.notebook, graded.marks


@pytest.mark.sandbox
def test_a_class_is_graded_the_same_with_and_without_memory(course: Course, sandbox: Sandbox) -> None:
    """Results, notebooks and marks of answers of every kind that come to an end: right, odd, wrong, damaged."""
    members = make_class(course, made_up.ASSIGNMENT, MEMBERS, hostile=False)
    task = make_task(course, made_up.ASSIGNMENT, seed=1)
    remembering, forgetful = _with(task, _Counted(16 << 20)), _with(task, _Counted(0))
    ids = [member.student for member in members]
    jobs = [Submission.of(course, made_up.ASSIGNMENT, student).job(task.master) for student in ids]
    first = {job.student: _written(grade_submission(job, remembering, sandbox)) for job in jobs}
    for job in jobs:
        assert _written(grade_submission(job, forgetful, sandbox)) == first[job.student]
        # Now all of it is known, and what was recalled before has been changed by nobody.
        assert _written(grade_submission(job, remembering, sandbox)) == first[job.student]
    assert remembering.memory.asked[True] > len(jobs)  # type: ignore[attr-defined]
    assert not forgetful.memory.asked[True]  # type: ignore[attr-defined]


@pytest.mark.sandbox
def test_what_is_said_of_a_submission_s_own_cells_is_not_remembered(course: Course, sandbox: Sandbox) -> None:
    """Two that both lack the function, for different reasons, answer the same bytes and read different stories."""
    task = make_task(course, made_up.ASSIGNMENT, seed=1)
    told = []
    for source in ("columnscale = 1", "1 / 0\n" + made_up.SOLUTION):
        notebook = json.loads(task.master.content)
        made_up.cell(notebook, "column-scale-solution")["source"] = source
        graded = grade_submission(Job("ada", json.dumps(notebook).encode()), task, sandbox)
        told.append(graded.result.exercises["column-scale"].message)
    assert "defines columnscale instead" in told[0]
    assert "ZeroDivisionError" in told[1]


class _Session:
    """A process whose answers are there."""

    def close(self) -> None:
        """Nothing to be done."""


def test_answers_that_cannot_be_read_end_the_process_each_time() -> None:
    """They do not count as following from their bytes alone, for the process is given up over them."""
    key = made_up.EXERCISE.make_key(1, diagnose=False)
    packed = tuple(Packed(case, 3, b"abcdef") for case in key.cases)
    for _ in range(2):
        process = StudentProcess(None, Limits(), "cpu", [], CellLog(Limits()), 0.0)  # type: ignore[arg-type]
        process._session = _Session()  # type: ignore[assignment]
        read = process.read(Answers(key, packed, None, (), b"digest"))
        assert not read.whole
        assert process.ended == ["unreadable"]
        assert all(isinstance(found.failure, Failure) for found in read.responses.values())


def _hostile(size: int) -> Judged:
    """A judged answer whose every part says as much as it may."""
    key = made_up.EXERCISE.make_key(size, diagnose=False)
    raw = {"error": f"{size}" + "E" * size, "message": f"{size} " + "`x` <b>" * size, "used": ("a.b",)}
    verdict = judge(key, {case.name: respond(raw) for case in key.cases})
    return Judged(mark(made_up.EXERCISE, verdict, ("advice " * size,)), banned=False, unnamed=True)


def _length(judged: Judged) -> int:
    return len(judged.marked.html) + len(judged.marked.text) + len(str(judged.marked.result))


def test_hostile_answers_do_not_fill_the_memory() -> None:
    """However many different ones come, and however much each of them says."""
    memory = Memory(most=300_000)
    for number in range(400):
        memory.keep((b"asked", pack(number), ()), _hostile(number))
    assert memory.characters <= 300_000
    assert 0 < len(memory) <= 300
    kept = [memory.recall((b"asked", pack(number), ())) for number in range(400)]
    assert sum(_length(judged) for judged in kept if judged is not None) <= 3 * 300_000


SMALL = [_hostile(size) for size in (1, 30, 100)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.sampled_from(SMALL)), max_size=60))
def test_what_was_not_asked_for_longest_is_forgotten_first(steps: list[tuple[bool, int, Judged]]) -> None:
    """As a list of everything, cut to the size, would have it."""
    most = 3 * SMALL[-1].characters
    memory, kept = Memory(most), dict[int, Judged]()
    for asks, number, judged in steps:
        place = (b"", bytes([number]), ())
        if asks:
            assert memory.recall(place) is kept.get(number)
            if number in kept:
                kept[number] = kept.pop(number)
        elif number not in kept:
            memory.keep(place, judged)
            kept[number] = judged
            while sum(one.characters for one in kept.values()) > most:
                del kept[next(iter(kept))]
        else:
            memory.keep(place, judged)
    assert memory.characters == sum(one.characters for one in kept.values()) <= most
    assert len(memory) == len(kept)


def test_an_answer_larger_than_all_there_is_room_for_is_not_kept() -> None:
    """And what was there stays."""
    memory = Memory(most=SMALL[0].characters)
    memory.keep((b"", b"small", ()), SMALL[0])
    memory.keep((b"", b"large", ()), SMALL[2])
    assert memory.recall((b"", b"large", ())) is None
    assert memory.recall((b"", b"small", ())) is SMALL[0]


def test_a_task_remembers_for_itself() -> None:
    """Another seed asks for other numbers, and has a memory of its own."""
    master = Master(made_up.ASSIGNMENT, "made_up", json.dumps(made_up.notebook()))
    one, other = (Task(master, made_up.CODE, seed, Limits()) for seed in ("1", "2"))
    assert one.memory is one.memory is not other.memory
    key = one.deck.draw("pair", "ada", "d")
    assert key.digest != other.deck.draw("pair", "ada", "d").digest
    assert key.digest != one.deck.draw("column-scale", "ada", "d").digest
