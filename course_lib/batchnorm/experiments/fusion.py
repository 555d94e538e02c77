"""A network before and after its normalizations were folded away."""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from course_lib.lab.data import fashion_mnist
from course_lib.lab.live import Live
from course_lib.lab.models import cnn
from course_lib.lab.training import train

__all__ = ["Fusion", "fused", "fusion", "milliseconds"]

Fuse = Callable[..., tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Fusion:
    """A network before and after its normalizations were folded into its convolutions.

    Attributes:
        error: largest difference of two logits.
        largest: the largest logit, to compare the error with.
        same_class: share of the images with the same predicted class.
        before_ms: time for one image with normalizations, the median of all repetitions, in milliseconds.
        after_ms: the same without.
        layers: number of modules before and after.
    """

    error: float
    largest: float
    same_class: float
    before_ms: float
    after_ms: float
    layers: tuple[int, int]


@torch.no_grad()
def fused(model: nn.Sequential, fuse: Fuse) -> nn.Sequential:
    """The network with every convolution and the batch normalization after it made one convolution."""
    layers: list[nn.Module] = []
    for layer in model:
        if isinstance(layer, nn.BatchNorm2d) and isinstance(layers[-1], nn.Conv2d):
            conv = copy.deepcopy(layers[-1])
            statistics = (layer.running_mean, layer.running_var, layer.eps)
            weight, bias = fuse(conv.weight, conv.bias, layer.weight, layer.bias, *statistics)
            conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
            layers[-1] = conv
        else:
            layers.append(layer)
    return nn.Sequential(*layers).eval()


def milliseconds(function: Callable[[], object], repetitions: int = 30) -> float:
    """The median time of a call, in milliseconds."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - start))
    return sorted(times)[repetitions // 2]


@torch.no_grad()
def fusion(fuse: Fuse, repetitions: int = 40, steps: int = 60, seed: int = 0) -> Fusion:
    """Train a network, fold its normalizations away, compare outputs and time.

    Args:
        fuse: as `fuse_conv_batchnorm` of the notebook.
        repetitions: of the timing; the two networks take turns, so that other programs disturb both alike.
        steps: of the training before.
        seed: of the initial weights and of the order of the images.
    """
    x, y = fashion_mnist("train", 2000)
    model = cnn((16, 32, 32), norm=nn.BatchNorm2d, seed=seed)
    with torch.enable_grad():
        train(model, x, y, steps=steps, batch_size=50, seed=seed)
    before, after = model.eval(), fused(model, fuse)
    images, _ = fashion_mnist("validation", 200)
    a, b = before(images), after(images)
    times: dict[str, list[float]] = {"with batch norm": [], "fused": []}
    with Live("Time for one image", repetitions, "repetition", "milliseconds", keep=False) as live:
        for repetition in range(repetitions):
            for label, net in (("with batch norm", before), ("fused", after)):
                times[label].append(milliseconds(functools.partial(net, images[:1]), 15))
                live.add(label, repetition, times[label][-1])
            live.advance()
    medians = [sorted(values)[len(values) // 2] for values in times.values()]
    return Fusion(
        error=float((a - b).abs().max()),
        largest=float(a.abs().max()),
        same_class=float((a.argmax(1) == b.argmax(1)).float().mean()),
        before_ms=medians[0],
        after_ms=medians[1],
        layers=(len(before), len(after)),
    )
