"""The lecture's neuron a = w1*x + w2*y under dropout, as expressions.

An identity is decided by random evaluation: the expressions are evaluated where the student's code runs, at numbers
that the grader chose, and only the numbers come back.  Every equivalent form passes.  The reference and the mistakes
are plain functions of (w1, w2, x, y, p), which the driver takes as well as SymPy expressions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch

from autograder.exercises.dropout.draws import factors, uniform
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["DERIVATION"]

KEYS = ("both", "only_x", "only_y", "neither", "expectation", "variance", "test_factor", "inverted_scale")
Formulas = dict[str, Callable[[float, float, float, float, float], float]]


def _masked(w1: float, w2: float, x: float, y: float, p: float) -> dict[tuple[int, int], tuple[float, float]]:
    """Mask of (x, y) -> (its probability, the neuron's value under it)."""
    masks = itertools.product([0, 1], repeat=2)
    keep = {1: p, 0: 1 - p}
    return {(m, n): (keep[m] * keep[n], w1 * x * m + w2 * y * n) for m, n in masks}


def _share(*mask: int) -> Callable[[float, float, float, float, float], float]:
    def share(w1: float, w2: float, x: float, y: float, p: float) -> float:
        probability, value = _masked(w1, w2, x, y, p)[mask[0], mask[1]]
        return probability * value

    return share


def _expectation(w1: float, w2: float, x: float, y: float, p: float) -> float:
    return sum(probability * value for probability, value in _masked(w1, w2, x, y, p).values())


def _variance(w1: float, w2: float, x: float, y: float, p: float) -> float:
    mean = _expectation(w1, w2, x, y, p)
    return sum(probability * (value - mean) ** 2 for probability, value in _masked(w1, w2, x, y, p).values())


def _derivation() -> Formulas:
    return {
        "both": _share(1, 1),
        "only_x": _share(1, 0),
        "only_y": _share(0, 1),
        "neither": _share(0, 0),
        "expectation": _expectation,
        "variance": _variance,
        "test_factor": lambda w1, w2, x, y, p: p,
        "inverted_scale": lambda w1, w2, x, y, p: 1 / p,
    }


# Right in another form ----------------------------------------------------------------------------------------


def _expanded() -> dict[str, Any]:
    import sympy as sp

    w1, w2, x, y, p = sp.symbols("w1 w2 x y p")
    return {
        "both": sp.expand(p**2 * (w1 * x + w2 * y)),
        "only_x": sp.expand(p * (1 - p) * w1 * x),
        "only_y": sp.expand((1 - p) * p * w2 * y),
        "neither": 0,
        "expectation": p * w1 * x + p * w2 * y,
        "variance": sp.expand(p * (1 - p) * ((w1 * x) ** 2 + (w2 * y) ** 2)),
        "test_factor": p,
        "inverted_scale": p**-1,
    }


def _from_the_masks() -> dict[str, Any]:
    import sympy as sp

    w1, w2, x, y, p = sp.symbols("w1 w2 x y p", positive=True)
    q = 1 - p
    values = {(1, 1): w1 * x + w2 * y, (1, 0): w1 * x, (0, 1): w2 * y, (0, 0): sp.Integer(0)}
    chances = {(1, 1): p * p, (1, 0): p * q, (0, 1): q * p, (0, 0): q * q}
    mean = sum(chances[mask] * values[mask] for mask in values)
    return {
        "both": chances[1, 1] * values[1, 1],
        "only_x": chances[1, 0] * values[1, 0],
        "only_y": chances[0, 1] * values[0, 1],
        "neither": chances[0, 0] * values[0, 0],
        "expectation": mean,
        "variance": sum(chances[mask] * (values[mask] - mean) ** 2 for mask in values),
        "test_factor": sp.cancel(mean / (w1 * x + w2 * y)),
        "inverted_scale": (w1 * x + w2 * y) / mean,
    }


def _second_moment() -> dict[str, Any]:
    import sympy as sp

    w1, w2, x, y, p = sp.symbols("w1 w2 x y p", real=True)
    a, b = w1 * x, w2 * y
    second = p**2 * (a + b) ** 2 + p * (1 - p) * (a**2 + b**2)
    return {
        "both": sp.factor(p**2 * a + p**2 * b),
        "only_x": a * (p - p**2),
        "only_y": b * (p - p**2),
        "neither": sp.Float(0),
        "expectation": sp.factor(p * a + p * b),
        "variance": second - (p * (a + b)) ** 2,
        "test_factor": 1 - (1 - p),
        "inverted_scale": 1 / p,
    }


def _as_sums() -> dict[str, Any]:
    import sympy as sp

    w1, w2, x, y, p = sp.symbols("w1 w2 x y p")
    masks = [(i, j) for i in (0, 1) for j in (0, 1)]
    terms = {(i, j): p ** (i + j) * (1 - p) ** (2 - i - j) * (i * w1 * x + j * w2 * y) for i, j in masks}
    squares = [terms[i, j] * (i * w1 * x + j * w2 * y) for i, j in masks]
    mean = sp.Add(*terms.values())
    return {
        "both": terms[1, 1],
        "only_x": terms[1, 0],
        "only_y": terms[0, 1],
        "neither": 0.0,
        "expectation": mean,
        "variance": sum(squares) - mean**2,
        "test_factor": mean.subs({x: 0}) / (w2 * y),
        "inverted_scale": sp.Pow(p, -1),
    }


# Wrong ----------------------------------------------------------------------------------------------------------


def _right() -> Formulas:
    return {
        "both": lambda w1, w2, x, y, p: p * p * (w1 * x + w2 * y),
        "only_x": lambda w1, w2, x, y, p: p * (1 - p) * w1 * x,
        "only_y": lambda w1, w2, x, y, p: (1 - p) * p * w2 * y,
        "neither": lambda w1, w2, x, y, p: 0.0,
        "expectation": lambda w1, w2, x, y, p: p * (w1 * x + w2 * y),
        "variance": lambda w1, w2, x, y, p: p * (1 - p) * ((w1 * x) ** 2 + (w2 * y) ** 2),
        "test_factor": lambda w1, w2, x, y, p: p,
        "inverted_scale": lambda w1, w2, x, y, p: 1 / p,
    }


def _drop_for_keep() -> Formulas:
    return {
        **_right(),
        "both": lambda w1, w2, x, y, p: (1 - p) ** 2 * (w1 * x + w2 * y),
        "expectation": lambda w1, w2, x, y, p: (1 - p) * (w1 * x + w2 * y),
        "test_factor": lambda w1, w2, x, y, p: 1 - p,
        "inverted_scale": lambda w1, w2, x, y, p: 1 / (1 - p),
    }


def _read_literally() -> Formulas:
    return {**_right(), "test_factor": lambda w1, w2, x, y, p: 1 - p}


def _inverted_by_drop() -> Formulas:
    return {**_right(), "inverted_scale": lambda w1, w2, x, y, p: 1 / (1 - p)}


def _factors_exchanged() -> Formulas:
    return {
        **_right(),
        "test_factor": lambda w1, w2, x, y, p: 1 / p,
        "inverted_scale": lambda w1, w2, x, y, p: p,
    }


def _always_half() -> Formulas:
    return {
        "both": lambda w1, w2, x, y, p: (w1 * x + w2 * y) / 4,
        "only_x": lambda w1, w2, x, y, p: w1 * x / 4,
        "only_y": lambda w1, w2, x, y, p: w2 * y / 4,
        "neither": lambda w1, w2, x, y, p: 0.0,
        "expectation": lambda w1, w2, x, y, p: (w1 * x + w2 * y) / 2,
        "variance": lambda w1, w2, x, y, p: ((w1 * x) ** 2 + (w2 * y) ** 2) / 4,
        "test_factor": lambda w1, w2, x, y, p: 0.5,
        "inverted_scale": lambda w1, w2, x, y, p: 2.0,
    }


def _probabilities_only() -> Formulas:
    return {
        **_right(),
        "both": lambda w1, w2, x, y, p: p**2,
        "only_x": lambda w1, w2, x, y, p: p * (1 - p),
        "only_y": lambda w1, w2, x, y, p: p * (1 - p),
        "neither": lambda w1, w2, x, y, p: (1 - p) ** 2,
    }


def _values_only() -> Formulas:
    return {
        **_right(),
        "both": lambda w1, w2, x, y, p: w1 * x + w2 * y,
        "only_x": lambda w1, w2, x, y, p: w1 * x,
        "only_y": lambda w1, w2, x, y, p: w2 * y,
    }


def _drops_not_counted() -> Formulas:
    return {
        **_right(),
        "only_x": lambda w1, w2, x, y, p: p * w1 * x,
        "only_y": lambda w1, w2, x, y, p: p * w2 * y,
    }


def _minus() -> Formulas:
    return {
        **_right(),
        "both": lambda w1, w2, x, y, p: p * p * (w1 * x - w2 * y),
        "expectation": lambda w1, w2, x, y, p: p * (w1 * x - w2 * y),
    }


def _unsquared() -> Formulas:
    return {**_right(), "variance": lambda w1, w2, x, y, p: p * (1 - p) * (w1 * x + w2 * y)}


def _weights_squared() -> Formulas:
    return {**_right(), "variance": lambda w1, w2, x, y, p: p * (1 - p) * (w1**2 * x + w2**2 * y)}


def _square_of_the_sum() -> Formulas:
    return {**_right(), "variance": lambda w1, w2, x, y, p: p * (1 - p) * (w1 * x + w2 * y) ** 2}


def _mean_not_subtracted() -> Formulas:
    def second(w1: float, w2: float, x: float, y: float, p: float) -> float:
        return p * (1 - p) * ((w1 * x) ** 2 + (w2 * y) ** 2) + (p * (w1 * x + w2 * y)) ** 2

    return {**_right(), "variance": second}


def _negative_variance() -> Formulas:
    return {**_right(), "variance": lambda w1, w2, x, y, p: p * (p - 1) * ((w1 * x) ** 2 + (w2 * y) ** 2)}


def _standard_deviation() -> Formulas:
    def deviation(w1: float, w2: float, x: float, y: float, p: float) -> float:
        return float((p * (1 - p) * ((w1 * x) ** 2 + (w2 * y) ** 2)) ** 0.5)

    return {**_right(), "variance": deviation}


def _variance_by_p() -> Formulas:
    return {**_right(), "variance": lambda w1, w2, x, y, p: p * ((w1 * x) ** 2 + (w2 * y) ** 2)}


# Cases ----------------------------------------------------------------------------------------------------------


def _cases(g: torch.Generator) -> dict[str, Case]:
    def case(numbers: dict[str, Any]) -> Case:
        return Case(numbers, driver="expressions", outputs=KEYS)

    names = ("w1", "w2", "x", "y", "p")
    points = []
    for p in (0.5, 0.2, 0.7, float(uniform(g, 0.8, 0.95, 1))):
        w, x = factors(g, 2)
        points.append([round(number, 4) for number in (*w.tolist(), *x.tolist(), p)])
    columns = torch.tensor(points[1:], dtype=torch.float64).T
    return {
        "p = 1/2": case(dict(zip(names, points[0], strict=True))),
        "three points": case(dict(zip(names, columns, strict=True))),
    }


_MASKS = ("both", "only_x", "only_y", "neither")
_GENERAL = ("three points",)
_FOUR_AT_HALF = "the four masks at p = 1/2"
_FOUR = "the four masks at any p"
_MEAN = "the expectation"
_VAR = "the variance"
_TEST = "what the weights are multiplied by at test time"
_SCALE = "the scale of inverted dropout"

DERIVATION = Exercise(
    "expectation-derivation",
    defines=("derivation()",),
    returns=KEYS,
    reference=_derivation,
    cases=_cases,
    criteria=(
        Criterion(_FOUR_AT_HALF, 1, cases=("p = 1/2",), outputs=_MASKS),
        Criterion(_FOUR, 1, cases=_GENERAL, outputs=_MASKS),
        Criterion(_MEAN, 1, cases=_GENERAL, outputs=("expectation",)),
        Criterion(_VAR, 2, outputs=("variance",)),
        Criterion(_TEST, 0.5, cases=_GENERAL, outputs=("test_factor",)),
        Criterion(_SCALE, 0.5, cases=_GENERAL, outputs=("inverted_scale",)),
    ),
    misconceptions=(
        Misconception(
            "drop-for-keep",
            _drop_for_keep,
            "p stands where 1 - p belongs and the other way round. In the lecture p is the probability of keeping an "
            "input; PyTorch's p is the probability of dropping it.",
            (_FOUR, _MEAN, _TEST, _SCALE),
        ),
        Misconception(
            "multiplied-by-the-dropout-probability",
            _read_literally,
            "The lecture's sentence 'multiply by the dropout probability' was taken literally. Compare with your "
            "expectation: the mean over the masks shrinks by the probability with which an input is there.",
            (_TEST,),
        ),
        Misconception(
            "inverted-by-drop-probability",
            _inverted_by_drop,
            "The scale during training is taken from the probability of dropping. It has to undo exactly the factor "
            "that the masks bring on average.",
            (_SCALE,),
        ),
        Misconception(
            "test-and-training-factor-exchanged",
            _factors_exchanged,
            "The two factors are exchanged. Plain dropout makes the weights smaller at test time; inverted dropout "
            "makes the kept inputs larger during training.",
            (_TEST, _SCALE),
        ),
        Misconception(
            "p-is-always-half",
            _always_half,
            "These are the lecture's numbers for p = 1/2. For any other p the four masks are not equally likely.",
            (_FOUR, _MEAN, _VAR, _TEST, _SCALE),
        ),
        Misconception(
            "probabilities-without-values",
            _probabilities_only,
            "The four entries hold only the probability of each mask. Asked for is the probability times the neuron's "
            "value under that mask.",
            (_FOUR_AT_HALF, _FOUR),
        ),
        Misconception(
            "values-without-probabilities",
            _values_only,
            "The four entries hold only the neuron's value under each mask. Multiply each by the probability of its "
            "mask; then they add up to the expectation.",
            (_FOUR_AT_HALF, _FOUR),
        ),
        Misconception(
            "dropped-input-not-counted",
            _drops_not_counted,
            "The masks that keep one input count only the input that is kept. That the other one is dropped is an "
            "event too.",
            (_FOUR_AT_HALF, _FOUR),
        ),
        Misconception(
            "wrong-sign",
            _minus,
            "The second term is subtracted. The neuron adds w1*x and w2*y.",
            (_FOUR_AT_HALF, _FOUR, _MEAN),
        ),
        Misconception(
            "square-missing-in-variance",
            _unsquared,
            "The variance lacks a square: doubling both weights must make it four times as large.",
            (_VAR,),
        ),
        Misconception(
            "only-weights-squared",
            _weights_squared,
            "Only the weights are squared in the variance. The factor of a random mask entry is the whole product, "
            "and all of it is squared.",
            (_VAR,),
        ),
        Misconception(
            "one-mask-for-both-inputs",
            _square_of_the_sum,
            "This is the variance if both inputs were kept or dropped together. They are dropped independently: there "
            "is no term with w1*w2.",
            (_VAR,),
        ),
        Misconception(
            "mean-not-subtracted",
            _mean_not_subtracted,
            "This is the mean of the squares. The variance also subtracts the square of the mean.",
            (_VAR,),
        ),
        Misconception(
            "negative-variance",
            _negative_variance,
            "The variance has the wrong sign: a mean of squares can never be negative. Subtract the square of the mean "
            "from the mean of the squares, not the reverse.",
            (_VAR,),
        ),
        Misconception(
            "standard-deviation",
            _standard_deviation,
            "This is the standard deviation. Its square is asked for.",
            (_VAR,),
        ),
        Misconception(
            "variance-of-one-mask-entry",
            _variance_by_p,
            "The factor is p alone. A mask entry that is 1 with probability p is certain at p = 1, so there the "
            "variance must vanish.",
            (_VAR,),
        ),
    ),
    right={
        "expanded": _expanded,
        "built from the four masks": _from_the_masks,
        "second moment minus squared mean": _second_moment,
        "sums over mask entries": _as_sums,
        "plain functions": _right,
    },
)
