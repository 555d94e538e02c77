"""Make course_lib/augmentation/data/ten_crop.json: what a network says to each of the gallery's ten crops.

    python scripts/make_crop_probabilities.py           # half a minute on two processors
    python scripts/make_crop_probabilities.py --check   # compare, exit 1 if something differs by more than 0.005

Photographs are shown to EfficientNet-Lite0, each crop enlarged to 224 x 224 pixels; the probabilities of all classes of
ImageNet that are right for the picture are added.  The digit is shown to a softmax regression on 12 x 12 pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.augmentation.widgets.gallery import DESIGN
from course_lib.augmentation.widgets.sheets import CROP_PROBABILITIES, ten_crops
from course_lib.lab.data import digits
from course_lib.lab.efficientnet import imagenet_classes, normalised, pretrained, square
from course_lib.lab.photographs import credits, photograph

Probabilities = dict[str, list[list[float]]]
SIDE, SMALL = 224, 12


def strengths() -> tuple[float, ...]:
    """All places of the gallery's slider."""
    return next(control.values for control in DESIGN.controls if control.name == "strength")  # type: ignore[union-attr]


def probabilities() -> Probabilities:
    """Subject -> for each strength the probability of the right answer for each of the ten crops."""
    network = pretrained()
    if network is None:
        raise SystemExit(1)
    found = {name: _of(square(photograph(name)), _right_classes(network, name)) for name in ("cat", "coffee")}
    return {**found, "digits": _of(*_digit())}


@torch.no_grad()
def _of(image: Tensor, answer: Callable[[Tensor], Tensor]) -> list[list[float]]:
    return [[round(p, 3) for p in answer(ten_crops(image, strength)).tolist()] for strength in strengths()]


def _right_classes(network: nn.Module, name: str) -> Callable[[Tensor], Tensor]:
    credit = next(credit for credit in credits() if credit.name == name)
    right = [imagenet_classes().index(words) for words in credit.imagenet]

    def answer(crops: Tensor) -> Tensor:
        images = F.interpolate(crops, (SIDE, SIDE), mode="bilinear", align_corners=False)
        return torch.softmax(network(normalised(images)), dim=1)[:, right].sum(dim=1)

    return answer


def _digit() -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The gallery's first digit, enlarged, and the probability of its label by a softmax regression."""
    images, labels = digits("train")
    padded = F.pad(images, (2, 2, 2, 2))
    head = nn.Linear(SMALL * SMALL, 10)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(head(padded.flatten(1)), labels) + 1e-3 * head.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)  # type: ignore[arg-type]

    def answer(crops: Tensor) -> Tensor:
        small = F.interpolate(crops, (SMALL, SMALL), mode="bilinear", antialias=True)
        return torch.softmax(head(small.flatten(1)), dim=1)[:, int(labels[0])]

    return F.interpolate(padded[:1], (96, 96), mode="bilinear", align_corners=False)[0].clamp(0, 1), answer


def main() -> int:
    """Write the file, or compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    found = probabilities()
    if not args.check:
        CROP_PROBABILITIES.write_text(json.dumps(found) + "\n", "utf-8")
        return 0
    stored = json.loads(CROP_PROBABILITIES.read_text("utf-8"))
    far = [name for name in found if (torch.tensor(found[name]) - torch.tensor(stored[name])).abs().max() > 0.005]
    print(f"different: {', '.join(far)}" if far else "as stored")
    return int(bool(far))


if __name__ == "__main__":
    sys.exit(main())
