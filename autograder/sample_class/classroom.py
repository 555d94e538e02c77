"""The class itself: who hands in what."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from autograder.course import Course
from autograder.sample_class.draft import Draft
from autograder.sample_class.expectation import Expectation
from autograder.sample_class.kinds import KINDS, Kind, MisconceptionDeck
from autograder.sample_class.material import Material, load_material
from autograder.sample_class.people import Person, people

__all__ = ["Member", "make_class"]

_ROUND = 90
"""Every so many students, each special kind comes up once more."""


@dataclass(frozen=True)
class Member:
    """One student of the class and what grading must find."""

    person: Person
    kind: str
    expectation: Expectation

    @property
    def student(self) -> str:
        """The student's id."""
        return self.person.id


def make_class(
    course: Course,
    assignment: str,
    students: int = 30,
    seed: int = 1,
    hostile: bool = True,
    *,
    damaged: bool = True,
) -> list[Member]:
    """Write a class of submissions into ``submitted/<student>/<assignment>/``.

    Equal arguments write equal files.

    Args:
        students: how many; from 30 on, every kind occurs at least once.
        hostile: with members whose code must not run without a sandbox.
        damaged: with members whose notebook is not as it was released; without: only right, wrong and missing answers.
    """
    material = load_material(course, assignment)
    rng = random.Random(f"{assignment} {seed}")
    deck = MisconceptionDeck(material)
    special = [kind for kind in KINDS if (hostile or not kind.hostile) and (damaged or kind.intact)]
    kinds = _kinds(students, special, Kind("misconceptions", deck.edit), rng)
    members = []
    for person, kind in zip(people(students, rng), kinds, strict=True):
        draft = Draft(material, random.Random(f"{assignment} {seed} {person.id}"), solved=kind.solved)
        expectation = kind.edit(draft)
        _hand_in(course.submitted, person, material, draft)
        members.append(Member(person, kind.name, expectation))
    return members


def _kinds(students: int, special: list[Kind], misconceptions: Kind, rng: random.Random) -> list[Kind]:
    """The kind of each student, in no particular order."""
    # A small class still has students with misconceptions: every third one.
    opening: list[Kind] = []
    for number, kind in enumerate(special, start=1):
        opening += [kind, misconceptions] if number % 4 == 2 else [kind]
    chosen = opening[:students]
    ordinary = [misconceptions] * 6 + [KINDS[0]] * 2 + [KINDS[1]] * 2
    while len(chosen) < students:
        position = len(chosen)
        again = special[(position // (_ROUND // len(special))) % len(special)]
        due = position > _ROUND and position % max(1, _ROUND // len(special)) == 0
        chosen.append(again if due else ordinary[(position - len(opening)) % len(ordinary)])
    rng.shuffle(chosen)
    return chosen


def _hand_in(submitted: Path, person: Person, material: Material, draft: Draft) -> None:
    folder = submitted / person.id / material.assignment
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / draft.file_name).write_text(draft.text(), encoding="utf-8")
