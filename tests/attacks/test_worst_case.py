"""What one hostile submission costs: its limit, and little more (`python -m benchmarks.worst_case`)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.worst_case import Bench, limits_of, open_bench
from tests.attacks.burdens import BURDENS, Burden

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]
_LIMITS = limits_of(4)
_A_FEW = frozenset("deep-calls many-numbers many-notebooks hanging-cells patched".split())
"""One for each step and each limit; the benchmark measures all."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A small course with a running sandbox."""
    with open_bench(tmp_path_factory.mktemp("worst") / "course", _LIMITS) as opened:
        yield opened


@pytest.mark.parametrize("burden", [b for b in BURDENS if b.name in _A_FEW], ids=lambda burden: burden.name)
def test_a_costly_submission_costs_its_limit(bench: Bench, burden: Burden) -> None:
    """From its folder to its page; the limit of a submission and ten seconds of one worker are the most."""
    cost = bench.cost(burden)
    assert not cost.excess(_LIMITS), cost


def test_costly_submissions_are_of_many_kinds() -> None:
    """Their names are the rows of the benchmark's table."""
    names = [burden.name for burden in BURDENS]
    assert len(set(names)) == len(names) >= 60
    assert set(names) >= _A_FEW
