"""The first assignment: what its module is asked for, and one reference against automatic differentiation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.checking.card import Card
from course_lib.checking.verdict import Verdict
from tests.support.answering import lost, named, verdict_on
from tests.support.course import exercise_named


class _WeightAtZero(nn.BatchNorm2d):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        nn.init.zeros_(self.weight)


class _BiasAtOne(nn.BatchNorm2d):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        nn.init.ones_(self.bias)


class _CountsFromOne(nn.BatchNorm2d):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1


class _KeepsNothingWithoutGradients(nn.BatchNorm2d):
    def forward(self, input: Tensor) -> Tensor:
        if self.training and not torch.is_grad_enabled():
            return F.batch_norm(input, None, None, self.weight, self.bias, training=True, eps=self.eps)
        return super().forward(input)


STATE = "state_dict can be exchanged with torch's"
STATISTICS = "running statistics after one and three steps"


@pytest.mark.parametrize(
    ("module", "criteria"),
    [
        (nn.BatchNorm2d, []),
        (_WeightAtZero, [STATE]),
        (_BiasAtOne, [STATE]),
        (_CountsFromOne, [STATE]),
        (_KeepsNothingWithoutGradients, [STATISTICS]),
    ],
)
def test_module_is_asked_where_it_starts_and_what_it_keeps_without_gradients(
    module: type[nn.Module], criteria: list[str]
) -> None:
    """Weight 1, bias 0 and count 0 are asked for by the notebook; the mode alone decides what is kept.

    PyTorch's own layer stands for right answers here, so nobody watches for it.
    """
    exercise = exercise_named("batchnorm2d-module")
    for seed in range(5):
        assert lost(exercise.verdict(module, exercise.make_key(seed, diagnose=False))) == criteria


def test_backward_reference_is_autograd_through_the_formula() -> None:
    """The kernel that serves as reference agrees with automatic differentiation of the forward pass."""
    for case in exercise_named("batchnorm-backward").make_key(0, diagnose=False).cases:
        dy, x, gamma, eps = case.inputs.values()
        x, gamma, beta = (t.double().requires_grad_() for t in (x, gamma, torch.zeros_like(gamma)))
        y = gamma * (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps) + beta
        for expected, found in zip(
            torch.autograd.grad(y, (x, gamma, beta), dy.double()), case.expected.values(), strict=True
        ):
            torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


# --- answers that others wrote: what was judged wrongly once


def _verdicts(exercise_id: str, answer: Any) -> list[Verdict]:
    return [verdict_on(exercise_id, answer, seed) for seed in range(10)]


def _root(x: Tensor, axes: Any, eps: float, correction: int = 0) -> Tensor:
    return torch.sqrt(x.var(axes, correction=correction, keepdim=True) + eps)


def _layer_norm_in_place(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    root = _root(x, 1, eps)
    x -= x.mean(1, keepdim=True)
    return gamma * x / root + beta


def _images_in_place(axes: tuple[int, ...]) -> Any:
    def answer(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
        root = _root(x, axes, eps)
        x -= x.mean(axes, keepdim=True)
        return gamma[:, None, None] * x / root + beta[:, None, None]

    return answer


def _identity_in_place(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    mean = x.mean(0)
    x -= mean
    return torch.sqrt(x.square().mean(0) + eps), mean


def _backward_in_place(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    root = torch.sqrt(x.var(0, correction=0) + eps)
    xhat = (x - x.mean(0)) / root
    dgamma, dbeta = (dy * xhat).sum(0), dy.sum(0)
    dy *= gamma
    return (dy - dy.mean(0) - xhat * (dy * xhat).mean(0)) / root, dgamma, dbeta


def _fuse_in_place(
    weight: Tensor, bias: Any, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Any:
    scale = gamma / torch.sqrt(var + eps)
    weight *= scale.reshape(-1, *[1] * (weight.ndim - 1))
    return weight, beta + ((0 if bias is None else bias) - mean) * scale


def _affine_in_place(gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    gamma /= torch.sqrt(var + eps)
    return gamma, beta - mean * gamma


@pytest.mark.parametrize(
    ("exercise_id", "answer"),
    [
        ("layer-norm", _layer_norm_in_place),
        ("instance-norm", _images_in_place((2, 3))),
        ("batchnorm2d-forward", _images_in_place((0, 2, 3))),
        ("batchnorm-identity", _identity_in_place),
        ("batchnorm-backward", _backward_in_place),
        ("fuse-linear", _fuse_in_place),
        ("fuse-conv", _fuse_in_place),
        ("batchnorm-as-affine", _affine_in_place),
    ],
)
def test_a_right_answer_that_works_in_place_loses_that_alone(exercise_id: str, answer: Any) -> None:
    """Verdicts A7: "Inputs are never modified" is promised in the notebook, so it is looked at in every exercise."""
    for verdict in _verdicts(exercise_id, answer):
        assert lost(verdict) == ["leaves its inputs unchanged"]
        assert named(verdict) == ["input-changed"]


def _with_view(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    n, c, h, w = x.shape
    flat = x.view(n, c, -1)
    var, mean = torch.var_mean(flat, dim=2, correction=0, keepdim=True)
    return (gamma[:, None] * (flat - mean) / torch.sqrt(var + eps) + beta[:, None]).view(n, c, h, w)


def _batch_with_view(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    n, c, h, w = x.shape
    flat = x.view(n, c, -1)
    var, mean = torch.var_mean(flat, dim=(0, 2), correction=0, keepdim=True)
    return (gamma[:, None] * (flat - mean) / torch.sqrt(var + eps) + beta[:, None]).view(n, c, h, w)


def _groups_with_view(x: Tensor, groups: int, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    flat = x.view(len(x), groups, -1)
    var, mean = torch.var_mean(flat, dim=2, correction=0, keepdim=True)
    normal = ((flat - mean) / torch.sqrt(var + eps)).view(*x.shape)
    return gamma[:, None, None] * normal + beta[:, None, None]


def _fuse_with_view(
    weight: Tensor, bias: Any, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Any:
    scale = gamma / torch.sqrt(var + eps)
    rows = weight.clone().view(len(weight), -1)
    return (scale[:, None] * rows).view(weight.shape), beta + ((0 if bias is None else bias) - mean) * scale


def _first_fusion(weight: Tensor, bias: Any, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float) -> Any:
    """The published code before its bias was corrected: the bias of the convolution is not scaled."""
    fused, _ = _fuse_with_view(weight, bias, gamma, beta, mean, var, eps)
    return fused, (0 if bias is None else bias) + beta - mean * gamma / torch.sqrt(var + eps)


@pytest.mark.parametrize(
    ("exercise_id", "answer"),
    [
        ("fuse-conv", _fuse_with_view),
        ("instance-norm", _with_view),
        ("batchnorm2d-forward", _batch_with_view),
        ("group-norm", _groups_with_view),
    ],
)
def test_a_view_loses_one_small_criterion_with_its_name(exercise_id: str, answer: Any) -> None:
    """Verdicts B2 and B3: right numbers for contiguous tensors cost what memory layout is worth, and nothing else."""
    for verdict in _verdicts(exercise_id, answer):
        assert lost(verdict) == ["accepts any memory layout"]
        assert named(verdict) == ["needs-contiguous-memory"]


def test_a_view_hides_no_other_mistake() -> None:
    """Verdicts B2: the mistake of the most copied fusion is named although the code needs contiguous memory."""
    for verdict in _verdicts("fuse-conv", _first_fusion):
        assert named(verdict) == ["bias-not-scaled", "needs-contiguous-memory"]


def _cs231n(running_mean: Tensor, running_var: Tensor, x: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
    mean = momentum * running_mean + (1 - momentum) * x.mean(0)
    return mean, momentum * running_var + (1 - momentum) * x.var(0, correction=0)


def _std_plus_eps(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    return gamma * (x - x.mean(0)) / (x.std(0) + eps) + beta


def _makemore(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    n = len(x)
    root = torch.sqrt(x.var(0) + eps)
    xhat = (x - x.mean(0)) / root
    dx = gamma / root / n * (n * dy - dy.sum(0) - n / (n - 1) * xhat * (dy * xhat).sum(0))
    return dx, (dy * xhat).sum(0), dy.sum(0)


def _half_makemore(dy: Tensor, x: Tensor, gamma: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    n = len(x)
    root = torch.sqrt(x.var(0, correction=0) + eps)
    xhat = (x - x.mean(0)) / root
    dx = gamma / root / n * (n * dy - dy.sum(0) - n / (n - 1) * xhat * (dy * xhat).sum(0))
    return dx, (dy * xhat).sum(0), dy.sum(0)


def _rms_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    return gamma * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) + beta


def _no_gamma_in_shift(gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    root = torch.sqrt(var + eps)
    return gamma / root, beta - mean / root


def _mean_absolute_deviation(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    centered = x - x.mean(0)
    return gamma * centered / (centered.abs().mean(0) + eps) + beta


@pytest.mark.parametrize(
    ("exercise_id", "answer", "slugs", "costs"),
    [
        ("running-statistics", _cs231n, ["momentum-swapped", "biased-running-variance"], 1.5),
        ("batchnorm-forward", _std_plus_eps, ["unbiased-variance", "epsilon-outside-root"], 1.5),
        ("batchnorm-backward", _makemore, ["unbiased-variance"], 1),
        ("batchnorm-backward", _half_makemore, ["variance-path-unbiased"], 0.5),
        ("layer-norm", _rms_norm, ["root-mean-square"], 1),
        ("batchnorm-as-affine", _no_gamma_in_shift, ["gamma-missing-in-shift"], 0.5),
        ("batchnorm-forward", _mean_absolute_deviation, ["mean-absolute-deviation"], 1),
    ],
)
def test_typical_mistakes_have_names_and_fair_prices(
    exercise_id: str, answer: Any, slugs: list[str], costs: float
) -> None:
    """Verdicts D4, D5, D6, D10 and the first reading of the notebook: seen in public code, and nameless then."""
    for verdict in _verdicts(exercise_id, answer):
        assert named(verdict) == slugs
        assert verdict.score == verdict.key.points - costs


def test_one_wrong_default_costs_a_quarter_and_what_follows_is_not_called_lost() -> None:
    """Notebooks 01 and 02, E10: a card said of an unbiased variance that it loses dtype and inputs as well."""

    def unbiased(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
        return gamma * (x - x.mean(0)) / torch.sqrt(x.var(0) + eps) + beta

    for verdict in _verdicts("batchnorm-forward", unbiased):
        assert verdict.score == 3
        assert [result.criterion.title for result in verdict.results if result.state == "lost"] == [
            "normalizes over the batch"
        ]


def test_a_forgotten_return_is_said_so() -> None:
    """Notebooks 01 and 02, 3: None came back without a word about `return`."""
    for exercise_id in ("batchnorm-forward", "batchnorm-backward", "group-norm"):
        assert "return" in Card(verdict_on(exercise_id, lambda *inputs: None)).text()
