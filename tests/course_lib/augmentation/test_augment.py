"""Augmentation of batches, against slow formulas for one example at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from course_lib.augmentation import augment
from tests.support.fresh_process import in_fresh_process

N, C, H, W = 4, 3, 7, 10
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-11}


def generator(seed: int = 0) -> torch.Generator:
    """Fresh random numbers."""
    return torch.Generator().manual_seed(seed)


def batch(dtype: torch.dtype = torch.float64, n: int = N, height: int = H, width: int = W) -> Tensor:
    """Random images whose height and width differ."""
    return torch.rand(n, C, height, width, generator=generator(1), dtype=torch.float64).to(dtype)


def at(image: Tensor, y: float, x: float, border: bool) -> Tensor:
    """Value (C,) of an image at a place in pixel coordinates, bilinearly, by the definition."""
    height, width = image.shape[1:]
    if border:
        y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = math.floor(y), math.floor(x)
    value = torch.zeros(image.shape[0], dtype=image.dtype)
    for i in (top, top + 1):
        for j in (left, left + 1):
            if 0 <= i < height and 0 <= j < width:
                value += (1 - abs(y - i)) * (1 - abs(x - j)) * image[:, i, j]
    return value


def sampled(image: Tensor, place: Callable[[int, int], tuple[float, float]], border: bool) -> Tensor:
    """An image of the same size whose pixel (i, j) is taken from `place(i, j)`."""
    height, width = image.shape[1:]
    rows = [torch.stack([at(image, *place(i, j), border) for j in range(width)], dim=1) for i in range(height)]
    return torch.stack(rows, dim=1)


def slow_flip(x: Tensor, flipped: Tensor) -> Tensor:
    """Column j becomes column W - 1 - j."""
    mirrored = torch.stack([x[..., W - 1 - j] for j in range(W)], dim=-1)
    return torch.stack([m if f else i for i, m, f in zip(x, mirrored, flipped, strict=True)])


def slow_jitter(x: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    """Brightness, then contrast around the mean, then clipping."""
    bright = [image * b for image, b in zip(x, brightness, strict=True)]
    stretched = [(image - image.mean()) * c + image.mean() for image, c in zip(bright, contrast, strict=True)]
    return torch.stack(stretched).clamp(0, 1)


def slow_lighting(x: Tensor, values: Tensor, vectors: Tensor, alphas: Tensor) -> Tensor:
    """One offset in each channel of each image."""
    result = x.clone()
    for n in range(N):
        for c in range(C):
            result[n, c] += sum(vectors[c, k] * alphas[n, k] * values[k] for k in range(3))
    return result


def slow_rotate(x: Tensor, degrees: Tensor) -> Tensor:
    """Each pixel is taken from its place turned clockwise, so that the picture turns the other way."""

    def one(image: Tensor, angle: float) -> Tensor:
        cos, sin, cy, cx = math.cos(angle), math.sin(angle), (H - 1) / 2, (W - 1) / 2
        return sampled(
            image,
            lambda i, j: (cy + sin * (j - cx) + cos * (i - cy), cx + cos * (j - cx) - sin * (i - cy)),
            border=False,
        )

    return torch.stack([one(image, math.radians(d)) for image, d in zip(x, degrees.tolist(), strict=True)])


def slow_warp(x: Tensor, displacements: Tensor) -> Tensor:
    """Each pixel is taken from its place plus the displacement there."""
    images = []
    for image, (dy, dx) in zip(x, displacements, strict=True):
        field = (dy.tolist(), dx.tolist())
        images.append(sampled(image, lambda i, j, f=field: (i + f[0][i][j], j + f[1][i][j]), border=True))
    return torch.stack(images)


def slow_noise(x: Tensor, flipped: Tensor) -> Tensor:
    """Pixel by pixel."""
    result = x.clone()
    for n, i, j in flipped.nonzero().tolist():
        result[n, :, i, j] = 1 - x[n, :, i, j]
    return result


def slow_cutout(x: Tensor, centres: Tensor, length: int) -> Tensor:
    """Slices, clipped at zero by hand."""
    result = x.clone()
    for n, (cy, cx) in enumerate(centres.tolist()):
        top, left = cy - length // 2, cx - length // 2
        result[n, :, max(top, 0) : top + length, max(left, 0) : left + length] = 0
    return result


def slow_crop(x: Tensor, corners: Tensor, size: int, padding: int) -> Tensor:
    """Slices of the padded image."""
    padded = F.pad(x, (padding,) * 4)
    return torch.stack(
        [i[:, top : top + size, left : left + size] for i, (top, left) in zip(padded, corners.tolist(), strict=True)]
    )


def slow_scale_crop(x: Tensor, crops: Tensor, size: int) -> Tensor:
    """Resize, then slice."""
    images = []
    for image, (height, width, top, left) in zip(x, crops.tolist(), strict=True):
        resized = F.interpolate(image[None], (height, width), mode="bilinear", align_corners=False)[0]
        images.append(resized[:, top : top + size, left : left + size])
    return torch.stack(images)


ANGLES = torch.tensor([0.0, 90.0, -37.0, 200.0])
FLIPS = torch.tensor([True, False, False, True])
EIGENVALUES, EIGENVECTORS = (
    torch.tensor([0.2, 0.02, 0.003]),
    torch.linalg.qr(torch.rand(3, 3, generator=generator()))[0],
)
CENTRES = torch.tensor([[0, 0], [6, 9], [3, 4], [0, 9]])
ARGUMENTS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], tuple[object, ...]]] = {
    "flip": (augment.horizontal_flip, slow_flip, (FLIPS,)),
    "crop": (augment.crop, slow_crop, (torch.tensor([[0, 0], [6, 9], [3, 4], [2, 0]]), 5, 2)),
    "scale and crop": (
        augment.scale_crop,
        slow_scale_crop,
        (augment.draw_scale_crops(N, (H, W), 5, 11, 5, generator(5)), 5),
    ),
    "jitter": (augment.colour_jitter, slow_jitter, (torch.rand(N) + 0.5, torch.rand(N) + 0.5)),
    "lighting": (augment.pca_lighting, slow_lighting, (EIGENVALUES, EIGENVECTORS, torch.randn(N, 3))),
    "rotate": (augment.rotate, slow_rotate, (ANGLES,)),
    "warp": (augment.smooth_warp, slow_warp, (4 * torch.rand(N, 2, H, W, generator=generator(3)) - 2,)),
    "noise": (augment.pixel_noise, slow_noise, (torch.rand(N, H, W, generator=generator(4)) < 0.3,)),
    "cutout, even": (augment.cutout, slow_cutout, (CENTRES, 4)),
    "cutout, odd": (augment.cutout, slow_cutout, (CENTRES, 3)),
}
each_operation = pytest.mark.parametrize("name", ARGUMENTS)


def exact(arguments: tuple[object, ...], dtype: torch.dtype) -> tuple[object, ...]:
    """The arguments, floating-point tensors in the dtype."""
    return tuple(a.to(dtype) if isinstance(a, Tensor) and a.is_floating_point() else a for a in arguments)


@each_operation
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_a_batch_is_what_a_slow_loop_gives(name: str, dtype: torch.dtype) -> None:
    """Every operation agrees with its literal definition, keeps the dtype and leaves its input alone."""
    operation, slow, arguments = ARGUMENTS[name]
    x = batch(dtype)
    before = x.clone()
    found = operation(x, *exact(arguments, dtype))
    assert found.dtype == dtype
    assert torch.equal(x, before)
    expected = slow(batch(), *exact(arguments, torch.float64))
    assert torch.allclose(
        found.double(), expected, atol=100 * TOLERANCE[dtype] if name == "scale and crop" else TOLERANCE[dtype]
    )
    assert not torch.equal(found, x)


@each_operation
def test_memory_order_does_not_matter(name: str) -> None:
    """Images with channels last give the same result."""
    operation, _, arguments = ARGUMENTS[name]
    arguments = exact(arguments, torch.float64)
    x = batch()
    strided = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert torch.allclose(operation(strided, *arguments), operation(x, *arguments), atol=1e-12)


@each_operation
def test_an_empty_batch_stays_empty(name: str) -> None:
    """Nothing in, nothing out, in the right shape."""
    operation, _, arguments = ARGUMENTS[name]
    none = tuple(a[:0] if isinstance(a, Tensor) and len(a) == N else a for a in arguments)
    found = operation(batch(torch.float32)[:0], *none)
    assert found.shape[:2] == (0, C)


@pytest.mark.gpu
def test_parameters_drawn_on_the_cpu_serve_images_on_a_gpu() -> None:
    """No operation mixes devices; the result stays on the GPU and is what the CPU gives."""
    in_fresh_process(augment_on_gpu)


def augment_on_gpu() -> None:
    """For a process that may use the GPU."""
    for name, (operation, _, arguments) in ARGUMENTS.items():
        found = operation(batch(torch.float32).cuda(), *arguments)
        assert found.device.type == "cuda", name
        assert torch.allclose(found.cpu(), operation(batch(torch.float32), *arguments), atol=1e-4), name


def test_mixup_mixes_images_and_targets_alike() -> None:
    """Example by example; a share of one changes nothing."""
    x, y = batch(), torch.eye(N, dtype=torch.float64)
    lam, partner = torch.tensor([0.2, 1.0, 0.0, 0.5], dtype=torch.float64), torch.tensor([2, 0, 3, 1])
    mixed, targets = augment.mixup(x, y, lam, partner)
    for n in range(N):
        share, other = lam[n], int(partner[n])
        assert torch.allclose(mixed[n], share * x[n] + (1 - share) * x[other])
        assert torch.allclose(targets[n], share * y[n] + (1 - share) * y[other])
    assert torch.equal(x, batch())
    assert torch.equal(y, torch.eye(N, dtype=torch.float64))


def test_a_quarter_turn_moves_pixels_counter_clockwise() -> None:
    """What is at the right goes to the top."""
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 4] = 1
    found = augment.rotate(x, torch.tensor([90.0]))
    assert found[0, 0, 0, 2] == pytest.approx(1, abs=1e-5)
    assert found.sum() == pytest.approx(1, abs=1e-4)


DRAWS: dict[str, Callable[[torch.Generator], Tensor]] = {
    "flips": lambda g: augment.draw_flips(2000, 0.3, g),
    "corners": lambda g: augment.draw_corners(2000, (3, 5), g),
    "scale crops": lambda g: augment.draw_scale_crops(2000, (20, 30), 12, 20, 12, g),
    "factors": lambda g: augment.draw_factors(2000, 0.4, g),
    "alphas": lambda g: augment.draw_alphas(2000, 0.1, g),
    "angles": lambda g: augment.draw_angles(2000, 15.0, g),
    "displacements": lambda g: augment.draw_displacements(batch(), 2.0, g),
    "pixels": lambda g: augment.draw_pixels(batch(), 0.5, g),
    "centres": lambda g: augment.draw_centres(batch(n=2000), g),
    "shares": lambda g: augment.draw_mix(2000, 0.3, g)[0],
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_depend_on_the_generator_alone(name: str) -> None:
    """Equal seeds give equal numbers, different seeds others."""
    first, again, other = (DRAWS[name](generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_draws_cover_their_range_with_both_ends() -> None:
    """The last offset, the largest side and the border pixel are drawn too."""
    assert augment.draw_flips(2000, 0.3, generator()).float().mean() == pytest.approx(0.3, abs=0.04)
    corners = DRAWS["corners"](generator())
    assert (corners.amin(dim=0).tolist(), corners.amax(dim=0).tolist()) == ([0, 0], [3, 5])
    centres = DRAWS["centres"](generator())
    assert (centres.amin(dim=0).tolist(), centres.amax(dim=0).tolist()) == ([0, 0], [H - 1, W - 1])
    factors, angles = DRAWS["factors"](generator()), DRAWS["angles"](generator())
    assert (factors.min(), factors.max()) == (pytest.approx(0.6, abs=0.01), pytest.approx(1.4, abs=0.01))
    assert (angles.min(), angles.max()) == (pytest.approx(-15, abs=0.3), pytest.approx(15, abs=0.3))


def test_scale_crops_lie_inside_and_keep_the_aspect() -> None:
    """Short sides from low to high, the crop within the resized image, up to its last place."""
    height, width, top, left = DRAWS["scale crops"](generator()).unbind(dim=1)
    assert (int(height.min()), int(height.max())) == (12, 20)
    assert torch.equal(width, (height * 1.5).round().long())
    assert bool(((top >= 0) & (top + 12 <= height) & (left >= 0) & (left + 12 <= width)).all())
    assert bool((top + 12 == height)[height > 12].any())


@pytest.mark.parametrize(("alpha", "middle", "small"), [(0.2, 0.32, 0.10), (1.0, 0.80, 0.25)], ids=["0.2", "1"])
def test_shares_are_beta_distributed(alpha: float, middle: float, small: float) -> None:
    """P(0.1 < lam < 0.9) and the mean of min(lam, 1 - lam) tell Beta(alpha, alpha) from a uniform distribution."""
    lam, partner = augment.draw_mix(20_000, alpha, generator())
    assert ((lam > 0.1) & (lam < 0.9)).float().mean() == pytest.approx(middle, abs=0.015)
    assert torch.minimum(lam, 1 - lam).mean() == pytest.approx(small, abs=0.01)
    assert torch.equal(partner.sort().values, torch.arange(20_000))


def test_a_displacement_is_smooth_and_bounded() -> None:
    """Neighbours differ by far less than the whole range."""
    found = augment.draw_displacements(batch(height=32, width=40), 3.0, generator())
    assert found.shape == (N, 2, 32, 40)
    assert found.abs().max() < 3.0 * 1.5
    assert found.diff(dim=-1).abs().max() < 1.0
    assert found.std() > 0.5
