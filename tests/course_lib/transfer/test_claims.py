"""What the transfer notebook says about its demonstrations is measured here, on several seeds, with a margin.

Trainings are recorded in `runs.json`; see `tests/support/measured.py`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from course_lib.lab.data import fashion_mnist
from course_lib.lab.efficientnet import folded, normalised, pretrained, square, top_classes
from course_lib.lab.photographs import credits, photograph, photographs
from course_lib.transfer.experiments import faults, features, tuning
from tests.course_lib.transfer import runs
from tests.course_lib.transfer.runs import DECAYS, KIND, KINDS, SEEDS
from tests.support.course import exercise_named

each_seed = pytest.mark.parametrize("seed", SEEDS, ids=[f"seed-{seed}" for seed in SEEDS])


def answer(exercise_id: str) -> Any:
    """The right answer to an exercise."""
    return exercise_named(exercise_id).reference_answer


# --- part 1


def test_unknown_classes_can_be_answered_with_more_certainty_than_known_ones() -> None:
    """The astronaut, of no class, gets a surer answer than the officer, whose class is known and found."""
    model = pretrained()
    assert model is not None
    images = torch.stack([normalised(square(picture)) for picture in photographs().values()])
    first = dict(zip(photographs(), (found[0] for found in top_classes(model, images)), strict=True))
    assert first["hopper"][0] == "military uniform"
    assert first["astronaut"][1] > first["hopper"][1] + 0.05


def test_only_values_up_to_255_are_noticed_at_once() -> None:
    """Left in [0, 1] every first guess stays, the right classes only become less probable; 0 to 255 spoils all."""
    model = pretrained()
    assert model is not None
    right = {credit.name: credit.imagenet for credit in credits() if credit.imagenet}
    images = torch.stack([square(photograph(name)) for name in right])
    seen = faults.watched_normalisations(model, images, list(right.values()))
    guesses = {way: [first for first, _ in found] for way, found in seen.items()}
    assert guesses["left in [0, 1]"] == guesses["as in training"]
    assert not set(guesses["values 0 to 255"]) & {name for names in right.values() for name in names}
    mean = {way: sum(chance for _, chance in found) / len(found) for way, found in seen.items()}
    assert mean["left in [0, 1]"] < mean["as in training"] - 0.03
    assert mean["values 0 to 255"] < 0.05


# --- part 2


@pytest.mark.slow
@each_seed
def test_an_optimizer_made_too_early_never_moves_the_head(seed: int) -> None:
    """The loss falls all the same, which hides the fault; the accuracy is lower by at least 0.15."""
    early, right = (runs.head_run((too_early, seed)) for too_early in (True, False))
    assert early["head_moved"] == 0
    assert right["head_moved"] > 0.5
    assert sum(early["losses"][-10:]) < sum(early["losses"][:10]) - 1
    assert early["accuracy"] < right["accuracy"] - 0.15


@pytest.mark.slow
@each_seed
def test_batchnorm_breaks_a_network_none_of_whose_weights_moved(seed: int) -> None:
    """The accuracy on the old images falls to 0.4 or less, the features move by more than their own size."""
    drifted = runs.drift(("batchnorm-forgotten", seed))
    assert drifted["source_before"] > 0.75
    assert 0.15 < drifted["source_after"] < 0.4
    assert drifted["moved"] > 1


@pytest.mark.slow
@each_seed
def test_eval_once_is_the_same_as_forgetting_batchnorm(seed: int) -> None:
    """`model.train()` undoes it before the first step."""
    once, forgotten = runs.drift.side_by_side(("eval-undone-by-train", seed), ("batchnorm-forgotten", seed))
    assert once == pytest.approx(forgotten, rel=1e-5)


@pytest.mark.slow
@each_seed
def test_a_frozen_backbone_does_not_move(seed: int) -> None:
    """Old accuracy and features are exactly what they were; the new head has learnt something."""
    still = runs.drift(("right", seed))
    assert still["source_after"] == still["source_before"]
    assert still["moved"] == 0
    assert still["target"] > 0.4


@pytest.mark.slow
def test_drifting_statistics_go_unnoticed_on_the_new_images() -> None:
    """Better on four seeds of five and worse on one, by less than 0.1 either way: that is why nobody notices."""
    drifting, still = (
        [runs.drift((way, seed))["target"] for seed in SEEDS] for way in ("batchnorm-forgotten", "right")
    )
    gains = [a - b for a, b in zip(drifting, still, strict=True)]
    assert sum(gain > 0 for gain in gains) == 4
    assert max(map(abs, gains)) < 0.1


def test_zero_gradients_let_momentum_move_a_frozen_weight() -> None:
    """Removed gradients stop it at once; zeros let it run through the minimum and beyond."""
    removed, zeros = (faults.frozen_with_momentum(set_to_none) for set_to_none in (True, False))
    assert removed[:5] == zeros[:5]
    assert len(set(removed[4:])) == 1
    assert zeros[-1] < -1


# --- part 3


def few_shot() -> dict[str, Tensor]:
    """Kind -> accuracies (draws, numbers of images) as in the notebook, on five draws."""
    return {kind: torch.tensor(runs.few_shot(kind)) for kind in KINDS}


@pytest.mark.slow
def test_pretrained_features_beat_pixels_on_average_and_untrained_ones_never() -> None:
    """By 4 points or more, by 7 with few images; with one image of each class there is a draw where they are worse."""
    lead = few_shot()[KIND] - few_shot()["pixels"]
    assert float(lead.mean(dim=0).min()) > 0.035
    assert float(lead.mean(dim=0)[:3].min()) > 0.07
    assert int((lead[:, 0] < 0).sum()) == 1
    assert bool((few_shot()["untrained network"] < few_shot()["pixels"]).all())


@pytest.mark.slow
def test_a_small_network_of_a_similar_source_beats_a_large_one_from_elsewhere() -> None:
    """The highest mean at every number of images; by 10 points or more with one, and level within 3 with twenty."""
    means = {kind: rows.mean(dim=0) for kind, rows in few_shot().items()}
    small = means.pop("small network, clothes")
    assert all(bool((small > mean).all()) for mean in means.values())
    assert float(small[0] - means[KIND][0]) > 0.1
    assert float(small[-1] - means[KIND][-1]) < 0.03
    assert float(means[KIND][-1]) > 0.78


@pytest.mark.slow
def test_a_shift_ruins_pixels_and_spares_pretrained_features() -> None:
    """On each of five draws pixels lose 0.25 or more, pretrained features at most 0.05; the architecture is not it."""
    lost = {kind: torch.tensor(runs.lost_by_a_shift(kind)) for kind in KINDS}
    assert float(lost["pixels"].min()) > 0.25
    assert float(lost[KIND].max()) < 0.05
    assert bool((lost[KIND] + 0.03 < lost["small network, clothes"]).all())
    assert bool((lost["small network, clothes"] < lost["pixels"] - 0.1).all())
    assert float(lost["untrained network"].min()) > 0.12


@pytest.mark.slow
def test_features_cached_in_training_mode_cost_fifteen_points_or_more() -> None:
    """On each of five draws: the probe learns from batch statistics and is asked with the stored ones."""
    assert min(runs.lost_by_training_mode("cached in training mode")) > 0.15


def test_draws_hold_equally_many_images_of_each_class() -> None:
    """Every draw has so many of each, differs from the others, and a smaller one lies in the larger one."""
    known_labels = fashion_mnist("train", 500)[1]
    few, many = features.draws(500, 2, 3), features.draws(500, 20, 3)
    assert all(torch.bincount(known_labels[draw]).tolist() == [20] * 10 for draw in many)
    assert len({tuple(sorted(draw.tolist())) for draw in many}) == 3
    assert all(set(small.tolist()) <= set(large.tolist()) for small, large in zip(few, many, strict=True))


@pytest.mark.slow
def test_five_hundred_images_take_less_than_half_a_minute() -> None:
    """A hundred are tried.  In processor time, so that other programs do not count; the promise is for two cores."""
    maker = features.feature_makers(pretrained())[KIND]
    images = fashion_mnist("train", 100)[0]
    start = time.process_time()
    answer("extract-features")(maker, images, 25)
    assert 5 * (time.process_time() - start) < 60


def test_folding_keeps_the_logits() -> None:
    """Up to about 1e-5, as the notebook says, and no slower beyond noise."""
    model = pretrained()
    assert model is not None
    fuse = exercise_named("fuse-conv").reference_answer
    lean = folded(model, fuse)  # type: ignore[arg-type]
    images = torch.stack([normalised(square(picture)) for picture in photographs().values()])
    with torch.no_grad():
        assert float((lean(images) - model(images)).abs().max()) < 1e-4
    # In processor time, and in turn: other programs slow down now the one, now the other.
    spent: dict[nn.Module, list[float]] = {model: [], lean: []}
    with torch.no_grad():
        for _ in range(15):
            for network, seconds in spent.items():
                start = time.process_time()
                network(images[:1])
                seconds.append(time.process_time() - start)
    assert min(spent[lean]) < 1.25 * min(spent[model])


# --- the cache


class _Counting(nn.Flatten):
    """Says how often it was used."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, D)."""
        self.calls += 1
        return super().forward(x)


def test_the_cache_gives_the_same_rows_without_computing_them(tmp_path: Path) -> None:
    """A second call reads the file."""
    images, maker = fashion_mnist("train", 30)[0], _Counting()
    extract = answer("extract-features")
    once = features.cached_features(extract, maker, images, "test", folder=tmp_path)
    calls = maker.calls
    again = features.cached_features(extract, maker, images, "test", folder=tmp_path)
    assert torch.equal(once, again)
    assert maker.calls == calls > 0


def test_the_cache_notices_every_change(tmp_path: Path) -> None:
    """Other images, another network, another mode, another function: a file of its own for each."""
    images = fashion_mnist("train", 30)[0]
    extract = answer("extract-features")

    def other(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
        return backbone(images) * 2  # type: ignore[no-any-return]

    maker = features.feature_makers(None)["untrained network"]
    for function, images_given, mode in (
        (extract, images, False),
        (extract, images + 1, False),
        (extract, images, True),
        (other, images, False),
    ):
        features.cached_features(function, maker.train(mode), images_given, "test", folder=tmp_path)
    features.cached_features(
        extract, features.feature_makers(None, seed=1)["untrained network"], images, "test", folder=tmp_path
    )
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("damage", [b"", b"\x00" * 40, None], ids=["empty", "zeros", "folder"])
def test_a_damaged_cache_is_computed_anew(damage: bytes | None, tmp_path: Path) -> None:
    """A cache is a convenience; nothing about it may break the notebook."""
    images, extract = fashion_mnist("train", 30)[0], answer("extract-features")
    expected = features.cached_features(extract, nn.Flatten(), images, "test", folder=tmp_path)
    (file,) = tmp_path.iterdir()
    if damage is None:
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(damage)
    found = features.cached_features(extract, nn.Flatten(), images, "test", folder=tmp_path)
    assert torch.equal(found, expected)


# --- part 4


@pytest.mark.slow
def test_early_layers_rest_for_similar_images_and_move_for_different_ones() -> None:
    """On each of five seeds: one rate for all costs 0.05 on similar images, resting costs 0.05 on different ones."""
    by_decay = {
        (target, decay): [runs.rates(seed)[target][k] for seed in SEEDS]
        for target in ("similar", "different")
        for k, decay in enumerate(DECAYS)
    }
    for seed in SEEDS:
        assert by_decay["similar", 1.0][seed] < by_decay["similar", 0.3][seed] - 0.05
        assert by_decay["different", 0.0][seed] < by_decay["different", 0.3][seed] - 0.05
        assert by_decay["different", 0.3][seed] > by_decay["different", 1.0][seed] - 0.05


def tuned_on(pair: str) -> dict[str, list[float]]:
    """Recipe -> accuracies on the five draws, on three from scratch; pixels beside them.  All have learned by heart."""
    found = [runs.tuned((pair, seed)) for seed in SEEDS]
    assert all(run["loss"] < 0.2 for of_seed in found for run in of_seed.values())
    accuracies = {recipe: [run[recipe]["accuracy"] for run in found if recipe in run] for recipe in tuning.RECIPES}
    assert [len(of_recipe) for of_recipe in accuracies.values()] == [5, 5, 3]
    pixels = [tuning.pixel_accuracy(answer("linear-probe"), runs.PAIRS[pair], seed) for seed in SEEDS]
    return {**accuracies, "pixels": pixels}


@pytest.mark.slow
def test_forty_images_of_sandals_and_boots_are_enough_for_95_percent_but_not_from_scratch() -> None:
    """Head alone and last block are level; both are above pixels, and above scratch on each of its three draws."""
    found = tuned_on("first")
    head, block, scratch, pixels = found.values()
    assert 0.94 < sum(head) / 5 < 0.97
    assert 0.945 < sum(block) / 5 < 0.97
    assert 0.88 < sum(pixels) / 5 < 0.92
    assert abs(sum(block) - sum(head)) < 0.015 * 5
    assert all(low > other + 0.015 for low, other in zip(map(min, head, block), pixels, strict=True))
    assert all(low > other + 0.04 for low, other in zip(map(min, head, block), scratch, strict=False))
    assert 0.79 < sum(scratch) / 3 < 0.89


@pytest.mark.slow
def test_pullovers_and_coats_are_hard_for_every_way() -> None:
    """The pretrained ones are far above pixels and scratch on each draw, and level with each other."""
    head, block, scratch, pixels = tuned_on("harder").values()
    assert 0.75 < sum(head) / 5 < 0.83
    assert 0.76 < sum(block) / 5 < 0.84
    assert abs(sum(block) - sum(head)) < 0.025 * 5
    assert max(max(head) - min(head), max(block) - min(block)) > abs(sum(block) - sum(head)) / 5
    assert all(low > other + 0.1 for low, other in zip(map(min, head, block), pixels, strict=True))
    assert all(low > other + 0.1 for low, other in zip(map(min, head, block), scratch, strict=False))
    assert 0.5 < sum(scratch) / 3 < 0.65


def test_a_pair_that_is_none_is_answered_with_the_classes() -> None:
    """A typing error, or one class twice."""
    for pair in (("Sandal", "Boot"), ("Bag", "Bag")):
        with pytest.raises(ValueError, match=r"expected two different classes of T-shirt/top, .*; got"):
            tuning.two_classes(pair, 20, 0)


def test_fine_tuning_leaves_the_pretrained_weights_alone() -> None:
    """Whatever trains is a copy; two steps of either recipe tell."""
    model = runs.model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tuning.tuning_runs(model, runs.prepared, ("Sandal", "Ankle boot"), (0,), steps=2, scratch=0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_what_is_learned_from_is_not_what_is_tested_on() -> None:
    """So many of each class, others for another draw, and the same new images for all."""
    (known, known_labels), (new, new_labels) = tuning.two_classes(("Bag", "Shirt"), 20, 0)
    (others, _), (same, _) = tuning.two_classes(("Bag", "Shirt"), 20, 1)
    assert torch.bincount(known_labels).tolist() == [20, 20]
    assert not torch.equal(known, others)
    assert torch.equal(new, same)
    assert not {image.numpy().tobytes() for image in known} & {image.numpy().tobytes() for image in new}
    assert 0.4 < float(new_labels.float().mean()) < 0.6
