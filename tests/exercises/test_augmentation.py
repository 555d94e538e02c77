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

from course_lib.augmentation import augment
from course_lib.checking.card import Card
from course_lib.checking.drivers import run_case
from course_lib.checking.keys import respond
from course_lib.checking.verdict import Verdict, judge
from tests.support.answering import lost, named, verdict_on
from tests.support.answering import reference_of as answer_of
from tests.support.course import ASSIGNMENTS, exercise_named


def run(driver: str, answer: Any, inputs: dict[str, Any]) -> Any:
    """What comes back for an answer that is a function."""
    return run_case({"f": answer}, "f", driver, inputs)["result"]


def unwatched(exercise_id: str, answer: Any) -> Verdict:
    """The verdict on the values of an answer that uses what students may not."""
    exercise = exercise_named(exercise_id)
    return exercise.verdict(answer, exercise.make_key(1, diagnose=False))


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

    verdict = unwatched("rotate", scipy_rotate)
    assert verdict.passed, lost(verdict)


def test_scipy_s_map_is_accepted_as_warp() -> None:
    """The same places by another library."""

    def mapped(image: Tensor, displacement: Tensor) -> Tensor:
        places = np.indices(image.shape[1:]) + displacement.numpy()
        planes = [scipy.ndimage.map_coordinates(x.double().numpy(), places, order=1, mode="nearest") for x in image]
        return torch.from_numpy(np.stack(planes)).to(image.dtype)

    verdict = unwatched("smooth-warp", mapped)
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
        values = {criterion.title for criterion in exercise_named(exercise_id).criteria}
        assert values & set(lost(verdict_on(exercise_id, wrong, seed)))


# --- what reviewers found: answers of strangers, and slips that are typical (../shared/review)


def _in_place(exercise_id: str) -> Callable[..., Any]:
    """The right answer, which also spoils the image that it gets."""

    def answer(*args: Any) -> Any:
        given = [arg.clone() if isinstance(arg, Tensor) else arg for arg in args]
        result = answer_of(exercise_id)(*given)
        next(arg for arg in args if isinstance(arg, Tensor)).sub_(0.25)
        return result

    return answer


@pytest.mark.parametrize(
    "exercise_id", ["resize-short-side", "scale-crop", "ten-crop", "multi-scale-test", "pca-basis", "rotate"]
)
def test_spoiling_the_image_loses_points(exercise_id: str) -> None:
    """The notebook promises it in its first cell (A7)."""
    for seed in range(10):
        verdict = verdict_on(exercise_id, _in_place(exercise_id), seed)
        assert (lost(verdict), named(verdict)) == (["leaves its inputs unchanged"], ["input-changed"])


def test_a_loss_in_single_precision_loses_points() -> None:
    """A7."""
    for seed in range(10):
        verdict = verdict_on("soft-cross-entropy", lambda z, t: answer_of("soft-cross-entropy")(z, t).float(), seed)
        assert (lost(verdict), named(verdict)) == (["keeps dtype and device"], ["always-float32"])


def _mixup_by_view(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> Any:
    weights, flat = lam.view(-1, 1), x.view(len(x), -1)
    mixed = (weights * flat + (1 - weights) * flat[permutation]).view(x.shape)
    return mixed, weights * y + (1 - weights) * y[permutation]


def test_a_view_in_mixup_costs_the_layout_alone() -> None:
    """B1: the numbers are right."""
    for seed in range(10):
        verdict = verdict_on("mixup", _mixup_by_view, seed)
        assert (lost(verdict), named(verdict)) == (["accepts any memory layout"], ["needs-contiguous-memory"])
        assert verdict.score == verdict.key.points - 0.25


def _rotate(
    offset: float = 0.5,
    dtype: torch.dtype | None = torch.float32,
    sign: int = 1,
    swapped: bool = False,
    radians: bool = True,
    **options: Any,
) -> Callable[[Tensor, float], Tensor]:
    """The solution as most write it, with one slip or another; the grid in float32 unless told otherwise."""

    def rotate(image: Tensor, degrees: float) -> Tensor:
        height, width = image.shape[1:]
        ys = torch.arange(height, dtype=dtype or image.dtype) - height / 2 + offset
        xs = torch.arange(width, dtype=dtype or image.dtype) - width / 2 + offset
        y, x = torch.meshgrid(ys, xs, indexing="ij")
        angle = sign * (math.radians(degrees) if radians else degrees)
        old_x = (x * math.cos(angle) - y * math.sin(angle)) / (width / 2)
        old_y = (x * math.sin(angle) + y * math.cos(angle)) / (height / 2)
        grid = torch.stack([old_y, old_x] if swapped else [old_x, old_y], -1)
        return F.grid_sample(image[None], grid[None], **{"align_corners": False, **options})[0]

    return rotate


def _rotate_by_matrix(image: Tensor, degrees: float) -> Tensor:
    _, height, width = image.shape
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    theta = torch.tensor([[[cosine, -sine * height / width, 0], [sine * width / height, cosine, 0]]])
    return F.grid_sample(
        image[None], F.affine_grid(theta, [1, *image.shape], align_corners=False), align_corners=False
    )[0]


@pytest.mark.parametrize("rotate", [_rotate(), _rotate_by_matrix], ids=["grid", "matrix"])
def test_a_grid_in_single_precision_costs_the_dtype_alone(rotate: Callable[..., Tensor]) -> None:
    """B4: the call fails for float64, and is right for float32."""
    for seed in range(10):
        verdict = verdict_on("rotate", rotate, seed)
        assert (lost(verdict), named(verdict)) == (["keeps dtype and device"], ["works-in-float32-only"])


@pytest.mark.parametrize("dtype", [None, torch.float32], ids=["any dtype", "float32 only"])
@pytest.mark.parametrize(
    ("slug", "slip"),
    [
        ("clockwise", {"sign": -1}),
        ("degrees-taken-for-radians", {"radians": False}),
        ("half-pixel-forgotten", {"offset": 0.0}),
        ("rows-before-columns", {"swapped": True}),
        ("corners-mixed-the-other-way", {"align_corners": True}),
        ("border-repeated", {"padding_mode": "border"}),
        ("nearest-neighbor", {"mode": "nearest"}),
    ],
)
def test_the_slips_of_a_rotation_are_named(slug: str, slip: dict[str, Any], dtype: torch.dtype | None) -> None:
    """Also beside a grid in single precision, which hid them all."""
    for seed in range(10):
        names = named(verdict_on("rotate", _rotate(dtype=dtype, **slip), seed))
        assert names == [slug] + ["works-in-float32-only"] * (dtype is not None)


def test_a_rotation_about_another_center_is_named() -> None:
    """About n / 2, in pixels and by loops: the other half pixel."""

    def about_the_halves(image: Tensor, degrees: float) -> Tensor:
        height, width = image.shape[1:]
        sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        padded, y = F.pad(image, (1, 1, 1, 1)), torch.zeros_like(image)
        for row in range(height):
            for column in range(width):
                down, right = row - height / 2, column - width / 2
                top = min(max(down * cosine + right * sine + height / 2, -1), height)
                left = min(max(right * cosine - down * sine + width / 2, -1), width)
                i, j = min(math.floor(top), height - 1), min(math.floor(left), width - 1)
                a, b = top - i, left - j
                block = padded[:, i + 1 : i + 3, j + 1 : j + 3]
                y[:, row, column] = (
                    block * block.new_tensor([[(1 - a) * (1 - b), (1 - a) * b], [a * (1 - b), a * b]])
                ).sum((1, 2))
        return y

    for seed in range(10):
        assert named(verdict_on("rotate", about_the_halves, seed)) == ["half-a-pixel-off-the-center"]


def _warp(slip: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The solution as most write it, with a slip."""

    def warp(image: Tensor, displacement: Tensor) -> Tensor:
        height, width = image.shape[1:]
        rows, columns = torch.arange(height, dtype=image.dtype)[:, None], torch.arange(width, dtype=image.dtype)
        dy, dx = displacement.flip(0) if slip == "swapped" else displacement
        one = 0 if slip == "half pixel" else 1
        y, x = (2 * (rows + dy) + one) / height - 1, (2 * (columns + dx) + one) / width - 1
        grid = torch.stack([y, x] if slip == "(y, x)" else [x, y], -1)
        padding = "zeros" if slip == "zeros" else "border"
        return F.grid_sample(image[None], grid[None], padding_mode=padding, align_corners=slip == "aligned")[0]

    return warp


@pytest.mark.parametrize(
    ("slip", "slug"),
    [
        ("half pixel", "half-pixel-forgotten"),
        ("swapped", "down-and-across-swapped"),
        ("(y, x)", "rows-before-columns"),
        ("aligned", "corners-mixed-the-other-way"),
        ("zeros", "zeros-outside"),
    ],
)
def test_the_slips_of_a_warp_are_named(slip: str, slug: str) -> None:
    """The half pixel is the theme of the notebook."""
    for seed in range(10):
        assert named(verdict_on("smooth-warp", _warp(slip), seed)) == [slug]


def _subpolicy_above(image: Tensor, subpolicy: Any, operations: Any, u: Tensor) -> Tensor:
    for (name, probability, magnitude), chance in zip(subpolicy, u, strict=True):
        if chance > probability:
            image = operations[name](image, magnitude)
    return image


def _luminance(weights: list[float]) -> Callable[..., Tensor]:
    def jitter(image: Tensor, brightness: float, contrast: float) -> Tensor:
        x = image * brightness
        gray = (x * torch.tensor(weights, dtype=x.dtype).view(-1, 1, 1)).sum(0) if len(x) == 3 else x[0]
        return ((x - gray.mean()) * contrast + gray.mean()).clamp(0, 1)

    return jitter


def _larger_weight(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> Any:
    return answer_of("mixup")(x, y, torch.stack([lam, 1 - lam]).amax(0), permutation)


def _hole_with_mean(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    y, top, left = image.clone(), centre_y - length // 2, centre_x - length // 2
    y[:, max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)] = image.mean()
    return y


def _small_number(tiny: float) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda z, t: -(t * (z.softmax(1) + tiny).log()).sum(1).mean()


def _cut_without_clipping(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    y, half = image.clone(), length // 2
    y[:, centre_y - half : centre_y + half, centre_x - half : centre_x + half] = 0
    return y


def _turned_in_halves(made: bool, read: bool) -> Callable[[Tensor, float], Tensor]:
    """In units of half the image, whatever its aspect; the corners may mean one thing made and another one read."""

    def rotate(image: Tensor, degrees: float) -> Tensor:
        _, height, width = image.shape
        angle = math.radians(degrees)
        edges = [(1.0 if made else 1 - 1 / n) for n in (height, width)]
        ys, xs = (torch.linspace(-e, e, n, dtype=image.dtype) for e, n in zip(edges, (height, width), strict=True))
        y, x = torch.meshgrid(ys, xs, indexing="ij")
        turned = [x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)]
        return F.grid_sample(image[None], torch.stack(turned, -1)[None], align_corners=read)[0]

    return rotate


def _warp_between_centers_read_between_edges(image: Tensor, displacement: Tensor) -> Tensor:
    _, height, width = image.shape
    ys, xs = (torch.linspace(-1, 1, n, dtype=image.dtype) for n in (height, width))
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    grid = torch.stack([x + displacement[1] * 2 / width, y + displacement[0] * 2 / height], -1)
    return F.grid_sample(image[None], grid[None], padding_mode="border", align_corners=False)[0]


def _cut_with_its_end(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    y, top, left = image.clone(), centre_y - length // 2, centre_x - length // 2
    y[:, max(top, 0) : max(top + length + 1, 0), max(left, 0) : max(left + length + 1, 0)] = 0
    return y


def _ten_before_the_edge(image: Tensor, crop: int) -> Tensor:
    first, last = slice(crop), slice(-crop - 1, -1)
    top, left = ((n - crop) // 2 for n in image.shape[1:])
    center = image[:, top : top + crop, left : left + crop]
    five = [image[:, first, first], image[:, first, last], image[:, last, first], image[:, last, last], center]
    return torch.stack([*five, *(each.flip(-1) for each in five)])


def _subpolicy_of_two(ways: str) -> Callable[..., Tensor]:
    def apply(image: Tensor, subpolicy: Any, operations: Any, u: Tensor) -> Tensor:
        if ways == "unpacked":
            first, second = subpolicy
            subpolicy = [first, second]
        for i in range(2):
            name, probability, magnitude = subpolicy[i]
            if u[i] < probability:
                image = operations[name](image, magnitude)
        return image

    return apply


def _basis_of_any_matrix(images: Tensor) -> Any:
    values, vectors = np.linalg.eig(np.cov(images.numpy().transpose(1, 0, 2, 3).reshape(3, -1), bias=True))
    return torch.from_numpy(values).to(images.dtype), torch.from_numpy(vectors).to(images.dtype)


NAMED: list[tuple[str, Callable[..., Any], list[str]]] = [
    ("horizontal-flip", lambda x, p, u: torch.where((u > p).view(-1, 1, 1, 1), x.flip(3), x), ["comparison-reversed"]),
    ("horizontal-flip", lambda x, p, u: torch.where(u < p, x.flip(3), x), ["decisions-along-an-image"]),
    ("pixel-noise", lambda image, p, u: torch.where(u > p, 1 - image, image), ["comparison-reversed"]),
    ("apply-subpolicy", _subpolicy_above, ["comparison-reversed"]),
    ("colour-jitter", _luminance([0.299, 0.587, 0.114]), ["mean-of-the-luminance"]),
    ("colour-jitter", _luminance([0.2989, 0.587, 0.114]), ["mean-of-the-luminance"]),
    ("mixup", _larger_weight, ["larger-weight-for-itself"]),
    ("mixup", lambda x, y, lam, permutation: (x.clone(), y.clone()), ["labels-not-mixed", "images-not-mixed"]),
    ("cutout", _hole_with_mean, ["filled-with-the-mean"]),
    ("cutout", _cut_without_clipping, ["odd-length-shortened", "negative-index-wraps"]),
    ("soft-cross-entropy", _small_number(1e-8), ["small-number-added"]),
    ("soft-cross-entropy", _small_number(1e-12), ["small-number-added"]),
    ("ten-crop", lambda image, crop: list(answer_of("ten-crop")(image, crop)), ["list-of-crops"]),
    ("rotate", _turned_in_halves(True, True), ["aspect-ignored"]),
    ("rotate", _turned_in_halves(True, False), ["corners-mixed", "aspect-ignored"]),
    ("rotate", _turned_in_halves(False, True), ["corners-mixed-the-other-way", "aspect-ignored"]),
    ("smooth-warp", _warp_between_centers_read_between_edges, ["corners-mixed"]),
    ("cutout", _cut_with_its_end, ["end-included"]),
    ("ten-crop", _ten_before_the_edge, ["corners-one-pixel-off"]),
    ("apply-subpolicy", _subpolicy_of_two("counted"), ["two-steps-only"]),
    ("apply-subpolicy", _subpolicy_of_two("unpacked"), ["two-steps-only"]),
    ("pca-basis", _basis_of_any_matrix, ["not-sorted"]),
    ("policy-space", _space_combinations, ["counted-as-sets"]),
]


@pytest.mark.parametrize(("exercise_id", "wrong", "slugs"), NAMED, ids=[f"{i}-{s[0]}" for i, _, s in NAMED])
def test_a_typical_slip_is_named(exercise_id: str, wrong: Callable[..., Any], slugs: list[str]) -> None:
    """Rows D2, D7 and D10, and what the reviewers of the notebook tried."""
    for seed in range(10):
        assert named(verdict_on(exercise_id, wrong, seed)) == slugs


@given(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
def test_eigenvectors_in_rows_are_named_whatever_their_signs(signs: tuple[float, float, float]) -> None:
    """D3: those of a singular value decomposition are as good as any other."""

    def rows(images: Tensor) -> tuple[Tensor, Tensor]:
        pixels = images.permute(0, 2, 3, 1).reshape(-1, 3)
        _, s, vh = torch.linalg.svd(pixels - pixels.mean(0), full_matrices=False)
        return s * s / len(pixels), torch.tensor(signs).to(vh)[:, None] * vh

    assert named(verdict_on("pca-basis", rows)) == ["eigenvectors-in-rows"]


def test_nothing_is_said_of_values_that_were_not_put_in_order() -> None:
    """E1: ascending and divided by M - 1, and named so."""

    def library(images: Tensor) -> Any:
        return torch.linalg.eigh(torch.cov(images.transpose(0, 1).flatten(1)))

    for seed in range(10):
        assert named(verdict_on("pca-basis", library, seed)) == ["ascending", "unbiased-covariance"]


def test_a_list_of_crops_is_told_what_it_should_be() -> None:
    """F1: the function's own result, not a part that the driver cut out."""
    verdict = verdict_on("ten-crop", lambda image, crop: [image[:, :crop, :crop]] * 10)
    reason = next(result.mismatch.reason for result in verdict.results if result.mismatch)
    assert "a list of 10 tensors" in reason
    assert "torch.stack" in reason
    assert "(10, 1, 2, 2)" in reason


@pytest.mark.parametrize("exercise_id", [e for e in ASSIGNMENTS["03_augmentation"] if e != "label-preserving"])
def test_a_forgotten_return_is_asked_for(exercise_id: str) -> None:
    """In the first sentence."""
    verdict = verdict_on(exercise_id, lambda *args: None)
    reason = next(result.mismatch.reason for result in verdict.results if result.mismatch)
    assert "None" in reason
    assert "is a `return` missing?" in reason


def _rotate_by_scipy(image: Tensor, degrees: float) -> Tensor:
    return torch.from_numpy(scipy.ndimage.rotate(image.numpy(), degrees, axes=(2, 1), reshape=False, order=1))


def _cutout_by_the_course(image: Tensor, length: int, centre_y: int, centre_x: int) -> Tensor:
    return augment.cutout(image[None], torch.tensor([[centre_y, centre_x]]), length)[0]


@pytest.mark.parametrize(
    ("exercise_id", "answer", "banned"),
    [
        ("soft-cross-entropy", F.cross_entropy, "torch.nn.functional.cross_entropy"),
        ("soft-cross-entropy", lambda z, t: torch.nn.CrossEntropyLoss()(z, t), "torch.nn"),
        ("rotate", _rotate_by_scipy, "scipy.ndimage.rotate"),
        ("cutout", _cutout_by_the_course, "course_lib.augmentation"),
    ],
    ids=["function", "layer", "scipy", "the course's own"],
)
def test_a_ready_made_answer_is_told_at_once(exercise_id: str, answer: Callable[..., Any], banned: str) -> None:
    """C: the check says what the grader says."""
    verdict = verdict_on(exercise_id, answer)
    assert verdict.score == 0
    assert verdict.banned[0].startswith(banned)


def test_own_noise_is_found_by_asking_twice() -> None:
    """D8."""

    def own(x: Tensor, p: float, u: Tensor) -> Tensor:
        return torch.where((torch.rand(len(x)) < p).view(-1, 1, 1, 1), x.flip(3), x)

    key = exercise_named("horizontal-flip").make_key(0, diagnose=False)
    for _ in range(5):
        raw = {
            case.name: run_case({case.function: own}, case.function, case.driver, case.inputs, twice=True)
            for case in key.cases
        }
        assert judge(key, {name: respond(found) for name, found in raw.items()}).score < key.points


def test_an_entry_still_open_is_told_so() -> None:
    """In one line that names it."""
    open_one = {**_table(), ("clothing", "horizontal flip"): None}
    verdict = _entry(open_one)
    reason = next(result.mismatch.told() for result in verdict.results if result.mismatch)
    assert "the entry ('clothing', 'horizontal flip') is still None: put True or False there" in reason
    assert verdict.score == 1


def test_the_card_of_a_wrong_table_does_not_give_the_answer_away() -> None:
    """There is nothing else to find out."""
    wrong = {pair: not kept for pair, kept in _table().items()}
    text = Card(_entry(wrong)).text()
    assert "should be" not in text
    assert "expected" not in text


@pytest.mark.parametrize("exercise_id", list(ASSIGNMENTS["03_augmentation"]))
def test_an_example_runs_as_it_is_pasted(exercise_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    """For each known mistake whose card has one: it needs nothing but the student's function."""
    exercise = exercise_named(exercise_id)
    shown = 0
    for misconception in exercise.misconceptions:
        code = Card(verdict_on(exercise_id, _of(exercise, misconception.wrong))).example
        if code:
            exec(code, {exercise.names[0]: _of(exercise, misconception.wrong)})
            lines = capsys.readouterr().out.splitlines()
            shown += 1
            assert lines[0].startswith("got"), misconception.slug
    assert shown > len(exercise.misconceptions) / 2


def _of(exercise: Any, wrong: Any) -> Any:
    """A wrong answer as a student's name stands for it."""
    found = exercise.namespace(wrong)[exercise.names[0]]
    return found() if exercise.id == "label-preserving" and callable(found) else found


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
    assert set(named(_entry(table))) == {"six-and-nine-overlooked", "color-overlooked"}


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
            in_rows = axes @ torch.cov(case.inputs["images"].double().transpose(0, 1).flatten(1)) @ axes.T
            assert float(in_rows.tril(-1).abs().max()) > 0.01 * float(in_rows.trace())
            assert float((axes.abs() - axes.T.abs()).abs().max()) > 0.05
            # The first row tells the sign of a column.
            assert float(axes[0].abs().min()) > 0.05


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
