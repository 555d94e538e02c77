"""Drivers of the dropout assignment: answers that may come in any order, as any kind of number, or as expressions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from course_lib.checking.comparison import describe
from course_lib.checking.drivers import Shown, as_numbers, driver, strided
from course_lib.checking.values import Unsupported

__all__: list[str] = []

_MOST_NUMBERS = 1_000_000


@driver(
    "rows-in-any-order",
    shown=Shown(
        outputs={"masks": "sorted(torch.as_tensor(result).tolist())", "kind": "type(result)"},
        words={"masks": "the sorted list of masks"},
    ),
)
def _rows_in_any_order(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """A matrix whose rows may come in any order, as any kind of number: `masks`, sorted, and the `kind` of matrix.

    Of too many rows only their number is told.
    """
    result = namespace[function](*inputs.values())
    rows = as_numbers([_plain(row) for row in result] if isinstance(result, list) else result)
    if not isinstance(rows, torch.Tensor) or rows.ndim != 2:
        return {"masks": rows, "kind": "no matrix"}
    many = rows.numel() > _MOST_NUMBERS
    rows = Unsupported(describe(rows)) if many else torch.tensor(sorted(rows.tolist())).reshape(rows.shape)
    return {"masks": rows, "kind": "a tensor" if isinstance(result, torch.Tensor) else "a list or an array"}


def _plain(row: Any) -> Any:
    return row.tolist() if isinstance(row, torch.Tensor | np.ndarray) else row


_STEPS = "torch.as_tensor(result).diff()"


@driver(
    "sequence",
    shown=Shown(
        outputs={
            "boundaries": "result",
            "floating": "torch.as_tensor(result).is_floating_point()",
            "first": "result[0]",
            "last": "result[-1]",
            "smallest_step": f"{_STEPS}.min()",
            "largest_step": f"{_STEPS}.max()",
        }
    ),
)
def _sequence(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """An increasing sequence: its terms, whether some are no integers by their kind, its ends and its extreme steps."""
    result = namespace[function](*inputs.values())
    terms = as_numbers(result)
    if not isinstance(terms, torch.Tensor) or terms.ndim != 1 or len(terms) < 2:
        return dict.fromkeys(("boundaries", "floating", "first", "last", "smallest_step", "largest_step"), terms)
    steps = terms.diff()
    whole = bool((terms.isfinite() & (terms == terms.round())).all())
    ends = {"first": float(terms[0]), "last": float(terms[-1])}
    return {
        "boundaries": terms.long() if whole else terms,
        "floating": not _are_integers(result),
        **ends,
        "smallest_step": float(steps.min()),
        "largest_step": float(steps.max()),
    }


def _are_integers(numbers: Any) -> bool:
    """Whether all terms are integers by their kind, so that a slice can begin or end at them."""
    if isinstance(numbers, torch.Tensor):
        return not numbers.is_floating_point()
    if isinstance(numbers, np.ndarray | np.generic):
        return numbers.dtype.kind in "biu"
    return all(_are_integers(term) if hasattr(term, "dtype") else isinstance(term, int) for term in numbers)


_ZEROS = Shown(outputs={"y": "result", "dropped": "result == 0", "drops": "bool((result == 0).any())"})


@driver("dropped-units", shown=_ZEROS)
def _dropped_units(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Call, and say besides the result `y` which of its entries are zero (`dropped`) and whether any is (`drops`)."""
    y = namespace[function](*inputs.values())
    array = isinstance(y, np.ndarray) and y.dtype.kind in "biuf"
    if not array and not isinstance(y, torch.Tensor):
        return {"y": y, "dropped": y, "drops": y}
    zero = torch.as_tensor(y).detach() == 0
    return {"y": y, "dropped": zero, "drops": bool(zero.any())}


@driver("dropped-units-strided", shown=_ZEROS)
def _dropped_units_strided(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """As `dropped-units`, with matrices whose columns lie together in memory."""
    given = {name: strided(value) for name, value in inputs.items()}
    return _dropped_units(namespace, function, given)


_KEYS = "both only_x only_y neither expectation variance test_factor inverted_scale"


@driver(
    "expressions",
    shown=Shown(
        call="import sympy as sp\n\nresult = {function}()\nnames, numbers = '{arguments}'.split(', '), ({arguments})",
        outputs={key: f"sp.lambdify(names, result[{key!r}])(*numbers)" for key in _KEYS.split()},
        words={key: f"the value of `{key}` at these numbers" for key in _KEYS.split()},
    ),
)
def _expressions(namespace: Mapping[str, Any], function: str, inputs: dict[str, Any]) -> Any:
    """Evaluate a dict of expressions at given numbers, so that only numbers are handed over.

    Inputs: symbol name -> number, or a tensor (K,) to evaluate at K points at once.  The function is called without
    arguments and returns a dict.  A value may be a SymPy expression in symbols of those names (whatever their
    assumptions), a plain number, or a function of the numbers in the order of the inputs.  Anything else is described
    in words.
    """
    expressions = namespace[function]()
    if not isinstance(expressions, Mapping):
        return expressions
    columns = [torch.as_tensor(value, dtype=torch.float64).reshape(-1).tolist() for value in inputs.values()]
    points = [dict(zip(inputs, row, strict=True)) for row in zip(*columns, strict=True)]
    single = not any(isinstance(value, torch.Tensor) for value in inputs.values())
    return {str(name): _evaluate_at(expression, points, single) for name, expression in expressions.items()}


def _evaluate_at(expression: Any, points: list[dict[str, float]], single: bool) -> Any:
    values = [_evaluate(expression, point) for point in points]
    unsupported = next((value for value in values if isinstance(value, Unsupported)), None)
    if unsupported is not None:
        return unsupported
    return torch.tensor(values[0] if single else values, dtype=torch.float64)


def _evaluate(expression: Any, numbers: dict[str, float]) -> float | Unsupported:
    if callable(expression) and not hasattr(expression, "free_symbols"):
        expression = expression(*numbers.values())
    if hasattr(expression, "free_symbols"):
        unknown = sorted({str(symbol) for symbol in expression.free_symbols} - set(numbers))
        if unknown:
            return Unsupported(f"an expression with the unknown symbol {unknown[0]} (known: {', '.join(numbers)})")
    try:
        return float(_number(expression, numbers))
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return Unsupported(f"not a real number ({type(expression).__name__})")


def _number(node: Any, numbers: dict[str, float]) -> Any:
    """The value of an expression tree; sums, products and powers directly, a hundred times faster than by `subs`."""
    if not hasattr(node, "free_symbols"):
        return node
    if getattr(node, "is_Symbol", False):
        return numbers[str(node)]
    if getattr(node, "is_number", False):
        return float(node)
    if node.is_Add:
        return math.fsum(_number(part, numbers) for part in node.args)
    if node.is_Mul:
        return math.prod(_number(part, numbers) for part in node.args)
    if node.is_Pow:
        base, exponent = (_number(part, numbers) for part in node.args)
        return base**exponent
    done = node.doit()
    if done != node:
        return _number(done, numbers)
    return done.subs({symbol: numbers[str(symbol)] for symbol in done.free_symbols})
