"""What pretrained features are worth: images as numbers, by several networks, read by the student's linear probe.

All return numbers; `figures` draws them.  Every claim that the notebook makes about them is asserted by
`tests/course_lib/transfer/test_claims.py`.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.lab.efficientnet import MEAN, STD, EfficientNetLite0, features_of
from course_lib.lab.interrupted import NothingFinishedError
from course_lib.lab.live import Live
from course_lib.lab.models import cnn
from course_lib.lab.training import Batch
from course_lib.transfer.nets.quadrants import small_backbone

__all__ = [
    "Enlarged",
    "Fit",
    "cached_features",
    "draws",
    "feature_makers",
    "few_shot",
    "milliseconds_per_image",
    "probe_accuracy",
    "shifted",
]

Extract = Callable[[nn.Module, Tensor, int], Tensor]
Fit = Callable[[Tensor, Tensor, int, float], tuple[Tensor, Tensor]]

CACHE = ".course_features"
_CLASSES = 10


class Enlarged(nn.Module):
    """Small gray images in [0, 1], made large, colored and normalized for a network that knows photographs."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, 3, size, size)."""
        large = F.interpolate(x, (self.size, self.size), mode="bilinear", align_corners=False)
        return ((large - MEAN) / STD).expand(-1, 3, -1, -1)


def feature_makers(model: EfficientNetLite0 | None, size: int = 160, seed: int = 0) -> dict[str, nn.Module]:
    """Ways to describe an image (N, 1, 28, 28) by numbers (N, F).

    Args:
        model: the pretrained network, if there is one.
        size: side of the enlarged images.
        seed: of the network that nobody trained.
    """
    untrained = cnn((16, 32, 64), norm=nn.BatchNorm2d, seed=seed)[:-1]
    makers: dict[str, nn.Module] = {
        "pixels": nn.Flatten(),
        "untrained network": untrained.eval(),
        "small network, clothes": small_backbone(),
    }
    if model is not None:
        makers["EfficientNet-Lite0"] = nn.Sequential(Enlarged(size), features_of(model)).eval()
    return makers


def shifted(images: Tensor, most: int = 3, seed: int = 0) -> Tensor:
    """Each image moved by up to `most` pixels up or down and left or right; black comes in at the edges.

    Args:
        images: (N, 1, H, W).
        most: largest shift, in pixels.
        seed: of the shifts.
    """
    generator = torch.Generator().manual_seed(seed)
    offsets = torch.randint(0, 2 * most + 1, (len(images), 2), generator=generator).tolist()
    height, width = images.shape[-2:]
    padded = F.pad(images, (most,) * 4)
    windows = [one[:, y : y + height, x : x + width] for one, (y, x) in zip(padded, offsets, strict=True)]
    return torch.stack(windows)


def cached_features(
    extract: Extract, maker: nn.Module, images: Tensor, title: str, batch_size: int = 25, folder: Path | None = None
) -> Tensor:
    """Features by the student's function, with a progress bar; from a file if they were computed before.

    The file's name depends on the images, on the network's numbers and modes, and on the function: after any change
    the features are computed anew.

    Args:
        extract: as `extract_features` of the notebook.
        maker: images -> features (N, F).
        images: (N, 1, H, W).
        title: of the progress bar.
        batch_size: images at a time.
        folder: where the files lie; a folder in the working directory by default.
    """
    path = (folder or Path(CACHE)) / f"{_digest(extract, maker, images)}.safetensors"
    with suppress(OSError, ValueError, KeyError, safetensors.SafetensorError):
        stored: Tensor = safetensors.torch.load(path.read_bytes())["features"]
        print(f"{title}: {len(stored)} images from the cache ({path.parent})")
        return stored
    with _reporting(maker, title, len(images)):
        features = extract(maker, images, batch_size)
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(safetensors.torch.save({"features": features.detach().contiguous()}))
    return features


def _digest(extract: Extract, maker: nn.Module, images: Tensor) -> str:
    found = hashlib.sha256(repr(maker).encode())
    code = getattr(extract, "__code__", None)
    found.update(repr((code.co_code, code.co_names) if code is not None else extract).encode())
    found.update(repr([module.training for module in maker.modules()]).encode())
    for tensor in (images, *maker.state_dict().values()):
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:32]


@contextmanager
def _reporting(maker: nn.Module, title: str, total: int) -> Iterator[None]:
    """A progress bar that counts the images on their way through a network."""
    with Live(title, total, keep=False) as live:
        hook = maker.register_forward_hook(lambda module, args, output: live.advance(len(args[0])))
        try:
            yield
        finally:
            hook.remove()


def probe_accuracy(fit: Fit, known: Batch, new: Batch, lam: float = 300.0) -> float:
    """Accuracy of a linear probe on features, standardized by those it learns from.

    Args:
        fit: as `fit_linear_probe` of the notebook.
        known: features (N, F) and labels (N,) to learn from.
        new: features and labels to predict.
        lam: the penalty.
    """
    mean, std = known[0].mean(0), known[0].std(0) + 1e-3
    weights, bias = fit((known[0] - mean) / std, known[1], _CLASSES, lam)
    guesses = ((new[0] - mean) / std) @ weights.T + bias
    return float((guesses.argmax(1) == new[1]).float().mean())


def draws(size: int, shots: int, count: int) -> list[Tensor]:
    """Several random choices of so many images of each class; equally many of each class stand in every ten.

    Args:
        size: how many images there are to choose from.
        shots: images of each class in a choice.
        count: choices; draw number i of 5 shots holds draw number i of 2 shots.

    Returns:
        `count` tensors of indices (10 * shots,).
    """
    tens = torch.arange(size - size % _CLASSES).view(-1, _CLASSES)
    orders = [torch.randperm(len(tens), generator=torch.Generator().manual_seed(seed)) for seed in range(count)]
    return [tens[order[:shots]].flatten() for order in orders]


def few_shot(
    fit: Fit,
    known: Mapping[str, Tensor],
    new: Mapping[str, Tensor],
    labels: tuple[Tensor, Tensor],
    shots: Sequence[int],
    count: int = 5,
) -> dict[str, list[list[float]]]:
    """Accuracy of linear probes that learn from a few images of each class, on several draws of these images.

    Args:
        fit: as `fit_linear_probe` of the notebook.
        known: kind of features -> (N, F) of the images that are drawn from.
        new: kind of features -> (M, F).
        labels: of the known, with equally many of each class in every ten, and of the new images.
        shots: images of each class.
        count: draws; every kind of features gets the same ones.

    Returns:
        kind -> for each draw the accuracies, one for each of `shots`.  A stopped experiment has the finished kinds.
    """
    chosen = {k: draws(len(labels[0]), k, count) for k in shots}
    found: dict[str, list[list[float]]] = {}
    with Live(
        "Linear probes", len(known) * count, "images of each class", "accuracy", "x", keep=False, partial=True
    ) as live:
        for kind, features in known.items():
            rows = []
            for draw in range(count):
                learned = [chosen[k][draw] for k in shots]
                data = [(features[index], labels[0][index]) for index in learned]
                rows.append([probe_accuracy(fit, one, (new[kind], labels[1])) for one in data])
                live.advance()
            found[kind] = rows
            for k, values in zip(shots, zip(*rows, strict=True), strict=True):
                live.add(kind, k, sum(values) / count)
    if not found:
        raise NothingFinishedError("kind of features")
    return found


@torch.no_grad()
def milliseconds_per_image(models: Mapping[str, nn.Module], images: Tensor, repetitions: int = 5) -> dict[str, float]:
    """The shortest time that each model takes, in milliseconds an image; they take turns.

    The shortest, because whatever else a computer does can only make a run longer.
    """
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(repetitions):
        for name, model in models.items():
            times[name].append(_seconds(functools.partial(model, images)))
    return {name: 1000 * min(values) / len(images) for name, values in times.items()}


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
