"""`choose-strategy`: the lecture's table of how much data there is and how similar it is."""

from __future__ import annotations

from torch import Generator

from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["STRATEGY"]

TOP, EARLIER, FEW, MANY = (
    "linear classifier on the top features",
    "linear classifier on features of earlier layers",
    "fine-tune a few layers",
    "fine-tune many layers",
)
"""The four cells of the lecture's table, as the notebook names them."""


def _choose(much_data: bool, similar: bool) -> str:
    return {(False, True): TOP, (False, False): EARLIER, (True, True): FEW, (True, False): MANY}[much_data, similar]


def _choose_nested(much_data: bool, similar: bool) -> str:
    if much_data:
        return FEW if similar else MANY
    return TOP if similar else EARLIER


def _choose_indexed(much_data: bool, similar: bool) -> str:
    return (EARLIER, TOP, MANY, FEW)[2 * int(much_data) + int(similar)]


def _choose_match(much_data: bool, similar: bool) -> str:
    match much_data, similar:
        case True, True:
            return FEW
        case True, _:
            return MANY
        case _, True:
            return TOP
    return EARLIER


def _strategy_cases(g: Generator) -> dict[str, Case]:
    return {
        f"{'much' if much else 'little'} data, {'similar' if similar else 'different'}": Case(
            {"much_data": much, "similar": similar}
        )
        for much in (False, True)
        for similar in (False, True)
    }


_LITTLE = "with little data"
_MUCH = "with much data"

STRATEGY = Exercise(
    "choose-strategy",
    defines=("choose_strategy(much_data, similar)",),
    returns=("strategy",),
    reference=_choose,
    cases=_strategy_cases,
    # Each criterion needs both of its cells, so that a constant answer earns nothing.
    criteria=(Criterion(_LITTLE, 1.5, cases=("little*",)), Criterion(_MUCH, 1.5, cases=("much*",))),
    misconceptions=(
        Misconception(
            "arguments-exchanged",
            lambda much_data, similar: _choose(similar, much_data),
            "The two questions are exchanged: how much data there is decides whether the backbone may move at all.",
            (_LITTLE, _MUCH),
        ),
        Misconception(
            "similarity-reversed",
            lambda much_data, similar: _choose(much_data, not similar),
            "Similar and different are exchanged. The more the new images differ, the fewer of the pretrained layers "
            "fit, and it is the top ones that do not.",
            (_LITTLE, _MUCH),
        ),
        Misconception(
            "amount-reversed",
            lambda much_data, similar: _choose(not much_data, similar),
            "Much and little are exchanged. A few images cannot determine millions of weights.",
            (_LITTLE, _MUCH),
        ),
        Misconception(
            "opposite-corner",
            lambda much_data, similar: _choose(not much_data, not similar),
            "Each answer belongs to the opposite corner of the table.",
            (_LITTLE, _MUCH),
        ),
        Misconception(
            "trouble-fine-tuned",
            lambda much_data, similar: MANY if not (much_data or similar) else _choose(much_data, similar),
            "Little data and different images: so many layers do not fit, but a few images cannot retrain them. "
            "Fine-tuning would learn them by heart.",
            (_LITTLE,),
        ),
        Misconception(
            "similarity-ignored",
            lambda much_data, similar: FEW if much_data else TOP,
            "Only the amount of data was looked at. Top features are made for the source's classes; whether they help "
            "depends on how similar the images are.",
            (_LITTLE, _MUCH),
        ),
        Misconception(
            "amount-ignored",
            lambda much_data, similar: TOP if similar else MANY,
            "Only the similarity was looked at. Whether weights can be moved without overfitting is a matter of how "
            "many images there are.",
            (_LITTLE, _MUCH),
        ),
        Misconception(
            "more-moves-when-similar",
            lambda much_data, similar: _choose(much_data, similar != much_data),
            "With much data, similar images need the smaller change: most of the pretrained layers fit already.",
            (_MUCH,),
        ),
        Misconception(
            "top-features-for-different-images",
            lambda much_data, similar: _choose(much_data, similar) if much_data else (EARLIER if similar else TOP),
            "With little data, top features suit similar images. They are the most specific to the source; what "
            "transfers to different images lies further down.",
            (_LITTLE,),
        ),
    ),
    right={
        "nested conditions": _choose_nested,
        "an index": _choose_indexed,
        "pattern matching": _choose_match,
    },
)
