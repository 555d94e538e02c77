"""Finding written answers whose cells lost their names, were deleted, or were answered in a cell of the student's own.

Some editors drop cell ids and metadata.  Code is found by the functions that it defines; a written answer can only be
found by its place: between the released cells around it.  What cannot be placed is left for a person to look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.submissions.notebook import Cell, Master

__all__ = ["place_answers"]


def place_answers(cells: Sequence[Cell], master: Master, notes: list[str], flags: list[str]) -> list[Cell]:
    """The cells, with answers that had lost their names named again.

    Adds notes, and the flag `lost-answer` where a written answer is not there but some text of the student's own is.
    """
    placed = list(cells)
    known = _known_cells(placed, master)
    open_answers: list[str] = []
    for name in (name for name in master.cells if master.is_written(name)):
        released = master.cells[name].source
        own = next((n for n, cell in enumerate(placed) if cell.name == name), None)
        if own is not None and not _is_blank(placed[own].source, released):
            continue
        begin, end = _gap(name, known, master, len(placed))
        begin = max(begin, own + 1) if own is not None else begin
        found = [n for n in range(begin, end) if n not in known and _is_text(placed[n], released, master)]
        if not found:
            open_answers.append(name)
            continue
        first, *others = found
        text = "\n\n".join(placed[n].source for n in found)
        pictures = {key: value for n in found for key, value in placed[n].attachments.items()}
        answer = replace(placed[first], name=name, source=text, attachments=pictures)
        if own is not None:  # the empty answer stays behind as a cell of no name
            placed[own] = replace(placed[own], name="")
        placed[first] = answer
        for n in others:
            placed[n] = replace(placed[n], name="", source="", attachments={})
        known[first] = name
        notes.append(f"the answer {name} was not in its cell; the text found in its place is taken for it")
    own_text = any(n not in known and _is_text(cell, "", master) for n, cell in enumerate(placed))
    if open_answers and own_text:
        flags.append("lost-answer")
        notes.append(
            f"no answer was found for {', '.join(open_answers)}, but there are texts of the student's own elsewhere: "
            "look at them"
        )
    return [cell for cell in placed if cell.name or cell.source.strip() or cell.attachments]


def _known_cells(cells: Sequence[Cell], master: Master) -> dict[int, str]:
    """Position -> id of the released cell that stands there, known by its name or by its text."""
    by_text = {_plain(text): name for name, text in master.text.items() if text.strip()}
    known = {}
    taken: set[str] = set()
    for n, cell in enumerate(cells):
        name = cell.name if cell.name in master.text else by_text.get(_plain(cell.source), "")
        written = name in master.cells and master.is_written(name) and cell.name != name
        if name and name not in taken and not written:
            known[n] = name
            taken.add(name)
    return known


def _gap(name: str, known: Mapping[int, str], master: Master, length: int) -> tuple[int, int]:
    """Where the answer must be: behind the last known released cell before it, in front of the next one."""
    order = {cell: n for n, cell in enumerate(master.text)}
    before = [n for n, other in known.items() if order[other] < order[name]]
    after = [n for n, other in known.items() if order[other] > order[name]]
    begin = max(before) + 1 if before else 0
    return begin, min((n for n in after if n >= begin), default=length)


def _is_text(cell: Cell, released: str, master: Master) -> bool:
    """Whether a cell holds a text of the student's own."""
    return (
        cell.kind in ("markdown", "raw")
        and cell.name not in master.cells
        and not _is_blank(cell.source, released)
        and _plain(cell.source) not in map(_plain, master.text.values())
    ) or bool(cell.attachments and cell.name not in master.cells)


def _is_blank(source: str, released: str) -> bool:
    return not source.strip() or _plain(source) == _plain(released)


def _plain(text: str) -> str:
    return " ".join(text.split())
