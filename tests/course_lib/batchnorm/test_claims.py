"""What 01_batchnorm says about training, measured: every claim as a direction with a margin, on five seeds.

Trainings are recorded in `runs.json`; see `tests/support/measured.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from course_lib.batchnorm import experiments
from course_lib.batchnorm.experiments import WITH, WITHOUT, Sweep
from tests.course_lib.batchnorm import runs
from tests.course_lib.batchnorm.runs import SEEDS
from tests.support.measured import Measured

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """The networks are tiny: more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def fuse(
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    gamma: torch.Tensor,
    beta: torch.Tensor,
    mean: torch.Tensor,
    var: torch.Tensor,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """PyTorch's own fusion, as a function of the shape that the notebook asks for."""
    fused_weight, fused_bias = nn.utils.fuse_conv_bn_weights(weight, bias, mean, var, eps, gamma, beta)
    return fused_weight.detach(), fused_bias.detach()


@pytest.mark.parametrize("seed", SEEDS)
def test_without_batch_norm_the_scale_of_the_weights_multiplies_over_the_depth(seed: int) -> None:
    """Half of He's weights shrink the outputs to below 1%, twice them grow them more than 100 times."""
    assert experiments.activations(0.5, False, seed=seed).growth < 0.01
    assert experiments.activations(2.0, False, seed=seed).growth > 100
    assert 0.3 < experiments.activations(1.0, False, seed=seed).growth < 3


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_with_batch_norm_the_scale_of_the_weights_has_no_influence(seed: int, scale: float) -> None:
    """The spread in layer 10 is that of layer 1, within a fifth."""
    assert experiments.activations(scale, True, seed=seed).growth == pytest.approx(1.0, abs=0.2)


def swept(setting: str, values: tuple[float, ...], measured: Measured) -> Sweep:
    """A sweep over all seeds."""
    found = measured.all()
    return Sweep(setting, values, {label: tuple(run[label][0] for run in found) for label in (WITHOUT, WITH)})


def test_batch_norm_trains_from_far_more_initial_scales() -> None:
    """Without it only at He's scale; with it over at least a factor of 100."""
    result = swept("initial scale", runs.SCALES, runs.scale_sweep)
    assert result.working(WITHOUT) == [[1.0]] * len(SEEDS)
    assert min(result.width(WITH)) >= 100


def test_batch_norm_tolerates_at_least_three_times_the_learning_rate() -> None:
    """The largest rate that trains is at least 3 times as large, on each seed; here 5 times are asked for."""
    result = swept("learning rate", runs.RATES, runs.rate_sweep)
    assert result.largest(WITHOUT) == [0.16] * len(SEEDS)
    assert all(rate >= 5 * 0.16 for rate in result.largest(WITH))
    best = {label: [min(run) for run in runs] for label, runs in result.losses.items()}
    assert all(a < b - 0.1 for a, b in zip(best[WITH], best[WITHOUT], strict=True))


def test_batch_norm_fails_at_batch_size_two_and_from_four_on_is_as_good_as_group_norm() -> None:
    """At 2 it errs at least 25 points more, on each seed; at 4 and at 64 the means differ by at most 3 points."""
    batch, group = (
        [[runs.batch_sizes((size, seed))[label] for size in runs.SIZES] for seed in SEEDS]
        for label in ("batch norm", "group norm, 8 groups")
    )
    assert all(b[0] > g[0] + 25 for b, g in zip(batch, group, strict=True))
    for k in (1, 2):
        assert abs(sum(b[k] for b in batch) - sum(g[k] for g in group)) < 3 * len(SEEDS)
    assert all(error < 30 for run in group for error in run)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_batch_norm_the_gradient_of_every_layer_depends_on_the_scale_of_the_weights(seed: int) -> None:
    """With half of He's weights all are below 0.002, with twice in the thousands; with batch norm 0.4 to 10."""
    half, double = (experiments.gradients(scale, False, seed=seed).norms for scale in (0.5, 2.0))
    assert len(half) == 11
    assert max(half) < 0.002
    assert min(double) > 1000
    assert max(half) < 10 * min(half)  # it is no matter of the depth
    for scale in (0.5, 1.0, 2.0):
        norms = experiments.gradients(scale, True, seed=seed).norms
        assert min(norms) > 0.4
        assert max(norms) < 10
        assert 2 < norms[1] / norms[9] < 5  # the first hidden layers have the larger ones


@pytest.mark.parametrize("seed", SEEDS)
def test_the_company_of_an_image_is_noise_that_falls_with_the_batch(seed: int) -> None:
    """From 4 to 256 images by more than a factor of 4; from 64 to 256 about as the square root; none in evaluation."""
    result = runs.company(seed)
    noise = result["noise"]
    assert noise == sorted(noise, reverse=True)
    assert noise[0] > 4 * noise[-1]
    assert 1.5 < noise[-2] / noise[-1] < 2.7
    assert 0.6 < noise[0] < 1.8
    assert noise[-1] < 0.25
    assert result["eval_noise"] < 1e-4


def test_batch_norm_memorizes_and_more_noise_does_not_help() -> None:
    """Its training loss is far lower, its validation loss lower on most seeds; smaller groups gain nothing."""
    training, validation = (
        {name: [run[quantity][name][0] for run in runs.regularizing.all()] for name in runs.regularizing(0)[quantity]}
        for quantity in ("training", "validation")
    )
    plain, whole, twenties, tens, fives = validation.values()
    count = len(SEEDS)
    assert sum(plain) / count > sum(whole) / count + 0.05
    assert sum(w < p for w, p in zip(whole, plain, strict=True)) >= 4
    assert max(training["groups of 100"]) < 0.1 < 0.3 < min(training["no batch norm"])
    assert abs(sum(twenties) - sum(whole)) / count < 0.05
    assert all(t > w + 0.03 for t, w in zip(tens, whole, strict=True))
    assert all(f > w + 0.03 for f, w in zip(fives, whole, strict=True))


def test_only_batch_norm_notices_a_change_of_contrast() -> None:
    """At a quarter it loses at least 20 points on each seed; layer and instance norm lose none."""
    accuracy = {name: [run[name] for run in runs.contrast.all()] for name in runs.contrast(0)}
    for run in accuracy["batch norm"]:
        assert run[0] > 65
        assert run[-1] < run[0] - 20
    for name in ("layer norm", "instance norm"):
        for run in accuracy[name]:
            assert max(run) - min(run) < 0.5
            assert run[-1] > 40
    best = [max((of_seeds[k][0], name) for name, of_seeds in accuracy.items())[1] for k in range(len(SEEDS))]
    assert best == ["batch norm"] * len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_training_mode_ruins_the_evaluation_of_sorted_and_single_images(seed: int) -> None:
    """Mixed batches hide the bug; sorted batches lose at least 30 points, lost buffers 20."""
    result = runs.evaluated(seed)
    right = result["right"]
    assert right > 60
    assert abs(right - result["shuffled"]) < 10
    assert result["sorted"] < 30 < right - result["sorted"]
    assert result["single"] < 25
    assert result["without_buffers"] < right - 20
    assert result["moved"] > 1


def test_a_fused_network_is_the_same_and_faster() -> None:
    """Logits agree to 1e-4, classes do not change, one image takes at most 95% of the time."""
    result = experiments.fusion(fuse)
    assert result.error < 1e-4
    assert result.same_class == 1.0
    assert result.layers == (12, 9)
    assert result.after_ms < 0.95 * result.before_ms


def test_a_network_trains_with_hand_written_functions_as_with_pytorch() -> None:
    """In the first ten steps the losses agree to 1e-5 of their value."""

    def forward(x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, eps: float) -> torch.Tensor:
        return gamma * (x - x.mean(0)) / (x.var(0, correction=0) + eps).sqrt() + beta

    def backward(
        dy: torch.Tensor, x: torch.Tensor, gamma: torch.Tensor, eps: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        with torch.enable_grad():
            a, b, c = (t.detach().requires_grad_() for t in (x, gamma, torch.zeros_like(gamma)))
            grads = torch.autograd.grad(forward(a, b, c, eps), (a, b, c), dy)
        return grads[0], grads[1], grads[2]

    assert experiments.own_training(forward, backward, steps=10).error < 1e-5
