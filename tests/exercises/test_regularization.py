"""The exercises of 04_weight_regularization: typical student code, and the numbers by which mistakes are known."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.exercise import Exercise
from course_lib.checking.verdict import Verdict
from course_lib.checking.watch import Watch
from tests.support.answering import lost, named
from tests.support.course import exercise_named


def verdict(exercise_id: str, answer: Any, seed: int = 7) -> Verdict:
    """The verdict on a function, a class, or a namespace of several."""
    exercise = exercise_named(exercise_id)
    return exercise.verdict(answer, exercise.with_suspects(exercise.make_key(seed, diagnose=False)))


def mistake(exercise: Exercise, slug: str) -> Mapping[str, Any]:
    """The namespace of a known mistake."""
    return exercise.namespace(next(m.wrong for m in exercise.misconceptions if m.slug == slug))


# --- the numbers of known mistakes

PENALTIES = {
    "no-half": 16.9,
    "mean-of-all": 2.8167,
    "mean-of-each-tensor": 7.825,
    "square-of-the-sum-of-norms": 14.45,
    "last-tensor-only": 7.2,
    "lam-squared": 0.845,
    "absolute-values": 0.95,
    "norm-of-all-not-squared": 0.65,
    "norms-not-squared": 0.85,
}


@pytest.mark.parametrize("slug", PENALTIES)
def test_penalties_of_known_mistakes(slug: str) -> None:
    """For [[3], [4]] and [12] with a strength of 0.1, where 8.45 is right."""
    wrong = mistake(exercise_named("l2-penalty"), slug)["l2_penalty"]
    weights = [torch.tensor([[3.0], [4.0]], dtype=torch.float64), torch.tensor([12.0], dtype=torch.float64)]
    assert float(wrong(weights, 0.1)) == pytest.approx(PENALTIES[slug], abs=1e-4)


STEPS = {
    "twice-the-decay-in-the-penalty": 1.7,
    "decay-of-the-new-weights-in-the-penalty": 1.805,
    "decay-without-the-learning-rate-in-the-penalty": 0.9,
}


@pytest.mark.parametrize("slug", STEPS)
def test_steps_of_known_mistakes(slug: str) -> None:
    """For w 2, gradient 1, rate 0.1 and strength 0.5, where 1.8 is right."""
    wrong = mistake(exercise_named("sgd-weight-decay"), slug)["sgd_step_l2"]
    w, grad = torch.tensor([2.0], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64)
    assert wrong(w, grad, 0.1, 0.5).tolist() == pytest.approx([STEPS[slug]])


PATHS = {
    ("adam_l2_step", ""): (1.9, 1.81829, 1.73185),
    ("adamw_step", ""): (1.8, 1.68337, 1.56516),
    ("adamw_step", "decay-of-the-new-weights"): (1.805, 1.68945, 1.57263),
    ("adamw_step", "decay-without-the-learning-rate"): (0.9, 0.42337, 0.17764),
    ("adam_l2_step", "penalty-in-the-first-moment-only"): (1.8, 1.65351, 1.48292),
    ("adam_l2_step", "penalty-in-the-second-moment-only"): (1.95, 1.93551, 1.91919),
}


@pytest.mark.parametrize(("function", "slug"), PATHS, ids=[f"{f}-{s or 'right'}" for f, s in PATHS])
def test_three_steps_of_adam(function: str, slug: str) -> None:
    """Gradients 1, -0.5, 0.25 from w = 2, strength 0.5: the right paths, and those of known mistakes."""
    exercise = exercise_named("adam-weight-decay")
    namespace = mistake(exercise, slug) if slug else exercise.namespace(exercise.reference_answer)
    w, m, v = (torch.tensor([x], dtype=torch.float64) for x in (2.0, 0.0, 0.0))
    found = []
    for t, gradient in enumerate((1.0, -0.5, 0.25), 1):
        grad = torch.tensor([gradient], dtype=torch.float64)
        w, m, v = namespace[function](w, grad, m, v, t, 0.1, 0.9, 0.999, 1e-8, 0.5)
        found.append(float(w))
    assert found == pytest.approx(PATHS[function, slug], abs=2e-5)


@pytest.mark.parametrize("lam", [1e-6, 1.0])
def test_the_first_step_of_adam_does_not_see_the_strength(lam: float) -> None:
    """So no case starts from moments of zero: there every strength makes the same step."""
    exercise = exercise_named("adam-weight-decay")
    step = exercise.namespace(exercise.reference_answer)["adam_l2_step"]
    w, nothing = torch.tensor([2.0], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    assert float(step(w, nothing, nothing, nothing, 1, 0.1, 0.9, 0.999, 1e-12, lam)[0]) == pytest.approx(1.9, abs=1e-5)
    for case in exercise.make_key(0, diagnose=False).cases:
        moments = [case.inputs[name] for name in ("m", "v")]
        assert any(bool(moment.any()) for moment in moments), case.name


# --- what students write


def test_smoothing_with_the_first_value_and_with_a_convolution() -> None:
    """[1, 0, 0, 0, 0] at 0.9: seeded 1, 0.9, 0.81, ...; right 1, 0.4737, 0.2989, 0.2120, 0.1602."""
    exercise, curve = exercise_named("smooth-curve"), torch.tensor([1.0, 0, 0, 0, 0], dtype=torch.float64)
    right = exercise.namespace(exercise.reference_answer)["smooth"](curve, 0.9)
    assert right.tolist() == pytest.approx([1, 0.4737, 0.2989, 0.2120, 0.1602], abs=1e-4)
    seeded = mistake(exercise, "seeded-with-the-first-value")["smooth"](curve, 0.9)
    assert seeded[:4].tolist() == pytest.approx([1, 0.9, 0.81, 0.729])


def simple_stopper(**other: Any) -> type:
    """The class that most would write, with some of its methods exchanged."""

    class EarlyStopping:
        def __init__(self, patience: int, min_delta: float = 0.0) -> None:
            self.patience, self.min_delta = patience, min_delta
            self.best_loss, self.best_epoch, self.best_state = float("inf"), 0, None
            self.counter, self.epoch = 0, 0

        def better(self, loss: float) -> bool:
            return loss < self.best_loss - self.min_delta

        def copied(self, state: dict[str, Tensor]) -> Any:
            return copy.deepcopy(state)

        def step(self, loss: float, state: dict[str, Tensor]) -> bool:
            if self.better(loss):
                self.best_loss, self.best_epoch, self.best_state = loss, self.epoch, self.copied(state)
                self.counter = 0
            else:
                self.counter += 1
            self.epoch += 1
            return self.counter >= self.patience

    return type("EarlyStopping", (EarlyStopping,), other)


@pytest.mark.parametrize(
    "copied",
    [
        lambda self, state: {name: tensor.clone() for name, tensor in state.items()},
        lambda self, state: {name: tensor.detach().cpu().clone() for name, tensor in state.items()},
        lambda self, state: {name: torch.empty_like(tensor).copy_(tensor) for name, tensor in state.items()},
    ],
    ids=["clone", "clone on the CPU", "copy into new tensors"],
)
def test_every_copy_is_a_copy(copied: Any) -> None:
    """However it is made."""
    assert verdict("early-stopping", simple_stopper(copied=copied)).passed


@pytest.mark.parametrize(
    "shallow",
    [
        lambda self, state: state,
        lambda self, state: state.copy(),
        lambda self, state: {name: tensor.detach() for name, tensor in state.items()},
    ],
    ids=["itself", "a copy of the dict", "detached"],
)
def test_every_shallow_copy_is_named(shallow: Any) -> None:
    """The tensors are the same, so the best state is the last one."""
    assert named(verdict("early-stopping", simple_stopper(copied=shallow))) == ["not-a-copy"]


def test_nan_by_the_negated_comparison_is_named() -> None:
    """`not loss >= best` is true of NaN."""
    answer = simple_stopper(better=lambda self, loss: not loss >= self.best_loss - self.min_delta)
    assert named(verdict("early-stopping", answer)) == ["nan-becomes-the-best"]


def test_the_slow_drift_of_the_findings() -> None:
    """Losses that fall by 0.004 an epoch do not stop at a patience of 5: compared is with the last improvement."""
    exercise = exercise_named("early-stopping")
    right = exercise.namespace(exercise.reference_answer)["EarlyStopping"](5, 0.01)
    wrong = mistake(exercise, "best-moves-with-every-gain")["EarlyStopping"](5, 0.01)
    losses = [1 - 0.004 * epoch for epoch in range(30)]
    stops = {name: [s.step(x, {"w": torch.zeros(1)}) for x in losses] for name, s in (("r", right), ("w", wrong))}
    assert not any(stops["r"])
    assert stops["w"].index(True) == 5
    assert right.best_epoch == 27


def groups_by(rule: Any) -> Any:
    """An answer that sorts `named_parameters` by a rule of name and parameter."""

    def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        named_parameters = list(model.named_parameters())
        return [
            {"params": [p for n, p in named_parameters if rule(n, p)], "weight_decay": weight_decay},
            {"params": [p for n, p in named_parameters if not rule(n, p)], "weight_decay": 0.0},
        ]

    return parameter_groups


@pytest.mark.parametrize(
    ("rule", "slug"),
    [
        (lambda n, p: p.ndim > 1, "by-the-number-of-axes"),
        (lambda n, p: not n.endswith("bias"), "scales-of-normalization-decay"),
        (lambda n, p: "bias" not in n and "norm" not in n, "by-the-word-norm-in-names"),
        (lambda n, p: True, "everything-decays"),
        (lambda n, p: False, "nothing-decays"),
    ],
)
def test_rules_that_everybody_tries_first_are_named(rule: Any, slug: str) -> None:
    """By shape, by name, not at all."""
    assert named(verdict("decay-groups", groups_by(rule))) == [slug]


def test_the_word_bias_anywhere_in_a_name_is_a_mistake_of_its_own() -> None:
    """It costs little, beside what else the rule by names misses."""
    found = verdict("decay-groups", groups_by(lambda n, p: "bias" not in n))
    assert named(found) == ["scales-of-normalization-decay", "by-the-word-bias-in-names"]
    assert found.score == 4.5


def test_a_rule_by_shape_loses_little() -> None:
    """It is right for nearly every network: only the norm with several axes tells."""
    found = verdict("decay-groups", groups_by(lambda n, p: p.ndim > 1))
    assert lost(found) == ["the kind of layer decides, not the shape"]
    assert found.score == 5.25


@pytest.mark.parametrize("left", [True, False], ids=["values left", "values right"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_any_split_of_the_singular_values_passes(left: bool, sign: float) -> None:
    """Values in one factor or the other, signs changed in both."""

    def best_low_rank(matrix: Tensor, k: int) -> tuple[Tensor, Tensor]:
        u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
        u, s, vh = sign * u[:, :k], s[:k], sign * vh[:k]
        return (u * s, vh) if left else (u, s[:, None] * vh)

    assert verdict("low-rank", best_low_rank).passed


@pytest.mark.parametrize("optimizer_class", [torch.optim.SGD, torch.optim.AdamW])
def test_the_library_s_own_step_is_seen(optimizer_class: Any) -> None:
    """It would do the exercise; it is for comparing afterwards."""
    parameter = nn.Parameter(torch.ones(2))
    parameter.grad = torch.ones(2)
    with Watch(exercise_named("sgd-weight-decay").forbidden) as watch:
        optimizer_class([parameter], lr=0.1, weight_decay=0.1).step()
    assert [name.partition("optim")[0] for name in watch.used] == ["torch."]


@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_the_shares_of_many_steps_are_finite(beta: float) -> None:
    """Also for an eigenvalue of zero, and where a step overshoots."""
    exercise = exercise_named("shrinkage-factors")
    namespace = exercise.namespace(exercise.reference_answer)
    h = torch.tensor([0.0, 1e-8, 1.0, 1.9], dtype=torch.float64)
    assert namespace["gradient_descent_shrinkage"](h, beta, 50).isfinite().all()
    assert namespace["ridge_shrinkage"](h, beta).tolist()[0] == 0.0
    assert not math.isnan(float(namespace["ridge_shrinkage"](h, beta).sum()))
