"""A running average of a curve: exponential, causal, and corrected for its start (Kingma, Ba 2015, section 3)."""

import functools

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.draws import uniform
from exercises.regularization.shared import among, between

exercise = Exercise(
    "smooth-curve", "smooth(values, beta)", returns="smoothed", forbidden=("course_lib.regularization",)
)
AVERAGE = exercise.criterion("a corrected average of what came before", 2.25, cases=("average*", "constant*"))
SHORT = exercise.criterion("short curves, down to none", 0.75, cases="short*")

@exercise.cases
def cases(g):
    def case(values, beta, dtype=torch.float64):
        return Case({"values": values.to(dtype), "beta": beta})

    yield "average, by hand", case(torch.tensor([1.0, 7.0, 3.25, 0.25]), 0.5)
    yield "average", case(uniform(g, 0.5, 2.0, among(g, 8, 12)), between(g, 0.75, 0.85))
    yield "average, slow", case(uniform(g, 0.5, 2.0, 15), 0.9)
    yield "average, float32", case(uniform(g, 1.0, 3.0, 9), between(g, 0.55, 0.7), torch.float32)
    level = torch.full((4,), between(g, 2.0, 3.0))
    yield "constant, then a jump", case(torch.cat([level, uniform(g, 6.0, 8.0, 2)]), 0.8)
    yield "short, two values", case(torch.stack([uniform(g, 1.0, 2.0, 1), uniform(g, 4.0, 6.0, 1)]).flatten(), 0.7)
    yield "short, empty by hand", case(torch.zeros(0), 0.5)

@exercise.reference
def weighted_means(values, beta):
    """Each value by its definition: the mean of all before it and itself, weighted by powers of beta."""
    found = []
    for t in range(1, len(values) + 1):
        weights = [beta ** (t - 1 - k) for k in range(t)]
        found.append(sum(w * v for w, v in zip(weights, values[:t], strict=True)) / sum(weights))
    return torch.stack(found) if found else values.clone()

@exercise.right
def average_and_correction(values, beta):
    average, found = 0.0, []
    for t, value in enumerate(values.tolist(), 1):
        average = beta * average + (1 - beta) * value
        found.append(average / (1 - beta**t))
    return torch.tensor(found, dtype=values.dtype)

@exercise.right
def matrix_of_weights(values, beta):
    steps = torch.arange(len(values), dtype=values.dtype)
    weights = torch.tril(beta ** (steps[:, None] - steps).clamp(min=0))
    return weights @ values / weights.sum(1)

@exercise.right
def weight_of_the_new_value(values, beta):
    """A running mean whose new value has the weight (1 - beta) / (1 - beta^t)."""
    out = torch.empty_like(values)
    for i in range(len(values)):
        share = (1 - beta) / (1 - beta ** (i + 1))
        out[i] = values[i] if i == 0 else torch.lerp(out[i - 1], values[i], share)
    return out

@exercise.right
def numpy_sums(values, beta):
    """Two sums that are both faded, of the values and of their weights."""
    total, weight, found = 0.0, 0.0, []
    for value in values.numpy():
        total, weight = beta * total + value, beta * weight + 1
        found.append(total / weight)
    return torch.from_numpy(np.array(found, dtype=values.numpy().dtype))

def from_numbers(smooth):
    """An answer from a function of a list of floats."""

    @functools.wraps(smooth)
    def answer(values, beta):
        return torch.tensor(smooth(values.tolist(), beta), dtype=values.dtype)

    return answer

def averages(values, beta, average=0.0):
    """Plain exponential averages, from a start."""
    found = []
    for value in values:
        average = beta * average + (1 - beta) * value
        found.append(average)
    return found

def corrected(found, beta, shift=0):
    return [average / (1 - beta ** (t + shift)) for t, average in enumerate(found, 1)]

@exercise.wrong(loses=AVERAGE, costs=1.5)
@from_numbers
def correction_missing(values, beta):
    """The first values are too small: the average starts at zero and was not corrected for it. Divide by the sum of the
    weights that have been given so far."""
    return averages(values, beta)

@exercise.wrong(loses=AVERAGE, costs=1.25)
@from_numbers
def seeded_with_the_first_value(values, beta):
    """The average starts at the first value, which then keeps far too much weight. Start at zero, and divide by the
    weights given so far."""
    return averages(values, beta, values[0]) if values else []

@exercise.wrong(loses=AVERAGE, costs=0.75)
@from_numbers
def beta_weighs_the_new_value(values, beta):
    """beta is the weight of the new value here. It should be that of the past: the larger beta, the smoother the
    curve."""
    return corrected(averages(values, 1 - beta), 1 - beta)

@exercise.wrong(loses=AVERAGE, costs=1.5)
@from_numbers
def beta_weighs_the_new_value_without_correction(values, beta):
    """beta is the weight of the new value here, and the start at zero is not corrected. beta should be the weight of
    the past, and each average is divided by the weights given so far."""
    return averages(values, 1 - beta)

@exercise.wrong(loses=AVERAGE, costs=1)
@from_numbers
def corrected_value_carried_on(values, beta):
    """The corrected value went into the next average. Keep the plain average for that, and correct a copy of it for the
    result."""
    average, found = 0.0, []
    for t, value in enumerate(values, 1):
        average = (beta * average + (1 - beta) * value) / (1 - beta**t)
        found.append(average)
    return found

@exercise.wrong(loses=AVERAGE, costs=0.5)
@from_numbers
def one_step_too_many_in_the_correction(values, beta):
    """The correction counts one step too many. At the first value it should undo exactly the one weight given so
    far."""
    return corrected(averages(values, beta), beta, 1)

@exercise.wrong(loses=AVERAGE, costs=0.5)
def one_step_too_few_in_the_correction(values, beta):
    """The correction counts one step too few, so it divides by zero at the first value. There it should undo exactly
    the one weight given so far."""
    steps = torch.arange(len(values), dtype=values.dtype)
    return torch.tensor(averages(values.tolist(), beta), dtype=values.dtype) / (1 - beta**steps)

@exercise.wrong(loses=AVERAGE, costs=0.75)
@from_numbers
def corrected_by_the_last_step(values, beta):
    """All values were divided by the same number, the correction of the last step. Each has a correction of its own,
    which fades as the curve goes on."""
    return [average / (1 - beta ** len(values)) for average in averages(values, beta)]

@exercise.wrong(loses=AVERAGE, costs=1)
@from_numbers
def multiplied_by_the_correction(values, beta):
    """The average was multiplied by the sum of the weights where it should be divided by it, so the start became even
    smaller."""
    return [average * (1 - beta**t) for t, average in enumerate(averages(values, beta), 1)]

@exercise.wrong(loses=AVERAGE, costs=1)
@from_numbers
def weights_do_not_add_up(values, beta):
    """The values were added up with fading weights, and not divided by these weights: a constant curve rises."""
    return [average / (1 - beta) for average in averages(values, beta)]

@exercise.wrong(loses=AVERAGE, costs=1)
@from_numbers
def new_value_with_its_whole_weight(values, beta):
    """The whole curve is too high, by one factor: every new value was added with a weight of one, and the correction
    expects the share that is left beside beta."""
    return [average / (1 - beta) for average in corrected(averages(values, beta), beta)]

@exercise.wrong(loses=AVERAGE, costs=1.5)
@from_numbers
def mean_of_all_so_far(values, beta):
    """Each result is the plain mean of all values so far; beta does not enter. The weights should fade with the
    distance."""
    return [sum(values[:t]) / t for t in range(1, len(values) + 1)]

@exercise.wrong(loses=AVERAGE, costs=2)
@from_numbers
def window_that_looks_ahead(values, beta):
    """Each result is a mean of neighbors on both sides, so it uses values that are not yet known at that time. Only
    what came before, and the value itself, may enter."""
    return [sum(v) / len(v) for v in (values[max(0, t - 2) : t + 3] for t in range(len(values)))]

@exercise.also(window_that_looks_ahead)
def window_of_three_that_looks_ahead(values, beta):
    rows = values.tolist()
    means = [sum(v) / len(v) for v in (rows[max(0, t - 1) : t + 2] for t in range(len(rows)))]
    return torch.tensor(means, dtype=values.dtype)

@exercise.also(window_that_looks_ahead)
def zero_padded_window(values, beta):
    if not len(values):
        return values.clone()
    found = np.convolve(values.numpy(), np.ones(5) / 5, "same")[: len(values)]
    return torch.from_numpy(found.astype(values.numpy().dtype))

@exercise.also(window_that_looks_ahead)
def zero_padded_window_of_something(values, beta):
    return torch.from_numpy(np.convolve(values.numpy(), np.ones(5) / 5, "same")).to(values.dtype)

@exercise.wrong(loses=AVERAGE, costs=2)
def in_reverse(values, beta):
    """The average runs from the end to the beginning, so each result is made of what comes after it. Only what came
    before, and the value itself, may enter."""
    return weighted_means(values.flip(0), beta).flip(0)

@exercise.wrong(loses=AVERAGE, costs=1.5)
@from_numbers
def mean_of_a_window(values, beta):
    """Each result is the plain mean of the last few values. In an exponential average every earlier value keeps a
    weight, which fades by the same factor from step to step."""
    n = round(1 / (1 - beta))
    return [sum(values[max(0, t - n + 1) : t + 1]) / len(values[max(0, t - n + 1) : t + 1]) for t in range(len(values))]

@exercise.wrong(loses=AVERAGE, costs=0.75)
@from_numbers
def newest_value_left_out(values, beta):
    """Each result is made of the values before it, without its own. The newest value has the largest weight."""
    found = corrected(averages(values, beta), beta)
    return [*values[:1], *found[:-1]]

@exercise.wrong(loses=AVERAGE, costs=0.75)
@from_numbers
def beta_fixed(values, beta):
    """The result is what beta = 0.9 would give, whatever is passed. Use the argument."""
    return corrected(averages(values, 0.9), 0.9)

@exercise.wrong(loses=AVERAGE, costs=1)
@from_numbers
def smoothed_twice(values, beta):
    """The curve was smoothed twice: the result went through the average once more. That doubles its lag."""
    once = corrected(averages(values, beta), beta)
    return corrected(averages(once, beta), beta)

@exercise.wrong(loses=(AVERAGE, SHORT), costs=1.5)
@from_numbers
def last_value_only(values, beta):
    """Only the last average came back. The exercise asks for a curve as long as the one that came in."""
    return corrected(averages(values, beta), beta)[-1] if values else 0.0

@exercise.also(last_value_only)
@from_numbers
def last_value_only_of_something(values, beta):
    return corrected(averages(values, beta), beta)[-1]

@exercise.also(last_value_only)
def last_value_only_after_a_loop(values, beta):
    average = 0.0
    for t, value in enumerate(values, 1):
        average = beta * average + (1 - beta) * value
        last = average / (1 - beta**t)
    return last

@exercise.wrong(loses=(AVERAGE, SHORT), costs=1)
@from_numbers
def first_value_missing(values, beta):
    """The result is one value shorter than the curve. There is an average from the first value on."""
    return corrected(averages(values, beta), beta)[1:]

@exercise.wrong(loses=(AVERAGE, SHORT), costs=1)
@from_numbers
def start_included(values, beta):
    """The result is one value longer than the curve: it begins with the zero from which the average starts."""
    return [0.0, *corrected(averages(values, beta), beta)]

@exercise.wrong(loses=(AVERAGE, SHORT), costs=0.5)
def a_list_of_numbers(values, beta):
    """The numbers are right, but they are in a list. Everything here is a torch tensor: make one of the list, with the
    dtype of the curve."""
    return corrected(averages(values.tolist(), beta), beta)

@exercise.wrong(loses=SHORT, costs=0.5)
def empty_curve_fails(values, beta):
    """A curve without values stops the function: its first value was asked for. Before the first check of a training
    run there is nothing to smooth, and the result is as empty as the curve."""
    found = [values[0]]
    for value in weighted_means(values, beta)[1:]:
        found.append(value)
    return torch.stack(found)

@exercise.wrong(loses=SHORT, costs=0.5)
def nothing_to_stack(values, beta):
    """A curve without values stops the function: an empty list cannot be stacked. Before the first check of a training
    run there is nothing to smooth, and the result is as empty as the curve."""
    return torch.stack(list(weighted_means(values, beta)))

@exercise.both(seeded_with_the_first_value, empty_curve_fails)
def seeded_and_fails_if_empty(values, beta):
    average, found = values[0], []
    for value in values:
        average = beta * average + (1 - beta) * value
        found.append(average)
    return torch.stack(found)

for mistake in (correction_missing, beta_weighs_the_new_value, corrected_value_carried_on):
    exercise.both(mistake, nothing_to_stack)(
        lambda values, beta, mistake=mistake: torch.stack(list(mistake(values, beta)))
    )
