"""Fractional max pooling: regions of random size, Graham 2014, "Fractional Max-Pooling", section 3."""

import itertools
import math
from fractions import Fraction

import torch

from autograder.exercise import Case, Exercise, one_of
from exercises.draws import uniform

exercise = Exercise(
    "fractional-pooling",
    "pooling_boundaries(n_in, n_out, u)",
    "fractional_max_pool(x, rows, cols)",
    returns="boundaries",
    # Where the functions without indices end, too; those share their code with `max_pool2d`, which is allowed.
    forbidden=tuple(f"torch.nn.functional.fractional_max_pool{d}d" for d in (2, 3)),
)
PROPERTIES = exercise.criterion(
    "boundaries from 0 to n_in in steps of 1 and 2", 1, outputs=("first", "last", "smallest_step", "largest_step")
)
SEQUENCE = exercise.criterion("boundaries follow the pseudo-random sequence", 1, outputs=("boundaries", "floating"))
LARGEST = exercise.criterion("takes the largest value of each region", 2, outputs="pooled")

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
        slips = (noise_not_used, noise_not_scaled, noise_subtracted, rounded_to_nearest)
        clear = all(abs(end - round(end)) > 0.01 and abs(end % 1 - 0.5) > 0.01 for end in ends)
        if clear and all(slip(n_in, n_out, u).tolist() != right for slip in slips):
            return u

@exercise.cases
def cases(g):
    def boundaries(n_in, n_out, u=None):
        inputs = {"n_in": n_in, "n_out": n_out, "u": telling_noise(g, n_in, n_out) if u is None else u}
        outputs = ("boundaries", "floating", "first", "last", "smallest_step", "largest_step")
        return Case(inputs, "pooling_boundaries", "dropout/sequence", outputs)

    def pool(n, c, h, w, n_out, dtype=torch.float64):
        rows = cols = exact_boundaries(h, n_out, float(uniform(g, 0.05, 0.95, 1)))
        while rows[1:-1].equal(cols[1:-1]):
            cols = exact_boundaries(w, n_out, float(uniform(g, 0.05, 0.95, 1)))
        # A permutation of distinct negative numbers: no two regions share a maximum by accident.
        x = (-torch.randperm(n * c * h * w, generator=g).double() / 4 - 1).reshape(n, c, h, w)
        return Case({"x": x.to(dtype), "rows": rows, "cols": cols}, "fractional_max_pool", outputs=("pooled",))

    channels = [[[-3.0, 1, 2], [-1, 5, -6], [4, 8, -7]], [[-9.0, 6, 0], [3, -2, -5], [7, -4, -8]]]
    x = torch.tensor([channels], dtype=torch.float64)
    # The ratios of the second case are exact in binary, and u = 0 makes terms whole: there rounding up and down differ.
    whole = one_of(g, (6, 4), (12, 8), (15, 12), (14, 8))
    yield "boundaries, 7 to 5, by hand", boundaries(7, 5, 0.3)
    yield "boundaries, u = 0", boundaries(*whole, 0.0)
    yield "boundaries, 8 to 5", boundaries(8, 5)
    yield "boundaries, many", boundaries(*one_of(g, (25, 18), (28, 20), (22, 15), (31, 20)))
    small = {"x": x, "rows": torch.tensor([0, 1, 3]), "cols": torch.tensor([0, 2, 3])}
    yield "pooling, by hand", Case(small, "fractional_max_pool", outputs=("pooled",))
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
        return [int(-(-alpha * (i + u) // 1)) - math.ceil(alpha * u) for i in range(n_out)] + [n_in]

    def fractional_max_pool(x, rows, cols):
        high = torch.maximum(x[:, :, rows[:-1]], x[:, :, rows[1:] - 1])
        return torch.maximum(high[..., cols[:-1]], high[..., cols[1:] - 1])

@exercise.right
class CumulativeStepsSplit:
    def pooling_boundaries(n_in, n_out, u):
        alpha = n_in / n_out
        steps = [math.ceil(alpha * (i + 1 + u)) - math.ceil(alpha * (i + u)) for i in range(n_out)]
        return torch.cumsum(torch.tensor([0, *steps]), dim=0)

    def fractional_max_pool(x, rows, cols):
        bands = torch.split(x, (rows[1:] - rows[:-1]).tolist(), -2)
        widths = (cols[1:] - cols[:-1]).tolist()
        return torch.stack(
            [torch.stack([t.amax((-1, -2)) for t in torch.split(band, widths, -1)], -1) for band in bands], -2
        )

# --- the boundaries

@exercise.wrong(loses=SEQUENCE, costs=0.25)
def floats_for_whole_numbers(n_in, n_out, u):
    """The boundaries are floating-point numbers, although their values are whole. Whole numbers are asked for as
    integers: a slice of the image can begin and end at nothing else."""
    return from_zero(ends(n_in, n_out, u)).double()

def ends(n_in, n_out, u):
    """The terms before the shift to 0."""
    return torch.ceil(n_in / n_out * (numbers(n_out + 1) + u))

@exercise.wrong(loses=(PROPERTIES, SEQUENCE), costs=0.75)
def not_starting_at_zero(n_in, n_out, u):
    """The sequence does not start at 0: it still contains its first term. Subtract that from all of them, or the first
    rows of the image are lost and the last region reaches beyond it."""
    return ends(n_in, n_out, u).long()

@exercise.wrong(loses=SEQUENCE, costs=0.5)
def ends_put_in_by_hand(n_in, n_out, u):
    """The first boundary is 0 and the last n_in, but those between them are not shifted. The first term is subtracted
    from all of them."""
    return torch.cat([torch.tensor([0]), ends(n_in, n_out, u)[1:-1].long(), torch.tensor([n_in])])

@exercise.wrong(loses=SEQUENCE, costs=0.75)
def noise_not_used(n_in, n_out, u):
    """The boundaries do not depend on u: every call divides the image in the same way, and nothing is regularized."""
    return torch.tensor([-(-n_in * i // n_out) for i in range(n_out + 1)])

@exercise.also(noise_not_used)
def noise_not_used_rounded_down(n_in, n_out, u):
    return torch.tensor([n_in * i // n_out for i in range(n_out + 1)])

@exercise.also(noise_not_used)
def evenly_spaced_and_rounded(n_in, n_out, u):
    return torch.round(n_in / n_out * numbers(n_out + 1)).long()

@exercise.wrong(loses=SEQUENCE, costs=0.5)
def noise_not_scaled(n_in, n_out, u):
    """u was added after the multiplication by n_in / n_out. It belongs to the index, so that it shifts the sequence by
    a part of a step of it."""
    return from_zero(torch.ceil(n_in / n_out * numbers(n_out + 1) + u))

@exercise.wrong(loses=SEQUENCE, costs=0.5)
def rounded_to_nearest(n_in, n_out, u):
    """The terms were rounded to the nearest number. The sequence asked for rounds up."""
    return from_zero(torch.round(n_in / n_out * (numbers(n_out + 1) + u)))

@exercise.wrong(loses=SEQUENCE, costs=0.5)
def noise_subtracted(n_in, n_out, u):
    """u was subtracted from the index. It is added, so that the sequence is shifted forward."""
    return from_zero(torch.ceil(n_in / n_out * (numbers(n_out + 1) - u)))

@exercise.wrong(loses=SEQUENCE, costs=0.25)
def rounded_down(n_in, n_out, u):
    """The boundaries differ from the right ones where a term of the sequence is a whole number, as rounding down gives
    it. The sequence asked for rounds up; otherwise the two agree once they start at 0."""
    return from_zero(torch.floor(n_in / n_out * (numbers(n_out + 1) + u)))

@exercise.wrong(loses=SEQUENCE, costs=0.75)
def not_rounded(n_in, n_out, u):
    """The boundaries are not whole numbers: they are evenly spaced. Rounding up is what turns them into steps of 1
    and 2."""
    terms = n_in / n_out * (numbers(n_out + 1) + u)
    return terms - terms[0]

@exercise.wrong(loses=(PROPERTIES, SEQUENCE), costs=1.5)
def steps_of_two(n_in, n_out, u):
    """Every step is 2 until the image ends: ordinary pooling. Steps of 1 and 2 have to be mixed so that n_out of them
    cover n_in."""
    return torch.clamp(2 * torch.arange(n_out + 1), max=n_in)

@exercise.wrong(loses=(PROPERTIES, SEQUENCE), costs=1)
def ratio_upside_down(n_in, n_out, u):
    """The ratio is upside down: n_out steps have to cover n_in, so an average step is larger than 1."""
    return from_zero(torch.ceil(n_out / n_in * (numbers(n_out + 1) + u)))

@exercise.also(ratio_upside_down)
def ratio_upside_down_and_n_in_put_last(n_in, n_out, u):
    return torch.cat([ratio_upside_down(n_in, n_out, u)[:-1], torch.tensor([n_in])])

@exercise.wrong(loses=(PROPERTIES, SEQUENCE), costs=1)
def all_steps_of_one(n_in, n_out, u):
    """Every step is 1, so that the last boundary is n_out. The ratio n_in / n_out is not a whole number: with `//` only
    1 is left of it."""
    return torch.arange(n_out + 1)

@exercise.wrong(loses=(PROPERTIES, SEQUENCE), costs=0.75)
def last_boundary_missing(n_in, n_out, u):
    """There is one boundary for each region. n_out regions have n_out + 1 boundaries; the last is n_in."""
    return from_zero(torch.ceil(n_in / n_out * (numbers(n_out) + u)))

@exercise.wrong(loses=(PROPERTIES, SEQUENCE), costs=0.75)
def zero_missing(n_in, n_out, u):
    """There is one boundary for each region, where it ends. The first region begins at 0, and that is a boundary
    too."""
    return from_zero(ends(n_in, n_out, u))[1:]

@exercise.wrong(loses=(PROPERTIES, SEQUENCE), costs=0.5)
def ends_at_last_index(n_in, n_out, u):
    """The last boundary is n_in - 1. A region ends before its right boundary, so the last row would
    never be looked at."""
    return from_zero(ends(n_in, n_out, u)).clamp(max=n_in - 1)

@exercise.wrong(loses=(PROPERTIES, SEQUENCE), costs=0.75)
def sizes_of_the_regions(n_in, n_out, u):
    """These are the sizes of the regions. Their boundaries are asked for: 0, and then the sums of the sizes so far."""
    return ends(n_in, n_out, u).diff().long()

# --- the pooling

def pooling(costs):
    return exercise.wrong(of="fractional_max_pool", loses=LARGEST, costs=costs)

@pooling(0.75)
def rows_and_columns_exchanged(x, rows, cols):
    """The row boundaries cut the columns and the other way around. In (N, C, H, W) rows divide H, axis 2."""
    return rows_then_columns(x, cols, rows)

@exercise.also(rows_and_columns_exchanged, of="fractional_max_pool")
def rows_and_columns_exchanged_in_the_slices(x, rows, cols):
    return rows_then_columns(x, cols, rows).mT

@pooling(0.75)
def rows_for_both(x, rows, cols):
    """The row boundaries were used for the columns too. The two directions have their own."""
    return rows_then_columns(x, rows, rows)

@pooling(0.75)
def columns_for_both(x, rows, cols):
    """The column boundaries were used for the rows too. The two directions have their own."""
    return rows_then_columns(x, cols, cols)

@pooling(1)
def mean_instead_of_maximum(x, rows, cols):
    """This is the mean of each region; the exercise asks for its largest value."""
    return rows_then_columns(x, rows, cols, take=torch.mean)

@pooling(1)
def minimum_instead_of_maximum(x, rows, cols):
    """This is the smallest value of each region; the exercise asks for the largest."""
    return rows_then_columns(x, rows, cols, take=torch.amin)

@pooling(0.75)
def regions_overlap(x, rows, cols):
    """The regions contain their right and lower boundary, so neighbors overlap. A region ends before its right
    boundary (Graham's paper has an overlapping form too; it is not the one asked for)."""
    return rows_then_columns(x, rows, cols, beyond=1)

@pooling(0.5)
def maximum_starts_at_zero(x, rows, cols):
    """No result is below 0 although inputs are. The search for the maximum starts at 0 instead of at a value of the
    region."""
    return rows_then_columns(x, rows, cols).clamp(min=0)

@pooling(0.5)
def largest_size(x, rows, cols):
    """The largest values are taken without their signs. The largest number of a region is asked for, and of two
    negative numbers that is the one nearer to 0."""
    return rows_then_columns(x.abs(), rows, cols)

@pooling(1.5)
def corner_of_each_region(x, rows, cols):
    """This picks the upper left value of each region, whatever its size."""
    return x[:, :, rows[:-1]][..., cols[:-1]]

@pooling(1.5)
def corner_at_the_end(x, rows, cols):
    """This picks the lower right value of each region, whatever its size."""
    return x[:, :, rows[1:] - 1][..., cols[1:] - 1]

@pooling(0.5)
def result_turned(x, rows, cols):
    """Rows and columns of the result are exchanged. Row i, column j belongs to the region of row boundary i and column
    boundary j."""
    return rows_then_columns(x, rows, cols).mT

@pooling(1)
def columns_not_pooled(x, rows, cols):
    """Only the rows are pooled. The columns are divided in the same way, by their own boundaries."""
    return torch.stack([x[:, :, a:b].amax(2) for a, b in itertools.pairwise(rows)], dim=2)

@pooling(1)
def channels_merged(x, rows, cols):
    """One value was taken for all channels of an image. Each channel is pooled on its own."""
    return rows_then_columns(x.amax(dim=1, keepdim=True), rows, cols)

@pooling(1.5)
def adaptive_pooling(x, rows, cols):
    """The regions do not lie at the given boundaries but where PyTorch's adaptive pooling puts them, which overlap and
    are always the same."""
    return torch.nn.functional.adaptive_max_pool2d(x, (len(rows) - 1, len(cols) - 1))
