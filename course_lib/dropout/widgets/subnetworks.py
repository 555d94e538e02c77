"""Dropout's sub-networks on data in the plane: some of them, their mean, and one pass with scaled weights."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.lab.plots import counted
from course_lib.widgets.controls import Seed, Slider
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Estimate
from course_lib.widgets.scene import Handle, Lines, Mark, Montage, Scene, Series, places

__all__ = ["DESIGN", "Subnetworks", "ensemble", "masks_needed", "numbers", "subnetworks"]

UNITS = 8
"""Hidden units, so that there are 256 sub-networks."""
SIDE = 40
_LOW, _HIGH = (-1.6, -1.2), (2.6, 1.7)
_SAMPLES = 1024
_ASKED_P, _CLOSE = 0.5, 0.01
_BLUE, _WHITE, _ORANGE = (np.array(c, np.float64) for c in ((0, 114, 178), (255, 255, 255), (230, 159, 0)))


@dataclass(frozen=True)
class Subnetworks:
    """All sub-networks of one trained network, on a grid of points in the plane.

    Attributes:
        chance: (256,), probability of each mask.
        outputs: (256, SIDE * SIDE), probability of the orange class under each mask.
        exact: (SIDE * SIDE,), their mean.
        scaled: (SIDE * SIDE,), the output of one pass with scaled weights.
    """

    chance: NDArray[np.float64]
    outputs: NDArray[np.float64]
    exact: NDArray[np.float64]
    scaled: NDArray[np.float64]

    def distance(self, guess: NDArray[np.float64]) -> float:
        """Mean absolute difference of a map of probabilities (SIDE * SIDE,) from the exact mean."""
        return float(np.abs(guess - self.exact).mean())


def points(number: int = 160, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Two noisy half circles: (number, 2) and labels (number,)."""
    rng = np.random.default_rng(seed)
    label = np.arange(number) % 2
    angle = rng.uniform(0, math.pi, number)
    arcs = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.where(label[:, None] == 1, [1.0, 0.5] - arcs, arcs) + 0.2 * rng.standard_normal((number, 2)), label


@functools.cache
def subnetworks(p_keep: float) -> Subnetworks:
    """Train a network 2 - 8 - 1 with dropout on the hidden units, and run each of its sub-networks.

    Args:
        p_keep: probability of keeping a hidden unit, in training and in the mean.
    """
    W, b, w, c = _trained(p_keep)
    places = np.stack(np.meshgrid(*map(np.linspace, _LOW, _HIGH, (SIDE, SIDE))), axis=-1).reshape(-1, 2)
    h = np.maximum(places @ W.T + b, 0)
    masks = np.array(list(itertools.product((0.0, 1.0), repeat=UNITS)))
    chance = np.prod(np.where(masks == 1, p_keep, 1 - p_keep), axis=1)
    outputs = _sigmoid((masks * w) @ h.T + c)
    return Subnetworks(chance, outputs, chance @ outputs, _sigmoid(p_keep * h @ w + c))


def _trained(p_keep: float) -> tuple[NDArray[np.float64], ...]:
    import torch
    from torch.nn import functional as F

    generator = torch.Generator().manual_seed(0)
    x, y = (torch.tensor(part, dtype=torch.float64) for part in points())
    shapes = ((UNITS, 2), (UNITS,), (UNITS,), (1,))
    parameters = [torch.randn(s, generator=generator, dtype=torch.float64).requires_grad_() for s in shapes]
    optimizer = torch.optim.Adam(parameters, 0.03, fused=True)
    for _ in range(400):
        W, b, w, c = parameters
        kept = torch.rand(len(x), UNITS, generator=generator, dtype=torch.float64) < p_keep
        loss = F.binary_cross_entropy_with_logits((F.relu(x @ W.T + b) * kept) @ w + c, y)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return tuple(parameter.detach().numpy() for parameter in parameters)


def _sigmoid(a: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * (1 + np.tanh(a / 2))


def masks_needed(found: Subnetworks, close: float = _CLOSE) -> int:
    """How many sampled masks bring their mean within a distance of the exact one, typically.

    The mean over S masks is nearly normal with the deviation σ / √S at each point, and misses by √(2 / π) of that.
    """
    sigma = np.sqrt(found.chance @ (found.outputs - found.exact) ** 2)
    return math.ceil((math.sqrt(2 / math.pi) * float(sigma.mean()) / close) ** 2)


def numbers(state: State) -> Scene:
    """Three sub-networks, the mean of the sampled ones, the exact mean, scaled weights; and their distances."""
    found, masks = subnetworks(state["p_keep"]), int(state["masks"])
    drawn = np.random.default_rng(state["seed"]).choice(len(found.chance), _SAMPLES, p=found.chance)
    sizes = np.array([int(n) for n in _MASKS])
    # Many masks are drawn again and again: counting them is far cheaper than adding up all their maps.
    counts = np.stack([np.bincount(drawn[:n], minlength=len(found.chance)) for n in sizes])
    means = counts @ found.outputs / sizes[:, None]
    distances = [found.distance(mean) for mean in means]
    at = int(np.searchsorted(sizes, masks))
    maps = {f"sub-network {i + 1}": found.outputs[mask] for i, mask in enumerate(drawn[:3])}
    maps[f"mean of {masks:,}"] = means[at]
    if not state["locked"]:
        line = f"p_keep = {state['p_keep']:g}: three of {len(found.chance)} sub-networks, and the mean of {masks:,}."
        return Scene((_pictures(maps), _curve(sizes, [math.nan] * len(sizes), math.nan, masks)), line, height=330)
    maps |= {"mean of all 256": found.exact, "scaled weights": found.scaled}
    scaled = found.distance(found.scaled)
    line = (
        f"p_keep = {state['p_keep']:g}: the mean of {counted(masks, 'sampled masks')} is {100 * distances[at]:.2f}% "
        f"away from the mean of all {len(found.chance)}, scaled weights in one pass {100 * scaled:.2f}%. "
        f"Within 1% after about {masks_needed(found)} masks."
    )
    return Scene((_pictures(maps), _curve(sizes, distances, scaled, masks)), line, height=330)


def _pictures(maps: dict[str, NDArray[np.float64]]) -> Montage:
    images = np.stack([_coloured(p) for p in maps.values()])
    return Montage("probability of orange; dark: the boundary", images, 3, tuple(maps))


def _coloured(p: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Probabilities (SIDE * SIDE,) as colors (SIDE, SIDE, 3), with the data, and the boundary in black."""
    share = p.reshape(SIDE, SIDE)[..., None]
    image = np.where(share < 0.5, _BLUE + 2 * share * (_WHITE - _BLUE), _WHITE + (2 * share - 1) * (_ORANGE - _WHITE))
    above = share[..., 0] > 0.5
    edge = np.zeros_like(above)
    edge[:, 1:] |= above[:, 1:] != above[:, :-1]
    edge[1:] |= above[1:] != above[:-1]
    x, label = points()
    cells = np.clip(((x - _LOW) / np.subtract(_HIGH, _LOW) * (SIDE - 1)).round().astype(int), 0, SIDE - 1)
    image[cells[:, 1], cells[:, 0]] = np.where(label[:, None] == 1, _ORANGE, _BLUE) * 0.7
    image[edge] = 0
    return image[::-1].astype(np.uint8)  # the first row of an image is its top


def _curve(sizes: NDArray[np.int64], distances: list[float], scaled: float, masks: int) -> Lines:
    series = (
        Series("mean of sampled masks", 100 * np.array(distances, np.float32)),
        Series("scaled weights", np.full(len(sizes), 100 * scaled, np.float32), "dashed"),
        Series("1%", np.full(len(sizes), 100 * _CLOSE, np.float32), "dots"),
    )
    x = np.log2(sizes).astype(np.float32)
    mark = (Mark(math.log2(masks), f"{masks:,}"),)
    ticks = tuple(Mark(math.log2(size), f"{size:,}") for size in sizes)
    handle = Handle("masks", "Masks sampled", places(x), now=int(np.searchsorted(sizes, masks)))
    title, below = "distance from the exact mean, in %", "masks sampled"
    return Lines(title, x, series, 0, 16, below, mark, ticks, (handle,))


def right(answer: Any, state: State) -> bool:
    """Whether the number of masks is right within a factor of one and a half."""
    needed = masks_needed(subnetworks(_ASKED_P))
    return bool(needed / 1.5 <= answer <= needed * 1.5)


def explain(answer: Any, state: State) -> str:
    """What was said, what it is, why."""
    asked = subnetworks(_ASKED_P)
    right = masks_needed(asked)
    verdict = "close" if right / 1.5 <= answer <= right * 1.5 else "too few" if answer < right else "more than needed"
    now = subnetworks(state["p_keep"])
    return (
        f"You said {answer:g}, which is {verdict}: it is about {right}, because the distance falls only as 1/√S. Four "
        f"times the masks halve it. Scaled weights are {100 * asked.distance(asked.scaled):.1f}% away in one pass, "
        "and stay there: they give the geometric mean, not this one. "
        f"With p_keep = {state['p_keep']:g} it takes about {masks_needed(now)} masks."
    )


_MASKS = tuple(float(2**k) for k in range(11))

DESIGN = Design(
    name="ensemble",
    title="An ensemble of networks in one",
    controls=(
        Slider("masks", "Masks sampled", _MASKS, 4.0),
        Slider("p_keep", "p_keep, probability of keeping", (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), 0.5),
        Seed(label="Other masks"),
    ),
    prediction=Estimate(
        f"A network with {UNITS} hidden units, each kept with probability {_ASKED_P:g}. How many random masks must be "
        "averaged until their mean is within 1% of the mean over all 256 (probabilities, on average over the plane)?",
        "masks",
        1,
        100_000,
        "Now sample more masks, and compare with the single pass.",
        "mask",
    ),
    numbers=numbers,
    explain=explain,
    right=right,
)


def ensemble(fresh: bool = False) -> Explorer:
    """Show dropout's sub-networks on data in the plane, their mean, and scaled weights.

    Args:
        fresh: forget the prediction that was locked in before.
    """
    return show_widget(DESIGN, fresh)
