"""The experiments of the regularization assignment compute what they say, against PyTorch and slow loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.lab.models import mlp
from course_lib.regularization.experiments import bottleneck, decay, spectrum, stopping
from course_lib.regularization.nets.stacked import (
    INPUTS,
    Runs,
    Setting,
    memorizing,
    on_one_thread,
    small,
    train_side_by_side,
)
from tests.course_lib.regularization.answers import (
    EarlyStopping,
    best_low_rank,
    gradient_descent_shrinkage,
    ridge_shrinkage,
    smooth,
)

CHECKS = {"validation": small("validation", 100), "test": small("test", 60)}


def one_by_one(setting: Setting, epochs: int) -> tuple[nn.Module, list[float]]:
    """The same training with PyTorch's optimizer, and the validation loss after each epoch."""
    x, y = memorizing(setting.seed, 100)
    model = mlp(INPUTS, 16, depth=1, seed=setting.seed)
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in model.named_parameters() if not name.endswith("weight")]
    groups = [{"params": weights, "weight_decay": setting.lam}, {"params": biases}]
    optimizer = torch.optim.SGD(groups, lr=setting.lr, momentum=0.9)
    generator, losses = torch.Generator().manual_seed(setting.seed), []
    for _ in range(epochs):
        for index in torch.randperm(len(y), generator=generator).split(50):
            optimizer.zero_grad()
            F.cross_entropy(model(x[index]), y[index]).backward()
            optimizer.step()
        with torch.no_grad():
            losses.append(float(F.cross_entropy(model(CHECKS["validation"][0]), CHECKS["validation"][1])))
    return model, losses


SETTINGS = [Setting(0), Setting(0, 0.05, 0.1), Setting(3, 0.01, 0.01)]


@pytest.fixture(scope="module")
def runs() -> Runs:
    """Three networks side by side."""
    return train_side_by_side(
        lambda seed: mlp(INPUTS, 16, depth=1, seed=seed),
        SETTINGS,
        lambda seed: memorizing(seed, 100),
        epochs=3,
        checks=CHECKS,
    )


@pytest.mark.parametrize("i", range(len(SETTINGS)))
def test_a_network_trained_beside_others_is_the_one_trained_alone(runs: Runs, i: int) -> None:
    """Weights and losses are those of a loop over `nn.Module` and `torch.optim.SGD`."""
    model, losses = one_by_one(SETTINGS[i], 3)
    assert runs.validation[:, i].tolist() == pytest.approx(losses, rel=1e-4)
    for name, parameter in model.named_parameters():
        assert torch.allclose(runs.parameters[name][i], parameter, atol=1e-5), name
    x, y = memorizing(SETTINGS[i].seed, 100)
    with torch.no_grad():
        logits = model(x)
    assert float(runs.training[-1, i]) == pytest.approx(float(F.cross_entropy(logits, y)), rel=1e-4)
    assert float(runs.remembered[-1, i]) == pytest.approx(float((logits.argmax(1) == y).double().mean()))
    squares = sum(float(p.detach().square().sum()) for name, p in model.named_parameters() if name.endswith("weight"))
    assert float(runs.norms[-1, i]) == pytest.approx(math.sqrt(squares), rel=1e-4)


def test_an_explosion_disturbs_no_other_network() -> None:
    """It becomes NaN, and its neighbor is what it would have been."""
    build, data = (lambda seed: mlp(INPUTS, 16, depth=1, seed=seed)), (lambda seed: memorizing(seed, 100))
    both = train_side_by_side(build, [Setting(0, 1e6), Setting(0)], data, epochs=2, checks=CHECKS)
    alone = train_side_by_side(build, [Setting(0)], data, epochs=2, checks=CHECKS)
    assert both.validation[-1, 0].isnan()
    assert torch.allclose(both.validation[:, 1], alone.validation[:, 0])
    assert torch.equal(both.columns([1]).validation[:, 0], both.validation[:, 1])


def test_checks_can_be_made_every_few_steps() -> None:
    """Two batches an epoch: a check every step gives two, and without a test set its loss is NaN."""
    found = train_side_by_side(
        lambda seed: mlp(INPUTS, 8, depth=1, seed=seed),
        [Setting(0)],
        lambda seed: memorizing(seed, 100),
        epochs=2,
        checks={"validation": CHECKS["validation"]},
        every_steps=1,
    )
    assert found.steps == (1, 2, 3, 4)
    assert found.test.isnan().all()


def test_images_are_pooled_and_standardized_by_the_training_set() -> None:
    """196 numbers; the first 1,000 training images have mean 0 and deviation 1."""
    x, _ = small("train", 1000)
    assert x.shape == (1000, INPUTS)
    assert (float(x.mean()), float(x.std())) == pytest.approx((0.0, 1.0), abs=1e-4)


def _fails_on_one_thread() -> None:
    with on_one_thread():
        raise ValueError(f"{torch.get_num_threads()} thread")


def test_the_number_of_threads_is_restored() -> None:
    """After an error, too."""
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="1 thread"):
        _fails_on_one_thread()
    assert torch.get_num_threads() == before


def test_a_silent_weight_is_that_of_pytorch() -> None:
    """Coupled decay is what `torch.optim.SGD` does to a weight with a gradient of zero."""
    parameter = nn.Parameter(torch.ones(1, dtype=torch.float64))
    parameter.grad = torch.zeros_like(parameter)
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9, weight_decay=0.1)
    coupled, beside = decay.silent_weight(12).values()
    for step in range(12):
        optimizer.step()
        assert coupled[step + 1] == pytest.approx(float(parameter.detach()))
    assert beside[12] == pytest.approx((1 - 0.01) ** 12)
    assert decay.left_by_decay(0.1, 12, lr=0.1) == pytest.approx(coupled[12])


def test_a_half_life_halves() -> None:
    """So many factors of 1 - lr lam make one half."""
    assert (1 - 0.1 * 0.02) ** decay.half_life(0.1, 0.02) == pytest.approx(0.5)


def test_stop_and_keep_hands_over_every_loss_until_the_stop() -> None:
    """By hand: the losses 4, 3, 3.5, 2, 2.5, 3 with a patience of 2 stop at index 5 and keep 3."""
    assert stopping.stop_and_keep(EarlyStopping(2), [4, 3, 3.5, 2, 2.5, 3, 1]) == (5, 3)
    assert stopping.stop_and_keep(EarlyStopping(9), [4, 3, 3.5]) == (2, 1)


def made_up(validation: list[float], test: list[float]) -> Runs:
    """One run with these curves."""
    columns = [torch.tensor(curve, dtype=torch.float64)[:, None] for curve in (validation, test)]
    nothing = torch.zeros_like(columns[0])
    steps = tuple(range(1, len(validation) + 1))
    return Runs(steps, nothing, nothing, columns[0], nothing, columns[1], nothing, {})


def test_a_regret_is_measured_on_the_test_curve() -> None:
    """Patience 1 keeps epoch 1, whose test loss is 0.3 above the best."""
    runs = made_up([4, 3, 3.5, 2, 2.5], [4.1, 2.8, 3, 2.5, 2.6])
    ends = stopping.patience_regrets(EarlyStopping, runs, (1, 2))
    assert ends[0.0, 1].regrets == pytest.approx((0.3,))
    assert (ends[0.0, 1].stops, ends[0.0, 2].regret) == ((3,), 0.0)
    assert ends[0.0, 1].optimism == pytest.approx((-0.2,))


def test_three_ways_to_use_a_smoothed_curve() -> None:
    """The combination keeps the lowest raw value before the smoothed curve's stop."""
    raw = [3.0, 1.0, 2.0, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.1]
    runs = made_up(raw, raw)
    ends = stopping.smoothing_regrets(EarlyStopping, smooth, runs, (2,), 0.5)
    calm = smooth(runs.validation[:, 0], 0.5)
    stop, kept = stopping.stop_and_keep(EarlyStopping(2), calm.tolist())
    assert ends[stopping.RULES[1], 2].regret == pytest.approx(raw[kept] - 1.0)
    assert ends[stopping.RULES[2], 2].regret == 0.0
    assert ends[stopping.RULES[2], 2].stops == (stop + 1,)


def test_the_shares_lead_to_ridge_and_to_gradient_descent() -> None:
    """Along the axes of the Hessian they give the weights that a solver and a loop give."""
    problem = spectrum.regression(0, images=60)
    hessian = torch.diag(problem.h)
    ridge = torch.linalg.solve(hessian + 0.3 * torch.eye(len(problem.h)).double(), hessian @ problem.solution)
    assert torch.allclose(problem.weights(ridge_shrinkage(problem.h, 0.3)), ridge)
    weights = torch.zeros_like(problem.solution)
    for _ in range(25):
        weights = weights - problem.lr * problem.h * (weights - problem.solution)
    shares = gradient_descent_shrinkage(problem.h, problem.lr, 25)
    assert torch.allclose(problem.weights(shares), weights)
    found = spectrum.solutions(problem, ridge_shrinkage, gradient_descent_shrinkage, (25,))
    assert found.norms["gradient descent"][0] == pytest.approx(float(weights.norm()))


def test_a_map_without_a_bottleneck_is_least_squares() -> None:
    """And one of full width is the same, though it was made from two factors."""
    found = bottleneck.teacher_errors(best_low_rank, widths=(3, 50), seeds=(0,))
    g = torch.Generator().manual_seed(0)
    draws = [
        torch.randn(*shape, generator=g, dtype=torch.float64) for shape in ((50, 3), (3, 50), (100, 50), (100, 50))
    ]
    teacher = draws[0] @ draws[1] / 50**0.5
    y = draws[2] @ teacher + draws[3]
    plain = torch.linalg.lstsq(draws[2], y).solution
    assert found.train[0][1] == pytest.approx(float((draws[2] @ plain - y).square().mean()))
    assert found.excess[0][1] == pytest.approx(float((plain - teacher).square().sum() / 50))


@pytest.mark.parametrize("width", [4, 128])
def test_a_bottleneck_starts_as_large_as_the_direct_map(width: int) -> None:
    """Its outputs have the spread of He's initialization, and it adds no nonlinearity."""
    x, _ = small("train", 200)
    direct, narrow = (bottleneck._with_bottleneck(w, 0) for w in (0, width))
    assert isinstance(direct, nn.Sequential)
    assert isinstance(narrow, nn.Sequential)
    with torch.no_grad():
        ratio = float(narrow[:2](x).std() / direct[:2](x).std())
    assert 0.4 < ratio < 2.0
    assert [type(layer) for layer in narrow] == [nn.Linear, nn.Linear, nn.ReLU, nn.Linear]
