"""The augmentation gallery: thirty-six results of a transformation, and whether the label is still right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from course_lib.augmentation.widgets.answers import ASKED, DRAWS, Answers, answers, score
from course_lib.augmentation.widgets.labels import SUBJECTS, TRANSFORMATIONS, verdict
from course_lib.augmentation.widgets.sheets import Sheet, as_bytes, originals, sharp, transformed
from course_lib.widgets.controls import Choice, Seed, Slider, Votes, steps
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Pick
from course_lib.widgets.scene import Axis, Curve, Montage, Panel, Plane, Scene

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
    found = answers(subject, name, state["strength"], state["seed"])
    votes = state.get("votes")  # none in a recording, where nobody can vote
    title = f"{TRANSFORMATIONS[name]}: {len(sheet.tiles)} results"
    outlined = -1 if votes is None else _next_tile(votes, state, len(sheet.tiles))
    montage = Montage(title, as_bytes(sheet.tiles), sheet.columns, sheet.captions, outlined=outlined)
    if found is not None:
        levels, wrong = found.probabilities.numpy(), (~found.right).to(torch.uint8).numpy()
        montage = replace(montage, captions=_captions(sheet, found), levels=levels, colours=wrong)
    kept = verdict(subject, name, state["strength"])
    line = (
        f"{SUBJECTS[subject].name}, {TRANSFORMATIONS[name]}: {sheet.said}. {SUBJECTS[subject].task} {kept.short} "
        f"{_network(subject, found)} {'' if votes is None else _running(votes)}"
    ).rstrip()
    return Scene((_left(subject, sheet, found), montage), line, height=330, weights=(1.0, 2.6))


def _captions(sheet: Sheet, found: Answers) -> tuple[str, ...]:
    """Below every tile the probability of the right answer, crossed out where another one comes first."""
    signs = sheet.signs or ("",) * len(sheet.tiles)
    rows = zip(signs, found.right.tolist(), found.probabilities.tolist(), strict=True)
    return tuple(f"{sign}{'' if right else '✗'} {p:.2f}".strip() for sign, right, p in rows)


def _network(subject: str, found: Answers | None) -> str:
    if found is None:
        return "The network cannot be asked: ImageNet has no class for this."
    right, many = int(found.right.sum()), len(found.right)
    return (
        f"To the network it is {ASKED[subject]} in {right} of {many} (✗ where not); "
        f"mean probability {found.probabilities.mean():.2f}."
    )


def _next_tile(votes: Sequence[Sequence[Any]], state: State, tiles: int) -> int:
    """The first tile of these settings without a vote; -1 if each has one."""
    voted = sum(list(vote[:-1]) == [state[control.name] for control in _ABOUT] for vote in votes)
    return voted if voted < tiles else -1


def _running(votes: Sequence[Sequence[Any]]) -> str:
    total = score(votes)
    if not total.pictures:
        return "Score: no picture judged yet."
    pictures = "picture" if total.pictures == 1 else "pictures"
    words = f"Score: to you the label is still right for {total.person} of {total.pictures} {pictures}"
    if total.shared:
        of = "" if total.shared == total.pictures else f" of the {total.shared} that it was asked about"
        words += f", to the network for {total.network}{of}; you agree on {total.agreed}"
    return f"{words}."


def _left(subject: str, sheet: Sheet, found: Answers | None) -> Panel:
    """What explains the tiles; for mixtures, what the network says over the share that the picture has."""
    if sheet.shares is None or found is None:
        return sheet.left
    shares = sheet.shares.numpy().astype(np.float32)
    ends = np.array([0, 1], np.float32)
    curves = (
        Curve("the soft label", ends, ends, "dashed"),
        Curve("the network", shares, found.probabilities.numpy(), "rings", 1),
    )
    return Plane(f"probability of {ASKED[subject]}", curves, Axis(0, 1, "λ, its share"), Axis(0, 1))


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


_SUBJECT = Choice("subject", "Picture and task", {key: s.choice for key, s in SUBJECTS.items()}, "cat")
_TRANSFORMATION = Choice("transformation", "Transformation", TRANSFORMATIONS, "flip")
_STRENGTH = Slider("strength", "Strength", steps(0, 1, 0.1), 0.5)
_SEED = Seed(count=DRAWS)
_ABOUT = (_SUBJECT, _TRANSFORMATION, _STRENGTH, _SEED)
"""What decides which tiles are shown."""

DESIGN = Design(
    name="augmentation-gallery",
    title="Is the label still right?",
    controls=(
        _SUBJECT,
        _TRANSFORMATION,
        _STRENGTH,
        Votes("votes", "Framed: still right?", {"same": "Yes", "other": "No"}, _ABOUT, 200),
        _SEED,
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
