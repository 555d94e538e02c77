"""Every exercise of every assignment: right answers pass, each wrong one loses what it should and is named."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.exercises import ASSIGNMENTS, Exercise, Misconception
from autograder.exercises.batchnorm import module_mistakes, module_titles
from autograder.exercises.model import wrong_entries
from course_lib.comparison import TOLERANCE
from course_lib.drivers import run_case
from course_lib.values import pack
from course_lib.verdict import (
    CaseKey,
    Entry,
    ExerciseKey,
    Failure,
    Response,
    Verdict,
    judge,
    respond,
)
from tests.learned import LEARNED, said_for

SEEDS = range(50)

Responses = Mapping[str, Mapping[str, Response]]
"""Slug of a mistake -> case -> what it answers."""

ALL = [(assignment, exercise) for assignment, exercises in ASSIGNMENTS.items() for exercise in exercises.values()]
each_exercise = pytest.mark.parametrize("exercise", [pytest.param(e, id=f"{a}-{e.id}") for a, e in ALL])
each_right_answer = pytest.mark.parametrize(
    ("exercise", "name"), [pytest.param(e, name, id=f"{e.id}-{name}") for _, e in ALL for name in e.right]
)
each_misconception = pytest.mark.parametrize(
    ("exercise", "misconception"),
    [pytest.param(e, m, id=f"{e.id}-{m.slug}") for _, e in ALL for m in e.misconceptions],
)
each_of_batchnorm = pytest.mark.parametrize(
    "exercise", [pytest.param(e, id=e.id) for e in ASSIGNMENTS["01_batchnorm"].values()]
)


@functools.cache
def keys(exercise_id: str) -> tuple[ExerciseKey, ...]:
    """The keys of an exercise on all seeds, without the mistakes."""
    return tuple(_exercise(exercise_id).make_key(seed, diagnose=False) for seed in SEEDS)


@functools.lru_cache(maxsize=1)
def all_mistakes(exercise_id: str) -> tuple[tuple[ExerciseKey, Responses], ...]:
    """For each seed the key with all mistakes as suspects, and what each answers; one exercise at a time."""
    return tuple(_with_responses(_exercise(exercise_id), key) for key in keys(exercise_id))


def _with_responses(exercise: Exercise, key: ExerciseKey) -> tuple[ExerciseKey, Responses]:
    """As `Exercise.with_suspects`, but each mistake runs once for all diagnoses."""
    responses = {m.slug: {c.name: exercise.respond(m.wrong, c) for c in key.cases} for m in exercise.misconceptions}
    loses = {s.slug: s.loses for s in exercise.with_suspects(key).misconceptions}
    suspects = tuple(_Recorded(m.slug, m.hint, loses[m.slug], responses[m.slug]) for m in exercise.misconceptions)
    return dataclasses.replace(key, misconceptions=suspects), responses


@dataclasses.dataclass
class _Recorded:
    """A suspect whose answers are known; what is wrong in them is worked out once."""

    slug: str
    hint: str
    loses: frozenset[str]
    responses: Mapping[str, Response]
    footprint: dict[str, dict[Entry, Any]] = dataclasses.field(default_factory=dict)

    def at(self, case: CaseKey) -> dict[Entry, Any]:
        """The part of the footprint that lies in one case."""
        if case.name not in self.footprint:
            self.footprint[case.name] = wrong_entries(case, self.responses[case.name])
        return self.footprint[case.name]


def _exercise(exercise_id: str) -> Exercise:
    return next(exercise for _, exercise in ALL if exercise.id == exercise_id)


def observed(exercise: Exercise, key: ExerciseKey, what: Any) -> Verdict:
    """The verdict on an answer, run as a student's would be."""
    return in_namespace(key, exercise.namespace(what))


def in_namespace(key: ExerciseKey, namespace: Mapping[str, Any]) -> Verdict:
    """The verdict on what a namespace defines."""
    cases = key.cases
    return judge(key, {c.name: respond(run_case(namespace, c.function, c.driver, c.inputs)) for c in cases})


def lost(verdict: Verdict) -> list[str]:
    """Titles of the criteria that do not hold, with the reason."""
    return [r.criterion.title for r in verdict.results if not r.holds]


def why(verdict: Verdict) -> list[str]:
    """The reasons for lost criteria, for the message of a failing test."""
    return [
        f"{r.criterion.title}: {r.entry} {r.mismatch and r.mismatch.reason}" for r in verdict.results if not r.holds
    ]


# --- answers learned by heart


@each_exercise
def test_public_answers_learned_by_heart_earn_nothing(exercise: Exercise) -> None:
    """What `check` shows, said in the same order, meets no criterion of the hidden cases, but for those listed."""
    public = exercise.make_key("public", diagnose=False)
    met: set[str] | None = None
    for number in range(12):
        hidden = exercise.make_key(f"hidden {number}", diagnose=False)
        verdict = judge(
            hidden, {c.name: Response(said_for(known)) for known, c in zip(public.cases, hidden.cases, strict=True)}
        )
        holds = {result.criterion.title for result in verdict.results if result.holds}
        met = holds if met is None else met & holds
    assert met == {title for exercise_id, title in LEARNED if exercise_id == exercise.id}


# --- right answers


@each_exercise
def test_reference_scores_full(exercise: Exercise) -> None:
    """The reference, called as a student's function, gets every point on every seed."""
    for key in keys(exercise.id):
        verdict = observed(exercise, key, exercise.reference)
        assert verdict.score == key.points == exercise.points, why(verdict)
        assert verdict.misconceptions == ()


@each_right_answer
def test_right_but_odd_answer_scores_full(exercise: Exercise, name: str) -> None:
    """Another right way of writing the answer gets every point on every seed."""
    for key in keys(exercise.id):
        verdict = observed(exercise, key, exercise.right[name])
        assert verdict.passed, why(verdict)


# --- answers that are worth nothing


def _stub(*args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError


@each_exercise
def test_stub_scores_nothing(exercise: Exercise) -> None:
    """What the released notebook holds gets no point, no named mistake, and says that it is not implemented."""
    key = keys(exercise.id)[0]
    verdict = in_namespace(key, dict.fromkeys(exercise.names, _stub))
    if all(case.driver != "value" for case in key.cases):
        assert verdict.failure == Failure("NotImplementedError", "not implemented yet")
        assert verdict.misconceptions == ()
    assert verdict.score == 0


@each_exercise
def test_missing_name_scores_nothing(exercise: Exercise) -> None:
    """A notebook that does not define the name gets no point."""
    verdict = in_namespace(keys(exercise.id)[0], {})
    assert verdict.score == 0
    assert verdict.failure is not None
    assert verdict.failure.kind == "missing"


class _IdentityModule(nn.Module):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x


def _echo(first: int, count: int) -> Callable[..., Any]:
    """A function that returns `count` of its own arguments, from number `first` on."""

    def answer(*args: Any) -> Any:
        chosen = [args[(first + i) % len(args)] for i in range(count)] if args else [None] * count
        return chosen[0] if count == 1 else tuple(chosen)

    return answer


def _echoes(exercise: Exercise) -> Iterator[Any]:
    if exercise.defines[0].startswith("class "):
        yield _IdentityModule
        return
    key = keys(exercise.id)[0]
    for first in range(max(len(case.inputs) for case in key.cases)):
        yield _echo(first, len(exercise.returns))
    yield lambda *args: None


@each_exercise
def test_handing_back_the_arguments_scores_nothing(exercise: Exercise) -> None:
    """An answer that computes nothing gets no point."""
    for answer in _echoes(exercise):
        for key in keys(exercise.id)[:10]:
            verdict = in_namespace(key, dict.fromkeys(exercise.names, answer))
            earned = [r.criterion.title for r in verdict.results if r.holds]
            assert earned == []


@each_of_batchnorm
@pytest.mark.parametrize("fill", [0.0, 1.0, math.nan], ids=["zeros", "ones", "nan"])
def test_constant_answer_scores_nothing(exercise: Exercise, fill: float) -> None:
    """An answer of one number throughout gets no point."""
    count = len(exercise.returns)

    def answer(*args: Any) -> Any:
        like = next(arg for arg in args if isinstance(arg, Tensor))
        return torch.full_like(like, fill) if count == 1 else (torch.full_like(like, fill),) * count

    for key in keys(exercise.id)[:10]:
        assert in_namespace(key, dict.fromkeys(exercise.names, answer)).score == 0


# --- wrong answers


@each_misconception
def test_misconception_loses_what_it_should_and_is_named(exercise: Exercise, misconception: Misconception) -> None:
    """A known mistake costs exactly its criteria and is named, alone, on every seed: so no two look the same.

    Where it shows, it exceeds the tolerance ten times, where it does not it stays below half of it: no luck in it.
    """
    for key, responses in all_mistakes(exercise.id):
        verdict = judge(key, responses[misconception.slug])
        assert set(lost(verdict)) == set(misconception.loses), why(verdict)
        assert [found.slug for found in verdict.misconceptions] == [misconception.slug]
    for key, responses in all_mistakes(exercise.id)[:5]:
        seen = judge(key, responses[misconception.slug]).observed
        for case in key.cases:
            for name in case.outputs:
                size = severity(seen[Entry(case.name, name)], case.expected[name], case)
                assert size >= 10 or size <= 0.5, f"{case.name}, {name}: {size:.3g} times the tolerance"


@each_exercise
def test_mistakes_are_named_by_shipped_footprints_and_by_the_grader(exercise: Exercise) -> None:
    """Footprints that ship as data and mistakes that the grader runs when asked lead to the same names."""
    key = keys(exercise.id)[0]
    shipped, lazy = exercise.with_misconceptions(key), exercise.with_suspects(key)
    for misconception in exercise.misconceptions:
        responses = {case.name: exercise.respond(misconception.wrong, case) for case in key.cases}
        for known in (shipped, lazy):
            assert [found.slug for found in judge(known, responses).misconceptions] == [misconception.slug]


def severity(got: Any, expected: Any, case: CaseKey) -> float:
    """The largest deviation in units of the tolerance; infinite for what cannot be compared as numbers."""
    if isinstance(got, tuple | list) and isinstance(expected, tuple | list) and len(got) == len(expected):
        return max((severity(a, b, case) for a, b in zip(got, expected, strict=True)), default=0.0)
    if isinstance(got, dict) and isinstance(expected, dict) and set(got) == set(expected):
        return max((severity(got[name], expected[name], case) for name in expected), default=0.0)
    a, b = _as_tensor(got), _as_tensor(expected)
    if a is None or b is None:
        return 0.0 if type(got) is type(expected) and got == expected else math.inf
    if a.shape != b.shape:
        return math.inf
    if b.numel() == 0:
        return 0.0
    allowed = (
        case.tolerance or max(TOLERANCE.get(a.dtype, 0.0), TOLERANCE.get(b.dtype, 0.0)) or TOLERANCE[torch.float64]
    )
    a, b = a.double(), b.double()
    ratio = (a - b).abs() / (allowed * (b.abs() + (b.abs().max() or 1.0)))
    ratio = torch.where((a == b) | (a.isnan() & b.isnan()), 0.0, ratio.nan_to_num(nan=math.inf))
    return float(ratio.max())


def _as_tensor(value: Any) -> Tensor | None:
    if isinstance(value, Tensor):
        return value.detach()
    return torch.tensor(value, dtype=torch.float64) if isinstance(value, int | float) else None


# --- keys


@each_exercise
def test_equal_seeds_give_equal_keys(exercise: Exercise) -> None:
    """A key depends on the seed and on nothing else, so that grading can be repeated."""
    once, again = exercise.make_key("a", diagnose=False), exercise.make_key("a", diagnose=False)
    assert [pack([c.inputs, c.expected]) for c in once.cases] == [pack([c.inputs, c.expected]) for c in again.cases]
    assert once.criteria == again.criteria


@each_exercise
def test_making_a_key_leaves_the_global_generator_alone(exercise: Exercise) -> None:
    """Cases come from a generator of their own; a student's `manual_seed` neither changes nor is changed by them."""
    before = torch.random.get_rng_state()
    exercise.make_key(3, diagnose=False)
    assert torch.equal(before, torch.random.get_rng_state())


@each_of_batchnorm
def test_other_seeds_give_other_numbers(exercise: Exercise) -> None:
    """The numbers of one submission are of no use to the next."""
    one, other = (exercise.make_key(seed, diagnose=False) for seed in (1, 2))
    for case, same_case in zip(one.cases, other.cases, strict=True):
        assert pack(dict(case.inputs)) != pack(dict(same_case.inputs)), case.name


@each_exercise
def test_keys_can_travel(exercise: Exercise) -> None:
    """Inputs, expected values and wrong values are plain values, which is what the answer data can hold."""
    key = exercise.make_key(0)
    for case in key.cases:
        assert b"a function" not in pack([dict(case.inputs), dict(case.expected)])
    for found in key.misconceptions:
        assert found.slug
        assert found.hint


# --- definitions


@each_exercise
def test_definition_is_consistent(exercise: Exercise) -> None:
    """Titles and slugs are unique, points are halves, everything named exists, every criterion looks at something."""
    titles = [criterion.title for criterion in exercise.criteria]
    slugs = [m.slug for m in exercise.misconceptions]
    assert len(set(titles)) == len(titles)
    assert len({criterion.slug for criterion in exercise.criteria}) == len(titles)
    assert len(set(slugs)) == len(slugs)
    assert all(re.fullmatch(r"[a-z0-9-]+", slug) for slug in [exercise.id, *slugs])
    assert all(
        criterion.points > 0 and criterion.points * 2 == int(criterion.points * 2) for criterion in exercise.criteria
    )
    assert all(criterion.entries for criterion in keys(exercise.id)[0].criteria)


@each_exercise
def test_every_misconception_costs_something_that_exists(exercise: Exercise) -> None:
    """`loses` names criteria by their titles, and at least one."""
    titles = {criterion.title for criterion in exercise.criteria}
    for misconception in exercise.misconceptions:
        assert misconception.loses, misconception.slug
        assert set(misconception.loses) <= titles, misconception.slug


@each_exercise
def test_every_case_counts(exercise: Exercise) -> None:
    """A case that no criterion looks at would cost time and teach nothing."""
    key = keys(exercise.id)[0]
    used = {entry.case for criterion in key.criteria for entry in criterion.entries}
    assert used == {case.name for case in key.cases}


CODE = re.compile(
    r"\w\(.*[,=].*\)|\.\w+\(\)|\btorch\.|\bnp\.|\blambda\b|\bdef \w+\(|\breturn \w+ [-+*/]|keepdim|correction="
)


@each_misconception
def test_hint_is_prose_without_the_answer(exercise: Exercise, misconception: Misconception) -> None:
    """A hint explains in one to four sentences and holds no code, least of all a line of the answer."""
    hint = misconception.hint
    assert 30 <= len(hint) <= 420
    assert hint[0] == hint[0].upper() or re.match(r"[a-z_]+", hint)
    assert hint.endswith((".", "?"))
    assert CODE.search(hint) is None
    for answer in [exercise.reference, *exercise.right.values()]:
        for function in answer.values() if isinstance(answer, Mapping) else [answer]:
            if inspect.isfunction(function) and function.__name__ != "<lambda>":
                lines = [line.strip() for line in inspect.getsource(function).splitlines()[1:]]
                assert not [line for line in lines if len(line) > 15 and line in hint]


@each_exercise
def test_forbidden_names_exist(exercise: Exercise) -> None:
    """A forbidden name with a typing error would forbid nothing."""
    for name in exercise.forbidden:
        if name.startswith("torch"):
            assert _resolves(name), name


def _resolves(name: str) -> bool:
    *path, last = name.split(".")
    try:
        parent = functools.reduce(getattr, path[1:], importlib.import_module(path[0])) if path else None
    except AttributeError:
        return False
    if parent is None or hasattr(parent, last):
        return True
    return importlib.util.find_spec(name) is not None


def test_ids_are_unique_over_the_course() -> None:
    """A grade hangs on the id alone."""
    ids = [exercise.id for _, exercise in ALL]
    assert len(set(ids)) == len(ids)


# --- the first assignment


def test_batchnorm_holds_the_agreed_exercises() -> None:
    """Ids and signatures are fixed, so that submissions and grades stay comparable."""
    fused = "(weight, bias, gamma, beta, running_mean, running_var, eps)"
    assert {e.id: e.defines for e in ASSIGNMENTS["01_batchnorm"].values()} == {
        "batchnorm-forward": ("batchnorm_forward(x, gamma, beta, eps)",),
        "batchnorm-identity": ("identity_parameters(x, eps)",),
        "batchnorm-backward": ("batchnorm_backward(dy, x, gamma, eps)",),
        "running-statistics": ("update_running_statistics(running_mean, running_var, x, momentum)",),
        "batchnorm-inference": ("batchnorm_inference(x, gamma, beta, running_mean, running_var, eps)",),
        "batchnorm-as-affine": ("batchnorm_as_affine(gamma, beta, running_mean, running_var, eps)",),
        "fuse-linear": (f"fuse_linear_batchnorm{fused}",),
        "fuse-conv": (f"fuse_conv_batchnorm{fused}",),
        "batchnorm2d-forward": ("batchnorm2d_forward(x, gamma, beta, eps)",),
        "layer-norm": ("layer_norm(x, gamma, beta, eps)",),
        "instance-norm": ("instance_norm(x, gamma, beta, eps)",),
        "group-norm": ("group_norm(x, num_groups, gamma, beta, eps)",),
        "batchnorm2d-module": ("class BatchNorm2d(num_features, eps=1e-5, momentum=0.1)",),
    }


def test_batchnorm_is_worth_forty_points() -> None:
    """The written questions add about a fifth."""
    assert sum(exercise.points for exercise in ASSIGNMENTS["01_batchnorm"].values()) == 40


@each_of_batchnorm
def test_batchnorm_knows_enough_mistakes_and_right_ways(exercise: Exercise) -> None:
    """At least six named mistakes and four odd but right answers."""
    assert len(exercise.misconceptions) >= 6
    assert len(exercise.right) >= 4


class _Module(module_mistakes.Plain):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.spoil()

    def spoil(self) -> None:
        """Nothing is wrong here."""


class _WeightAtZero(_Module):
    def spoil(self) -> None:
        nn.init.zeros_(self.weight)


class _BiasAtOne(_Module):
    def spoil(self) -> None:
        nn.init.ones_(self.bias)


class _CountsFromOne(_Module):
    def spoil(self) -> None:
        self.num_batches_tracked += 1


class _KeepsNothingWithoutGradients(_Module):
    def track(self, mean: Tensor, var: Tensor, n: int) -> None:
        if torch.is_grad_enabled():
            super().track(mean, var, n)


@pytest.mark.parametrize(
    ("module", "criteria"),
    [
        (_Module, []),
        (_WeightAtZero, [module_titles.STATE]),
        (_BiasAtOne, [module_titles.STATE]),
        (_CountsFromOne, [module_titles.STATE]),
        (_KeepsNothingWithoutGradients, [module_titles.STATISTICS]),
    ],
)
def test_module_is_asked_where_it_starts_and_what_it_keeps_without_gradients(
    module: type[nn.Module], criteria: list[str]
) -> None:
    """Weight 1, bias 0 and count 0 are asked for by the notebook; the mode alone decides what is kept."""
    for key in keys("batchnorm2d-module")[:5]:
        assert lost(observed(_exercise("batchnorm2d-module"), key, module)) == criteria


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fused_convolution_keeps_the_dtype(dtype: torch.dtype) -> None:
    """As the title of the criterion says."""
    exercise = _exercise("fuse-conv")

    def fuse(*args: Any) -> tuple[Tensor, ...]:
        return tuple(tensor.to(dtype) for tensor in exercise.right["einsum"](*args))  # type: ignore[operator]

    for key in keys("fuse-conv")[:5]:
        assert lost(observed(exercise, key, fuse)) == ["leaves the layers unchanged and keeps the dtype"]


def test_backward_reference_is_autograd_through_the_formula() -> None:
    """The kernel that serves as reference agrees with automatic differentiation of the forward pass."""
    exercise = ASSIGNMENTS["01_batchnorm"]["batchnorm-backward"]
    for case in keys(exercise.id)[0].cases:
        dy, x, gamma, eps = case.inputs.values()
        x, gamma, beta = (t.double().requires_grad_() for t in (x, gamma, torch.zeros_like(gamma)))
        y = gamma * (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps) + beta
        for expected, found in zip(
            torch.autograd.grad(y, (x, gamma, beta), dy.double()), case.expected.values(), strict=True
        ):
            torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
