"""The hidden cases of an assignment: drawn by lot, computed once, secret as long as the seed is."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from autograder.exercise import Exercise
from autograder.grading.deck import SETS, Deck
from course_lib.checking.keys import ExerciseKey
from course_lib.checking.values import pack, unpack
from tests.support import made_up

NAME = made_up.EXERCISE.id


def _deck(seed: str = "1") -> Deck:
    return Deck({NAME: made_up.EXERCISE}, seed)


def _numbers(key: ExerciseKey) -> bytes:
    return b"".join(pack(dict(case.inputs)) for case in key.cases)


def test_the_same_bytes_of_the_same_student_draw_the_same_numbers() -> None:
    """In another process, too, and whatever was drawn before."""
    one, other = _deck(), _deck()
    other.fill(lambda: False)
    for student in ("ada", "ben", "eve"):
        assert _numbers(one.draw(NAME, student, "d")) == _numbers(other.draw(NAME, student, "d"))


def test_who_changes_a_byte_or_another_student_draws_anew() -> None:
    """All sets are drawn about equally often, and no two of them are the same; another seed gives others."""
    deck = _deck()
    drawn = Counter(_numbers(deck.draw(NAME, f"s{n % 20}", f"d{n // 20}")) for n in range(40 * SETS))
    assert len(drawn) == SETS
    assert min(drawn.values()) > 15
    assert max(drawn.values()) < 80
    assert _numbers(_deck("2").draw(NAME, "ada", "d")) not in drawn


def test_what_two_submissions_share_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference runs once for a set, and a known mistake once for each of its cases."""
    calls: Counter[str] = Counter()
    real = Exercise.footprint

    def counted(self: Exercise, misconception: object, case: object) -> object:
        calls[f"{id(misconception)} {id(case)}"] += 1
        return real(self, misconception, case)  # type: ignore[arg-type]

    monkeypatch.setattr(Exercise, "footprint", counted)
    deck = _deck()
    key = deck.draw(NAME, "ada", "d")
    assert deck.draw(NAME, "ada", "d") is key
    for _ in range(3):
        for suspect in key.misconceptions:
            for case in key.cases:
                suspect.at(case)
    assert set(calls.values()) == {1}


def test_a_deck_is_filled_until_somebody_waits() -> None:
    """Nothing more is computed from then on."""
    made: list[str] = []

    class Counted(Exercise):
        def make_key(self, seed: object, *, diagnose: bool = True) -> ExerciseKey:
            made.append(str(seed))
            return made_up.EXERCISE.make_key(seed, diagnose=diagnose)

    deck = Deck({NAME: Counted(NAME, *made_up.EXERCISE.defines)}, "1")
    deck.fill(lambda: len(made) == 3)
    assert len(made) == 3


def test_a_question_holds_the_inputs_and_nothing_that_is_expected() -> None:
    """It is what the student's process gets to see."""
    key = made_up.EXERCISE.make_key("question", diagnose=False)
    question = unpack(key.question)
    assert set(question) == {"names", "forbidden", "cases"}
    for asked, case in zip(question["cases"], key.cases, strict=True):
        assert set(asked) == {"name", "function", "driver", "inputs", "returns", "watched", "twice"}
        for name, value in case.inputs.items():
            assert torch.equal(asked["inputs"][name], value) if isinstance(value, torch.Tensor) else True
