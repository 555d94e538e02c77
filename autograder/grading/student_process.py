"""The sandboxed process of one submission: replaced when it hangs or dies, within the submission's time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autograder.grading.cell_log import CellLog
from autograder.sandbox import Limits, Sandbox, Session, SessionEnded
from autograder.sandbox.inside import clock
from autograder.sandbox.session import Packed, unreadable
from course_lib.checking.card import plain
from course_lib.checking.gpu_trace import traced_cases
from course_lib.checking.keys import CaseKey, ExerciseKey, Failure, Response, respond
from course_lib.checking.values import ValueFormatError

__all__ = ["Answers", "Read", "StudentProcess"]


@dataclass(frozen=True)
class Answers:
    """What came of asking for an exercise, not yet read.

    Attributes:
        packed: the answers, in the order of the cases.
        ended: why not all of them came.
        advice: about GPUs.
        digest: of all bytes that came; empty where something is missing.
    """

    key: ExerciseKey
    packed: tuple[Packed, ...]
    ended: SessionEnded | None = None
    advice: tuple[str, ...] = ()
    digest: bytes = b""


class Read(NamedTuple):
    """Answers that were read.

    Attributes:
        whole: whether they follow from the bytes that came, and from nothing else.
    """

    responses: Mapping[str, Response]
    advice: tuple[str, ...]
    whole: bool


class StudentProcess:
    """Runs the cells, then answers questions about what they define.

    Args:
        cells: id and source of each cell that runs, in order.
        log: where their outputs go.
        deadline: when the submission's time is used up, as `clock.now` counts.

    Attributes:
        ended: kinds of the ends that were not asked for (`timeout`, `crash`, ...).
    """

    def __init__(
        self,
        sandbox: Sandbox,
        limits: Limits,
        device: str,
        cells: Sequence[tuple[str, str]],
        log: CellLog,
        deadline: float,
    ) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._device = device
        self._cells = cells
        self._log = log
        self._deadline = deadline
        self._session: Session | None = None
        self._restarts = 0
        self.ended: list[str] = []

    def close(self) -> None:
        """End the process."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def ask(self, *keys: ExerciseKey) -> None:
        """Let a process that is there begin with exercises; whatever hinders shows when its answers are wanted."""
        for key in keys:
            if self._session is None:
                return
            if not self._session.has_asked(key):
                self._session.ask(key, self._device, self._traced(key), ahead=True)
            if not self._session.has_asked(key):  # or a later question would be answered before this one
                return

    def call(self, key: ExerciseKey) -> Answers:
        """The answers to all cases of an exercise, to be read if nothing is known about them."""
        packed: list[Packed] = []
        try:
            self._check_budget()
            session = self._ready()
            if not session.has_asked(key):
                session.ask(key, self._device, self._traced(key))
            for answer in session.packed(self._deadline):
                packed.append(answer)
        except SessionEnded as ended:
            return Answers(key, tuple(packed), ended)
        return Answers(key, tuple(packed), None, self._advice(), session.digest)

    def read(self, answers: Answers) -> Read:
        """The responses to all cases; a lost process answers the rest with its reason."""
        responses: dict[str, Response] = {}
        ended, noted = answers.ended, self._session is None
        try:
            for packed in answers.packed:
                responses[packed.case.name] = respond(packed.read())
        except ValueFormatError as error:
            ended, noted = SessionEnded(*unreadable(error)), False
        if ended is None:
            return Read(responses, answers.advice, whole=True)
        if not noted:
            self._note(ended)
        self.close()
        failure = Failure(ended.kind, plain(ended.reason))
        for case in answers.key.cases:
            responses.setdefault(case.name, Response(failure=failure))
        return Read(responses, (), whole=False)

    def call_once(self, key: ExerciseKey) -> dict[str, Response]:
        """The responses to one more question, for information: of a process that is there, and whatever comes of it.

        Nothing is replaced or noted, so what is asked here changes no score and no status.
        """
        responses: dict[str, Response] = {}
        if self._session is None or clock.now() > self._deadline:
            return responses
        try:
            self._session.ask(key, self._device)
            for name, raw in self._session.answers(self._deadline):
                responses[name] = respond(raw)
            self._session.advice(self._deadline)
        except SessionEnded:
            self.close()
            return {}
        return responses

    def _ready(self) -> Session:
        """A process in which all cells have run, but for those that hang or kill it.

        Raises:
            SessionEnded: when the submission's time or its restarts are used up.
        """
        while self._session is None:
            self._check_budget()
            session = self._sandbox.session(self._limits)
            running = [(name, source) for name, source in self._cells if name not in self._log.stopped]
            results = session.run_cells([{"id": name, "source": source} for name, source in running], self._deadline)
            done = 0
            try:
                for (name, _), result in zip(running, results, strict=True):
                    done += 1
                    self._log.ran(name, result)
                self._session = session
            except SessionEnded as ended:
                self._note(ended)
                name = running[min(done, len(running) - 1)][0] if running else ""
                self._log.stop(name, ended)
        return self._session

    def _traced(self, key: ExerciseKey) -> tuple[CaseKey, ...]:
        """The cases on which functions are traced as on a GPU, unless the GPU itself shows it."""
        return traced_cases(key.cases) if self._device == "cpu" else ()

    def _advice(self) -> tuple[str, ...]:
        if self._session is None:
            return ()
        try:
            return tuple(plain(advice) for advice in self._session.advice(self._deadline))
        except SessionEnded:
            self.close()  # it was only advice: the next exercise gets a fresh process
            return ()

    def _check_budget(self) -> None:
        if clock.now() > self._deadline:
            self.ended.append("timeout")
            limit = self._limits.submission_s
            raise SessionEnded("timeout", f"not run: the submission used up its limit of {limit:g} s")
        if self._restarts > self._limits.restarts:
            raise SessionEnded("crash", f"not run: the process had to be replaced {self._restarts} times")

    def _note(self, ended: SessionEnded) -> None:
        self.ended.append(ended.kind)
        self._restarts += 1
