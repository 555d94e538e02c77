"""Reading what students hand in, whatever state it is in, and bringing it back into shape."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.course import Course
from autograder.errors import CourseError
from autograder.submissions.notebook import Master, Repaired, UnreadableError, read_cells, repair
from autograder.submissions.submission import Submission, students_of
from tests.support import made_up
from tests.support.fuzzing import any_json, any_notebook, fuzz

MASTER = Master(made_up.ASSIGNMENT, "made_up", json.dumps(made_up.notebook()))
NAMES = list(MASTER.cells)
OLD = """{"metadata": {"name": "old"}, "nbformat": %d, "nbformat_minor": 0, "worksheets": [{"cells": [
    {"cell_type": "code", "collapsed": false, "input": ["x = 1\\n", "y = 2"], "language": "python", "metadata": {},
     "outputs": []}, {"cell_type": "markdown", "metadata": {}, "source": "text"}], "metadata": {}}]}"""


def _edited(**changes: str) -> dict[str, Any]:
    """The notebook with other text in cells, by id (``_`` for ``-``)."""
    notebook = made_up.notebook()
    for name, source in changes.items():
        made_up.cell(notebook, name.replace("_", "-"))["source"] = source
    return notebook


def _repaired(notebook: Any) -> Repaired:
    return repair(read_cells(json.dumps(notebook).encode()), MASTER)


def _check_shape(repaired: Repaired) -> None:
    """What holds for every submission: the released cells once each, valid, no outputs, locked text as released."""
    names = [cell.metadata.nbgrader.grade_id for cell in repaired.cells if "nbgrader" in cell.metadata]
    assert sorted(names) == sorted(NAMES)
    ids = [cell.id for cell in repaired.cells]
    assert len(set(ids)) == len(ids)
    for cell in repaired.cells:
        assert not cell.get("outputs")
        if cell.id in MASTER.cells:
            released = MASTER.cells[cell.id]
            assert cell.metadata == released.metadata
            assert released.metadata.nbgrader.solution or cell.source == released.source
    assert set(repaired.runnable) <= set(ids)
    assert not any(cell.id in made_up.EXERCISES for cell in repaired.cells if cell.id in repaired.runnable)
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": repaired.cells}
    nbformat.validate(nbformat.from_dict(content))
    assert repaired.as_json() == json.dumps(repaired.cells, ensure_ascii=False)


def test_what_is_written_into_a_cell_reaches_neither_the_release_nor_the_next_submission() -> None:
    """Cells of a class are copies of a few, and share what lies in them; what is replaced is a copy's own."""
    released = json.dumps(MASTER.node)
    first = _repaired(made_up.notebook())
    for cell in first.cells:
        cell["source"] = "mine"
        if cell.cell_type == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "mine"}]
    assert first.as_json() == json.dumps(first.cells, ensure_ascii=False)
    _check_shape(_repaired(made_up.notebook()))
    assert json.dumps(MASTER.node) == released
    assert "mine" not in _repaired(made_up.notebook()).as_json()


def test_an_untouched_submission_needs_no_repair() -> None:
    """The released notebook comes back as it is."""
    repaired = _repaired(made_up.notebook())
    assert (repaired.notes, repaired.flags) == ([], [])
    assert [cell.id for cell in repaired.cells] == [cell["id"] for cell in made_up.notebook()["cells"]]
    assert repaired.runnable == ["setup", "column-scale-solution", "pair-solution"]


def test_a_student_s_text_is_kept() -> None:
    """Solutions and written answers are the student's; cells of their own are run where they stand."""
    notebook = _edited(column_scale_solution="mine = 1", why="Because.")
    notebook["cells"].insert(3, made_up.code("own", "own = 2"))
    repaired = _repaired(notebook)
    assert repaired.by_id["column-scale-solution"].source == "mine = 1"
    assert repaired.by_id["why"].source == "Because."
    assert [repaired.by_id[name].source for name in repaired.runnable][2] == "own = 2"


def test_an_edited_test_cell_gets_its_released_text() -> None:
    """It is noted and flagged; points come from the released metadata."""
    notebook = _edited(column_scale="print('fine')")
    made_up.cell(notebook, "column-scale")["metadata"]["nbgrader"]["points"] = 100
    repaired = _repaired(notebook)
    assert repaired.by_id["column-scale"].source == MASTER.cells["column-scale"].source
    assert repaired.by_id["column-scale"].metadata.nbgrader.points == 5
    assert repaired.flags == ["edited-tests"]


def test_an_edited_locked_cell_gets_its_released_text() -> None:
    """Also a cell without points; that is no reason for a flag."""
    repaired = _repaired(_edited(setup="import evil"))
    assert "evil" not in repaired.by_id["setup"].source
    assert repaired.flags == []
    assert "setup was edited" in repaired.notes[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_deleted_cell_comes_back_in_its_place(name: str) -> None:
    """As released, after the cell that it follows."""
    notebook = made_up.notebook()
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != name]
    repaired = _repaired(notebook)
    _check_shape(repaired)
    order = [cell.id for cell in repaired.cells if cell.id in NAMES]
    assert order == NAMES
    assert name in repaired.notes[0]


def test_of_several_copies_the_last_one_worked_on_counts() -> None:
    """The others stay, as plain cells."""
    notebook = _edited(column_scale_solution="first = 1")
    position = [cell["id"] for cell in notebook["cells"]].index("column-scale-solution")
    for source in ("second = 2", MASTER.cells["column-scale-solution"].source):
        notebook["cells"].insert(position + 1, {**copy.deepcopy(notebook["cells"][position]), "source": source})
    repaired = _repaired(notebook)
    _check_shape(repaired)
    assert repaired.by_id["column-scale-solution"].source == "second = 2"
    assert "3 times" in repaired.notes[0]
    assert "first = 1" in [cell.source for cell in repaired.cells]


def test_a_retyped_cell_is_of_its_kind_again() -> None:
    """A solution that became markdown is code again."""
    notebook = made_up.notebook()
    made_up.cell(notebook, "pair-solution")["cell_type"] = "markdown"
    repaired = _repaired(notebook)
    _check_shape(repaired)
    assert repaired.by_id["pair-solution"].cell_type == "code"


def test_an_experiment_stays_one_whatever_its_tags_say() -> None:
    """The released notebook says which cells are experiments; a student's own cell may be one, too."""
    notebook = made_up.notebook()
    made_up.cell(notebook, "plot")["metadata"]["tags"] = []
    notebook["cells"].append(made_up.code("own", "train()", tags=("experiment", "<script>", "remove_cell")))
    made_up.cell(notebook, "pair-solution")["metadata"]["tags"] = ["experiment"]
    repaired = _repaired(notebook)
    assert repaired.runnable == ["setup", "column-scale-solution", "pair-solution"]
    assert repaired.cells[-1].metadata == {"tags": ["experiment"]}


def _without_ids(notebook: dict[str, Any]) -> dict[str, Any]:
    for cell in notebook["cells"]:
        del cell["id"]
    return {**notebook, "nbformat_minor": 4}


def _without_nbgrader(notebook: dict[str, Any]) -> dict[str, Any]:
    for cell in notebook["cells"]:
        cell["metadata"].pop("nbgrader", None)
    return notebook


DAMAGED = {
    "nbformat 4.0": lambda notebook: {**_without_ids(notebook), "nbformat_minor": 0},
    "nbformat 4.99": lambda notebook: {**notebook, "nbformat_minor": 99},
    "no ids": _without_ids,
    "no nbgrader metadata": _without_nbgrader,
    "no notebook metadata": lambda notebook: {"cells": notebook["cells"]},
    "cell metadata is a list": lambda n: {"cells": [{**c, "metadata": []} for c in n["cells"]]},
    "no metadata at all": lambda n: {"cells": [{k: v for k, v in c.items() if k != "metadata"} for c in n["cells"]]},
    "source as lines": lambda n: {"cells": [{**c, "source": c["source"].splitlines(True)} for c in n["cells"]]},
    "no source": lambda n: {"cells": [{k: v for k, v in c.items() if k != "source"} for c in n["cells"]]},
    "source is a number": lambda n: {"cells": [{**c, "source": 5} for c in n["cells"]]},
    "ids are numbers": lambda n: {"cells": [{**c, "id": 5} for c in n["cells"]]},
    "one id for all": lambda n: {"cells": [{**c, "id": "same"} for c in n["cells"]]},
    "cells that are none": lambda n: {"cells": [None, 5, "x", [], {}, *n["cells"]]},
    "unknown cell type": lambda n: {"cells": [{**c, "cell_type": "heading"} for c in n["cells"]]},
    "another kernel": lambda n: {**n, "metadata": {"kernelspec": {"name": "ir", "language": "R"}}},
    "reversed": lambda n: {**n, "cells": n["cells"][::-1]},
    "twice": lambda n: {**n, "cells": n["cells"] * 2},
    "no cells": lambda n: {**n, "cells": []},
    "long names": lambda n: {**n, "cells": [*n["cells"], made_up.code("x" * 10_000, "1"), made_up.code("ü" * 50, "2")]},
    "unicode": lambda n: {**n, "cells": [*n["cells"], made_up.code("own", "größe = '🎓\\u202e\\x00'")]},
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_notebook_is_brought_back_into_shape(damage: Any) -> None:
    """Whatever editors and students do, the released cells are there, once each, and valid."""
    _check_shape(_repaired(damage(made_up.notebook())))


ENCODINGS = {
    "BOM": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 without a mark": lambda text: text.encode("utf-16-le"),
    "UTF-16, big end first": lambda text: text.encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "Latin-1": lambda text: text.encode("latin-1"),
    "Windows": lambda text: text.encode("cp1252"),
    "BOM and CRLF": lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "CRLF in the source": lambda text: text.replace("\\n", "\\r\\n").encode(),
    "spaces around": lambda text: b"\n\n  " + text.encode() + b"\n\n",
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_a_file_in_another_encoding_is_read(encode: Any) -> None:
    """Solutions survive byte order marks, line ends and old encodings."""
    notebook = _edited(pair_solution="größe = 1\nwidth = 2")
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    repaired = repair(read_cells(encode(text)), MASTER)
    assert repaired.by_id["pair-solution"].source == "größe = 1\nwidth = 2"


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "gb18030", "euc-jp", "mac-roman"])
def test_letters_of_an_unknown_encoding_cost_no_code(encoding: str) -> None:
    """They cannot be told from others, so comments may read oddly; what is ASCII is as it was."""
    letters = {"cp1251": "средняя", "koi8-r": "средняя", "gb18030": "平均", "euc-jp": "平均", "mac-roman": "größe"}
    notebook = _edited(pair_solution=f"width = 2  # {letters[encoding]}\nheight = 3")
    data = json.dumps(notebook, ensure_ascii=False).encode(encoding)
    lines = repair(read_cells(data), MASTER).by_id["pair-solution"].source.split("\n")
    assert lines[0].startswith("width = 2  # ")
    assert lines[-1] == "height = 3"


@pytest.mark.parametrize("minor", range(8))
def test_every_minor_version_of_the_format_is_read(minor: int) -> None:
    """4.0 to 4.4 know no cell ids; what comes after 4.5 is read as far as it is known."""
    notebook = {**made_up.notebook(), "nbformat_minor": minor, "something_new": {"cells": []}}
    notebook["cells"] += [made_up.code("own", "own = 1")]
    for cell in notebook["cells"]:
        if minor < 5:
            del cell["id"]
        cell["something_new"] = True
    repaired = _repaired(notebook)
    _check_shape(repaired)
    assert repaired.notes == []
    released = [MASTER.cells[name].source for name in ("setup", "column-scale-solution", "pair-solution")]
    assert [repaired.by_id[name].source for name in repaired.runnable] == [*released, "own = 1"]


@pytest.mark.parametrize("version", [2, 3])
def test_an_old_format_is_converted(version: int) -> None:
    """Notebooks of the formats before 4 are read."""
    cells = read_cells((OLD % version).encode())
    assert [cell.source for cell in cells] == ["x = 1\ny = 2", "text"]


def test_fifty_megabytes_of_outputs_do_no_harm() -> None:
    """They are not even looked at."""
    notebook = made_up.notebook()
    made_up.cell(notebook, "plot")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "x" * 50_000_000},
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": "A" * 1_000_000}},
    ]
    _check_shape(_repaired(notebook))


UNREADABLE = {
    "empty": (b"", "empty"),
    "blank": (b" \n ", "empty"),
    "text": (b"my homework", "not JSON"),
    "HTML": (b"<html><script>alert(1)</script></html>", "is a web page"),
    "cut off": (json.dumps(made_up.notebook()).encode()[:-100], "not JSON"),
    "a merge conflict": (b"<<<<<<< HEAD\n{}\n=======\n", "conflict markers of Git"),
    "zip": (b"PK\x03\x04" + bytes(100), "is a zip archive"),
    "binary": (bytes(range(256)), "not JSON"),
    "a list": (b"[]", "no list of cells"),
    "a number": (b"5", "no list of cells"),
    "no cells": (b"{}", "no list of cells"),
    "cells is text": (b'{"cells": "none"}', "no list of cells"),
    "deep": (b'{"cells":' + b"[" * 200_000, "not JSON"),
    "long number": (b'{"cells":' + b"1" * 100_000 + b"}", "holds no list of cells"),
    "many cells": (b'{"cells":[' + b"{}," * 6000 + b"{}]}", "6001 cells"),
    "millions of parts": (b'{"cells":[' + b"[]," * 2_000_001 + b"[]]}", "millions of parts"),
    "old and broken": (b'{"nbformat": 3, "worksheets": [5, {"cells": 7}]}', "could not be converted"),
    "control characters": (b'{"cells": \x1b[31m}', "not JSON"),
}


@pytest.mark.parametrize(("data", "words"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_no_notebook_is_said_to_be_none(data: bytes, words: str) -> None:
    """The message says what it is instead, without control characters."""
    with pytest.raises(UnreadableError, match=words) as caught:
        read_cells(data)
    assert str(caught.value).isprintable()


# --- what lies in the folder

NAME = made_up.ASSIGNMENT


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course folder with nothing handed in."""
    (tmp_path / "submitted").mkdir()
    return Course(tmp_path)


def _folder(course: Course, student: str = "ada") -> Path:
    path = course.submitted / student / NAME
    path.mkdir(parents=True)
    return path


def _job(course: Course) -> tuple[bytes | None, str]:
    job = Submission.of(course, NAME, "ada").job(MASTER)
    return job.data, job.problem


def test_a_notebook_is_read(course: Course) -> None:
    """Its bytes, and no complaint."""
    (_folder(course) / "made_up.ipynb").write_bytes(b"{}")
    assert _job(course) == (b"{}", "")


def test_a_link_is_not_followed(course: Course) -> None:
    """Neither to a file nor to a folder."""
    secret = course.root / "secret.ipynb"
    secret.write_text("{}")
    (_folder(course) / "made_up.ipynb").symlink_to(secret)
    assert _job(course) == (None, "made_up.ipynb cannot be read: it is a link, not a file")
    (course.submitted / "bob").mkdir()
    (course.submitted / "bob" / NAME).symlink_to(course.submitted / "ada" / NAME)
    job = Submission.of(course, NAME, "bob").job(MASTER)
    assert job.data is None
    assert "link" in job.problem
    assert students_of(course, NAME) == ["ada", "bob"]


def test_a_hard_link_is_not_read(course: Course) -> None:
    """It could be a file of somebody else."""
    secret = course.root / "secret.ipynb"
    secret.write_text("{}")
    os.link(secret, _folder(course) / "made_up.ipynb")
    data, problem = _job(course)
    assert data is None
    assert "hard link" in problem


def test_pipes_and_folders_are_not_read(course: Course) -> None:
    """A pipe under the notebook's name does not stop the grader."""
    os.mkfifo(_folder(course) / "made_up.ipynb")
    assert _job(course) == (None, "made_up.ipynb cannot be read: it is no regular file")


def test_a_single_notebook_under_another_name_is_taken(course: Course) -> None:
    """If it is plainly this assignment's, whatever else lies beside it; of two, a person decides."""
    folder = _folder(course)
    (folder / "made_up (1).ipynb").write_text(json.dumps(made_up.notebook()))
    (folder / "other.ipynb").write_text("{}")
    assert _job(course)[1] == "the file was named 'made_up (1).ipynb' instead of 'made_up.ipynb'"
    (folder / "made_up (2).ipynb").write_text(json.dumps(made_up.notebook()))
    assert _job(course) == (
        None,
        "there is no made_up.ipynb; found 'made_up (1).ipynb', 'made_up (2).ipynb', 'other.ipynb'",
    )


@pytest.mark.parametrize(
    "name", ["made_up.ipynb.txt", "made_up.json", "made_up", "week 1/made_up.ipynb", "a/b/c/made_up (1).ipynb"]
)
def test_a_notebook_under_another_ending_or_a_folder_further_down_is_taken(course: Course, name: str) -> None:
    """Browsers add `.txt`, and archives add folders; of two, a person decides."""
    path = _folder(course) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_solved())
    (path.parent / "notes.txt").write_text("{}")
    job = Submission.of(course, NAME, "ada").job(MASTER)
    assert job.data == _solved().encode()
    assert job.problem == f"the file was named {name!r} instead of 'made_up.ipynb'"
    assert job.flags == ("renamed-notebook",)
    (course.submitted / "ada" / NAME / "copy").mkdir()
    (course.submitted / "ada" / NAME / "copy" / "made_up.ipynb").write_text(_solved())
    data, problem = _job(course)
    assert data is None
    assert "'copy/made_up.ipynb'" in problem
    assert repr(name) in problem


def test_no_link_leads_out_of_a_submission(course: Course) -> None:
    """Neither a folder nor a file further down."""
    (_folder(course, "bob") / "made_up.ipynb").write_text(_solved())
    (_folder(course) / "here").mkdir()
    (course.submitted / "ada" / NAME / "there").symlink_to(course.submitted / "bob" / NAME)
    (course.submitted / "ada" / NAME / "here" / "made_up.ipynb").symlink_to(
        course.submitted / "bob" / NAME / "made_up.ipynb"
    )
    assert _job(course)[0] is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\n<!DOCTYPE html>\n<html>", "a web page (HTML)"),
        (b'<?xml version="1.0"?><html>', "a web page (HTML)"),
        (b"%PDF-1.7", "a PDF"),
        (b"PK\x03\x04", "a zip archive (or a Word document)"),
    ],
)
def test_what_is_plainly_another_file_is_called_by_its_name(data: bytes, words: str) -> None:
    """A student understands that better than where JSON was expected."""
    with pytest.raises(UnreadableError) as caught:
        read_cells(data)
    assert str(caught.value) == f"the file is {words}, not a notebook; hand in the .ipynb file itself"


def _solved() -> str:
    solved = made_up.notebook()
    made_up.cell(solved, "column-scale-solution")["source"] = made_up.SOLUTION.replace("middle", "mean")
    return json.dumps(solved)


def test_of_two_notebooks_the_one_that_was_worked_on_is_graded(course: Course) -> None:
    """An LMS gives a second upload a number; the first one may be as released."""
    folder = _folder(course)
    (folder / "made_up.ipynb").write_text(MASTER.content)
    (folder / "made_up-1.ipynb").write_text(_solved())
    job = Submission.of(course, NAME, "ada").job(MASTER)
    assert job.data == _solved().encode()
    assert job.problem == "'made_up.ipynb' was as released; 'made_up-1.ipynb' was graded instead"
    assert job.flags == ("several-notebooks",)
    (folder / "made_up.ipynb").write_text(_solved().replace("deviation", "difference"))
    job = Submission.of(course, NAME, "ada").job(MASTER)
    assert job.problem == "'made_up.ipynb' was graded; the folder also holds 'made_up-1.ipynb'"
    assert job.flags == ("several-notebooks",)


@pytest.mark.parametrize(
    ("names", "words"), [(("answers.zip", "notes.py"), "the folder holds 'answers.zip', 'notes.py'"), ((), "is empty")]
)
def test_what_is_there_instead_of_a_notebook_is_named(course: Course, names: tuple[str, ...], words: str) -> None:
    """Who handed in an archive wants to know that it was seen."""
    folder = _folder(course)
    for name in (*names, "timestamp.txt"):
        (folder / name).write_text("")
    assert words in _job(course)[1]


def test_a_foreign_notebook_is_not_taken(course: Course) -> None:
    """Another course's notebook is named, not graded."""
    (_folder(course) / "hello.ipynb").write_text('{"cells": []}')
    assert _job(course) == (None, "there is no made_up.ipynb; found 'hello.ipynb'")


def test_a_student_who_handed_in_nothing_is_named(course: Course) -> None:
    """With the nearest id."""
    _folder(course, "lovelace")
    with pytest.raises(CourseError, match="lovelaec"):
        students_of(course, NAME, ["lovelaec"])


@fuzz(50)
@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_any_timestamp_is_a_time_or_none(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    """A student can write anything into it."""
    course = Course(tmp_path_factory.mktemp("time"))
    (_folder(course) / "timestamp.txt").write_bytes(text)
    when = Submission.of(course, NAME, "ada").timestamp()
    assert when is None or when.tzinfo is None


# --- any notebook


@fuzz(200, full=10_000)
@given(any_notebook())
def test_any_notebook_can_be_repaired(notebook: dict[str, Any]) -> None:
    """Whatever its JSON holds: the released cells are there, once each, and the result is a valid notebook."""
    _check_shape(_repaired(notebook))


@fuzz(200, full=10_000)
@given(any_json.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=100), st.integers(0, 3000))
def test_any_bytes_are_cells_or_unreadable(data: bytes, at: int) -> None:
    """Alone, and written over a good notebook at some place."""
    good = json.dumps(made_up.notebook()).encode()
    for content in (data, good[:at] + data + good[at + len(data) :]):
        try:
            cells = read_cells(content)
        except UnreadableError:
            continue
        _check_shape(repair(cells, MASTER))
