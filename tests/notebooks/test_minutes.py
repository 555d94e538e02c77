"""The minutes that a notebook states: those of its parts follow from what is in them, the head adds them up.

Nobody was clocked; CONTRIBUTING.md says how they are computed.  So they can't drift away from the text.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.notebooks.source import read_notebook
from tests.support.course import COURSE

WORDS, LINES = 200, 20
"""Read in a minute: of text, of code."""
PICTURE, WIDGET, ON_PAPER = 1, 3, 2
"""Minutes."""
EXERCISE = re.compile(r"^●{1,3} · (\d+) minutes( · short path)? · ", re.MULTILINE)
STEP = 5
"""Minutes to which a part is rounded up."""


@pytest.fixture(scope="module", params=COURSE.assignments)
def notebook(request: pytest.FixtureRequest) -> Any:
    """Each source notebook in turn."""
    return read_notebook(request.param)


def parts_of(notebook: Any) -> list[list[Any]]:
    """The cells of each part."""
    parts: list[list[Any]] = []
    for cell in notebook.cells:
        if cell.id == "questions":
            break
        if re.fullmatch(r"part-\d", cell.id):
            parts.append([])
        if parts:
            parts[-1].append(cell)
    return parts


def text_of(cells: list[Any]) -> str:
    """What is to be read outside of exercises, whose minutes include their own text."""
    texts = [cell.source for cell in cells if cell.cell_type == "markdown" and not EXERCISE.search(cell.source)]
    return "\n".join(texts)


def words_of(cells: list[Any]) -> int:
    """How many words that are."""
    return len(re.sub(r"<[^>]+>", "", text_of(cells)).split())


def exercises_of(cells: list[Any]) -> list[tuple[int, bool]]:
    """(minutes, on the short path) of each exercise."""
    found = EXERCISE.findall("\n".join(cell.source for cell in cells if cell.cell_type == "markdown"))
    return [(int(minutes), bool(short)) for minutes, short in found]


def estimated(cells: list[Any]) -> float:
    """Minutes of a part."""
    given = [cell for cell in cells if cell.cell_type == "code" and "experiment" in cell.metadata.get("tags", [])]
    lines = sum(bool(line.strip()) for cell in given for line in cell.source.splitlines())
    pictures = sum(cell.id.startswith(("see-", "measure-", "drawing-")) for cell in given)
    widgets = sum("widgets." in cell.source for cell in given)
    on_paper = len(re.findall(r"<summary>(?:Answer|Fill in the gap|Check your bracket)", text_of(cells)))
    reading = words_of(cells) / WORDS + lines / LINES
    doing = PICTURE * pictures + WIDGET * widgets + ON_PAPER * on_paper
    return reading + doing + sum(minutes for minutes, _ in exercises_of(cells))


def test_the_minutes_of_a_part_follow_from_its_text_its_code_and_its_exercises(notebook: Any) -> None:
    """Rounded up to five, give or take the minute that a sentence more or less may cost."""
    for number, cells in enumerate(parts_of(notebook), 1):
        (stated,) = re.findall(r"^\*(\d+) minutes\.\*", cells[0].source, re.MULTILINE)
        minutes = estimated(cells)
        assert minutes - 1 <= int(stated) <= minutes + STEP + 1, f"part {number}: {minutes:.1f}"
        assert int(stated) % STEP == 0


def test_the_head_adds_up_the_parts_and_says_how_they_were_found(notebook: Any) -> None:
    """The table, the whole of it, and the minutes of the written questions where these stand."""
    title, questions = (
        next(cell.source for cell in notebook.cells if cell.id == name) for name in ("title", "questions")
    )
    ((hours, minutes, written, number),) = re.findall(
        r"^That is (\d+) hours(?: and (\d+) minutes)?, plus (\d+) minutes for the (\w+) written questions at the end",
        title,
        re.MULTILINE,
    )
    table = sum(int(found) for found in re.findall(r"^\| \d \|.*\| (\d+) \|$", title, re.MULTILINE))
    assert table == 60 * int(hours) + int(minutes or 0)
    assert f"*{written} minutes. {number.capitalize()} questions" in questions
    assert (
        f"computed, not clocked, for someone who has heard the lecture once: {WORDS} words of text or {LINES} " in title
    )


def test_the_short_path_takes_about_ninety_minutes(notebook: Any) -> None:
    """The head says what the marked exercises take; with the text around them, some time is left for experiments."""
    parts = parts_of(notebook)
    title = next(cell.source for cell in notebook.cells if cell.id == "title")
    assert "**Short path, about 90 minutes:**" in title
    (promised,) = re.findall(r"marked \*short path\* \((\d+) minutes\)", title)
    marked = {n: sum(minutes for minutes, short in exercises_of(cells) if short) for n, cells in enumerate(parts)}
    assert sum(marked.values()) == int(promised)
    reading = sum(words_of(cells) / WORDS for n, cells in enumerate(parts) if marked[n])
    assert 65 <= int(promised) + reading <= 90
