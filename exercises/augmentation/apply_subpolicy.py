"""AutoAugment (Cubuk et al. 2019): what one sub-policy does to an image."""

import functools
import itertools

import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import LIBRARY_IMAGES, numbered, picture
from exercises.draws import uniform

exercise = Exercise(
    "apply-subpolicy", "apply_subpolicy(image, subpolicy, operations, u)", returns="image", forbidden=LIBRARY_IMAGES
)
ORDER = exercise.criterion("applies the steps in order, each to the result of the one before", 1, cases="all*")
CHANCE = exercise.criterion("decides for every step by its own u", 1, cases="some*")

@exercise.cases
def cases(g):
    def case(image, steps, *u, spread=0.02):
        noise = torch.tensor(u, dtype=torch.float64) + uniform(g, 0.0, spread, len(u))
        inputs = {"image": image, "subpolicy": steps, "u": noise.to(image.dtype)}
        return Case(inputs, driver="augmentation/with-operations")

    def number(low, high):
        return round(float(uniform(g, low, high, 1)), 3)

    lighten = ("lighten", 0.8, number(0.15, 0.25))
    darken = ("brightness", 0.7, number(0.4, 0.6))
    rarely = ("gamma", 0.2, number(1.6, 2.4))
    never = [rarely, ("lighten", 0.0, 0.3)]
    small, brighter, darker = numbered(1, 2, 3), ("lighten", 0.6, 0.2), ("brightness", 0.7, 0.5)
    yield "some, by hand", case(small, [brighter, ("lighten", 0.5, 0.4), darker], 0.45, 0.5, 0.65, spread=0.0)
    yield "all, by hand", case(small, [brighter, darker], 0.3, 0.5, spread=0.0)
    # Light enough that some pixels leave the range from 0 to 1 in between.
    yield "all, three steps", case(picture(g, 3, 4, 5, low=0.6), [("gamma", 0.9, 1.5), lighten, darken], 0.8, 0.3, 0.55)
    yield "all, twice the same", case(picture(g, 2, 5, 4), [darken, ("shift", 0.5, 1), darken], 0.6, 0.1, 0.2)
    yield "some, first left out", case(picture(g, 3, 3, 6), [lighten, darken], 0.95, 0.6)
    yield "some, second left out, float32", case(picture(g, 2, 4, 4, dtype=torch.float32), [lighten, rarely], 0.7, 0.3)
    yield "some, middle left out", case(picture(g, 3, 5, 4), [lighten, rarely, darken], 0.05, 0.45, 0.6)
    often = ("gamma", 0.9, number(1.6, 2.4))
    yield "some, first and last left out", case(picture(g, 2, 3, 5), [lighten, often, darken], 0.9, 0.2, 0.85)
    yield "some, one step", case(picture(g, 1, 3, 4), [("gamma", 0.2, 2.0)], 0.1)
    yield "some, none", case(picture(g, 3, 4, 4), never, 0.6, 0.0, spread=0.0)

@exercise.reference
def apply(image, subpolicy, operations, u):
    y = image
    for position in range(len(subpolicy)):
        if float(u[position]) < subpolicy[position][1]:
            y = operations[subpolicy[position][0]](y, subpolicy[position][2])
    return y

@exercise.right
def by_zip(image, subpolicy, operations, u):
    for (name, probability, magnitude), chance in zip(subpolicy, u, strict=True):
        if chance < probability:
            image = operations[name](image, magnitude)
    return image

@exercise.right
def torch_where(image, subpolicy, operations, u):
    for i, (name, probability, magnitude) in enumerate(subpolicy):
        image = torch.where(u[i] < probability, operations[name](image, magnitude), image)
    return image

@exercise.right
def reduce_over_the_chosen_steps(image, subpolicy, operations, u):
    def applied(y, step):
        return operations[step[0]](y, step[2])

    chosen = itertools.compress(subpolicy, [r < p for r, (_, p, _) in zip(u.tolist(), subpolicy, strict=True)])
    return functools.reduce(applied, chosen, image)

@exercise.right
def recursion(image, subpolicy, operations, u):
    if not subpolicy:
        return image
    (name, probability, magnitude), *rest = subpolicy
    first = operations[name](image, magnitude) if u[0] < probability else image
    return recursion(first, rest, operations, u[1:])

def where(decide):
    """Steps are applied where `decide(u, i, probability)` says so."""

    @functools.wraps(decide)
    def answer(image, subpolicy, operations, u):
        for i, (name, probability, magnitude) in enumerate(subpolicy):
            if decide(u, i, probability):
                image = operations[name](image, magnitude)
        return image

    return answer

@exercise.wrong(loses=CHANCE)
@where
def always_applied(u, i, probability):
    """Every step is applied every time. Each has a probability, and u decides."""
    return True

@exercise.wrong(loses=CHANCE, costs=0.75)
@where
def comparison_reversed(u, i, probability):
    """A step is applied where it should be left out, and the other way around: it happens where u is below the
    probability."""
    return u[i] >= probability

@exercise.also(comparison_reversed)
@where
def above_the_probability(u, i, probability):
    return u[i] > probability

@exercise.wrong(loses=CHANCE, costs=0.75)
@where
def complement_of_the_probability(u, i, probability):
    """A step is applied with 1 minus its probability. It is the probability of being applied, not of being left out."""
    return u[i] < 1 - probability

@exercise.wrong(loses=CHANCE, costs=0.75)
@where
def one_number_for_all_steps(u, i, probability):
    """The first number in u decides about all steps. Each step has its own."""
    return u[0] < probability

@exercise.wrong(loses=CHANCE, costs=0.5)
@where
def numbers_in_reverse_order(u, i, probability):
    """The numbers in u are used from the last to the first. The first one decides about the first step."""
    return u[len(u) - 1 - i] < probability

@exercise.wrong(loses=CHANCE, costs=0.75)
@where
def probability_ignored(u, i, probability):
    """Every step is applied with probability 1/2. Each step brings its own probability."""
    return u[i] < 0.5

@exercise.wrong(loses=CHANCE, costs=0.25)
@where
def equal_counts_as_below(u, i, probability):
    """A step is also applied where u equals its probability. A step of probability 0 never happens, and u can be
    exactly 0."""
    return u[i] <= probability

@exercise.wrong(loses=ORDER, costs=0.75)
def last_step_first(image, subpolicy, operations, u):
    """The steps are applied in reverse order. Lightening and then scaling is not the same as scaling first."""
    return apply(image, subpolicy[::-1], operations, u.flip(0))

@exercise.wrong(loses=(ORDER, CHANCE), costs=1)
def probability_and_magnitude_exchanged(image, subpolicy, operations, u):
    """Probability and magnitude are exchanged. A step is a name, a probability and a magnitude, in this order."""
    return apply(image, [(name, magnitude, probability) for name, probability, magnitude in subpolicy], operations, u)

@exercise.wrong(loses=ORDER, costs=0.75)
def probability_as_magnitude(image, subpolicy, operations, u):
    """The operation gets the probability where it expects its magnitude."""
    return apply(image, [(name, p, p) for name, p, _ in subpolicy], operations, u)

@exercise.wrong(loses=(ORDER, CHANCE))
def results_thrown_away(image, subpolicy, operations, u):
    """The image comes back as it was. An operation returns a new image and leaves the one that it gets: keep what it
    returns."""
    return image.clone()

def on_the_original(decide):
    """Each step that is applied starts again from the original image."""

    @functools.wraps(decide)
    def answer(image, subpolicy, operations, u):
        y = image
        for i, (name, probability, magnitude) in enumerate(subpolicy):
            if decide(u, i, probability):
                y = operations[name](image, magnitude)
        return y

    return answer

@exercise.wrong(loses=ORDER)
@on_the_original
def each_on_the_original(u, i, probability):
    """Every step starts again from the original image, so only the last one shows. It acts on the result of the step
    before."""
    return u[i] < probability

@exercise.wrong(loses=ORDER, costs=0.75)
def one_step_at_most(image, subpolicy, operations, u):
    """After the first step that is applied no other follows. All steps get their chance."""
    for i, (name, probability, magnitude) in enumerate(subpolicy):
        if u[i] < probability:
            return operations[name](image, magnitude)
    return image

@exercise.wrong(loses=CHANCE, costs=0.5)
def stops_at_a_miss(image, subpolicy, operations, u):
    """The first step that is left out ends the sub-policy. The steps after it still get their chance."""
    for i, (name, probability, magnitude) in enumerate(subpolicy):
        if not u[i] < probability:
            break
        image = operations[name](image, magnitude)
    return image

@exercise.wrong(loses=ORDER)
def first_step_only(image, subpolicy, operations, u):
    """Only the first step is looked at. A sub-policy has several."""
    return apply(image, subpolicy[:1], operations, u)

@exercise.wrong(loses=ORDER, costs=0.5)
def two_steps_only(image, subpolicy, operations, u):
    """It is made for two steps. AutoAugment's sub-policies have two, but a sub-policy may have any number."""
    return apply(image, subpolicy[:2], operations, u)

@exercise.also(two_steps_only)
def exactly_two_steps(image, subpolicy, operations, u):
    first, second = subpolicy[:2]
    return apply(image, [first, second], operations, u)

@exercise.also(two_steps_only)
def the_first_and_the_second(image, subpolicy, operations, u):
    return apply(image, [subpolicy[i] for i in range(2)], operations, u)

@exercise.also(two_steps_only)
def no_more_and_no_less_than_two(image, subpolicy, operations, u):
    first, second = subpolicy
    return apply(image, [first, second], operations, u)

@exercise.wrong(loses=ORDER, costs=0.25)
def clamped_after_each_step(image, subpolicy, operations, u):
    """The image was limited to the range from 0 to 1 between the steps. What is cut off there does not come back when
    the next step makes the image darker; each step gets the result of the one before as it is."""
    for i, (name, probability, magnitude) in enumerate(subpolicy):
        if u[i] < probability:
            image = operations[name](image, magnitude).clamp(0, 1)
    return image

for decision in (comparison_reversed, always_applied, one_number_for_all_steps, equal_counts_as_below):
    exercise.both(each_on_the_original, decision)(on_the_original(decision.__wrapped__))
    exercise.both(last_step_first, decision)(
        lambda image, subpolicy, operations, u, decision=decision: (
            decision(image, subpolicy[::-1], operations, u if decision is one_number_for_all_steps else u.flip(0))
        )
    )
exercise.both(each_on_the_original, comparison_reversed)(on_the_original(above_the_probability.__wrapped__))
