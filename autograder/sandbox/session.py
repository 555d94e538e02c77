"""The grader's end of one child: ask for cells to be run and functions to be called, with a deadline each."""

from __future__ import annotations

import hashlib
import json
import math
import signal
import socket
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from autograder.errors import SandboxError
from autograder.sandbox.inside import clock, frames
from autograder.sandbox.limits import Limits
from course_lib.checking.drivers import changed_inputs, eased
from course_lib.checking.gpu_trace import GpuFault
from course_lib.checking.keys import CaseKey, ExerciseKey, respond
from course_lib.checking.values import ValueFormatError, unpack

__all__ = ["CellResult", "Packed", "Session", "SessionEnded", "unreadable"]

_MOST_AHEAD = 1 << 15
"""Bytes that the connection takes even if the child reads nothing."""
_DIGEST = 20
_START_S = 60.0
"""No process takes so long to begin; where the machine is too busy for that, it is not the submission's fault."""


@dataclass(frozen=True)
class CellResult:
    """What a cell did: `outputs` is still what the child said, to be cleaned before it is written anywhere."""

    id: str
    good: bool
    outputs: Any


@dataclass(frozen=True)
class _Question:
    """An exercise that was asked for, and the numbers of its cases to be traced."""

    key: ExerciseKey
    traced: tuple[int, ...]


class SessionEnded(Exception):
    """The child hung, died or talked nonsense; it is gone now.

    Attributes:
        kind: `timeout`, `crash` or `unreadable`.
        reason: in words: which limit, how much was used.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


@dataclass(frozen=True)
class Packed:
    """An answer as it came.

    Attributes:
        size: bytes of the body that hold the result; the inputs come behind it.  None if it was no such number.
    """

    case: CaseKey
    size: int | None
    body: bytes

    def read(self) -> Any:
        """The raw response, with the names of the inputs that were changed.

        What was changed is found here, for the child is not asked to judge: it sends the inputs as they are after the
        call.

        Raises:
            ValueFormatError: if it is none.
        """
        if self.size is None:
            raise ValueFormatError("it has no size")
        most = len(self.body)
        raw, after = unpack(self.body[: self.size], most), self.body[self.size :]
        if not isinstance(raw, dict) or "result" not in raw:
            return raw
        if after == self.case.packed_inputs:  # nearly always; it spares reading them
            return {**raw, "changed": ()}
        inputs, before = unpack(after, most), eased(self.case.inputs, respond(raw).eased)
        changed = changed_inputs(before, inputs) if isinstance(inputs, dict) else tuple(self.case.inputs)
        return {**raw, "changed": changed}


def unreadable(error: ValueFormatError) -> tuple[str, str]:
    """Kind and reason of an end for an answer that cannot be read."""
    return "unreadable", f"the answer could not be read: {error}"


class Session:
    """One child process.  After `SessionEnded` it is of no more use."""

    def __init__(self, channel: socket.socket, status: socket.socket, limits: Limits) -> None:
        self._channel = channel
        self._receiver = frames.Receiver(channel)
        self._status = status
        self._limits = limits
        self._asked: deque[_Question] = deque()
        self._answered: _Question | None = None
        self._digest = hashlib.blake2b(digest_size=_DIGEST)
        self._has_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def run_cells(self, cells: Sequence[Mapping[str, str]], deadline: float = math.inf) -> Iterator[CellResult]:
        """Run cells (`id`, `source`) in order; yields each result as it comes.

        Args:
            deadline: of the submission, a value of `clock.now`.

        Raises:
            SessionEnded: when a cell exceeds its time or ends the process.
        """
        self._send({"do": "cells", "cells": list(cells)}, b"", self._limits.cell_s)
        self._wait_for_begin()
        for cell in cells:
            limit = self._limits.cell_s
            late = f"the cell ran longer than its limit of {limit:g} s"
            header, _ = self._receive(clock.now() + limit, deadline, 0, late)
            if header.get("cell") != cell["id"]:
                raise self._end("unreadable", "the answer to a cell could not be read")
            yield CellResult(cell["id"], header.get("good") is True, header.get("outputs"))

    def ask(self, key: ExerciseKey, device: str, traced: Sequence[CaseKey] = (), *, ahead: bool = False) -> None:
        """Have the student's function called on an exercise's cases; `answers` and `advice` fetch what comes of it.

        Args:
            traced: cases on which the function is also traced as on a GPU, if it could leave one.
            ahead: the answers to another question are still to come.  Then nothing is said of a child that is gone (its
                last answers can still be read), and what could fill the connection is not asked (it would block).

        Raises:
            SessionEnded: when the child does not take the question.
        """
        numbers = tuple(n for n, case in enumerate(key.cases) if any(case is other for other in traced))
        header, body = {"do": "call", "device": device, "traced": numbers}, key.question
        if not ahead:
            self._send(header, body, self._limits.call_s)
        elif len(body) > _MOST_AHEAD:
            return
        else:
            try:
                frames.send(self._channel, header, body, clock.now() + self._limits.call_s)
            except (frames.FrameError, frames.FrameTimeout):
                return
        self._asked.append(_Question(key, numbers))

    def has_asked(self, key: ExerciseKey) -> bool:
        """Whether answers to this very question are to be fetched."""
        return any(question.key is key for question in self._asked)

    def packed(self, deadline: float = math.inf) -> Iterator[Packed]:
        """The answers to the first question that is open, as they come.

        Args:
            deadline: of the submission, a value of `clock.now`.

        Raises:
            SessionEnded: when the calls exceed their time, end the process or answer with nonsense.
        """
        question = self._answered = self._asked.popleft()
        self._digest = hashlib.blake2b(digest_size=_DIGEST)
        self._wait_for_begin()
        limit = self._limits.call_s
        of_exercise = clock.now() + limit
        room = int(self._limits.answer_mib + 1) << 20  # for all of them: they are kept until all have come
        late = f"the calls of {question.key.id} took longer than their limit of {limit:g} s"
        for case in question.key.cases:
            answer, body = self._receive(of_exercise, deadline, room, late)
            room -= len(body)
            if answer.get("case") != case.name:
                raise self._end("unreadable", "an answer came that was not asked for")
            size = answer.get("size")
            size = size if type(size) is int and 0 <= size <= len(body) else None
            self._digest.update(b"%d %d " % (-1 if size is None else size, len(body)))
            self._digest.update(body)
            yield Packed(case, size, body)

    def answers(self, deadline: float = math.inf) -> Iterator[tuple[str, Any]]:
        """The same, read: yields (case name, raw response).

        Raises:
            SessionEnded: as `packed`, and when an answer cannot be read.
        """
        for packed in self.packed(deadline):
            try:
                yield packed.case.name, packed.read()
            except ValueFormatError as error:
                raise self._end(*unreadable(error)) from error

    @property
    def digest(self) -> bytes:
        """Of all that came as answers to the last question: where it is the same, so are all responses."""
        return self._digest.digest()

    def advice(self, deadline: float = math.inf) -> tuple[str, ...]:
        """What is known about the functions just called, on a GPU: remarks in words of ours, worth no points.

        To be fetched after each exercise's answers.

        Raises:
            SessionEnded: as `answers`.
        """
        limit = self._limits.call_s
        answer, _ = self._receive(clock.now() + limit, deadline, 0, "the trace took too long")
        advice = answer.get("advice")
        if not isinstance(advice, list) or self._answered is None:
            return ()
        cases = [self._answered.key.cases[number] for number in self._answered.traced]
        found = zip(cases, map(GpuFault.read, advice[: len(cases)]), strict=False)
        return tuple(fault.told(case.function, case.inputs) for case, fault in found if fault is not None)

    def _wait_for_begin(self) -> None:
        """The child says when it begins: until then it uses up nobody's limits.

        Raises:
            SandboxError: if it does not.
            SessionEnded: if it ended, or says something else.
        """
        if self._has_begun:
            return
        try:
            header, _ = self._receive(clock.now() + _START_S, math.inf, 0, "")
        except SessionEnded as ended:
            if ended.kind == "timeout":
                raise SandboxError(f"the sandbox did not start a process within {_START_S:g} s") from ended
            raise
        if header.get("begun") is not True:
            raise self._end("unreadable", "the process began with something else than it should")
        self._has_begun = True

    def _send(self, header: dict[str, Any], body: bytes, limit_s: float) -> None:
        try:
            frames.send(self._channel, header, body, clock.now() + limit_s)
        except (frames.FrameError, frames.FrameTimeout) as error:
            raise self._end("crash", "") from error

    def _receive(self, deadline: float, last: float, max_body: int, late: str) -> tuple[dict[str, Any], bytes]:
        """Receive until `deadline` (why: `late`), but never after the submission's `last` moment."""
        try:
            return self._receiver.receive(max_body, min(deadline, last))
        except frames.FrameTimeout as error:
            if last < deadline:
                late = f"the submission used up its limit of {self._limits.submission_s:g} s"
            raise self._end("timeout", late) from error
        except frames.GarbageError as error:
            raise self._end("unreadable", "the code wrote into the connection to the grader") from error
        except frames.FrameError as error:
            raise self._end("crash", str(error)) from error

    def _end(self, kind: str, reason: str) -> SessionEnded:
        """Find out how the child ended, and word it.

        Raises:
            SandboxError: if it was not the child's doing.
        """
        try:
            ended = self._how_it_ended() if kind == "crash" else None
        finally:
            self.close()
        if ended is None:
            return SessionEnded("unreadable" if kind == "crash" else kind, reason or "the process stopped answering")
        if "error" in ended:
            raise SandboxError(f"the sandbox could not start a process: {ended['error']}")
        return SessionEnded("crash", _in_words(ended, self._limits))

    def _how_it_ended(self) -> dict[str, Any] | None:
        """The warm parent's report if the child is dead (it comes at once), else None."""
        try:
            data = frames.arriving(self._status, 65536, clock.now() + 2.0)
            if not data:
                raise SandboxError("the sandbox ended while it was in use")
            report = json.loads(data)
        except (OSError, ValueError, frames.FrameTimeout):
            return None
        return report if isinstance(report, dict) else None

    def close(self) -> None:
        """Hang up: the warm parent kills what is left of the child."""
        self._channel.close()
        self._status.close()


def _in_words(ended: Mapping[str, Any], limits: Limits) -> str:
    """How a process ended.  No measured figures: the same submission and seed give the same result to the letter."""
    status = int(ended.get("status", 0))
    if float(ended.get("cpu_s", 0)) >= limits.cpu_s - 0.5:
        return f"the process used up its limit of {limits.cpu_s:g} s of processor time"
    if status >= 0:
        return f"the process ended itself with exit status {status}"
    name = signal.Signals(-status).name if -status in signal.Signals._value2member_map_ else str(-status)
    meaning = {"SIGSEGV": " (invalid memory access)", "SIGKILL": " (killed, most likely out of memory)"}.get(name, "")
    return f"the process was ended by signal {name}{meaning}"
