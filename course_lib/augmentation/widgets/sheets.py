"""What the augmentation gallery shows of each transformation: thirty-six results, and a panel that explains them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from course_lib.augmentation import augment
from course_lib.lab.data import digits
from course_lib.lab.photographs import photograph
from course_lib.widgets.scene import Bars, Lines, Montage, Panel, Series

__all__ = ["Sheet", "as_bytes", "originals", "sharp", "ten_crops", "tiles_of", "transformed"]

TILES, SIDE, WHOLE = 36, 64, 96
"""Tiles in the montage, their side, and the side of the picture that crops are cut from."""

Pictures = Callable[[str], Tensor]
"""Subject -> its pictures (TILES, 3, H, H), in whatever size."""


@dataclass(frozen=True)
class Sheet:
    """What a transformation made.

    Attributes:
        tiles: (N, 3, SIDE, SIDE).
        said: what was drawn, in words.
        left: the panel beside the tiles.
        again: the same draws, made of larger pictures.
        captions: one below each tile, or none.
        signs: the same in a sign or two, where a number has to stand beside them; or none.
        columns: of the montage.
        shares: (N,), of the picture itself where it is mixed with another.
    """

    tiles: Tensor
    said: str
    left: Panel
    again: Callable[[Pictures], Tensor]
    captions: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    columns: int = 9
    shares: Tensor | None = None

    def in_full(self) -> Tensor:
        """The tiles once more, made of the sharp pictures: (N, 3, H, H)."""
        return self.again(_full)


@functools.cache
def originals(subject: str) -> Tensor:
    """(TILES, 3, WHOLE, WHOLE): the photograph in every place, or the handwritten digits."""
    if subject == "digits":
        images = F.pad(digits("train", TILES)[0], (2, 2, 2, 2)).expand(-1, 3, -1, -1)
        return F.interpolate(images, (WHOLE, WHOLE), mode="bilinear", align_corners=False).clamp(0, 1)
    return F.interpolate(sharp(subject), (WHOLE, WHOLE), mode="area").expand(TILES, -1, -1, -1)


@functools.cache
def sharp(subject: str) -> Tensor:
    """The picture in the size in which it is looked at: a photograph (1, 3, 224, 224), or the first digits."""
    if subject == "digits":
        return originals(subject)[:4]
    image = photograph(subject)
    height, width = image.shape[1:]
    top, left = (height - 224) // 2, (width - 224) // 2
    return image[None, :, top : top + 224, left : left + 224]


def _full(subject: str) -> Tensor:
    """The sharp picture in the place of every tile; digits have no more pixels than the originals here."""
    return originals(subject) if subject == "digits" else sharp(subject).expand(TILES, -1, -1, -1)


@functools.cache
def _small(subject: str) -> Tensor:
    """The same at the side of a tile."""
    return F.interpolate(originals(subject), (SIDE, SIDE), mode="bilinear", antialias=True).clamp(0, 1).contiguous()


def as_bytes(images: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(N, 3, H, W) in [0, 1] -> (N, H, W, 3) bytes."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def _original(subject: str) -> Montage:
    title, columns = ("the originals", 2) if subject == "digits" else ("the original", 1)
    return Montage(title, as_bytes(sharp(subject)), columns)


def _flip(subject: str, strength: float, generator: torch.Generator) -> Sheet:
    flipped = augment.draw_flips(TILES, strength, generator)
    said = f"p = {strength:g}, {int(flipped.sum())} of {TILES} are mirrored (↔)"
    signs = tuple("↔" if f else "" for f in flipped.tolist())

    def again(of: Pictures) -> Tensor:
        return augment.horizontal_flip(of(subject), flipped)

    return Sheet(again(_small), said, _original(subject), again, signs, signs)


def _scale_crop(subject: str, strength: float, generator: torch.Generator) -> Sheet:
    high = SIDE + round(strength * SIDE)
    crops = augment.draw_scale_crops(TILES, (WHOLE, WHOLE), SIDE, high, SIDE, generator)
    # Back to pixels of the whole picture.
    boxes = (crops[:, [2, 3, 2, 3]] + torch.tensor([0, 0, SIDE, SIDE])) * WHOLE / crops[:, :1]
    share = float((SIDE / crops[:, 0]).square().mean())
    said = f"short side {SIDE} to {high}, crops of {SIDE}, on average {100 * share:.0f}% of the area"
    left = _boxed(sharp(subject)[0], boxes[:6] / WHOLE, "the original, six of the boxes")

    def again(of: Pictures) -> Tensor:
        whole = of(subject)
        side = SIDE if whole.shape[-1] == WHOLE else whole.shape[-1]  # a sharp picture is cut out at its full size
        return augment.scale_crop(whole, crops * (side / SIDE), side)

    return Sheet(again(originals), said, left, again)


def _ten_crop(subject: str, strength: float, generator: torch.Generator) -> Sheet:
    corners, size = _five_corners(WHOLE, strength)
    boxes = torch.cat([corners, corners + size], dim=1) / WHOLE
    left = _boxed(sharp(subject)[0], boxes, "the original, five boxes")
    said = f"five crops with {100 * size / WHOLE:.0f}% of the side, and their mirror images (↔), nothing is random"

    def again(of: Pictures) -> Tensor:
        return ten_crops(of(subject)[0], strength)

    tiles = F.interpolate(again(originals), (SIDE, SIDE), mode="bilinear", antialias=True)
    signs = _FIVE + tuple(f"{sign}↔" for sign in _FIVE)
    return Sheet(tiles, said, left, again, signs, signs, 5)


_FIVE = ("↖", "↗", "↙", "↘", "•")
"""Corners and center; words would not fit below a tile on a phone."""


def ten_crops(image: Tensor, strength: float) -> Tensor:
    """The ten crops of a square image (C, H, H) -> (10, C, size, size): corners and center, then mirrored."""
    corners, size = _five_corners(image.shape[-1], strength)
    five = augment.crop(image[None].expand(5, -1, -1, -1), corners, size)
    return torch.cat([five, five.flip(-1)])


def _five_corners(side: int, strength: float) -> tuple[Tensor, int]:
    """Top left corners (5, 2) of the crops, and their side."""
    room = round(round(strength * WHOLE / 2) * side / WHOLE)
    return torch.tensor([[0, 0], [0, room], [room, 0], [room, room], [room // 2, room // 2]]), side - room


def _jitter(subject: str, strength: float, generator: torch.Generator) -> Sheet:
    brightness, contrast = (augment.draw_factors(TILES, 0.8 * strength, generator) for _ in range(2))
    said = f"brightness times a number between {_range(brightness)}, contrast between {_range(contrast)}"

    def again(of: Pictures) -> Tensor:
        return augment.colour_jitter(of(subject), brightness, contrast)

    return Sheet(again(_small), said, _original(subject), again)


def _lighting(subject: str, strength: float, generator: torch.Generator) -> Sheet:
    values, vectors = _basis(subject)
    alphas = augment.draw_alphas(TILES, 6 * strength, generator)

    def again(of: Pictures) -> Tensor:
        return augment.pca_lighting(of(subject), values, vectors, alphas)

    tiles = again(_small)
    first = float(values[0] / values.sum())
    said = (
        f"alphas of standard deviation {6 * strength:.1f} (AlexNet: 0.1), "
        f"{100 * first:.0f}% of the variance on the first axis"
    )
    return Sheet(tiles, said, _cloud(subject, tiles[0]), again)


@functools.cache
def _basis(subject: str) -> tuple[Tensor, Tensor]:
    """Eigenvalues, descending, and eigenvectors in columns of the covariance of the picture's pixels.

    The largest component of each vector is positive: what comes out of `eigh` has either sign, in turn with the
    processor, and the same draw would look different there from what the network was shown.
    """
    pixels = _small(subject).transpose(0, 1).reshape(3, -1)
    values, vectors = torch.linalg.eigh(torch.cov(pixels, correction=0))
    largest = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True))
    return values.flip(0), (vectors * largest.sign()).flip(1)


def _cloud(subject: str, lit: Tensor) -> Lines:
    """Red against blue of every thirtieth pixel, before and after the first tile's change, and the first axis."""
    before, after = (image.reshape(3, -1)[:, ::30] for image in (_small(subject)[0], lit))
    x = torch.cat([torch.tensor([-0.2]), before[0], after[0], torch.tensor([1.2])])
    order = x.argsort()
    gap = torch.full_like(before[2], torch.nan)
    end = torch.tensor([torch.nan])
    clouds = [torch.cat([end, before[2], gap, end]), torch.cat([end, gap, after[2], end])]
    _, vectors = _basis(subject)
    middle = before.mean(dim=1)
    axis = middle[2] + (x - middle[0]) * vectors[2, 0] / vectors[0, 0]
    lines = [cloud[order].numpy().astype(np.float32) for cloud in (*clouds, axis)]
    series = (
        Series("before", lines[0], "dots"),
        Series("first tile", lines[1], "dots"),
        Series("first axis", lines[2], "dashed"),
    )
    return Lines("blue over red, of each pixel", x[order].numpy().astype(np.float32), series, -0.2, 1.2, "red")


def _rotation(subject: str, strength: float, generator: torch.Generator) -> Sheet:
    most = 180 * strength
    angles = augment.draw_angles(TILES, most, generator)
    said = f"up to {most:g} degrees to either side"
    captions = tuple(f"{angle:z.0f}°".replace("-", "−") for angle in angles.tolist())

    def again(of: Pictures) -> Tensor:
        return augment.rotate(of(subject), angles)

    return Sheet(again(_small), said, _original(subject), again, captions)


def _cutout(subject: str, strength: float, generator: torch.Generator) -> Sheet:
    length = round(strength * SIDE)
    images = _small(subject)
    centers = augment.draw_centres(images, generator)

    def again(of: Pictures) -> Tensor:
        larger = of(subject).shape[-1] / SIDE
        return augment.cutout(of(subject), (centers * larger).round().long(), round(length * larger))

    tiles = again(_small)
    hidden = float((tiles == 0).all(dim=1).float().mean() - (images == 0).all(dim=1).float().mean())
    share = 100 * max(0.0, hidden)
    said = f"squares of {length} pixels in {SIDE}, clipped at the border, hide {share:.0f}% on average"
    return Sheet(tiles, said, _original(subject), again)


def _mixup(subject: str, strength: float, generator: torch.Generator) -> Sheet:
    alpha = max(0.05, 2 * strength)
    partner = "digits" if subject == "digits" else ("coffee" if subject == "cat" else "cat")
    lam, order = augment.draw_mix(TILES, alpha, generator)

    def again(of: Pictures) -> Tensor:
        both = torch.cat([of(subject), of(partner)])
        index, shares = torch.cat([TILES + order, order]), torch.cat([lam, lam])
        mixed, _ = augment.mixup(both, torch.zeros(len(both), 1), shares, index)
        return mixed[:TILES]

    smaller = float(torch.minimum(lam, 1 - lam).mean())
    said = f"α = {alpha:.2g}, λ between {_range(lam)}, the smaller share is {smaller:.2f} on average"
    names = ("its own label", "its partner's label") if subject == "digits" else (subject, partner)
    first = lam[:3].numpy().astype(np.float32)
    series = (Series(names[0], first), Series(names[1], 1 - first))
    left = Bars("labels of the first three tiles", ("tile 1", "tile 2", "tile 3"), series, 0, 1)
    return Sheet(again(_small), said, left, again, tuple(f"λ {share:.2f}" for share in lam.tolist()), shares=lam)


def _range(factors: Tensor) -> str:
    return f"{factors.min():.2f} and {factors.max():.2f}"


def _boxed(image: Tensor, boxes: Tensor, title: str) -> Montage:
    """An image (3, H, H) with outlines of boxes (N, 4), in shares of H: top, left, bottom, right; the first is red."""
    drawn = F.interpolate(image[None], (224, 224), mode="bilinear", align_corners=False)[0]
    corners = (boxes * 224).round().long().clamp(0, 223).tolist()
    for number, (top, left, bottom, right) in reversed(list(enumerate(corners))):
        colour = torch.tensor([1.0, 0.25, 0.1] if number == 0 else [1.0, 1.0, 1.0])[:, None, None]
        drawn[:, [top, bottom], left : right + 1] = colour
        drawn[:, top : bottom + 1, [left, right]] = colour
    return Montage(title, as_bytes(drawn[None]), 1)


_MAKERS: Mapping[str, Callable[[str, float, torch.Generator], Sheet]] = {
    "flip": _flip,
    "scale-crop": _scale_crop,
    "ten-crop": _ten_crop,
    "jitter": _jitter,
    "lighting": _lighting,
    "rotation": _rotation,
    "cutout": _cutout,
    "mixup": _mixup,
}


def tiles_of(transformation: str) -> int:
    """How many results there are."""
    return 2 * len(_FIVE) if transformation == "ten-crop" else TILES


def transformed(subject: str, transformation: str, strength: float, seed: int) -> Sheet:
    """Thirty-six random results of a transformation.

    Args:
        subject: key of `labels.SUBJECTS`.
        transformation: key of `labels.TRANSFORMATIONS`.
        strength: in [0, 1].
        seed: of the draws.
    """
    return _MAKERS[transformation](subject, strength, torch.Generator().manual_seed(seed))
