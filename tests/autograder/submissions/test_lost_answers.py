"""Written answers without their names: found by their place, or left for a person, but never lost in silence."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from autograder.gradebook.graded import CellMarks
from autograder.submissions.notebook import Master, Repaired, read_cells, repair
from tests.support import made_up

ANSWER = "Because the mean of few numbers is itself a random number."
STUB = "Your answer."
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (4).to_bytes(4, "big") * 2 + bytes(9)).decode()


def _master(before: str = "") -> Master:
    notebook = made_up.notebook()
    made_up.cell(notebook, "why")["source"] = STUB
    notebook["cells"].insert(-1, made_up.markdown("question", "Why does the size of a batch matter?"))
    notebook["cells"].append(made_up.markdown("next", "The next part."))
    second = made_up.markdown("when", STUB, grade=True, solution=True, points=2)
    notebook["cells"] += [second, made_up.markdown("end", "The end.")]
    return Master(made_up.ASSIGNMENT, "made_up", json.dumps(notebook))


MASTER = _master()


def _repaired(change: Callable[[list[dict[str, Any]]], None]) -> Repaired:
    notebook = json.loads(MASTER.content)
    change(notebook["cells"])
    return repair(read_cells(json.dumps(notebook).encode()), MASTER)


def _answered(cells: list[dict[str, Any]], name: str = "why") -> dict[str, Any]:
    (found,) = (cell for cell in cells if cell["id"] == name)
    found["source"] = ANSWER
    return found


def _without_names(cells: list[dict[str, Any]]) -> None:
    """What some editors leave of a notebook: neither ids nor metadata."""
    _answered(cells)
    for cell in cells:
        cell.pop("id")
        cell["metadata"] = {}


def _in_a_new_cell(cells: list[dict[str, Any]]) -> None:
    at = next(n for n, cell in enumerate(cells) if cell["id"] == "why")
    cells.insert(at + 1, {"cell_type": "markdown", "metadata": {}, "source": ANSWER})


def _in_place_of_the_cell(cells: list[dict[str, Any]]) -> None:
    at = next(n for n, cell in enumerate(cells) if cell["id"] == "why")
    cells[at] = {"cell_type": "markdown", "metadata": {}, "source": ANSWER}


def _as_raw_text(cells: list[dict[str, Any]]) -> None:
    cell = _answered(cells)
    cell.update(cell_type="raw", metadata={}, id="x")


def _above_the_empty_cell(cells: list[dict[str, Any]]) -> None:
    at = next(n for n, cell in enumerate(cells) if cell["id"] == "why")
    cells[at]["source"] = ""
    cells.insert(at + 1, {"cell_type": "markdown", "metadata": {}, "source": ANSWER})


@pytest.mark.parametrize(
    "change", [_without_names, _in_a_new_cell, _in_place_of_the_cell, _as_raw_text, _above_the_empty_cell]
)
def test_an_answer_without_its_name_is_found_by_its_place(change: Callable[[list[dict[str, Any]]], None]) -> None:
    """It stands in its cell again, and the notes say so; the other question stays open."""
    repaired = _repaired(change)
    assert ANSWER in repaired.by_id["why"].source
    assert repaired.by_id["when"].source == STUB
    assert any("the answer why was not in its cell" in note for note in repaired.notes)
    assert sum(ANSWER in cell.source for cell in repaired.cells) == 1


def test_an_answer_in_several_cells_is_joined() -> None:
    """Split at a blank line, as an editor's command does."""

    def split(cells: list[dict[str, Any]]) -> None:
        _in_a_new_cell(cells)
        at = next(n for n, cell in enumerate(cells) if cell["source"] == ANSWER)
        cells.insert(at + 1, {"cell_type": "markdown", "metadata": {}, "source": "Second half."})

    assert _repaired(split).by_id["why"].source == f"{ANSWER}\n\nSecond half."


def test_what_cannot_be_placed_is_flagged_for_a_person() -> None:
    """Text at the end of the notebook, and no answer in its place: nobody is given 0 in silence."""
    repaired = _repaired(lambda cells: cells.append({"cell_type": "markdown", "metadata": {}, "source": ANSWER}))
    assert repaired.flags == ["lost-answer"]
    assert repaired.lost == ["why", "when"]
    assert CellMarks.of(repaired.cells, repaired.lost).scores["why"] is None
    assert ANSWER in [cell.source for cell in repaired.cells]


def test_a_note_between_the_exercises_is_no_answer() -> None:
    """Students write remarks elsewhere; with both questions answered nothing is flagged or moved."""

    def answered(cells: list[dict[str, Any]]) -> None:
        _answered(cells)
        _answered(cells, "when")
        cells.insert(2, {"cell_type": "markdown", "metadata": {}, "source": "Remember the axes."})

    repaired = _repaired(answered)
    assert (repaired.flags, repaired.notes) == ([], [])


def test_a_notebook_as_released_stays_as_it_is() -> None:
    """No answer, nothing of the student's own: nothing to tell."""
    repaired = _repaired(lambda cells: None)
    assert (repaired.flags, repaired.notes) == ([], [])


def test_a_picture_alone_is_an_answer() -> None:
    """Pasted under the words that stood there: the cell is answered, and nothing is looked for elsewhere."""

    def pasted(cells: list[dict[str, Any]]) -> None:
        for name in ("why", "when"):
            (cell,) = (cell for cell in cells if cell["id"] == name)
            cell["attachments"] = {"x.png": {"image/png": PNG}}
        cells.append({"cell_type": "markdown", "metadata": {}, "source": "A remark."})

    repaired = _repaired(pasted)
    assert (repaired.flags, repaired.notes) == ([], [])
    assert "x.png" in repaired.by_id["why"].attachments


@pytest.mark.parametrize("text", ["a", "x" * 2_000], ids=["short", "long"])
def test_thousands_of_cells_take_little_time(text: str) -> None:
    """As many as are read at all, with every question open."""

    def filled(cells: list[dict[str, Any]]) -> None:
        cells[:] = [{"cell_type": "markdown", "metadata": {}, "source": f"{text} {n}"} for n in range(5_000)]

    started = time.process_time()
    repaired = _repaired(filled)
    assert time.process_time() - started < 5
    assert "lost-answer" in repaired.flags or text in repaired.by_id["why"].source
