"""From what a student's code returned to a verdict: criteria, misconceptions, reasons.

`judge` is a pure function of an `ExerciseKey` (inputs, expected values, wrong
values) and of the responses to its cases.  The instant check uses it with the
key that ships with the course, the grader with a key made from a fresh secret
seed, outside the process in which the student's code ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from course_lib.checking.comparison import Mismatch, compare, describe, dtype_of
from course_lib.checking.values import Unsupported

__all__ = [
    "Aspect",
    "CaseKey",
    "CriterionKey",
    "CriterionResult",
    "Entry",
    "ExerciseKey",
    "Failure",
    "MisconceptionKey",
    "Response",
    "Suspect",
    "Verdict",
    "judge",
    "observe",
    "respond",
    "size_of",
]

Aspect = Literal["value", "dtype", "inputs"]
"""What is looked at: an output's value, its dtype, or whether the inputs were left alone."""


@dataclass(frozen=True)
class Failure:
    """A call that gave no value.

    Attributes:
        kind: the exception's class name, or `missing`, `timeout`, `crash`, `unreadable`, `not-run`.
        message: one line in words.
    """

    kind: str
    message: str


@dataclass(frozen=True)
class Response:
    """What came back from one call: a result or a failure, and the names of the inputs it changed."""

    result: Any = None
    failure: Failure | None = None
    changed: tuple[str, ...] = ()


def respond(raw: Any) -> Response:
    """Read a response that untrusted code may have made: anything odd becomes a failure."""
    if not isinstance(raw, dict):
        return Response(failure=Failure("unreadable", "the answer could not be read"))
    error = raw.get("error")
    if isinstance(error, str):
        message = raw.get("message")
        return Response(failure=Failure(error[:80], str(message)[:2000] if message is not None else ""))
    if "result" not in raw:
        return Response(failure=Failure("unreadable", "the answer could not be read"))
    changed = raw.get("changed", ())
    names = (
        tuple(name[:80] for name in changed[:20] if isinstance(name, str))
        if isinstance(changed, tuple | list)
        else ("inputs",)
    )
    return Response(result=raw["result"], changed=names)


@dataclass(frozen=True)
class CaseKey:
    """One call and its expected outputs.

    Attributes:
        function: the name that is called.
        driver: how it is called (`course_lib.checking.drivers`).
        outputs: names of what it returns, in order.
        expected: output name -> value.
        tolerance: replaces the tolerance by dtype.
    """

    name: str
    function: str
    driver: str
    inputs: Mapping[str, Any]
    outputs: tuple[str, ...]
    expected: Mapping[str, Any]
    tolerance: float | None = None


class Entry(NamedTuple):
    """One thing that can be right or wrong: an aspect of an output of a case."""

    case: str
    output: str
    aspect: Aspect = "value"


@dataclass(frozen=True)
class CriterionKey:
    """Points that are given together: when every one of `entries` is right."""

    slug: str
    title: str
    points: float
    entries: tuple[Entry, ...]


Footprint = Mapping[Entry, Any]
"""What a known mistake gives at the entries where it is wrong."""


@dataclass(frozen=True)
class MisconceptionKey:
    """A known mistake and its footprint, as data."""

    slug: str
    hint: str
    footprint: Footprint
    loses: frozenset[str] = frozenset()

    def at(self, case: CaseKey) -> Footprint:
        """The part of the footprint that lies in one case."""
        return {entry: seen for entry, seen in self.footprint.items() if entry.case == case.name}


class Suspect(Protocol):
    """A known mistake that can say what it gives on a case; the grader's ones compute it when asked."""

    @property
    def slug(self) -> str:
        """Stable key."""

    @property
    def hint(self) -> str:
        """What was probably done."""

    @property
    def loses(self) -> frozenset[str]:
        """Criteria that whoever makes it loses at the least, as slugs: spares asking; none where that is not known."""

    def at(self, case: CaseKey) -> Footprint:
        """The part of the footprint that lies in one case."""


@dataclass(frozen=True)
class ExerciseKey:
    """All that is needed to judge one exercise, as data."""

    id: str
    signatures: tuple[str, ...]
    cases: tuple[CaseKey, ...]
    criteria: tuple[CriterionKey, ...]
    misconceptions: tuple[Suspect, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the student defines."""
        return tuple(signature.split("(")[0].removeprefix("class ").strip() for signature in self.signatures)

    @property
    def points(self) -> float:
        """All points of the exercise."""
        return sum(criterion.points for criterion in self.criteria)


@dataclass(frozen=True)
class CriterionResult:
    """One criterion, and for a lost one the smallest case that shows why."""

    criterion: CriterionKey
    holds: bool
    entry: Entry | None = None
    mismatch: Mismatch | None = None


@dataclass(frozen=True)
class Verdict:
    """The judgement of one exercise."""

    key: ExerciseKey
    results: tuple[CriterionResult, ...]
    misconceptions: tuple[MisconceptionKey, ...] = ()
    failure: Failure | None = None
    """Set when no call at all gave a value: the reason of the first."""

    observed: Mapping[Entry, Any] = field(default_factory=dict, repr=False)

    @property
    def score(self) -> float:
        """Points of the criteria that hold."""
        return sum(result.criterion.points for result in self.results if result.holds)

    @property
    def passed(self) -> bool:
        """Whether every criterion holds."""
        return all(result.holds for result in self.results)


def observe(case: CaseKey, response: Response) -> dict[Entry, Any]:
    """What a response shows at each entry of a case: a value, a dtype's name, changed inputs, or a `Failure`."""
    if response.failure is not None:
        return dict.fromkeys(_entries(case), response.failure)
    outputs = _split(case, response.result)
    if isinstance(outputs, Failure):
        return dict.fromkeys(_entries(case), outputs)
    observed: dict[Entry, Any] = {Entry(case.name, "", "inputs"): response.changed}
    for name in case.outputs:
        observed[Entry(case.name, name)] = outputs[name]
        observed[Entry(case.name, name, "dtype")] = _dtype_name(outputs[name])
    return observed


def _entries(case: CaseKey) -> list[Entry]:
    aspects: tuple[Aspect, ...] = ("value", "dtype")
    entries = [Entry(case.name, name, aspect) for name in case.outputs for aspect in aspects]
    return [*entries, Entry(case.name, "", "inputs")]


def _split(case: CaseKey, result: Any) -> dict[str, Any] | Failure:
    names = case.outputs
    if case.driver != "call" and isinstance(result, dict) and set(result) == set(names):
        return result
    if case.driver != "call" and isinstance(result, dict) and set(result) & set(names):
        return {name: result.get(name, Failure("missing-output", f"{name!r} is missing")) for name in names}
    if len(names) == 1:
        return {names[0]: result}
    if isinstance(result, tuple | list) and len(result) == len(names):
        return dict(zip(names, result, strict=True))
    wanted = f"{len(names)} values ({', '.join(names)})"
    return Failure("wrong-number", f"returned {describe(result)}, expected {wanted}")


def _dtype_name(value: Any) -> str:
    dtype = dtype_of(value)
    return str(dtype).removeprefix("torch.") if dtype is not None else describe(value)


def _mismatch(case: CaseKey, entry: Entry, seen: Any) -> Mismatch | None:
    if isinstance(seen, Failure):
        return Mismatch(seen.message or seen.kind)
    if entry.aspect == "inputs":
        return Mismatch(f"changed its input {', '.join(seen)}") if seen else None
    expected = case.expected[entry.output]
    if entry.aspect == "dtype":
        wanted = _dtype_name(expected)
        return None if seen == wanted else Mismatch(f"the dtype is {seen}, expected {wanted}")
    return compare(seen, expected, case.tolerance)


def judge(key: ExerciseKey, responses: Mapping[str, Response]) -> Verdict:
    """Judge the responses to an exercise's cases.

    A criterion about dtype or inputs holds only where the value is right too: no points for nothing.
    A case without a response counts as not run.
    """
    observed: dict[Entry, Any] = {}
    wrong: dict[Entry, Mismatch | None] = {}
    not_run = Response(failure=Failure("not-run", "was not run"))
    for case in key.cases:
        seen = observe(case, responses.get(case.name, not_run))
        observed.update(seen)
        wrong.update({entry: _mismatch(case, entry, what) for entry, what in seen.items()})
    results = tuple(_judge_criterion(key, criterion, wrong) for criterion in key.criteria)
    failures = [responses.get(case.name, not_run).failure for case in key.cases]
    nothing = failures[0] if all(failure is not None for failure in failures) else None
    lost = frozenset(result.criterion.slug for result in results if not result.holds)
    found = () if not lost else _diagnose(key, observed, wrong, lost)
    return Verdict(key, results, found, nothing, observed)


def _judge_criterion(
    key: ExerciseKey, criterion: CriterionKey, wrong: Mapping[Entry, Mismatch | None]
) -> CriterionResult:
    needed = list(criterion.entries)
    for entry in criterion.entries:
        if entry.aspect != "value":
            case = next(case for case in key.cases if case.name == entry.case)
            needed += [Entry(entry.case, name) for name in case.outputs]
    lost = [entry for entry in needed if wrong[entry] is not None]
    if not lost:
        return CriterionResult(criterion, True)
    size = {case.name: size_of(case.inputs) for case in key.cases} if len(lost) > 1 else {lost[0].case: 0}
    # The smallest case that shows numbers teaches most; an exception is the next best.
    first = min(lost, key=lambda entry: (wrong[entry].index is None, size[entry.case]))  # type: ignore[union-attr]
    return CriterionResult(criterion, False, first, wrong[first])


def size_of(value: Any) -> int:
    """How many numbers a case's inputs hold: the smallest case teaches most."""
    if isinstance(value, Mapping):
        return sum(size_of(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(size_of(item) for item in value)
    return int(value.numel()) if hasattr(value, "numel") else 1


def _diagnose(
    key: ExerciseKey, observed: Mapping[Entry, Any], wrong: Mapping[Entry, Mismatch | None], lost: frozenset[str]
) -> tuple[MisconceptionKey, ...]:
    """The known mistakes whose whole footprint the responses show, the widest first, no two on one entry.

    Two mistakes made together are both named when they touch different entries.
    """
    if all(isinstance(seen, Failure) for seen in observed.values()):
        return ()
    suspects = [suspect for suspect in key.misconceptions if suspect.loses <= lost]
    found_footprints = ((suspect, _matching_footprint(suspect, key, observed, wrong)) for suspect in suspects)
    matching = [MisconceptionKey(suspect.slug, suspect.hint, found) for suspect, found in found_footprints if found]
    matching.sort(key=lambda misconception: -len(misconception.footprint))
    found: list[MisconceptionKey] = []
    taken: set[Entry] = set()
    for misconception in matching:
        values = {entry for entry in misconception.footprint if entry.aspect == "value"} or set(misconception.footprint)
        if not values & taken:
            found.append(misconception)
            taken |= values
    return tuple(found)


def _matching_footprint(
    suspect: Suspect, key: ExerciseKey, observed: Mapping[Entry, Any], wrong: Mapping[Entry, Mismatch | None]
) -> Footprint:
    """The whole footprint if the responses show it, else nothing.

    Most suspects are cleared by the first case, so the others are not asked for.  A mistake that these cases do not
    show has no footprint and matches nothing.
    """
    footprint: dict[Entry, Any] = {}
    for case in key.cases:
        part = suspect.at(case)
        if any(
            wrong.get(entry) is None or not _same(observed[entry], what, case.tolerance) for entry, what in part.items()
        ):
            return {}
        footprint.update(part)
    return {} if _explains_half(footprint, observed) else footprint


def _explains_half(footprint: Footprint, observed: Mapping[Entry, Any]) -> bool:
    """Whether a footprint is exceptions only, and the responses hold more exceptions of these kinds.

    An exception looks like any other of its kind, so it counts as the mistake's only where all of them are explained.
    """
    kinds = {what.kind if isinstance(what, Failure) else None for what in footprint.values()}
    return None not in kinds and any(
        isinstance(seen, Failure) and seen.kind in kinds and entry not in footprint for entry, seen in observed.items()
    )


def _same(seen: Any, wrong: Any, tolerance: float | None) -> bool:
    if isinstance(seen, Failure) or isinstance(wrong, Failure):
        return isinstance(seen, Failure) and isinstance(wrong, Failure) and seen.kind == wrong.kind
    if isinstance(seen, Unsupported) or isinstance(wrong, Unsupported):
        return bool(seen == wrong)
    return compare(seen, wrong, tolerance) is None
