"""Numbers that are evenly spread in the logarithm, as learning rates are drawn."""

import math

import numpy as np
import torch

from autograder.exercise import Exercise
from exercises.draws import uniform
from exercises.search.shared import number, tensor

exercise = Exercise("log-uniform", "log_uniform(low, high, u)", returns="values")
SPREAD = exercise.criterion("evenly spread in the logarithm", 1.5, cases=("by hand", "wide*", "narrow*"))
BOUNDS = exercise.criterion("u = 0 gives low, and u near 1 comes near high", 0.5, cases="the ends*")

@exercise.cases
def cases(g):
    def case(low, high, u):
        return {"low": low, "high": high, "u": u}

    yield "by hand", case(2.0, 20000.0, tensor(0.25, 0.0, 0.75, 0.5))
    low = 10 ** number(g, -6, -4)
    yield "wide", case(low, low * 10 ** number(g, 2.5, 4), uniform(g, 0.1, 0.9, 5))
    yield "wide, above 1", case(number(g, 0.2, 0.8), 10 ** number(g, 2, 3), uniform(g, 0.1, 0.9, 3))
    yield "wide, float32, a table of draws", case(
        10 ** number(g, -3, -2), 10 ** number(g, 0.5, 1), uniform(g, 0.1, 0.9, 2, 3).float()
    )
    yield "narrow", case(number(g, 0.01, 0.02), number(g, 0.08, 0.16), uniform(g, 0.3, 0.7, 4))
    low = number(g, 0.002, 0.004)
    yield "the ends", case(low, low * number(g, 30, 90), tensor(0.0, 1 - 1e-9))
    low = number(g, 2, 9)
    yield "the ends, above 1", case(low, low * number(g, 30, 90), tensor(1 - 1e-9, 0.0))

@exercise.reference
def by_exponents(low, high, u):
    a, b = math.log10(low), math.log10(high)
    return 10 ** (a + (b - a) * u)

@exercise.right
def product_of_powers(low, high, u):
    return low ** (1 - u) * high**u

@exercise.right
def natural_logarithm(low, high, u):
    return torch.exp(torch.lerp(torch.full_like(u, math.log(low)), torch.full_like(u, math.log(high)), u))

@exercise.right
def one_by_one(low, high, u):
    drawn = [low * (high / low) ** r for r in u.flatten().tolist()]
    return torch.tensor(drawn, dtype=u.dtype, device=u.device).view(u.shape)

@exercise.right
def numpy_in_octaves(low, high, u):
    a, b = np.log2([low, high])
    return torch.from_numpy(np.exp2(a + (b - a) * u.double().numpy())).to(u.dtype)

@exercise.wrong(loses=SPREAD, costs=1.5)
def evenly_spread_without_the_logarithm(low, high, u):
    """The numbers are evenly spread themselves, so about nine of ten lie in the highest decade. Their logarithms should
    be: spread the exponents first."""
    return low + (high - low) * u

@exercise.wrong(loses=(SPREAD, BOUNDS), costs=0.5)
def low_and_high_exchanged(low, high, u):
    """The range is run through from high to low. The spread is right, but u = 0 should give low, so that equal draws
    give equal numbers."""
    return high * (low / high) ** u

@exercise.wrong(loses=SPREAD, costs=1.25)
def reciprocals_evenly_spread(low, high, u):
    """The reciprocals are evenly spread, so nearly all numbers lie next to low. Spread the logarithms."""
    return 1 / (1 / low + (1 / high - 1 / low) * u)

@exercise.wrong(loses=(SPREAD, BOUNDS), costs=0.75)
def two_bases_mixed(low, high, u):
    """The exponents were taken to one base and raised to another, so even u = 0 does not give low. Logarithm and power
    need the same base."""
    return torch.exp(math.log10(low) + (math.log10(high) - math.log10(low)) * u)

@exercise.also(two_bases_mixed)
def natural_logarithm_and_powers_of_ten(low, high, u):
    return 10 ** (math.log(low) + (math.log(high) - math.log(low)) * u)

@exercise.wrong(loses=(SPREAD, BOUNDS), costs=1)
def exponents_returned(low, high, u):
    """These are the exponents. The numbers themselves are asked for: raise the base to them."""
    return math.log10(low) + (math.log10(high) - math.log10(low)) * u

@exercise.also(exponents_returned)
def natural_exponents_returned(low, high, u):
    return math.log(low) + (math.log(high) - math.log(low)) * u

@exercise.wrong(loses=(SPREAD, BOUNDS), costs=1)
def bounds_taken_for_exponents(low, high, u):
    """low and high were taken for exponents of ten. They are the bounds themselves: their logarithms are the exponents
    between which to draw."""
    return 10 ** (low + (high - low) * u)

@exercise.also(bounds_taken_for_exponents)
def bounds_taken_for_natural_exponents(low, high, u):
    return torch.exp(low + (high - low) * u)

@exercise.wrong(loses=(SPREAD, BOUNDS), costs=0.75)
def factor_of_low_forgotten(low, high, u):
    """The numbers run from 1 to the ratio of the bounds. They should begin at low."""
    return (high / low) ** u

@exercise.wrong(loses=(SPREAD, BOUNDS), costs=1)
def ratio_added_to_low(low, high, u):
    """A power of the ratio of the bounds was added to low. Even steps in the logarithm are equal factors: low is to be
    multiplied."""
    return low + (high / low) ** u

@exercise.wrong(loses=(SPREAD, BOUNDS), costs=1)
def difference_in_place_of_the_ratio(low, high, u):
    """The difference of the bounds was raised to the power u. Even steps in the logarithm are equal factors, and the
    factor from low to high is their ratio."""
    return low * (high - low) ** u

@exercise.wrong(loses=(SPREAD, BOUNDS), costs=0.75)
def low_is_the_first_factor(low, high, u):
    """Instead of the ratio of the bounds, the upper bound itself was raised to the power u. From low to high the factor
    is their ratio."""
    return low * high**u

@exercise.wrong(loses=(SPREAD, BOUNDS))
def noise_not_used(low, high, u):
    """Every number is the geometric mean of the bounds. u says where in the range each one lies."""
    return torch.full_like(u, math.sqrt(low * high))

@exercise.wrong(loses=SPREAD, costs=1)
def squares_evenly_spread(low, high, u):
    """The squares of the numbers are evenly spread, so they crowd at high even more than if the numbers were. Spread
    the logarithms."""
    return torch.sqrt(low**2 + (high**2 - low**2) * u)

@exercise.wrong(loses=SPREAD, costs=1)
def roots_evenly_spread(low, high, u):
    """The square roots of the numbers are evenly spread. That favors small numbers a little; for equally many in every
    decade spread the logarithms."""
    return (low**0.5 + (high**0.5 - low**0.5) * u) ** 2
