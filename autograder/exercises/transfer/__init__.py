"""The exercises of 05_transfer_learning, in the order of the notebook."""

from autograder.exercises.model import Exercise
from autograder.exercises.transfer import counting, extraction, freezing, heads, probe, rates, strategy

__all__ = ["EXERCISES"]

EXERCISES: tuple[Exercise, ...] = (
    heads.REPLACE,
    freezing.FREEZE,
    extraction.EXTRACT,
    probe.PROBE,
    rates.RATES,
    counting.COUNT,
    strategy.STRATEGY,
)
