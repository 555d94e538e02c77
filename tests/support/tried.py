"""Exercises that were tried on every seed, and have not changed since.

Fifty seeds of every exercise and every mistake take minutes, and say the same as long as nothing changes.  So
`tests/exercises/tried.json` holds for each exercise a digest of all code that decides about it, as it was when all
seeds passed.  Where it is still that code, tests try the first seeds and some that the digest chooses: others after
each change.  Where it is not, or where `SEEDS=full` says so, they try all: an old record costs time and hides nothing.
`python scripts/record_exercises.py` tries what has changed, and records it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder.exercise import Exercise
from tests.support.course import ASSIGNMENTS, COURSE
from tests.support.measured import data_beside, essence, imported
from tests.support.paths import ROOT

__all__ = ["ALWAYS", "RECORD", "SEEDS", "digest", "digests", "is_recorded", "record", "seeds_of"]

SEEDS = range(50)
ALWAYS = 3
"""The first seeds are always tried: on these a mistake has to show clearly, and not only beyond the tolerance."""
SOME = 5
RECORD = ROOT / "tests" / "exercises" / "tried.json"
_FULL = os.environ.get("SEEDS") == "full"
_JUDGE = ("course_lib.checking.verdict", "course_lib.checking.drivers", "course_lib.checking.values")
_TESTS = ("tests/exercises/test_every_exercise.py", "tests/support/answering.py", "tests/support/tried.py")
_FILES = ("autograder/exercise.py", *_TESTS)
_PACKAGES = ("torch", "numpy", "scipy")


def seeds_of(exercise: Exercise) -> Sequence[int]:
    """The seeds to try: all, or some where all have been tried on the code as it is."""
    if _FULL or not is_recorded(exercise):
        return SEEDS
    return [*SEEDS[:ALWAYS], *sorted(random.Random(digest(exercise)).sample(SEEDS[ALWAYS:], SOME - ALWAYS))]


def is_recorded(exercise: Exercise) -> bool:
    """Whether all seeds have been tried on the exercise as it is."""
    return _recorded().get(exercise.id) == digest(exercise)


def digests() -> dict[str, str]:
    """Exercise id -> digest, of all exercises as they are."""
    return {exercise.id: digest(exercise) for exercises in ASSIGNMENTS.values() for exercise in exercises.values()}


def record(tried: Mapping[str, str]) -> None:
    """Keep that all seeds have been tried on these exercises with these digests."""
    beside = RECORD.with_suffix(".new")
    beside.write_text(json.dumps(tried, indent=0) + "\n", "utf-8")
    beside.replace(RECORD)
    _recorded.cache_clear()


@functools.cache
def _recorded() -> Mapping[str, str]:
    try:
        found = json.loads(RECORD.read_text("utf-8"))
    except (OSError, ValueError):  # none yet, or one that a merge has left in two versions
        return {}
    return found if isinstance(found, dict) else {}


def digest(exercise: Exercise) -> str:
    """Of the exercise's file, of what it imports, of what judges it, of the tests, and of the packages that compute."""
    return _digest(exercise.id)


@functools.cache
def _digest(exercise_id: str) -> str:
    assignment = next(name for name, exercises in ASSIGNMENTS.items() if exercise_id in exercises)
    topic = COURSE.code.topics[assignment]
    own = f"exercises.{topic}.{exercise_id.replace('-', '_')}"
    files = {path for module in (own, f"course_lib.{topic}.drivers", *_JUDGE) for path in imported(module)}
    data = {part for folder in {path.parent for path in files} for part in data_beside(folder)}
    found = hashlib.sha256(_locked().encode())
    for path in sorted(files | {ROOT / name for name in _FILES}):
        found.update(f"{path.relative_to(ROOT)}\n{_essence(path)}\n".encode())
    for part in sorted(data):
        found.update(part.encode())
    return found.hexdigest()[:16]


@functools.cache
def _essence(path: Path) -> str:
    return essence(path.read_text("utf-8"))


@functools.cache
def _locked() -> str:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if line.partition("==")[0] in _PACKAGES)
