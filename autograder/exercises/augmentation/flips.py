"""Mirror images: which examples of a batch are flipped is decided by noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from autograder.exercises.augmentation.images import (
    HINT_FLOAT32,
    HINT_IN_PLACE,
    KEEPS,
    KEPT,
    LIBRARY_IMAGES,
    numbered,
    picture,
    uniform,
)
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["HORIZONTAL_FLIP"]


def _flip(x: Tensor, p: float, u: Tensor) -> Tensor:
    y = x.clone()
    width = x.shape[-1]
    for i, chance in enumerate(u.tolist()):
        if chance < p:
            for column in range(width):
                y[i, :, :, column] = x[i, :, :, width - 1 - column]
    return y


def _flip_where(x: Tensor, p: float, u: Tensor) -> Tensor:
    return torch.where((u < p).reshape(-1, 1, 1, 1), x.flip(3), x)


def _flip_selected(x: Tensor, p: float, u: Tensor) -> Tensor:
    y = x.clone()
    y[u < p] = x[u < p].flip(-1)
    return y


def _flip_gathered(x: Tensor, p: float, u: Tensor) -> Tensor:
    columns = torch.arange(x.shape[-1], device=x.device)
    index = torch.where((u < p)[:, None], columns.flip(0), columns)
    return x.gather(3, index[:, None, None, :].expand(x.shape))


def _flip_numpy(x: Tensor, p: float, u: Tensor) -> Tensor:
    images = [np.fliplr(e.transpose(1, 2, 0)).transpose(2, 0, 1) if r < p else e for e, r in zip(x.numpy(), u)]  # noqa: B905
    return torch.from_numpy(np.stack(images))


def _flip_einsum(x: Tensor, p: float, u: Tensor) -> Tensor:
    flips = (u < p).to(x.dtype)
    exchange = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    return torch.einsum("nchw,wv,n->nchv", x, exchange.flip(0), flips) + x * (1 - flips)[:, None, None, None]


def _flipped_along(*axes: int) -> Callable[..., Tensor]:
    return lambda x, p, u: torch.where((u < p).reshape(-1, 1, 1, 1), x.flip(axes), x)


def _flip_chosen(choose: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda x, p, u: torch.where(choose(p, u).reshape(-1, 1, 1, 1), x.flip(3), x)


def _flip_mixed_up(x: Tensor, p: float, u: Tensor) -> Tensor:
    y = x.clone()
    y[u < p] = x[u < p].flip(0, -1)
    return y


def _flip_in_place(x: Tensor, p: float, u: Tensor) -> Tensor:
    x[u < p] = x[u < p].flip(-1)
    return x


def _flip_cases(g: torch.Generator) -> dict[str, Case]:
    def case(x: Tensor, p: float, u: Tensor, driver: str = "changed-examples") -> Case:
        return Case({"x": x, "p": p, "u": u.to(x.dtype)}, driver=driver, outputs=("y", "changed"))

    sure = uniform(g, 0.6, 0.99, 4)
    # Several examples on either side of p and of 1/2, so that every wrong way of deciding shows; the last one flips
    # once, so that no answer passes that stops before it.
    rare = torch.tensor([0.1, 0.4, 0.03, 0.6, 0.8]).double() + uniform(g, -0.02, 0.02, 5)
    often = torch.tensor([0.9, 0.1, 0.65, 0.8, 0.6]).double() + uniform(g, -0.02, 0.02, 5)
    by_hand = torch.tensor([0.1, 0.9]).double()
    return {
        "all, by hand": case(numbered(2, 2, 2, 3), 1.0, by_hand),
        "all": case(picture(g, 4, 3, 5, 7), 1.0, sure),
        "all, one example, u = 0": case(picture(g, 1, 2, 4, 4), 0.2, torch.zeros(1)),
        "some, p = 0": case(picture(g, 2, 3, 4, 5), 0.0, torch.tensor([0.0, 0.5])),
        "some, by hand": case(numbered(2, 2, 2, 3), 0.5, by_hand),
        "some, p = 0.2": case(picture(g, 5, 3, 4, 6), 0.2, rare),
        "some, p = 0.7, float32, strided": case(
            picture(g, 5, 3, 3, 3, dtype=torch.float32), 0.7, often, "changed-examples-strided"
        ),
    }


_MIRRORS = "mirrors left and right"
_DECIDES = "decides for every example by its own u"
_EACH = "an example becomes its mirror image or stays"

HORIZONTAL_FLIP = Exercise(
    "horizontal-flip",
    defines=("random_horizontal_flip(x, p, u)",),
    returns=("y",),
    reference=_flip,
    cases=_flip_cases,
    criteria=(
        Criterion(_MIRRORS, 1, cases=("all*",), outputs=("y",)),
        Criterion(_DECIDES, 0.5, cases=("some*",), outputs=("changed",)),
        Criterion(_EACH, 0.5, cases=("some*",), outputs=("y",)),
        Criterion(KEEPS, 0.5, cases=("all", "all, by hand"), outputs=("y",), aspect=KEPT),
    ),
    misconceptions=(
        Misconception(
            "upside-down",
            _flipped_along(2),
            "The images stand on their heads: the rows were reversed. A batch has the axes (N, C, H, W), so the third "
            "axis runs from top to bottom. Were the images taken to be (N, H, W, C)?",
            (_MIRRORS, _EACH, KEEPS),
        ),
        Misconception(
            "turned-by-180-degrees",
            _flipped_along(2, 3),
            "Rows and columns are both reversed, which turns the image by 180 degrees. A mirror exchanges left and "
            "right only.",
            (_MIRRORS, _EACH, KEEPS),
        ),
        Misconception(
            "channels-reversed",
            _flipped_along(1),
            "The order of the channels is reversed, so red and blue change places. In (N, C, H, W) the second axis "
            "holds colours, not columns.",
            (_MIRRORS, _EACH, KEEPS),
        ),
        Misconception(
            "channels-reversed-too",
            _flipped_along(1, 3),
            "The images are mirrored, but their channels are reversed as well: the colours change.",
            (_MIRRORS, _EACH, KEEPS),
        ),
        Misconception(
            "one-decision-for-the-batch",
            _flip_chosen(lambda p, u: (u[:1] < p).expand(len(u))),
            "The whole batch is flipped or left alone together. Each example has its own number in u.",
            (_DECIDES, _EACH),
        ),
        Misconception(
            "p-ignored",
            _flip_chosen(lambda p, u: u < (0.5 if p < 1 else 1.0)),
            "An example is flipped with probability 1/2 whatever p says.",
            (_DECIDES, _EACH),
        ),
        Misconception(
            "always-flips",
            _flip_chosen(lambda p, u: u >= 0),
            "Every example is flipped, so the network sees mirror images only and never the originals.",
            (_DECIDES, _EACH),
        ),
        Misconception(
            "comparison-reversed",
            _flip_chosen(lambda p, u: u >= p),
            "Those examples are flipped that should stay, and the other way round: p is the probability of flipping.",
            (_MIRRORS, _DECIDES, _EACH, KEEPS),
        ),
        Misconception(
            "complement-of-p",
            _flip_chosen(lambda p, u: u < (1 - p)),
            "An example is flipped with probability 1 - p. p is the probability of flipping, not of staying.",
            (_MIRRORS, _DECIDES, _EACH, KEEPS),
        ),
        Misconception(
            "examples-exchanged",
            _flip_mixed_up,
            "The flipped examples also change places in the batch, so they get the labels of others. The axis of the "
            "batch was reversed too.",
            (_MIRRORS, _EACH, KEEPS),
        ),
        Misconception(
            "equal-counts-as-below",
            _flip_chosen(lambda p, u: u <= p),
            "An example is also flipped where u equals p. With p = 0 nothing may be flipped, and u can be exactly 0.",
            (_DECIDES, _EACH),
        ),
        Misconception("always-float32", lambda x, p, u: _flip_where(x, p, u).float(), HINT_FLOAT32, (KEEPS,)),
        Misconception("changes-its-input", _flip_in_place, HINT_IN_PLACE, (KEEPS,)),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "torch.where": _flip_where,
        "only the chosen ones written": _flip_selected,
        "gather": _flip_gathered,
        "NumPy, channels last": _flip_numpy,
        "einsum with an exchange matrix": _flip_einsum,
    },
)
