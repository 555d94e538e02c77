"""How much a submission may use: every limit and its default, in this one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from autograder.errors import CourseError

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Limits of one submission.

    Attributes:
        submission_s: wall-clock seconds for everything.
        cell_s: wall-clock seconds for one cell.
        call_s: wall-clock seconds for all cases of one exercise.
        cpu_s: processor seconds of one process (a submission that crashes gets a fresh one).
        memory_mib: memory beyond what the warm parent holds already.
        threads: threads of the process.
        files: open file descriptors.
        scratch_mib: files under /tmp (kept in memory).
        output_kib: output of one cell; the rest is cut.
        outputs_mib: output of all cells together; what comes later is left out.
        answer_mib: size of all answers to one exercise, which the grader keeps until it has judged them.
        gpu_slots: submissions that use one GPU at the same time; each may take an equal part of its memory.
        restarts: how often a process that hung or died is replaced so that the other exercises are still graded.
    """

    submission_s: float = 120.0
    cell_s: float = 20.0
    call_s: float = 10.0
    cpu_s: int = 60
    memory_mib: int = 2048
    threads: int = 48
    files: int = 128
    scratch_mib: int = 64
    output_kib: int = 256
    outputs_mib: int = 16
    answer_mib: int = 64
    gpu_slots: int = 4
    restarts: int = 20

    def changed(self, **values: Any) -> Limits:
        """These limits with some replaced.

        Raises:
            CourseError: for a name that is no limit or a value that is no positive number.
        """
        known = {field.name for field in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise CourseError(f"unknown limit {name!r}; there are: {', '.join(sorted(known))}")
            if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                raise CourseError(f"limit {name} is {value!r}; expected a positive number")
        return replace(self, **values)

    @classmethod
    def of_course(cls, config: Mapping[str, Any], assignment: str) -> Limits:
        """The defaults with what ``c.Autograder.limits`` of `nbgrader_config.py` says of an assignment.

        It maps an assignment (``*``: every one) to limits: ``{"*": {"cell_s": 30}, "05_last": {...}}``.

        Raises:
            CourseError: if it is anything else.
        """
        section = config.get("Autograder", {})
        found = section.get("limits", {})
        chosen: dict[str, Any] = {}
        for name in ("*", assignment):
            values = found.get(name, {}) if isinstance(found, Mapping) else None
            if not isinstance(values, Mapping):
                hint = 'expected c.Autograder.limits = {"01_first": {"cell_s": 30}}'
                raise CourseError(f"c.Autograder.limits in nbgrader_config.py is {found!r}", hint)
            chosen |= values
        return cls().changed(**chosen)

    def as_dict(self) -> dict[str, float]:
        """Plain values, for the request to the warm parent."""
        return asdict(self)
