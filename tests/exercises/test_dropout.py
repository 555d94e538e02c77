"""The second assignment: its drivers let answers come in any form, and its references keep what theory says."""

from __future__ import annotations

import contextlib
import io
import itertools
import math
from typing import Any

import pytest
import sympy as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from course_lib.checking.card import Card
from course_lib.checking.drivers import run_case
from course_lib.checking.values import Unsupported
from course_lib.checking.verdict import Verdict, judge
from tests.support.answering import lost, named, reference_of, sent, verdict_on
from tests.support.course import ASSIGNMENTS, exercise_named

NUMBERS = {"w1": 2.0, "w2": -1.0, "x": 3.0, "y": 0.5, "p": 0.8}


def run(driver: str, answer: Any, inputs: dict[str, Any]) -> Any:
    """What comes back for an answer that is a function."""
    return run_case({"f": answer}, "f", driver, inputs)["result"]


def value_of(expression: Any) -> Any:
    """What the driver makes of one expression."""
    found = run("dropout/expressions", lambda: {"key": expression}, NUMBERS)["key"]
    return float(found) if isinstance(found, torch.Tensor) else found


def test_weight_scaling_is_the_geometric_mean() -> None:
    """The reference multiplies all outputs; the closed form is the notebook's claim of part 3."""
    for seed in range(20):
        for case in exercise_named("ensemble-geometric").make_key(seed, diagnose=False).cases:
            W, b, h, p_keep = (case.inputs[name] for name in ("W", "b", "h", "p_keep"))
            closed = torch.softmax((p_keep * W @ h + b).double(), dim=0)
            torch.testing.assert_close(case.expected["probabilities"].double(), closed, rtol=1e-5, atol=1e-6)


@given(st.permutations(range(8)), st.sampled_from(["bool", "int", "float32", "numpy", "lists", "list of tensors"]))
def test_masks_may_come_in_any_order_and_kind(order: list[int], kind: str) -> None:
    """Only which masks there are decides."""
    rows = torch.tensor([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in order])
    forms = {"bool": rows.bool(), "int": rows, "float32": rows.float(), "numpy": rows.numpy(), "lists": rows.tolist()}
    forms["list of tensors"] = list(rows)
    expected = torch.tensor([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)]).double()
    found = run("dropout/rows-in-any-order", lambda n: forms[kind], {"n": 3})
    assert torch.equal(found["masks"].double(), expected)
    assert found["kind"] == ("a list or an array" if kind in ("numpy", "lists", "list of tensors") else "a tensor")


def test_a_repeated_mask_is_not_lost_by_sorting() -> None:
    """Sorting keeps duplicates, so that a list with one mask twice and one missing is not taken for complete."""
    found = run("dropout/rows-in-any-order", lambda n: torch.tensor([[1.0], [1.0]]), {"n": 1})
    assert found["masks"].tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (sp.Symbol("p", positive=True) ** 2, 0.64),
        (sp.Symbol("w1") * sp.Symbol("x", real=True) - sp.Symbol("y"), 5.5),
        (sp.Rational(1, 3), 1 / 3),
        (sp.sqrt(sp.Symbol("p") - sp.Rational(3, 5)), math.sqrt(0.2)),
        (sp.Sum(sp.Symbol("p") * sp.Symbol("i"), (sp.Symbol("i"), 0, 3)), 4.8),
        (sp.Max(sp.Symbol("w1"), sp.Symbol("w2")), 2.0),
        (sp.Piecewise((sp.Symbol("x"), sp.Symbol("p") > 0), (0, True)), 3.0),
        (3, 3.0),
        (torch.tensor(0.25), 0.25),
        (lambda w1, w2, x, y, p: w2 * y * p, -0.4),
    ],
    ids=["assumptions", "mixed", "number", "root", "sum", "maximum", "piecewise", "integer", "tensor", "function"],
)
def test_expressions_in_any_form_become_numbers(expression: Any, value: float) -> None:
    """The student's expression is evaluated where it was made; only the number is handed over."""
    assert value_of(expression) == pytest.approx(value)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (sp.Symbol("q"), "unknown symbol q (known: w1, w2, x, y, p)"),
        (sp.sqrt(-sp.Symbol("p")), "not a real number"),
        (1 / (sp.Symbol("p") - sp.Rational(4, 5)), "not a real number"),
        (sp.Eq(sp.Symbol("x"), sp.Symbol("y")), "not a real number"),
        ("w1 * x", "not a real number (str)"),
        (None, "not a real number"),
    ],
    ids=["symbol", "complex", "pole", "equation", "text", "none"],
)
def test_what_is_no_number_is_described(expression: Any, words: str) -> None:
    """A value that cannot be evaluated costs its own key only, and says what it was."""
    found = value_of(expression)
    assert isinstance(found, Unsupported)
    assert words in found.kind


def test_a_missing_key_costs_only_itself() -> None:
    """The other expressions still earn their points."""
    answer = dict(exercise_named("expectation-derivation").right_answers["plain functions"]())  # type: ignore[operator]
    del answer["variance"]
    verdict = verdict_on("expectation-derivation", lambda: answer)
    assert lost(verdict) == ["the variance"]


@given(st.integers(2, 40).flatmap(lambda n: st.tuples(st.integers(n + 1, 2 * n - 1), st.just(n))), st.floats(0, 0.999))
def test_pooling_boundaries_cover_the_image(sizes: tuple[int, int], u: float) -> None:
    """Graham's sequence starts at 0, ends at n_in, and has steps of 1 and 2, for every ratio and every u."""
    n_in, n_out = sizes
    reference = exercise_named("fractional-pooling").reference_answer
    assert isinstance(reference, dict)
    found = run("dropout/sequence", reference["pooling_boundaries"], {"n_in": n_in, "n_out": n_out, "u": u})
    assert (found["first"], found["last"]) == (0.0, n_in)
    assert {found["smallest_step"], found["largest_step"]} <= {1.0, 2.0}


# --- answers that strangers wrote: what they lose, and what is said of them


def judged(exercise_id: str, answer: Any, seed: object = 1) -> Verdict:
    """The verdict on a function, or on several by name; the smallest cases are called twice, under watch."""
    exercise = exercise_named(exercise_id)
    key = exercise.with_suspects(exercise.make_key(seed, diagnose=False))
    namespace = exercise.namespace(answer if isinstance(answer, dict) else {exercise.names[0]: answer})
    return judge(key, {case.name: sent(namespace, case, key) for case in key.cases})


def fixed_ends(u: torch.Tensor, p_keep: float) -> torch.Tensor:
    """A mask that always keeps the first unit and always drops the last."""
    mask = (u < p_keep).to(u)
    mask[..., 0], mask[..., -1] = 1, 0
    return mask


def bias_with_the_first_weight(x, W, b, p_keep, u):  # type: ignore[no-untyped-def]
    """DropConnect whose bias shares the mask of its row's first weight."""
    kept = u < p_keep
    return ((W * kept) * x[:, None, :]).sum(-1) + b * kept[:, :, 0]


def outputs_of(W, b, h, masks):  # type: ignore[no-untyped-def]
    """The sub-networks of some masks."""
    return torch.softmax((masks * h) @ W.T + b, dim=1)


def masks_counted_in_bytes(n):  # type: ignore[no-untyped-def]
    """Right as long as a byte holds the number of a mask."""
    codes = torch.arange(2**n).to(torch.uint8)
    return torch.stack([(codes >> unit) & 1 for unit in range(n)], dim=1)


def rounded_down(n_in, n_out, u):  # type: ignore[no-untyped-def]
    """Graham's sequence with floor in place of ceiling."""
    terms = torch.floor(n_in / n_out * (torch.arange(n_out + 1, dtype=torch.float64) + u))
    return (terms - terms[0]).long()


FALSE_ACCEPTS = {
    "A3, bias dropped with the first weight": ("dropconnect", bias_with_the_first_weight),
    "A3, ends of dropconnect": (
        "dropconnect",
        lambda x, W, b, p, u: torch.einsum("nkd,nd->nk", W * fixed_ends(u, p), x) + b,
    ),
    "A3, ends of monte carlo": (
        "monte-carlo-mean",
        lambda W, b, h, p, u: outputs_of(W, b, h, fixed_ends(u, p)).mean(0),
    ),
    "A3, ends of plain dropout": ("dropout-train-test", lambda x, p, u: x * fixed_ends(u, p)),
    "A3, ends of inverted dropout": (
        "inverted-dropout",
        lambda x, p, u, training: x * fixed_ends(u, p) / p if training else x,
    ),
    "A3, ends of the backward pass": ("inverted-dropout-backward", lambda dy, p, u: dy * fixed_ends(u, p) / p),
    "A5, rounded down": ("fractional-pooling", rounded_down),
    "A6, counted in bytes": ("dropout-masks", masks_counted_in_bytes),
    "kept at equality": ("dropout-train-test", lambda x, p, u: x * (u <= p)),
    "never negative": ("expected-preactivation", lambda w, x, p: torch.relu(p * w @ x)),
    "a list": ("dropout-masks", lambda n: list(itertools.product([0, 1], repeat=n))),
}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", FALSE_ACCEPTS)
def test_a_wrong_answer_that_once_passed_loses_points(name: str, seed: int) -> None:
    """Table A of the review: no case told these from right answers."""
    exercise_id, answer = FALSE_ACCEPTS[name]
    verdict = judged(exercise_id, answer, seed)
    assert not verdict.passed
    assert verdict.score < verdict.key.points


CONVENTIONS = (
    "mask-probabilities",
    "expected-preactivation",
    "relu-gap",
    "dropout-train-test",
    "inverted-dropout",
    "inverted-dropout-backward",
    "ensemble-mean",
    "ensemble-geometric",
    "monte-carlo-mean",
    "dropconnect",
)


@pytest.mark.parametrize("exercise_id", CONVENTIONS)
@pytest.mark.parametrize("slip", ["always-float32", "input-changed"])
def test_a_convention_costs_a_quarter_of_a_point(exercise_id: str, slip: str) -> None:
    """A7 and B3: results in another dtype and overwritten inputs were seen by nobody, or three exercises later."""
    by_hand: Any = exercise_named("inverted-dropout-backward").right_answers["torch where"]  # its reference may not run
    right = by_hand if exercise_id == "inverted-dropout-backward" else reference_of(exercise_id)

    def answer(*inputs: Any) -> Any:
        result = right(*(x.clone() if isinstance(x, torch.Tensor) else x for x in inputs))
        if slip == "input-changed":
            inputs[0].mul_(2)
            return result
        return tuple(r.float() for r in result) if isinstance(result, tuple | list) else result.float()

    verdict = judged(exercise_id, answer)
    assert named(verdict) == [slip]
    assert verdict.score == verdict.key.points - 0.25


def test_a_mask_made_of_python_numbers_costs_the_dtype_only() -> None:
    """B3: `torch.where` of two numbers is float32; the values are right, and the next exercise fails because of it."""
    verdict = judged("mask-probabilities", lambda masks, p: torch.where(masks > 0, p, 1 - p).prod(1))
    assert lost(verdict) == ["keeps dtype and device"]


def test_a_python_number_has_no_dtype_to_keep() -> None:
    """It takes that of whatever it is used with."""
    assert judged("expected-preactivation", lambda w, x, p: float(p * w @ x)).passed


TYPICAL = {
    "D0, d2l": (
        "inverted-dropout",
        lambda x, p, u, training: x * (u > p) / (1 - p) if training else x,
        "p-read-as-the-drop-probability",
    ),
    "D0, backward": (
        "inverted-dropout-backward",
        lambda dy, p, u: dy * (u > p) / (1 - p),
        "p-read-as-the-drop-probability",
    ),
    "D1, d2l with 1 - p": (
        "inverted-dropout",
        lambda x, p, u, training: x * (u > 1 - p) / p if training else x,
        "kept-at-the-other-end",
    ),
    "D1, backward": ("inverted-dropout-backward", lambda dy, p, u: dy * (u > 1 - p) / p, "kept-at-the-other-end"),
    "D1, plain": ("dropout-train-test", lambda x, p, u: x * (u > 1 - p), "kept-at-the-other-end"),
    "D2, comparison reversed": ("dropout-train-test", lambda x, p, u: x * (u > p), "keep-and-drop-swapped"),
    "softmax of the mean logits": (
        "monte-carlo-mean",
        lambda W, b, h, p, u: torch.softmax(((h * (u < p)) @ W.T + b).mean(0), 0),
        "softmax-of-the-mean",
    ),
    "weighted Monte Carlo": (
        "monte-carlo-mean",
        lambda W, b, h, p, u: torch.where(u < p, p, 1 - p).to(W).prod(1) @ outputs_of(W, b, h, u < p),
        "weighted-by-probabilities",
    ),
    "bias behind the ReLU": (
        "relu-gap",
        lambda w, x, b, p: (reference_of("relu-gap")(w, x, b, p)[0], torch.relu(p * w @ x) + b),
        "bias-added-to-the-output",
    ),
}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", TYPICAL)
def test_a_typical_mistake_is_named(name: str, seed: int) -> None:
    """Table D of the review, and what was made and not named when the notebook was worked through."""
    exercise_id, answer, slug = TYPICAL[name]
    assert named(judged(exercise_id, answer, seed)) == [slug]


OWN_NOISE = {
    "dropout-train-test": lambda x, p, u: x * (torch.rand_like(x) < p),
    "inverted-dropout": lambda x, p, u, training: x * torch.bernoulli(torch.full_like(x, p)) / p if training else x,
    "inverted-dropout-backward": lambda dy, p, u: dy * (torch.rand_like(dy) < p) / p,
    "dropconnect": lambda x, W, b, p, u: torch.einsum("nkd,nd->nk", W * (torch.rand_like(u) < p), x) + b,
    "monte-carlo-mean": lambda W, b, h, p, u: outputs_of(W, b, h, torch.rand_like(u) < p).mean(0),
}


@pytest.mark.parametrize("exercise_id", OWN_NOISE)
def test_own_noise_is_found_by_asking_twice(exercise_id: str) -> None:
    """D8: nobody could say why the values were wrong."""
    torch.manual_seed(0)
    verdict = judged(exercise_id, OWN_NOISE[exercise_id])
    assert verdict.unsteady
    assert "Two calls with the same inputs give different results" in Card(verdict).text()


FORBIDDEN = {
    "dropout-train-test": lambda x, p, u: nn.Dropout(0.0)(x) * (u < p),
    "inverted-dropout": lambda x, p, u, training: F.dropout(x, 0.0) * (u < p) / p if training else x,
    "inverted-dropout-backward": lambda dy, p, u: _by_autograd(dy, p, u),
    "fractional-pooling": {
        "fractional_max_pool": lambda x, rows, cols: F.fractional_max_pool2d(x, 1, (len(rows) - 1, len(cols) - 1))
    },
}


def _by_autograd(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor | None:
    x = torch.zeros_like(dy, requires_grad=True)
    (x * (u < p_keep) / p_keep).backward(dy)  # type: ignore[no-untyped-call]
    return x.grad


@pytest.mark.parametrize("exercise_id", FORBIDDEN)
def test_what_an_exercise_is_about_may_not_be_called(exercise_id: str) -> None:
    """Ready-made dropout, ready-made pooling and autograd are found where they run."""
    verdict = judged(exercise_id, FORBIDDEN[exercise_id])
    assert verdict.banned
    assert verdict.score == 0


def pooled_region_by_region(x: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    """Each region by PyTorch's ordinary pooling."""
    parts = [
        [F.max_pool2d(x[:, :, a:b, c:d], (int(b - a), int(d - c))) for c, d in itertools.pairwise(cols)]
        for a, b in itertools.pairwise(rows)
    ]
    return torch.cat([torch.cat(row, dim=3) for row in parts], dim=2)


def test_ordinary_pooling_may_be_used_on_a_region() -> None:
    """Forbidden is what divides the image by its own noise."""
    assert judged("fractional-pooling", {"fractional_max_pool": pooled_region_by_region}).passed


NOT_SO = {
    "no answer is no list": ("dropout-masks", lambda n: None, "not-a-tensor"),
    "the sum of two slips is not one of them": (
        "relu-gap",
        lambda w, x, b, p: (reference_of("relu-gap")(w, x, b, p)[0], torch.relu(p * w @ x) + b),
        "second-relu-missing",
    ),
}


@pytest.mark.parametrize("name", NOT_SO)
def test_what_was_not_done_is_not_said(name: str) -> None:
    """Table E of the review: a name claims what its values show, no more."""
    exercise_id, answer, slug = NOT_SO[name]
    assert slug not in named(judged(exercise_id, answer))


def _raising(kind: type[Exception] | None) -> Any:
    return contextlib.nullcontext() if kind is None else pytest.raises(kind)


TOO_LARGE = {"eight-digits-only": "it shows from nine units on"}


@pytest.mark.parametrize(
    "exercise_id", [exercise_id for exercise_id in ASSIGNMENTS["02_dropout"] if exercise_id != "expectation-derivation"]
)
def test_the_example_to_paste_is_plain_code(exercise_id: str) -> None:
    """It calls the student's function with plain tensors, for every known mistake, and runs as it stands."""
    exercise = exercise_named(exercise_id)
    for misconception in exercise.misconceptions:
        if misconception.slug in TOO_LARGE:
            continue
        verdict = judged(exercise_id, exercise.namespace(misconception.wrong))
        code = Card(verdict).example
        assert any(f"{name}(" in code for name in exercise.names), misconception.slug
        assert "run_case" not in code
        raises = not code.count('print("expected"')
        with contextlib.redirect_stdout(io.StringIO()) as printed, _raising(ValueError if raises else None):
            exec(code, exercise.namespace(misconception.wrong))
        assert raises or "expected" in printed.getvalue()


def test_the_example_of_a_derivation_evaluates_its_expression() -> None:
    """At the numbers of the case, as the check does."""
    answer = {**exercise_named("expectation-derivation").right_answers["expanded"](), "test_factor": 1 - sp.Symbol("p")}  # type: ignore[operator]
    code = Card(judged("expectation-derivation", lambda: answer)).example
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {"derivation": lambda: answer})
    assert printed.getvalue().split() == ["got", "0.25", "expected", "tensor(0.7500,", "dtype=torch.float64)"]
