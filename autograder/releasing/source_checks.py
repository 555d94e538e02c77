"""What must hold of a source notebook before it may be released; all problems are told at once.

Each problem is one line that names the cell and the repair.
"""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from autograder.errors import SourceNotebookError
from autograder.exercise import Exercise
from autograder.releasing.source_notebook import BEGIN, END, SourceCell, cells_of, read_source

__all__ = ["EXPERIMENT_TAG", "Problem", "check_assignment", "check_notebook", "require_releasable"]

EXPERIMENT_TAG = "experiment"

_ID = re.compile(r"[a-z0-9-]{1,64}")
_IMPORTS_GRADER = re.compile(r"^\s*(?:from|import)\s+(autograder|exercises)\b", re.MULTILINE)


@dataclass(frozen=True)
class Problem:
    """One thing to repair.

    Attributes:
        place: id of the cell, or the file's name.
        text: what is wrong and what to do.
    """

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def require_releasable(folder: Path, exercises: Mapping[str, Exercise]) -> None:
    """Refuse an assignment whose source has problems.

    Raises:
        SourceNotebookError: with one line for each problem.
    """
    problems = check_assignment(folder, exercises)
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        count = f"{len(problems)} problem" + ("s" if len(problems) > 1 else "")
        raise SourceNotebookError(f"{folder.name} cannot be released, {count}:{lines}", "repair the source notebook")


def check_assignment(folder: Path, exercises: Mapping[str, Exercise]) -> list[Problem]:
    """All problems of the notebooks of an assignment.

    Args:
        folder: ``notebooks/<assignment>``.
        exercises: every exercise that the assignment must have, by id.
    """
    paths = sorted(folder.glob("*.ipynb"))
    if not paths:
        return [Problem(folder.name, f"there is no notebook in {folder}; write one")]
    problems = [problem for path in paths for problem in check_notebook(path, exercises)]
    sources = [read_source(path) for path in paths]
    if any(isinstance(source, str) for source in sources):
        return problems  # which test cells are missing nobody knows
    tested = {cell.id for source in sources for cell in cells_of(source) if cell.is_graded}
    problems += [
        Problem(folder.name, f"exercise {name!r} has no test cell; add a locked cell with that id")
        for name in exercises
        if name not in tested
    ]
    return problems


def check_notebook(path: Path, exercises: Mapping[str, Exercise]) -> list[Problem]:
    """All problems of one notebook, in the order of its cells."""
    notebook = read_source(path)
    if isinstance(notebook, str):
        return [Problem(path.name, notebook)]
    problems = [Problem(path.name, text) for text in _whole(notebook)]
    cells = list(cells_of(notebook))
    for cell in cells:
        problems += [Problem(cell.place, text) for check in _CHECKS for text in check(cell, exercises)]
    problems += _order(cells, exercises)
    return problems or [Problem(path.name, text) for text in _schema(path)]


def _whole(notebook: Mapping[str, Any]) -> Iterator[str]:
    """Problems of the notebook as a whole."""
    if (notebook.get("nbformat"), notebook.get("nbformat_minor")) != (4, 5):
        yield "is not of format 4.5; save it again with a current JupyterLab"
    metadata = notebook.get("metadata")
    kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    if not isinstance(kernel, dict) or (kernel.get("name"), kernel.get("language")) != ("python3", "python"):
        yield 'needs metadata.kernelspec with "name": "python3" and "language": "python"; nbgrader reads it'
    cells = list(cells_of(notebook))
    ids = Counter(cell.id for cell in cells if cell.id)
    grade_ids = Counter(str(cell.nbgrader.get("grade_id")) for cell in cells if cell.nbgrader is not None)
    for what, count in (("id", ids), ("grade_id", grade_ids)):
        for name, times in count.items():
            if times > 1:
                yield f"{what} {name!r} is used by {times} cells; rename all but one"


def _schema(path: Path) -> Iterator[str]:
    """What nbformat still finds where our own checks found nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            nbformat.validate(nbformat.read(path, as_version=nbformat.NO_CONVERT))
        except Exception as error:  # nbformat raises what its JSON reader, its schema and its warnings raise
            yield f"is not a valid notebook ({str(error).splitlines()[0] if str(error) else type(error).__name__})"


def _check_id(cell: SourceCell, exercises: Mapping[str, Exercise]) -> Iterator[str]:
    if not cell.id:
        yield "has no id; give it one of a-z, 0-9 and hyphens"
    elif not _ID.fullmatch(cell.id):
        yield "the id may hold only a-z, 0-9 and hyphens, at most 64; rename it"
    if cell.nbgrader is not None and cell.nbgrader.get("grade_id") != cell.id:
        yield f"grade_id is {cell.nbgrader.get('grade_id')!r}; it must equal the cell's id"


def _check_type(cell: SourceCell, exercises: Mapping[str, Exercise]) -> Iterator[str]:
    if cell.kind not in ("code", "markdown", "raw"):
        yield f"cell_type is {cell.kind!r}; it must be code, markdown or raw"
    if cell.nbgrader is not None and cell.nbgrader.get("cell_type", cell.kind) != cell.kind:
        yield f"nbgrader knows it as {cell.nbgrader.get('cell_type')!r}, it is {cell.kind!r}; correct its cell_type"
    if cell.nbgrader is not None and cell.nbgrader.get("schema_version") != 3:
        yield f"nbgrader's schema_version is {cell.nbgrader.get('schema_version')!r}; it must be 3"


def _check_outputs(cell: SourceCell, exercises: Mapping[str, Exercise]) -> Iterator[str]:
    if cell.raw.get("outputs"):
        yield "holds outputs; clear them (nbstripout --keep-id)"
    if cell.raw.get("execution_count") is not None:
        yield "holds an execution count; clear it (nbstripout --keep-id)"
    if cell.raw.get("attachments"):
        yield "holds attachments; put the picture into the text as a link or make it by code"


def _check_tags(cell: SourceCell, exercises: Mapping[str, Exercise]) -> Iterator[str]:
    tags = cell.metadata.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        yield "metadata.tags must be a list of texts"
        return
    for tag in tags:
        near = difflib.get_close_matches(tag.lower(), [EXPERIMENT_TAG], cutoff=0.75)
        if near and tag != EXPERIMENT_TAG:
            yield f"tag {tag!r}: did you mean {EXPERIMENT_TAG!r}?"
    if EXPERIMENT_TAG in tags and cell.nbgrader is not None:
        yield f"is tagged {EXPERIMENT_TAG!r} but known to nbgrader; a graded or locked cell must run, remove the tag"


def _check_code(cell: SourceCell, exercises: Mapping[str, Exercise]) -> Iterator[str]:
    if cell.kind == "code" and (found := _IMPORTS_GRADER.search(cell.source)):
        yield f"imports {found[1]}, which students do not have; import from the course's library"
    if "BEGIN HIDDEN TESTS" in cell.source or "END HIDDEN TESTS" in cell.source:
        yield "holds hidden tests; remove them, grading uses fresh numbers instead"
    if cell.kind == "code" and "AUTOTEST" in cell.source:
        yield "holds an AUTOTEST line; write the test as an exercise instead"


def _check_markers(cell: SourceCell, exercises: Mapping[str, Exercise]) -> Iterator[str]:
    is_open, regions = False, 0
    for number, line in enumerate(cell.source.splitlines(), 1):
        if BEGIN in line:
            if is_open:
                yield f"line {number}: a solution begins inside a solution; add the missing ### {END}"
            is_open, regions = True, regions + 1
        elif END in line:
            if not is_open:
                yield f"line {number}: a solution ends that never began; add ### {BEGIN} or remove the line"
            is_open = False
    if is_open:
        yield f"the solution never ends; add ### {END}"
    if regions and not cell.is_solution:
        yield "holds a solution but is no solution cell, so it would be released; set nbgrader's solution: true"
    if cell.kind == "code" and cell.is_solution and not regions:
        yield f"is a solution cell without ### {BEGIN} and ### {END}; mark what students shall write"


def _check_flags(cell: SourceCell, exercises: Mapping[str, Exercise]) -> Iterator[str]:
    known = cell.id in exercises
    if known and not (cell.kind == "code" and cell.is_a("grade", "locked")):
        yield "a test cell must be a code cell with grade: true, solution: false, locked: true"
    if cell.nbgrader is None or known:
        return
    if cell.nbgrader.get("task"):
        yield "is a task cell; write the question as a markdown cell with grade: true and solution: true"
    elif cell.is_a("grade", "solution"):
        yield from _check_written(cell)
    elif cell.is_graded:
        near = difflib.get_close_matches(cell.id, exercises, n=1)
        guess = f"did you mean {near[0]!r}?" if near else "autograder new exercise ASSIGNMENT NAME begins it."
        yield f"there is no exercise of this name; {guess}"
    elif not cell.is_a("solution") and not cell.is_a("locked"):
        yield "must be a solution cell (not locked) or a locked cell; correct solution and locked"


def _check_written(cell: SourceCell) -> Iterator[str]:
    assert cell.nbgrader is not None
    if cell.kind != "markdown":
        yield "is graded by hand, so it must be a markdown cell"
    if not cell.points or cell.points < 0:
        yield f"points is {cell.nbgrader.get('points')!r}; a written question needs more than 0"


def _check_points(cell: SourceCell, exercises: Mapping[str, Exercise]) -> Iterator[str]:
    if cell.id not in exercises or cell.nbgrader is None:
        return
    wanted = exercises[cell.id].points
    if cell.points is None or abs(cell.points - wanted) > 1e-9:
        yield f"points is {cell.nbgrader.get('points')!r}, but its criteria add up to {wanted:g}; set it to {wanted:g}"


def _check_call(cell: SourceCell, exercises: Mapping[str, Exercise]) -> Iterator[str]:
    if cell.id not in exercises:
        return
    wanted = f'check("{cell.id}", {", ".join(exercises[cell.id].names)})'
    if wanted not in _calls(cell.source):
        yield f"does not call its check; write {wanted}"


def _calls(source: str) -> list[str]:
    """The calls that stand alone on a line of a cell, in one spelling."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [
        ast.unparse(node.value).replace("'", '"')
        for node in body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]


def _order(cells: Sequence[SourceCell], exercises: Mapping[str, Exercise]) -> list[Problem]:
    """Each test cell needs its solution cell above it."""
    solutions = {cell.id: cell.position for cell in cells if cell.is_solution and cell.kind == "code"}
    problems = []
    for cell in cells:
        wanted = f"{cell.id}-solution"
        if cell.id not in exercises:
            continue
        if wanted not in solutions:
            problems.append(Problem(cell.place, f"there is no solution cell {wanted!r}; add it above"))
        elif solutions[wanted] > cell.position:
            problems.append(Problem(cell.place, f"stands above its solution cell {wanted!r}; move it below"))
    return problems


_Check = Callable[[SourceCell, Mapping[str, Exercise]], Iterator[str]]
_CHECKS: tuple[_Check, ...] = (
    _check_id,
    _check_type,
    _check_outputs,
    _check_tags,
    _check_code,
    _check_markers,
    _check_flags,
    _check_points,
    _check_call,
)
