"""What an exercise is: one file from which check, grader, report and tests all follow.

A file of a course's `exercises/` folder reads from top to bottom like this (CONTRIBUTING.md has the whole of it):

    exercise = Exercise("horizontal-flip", "random_horizontal_flip(x, p, u)", returns="y", forbidden=LIBRARY_FLIPS)
    MIRRORS = exercise.criterion("mirrors left and right", 1, cases="all*")
    DECIDES = exercise.criterion("decides for every example by its own u", 0.5, cases="some*")

    @exercise.cases
    def cases(g):
        yield "all, by hand", dict(x=numbered(2, 2, 2, 3), p=1.0, u=tensor([0.1, 0.9]))

    @exercise.reference
    def by_loops(x, p, u): ...

    @exercise.right
    def gather(x, p, u): ...

    @exercise.wrong(loses=MIRRORS, costs=0.5)
    def upside_down(x, p, u):
        '''The images stand on their heads: the rows were reversed. ...'''

A mistake is a function: its name is the slug, its docstring is the hint that the student reads, and what it is about
and what it costs stand beside it.  What follows from it (other criteria whose values it spoils) is not written down,
and not charged again.  The conventions of the course (dtype and device kept, inputs left alone) are criteria of every
exercise and are written nowhere: a file says only why one of them does not apply.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import torch

from autograder.errors import CourseError
from course_lib.checking.comparison import agrees
from course_lib.checking.drivers import STRIDED, attempt, can_change, cast, floating_dtype, run_case
from course_lib.checking.keys import (
    Aspect,
    CaseKey,
    CriterionKey,
    Entry,
    ExerciseKey,
    Failure,
    MisconceptionKey,
    Response,
    respond,
)
from course_lib.checking.values import as_sent, unsupported_in
from course_lib.checking.verdict import Verdict, judge, observe

__all__ = ["CONVENTION", "Case", "Criterion", "Exercise", "Misconception", "generator", "one_of", "wrong_entries"]

CONVENTION = 0.25
"""Points for each convention of the course that is kept."""

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
    """Points given together when all selected values are right.

    Attributes:
        title: what is asked, as a phrase ("normalizes over the batch"); its slug is the stable key.
        cases: names of the cases looked at; all by default.  A name ending in ``*`` is a prefix.
        outputs: names of the outputs looked at; all by default.
    """

    title: str
    points: float
    cases: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None

    @property
    def slug(self) -> str:
        """The title as an identifier: its letters and digits, of any script."""
        return re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", self.title).lower()).strip("-")

    def entries(self, cases: Mapping[str, tuple[str, ...]]) -> tuple[Entry, ...]:
        """The entries this criterion selects.

        Args:
            cases: case name -> names of its outputs.
        """
        return tuple(
            Entry(name, output)
            for name, outputs in cases.items()
            if self.cases is None or any(_matches(name, pattern) for pattern in self.cases)
            for output in outputs
            if self.outputs is None or output in self.outputs
        )


def _matches(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


@dataclass(frozen=True)
class Convention:
    """A criterion that the machine adds to every exercise.

    Attributes:
        points: what it is worth; 0 where it is not asked for.
        why_not: why it is not asked for.
    """

    title: str
    points: float
    why_not: str = ""

    @property
    def slug(self) -> str:
        """The title as an identifier."""
        return Criterion(self.title, self.points).slug


@dataclass(frozen=True)
class Misconception:
    """A known wrong implementation.

    Attributes:
        slugs: stable key; two for two mistakes made together.
        wrong: the wrong function (for the exercise's first name), or a namespace of several.
        hints: what was probably done and why it is wrong, for each slug; never the answer's code.
        loses: the criteria it is about.
        prices: what a person would take off, for each slug.
    """

    slugs: tuple[str, ...]
    wrong: Answer
    hints: tuple[str, ...]
    loses: tuple[Criterion, ...]
    prices: tuple[float, ...]

    @property
    def costs(self) -> float:
        """What is taken off in all."""
        return sum(self.prices)

    @property
    def slug(self) -> str:
        """The slugs in one word."""
        return "+".join(self.slugs)


class Exercise:
    """One graded exercise, put together by the decorators of its file.

    Args:
        id: the `grade_id` of its test cell.
        defines: signatures of what the student defines, ``"f(x, eps)"`` or ``"class Layer(num_features)"``.
        returns: name of what the function returns, or names if it returns several values.
        forbidden: operations that may not run (`course_lib.checking.watch` says how they are written).
        dtype: points for keeping dtype and device, or the reason why that is not asked.
        inputs: points for leaving the inputs alone, or the reason why that is not asked.
        layout: points for taking tensors that are not contiguous in memory, where cases have such; without points an
            answer that does not take them gets a remark.
        tells: whether a card may say what is expected; not where that is all there is to find out.
        observes: outputs that its drivers can only observe in the student's process and that do not depend on the seed;
            they earn points in cases where another output is right (or that of a known mistake).

    Attributes:
        criteria: what points are given for, in the order of the card; the conventions come after them.
        misconceptions: what is recognized by name; common ones come first.
        right_answers: right but unusual implementations; the tests hold that they get full marks.
        reference_answer: the right function, or a namespace of several; called with float64 inputs.
    """

    reference_answer: Answer

    def __init__(
        self,
        id: str,
        *defines: str,
        returns: str | tuple[str, ...] = "result",
        forbidden: tuple[str, ...] = (),
        dtype: float | str = CONVENTION,
        inputs: float | str = CONVENTION,
        layout: float = 0.0,
        tells: bool = True,
        observes: tuple[str, ...] = (),
    ) -> None:
        self.id = id
        self.defines = defines
        self.returns = (returns,) if isinstance(returns, str) else returns
        self.forbidden = forbidden
        self.tells = tells
        self.observes = frozenset(observes)
        self.conventions: dict[Aspect, Convention] = {
            "dtype": _convention("keeps dtype and device", dtype),
            "inputs": _convention("leaves its inputs unchanged", inputs),
            "layout": _convention("accepts any memory layout", layout),
        }
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
    ) -> Criterion:
        """Add a criterion (see `Criterion`); a single case or output need not be a tuple."""
        made = Criterion(title, points, _names(cases), _names(outputs))
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
        self,
        *,
        loses: Criterion | tuple[Criterion, ...],
        costs: float | None = None,
        of: str | None = None,
        hint: str = "",
    ) -> Callable[[T], T]:
        """A known mistake: its name is the slug, its docstring the hint.

        Args:
            loses: the criteria it is about, which it loses on every seed; others that it spoils follow from it.
            costs: the points that a person would take off; by default those of `loses`, or all if these are all
                criteria.
            of: which of the exercise's names it stands for; the first one by default.
            hint: in place of the docstring, for a hint that several exercises share.
        """

        def add(answer: T) -> T:
            slug = _words(answer).replace(" ", "-")
            text = hint or inspect.cleandoc(getattr(answer, "__doc__", None) or "")
            lost = (loses,) if isinstance(loses, Criterion) else loses
            price = (
                (self.points if set(lost) == set(self.criteria) else sum(c.points for c in lost))
                if costs is None
                else costs
            )
            self._add((slug,), (" ".join(text.split()),), lost, (price,), answer, of)
            return answer

        return add

    def both(self, *mistakes: Any, costs: float | None = None, of: str | None = None) -> Callable[[T], T]:
        """Two known mistakes made together, where the two touch the same numbers; both are named.

        Args:
            mistakes: the decorated functions.
            costs: the sum of theirs by default.
        """

        def add(answer: T) -> T:
            parts = [self._known(mistake) for mistake in mistakes]
            slugs = tuple(slug for part in parts for slug in part.slugs)
            hints = tuple(hint for part in parts for hint in part.hints)
            lost = tuple(dict.fromkeys(criterion for part in parts for criterion in part.loses))
            own = [price for part in parts for price in part.prices]
            price = min(sum(own) if costs is None else costs, self.points)
            self._add(slugs, hints, lost, _shared(own, price), answer, of)
            return answer

        return add

    def also(self, mistake: Any, *, of: str | None = None) -> Callable[[T], T]:
        """Another way to a known mistake, which gives other numbers: same name, same hint, same price."""

        def add(answer: T) -> T:
            known = self._known(mistake)
            self._add(known.slugs, known.hints, known.loses, known.prices, answer, of)
            return answer

        return add

    def _known(self, mistake: Any) -> Misconception:
        slug = _words(mistake).replace(" ", "-")
        return next(known for known in self.misconceptions if known.slugs == (slug,))

    def _add(
        self,
        slugs: tuple[str, ...],
        hints: tuple[str, ...],
        loses: tuple[Criterion, ...],
        prices: tuple[float, ...],
        answer: Any,
        of: str | None,
    ) -> None:
        found = self._answer(answer) if of is None else {of: answer}
        self.misconceptions.append(Misconception(slugs, found, hints, loses, prices))

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
        return sum(criterion.points for criterion in self.marked)

    @property
    def marked(self) -> list[Criterion | Convention]:
        """All that points are given for, in the order of the card."""
        return [*self.criteria, *(convention for convention in self.conventions.values() if convention.points)]

    def lack(self) -> str:
        """What its file does not say yet, in words; empty if it is whole."""
        if self._draw is None:
            return "no cases: decorate a generator with @exercise.cases"
        if not hasattr(self, "reference_answer"):
            return "no reference: decorate a right answer with @exercise.reference"
        if not self.criteria:
            return "no criteria: exercise.criterion(title, points)"
        if mixed_up := self._mixed_up():
            return mixed_up
        bare = [m.slug for m in self.misconceptions if not all(m.hints)]
        return f"no hint for {bare[0]}: write it as its docstring" if bare else ""

    def _mixed_up(self) -> str:
        """Which criteria could not be told apart in marks and reports; empty if all can."""
        known: dict[str, str] = {}
        for criterion in self.marked:
            slug, title = criterion.slug, criterion.title
            if not slug:
                return f"the criterion {title!r} has no letter or digit in its title, so it has no key: say it in words"
            if slug in known:
                both = f"the criteria {known[slug]!r} and {title!r}"
                return f"{both} have the same key {slug!r}: let letters or digits of their titles differ"
            known[slug] = title
        return ""

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
        cases = tuple(self._case_key(name, case) for name, case in self.draw(generator(self.id, seed)).items())
        outputs = {case.name: case.outputs for case in cases}
        self._require_known_names(outputs)
        criteria = [CriterionKey(c.slug, c.title, c.points, c.entries(outputs)) for c in self.criteria]
        for aspect, convention in self.conventions.items():
            if convention.points:
                entries = tuple(entry for case in cases for entry in _of_convention(aspect, case))
                criteria.append(CriterionKey(convention.slug, convention.title, convention.points, entries))
        key = ExerciseKey(self.id, self.defines, cases, tuple(criteria), (), self.forbidden, self.tells, self.observes)
        return self.with_misconceptions(key) if diagnose else key

    def _require_known_names(self, outputs: Mapping[str, tuple[str, ...]]) -> None:
        """A criterion that looks at nothing would be given to everybody.

        Args:
            outputs: case name -> names of its outputs.
        """
        known = sorted({output for some in outputs.values() for output in some})
        for criterion in self.criteria:
            lacks = [p for p in criterion.cases or () if not any(_matches(name, p) for name in outputs)]
            odd = [output for output in criterion.outputs or () if output not in known]
            where = f"{self.id}, criterion {criterion.title!r}"
            if lacks:
                there = ", ".join(map(repr, outputs))
                raise CourseError(f"{where}: there is no case {lacks[0]!r}", f"its cases are {there}")
            if odd:
                there = ", ".join(map(repr, known))
                raise CourseError(f"{where}: there is no output {odd[0]!r}", f"its outputs are {there}")
            if not criterion.entries(outputs):
                message = f"{where} looks at nothing: none of its cases has one of its outputs"
                raise CourseError(message, "choose cases and outputs that go together")

    def with_misconceptions(self, key: ExerciseKey) -> ExerciseKey:
        """The same key with the footprints of all misconceptions on its cases, as data."""
        found = tuple(
            MisconceptionKey(
                suspect.slugs,
                suspect.hints,
                suspect.loses,
                suspect.prices,
                {entry: seen for case in key.cases for entry, seen in suspect.at(case).items()},
            )
            for suspect in self._suspects
        )
        return dataclasses.replace(key, misconceptions=found)

    def with_suspects(self, key: ExerciseKey, *, remember: bool = False) -> ExerciseKey:
        """The same key with misconceptions that are run only as far as a diagnosis asks.

        Args:
            remember: what they gave, for a key with which many answers are judged.
        """
        suspects = tuple(dataclasses.replace(s, seen={}) for s in self._suspects) if remember else self._suspects
        return dataclasses.replace(key, misconceptions=suspects)

    @cached_property
    def _suspects(self) -> tuple[_Suspect, ...]:
        return tuple(_Suspect(self, misconception) for misconception in self.misconceptions)

    def _case_key(self, name: str, case: Case) -> CaseKey:
        function = case.function or self.names[0]
        outputs = case.outputs or self.returns
        inputs64 = cast(dict(case.inputs), torch.float64)
        for given, value in case.inputs.items():
            odd = "an iterator" if isinstance(value, Iterator) else unsupported_in(value)
            if odd is not None:
                message = f"the input {given!r} of {self.id}, case {name!r}, is {odd}, which cannot be handed over"
                raise CourseError(message, _CAN_TRAVEL)
        raw, _ = attempt(self._reference_namespace, function, case.driver, inputs64)
        response = respond(as_sent(raw))
        key = CaseKey(name, function, case.driver, case.inputs, outputs, {}, case.tolerance)
        seen = observe(key, response)
        dtype = floating_dtype(case.inputs)
        expected = {output: seen[Entry(name, output)] for output in outputs}
        failed = [value for value in expected.values() if isinstance(value, Failure)]
        if failed:
            message = f"the reference of {self.id} fails on case {name!r}: {failed[0].message}"
            raise CourseError(message, "a case gives the inputs in the order of the parameters, tensors as float64")
        if (odd := unsupported_in(expected)) is not None:
            raise CourseError(
                f"the reference of {self.id} returns {odd} on case {name!r}, which is not read", _CAN_TRAVEL
            )
        expected = expected if dtype is None else cast(expected, dtype)
        return dataclasses.replace(key, expected=expected, returns=response.returned)

    def footprint(self, misconception: Misconception, case: CaseKey) -> dict[Entry, Any]:
        """What a misconception gives at the entries of a case where it is wrong."""
        with _unwarned():  # only values are asked for, so nobody compares its inputs with those that it was given
            raw, _ = attempt(self.namespace(misconception.wrong), case.function, case.driver, case.inputs)
        return wrong_entries(case, respond(as_sent(raw)))

    def respond(self, what: Answer, case: CaseKey) -> Response:
        """Put a reference or a wrong answer through a case, as a student's answer is."""
        with _unwarned():
            raw = run_case(self.namespace(what), case.function, case.driver, case.inputs, returns=case.returns)
            return respond(as_sent(raw))

    def verdict(self, what: Answer, key: ExerciseKey) -> Verdict:
        """The verdict on an answer."""
        return judge(key, {case.name: self.respond(what, case) for case in key.cases})

    @cached_property
    def _reference_namespace(self) -> dict[str, Any]:
        return self.namespace(self.reference_answer)


@contextmanager
def _unwarned() -> Iterator[None]:
    """Whoever grades need not hear what a wrong answer is warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _names(chosen: str | tuple[str, ...] | None) -> tuple[str, ...] | None:
    return (chosen,) if isinstance(chosen, str) else chosen


def _words(answer: Any) -> str:
    """The name of a function or class in words: ``divides_by_variance`` and ``DividesByVariance`` are the same."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", answer.__name__).strip("_").lower()
    return name.replace("_", " ")


@dataclass(frozen=True)
class _Suspect:
    """A misconception of an exercise, run on a case when asked (see `course_lib.checking.verdict.Suspect`).

    Attributes:
        seen: what it gave, by case, where one key judges many answers.
    """

    exercise: Exercise
    misconception: Misconception
    seen: dict[str, dict[Entry, Any]] | None = None

    @property
    def slugs(self) -> tuple[str, ...]:
        return self.misconception.slugs

    @property
    def hints(self) -> tuple[str, ...]:
        return self.misconception.hints

    @property
    def prices(self) -> tuple[float, ...]:
        return self.misconception.prices

    @cached_property
    def loses(self) -> frozenset[str]:
        return frozenset(criterion.slug for criterion in self.misconception.loses)

    def at(self, case: CaseKey) -> dict[Entry, Any]:
        if self.seen is None:
            return self.exercise.footprint(self.misconception, case)
        if case.name not in self.seen:
            self.seen[case.name] = self.exercise.footprint(self.misconception, case)
        return self.seen[case.name]


def wrong_entries(case: CaseKey, response: Response) -> dict[Entry, Any]:
    """What a response shows at those values of a case where it is wrong."""
    return {
        entry: seen
        for entry, seen in observe(case, response).items()
        if entry.aspect == "value"
        and (isinstance(seen, Failure) or not agrees(seen, case.expected[entry.output], case.tolerance))
    }


def _convention(title: str, asked: float | str) -> Convention:
    return Convention(title, 0.0, asked) if isinstance(asked, str) else Convention(title, asked)


def _shared(prices: list[float], total: float) -> tuple[float, ...]:
    """Prices that add up to a total, in quarter points, in proportion as far as that goes."""
    if total == sum(prices):
        return tuple(prices)
    parts, left = [], total
    for place, price in enumerate(prices[:-1]):
        share = round(4 * left * price / sum(prices[place:])) / 4
        parts.append(min(share, left))
        left -= parts[-1]
    return (*parts, left)


_CAN_TRAVEL = (
    "inputs and results are None, True, numbers, text, tensors, NumPy arrays, "
    "and lists, tuples, sets and dicts of these"
)


def _of_convention(aspect: Aspect, case: CaseKey) -> Iterator[Entry]:
    """Where a convention can show in a case."""
    inputs = dict(case.inputs)
    if aspect == "inputs" and any(map(can_change, inputs.values())):
        yield Entry(case.name, "", "inputs")
    if aspect == "layout" and case.driver.endswith(STRIDED):
        yield Entry(case.name, "", "layout")
    if aspect == "dtype" and floating_dtype(inputs) is not None:
        for output, expected in case.expected.items():
            if isinstance(expected, torch.Tensor) and expected.is_floating_point():
                yield Entry(case.name, output, "dtype")
