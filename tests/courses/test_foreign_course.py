"""A course on another subject, in a folder of its own: released, checked, graded here and on a cluster."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course
from autograder.errors import CourseError, SourceNotebookError, UnknownAssignmentError
from autograder.grading.batch import Options, grade_course
from autograder.releasing.release import release
from autograder.results import SubmissionResult
from course_lib.checking.answers import answer_folders, load_key
from course_lib.lab.environment import faults
from tests.support import made_up, small_course
from tests.support.dask_cluster import scheduler
from tests.support.paths import ROOT

NAME = "01_projection"
SOURCE = Path(__file__).parent / "linear_algebra"
HEAD = "def project_onto_line(x, a):"
RIGHT = "def project_onto_line(x, a):\n    return a * (x @ a) / (a @ a)"
BASIS = "def orthonormal_basis(A):\n    return torch.linalg.qr(A).Q * -1"
ANSWERS = {
    "right": (RIGHT, BASIS),
    "exchanged": ("def project_onto_line(x, a):\n    return x * (x @ a) / (x @ x)", BASIS),
    "forbidden": (
        "def project_onto_line(x, a):\n    return a * torch.linalg.lstsq(a[:, None], x[:, None])[0][0]",
        BASIS,
    ),
    "lengths": (RIGHT, "def orthonormal_basis(A):\n    q = torch.linalg.qr(A).Q\n    return q * (q * A).sum(0)"),
    "crashes": (RIGHT, "def orthonormal_basis(A):\n    import os\n    os._exit(1)"),
    "driver": (
        RIGHT + "\n\nimport algebra_lib.projection.drivers as d\nd._projector = lambda *given: given",
        "def orthonormal_basis(A):\n    return A",
    ),
}
"""Student -> the two solution cells."""

IMPORT = "from autograder.exercise import Exercise\n"

WITHOUT_A_HINT = (
    IMPORT
    + """exercise = Exercise("project-onto-line", "f(x)")
POINTS = exercise.criterion("is right", 1)

@exercise.cases
def cases(g):
    yield "one", {"x": 1.0}

@exercise.reference
def right(x):
    return x

@exercise.wrong(loses=POINTS)
def turned_round(x):
    return -x
"""
)

SNOOP = """
import os
found = []
for place in {places!r}:
    for folder, _, files in os.walk(place):
        found += [os.path.join(folder, name) for name in files if name.endswith((".py", ".ipynb", ".db"))]
print("found:", found)
try:
    import exercises
    print("found: exercises")
except ImportError:
    print("nothing to import")
"""


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """The course in a folder of its own."""
    return _copied(tmp_path / "course")


def _copied(place: Path) -> Course:
    shutil.copytree(SOURCE, place, ignore=shutil.ignore_patterns("__pycache__"))
    return Course.find(place)


def _hand_in(course: Course, student: str, line: str, basis: str, extra: str = "") -> None:
    path = next((course.release / NAME).glob("*.ipynb"))
    notebook: dict[str, Any] = json.loads(path.read_text("utf-8"))
    sources = {"project-onto-line-solution": line, "orthonormal-basis-solution": basis}
    for cell in notebook["cells"]:
        cell["source"] = sources.get(cell["id"], cell["source"])
    if extra:
        notebook["cells"].append(made_up.code("own", extra))
    small_course.write_submission(course, student, NAME, notebook, path.name)


def _graded(course: Course, **options: Any) -> dict[str, SubmissionResult]:
    batch = grade_course(course, NAME, Options(seed=3, **options))
    assert not batch.failed
    return {result.student: result for result in batch.results}


def test_it_has_its_own_assignments_and_nothing_of_another_course(course: Course) -> None:
    """Names, exercises and library come from its folder alone."""
    assert course.assignments == (NAME,)
    assert list(course.exercises(NAME)) == ["project-onto-line", "orthonormal-basis"]
    assert course.code.libraries == ("course_lib", "algebra_lib")
    with pytest.raises(UnknownAssignmentError, match=r"unknown assignment '01_projektion'; there are: 01_projection"):
        course.exercises("01_projektion")


def test_two_courses_live_in_one_process(course: Course, tmp_path: Path) -> None:
    """Both have a package `exercises`: each finds its own, in any order, and what was imported stays usable."""
    ours = Course.find(ROOT)
    first = ours.exercises(ours.assignments[0])
    theirs = course.exercises(NAME)
    assert ours.exercises(ours.assignments[0]) == first
    exercise = theirs["orthonormal-basis"]
    assert exercise.verdict(exercise.reference_answer, exercise.make_key(1)).passed
    other = _copied(tmp_path / "other")
    path = other.root / "exercises" / "projection" / "project_onto_line.py"
    path.write_text(path.read_text().replace("nearest point", "closest point"))
    assert other.exercises(NAME)["project-onto-line"].criteria[0].title == "is the closest point of the line"
    assert course.exercises(NAME)["project-onto-line"].criteria[0].title == "is the nearest point of the line"


def test_a_changed_exercise_or_library_changes_the_version(course: Course) -> None:
    """And so what was graded before is graded again; another course's files play no part."""
    before = course.code.version
    assert Course.find(course.root).code.version == before
    for changed in ("exercises/projection/project_onto_line.py", "algebra_lib/projection/drivers.py"):
        path = course.root / changed
        path.write_text(path.read_text() + "\n# changed\n")
        after = Course.find(course.root).code.version
        assert after != before
        before = after


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("project_onto_line.py", "import nonsense_of_nobody", "No module named 'nonsense_of_nobody'"),
        ("project_onto_line.py", "exercise = 3", "defines no `exercise`"),
        ("project_onto_line.py", "def f(:", "SyntaxError"),
        (
            "project_onto_line.py",
            'from autograder.exercise import Exercise\nexercise = Exercise("x", "f(x)")',
            "id 'x'",
        ),
        (
            "project_onto_line.py",
            IMPORT + 'exercise = Exercise("project-onto-line", "f(x)")',
            "no cases: decorate",
        ),
        ("__init__.py", f'ASSIGNMENT = "{NAME}"', "defines no EXERCISES"),
        ("project_onto_line.py", WITHOUT_A_HINT, "no hint for turned-round: write it as its docstring"),
    ],
)
def test_a_faulty_exercise_is_one_line_with_its_file(course: Course, file: str, text: str, message: str) -> None:
    """Whoever writes exercises makes mistakes: the file, what was found, and what to do."""
    (course.root / "exercises" / "projection" / file).write_text(text)
    with pytest.raises(CourseError) as caught:
        course.exercises(NAME)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_reference_that_fails_says_on_which_case(course: Course) -> None:
    """An author's first slip is a case that does not fit the function."""
    path = course.root / "exercises" / "projection" / "orthonormal_basis.py"
    path.write_text(path.read_text().replace('Case({"A": A}', 'Case({"A": A, "k": 2}'))
    exercise = course.exercises(NAME)["orthonormal-basis"]
    with pytest.raises(CourseError, match=r"reference of orthonormal-basis fails on case 'by hand': TypeError: by_qr"):
        exercise.make_key(1)


def test_the_bundle_is_the_courses_and_checks_alone(course: Course, tmp_path: Path) -> None:
    """Title, names and library are the course's; no topic of ours goes along; a check needs nothing but the bundle."""
    folder = release(course, [NAME]).bundle.folder
    assert (folder / "README.md").read_text().startswith("# Linear algebra by computer\n")
    assert "Linear algebra by computer" in (folder / "start.ipynb").read_text()
    assert 'include = ["course_lib*", "algebra_lib*"]' in (folder / "pyproject.toml").read_text()
    assert (folder / "environment.yml").read_text().startswith("name: linear-algebra\n")
    assert (folder / "algebra_lib" / "projection" / "drivers.py").is_file()
    assert sorted(path.name for path in (folder / "course_lib").iterdir() if path.is_dir()) == [
        "answers", "checking", "lab", "widgets",
    ]  # fmt: skip
    assert not list(folder.rglob("exercises"))
    code = "\n".join(["import torch", "from course_lib import check", RIGHT, BASIS])
    code += '\ncheck("project-onto-line", project_onto_line)\ncheck("orthonormal-basis", orthonormal_basis)'
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed") == 2


def test_its_authors_check_in_its_folder(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer data stays with the course, where its source notebooks find it, and our own is as it was."""
    folders = answer_folders()
    before = {path: path.stat().st_mtime_ns for folder in folders for path in folder.glob("*")}
    release(course, [NAME])
    assert {path: path.stat().st_mtime_ns for folder in folders for path in folder.glob("*")} == before
    monkeypatch.chdir(course.source / NAME)
    assert load_key("project-onto-line").names == ("project_onto_line",)
    assert not any("no answer data" in fault.wrong for fault in faults(course.root))


@pytest.mark.parametrize("between", ["\n", "\n\n    # then\n        "], ids=["as it is", "spread"])
def test_a_reference_of_the_course_that_was_pasted_into_text_is_not_released(course: Course, between: str) -> None:
    """The proof is about the course's own references, wherever the grader lies."""
    path = course.source / NAME / "projection.ipynb"
    notebook = json.loads(path.read_text())
    lines = [
        "coefficient = torch.linalg.lstsq(a[:, None], x[:, None]).solution",
        "return (a[:, None] @ coefficient)[:, 0]",
    ]
    title = next(cell for cell in notebook["cells"] if cell["id"] == "title")
    title["source"] = "# Projections\n\n" + between.join(lines)
    path.write_text(json.dumps(notebook))
    with pytest.raises(SourceNotebookError, match=r"exercises/projection/project_onto_line\.py, by_least_squares"):
        release(course, [NAME])
    assert not (course.root / "bundle").exists()


@pytest.mark.sandbox
def test_submissions_get_the_courses_points_and_mistakes(course: Course) -> None:
    """With its own driver in the sandbox, which a student cannot replace; with its own forbidden operation."""
    release(course, [NAME])
    for student, (line, basis) in ANSWERS.items():
        _hand_in(course, student, line, basis)
    results = _graded(course)
    assert {student: result.score for student, result in results.items()} == {
        "right": 5, "exchanged": 3, "forbidden": 3, "lengths": 2, "crashes": 2, "driver": 2,
    }  # fmt: skip
    assert results["right"].flags == ()
    assert results["exchanged"].exercises["project-onto-line"].misconceptions == ("roles-exchanged",)
    assert results["lengths"].exercises["orthonormal-basis"].misconceptions == ("not-normalized",)
    assert results["forbidden"].exercises["project-onto-line"].withheld == ("torch.linalg.lstsq",)


@pytest.fixture
def below_a_system_path() -> Iterator[Path]:
    """A folder that the sandbox shows, for all that lies in `/usr` is the system's."""
    place = Path("/usr/local/share/a-course-of-the-tests")
    try:
        place.mkdir(parents=True)
    except OSError as error:
        pytest.skip(f"{place} cannot be made: {error.strerror}")
    yield place
    shutil.rmtree(place)


@pytest.mark.sandbox
def test_a_course_below_a_system_path_is_hidden(below_a_system_path: Path) -> None:
    """Neither references nor gradebook nor other submissions can be read from inside, and they cannot be imported."""
    course = _copied(below_a_system_path / "course")
    release(course, [NAME])
    snoop = SNOOP.format(places=[str(below_a_system_path), "/sandbox/exercises"])
    _hand_in(course, "curious", RIGHT, BASIS, snoop)
    _graded(course)
    shown = (course.autograded / "curious" / NAME / "projection.ipynb").read_text()
    assert "found: []" in shown
    assert "nothing to import" in shown


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cluster_grades_it_without_having_it(course: Course, tmp_path: Path) -> None:
    """The course travels with its submissions: the same results as here, by a worker that has no such folder."""
    release(course, [NAME])
    for student, (line, basis) in ANSWERS.items():
        _hand_in(course, student, line, basis)
    here = {student: result.exercises for student, result in _graded(course).items()}
    (tmp_path / "cluster").mkdir()
    with scheduler(tmp_path / "cluster") as running:
        running.start_workers(1)
        running.wait_for_workers(1)
        there = _graded(course, cluster=running.address, force=True)
    assert {student: result.exercises for student, result in there.items()} == here


def test_python_m_autograder_is_the_program(course: Course) -> None:
    """For those whose PATH does not have it."""
    command = [sys.executable, "-m", "autograder", "--course", str(course.root), "release", NAME]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=course.root, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert f"{NAME}  2          5       2        projection.ipynb" in done.stdout
