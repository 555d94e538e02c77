"""What the dropout notebook says about training is measured here, on several seeds, as a direction with a margin.

Trainings are recorded in `runs.json`; see `tests/support/measured.py`.
"""

from __future__ import annotations

import pytest
import torch

from course_lib.dropout import experiments
from tests.course_lib.dropout import runs
from tests.course_lib.dropout.runs import SEEDS, drop

each_seed = pytest.mark.parametrize("seed", SEEDS, ids=[f"seed-{seed}" for seed in SEEDS])


def wrong_drop(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    """Divides by the probability of dropping."""
    return x * (u < p_keep) / (1 - p_keep) if training else x


def test_a_gradient_check_passes_a_wrong_dropout() -> None:
    """The notebook shows that forward and backward may agree and both be wrong; the mean output tells."""
    right, wrong = (experiments.gradient_check(function, 0.8) for function in (drop, wrong_drop))
    assert max(right[0], wrong[0]) < 1e-8
    assert abs(right[1] - 1) < 0.1
    assert abs(wrong[1] - 4) < 0.4


def test_a_calibrated_forecast_has_no_calibration_error() -> None:
    """Eight of ten right at confidence 0.8 is no error; two of ten right is one of 0.6."""
    guess = torch.tensor([[0.8, 0.2]] * 10)
    labels = torch.tensor([0] * 8 + [1] * 2)
    assert experiments.calibration_error(guess, labels) == pytest.approx(0.0, abs=1e-6)
    assert experiments.calibration_error(guess, 1 - labels) == pytest.approx(0.6, abs=1e-6)


@pytest.mark.slow
@each_seed
def test_dropout_narrows_the_gap_and_lowers_the_validation_loss(seed: int) -> None:
    """Without dropout: lowest training loss, highest validation loss, and rising; with it less than half the gap."""
    plain, mild, strong = (runs.overfitting(seed)[p] for p in ("1.0", "0.8", "0.5"))
    assert plain["training"][-1] < mild["training"][-1] < strong["training"][-1]
    assert plain["validation"][-1] > mild["validation"][-1] + 0.05
    assert mild["validation"][-1] > strong["validation"][-1] + 0.05
    assert strong["gap"] < 0.5 * plain["gap"]
    assert plain["validation"][-1] > min(plain["validation"]) + 0.1
    assert plain["validation"][0] < strong["validation"][0]


@pytest.mark.slow
@each_seed
def test_dropout_makes_units_less_dependent_on_each_other(seed: int) -> None:
    """With half of the units gone the plain network loses far more accuracy."""
    lost = {p: found["lost with half the units"] for p, found in runs.overfitting(seed).items()}
    assert lost["1.0"] > 0.08
    assert lost["0.5"] < 0.6 * lost["1.0"]


@pytest.mark.slow
@each_seed
def test_first_layer_features_are_smoother_with_dropout(seed: int) -> None:
    """Weights of neighbouring pixels are more alike."""
    plain, strong = (runs.overfitting(seed)[p]["likeness of neighbours"] for p in ("1.0", "0.5"))
    assert strong > plain + 0.02


@pytest.mark.slow
@each_seed
def test_dropout_makes_a_network_less_overconfident(seed: int) -> None:
    """The calibration error is smaller with p_keep = 0.5; thirty masks help at 0.8 and do not at 0.5."""
    error, gain = (
        {p: found[quantity] for p, found in runs.overfitting(seed).items()}
        for quantity in ("calibration error", "gain of thirty masks")
    )
    assert error["1.0"] > error["0.5"] + 0.02
    assert gain["0.8"] > 0.02
    assert gain["0.5"] < 0.0


@pytest.mark.slow
@each_seed
def test_scaled_weights_lie_near_the_exact_ensemble(seed: int) -> None:
    """Twice as near as one mask, exact for the geometric mean; about ten masks are as good; the error falls as 1/√S."""
    result = runs.small_ensemble(seed)
    sampled = result["sampled"]
    assert result["geometric"] < 1e-4
    assert result["scaled"] < 0.5 * sampled[0]
    assert sampled[1] > result["scaled"] > sampled[3]
    assert 8 < sampled[0] / sampled[-1] < 32


@pytest.mark.slow
def test_behind_a_relu_scaled_weights_are_near_the_mean_of_the_masks() -> None:
    """At most half as far as one mask, on each seed; nearer than four masks, farther than sixteen."""
    for result in runs.behind_relu.all():
        assert 0.04 < result["scaled"] < 0.09
        assert 0.12 < result["one"] < 0.2
        assert result["scaled"] < 0.5 * result["one"]
        assert result["sixteen"] < result["scaled"] < result["four"]


@pytest.mark.slow
def test_each_kind_of_noise_lowers_the_validation_loss() -> None:
    """Input noise, DropConnect and dropout end below the plain network: on each seed, and by 0.03 on average."""
    losses = {name: [run[name] for run in runs.patterns.all()] for name in runs.patterns(0)}
    for name in ("input noise", "DropConnect", "dropout"):
        gains = [plain - noisy for noisy, plain in zip(losses[name], losses["none"], strict=True)]
        assert min(gains) > 0.005, name
        assert sum(gains) / len(gains) > 0.03, name


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS[:2], ids=["seed-0", "seed-1"])
def test_averaging_fractional_passes_lowers_the_loss(seed: int) -> None:
    """The loss of the mean prediction is below the mean loss of single passes."""
    single, averaged = (runs.fractional_passes(seed)[passes] for passes in ("single", "averaged"))
    assert averaged[-1] < sum(single) / len(single) - 0.002
    assert max(single) - min(single) > 0.005
