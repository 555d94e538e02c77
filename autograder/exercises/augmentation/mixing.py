"""Mixup: two images and their labels become one example."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.exercises.augmentation.images import (
    HINT_FLOAT32,
    KEEPS,
    KEPT,
    LIBRARY_IMAGES,
    numbered,
    picture,
    uniform,
)
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["MIXUP"]

Pair = tuple[Tensor, Tensor]


def _mixup(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> Pair:
    images = [lam[i] * x[i] + (1 - lam[i]) * x[j] for i, j in enumerate(permutation.tolist())]
    labels = [lam[i] * y[i] + (1 - lam[i]) * y[j] for i, j in enumerate(permutation.tolist())]
    return torch.stack(images), torch.stack(labels)


def _mixup_reshaped(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> Pair:
    of_images, of_labels = lam.view(-1, 1, 1, 1), lam.view(-1, 1)
    return (
        of_images * x + (1 - of_images) * x[permutation],
        of_labels * y + (1 - of_labels) * y[permutation],
    )


def _mixup_lerp(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> Pair:
    def mix(t: Tensor) -> Tensor:
        weight = lam.reshape(-1, *[1] * (t.ndim - 1)).expand_as(t)
        return torch.lerp(t.index_select(0, permutation), t, weight)

    return mix(x), mix(y)


def _mixup_matrix(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> Pair:
    mix = torch.diag(lam) + torch.diag(1 - lam) @ F.one_hot(permutation, len(x)).to(lam.dtype)
    return torch.einsum("nm,mchw->nchw", mix, x), mix @ y


def _mixup_numpy(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> list[Tensor]:
    a, order = lam.numpy(), permutation.numpy()
    mixed = [(t.numpy().T * a + t.numpy()[order].T * (1 - a)).T for t in (x, y)]
    return [torch.from_numpy(t.copy()) for t in mixed]


Mix = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From a tensor, lam and the permutation to the mixed tensor."""


def _mix(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    lam = lam.reshape(-1, *[1] * (t.ndim - 1))
    return lam * t + (1 - lam) * t[permutation]


def _mixed(images: Mix = _mix, labels: Mix = _mix) -> Callable[..., Pair]:
    return lambda x, y, lam, permutation: (images(x, lam, permutation), labels(y, lam, permutation))


def _swapped(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    return _mix(t, 1 - lam, permutation)


def _unmixed(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    return t.clone()


def _inverse(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    return _mix(t, lam, permutation.argsort())


def _reversed(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    return _mix(t, lam, torch.arange(len(t) - 1, -1, -1))


def _first_lam(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    return _mix(t, lam[:1].expand(len(t)), permutation)


def _halves(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    return _mix(t, torch.full_like(lam, 0.5), permutation)


def _along_last_axis(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    return lam * t + (1 - lam) * t[permutation]


def _along_last_where_it_fits(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    """On labels the last axis is that of the classes."""
    return _along_last_axis(t, lam, permutation) if t.shape[-1] == len(lam) else _mix(t, lam, permutation)


def _partners_lam(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    a = lam.reshape(-1, *[1] * (t.ndim - 1))
    return a * t + ((1 - a) * t)[permutation]


def _partner_only(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    a = lam.reshape(-1, *[1] * (t.ndim - 1))
    return torch.where(a >= 0.5, t, t[permutation])


def _not_normalised(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    return t + (1 - lam.reshape(-1, *[1] * (t.ndim - 1))) * t[permutation]


def _in_place(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> Pair:
    mixed = _mix(x, lam, permutation), _mix(y, lam, permutation)
    return x.copy_(mixed[0]), y.copy_(mixed[1])


def _overwritten(t: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    """One example after the other, so that later ones mix with ones that are mixed already."""
    mixed = t.clone()
    for i, j in enumerate(permutation.tolist()):
        mixed[i] = lam[i] * mixed[i] + (1 - lam[i]) * mixed[j]
    return mixed


def _float32(x: Tensor, y: Tensor, lam: Tensor, permutation: Tensor) -> Pair:
    return _mix(x, lam, permutation).float(), _mix(y, lam, permutation).float()


def _mixup_cases(g: torch.Generator) -> dict[str, Case]:
    def case(x: Tensor, classes: int, permutation: list[int], driver: str = "call") -> Case:
        n = len(x)
        # Neighbours in the cycle have different labels and weights far from 1/2 and from each other.
        labels = F.one_hot(torch.arange(n) % classes, classes).to(x.dtype)
        sizes = torch.tensor([0.85, 0.3, 0.7, 0.15, 0.6])[:n] + uniform(g, -0.04, 0.04, n)
        inputs = {"x": x, "y": labels, "lam": sizes.to(x.dtype), "permutation": torch.tensor(permutation)}
        return Case(inputs, driver=driver)

    return {
        "by hand": case(numbered(3, 1, 1, 2), 3, [1, 2, 0]),
        "four images": case(picture(g, 4, 3, 5, 6), 3, [2, 0, 3, 1]),
        "as many as columns and classes": case(picture(g, 5, 2, 3, 5), 5, [1, 2, 4, 0, 3]),
        "float32, strided": case(picture(g, 4, 3, 4, 4, dtype=torch.float32), 4, [3, 0, 1, 2], "call-strided"),
        "one image": case(picture(g, 1, 3, 4, 5), 3, [0]),
    }


_IMAGES = "mixes each image with its partner"
_LABELS = "mixes the labels in the same way"
_ALL = (_IMAGES, _LABELS, KEEPS)

MIXUP = Exercise(
    "mixup",
    defines=("mixup(x, y, lam, permutation)",),
    returns=("x_mixed", "y_mixed"),
    reference=_mixup,
    cases=_mixup_cases,
    criteria=(
        Criterion(_IMAGES, 1, outputs=("x_mixed",)),
        Criterion(_LABELS, 1, outputs=("y_mixed",)),
        Criterion(KEEPS, 0.5, aspect=KEPT),
    ),
    misconceptions=(
        Misconception(
            "labels-not-mixed",
            _mixed(labels=_unmixed),
            "The images are mixed but the labels are not. An image that is partly a shirt is then called a whole shoe.",
            (_LABELS, KEEPS),
        ),
        Misconception(
            "images-not-mixed",
            _mixed(images=_unmixed),
            "The labels are mixed but the images are not: this only makes the labels softer.",
            (_IMAGES, KEEPS),
        ),
        Misconception(
            "weights-swapped-in-labels",
            _mixed(labels=_swapped),
            "In the labels, lam and 1 - lam are exchanged: the fainter image decides the label.",
            (_LABELS, KEEPS),
        ),
        Misconception(
            "weights-swapped-in-images",
            _mixed(images=_swapped),
            "In the images, lam and 1 - lam are exchanged: the label follows the fainter image.",
            (_IMAGES, KEEPS),
        ),
        Misconception(
            "weights-swapped",
            _mixed(_swapped, _swapped),
            "lam and 1 - lam are exchanged. lam is the weight of the example itself, 1 - lam that of its partner.",
            _ALL,
        ),
        Misconception(
            "another-partner-for-labels",
            _mixed(labels=_inverse),
            "Images and labels are mixed with different partners: in the labels the permutation was applied the other "
            "way round.",
            (_LABELS, KEEPS),
        ),
        Misconception(
            "permutation-inverted",
            _mixed(_inverse, _inverse),
            "The permutation was applied the other way round. Example i is mixed with the one whose number stands at "
            "place i.",
            _ALL,
        ),
        Misconception(
            "batch-reversed",
            _mixed(_reversed, _reversed),
            "The partner is the example at the same place from the end. The permutation says who is mixed with whom.",
            _ALL,
        ),
        Misconception(
            "one-weight-for-the-batch",
            _mixed(_first_lam, _first_lam),
            "All examples are mixed with the first weight. Each has its own.",
            _ALL,
        ),
        Misconception(
            "always-half",
            _mixed(_halves, _halves),
            "Every pair is mixed half and half. lam says how much of the example itself is kept.",
            _ALL,
        ),
        Misconception(
            "weights-along-the-width",
            _mixed(images=_along_last_axis),
            "The weights were aligned with the columns of the images: without further axes a vector belongs to the "
            "last axis. It works only where the batch is as large as the image is wide, and is wrong there too.",
            _ALL,
        ),
        Misconception(
            "weights-along-the-classes",
            _mixed(labels=_along_last_where_it_fits),
            "The weights were aligned with the classes. That goes unnoticed only where there are as many classes as "
            "examples.",
            (_LABELS, KEEPS),
        ),
        Misconception(
            "weight-of-the-partner",
            _mixed(_partners_lam, _partners_lam),
            "The partner was weighted by its own weight before it was chosen, so the two weights of a pair do not add "
            "up to 1.",
            _ALL,
        ),
        Misconception(
            "label-rounded",
            _mixed(labels=_partner_only),
            "The label is that of the stronger image alone. How much of each image is visible is what it should say.",
            (_LABELS, KEEPS),
        ),
        Misconception(
            "weights-do-not-add-up",
            _mixed(_not_normalised, _not_normalised),
            "The example itself enters at full strength, so mixed images become brighter and labels add up to more "
            "than 1.",
            _ALL,
        ),
        Misconception(
            "mixed-with-mixed-ones",
            _mixed(_overwritten, _overwritten),
            "Examples were overwritten one after the other, so later ones are mixed with what was mixed before. The "
            "partner is the example as it came in.",
            _ALL,
        ),
        Misconception("always-float32", _float32, HINT_FLOAT32, (KEEPS,)),
        Misconception(
            "changes-its-input",
            _in_place,
            "The batch that was passed in is overwritten. The data set keeps it: make new tensors.",
            (KEEPS,),
        ),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "reshaped weights": _mixup_reshaped,
        "lerp": _mixup_lerp,
        "a mixing matrix": _mixup_matrix,
        "NumPy, axes reversed": _mixup_numpy,
    },
)
