"""What the transfer notebook says about its demonstrations is measured here, on several seeds, with a margin."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from course_lib.lab.data import fashion_mnist
from course_lib.lab.efficientnet import folded, normalised, pretrained, square, top_classes
from course_lib.lab.photographs import credits, photograph, photographs
from course_lib.transfer.experiments import faults, features
from tests.support.course import exercise_named

SEEDS = (0, 1, 2)
each_seed = pytest.mark.parametrize("seed", SEEDS, ids=[f"seed-{seed}" for seed in SEEDS])
KIND = "EfficientNet-Lite0"


def answer(exercise_id: str) -> Any:
    """The right answer to an exercise."""
    return exercise_named(exercise_id).reference_answer


def wrong(exercise_id: str, slug: str) -> Any:
    """A known wrong answer to an exercise."""
    return next(mistake.wrong for mistake in exercise_named(exercise_id).misconceptions if mistake.slug == slug)


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
    early, right = (faults.head_run(answer("replace-head"), too_early, seed=seed) for too_early in (True, False))
    assert early.head_moved == 0
    assert right.head_moved > 0.5
    assert sum(early.losses[-10:]) < sum(early.losses[:10]) - 1
    assert early.accuracy < right.accuracy - 0.15


@pytest.mark.slow
@each_seed
def test_batchnorm_breaks_a_network_none_of_whose_weights_moved(seed: int) -> None:
    """The accuracy on the old images falls by half and more, the features move by more than half their size."""
    drifted = faults.drift(wrong("freeze-backbone", "batchnorm-forgotten"), seed=seed)
    assert drifted.source_before > 0.75
    assert drifted.source_after < 0.5 * drifted.source_before
    assert drifted.moved > 1


@pytest.mark.slow
@each_seed
def test_eval_once_is_the_same_as_forgetting_batchnorm(seed: int) -> None:
    """`model.train()` undoes it before the first step."""
    once, forgotten = (
        faults.drift(wrong("freeze-backbone", slug), seed=seed)
        for slug in ("eval-undone-by-train", "batchnorm-forgotten")
    )
    assert once == forgotten


@pytest.mark.slow
@each_seed
def test_a_frozen_backbone_does_not_move(seed: int) -> None:
    """Old accuracy and features are exactly what they were; the new head has learnt something."""
    still = faults.drift(answer("freeze-backbone"), seed=seed)
    assert still.source_after == still.source_before
    assert still.moved == 0
    assert still.target > 0.4


@pytest.mark.slow
def test_drifting_statistics_do_not_hurt_on_the_new_images() -> None:
    """On average over three seeds the drifting network is not worse there: that is why nobody notices."""
    ways = (wrong("freeze-backbone", "batchnorm-forgotten"), answer("freeze-backbone"))
    drifting, still = (sum(faults.drift(way, seed=seed).target for seed in SEEDS) for way in ways)
    assert drifting > still - 0.03


def test_zero_gradients_let_momentum_move_a_frozen_weight() -> None:
    """Removed gradients stop it at once; zeros let it run through the minimum and beyond."""
    removed, zeros = (faults.frozen_with_momentum(set_to_none) for set_to_none in (True, False))
    assert removed[:5] == zeros[:5]
    assert len(set(removed[4:])) == 1
    assert zeros[-1] < -1


# --- part 3


@functools.cache
def described() -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Features of the 500 known, the 500 new and the 500 shifted images of the notebook, by kind."""
    extract = answer("extract-features")
    makers = features.feature_makers(pretrained())
    new = fashion_mnist("validation", 500)[0]
    sets = (fashion_mnist("train", 500)[0], new, features.shifted(new))
    known, plain, moved = ({kind: extract(m, images, 25) for kind, m in makers.items()} for images in sets)
    return known, plain, moved


def labels() -> tuple[Tensor, Tensor]:
    """Of the known and of the new images."""
    return fashion_mnist("train", 500)[1], fashion_mnist("validation", 500)[1]


@pytest.mark.slow
def test_pretrained_features_are_better_than_pixels_from_five_images_of_each_class_on() -> None:
    """By 0.02 or more at 5, 10, 20 and 50; with 50 of each class above 0.8; untrained features are the worst there."""
    known, new, _ = described()
    found = features.few_shot(answer("linear-probe"), known, new, labels(), (1, 2, 5, 10, 20, 50))
    for pixels, pretrained_features in list(zip(found["pixels"], found[KIND], strict=True))[2:]:
        assert pretrained_features > pixels + 0.02
    assert found[KIND][-1] > 0.8
    assert found["untrained network"][-1] < found["pixels"][-1] - 0.1
    assert all(a < b for a, b in list(zip(found["untrained network"], found["pixels"], strict=True))[1:])


@pytest.mark.slow
def test_a_small_network_of_a_similar_source_beats_a_large_one_from_elsewhere() -> None:
    """By 0.05 or more up to 5 images of each class; with 50 they are equal within 0.03."""
    known, new, _ = described()
    found = features.few_shot(answer("linear-probe"), known, new, labels(), (1, 2, 5, 10, 20, 50))
    small, large = found["small network, clothes"], found[KIND]
    assert all(a > b + 0.05 for a, b in list(zip(small, large, strict=True))[:3])
    assert all(a >= b - 0.01 for a, b in zip(small, large, strict=True))
    assert abs(small[-1] - large[-1]) < 0.03


@pytest.mark.slow
def test_a_shift_ruins_pixels_and_spares_pretrained_features() -> None:
    """Up to 3 pixels cost pixels 0.2 or more, pretrained features at most 0.04; the architecture does not suffice."""
    known, new, moved = described()
    fit, (known_labels, new_labels) = answer("linear-probe"), labels()
    lost = {
        kind: features.probe_accuracy(fit, (known[kind], known_labels), (new[kind], new_labels))
        - features.probe_accuracy(fit, (known[kind], known_labels), (moved[kind], new_labels))
        for kind in known
    }
    assert lost["pixels"] > 0.2
    assert lost[KIND] < 0.04
    assert lost[KIND] + 0.05 < lost["small network, clothes"] < lost["pixels"] - 0.1
    assert lost["untrained network"] > 0.1


@pytest.mark.slow
def test_features_cached_in_training_mode_cost_a_tenth_or_more() -> None:
    """The probe learns from batch statistics and is asked with the stored ones."""
    known, new, _ = described()
    fit, (known_labels, new_labels) = answer("linear-probe"), labels()
    maker = features.feature_makers(pretrained())[KIND].train()
    with torch.no_grad():
        images = fashion_mnist("train", 200)[0]
        cached = torch.cat([maker(batch) for batch in torch.split(images, 25)])
    right, other = (
        features.probe_accuracy(fit, (rows, known_labels[:200]), (new[KIND], new_labels))
        for rows in (known[KIND][:200], cached)
    )
    assert other < right - 0.1


@pytest.mark.slow
def test_five_hundred_images_take_less_than_half_a_minute() -> None:
    """In processor time, so that other programs do not count; the notebook promises it for two cores."""
    maker = features.feature_makers(pretrained())[KIND]
    images = fashion_mnist("train", 500)[0]
    start = time.process_time()
    answer("extract-features")(maker, images, 25)
    assert time.process_time() - start < 60


def test_folding_keeps_the_logits() -> None:
    """Up to about 1e-5, as the notebook says, and no slower beyond noise."""
    model = pretrained()
    assert model is not None
    fuse = exercise_named("fuse-conv").reference_answer
    lean = folded(model, fuse)  # type: ignore[arg-type]
    images = torch.stack([normalised(square(picture)) for picture in photographs().values()])
    with torch.no_grad():
        assert float((lean(images) - model(images)).abs().max()) < 1e-4
    times = features.milliseconds_per_image({"as it is": model, "folded": lean}, images[:1], 15)
    assert times["folded"] < 1.25 * times["as it is"]


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
    """On each of three seeds: one rate for all costs 0.05 on similar images, resting costs 0.05 on different ones."""
    runs = faults.rate_runs(answer("layer-learning-rates"), (0.0, 0.3, 1.0), SEEDS)
    by_decay = {
        (target, decay): [run.accuracy for run in runs if (run.target, run.decay) == (target, decay)]
        for target in ("similar", "different")
        for decay in (0.0, 0.3, 1.0)
    }
    for seed in SEEDS:
        assert by_decay["similar", 1.0][seed] < by_decay["similar", 0.3][seed] - 0.05
        assert by_decay["different", 0.0][seed] < by_decay["different", 0.3][seed] - 0.05
        assert by_decay["different", 0.3][seed] > by_decay["different", 1.0][seed] - 0.05
