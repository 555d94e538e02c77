"""The first assignment: what its module is asked for, and one reference against automatic differentiation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.support.answering import lost, verdict_on
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
    """Weight 1, bias 0 and count 0 are asked for by the notebook; the mode alone decides what is kept."""
    for seed in range(5):
        assert lost(verdict_on("batchnorm2d-module", module, seed)) == criteria


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
