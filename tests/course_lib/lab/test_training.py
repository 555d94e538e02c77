"""The training loop: seeded, honest about divergence, without side effects."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course_lib.lab import training


def problem(n: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Two classes that a linear layer tells apart."""
    x = torch.randn(n, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0, 0, 0] > 0).long()


def linear(seed: int = 0) -> nn.Sequential:
    """A linear classifier that starts at fixed weights."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(seed))
    return model


def test_equal_seeds_give_equal_runs() -> None:
    """The order of the images depends on the seed alone, not on PyTorch's global generator."""
    torch.manual_seed(1)
    first = training.train(linear(), *problem(), epochs=2, batch_size=8, seed=5).losses
    torch.manual_seed(2)
    assert training.train(linear(), *problem(), epochs=2, batch_size=8, seed=5).losses == first
    assert training.train(linear(), *problem(), epochs=2, batch_size=8, seed=6).losses != first


def test_the_global_generator_is_left_alone() -> None:
    """Training inside a notebook does not shift the student's random numbers."""
    model = linear()
    before = torch.get_rng_state()
    training.train(model, *problem(), epochs=1, batch_size=8)
    assert torch.equal(before, torch.get_rng_state())


def test_training_lowers_the_loss_and_evaluation_sees_it() -> None:
    """A problem that can be learned is learned."""
    model = linear()
    before = training.evaluate(model, *problem())
    history = training.train(model, *problem(), epochs=20, batch_size=8, lr=0.1, validation=problem())
    assert history.checkpoints[-1].loss == pytest.approx(training.evaluate(model, *problem())[0])
    assert history.checkpoints[-1].loss < before[0] / 2
    assert history.checkpoints[-1].accuracy > 0.9
    assert [point.step for point in history.checkpoints] == [8 * epoch for epoch in range(1, 21)]


@pytest.mark.parametrize(("steps", "expected"), [(3, 3), (8, 8), (11, 11), (0, 0)], ids=str)
def test_the_number_of_steps_is_exact(steps: int, expected: int) -> None:
    """Also across the end of an epoch."""
    seen: list[int] = []
    history = training.train(
        linear(), *problem(), steps=steps, batch_size=8, on_step=lambda step, loss: seen.append(step)
    )
    assert len(history.losses) == expected
    assert seen == list(range(1, expected + 1))


def test_an_incomplete_batch_is_left_out() -> None:
    """Batch normalisation cannot train on a last batch of one."""
    sizes = [len(index) for index in training.batches(17, 8, torch.Generator())]
    assert sizes == [8, 8]


def test_every_image_comes_once_in_an_epoch() -> None:
    """Batches are a partition of the images."""
    index = torch.cat(list(training.batches(24, 8, torch.Generator().manual_seed(3))))
    assert sorted(index.tolist()) == list(range(24))


def test_divergence_is_reported_and_ends_the_run() -> None:
    """A loss that is not finite stops training; the final loss is infinite."""
    history = training.train(linear(), *problem(), steps=50, batch_size=8, lr=float("inf"))
    assert history.diverged
    assert history.final_loss == float("inf")
    assert len(history.losses) < 50


def test_evaluation_keeps_the_mode_and_the_weights() -> None:
    """Evaluating in the middle of training changes nothing."""
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 2)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    training.evaluate(model, *problem())
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_evaluation_in_training_mode_is_the_bug_it_is_meant_to_show() -> None:
    """It uses the batch's statistics and moves the running ones."""
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()
    training.evaluate(model, *problem(), training=True)
    assert not model.training
    assert model[1].num_batches_tracked == 1


def test_a_transform_sees_the_run_s_generator() -> None:
    """Augmentation is seeded with the run; labels may change, too."""
    drawn: list[float] = []

    def transform(x: torch.Tensor, y: torch.Tensor, generator: torch.Generator) -> training.Batch:
        drawn.append(float(torch.rand((), generator=generator)))
        return x * 0, y

    for _ in range(2):
        training.train(linear(), *problem(), steps=4, batch_size=8, seed=9, transform=transform)
    assert drawn[:4] == drawn[4:]


def test_the_learning_rate_can_fall_to_zero() -> None:
    """The last step is the smallest, and the rate of the first step is the one given."""
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rates: list[float] = []
    training.train(
        model,
        *problem(),
        steps=4,
        batch_size=8,
        optimizer=optimizer,
        decay_to_zero=True,
        on_step=lambda step, loss: rates.append(optimizer.param_groups[0]["lr"]),
    )
    assert rates == pytest.approx([0.75, 0.5, 0.25, 0.0])
