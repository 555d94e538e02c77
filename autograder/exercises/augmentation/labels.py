"""Which transformation keeps which label right?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["LABEL_PRESERVING"]

Pair = tuple[str, str]
Table = dict[Pair, bool]

_FLIP = "horizontal flip"
_HALF = "rotation by 180 degrees"
_SLIGHT = "rotation by 10 degrees"
_SHIFT = "shift by two pixels"

# Flips and rotations, then colours and positions: every group has pairs of both kinds.
_KEPT: Table = {
    ("digits", _FLIP): False,
    ("clothing", _FLIP): True,
    ("animals", _FLIP): True,
    ("left and right arrows", _FLIP): False,
    ("digits", _SLIGHT): True,
    ("digits", _HALF): False,
    ("animals", _SLIGHT): True,
    ("cells under a microscope", _HALF): True,
    ("digits", _SHIFT): True,
    ("position of the digit", _SHIFT): False,
    ("animals", "slightly brighter"): True,
    ("ripeness of tomatoes", "green turned to red"): False,
}


def _label_cases(g: torch.Generator) -> dict[str, Case]:
    del g  # nothing is drawn: the pairs are given
    return {
        f"{transformation}: {task}": Case({"task": task, "transformation": transformation}, driver="table-entry")
        for task, transformation in _KEPT
    }


def _defined(table: object) -> dict[str, Any]:
    """A notebook that defines the table."""
    return {"LABEL_PRESERVING": table}


def _answered(answer: Callable[[str, str], bool | None]) -> dict[str, Any]:
    """The right table with other answers where `answer` has one."""
    given = {pair: answer(*pair) for pair in _KEPT}
    return _defined({pair: kept if given[pair] is None else given[pair] for pair, kept in _KEPT.items()})


_FLIPS = "mirror images"
_ROTATIONS = "rotations"
_OTHERS = "colours and positions"

LABEL_PRESERVING = Exercise(
    "label-preserving",
    defines=("LABEL_PRESERVING",),
    returns=("preserved",),
    reference=_defined(_KEPT),
    cases=_label_cases,
    criteria=(
        Criterion(_FLIPS, 0.5, cases=("horizontal flip*",)),
        Criterion(_ROTATIONS, 0.5, cases=("rotation*",)),
        Criterion(_OTHERS, 0.5, cases=("shift*", "slightly*", "green*")),
    ),
    misconceptions=(
        Misconception(
            "everything-allowed",
            _answered(lambda task, transformation: True),
            "According to this table every transformation keeps every label. Look for one after which a person would "
            "give another answer.",
            (_FLIPS, _ROTATIONS, _OTHERS),
        ),
        Misconception(
            "nothing-allowed",
            _answered(lambda task, transformation: False),
            "According to this table no transformation keeps a label; then nothing could be augmented. Would a person "
            "give another answer for the changed image?",
            (_FLIPS, _ROTATIONS, _OTHERS),
        ),
        Misconception(
            "yes-and-no-exchanged",
            _defined({pair: not kept for pair, kept in _KEPT.items()}),
            "Yes and no are exchanged throughout: True stands for a label that stays right.",
            (_FLIPS, _ROTATIONS, _OTHERS),
        ),
        Misconception(
            "flips-always-safe",
            _answered(lambda task, transformation: True if transformation == _FLIP else None),
            "Mirror images are allowed for every task. Some labels do not survive a mirror: try it with a 2, or with a "
            "sign that points somewhere.",
            (_FLIPS,),
        ),
        Misconception(
            "flips-never-safe",
            _answered(lambda task, transformation: False if transformation == _FLIP else None),
            "Mirror images are forbidden for every task. A cat seen in a mirror is still a cat.",
            (_FLIPS,),
        ),
        Misconception(
            "flip-of-arrows-overlooked",
            _answered(lambda task, transformation: True if task == "left and right arrows" else None),
            "In a mirror an arrow to the left points to the right, and that is what its label says.",
            (_FLIPS,),
        ),
        Misconception(
            "flip-of-digits-overlooked",
            _answered(lambda task, transformation: True if (task, transformation) == ("digits", _FLIP) else None),
            "A digit in a mirror is mostly no digit any more: think of 2, 3 and 7.",
            (_FLIPS,),
        ),
        Misconception(
            "six-and-nine-overlooked",
            _answered(lambda task, transformation: True if (task, transformation) == ("digits", _HALF) else None),
            "A digit upside down can be another digit: think of 6 and 9.",
            (_ROTATIONS,),
        ),
        Misconception(
            "half-turns-never-safe",
            _answered(lambda task, transformation: False if transformation == _HALF else None),
            "Half turns are forbidden for every task. Under a microscope there is no up and no down.",
            (_ROTATIONS,),
        ),
        Misconception(
            "rotations-never-safe",
            _answered(lambda task, transformation: False if transformation in (_SLIGHT, _HALF) else None),
            "Rotations are forbidden for every task. Held a little askew, most things are what they were.",
            (_ROTATIONS,),
        ),
        Misconception(
            "position-overlooked",
            _answered(lambda task, transformation: True if task == "position of the digit" else None),
            "A digit that was moved is the same digit, but where it is has changed, and here that is the label.",
            (_OTHERS,),
        ),
        Misconception(
            "colour-overlooked",
            _answered(lambda task, transformation: True if task == "ripeness of tomatoes" else None),
            "The ripeness of a tomato is seen by its colour, and the transformation changes it.",
            (_OTHERS,),
        ),
        Misconception(
            "shifts-never-safe",
            _answered(lambda task, transformation: False if transformation == _SHIFT else None),
            "Shifts are forbidden for every task. A 4 remains a 4 wherever it stands.",
            (_OTHERS,),
        ),
    ),
    right={
        "a function that makes the table": _defined(lambda: dict(_KEPT)),
        "ones and zeros": _defined({pair: int(kept) for pair, kept in _KEPT.items()}),
        "with further pairs": _defined({**_KEPT, ("faces", _FLIP): True}),
    },
)
