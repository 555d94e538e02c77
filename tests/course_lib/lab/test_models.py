"""The small networks: seeded weights, the right shapes, any normalisation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from course_lib.lab import models

BUILDERS: dict[str, Callable[..., nn.Sequential]] = {"mlp": models.mlp, "cnn": models.cnn}
NORMS: dict[str, dict[str, models.Norm | None]] = {
    "mlp": {"none": None, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm},
    "cnn": {"none": None, "batch": nn.BatchNorm2d, "group": models.group_norm(4)},
}
EVERY = [pytest.param(BUILDERS[b], norm, id=f"{b}-{name}") for b in BUILDERS for name, norm in NORMS[b].items()]


@pytest.mark.parametrize(("build", "norm"), EVERY)
def test_images_become_ten_logits(build: Callable[..., nn.Sequential], norm: models.Norm | None) -> None:
    """Every builder with every normalisation takes 28 x 28 grey images."""
    assert build(norm=norm)(torch.rand(3, 1, 28, 28)).shape == (3, 10)


@pytest.mark.parametrize(("build", "norm"), EVERY)
def test_weights_depend_on_the_seed_alone(build: Callable[..., nn.Sequential], norm: models.Norm | None) -> None:
    """And building a model leaves the global generator as it was."""
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = build(norm=norm, seed=1).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(9)
    again, other = build(norm=norm, seed=1).state_dict(), build(norm=norm, seed=2).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_the_weights_have_he_s_spread_times_the_scale(build: Callable[..., nn.Sequential], scale: float) -> None:
    """Standard deviation scale * sqrt(2 / fan-in), He et al. 2015, eq. 10."""
    for layer in build(scale=scale):
        if isinstance(layer, nn.Linear | nn.Conv2d) and layer.weight.numel() > 2000:
            expected = scale * (2 / layer.weight[0].numel()) ** 0.5
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(("build", "norm"), EVERY)
def test_there_is_no_bias_before_a_normalisation(build: Callable[..., nn.Sequential], norm: models.Norm | None) -> None:
    """It would be removed with the mean; without normalisation it is there."""
    layers = list(build(norm=norm))
    weighted = [layer for layer in layers[:-1] if isinstance(layer, nn.Linear | nn.Conv2d)]
    assert weighted
    assert all((layer.bias is None) == (norm is not None) for layer in weighted)
    assert layers[-1].bias is not None


def test_depth_and_width_are_as_asked_for() -> None:
    """Depth counts hidden layers."""
    hidden = [layer for layer in models.mlp(width=7, depth=3) if isinstance(layer, nn.ReLU)]
    assert len(hidden) == 3
    assert models.mlp(width=7, depth=3)[-1].weight.shape == (10, 7)
