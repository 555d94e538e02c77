"""The check of a GPU, as far as it can be tried without one: right answers pass, a wrong solution is told."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from scripts import gpu_check
from tests.support import made_up


def double(x: Any) -> Any:
    """A right solution."""
    return x + x


def halve(x: Any) -> Any:
    """A right solution."""
    return x / 2


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the notebook's cells define."""
    namespace = {"double": double, "halve": halve}
    monkeypatch.setattr(gpu_check, "_solutions", lambda assignment: namespace)
    return namespace


def rows() -> list[gpu_check.Row]:
    """A dry run on one exercise."""
    return list(gpu_check._rows(made_up.ASSIGNMENT, {"pair": made_up.PAIR}, "cpu"))


def test_solution_reference_and_right_answers_are_judged_on_both_devices(solved: dict[str, Any]) -> None:
    """And the table has a line for the exercise."""
    (row,) = rows()
    assert row.tried == 3 + len(made_up.PAIR.right_answers)
    assert (row.differs, row.wrong) == ([], [])
    assert gpu_check.table([row]).splitlines()[-1].startswith(f"| `pair` | {row.tried} | ")


def test_a_solution_that_is_judged_otherwise_fails_the_check(solved: dict[str, Any]) -> None:
    """With what it loses."""
    solved["double"] = lambda x: x + x + 1
    (row,) = rows()
    assert row.wrong[0] == "the notebook's solution"
    assert row.differs[0].startswith("the notebook's solution: loses doubles")


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And names the dry run."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_check.main([]) == 2
    assert "--dry" in capsys.readouterr().err
