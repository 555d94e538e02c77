"""The lecture's tip: a cost above 3 times the original one means that the run has exploded."""

import itertools
import math

import numpy as np
import torch

from autograder.exercise import Exercise
from exercises.draws import uniform
from exercises.search.shared import among, number, tensor

exercise = Exercise(
    "exploded", "exploded(costs, factor=3.0)", returns="index", dtype="an index is a whole number"
)
LIMIT = exercise.criterion(
    "finds the first cost above the limit",
    1.5,
    cases=("by hand", "falls first*", "rises*", "never*", "another*", "spikes*"),
)
EQUAL = exercise.criterion("a cost equal to the limit is not above it", 0.25, cases="equal*")
FINITE = exercise.criterion(
    "a cost that is not finite is an explosion", 1, cases=("not a number*", "infinite*", "the first*")
)

@exercise.cases
def cases(g):
    def falling(n, first):
        """Costs that fall, none twice the same, (n,)."""
        return first * torch.cat([tensor(1.0), uniform(g, 0.3, 0.9, n - 1).sort(descending=True).values])

    def with_end(start, *end):
        return torch.cat([start, tensor(*end)])

    first = number(g, 1.5, 2.5)
    yield "by hand", {"costs": tensor(2.0, 0.5, 1.0, 2.0, 5.0, 7.0, 9.0), "factor": 3.0}
    start = falling(among(g, 3, 6), first)
    end = first * tensor(0.2, 0.8, 2.4, 3.6, 30.0, 20.0)
    yield "falls first", {"costs": with_end(start, *end.tolist()), "factor": 3.0}
    # From one cost to the next it never more than doubles.
    steps = [first * 1.6**i for i in range(among(g, 4, 6))]
    yield "rises slowly", {"costs": tensor(first, 0.9 * first, *steps), "factor": 3.0}
    yield "never", {"costs": falling(among(g, 4, 7), first), "factor": 3.0}
    factor = number(g, 7.0, 11.0)
    ends = first * factor * tensor(0.5, 0.9, 1.1, 0.3)
    yield "another factor", {"costs": with_end(falling(among(g, 2, 5), first), *ends.tolist()), "factor": factor}
    factor = number(g, 1.3, 1.6)
    ends = first * factor * tensor(0.9, 1.1, 4.0)
    yield "another factor, float32", {
        "costs": with_end(falling(among(g, 3, 5), first), *ends.tolist()).float(), "factor": factor
    }
    yield "rises, the factor left out", {"costs": with_end(falling(among(g, 3, 5), first), 2.8 * first, 3.3 * first)}
    spike = first * tensor(5.0, 0.8, 0.7)
    yield "spikes and recovers", {"costs": with_end(falling(among(g, 3, 5), first), *spike.tolist()), "factor": 3.0}
    whole = float(among(g, 2, 5))
    yield "equal to the limit", {
        "costs": tensor(whole, *[whole / 2] * among(g, 2, 4), 4 * whole, whole, 5 * whole), "factor": 4.0
    }
    yield "not a number", {"costs": with_end(falling(among(g, 3, 6), first), math.nan, math.nan), "factor": 3.0}
    yield "infinite from below", {"costs": with_end(falling(among(g, 3, 6), first), -math.inf, 1.0), "factor": 3.0}
    yield "infinite", {"costs": with_end(falling(among(g, 3, 6), first), math.inf, math.nan), "factor": 3.0}
    later = uniform(g, 1, 2, 3).tolist()
    yield "the first is not a number", {"costs": tensor(math.nan, *later), "factor": 3.0}
    yield "the first is infinite", {"costs": tensor(math.inf, *later), "factor": 3.0}

@exercise.reference
def step_by_step(costs, factor=3.0):
    values = costs.tolist()
    for i, cost in enumerate(values):
        if math.isnan(cost) or math.isinf(cost) or cost > factor * values[0]:
            return i
    return -1

@exercise.right
def first_true_of_a_mask(costs, factor=3.0):
    bad = ~torch.isfinite(costs) | (costs > factor * costs[0])
    return int(bad.nonzero()[0]) if bad.any() else -1

@exercise.right
def next_with_a_default(costs, factor=3.0):
    return next((i for i, c in enumerate(costs) if not (-math.inf < c < math.inf and c <= factor * costs[0])), -1)

@exercise.right
def numpy_argmax(costs, factor=3.0):
    values = np.append(costs.double().numpy(), np.inf)
    with np.errstate(invalid="ignore"):
        place = np.argmax(~(np.isfinite(values) & (values <= factor * values[0])))
    return int(place) if place < len(costs) else -1

@exercise.right
def a_tensor_without_axes(costs, factor=3.0):
    return torch.tensor(step_by_step(costs, factor))

def first_where(bad):
    return next((i for i, found in enumerate(bad) if found), -1)

def not_finite(cost):
    return not math.isfinite(cost)

@exercise.wrong(loses=LIMIT, costs=0.75)
def against_the_smallest_so_far(costs, factor=3.0):
    """The cost is compared with the smallest one so far. A run that has learned much may rise again without being worse
    than at its start: compare with the original cost."""
    values = costs.tolist()
    smallest = itertools.accumulate(values, lambda a, b: min(a, b))
    return first_where(not_finite(c) or c > factor * low for c, low in zip(values, smallest, strict=True))

@exercise.wrong(loses=LIMIT, costs=0.75)
def against_the_one_before(costs, factor=3.0):
    """The cost is compared with the one before. A run that rises slowly never triples from one step to the next, and
    one that has fallen far may triple unharmed: compare with the original cost."""
    values = costs.tolist()
    before = values[:1] + values[:-1]
    return first_where(not_finite(c) or c > factor * b for c, b in zip(values, before, strict=True))

@exercise.wrong(loses=FINITE, costs=0.75)
def not_a_number_missed(costs, factor=3.0):
    """A cost that is not a number goes unnoticed. Every comparison with it is false, so it has to be asked for."""
    values = costs.tolist()
    return first_where(c > factor * values[0] for c in values)

@exercise.also(not_a_number_missed)
def infinities_alone_asked_for(costs, factor=3.0):
    values = costs.tolist()
    return first_where(math.isinf(c) or c > factor * values[0] for c in values)

@exercise.wrong(loses=FINITE, costs=0.25)
def infinities_missed(costs, factor=3.0):
    """NaN is found, but an infinite cost is not wherever it comes first or has a minus sign. The question is whether
    the cost is finite."""
    values = costs.tolist()
    return first_where(math.isnan(c) or c > factor * values[0] for c in values)

@exercise.wrong(loses=FINITE, costs=0.25)
def the_first_not_looked_at(costs, factor=3.0):
    """The search begins at the second cost. A run can be broken from the start, and then the first cost tells."""
    values = costs.tolist()
    return first_where(i > 0 and (not_finite(c) or c > factor * values[0]) for i, c in enumerate(values))

@exercise.wrong(loses=EQUAL)
def equality_counted(costs, factor=3.0):
    """A cost that equals the limit counts as an explosion. The rule says: larger."""
    values = costs.tolist()
    return first_where(not_finite(c) or c >= factor * values[0] for c in values)

@exercise.wrong(loses=(LIMIT, EQUAL, FINITE), costs=1.5)
def only_the_first_cost_looked_at(costs, factor=3.0):
    """Only the first cost was looked at: where it is fine, -1 comes back at once. That nothing explodes is known when
    all costs have been looked at."""
    return 0 if not_finite(float(costs[0])) else -1

@exercise.wrong(loses=LIMIT, costs=0.5)
def factor_ignored(costs, factor=3.0):
    """The limit is 3 times the first cost whatever the factor is. The factor is an argument, and 3 is its default."""
    return step_by_step(costs)

@exercise.wrong(loses=LIMIT, costs=0.75)
def factor_added(costs, factor=3.0):
    """The factor was added to the first cost. It multiplies it."""
    values = costs.tolist()
    return first_where(not_finite(c) or c > values[0] + factor for c in values)

@exercise.wrong(loses=LIMIT, costs=0.75)
def factor_taken_for_the_limit(costs, factor=3.0):
    """The factor itself is the limit. It says how many times the original cost is too much."""
    return first_where(not_finite(c) or c > factor for c in costs.tolist())

@exercise.wrong(loses=(LIMIT, EQUAL, FINITE), costs=0.5)
def counted_from_one(costs, factor=3.0):
    """The place is counted from 1. An index counts from 0."""
    found = step_by_step(costs, factor)
    return found if found < 0 else found + 1

@exercise.wrong(loses=LIMIT, costs=0.75)
def the_last_one(costs, factor=3.0):
    """This is the last cost above the limit. The run should be stopped at the first."""
    values = costs.tolist()
    bad = [i for i, c in enumerate(values) if not_finite(c) or c > factor * values[0]]
    return bad[0] if bad and not_finite(values[bad[0]]) else max(bad, default=-1)

@exercise.also(the_last_one)
def the_last_one_of_any_kind(costs, factor=3.0):
    values = costs.tolist()
    return max((i for i, c in enumerate(values) if not_finite(c) or c > factor * values[0]), default=-1)

@exercise.wrong(loses=(LIMIT, EQUAL, FINITE), costs=1)
def the_cost_itself(costs, factor=3.0):
    """The cost at the explosion comes back. Its index is asked for."""
    found = step_by_step(costs, factor)
    return float(costs[found]) if found >= 0 else -1

@exercise.wrong(loses=(LIMIT, EQUAL, FINITE), costs=1.5)
def yes_or_no(costs, factor=3.0):
    """Whether the run explodes comes back. The exercise asks for the index at which it does, or -1."""
    return step_by_step(costs, factor) >= 0

@exercise.wrong(loses=LIMIT, costs=0.25)
def length_where_nothing_explodes(costs, factor=3.0):
    """Where nothing explodes the number of costs comes back. The exercise asks for -1."""
    found = step_by_step(costs, factor)
    return len(costs) if found < 0 else found

@exercise.wrong(loses=LIMIT, costs=0.25)
def nothing_where_nothing_explodes(costs, factor=3.0):
    """Where nothing explodes None comes back. The exercise asks for -1."""
    found = step_by_step(costs, factor)
    return None if found < 0 else found

@exercise.wrong(loses=LIMIT, costs=0.25)
def zero_where_nothing_explodes(costs, factor=3.0):
    """Where nothing explodes 0 comes back, which is the place of the first cost. The exercise asks for -1."""
    return max(step_by_step(costs, factor), 0)

@exercise.wrong(loses=LIMIT, costs=0.5)
def fails_where_nothing_explodes(costs, factor=3.0):
    """Where nothing explodes the call fails: the first of no places was asked for. The exercise asks for -1."""
    bad = ~torch.isfinite(costs) | (costs > factor * costs[0])
    return int(bad.nonzero()[0])

@exercise.wrong(loses=LIMIT, costs=1.5)
def largest_cost(costs, factor=3.0):
    """This is where the cost is largest. The exercise asks for the first one above the limit, and -1 if there is
    none."""
    values = costs.tolist()
    bad = [i for i, c in enumerate(values) if not_finite(c)]
    return bad[0] if bad else int(costs.argmax())

@exercise.also(largest_cost)
def largest_cost_of_any_kind(costs, factor=3.0):
    return int(costs.argmax())

@exercise.wrong(loses=LIMIT, costs=1.5)
def only_what_is_not_finite(costs, factor=3.0):
    """Only costs that are not finite are found. A cost above the limit is an explosion as well, and comes long
    before."""
    return first_where(not_finite(c) for c in costs.tolist())

@exercise.wrong(loses=LIMIT, costs=0.75)
def against_the_mean_so_far(costs, factor=3.0):
    """The cost is compared with the mean of the costs so far, which moves. The limit is fixed by the original cost."""
    values = costs.tolist()
    means = [sum(values[: i + 1]) / (i + 1) for i in range(len(values))]
    return first_where(not_finite(c) or c > factor * mean for c, mean in zip(values, means, strict=True))
