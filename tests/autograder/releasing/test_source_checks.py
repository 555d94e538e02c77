"""The checks of a source notebook: each fault is found, named by its cell, and told together with the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.errors import SourceNotebookError
from autograder.releasing.source_checks import check_assignment, require_releasable
from tests.support import made_up
from tests.support.made_up import cell

Notebook = dict[str, Any]
Change = Callable[[Notebook], object]


def problems(folder: Path, notebook: Notebook) -> list[str]:
    """The problems of a notebook, as text."""
    path = made_up.write_notebook(folder, notebook)
    return [str(problem) for problem in check_assignment(path.parent, made_up.EXERCISES)]


def grader(notebook: Notebook, cell_id: str) -> dict[str, Any]:
    """nbgrader's metadata of a cell."""
    metadata: dict[str, Any] = cell(notebook, cell_id)["metadata"]["nbgrader"]
    return metadata


def replace(cell_id: str, old: str, new: str) -> Change:
    """Change the source of a cell."""

    def change(notebook: Notebook) -> None:
        found = cell(notebook, cell_id)
        assert old in found["source"]
        found["source"] = found["source"].replace(old, new, 1)

    return change


def test_a_good_notebook_has_no_problems(tmp_path: Path) -> None:
    """The made-up notebook may be released."""
    assert problems(tmp_path, made_up.notebook()) == []


FAULTS: dict[str, tuple[Change, str]] = {
    "duplicate id": (
        lambda n: n["cells"].append(made_up.markdown("title", "again")),
        "made_up.ipynb: id 'title' is used by 2 cells",
    ),
    "duplicate grade_id": (
        lambda n: grader(n, "setup").update(grade_id="pair"),
        "grade_id 'pair' is used by 2 cells",
    ),
    "grade_id is not the id": (
        lambda n: grader(n, "why").update(grade_id="because"),
        "cell 'why': grade_id is 'because'; it must equal the cell's id",
    ),
    "no id": (lambda n: n["cells"][0].pop("id"), "cell number 1: has no id"),
    "invalid id": (lambda n: n["cells"][0].update(id="The Title"), "'The Title': the id may hold only a-z"),
    "solution never ends": (replace("pair-solution", "    ### END SOLUTION\n\n", "\n"), "begins inside a solution"),
    "last solution never ends": (
        replace("column-scale-solution", "### END SOLUTION", ""),
        "cell 'column-scale-solution': the solution never ends",
    ),
    "solution never began": (
        replace("column-scale-solution", "### BEGIN SOLUTION", ""),
        "a solution ends that never began",
    ),
    "solution in a plain cell": (
        lambda n: cell(n, "plot").update(source="### BEGIN SOLUTION\nx = 1\n### END SOLUTION"),
        "cell 'plot': holds a solution but is no solution cell",
    ),
    "solution cell without markers": (
        lambda n: cell(n, "pair-solution").update(source="def double(x): ..."),
        "cell 'pair-solution': is a solution cell without ### BEGIN SOLUTION",
    ),
    "test cell not locked": (
        lambda n: grader(n, "pair").update(locked=False),
        "cell 'pair': a test cell must be a code cell with grade: true, solution: false, locked: true",
    ),
    "test cell is a solution": (lambda n: grader(n, "pair").update(solution=True), "cell 'pair': a test cell must be"),
    "test cell unknown to nbgrader": (
        lambda n: cell(n, "pair")["metadata"].clear(),
        "cell 'pair': a test cell must be",
    ),
    "exercise is missing": (
        lambda n: n["cells"].remove(cell(n, "pair")),
        "00_made_up: exercise 'pair' has no test cell",
    ),
    "unknown exercise": (
        lambda n: n["cells"].append(made_up.code("pairs", "check()", grade=True, locked=True, points=1)),
        "cell 'pairs': there is no exercise of this name; did you mean 'pair'?",
    ),
    "wrong points": (
        lambda n: grader(n, "column-scale").update(points=6),
        "cell 'column-scale': points is 6, but its criteria add up to 5; set it to 5",
    ),
    "points are text": (lambda n: grader(n, "pair").update(points="2"), "points is '2', but"),
    "written question without points": (
        lambda n: grader(n, "why").update(points=0),
        "cell 'why': points is 0; a written question needs more than 0",
    ),
    "outputs": (
        lambda n: cell(n, "plot")["outputs"].append({"output_type": "stream", "name": "stdout", "text": "x"}),
        "cell 'plot': holds outputs; clear them",
    ),
    "execution count": (lambda n: cell(n, "plot").update(execution_count=3), "cell 'plot': holds an execution count"),
    "no call of check": (
        lambda n: cell(n, "pair").update(source="assert double(1) == 2"),
        "cell 'pair': does not call its check; write check(\"pair\", double, halve)",
    ),
    "names in the wrong order": (
        lambda n: cell(n, "pair").update(source='check("pair", halve, double)'),
        'write check("pair", double, halve)',
    ),
    "check of another exercise": (
        lambda n: cell(n, "pair").update(source='check("column-scale", column_scale)'),
        "cell 'pair': does not call its check",
    ),
    "check that does not parse": (lambda n: cell(n, "pair").update(source="check("), "does not call its check"),
    "hidden tests": (
        lambda n: cell(n, "pair").update(source='check("pair", double, halve)\n### BEGIN HIDDEN TESTS'),
        "cell 'pair': holds hidden tests",
    ),
    "autotest": (
        lambda n: cell(n, "pair").update(source='check("pair", double, halve)\n### AUTOTEST x'),
        "cell 'pair': holds an AUTOTEST line",
    ),
    "imports the grader": (
        lambda n: cell(n, "plot").update(source="if True:\n    from autograder import errors"),
        "cell 'plot': imports autograder",
    ),
    "misspelt tag": (
        lambda n: cell(n, "plot")["metadata"].update(tags=["expriment"]),
        "cell 'plot': tag 'expriment': did you mean 'experiment'?",
    ),
    "experiment that is graded": (
        lambda n: cell(n, "pair")["metadata"].update(tags=["experiment"]),
        "cell 'pair': is tagged 'experiment' but known to nbgrader",
    ),
    "no solution cell": (
        lambda n: n["cells"].remove(cell(n, "pair-solution")),
        "cell 'pair': there is no solution cell 'pair-solution'",
    ),
    "solution below its test": (
        lambda n: n["cells"].append(n["cells"].pop(n["cells"].index(cell(n, "pair-solution")))),
        "cell 'pair': stands above its solution cell",
    ),
    "old format": (lambda n: n.update(nbformat_minor=4), "is not of format 4.5"),
    "no kernel": (lambda n: n["metadata"].clear(), "needs metadata.kernelspec"),
    "old schema": (lambda n: grader(n, "setup").update(schema_version=2), "schema_version is 2; it must be 3"),
    "unlocked given cell": (
        lambda n: grader(n, "setup").update(locked=False),
        "cell 'setup': must be a solution cell (not locked) or a locked cell",
    ),
    "written question in code": (
        lambda n: n["cells"].append(made_up.code("w", "x", grade=True, solution=True, points=1)),
        "cell 'w': is graded by hand, so it must be a markdown cell",
    ),
    "what only the schema knows": (
        lambda n: cell(n, "plot").update(surplus=1),
        "made_up.ipynb: is not a valid notebook",
    ),
}


@pytest.mark.parametrize(("change", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found_and_named(tmp_path: Path, change: Change, message: str) -> None:
    """One line names the cell, what is wrong, and the repair."""
    notebook = made_up.notebook()
    change(notebook)
    found = problems(tmp_path, notebook)
    assert any(message in problem for problem in found), found
    assert all("\n" not in problem for problem in found)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Three faults in three cells give three lines in one error."""
    notebook = made_up.notebook()
    grader(notebook, "pair").update(points=9)
    cell(notebook, "plot").update(execution_count=1)
    cell(notebook, "setup").update(source="import autograder")
    path = made_up.write_notebook(tmp_path, notebook)
    with pytest.raises(SourceNotebookError) as caught:
        require_releasable(path.parent, made_up.EXERCISES)
    assert "00_made_up cannot be released, 3 problems:" in caught.value.message
    assert len(caught.value.message.splitlines()) == 4
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b'{"cells": [', "is not readable JSON", id="cut off"),
        pytest.param(b"\xff\xfe", "is not readable JSON", id="not text"),
        pytest.param(b"[]", "is not a notebook", id="a list"),
        pytest.param(b'{"cells": 3}', "is not a notebook", id="no cells"),
    ],
)
def test_a_file_that_is_no_notebook_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    """A damaged file is one problem of its own."""
    path = made_up.write_notebook(tmp_path)
    path.write_bytes(content)
    found = [str(problem) for problem in check_assignment(path.parent, made_up.EXERCISES)]
    assert found[0].startswith(f"made_up.ipynb: {message}")


def test_a_folder_without_a_notebook_is_named(tmp_path: Path) -> None:
    """An assignment needs a notebook."""
    assert "there is no notebook in" in str(check_assignment(tmp_path, made_up.EXERCISES)[0])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["id", "cell_type", "source", "metadata", "outputs", "execution_count", "nbgrader", "tags"])
CELLS = st.lists(st.dictionaries(KEYS, JSON, max_size=5) | JSON, max_size=4)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=CELLS, metadata=JSON, nbgrader=JSON)
def test_no_content_breaks_the_checks(tmp_path: Path, cells: list[Any], metadata: Any, nbgrader: Any) -> None:
    """Whatever stands in the file, the answer is a list of problems, never an exception."""
    odd = made_up.markdown("odd", "text") | {"metadata": {"nbgrader": nbgrader}}
    notebook = {"cells": [*cells, odd], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path = made_up.write_notebook(tmp_path)
    path.write_text(json.dumps(notebook))
    assert check_assignment(path.parent, made_up.EXERCISES)
