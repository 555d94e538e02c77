"""Make course_lib/augmentation/data/gallery_answers.safetensors: what a network says to every tile of the gallery.

    python scripts/make_gallery_answers.py              # 24 minutes on a busy machine, some 20 ms a picture
    python scripts/make_gallery_answers.py --only lighting rotation     # these anew, the others as they are
    python scripts/make_gallery_answers.py --check      # asks again about a sample; exit 1 if an answer differs

Photographs are transformed at 224 x 224 pixels by the draws of the gallery's tiles and shown to EfficientNet-Lite0; the
probabilities of all classes of ImageNet that are right for the picture are added.  Digits are shown to a softmax
regression on 12 x 12 pixels.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Collection

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from course_lib.augmentation.widgets.answers import ASKED, DRAWS, RECORD, Answers, answers, pack
from course_lib.augmentation.widgets.gallery import DESIGN
from course_lib.augmentation.widgets.labels import TRANSFORMATIONS
from course_lib.augmentation.widgets.sheets import transformed
from course_lib.lab.data import digits
from course_lib.lab.efficientnet import imagenet_classes, normalised, pretrained
from course_lib.lab.photographs import credits

Ask = Callable[[Tensor], Answers]
Setting = tuple[str, str, float, int]
"""Subject, transformation, strength, seed."""
SIDE, SMALL, BATCH = 224, 12, 4
EVERY, CLOSE = 61, 0.021
"""Of so many settings one is asked again, and so far a probability may be off: rounding, and another processor."""


def strengths() -> tuple[float, ...]:
    """All places of the gallery's slider."""
    return next(control.values for control in DESIGN.controls if control.name == "strength")  # type: ignore[union-attr]


def settings() -> list[Setting]:
    """All sheets that the gallery can show of what a network knows; nothing is drawn for the ten crops."""
    every = itertools.product(ASKED, TRANSFORMATIONS, strengths(), range(DRAWS))
    return [setting for setting in every if setting[1] != "ten-crop" or setting[3] == 0]


def people() -> dict[str, Ask]:
    """Subject -> whom to ask about all tiles of a sheet."""
    network = pretrained()
    if network is None:
        raise SystemExit(1)
    return {name: _digits() if name == "digits" else _photograph(network, name) for name in ASKED}


def _photograph(network: nn.Module, name: str) -> Ask:
    """EfficientNet-Lite0; equal tiles are shown to it once."""
    credit = next(credit for credit in credits() if credit.name == name)
    network = network.to(memory_format=torch.channels_last)  # a quarter less time
    classes = torch.tensor([imagenet_classes().index(words) for words in credit.imagenet])

    @torch.inference_mode()
    def ask(tiles: Tensor) -> Answers:
        keys = [tile.numpy().tobytes() for tile in tiles]
        different = list(dict.fromkeys(keys))
        pictures = tiles[[keys.index(key) for key in different]]
        found = []
        for batch in torch.split(pictures, BATCH):
            images = F.interpolate(batch, (SIDE, SIDE), mode="bilinear", align_corners=False)
            images = normalised(images).contiguous(memory_format=torch.channels_last)
            found.append(torch.softmax(network(images), dim=1))
        said = torch.cat(found)[[different.index(key) for key in keys]]
        return Answers(said[:, classes].sum(dim=1), torch.isin(said.argmax(dim=1), classes))

    return ask


def _digits() -> Ask:
    """A softmax regression that has learned the digits upright and whole; ten tiles are crops of the first digit."""
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

    @torch.inference_mode()
    def ask(tiles: Tensor) -> Answers:
        small = F.interpolate(tiles[:, :1], (SMALL, SMALL), mode="bilinear", antialias=True)
        said = torch.softmax(head(small.flatten(1)), dim=1)
        own = labels[: len(tiles)] if len(tiles) > 10 else labels[:1].expand(len(tiles))
        return Answers(said.gather(1, own[:, None])[:, 0], said.argmax(dim=1) == own)

    return ask


def record(whom: dict[str, Ask], only: Collection[str]) -> dict[str, Tensor]:
    """What the file says of these transformations."""
    rows: dict[str, list[Tensor]] = {}
    asked = [setting for setting in settings() if setting[1] in only]
    for subject, transformation, strength, seed in tqdm(asked, file=sys.stdout):
        tiles = transformed(subject, transformation, strength, seed).in_full()
        rows.setdefault(f"{subject}/{transformation}", []).append(pack(whom[subject](tiles)))
    return {name: torch.stack(found).view(len(strengths()), -1, len(found[0])) for name, found in rows.items()}


def differing(whom: dict[str, Ask]) -> list[Setting]:
    """Of a sample of the settings those about which something else is said now."""
    far = []
    for setting in settings()[::EVERY]:
        now, then = whom[setting[0]](transformed(*setting).in_full()), answers(*setting)
        if then is None or (now.probabilities - then.probabilities).abs().max() > CLOSE:
            far.append(setting)
    return far


def main() -> int:
    """Write the file, or compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", nargs="+", choices=TRANSFORMATIONS, default=list(TRANSFORMATIONS))
    args = parser.parse_args()
    if not args.check:
        kept = load_file(RECORD) if RECORD.exists() else {}
        save_file({**kept, **record(people(), args.only)}, RECORD)
        return 0
    far = differing(people())
    print(f"different: {', '.join(map(str, far))}" if far else "as recorded")
    return int(bool(far))


if __name__ == "__main__":
    sys.exit(main())
