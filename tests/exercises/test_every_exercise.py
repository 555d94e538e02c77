"""Every exercise of every assignment: right answers pass, each wrong one loses what it should and is named.

Answers are tried on fifty seeds, and afterwards on some, as long as nothing changes (`tests/support/tried.py`).
What holds of one exercise holds of all.  Where one cannot have a property, a table beside the test says which, and why.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import importlib.util
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autograder.exercise import Exercise, Misconception, wrong_entries
from course_lib.checking.answers import decode_key, encode_key
from course_lib.checking.comparison import TOLERANCE
from course_lib.checking.drivers import STRIDED, run_case, takes_a_value, tensors_in
from course_lib.checking.keys import CaseKey, Entry, ExerciseKey, Failure, Response, respond
from course_lib.checking.values import pack, unpack
from course_lib.checking.verdict import Verdict, judge
from tests.support.answering import lost, named, sent
from tests.support.course import ASSIGNMENTS, COURSE, exercise_named
from tests.support.learned import LEARNED, said_for
from tests.support.tried import ALWAYS, SEEDS, seeds_of

FEW = 10
"""Seeds for answers that are worth nothing."""

ALL = [(assignment, exercise) for assignment, exercises in ASSIGNMENTS.items() for exercise in exercises.values()]
each_assignment = pytest.mark.parametrize("assignment", COURSE.assignments)
each_exercise = pytest.mark.parametrize("exercise", [pytest.param(e, id=f"{a}-{e.id}") for a, e in ALL])
each_right_answer = pytest.mark.parametrize(
    ("exercise", "name"), [pytest.param(e, name, id=f"{e.id}-{name}") for _, e in ALL for name in e.right_answers]
)
each_misconception = pytest.mark.parametrize(
    ("exercise", "misconception"),
    [pytest.param(e, m, id=f"{e.id}-{m.slug}") for _, e in ALL for m in e.misconceptions],
)


@functools.cache
def keys(exercise_id: str) -> tuple[ExerciseKey, ...]:
    """The keys of an exercise on all seeds, without the mistakes."""
    return tuple(exercise_named(exercise_id).make_key(seed, diagnose=False) for seed in SEEDS)


@dataclasses.dataclass
class Tried:
    """A case, and what is known of the mistakes on it: each is run and compared once for all diagnoses.

    A case that is the same on several seeds (the one by hand) is tried once for all of them.
    """

    exercise: Exercise
    case: CaseKey
    responses: dict[int, Response] = dataclasses.field(default_factory=dict)
    footprints: dict[int, dict[Entry, Any]] = dataclasses.field(default_factory=dict)

    def response(self, misconception: Misconception) -> Response:
        """What whoever makes this mistake answers."""
        if id(misconception) not in self.responses:
            self.responses[id(misconception)] = self.exercise.respond(misconception.wrong, self.case)
        return self.responses[id(misconception)]

    def footprint(self, misconception: Misconception) -> dict[Entry, Any]:
        """Where that answer is wrong."""
        if id(misconception) not in self.footprints:
            self.footprints[id(misconception)] = wrong_entries(self.case, self.response(misconception))
        return self.footprints[id(misconception)]


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A suspect as the grader has it, whose answers are looked up."""

    misconception: Misconception
    tried: Mapping[str, Tried]

    @property
    def slugs(self) -> tuple[str, ...]:
        """Stable keys."""
        return self.misconception.slugs

    @property
    def hints(self) -> tuple[str, ...]:
        """What was probably done."""
        return self.misconception.hints

    @property
    def prices(self) -> tuple[float, ...]:
        """What is taken off."""
        return self.misconception.prices

    @functools.cached_property
    def loses(self) -> frozenset[str]:
        """The criteria that it is about."""
        return frozenset(criterion.slug for criterion in self.misconception.loses)

    def at(self, case: CaseKey) -> dict[Entry, Any]:
        """The part of the footprint that lies in one case."""
        return self.tried[case.name].footprint(self.misconception)


def keys_to_try(exercise: Exercise) -> tuple[ExerciseKey, ...]:
    """The keys on the seeds that answers are tried on."""
    return tuple(keys(exercise.id)[seed] for seed in seeds_of(exercise))


@functools.lru_cache(maxsize=1)
def all_mistakes(exercise_id: str) -> tuple[tuple[int, ExerciseKey, Mapping[str, Tried]], ...]:
    """Seeds with the key with all mistakes as suspects, and its cases; one exercise at a time."""
    exercise = exercise_named(exercise_id)
    known: dict[tuple[str, bytes], Tried] = {}
    found = []
    for seed, key in zip(seeds_of(exercise), keys_to_try(exercise), strict=True):
        tried = {c.name: known.setdefault((c.name, _inputs(c)), Tried(exercise, c)) for c in key.cases}
        suspects = tuple(Recorded(misconception, tried) for misconception in exercise.misconceptions)
        found.append((seed, dataclasses.replace(key, misconceptions=suspects), tried))
    return tuple(found)


def _inputs(case: CaseKey) -> bytes:
    return pack([case.driver, case.function, dict(case.inputs)])


def in_namespace(key: ExerciseKey, namespace: Mapping[str, Any], *, as_bytes: bool = True) -> Verdict:
    """The verdict on what a notebook defines, run as a student's would be; without bytes it takes half the time."""
    if as_bytes:
        return judge(key, {case.name: sent(namespace, case) for case in key.cases})
    return judge(key, {c.name: respond(run_case(namespace, c.function, c.driver, c.inputs)) for c in key.cases})


def holding(verdict: Verdict) -> set[str]:
    """Titles of the criteria that hold."""
    return {result.criterion.title for result in verdict.results if result.holds}


def why(verdict: Verdict) -> list[str]:
    """The reasons for lost criteria, for the message of a failing test."""
    return [
        f"{r.criterion.title}: {r.entry} {r.mismatch and r.mismatch.reason}" for r in verdict.results if not r.holds
    ]


# --- what there is

_FUSED = "(weight, bias, gamma, beta, running_mean, running_var, eps)"

AGREED = {
    "01_batchnorm": {
        "batchnorm-forward": ("batchnorm_forward(x, gamma, beta, eps)",),
        "batchnorm-identity": ("identity_parameters(x, eps)",),
        "batchnorm-backward": ("batchnorm_backward(dy, x, gamma, eps)",),
        "running-statistics": ("update_running_statistics(running_mean, running_var, x, momentum)",),
        "batchnorm-inference": ("batchnorm_inference(x, gamma, beta, running_mean, running_var, eps)",),
        "batchnorm-as-affine": ("batchnorm_as_affine(gamma, beta, running_mean, running_var, eps)",),
        "fuse-linear": (f"fuse_linear_batchnorm{_FUSED}",),
        "fuse-conv": (f"fuse_conv_batchnorm{_FUSED}",),
        "batchnorm2d-forward": ("batchnorm2d_forward(x, gamma, beta, eps)",),
        "layer-norm": ("layer_norm(x, gamma, beta, eps)",),
        "instance-norm": ("instance_norm(x, gamma, beta, eps)",),
        "group-norm": ("group_norm(x, num_groups, gamma, beta, eps)",),
        "batchnorm2d-module": ("class BatchNorm2d(num_features, eps=1e-5, momentum=0.1)",),
    },
    "02_dropout": {
        "dropout-masks": ("dropout_masks(n)",),
        "mask-probabilities": ("mask_probabilities(masks, p_keep)",),
        "expected-preactivation": ("expected_preactivation(w, x, p_keep)",),
        "expectation-derivation": ("derivation()",),
        "relu-gap": ("relu_gap(w, x, b, p_keep)",),
        "dropout-train-test": ("dropout_train(x, p_keep, u)", "dropout_test(x, p_keep)"),
        "inverted-dropout": ("inverted_dropout(x, p_keep, u, training)",),
        "inverted-dropout-backward": ("inverted_dropout_backward(dy, p_keep, u)",),
        "ensemble-mean": ("ensemble_mean(W, b, h, p_keep)",),
        "ensemble-geometric": ("ensemble_geometric(W, b, h, p_keep)",),
        "monte-carlo-mean": ("monte_carlo_mean(W, b, h, p_keep, u)",),
        "dropconnect": ("dropconnect_train(x, W, b, p_keep, u)", "dropconnect_test(x, W, b, p_keep)"),
        "fractional-pooling": ("pooling_boundaries(n_in, n_out, u)", "fractional_max_pool(x, rows, cols)"),
    },
    "03_augmentation": {
        "horizontal-flip": ("random_horizontal_flip(x, p, u)",),
        "resize-short-side": ("resize_short_side(image, size)",),
        "scale-crop": ("random_scale_crop(image, low, high, crop, u)",),
        "ten-crop": ("ten_crop(image, crop)",),
        "multi-scale-test": ("multi_scale_predict(model, image, sizes, crop)",),
        "colour-jitter": ("colour_jitter(image, brightness, contrast)",),
        "pca-basis": ("pca_colour_basis(images)",),
        "pca-lighting": ("pca_lighting(image, eigenvalues, eigenvectors, alphas)",),
        "rotate": ("rotate(image, degrees)",),
        "smooth-warp": ("smooth_warp(image, displacement)",),
        "pixel-noise": ("flip_random_pixels(image, p, u)",),
        "cutout": ("cutout(image, length, centre_y, centre_x)",),
        "mixup": ("mixup(x, y, lam, permutation)",),
        "soft-cross-entropy": ("soft_cross_entropy(logits, targets)",),
        "policy-space": ("policy_space_size(operations, magnitudes, probabilities, steps, subpolicies)",),
        "apply-subpolicy": ("apply_subpolicy(image, subpolicy, operations, u)",),
        "label-preserving": ("LABEL_PRESERVING",),
    },
    "04_weight_regularization": {
        "bottleneck-parameters": ("bottleneck_parameters(inputs, outputs, width, bias)",),
        "low-rank": ("best_low_rank(W, k)",),
        "l2-penalty": ("l2_penalty(weights, lam)",),
        "sgd-weight-decay": ("sgd_step_l2(w, grad, lr, lam)", "sgd_step_decay(w, grad, lr, lam)"),
        "adam-weight-decay": (
            "adam_l2_step(w, grad, m, v, t, lr, beta1, beta2, eps, lam)",
            "adamw_step(w, grad, m, v, t, lr, beta1, beta2, eps, lam)",
        ),
        "decay-groups": ("parameter_groups(model, weight_decay)",),
        "shrinkage-factors": ("ridge_shrinkage(h, lam)", "gradient_descent_shrinkage(h, lr, steps)"),
        "smooth-curve": ("smooth(values, beta)",),
        "early-stopping": ("class EarlyStopping(patience, min_delta=0.0)",),
    },
    "05_transfer_learning": {
        "replace-head": ("replace_head(model, num_classes)",),
        "freeze-backbone": ("freeze_backbone(model)",),
        "extract-features": ("extract_features(backbone, images, batch_size)",),
        "linear-probe": ("fit_linear_probe(features, labels, num_classes, lam)",),
        "layer-learning-rates": ("layer_learning_rates(num_layers, base_lr, decay)",),
        "trainable-parameters": ("count_parameters(model)",),
        "choose-strategy": ("choose_strategy(much_data, similar)",),
    },
    "06_hyperparameter_search": {
        "log-uniform": ("log_uniform(low, high, u)",),
        "exploded": ("exploded(costs, factor=3.0)",),
        "designs": ("grid_design(bounds, points_per_axis)", "random_design(bounds, u)"),
        "hit-probability": ("hit_probability(n, top)", "draws_needed(confidence, top)"),
        "refine-range": ("refine_range(points, scores, keep, bounds)",),
        "k-fold": ("kfold_indices(n, k, permutation)",),
        "gp-posterior": ("gp_posterior(X, y, X_new, length_scale, noise)",),
        "expected-improvement": ("expected_improvement(mean, std, best)",),
        "successive-halving": ("successive_halving(curves, rungs, eta)",),
        "learning-rate-schedules": ("decayed_lr(lr, decay, epoch)", "cosine_lr(lr, step, steps)"),
    },
}


@pytest.mark.parametrize("assignment", AGREED)
def test_an_assignment_holds_the_agreed_exercises(assignment: str) -> None:
    """Ids and signatures are fixed, so that submissions and grades stay comparable; further ones may come."""
    there = {exercise.id: exercise.defines for exercise in ASSIGNMENTS[assignment].values()}
    assert {name: there.get(name) for name in AGREED[assignment]} == AGREED[assignment]


@each_assignment
def test_an_assignment_is_worth_thirty_to_fifty_points(assignment: str) -> None:
    """One is worth about as much as another; the written questions add some ten."""
    assert 30 <= sum(exercise.points for exercise in ASSIGNMENTS[assignment].values()) <= 50


def test_ids_are_unique_over_the_course() -> None:
    """A grade hangs on the id alone."""
    ids = [exercise.id for _, exercise in ALL]
    assert len(set(ids)) == len(ids)


@each_assignment
def test_a_topic_lists_exactly_its_files_with_an_exercise(assignment: str) -> None:
    """A file that nobody lists would be an exercise that nobody gets; the file is called like the id."""
    folder = COURSE.code.exercises_folder / COURSE.code.topics[assignment]
    files = {path.stem for path in folder.glob("*.py") if _assigns(path.read_text("utf-8"), "exercise")}
    assert files == {exercise_id.replace("-", "_") for exercise_id in ASSIGNMENTS[assignment]}


def _assigns(source: str, name: str) -> bool:
    assignments = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return any(isinstance(t, ast.Name) and t.id == name for node in assignments for t in node.targets)


FEWER_WAYS = {"trainable-parameters": 2}
"""There are not many ways to count."""


@each_exercise
def test_an_exercise_knows_enough_mistakes_and_right_ways(exercise: Exercise) -> None:
    """What students write is of many kinds: at least eight named mistakes, and three odd but right answers."""
    assert len(exercise.misconceptions) >= 8
    assert len(exercise.right_answers) >= FEWER_WAYS.get(exercise.id, 3)


# --- right answers


@each_exercise
def test_reference_scores_full(exercise: Exercise) -> None:
    """The reference, called as a student's function, gets every point on every seed."""
    namespace = exercise.namespace(exercise.reference_answer)
    for number, key in enumerate(keys_to_try(exercise)):
        verdict = in_namespace(key, namespace, as_bytes=number == 0)
        assert verdict.score == key.points == exercise.points, why(verdict)
        assert verdict.misconceptions == ()


@each_right_answer
def test_right_but_odd_answer_scores_full(exercise: Exercise, name: str) -> None:
    """Another right way of writing the answer gets every point on every seed."""
    namespace = exercise.namespace(exercise.right_answers[name])
    for number, key in enumerate(keys_to_try(exercise)):
        verdict = in_namespace(key, namespace, as_bytes=number == 0)
        assert verdict.passed, why(verdict)


@each_exercise
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_right_answer_in_another_dtype_loses_what_asks_for_the_dtype(exercise: Exercise, dtype: torch.dtype) -> None:
    """That and no more: rounded to single precision it is still right, in double precision it is no better."""
    for key in keys(exercise.id)[:3]:
        verdict = in_namespace(key, _around(exercise, lambda result: _cast(result, dtype)))
        assert lost(verdict) == [c.title for c in key.criteria if any(_asks(key, e, dtype) for e in c.entries)]


def _asks(key: ExerciseKey, entry: Entry, dtype: torch.dtype) -> bool:
    """Whether an entry asks for another floating dtype than the given one."""
    expected = next(case for case in key.cases if case.name == entry.case).expected.get(entry.output)
    return (
        entry.aspect == "dtype"
        and isinstance(expected, Tensor)
        and expected.is_floating_point()
        and expected.dtype != dtype
    )


def _around(exercise: Exercise, change: Callable[[Any], Any]) -> dict[str, Any]:
    """The reference's functions with something done to their results; what is no function stays as it is."""

    def around(function: Any) -> Any:
        return lambda *args: change(function(*args))

    return {name: _within(around, what) for name, what in exercise.namespace(exercise.reference_answer).items()}


def _within(around: Callable[[Any], Any], what: Any) -> Any:
    """Something done around a function, or around the forward pass of a module; what is neither stays as it is."""
    if isinstance(what, type) and issubclass(what, nn.Module):

        def forward(self: nn.Module, x: Tensor) -> Any:
            return around(functools.partial(what.forward, self))(x)

        return type(what.__name__, (what,), {"forward": forward})
    return around(what) if inspect.isroutine(what) else what


def _cast(value: Any, dtype: torch.dtype) -> Any:
    return _mapped(
        value, lambda leaf: leaf.to(dtype) if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf
    )


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """The same structure with every leaf changed."""
    if isinstance(value, Mapping):
        return {name: _mapped(item, change) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_mapped(item, change) for item in value)
    return change(value)


@each_exercise
def test_a_right_answer_that_spoils_its_inputs_loses_what_asks_to_leave_them(exercise: Exercise) -> None:
    """That and no more, and only where something is asked."""
    for key in keys(exercise.id)[:3]:
        verdict = in_namespace(key, {name: _within(_spoiling, f) for name, f in _around(exercise, lambda y: y).items()})
        assert lost(verdict) == [c.title for c in key.criteria if any(e.aspect == "inputs" for e in c.entries)]


@each_exercise
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_an_answer_that_fails_for_one_dtype_loses_what_asks_for_the_dtype(
    exercise: Exercise, dtype: torch.dtype
) -> None:
    """A tensor of the wrong dtype made inside stops the call; the rest is judged in the other dtype."""
    if not exercise.conventions["dtype"].points:
        return
    for key in keys(exercise.id)[:3]:
        verdict = in_namespace(key, _refusing(exercise, lambda x: x.is_floating_point() and x.dtype == dtype))
        assert lost(verdict) == [exercise.conventions["dtype"].title]
        assert named(verdict) == [f"works-in-{'float64' if dtype == torch.float32 else 'float32'}-only"]


@each_exercise
def test_an_answer_that_needs_contiguous_memory_loses_at_most_that(exercise: Exercise) -> None:
    """It is one small criterion where it is asked for, and a remark elsewhere."""
    for key in keys(exercise.id)[:3]:
        verdict = in_namespace(key, _refusing(exercise, lambda x: not x.is_contiguous()))
        asked = [c.title for c in key.criteria if any(entry.aspect == "layout" for entry in c.entries)]
        assert lost(verdict) == asked
        strided = any(case.driver.endswith(STRIDED) for case in key.cases)
        assert bool(asked) + bool(verdict.remarks) == strided


def _refusing(exercise: Exercise, refuses: Callable[[Tensor], bool]) -> dict[str, Any]:
    """The reference's functions, which raise where a tensor is not to their liking."""

    def refusing(function: Any) -> Any:
        def called(*args: Any) -> Any:
            if any(refuses(tensor) for tensor in tensors_in(args)):
                raise RuntimeError("view size is not compatible, or expected Float but found Double")
            return function(*args)

        return called

    return {name: _within(refusing, what) for name, what in exercise.namespace(exercise.reference_answer).items()}


def _spoiling(function: Any) -> Any:
    def spoiled(*args: Any) -> Any:
        result = function(
            *(_mapped(arg, lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf) for arg in args)
        )
        for arg in args:
            _mapped(arg, lambda leaf: leaf.add_(1) if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf)
        return result

    return spoiled


# --- answers that are worth nothing


def _stub(*args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError


@each_exercise
def test_stub_scores_nothing(exercise: Exercise) -> None:
    """What the released notebook holds gets no point, no named mistake, and says that it is not implemented."""
    key = keys(exercise.id)[0]
    verdict = in_namespace(exercise.with_suspects(key), dict.fromkeys(exercise.names, _stub))
    assert verdict.score == 0
    assert verdict.misconceptions == ()
    assert verdict.failure == Failure("NotImplementedError", "not implemented yet")


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


@each_exercise
def test_handing_back_the_arguments_scores_nothing(exercise: Exercise) -> None:
    """An answer that computes nothing gets no point."""
    for answer in _echoes(exercise):
        for key in keys(exercise.id)[:FEW]:
            assert holding(in_namespace(key, dict.fromkeys(exercise.names, answer))) == set()


TRUE_OF_ONE_NUMBER = {
    ("extract-features", "at most batch_size images at a time"): "a batch of one image is never too large",
}


@each_exercise
def test_one_number_throughout_earns_nothing(exercise: Exercise) -> None:
    """Not even where the right answer has the right shape, zeros, or a label that is mostly kept."""
    reference = exercise.namespace(exercise.reference_answer)
    for key in keys(exercise.id)[:FEW]:
        right = {c.name: run_case(reference, c.function, c.driver, c.inputs)["result"] for c in key.cases}
        for fill in (0.0, 1.0, math.nan):
            raw = {name: {"result": _filled(result, fill)} for name, result in right.items()}
            met = holding(judge(key, {name: respond(found) for name, found in raw.items()}))
            assert {title for title in met if (exercise.id, title) not in TRUE_OF_ONE_NUMBER} == set(), fill


def _filled(value: Any, fill: float) -> Any:
    """The same structure with one number everywhere."""

    def filled(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            return torch.full_like(leaf, fill) if leaf.is_floating_point() else torch.zeros_like(leaf)
        return bool(fill) if isinstance(leaf, bool) else fill

    return _mapped(value, filled)


ODD: list[Any] = [
    None,
    "text",
    {},
    [],
    (1, 2),
    [[1, 0], [1]],
    [[1, "a"]],
    np.array(["a"]),
    np.ones((1, 2, 3)),
    torch.tensor(3.0),
    torch.zeros(0),
    torch.zeros(2, 2, 2),
    torch.zeros(2, 2, 2, 2, 2),
    torch.zeros(1, 2, 3, dtype=torch.complex64),
    math.nan,
    object(),
]
USED = {
    "batchnorm2d-module": "the module is called, so what is none fails as in the student's own hands",
    "label-preserving": "a pair is looked up, so what is no table fails",
}
"""Exercises whose answers are not handed over but used: the failure is the student's own."""


@each_exercise
@pytest.mark.filterwarnings("ignore:Casting complex values")
def test_odd_results_travel_and_earn_nothing(exercise: Exercise) -> None:
    """Whatever comes back is handed over as a value or in words, never as a crash of what calls the function."""
    key = keys(exercise.id)[0]
    for odd in ODD:
        responses = {case.name: _returned(exercise, odd, case) for case in key.cases}
        assert exercise.id in USED or all(response.failure is None for response in responses.values()), odd
        assert holding(judge(key, responses)) == set(), odd


def _returned(exercise: Exercise, what: Any, case: CaseKey) -> Response:
    answer = what if takes_a_value(case.driver) else lambda *args, **settings: what
    return sent(dict.fromkeys(exercise.names, answer), case)


@each_exercise
def test_public_answers_learned_by_heart_earn_nothing(exercise: Exercise) -> None:
    """What `check` shows, said in the same order, meets no criterion of the hidden cases, but for those listed."""
    public = exercise.make_key("public", diagnose=False)
    met: set[str] | None = None
    for hidden in keys(exercise.id)[:12]:
        said = {c.name: Response(said_for(known)) for known, c in zip(public.cases, hidden.cases, strict=True)}
        holds = holding(judge(hidden, said))
        met = holds if met is None else met & holds
    assert met == {title for exercise_id, title in LEARNED if exercise_id == exercise.id}


# --- wrong answers


@each_misconception
def test_misconception_costs_what_it_says_and_is_named(exercise: Exercise, misconception: Misconception) -> None:
    """A known mistake costs exactly its price and is named, alone, on every seed: so no two look the same.

    What it is about is lost, whatever else it spoils is not judged, and nothing that it keeps is called lost.  Where a
    mistake shows, it exceeds the tolerance ten times (on the first seeds), where it does not it stays below half of it.
    """
    about = {criterion.slug for criterion in misconception.loses}
    for seed, key, tried in all_mistakes(exercise.id):
        verdict = judge(key, {name: case.response(misconception) for name, case in tried.items()})
        states = {result.criterion.slug: result.state for result in verdict.results}
        assert {slug for slug, state in states.items() if state == "lost"} == about, f"seed {seed}: {why(verdict)}"
        assert named(verdict) == list(misconception.slugs), f"seed {seed}"
        assert verdict.score == pytest.approx(exercise.points - misconception.costs), f"seed {seed}: {states}"
        if seed < ALWAYS:
            _shows_clearly(key, verdict)


def _shows_clearly(key: ExerciseKey, verdict: Verdict) -> None:
    for case in key.cases:
        for name in case.outputs:
            size = severity(verdict.observed[Entry(case.name, name)], case.expected[name], case)
            assert size >= 10 or size <= 0.5, f"{case.name}, {name}: {size:.3g} times the tolerance"


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


@each_exercise
def test_mistakes_are_named_by_shipped_footprints_and_by_the_grader(
    exercise: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Footprints that ship as bytes and mistakes that the grader runs when asked lead to the same names.

    The answers come as bytes themselves, out of the process in which the student's code runs.
    """
    run, done = exercise.respond, dict[tuple[int, str], Response]()

    def run_once(what: Any, case: CaseKey) -> Response:
        place = (id(what), case.name)
        if place not in done:
            done[place] = run(what, case)
        return done[place]

    monkeypatch.setattr(exercise, "respond", run_once)
    key = keys(exercise.id)[0]
    shipped = decode_key(unpack(pack(encode_key(exercise.with_misconceptions(key)))))
    lazy = exercise.with_suspects(key)
    for misconception in exercise.misconceptions:
        responses = {case.name: sent(exercise.namespace(misconception.wrong), case) for case in key.cases}
        for known in (shipped, lazy):
            assert named(judge(known, responses)) == list(misconception.slugs)


# --- keys


@each_exercise
def test_equal_seeds_give_equal_keys(exercise: Exercise) -> None:
    """A key depends on the seed and on nothing else, so that grading can be repeated."""
    once, again = keys(exercise.id)[0], exercise.make_key(SEEDS[0], diagnose=False)
    assert [pack([c.inputs, c.expected]) for c in once.cases] == [pack([c.inputs, c.expected]) for c in again.cases]
    assert once.criteria == again.criteria


@each_exercise
def test_making_a_key_leaves_the_global_generator_alone(exercise: Exercise) -> None:
    """Cases come from a generator of their own; a student's `manual_seed` neither changes nor is changed by them."""
    before = torch.random.get_rng_state()
    exercise.make_key(3, diagnose=False)
    assert torch.equal(before, torch.random.get_rng_state())


_GIVEN = "all questions there are, or all sizes"
_SMALL = "as small as the ones by hand"
SAME_FOR_ALL = {
    "dropout-masks": _GIVEN,
    "label-preserving": _GIVEN,
    "choose-strategy": _GIVEN,
}
"""Exercises in which no numbers are drawn."""
SAME_ON_EVERY_SEED = {
    ("policy-space", "one step"): _SMALL,
    ("policy-space", "exact, AutoAugment"): "the lecture's number",
}
"""Cases, not called "by hand", whose numbers are not drawn."""


@each_exercise
def test_other_seeds_give_other_numbers(exercise: Exercise) -> None:
    """The numbers of one submission are of no use to the next, but in a case that is worked by hand."""
    seen = [{case.name: _inputs(case) for case in key.cases} for key in keys(exercise.id)]
    same = {name for name in seen[0] if all(other[name] == seen[0][name] for other in seen)}
    if exercise.id not in SAME_FOR_ALL:
        others = {name for name in same if "by hand" not in name}
        assert others == {name for exercise_id, name in SAME_ON_EVERY_SEED if exercise_id == exercise.id}


@each_exercise
def test_keys_can_travel(exercise: Exercise) -> None:
    """Inputs, expected values and wrong values are plain values, which is what the answer data can hold."""
    key = exercise.make_key(0)
    for case in key.cases:
        assert b"a function" not in pack([dict(case.inputs), dict(case.expected)])
    assert pack(encode_key(decode_key(unpack(pack(encode_key(key)))))) == pack(encode_key(key))
    asked = unpack(key.question)["cases"]
    assert [pack(case["inputs"]) for case in asked] == [case.packed_inputs for case in key.cases]


# --- what the cases hold

BY_HAND = 30
"""Numbers that a person works with pen and paper."""
NOT_BY_HAND = {"extract-features": "what a network makes of images"}


@each_exercise
def test_the_first_case_can_be_worked_by_hand(exercise: Exercise) -> None:
    """It is what students are shown: few numbers, and round ones."""
    key = keys(exercise.id)[0]
    case = key.cases[0]
    given = {name: value for name, value in case.inputs.items() if name in key.parameters - {"eps"}}
    numbers = [number for value in given.values() for number in _numbers(value)]
    if exercise.id in NOT_BY_HAND:
        return
    assert len(numbers) <= BY_HAND
    assert all(math.isclose(20 * number, round(20 * number), abs_tol=1e-5) for number in numbers), numbers


def _numbers(value: Any) -> list[float]:
    if isinstance(value, Tensor):
        return [float(number) for number in value.flatten().tolist()]
    if isinstance(value, Mapping):
        return _numbers(list(value.values()))
    if isinstance(value, tuple | list):
        return [number for item in value for number in _numbers(item)]
    return [float(value)] if isinstance(value, int | float) else []


NOISE_OF_ANOTHER_KIND = {
    "scale-crop": "u are three places, not decisions",
    "fractional-pooling": "u is one number, a phase",
}


@each_exercise
def test_noise_is_free_at_the_ends(exercise: Exercise) -> None:
    """Whether a unit is kept is drawn for the first and the last of every axis as for the others, with ties too."""
    if exercise.id in NOISE_OF_ANOTHER_KIND:
        return
    decided: dict[tuple[int, int], set[bool]] = {}
    ties = False
    for key in keys(exercise.id):
        for case in key.cases:
            u = case.inputs.get("u")
            p = case.inputs.get("p", case.inputs.get("p_keep"))
            if not isinstance(u, Tensor) or not isinstance(p, float):
                continue
            ties |= bool((u == p).any())
            kept = u < p
            for axis, size in enumerate(kept.shape):
                for end in (0, size - 1):
                    decided.setdefault((axis, -1 if end else 0), set()).update(
                        kept.select(axis, end).flatten().tolist()
                    )
    assert all(found == {True, False} for found in decided.values()), decided
    assert ties or not decided, "no case has a tie, u equal to p"


# --- definitions


@each_exercise
def test_definition_is_consistent(exercise: Exercise) -> None:
    """Titles and slugs are unique, points are halves, everything named exists, every criterion looks at something."""
    titles = [criterion.title for criterion in exercise.criteria]
    slugs = [slug for m in exercise.misconceptions for slug in m.slugs]
    assert len(set(titles)) == len(titles)
    assert len({criterion.slug for criterion in exercise.criteria}) == len(titles)
    assert all(re.fullmatch(r"[a-z0-9-]+", slug) for slug in [exercise.id, *slugs])
    assert all(
        criterion.points > 0 and criterion.points * 4 == int(criterion.points * 4) for criterion in exercise.marked
    )
    assert all(criterion.entries for criterion in keys(exercise.id)[0].criteria)


@each_exercise
def test_every_misconception_costs_something_that_exists(exercise: Exercise) -> None:
    """`loses` holds criteria of this exercise, at least one, none twice; what it costs is a part of the points."""
    for misconception in exercise.misconceptions:
        assert misconception.loses, misconception.slug
        assert len(set(misconception.loses)) == len(misconception.loses), misconception.slug
        assert set(misconception.loses) <= set(exercise.criteria), misconception.slug
        assert 0 < misconception.costs <= exercise.points, misconception.slug
        assert misconception.costs * 4 == int(misconception.costs * 4), misconception.slug


@each_exercise
def test_conventions_are_asked_or_it_says_why_not(exercise: Exercise) -> None:
    """Every exercise asks to keep the dtype, in single and in double precision, and to leave the inputs alone."""
    key = keys(exercise.id)[0]
    entries = {aspect: [] for aspect in exercise.conventions}
    for criterion in key.criteria:
        for entry in criterion.entries if criterion.is_convention else ():
            entries[entry.aspect].append(entry)
    for aspect in ("dtype", "inputs"):
        convention = exercise.conventions[aspect]
        assert entries[aspect] if convention.points else len(convention.why_not) > 10, aspect
    if exercise.conventions["dtype"].points:
        cases = {case.name: case for case in key.cases}
        found = {cases[entry.case].expected[entry.output].dtype for entry in entries["dtype"]}
        assert found >= {torch.float32, torch.float64}
    if exercise.conventions["inputs"].points:
        assert {entry.case for entry in entries["inputs"]} == {
            case.name for case in key.cases if next(tensors_in(dict(case.inputs)), None) is not None
        }


@each_exercise
def test_every_case_counts(exercise: Exercise) -> None:
    """A case that no criterion looks at would cost time and teach nothing."""
    key = keys(exercise.id)[0]
    used = {entry.case for c in key.criteria if not c.is_convention for entry in c.entries}
    assert used == {case.name for case in key.cases}


CODE = re.compile(
    r"\w\(.*[,=].*\)|\.\w+\(\)|\btorch\.|\bnp\.|\blambda\b|\bdef \w+\(|\breturn \w+ [-+*/]|keepdim|correction="
)


@each_misconception
def test_hint_is_prose_without_the_answer(exercise: Exercise, misconception: Misconception) -> None:
    """A hint explains in one to four sentences and holds no code, least of all a line of the answer."""
    for hint in misconception.hints:
        assert 30 <= len(hint) <= 420
        assert hint[0] == hint[0].upper() or re.match(r"[a-z_]+", hint)
        assert hint.endswith((".", "?"))
        assert CODE.search(hint) is None
        assert not [line for line in _lines_of_answers(exercise.id) if line in hint]


@functools.cache
def _lines_of_answers(exercise_id: str) -> tuple[str, ...]:
    """The lines of code of all right answers that are written in Python, but for very short ones."""
    exercise = exercise_named(exercise_id)
    lines: list[str] = []
    for answer in [exercise.reference_answer, *exercise.right_answers.values()]:
        for function in answer.values() if isinstance(answer, Mapping) else [answer]:
            if inspect.isfunction(function) and function.__name__ != "<lambda>":
                lines += inspect.getsource(function).splitlines()[1:]
    return tuple(line.strip() for line in lines if len(line.strip()) > 15)


@each_exercise
def test_forbidden_names_exist(exercise: Exercise) -> None:
    """A forbidden name with a typing error would forbid nothing; what is not installed cannot be looked up."""
    for name in exercise.forbidden:
        if name.startswith("."):
            assert hasattr(Tensor, name[1:]), name
        elif name.startswith("torch"):
            assert _resolves(name), name
        elif importlib.util.find_spec(name.partition(".")[0]) is not None:
            assert importlib.util.find_spec(name) is not None, name


def _resolves(name: str) -> bool:
    *path, last = name.split(".")
    try:
        parent = functools.reduce(getattr, path[1:], importlib.import_module(path[0])) if path else None
    except AttributeError:
        return False
    if parent is None or hasattr(parent, last):
        return True
    return importlib.util.find_spec(name) is not None
