"""AutoAugment (Cubuk et al. 2019): how many policies are there?"""

import functools
import math
import operator

import numpy as np
import torch

from autograder.exercise import Exercise

exercise = Exercise(
    "policy-space",
    "policy_space_size(operations, magnitudes, probabilities, steps, subpolicies)",
    returns="size",
    dtype="counts are whole numbers",
    inputs="whole numbers cannot be overwritten",
)
COUNTS = exercise.criterion("counts every choice of every step", 0.5, cases=("by hand", "one*"))
EXACT = exercise.criterion("exact where the number is large", 0.5, cases="exact*")

@exercise.cases
def cases(g):
    def case(*numbers):
        names = ("operations", "magnitudes", "probabilities", "steps", "subpolicies")
        return dict(zip(names, numbers, strict=True))

    a, b, c = (torch.randperm(4, generator=g)[:3] + 5).tolist()
    yield "by hand", case(2, 1, 2, 3, 2)
    yield "one step", case(3, 2, 4, 1, 1)
    yield "one sub-policy", case(a, b, c, 2, 1)
    yield "exact, AutoAugment", case(16, 10, 11, 2, 5)
    yield "exact", case(a + 6, b, c, 3, 6)

@exercise.reference
def step_by_step(operations, magnitudes, probabilities, steps, subpolicies):
    size = 1
    for _ in range(steps * subpolicies):
        size *= operations * magnitudes * probabilities
    return size

@exercise.right
def power(operations, magnitudes, probabilities, steps, subpolicies):
    return (operations * magnitudes * probabilities) ** (steps * subpolicies)

@exercise.right
def power_of_a_power(operations, magnitudes, probabilities, steps, subpolicies):
    one_step = math.prod((operations, magnitudes, probabilities))
    return pow(pow(one_step, steps), subpolicies)

@exercise.right
def product_of_all_choices(operations, magnitudes, probabilities, steps, subpolicies):
    choices = [operations, magnitudes, probabilities] * steps * subpolicies
    return functools.reduce(operator.mul, choices, 1)

@exercise.right
def numpy_with_python_s_integers(operations, magnitudes, probabilities, steps, subpolicies):
    choices = np.array([operations, magnitudes, probabilities] * (steps * subpolicies), dtype=object)
    return int(choices.prod())

@exercise.wrong(loses=EXACT)
def in_floating_point(operations, magnitudes, probabilities, steps, subpolicies):
    """The number was computed in floating point, or went through it, which keeps about 16 digits. Python's own integers
    have as many digits as needed: use them from the start."""
    return float(operations * magnitudes * probabilities) ** (steps * subpolicies)

@exercise.also(in_floating_point)
def back_from_floating_point(operations, magnitudes, probabilities, steps, subpolicies):
    return int(in_floating_point(operations, magnitudes, probabilities, steps, subpolicies))

@exercise.wrong(loses=EXACT)
def integer_overflow(operations, magnitudes, probabilities, steps, subpolicies):
    """The number does not fit into 64 bits and wrapped around. Python's own integers have no limit; those in tensors
    and arrays do."""
    size = power(operations, magnitudes, probabilities, steps, subpolicies)
    return (size + 2**63) % 2**64 - 2**63

@exercise.wrong(loses=COUNTS)
def sub_policies_multiplied(o, m, p, steps, subpolicies):
    """The number for one sub-policy was multiplied by how many there are. Each of them is chosen independently, so the
    numbers multiply with each other."""
    return (o * m * p) ** steps * subpolicies

@exercise.wrong(loses=COUNTS)
def steps_multiplied(o, m, p, steps, subpolicies):
    """The number for one step was multiplied by the number of steps. Each step is chosen independently, so the numbers
    multiply with each other."""
    return (o * m * p * steps) ** subpolicies

@exercise.wrong(loses=COUNTS)
def exponents_added(o, m, p, steps, subpolicies):
    """The numbers of steps and of sub-policies were added. Each sub-policy has that many steps, so they multiply."""
    return (o * m * p) ** (steps + subpolicies)

@exercise.wrong(loses=COUNTS)
def steps_ignored(o, m, p, steps, subpolicies):
    """Every sub-policy counts as one step. It has several, each with its own choices."""
    return (o * m * p) ** subpolicies

@exercise.wrong(loses=COUNTS)
def one_sub_policy_only(o, m, p, steps, subpolicies):
    """This is the number of different sub-policies. A policy consists of several."""
    return (o * m * p) ** steps

@exercise.wrong(loses=COUNTS, costs=0.75)
def choices_added(o, m, p, steps, subpolicies):
    """The choices within a step were added. Each operation goes with each magnitude and each probability."""
    return (o + m + p) ** (steps * subpolicies)

@exercise.wrong(loses=COUNTS, costs=0.75)
def operations_only(o, m, p, steps, subpolicies):
    """Only the operations were counted. Magnitude and probability are chosen too."""
    return o ** (steps * subpolicies)

@exercise.wrong(loses=COUNTS, costs=0.25)
def probabilities_left_out(o, m, p, steps, subpolicies):
    """The probabilities were left out. How often a step is applied is chosen like its strength."""
    return (o * m) ** (steps * subpolicies)

@exercise.wrong(loses=COUNTS, costs=0.25)
def magnitudes_left_out(o, m, p, steps, subpolicies):
    """The magnitudes were left out. The strength of a step is chosen, just as its probability is."""
    return (o * p) ** (steps * subpolicies)

@exercise.wrong(loses=COUNTS)
def steps_and_sub_policies_multiplied(o, m, p, steps, subpolicies):
    """The number for one step was multiplied by the number of all steps. Each step is chosen independently, so the
    numbers multiply with each other."""
    return o * m * p * steps * subpolicies

@exercise.wrong(loses=COUNTS)
def without_repetition(o, m, p, steps, subpolicies):
    """No choice was allowed twice. Steps may be alike, and sub-policies too."""
    return math.perm(o * m * p, steps * subpolicies)

@exercise.wrong(loses=COUNTS)
def counted_as_sets(o, m, p, steps, subpolicies):
    """Choices were counted as sets: none of them twice, and in no order. Steps may be alike, sub-policies too, and the
    order counts."""
    return math.comb(o * m * p, steps) ** subpolicies

for sets in (
    lambda choices, steps, subpolicies: math.comb(choices, steps * subpolicies),
    lambda choices, steps, subpolicies: math.comb(choices**steps, subpolicies),
    lambda choices, steps, subpolicies: math.comb(math.comb(choices, steps), subpolicies),
):
    exercise.also(counted_as_sets)(
        lambda o, m, p, steps, subpolicies, sets=sets: sets(o * m * p, steps, subpolicies)
    )

@exercise.wrong(loses=COUNTS, costs=0.25)
def order_ignored(o, m, p, steps, subpolicies):
    """Policies that differ in the order of their sub-policies were counted once. The lecture's number counts them
    separately."""
    return (o * m * p) ** (steps * subpolicies) // math.factorial(subpolicies)

@exercise.also(order_ignored)
def order_ignored_with_repetition(o, m, p, steps, subpolicies):
    return math.comb((o * m * p) ** steps + subpolicies - 1, subpolicies)

@exercise.wrong(loses=COUNTS, costs=0.25)
def operations_without_repetition(o, m, p, steps, subpolicies):
    """Within a sub-policy no operation was allowed twice. The steps are chosen independently: an operation may come
    again, even with the same strength."""
    return (math.perm(o, steps) * (m * p) ** steps) ** subpolicies

@exercise.also(operations_without_repetition)
def sets_of_operations(o, m, p, steps, subpolicies):
    return (math.comb(o, steps) * (m * p) ** steps) ** subpolicies

@exercise.wrong(loses=COUNTS, costs=0.25)
def numbers_of_the_lecture(o, m, p, steps, subpolicies):
    """Some of the numbers are those of AutoAugment, whatever is given. The function gets all five: use its
    arguments."""
    return (o * m * 11) ** (steps * subpolicies)

exercise.also(numbers_of_the_lecture)(lambda o, m, p, steps, subpolicies: (o * 10 * 11) ** (steps * subpolicies))
exercise.also(numbers_of_the_lecture)(lambda o, m, p, steps, subpolicies: (16 * 10 * 11) ** (steps * subpolicies))
exercise.also(numbers_of_the_lecture)(lambda o, m, p, steps, subpolicies: (16 * 10 * 11) ** 10)
