"""The one question more that a wrong answer without a name is asked: it tells something, and costs nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder.grading.cell_log import CellLog
from autograder.grading.probe import is_unnamed, probe_key, shown_by, shown_of
from autograder.grading.student_process import StudentProcess
from autograder.sandbox import Limits, SessionEnded
from course_lib.checking.keys import Failure, Response
from course_lib.checking.verdict import judge
from tests.support.made_up import EXERCISE, reference, unbiased


class _Session:
    """A process that answers one case and then ends as told."""

    def __init__(self, ended: SessionEnded) -> None:
        self._ended = ended
        self.closed = False

    def ask(self, *_: object) -> None:
        """Take the question."""

    def answers(self, _deadline: float) -> Iterator[tuple[str, Any]]:
        """One, then the end."""
        yield "random", {"result": 1.0}
        raise self._ended

    def close(self) -> None:
        """Remember it."""
        self.closed = True


@pytest.mark.parametrize("kind", ["timeout", "crash", "unreadable"])
def test_a_process_that_hangs_or_dies_over_it_loses_nothing(kind: str) -> None:
    """No status, no restart, no answer."""
    process = StudentProcess(None, Limits(), "cpu", [], CellLog(Limits()), time.monotonic() + 60)  # type: ignore[arg-type]
    session = _Session(SessionEnded(kind, "why"))
    process._session = session  # type: ignore[assignment]
    assert process.call_once(probe_key(EXERCISE)) == {}
    assert (process.ended, process._restarts, session.closed) == ([], 0, True)
    assert process.call_once(probe_key(EXERCISE)) == {}, "and no new process is made for it"


def _verdict(answer: Any) -> Any:
    key = EXERCISE.make_key(7)
    return judge(key, {case.name: EXERCISE.respond(answer, case) for case in key.cases})


def test_only_what_is_wrong_without_a_name_is_asked() -> None:
    """Not what is right, known, not written, or different at every call."""

    def turned(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> Any:
        y, centre = reference(x, gamma, eps)
        return -y, centre

    def open_still(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> Any:
        raise NotImplementedError

    def noise(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> Any:
        return torch.rand_like(x), x.mean(0)

    assert is_unnamed(_verdict(turned))
    assert not any(is_unnamed(_verdict(answer)) for answer in (reference, unbiased, open_still))
    key = EXERCISE.make_key(7)
    answers = {case.name: EXERCISE.respond(noise, case) for case in key.cases}
    twice = {name: Response(found.result, again=EXERCISE.respond(noise, case))
             for (name, found), case in zip(answers.items(), key.cases, strict=True)}  # fmt: skip
    assert not is_unnamed(judge(key, twice))


def test_everybody_is_asked_the_same() -> None:
    """Equal answers show equal values, and JSON can hold them."""
    key = probe_key(EXERCISE)
    shown = [shown_by(key, {case.name: EXERCISE.respond(unbiased, case) for case in key.cases}) for _ in range(2)]
    assert shown[0] == shown[1] == json.loads(json.dumps(shown[0], allow_nan=False))
    assert "random / y" in shown[0]


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=300), st.lists(st.floats(), max_size=40),
    st.lists(st.floats(), max_size=40).map(torch.tensor), st.just(torch.zeros(3, 0)), st.just(torch.tensor(1j)),
    st.builds(Failure, st.text(max_size=50), st.text(max_size=500)),
)  # fmt: skip


@given(_VALUES)
def test_whatever_came_is_kept_short(value: Any) -> None:
    """As text or numbers that JSON can hold, never as long as the value."""
    assert len(json.dumps(shown_of(value), allow_nan=False)) < 1500
