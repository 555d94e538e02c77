"""What is said of a wrong answer that is no mistake known by name: true, or nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from course_lib.checking.comparison import compare
from course_lib.checking.likeness import Look, likeness
from course_lib.checking.likeness.pairs import MAX_NUMBERS
from course_lib.checking.likeness.sentences import sentence
from course_lib.checking.values import Unsupported
from tests.support.fuzzing import fuzz

Inputs = Mapping[str, Any]
Wrong = Callable[[Tensor, Inputs], Any]

SHAPES = ((4, 3), (5, 2), (6, 5))
IMAGES = ((2, 3, 4, 6), (3, 2, 5, 4), (2, 4, 3, 8))
P = (0.8, 0.7, 0.2)


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Random numbers, the same for the same shape and seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def look(name: str, got: Any, expected: Any, inputs: Inputs, output: str = "y") -> Look:
    """A look that is wrong where `compare` says so."""
    return Look(name, output, inputs, got, expected, compare(got, expected) is not None)


def looks(
    wrong: Wrong,
    shapes: Sequence[tuple[int, ...]] = SHAPES,
    right: Callable[[Tensor], Any] = lambda y: y,
) -> list[Look]:
    """The same mistake in several cases of different shapes.

    Args:
        wrong: from what is expected and the inputs to the answer.
        right: from random numbers to what is expected.
    """
    made = []
    for number, (shape, p) in enumerate(zip(shapes, P, strict=True)):
        x, u = normal(*shape, seed=number), torch.rand(shape, generator=torch.Generator().manual_seed(number + 50))
        columns = normal(shape[1] if len(shape) > 1 else 1, seed=number + 100)
        inputs = {"x": x, "p": p, "u": u.double(), "columns": columns}
        expected = right(normal(*shape, seed=number + 200))
        made.append(look(f"case {number}", wrong(expected, inputs), expected, inputs))
    return made


def first_only(change: Callable[[Tensor], Tensor], axis: int = 0) -> Wrong:
    """Right at the first index of an axis, changed at all others."""

    def wrong(y: Tensor, _: Inputs) -> Tensor:
        return torch.cat([y.narrow(axis, 0, 1), change(y).narrow(axis, 1, y.shape[axis] - 1)], axis)

    return wrong


def cross(y: Tensor, _: Inputs) -> Tensor:
    """Two vectors broadcast against each other."""
    return normal(len(y), len(y), seed=7).diagonal_scatter(y)


ANSWERS: list[tuple[str, Wrong]] = [
    ("is what is expected without its decimals.", lambda y, i: y.long()),
    ("is 0 everywhere.", lambda y, i: 0 * y),
    ("is NaN everywhere.", lambda y, i: y * math.nan),
    ("is 2.5 everywhere.", lambda y, i: torch.full_like(y, 2.5)),
    ("is `p` everywhere.", lambda y, i: torch.full_like(y, i["p"])),
    ("is the input `x` itself, unchanged.", lambda y, i: i["x"]),
    ("is the input `x` with the opposite sign.", lambda y, i: -i["x"]),
    ("is `1 - x`.", lambda y, i: 1 - i["x"]),
    ("is nothing but the input `columns`, repeated.", lambda y, i: i["columns"].expand_as(y)),
    ("is the input `x` times `1 / p`.", lambda y, i: i["x"] / i["p"]),
    ("has the right numbers, but an axis of length 1 too many.", lambda y, i: y[:, None]),
    ("has the right numbers in the right order, but flattened to a single axis.", lambda y, i: y.flatten()),
    ("is the transpose of what is expected.", lambda y, i: y.T),
    ("has the right numbers, but the rows in reverse order.", lambda y, i: y.flip(0)),
    ("has the right numbers, but the columns in reverse order.", lambda y, i: y.flip(1)),
    ("is what is expected after half a turn.", lambda y, i: y.rot90(2)),
    ("is what is expected after a quarter turn to the left.", lambda y, i: y.rot90(1)),
    ("is what is expected after a quarter turn to the right.", lambda y, i: y.rot90(-1)),
    ("is the mean over axis 0 of what is expected.", lambda y, i: y.mean(0)),
    ("is the sum of what is expected.", lambda y, i: y.sum()),
    ("is the argmax over axis 1 of what is expected.", lambda y, i: y.argmax(1)),
    ("has `x.shape[1]` rows; another number is expected.", lambda y, i: normal(y.shape[1], y.shape[1])),
    ("has the right numbers, but its first row is missing.", lambda y, i: y[1:]),
    ("has the right numbers, but its last column is missing.", lambda y, i: y[:, :-1]),
    ("has the right numbers, but a last row that should not be there.", lambda y, i: torch.cat([y, y[:1]])),
    ("is right except for the sign, which is the opposite everywhere.", lambda y, i: -y),
    ("is the absolute value of what is expected: the minus signs are lost.", lambda y, i: y.abs()),
    (
        "is right except for the sign of some whole columns.",
        lambda y, i: y * torch.tensor([1.0, -1, 1, -1, -1])[: y.shape[1]],
    ),
    ("is right except for the sign of some numbers.", lambda y, i: y * torch.sign(normal(*y.shape, seed=9))),
    ("is 1.25 times what is expected.", lambda y, i: y * 1.25),
    ("is `1 / p` times what is expected.", lambda y, i: y / i["p"]),
    ("is `1 / (1 - p)` times what is expected.", lambda y, i: y / (1 - i["p"])),
    ("is `sqrt(p)` times what is expected.", lambda y, i: y * math.sqrt(i["p"])),
    ("is `x.shape[0]` times what is expected.", lambda y, i: y * len(y)),
    ("is `x.shape[0] / (x.shape[0] - 1)` times what is expected.", lambda y, i: y * len(y) / (len(y) - 1)),
    ("is `1 / x.numel()` times what is expected.", lambda y, i: y / y.numel()),
    ("is 1 divided by what is expected.", lambda y, i: 1 / y),
    ("is 1 minus what is expected.", lambda y, i: 1 - y),
    ("is the square of what is expected.", lambda y, i: y**2),
    ("is the exponential of what is expected.", lambda y, i: y.exp()),
    ("is what is expected, rounded down to whole numbers.", lambda y, i: y.floor()),
    ("is what is expected, cut off at 0 and 1.", lambda y, i: y.clamp(0, 1)),
    ("is what is expected, cut off below 0.", lambda y, i: y.relu()),
    ("is what is expected, cut off at ±0.5.", lambda y, i: y.clamp(-0.5, 0.5)),
    ("is what is expected, cut off above 0.25.", lambda y, i: y.clamp(max=0.25)),
    ("is what is expected, cut off above `p`.", lambda y, i: y.clamp(max=i["p"])),
    ("is what is expected, cut off at -0.5 and 0.75.", lambda y, i: y.clamp(-0.5, 0.75)),
    ("is too large by 1.", lambda y, i: y + 1),
    ("is too small by `p`.", lambda y, i: y - i["p"]),
    ("is what is expected plus `x`.", lambda y, i: y + i["x"]),
    ("is what is expected minus `columns`.", lambda y, i: y - i["columns"]),
    ("is what is expected times `columns`.", lambda y, i: y * i["columns"]),
    ("is what is expected times `1 / columns`.", lambda y, i: y / i["columns"]),
    (
        "is, apart from `columns`, `1 / p` times what is expected.",
        lambda y, i: (y - i["columns"]) / i["p"] + i["columns"],
    ),
    ("is what is expected after a softmax over axis 1.", lambda y, i: y.softmax(1)),
    ("has the right numbers at other places.", lambda y, i: y.flatten().roll(4).reshape(y.shape)),
    (
        "is wrong only in the last column; there it is 0 everywhere.",
        lambda y, i: torch.cat([y[:, :-1], 0 * y[:, :1]], 1),
    ),
    ("is right only in the first row.", first_only(lambda y: torch.sin(3 * y))),
    ("is right only in the first row; elsewhere it is 2 times what is expected.", first_only(lambda y: 2 * y)),
    ("is wrong only where `x` is negative.", lambda y, i: torch.where(i["x"] < 0, torch.sin(3 * y), y)),
    ("is wrong only where `u >= p`; there it is 0 everywhere.", lambda y, i: torch.where(i["u"] >= i["p"], 0, y)),
    (
        "is wrong only where a negative number is expected; there it is too large by 1.",
        lambda y, i: torch.where(y < 0, y + 1, y),
    ),
]


@pytest.mark.parametrize(("said", "wrong"), [pytest.param(said, wrong, id=said) for said, wrong in ANSWERS])
def test_each_form_is_recognized_in_cases_of_several_shapes(said: str, wrong: Wrong) -> None:
    """Every general form has a sentence of its own, whatever the numbers and the shapes."""
    assert likeness(looks(wrong)) == f"Your `y` {said}"


PICTURES: list[tuple[str, Wrong]] = [
    (
        "has the right numbers, but the axes of what is expected in the order (0, 2, 3, 1).",
        lambda y, i: y.permute(0, 2, 3, 1),
    ),
    ("has the right numbers, but the channels in reverse order.", lambda y, i: y.flip(1)),
    ("has the right numbers, but the channels and the columns in reverse order.", lambda y, i: y.flip(1, 3)),
    ("is what is expected after half a turn.", lambda y, i: y.rot90(2, (2, 3))),
    ("has the right numbers in the right order, but in another shape.", lambda y, i: y.flatten(1)),
    ("is `x[0, 0].numel()` times what is expected.", lambda y, i: y * y[0, 0].numel()),
    ("is off by a factor of its own in each channel.", lambda y, i: y * (2 + torch.arange(y.shape[1]))[:, None, None]),
    ("is shifted by an amount of its own in each channel.", lambda y, i: y + normal(y.shape[1], 1, 1)),
    (
        "is right up to a factor and a shift of its own in each channel.",
        lambda y, i: y * (2 + torch.arange(y.shape[1]))[:, None, None] + normal(y.shape[1], 1, 1),
    ),
    ("is right only in the first example.", first_only(lambda y: torch.sin(3 * y))),
    (
        "is right only in the first example; elsewhere it has the right numbers, but the columns in reverse order.",
        first_only(lambda y: y.flip(3)),
    ),
]


@pytest.mark.parametrize(("said", "wrong"), [pytest.param(said, wrong, id=said) for said, wrong in PICTURES])
def test_each_form_is_recognized_in_images(said: str, wrong: Wrong) -> None:
    """Axes are called what they are in a batch of images."""
    assert likeness(looks(wrong, IMAGES)) == f"Your `y` {said}"


def test_what_would_make_the_answer_right_is_said() -> None:
    """A last step that is missing is named: the mean, the absolute value, the softmax, the reduction, the bias."""
    steps: dict[str, Callable[[Tensor], Tensor]] = {
        "would be right after subtracting the mean over axis 0": lambda z: z - z.mean(0),
        "would be right as absolute values, without the minus signs": torch.abs,
        "would be right if it was cut off below 0": torch.relu,
        "would be right if it was cut off at ±0.5": lambda z: z.clamp(-0.5, 0.5),
        "would be right if it was cut off at 0 and 1": lambda z: z.clamp(0, 1),
        "would be right after a softmax over axis 1": lambda z: z.softmax(1),
        "is one step away: its mean is what is expected": torch.mean,
        "is one step away: its argmax over axis 1 is what is expected": lambda z: z.argmax(1),
        "is one step away: its sum over axis 1 is what is expected": lambda z: z.sum(1),
    }
    for said, last in steps.items():
        made = [
            look(f"case {n}", z, last(z), {}) for n, z in enumerate(normal(*s, seed=n) for n, s in enumerate(SHAPES))
        ]
        assert likeness(made) == f"Your `y` {said}."


def test_two_vectors_broadcast_against_each_other_are_seen() -> None:
    """The usual trap: (N, 1) and (N,) give a matrix whose diagonal is right."""
    made = []
    for n in (3, 4, 5):
        one, other = normal(n), normal(n, seed=1)
        made.append(look(f"n = {n}", one[:, None] * other, one * other, {}))
    said = "is a matrix with what is expected on its diagonal, as where two vectors are broadcast together"
    assert likeness(made) == f"Your `y` {said}."


def test_outputs_in_the_wrong_order_are_seen() -> None:
    """What one output should be stands where another should."""
    made = []
    for case, n in enumerate((3, 4)):
        one, other = normal(n), normal(n, seed=1)
        made += [look(f"{case}", other, one, {}, "dgamma"), look(f"{case}", one, other, {}, "dbeta")]
    assert likeness(made) == "Your `dgamma` is what `dbeta` should be."


def test_masks_with_kept_and_dropped_exchanged_are_seen() -> None:
    """Zero where it should not be and the other way round; and zeros at other places."""
    x, keep, other = normal(6, 5), normal(6, 5, seed=1) > 0, normal(6, 5, seed=2) > 0
    said = "is 0 exactly where it should not be, and not 0 where it should be"
    assert likeness([look("a", x * ~keep / 0.3, x * keep / 0.7, {})]) == f"Your `y` {said}."
    said = "is 0 at other places than expected; where neither is 0, it is right"
    assert likeness([look("a", x * other, x * keep, {})]) == f"Your `y` {said}."
    assert (
        likeness([look("a", ~keep, keep, {})]) == "Your `y` is the opposite everywhere: True and False are exchanged."
    )


def test_another_part_of_an_image_is_seen() -> None:
    """A crop at the wrong place is told by how far it is off."""
    image = normal(3, 9, 9)
    made = [look(f"{k}", image[:, k + 1 : k + 4, 2:6], image[:, k : k + 3, 4:8], {"image": image}) for k in range(3)]
    said = "is the part of `image` that lies 1 row too low and 2 columns too far left"
    assert likeness(made) == f"Your `y` {said}."


def test_probabilities_that_are_none_are_seen() -> None:
    """What is expected sums to 1, and this does not."""
    made = []
    for n in (3, 5, 6):
        z = normal(4, n, seed=n)
        made.append(look(f"{n}", torch.rand(4, n, generator=torch.Generator().manual_seed(n)), z.softmax(1), {}))
    assert likeness(made) == "Your `y` does not sum to 1 over axis 1; what is expected does."


def test_an_answer_that_is_almost_right_is_not_explained_by_rounding() -> None:
    """Where the error is little more than what is tolerated, a constant explains it only if it explains all of it."""
    y = 1 + normal(6, 4).abs()
    noise = torch.sign(normal(6, 4, seed=1)) * 4e-5
    assert likeness([look(f"{n}", y + noise.roll(n, 0) * y, y, {}) for n in range(3)]) == ""
    said = likeness([look(f"{n}", y * 1.0004, y, {}) for n in range(3)])
    assert said == "Your `y` is 1.0004 times what is expected."


# --- single numbers, texts, flags


def numbers(pairs: Sequence[tuple[Any, Any, Inputs]]) -> list[Look]:
    """Looks at outputs that are no tensors."""
    return [look(f"case {n}", got, expected, inputs) for n, (got, expected, inputs) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("said", "pairs"),
    [
        ("is `1 / p` times what is expected.", [(5.0, 1.0, {"p": 0.2}), (4.0, 2.8, {"p": 0.7})]),
        ("is too small by 1.", [(6, 7, {}), (11, 12, {})]),
        (
            "is what it should be for the opposite `training`.",
            [("a", "b", {"training": True}), ("b", "a", {"training": False})],
        ),
        ("is the same in every case, 'a', whatever the inputs.", [("a", "a", {}), ("a", "b", {}), ("a", "c", {})]),
    ],
)
def test_numbers_texts_and_flags_are_told_too(said: str, pairs: Sequence[tuple[Any, Any, Inputs]]) -> None:
    """Not every answer is a tensor."""
    assert likeness(numbers(pairs)) == f"Your `y` {said}"


# --- when it is wrong


def split(condition: Callable[[Inputs], bool], inputs: Sequence[Inputs]) -> list[Look]:
    """Unlike anything where a condition holds, right elsewhere."""
    made = []
    for n, given_ in enumerate(inputs):
        y = normal(3, 4, seed=n)
        made.append(look(f"case {n}", normal(3, 4, seed=n + 50) if condition(given_) else y, y, given_))
    return made


@pytest.mark.parametrize(
    ("said", "condition", "inputs"),
    [
        (
            "wrong in the case “case 0” only, where `training` is True.",
            lambda i: i["training"],
            [{"training": True}, {"training": False}],
        ),
        (
            "right in the case “case 1” only, where `bias` is None.",
            lambda i: i["bias"] is not None,
            [{"bias": normal(3)}, {"bias": None}, {"bias": normal(4)}],
        ),
        (
            "wrong in the cases where `length` is odd, and right in the others.",
            lambda i: i["length"] % 2,
            [{"length": n} for n in (2, 3, 4, 7)],
        ),
        (
            "right in the case “case 0” only, where `p` is 0.5.",
            lambda i: i["p"] != 0.5,
            [{"p": p} for p in (0.5, 0.2, 0.7, 0.8)],
        ),
        (
            "right in the cases where the last two axes of `x` are equally long, and wrong in the others.",
            lambda i: i["x"].shape[0] != i["x"].shape[1],
            [{"x": normal(*s)} for s in ((3, 3), (3, 4), (4, 4), (5, 2))],
        ),
        (
            "wrong in the cases where `x` is float32, and right in the others.",
            lambda i: i["x"].dtype == torch.float32,
            [{"x": normal(3, n).to(d)} for n, d in ((4, torch.float32), (5, torch.float64)) for _ in range(2)],
        ),
        (
            "right in the cases where `a` and `b` are equal, and wrong in the others.",
            lambda i: i["a"] != i["b"],
            [{"a": a, "b": b} for a, b in ((3, 3), (3, 5), (5, 3), (5, 5))],
        ),
    ],
)
def test_what_distinguishes_right_cases_from_wrong_ones_is_said(
    said: str, condition: Callable[[Inputs], bool], inputs: Sequence[Inputs]
) -> None:
    """If no likeness is found within a case, the cases themselves tell."""
    assert likeness(split(condition, inputs)) == f"Your `y` is {said}"


def test_two_cases_are_too_few_to_blame_a_number() -> None:
    """That one of two cases has p = 0.5 is no more than chance; a flag is made to make the difference."""
    assert likeness(split(lambda i: i["p"] != 0.5, [{"p": 0.5}, {"p": 0.2}])) == ""


def test_a_sign_is_blamed_only_if_enough_cases_agree() -> None:
    """That `beta` holds negative numbers where it is wrong is chance in four cases, and hardly in six."""
    inputs = [{"beta": sign * normal(3, seed=n).abs()} for n, sign in enumerate((1, -1, 1, -1, 1, -1))]
    assert likeness(split(lambda i: bool((i["beta"] < 0).any()), inputs[:4])) == ""
    said = "Your `y` is wrong in the cases where `beta` holds negative numbers, and right in the others."
    assert likeness(split(lambda i: bool((i["beta"] < 0).any()), inputs)) == said


def test_what_explains_a_mistake_is_not_followed_by_a_condition() -> None:
    """That 2 times too large shows only where `p` is 0 tells nothing more; a factor is said alone."""
    y = [normal(3, 4, seed=n) for n in range(4)]
    made = [look(f"{n}", v if n else 2 * v, v, {"p": 0.0 if n == 0 else 0.3}) for n, v in enumerate(y)]
    assert likeness(made) == "In the case “0”, your `y` is 2 times what is expected."


def test_another_normalization_is_asked_about_only_where_something_is_normalized() -> None:
    """A factor and a shift for each channel may be anything; the question is put where an input is normalized."""
    made: dict[bool, list[Look]] = {True: [], False: []}
    for n, shape in enumerate(IMAGES):
        x, factors = normal(*shape, seed=n), 2 + torch.arange(shape[1])[:, None, None]
        y = (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True) * factors.flip(0)
        got = y * factors + normal(shape[1], 1, 1, seed=9)
        for asks, one in made.items():
            one.append(look(f"{n}", got, y, {"x": x if asks else x.sin()}))
    said = "Your `y` is right up to a factor and a shift of its own in each channel"
    assert likeness(made[True]) == f"{said}: is it normalized with the right mean and spread, over the right axes?"
    assert likeness(made[False]) == f"{said}."


def test_what_is_said_of_a_place_holds_of_all_of_it() -> None:
    """Where some numbers of a place are right by accident, what is said is said of the wrong ones."""
    made = []
    for n in range(3):
        x, y = normal(6, 5, seed=n), normal(6, 5, seed=n + 50)
        negative = x < 0
        spared = negative.nonzero()[0]
        got = torch.where(negative, y + 1, y)
        got[tuple(spared)] = y[tuple(spared)]
        made.append(look(f"{n}", got, y, {"x": x}))
    said = "is wrong only where `x` is negative; where it is wrong, it is too large by 1"
    assert likeness(made) == f"Your `y` {said}."


def test_what_holds_in_some_cases_says_so() -> None:
    """A sentence about the wrong cases does not sound as if it was about all."""
    y = [normal(4, 3, seed=n) for n in range(5)]
    made = [look(f"case {n}", 2 * v if n in (1, 3) else v, v, {}) for n, v in enumerate(y)]
    assert likeness(made) == "In the 2 cases where it is wrong, your `y` is 2 times what is expected."
    made = [look(f"case {n}", 2 * v if n == 3 else v, v, {}) for n, v in enumerate(y)]
    assert likeness(made) == "In the case “case 3”, your `y` is 2 times what is expected."
    made = [look(f"case {n}", y[0].sin() if n == 3 else v, v, {}) for n, v in enumerate(y)]
    assert likeness(made) == "Your `y` is wrong in the case “case 3” only."
    mixed = [look("a", y[0].flip(0), y[0], {}), look("b", y[3].cos(), y[1], {})]
    assert likeness(mixed) == "In the case “a”, your `y` has the right numbers, but the rows in reverse order."


# --- what is not said


def test_a_constant_is_given_a_name_only_if_no_other_name_would_do() -> None:
    """Where `n` and `k` agree, the number is said and no more; a round one may be anything."""
    y = [normal(6, seed=n) for n in range(2)]
    made = [look(f"{n}", v * 1.25, v, {"a": 0.8, "b": 0.8}) for n, v in enumerate(y)]
    assert likeness(made) == "Your `y` is 1.25 times what is expected, and 1.25 is `1 / a`."
    made = [look(f"{n}", v * 1.25, v, {"a": 0.8, "b": 0.8}) for n, v in enumerate(y)]
    made.append(look("right", y[0], y[0], {"a": 0.8, "b": 0.7}))
    assert likeness(made) == "In the 2 cases where it is wrong, your `y` is 1.25 times what is expected."
    made = [look(f"{n}", v * 2, v, {"k": 2}) for n, v in enumerate(y)]
    assert likeness(made) == "Your `y` is 2 times what is expected."


@pytest.mark.parametrize(
    "made",
    [
        [],
        numbers([(1.0, 1.0, {})]),
        numbers([(3.7, 1.3, {})]),
        numbers([(0.0, 1.3, {})]),
        numbers([(torch.tensor([3.7]), torch.tensor([1.3]), {})]),
        numbers([(torch.zeros(0), torch.ones(3), {})]),
        numbers([(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 3.0]), {})]),
        numbers([(normal(2, 2), normal(2, 2, seed=1), {})]),
        numbers([(7, 3, {"n": 4}), (9, 2, {"n": 5})]),
        numbers([(normal(3, MAX_NUMBERS), 2 * normal(3, MAX_NUMBERS), {})]),
    ],
)
def test_too_little_says_nothing(made: list[Look]) -> None:
    """One number is a constant times any other, and two are a factor and a shift away from any two."""
    assert likeness(made) == ""


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_unrelated_numbers_are_like_nothing(seed: int, cases: int, sizes: list[int]) -> None:
    """Of answers that have nothing to do with the question nothing is said but to which side they are off."""
    made = []
    for case in range(cases):
        shape = [*sizes[1:], sizes[0] + case]
        inputs = {"x": normal(*shape, seed=seed + 1), "v": normal(shape[-1], seed=seed + 2), "p": 0.7, "n": 3}
        got, expected = normal(*shape, seed=seed + 3 + 2 * case), normal(*shape, seed=seed + 4 + 2 * case)
        made.append(look(f"case {case}", got - 1, expected - 1, inputs))
    said = likeness(made)
    assert not said or said.endswith(("is too large wherever it is wrong.", "is too small wherever it is wrong."))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 0.9), st.sampled_from([torch.float32, torch.float64]))
def test_a_constant_that_is_said_is_the_one(seed: int, p: float, dtype: torch.dtype) -> None:
    """Whatever name the constant is given, calculated it is the factor."""
    made, factors = [], []
    for case, q in enumerate((p, p / 2 + 0.04)):
        y = normal(4, 3 + case, seed=seed + case).to(dtype)
        factors.append((1 - q) / q)
        made.append(look(f"case {case}", y * factors[-1], y, {"p": q, "y": y}))
    said = likeness(made)
    if any(not one.wrong for one in made):
        return
    expression = said.split("`")[3]
    for one, factor in zip(made, factors, strict=True):
        value = eval(expression, {"sqrt": math.sqrt, **one.inputs})
        assert value == pytest.approx(factor, rel=1e-3)


# --- anything at all

_tensors = st.sampled_from(
    [
        torch.ones(2),
        torch.zeros(3, 3),
        torch.tensor(math.nan),
        torch.tensor([math.inf, 1.0, -math.inf]),
        torch.tensor([[1.0, math.nan], [2.0, 3.0]]),
        torch.zeros(0),
        torch.zeros(0, 3),
        torch.zeros(2, 0, 3),
        torch.tensor([True, False]),
        torch.tensor([2**62, -(2**62), 3]),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(2, 2, dtype=torch.bfloat16),
        torch.ones(2).to_sparse(),
        torch.ones(1, 1, 1, 1, 1, 2),
        torch.arange(6.0).reshape(2, 3),
        torch.arange(24.0).reshape(2, 3, 2, 2),
        torch.full((3,), 1e300, dtype=torch.float64),
        torch.full((3,), 1e-300, dtype=torch.float64),
        torch.ones(2, device="meta"),
    ]
)
_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.integers(-3, 3)
    | st.floats()
    | st.text(max_size=3)
    | _tensors
    | st.builds(object)
    | st.just(Unsupported("a function"))
    | st.just(np.array(["a"]))
    | st.just(np.array([1 + 2j]))
    | st.just(np.arange(3, dtype=np.int8))
)
_anything = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=2)
    ),
    max_leaves=4,
)
_any_look = st.builds(
    Look,
    case=st.sampled_from("abc"),
    output=st.sampled_from(["y", "z"]),
    inputs=st.dictionaries(st.sampled_from(["x", "p", "n", "u"]), _anything, max_size=4),
    got=_anything,
    expected=_anything,
    wrong=st.booleans(),
    tolerance=st.none() | st.floats(0, 1),
)


@fuzz(400)
@given(st.lists(_any_look, max_size=5))
def test_whatever_the_values_are_nothing_is_raised(made: list[Look]) -> None:
    """Not even inside: the guard around it all is never needed."""
    with np.errstate(all="ignore"):
        assert sentence(made) == likeness(made)


def test_the_guard_hides_what_no_test_foresaw() -> None:
    """A value that raises when it is looked at costs the sentence and not the card."""

    class Evil:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

        @property
        def dtype(self) -> None:
            raise RuntimeError

    assert likeness([Look("a", "y", {}, Evil(), Evil(), True)]) == ""


def test_a_check_is_not_slowed_down() -> None:
    """Seven cases of images that are like nothing, the most expensive answer, take little time."""
    made = []
    for n in range(7):
        shape = (4, 3, 5, 6 + n)
        x, v = normal(*shape, seed=n), normal(3, seed=n)
        inputs = {"x": x, "gamma": v, "beta": v + 1, "eps": 1e-5}
        made.append(look(f"{n}", normal(*shape, seed=n + 1), normal(*shape, seed=n + 2), inputs))
    likeness(made)
    times = []
    for _ in range(5):
        start = time.process_time()
        likeness(made)
        times.append(time.process_time() - start)
    assert min(times) < 0.05
