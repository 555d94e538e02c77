"""What a question and its answer are, as data: the cases of an exercise, what is expected, and what came back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol

from course_lib.checking.expected_numbers import ExpectedNumbers
from course_lib.checking.shapes import ARRANGEMENT_SLIPS
from course_lib.checking.values import MAX_BYTES, pack

__all__ = [
    "Aspect",
    "CaseKey",
    "CriterionKey",
    "Entry",
    "ExerciseKey",
    "Failure",
    "Footprint",
    "MisconceptionKey",
    "Response",
    "Suspect",
    "respond",
    "size_of",
]

Aspect = Literal["value", "dtype", "inputs", "layout"]
"""What is looked at: an output's value, its dtype and device, whether the inputs were left alone, whether a tensor that
is not contiguous in memory was accepted.  The last three are conventions, the same in every exercise."""


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
    """What came back from one call.

    Attributes:
        result: the value, where there is one.
        failure: why there is none.
        changed: names of the inputs that were overwritten.
        returned: what the student's function itself returned, in words, where a driver took it apart.
        eased: how the inputs had to be changed before the call gave a value: to ``contiguous`` memory, or to the other
            floating dtype (``float32``).
        obstacle: the exception without that.
        device: where the result lies, if not where the inputs do.
        arranged: what the driver makes of the same numbers in the shape that is asked for, and
        slip: what had to be done for it (`shapes`).
        again: what a second call with the same inputs gave (as a response), for the cases that are called twice.
        used: forbidden operations that ran.
    """

    result: Any = None
    failure: Failure | None = None
    changed: tuple[str, ...] = ()
    returned: str = ""
    eased: tuple[str, ...] = ()
    obstacle: str = ""
    device: str = ""
    arranged: Response | None = None
    slip: str = ""
    again: Response | None = None
    used: tuple[str, ...] = ()


def respond(raw: Any) -> Response:
    """Read a response that untrusted code may have made: anything odd becomes a failure."""
    if not isinstance(raw, dict):
        return Response(failure=Failure("unreadable", "the answer could not be read"))
    returned = _kind_of_value(raw["returned"]) if "returned" in raw else ""
    used = tuple(name for name in _texts(raw["used"]) if re.fullmatch(r"[\w.]+", name)) if raw.get("used") else ()
    error = raw.get("error")
    if isinstance(error, str):
        message = raw.get("message")
        failure = Failure(error[:80], str(message)[:2000] if message is not None else "")
        arranged, slip = _arranged(raw.get("arranged"))
        return Response(failure=failure, returned=returned, arranged=arranged, slip=slip, used=used)
    if "result" not in raw:
        return Response(failure=Failure("unreadable", "the answer could not be read"))
    changed = raw.get("changed", ())
    arranged, slip = _arranged(raw.get("arranged"))
    return Response(
        raw["result"],
        changed=() if changed == () else _texts(changed) if isinstance(changed, tuple | list) else ("inputs",),
        returned=returned,
        eased=_texts(raw["eased"]) if "eased" in raw else (),
        obstacle=_text(raw.get("obstacle"), 600),
        device=_text(raw.get("device"), 20),
        arranged=arranged,
        slip=slip,
        again=respond({**raw["again"], "again": None}) if isinstance(raw.get("again"), dict) else None,
        used=used,
    )


def _arranged(raw: Any) -> tuple[Response | None, str]:
    slip = raw.get("slip") if isinstance(raw, dict) else None
    if not isinstance(slip, str) or slip not in ARRANGEMENT_SLIPS or "result" not in raw:
        return None, ""
    return Response(raw["result"]), slip


_KIND = re.compile(
    r"None|True|False|[-+]?[\d.]+(e[-+]?\d+)?|nan|-?inf"
    r"|an? [a-zA-Z]+( [a-zA-Z]+){0,2}"
    r"( of (shape \([\d, ]*\)|\d+( tensors? of shape \([\d, ]*\))?)| \([-+\d.einf]+\))?"
)


def _kind_of_value(value: Any) -> str:
    """What `comparison.describe` says of a value, and nothing else: it stands on the grader's card."""
    return value if isinstance(value, str) and len(value) <= 200 and _KIND.fullmatch(value) else ""


def _text(value: Any, most: int) -> str:
    return value[:most] if isinstance(value, str) else ""


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(v[:80] for v in values[:20] if isinstance(v, str)) if isinstance(values, tuple | list) else ()


class Entry(NamedTuple):
    """One thing that can be right or wrong: an aspect of an output of a case."""

    case: str
    output: str
    aspect: Aspect = "value"


class CasePlaces(NamedTuple):
    """The entries of one case.

    Attributes:
        outputs: name, value and dtype of each output.
    """

    inputs: Entry
    layout: Entry
    outputs: tuple[tuple[str, Entry, Entry], ...]


@dataclass(frozen=True)
class CaseKey:
    """One call and its expected outputs.

    Attributes:
        function: the name that is called.
        driver: how it is called (`course_lib.checking.drivers`).
        outputs: names of what it returns, in order.
        expected: output name -> value.
        tolerance: replaces the tolerance by dtype.
        returns: what the function itself should return, in words, where a driver takes it apart.
    """

    name: str
    function: str
    driver: str
    inputs: Mapping[str, Any]
    outputs: tuple[str, ...]
    expected: Mapping[str, Any]
    tolerance: float | None = None
    returns: str = ""

    @cached_property
    def places(self) -> CasePlaces:
        """Its entries."""
        of_outputs = ((name, Entry(self.name, name), Entry(self.name, name, "dtype")) for name in self.outputs)
        return CasePlaces(Entry(self.name, "", "inputs"), Entry(self.name, "", "layout"), tuple(of_outputs))

    @cached_property
    def size(self) -> int:
        """How many numbers its inputs hold."""
        return size_of(self.inputs)

    @cached_property
    def packed_inputs(self) -> bytes:
        """Its inputs as bytes."""
        return pack(dict(self.inputs))


@dataclass(frozen=True)
class CriterionKey:
    """Points that are given together: when every one of `entries` is right."""

    slug: str
    title: str
    points: float
    entries: tuple[Entry, ...]

    @cached_property
    def is_convention(self) -> bool:
        """Whether it asks nothing about values."""
        return all(entry.aspect != "value" for entry in self.entries)


Footprint = Mapping[Entry, Any]
"""What a known mistake gives at the values where it is wrong."""


class Suspect(Protocol):
    """A known mistake that can say what it gives on a case; the grader's ones compute it when asked."""

    @property
    def slugs(self) -> tuple[str, ...]:
        """Stable key; two for two mistakes made together."""

    @property
    def hints(self) -> tuple[str, ...]:
        """What was probably done, for each slug."""

    @property
    def loses(self) -> frozenset[str]:
        """The criteria it is about, as slugs: whoever makes it loses them on every seed."""

    @property
    def prices(self) -> tuple[float, ...]:
        """What a person would take off, for each slug."""

    def at(self, case: CaseKey) -> Footprint:
        """The part of the footprint that lies in one case."""


@dataclass(frozen=True)
class MisconceptionKey:
    """A known mistake and its footprint, as data (see `Suspect`)."""

    slugs: tuple[str, ...]
    hints: tuple[str, ...]
    loses: frozenset[str]
    prices: tuple[float, ...]
    footprint: Footprint

    def at(self, case: CaseKey) -> Footprint:
        """The part of the footprint that lies in one case."""
        return {entry: seen for entry, seen in self.footprint.items() if entry.case == case.name}


@dataclass(frozen=True)
class ExerciseKey:
    """All that is needed to judge one exercise, as data.

    Attributes:
        forbidden: operations that may not run (`course_lib.checking.watch`).
        tells: whether a card may say what is expected; not where that is all there is to find out.
        observes: outputs that a driver can only observe where the student's code runs, such as whether a layer trains.
            Whoever knows what they should be need not have done anything; so they count where a value beside them is
            right.
    """

    id: str
    signatures: tuple[str, ...]
    cases: tuple[CaseKey, ...]
    criteria: tuple[CriterionKey, ...]
    misconceptions: tuple[Suspect, ...] = ()
    forbidden: tuple[str, ...] = ()
    tells: bool = True
    observes: frozenset[str] = frozenset()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that the student defines."""
        return tuple(signature.split("(")[0].removeprefix("class ").strip() for signature in self.signatures)

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The names of all parameters: what a student knows the inputs by."""
        inside = (signature.partition("(")[2].rpartition(")")[0] for signature in self.signatures)
        return frozenset(part.partition("=")[0].strip() for listed in inside for part in listed.split(","))

    @property
    def points(self) -> float:
        """All points of the exercise."""
        return sum(criterion.points for criterion in self.criteria)

    @cached_property
    def expected(self) -> ExpectedNumbers:
        """All expected tensors in one array."""
        return ExpectedNumbers(
            (Entry(case.name, name), value, case.tolerance)
            for case in self.cases
            for name, value in case.expected.items()
        )

    @cached_property
    def called_twice(self) -> frozenset[str]:
        """Names of the cases that are called a second time.

        Of each function and each setting of its switches the smallest; if there is another one, not with a probability
        of 0 or 1: whatever is drawn, nothing comes of it then.
        """
        smallest: dict[object, CaseKey] = {}
        for case in sorted(self._by_size, key=_is_certain):
            own = (value for name, value in case.inputs.items() if name in self.parameters)
            switches = tuple(value for value in own if value is None or isinstance(value, bool))
            smallest.setdefault((case.function, switches), case)
        return frozenset(case.name for case in smallest.values())

    @cached_property
    def watched(self) -> frozenset[str]:
        """Names of the cases in which forbidden operations are looked for: those, and the smallest of each criterion.

        A special case may have a branch of its own, and a criterion is where points are lost for it.
        """
        if not self.forbidden:
            return frozenset()
        asked = ({entry.case for entry in criterion.entries} for criterion in self.criteria)
        first = {next((case.name for case in self._by_size if case.name in names), "") for names in asked}
        return self.called_twice | first - {""}

    @cached_property
    def question(self) -> bytes:
        """What the process that runs the answer is asked, as bytes: calls with their inputs, and nothing expected."""
        cases = [
            {
                "name": case.name,
                "function": case.function,
                "driver": case.driver,
                "inputs": dict(case.inputs),
                "watched": case.name in self.watched,
                "twice": case.name in self.called_twice,
                "returns": case.returns,
            }
            for case in self.cases
        ]
        return pack({"names": self.names, "forbidden": self.forbidden, "cases": cases}, MAX_BYTES)

    def prepare(self) -> None:
        """Work out what is otherwise worked out when it is first asked for."""
        _ = self.digest, self.expected, self.called_twice, self.watched
        for case in self.cases:
            _ = case.places, case.packed_inputs

    @cached_property
    def digest(self) -> bytes:
        """The exercise and all that is asked, as a short key."""
        return hashlib.blake2b(self.id.encode() + b"\0" + self.question, digest_size=20).digest()

    @cached_property
    def _by_size(self) -> list[CaseKey]:
        return sorted(self.cases, key=lambda case: case.size)


def _is_certain(case: CaseKey) -> bool:
    """Whether a probability is 0 or 1."""
    return any(type(value) is float and value in (0.0, 1.0) for value in case.inputs.values())


def size_of(value: Any) -> int:
    """How many numbers a case's inputs hold: the smallest case teaches most."""
    if isinstance(value, Mapping):
        return sum(size_of(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(size_of(item) for item in value)
    return int(value.numel()) if hasattr(value, "numel") else 1
