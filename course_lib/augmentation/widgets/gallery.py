"""The augmentation gallery: thirty-six results of a transformation, and whether the label is still right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional as F

from course_lib.augmentation.widgets.labels import SUBJECTS, TRANSFORMATIONS, verdict
from course_lib.augmentation.widgets.sheets import as_bytes, originals, sharp, transformed
from course_lib.widgets.controls import Choice, Seed, Slider, steps
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Pick
from course_lib.widgets.scene import Montage, Scene

__all__ = ["DESIGN", "augmentation_gallery", "numbers"]


def numbers(state: State) -> Scene:
    """The picture before the prediction; the transformed ones after it."""
    if not state["locked"]:
        six = F.interpolate(originals("digits")[6:7], (224, 224), mode="bilinear", align_corners=False)
        images = torch.cat([sharp("cat"), six, sharp("retina")])
        asked = tuple(SUBJECTS[name].task for name in ("cat", "digits", "retina"))
        line = "A cat, a handwritten 6 and the retina of a left eye, as they are. Which of them may be mirrored?"
        return Scene((Montage("three tasks", as_bytes(images), 3, asked),), line, height=330)
    subject, name = state["subject"], state["transformation"]
    sheet = transformed(subject, name, state["strength"], state["seed"])
    title = f"{TRANSFORMATIONS[name]}: {len(sheet.tiles)} results"
    montage = Montage(title, as_bytes(sheet.tiles), sheet.columns, sheet.captions)
    kept = verdict(subject, name, state["strength"])
    line = f"{SUBJECTS[subject].name}, {TRANSFORMATIONS[name]}: {sheet.said}. {SUBJECTS[subject].task} {kept.short}"
    return Scene((sheet.left, montage), line, height=330, weights=(1.0, 2.6))


OPTIONS: Mapping[str, str] = {
    "all": "for all three",
    "animal": "for the animal only",
    "animal-digit": "for the animal and the digit",
    "animal-eye": "for the animal and the eye",
}


def _right() -> str:
    kept = [verdict(subject, "flip", 1.0).kept for subject in ("cat", "digits", "retina")]
    found = {"all": [True, True, True], "animal-digit": [True, True, False], "animal-eye": [True, False, True]}
    return next((key for key, pattern in found.items() if pattern == kept), "animal")


def explain(answer: Any, state: State) -> str:
    """What was said, what it is, why."""
    correct = "that is it" if answer == _right() else f"it is right {OPTIONS[_right()]}"
    found = verdict(state["subject"], state["transformation"], state["strength"])
    return (
        f"You said: {OPTIONS[answer]}; {correct}. {_WHY[answer]} Whether a label is kept depends on the task, not "
        f"on the picture alone. Now shown: {found.why}"
    )


_EYE = "The bright disc of a left eye is on the left; mirrored, the picture shows what a right eye looks like."
_DIGIT = "A mirrored 6 is not a digit."
_WHY = {
    "all": f"{_DIGIT} {_EYE}",
    "animal": f"A mirrored cat is a cat. {_DIGIT} {_EYE}",
    "animal-digit": f"{_DIGIT} About the eye you are right.",
    "animal-eye": f"About the digit you are right. {_EYE}",
}
"""What each answer overlooks."""


DESIGN = Design(
    name="augmentation-gallery",
    title="Is the label still right?",
    controls=(
        Choice("subject", "Picture and task", {key: s.choice for key, s in SUBJECTS.items()}, "cat"),
        Choice("transformation", "Transformation", TRANSFORMATIONS, "flip"),
        Slider("strength", "Strength", steps(0, 1, 0.1), 0.5),
        Seed(),
    ),
    prediction=Pick(
        "Every picture is mirrored left to right. For which of the three tasks is the old label still right? "
        "The tasks: which animal, which digit, left or right eye.",
        OPTIONS,
        "Now choose the digits, then the retina. Try the other transformations, at low and at high strength.",
    ),
    numbers=numbers,
    explain=explain,
    right=lambda answer, state: answer == _right(),
)


def augmentation_gallery(fresh: bool = False) -> Explorer:
    """Show what augmentations do to pictures, and to their labels.

    Args:
        fresh: forget the prediction that was locked in before.
    """
    return show_widget(DESIGN, fresh)
