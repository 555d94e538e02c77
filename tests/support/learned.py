"""Which criteria can be met by heart: the list that docs/security.md speaks of."""

from __future__ import annotations

from typing import Any

from course_lib.checking.keys import CaseKey, size_of

__all__ = ["FACT", "LEARNED", "OBSERVED", "said_for"]

FACT = "there is one right answer, whatever is drawn"
OBSERVED = "observed in the process itself; the numbers beside it are computed"
LEARNED = {
    ("batchnorm2d-module", "only weight and bias are parameters, and no history is kept"): OBSERVED,
    ("dropout-masks", "the four masks of two units"): FACT,
    ("label-preserving", "mirror images"): FACT,
    ("label-preserving", "rotations"): FACT,
    ("label-preserving", "colors and positions"): FACT,
    ("choose-strategy", "with little data"): FACT,
    ("choose-strategy", "with much data"): FACT,
}
"""Criteria that the public answers, said in their order, fulfil on every seed, and why that cannot be otherwise."""


def said_for(case: CaseKey, most: float = float("inf")) -> Any:
    """The expected values of a case as an answer to it; those of more than `most` numbers are left out."""
    known = {name: None if size_of(value) > most else value for name, value in case.expected.items()}
    values = [known[name] for name in case.outputs]
    if len(values) == 1:
        return values[0]
    return tuple(values) if case.driver == "call" else known
