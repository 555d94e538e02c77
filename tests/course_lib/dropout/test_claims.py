"""What the dropout notebook says about training is measured here, on several seeds, as a direction with a margin."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from course_lib.dropout import experiments
from course_lib.dropout.experiments import Run
from course_lib.lab.data import fashion_mnist
from tests.support.course import exercise_named

SEEDS = (0, 1, 2, 3, 4)
each_seed = pytest.mark.parametrize("seed", SEEDS, ids=[f"seed-{seed}" for seed in SEEDS])


def drop(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    """Inverted dropout, as a student's."""
    return x * (u < p_keep) / p_keep if training else x


def wrong_drop(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    """Divides by the probability of dropping."""
    return x * (u < p_keep) / (1 - p_keep) if training else x


def right_answer(exercise_id: str, name: str, function: str) -> Any:
    """One of the right answers that an exercise lists."""
    answer = exercise_named(exercise_id).right_answers[name]
    assert isinstance(answer, dict)
    return answer[function]


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


@pytest.fixture(scope="module")
def runs() -> dict[tuple[float, int], Run]:
    """The networks of part 5, as in the notebook's full mode."""
    trained = experiments.overfitting(drop, (1.0, 0.8, 0.5), SEEDS, epochs=40)
    return {(run.p_keep, run.seed): run for run in trained}


@pytest.fixture(scope="module")
def validation() -> experiments.Batch:
    """The images on which the networks are compared."""
    return fashion_mnist("validation", 1000)


@pytest.mark.slow
@each_seed
def test_dropout_narrows_the_gap_and_lowers_the_validation_loss(runs: dict[tuple[float, int], Run], seed: int) -> None:
    """Without dropout: lowest training loss, highest validation loss, and rising; with it less than half the gap."""
    plain, mild, strong = (runs[p, seed] for p in (1.0, 0.8, 0.5))
    assert plain.training[-1] < mild.training[-1] < strong.training[-1]
    assert plain.validation[-1] > mild.validation[-1] + 0.05
    assert mild.validation[-1] > strong.validation[-1] + 0.05
    assert strong.gap < 0.5 * plain.gap
    assert plain.validation[-1] > min(plain.validation) + 0.1
    assert plain.validation[0] < strong.validation[0]


@pytest.mark.slow
@each_seed
def test_dropout_makes_units_less_dependent_on_each_other(
    runs: dict[tuple[float, int], Run], validation: experiments.Batch, seed: int
) -> None:
    """With half of the units gone the plain network loses far more accuracy."""
    lost = {}
    for p in (1.0, 0.5):
        whole, half = (experiments.losing_units(runs[p, seed].model, validation, kept) for kept in (1.0, 0.5))
        lost[p] = whole - half
    assert lost[1.0] > 0.08
    assert lost[0.5] < 0.6 * lost[1.0]


@pytest.mark.slow
@each_seed
def test_first_layer_features_are_smoother_with_dropout(runs: dict[tuple[float, int], Run], seed: int) -> None:
    """Weights of neighbouring pixels are more alike."""
    plain, strong = (experiments.neighbour_correlation(runs[p, seed].model[1].weight) for p in (1.0, 0.5))
    assert strong > plain + 0.02


@pytest.mark.slow
@each_seed
def test_dropout_makes_a_network_less_overconfident(
    runs: dict[tuple[float, int], Run], validation: experiments.Batch, seed: int
) -> None:
    """The calibration error is smaller with p_keep = 0.5; thirty masks help at 0.8 and do not at 0.5."""
    images, labels = validation
    error, gain = {}, {}
    for p in (1.0, 0.8, 0.5):
        one, many = (experiments.probabilities(runs[p, seed].model, images, passes) for passes in (0, 30))
        error[p] = experiments.calibration_error(one, labels)
        gain[p] = float(F.nll_loss(one.log(), labels) - F.nll_loss(many.log(), labels))
    assert error[1.0] > error[0.5] + 0.02
    assert gain[0.8] > 0.02
    assert gain[0.5] < 0.0


@pytest.mark.slow
@each_seed
def test_scaled_weights_lie_near_the_exact_ensemble(seed: int) -> None:
    """Twice as near as one mask, exact for the geometric mean; about ten masks are as good; the error falls as 1/√S."""
    result = experiments.small_ensemble(drop, epochs=20, seed=seed)
    assert result.geometric < 1e-4
    assert result.scaled < 0.5 * result.sampled[0]
    assert result.sampled[1] > result.scaled > result.sampled[3]
    assert 8 < result.sampled[0] / result.sampled[-1] < 32


@pytest.mark.slow
def test_behind_a_relu_scaled_weights_are_near_the_mean_of_the_masks() -> None:
    """At most half as far as one mask, on each seed; nearer than four masks, farther than sixteen."""
    for result in experiments.behind_relu(drop, SEEDS, epochs=20, masks=600):
        assert 0.04 < result.scaled < 0.09
        assert 0.12 < result.one < 0.2
        assert result.scaled < 0.5 * result.one
        assert result.sixteen < result.scaled < result.four


@pytest.mark.slow
def test_each_kind_of_noise_lowers_the_validation_loss() -> None:
    """Input noise, DropConnect and dropout end below the plain network: on each seed, and by 0.03 on average."""
    connect, connect_test = (
        right_answer("dropconnect", "broadcast and sum", name) for name in ("dropconnect_train", "dropconnect_test")
    )
    losses = experiments.patterns(drop, connect, connect_test, SEEDS, epochs=30).losses
    for name in ("input noise", "DropConnect", "dropout"):
        gains = [plain - noisy for noisy, plain in zip(losses[name], losses["none"], strict=True)]
        assert min(gains) > 0.005, name
        assert sum(gains) / len(gains) > 0.03, name


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS[:2], ids=["seed-0", "seed-1"])
def test_averaging_fractional_passes_lowers_the_loss(seed: int) -> None:
    """The loss of the mean prediction is below the mean loss of single passes."""
    boundaries, pool = (
        right_answer("fractional-pooling", "rounded down as a list pairs of rows", name)
        for name in ("pooling_boundaries", "fractional_max_pool")
    )
    single, averaged = experiments.fractional_passes(
        lambda n_in, n_out, u: torch.tensor(boundaries(n_in, n_out, u)), pool, epochs=8, seed=seed
    )
    assert averaged[-1] < sum(single) / len(single) - 0.002
    assert max(single) - min(single) > 0.005
