"""What the augmentation notebook says in numbers, measured: training on several seeds, as a direction with a margin."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from course_lib.augmentation import experiments
from course_lib.augmentation.experiments import Mirrored, Run, Search, Views
from course_lib.lab.photographs import photographs
from tests.support.course import exercise_named

SEEDS = (0, 1, 2, 3, 4)
each_seed = pytest.mark.parametrize("seed", SEEDS, ids=[f"seed-{seed}" for seed in SEEDS])


def right(exercise_id: str) -> Any:
    """The first right answer that an exercise lists."""
    return next(iter(exercise_named(exercise_id).right_answers.values()))


def flip(x: Tensor, p: float, u: Tensor) -> Tensor:
    """Random horizontal flips, as a student's."""
    return torch.where((u < p).view(-1, 1, 1, 1), x.flip(-1), x)


def ten_crop(image: Tensor, crop: int) -> Tensor:
    """Four corners, the centre, and their mirror images."""
    down, right_ = image.shape[1] - crop, image.shape[2] - crop
    places = [(0, 0), (0, right_), (down, 0), (down, right_), (down // 2, right_ // 2)]
    five = torch.stack([image[:, y : y + crop, x : x + crop] for y, x in places])
    return torch.cat([five, five.flip(-1)])


def predict(model: Any, image: Tensor, sizes: Any, crop: int) -> Tensor:
    """Mean probability over ten crops at every size; the images are square."""
    resized = [F.interpolate(image[None], (s, s), mode="bilinear", align_corners=False)[0] for s in sizes]
    return torch.cat([F.softmax(model(ten_crop(one, crop)), dim=1) for one in resized]).mean(dim=0)


def cutout(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    """A clipped square of zeros."""
    top, left = centre_y - length // 2, centre_x - length // 2
    hidden = image.clone()
    hidden[:, max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)] = 0
    return hidden


def mixup(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> tuple[Tensor, Tensor]:
    """Images and labels mixed with the same shares."""
    a, b = lam.view(-1, 1, 1, 1), lam.view(-1, 1)
    return a * x + (1 - a) * x[permutation], b * y + (1 - b) * y[permutation]


def soft_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy against distributions."""
    return -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean()


def apply(image: Tensor, subpolicy: Any, operations: Any, u: Tensor) -> Tensor:
    """The steps that happen, in order."""
    for (name, probability, magnitude), value in zip(subpolicy, u.tolist(), strict=True):
        image = operations[name](image, magnitude) if value < probability else image
    return image


def test_a_clipped_square_of_half_the_side_hides_19_percent_on_average() -> None:
    """Cutout of 16 in 32 x 32 over all centres: 6.25 % at least, 25 % at most, 19.1 % on average."""
    ones = torch.ones(1, 32, 32)
    hidden = [float((cutout(ones, 16, y, x) == 0).float().mean()) for y in range(32) for x in range(32)]
    assert (min(hidden), max(hidden)) == (0.0625, 0.25)
    assert np.mean(hidden) == pytest.approx(0.191, abs=0.0005)


def test_the_colours_of_the_photographs_vary_mostly_in_brightness() -> None:
    """The first axis has one sign, red most, and 82 % of the variance; the third has less than 1 %."""
    squares = torch.stack([F.interpolate(image[None], (64, 64), mode="area")[0] for image in photographs().values()])
    values, vectors = right("pca-basis")(squares)
    shares = [float(value / sum(values)) for value in values]
    first = torch.as_tensor(vectors)[:, 0]
    assert shares[0] == pytest.approx(0.82, abs=0.01)
    assert shares[1] == pytest.approx(0.17, abs=0.01)
    assert shares[2] < 0.01
    assert bool((first > 0.3).all() | (first < -0.3).all())
    assert int(first.abs().argmax()) == 0


@functools.cache
def mirrors() -> dict[str, Mirrored]:
    """The networks of part 1, as in the notebook's full mode."""
    return {found.task: found for found in experiments.mirrored(flip, SEEDS, epochs=30)}


@pytest.mark.slow
@each_seed
def test_flips_hurt_digits(seed: int) -> None:
    """The loss rises by a quarter or more, and the accuracy falls by three points or more."""
    found = mirrors()["digits"]
    assert found.losses[1][seed] > 1.25 * found.losses[0][seed]
    assert found.accuracies[1][seed] < found.accuracies[0][seed] - 0.03


@pytest.mark.slow
@each_seed
def test_flips_help_clothing_that_is_seen_from_both_sides(seed: int) -> None:
    """With every second validation image mirrored: less than half the loss, and an accuracy higher by five points."""
    found = mirrors()["clothing seen from both sides"]
    assert found.losses[1][seed] < 0.5 * found.losses[0][seed]
    assert found.accuracies[1][seed] > found.accuracies[0][seed] + 0.05


@pytest.mark.slow
def test_flips_gain_nothing_on_clothing_as_it_is() -> None:
    """The loss rises on some seeds and falls on others; the accuracy is lower by one to three points on average."""
    found = mirrors()["clothing as it is"]
    changes = [after - before for before, after in zip(*found.losses, strict=True)]
    assert min(changes) < 0 < max(changes)
    plain, flipped = found.accuracies
    assert -0.03 < np.mean(flipped) - np.mean(plain) < -0.01


@functools.cache
def views() -> dict[int, Views]:
    """The networks of part 2."""
    return {found.seed: found for found in experiments.several_views(predict, SEEDS, epochs=30)}


@pytest.mark.slow
def test_ten_crops_gain_less_than_the_seeds_differ() -> None:
    """Better on four seeds of five, worse on one by two points; the mean gain is positive and below a point."""
    gains = [ten[1] - center[1] for center, ten, _ in (views()[seed].results.values() for seed in SEEDS)]
    assert sum(gain > 0.005 for gain in gains) == 4
    assert min(gains) < -0.01
    assert max(gains) < 0.03
    assert 0 < np.mean(gains) < 0.012


@pytest.mark.slow
def test_three_scales_and_the_loss_hardly_differ() -> None:
    """Mean over the seeds: accuracies within half a point of ten crops, and a loss lower by less than 0.02."""
    center, ten, scales = np.mean([list(view.results.values()) for view in views().values()], axis=0)
    assert abs(scales[1] - ten[1]) < 0.005
    assert center[0] - 0.02 < ten[0] < center[0]


@functools.cache
def recipes() -> dict[tuple[str, int], Run]:
    """The networks of part 5."""
    runs = experiments.recipes(flip, cutout, mixup, soft_loss, SEEDS, epochs=50)
    return {(run.recipe, run.seed): run for run in runs}


@pytest.mark.slow
@each_seed
def test_augmentation_raises_the_training_loss_and_lowers_the_validation_loss(seed: int) -> None:
    """Without augmentation: by far the lowest training loss, the highest validation loss, and rising."""
    plain = recipes()["none", seed]
    assert plain.validation[-1] > min(plain.validation) + 0.2
    for name in ("flips and shifts", "with cutout", "with mixup"):
        run = recipes()[name, seed]
        assert run.training[-1] > plain.training[-1] + 0.3, name
        assert run.validation[-1] < plain.validation[-1] - 0.15, name
        assert run.accuracy > plain.accuracy, name


@pytest.mark.slow
@each_seed
def test_cutout_and_mixup_raise_the_training_loss_further(seed: int) -> None:
    """Above flips and shifts alone, and their validation loss is not higher beyond noise."""
    basic = recipes()["flips and shifts", seed]
    for name in ("with cutout", "with mixup"):
        assert recipes()[name, seed].training[-1] > basic.training[-1] + 0.03, name
        assert recipes()[name, seed].validation[-1] < basic.validation[-1] + 0.05, name


@pytest.mark.slow
@each_seed
def test_the_plain_network_stopped_early_would_be_as_good(seed: int) -> None:
    """Its best validation loss is at most 0.05 above the end of the augmented ones; early it is ahead of them."""
    plain = recipes()["none", seed]
    augmented = [recipes()[name, seed] for name in ("flips and shifts", "with cutout", "with mixup")]
    assert min(plain.validation) < min(run.validation[-1] for run in augmented) + 0.05
    twelfth = plain.epochs.index(12)
    assert plain.validation[twelfth] < min(run.validation[twelfth] for run in augmented) + 0.02


@functools.cache
def searches() -> list[Search]:
    """The searches of part 6, one for each seed."""
    return [experiments.search(apply, flip, budget=10, short=15, epochs=40, seed=seed) for seed in SEEDS]


@pytest.mark.slow
@pytest.mark.timeout(600)
@each_seed
def test_every_policy_beats_no_augmentation(seed: int) -> None:
    """Found, drawn at random or chosen by hand: by 0.07 or more."""
    final = searches()[seed].final
    assert max(loss for name, loss in final.items() if name != "none") < final["none"] - 0.07


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_policy_found_is_no_better_than_random_ones() -> None:
    """Better on some seeds, worse on others; on average as good as random ones and as flips and shifts, within 0.05."""
    better = sum(search.final["found"] < np.mean(search.random) for search in searches())
    assert 1 <= better <= 4
    found = np.mean([search.final["found"] for search in searches()])
    drawn = np.mean([search.random for search in searches()])
    by_hand = np.mean([search.final["flips and shifts"] for search in searches()])
    assert abs(found - drawn) < 0.05
    assert abs(found - by_hand) < 0.05


@pytest.mark.slow
@pytest.mark.timeout(600)
@each_seed
def test_the_chosen_policy_has_the_best_score_and_scores_differ(seed: int) -> None:
    """The search does what it says: scores from a short training spread by 0.1 or more, the lowest is taken."""
    search = searches()[seed]
    assert search.scores[search.best] == min(search.scores)
    assert max(search.scores) - min(search.scores) > 0.1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_policy_that_wins_the_search_of_the_notebook_is_an_odd_one() -> None:
    """A sub-policy that never happens, the negative twice, and two that turn clothes upside down; and yet it won."""
    search = searches()[0]
    won = search.candidates[search.best]
    assert [[p for _, p, _ in steps] for steps in won].count([0, 0]) == 1
    assert [[name for name, _, _ in steps] for steps in won].count(["negative", "negative"]) == 1
    assert sum("upside down" in [name for name, _, _ in steps] for steps in won) == 2
