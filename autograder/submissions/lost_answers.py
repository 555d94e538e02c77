"""Finding written answers whose cells lost their names, were deleted, or were answered in a cell of the student's own.

Some editors drop cell ids and metadata.  Code is found by the functions that it defines; a written answer can only be
found by its place: between the released cells around it.  What cannot be placed is left for a person to look at.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from autograder.submissions.words import words_of

if TYPE_CHECKING:
    from autograder.submissions.notebook import Cell, Master

__all__ = ["place_answers"]


def place_answers(
    cells: Sequence[Cell], master: Master, notes: list[str], flags: list[str], lost: list[str]
) -> list[Cell]:
    """The cells, with answers that had lost their names named again.

    Adds notes; where written answers are not there but some text of the student's own is, the flag `lost-answer`, and
    their names to `lost`.
    """
    placed = list(cells)
    released = master.by_words
    known = _known_cells(placed, released, master)
    own = [n for n, cell in enumerate(placed) if n not in known and _is_own_text(cell, released, master)]
    position = {cell.name: n for n, cell in reversed(list(enumerate(placed)))}
    open_answers: list[str] = []
    for name in filter(master.is_written, master.cells):
        blank = position.get(name)
        if blank is not None and not _is_blank(placed[blank], master.text[name]):
            continue
        begin, end = _gap(name, known, master, len(placed))
        begin = max(begin, blank + 1) if blank is not None else begin
        found = own[bisect_left(own, begin) : bisect_left(own, end)]
        if not found:
            open_answers.append(name)
            continue
        if blank is not None:  # the empty answer stays behind as a cell of no name
            placed[blank] = replace(placed[blank], name="")
        _join(placed, found, name)
        own = [n for n in own if n not in found]
        known[found[0]] = name
        notes.append(f"the answer {name} was not in its cell; the text found in its place is taken for it")
    if open_answers and own:
        flags.append("lost-answer")
        lost += open_answers
        notes.append(
            f"no answer was found for {', '.join(open_answers)}, but there are texts of the student's own elsewhere: "
            "look at them"
        )
    return [cell for cell in placed if cell.name or cell.source.strip() or cell.attachments]


def _join(cells: list[Cell], found: Sequence[int], name: str) -> None:
    """Make one named cell of several, in the place of the first; the others are empty then."""
    text = "\n\n".join(cells[n].source for n in found)
    pictures = {key: value for n in found for key, value in cells[n].attachments.items()}
    for n in found:
        cells[n] = replace(cells[n], name="", source="", attachments={})
    cells[found[0]] = replace(cells[found[0]], name=name, source=text, attachments=pictures)


def _known_cells(cells: Sequence[Cell], released: Mapping[str, str], master: Master) -> dict[int, str]:
    """Position -> id of the released cell that stands there, known by its name or by its text."""
    known: dict[int, str] = {}
    taken: set[str] = set()
    for n, cell in enumerate(cells):
        name = cell.name if cell.name in master.text else released.get(words_of(cell.source), "")
        # The text of an unanswered question is the same for all of them: it names none.
        unanswered = name in master.cells and master.is_written(name) and cell.name != name
        if name and name not in taken and not unanswered:
            known[n] = name
            taken.add(name)
    return known


def _gap(name: str, known: Mapping[int, str], master: Master, length: int) -> tuple[int, int]:
    """Where the answer must be: behind the last known released cell before it, in front of the next one."""
    order = {cell: n for n, cell in enumerate(master.text)}
    begin = max((n + 1 for n, other in known.items() if order[other] < order[name]), default=0)
    after = (n for n, other in known.items() if order[other] > order[name] and n >= begin)
    return begin, min(after, default=length)


def _is_own_text(cell: Cell, released: Mapping[str, str], master: Master) -> bool:
    """Whether a cell without a released name holds a text or a picture of the student's own."""
    if cell.kind not in ("markdown", "raw") or cell.name in master.cells:
        return False
    return bool(cell.attachments) or (bool(cell.source.strip()) and words_of(cell.source) not in released)


def _is_blank(cell: Cell, released: str) -> bool:
    return not cell.attachments and (not cell.source.strip() or words_of(cell.source) == words_of(released))
