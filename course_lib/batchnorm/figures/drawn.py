"""The drawings of 01_batchnorm: the graph of the gradient, and which numbers share a mean."""

from __future__ import annotations

import math
from collections.abc import Callable

from course_lib.lab.drawing import arrow, node, polygon, show_drawing, words
from course_lib.lab.plots import OKABE_ITO

__all__ = ["draw_graph", "draw_shared_means"]

_DIRECT, _MEAN, _VARIANCE = OKABE_ITO[0], OKABE_ITO[1], OKABE_ITO[2]


def draw_graph() -> None:
    """The computation of one feature, and the three ways of the gradient from x-hat back to x."""
    x, mean, variance, x_hat, y, loss = (70, 150), (260, 55), (260, 245), (450, 150), (580, 150), (700, 150)
    faint = 'opacity="0.55"'
    forward = [
        arrow((92, 138), (238, 62)),
        arrow((92, 162), (238, 238)),
        arrow((92, 150), (426, 150)),
        arrow((282, 62), (430, 136)),
        arrow((282, 238), (430, 164)),
        arrow((260, 79), (260, 221)),
        arrow((474, 150), (556, 150)),
        arrow((604, 150), (676, 150)),
        arrow((580, 88), (580, 126)),
    ]
    back = [
        arrow((428, 158), (94, 158), _DIRECT, width=3, bend=12),
        arrow((424, 128), (284, 58), _MEAN, "9 5", 3, bend=-14),
        arrow((236, 58), (84, 128), _MEAN, "9 5", 3, bend=-14),
        arrow((424, 172), (284, 242), _VARIANCE, "3 4", 3, bend=14),
        arrow((236, 242), (84, 172), _VARIANCE, "3 4", 3, bend=14),
    ]
    labels = [
        words((326, 188), "direct"),
        words((372, 46), "through the mean", anchor="start"),
        words((372, 256), "through the variance", anchor="start"),
        words((580, 74), "γ, β"),
        words((270, 118), "adds nothing:", 12, anchor="start"),
        words((270, 133), "∂σ²/∂μ = 0", 12, anchor="start"),
    ]
    nodes = [
        node(x, "x"),
        node(mean, "μ"),
        node(variance, "σ²"),
        node(x_hat, "x̂"),
        node(y, "y"),
        node(loss, "L"),
    ]
    alt = (
        "The graph of batch normalization for one feature. x goes into the mean, into the variance, and directly into "
        "x-hat; mean and variance go into x-hat, too; x-hat, gamma and beta give y, and y the loss. Three colored "
        "arrows lead back from x-hat to x: a solid one directly, a dashed one through the mean, a dotted one through "
        "the variance. The arrow from the mean into the variance adds nothing to the gradient."
    )
    show_drawing([f"<g {faint}>{''.join(forward)}</g>", *back, *nodes, *labels], 740, 290, alt)


_N, _C, _P = 4, 6, 4
"""Images, channels and pixels of the cubes; height and width are one axis, as in Wu and He (2018), figure 2."""
_SIDE, _DEEP = 21.0, 13.0
_PLAIN, _SHARED = "rgba(127,127,127,.10)", OKABE_ITO[0]


def draw_shared_means() -> None:
    """Four cubes of numbers; colored are those that share one mean and one variance."""
    sets: dict[str, Callable[[int, int], bool]] = {
        "batch norm": lambda n, c: c == _C - 1,
        "layer norm": lambda n, c: n == 0,
        "instance norm": lambda n, c: n == 0 and c == _C - 1,
        "group norm, 3 groups": lambda n, c: n == 0 and c >= _C - 2,
    }
    shapes = []
    step = _C * _SIDE + _N * _DEEP + 26
    for k, (name, shared) in enumerate(sets.items()):
        left = 52 + k * step
        shapes += _cube(left, shared)
        shapes.append(words((left + (_C * _SIDE + _N * _DEEP) / 2, 20), name))
    low = 48 + _N * _DEEP * math.sin(math.pi / 4) + _P * _SIDE
    shapes += [
        words((52 + _C * _SIDE / 2, low + 16), "channels C", 12),
        words((26, low - _P * _SIDE / 2), "H, W", 12),
        words((30, low - _P * _SIDE - 24), "images N", 12),
    ]
    alt = (
        "Four cubes of 4 images, 6 channels and the pixels; colored are the numbers that share one mean. Batch norm: "
        "one channel of all images. Layer norm: all channels of one image. Instance norm: one channel of one image. "
        "Group norm: two neighboring channels of one image."
    )
    show_drawing(shapes, 52 + 4 * step, low + 28, alt)


def _cube(left: float, shared: Callable[[int, int], bool]) -> list[str]:
    """The three visible faces: front (first image), top, and right (last channel)."""
    across, up = _DEEP * math.cos(math.pi / 4), _DEEP * math.sin(math.pi / 4)
    top = 48 + _N * up

    def at(c: float, n: float, p: float) -> tuple[float, float]:
        return left + c * _SIDE + n * across, top + p * _SIDE - n * up

    def cell(n: int, c: int, *corners: tuple[float, float, float]) -> str:
        return polygon([at(*corner) for corner in corners], _SHARED if shared(n, c) else _PLAIN)

    front = [
        cell(0, c, (c, 0, p), (c + 1, 0, p), (c + 1, 0, p + 1), (c, 0, p + 1)) for c in range(_C) for p in range(_P)
    ]
    lid = [cell(n, c, (c, n, 0), (c + 1, n, 0), (c + 1, n + 1, 0), (c, n + 1, 0)) for c in range(_C) for n in range(_N)]
    right = [
        cell(n, _C - 1, (_C, n, p), (_C, n + 1, p), (_C, n + 1, p + 1), (_C, n, p + 1))
        for n in range(_N)
        for p in range(_P)
    ]
    return [*front, *lid, *right]
