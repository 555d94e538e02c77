"""Answers whose order is free: the same is handed over for every right order, another thing for a wrong answer."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from course_lib.checking.drivers import run_case


def folds(answer: Any, n: int = 7, k: int = 3) -> Any:
    """What the driver makes of folds."""
    inputs = {"n": n, "k": k, "permutation": torch.tensor([5, 2, 6, 0, 3, 1, 4])}
    return run_case({"kfold_indices": answer}, "kfold_indices", "search/folds", inputs)["result"]


def consecutive(n: int, k: int, permutation: torch.Tensor) -> list[tuple[Any, Any]]:
    """The first part is the larger one."""
    parts = torch.tensor_split(permutation, k)
    return [(torch.cat([p for j, p in enumerate(parts) if j != i]), parts[i]) for i in range(k)]


def strided(n: int, k: int, permutation: torch.Tensor) -> list[tuple[Any, Any]]:
    """Every k-th, as lists, the last part first."""
    order = permutation.tolist()
    return [([i for i in order if i not in order[f::k]], order[f::k]) for f in reversed(range(k))]


def test_consecutive_and_strided_folds_are_the_same() -> None:
    """Both come back in the order of the permutation."""
    assert folds(consecutive) == folds(strided)
    assert folds(consecutive)["order"] == [5, 2, 6, 0, 3, 1, 4]


def test_folds_of_another_order_are_not() -> None:
    """Cut from the examples as they lie, they follow no permutation."""
    found = folds(lambda n, k, permutation: consecutive(n, k, torch.arange(n)))
    assert found["order"] != folds(consecutive)["order"]
    assert found["validated"] == list(range(7))


@pytest.mark.parametrize("odd", [None, 3, [1, 2], [(1, 2)], "text", [[[0.5], [1]]], {}])
def test_what_is_no_list_of_folds_is_handed_over_as_it_is(odd: Any) -> None:
    """It is wrong in every way, and nothing raises."""
    assert folds(lambda n, k, permutation: odd)["validated"] == odd


def test_rows_come_in_ascending_order() -> None:
    """By the first column, then by the second; rounding in the first does not decide."""
    points = torch.tensor([[2.0, 1.0], [1.0 + 1e-12, 5.0], [1.0, 7.0], [1.0, 6.0]], dtype=torch.float64)
    found = run_case({"f": lambda: points}, "f", "search/rows", {})["result"]
    assert found[:, 1].tolist() == [5.0, 6.0, 7.0, 1.0]
    assert run_case({"f": lambda: [1]}, "f", "search/rows", {})["result"] == [1]
