"""Which augmentation keeps which label: it depends on the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["SUBJECTS", "TRANSFORMATIONS", "Subject", "Verdict", "verdict"]


@dataclass(frozen=True)
class Subject:
    """A picture and what is asked about it.

    Attributes:
        name: at the beginning of a sentence.
        task: the question whose answer is the label.
    """

    name: str
    task: str

    @property
    def choice(self) -> str:
        """As it stands in a list."""
        return f"{self.name}: {self.task}"


@dataclass(frozen=True)
class Verdict:
    """Whether a label is kept.

    Attributes:
        kept: whether every result still deserves it.
        why: one sentence.
    """

    kept: bool
    why: str

    @property
    def short(self) -> str:
        """For the line below the picture."""
        return "The label is kept." if self.kept else "The label is not always kept."


SUBJECTS: Mapping[str, Subject] = {
    "cat": Subject("Cat", "Which animal?"),
    "coffee": Subject("Coffee", "Which drink?"),
    "digits": Subject("Digits", "Which digit?"),
    "retina": Subject("Retina", "Left or right eye?"),
    "galaxies": Subject("Galaxies", "How many?"),
}

TRANSFORMATIONS: Mapping[str, str] = {
    "flip": "horizontal flip",
    "scale-crop": "random scale and crop",
    "ten-crop": "ten crops, for testing",
    "jitter": "color jitter",
    "lighting": "PCA lighting",
    "rotation": "rotation",
    "cutout": "cutout",
    "mixup": "mixup",
}

_SMALL_TURN = 0.2
"""Strength up to which a turn (of 36 degrees) turns no digit into another one."""


def verdict(subject: str, transformation: str, strength: float) -> Verdict:
    """Whether the label is still right for every result.

    Args:
        subject: key of `SUBJECTS`.
        transformation: key of `TRANSFORMATIONS`.
        strength: in [0, 1]; with 0 nothing happens, except that ten crops mirror five of ten.
    """
    if strength == 0 and transformation != "ten-crop":
        return Verdict(True, "at strength 0 nothing changes.")
    if transformation == "mixup":
        return Verdict(False, "a mixed picture deserves a mixed label: λ of the one class, 1 − λ of the other.")
    if transformation == "rotation" and strength <= _SMALL_TURN and subject != "galaxies":
        return Verdict(True, "so small a turn changes no answer.")
    return _EXCEPTIONS.get((subject, transformation)) or Verdict(True, _REASONS[transformation])


_REASONS: Mapping[str, str] = {
    "flip": "a mirrored scene could have been photographed as well.",
    "scale-crop": "a part still shows what it is, as long as it is large enough.",
    "ten-crop": "all ten show the same thing; their predictions are averaged.",
    "jitter": "another exposure changes no answer here.",
    "lighting": "another color of the light changes no answer here.",
    "rotation": "it is still the same thing, but if such pictures never occur, learning them costs capacity.",
    "cutout": "what is left still tells: the network learns not to rely on a single part.",
}

_EXCEPTIONS: Mapping[tuple[str, str], Verdict] = {
    ("digits", "flip"): Verdict(False, "most mirrored digits are not digits: look at the 2, the 3 and the 6."),
    ("digits", "ten-crop"): Verdict(False, "five of the ten are mirrored, and a mirrored digit is not a digit."),
    ("digits", "rotation"): Verdict(False, "turned far enough, a 6 is a 9 and a 9 is a 6."),
    ("digits", "scale-crop"): Verdict(False, "a digit has to be seen whole: half an 8 looks like a 3 or a 0."),
    ("digits", "cutout"): Verdict(False, "a hole can hide the stroke that tells a 6 from a 0, or an 8 from a 3."),
    ("retina", "flip"): Verdict(False, "the bright disc, where the optic nerve leaves, changes its side."),
    ("retina", "ten-crop"): Verdict(False, "five of the ten are mirrored, and show the other eye."),
    ("retina", "rotation"): Verdict(False, "half a turn brings the bright disc to the other side."),
    ("retina", "scale-crop"): Verdict(False, "a crop without the bright disc shows neither eye."),
    ("retina", "cutout"): Verdict(False, "where the hole hides the bright disc, nothing tells the eyes apart."),
    ("galaxies", "scale-crop"): Verdict(False, "every crop has fewer galaxies."),
    ("galaxies", "ten-crop"): Verdict(False, "every crop has fewer galaxies."),
    ("galaxies", "cutout"): Verdict(False, "the hole hides galaxies."),
    ("galaxies", "rotation"): Verdict(False, "the corners are lost, and galaxies with them."),
}
