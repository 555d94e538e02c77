"""Claims are read off recorded trainings: the records are of the code as it is, and a training made now agrees."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import measured as recording
from tests.support.measured import Measured, OutOfDateError, Record, essence, record_of, topics
from tests.support.paths import ROOT

TOPICS = topics()


@pytest.fixture(params=TOPICS)
def kept(request: pytest.FixtureRequest) -> Record:
    """The record of each topic."""
    return record_of(TOPICS[request.param])


def test_every_record_is_complete_and_of_the_code_as_it_is(kept: Record) -> None:
    """No function lacks a run, and none has changed; the error says what to type."""
    assert kept.functions
    for function in kept.functions.values():
        assert list(kept.read(function)) == [str(unit) for unit in function.units], function.name


def numbers(value: Any, *place: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every number of a run, with its place in it."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from numbers(each, *place, name)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from numbers(each, *place, str(index))
    else:
        yield place, value


def strays(fresh: Any, stored: Any, runs: list[Any]) -> list[str]:
    """The quantities by which a run is farther from its record than runs of a function are apart.

    Rounding differs between processors, and training amplifies it; so what is compared is a mean over the numbers of a
    quantity, and another seed is as far as it may go.  What no seed changes may differ by a twentieth.
    """
    now, then, others = dict(numbers(fresh)), dict(numbers(stored)), [dict(numbers(run)) for run in runs]
    if now.keys() != then.keys():
        return ["not the same numbers"]
    finite = [p for p, v in now.items() if isinstance(v, float | int) and math.isfinite(v) and math.isfinite(then[p])]
    found = [str(p) for p in now.keys() - set(finite) if isinstance(now[p], str) and now[p] != then[p]]
    for quantity in sorted({place[:1] for place in finite}):
        places = [place for place in finite if place[:1] == quantity]
        values = [[run[place] for run in others if math.isfinite(run.get(place, math.nan))] for place in places]
        apart = sum(max(row) - min(row) for row in values)
        size = sum(abs(then[place]) for place in places)
        if sum(abs(now[place] - then[place]) for place in places) > max(apart, 0.05 * size):
            found.append(str(quantity))
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_training_made_now_is_like_its_record(kept: Record) -> None:
    """Which one, the digests say: after every change it is another.  The claims of the topic are asserted on it too."""
    name, unit = kept.sample
    function = kept.functions[name]
    stored = kept.read(function)
    assert strays(function.fresh(unit), stored[str(unit)], list(stored.values())) == []


def test_a_run_that_is_not_like_its_record_is_found() -> None:
    """A number too far away, a name that differs, a number too many."""
    runs = [{"loss": [1.0, 2.0 + seed / 10], "name": "a"} for seed in range(3)]
    assert strays(runs[1], runs[0], runs) == []
    assert strays({"loss": [1.0, 2.3], "name": "a"}, runs[0], runs) == ["('loss',)"]
    assert strays({"loss": [1.0, 2.0], "name": "b"}, runs[0], runs) == ["('name',)"]
    assert strays({"loss": [1.0], "name": "a"}, runs[0], runs) == ["not the same numbers"]


# --- the digest


def test_comments_and_docstrings_change_no_digest() -> None:
    """What changes no number asks for no new training."""
    plain = "x = 1\ndef f(a):\n    return a + x\n"
    dressed = '"""A module."""\n# why\nx = 1  # one\n\n\ndef f(a):\n    """A function."""\n\n    return a + x\n'
    assert essence(dressed) == essence(plain)
    assert essence(plain.replace("a + x", "a - x")) != essence(plain)
    assert essence("if a:\n    b()\nc()\n") != essence("if a:\n    b()\n    c()\n")
    assert essence("x = '# one'") != essence("x = '# two'")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of its own, with a topic whose training is a sum."""
    for name, text in {
        "made_lib/__init__.py": "",
        "made_lib/deep.py": "STEP = 1\n",
        "made_lib/nets.py": "from made_lib.deep import STEP\ndef train(seed):\n    return seed + STEP\n",
        "made_lib/data/images": "1 2 3",
        "made_tests/topic/runs.py": (
            "from made_lib.nets import train\nfrom tests.support.measured import measured\nSCALE = 2\n"
            "def scaled(x):\n    return SCALE * x\n"
            "@measured((0, 1, 2))\ndef losses(seed):\n    return {'loss': scaled(train(seed))}\n"
        ),
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    monkeypatch.setattr(recording, "ROOT", tmp_path)
    monkeypatch.setattr(recording, "_OURS", ("made_lib", "made_tests"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a file changes twice in a second
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    forget()


def forget() -> None:
    """Modules and what is cached of them, as if Python had just started."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("made_lib", "made_tests")]:
        del sys.modules[name]
    for cached in (recording.imported, recording._imports, recording.data_beside, recording.record_of):
        cached.cache_clear()


def losses() -> tuple[Record, Measured]:
    """The record of the made-up topic and its one function, read afresh."""
    forget()
    found = Record("made_tests.topic.runs")
    return found, found.functions["losses"]


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("made_tests/topic/runs.py", "seed))}", "seed + 1))}"),
        ("made_tests/topic/runs.py", "SCALE * x", "SCALE + x"),
        ("made_tests/topic/runs.py", "SCALE = 2", "SCALE = 3"),
        ("made_tests/topic/runs.py", "(0, 1, 2)", "(0, 1)"),
        ("made_lib/nets.py", "seed + STEP", "seed - STEP"),
        ("made_lib/deep.py", "1", "2"),
        ("made_lib/data/images", "3", "4"),
    ],
)
def test_whatever_could_change_a_number_puts_the_record_out_of_date(
    folder: Path, path: str, old: str, new: str
) -> None:
    """The function, what it calls, its constants and units, modules however deep, data."""
    kept, function = losses()
    kept.write(function, {str(unit): function.fresh(unit) for unit in function.units})
    kept, function = losses()
    assert kept.read(function) == {"0": {"loss": 2}, "1": {"loss": 4}, "2": {"loss": 6}}
    text = (folder / path).read_text("utf-8")
    assert old in text
    (folder / path).write_text(text.replace(old, new), "utf-8")
    kept, function = losses()
    with pytest.raises(OutOfDateError, match=r"losses in made_tests.*: python scripts/record_claims.py topic$"):
        kept.read(function)


def test_what_is_recorded_is_read_and_the_sample_is_made_now(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged record shows which numbers come from where; `CLAIMS=full` reads none."""
    kept, function = losses()
    kept.write(function, {str(unit): {"loss": -1} for unit in function.units})
    kept, function = losses()
    name, sampled = kept.sample
    assert name == "losses"
    assert function.all() == [{"loss": 2 * (unit + 1) if unit == sampled else -1} for unit in function.units]
    monkeypatch.setattr(recording, "FULL", True)
    assert function.all() == [{"loss": 2}, {"loss": 4}, {"loss": 6}]


def test_the_command_that_the_error_names_says_what_it_takes() -> None:
    """It exists, and knows every topic."""
    done = subprocess.run(
        [sys.executable, *recording.COMMAND.split()[1:], "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert all(topic in done.stdout for topic in TOPICS)
