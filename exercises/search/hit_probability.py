"""How many random trials are enough?  Bergstra and Bengio (2012) count on one of the best 5%."""

import math

import numpy as np

from autograder.exercise import Case, Exercise
from exercises.search.shared import among, number

exercise = Exercise(
    "hit-probability",
    "hit_probability(n, top)",
    "draws_needed(confidence, top)",
    returns="result",
    dtype="plain numbers, not tensors",
    inputs="plain numbers cannot be overwritten",
)
HIT = exercise.criterion("the probability of at least one hit", 1.5, cases="hit*")
NEEDED = exercise.criterion("the smallest number of draws that is enough", 1.5, cases="needed*")

def trials(confidence, top):
    return math.log(1 - confidence) / math.log(1 - top)

@exercise.cases
def cases(g):
    def hit(n, top):
        return Case({"n": n, "top": top}, "hit_probability")

    def needed(low, high, part):
        """A confidence and a share for which the number of draws ends in the given part of a whole one, about."""
        top = number(g, low, high)
        whole = among(g, 20, 26) if low < 0.1 else among(g, 4, 7)
        confidence = 1 - (1 - top) ** (whole + part + number(g, -0.1, 0.1))
        return Case({"confidence": confidence, "top": top}, "draws_needed")

    yield "hit, by hand", hit(2, 0.5)
    yield "needed, by hand", Case({"confidence": 0.9, "top": 0.5}, "draws_needed")
    yield "hit", hit(among(g, 4, 9), number(g, 0.15, 0.25))
    yield "hit, many draws", hit(among(g, 30, 60), number(g, 0.02, 0.05))
    yield "hit, a rare one", hit(among(g, 50, 90), 1 / among(g, 200, 500))
    yield "needed, 59 by hand", Case({"confidence": 0.95, "top": 0.05}, "draws_needed")
    # Exact in binary, so that nothing but the rule decides: two draws give this confidence, and not more.
    yield "needed, just enough by hand", Case({"confidence": 0.75, "top": 0.5}, "draws_needed")
    yield "needed, a little more than a whole number", needed(0.05, 0.07, 0.2)
    yield "needed, a little less", needed(0.05, 0.07, 0.8)
    yield "needed, a large share", needed(0.25, 0.3, 0.3)
    yield "needed, more than half", needed(0.6, 0.65, 0.7)

@exercise.reference
class Reference:
    def hit_probability(n, top):
        missed = 1.0
        for _ in range(n):
            missed *= 1 - top
        return 1 - missed

    def draws_needed(confidence, top):
        n = 1
        while Reference.hit_probability(n, top) < confidence:
            n += 1
        return n

@exercise.right
class ByLogarithms:
    def hit_probability(n, top):
        return -math.expm1(n * math.log1p(-top))

    def draws_needed(confidence, top):
        return math.ceil(math.log1p(-confidence) / math.log1p(-top))

@exercise.right
class FirstHit:
    """The probability that the first hit comes at draw 1, 2, ..., summed up."""

    def hit_probability(n, top):
        return sum(top * (1 - top) ** i for i in range(n))

    def draws_needed(confidence, top):
        n, found = 0, 0.0
        while found < confidence:
            found += top * (1 - top) ** n
            n += 1
        return n

@exercise.right
class Numpy:
    def hit_probability(n, top):
        return 1 - np.prod(np.full(n, 1 - top))

    def draws_needed(confidence, top):
        return int(np.ceil(np.log(1 - confidence) / np.log(1 - top)))

def hit(costs):
    return exercise.wrong(loses=HIT, costs=costs, of="hit_probability")

def needed(costs):
    return exercise.wrong(loses=NEEDED, costs=costs, of="draws_needed")

@hit(1)
def shares_added(n, top):
    """The probabilities of the draws were added, which counts sequences with several hits more than once and can
    exceed 1. Ask for the probability that every draw misses."""
    return n * top

@exercise.also(shares_added, of="hit_probability")
def shares_added_up_to_one(n, top):
    return min(1.0, n * top)

@hit(0.5)
def every_draw_misses(n, top):
    """This is the probability that every draw misses. At least one hit is the opposite."""
    return (1 - top) ** n

@hit(1)
def every_draw_hits(n, top):
    """This is the probability that every draw hits. One hit is enough."""
    return top**n

@hit(0.75)
def not_every_draw_hits(n, top):
    """This is the probability that not every draw hits. The exercise asks for the probability that not every draw
    misses."""
    return 1 - top**n

@hit(0.75)
def exactly_one_hit(n, top):
    """This is the probability of exactly one hit. Two are as welcome: at least one is asked for."""
    return n * top * (1 - top) ** (n - 1)

@hit(0.5)
def one_draw_too_few(n, top):
    """This is the probability for one draw fewer."""
    return 1 - (1 - top) ** (n - 1)

@hit(0.75)
def first_hit_at_the_last_draw(n, top):
    """This is the probability that the first hit comes with the last draw. It may come with any."""
    return top * (1 - top) ** (n - 1)

@hit(0.5)
def limit_of_rare_hits(n, top):
    """This is the limit for many draws and a small share, an exponential. For the numbers given it is near, but not
    exact."""
    return 1 - math.exp(-n * top)

@needed(0.25)
def rounded_to_nearest(confidence, top):
    """The number of draws was rounded to the nearest whole number. Rounded down, it is not enough: the probability
    stays below the confidence."""
    return round(trials(confidence, top))

@needed(0.5)
def rounded_down(confidence, top):
    """The number of draws was rounded down. With one draw fewer than needed, the probability stays below the
    confidence."""
    return int(trials(confidence, top))

@needed(0.25)
def not_rounded(confidence, top):
    """The number of draws is not a whole number. The exercise asks for the smallest whole number that is enough."""
    return trials(confidence, top)

@needed(0.25)
def one_draw_too_many(confidence, top):
    """This is one draw more than needed."""
    return math.ceil(trials(confidence, top)) + 1

@needed(0.25)
def more_than_the_confidence(confidence, top):
    """Where a number of draws gives exactly the confidence, one draw more was asked for. At least the confidence is
    enough."""
    return int(trials(confidence, top)) + 1

@needed(1)
def confidence_divided_by_the_share(confidence, top):
    """The confidence was divided by the share, as if the probabilities of the draws could be added. They cannot: use
    the probability that all draws miss."""
    return math.ceil(confidence / top)

@exercise.also(confidence_divided_by_the_share, of="draws_needed")
def confidence_divided_without_rounding(confidence, top):
    return confidence / top

@needed(1)
def one_hit_on_average(confidence, top):
    """So many draws give one hit on average, and that leaves about a third of the searches without any. The confidence
    has to enter."""
    return math.ceil(1 / top)

@exercise.also(one_hit_on_average, of="draws_needed")
def one_hit_on_average_without_rounding(confidence, top):
    return 1 / top

@needed(0.75)
def logarithm_of_the_confidence(confidence, top):
    """The logarithm of the confidence was taken. What shrinks with every draw is the probability that all miss, and
    that may be at most 1 minus the confidence."""
    return math.ceil(math.log(confidence) / math.log(1 - top))

@needed(0.75)
def logarithms_of_the_wrong_numbers(confidence, top):
    """One or two draws seem to be enough: logarithms were taken of the wrong numbers, or divided the wrong way round.
    A draw misses with probability 1 minus the share, and all of them may miss with probability 1 minus the
    confidence."""
    return math.ceil(math.log(1 - confidence) / math.log(top))

@exercise.also(logarithms_of_the_wrong_numbers, of="draws_needed")
def both_logarithms_of_the_opposite(confidence, top):
    return math.ceil(math.log(confidence) / math.log(top))

@exercise.also(logarithms_of_the_wrong_numbers, of="draws_needed")
def ratio_upside_down(confidence, top):
    return math.ceil(math.log(1 - top) / math.log(1 - confidence))

@needed(0.25)
def limit_for_rare_hits(confidence, top):
    """The share itself stands where the logarithm belongs. For small shares the two are near, but the number of draws
    comes out too large."""
    return math.ceil(-math.log(1 - confidence) / top)
