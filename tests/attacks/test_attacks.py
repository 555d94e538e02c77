"""Every attack on the grading of one submission gains nothing, harms nobody and finds nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.sandbox import Limits
from tests.attacks.arena import Arena, open_arena
from tests.attacks.attack import RIGHT, Attack
from tests.attacks.collection import ATTACKS
from tests.support import made_up

pytestmark = pytest.mark.sandbox

_RUNS = re.compile(r"<(script|svg|img|iframe|object|embed)|<[^>]*(javascript:|\son\w+\s*=)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """One warm sandbox for all attacks."""
    with open_arena(tmp_path_factory.mktemp("arena")) as opened:
        yield opened


@pytest.fixture(scope="module")
def honest(arena: Arena) -> str:
    """What an honest submission yields before any attack."""
    return arena.honest()


@pytest.fixture(scope="module")
def outside(arena: Arena) -> dict[str, tuple[int, bytes]]:
    """The files beside the sandbox before any attack."""
    return _files(arena.place)


def _files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(p): (p.stat().st_mode, p.read_bytes()) for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_forges_nothing_and_harms_nobody(
    arena: Arena, honest: str, outside: dict[str, tuple[int, bytes]], attack: Attack
) -> None:
    """No more points than the same wrong answer; the next submission is graded as before, byte for byte."""
    graded = arena.grade(attack)
    result = graded.result
    for name, exercise in arena.baseline(attack).exercises.items():
        assert result.exercises[name].score <= exercise.score, f"{name}: forged"
        assert result.exercises[name].criteria, "every criterion has its verdict"
    lost = [e for e in result.exercises.values() if e.score < e.max_score]
    assert all(exercise.message for exercise in lost), "every lost point has its reason"
    assert arena.secret not in graded.notebook + repr(result)
    assert "REACHED " not in _shown(graded.notebook), "something outside answered"
    _check_notebook(graded.notebook, 8_000_000 + 2 * len(arena.data(attack)))
    assert arena.honest() == honest
    assert _files(arena.place) == outside


def _check_notebook(text: str, most: int) -> None:
    """A student's outputs are text and pictures; nothing a browser would run or a terminal obey; the file is small."""
    assert len(text) < most
    for cell in json.loads(text)["cells"]:
        assert "\0" not in "".join(cell["source"])
        assert set(cell["metadata"]) <= {"deletable", "editable", "nbgrader", "tags"}
        assert cell["metadata"].get("tags", ["experiment"]) == ["experiment"]
        for output in cell.get("outputs", ()):
            _check_output(output, graded=cell["id"] in made_up.EXERCISES)


def _check_output(output: dict[str, Any], *, graded: bool) -> None:
    data = output.get("data", {})
    assert set(data) <= {"text/plain", "image/png"} | ({"text/html"} if graded else set())
    assert (output["output_type"] == "execute_result") == graded
    shown = [output.get("text", ""), output.get("ename", ""), output.get("evalue", ""), *output.get("traceback", ())]
    for text in (*shown, *data.values()):
        assert not _CONTROL.search("".join(text))
    assert not _RUNS.search("".join(data.get("text/html", "")))


def _shown(notebook: str) -> str:
    """What cells printed, without their sources."""
    outputs = [output for cell in json.loads(notebook)["cells"] for output in cell.get("outputs", ())]
    return "".join("".join(output.get("text", "")) for output in outputs)


def test_an_honest_answer_beside_an_attack_keeps_its_points(arena: Arena) -> None:
    """An exercise whose code dies costs no other exercise its points."""
    dying = Attack(
        "dies",
        "",
        column_scale="import os\ndef column_scale(x, gamma, eps):\n    os._exit(0)",
        pair=made_up.PAIR_SOLUTION,
    )
    result = arena.grade(dying, Limits()).result
    assert result.exercises["pair"].score == result.exercises["pair"].max_score
    assert result.status == "crashed"


def test_right_answers_get_full_marks_in_the_arena(arena: Arena) -> None:
    """The attacks lose because they are wrong: with these very limits a right answer gets everything."""
    result = arena.grade(Attack("right", "", column_scale=RIGHT, pair=made_up.PAIR_SOLUTION)).result
    assert (result.score, result.status, result.flags) == (result.max_score, "graded", ())


def test_names_of_attacks_are_unique() -> None:
    """The table that `make attacks` prints has one row for each."""
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 60
