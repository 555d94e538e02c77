"""What an exercise is: one file from which check, grader, report and tests all follow.

A file of a course's `exercises/` folder reads from top to bottom like this (CONTRIBUTING.md has the whole of it):

    exercise = Exercise("horizontal-flip", "random_horizontal_flip(x, p, u)", returns="y", forbidden=LIBRARY_FLIPS)
    MIRRORS = exercise.criterion("mirrors left and right", 1, cases="all*")
    KEEPS = exercise.criterion("keeps the dtype", 0.5, cases="all*", aspect="dtype")

    @exercise.cases
    def cases(g):
        yield "all, by hand", dict(x=numbered(2, 2, 2, 3), p=1.0, u=tensor([0.1, 0.9]))

    @exercise.reference
    def by_loops(x, p, u): ...

    @exercise.right
    def gather(x, p, u): ...

    @exercise.wrong(loses=MIRRORS)
    def upside_down(x, p, u):
        '''The images stand on their heads: the rows were reversed. ...'''

A mistake is a function: its name is the slug, its docstring is the hint that the student reads, and what it loses
stands beside it.  What follows from a wrong value (a dtype that nobody can judge any more) is not written down: it is
derived.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import torch

from autograder.errors import CourseError
from course_lib.checking.comparison import compare
from course_lib.checking.drivers import attempt, run_case
from course_lib.checking.verdict import (
    Aspect,
    CaseKey,
    CriterionKey,
    Entry,
    ExerciseKey,
    Failure,
    MisconceptionKey,
    Response,
    judge,
    observe,
    respond,
)

__all__ = ["Case", "Criterion", "Exercise", "Misconception", "generator", "one_of", "wrong_entries"]

T = TypeVar("T")
Answer = Callable[..., Any] | Mapping[str, Any]
"""An implementation: of the exercise's first name, or a namespace of several."""

Draw = Callable[[torch.Generator], Iterable[tuple[str, "Case | dict[str, Any]"]]]


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
        driver: how it is used, a name in `course_lib.checking.drivers` or, as ``"TOPIC/NAME"``, in a topic's drivers.
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
        title: what is asked, as a phrase ("normalizes over the batch"); its slug is the stable key.
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

    @property
    def is_convention(self) -> bool:
        """Whether it asks nothing about values, only about dtype or inputs."""
        return "value" not in self._aspects

    @property
    def _aspects(self) -> tuple[Aspect, ...]:
        return (self.aspect,) if isinstance(self.aspect, str) else self.aspect

    def entries(self, cases: Mapping[str, tuple[str, ...]]) -> tuple[Entry, ...]:
        """The entries this criterion selects.

        Args:
            cases: case name -> names of its outputs.
        """
        chosen = [name for name in cases if self.cases is None or any(_matches(name, p) for p in self.cases)]
        return tuple(
            Entry(name, output, aspect)
            for aspect in self._aspects
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
        loses: the criteria that it loses by itself; conventions that nobody can judge beside a wrong value follow.
    """

    slug: str
    wrong: Answer
    hint: str
    loses: tuple[Criterion, ...]


class Exercise:
    """One graded exercise, put together by the decorators of its file.

    Args:
        id: the `grade_id` of its test cell.
        defines: signatures of what the student defines, ``"f(x, eps)"`` or ``"class Layer(num_features)"``.
        returns: name of what the function returns, or names if it returns several values.
        forbidden: operations that may not be used, as dotted names (a prefix forbids what is below it) or ``.method``.

    Attributes:
        criteria: what points are given for, in the order of the card.
        misconceptions: what is recognised by name; common ones come first.
        right_answers: right but unusual implementations; the tests hold that they get full marks.
        reference_answer: the right function, or a namespace of several; called with float64 inputs.
    """

    reference_answer: Answer

    def __init__(
        self, id: str, *defines: str, returns: str | tuple[str, ...] = "result", forbidden: tuple[str, ...] = ()
    ) -> None:
        self.id = id
        self.defines = defines
        self.returns = (returns,) if isinstance(returns, str) else returns
        self.forbidden = forbidden
        self.criteria: list[Criterion] = []
        self.misconceptions: list[Misconception] = []
        self.right_answers: dict[str, Answer] = {}
        self._draw: Draw | None = None

    def __repr__(self) -> str:
        return f"Exercise({self.id!r})"

    # --- what an exercise's file says

    def criterion(
        self,
        title: str,
        points: float,
        *,
        cases: str | tuple[str, ...] | None = None,
        outputs: str | tuple[str, ...] | None = None,
        aspect: Aspect | tuple[Aspect, ...] = "value",
    ) -> Criterion:
        """Add a criterion (see `Criterion`); a single case or output need not be a tuple."""
        made = Criterion(title, points, _names(cases), _names(outputs), aspect)
        self.criteria.append(made)
        return made

    def cases(self, draw: Draw) -> Draw:
        """The named cases, drawn from a generator: equal generators give equal cases.

        Decorates a generator function that yields a name and the inputs as a dict, or a `Case`.
        """
        self._draw = draw
        return draw

    def reference(self, answer: T) -> T:
        """The right implementation, independent of the notebook's own; for several names a class that holds them."""
        self.reference_answer = self._answer(answer)
        return answer

    def right(self, answer: T) -> T:
        """A right but unusual implementation, which must get full marks."""
        self.right_answers[_words(answer)] = self._answer(answer)
        return answer

    def wrong(
        self, *, loses: Criterion | tuple[Criterion, ...], of: str | None = None, hint: str = ""
    ) -> Callable[[T], T]:
        """A known mistake: its name is the slug, its docstring the hint.

        Args:
            loses: the criteria that it loses by itself, on every seed.
            of: which of the exercise's names it stands for; the first one by default.
            hint: in place of the docstring, for a hint that several exercises share.
        """

        def add(answer: T) -> T:
            found = self._answer(answer) if of is None else {of: answer}
            slug = _words(answer).replace(" ", "-")
            text = hint or inspect.cleandoc(getattr(answer, "__doc__", None) or "")
            lost = (loses,) if isinstance(loses, Criterion) else loses
            self.misconceptions.append(Misconception(slug, found, " ".join(text.split()), lost))
            return answer

        return add

    def _answer(self, answer: Any) -> Answer:
        """A class that holds some of the exercise's names stands for all of them."""
        members = vars(answer) if isinstance(answer, type) else {}
        return {name: members[name] for name in self.names if name in members} or answer

    # --- what it means

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that the student defines."""
        return tuple(signature.removeprefix("class ").split("(")[0].strip() for signature in self.defines)

    @property
    def points(self) -> float:
        """All points of the exercise."""
        return sum(criterion.points for criterion in self.criteria)

    def lack(self) -> str:
        """What its file does not say yet, in words; empty if it is whole."""
        if self._draw is None:
            return "no cases: decorate a generator with @exercise.cases"
        if not hasattr(self, "reference_answer"):
            return "no reference: decorate a right answer with @exercise.reference"
        if not self.criteria:
            return "no criteria: exercise.criterion(title, points)"
        return next((f"no hint for {m.slug}: write it as its docstring" for m in self.misconceptions if not m.hint), "")

    def namespace(self, what: Answer) -> dict[str, Any]:
        """A reference or a wrong answer as a namespace; names it leaves out come from the reference."""
        if isinstance(what, Mapping) and set(what) <= set(self.names):
            given = dict(what)
        else:
            given = {self.names[0]: what}
        whole = what is self.reference_answer
        return given if whole else {**self.namespace(self.reference_answer), **given}

    def draw(self, g: torch.Generator) -> dict[str, Case]:
        """The named cases that a generator gives."""
        assert self._draw is not None, f"{self.id} has no cases"
        return {name: case if isinstance(case, Case) else Case(case) for name, case in self._draw(g)}

    def make_key(self, seed: object, *, diagnose: bool = True) -> ExerciseKey:
        """Cases and expected outputs for a seed.

        Args:
            seed: anything with a stable `str`; equal seeds give equal keys.
            diagnose: also run every misconception (not needed when the answer turns out right).
        """
        keys = tuple(self._case_key(name, case) for name, case in self.draw(generator(self.id, seed)).items())
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
            message = f"the reference of {self.id} fails on case {name!r}: {failed[0].message}"
            raise CourseError(message, "a case gives the inputs in the order of the parameters, tensors as float64")
        return CaseKey(name, function, case.driver, case.inputs, outputs, expected, case.tolerance)

    def footprint(self, misconception: Misconception, case: CaseKey) -> dict[Entry, Any]:
        """What a misconception gives at the entries of a case where it is wrong."""
        return wrong_entries(case, self.respond(misconception.wrong, case))

    def respond(self, what: Answer, case: CaseKey) -> Response:
        """Put a reference or a wrong answer through a case, as a student's answer is."""
        return respond(run_case(self.namespace(what), case.function, case.driver, case.inputs))

    def lost_by(self, what: Answer, key: ExerciseKey) -> frozenset[str]:
        """Slugs of the criteria that an answer loses on a key, those included that follow from a wrong value."""
        verdict = judge(key, {case.name: self.respond(what, case) for case in key.cases})
        return frozenset(result.criterion.slug for result in verdict.results if not result.holds)

    @cached_property
    def _reference_namespace(self) -> dict[str, Any]:
        return self.namespace(self.reference_answer)


def _names(chosen: str | tuple[str, ...] | None) -> tuple[str, ...] | None:
    return (chosen,) if isinstance(chosen, str) else chosen


def _words(answer: Any) -> str:
    """The name of a function or class in words: ``divides_by_variance`` and ``DividesByVariance`` are the same."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", answer.__name__).strip("_").lower()
    return name.replace("_", " ")


@dataclass(frozen=True)
class _Suspect:
    """A misconception of an exercise, run on a case when asked (see `course_lib.checking.verdict.Suspect`)."""

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
        return frozenset(criterion.slug for criterion in self.misconception.loses)

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
