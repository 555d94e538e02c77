"""What the augmentation notebook says in numbers, measured: training on several seeds, as a direction with a margin.

Trainings are recorded in `runs.json`; see `tests/support/measured.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from course_lib.lab.photographs import photographs
from tests.course_lib.augmentation import runs
from tests.course_lib.augmentation.answers import cutout
from tests.course_lib.augmentation.runs import SEEDS
from tests.support.course import exercise_named

each_seed = pytest.mark.parametrize("seed", SEEDS, ids=[f"seed-{seed}" for seed in SEEDS])


def right(exercise_id: str) -> Any:
    """The first right answer that an exercise lists."""
    return next(iter(exercise_named(exercise_id).right_answers.values()))


def test_a_clipped_square_of_half_the_side_hides_19_percent_on_average() -> None:
    """Cutout of 16 in 32 x 32 over all centres: 6.25% at least, 25% at most, 19.1% on average."""
    ones = torch.ones(1, 32, 32)
    hidden = [float((cutout(ones, 16, y, x) == 0).float().mean()) for y in range(32) for x in range(32)]
    assert (min(hidden), max(hidden)) == (0.0625, 0.25)
    assert np.mean(hidden) == pytest.approx(0.191, abs=0.0005)


def test_the_colours_of_the_photographs_vary_mostly_in_brightness() -> None:
    """The first axis has one sign, red most, and 82% of the variance; the third has less than 1%."""
    squares = torch.stack([F.interpolate(image[None], (64, 64), mode="area")[0] for image in photographs().values()])
    values, vectors = right("pca-basis")(squares)
    shares = [float(value / sum(values)) for value in values]
    first = torch.as_tensor(vectors)[:, 0]
    assert shares[0] == pytest.approx(0.82, abs=0.01)
    assert shares[1] == pytest.approx(0.17, abs=0.01)
    assert shares[2] < 0.01
    assert bool((first > 0.3).all() | (first < -0.3).all())
    assert int(first.abs().argmax()) == 0


@pytest.mark.slow
@each_seed
def test_flips_hurt_digits(seed: int) -> None:
    """The loss rises by a quarter or more, and the accuracy falls by three points or more."""
    found = runs.mirrors(seed)["digits"]
    assert found["losses"][1] > 1.25 * found["losses"][0]
    assert found["accuracies"][1] < found["accuracies"][0] - 0.03


@pytest.mark.slow
@each_seed
def test_flips_help_clothing_that_is_seen_from_both_sides(seed: int) -> None:
    """With every second validation image mirrored: less than half the loss, and an accuracy higher by five points."""
    found = runs.mirrors(seed)["clothing seen from both sides"]
    assert found["losses"][1] < 0.5 * found["losses"][0]
    assert found["accuracies"][1] > found["accuracies"][0] + 0.05


@pytest.mark.slow
def test_flips_gain_nothing_on_clothing_as_it_is() -> None:
    """The loss rises on some seeds and falls on others; the accuracy is lower by one to three points on average."""
    found = [run["clothing as it is"] for run in runs.mirrors.all()]
    changes = [after - before for before, after in (one["losses"] for one in found)]
    assert min(changes) < 0 < max(changes)
    plain, flipped = zip(*(one["accuracies"] for one in found), strict=True)
    assert -0.03 < np.mean(flipped) - np.mean(plain) < -0.01


@pytest.mark.slow
def test_ten_crops_gain_less_than_the_seeds_differ() -> None:
    """Better on four seeds of five, worse on one by two points; the mean gain is positive and below a point."""
    gains = [ten[1] - center[1] for center, ten, _ in (run.values() for run in runs.views.all())]
    assert sum(gain > 0.005 for gain in gains) == 4
    assert min(gains) < -0.01
    assert max(gains) < 0.03
    assert 0 < np.mean(gains) < 0.012


@pytest.mark.slow
def test_three_scales_and_the_loss_hardly_differ() -> None:
    """Mean over the seeds: accuracies within half a point of ten crops, and a loss lower by less than 0.02."""
    center, ten, scales = np.mean([list(run.values()) for run in runs.views.all()], axis=0)
    assert abs(scales[1] - ten[1]) < 0.005
    assert center[0] - 0.02 < ten[0] < center[0]


@pytest.mark.slow
@each_seed
def test_augmentation_raises_the_training_loss_and_lowers_the_validation_loss(seed: int) -> None:
    """Without augmentation: by far the lowest training loss, the highest validation loss, and rising."""
    plain = runs.recipes(seed)["none"]
    assert plain["validation"][-1] > min(plain["validation"]) + 0.2
    for name in ("flips and shifts", "with cutout", "with mixup"):
        run = runs.recipes(seed)[name]
        assert run["training"][-1] > plain["training"][-1] + 0.3, name
        assert run["validation"][-1] < plain["validation"][-1] - 0.15, name
        assert run["accuracy"] > plain["accuracy"], name


@pytest.mark.slow
@each_seed
def test_cutout_and_mixup_raise_the_training_loss_further(seed: int) -> None:
    """Above flips and shifts alone, and their validation loss is not higher beyond noise."""
    basic = runs.recipes(seed)["flips and shifts"]
    for name in ("with cutout", "with mixup"):
        assert runs.recipes(seed)[name]["training"][-1] > basic["training"][-1] + 0.03, name
        assert runs.recipes(seed)[name]["validation"][-1] < basic["validation"][-1] + 0.05, name


@pytest.mark.slow
@each_seed
def test_the_plain_network_stopped_early_would_be_as_good(seed: int) -> None:
    """Its best validation loss is at most 0.05 above the end of the augmented ones; early it is ahead of them."""
    plain = runs.recipes(seed)["none"]
    augmented = [runs.recipes(seed)[name] for name in ("flips and shifts", "with cutout", "with mixup")]
    assert min(plain["validation"]) < min(run["validation"][-1] for run in augmented) + 0.05
    twelfth = plain["epochs"].index(12)
    assert plain["validation"][twelfth] < min(run["validation"][twelfth] for run in augmented) + 0.02


@pytest.mark.slow
@pytest.mark.timeout(600)
@each_seed
def test_every_policy_beats_no_augmentation(seed: int) -> None:
    """Found, drawn at random or chosen by hand: by 0.07 or more."""
    final = runs.searches(seed)["final"]
    assert max(loss for name, loss in final.items() if name != "none") < final["none"] - 0.07


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_policy_found_is_no_better_than_random_ones() -> None:
    """Better on some seeds, worse on others; on average as good as random ones and as flips and shifts, within 0.05."""
    finals = [search["final"] for search in runs.searches.all()]
    random = [[loss for name, loss in final.items() if name.startswith("random")] for final in finals]
    better = sum(final["found"] < np.mean(drawn) for final, drawn in zip(finals, random, strict=True))
    assert 1 <= better <= 4
    found = np.mean([final["found"] for final in finals])
    drawn = np.mean(random)
    by_hand = np.mean([final["flips and shifts"] for final in finals])
    assert abs(found - drawn) < 0.05
    assert abs(found - by_hand) < 0.05


@pytest.mark.slow
@pytest.mark.timeout(600)
@each_seed
def test_the_chosen_policy_has_the_best_score_and_scores_differ(seed: int) -> None:
    """The search does what it says: scores from a short training spread by 0.1 or more, the lowest is taken."""
    search = runs.searches(seed)
    scores = search["scores"]
    assert scores[search["best"]] == min(scores)
    assert max(scores) - min(scores) > 0.1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_policy_that_wins_the_search_of_the_notebook_is_an_odd_one() -> None:
    """A sub-policy that never happens, the negative twice, and two that turn clothes upside down; and yet it won."""
    search = runs.searches(0)
    won = search["candidates"][search["best"]]
    assert [[p for _, p, _ in steps] for steps in won].count([0, 0]) == 1
    assert [[name for name, _, _ in steps] for steps in won].count(["negative", "negative"]) == 1
    assert sum("upside down" in [name for name, _, _ in steps] for steps in won) == 2
