"""Reading what a student handed in, and putting it back into shape.

Students delete, copy, reorder, retype and edit cells, and their editors lose metadata.  `repair` brings a submission
back to the released notebook's cells: locked cells get their released text, missing ones come back in their place,
a copied cell keeps only one claim to its name.  What the student wrote is never lost: it stays in its cell, or in a
plain one.
"""

from __future__ import annotations

import gc
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode, from_dict

from autograder.submissions.lost_answers import place_answers
from autograder.submissions.pictures import Attachments, as_code, attached, named_plainly, without_dangling
from autograder.submissions.words import words_of
from course_lib.checking.card import plain

__all__ = [
    "Cell",
    "Master",
    "Repaired",
    "UnreadableError",
    "digest_of",
    "is_notebook",
    "read_cells",
    "repair",
    "shorten_code",
]

MAX_BYTES = 128 << 20
MAX_CELLS = 5000
_MAX_OLD_BYTES = 8 << 20
_MAX_CONTAINERS = 2_000_000
_MAX_QUOTES = 10_000_000
"""JSON of three bytes (``[],``) takes 64 in memory: the file's size alone does not bound what reading it costs."""

_CONFLICT = re.compile(rb"^(?:<<<<<<<|>>>>>>>) ", re.MULTILINE)
"""At the start of a line of the file; in a cell it would stand behind a quote."""

_ALL_CODE = 100_000
"""Characters of code that a page can show in good time; honest notebooks have less than half of it."""
_LONGEST_LINE, _MOST_EMPTY = 2_000, 20
_LONGEST_TEXT = 20_000
_SHORT = 4_000
"""What is known about texts up to this length is remembered."""
_ALL_TEXTS = 400_000
"""Characters of Markdown that a page can show in good time; the longest answers have a tenth of the first."""
_MOST_SIGNS = 2_000
_BLANKS = re.compile(r"[ \t]{60,}")
_SIGNS = {b"%pdf-": "a PDF", b"pk\x03\x04": "a zip archive (or a Word document)", b"rar!": "a RAR archive"}
EXPERIMENT = "experiment"


class UnreadableError(Exception):
    """The file is no notebook; the message says what it is instead."""


@dataclass(frozen=True)
class Cell:
    """A cell as the student left it: no outputs, no trusted metadata."""

    kind: str
    source: str
    name: str = ""
    tags: tuple[str, ...] = ()
    attachments: Attachments = field(default_factory=dict)


@dataclass(frozen=True)
class Pattern:
    """A cell that others are copied from; the copies share what lies in it.

    Attributes:
        node: not to be changed.
    """

    node: NotebookNode

    @cached_property
    def json(self) -> str:
        """The cell as JSON."""
        return json.dumps(self.node, ensure_ascii=False)

    def copy(self) -> NotebookNode:
        """A cell of which everything can be replaced, and nothing changed in its place."""
        return NotebookNode(self.node)


@dataclass(frozen=True)
class Master:
    """The released notebook of an assignment.

    Attributes:
        assignment: folder name of the assignment.
        notebook: its name without extension.
        content: the notebook as JSON text, so that a master can travel to a worker.
        earlier: digests (`digest_of`) of the locked cells of earlier releases; who has one of these did not edit it.
    """

    assignment: str
    notebook: str
    content: str
    earlier: frozenset[str] = frozenset()

    @cached_property
    def node(self) -> NotebookNode:
        """The parsed notebook; not to be changed."""
        node: NotebookNode = nbformat.reads(self.content, as_version=4)
        return node

    @cached_property
    def cells(self) -> Mapping[str, NotebookNode]:
        """The cells that nbgrader knows, by `grade_id`, in order."""
        return {cell.metadata.nbgrader.grade_id: cell for cell in self.node.cells if "nbgrader" in cell.metadata}

    @cached_property
    def experiments(self) -> frozenset[str]:
        """Ids of the cells that are not run when grading."""
        return frozenset(cell.id for cell in self.node.cells if EXPERIMENT in cell.metadata.get("tags", ()))

    @cached_property
    def text(self) -> Mapping[str, str]:
        """Every cell's released text, by cell id."""
        return {cell.id: cell.source for cell in self.node.cells}

    @cached_property
    def patterns(self) -> Mapping[str, Pattern]:
        """The cells that nbgrader knows, without outputs, to be copied."""
        return {name: Pattern(_without_outputs(cell)) for name, cell in self.cells.items()}

    @cached_property
    def by_words(self) -> Mapping[str, str]:
        """Released text, whatever its blanks -> the last cell that has it."""
        return {words_of(text): name for name, text in self.text.items() if text.strip()}

    def is_test(self, name: str) -> bool:
        """Whether a cell is a locked test cell with points."""
        data = self.cells[name].metadata.nbgrader
        return bool(data.grade) and not data.solution

    def is_written(self, name: str) -> bool:
        """Whether a cell is a written answer that a person grades."""
        data = self.cells[name].metadata.nbgrader
        return bool(data.grade) and bool(data.solution)


@dataclass
class Repaired:
    """A submission in the released notebook's shape.

    Attributes:
        cells: notebook cells in order, with released metadata and no outputs.
        runnable: ids of the cells to be run, in order.
        notes: what was repaired, in words.
        flags: `edited-tests`, `lost-answer`.
        lost: names of the written answers that were not found, and may stand elsewhere.
        patterns: what cells were copied from, by id.
    """

    cells: list[NotebookNode]
    runnable: list[str]
    notes: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    patterns: Mapping[str, Pattern] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> dict[str, NotebookNode]:
        """The cells by id."""
        return {cell["id"]: cell for cell in self.cells}

    def as_json(self) -> str:
        """The list of cells; what is as it was copied is not written anew."""
        patterns = ((cell, self.patterns.get(cell["id"])) for cell in self.cells)
        texts = (
            pattern.json if pattern is not None and cell == pattern.node else json.dumps(cell, ensure_ascii=False)
            for cell, pattern in patterns
        )
        return f"[{', '.join(texts)}]"


def read_cells(data: bytes) -> list[Cell]:
    """The cells of a submitted file of any nbformat 4.x (older ones are converted).

    Raises:
        UnreadableError: if it is no notebook, with what it is instead.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"the file has {len(data) >> 20} MiB; at most {MAX_BYTES >> 20} MiB are read")
    if not data.strip():
        raise UnreadableError("the file is empty")
    if data.count(b"[") + data.count(b"{") > _MAX_CONTAINERS or data.count(b'"') > _MAX_QUOTES:
        raise UnreadableError("the file has millions of parts, so it is no notebook that anybody wrote")
    if _CONFLICT.search(data):
        raise UnreadableError(
            "the file holds conflict markers of Git (<<<<<<<, >>>>>>>): decide for one version, and hand that in"
        )
    if other := _another_kind(data):
        raise UnreadableError(f"the file is {other}, not a notebook; hand in the .ipynb file itself")
    try:
        content = _parsed(_decode(data))
    except (ValueError, RecursionError, MemoryError) as error:
        raise UnreadableError(f"the file is not JSON, so no notebook ({_short(error)})") from error
    if isinstance(content, dict) and "cells" not in content and isinstance(content.get("worksheets"), list):
        content = _convert_old(data)
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list):
        raise UnreadableError("the file is JSON but holds no list of cells")
    if len(cells) > MAX_CELLS:
        raise UnreadableError(f"the notebook has {len(cells)} cells; at most {MAX_CELLS} are read")
    return [_read_cell(cell) for cell in cells if isinstance(cell, dict)]


def is_notebook(data: bytes) -> bool:
    """Whether a file is a notebook by its content, whatever its name."""
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"{") and b'"nbformat"' in data and (b'"cells"' in data or b'"worksheets"' in data)


def _another_kind(data: bytes) -> str:
    """What else a file plainly is; empty if nothing known."""
    start = data[:1000].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"<") and (b"<html" in start or b"<!doctype html" in start):
        return "a web page (HTML)"
    return next((words for sign, words in _SIGNS.items() if start.startswith(sign)), "")


def _parsed(text: str) -> Any:
    """JSON with every number as a truth value: nothing here asks for one, and a file of numbers takes a minute."""
    collecting = gc.isenabled()
    gc.disable()  # a million containers would be looked through again and again while they come into being
    try:
        return json.loads(text, parse_int=bool, parse_float=bool)
    finally:
        if collecting:
            gc.enable()


def _decode(data: bytes) -> str:
    try:
        return data.decode(json.detect_encoding(data))  # UTF-8, 16 or 32, with and without a byte order mark
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _convert_old(data: bytes) -> dict[str, Any]:
    """A notebook of before 2015, which has worksheets, in today's format."""
    if len(data) > _MAX_OLD_BYTES:
        raise UnreadableError(f"the notebook is in an old format, of which at most {_MAX_OLD_BYTES >> 20} MiB are read")
    try:
        return dict(nbformat.convert(from_dict(json.loads(_decode(data))), 4))
    except Exception as error:  # the converter meets damage with any exception
        raise UnreadableError(f"the notebook's old format could not be converted ({_short(error)})") from error


def _short(error: BaseException) -> str:
    return plain(" ".join(f"{type(error).__name__}: {error}".split())[:160])


def _read_cell(cell: dict[str, Any]) -> Cell:
    kind = cell.get("cell_type")
    metadata = cell.get("metadata") if isinstance(cell.get("metadata"), dict) else {}
    assert isinstance(metadata, dict)
    nbgrader = metadata.get("nbgrader")
    name = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    tags = metadata.get("tags")
    return Cell(
        kind if kind in ("code", "markdown", "raw") else "raw",
        _text(cell.get("source", "")),
        name if isinstance(name, str) and name else _identifier(cell.get("id")),
        tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        attached(cell.get("attachments")) if kind != "code" else {},
    )


def _identifier(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _text(source: Any) -> str:
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        return ""
    # Lone surrogates can be in JSON but not in a file; NUL ends a C string.
    if not source.isascii():
        source = source.encode("utf-8", errors="replace").decode("utf-8")
    clean: str = source.replace("\0", "")
    return clean.replace("\r\n", "\n").replace("\r", "\n") if "\r" in clean else clean


def repair(cells: Sequence[Cell], master: Master) -> Repaired:
    """Bring a submission back to the released notebook's cells (see the module's text)."""
    notes: list[str] = []
    flags: list[str] = []
    lost: list[str] = []
    cells = _readable(place_answers(cells, master, notes, flags, lost), notes)
    chosen = _claims(cells, master, notes)
    placed: list[NotebookNode] = []
    patterns: dict[str, Pattern] = dict(master.patterns)
    taken: set[str] = set()
    for position, cell in enumerate(cells):
        name = cell.name
        if name in master.cells and chosen[name] == position:
            placed.append(_restored(cell, master, notes, flags))
        else:
            is_plain = name in master.text and name not in master.cells and name not in taken
            pattern = _plain(cell, name if is_plain else _free(f"added-{position}", taken, master))
            placed.append(pattern.copy())
            patterns[pattern.node["id"]] = pattern
        taken.add(placed[-1]["id"])
    _add_missing(placed, master, notes)
    runnable = [cell["id"] for cell in placed if _is_run(cell, master)]
    return Repaired(placed, runnable, notes, flags, lost, patterns)


def _is_run(cell: NotebookNode, master: Master) -> bool:
    """Whether a cell is run when grading."""
    name = cell["id"]
    if cell["cell_type"] != "code" or not cell["source"].strip() or name in master.experiments:
        return False
    if name not in master.text:
        return EXPERIMENT not in cell["metadata"].get("tags", ())
    return not (name in master.cells and master.is_test(name))


def _claims(cells: Sequence[Cell], master: Master, notes: list[str]) -> dict[str, int]:
    """Which of several cells of one name is taken for it: the last one that the student worked on."""
    claims: dict[str, list[int]] = {}
    for position, cell in enumerate(cells):
        if cell.name in master.cells:
            claims.setdefault(cell.name, []).append(position)
    chosen = {}
    for name, positions in claims.items():
        released = master.cells[name].source.strip()
        worked_on = [position for position in positions if cells[position].source.strip() not in ("", released)]
        chosen[name] = (worked_on or positions)[-1]
        if len(positions) > 1:
            notes.append(f"the cell {name} was there {len(positions)} times; the last one that was worked on counts")
    return chosen


def _restored(cell: Cell, master: Master, notes: list[str], flags: list[str]) -> NotebookNode:
    """A released cell with the student's text in it, if it is one that students write in."""
    released = master.cells[cell.name]
    node = master.patterns[cell.name].copy()
    if released.metadata.nbgrader.solution:
        node["source"] = cell.source
        _attach(node, cell)
        if cell.kind != released.cell_type:
            notes.append(f"the cell {cell.name} was a {cell.kind} cell; it is a {released.cell_type} cell again")
    elif cell.kind != released.cell_type or words_of(cell.source) != words_of(released.source):
        of_before = digest_of(cell.source) in master.earlier
        why = "is that of an earlier release" if of_before else "was edited"
        notes.append(f"the locked cell {cell.name} {why}; its released text is used")
        known = digest_of(cell.source) in master.earlier
        if master.is_test(cell.name) and not known and "edited-tests" not in flags:
            flags.append("edited-tests")
    return node


def _without_outputs(cell: NotebookNode) -> NotebookNode:
    """A copy of a cell with objects of its own all the way down."""
    node: NotebookNode = from_dict(cell)
    if node.cell_type == "code":
        node.outputs, node.execution_count = [], None
    return node


def _plain(cell: Cell, identifier: str) -> Pattern:
    """A cell that nbgrader does not know; most are those of the released notebook, and made once for a class."""
    if len(cell.source) <= _SHORT and not cell.attachments:
        return _plain_and_short(cell.kind, identifier, EXPERIMENT in cell.tags, cell.source)
    return _made_plain(cell, identifier)


@lru_cache(maxsize=1024)
def _plain_and_short(kind: str, identifier: str, is_experiment: bool, source: str) -> Pattern:
    return _made_plain(Cell(kind, source, tags=(EXPERIMENT,) * is_experiment), identifier)


def _made_plain(cell: Cell, identifier: str) -> Pattern:
    metadata = NotebookNode(tags=[EXPERIMENT]) if EXPERIMENT in cell.tags else NotebookNode()
    outputs: dict[str, Any] = {"outputs": [], "execution_count": None} if cell.kind == "code" else {}
    node = NotebookNode(cell_type=cell.kind, id=identifier, metadata=metadata, source=cell.source, **outputs)
    _attach(node, cell)
    return Pattern(node)


def _attach(node: NotebookNode, cell: Cell) -> None:
    """The student's pictures, and no reference to one that is not there."""
    pictures = cell.attachments
    if node["cell_type"] == "markdown":
        source, pictures = named_plainly(node["source"], pictures)
        node["source"] = without_dangling(source, pictures)
    if pictures and node["cell_type"] != "code":
        node["attachments"] = from_dict(dict(pictures))


def _readable(cells: Sequence[Cell], notes: list[str]) -> list[Cell]:
    """Cells that a page can show in good time: what is too long for it is cut, and said to be."""
    left, shown, cut = _ALL_TEXTS, [], 0
    for cell in cells:
        if cell.kind != "code":
            source, is_cut = _shortened(cell.source, left)
            left -= len(source)
            cut += is_cut
            cell = replace(cell, source=source) if source != cell.source else cell
        shown.append(cell)
    if cut:
        notes.append(f"{_count(cut, 'text was', 'texts were')} too long for a page; the submitted file has all of it")
    return shown


def _shortened(text: str, left: int) -> tuple[str, bool]:
    """A text as long as a page can show it, and whether something of it is left out."""
    if len(text) <= min(_SHORT, left) and _is_shown_well(text):
        return text, False
    text = _BLANKS.sub(" " * 59, text)
    most = max(0, min(_LONGEST_TEXT, left))
    is_cut = len(text) > most
    if is_cut:
        text = f"{text[:most]}\n\n[cut here: {len(text) - most} more characters are in the submitted file]"
    if _signs(text) > _MOST_SIGNS:  # as it is, for Markdown of such texts takes time by the square of their length
        text = as_code(text)
    return text, is_cut


@lru_cache(maxsize=1024)
def _is_shown_well(text: str) -> bool:
    """Whether a page can show a short text as it is; most of a class are those of the released notebook."""
    return not _BLANKS.search(text) and _signs(text) <= _MOST_SIGNS


def _signs(text: str) -> int:
    return text.count("<") + text.count("\\begin") + text.count("[") + 3 * text.count("|")


def shorten_code(repaired: Repaired) -> None:
    """Cut code that no page can show in good time, once it has been run: more than is read, endless lines, empty ones.

    To highlight a megabyte takes 13 seconds; 6,000 empty lines took 28, and one line of 50,000 characters 22.
    """
    left, cut = _ALL_CODE, 0
    for cell in repaired.cells:
        source = cell["source"]
        if cell["cell_type"] == "code" and not cell["metadata"].get("nbgrader", {}).get("locked"):
            shown = _short_code(source, max(0, left))
            left -= len(shown)
            if shown != source:
                cell["source"] = f"{shown}\n\n# [something is cut here; the submitted file has all of it]"
                cut += 1
    if cut:
        which = _count(cut, "cell of code was", "cells of code were")
        repaired.notes.append(f"{which} too long for a page; the submitted file has all of it")


def _short_code(source: str, left: int) -> str:
    if len(source) <= min(_SHORT, left):
        return _short_cell(source)
    return "\n".join(_short_lines(source[:left]))


@lru_cache(maxsize=1024)
def _short_cell(source: str) -> str:
    return "\n".join(_short_lines(source))


def _short_lines(source: str) -> Iterator[str]:
    """Lines that are not too long, and not too many empty ones together."""
    empty = 0
    for line in source.split("\n"):
        empty = empty + 1 if not line.strip() else 0
        if empty <= _MOST_EMPTY:
            yield line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} ..."


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def digest_of(text: str) -> str:
    """A cell's text, whatever its blanks, as a short key."""
    return hashlib.sha256(words_of(text).encode()).hexdigest()[:16]


def _free(wanted: str, taken: set[str], master: Master) -> str:
    while wanted in taken or wanted in master.text:
        wanted += "x"
    return wanted


def _add_missing(placed: list[NotebookNode], master: Master, notes: list[str]) -> None:
    """Put back cells that are not there, each after the cell that it follows in the released notebook."""
    ids = [cell["id"] for cell in placed]
    missing: list[str] = []
    previous: str | None = None
    for name in master.cells:
        if name not in ids:
            position = ids.index(previous) + 1 if previous is not None else 0
            placed.insert(position, master.patterns[name].copy())
            ids.insert(position, name)
            missing.append(name)
        previous = name
    if missing:
        which = f"the cell {missing[0]} was" if len(missing) == 1 else f"{len(missing)} cells were"
        listed = f" ({', '.join(missing[:3])}{', …' if len(missing) > 3 else ''})" if len(missing) > 1 else ""
        notes.append(f"{which} missing{listed}; {'it was' if len(missing) == 1 else 'they were'} put back as released")
