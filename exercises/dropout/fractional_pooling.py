"""Fractional max pooling: regions of random size, Graham 2014, "Fractional Max-Pooling", section 3."""

import itertools
import math
from fractions import Fraction

import torch

from autograder.exercise import Case, Exercise
from exercises.draws import uniform

exercise = Exercise(
    "fractional-pooling",
    "pooling_boundaries(n_in, n_out, u)",
    "fractional_max_pool(x, rows, cols)",
    returns="boundaries",
    forbidden=(
        "torch.nn.FractionalMaxPool2d",
        "torch.nn.FractionalMaxPool3d",
        "torch.nn.functional.fractional_max_pool2d",
        "torch.nn.functional.fractional_max_pool2d_with_indices",
        "torch.nn.functional.fractional_max_pool3d",
        "torch.ops.aten",
    ),
)
PROPERTIES = exercise.criterion(
    "boundaries from 0 to n_in in steps of 1 and 2", 1, outputs=("first", "last", "smallest_step", "largest_step")
)
SEQUENCE = exercise.criterion("boundaries follow the pseudo-random sequence", 1, outputs="boundaries")
LARGEST = exercise.criterion("takes the largest value of each region", 2, outputs="pooled")
DTYPE = exercise.criterion("keeps the dtype", 0.5, cases=("pooling", "pooling, float32"), aspect="dtype")

def exact_boundaries(n_in, n_out, u):
    """a_i = ceil(alpha (i + u)), shifted to start at 0; alpha as an exact fraction."""
    ratio, shift = Fraction(n_in, n_out), Fraction(u)
    ends = [math.ceil(ratio * (i + shift)) for i in range(n_out + 1)]
    return torch.tensor([end - ends[0] for end in ends])

def telling_noise(g, n_in, n_out):
    """Noise for which the sequence differs from those of the usual slips, and is no matter of rounding."""
    while True:
        u = round(float(uniform(g, 0.05, 0.95, 1)), 4)
        ends = [n_in / n_out * (i + u) for i in range(n_out + 1)]
        right = exact_boundaries(n_in, n_out, u).tolist()
        slips = (noise_not_used, noise_not_scaled, rounded_to_nearest)
        clear = all(abs(end - round(end)) > 0.01 and abs(end % 1 - 0.5) > 0.01 for end in ends)
        if clear and all(slip(n_in, n_out, u).tolist() != right for slip in slips):
            return u

@exercise.cases
def cases(g):
    def boundaries(n_in, n_out):
        inputs = {"n_in": n_in, "n_out": n_out, "u": telling_noise(g, n_in, n_out)}
        outputs = ("boundaries", "first", "last", "smallest_step", "largest_step")
        return Case(inputs, "pooling_boundaries", "dropout/sequence", outputs)

    def pool(n, c, h, w, n_out, dtype=torch.float64):
        rows = cols = exact_boundaries(h, n_out, float(uniform(g, 0.05, 0.95, 1)))
        while rows[1:-1].equal(cols[1:-1]):
            cols = exact_boundaries(w, n_out, float(uniform(g, 0.05, 0.95, 1)))
        # A permutation of distinct negative numbers: no two regions share a maximum by accident.
        x = (-torch.randperm(n * c * h * w, generator=g).double() / 4 - 1).reshape(n, c, h, w)
        return Case({"x": x.to(dtype), "rows": rows, "cols": cols}, "fractional_max_pool", outputs=("pooled",))

    yield "boundaries, 7 to 5", boundaries(7, 5)
    yield "boundaries, 8 to 5", boundaries(8, 5)
    yield "boundaries, 25 to 18", boundaries(25, 18)
    yield "pooling", pool(2, 3, 7, 8, 5)
    yield "pooling, float32", pool(1, 2, 8, 7, 5, torch.float32)

@exercise.reference
class Reference:
    pooling_boundaries = exact_boundaries

    def fractional_max_pool(x, rows, cols):
        pooled = x.new_empty(*x.shape[:2], len(rows) - 1, len(cols) - 1)
        for i in range(len(rows) - 1):
            for j in range(len(cols) - 1):
                pooled[:, :, i, j] = x[:, :, rows[i] : rows[i + 1], cols[j] : cols[j + 1]].flatten(2).max(dim=2).values
        return pooled

def numbers(n):
    return torch.arange(n, dtype=torch.float64)

def from_zero(sequence):
    return (sequence - sequence[0]).long()

def rows_then_columns(x, rows, cols, take=torch.amax, beyond=0):
    """Pool in two steps; a region ends `beyond` pixels behind its lower and right boundary."""
    tall = torch.stack([take(x[:, :, a : b + beyond], dim=2) for a, b in itertools.pairwise(rows)], dim=2)
    return torch.stack([take(tall[..., a : b + beyond], dim=3) for a, b in itertools.pairwise(cols)], dim=3)

@exercise.right
class TensorArithmeticRowsThenColumns:
    def pooling_boundaries(n_in, n_out, u):
        return from_zero(torch.ceil(n_in / n_out * (numbers(n_out + 1) + u)))

    def fractional_max_pool(x, rows, cols):
        return rows_then_columns(x, rows, cols)

@exercise.right
class RoundedDownAsAListPairsOfRows:
    def pooling_boundaries(n_in, n_out, u):
        alpha = n_in / n_out
        return [int(alpha * (i + u)) - int(alpha * u) for i in range(n_out)] + [n_in]

    def fractional_max_pool(x, rows, cols):
        high = torch.maximum(x[:, :, rows[:-1]], x[:, :, rows[1:] - 1])
        return torch.maximum(high[..., cols[:-1]], high[..., cols[1:] - 1])

@exercise.right
class CumulativeStepsAsFloatsSplit:
    def pooling_boundaries(n_in, n_out, u):
        alpha = n_in / n_out
        steps = [math.ceil(alpha * (i + 1 + u)) - math.ceil(alpha * (i + u)) for i in range(n_out)]
        return torch.cumsum(torch.tensor([0.0, *steps]), dim=0)

    def fractional_max_pool(x, rows, cols):
        bands = torch.split(x, (rows[1:] - rows[:-1]).tolist(), -2)
        widths = (cols[1:] - cols[:-1]).tolist()
        return torch.stack(
            [torch.stack([t.amax((-1, -2)) for t in torch.split(band, widths, -1)], -1) for band in bands], -2
        )

@exercise.wrong(loses=(PROPERTIES, SEQUENCE))
def not_starting_at_zero(n_in, n_out, u):
    """The sequence does not start at 0: it still contains its first term. Subtract that from all of them, or the first
    rows of the image are lost and the last region reaches beyond it."""
    return torch.ceil(n_in / n_out * (numbers(n_out + 1) + u)).long()

@exercise.wrong(loses=SEQUENCE)
def noise_not_used(n_in, n_out, u):
    """The boundaries do not depend on u: every call divides the image in the same way, and nothing is regularized."""
    return torch.tensor([-(-n_in * i // n_out) for i in range(n_out + 1)])

@exercise.wrong(loses=SEQUENCE)
def noise_not_scaled(n_in, n_out, u):
    """u was added after the multiplication by n_in / n_out. It belongs to the index, so that it shifts the sequence by
    a part of a step of it."""
    return from_zero(torch.ceil(n_in / n_out * numbers(n_out + 1) + u))

@exercise.wrong(loses=SEQUENCE)
def rounded_to_nearest(n_in, n_out, u):
    """The terms were rounded to the nearest number. The sequence asked for rounds up."""
    return from_zero(torch.round(n_in / n_out * (numbers(n_out + 1) + u)))

@exercise.wrong(loses=(PROPERTIES, SEQUENCE))
def steps_of_two(n_in, n_out, u):
    """Every step is 2 until the image ends: ordinary pooling. Steps of 1 and 2 have to be mixed so that n_out of them
    cover n_in."""
    return torch.clamp(2 * torch.arange(n_out + 1), max=n_in)

@exercise.wrong(loses=(PROPERTIES, SEQUENCE))
def ratio_upside_down(n_in, n_out, u):
    """The ratio is upside down: n_out steps have to cover n_in, so an average step is larger than 1."""
    return from_zero(torch.ceil(n_out / n_in * (numbers(n_out + 1) + u)))

@exercise.wrong(loses=(PROPERTIES, SEQUENCE))
def last_boundary_missing(n_in, n_out, u):
    """There is one boundary for each region. n_out regions have n_out + 1 boundaries; the last is n_in."""
    return from_zero(torch.ceil(n_in / n_out * (numbers(n_out) + u)))

@exercise.wrong(loses=(PROPERTIES, SEQUENCE))
def ends_at_last_index(n_in, n_out, u):
    """The last boundary is n_in - 1. A region ends before its right boundary, so the last row would
    never be looked at."""
    return from_zero(torch.ceil(n_in / n_out * (numbers(n_out + 1) + u))).clamp(max=n_in - 1)

@exercise.wrong(of="fractional_max_pool", loses=LARGEST)
def rows_and_columns_exchanged(x, rows, cols):
    """The row boundaries cut the columns and the other way round. In (N, C, H, W) rows divide H, axis 2."""
    return rows_then_columns(x, cols, rows)

@exercise.wrong(of="fractional_max_pool", loses=LARGEST)
def rows_for_both(x, rows, cols):
    """The row boundaries were used for the columns too. The two directions have their own."""
    return rows_then_columns(x, rows, rows)

@exercise.wrong(of="fractional_max_pool", loses=LARGEST)
def mean_instead_of_maximum(x, rows, cols):
    """This is the mean of each region; asked for is its largest value."""
    return rows_then_columns(x, rows, cols, take=torch.mean)

@exercise.wrong(of="fractional_max_pool", loses=LARGEST)
def regions_overlap(x, rows, cols):
    """The regions contain their right and lower boundary, so neighbours overlap. A region ends before its right
    boundary (Graham's paper has an overlapping form too; it is not the one asked for)."""
    return rows_then_columns(x, rows, cols, beyond=1)

@exercise.wrong(of="fractional_max_pool", loses=LARGEST)
def maximum_starts_at_zero(x, rows, cols):
    """No result is below 0 although inputs are. The search for the maximum starts at 0 instead of at a value of the
    region."""
    return rows_then_columns(x, rows, cols).clamp(min=0)

@exercise.wrong(of="fractional_max_pool", loses=LARGEST)
def corner_of_each_region(x, rows, cols):
    """This picks the upper left value of each region, whatever its size."""
    return x[:, :, rows[:-1]][..., cols[:-1]]

@exercise.wrong(of="fractional_max_pool", loses=DTYPE)
def always_float32(x, rows, cols):
    """The result is float32 whatever came in. It should have the dtype of the input."""
    return rows_then_columns(x, rows, cols).float()
