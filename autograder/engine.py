"""Grading one submission: a pure function of its bytes, the assignment, a seed and limits.

The student's cells run in a sandboxed process, which is asked for values.  References, seeds and verdicts stay here.
Every way to fail ends in a score and a reason: never in an exception, never in a submission without a result.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader import utils

from autograder.exercises.model import Exercise
from autograder.exercises.registry import ASSIGNMENTS
from autograder.forbidden import Findings, SourceReader
from autograder.outputs import clean_outputs, error_output, score_output, text_output
from autograder.results import ExerciseResult, Status, SubmissionResult
from autograder.sandbox import Limits, Sandbox, Session, SessionEnded
from autograder.submission import Cell, Master, Repaired, UnreadableError, read_cells, repair
from course_lib.card import Card, plain, reason
from course_lib.gpu_trace import traced_cases
from course_lib.verdict import CaseKey, ExerciseKey, Failure, Response, Verdict, judge, respond

__all__ = ["NO_MARKS", "CellMarks", "Graded", "Job", "engine_version", "grade"]

_MAX_REASON = 600


@dataclass(frozen=True)
class Job:
    """What there is to grade: plain data, so that it can travel to another machine.

    Attributes:
        data: the submitted file; None if there is none.
        problem: why there is none, or what is odd about it ("the file was named ...").
        late_s: seconds after the due date.
    """

    student: str
    data: bytes | None
    problem: str = ""
    late_s: float = 0.0

    @property
    def digest(self) -> str:
        """SHA-256 of the submitted bytes (empty if there are none)."""
        return hashlib.sha256(self.data).hexdigest() if self.data is not None else ""


@dataclass(frozen=True)
class CellMarks:
    """What nbgrader's gradebook holds about the cells of a submission.

    Attributes:
        scores: name of a graded cell -> automatic score; None: a person must look.
        untouched: solution cells that are as they were released.
    """

    scores: Mapping[str, float | None]
    untouched: frozenset[str]

    @classmethod
    def of(cls, cells: Sequence[NotebookNode]) -> CellMarks:
        """As nbgrader itself would read them from the autograded notebook."""
        known = [cell for cell in cells if "nbgrader" in cell.metadata]
        return cls(
            {c.metadata.nbgrader.grade_id: utils.determine_grade(c)[0] for c in known if utils.is_grade(c)},
            frozenset(c.metadata.nbgrader.grade_id for c in known if utils.is_solution(c) and _is_untouched(c)),
        )


def _is_untouched(cell: NotebookNode) -> bool:
    return bool(cell.metadata.nbgrader.get("checksum") == utils.compute_checksum(cell))


NO_MARKS = CellMarks({}, frozenset())


@dataclass(frozen=True)
class Graded:
    """A result, the autograded notebook as JSON text, and what of it goes into the gradebook."""

    result: SubmissionResult
    notebook: str
    marks: CellMarks


@dataclass
class _Run:
    """One submission on its way through the sandbox: replaces a process that hung or died."""

    sandbox: Sandbox
    limits: Limits
    repaired: Repaired
    device: str
    deadline: float
    session: Session | None = None
    skipped: dict[str, SessionEnded] = field(default_factory=dict)
    outputs: dict[str, list[NotebookNode]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    restarts: int = 0
    reader: SourceReader = field(init=False)

    def __post_init__(self) -> None:
        """Read the code of the cells that will run; a cell that is too much to be read does not."""
        sources = self.repaired.by_id
        self.reader = SourceReader([sources[name].source for name in self.repaired.runnable])
        for position, why in self.reader.refused.items():
            name = self.repaired.runnable[position]
            self._skip(name, SessionEnded("unread", f"not run, because the grader cannot read it: {why}"))
            self.failed[name] = f"its cell was {self.skipped[name].reason}"

    @functools.cached_property
    def unrun(self) -> SourceReader:
        """The code of the cells that are not run."""
        runnable = frozenset(self.repaired.runnable)
        cells = self.repaired.cells
        return SourceReader([c.source for c in cells if c.cell_type == "code" and c.id not in runnable])

    def close(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None

    def ready(self) -> Session:
        """A process in which all cells have run, but for those that hang or kill it.

        Raises:
            SessionEnded: when the submission's time or its restarts are used up.
        """
        sources = self.repaired.by_id
        while self.session is None:
            self._check_budget()
            session = self.sandbox.session(self.limits)
            running = [name for name in self.repaired.runnable if name not in self.skipped]
            cells = [{"id": name, "source": sources[name].source} for name in running]
            results = session.run_cells(cells, self.deadline)
            done = 0
            try:
                for name, result in zip(running, results, strict=True):
                    done += 1
                    self.outputs[name] = self._cleaned(name, result.outputs)
                    self._remember_failure(name, result.good)
                self.session = session
            except SessionEnded as ended:
                self._note(ended)
                name = running[min(done, len(running) - 1)] if running else ""
                self._skip(name, ended)
                self.failed[name] = f"its cell was stopped: {ended.reason}"
        return self.session

    def _skip(self, name: str, why: SessionEnded) -> None:
        self.skipped[name] = why
        self.outputs[name] = [error_output(why.kind, plain(why.reason))]

    def _cleaned(self, name: str, claimed: object) -> list[NotebookNode]:
        """A cell's outputs within the limits, which the process was told too but need not have kept."""
        before = sum(sizes for cell, sizes in self.sizes.items() if cell != name)
        room = max(0, (self.limits.outputs_mib << 20) - before)
        of_cell = self.limits.output_kib << 10
        outputs, self.sizes[name] = clean_outputs(claimed, min(of_cell, room))
        if room < of_cell and isinstance(claimed, list) and len(outputs) < len(claimed):
            words = (
                f"[what else there is, is left out: the limit of {self.limits.outputs_mib} MiB of output is reached]"
            )
            outputs.append(text_output(words))
        return outputs

    def ask(self, *keys: ExerciseKey) -> None:
        """Let a process that is there begin with exercises; whatever hinders shows when its answers are wanted."""
        for key in keys:
            if self.session is None:
                return
            if not self.session.has_asked(key):
                self.session.ask(key, self.device, self._traced(key), ahead=True)
            if not self.session.has_asked(key):  # or a later question would be answered before this one
                return

    def _traced(self, key: ExerciseKey) -> tuple[CaseKey, ...]:
        """The cases on which functions are traced as on a GPU, unless the GPU itself shows it."""
        return traced_cases(key.cases) if self.device == "cpu" else ()

    def call(self, key: ExerciseKey) -> tuple[dict[str, Response], tuple[str, ...]]:
        """The responses to all cases of an exercise, and advice about GPUs.

        A lost process answers the rest with its reason.
        """
        responses: dict[str, Response] = {}
        try:
            self._check_budget()
            session = self.ready()
            if not session.has_asked(key):
                session.ask(key, self.device, self._traced(key))
            for name, raw in session.answers(self.deadline):
                responses[name] = respond(raw)
        except SessionEnded as ended:
            if self.session is not None:
                self._note(ended)
            self.close()
            failure = Failure(ended.kind, plain(ended.reason))
            for case in key.cases:
                responses.setdefault(case.name, Response(failure=failure))
        return responses, self._advice()

    def _advice(self) -> tuple[str, ...]:
        if self.session is None:
            return ()
        try:
            return tuple(plain(advice) for advice in self.session.advice(self.deadline))
        except SessionEnded:
            self.close()  # it was only advice: the next exercise gets a fresh process
            return ()

    def _note(self, ended: SessionEnded) -> None:
        self.ended.append(ended.kind)
        self.restarts += 1

    def _check_budget(self) -> None:
        if time.monotonic() > self.deadline:
            self.ended.append("timeout")
            limit = self.limits.submission_s
            raise SessionEnded("timeout", f"not run: the submission used up its limit of {limit:g} s")
        if self.restarts > self.limits.restarts:
            raise SessionEnded("crash", f"not run: the process had to be replaced {self.restarts} times")

    def _remember_failure(self, name: str, good: bool) -> None:
        self.failed.pop(name, None)
        if not good:
            errors = [output for output in self.outputs[name] if output.output_type == "error"]
            last = errors[-1] if errors else None
            self.failed[name] = f"its cell stopped with {last.ename}: {last.evalue}" if last else "its cell failed"


@functools.cache
def engine_version() -> str:
    """Changes whenever the exercises, or what judges them, change: older results are graded again."""
    import autograder
    import course_lib

    digest = hashlib.sha256(torch.__version__.encode())
    for package in (autograder, course_lib):
        for path in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class _Marked:
    """A graded exercise and its card."""

    result: ExerciseResult
    html: str
    text: str


def grade(job: Job, master: Master, seed: str, limits: Limits, sandbox: Sandbox, device: str = "cpu") -> Graded:
    """Grade one submission: every exercise gets a score and a reason, whatever the student's code does."""
    started = time.perf_counter()
    exercises = ASSIGNMENTS[master.assignment]
    problem = ""
    try:
        cells = _read(job, exercises)
    except UnreadableError as error:
        cells, problem = [], str(error)
    repaired = repair(cells, master)
    run = _Run(sandbox, limits, repaired, device, time.monotonic() + limits.submission_s)
    if problem:
        marked = {name: _lost(exercise, problem) for name, exercise in exercises.items()}
        flags: list[str] = []
        notes = [problem]
    else:
        marked, flags = _grade_exercises(run, exercises, f"{seed}:{job.student}:{job.digest}")
        notes = [*([job.problem] if job.problem else []), *repaired.notes]
        flags += ["renamed-notebook"] if job.problem else []
    result = SubmissionResult(
        job.student,
        master.assignment,
        _status(run, job, problem),
        {name: mark.result for name, mark in marked.items()},
        flags=(*repaired.flags, *flags, *(["late"] if job.late_s > 0 else [])),
        notes=tuple(notes),
        message="; ".join(notes),
        digest=job.digest,
        seed=seed,
        sandbox=sandbox.kind,
        device=device,
        engine=engine_version(),
    )
    notebook = _autograded(repaired, master, run.outputs, marked)
    marks = CellMarks.of(repaired.cells)
    return Graded(result.with_seconds(time.perf_counter() - started), notebook, marks)


def _read(job: Job, exercises: Mapping[str, Exercise]) -> list[Cell]:
    """The submitted cells.

    Raises:
        UnreadableError: for no file, no notebook, or a notebook that has nothing to do with the assignment.
    """
    if job.data is None:
        raise UnreadableError(job.problem or "no notebook was handed in")
    cells = read_cells(job.data)
    ours = {name for exercise in exercises for name in (exercise, f"{exercise}-solution")}
    if not any(cell.name in ours for cell in cells):
        reader = SourceReader([cell.source for cell in cells if cell.kind == "code"])
        if not any(reader.defines(name) for exercise in exercises.values() for name in exercise.names):
            raise UnreadableError("the notebook holds none of the assignment's cells and none of its functions")
    return cells


def _status(run: _Run, job: Job, problem: str) -> Status:
    if problem:
        return "missing" if job.data is None else "unreadable"
    if "timeout" in run.ended:
        return "timeout"
    if run.ended:
        return "crashed"
    return "late" if job.late_s > 0 else "graded"


def _grade_exercises(run: _Run, exercises: Mapping[str, Exercise], seed: str) -> tuple[dict[str, _Marked], list[str]]:
    """All exercises, and what a person should look at."""
    marked: dict[str, _Marked] = {}
    flags: list[str] = ["unread-code"] if run.reader.refused else []
    try:
        for exercise, key in _asked_ahead(run, exercises, seed):
            verdict, advice = _verdict(run, exercise, key)
            findings = run.reader.look(exercise.names, exercise.forbidden)
            marked[exercise.id] = _mark(exercise, verdict, findings, advice)
            flags += ["banned-operation"] * bool(findings.banned) + ["dynamic-code"] * bool(findings.dynamic)
    finally:
        run.close()
    return marked, list(dict.fromkeys(flags))


def _asked_ahead(run: _Run, exercises: Mapping[str, Exercise], seed: str) -> Iterator[tuple[Exercise, ExerciseKey]]:
    """Exercises and their keys, each given out when the process has been asked for the next one.

    So it works on that one while the answers to this one are judged.
    """
    waiting: tuple[Exercise, ExerciseKey] | None = None
    for exercise in exercises.values():
        key = exercise.with_suspects(exercise.make_key(seed, diagnose=False))
        if waiting is not None:
            run.ask(waiting[1], key)
            yield waiting
        waiting = exercise, key
    if waiting is not None:
        yield waiting


def _verdict(run: _Run, exercise: Exercise, key: ExerciseKey) -> tuple[Verdict, tuple[str, ...]]:
    responses, advice = run.call(key)
    responses = {name: _explained(response, exercise, run) for name, response in responses.items()}
    try:
        return judge(key, responses), advice
    except Exception as error:  # values that the process made up; the other exercises are graded all the same
        failure = Response(failure=Failure("unreadable", f"the answers cannot be judged ({type(error).__name__})"))
        return judge(key, {case.name: failure for case in key.cases}), advice


def _explained(response: Response, exercise: Exercise, run: _Run) -> Response:
    """A failure because of a missing name, with what became of that name."""
    failure = response.failure
    if failure is None or failure.kind not in ("missing", "NameError"):
        return response
    name = failure.message.split(" ")[0] if failure.kind == "missing" else _unknown_name(failure.message)
    story = _what_became_of(name, exercise, run)
    return Response(failure=Failure(failure.kind, f"{failure.message}{story}"))


def _unknown_name(message: str) -> str:
    return message.split("'")[1] if message.count("'") >= 2 else ""


def _what_became_of(name: str, exercise: Exercise, run: _Run) -> str:
    cells = run.repaired.by_id
    for cell_id in run.repaired.runnable:
        if cell_id in run.failed and (cell_id == f"{exercise.id}-solution" or (name and name in cells[cell_id].source)):
            return f"; {run.failed[cell_id]}"
    if name and run.unrun.defines(name):
        return "; it is defined in an experiment cell, which is not run when grading: move it to another cell"
    solution = cells.get(f"{exercise.id}-solution")
    others = SourceReader([solution.source]).defined if solution is not None and name in exercise.names else ()
    if name in others:
        return "; its cell was changed on the way, or did not come as far as its definition"
    return f"; its cell defines {', '.join(others[:3])} instead" if others else ""


def _mark(exercise: Exercise, verdict: Verdict, findings: Findings, advice: tuple[str, ...] = ()) -> _Marked:
    """Turn a verdict into points; forbidden operations withhold them."""
    reasons = {r.criterion.slug: _cut(reason(r)) for r in verdict.results if not r.holds}
    criteria = {r.criterion.slug: r.holds for r in verdict.results}
    withheld = ""
    score = verdict.score
    if findings.banned and score > 0:
        names = ", ".join(findings.banned[:5])
        withheld = f"The points are withheld: this exercise is to be solved without {names}."
        score = 0.0
        criteria = dict.fromkeys(criteria, False)
        reasons = dict.fromkeys(criteria, f"withheld: uses {names}")
    card = Card(verdict, advice=(*([withheld] if withheld else []), *advice))
    result = ExerciseResult(
        score,
        exercise.points,
        criteria,
        tuple(m.slug for m in verdict.misconceptions),
        withheld or _message(verdict),
        reasons,
        tuple(m.hint for m in verdict.misconceptions),
        card.example,
        tuple(findings.banned) if withheld else (),
        advice,
    )
    return _Marked(result, card.html(), card.text())


def _message(verdict: Verdict) -> str:
    first = next((r for r in verdict.results if not r.holds), None)
    if first is None:
        return ""
    if verdict.failure is not None:
        return _cut(plain(verdict.failure.message or verdict.failure.kind))
    lost = ", ".join(r.criterion.title for r in verdict.results if not r.holds)
    return _cut(f"lost: {lost}. {reason(first)}")


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 1] + "…"


def _lost(exercise: Exercise, why: str) -> _Marked:
    """An exercise of a submission that could not be read."""
    key = exercise.make_key("nothing handed in", diagnose=False)
    failure = Response(failure=Failure("not-run", why))
    return _mark(exercise, judge(key, {case.name: failure for case in key.cases}), Findings())


def _autograded(
    repaired: Repaired, master: Master, outputs: Mapping[str, list[NotebookNode]], marked: Mapping[str, _Marked]
) -> str:
    """The notebook for formgrader and feedback: what the cells showed, and one output of ours per test cell."""
    for cell in repaired.cells:
        if cell.id in marked:
            mark = marked[cell.id]
            cell.outputs = [score_output(mark.result.score, mark.text, mark.html)]
        elif cell.id in outputs:
            cell.outputs = outputs[cell.id]
    metadata = {"kernelspec": master.node.metadata.get("kernelspec", {})}
    node = from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": repaired.cells})
    # nbformat.writes indents and breaks texts into lines, for readable diffs: six times the work.
    return json.dumps(node, ensure_ascii=False)
