"""Grading one submission: a pure function of its bytes, the assignment, a seed and limits.

The student's cells run in a sandboxed process, which is asked for values.  References, seeds and verdicts stay here.
Every way to fail ends in a score and a reason: never in an exception, never in a submission without a result.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from nbformat.notebooknode import NotebookNode

from autograder.exercise import Exercise
from autograder.gradebook.graded import CellMarks, Graded
from autograder.grading.cell_log import CellLog
from autograder.grading.marking import Marked, lost, mark
from autograder.grading.memory import Judged
from autograder.grading.missing_names import MissingNames
from autograder.grading.outputs import score_output
from autograder.grading.probe import is_unnamed, probe_key, shown_by
from autograder.grading.student_process import StudentProcess
from autograder.grading.task import Task
from autograder.reading.source_reader import SourceReader
from autograder.results import Status, SubmissionResult
from autograder.sandbox import Sandbox, SessionEnded
from autograder.sandbox.inside import clock
from autograder.submissions.notebook import (
    Cell,
    Master,
    Repaired,
    UnreadableError,
    digest_of,
    read_cells,
    repair,
    shorten_code,
)
from autograder.submissions.submission import Job
from course_lib.checking.keys import ExerciseKey, Failure, Response
from course_lib.checking.verdict import Verdict, judge

__all__ = ["grade_submission"]


def grade_submission(job: Job, task: Task, sandbox: Sandbox) -> Graded:
    """Grade one submission: every exercise gets a score and a reason, whatever the student's code does."""
    started = time.perf_counter()
    deadline = clock.now() + task.limits.submission_s  # what follows is done on the submission's time
    master = task.master
    problem = ""
    try:
        cells = _read(job, task.exercises)
    except UnreadableError as error:
        cells, problem = [], str(error)
    repaired = repair(cells, master)
    log = CellLog(task.limits)
    flags: list[str] = []
    ended: list[str] = []
    findings: tuple[str, ...] = ()
    if problem:
        marked = {name: lost(exercise, problem) for name, exercise in task.exercises.items()}
        notes = [problem]
    else:
        with _Submission(task, sandbox, repaired, log, deadline) as submission:
            marked, flags = submission.graded(job)
        ended, findings = submission.process.ended, submission.findings
        shorten_code(repaired)
        notes = [*([job.problem] if job.problem else []), *repaired.notes]
        flags += job.flags
    result = SubmissionResult(
        job.student,
        task.assignment,
        _status(ended, job, problem),
        {name: mark.result for name, mark in marked.items()},
        flags=(*repaired.flags, *flags, *(["late"] if job.late_s > 0 else [])),
        findings=findings,
        notes=tuple(notes),
        message="; ".join(notes),
        digest=job.digest,
        seed=task.seed,
        sandbox=sandbox.kind,
        device=task.device,
        engine=task.engine,
        written={name: _digest(repaired.by_id[name]) for name in master.cells if master.is_written(name)},
    )
    notebook = _autograded(repaired, master, log.outputs, marked)
    marks = CellMarks.of(repaired.cells, repaired.lost)
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


def _digest(cell: NotebookNode) -> str:
    """A written answer with its pictures, as a short key."""
    return digest_of(cell.source + json.dumps(cell.get("attachments", {}), sort_keys=True))


def _status(ended: list[str], job: Job, problem: str) -> Status:
    if problem:
        return "missing" if job.data is None else "unreadable"
    if "timeout" in ended:
        return "timeout"
    if ended:
        return "crashed"
    return "late" if job.late_s > 0 else "graded"


class _Submission:
    """One readable submission: its code is read, its cells run, its exercises are judged one after the other."""

    def __init__(self, task: Task, sandbox: Sandbox, repaired: Repaired, log: CellLog, deadline: float) -> None:
        cells = [(name, repaired.by_id[name].source) for name in repaired.runnable]
        self._exercises, self._deck, self._memory = task.exercises, task.deck, task.memory
        self._reader = SourceReader([source for _, source in cells], [name for name, _ in cells])
        for position, why in self._reader.refused.items():
            reason = f"not run, because the grader cannot read it: {why}"
            log.stop(cells[position][0], SessionEnded("unread", reason))
        self._missing = MissingNames(repaired, log)
        self.process = StudentProcess(sandbox, task.limits, task.device, cells, log, deadline)

    @property
    def findings(self) -> tuple[str, ...]:
        """Where code reaches into the machine that watches it."""
        return self._reader.findings

    def __enter__(self) -> _Submission:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.close()

    def graded(self, job: Job) -> tuple[dict[str, Marked], list[str]]:
        """All exercises, and flags for what a person should look at."""
        marked: dict[str, Marked] = {}
        flags = ["unread-code"] * bool(self._reader.refused) + ["dynamic-code"] * bool(self._reader.findings)
        unnamed: list[Exercise] = []
        for exercise, key in self._asked_ahead(job):
            judged = self._judged(exercise, key)
            marked[exercise.id] = judged.marked
            flags += ["banned-operation"] * judged.banned
            unnamed += [exercise] * judged.unnamed
        for exercise in unnamed:  # when all is judged: what is asked here can cost nobody anything
            marked[exercise.id] = marked[exercise.id].with_shown(self._shown(exercise))
        return marked, list(dict.fromkeys(flags))

    def _shown(self, exercise: Exercise) -> Mapping[str, Any]:
        """What a wrong answer without a name gives to the question that everybody is asked."""
        key = probe_key(exercise)
        responses = self.process.call_once(key)
        try:
            return shown_by(key, {name: self._missing.explained(found, exercise) for name, found in responses.items()})
        except Exception:  # values that the process made up
            return {}

    def _asked_ahead(self, job: Job) -> Iterator[tuple[Exercise, ExerciseKey]]:
        """Exercises and their keys, each given out when the process has been asked for the next one.

        So it works on that one while the answers to this one are judged.
        """
        waiting: tuple[Exercise, ExerciseKey] | None = None
        for exercise in self._exercises.values():
            key = self._deck.draw(exercise.id, job.student, job.digest)
            if waiting is not None:
                self.process.ask(waiting[1], key)
                yield waiting
            waiting = exercise, key
        if waiting is not None:
            yield waiting

    def _judged(self, exercise: Exercise, key: ExerciseKey) -> Judged:
        answers = self.process.call(key)
        place = (key.digest, answers.digest, answers.advice)
        known = self._memory.recall(place) if answers.digest else None
        if known is not None:
            return known
        read = self.process.read(answers)
        explained = {name: self._missing.explained(found, exercise) for name, found in read.responses.items()}
        verdict = _verdict(key, explained)
        judged = Judged(mark(exercise, verdict, read.advice), bool(verdict.banned), is_unnamed(verdict))
        # What is said of this submission's cells, or of the end of its process, does not follow from bytes.
        if read.whole and answers.digest and all(explained[name] is found for name, found in read.responses.items()):
            self._memory.keep(place, judged)
        return judged


def _verdict(key: ExerciseKey, responses: Mapping[str, Response]) -> Verdict:
    try:
        return judge(key, responses)
    except Exception as error:  # values that the process made up; the other exercises are graded all the same
        failure = Response(failure=Failure("unreadable", f"the answers cannot be judged ({type(error).__name__})"))
        return judge(key, {case.name: failure for case in key.cases})


def _autograded(
    repaired: Repaired, master: Master, outputs: Mapping[str, list[NotebookNode]], marked: Mapping[str, Marked]
) -> str:
    """The notebook for formgrader and feedback: what the cells showed, and one output of ours per test cell."""
    for cell in repaired.cells:
        name = cell["id"]
        if name in marked:
            mark = marked[name]
            cell["outputs"] = [score_output(mark.result.score, mark.text, mark.html)]
        elif name in outputs:
            cell["outputs"] = outputs[name]
    metadata = {"kernelspec": master.node.metadata.get("kernelspec", {})}
    about = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata}, ensure_ascii=False)
    # nbformat.writes indents and breaks texts into lines, for readable diffs: six times the work.
    return f'{about[:-1]}, "cells": {repaired.as_json()}}}'
