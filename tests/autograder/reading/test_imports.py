"""What a released notebook imports and this machine does not have."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from autograder import cli
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading.batch import Options, grade_course
from autograder.reading.imports import missing_imports
from autograder.releasing.release import release
from tests.support import made_up, small_course


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import json\nimport surely_absent.part as s", ["surely_absent (cell 'x')"]),
        ("%matplotlib inline\nfrom surely_absent import a", ["surely_absent (cell 'x')"]),
        ("import my_lib, __main__\nfrom . import y", []),
        ("try:\n    import surely_absent\nexcept ImportError:\n    pass", []),
        ("def later():\n    import surely_absent", []),
        ("no python", []),
    ],
)
def test_a_package_that_is_not_here_is_named_with_its_cell(source: str, found: list[str]) -> None:
    """The course's own library is elsewhere, and what is tried or comes later may be missing."""
    cells = [nbformat.from_dict(made_up.code("x", source))]
    assert missing_imports(cells, ["my_lib"], []) == found
    assert missing_imports(cells, ["my_lib"], ["x"]) == []


def test_a_notebook_that_cannot_import_is_said_before_anybody_loses_points(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A note when it is released; grading does not begin.  Experiments are not run, and may import what they like."""
    course = small_course.make(tmp_path)
    source = made_up.notebook()
    made_up.cell(source, "plot")["source"] = "import absent_in_experiments"
    made_up.write_notebook(course.root, source)
    assert release(course, [made_up.ASSIGNMENT]).not_installed == ()
    made_up.cell(source, "setup")["source"] = "import surely_absent\nimport torch\n\nfrom course_lib import check"
    made_up.write_notebook(course.root, source)
    assert cli.main(["--course", str(course.root), "release", made_up.ASSIGNMENT]) == 0
    assert "imports surely_absent (cell 'setup'), not installed here" in capsys.readouterr().out
    small_course.hand_in(course, "ada")
    with pytest.raises(CourseError, match=r"imports surely_absent \(cell 'setup'\), which is not installed") as caught:
        grade_course(Course.find(course.root), made_up.ASSIGNMENT, Options(seed=7, workers=1, sandbox="none"))
    assert "release the notebook without it" in caught.value.hint
    assert not course.results(made_up.ASSIGNMENT).exists()
