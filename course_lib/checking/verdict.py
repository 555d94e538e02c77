"""From what a student's code returned to a verdict: criteria, named mistakes, points, reasons.

`judge` is a pure function of an `ExerciseKey` (inputs, expected values, wrong values) and of the responses to its
cases.  The instant check uses it with the key that ships with the course, the grader with a key made from a fresh
secret seed, outside the process in which the student's code ran.

How points are given, as a fair person would:

- A criterion about values is right where every value it looks at is right.
- Where all that is wrong with it is what a known mistake gives, the mistake is charged once, at its own price.  What it
  is about is lost; what merely follows from it is *not judged*.
- Right numbers in another arrangement (a shape, a list, an order) are one slip, also beside known mistakes
  (`arrangement`).
- What can only be observed in the student's process counts in cases where a value is right or explained; elsewhere it
  is not judged, and earns nothing.
- Conventions (dtype and device, inputs left alone, any memory layout) are judged on the calls whose values are right or
  those of a known mistake, if at least half of the points for values were earned or all that is wrong is known.
  Otherwise they are not judged, and earn nothing: nobody is praised for the tidiness of a wrong answer.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from course_lib.checking.arrangement import COSTS, Arranged, arranged
from course_lib.checking.comparison import Mismatch, agrees, compare, describe, dtype_of
from course_lib.checking.drivers import called
from course_lib.checking.expected_numbers import Compared
from course_lib.checking.keys import (
    CaseKey,
    CriterionKey,
    Entry,
    ExerciseKey,
    Failure,
    Footprint,
    MisconceptionKey,
    Response,
    Suspect,
)
from course_lib.checking.likeness import Look, likeness
from course_lib.checking.shapes import ARRANGEMENT_SLIPS
from course_lib.checking.values import Unsupported

__all__ = ["CONVENTION_SLIPS", "CriterionResult", "Named", "State", "Verdict", "judge", "observe"]

State = Literal["right", "lost", "not judged"]

_COARSE = ("float16", "bfloat16")
_BY_HAND = 30
"""A first case with no more numbers than these is the one to show."""
_NOT_RUN = Response(failure=Failure("not-run", "was not run"))


@dataclass(frozen=True)
class CriterionResult:
    """One criterion, and for one that is not right the smallest case that shows why."""

    criterion: CriterionKey
    state: State
    entry: Entry | None = None
    mismatch: Mismatch | None = None

    @property
    def holds(self) -> bool:
        """Whether it is right."""
        return self.state == "right"


class Named(NamedTuple):
    """A mistake that was recognized.

    Attributes:
        outputs: where it shows, if not in everything that the call returns: its name claims no more.
        costs: points taken off for it.
    """

    slug: str
    hint: str
    outputs: tuple[str, ...] = ()
    costs: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """The judgement of one exercise.

    Attributes:
        misconceptions: the mistakes that were recognized.
        score: the points.
        failure: set when no call at all gave a value: the reason of the first.
        banned: forbidden operations that ran, for which the points are withheld.
        unsteady: cases in which two calls with the same inputs gave different results.
        remarks: what is worth saying and costs nothing.
        observed: what the responses show at each entry.
        explained: the entries at which a recognized mistake shows.
        wrong: the entries that are wrong, and how.
        responses: what came back, by case.
        compared: the numbers that were observed beside those that are expected.
    """

    key: ExerciseKey
    results: tuple[CriterionResult, ...]
    misconceptions: tuple[Named, ...] = ()
    score: float = 0.0
    failure: Failure | None = None
    banned: tuple[str, ...] = ()
    unsteady: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    observed: Mapping[Entry, Any] = field(default_factory=dict, repr=False)
    wrong: Mapping[Entry, Mismatch] = field(default_factory=dict, repr=False)
    explained: frozenset[Entry] = field(default=frozenset(), repr=False)
    responses: Mapping[str, Response] = field(default_factory=dict, repr=False)
    compared: Compared | None = field(default=None, repr=False)

    @property
    def passed(self) -> bool:
        """Whether every criterion holds."""
        return all(result.holds for result in self.results)

    def case_of(self, entry: Entry) -> CaseKey:
        """The case that an entry belongs to."""
        return next(case for case in self.key.cases if case.name == entry.case)

    @cached_property
    def likeness(self) -> str:
        """The nearest true sentence about what is wrong and has no name; empty if there is none."""
        values = [entry for entry in self.observed if entry.aspect == "value"]
        if any(isinstance(self.observed[entry], Failure) for entry in values):
            return ""  # what holds of the calls that gave a value may be untrue of the others
        looks = []
        for case in self.key.cases:
            known = {name: value for name, value in _flat(case.inputs) if name in self.key.parameters}
            for output in case.outputs:
                entry = Entry(case.name, output)
                told = self.wrong[entry].reason if entry in self.wrong else ""
                shapeless = told.startswith(_YOURS) and not isinstance(self.observed[entry], torch.Tensor)
                if entry not in self.explained and self.observed[entry] is not None and not shapeless:
                    seen, expected = self.observed[entry], case.expected[output]
                    name = called(case.driver, output)
                    looks.append(Look(case.name, name, known, seen, expected, bool(told), case.tolerance))
        return likeness(looks) if any(look.wrong for look in looks) else ""


def _flat(inputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in inputs.items():
        yield from value.items() if isinstance(value, dict) else ((name, value),)


# --- what the responses show


def observe(case: CaseKey, response: Response) -> dict[Entry, Any]:
    """What a response shows at each entry of a case: a value, a dtype in words, changed inputs, or a `Failure`."""
    if response.failure is not None:
        return dict.fromkeys(_entries(case), response.failure)
    outputs = _split(case, response.result)
    if isinstance(outputs, Failure):
        return dict.fromkeys(_entries(case), outputs)
    places = case.places
    observed: dict[Entry, Any] = {places.inputs: response.changed}
    observed[places.layout] = "contiguous" not in response.eased
    for name, value, dtype in places.outputs:
        observed[value] = outputs[name]
        observed[dtype] = _dtype_in_words(outputs[name], response)
    return observed


def _entries(case: CaseKey) -> list[Entry]:
    of_outputs = [entry for _, *both in case.places.outputs for entry in both]
    return [*of_outputs, case.places.inputs, case.places.layout]


def _split(case: CaseKey, result: Any) -> dict[str, Any] | Failure:
    names = case.outputs
    if case.driver != "call" and isinstance(result, dict) and set(result) == set(names):
        return result
    if case.driver != "call" and isinstance(result, dict) and set(result) & set(names):
        return {name: result.get(name, Failure("missing-output", f"{name!r} is missing")) for name in names}
    if len(names) == 1:
        return {names[0]: result}
    if isinstance(result, torch.Tensor | np.ndarray) and result.ndim and len(result) == len(names):
        result = list(result)  # as good as a tuple to whoever unpacks it
    if isinstance(result, tuple | list) and len(result) == len(names):
        return dict(zip(names, result, strict=True))
    missing = " (is a `return` missing?)" if result is None else ""
    wanted = f"{len(names)} values, {', '.join(f'`{name}`' for name in names)}"
    return Failure("wrong-number", f"your function returned {describe(result)}{missing} and should return {wanted}")


def _dtype_in_words(value: Any, response: Response) -> str:
    dtype = dtype_of(value)
    if dtype is None:
        return "a NumPy array" if isinstance(value, np.ndarray) else ""
    if not response.eased and not response.device:
        return _name_of(dtype)
    only = next((word for word in response.eased if word in ("float32", "float64")), "")
    name = f"only {only}" if only else _name_of(dtype)
    return name + (f" on {response.device}" if response.device else "")


@functools.cache
def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _mismatch(case: CaseKey, entry: Entry, seen: Any, response: Response, *, surely_right: bool) -> Mismatch | None:
    if isinstance(seen, Failure):
        return Mismatch(seen.message or seen.kind)
    if entry.aspect == "inputs":
        were = "was" if len(seen) == 1 else "were"
        return Mismatch(f"the caller's own {_listed(seen)} {were} overwritten") if seen else None
    if entry.aspect == "layout":
        return None if seen else Mismatch(_NOT_CONTIGUOUS.format(response.obstacle))
    expected = case.expected[entry.output]
    if entry.aspect == "dtype":
        return _dtype_mismatch(seen, expected, response)
    mismatch = None if surely_right else compare(seen, expected, case.tolerance)
    if mismatch is None:
        return _second_call(case, entry, response)
    another = response.returned != case.returns and bool(response.returned and case.returns)
    if another and (_is_another_kind(seen, expected) or _are_more_or_fewer(response.returned, case.returns)):
        return Mismatch(_of_the_function(response.returned, case.returns), got=mismatch.got, expected=expected)
    return mismatch


def _is_another_kind(seen: Any, expected: Any) -> bool:
    """Whether a value is wrong as a thing, and not as a number."""
    if isinstance(expected, torch.Tensor):
        return not isinstance(seen, torch.Tensor) or seen.shape != expected.shape
    numbers = isinstance(seen, bool | int | float) and isinstance(expected, bool | int | float)
    return not numbers and type(seen) is not type(expected)


def _are_more_or_fewer(returned: str, expected: str) -> bool:
    """Whether another number of things was returned than should be, told by the words for two tensors."""
    one, other = _ROWS.fullmatch(returned), _ROWS.fullmatch(expected)
    return bool(one and other and one[2] == other[2] and one[1] != other[1])


def _of_the_function(returned: str, expected: str) -> str:
    """What the student's function returned and what it should, where a driver looks at parts of it only."""
    if returned == "None":
        returned = "None (is a `return` missing?)"
    elif (many := _MANY.search(returned)) and expected == describe(torch.empty(_stacked(many), device="meta")):
        returned += " (`torch.stack` makes one tensor of them)"
    return f"{_YOURS} {returned} and should return {expected}"


_YOURS = "your function returned"
_ROWS = re.compile(r"a tensor of shape \((\d+)(, [\d, ]+)\)")
_MANY = re.compile(r" of (\d+) tensors? of shape \(([\d, ]*)\)$")


def _stacked(many: re.Match[str]) -> tuple[int, ...]:
    """The shape of one tensor made of so many."""
    return int(many[1]), *map(int, re.findall(r"\d+", many[2]))


_NOT_CONTIGUOUS = (
    "with an input that is not contiguous in memory the call fails ({}); with the same numbers in contiguous memory "
    "it works"
)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _dtype_mismatch(seen: str, expected: Any, response: Response) -> Mismatch | None:
    # A Python number has no dtype: it takes that of whatever it is used with.
    if not isinstance(expected, torch.Tensor) or not expected.is_floating_point() or not seen:
        return None
    wanted = str(expected.dtype).removeprefix("torch.")
    if seen.startswith("only "):
        words = seen.removeprefix("only ").partition(" ")[0]
        return Mismatch(f"with {wanted} inputs the call fails ({response.obstacle}); with {words} inputs it works")
    name, _, device = seen.partition(" on ")
    if name != wanted:
        return Mismatch(f"{{it}} is {name}, its inputs are {wanted if name[0] != 'a' else 'tensors'}")
    return Mismatch(f"{{it}} lies on the {device}, its inputs do not") if device else None


def _second_call(case: CaseKey, entry: Entry, response: Response) -> Mismatch | None:
    """Where the first call happened to be right and a second one, with the same inputs, is wrong."""
    if response.again is None:
        return None
    seen = observe(case, response.again).get(entry)
    if isinstance(seen, Failure) or not agrees(seen, case.expected[entry.output], case.tolerance):
        return Mismatch("a second call with the same inputs does not give the same result")
    return None


# --- the verdict


def judge(key: ExerciseKey, responses: Mapping[str, Response]) -> Verdict:
    """Judge the responses to an exercise's cases; a case without a response counts as not run."""
    answers = {case.name: responses.get(case.name, _NOT_RUN) for case in key.cases}
    shown = [(case, answers[case.name], observe(case, answers[case.name])) for case in key.cases]
    observed: dict[Entry, Any] = {}
    for _, _, part in shown:
        observed |= part
    compared = key.expected.compared(observed)
    right = compared.surely_right
    wrong: dict[Entry, Mismatch] = {}
    for case, answer, part in shown:
        if _is_all_right(case, answer, right):
            continue
        for entry, seen in part.items():
            mismatch = _mismatch(case, entry, seen, answer, surely_right=entry in right)
            if mismatch is not None:
                wrong[entry] = mismatch
    failures = [answer.failure for answer in answers.values()]
    rearranged = {
        case.name: Arranged(answer.slip, observe(case, answer.arranged))
        for case, answer, _ in shown
        if answer.arranged is not None
    }
    marks = _Marks(key, observed, wrong, rearranged)
    banned = tuple(dict.fromkeys(name for answer in answers.values() for name in answer.used))
    results = tuple(marks.result(criterion) for criterion in key.criteria)
    if banned:
        results = tuple(CriterionResult(result.criterion, "not judged") for result in results)
    return Verdict(
        key,
        results,
        marks.named,
        0.0 if banned else marks.score,
        failures[0] if all(failure is not None for failure in failures) else None,
        banned,
        tuple(case.name for case in key.cases if marks.wrong_values and _is_unsteady(case, answers[case.name])),
        marks.remarks(answers.values()),
        observed,
        wrong,
        frozenset(marks.explained),
        answers,
        compared,
    )


def _is_all_right(case: CaseKey, answer: Response, right: frozenset[Entry]) -> bool:
    """Whether nothing at all can be wrong with an answer, as with most: values, dtypes, device, inputs, layout."""
    odd = answer.failure or answer.again or answer.changed or answer.eased or answer.device
    return not odd and all(value in right for _, value, _ in case.places.outputs)


def _is_unsteady(case: CaseKey, response: Response) -> bool:
    if response.again is None or response.failure is not None:
        return False
    once, twice = observe(case, response), observe(case, response.again)
    return any(not _same(once[entry], twice[entry], case.tolerance) for entry in once if entry.aspect == "value")


class _Marks:
    """Points and states, worked out from what is wrong."""

    def __init__(
        self,
        key: ExerciseKey,
        observed: Mapping[Entry, Any],
        wrong: Mapping[Entry, Mismatch],
        rearranged: Mapping[str, Arranged],
    ) -> None:
        self.key, self.observed, self.wrong = key, observed, wrong
        values = [criterion for criterion in key.criteria if not criterion.is_convention]
        self._conventions = [criterion for criterion in key.criteria if criterion.is_convention]
        looked_at = (entry for criterion in values for entry in criterion.entries) if wrong else ()
        self.wrong_values = set(wrong).intersection(looked_at)
        lost = [criterion for criterion in values if not self.wrong_values.isdisjoint(criterion.entries)]
        self._found = _mistakes(key, observed, wrong, rearranged, values) if lost else ()
        self.explained = {entry for found in self._found for entry in found.footprint}
        self._unknown = self.wrong_values - self.explained
        self._unfounded = frozenset(self._observed_alone())
        unearned = sum(c.points for c in values if c not in lost and not self._unfounded.isdisjoint(c.entries))
        price = sum(sum(found.prices) for found in self._found)
        price += sum(c.points for c in lost if not self._unknown.isdisjoint(c.entries))
        worth = sum(criterion.points for criterion in lost)
        taken_off = min(worth, price)
        self._judges_conventions = price <= worth and (
            not self._unknown or 2 * (taken_off + unearned) <= sum(criterion.points for criterion in values)
        )
        self._states: dict[int, CriterionResult] = {}
        self._about = frozenset(slug for found in self._found for slug in found.loses)
        earned = sum(c.points for c in self._conventions if self.result(c).holds or self._is_excused(c))
        self.score = sum(criterion.points for criterion in values) - unearned - taken_off + earned

    def _observed_alone(self) -> Iterator[Entry]:
        """What was observed in cases without a value that shows that something was done."""
        for case in self.key.cases if self.key.observes else ():
            observed = [Entry(case.name, name) for name in case.outputs if name in self.key.observes]
            values = [Entry(case.name, name) for name in case.outputs if name not in self.key.observes]
            if all(entry in self.wrong and entry not in self.explained for entry in values):
                yield from observed

    def result(self, criterion: CriterionKey) -> CriterionResult:
        """The state of one criterion."""
        if id(criterion) not in self._states:  # by its content it would take longer than to work it out
            self._states[id(criterion)] = self._result(criterion)
        return self._states[id(criterion)]

    def _result(self, criterion: CriterionKey) -> CriterionResult:
        entries = self._judged(criterion) if criterion.is_convention else list(criterion.entries)
        bad = [entry for entry in entries if entry in self.wrong]
        if not bad:
            nowhere = criterion.is_convention and not criterion.entries and self._judges_conventions
            judged = nowhere or (bool(entries) and self._unfounded.isdisjoint(entries))
            return CriterionResult(criterion, "right" if judged else "not judged")
        unknown = [entry for entry in bad if entry not in self.explained]
        first = self._smallest(unknown or bad)
        follows = not criterion.is_convention and not unknown and criterion.slug not in self._about
        return CriterionResult(criterion, "not judged" if follows else "lost", first, self.wrong[first])

    def _is_excused(self, criterion: CriterionKey) -> bool:
        """Whether a convention could not be judged only because a known mistake stopped what would show it."""
        unknown = {entry.case for entry in self._unknown}
        return (
            self._judges_conventions
            and not self._judged(criterion)
            and all(entry.case not in unknown for entry in criterion.entries)
        )

    def _judged(self, criterion: CriterionKey) -> list[Entry]:
        """The entries of a convention that can be judged."""
        if not self._judges_conventions:
            return []
        values = {entry for entry in self.wrong if entry.aspect == "value"}
        spoiled = {entry.case for entry in values - self.explained}
        spoiled |= {entry.case for entry in values if isinstance(self.observed[entry], Failure)}
        return [entry for entry in criterion.entries if entry.case not in spoiled]

    def _smallest(self, entries: Sequence[Entry]) -> Entry:
        """A first case that can be worked by hand, else the smallest; an exception is the next best."""
        if len(entries) == 1:
            return entries[0]
        size = {case.name: case.size for case in self.key.cases}
        first = self.key.cases[0].name
        size[first] *= size[first] > _BY_HAND
        return min(entries, key=lambda entry: (self.wrong[entry].index is None, size[entry.case]))

    @cached_property
    def named(self) -> tuple[Named, ...]:
        """The recognized mistakes, those about conventions last."""
        found, left = [], self.key.points  # two that cost everything do not cost it twice
        for mistake in self._found:
            for slug, hint, price in zip(mistake.slugs, mistake.hints, mistake.prices, strict=True):
                found.append(Named(slug, hint, self._outputs_of(mistake), min(price, left)))
                left -= found[-1].costs
        for criterion in self._conventions:
            result = self.result(criterion)
            if result.state == "lost" and result.entry is not None:
                slug = self._kind_of_slip(criterion)
                found.append(Named(slug, CONVENTION_SLIPS[slug], self._outputs_of_slip(criterion), criterion.points))
        return tuple({named.slug: named for named in reversed(found)}.values())[::-1]

    def _outputs_of(self, mistake: MisconceptionKey) -> tuple[str, ...]:
        """The outputs in which a mistake shows, if something else is wrong in the others."""
        shows = {entry.output for entry in mistake.footprint}
        others = {entry.output for entry in self.wrong_values - set(mistake.footprint)}
        return tuple(sorted(shows)) if others - shows else ()

    def _outputs_of_slip(self, criterion: CriterionKey) -> tuple[str, ...]:
        """The outputs in which a convention was not kept, if it was in others."""
        judged = self._judged(criterion)
        bad = {entry.output for entry in judged if entry in self.wrong}
        return tuple(sorted(bad)) if {entry.output for entry in judged} - bad else ()

    def _kind_of_slip(self, criterion: CriterionKey) -> str:
        bad = [entry for entry in self._judged(criterion) if entry in self.wrong]
        if bad[0].aspect == "inputs":
            return "input-changed"
        if bad[0].aspect == "layout":
            return "needs-contiguous-memory"
        seen = {self.observed[entry] for entry in bad}
        if all(" on " in words for words in seen):
            return "result-on-another-device"
        if all(words.startswith("only ") for words in seen):
            return f"works-in-{min(seen).split()[1]}-only"
        if seen == {"a NumPy array"}:
            return "numpy-array"
        names = {words.partition(" ")[0] for words in seen}
        return f"always-{names.pop()}" if len(names) == 1 and names <= {"float32", "float64"} else "another-dtype"

    def remarks(self, answers: Iterable[Response]) -> tuple[str, ...]:
        """Inputs that had to be made easier, where no criterion asks for it."""
        asked = {entry.aspect for criterion in self._conventions for entry in criterion.entries}
        eased = {word for answer in answers for word in answer.eased}
        found = [CONVENTION_SLIPS["needs-contiguous-memory"]] if "contiguous" in eased and "layout" not in asked else []
        words = sorted(eased - {"contiguous"})
        coarse = {seen for entry, seen in self.observed.items() if entry.aspect == "dtype" and seen in _COARSE}
        found += [
            f"The result is {name}, which carries few digits: results keep the dtype of the inputs." for name in coarse
        ]
        return (*found, *(CONVENTION_SLIPS[f"works-in-{word}-only"] for word in words if "dtype" not in asked))


_KEEP = "Results keep the dtype of the inputs: look for a conversion, or for a tensor made with the default dtype."
_MADE_INSIDE = (
    "A tensor that is made inside it has a dtype of its own; make new tensors with the dtype of the inputs "
    "(`dtype=x.dtype`), or from an input (`torch.zeros_like`, `x.new_tensor`)."
)
CONVENTION_SLIPS = {
    "always-float32": f"The result is float32 whatever comes in. {_KEEP}",
    "always-float64": f"The result is float64 whatever comes in. {_KEEP}",
    "another-dtype": f"The result has another dtype than the inputs. {_KEEP}",
    "numpy-array": "The result is a NumPy array. Everything here is a torch tensor: "
    "`torch.from_numpy` makes one of an array.",
    "works-in-float32-only": f"Your code works for float32 inputs and fails for float64 ones. {_MADE_INSIDE}",
    "works-in-float64-only": f"Your code works for float64 inputs and fails for float32 ones. {_MADE_INSIDE}",
    "result-on-another-device": "The result lies on another device than the inputs. Make new tensors with "
    "`device=x.device`.",
    "input-changed": "What the caller handed over was overwritten on the way. An operation in place on an argument, "
    "such as an assignment with `-=` or to a part of it, or a method whose name ends in an underscore, does that.",
    "needs-contiguous-memory": "Your answer needs contiguous memory, and a tensor need not have that: after a "
    "transpose or a slice it does not. Use `reshape` where you use `view`. To make such an input yourself: "
    "`x.transpose(0, -1).contiguous().transpose(0, -1)`.",
}
"""What is said of conventions that were not kept: the same in every exercise."""


# --- known mistakes


def _mistakes(
    key: ExerciseKey,
    observed: Mapping[Entry, Any],
    wrong: Mapping[Entry, Mismatch],
    rearranged: Mapping[str, Arranged],
    values: Sequence[CriterionKey],
) -> tuple[MisconceptionKey, ...]:
    """The known mistakes, and a slip of arrangement where with it all is known.

    Args:
        values: the criteria about values.
    """
    found = _diagnose(key, observed, wrong, _lost(values, wrong))
    known = {entry for mistake in found for entry in mistake.footprint}
    if all(entry in known for criterion in values for entry in criterion.entries if entry in wrong):
        return found
    all_wrong = {entry for entry in wrong if entry.aspect == "value"}
    for entries in (all_wrong, all_wrong - known):
        mended = arranged(key.cases, observed, entries, rearranged)
        with_slip = _beside_a_slip(key, observed, wrong, values, mended) if mended is not None else ()
        if with_slip:
            return with_slip
    return found


def _beside_a_slip(
    key: ExerciseKey,
    observed: Mapping[Entry, Any],
    wrong: Mapping[Entry, Mismatch],
    values: Sequence[CriterionKey],
    mended: Arranged,
) -> tuple[MisconceptionKey, ...]:
    """A slip of arrangement and the mistakes beside it; nothing if something unknown is left."""
    still = {entry: mismatch for entry, mismatch in wrong.items() if entry not in mended.values}
    for case in key.cases:
        for output in case.outputs:
            entry = Entry(case.name, output)
            if entry in mended.values:
                mismatch = compare(mended.values[entry], case.expected[output], case.tolerance)
                still |= {entry: mismatch} if mismatch is not None else {}
    beside = _diagnose(key, {**observed, **mended.values}, still, _lost(values, still))
    left = {entry for criterion in values for entry in criterion.entries}.intersection(still)
    if not left.issubset(entry for mistake in beside for entry in mistake.footprint):
        return ()
    touched = [criterion for criterion in values if not mended.values.keys().isdisjoint(criterion.entries)]
    if not touched:  # it costs nothing where no criterion looks
        return beside
    worth = sum(criterion.points for criterion in touched)
    slip = MisconceptionKey(
        (mended.slug,),
        (ARRANGEMENT_SLIPS[mended.slug],),
        frozenset({max(touched, key=lambda criterion: criterion.points).slug}),
        (min(COSTS, worth, sum(criterion.points for criterion in values) / 2),),
        {entry: observed[entry] for entry in mended.values},
    )
    return (*beside, slip)


def _lost(values: Sequence[CriterionKey], wrong: Mapping[Entry, Mismatch]) -> frozenset[str]:
    return frozenset(criterion.slug for criterion in values if any(entry in wrong for entry in criterion.entries))


def _diagnose(
    key: ExerciseKey, observed: Mapping[Entry, Any], wrong: Mapping[Entry, Mismatch], lost: frozenset[str]
) -> tuple[MisconceptionKey, ...]:
    """The known mistakes whose whole footprint the responses show, the widest first, no two on one entry.

    Two mistakes made together are both named when they touch different entries, or where their combination is known.
    """
    if all(isinstance(seen, Failure) for seen in observed.values()):
        return ()
    matching = []
    spoiled = {entry.case for entry in wrong}
    # Most suspects are cleared by the first case where something is wrong, so the others are not asked for.
    cases = sorted(key.cases, key=lambda case: case.name not in spoiled)
    all_wrong = sum(entry.aspect == "value" for entry in wrong)
    for suspect in key.misconceptions:
        footprint = _matching_footprint(suspect, cases, observed, wrong) if suspect.loses <= lost else {}
        if footprint:
            matching.append(MisconceptionKey(suspect.slugs, suspect.hints, suspect.loses, suspect.prices, footprint))
            if len(footprint) == all_wrong and len(suspect.slugs) == 1:
                break  # none that comes later could be wider
    matching.sort(key=lambda mistake: (-len(mistake.footprint), len(mistake.slugs)))
    found: list[MisconceptionKey] = []
    taken: set[Entry] = set()
    for mistake in matching:
        if taken.isdisjoint(mistake.footprint):
            found.append(mistake)
            taken |= set(mistake.footprint)
    return _that_explain(found, key, wrong)


def _that_explain(
    found: Sequence[MisconceptionKey], key: ExerciseKey, wrong: Mapping[Entry, Mismatch]
) -> tuple[MisconceptionKey, ...]:
    """Those that explain, together, all that is wrong with the criteria they are about: a name claims no less."""
    explained = {entry for mistake in found for entry in mistake.footprint}
    unknown = {entry for entry in wrong if entry.aspect == "value"} - explained
    unclear = {criterion.slug for criterion in key.criteria if not unknown.isdisjoint(criterion.entries)}
    kept = [mistake for mistake in found if mistake.loses.isdisjoint(unclear)]
    return tuple(kept) if len(kept) == len(found) else _that_explain(kept, key, wrong)


def _matching_footprint(
    suspect: Suspect, cases: Sequence[CaseKey], observed: Mapping[Entry, Any], wrong: Mapping[Entry, Mismatch]
) -> Footprint:
    """The whole footprint if the responses show it, else nothing.

    A mistake that these cases do not show has no footprint and matches nothing.
    """
    footprint: dict[Entry, Any] = {}
    for case in cases:
        part = suspect.at(case)
        if any(entry not in wrong or not _same(observed[entry], what, case.tolerance) for entry, what in part.items()):
            return {}
        footprint.update(part)
    return {} if _explains_half(footprint, observed) else footprint


def _explains_half(footprint: Footprint, observed: Mapping[Entry, Any]) -> bool:
    """Whether a footprint is exceptions only, and the responses hold more exceptions of these kinds.

    An exception looks like any other of its kind, so it counts as the mistake's only where all of them are explained.
    """
    kinds = {what.kind if isinstance(what, Failure) else None for what in footprint.values()}
    return None not in kinds and any(
        entry.aspect == "value" and isinstance(seen, Failure) and seen.kind in kinds and entry not in footprint
        for entry, seen in observed.items()
    )


def _same(seen: Any, wrong: Any, tolerance: float | None) -> bool:
    if isinstance(seen, Failure) or isinstance(wrong, Failure):
        return isinstance(seen, Failure) and isinstance(wrong, Failure) and seen.kind == wrong.kind
    if isinstance(seen, Unsupported) or isinstance(wrong, Unsupported):
        return bool(seen == wrong)
    return agrees(seen, wrong, tolerance)
