"""Exercises are tried on all seeds unless that has been done with the code as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import tried
from tests.support.course import exercise_named
from tests.support.paths import ROOT
from tests.support.tried import SEEDS, digest, record, seeds_of

ROTATE, CUTOUT = (exercise_named(name) for name in ("rotate", "cutout"))


@pytest.fixture(autouse=True)
def own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A record of one exercise, and digests that are computed anew."""
    caches = (tried._recorded, tried._digest)

    def forget() -> None:
        for cached in caches:
            cached.cache_clear()

    monkeypatch.setattr(tried, "RECORD", tmp_path / "tried.json")
    monkeypatch.setattr(tried, "_FULL", False)
    forget()
    record({"rotate": digest(ROTATE)})
    yield tmp_path / "tried.json"
    forget()


def changed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As if a file held one more line."""
    real = tried._essence
    assert (ROOT / name).is_file()
    monkeypatch.setattr(tried, "_essence", lambda path: real(path) + "\npass" * (path == ROOT / name))
    tried._digest.cache_clear()


def test_what_has_been_tried_is_tried_on_some_seeds_and_anything_else_on_all() -> None:
    """Some of the fifty, always the same ones."""
    some = seeds_of(ROTATE)
    assert len(set(some)) == tried.SOME
    assert set(some) < set(SEEDS)
    assert some == seeds_of(ROTATE)
    assert seeds_of(CUTOUT) == SEEDS


@pytest.mark.parametrize(
    "name",
    [
        "autograder/exercise.py",
        "course_lib/augmentation/drivers.py",
        "course_lib/checking/comparison.py",
        "course_lib/checking/verdict.py",
        "exercises/augmentation/rotate.py",
        "exercises/augmentation/shared.py",
        "exercises/draws.py",
        "tests/exercises/test_every_exercise.py",
    ],
)
def test_after_a_change_of_what_decides_all_seeds_are_tried(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exercise, what it imports, what judges it, what asserts it."""
    changed(monkeypatch, name)
    assert seeds_of(ROTATE) == SEEDS


@pytest.mark.parametrize("name", ["exercises/augmentation/cutout.py", "course_lib/checking/card.py"])
def test_what_decides_nothing_about_an_exercise_may_change(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another exercise, or how a verdict is shown."""
    changed(monkeypatch, name)
    assert len(seeds_of(ROTATE)) == tried.SOME


def test_other_packages_are_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock names them."""
    monkeypatch.setattr(tried, "_locked", lambda: "torch==9.9")
    tried._digest.cache_clear()
    assert seeds_of(ROTATE) == SEEDS


@pytest.mark.parametrize("text", ["", "<<<<<<< ours", "[]", json.dumps({"rotate": "0" * 16})])
def test_a_record_that_cannot_be_read_counts_as_none(own_record: Path, text: str) -> None:
    """A merge may leave two versions in it."""
    own_record.write_text(text)
    tried._recorded.cache_clear()
    assert seeds_of(ROTATE) == SEEDS
