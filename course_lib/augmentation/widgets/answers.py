"""What a network says to every tile of the gallery: recorded once, by `scripts/make_gallery_answers.py`.

EfficientNet-Lite0 was asked about the photographs of which ImageNet has a class, a softmax regression about the digits.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from course_lib.augmentation.widgets.sheets import tiles_of

__all__ = ["ASKED", "DRAWS", "RECORD", "Answers", "Score", "answers", "pack", "score"]

ASKED = {"cat": "a cat", "coffee": "coffee", "digits": "the right digit"}
"""Subject -> the right answer, in words."""
DRAWS = 3
"""So many draws of each setting were shown to the network."""
RECORD = Path(__file__).parent.parent / "data" / "gallery_answers.safetensors"
"""`SUBJECT/TRANSFORMATION`: bytes (strengths, draws, tiles), the probability in percent, plus 128 if it comes first."""

_FIRST = 128


@dataclass(frozen=True)
class Answers:
    """What the network says to the tiles of one sheet.

    Attributes:
        probabilities: (N,), of the right answer.
        right: (N,), whether its first answer is the right one.
    """

    probabilities: Tensor
    right: Tensor


def pack(found: Answers) -> Tensor:
    """Answers as they are recorded: (N,) bytes."""
    percent = (100 * found.probabilities).round().clamp(0, 100)
    return (percent + _FIRST * found.right).to(torch.uint8)


def answers(subject: str, transformation: str, strength: float, seed: int) -> Answers | None:
    """What the network said to the tiles of `sheets.transformed`; None for a subject that it has no answer for.

    Args:
        subject: key of `labels.SUBJECTS`.
        transformation: key of `labels.TRANSFORMATIONS`.
        strength: 0, 0.1, ..., 1.
        seed: less than `DRAWS`.
    """
    if subject not in ASKED:
        return None
    of_strength = _record()[f"{subject}/{transformation}"][round(10 * strength)]
    found = of_strength[seed % len(of_strength)]  # the ten crops are not drawn: there is one sheet of them
    return Answers((found % _FIRST).to(torch.float32) / 100, found >= _FIRST)


@functools.cache
def _record() -> dict[str, Tensor]:
    return load_file(RECORD)


@dataclass(frozen=True)
class Score:
    """How often a picture was still called by its name.

    Attributes:
        pictures: about which a person was asked.
        person: of these, so many a person would still call by the same name.
        shared: of these, so many a network was asked about as well.
        network: of the shared ones, so many the network still calls by the same name.
        agreed: of the shared ones, so many about which both say the same.
    """

    pictures: int
    person: int
    shared: int
    network: int
    agreed: int


def score(votes: Sequence[Sequence[Any]]) -> Score:
    """Counted over the votes of all settings.

    Args:
        votes: each a subject, a transformation, a strength, a seed, and "same" or "other", as `controls.Votes` keeps
            them; a vote about a tile beyond the last one is left out.
    """
    seen: Counter[tuple[Any, ...]] = Counter()
    pictures = person = shared = network = agreed = 0
    for *values, vote in votes:
        tile = seen[tuple(values)]
        seen[tuple(values)] += 1
        if tile >= tiles_of(values[1]):
            continue
        found = answers(*values)
        pictures += 1
        person += vote == "same"
        if found is not None:
            shared += 1
            network += bool(found.right[tile])
            agreed += bool(found.right[tile]) == (vote == "same")
    return Score(pictures, person, shared, network, agreed)
