"""Fractional max pooling: regions of random size (Graham 2014, "Fractional Max-Pooling", section 3)."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import torch

from autograder.exercises.dropout.draws import uniform
from autograder.exercises.dropout.layers import DTYPE
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["FRACTIONAL"]

# fractional-pooling -------------------------------------------------------------------------------------------


def _boundaries(n_in: int, n_out: int, u: float) -> torch.Tensor:
    """Graham 2014, section 3: a_i = ceil(alpha (i + u)), shifted to start at 0; alpha as an exact fraction."""
    ratio, shift = Fraction(n_in, n_out), Fraction(u)
    ends = [math.ceil(ratio * (i + shift)) for i in range(n_out + 1)]
    return torch.tensor([end - ends[0] for end in ends])


def _pool(x: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    pooled = x.new_empty(*x.shape[:2], len(rows) - 1, len(cols) - 1)
    for i in range(len(rows) - 1):
        for j in range(len(cols) - 1):
            pooled[:, :, i, j] = x[:, :, rows[i] : rows[i + 1], cols[j] : cols[j + 1]].flatten(2).max(dim=2).values
    return pooled


def _boundaries_tensor(n_in: int, n_out: int, u: float) -> torch.Tensor:
    a = torch.ceil(n_in / n_out * (torch.arange(n_out + 1, dtype=torch.float64) + u))
    return (a - a[0]).long()


def _boundaries_floor(n_in: int, n_out: int, u: float) -> list[int]:
    alpha = n_in / n_out
    return [int(alpha * (i + u)) - int(alpha * u) for i in range(n_out)] + [n_in]


def _boundaries_steps(n_in: int, n_out: int, u: float) -> torch.Tensor:
    alpha = n_in / n_out
    steps = [math.ceil(alpha * (i + 1 + u)) - math.ceil(alpha * (i + u)) for i in range(n_out)]
    return torch.cumsum(torch.tensor([0.0, *steps]), dim=0)


def _pool_rows_then_columns(x: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    tall = torch.stack([x[:, :, a:b].amax(dim=2) for a, b in itertools.pairwise(rows)], dim=2)
    return torch.stack([tall[..., a:b].amax(dim=3) for a, b in itertools.pairwise(cols)], dim=3)


def _pool_pairs(x: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    high = torch.maximum(x[:, :, rows[:-1]], x[:, :, rows[1:] - 1])
    return torch.maximum(high[..., cols[:-1]], high[..., cols[1:] - 1])


def _pool_splits(x: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    bands = torch.split(x, (rows[1:] - rows[:-1]).tolist(), -2)
    widths = (cols[1:] - cols[:-1]).tolist()
    return torch.stack(
        [torch.stack([t.amax((-1, -2)) for t in torch.split(band, widths, -1)], -1) for band in bands], -2
    )


def _boundaries_no_shift(n_in: int, n_out: int, u: float) -> torch.Tensor:
    return torch.ceil(n_in / n_out * (torch.arange(n_out + 1, dtype=torch.float64) + u)).long()


def _boundaries_no_noise(n_in: int, n_out: int, u: float) -> torch.Tensor:
    return torch.tensor([-(-n_in * i // n_out) for i in range(n_out + 1)])


def _boundaries_noise_outside(n_in: int, n_out: int, u: float) -> torch.Tensor:
    a = torch.ceil(n_in / n_out * torch.arange(n_out + 1, dtype=torch.float64) + u)
    return (a - a[0]).long()


def _boundaries_rounded(n_in: int, n_out: int, u: float) -> torch.Tensor:
    a = torch.round(n_in / n_out * (torch.arange(n_out + 1, dtype=torch.float64) + u))
    return (a - a[0]).long()


def _boundaries_by_two(n_in: int, n_out: int, u: float) -> torch.Tensor:
    return torch.clamp(2 * torch.arange(n_out + 1), max=n_in)


def _boundaries_inverse_ratio(n_in: int, n_out: int, u: float) -> torch.Tensor:
    a = torch.ceil(n_out / n_in * (torch.arange(n_out + 1, dtype=torch.float64) + u))
    return (a - a[0]).long()


def _boundaries_short(n_in: int, n_out: int, u: float) -> torch.Tensor:
    a = torch.ceil(n_in / n_out * (torch.arange(n_out, dtype=torch.float64) + u))
    return (a - a[0]).long()


def _boundaries_last_index(n_in: int, n_out: int, u: float) -> torch.Tensor:
    a = torch.ceil(n_in / n_out * (torch.arange(n_out + 1, dtype=torch.float64) + u))
    return (a - a[0]).long().clamp(max=n_in - 1)


def _pool_exchanged(x: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    wide = torch.stack([x[..., a:b].amax(dim=3) for a, b in itertools.pairwise(rows)], dim=3)
    return torch.stack([wide[:, :, a:b].amax(dim=2) for a, b in itertools.pairwise(cols)], dim=2)


def _pool_rows_twice(x: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    tall = torch.stack([x[:, :, a:b].amax(dim=2) for a, b in itertools.pairwise(rows)], dim=2)
    return torch.stack([tall[..., a:b].amax(dim=3) for a, b in itertools.pairwise(rows)], dim=3)


def _pool_mean(x: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    tall = torch.stack([x[:, :, a:b].mean(dim=2) for a, b in itertools.pairwise(rows)], dim=2)
    return torch.stack([tall[..., a:b].mean(dim=3) for a, b in itertools.pairwise(cols)], dim=3)


def _pool_overlapping(x: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    tall = torch.stack([x[:, :, a : b + 1].amax(dim=2) for a, b in itertools.pairwise(rows)], dim=2)
    return torch.stack([tall[..., a : b + 1].amax(dim=3) for a, b in itertools.pairwise(cols)], dim=3)


def _pool_from_zero(x: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    tall = torch.stack([x[:, :, a:b].amax(dim=2) for a, b in itertools.pairwise(rows)], dim=2)
    return torch.stack([tall[..., a:b].amax(dim=3).clamp(min=0) for a, b in itertools.pairwise(cols)], dim=3)


def _pool_corner(x: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    return x[:, :, rows[:-1]][..., cols[:-1]]


def _pool_float32(x: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    high = torch.maximum(x[:, :, rows[:-1]], x[:, :, rows[1:] - 1])
    return torch.maximum(high[..., cols[:-1]], high[..., cols[1:] - 1]).float()


def _telling_noise(g: torch.Generator, n_in: int, n_out: int) -> float:
    """Noise for which the sequence differs from those of the usual slips, and is no matter of rounding."""
    while True:
        u = round(float(uniform(g, 0.05, 0.95, 1)), 4)
        ends = [n_in / n_out * (i + u) for i in range(n_out + 1)]
        right = _boundaries(n_in, n_out, u).tolist()
        slips = (_boundaries_no_noise, _boundaries_noise_outside, _boundaries_rounded)
        clear = all(abs(end - round(end)) > 0.01 and abs(end % 1 - 0.5) > 0.01 for end in ends)
        if clear and all(slip(n_in, n_out, u).tolist() != right for slip in slips):
            return u


def _pooling_cases(g: torch.Generator) -> dict[str, Case]:
    def boundaries(n_in: int, n_out: int, driver: str, outputs: tuple[str, ...]) -> Case:
        inputs = {"n_in": n_in, "n_out": n_out, "u": _telling_noise(g, n_in, n_out)}
        return Case(inputs, "pooling_boundaries", driver, outputs)

    def pool(n: int, c: int, h: int, w: int, n_out: int, dtype: torch.dtype = torch.float64) -> Case:
        rows = cols = _boundaries(h, n_out, float(uniform(g, 0.05, 0.95, 1)))
        while rows[1:-1].equal(cols[1:-1]):
            cols = _boundaries(w, n_out, float(uniform(g, 0.05, 0.95, 1)))
        # A permutation of distinct negative numbers: no two regions share a maximum by accident.
        x = (-torch.randperm(n * c * h * w, generator=g).double() / 4 - 1).reshape(n, c, h, w)
        return Case({"x": x.to(dtype), "rows": rows, "cols": cols}, "fractional_max_pool", outputs=("pooled",))

    both = ("boundaries", "first", "last", "smallest_step", "largest_step")
    return {
        "boundaries, 7 to 5": boundaries(7, 5, "sequence", both),
        "boundaries, 8 to 5": boundaries(8, 5, "sequence", both),
        "boundaries, 25 to 18": boundaries(25, 18, "sequence", both),
        "pooling": pool(2, 3, 7, 8, 5),
        "pooling, float32": pool(1, 2, 8, 7, 5, torch.float32),
    }


_PROPERTIES = "boundaries from 0 to n_in in steps of 1 and 2"
_SEQUENCE = "boundaries follow the pseudo-random sequence"
_LARGEST = "takes the largest value of each region"

FRACTIONAL = Exercise(
    "fractional-pooling",
    defines=("pooling_boundaries(n_in, n_out, u)", "fractional_max_pool(x, rows, cols)"),
    returns=("boundaries",),
    reference={"pooling_boundaries": _boundaries, "fractional_max_pool": _pool},
    cases=_pooling_cases,
    criteria=(
        Criterion(_PROPERTIES, 1, outputs=("first", "last", "smallest_step", "largest_step")),
        Criterion(_SEQUENCE, 1, outputs=("boundaries",)),
        Criterion(_LARGEST, 2, outputs=("pooled",)),
        Criterion(DTYPE, 0.5, cases=("pooling", "pooling, float32"), aspect="dtype"),
    ),
    misconceptions=(
        Misconception(
            "not-starting-at-zero",
            {"pooling_boundaries": _boundaries_no_shift},
            "The sequence does not start at 0: it still contains its first term. Subtract that from all of them, or "
            "the first rows of the image are lost and the last region reaches beyond it.",
            (_PROPERTIES, _SEQUENCE),
        ),
        Misconception(
            "noise-not-used",
            {"pooling_boundaries": _boundaries_no_noise},
            "The boundaries do not depend on u: every call divides the image in the same way, and nothing is "
            "regularized.",
            (_SEQUENCE,),
        ),
        Misconception(
            "noise-not-scaled",
            {"pooling_boundaries": _boundaries_noise_outside},
            "u was added after the multiplication by n_in / n_out. It belongs to the index, so that it shifts the "
            "sequence by a part of a step of it.",
            (_SEQUENCE,),
        ),
        Misconception(
            "rounded-to-nearest",
            {"pooling_boundaries": _boundaries_rounded},
            "The terms were rounded to the nearest number. The sequence asked for rounds up.",
            (_SEQUENCE,),
        ),
        Misconception(
            "steps-of-two",
            {"pooling_boundaries": _boundaries_by_two},
            "Every step is 2 until the image ends: ordinary pooling. Steps of 1 and 2 have to be mixed so that n_out "
            "of them cover n_in.",
            (_PROPERTIES, _SEQUENCE),
        ),
        Misconception(
            "ratio-upside-down",
            {"pooling_boundaries": _boundaries_inverse_ratio},
            "The ratio is upside down: n_out steps have to cover n_in, so an average step is larger than 1.",
            (_PROPERTIES, _SEQUENCE),
        ),
        Misconception(
            "last-boundary-missing",
            {"pooling_boundaries": _boundaries_short},
            "There is one boundary for each region. n_out regions have n_out + 1 boundaries; the last is n_in.",
            (_PROPERTIES, _SEQUENCE),
        ),
        Misconception(
            "ends-at-last-index",
            {"pooling_boundaries": _boundaries_last_index},
            "The last boundary is n_in - 1. A region ends before its right boundary, so the last row would never be "
            "looked at.",
            (_PROPERTIES, _SEQUENCE),
        ),
        Misconception(
            "rows-and-columns-exchanged",
            {"fractional_max_pool": _pool_exchanged},
            "The row boundaries cut the columns and the other way round. In (N, C, H, W) rows divide H, axis 2.",
            (_LARGEST, DTYPE),
        ),
        Misconception(
            "rows-for-both",
            {"fractional_max_pool": _pool_rows_twice},
            "The row boundaries were used for the columns too. The two directions have their own.",
            (_LARGEST, DTYPE),
        ),
        Misconception(
            "mean-instead-of-maximum",
            {"fractional_max_pool": _pool_mean},
            "This is the mean of each region; asked for is its largest value.",
            (_LARGEST, DTYPE),
        ),
        Misconception(
            "regions-overlap",
            {"fractional_max_pool": _pool_overlapping},
            "The regions contain their right and lower boundary, so neighbours overlap. A region ends before its right "
            "boundary (Graham's paper has an overlapping form too; it is not the one asked for).",
            (_LARGEST, DTYPE),
        ),
        Misconception(
            "maximum-starts-at-zero",
            {"fractional_max_pool": _pool_from_zero},
            "No result is below 0 although inputs are. The search for the maximum starts at 0 instead of at a value "
            "of the region.",
            (_LARGEST, DTYPE),
        ),
        Misconception(
            "corner-of-each-region",
            {"fractional_max_pool": _pool_corner},
            "This picks the upper left value of each region, whatever its size.",
            (_LARGEST, DTYPE),
        ),
        Misconception(
            "always-float32",
            {"fractional_max_pool": _pool_float32},
            "The result is float32 whatever came in. It should have the dtype of the input.",
            (DTYPE,),
        ),
    ),
    forbidden=(
        "torch.nn.FractionalMaxPool2d",
        "torch.nn.FractionalMaxPool3d",
        "torch.nn.functional.fractional_max_pool2d",
        "torch.nn.functional.fractional_max_pool2d_with_indices",
        "torch.nn.functional.fractional_max_pool3d",
        "torch.ops.aten",
    ),
    right={
        "tensor arithmetic; rows, then columns": {
            "pooling_boundaries": _boundaries_tensor,
            "fractional_max_pool": _pool_rows_then_columns,
        },
        "rounded down, as a list; pairs of rows": {
            "pooling_boundaries": _boundaries_floor,
            "fractional_max_pool": _pool_pairs,
        },
        "cumulative steps, as floats; split": {
            "pooling_boundaries": _boundaries_steps,
            "fractional_max_pool": _pool_splits,
        },
    },
)
