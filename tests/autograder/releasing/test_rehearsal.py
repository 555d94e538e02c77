"""What an author got wrong is said before students meet it, in a line that names the place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from autograder.authoring.scaffold import new_assignment, new_course
from autograder.cli import main
from autograder.course import Course
from autograder.errors import SourceNotebookError
from autograder.releasing.rehearsal import Solutions, rehearse
from autograder.releasing.release import release

EXERCISE = '''
import torch
from autograder.exercise import Exercise

exercise = Exercise("{id}", "count_above(x, limit)", returns="count", dtype="a count")
COUNTS = exercise.criterion("counts", 2)

@exercise.cases
def cases(g):
    yield "by hand", {{"x": torch.tensor([1.0, 2.0, 3.0]), "limit": 2.0}}
    yield "many", {{"x": torch.rand(50, generator=g), "limit": 0.5}}

@exercise.reference
def reference(x, limit):
    return int((x > limit).sum())

@exercise.right
def by_a_loop(x, limit):
    return sum(1 for value in x.tolist() if value > limit)

@exercise.wrong(loses=COUNTS, costs=0.5)
def equal_counts_too(x, limit):
    """A number that equals the limit seems to be counted."""
    return int((x >= limit).sum())
'''
FAULTS = {
    "reference": (
        "(x > limit).sum())\n\n@exercise.right",
        "(x < limit).sum())\n\n@exercise.right",
        "the notebook's solution gets 0 of 2.25",
    ),
    "right answer": ("if value > limit", "if value >= limit", "the right answer 'by a loop' gets"),
    "NameError": ("(x >= limit).sum()", "(x >= limt).sum()", "stops with NameError: name 'limt' is not defined"),
    "not wrong": ("(x >= limit).sum()", "(limit < x).sum()", "is right in every case: none shows it"),
    "price": ("costs=0.5", "costs=5.0", "loses 2.25 points instead of 5"),
}


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course of one exercise, whose notebook has a solution that passes."""
    new_course(tmp_path / "counting")
    course = Course.find(tmp_path / "counting")
    new_assignment(course, "01_counting")
    course = Course.find(tmp_path / "counting")
    (path,) = (course.source / "01_counting").glob("*.ipynb")
    notebook = json.loads(path.read_text())
    (name,) = course.exercises("01_counting")
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if "BEGIN SOLUTION" in text:
            cell["source"] = (
                "def count_above(x, limit):\n    ### BEGIN SOLUTION\n    return int((x > limit).sum())\n"
                "    ### END SOLUTION\n"
            )
        elif "check(" in text and cell["cell_type"] == "code":
            cell["source"] = f'check("{name}", count_above)'
            cell["metadata"]["nbgrader"]["points"] = 2.25
    path.write_text(json.dumps(notebook))
    write(course, EXERCISE)
    return Course.find(course.root)


def write(course: Course, text: str) -> None:
    """The exercise's file."""
    (path,) = (p for p in (course.root / "exercises").rglob("*.py") if p.name != "__init__.py")
    path.write_text(text.format(id=path.stem.replace("_", "-")))


def lines_of(course: Course) -> str:
    """What is to be mended."""
    course = Course.find(course.root)
    solutions = Solutions.of(course, "01_counting")
    found = [rehearse(exercise, 3, solutions.namespace) for exercise in course.exercises("01_counting").values()]
    return "\n".join((*solutions.stopped, *(line for one in found for line in one.problems)))


def test_a_sound_exercise_has_nothing_to_mend(course: Course) -> None:
    """Reference, solution, an unusual right answer, and a mistake that is named at its price."""
    assert lines_of(course) == ""


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_line(course: Course, fault: str) -> None:
    """What was tried, what came of it, and what should have."""
    before, after, line = FAULTS[fault]
    assert before in EXERCISE
    write(course, EXERCISE.replace(before, after))
    assert line in lines_of(course)


def test_two_mistakes_that_give_the_same_are_told(course: Course) -> None:
    """The second would never be named."""
    again = (
        EXERCISE[EXERCISE.index("@exercise.wrong") :].replace("equal_counts_too", "the_same_again").replace("0.5", "1")
    )
    write(course, EXERCISE + "\n" + again)
    assert "the known mistake 'the-same-again' is called 'equal-counts-too'" in lines_of(course)


def test_the_command_says_it_and_ends_with_1(course: Course, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each exercise, as soon as it is done."""
    assert main(["rehearse", "01_counting", "--course", str(course.root)]) == 0
    assert re.match(r"ok    [\w-]+: 3 right answers and 1 known mistake on 5 seeds", capsys.readouterr().out)
    before, after, line = FAULTS["right answer"]
    write(course, EXERCISE.replace(before, after))
    assert main(["rehearse", "01_counting", "--seeds", "1", "--course", str(course.root)]) == 1
    assert line in capsys.readouterr().out


def test_what_its_own_solution_does_not_pass_is_not_released(course: Course) -> None:
    """Students would be graded against it."""
    before, after, line = FAULTS["reference"]
    write(course, EXERCISE.replace(before, after))
    with pytest.raises(SourceNotebookError, match=re.escape(line)):
        release(Course.find(course.root), ["01_counting"])


@pytest.mark.parametrize(
    ("source", "stops"),
    [
        ("%matplotlib inline\n!ls\nfiles = !ls\nx = 1", False),
        ("%%bash\nfor file in *; do echo $file; done", False),
        ("%%time\nmade_in_time = 1", False),
        ("if True\n    pass", True),
        ("exit(3)", True),
    ],
)
def test_magics_are_passed_over_and_what_stops_is_told(course: Course, source: str, stops: bool) -> None:
    """A notebook's cells are IPython's, not only Python's."""
    (path,) = (course.source / "01_counting").glob("*.ipynb")
    notebook = json.loads(path.read_text())
    notebook["cells"].insert(1, {"cell_type": "code", "id": "own", "metadata": {}, "source": source, "outputs": []})
    path.write_text(json.dumps(notebook))
    solutions = Solutions.of(course, "01_counting")
    assert bool(solutions.stopped) == stops, solutions.stopped
    assert ("made_in_time" in solutions.namespace) == ("made_in_time" in source)
