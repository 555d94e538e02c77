"""What an exercise is: one definition from which check, grader, report and tests all follow."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch

from course_lib.comparison import compare
from course_lib.drivers import attempt, run_case
from course_lib.verdict import (
    Aspect,
    CaseKey,
    CriterionKey,
    Entry,
    ExerciseKey,
    Failure,
    MisconceptionKey,
    Response,
    observe,
    respond,
)

__all__ = ["Case", "Criterion", "Exercise", "Misconception", "generator", "one_of", "wrong_entries"]

T = TypeVar("T")
Namespace = Mapping[str, Any]


def generator(*parts: object) -> torch.Generator:
    """A CPU generator whose stream depends on all of `parts` and on nothing else."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def one_of(g: torch.Generator, *options: T) -> T:
    """One of the options, drawn: sizes, say, where nothing else tells a learned answer from a computed one."""
    return options[int(torch.randint(len(options), (1,), generator=g))]


@dataclass(frozen=True)
class Case:
    """One call: the inputs by parameter name, in the order of the parameters.

    Attributes:
        function: which of the exercise's names is called; the first one by default.
        driver: how it is used, a name in `course_lib.drivers`.
        outputs: names of what comes back; those of the exercise by default.
        tolerance: replaces the tolerance that follows from the dtypes.
    """

    inputs: dict[str, Any]
    function: str | None = None
    driver: str = "call"
    outputs: tuple[str, ...] | None = None
    tolerance: float | None = None


@dataclass(frozen=True)
class Criterion:
    """Points given together when all selected entries are right.

    Attributes:
        title: what is asked, as a phrase ("normalises over the batch"); its slug is the stable key.
        cases: names of the cases looked at; all by default.  A name ending in ``*`` is a prefix.
        outputs: names of the outputs looked at; all by default.
        aspect: ``value``, ``dtype`` or ``inputs`` (left unchanged), or several of them.  The last two count only where
            the value is right.
    """

    title: str
    points: float
    cases: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    aspect: Aspect | tuple[Aspect, ...] = "value"

    @property
    def slug(self) -> str:
        """The title as an identifier."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    def entries(self, cases: Mapping[str, tuple[str, ...]]) -> tuple[Entry, ...]:
        """The entries this criterion selects.

        Args:
            cases: case name -> names of its outputs.
        """
        chosen = [name for name in cases if self.cases is None or any(_matches(name, p) for p in self.cases)]
        aspects = (self.aspect,) if isinstance(self.aspect, str) else self.aspect
        return tuple(
            Entry(name, output, aspect)
            for aspect in aspects
            for name in chosen
            for output in (("",) if aspect == "inputs" else cases[name])
            if aspect == "inputs" or self.outputs is None or output in self.outputs
        )


def _matches(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


@dataclass(frozen=True)
class Misconception:
    """A known wrong implementation.

    Attributes:
        slug: stable key.
        wrong: the wrong function (for the exercise's first name), or a namespace of several.
        hint: what was probably done and why it is wrong; never the answer's code.
        loses: titles of exactly those criteria that it loses, asserted by a test on many seeds.
    """

    slug: str
    wrong: Callable[..., Any] | Namespace
    hint: str
    loses: tuple[str, ...]


@dataclass(frozen=True)
class Exercise:
    """One graded exercise.

    Attributes:
        id: the `grade_id` of its test cell.
        defines: signatures of what the student defines, ``"f(x, eps)"`` or ``"class BatchNorm2d(num_features)"``.
        returns: names of what the function returns (one name: a single value).
        reference: the right function, or a namespace of several; called with float64 inputs.
        cases: generator -> named cases.  Equal generators give equal cases.
        criteria: what points are given for.
        misconceptions: what is recognised by name.
        forbidden: operations that may not be used, as dotted names (a prefix forbids what is below it) or ``.method``.
        right: right but unusual implementations; the tests hold that they get full marks.
    """

    id: str
    defines: tuple[str, ...]
    returns: tuple[str, ...]
    reference: Callable[..., Any] | Namespace
    cases: Callable[[torch.Generator], dict[str, Case]]
    criteria: Sequence[Criterion]
    misconceptions: Sequence[Misconception] = ()
    forbidden: tuple[str, ...] = ()
    right: Mapping[str, Callable[..., Any] | Namespace] = field(default_factory=dict)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that the student defines."""
        return tuple(signature.removeprefix("class ").split("(")[0].strip() for signature in self.defines)

    @property
    def points(self) -> float:
        """All points of the exercise."""
        return sum(criterion.points for criterion in self.criteria)

    def namespace(self, what: Callable[..., Any] | Namespace) -> dict[str, Any]:
        """A reference or a wrong answer as a namespace; names it leaves out come from the reference."""
        if isinstance(what, Mapping) and set(what) <= set(self.names):
            given = dict(what)
        else:
            given = {self.names[0]: what}
        return {**(self.namespace(self.reference) if what is not self.reference else {}), **given}

    def make_key(self, seed: object, *, diagnose: bool = True) -> ExerciseKey:
        """Cases and expected outputs for a seed.

        Args:
            seed: anything with a stable `str`; equal seeds give equal keys.
            diagnose: also run every misconception (not needed when the answer turns out right).
        """
        cases = self.cases(generator(self.id, seed))
        keys = tuple(self._case_key(name, case) for name, case in cases.items())
        outputs = {key.name: key.outputs for key in keys}
        criteria = tuple(CriterionKey(c.slug, c.title, c.points, c.entries(outputs)) for c in self.criteria)
        key = ExerciseKey(self.id, self.defines, keys, criteria)
        return self.with_misconceptions(key) if diagnose else key

    def with_misconceptions(self, key: ExerciseKey) -> ExerciseKey:
        """The same key with the footprints of all misconceptions on its cases, as data."""
        found = tuple(
            MisconceptionKey(
                m.slug, m.hint, {e: seen for case in key.cases for e, seen in self.footprint(m, case).items()}
            )
            for m in self.misconceptions
        )
        return ExerciseKey(key.id, key.signatures, key.cases, key.criteria, found)

    def with_suspects(self, key: ExerciseKey) -> ExerciseKey:
        """The same key with misconceptions that are run only as far as a diagnosis asks."""
        return ExerciseKey(key.id, key.signatures, key.cases, key.criteria, self._suspects)

    @cached_property
    def _suspects(self) -> tuple[_Suspect, ...]:
        return tuple(_Suspect(self, misconception) for misconception in self.misconceptions)

    def _case_key(self, name: str, case: Case) -> CaseKey:
        function = case.function or self.names[0]
        outputs = case.outputs or self.returns
        inputs64 = {key: _in_float64(value) for key, value in case.inputs.items()}
        raw, _ = attempt(self._reference_namespace, function, case.driver, inputs64)
        response = respond(raw)
        key = CaseKey(name, function, case.driver, case.inputs, outputs, {}, case.tolerance)
        seen = observe(key, response)
        dtype = _first_dtype(case.inputs)
        expected = {output: _back(seen[Entry(name, output)], dtype) for output in outputs}
        failed = [value for value in expected.values() if isinstance(value, Failure)]
        if failed:
            raise RuntimeError(f"the reference of {self.id} fails on case {name!r}: {failed[0].message}")
        return CaseKey(name, function, case.driver, case.inputs, outputs, expected, case.tolerance)

    def footprint(self, misconception: Misconception, case: CaseKey) -> dict[Entry, Any]:
        """What a misconception gives at the entries of a case where it is wrong."""
        return wrong_entries(case, self.respond(misconception.wrong, case))

    def respond(self, what: Callable[..., Any] | Namespace, case: CaseKey) -> Response:
        """Put a reference or a wrong answer through a case, as a student's answer is."""
        return respond(run_case(self.namespace(what), case.function, case.driver, case.inputs))

    @cached_property
    def _reference_namespace(self) -> dict[str, Any]:
        return self.namespace(self.reference)


@dataclass(frozen=True)
class _Suspect:
    """A misconception of an exercise, run on a case when asked (see `course_lib.verdict.Suspect`)."""

    exercise: Exercise
    misconception: Misconception

    @property
    def slug(self) -> str:
        return self.misconception.slug

    @property
    def hint(self) -> str:
        return self.misconception.hint

    @cached_property
    def loses(self) -> frozenset[str]:
        return frozenset(c.slug for c in self.exercise.criteria if c.title in self.misconception.loses)

    def at(self, case: CaseKey) -> dict[Entry, Any]:
        return self.exercise.footprint(self.misconception, case)


def wrong_entries(case: CaseKey, response: Response) -> dict[Entry, Any]:
    """What a response shows at those entries of a case where it is wrong."""
    return {entry: seen for entry, seen in observe(case, response).items() if _is_wrong(case, entry, seen)}


def _is_wrong(case: CaseKey, entry: Entry, seen: Any) -> bool:
    if isinstance(seen, Failure):
        return True
    if entry.aspect == "inputs":
        return bool(seen)
    expected = case.expected[entry.output]
    if entry.aspect == "dtype":
        return isinstance(expected, torch.Tensor) and seen != str(expected.dtype).removeprefix("torch.")
    return compare(seen, expected, case.tolerance) is not None


def _in_float64(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(torch.float64) if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: _in_float64(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_in_float64(item) for item in value)
    return value


def _first_dtype(value: Any) -> torch.dtype | None:
    """The floating dtype of the inputs: results keep it (a convention of every exercise)."""
    if isinstance(value, torch.Tensor):
        return value.dtype if value.is_floating_point() else None
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((dtype for item in items if (dtype := _first_dtype(item)) is not None), None)


def _back(value: Any, dtype: torch.dtype | None) -> Any:
    """Expected values in the dtype that the student's result should have."""
    if isinstance(value, torch.Tensor):
        return value.to(dtype) if dtype is not None and value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: _back(item, dtype) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_back(item, dtype) for item in value)
    return value
