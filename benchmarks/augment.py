"""Augmentation of one batch, beside the same operations of kornia and torchvision.

    .venv/bin/pip install --no-deps kornia==0.9.0 kornia_rs==0.2.0      # for this measurement alone
    .venv/bin/python -m benchmarks.augment [--images 256] [--side 64] [--rounds 15]

Every call draws new random parameters for each image and applies them, on all sides; they are called in turn, and the
medians compared.  `torchvision.transforms.v2` draws once for a whole batch, so it gets one image after the other, as in
a data loader; it has to fit to PyTorch's version.  Whoever is not installed, or lacks an operation, is left out.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from course_lib.augmentation import augment

__all__ = ["Timing", "main"]

CLASSES = 10


@dataclass(frozen=True)
class Timing:
    """Median milliseconds for a batch.

    Attributes:
        rivals: name of a library -> its time, where it has such an operation.
    """

    operation: str
    ours_ms: float
    rivals: Mapping[str, float]


def ours(x: Tensor, y: Tensor, generator: torch.Generator) -> Mapping[str, Callable[[], object]]:
    """Every operation of the course, drawing included."""
    n, _, height, width = x.shape
    targets = F.one_hot(y, CLASSES).float()
    values, vectors = torch.tensor([0.2, 0.02, 0.003]), torch.linalg.qr(torch.randn(3, 3, generator=generator))[0]
    g = generator
    return {
        "horizontal flip": lambda: augment.horizontal_flip(x, augment.draw_flips(n, 0.5, g)),
        "padded crop": lambda: augment.crop(x, augment.draw_corners(n, (8, 8), g), height, 4),
        "scale and crop": lambda: augment.scale_crop(
            x, augment.draw_scale_crops(n, (height, width), height, height * 3 // 2, height, g), height
        ),
        "colour jitter": lambda: augment.colour_jitter(
            x, augment.draw_factors(n, 0.3, g), augment.draw_factors(n, 0.3, g)
        ),
        "PCA lighting": lambda: augment.pca_lighting(x, values, vectors, augment.draw_alphas(n, 0.1, g)),
        "rotate": lambda: augment.rotate(x, augment.draw_angles(n, 30.0, g)),
        "smooth warp": lambda: augment.smooth_warp(x, augment.draw_displacements(x, 3.0, g)),
        "pixel noise": lambda: augment.pixel_noise(x, augment.draw_pixels(x, 0.05, g)),
        "cutout": lambda: augment.cutout(x, augment.draw_centres(x, g), height // 2),
        "mixup": lambda: augment.mixup(x, targets, *augment.draw_mix(n, 0.4, g)),
    }


def by_kornia(x: Tensor, y: Tensor) -> Mapping[str, Callable[[], object]]:
    """The same by kornia, as its documentation says to use them."""
    kornia: Any = importlib.import_module("kornia.augmentation")
    side = x.shape[-1]
    area = 0.25  # half of each side, as our cutout
    mixup = kornia.RandomMixUpV2(data_keys=["input", "class"], p=1.0)
    modules = {
        "horizontal flip": kornia.RandomHorizontalFlip(p=0.5),
        "padded crop": kornia.RandomCrop((side, side), padding=4, p=1.0),
        "scale and crop": kornia.RandomResizedCrop((side, side), scale=(0.44, 1.0), ratio=(1.0, 1.0), p=1.0),
        "colour jitter": kornia.ColorJiggle(brightness=0.3, contrast=0.3, p=1.0),
        "rotate": kornia.RandomRotation(30.0, p=1.0),
        "smooth warp": kornia.RandomElasticTransform(p=1.0),
        "pixel noise": kornia.RandomSaltAndPepperNoise(amount=0.05, p=1.0),
        "cutout": kornia.RandomErasing(scale=(area, area), ratio=(1.0, 1.0), p=1.0),
    }
    calls: dict[str, Callable[[], object]] = {name: lambda m=module: m(x) for name, module in modules.items()}  # type: ignore[misc]
    calls["mixup"] = lambda: mixup(x, y)
    return calls


def by_torchvision(x: Tensor, y: Tensor) -> Mapping[str, Callable[[], object]]:
    """The same by torchvision: image by image, but for mixup, which is made for batches."""
    v2: Any = importlib.import_module("torchvision.transforms.v2")
    side = x.shape[-1]
    modules = {
        "horizontal flip": v2.RandomHorizontalFlip(p=0.5),
        "padded crop": v2.RandomCrop(side, padding=4),
        "scale and crop": v2.RandomResizedCrop(side, scale=(0.44, 1.0), ratio=(1.0, 1.0)),
        "colour jitter": v2.ColorJitter(brightness=0.3, contrast=0.3),
        "rotate": v2.RandomRotation(30.0, interpolation=v2.InterpolationMode.BILINEAR),
        "smooth warp": v2.ElasticTransform(),
        "cutout": v2.RandomErasing(p=1.0, scale=(0.25, 0.25), ratio=(1.0, 1.0)),
    }
    mixup = v2.MixUp(num_classes=CLASSES)
    calls: dict[str, Callable[[], object]] = {
        name: lambda m=module: torch.stack([m(image) for image in x])  # type: ignore[misc]
        for name, module in modules.items()
    }
    calls["mixup"] = lambda: mixup(x, y)
    return calls


RIVALS = {"kornia": by_kornia, "torchvision": by_torchvision}


def measure(images: int, side: int, rounds: int) -> list[Timing]:
    """Medians over the rounds, in which all are called one after the other."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(images, 3, side, side, generator=generator)
    y = torch.randint(0, CLASSES, (images,), generator=generator)
    found = []
    rivals = {name: calls(x, y) for name, calls in RIVALS.items() if importlib.util.find_spec(name) is not None}
    for operation, call in ours(x, y, generator).items():
        calls = {"ours": call, **{name: made[operation] for name, made in rivals.items() if operation in made}}
        spent: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(rounds + 2):
            for name, one in calls.items():
                spent[name].append(_milliseconds(one))
        # The first two rounds warm caches up.
        medians = {name: statistics.median(times[2:]) for name, times in spent.items()}
        found.append(Timing(operation, medians.pop("ours"), medians))
    return found


def _milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


def table(found: list[Timing]) -> str:
    """The measurements as text."""
    names = [name for name in RIVALS if any(name in one.rivals for one in found)]
    lines = [f"{'operation':18}{'ours ms':>10}" + "".join(f"{f'{name} ms':>16}{'ratio':>8}" for name in names)]
    for one in found:
        times = [one.rivals.get(name) for name in names]
        columns = ["" if time is None else f"{time:16.1f}{time / one.ours_ms:8.1f}" for time in times]
        lines.append(f"{one.operation:18}{one.ours_ms:10.1f}" + "".join(f"{column:24}" for column in columns))
    return "\n".join(line.rstrip() for line in lines)


def main() -> int:
    """Measures and prints; 1 if some operation is slower than a rival's."""
    parser = argparse.ArgumentParser(description="augmentation of one batch, beside kornia and torchvision")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    if not any(importlib.util.find_spec(name) for name in RIVALS):
        print("nobody to compare with; pip install --no-deps kornia kornia_rs", file=sys.stderr)
        return 2
    found = measure(args.images, args.side, args.rounds)
    print(
        f"{platform.machine()}, {os.cpu_count()} processors, {torch.get_num_threads()} threads, "
        f"load {os.getloadavg()[0]:.1f}, {args.images} x 3 x {args.side} x {args.side}"
    )
    print(table(found))
    return int(any(time < one.ours_ms for one in found for time in one.rivals.values()))


if __name__ == "__main__":
    sys.exit(main())
