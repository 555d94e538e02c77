"""From a coarse search to the range of a finer one."""

import functools

import numpy as np
import torch

from autograder.exercise import Exercise
from exercises.draws import uniform
from exercises.search.shared import among, ranges, tensor

exercise = Exercise("refine-range", "refine_range(points, scores, keep, bounds)", returns="bounds")
BOX = exercise.criterion("the box of the best points, widened in the logarithm", 1.5, cases=("by hand", "one axis*"))
AXES = exercise.criterion("each axis on its own", 1, cases=("two*", "three*"))
CLIPPED = exercise.criterion("stays within the bounds", 1, cases="clipped*")

@exercise.cases
def cases(g):
    def case(n, d, keep, best=(0.3, 0.7), dtype=torch.float64):
        """Bounds, and points of which the best lie in a part of them: its edges and some between."""
        # Below 1, where a logarithm is negative and cannot be taken for a value.
        bounds = 0.001 * ranges(g, d)
        low, decades = bounds[:, 0].log10(), (bounds[:, 1] / bounds[:, 0]).log10()
        places = uniform(g, 0.02, 0.98, n, d)
        inner = torch.stack([torch.randperm(keep, generator=g) for _ in range(d)], dim=1) / (keep - 1)
        places[:keep] = best[0] + (best[1] - best[0]) * inner.double() ** uniform(g, 0.7, 1.4, d)
        places[-2], places[-1] = 0.02, 0.98
        scores = torch.cat([uniform(g, 0.6, 0.9, keep), uniform(g, 0.1, 0.5, n - keep)])
        order = torch.randperm(n, generator=g)
        points = 10 ** (low + decades * places)
        return {
            "points": points[order].to(dtype),
            "scores": scores[order].to(dtype),
            "keep": keep,
            "bounds": bounds.to(dtype),
        }

    by_hand = tensor(10.0, 1000.0, 100000.0, 1.0).reshape(4, 1), tensor(0.8, 0.9, 0.1, 0.5)
    yield "by hand", {"points": by_hand[0], "scores": by_hand[1], "keep": 2, "bounds": tensor(0.8, 1e6).reshape(1, 2)}
    yield "one axis", case(among(g, 9, 12), 1, 4)
    negative = case(among(g, 7, 9), 1, 3)
    yield "one axis, negative scores", {**negative, "scores": negative["scores"] - 2}
    yield "two axes", case(among(g, 10, 14), 2, 5)
    yield "two axes, float32", case(among(g, 8, 11), 2, 3, dtype=torch.float32)
    yield "three axes", case(among(g, 12, 15), 3, 6)
    yield "clipped below", case(among(g, 9, 12), 2, 4, best=(0.01, 0.6))
    yield "clipped above", case(among(g, 9, 12), 2, 3, best=(0.4, 0.98))

@exercise.reference
def axis_by_axis(points, scores, keep, bounds):
    order = sorted(range(len(scores)), key=lambda i: -float(scores[i]))[:keep]
    rows = []
    for axis in range(points.shape[1]):
        logs = [np.log10(float(points[i, axis])) for i in order]
        margin = (max(logs) - min(logs)) / (keep - 1) / 2
        low, high = 10 ** (min(logs) - margin), 10 ** (max(logs) + margin)
        rows.append([max(low, float(bounds[axis, 0])), min(high, float(bounds[axis, 1]))])
    return torch.tensor(rows, dtype=points.dtype)

@exercise.right
def all_axes_at_once(points, scores, keep, bounds):
    logs = points[scores.topk(keep).indices].log()
    low, high = logs.amin(0), logs.amax(0)
    margin = (high - low) / (2 * (keep - 1))
    box = torch.stack([low - margin, high + margin], dim=1).exp()
    return torch.maximum(torch.minimum(box, bounds[:, 1:]), bounds[:, :1])

@exercise.right
def ratios_without_logarithms(points, scores, keep, bounds):
    best = points[scores.argsort(descending=True)[:keep]]
    low, high = best.min(0).values, best.max(0).values
    factor = (high / low) ** (0.5 / (keep - 1))
    return torch.stack([torch.max(low / factor, bounds[:, 0]), torch.min(high * factor, bounds[:, 1])], dim=-1)

@exercise.right
def numpy_clipped_in_the_logarithm(points, scores, keep, bounds):
    best = np.log2(points.double().numpy()[np.argsort(scores.numpy())[-keep:]])
    edges = np.log2(bounds.double().numpy())
    half = np.diff(np.sort(best, axis=0), axis=0).mean(axis=0) / 2
    box = np.stack([best.min(axis=0) - half, best.max(axis=0) + half], axis=1)
    return torch.from_numpy(2 ** np.clip(box, edges[:, :1], edges[:, 1:])).to(points.dtype)

def chosen(points, scores, keep):
    return points[scores.argsort(descending=True)[:keep]]

def clip(box, bounds):
    return torch.maximum(torch.minimum(box, bounds[:, 1:]), bounds[:, :1])

def boxed(pick=chosen, by=lambda keep: 0.5 / (keep - 1), inside=clip):
    """A box of the points that `pick` picks, widened by a share `by(keep)` of its width, then clipped."""

    def answer(points, scores, keep, bounds):
        logs = pick(points, scores, keep).log()
        low, high = logs.amin(0), logs.amax(0)
        margin = (high - low) * by(keep)
        return inside(torch.stack([low - margin, high + margin], dim=1).exp(), bounds)

    return answer

def widened_by(share):
    """A mistake in how far the box is widened; the function says by which share of its width."""

    @functools.wraps(share)
    def answer(points, scores, keep, bounds):
        return boxed(by=share)(points, scores, keep, bounds)

    return answer

def picking(pick):
    """A mistake in which points are taken."""

    @functools.wraps(pick)
    def answer(points, scores, keep, bounds):
        return boxed(pick)(points, scores, keep, bounds)

    return answer

@exercise.wrong(loses=(BOX, AXES), costs=1)
@picking
def worst_points_kept(points, scores, keep):
    """The box holds the points with the lowest scores. A larger score is better here: these are accuracies, not
    losses."""
    return points[scores.argsort()[:keep]]

@exercise.wrong(loses=(BOX, AXES), costs=1)
@picking
def first_points_kept(points, scores, keep):
    """The box holds the points that come first. The scores say which are the best."""
    return points[:keep]

@exercise.wrong(loses=(BOX, AXES), costs=1.25)
@picking
def all_points_kept(points, scores, keep):
    """The box holds all points, so the range does not become finer. Only the best `keep` of them count."""
    return points

@exercise.wrong(loses=(BOX, AXES), costs=0.5)
@picking
def one_point_too_many(points, scores, keep):
    """The box holds one point more than `keep`."""
    return chosen(points, scores, keep + 1)

@exercise.wrong(loses=(BOX, AXES), costs=0.75)
@widened_by
def not_widened(keep):
    """The box ends at the outermost of the best points. The optimum may lie just outside of it: widen each side by half
    the mean gap."""
    return 0.0

@exercise.wrong(loses=(BOX, AXES), costs=0.25)
@widened_by
def widened_by_a_whole_gap(keep):
    """The box is widened by the mean gap between neighbors. Half of it was asked for."""
    return 1 / (keep - 1)

@exercise.wrong(loses=(BOX, AXES), costs=0.5)
@widened_by
def number_of_points_for_gaps(keep):
    """The width was divided by the number of points. Between them there is one gap less."""
    return 0.5 / keep

@exercise.wrong(loses=(BOX, AXES), costs=0.25)
@widened_by
def widened_by_a_quarter_gap(keep):
    """The box is widened by a quarter of the mean gap on each side. It should be half of it on each side, not half of
    it in all."""
    return 0.25 / (keep - 1)

@exercise.wrong(loses=(BOX, AXES), costs=0.5)
@widened_by
def widened_by_half_the_width(keep):
    """The box is widened by half of its whole width, so it is twice as wide whatever the number of points. The margin
    is half the mean gap between neighbors."""
    return 0.5

def linearly(points, scores, keep, bounds):
    best = chosen(points, scores, keep)
    low, high = best.amin(0), best.amax(0)
    margin = (high - low) / (keep - 1) / 2
    return clip(torch.stack([low - margin, high + margin], dim=1), bounds)

@exercise.wrong(loses=(BOX, AXES), costs=1)
def widened_without_the_logarithm(points, scores, keep, bounds):
    """The box was widened by a difference of the values, so it reaches down to the lower bound and hardly grows above.
    Take the logarithm of the points first, and go back at the end."""
    return linearly(points, scores, keep, bounds)

@exercise.wrong(loses=CLIPPED, costs=1)
def not_clipped(points, scores, keep, bounds):
    """The box reaches beyond the bounds. It should end at them."""
    return boxed(inside=lambda box, bounds: box)(points, scores, keep, bounds)

@exercise.wrong(loses=CLIPPED, costs=0.5)
def clipped_below_only(points, scores, keep, bounds):
    """The box is clipped at the lower bounds only."""
    return boxed(inside=lambda box, bounds: torch.maximum(box, bounds[:, :1]))(points, scores, keep, bounds)

@exercise.wrong(loses=CLIPPED, costs=0.5)
def clipped_above_only(points, scores, keep, bounds):
    """The box is clipped at the upper bounds only."""
    return boxed(inside=lambda box, bounds: torch.minimum(box, bounds[:, 1:]))(points, scores, keep, bounds)

def edges(box, bounds):
    """Each end clipped on its own side alone."""
    return torch.stack([torch.maximum(box[:, 0], bounds[:, 0]), torch.minimum(box[:, 1], bounds[:, 1])], dim=1)

@exercise.wrong(loses=(BOX, AXES, CLIPPED), costs=0.75)
def clip_turned_around(points, scores, keep, bounds):
    """The result is made of the bounds, and the box is hardly seen in it: minimum and maximum are exchanged in the
    clip."""
    return boxed(inside=outside)(points, scores, keep, bounds)

def outside(box, bounds):
    return torch.maximum(torch.minimum(box, bounds[:, :1]), bounds[:, 1:])

@exercise.also(clip_turned_around)
def clip_turned_around_from_above(points, scores, keep, bounds):
    return boxed(inside=lambda box, bounds: torch.minimum(torch.maximum(box, bounds[:, 1:]), bounds[:, :1]))(
        points, scores, keep, bounds
    )

@exercise.also(clip_turned_around)
def each_end_clipped_outward(points, scores, keep, bounds):
    return boxed(inside=outward)(points, scores, keep, bounds)

def outward(box, bounds):
    return torch.stack([torch.minimum(box[:, 0], bounds[:, 0]), torch.maximum(box[:, 1], bounds[:, 1])], dim=1)

def clipped_before_the_powers(log, power, inside):
    """The box in logarithms, clipped as if they were values."""
    def answer(points, scores, keep, bounds):
        logs = log(chosen(points, scores, keep))
        low, high = logs.amin(0), logs.amax(0)
        margin = (high - low) / (keep - 1) / 2
        return power(inside(torch.stack([low - margin, high + margin], dim=1), bounds))

    return answer

def ten_to_the(exponents):
    return 10**exponents

@exercise.wrong(loses=(BOX, AXES, CLIPPED), costs=0.75)
def logarithms_clipped_to_values(points, scores, keep, bounds):
    """Logarithms were clipped to the bounds, which are values. Clip logarithms to logarithms, or go back to values
    first."""
    return clipped_before_the_powers(torch.log10, ten_to_the, clip)(points, scores, keep, bounds)

for log, power in ((torch.log10, ten_to_the), (torch.log, torch.exp)):
    for inside in (clip, edges):
        exercise.also(logarithms_clipped_to_values)(clipped_before_the_powers(log, power, inside))

def back_by(log, power, inside):
    """The box taken back to values by another base."""
    def answer(points, scores, keep, bounds):
        logs = log(chosen(points, scores, keep))
        low, high = logs.amin(0), logs.amax(0)
        margin = (high - low) / (keep - 1) / 2
        return inside(power(torch.stack([low - margin, high + margin], dim=1)), bounds)

    return answer

@exercise.wrong(loses=(BOX, AXES), costs=0.75)
def two_bases_mixed(points, scores, keep, bounds):
    """The logarithms were taken to one base and raised to another, so the box lies elsewhere. Logarithm and power need
    the same base."""
    return back_by(torch.log10, torch.exp, clip)(points, scores, keep, bounds)

exercise.also(two_bases_mixed)(back_by(torch.log10, torch.exp, edges))
exercise.also(two_bases_mixed)(back_by(torch.log, ten_to_the, clip))
exercise.also(two_bases_mixed)(back_by(torch.log, ten_to_the, edges))

@exercise.wrong(loses=CLIPPED, costs=0.5)
def clipped_to_the_points(points, scores, keep, bounds):
    """The box ends where the outermost of all points lie. It may go as far as the bounds, between which they were
    drawn."""
    inside = torch.stack([points.amin(0), points.amax(0)], dim=1)
    return clip(boxed(inside=lambda box, bounds: box)(points, scores, keep, bounds), inside)

@exercise.wrong(loses=(BOX, AXES), costs=1.25)
def mean_and_deviation(points, scores, keep, bounds):
    """The box is the mean of the best points plus and minus their standard deviation. It can leave the best of them
    outside: the box should hold them all."""
    logs = chosen(points, scores, keep).log()
    mean, deviation = logs.mean(0), logs.std(0)
    return clip(torch.stack([mean - deviation, mean + deviation], dim=1).exp(), bounds)

@exercise.also(mean_and_deviation)
def mean_and_biased_deviation(points, scores, keep, bounds):
    logs = chosen(points, scores, keep).log()
    mean, deviation = logs.mean(0), logs.std(0, correction=0)
    return clip(torch.stack([mean - deviation, mean + deviation], dim=1).exp(), bounds)

@exercise.wrong(loses=(BOX, AXES), costs=0.75)
def exponents_returned(points, scores, keep, bounds):
    """These are logarithms. The bounds are asked for as values."""
    return boxed()(points, scores, keep, bounds).log10()

@exercise.also(exponents_returned)
def natural_exponents_returned(points, scores, keep, bounds):
    return boxed()(points, scores, keep, bounds).log()

@exercise.wrong(loses=AXES, costs=0.25)
def lows_then_highs(points, scores, keep, bounds):
    """Rows and columns are exchanged: all lower ends, then all upper ends. The exercise asks for a row for every axis,
    its lower and its upper end."""
    box = boxed()(points, scores, keep, bounds)
    return box if len(box) == 1 else box.T

@exercise.also(lows_then_highs)
def lows_then_highs_of_one_axis(points, scores, keep, bounds):
    return boxed()(points, scores, keep, bounds).T

@exercise.wrong(loses=AXES, costs=0.75)
def one_margin_for_all_axes(points, scores, keep, bounds):
    """All axes are widened by the same factor. Each has a width of its own, and a gap of its own."""
    logs = chosen(points, scores, keep).log()
    low, high = logs.amin(0), logs.amax(0)
    margin = (high - low).mean() / (keep - 1) / 2
    return clip(torch.stack([low - margin, high + margin], dim=1).exp(), bounds)

@exercise.wrong(loses=AXES, costs=0.75)
def one_box_for_all_axes(points, scores, keep, bounds):
    """All axes have the same box, from the smallest to the largest value on any of them. Each axis has ends of its
    own."""
    logs = chosen(points, scores, keep).log()
    low, high = logs.min(), logs.max()
    margin = (high - low) / (keep - 1) / 2
    return clip(torch.stack([low - margin, high + margin]).exp().repeat(len(bounds), 1), bounds)

exercise.also(one_margin_for_all_axes)(
    lambda points, scores, keep, bounds: _with_margin(points, scores, keep, bounds, torch.amax)
)

def _with_margin(points, scores, keep, bounds, take):
    logs = chosen(points, scores, keep).log()
    low, high = logs.amin(0), logs.amax(0)
    margin = take(high - low, 0) / (keep - 1) / 2
    return clip(torch.stack([low - margin, high + margin], dim=1).exp(), bounds)
