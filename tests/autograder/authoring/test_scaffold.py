"""`autograder new`: what it begins is whole: it releases, checks and grades at once."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from autograder.authoring.scaffold import new_assignment, new_course, new_exercise
from autograder.cli import main
from autograder.course import Course
from autograder.errors import AutograderError, CourseError, SourceNotebookError, UsageError
from autograder.exercise import Exercise
from autograder.releasing.release import release
from autograder.releasing.source_checks import check_assignment
from autograder.sample_class.demo import demo
from tests.support.full_disk import full_disk
from tests.support.loops import end_loops_soon

SEEDS = range(50)


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    """A new course with a new assignment."""
    (tmp_path / "answers").mkdir()
    monkeypatch.setenv("COURSE_ANSWERS", str(tmp_path / "answers"))
    new_course(tmp_path / "my-course")
    new_assignment(Course.find(tmp_path / "my-course"), "01_first")
    return Course.find(tmp_path / "my-course")


def _only(course: Course) -> Exercise:
    (exercise,) = course.exercises("01_first").values()
    return exercise


def test_a_new_assignment_can_be_released(course: Course) -> None:
    """Its notebook has no problems, its points add up, and its bundle gives nothing away."""
    assert check_assignment(course.source / "01_first", course.exercises("01_first")) == []
    (row,) = release(course, ["01_first"]).rows
    assert (row.exercises, row.automatic, row.written) == (1, 2, 2)


def test_the_example_exercise_is_one_that_an_author_may_copy(course: Course) -> None:
    """On 50 seeds right answers get everything, every mistake loses what it says and is named alone."""
    exercise = _only(course)
    for seed in SEEDS:
        key = exercise.make_key(seed)
        assert exercise.verdict(exercise.reference_answer, key).passed
        assert all(exercise.verdict(answer, key).passed for answer in exercise.right_answers.values())
        for mistake in exercise.misconceptions:
            verdict = exercise.verdict(mistake.wrong, key)
            assert [found.slug for found in verdict.misconceptions] == list(mistake.slugs)
            assert verdict.score == exercise.points - mistake.costs


@pytest.mark.sandbox
@pytest.mark.slow
def test_a_new_course_grades_a_class_at_once(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Release, a made-up class, grading, feedback, report: everybody is graded as expected."""
    end_loops_soon(monkeypatch)
    made = demo(course, "01_first", 12, tmp_path / "demo", workers=1)
    assert [(member.kind, made.problems(member)) for member in made.members if made.problems(member)] == []
    assert made.report.is_file()


def test_a_new_exercise_stands_before_the_written_questions(course: Course) -> None:
    """Text, solution and test in this order, its id in EXERCISES, its file beside the others."""
    new_exercise(course, "01_first", "to-the-unit-sphere")
    found = Course.find(course.root)
    assert list(found.exercises("01_first")) == ["first-1", "to-the-unit-sphere"]
    cells = json.loads((course.source / "01_first" / "first.ipynb").read_text())["cells"]
    ids = [cell["id"] for cell in cells]
    place = ids.index("to-the-unit-sphere-text")
    assert ids[place:] == [
        "to-the-unit-sphere-text", "to-the-unit-sphere-solution", "to-the-unit-sphere", "why", "done",
    ]  # fmt: skip
    assert check_assignment(course.source / "01_first", found.exercises("01_first")) == []


def test_nothing_that_is_there_is_overwritten(course: Course, tmp_path: Path) -> None:
    """A second attempt is a line and a hint, and leaves every byte as it was."""
    before = {path: path.read_bytes() for path in course.root.rglob("*") if path.is_file()}
    for attempt in (
        lambda: new_course(course.root),
        lambda: new_assignment(course, "01_first"),
        lambda: new_assignment(course, "02_first"),
        lambda: new_exercise(course, "01_first", "first-1"),
        lambda: new_exercise(course, "01_first", "why"),
    ):
        with pytest.raises(CourseError) as caught:
            attempt()
        assert caught.value.hint or "has a cell" in caught.value.message
    assert {path: path.read_bytes() for path in course.root.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["", "../x", "01", "a b", "Ä", "x/y", "-x"])
def test_a_name_that_makes_no_folder_is_refused(course: Course, name: str) -> None:
    """What is typed becomes the names of folders, packages and cells."""
    for begin in (lambda: new_assignment(course, name), lambda: new_exercise(course, "01_first", name)):
        with pytest.raises((UsageError, CourseError)):
            begin()


@pytest.mark.parametrize("name", ["class", "lambda"])
def test_a_word_of_python_is_no_name(course: Course, name: str) -> None:
    """No function, and no package, can be called that."""
    with pytest.raises(UsageError, match="a word of Python's own"):
        new_exercise(course, "01_first", name)
    with pytest.raises(UsageError):
        new_assignment(course, f"02_{name}")


def _files(course: Course) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in course.root.rglob("*") if path.is_file() and path.suffix != ".pyc"}


@pytest.mark.parametrize("files", [0, 1, 2])
def test_a_full_disk_leaves_the_course_as_it_was(course: Course, files: int) -> None:
    """The source notebook above all; then the same command begins the exercise or the assignment."""
    before = _files(course)
    for begin in (lambda: new_exercise(course, "01_first", "second"), lambda: new_assignment(course, "02_next")):
        with full_disk(files), pytest.raises(OSError, match="No space"):
            begin()
        assert _files(course) == before
    new_exercise(course, "01_first", "second")
    new_assignment(course, "02_next")
    assert list(Course.find(course.root).exercises("01_first")) == ["first-1", "second"]


def test_a_full_disk_leaves_no_half_of_a_new_course(tmp_path: Path) -> None:
    """The same command begins it when there is room again."""
    with full_disk(2), pytest.raises(OSError, match="No space"):
        new_course(tmp_path / "other")
    assert not (tmp_path / "other").exists()
    new_course(tmp_path / "other")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{\n"cells": [\n<<<<<<< HEAD\n]}', "has a conflict marker of Git in line 3"),
        ('{"cells": [\n', "is not readable JSON .*line 2"),
        ('{"nbformat": 4}', "is not a notebook: there is no list of cells"),
    ],
)
def test_a_broken_source_notebook_is_one_line(course: Course, content: str, words: str) -> None:
    """With the file and the place; nothing is written, and releasing says that alone, not what follows from it."""
    path = course.source / "01_first" / "first.ipynb"
    path.write_text(content)
    before = _files(course)
    with pytest.raises(SourceNotebookError, match=f"first.ipynb {words}") as caught:
        new_exercise(course, "01_first", "second")
    assert "\n" not in caught.value.message
    assert _files(course) == before
    (problem,) = check_assignment(path.parent, course.exercises("01_first"))
    assert problem.place == "first.ipynb"


def test_the_command_says_what_it_wrote_and_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From an empty folder to a second exercise by what the command itself says."""
    monkeypatch.chdir(tmp_path)
    assert main(["new", "course", "calculus"]) == 0
    assert "autograder new assignment" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path / "calculus")
    assert main(["new", "assignment", "01_limits"]) == 0
    out = capsys.readouterr().out
    assert "wrote    notebooks/01_limits/limits.ipynb\nwrote    exercises/limits/limits_1.py\n" in out
    assert main(["new", "exercise", "01_limits", "epsilon-delta"]) == 0
    assert "autograder release 01_limits" in capsys.readouterr().out
    assert main(["new", "exercise", "01_limit", "x"]) == 2
    assert "did you mean '01_limits'?" in capsys.readouterr().err


def test_outside_a_course_only_a_course_can_be_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says so."""
    monkeypatch.chdir(tmp_path)
    assert main(["new", "assignment", "01_first"]) == AutograderError.exit_status


@pytest.mark.parametrize(
    ("titles", "words"),
    [
        (("value for n > 0", "value for n < 0"), "'value for n > 0' and 'value for n < 0' have the same key"),
        (("mean", "Keeps dtype and device"), "'Keeps dtype and device' and 'keeps dtype and device' have the same key"),
        (("mean", "<>"), "the criterion '<>' has no letter or digit"),
    ],
)
def test_criteria_that_cannot_be_told_apart_are_refused(titles: tuple[str, str], words: str, course: Course) -> None:
    """Their marks would be merged; whoever asks for the exercise, to rehearse, release or grade, is told."""
    path = course.root / "exercises" / "first" / "first_1.py"
    more = "".join(f'\nexercise.criterion("{title}", 1)' for title in titles)
    path.write_text(path.read_text("utf-8") + more + "\n", encoding="utf-8")
    with pytest.raises(CourseError, match=r"first_1\.py") as caught:
        Course.find(course.root).exercises("01_first")
    assert words in caught.value.message


def test_a_title_of_any_script_is_a_key() -> None:
    """Titles in ASCII keep the keys under which their marks are stored."""
    exercise = Exercise("x", "f(x)")
    titles = ("сумма", "среднее", "größer als 0", "平均", "Runs over the_batch (N > 1)!")
    keys = [exercise.criterion(title, 1).slug for title in titles]
    assert keys == ["сумма", "среднее", "größer-als-0", "平均", "runs-over-the-batch-n-1"]


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("Einführung Statistik ÄÖ ü", "einfuhrung_statistik_ao_u_lib"),
        ("Straße & Łódź", "strasse_lodz_lib"),
        ("Курс Python", "python_lib"),
        ('it\'s "odd" \\ $title', "it_s_odd_title_lib"),
        ("my-course", "my_course_lib"),
    ],
)
def test_a_course_is_called_as_its_folder_is(name: str, library: str, tmp_path: Path) -> None:
    """The title as typed, the package in letters that it may have; what is printed can be typed."""
    written = new_course(tmp_path / name)
    found = Course.find(tmp_path / name)
    assert (found.title, found.code.library) == (name, library)
    found.code.import_library()
    assert shlex.split(written.next[0]) == ["cd", str(tmp_path / name)]
    new_assignment(found, "01_first")
    assert list(Course.find(tmp_path / name).assignments) == ["01_first"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("Курс", "has no Latin letter"), ("2026", "has no Latin letter"),
     ("2026 Statistik", "begins with no Latin letter"), ("a\nb", "cannot be shown")],
)  # fmt: skip
def test_a_folder_without_a_name_for_a_package_is_refused(name: str, words: str, tmp_path: Path) -> None:
    """The hint says which letters it takes, and nothing is written."""
    with pytest.raises(UsageError, match=words) as caught:
        new_course(tmp_path / name)
    assert "a-z" in caught.value.hint or words == "cannot be shown"
    assert not (tmp_path / name).exists()
