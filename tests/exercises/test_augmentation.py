"""The third assignment: its references against libraries, and drivers that judge only what they may."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from course_lib.checking.drivers import run_case
from course_lib.checking.verdict import Verdict
from tests.support.answering import lost, named, verdict_on
from tests.support.answering import reference_of as answer_of
from tests.support.course import exercise_named


def run(driver: str, answer: Any, inputs: dict[str, Any]) -> Any:
    """What comes back for an answer that is a function."""
    return run_case({"f": answer}, "f", driver, inputs)["result"]


# --- references against libraries that are not used in them


@pytest.mark.parametrize(("height", "width", "size"), [(4, 6, 6), (9, 3, 5), (5, 8, 7), (7, 7, 3), (1, 3, 4)])
def test_resizing_agrees_with_pytorch(height: int, width: int, size: int) -> None:
    """Half-pixel centres, without smoothing."""
    image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = answer_of("resize-short-side")(image, size)
    expected = F.interpolate(image[None], tuple(found.shape[1:]), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(found, expected)
    assert min(found.shape[1:]) == size
    assert abs(max(found.shape[1:]) - max(height, width) * size / min(height, width)) < 0.5


def test_pillow_s_resizing_is_accepted() -> None:
    """It smooths before it makes an image smaller, in single precision: right by the text, and so by the check."""

    def pillow(image: Tensor, size: int) -> Tensor:
        height, width = image.shape[1:]
        new = (round(width * size / min(height, width)), round(height * size / min(height, width)))
        planes = [Image.fromarray(plane.float().numpy()).resize(new, Image.Resampling.BILINEAR) for plane in image]
        return torch.stack([torch.from_numpy(np.array(plane)) for plane in planes]).to(image.dtype)

    verdict = verdict_on("resize-short-side", pillow)
    assert verdict.passed, lost(verdict)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_agree_with_rot90(quarters: int) -> None:
    """Counter-clockwise as displayed."""
    image = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(answer_of("rotate")(image, 90.0 * quarters), torch.rot90(image, quarters, (1, 2)))


def test_scipy_s_rotation_is_accepted() -> None:
    """It cuts off at the edge where others fade: both are in use."""

    def scipy_rotate(image: Tensor, degrees: float) -> Tensor:
        turned = scipy.ndimage.rotate(image.double().numpy(), degrees, axes=(2, 1), reshape=False, order=1)
        return torch.from_numpy(turned).to(image.dtype)

    verdict = verdict_on("rotate", scipy_rotate)
    assert verdict.passed, lost(verdict)


def test_scipy_s_map_is_accepted_as_warp() -> None:
    """The same places by another library."""

    def mapped(image: Tensor, displacement: Tensor) -> Tensor:
        places = np.indices(image.shape[1:]) + displacement.numpy()
        planes = [scipy.ndimage.map_coordinates(x.double().numpy(), places, order=1, mode="nearest") for x in image]
        return torch.from_numpy(np.stack(planes)).to(image.dtype)

    verdict = verdict_on("smooth-warp", mapped)
    assert verdict.passed, lost(verdict)


def test_soft_cross_entropy_agrees_with_pytorch() -> None:
    """PyTorch's loss takes distributions too; students may not use it."""
    g = torch.Generator().manual_seed(2)
    logits, targets = 5 * torch.randn(7, 4, generator=g).double(), torch.rand(7, 4, generator=g).double().softmax(1)
    torch.testing.assert_close(answer_of("soft-cross-entropy")(logits, targets), F.cross_entropy(logits, targets))


def test_the_colour_basis_rebuilds_the_covariance() -> None:
    """E diag(values) E^T, against NumPy."""
    for case in exercise_named("pca-basis").make_key(5, diagnose=False).cases:
        images = case.inputs["images"].double()
        values, vectors = answer_of("pca-basis")(images)
        covariance = np.cov(images.numpy().transpose(1, 0, 2, 3).reshape(3, -1), bias=True)
        np.testing.assert_allclose((vectors * values @ vectors.T).numpy(), covariance, atol=1e-12)
        assert values[0] > values[1] > values[2] > 0


def test_the_policy_space_is_the_lecture_s_number() -> None:
    """The lecture writes 2.9e32."""
    assert answer_of("policy-space")(16, 10, 11, 2, 5) == 1760**10
    assert f"{float(1760**10):.1e}" == "2.9e+32"


def test_augmented_light_is_one_colour_everywhere() -> None:
    """The difference of two images is constant within each channel."""
    for case in exercise_named("pca-lighting").make_key(4, diagnose=False).cases:
        difference = (case.expected["image"] - case.inputs["image"]).double()
        assert float(difference.flatten(1).std(1, correction=0).max()) < 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_mixup_keeps_distributions_and_means(seed: int) -> None:
    """Mixed labels add up to one, and mixed images stay in the range of the images."""
    for case in exercise_named("mixup").make_key(seed, diagnose=False).cases:
        labels, images = case.expected["y_mixed"], case.expected["x_mixed"]
        torch.testing.assert_close(labels.sum(1), torch.ones(len(labels), dtype=labels.dtype))
        low, high = case.inputs["x"].aminmax()
        assert low - 1e-6 <= images.min() <= images.max() <= high + 1e-6


@given(st.integers(0, 12), st.integers(-3, 12), st.integers(-3, 12))
def test_cutout_counts_the_clipped_square(length: int, centre_y: int, centre_x: int) -> None:
    """As many pixels are zero as the square and the image have in common, wherever the centre lies."""
    image = torch.ones(2, 7, 9)
    rows, columns = (set(range(c - length // 2, c - length // 2 + length)) for c in (centre_y, centre_x))
    expected = 2 * len(rows & set(range(7))) * len(columns & set(range(9)))
    assert int((answer_of("cutout")(image, length, centre_y, centre_x) == 0).sum()) == expected


# --- wrong answers that are on no list


def _flip_with_own_noise(x: Tensor, p: float, u: Tensor) -> Tensor:
    own = torch.rand(len(x), generator=torch.Generator().manual_seed(0))
    return torch.where((own < p).reshape(-1, 1, 1, 1), x.flip(3), x)


def _flip_rolled(x: Tensor, p: float, u: Tensor) -> Tensor:
    return torch.where((u < p).reshape(-1, 1, 1, 1), x.roll(1, 3), x)


def _flip_chosen_only(x: Tensor, p: float, u: Tensor) -> Tensor:
    return x[u < p].flip(-1)


def _flip_first_four(x: Tensor, p: float, u: Tensor) -> Tensor:
    return torch.cat([answer_of("horizontal-flip")(x[:4], p, u[:4]), x[4:]])


def _resize_scale_factor(image: Tensor, size: int) -> Tensor:
    return F.interpolate(image[None], scale_factor=size / min(image.shape[1:]), mode="bilinear")[0]


def _resize_area(image: Tensor, size: int) -> Tensor:
    height, width = image.shape[1:]
    return F.interpolate(
        image[None], (round(height * size / min(height, width)), round(width * size / min(height, width))), mode="area"
    )[0]


def _resize_cropped(image: Tensor, size: int) -> Tensor:
    return answer_of("resize-short-side")(image, size)[:, :size, :size]


def _crop_rounded(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    side = low + round(float(u[0]) * (high - low))
    image = answer_of("resize-short-side")(image, side)
    top, left = (round(float(v) * (n - crop)) for v, n in zip(u[1:], image.shape[1:], strict=True))
    return image[:, top : top + crop, left : left + crop]


def _crop_padded(image: Tensor, low: int, high: int, crop: int, u: Tensor) -> Tensor:
    y = answer_of("scale-crop")(image, low, high, crop, u)
    return F.pad(y, (0, 1, 0, 1))


def _ten_random(image: Tensor, crop: int) -> Tensor:
    g = torch.Generator().manual_seed(0)
    windows = image.unfold(1, crop, 1).unfold(2, crop, 1).flatten(1, 2)
    return windows[:, torch.randint(0, windows.shape[1], (10,), generator=g)].transpose(0, 1)


def _ten_one_bottom_missing(image: Tensor, crop: int) -> Tensor:
    y = answer_of("ten-crop")(image, crop).clone()
    y[3], y[8] = y[2], y[7]
    return y


def _vote_weighted(model: Any, image: Tensor, sizes: list[int], crop: int) -> Tensor:
    total = 0.0
    for size in sizes:
        p = answer_of("multi-scale-test")(model, image, [size], crop)
        total = (total + p) / 2
    return total  # type: ignore[return-value]


def _vote_whole_image(model: Any, image: Tensor, sizes: list[int], crop: int) -> Tensor:
    squashed = F.interpolate(image[None], (crop, crop), mode="bilinear")
    return torch.softmax(model(squashed), 1)[0]


def _jitter_divides(image: Tensor, brightness: float, contrast: float) -> Tensor:
    x = image * brightness
    return ((x - x.mean()) / contrast + x.mean()).clamp(0, 1)


def _jitter_median(image: Tensor, brightness: float, contrast: float) -> Tensor:
    x = image * brightness
    return ((x - x.median()) * contrast + x.median()).clamp(0, 1)


def _basis_unnormalised(images: Tensor) -> tuple[Tensor, Tensor]:
    values, vectors = answer_of("pca-basis")(images)
    return values, vectors * values.sqrt()


def _basis_two(images: Tensor) -> tuple[Tensor, Tensor]:
    values, vectors = answer_of("pca-basis")(images)
    return values[:2], vectors[:, :2]


def _light_per_pixel(image: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, alphas: Tensor) -> Tensor:
    strength = torch.rand(image.shape[1:], generator=torch.Generator().manual_seed(0)).to(image)
    return image + (eigenvectors @ (alphas * eigenvalues))[:, None, None] * strength


def _rotate_half(image: Tensor, degrees: float) -> Tensor:
    turned: Tensor = answer_of("rotate")(image, degrees / 2)
    return turned


def _rotate_larger(image: Tensor, degrees: float) -> Tensor:
    turned = scipy.ndimage.rotate(image.numpy(), degrees, axes=(2, 1), reshape=True, order=1)
    return torch.from_numpy(turned)


def _warp_twice(image: Tensor, displacement: Tensor) -> Tensor:
    once = answer_of("smooth-warp")(image, displacement / 2)
    twice: Tensor = answer_of("smooth-warp")(once, displacement / 2)
    return twice


def _warp_mean(image: Tensor, displacement: Tensor) -> Tensor:
    mean = displacement.mean((1, 2), keepdim=True).expand_as(displacement)
    moved: Tensor = answer_of("smooth-warp")(image, mean)
    return moved


def _noise_per_channel(image: Tensor, p: float, u: Tensor) -> Tensor:
    shifted = torch.stack([u.roll(channel, 1) for channel in range(len(image))])
    return torch.where(shifted < p, 1 - image, image)


def _noise_about_mean(image: Tensor, p: float, u: Tensor) -> Tensor:
    return torch.where(u < p, 2 * image.mean() - image, image)


def _cutout_random(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    hole: Tensor = answer_of("cutout")(image, length, image.shape[1] // 2, image.shape[2] // 2)
    return hole


def _cutout_scaled(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    hole = answer_of("cutout")(image, length, centre_y, centre_x)
    return hole * image.sum() / hole.sum().clamp(min=0.1)


def _mixup_square_root(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> Any:
    return answer_of("mixup")(x, y, lam.sqrt(), permutation)


def _mixup_sorted(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> Any:
    return answer_of("mixup")(x, y, lam.sort().values, permutation)


def _loss_base_two(logits: Tensor, targets: Tensor) -> Tensor:
    loss: Tensor = answer_of("soft-cross-entropy")(logits, targets) / math.log(2)
    return loss


def _loss_smoothed(logits: Tensor, targets: Tensor) -> Tensor:
    loss: Tensor = answer_of("soft-cross-entropy")(logits, 0.9 * targets + 0.1 / targets.shape[1])
    return loss


def _space_combinations(operations: int, magnitudes: int, probabilities: int, steps: int, subpolicies: int) -> int:
    return math.comb(operations * magnitudes * probabilities, steps) ** subpolicies


def _space_logarithm(operations: int, magnitudes: int, probabilities: int, steps: int, subpolicies: int) -> float:
    return steps * subpolicies * math.log10(operations * magnitudes * probabilities)


def _subpolicy_random_order(image: Tensor, subpolicy: Any, operations: Any, u: Tensor) -> Tensor:
    for i in u.argsort().tolist():
        name, probability, magnitude = subpolicy[i]
        if u[i] < probability:
            image = operations[name](image, magnitude)
    return image


def _subpolicy_blended(image: Tensor, subpolicy: Any, operations: Any, u: Tensor) -> Tensor:
    for name, probability, magnitude in subpolicy:
        image = probability * operations[name](image, magnitude) + (1 - probability) * image
    return image


WRONG: list[tuple[str, Callable[..., Any]]] = [
    ("horizontal-flip", _flip_with_own_noise),
    ("horizontal-flip", _flip_rolled),
    ("horizontal-flip", _flip_chosen_only),
    ("horizontal-flip", _flip_first_four),
    ("resize-short-side", _resize_scale_factor),
    ("resize-short-side", _resize_area),
    ("resize-short-side", _resize_cropped),
    ("scale-crop", _crop_rounded),
    ("scale-crop", _crop_padded),
    ("ten-crop", _ten_random),
    ("ten-crop", _ten_one_bottom_missing),
    ("multi-scale-test", _vote_weighted),
    ("multi-scale-test", _vote_whole_image),
    ("colour-jitter", _jitter_divides),
    ("colour-jitter", _jitter_median),
    ("pca-basis", _basis_unnormalised),
    ("pca-basis", _basis_two),
    ("pca-lighting", _light_per_pixel),
    ("rotate", _rotate_half),
    ("rotate", _rotate_larger),
    ("smooth-warp", _warp_twice),
    ("smooth-warp", _warp_mean),
    ("pixel-noise", _noise_per_channel),
    ("pixel-noise", _noise_about_mean),
    ("cutout", _cutout_random),
    ("cutout", _cutout_scaled),
    ("mixup", _mixup_square_root),
    ("mixup", _mixup_sorted),
    ("soft-cross-entropy", _loss_base_two),
    ("soft-cross-entropy", _loss_smoothed),
    ("policy-space", _space_combinations),
    ("policy-space", _space_logarithm),
    ("apply-subpolicy", _subpolicy_random_order),
    ("apply-subpolicy", _subpolicy_blended),
]


@pytest.mark.parametrize(("exercise_id", "wrong"), WRONG, ids=lambda value: getattr(value, "__name__", value))
def test_a_wrong_answer_that_nobody_listed_is_rejected(exercise_id: str, wrong: Callable[..., Any]) -> None:
    """On every seed, and never for one of the small criteria only."""
    for seed in range(10):
        verdict = verdict_on(exercise_id, wrong, seed)
        conventions = [c.title for c in exercise_named(exercise_id).criteria if c.is_convention]
        assert set(lost(verdict)) - set(conventions)


# --- more than one way to be right, and more than one mistake at once


def _entry(answer: Any) -> Verdict:
    return verdict_on("label-preserving", answer)


def _table() -> dict[tuple[str, str], bool]:
    exercise = exercise_named("label-preserving")
    table: dict[tuple[str, str], bool] = dict(exercise.namespace(exercise.reference_answer)["LABEL_PRESERVING"])
    return table


def test_every_group_of_labels_has_both_answers() -> None:
    """So that one answer for all earns nothing."""
    key = exercise_named("label-preserving").make_key(0, diagnose=False)
    for criterion in key.criteria:
        cases = {entry.case for entry in criterion.entries}
        answers = {case.expected["preserved"] for case in key.cases if case.name in cases}
        assert answers == {True, False}, criterion.title


def test_a_missing_pair_costs_its_group_only() -> None:
    """The other groups keep their points, and the message names the pair."""
    table = _table()
    del table["digits", "rotation by 180 degrees"]
    verdict = _entry(table)
    assert lost(verdict) == ["rotations"]
    reason = next(result.mismatch.reason for result in verdict.results if result.mismatch)
    assert "rotation by 180 degrees" in reason


def test_two_wrong_labels_are_both_named() -> None:
    """Each has its own reason."""
    table = _table() | {
        ("digits", "rotation by 180 degrees"): True,
        ("ripeness of tomatoes", "green turned to red"): True,
    }
    assert set(named(_entry(table))) == {"six-and-nine-overlooked", "colour-overlooked"}


@pytest.mark.parametrize("odd", [None, "yes", 2, math.nan, [], torch.zeros(2)], ids=repr)
def test_an_entry_that_is_no_yes_or_no_earns_nothing(odd: Any) -> None:
    """A text is not true because it is not empty."""
    assert _entry(dict.fromkeys(_table(), odd)).score == 0


@pytest.mark.parametrize("kind", [int, float, np.bool_, torch.tensor], ids=lambda kind: kind.__name__)
def test_yes_and_no_may_be_of_any_kind(kind: Callable[[bool], Any]) -> None:
    """Points are for values."""
    assert _entry({pair: kind(kept) for pair, kept in _table().items()}).passed


@given(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
def test_signs_of_eigenvectors_are_free(signs: tuple[float, float, float]) -> None:
    """v and -v span the same axis."""

    def signed(images: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = answer_of("pca-basis")(images)
        return values, vectors * torch.tensor(signs).to(vectors)

    assert verdict_on("pca-basis", signed).passed


def test_rows_and_columns_of_eigenvectors_never_look_alike() -> None:
    """The turned axes of the cases are far from any matrix whose rows are its columns, up to signs."""
    for seed in range(100):
        for case in exercise_named("pca-basis").make_key(seed, diagnose=False).cases:
            _, axes = answer_of("pca-basis")(case.inputs["images"].double())
            torch.testing.assert_close(axes @ axes.T, torch.eye(3, dtype=torch.float64))
            assert float((axes.abs() - axes.T.abs()).abs().max()) > 0.05


@pytest.mark.parametrize("at_once", [True, False], ids=["all crops at once", "crop by crop"])
def test_the_model_takes_any_number_of_crops(at_once: bool) -> None:
    """One call for all crops or one for each: the model has no memory and no batch statistics."""

    def predict(model: Any, image: Tensor, sizes: list[int], crop: int) -> Tensor:
        crops = [answer_of("ten-crop")(answer_of("resize-short-side")(image, size), crop) for size in sizes]
        logits = model(torch.cat(crops)) if at_once else torch.cat([model(one[None]) for one in torch.cat(crops)])
        return logits.softmax(-1).mean(0)

    assert verdict_on("multi-scale-test", predict).passed


def test_averaging_probabilities_and_logits_differ_enough_to_be_told_apart() -> None:
    """On all cases of 20 seeds, by half a hundredth at least in some class."""
    exercise = exercise_named("multi-scale-test")
    logits = next(m.wrong for m in exercise.misconceptions if m.slug == "logits-averaged")
    for seed in range(20):
        for case in exercise.make_key(seed, diagnose=False).cases:
            wrong = exercise.respond(logits, case).result
            assert float((wrong - case.expected["probabilities"]).abs().max()) > 0.005


@pytest.mark.parametrize("driver", ["augmentation/rotated", "augmentation/rotated-strided"])
@given(degrees=st.floats(-400, 400), height=st.integers(1, 6), width=st.integers(1, 6))
def test_no_pixel_of_a_rotation_is_inside_and_outside(driver: str, degrees: float, height: int, width: int) -> None:
    """And the reference is zero wherever it says outside."""
    image = torch.rand(2, height, width, generator=torch.Generator().manual_seed(0)).double() + 0.1
    marks = run(driver, lambda image, degrees: torch.ones_like(image), {"image": image, "degrees": degrees})
    assert not bool((marks["inside"] * marks["outside"]).any())
    found = run(driver, answer_of("rotate"), {"image": image, "degrees": degrees})
    assert float(found["outside"].abs().max()) < 1e-5


@given(st.integers(0, 2**32 - 1))
def test_every_pixel_of_a_warp_is_inside_or_outside(seed: int) -> None:
    """Border padding leaves nothing open."""
    g = torch.Generator().manual_seed(seed)
    inputs = {"image": torch.rand(1, 5, 6, generator=g), "displacement": 3 * torch.randn(2, 5, 6, generator=g)}
    marks = run("augmentation/warped", lambda image, displacement: torch.ones_like(image), inputs)
    assert torch.equal(marks["inside"] + marks["outside"], torch.ones(1, 5, 6))
