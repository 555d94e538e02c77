"""Answers that are wrong in the same way: found in a class, shown, and made a known mistake with one command."""

from __future__ import annotations

import ast
import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.authoring.misconception import example_code, new_misconception, refused_in
from autograder.cli import main
from autograder.course import Course
from autograder.errors import CourseError, UsageError
from autograder.grading.batch import Options, grade_course
from autograder.releasing.release import release
from autograder.results import read_results
from autograder.similarity.unnamed_mistakes import UnnamedMistake, unnamed_mistakes
from tests.support import small_course

NAME, LINE = "01_projection", "project-onto-line"
SOURCE = Path(__file__).parents[2] / "courses" / "linear_algebra"
RIGHT = "def project_onto_line(x, a):\n    return a * (x @ a) / (a @ a)"
HALF = "def project_onto_line(x, a):\n    return 0.5 * a * (x @ a) / (a @ a)"
ANSWERS = {
    "ada": "import math\n\n\ndef length(v):\n    return math.sqrt(v @ v)\n\n\n"
    "def project_onto_line(x, a):\n    return (x @ a) / length(a) ** 2 / 2 * a",
    "bob": HALF,
    "cho": HALF.replace("0.5 * a", "a / 2"),
    "dan": RIGHT,
    "eve": RIGHT.replace("a * (x", "3 * a * (x"),
    "fay": "def project_onto_line(x, a):\n    return (a @ x) * a",
    "gus": "def project_onto_line(x, a):\n    raise NotImplementedError",
    "hal": "def project_onto_line(x, a):\n    return torch.rand_like(x)",
    "ida": "def project_onto_line(x, a):\n    return x / 0",
}
"""Student -> what they wrote: three wrong in one way, one in another, a known mistake, nothing, noise."""


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A graded class of another course."""
    root = tmp_path_factory.mktemp("algebra") / "course"
    shutil.copytree(SOURCE, root, ignore=shutil.ignore_patterns("__pycache__"))
    course = Course.find(root)
    release(course, [NAME], root / "bundle")
    path = next((course.release / NAME).glob("*.ipynb"))
    for student, answer in ANSWERS.items():
        notebook: dict[str, Any] = json.loads(path.read_text("utf-8"))
        for cell in notebook["cells"]:
            cell["source"] = answer if cell["id"] == f"{LINE}-solution" else cell["source"]
        small_course.write_submission(course, student, NAME, notebook, path.name)
    # The code above is our own: it needs no sandbox, and so runs on every machine.
    grade_course(course, NAME, Options(workers=1, seed=1, sandbox="none"))
    return course


@pytest.fixture
def course(graded: Course, tmp_path: Path) -> Course:
    """A copy that a test may change."""
    shutil.copytree(graded.root, tmp_path / "course", ignore=shutil.ignore_patterns("__pycache__", "bundle*"))
    return Course.find(tmp_path / "course")


def _groups(course: Course, smallest: int = 3) -> tuple[UnnamedMistake, ...]:
    return unnamed_mistakes(read_results(course.results(NAME)).values(), course.exercises(NAME), smallest)


def test_those_who_err_in_the_same_way_are_put_together(graded: Course) -> None:
    """However they wrote it; right answers, known mistakes, noise and stubs are in no group."""
    (group,) = _groups(graded)
    assert (group.exercise, group.students) == (LINE, ("ada", "bob", "cho"))
    assert group.case == "by hand / p"
    assert group.got.startswith("0.5, 0.5")
    assert group.expected.startswith("1, 1")
    assert {group.students for group in _groups(graded, 1)} == {("ada", "bob", "cho"), ("eve",), ("ida",)}


def test_right_answers_keep_nothing_for_it(graded: Course) -> None:
    """Neither a result's file nor what is handed on by --json changes for them."""
    for path in graded.results(NAME).glob("*.json"):
        kept = {name for name, answer in json.loads(path.read_text())["exercises"].items() if "shown" in answer}
        assert (LINE in kept) == (path.stem in ("ada", "bob", "cho", "eve", "ida"))


def test_a_group_becomes_a_known_mistake_once_its_hint_is_written(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command writes it, the course asks for the hint, and then it is named alone on 30 seeds, and in the class."""
    (group,) = _groups(course)
    assert main(["new", "misconception", NAME, LINE, group.name, "--course", str(course.root)]) == 0
    assert "runs with your rights" in capsys.readouterr().out
    path = course.code.exercises_folder / "projection" / "project_onto_line.py"
    text = path.read_text()
    assert "def length(v):" in text
    with pytest.raises(CourseError, match="no hint for unnamed"):
        Course.find(course.root).exercises(NAME)
    name = f"unnamed_{group.name}"
    begin, end = text.split(f"def {name}(x, a):")
    path.write_text(f"{begin}def half_way(x, a):" + end.replace('""""""', '"""It was halved on the way."""', 1))
    changed = Course.find(course.root)
    exercise = changed.exercises(NAME)[LINE]
    for seed in range(30):
        verdict = exercise.verdict(exercise.misconceptions[-1].wrong, exercise.make_key(seed))
        assert [found.slug for found in verdict.misconceptions] == ["half-way"]
    grade_course(changed, NAME, Options(workers=1, seed=1, sandbox="none"))
    results = read_results(changed.results(NAME))
    assert all(results[student].exercises[LINE].misconceptions == ("half-way",) for student in ("ada", "bob", "cho"))
    assert _groups(changed) == ()


def test_a_group_that_is_not_there_is_told_with_those_that_are(course: Course) -> None:
    """As is an unknown exercise."""
    with pytest.raises(UsageError, match=r"has no group 'nope'; it has: [0-9a-f]{4} \(3 students\)"):
        new_misconception(course, NAME, LINE, "nope")
    with pytest.raises(UsageError, match="no exercise 'x'; it has: project-onto-line"):
        new_misconception(course, NAME, "x", "nope")


def test_a_mistake_is_written_once(course: Course) -> None:
    """The second time the command says what is there."""
    (group,) = _groups(course)
    text = (course.code.exercises_folder / "projection" / "project_onto_line.py").read_text()
    new_misconception(course, NAME, LINE, group.name)
    path = course.code.exercises_folder / "projection" / "project_onto_line.py"
    assert path.read_text().startswith(text.rstrip())
    written = path.read_text()
    path.write_text(written.replace('""""""', '"""A hint."""'))
    with pytest.raises(CourseError, match="already"):
        new_misconception(Course.find(course.root), NAME, LINE, group.name)


REFUSED = [
    "import os",
    "from torch import hub",
    "import torch.utils.cpp_extension",
    "from os import system as s",
    "from .x import y",
    "f = open",
    "eval('1')",
    "x = torch.load",
    "x = (1).__class__",
    "x = torch.ops",
    "__import__('os')",
    "getattr(torch, 'load')",
    "def f():\n    import subprocess",
    "f = lambda: torch.hub.x",
    "x = torch.os.popen('id')",
    "torch.sys.modules['subprocess'].run('id')",
    "import operator\nx = operator.attrgetter('__globals__')",
    "from operator import attrgetter",
    "from torch import os",
    "import numpy as np\nx = np.DataSource",
    "def f(x, y=print(1)): return x",
    "def f(x, *, y=g()): return x",
    "@g\ndef f(x): return x",
    "@g()\nclass C: pass",
    "class C(g()): pass",
]


@pytest.mark.parametrize("line", REFUSED)
def test_what_reaches_beyond_numbers_is_not_taken(line: str) -> None:
    """A student's code in an exercise's file would run with the instructor's rights."""
    assert list(refused_in(ast.parse(line).body))


def test_a_student_s_code_is_not_run_before_somebody_wrote_its_hint(course: Course) -> None:
    """Whoever writes the hint has read the code; until then the file is not imported."""
    (group,) = _groups(course)
    written = new_misconception(course, NAME, LINE, group.name).files[0]
    written.write_text(written.read_text() + f"\nopen({str(course.root / 'ran')!r}, 'w')\n")
    with pytest.raises(CourseError, match=f"no hint for unnamed_{group.name}"):
        Course.find(course.root).exercises(NAME)
    assert not (course.root / "ran").exists()


def test_harmless_code_is_taken() -> None:
    """Names of methods that are names of modules, too, a decorator that switches gradients off, defaults in numbers."""
    code = "@torch.no_grad()\ndef f(x, k=1, m=(1, 2)):\n    return x.select(0, k).trace() + x.copy() + np.random.rand()"
    assert list(refused_in(ast.parse(code).body)) == []


def test_what_a_function_needs_comes_with_it_and_nothing_else() -> None:
    """Imports, constants, helpers of other cells, the last definition of each; magics are no hindrance."""
    cells = [
        "%matplotlib inline\nimport torch\nimport os",
        "SCALE = 2\nOTHER = 3\ndef helper(x):\n    return x * SCALE",
        "def double(x):\n    return x\ndef halve(x):\n    return x / SCALE",
        "def double(x):\n    return helper(x) + torch.zeros(1)",
    ]
    code = "\n".join(map(ast.unparse, example_code(cells, ("double", "halve"))))
    assert "OTHER" not in code
    assert "import os" not in code
    scope: dict[str, Any] = {}
    exec(code, scope)
    assert float(scope["double"](3)) == 6
    assert scope["halve"](4) == 2


@given(st.text(max_size=300), st.lists(st.text(max_size=80), max_size=4))
def test_any_cells_give_code_or_a_known_error(source: str, others: list[str]) -> None:
    """Whatever a notebook holds."""
    with contextlib.suppress(CourseError):
        assert example_code([source, *others, "def f(x):\n    return g(x)"], ("f",))
