"""All masks of a layer: every unit is dropped or kept."""

import itertools
import math

import numpy as np
import torch

from autograder.exercise import Case, Exercise, one_of
from exercises.dropout.shared import all_masks

exercise = Exercise(
    "dropout-masks",
    "dropout_masks(n)",
    returns="masks",
    dtype="zeros and ones may be booleans, integers or floats",
    inputs="its only input is a number, which cannot be changed",
)
OF_TWO = exercise.criterion("the four masks of two units", 0.75, cases="by hand, n = 2", outputs="masks")
ANY_NUMBER = exercise.criterion(
    "every mask once for any number of units",
    1,
    cases=("n = 1", "n = 3", "n = 5", "another n", "n = 9"),
    outputs="masks",
)
# Also asks for the masks: else any tensor would earn it.
TENSOR = exercise.criterion("gives them as one tensor", 0.25, cases="another n")

@exercise.cases
def cases(g):
    sizes = {"by hand, n = 2": 2, "n = 1": 1, "n = 3": 3, "n = 5": 5, "another n": one_of(g, 4, 6, 7), "n = 9": 9}
    for name, n in sizes.items():
        yield name, Case({"n": n}, driver="dropout/rows-in-any-order", outputs=("masks", "kind"))

exercise.reference(all_masks)

@exercise.right
def boolean_doubled_unit_by_unit(n):
    rows = [[False] * n]
    for unit in range(n):
        rows += [[kept or i == unit for i, kept in enumerate(row)] for row in rows]
    return torch.tensor(rows)

@exercise.right
def integers_from_all_kept_down(n):
    return torch.cartesian_prod(*[torch.tensor([1, 0])] * n).reshape(-1, n)

@exercise.right
def numpy_meshgrid(n):
    return torch.from_numpy(np.array(np.meshgrid(*[[0, 1]] * n), dtype=np.float32).reshape(n, -1).T)

@exercise.right
def digits_of_counted_numbers(n):
    return torch.arange(2**n).unsqueeze(1).bitwise_and(2 ** torch.arange(n)).ne(0)

@exercise.right
def by_the_units_that_are_kept(n):
    kept = [units for k in range(n + 1) for units in itertools.combinations(range(n), k)]
    return torch.tensor([[unit in units for unit in range(n)] for units in kept], dtype=torch.uint8)

def every_mask(n):
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)))

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER), costs=0.5)
def masks_in_columns(n):
    """Each mask stands in a column. A row is one mask, a column one unit: 2**n rows, n columns."""
    return every_mask(n).T

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER), costs=0.75)
def all_dropped_mask_missing(n):
    """The mask that drops every unit is missing. It is as possible as the others, and without it the probabilities do
    not sum to 1."""
    return every_mask(n)[1:]

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER), costs=0.75)
def all_kept_mask_missing(n):
    """The mask that keeps every unit is missing. It is as possible as the others, and without it the probabilities do
    not sum to 1."""
    return every_mask(n)[:-1]

@exercise.both(all_dropped_mask_missing, all_kept_mask_missing, costs=1)
def both_ends_missing(n):
    return every_mask(n)[1:-1]

@exercise.wrong(loses=ANY_NUMBER)
def only_two_units(n):
    """These are the lecture's four masks, whatever n is. With n units there are 2**n of them."""
    return torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER), costs=1.25)
def counts_kept_units_only(n):
    """One mask for each number of kept units. Which units are kept matters too: keeping only the first and keeping only
    the second are two masks."""
    return torch.tensor(list(itertools.combinations_with_replacement([0.0, 1.0], n)))

@exercise.also(counts_kept_units_only)
def first_ones_kept(n):
    return torch.ones(n + 1, n).tril(-1)

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER), costs=1)
def masks_repeated(n):
    """Some masks appear several times: exchanging two kept units gives the same mask, not a new one."""
    if n > 8:  # too many for the driver, which tells only how many
        return torch.zeros(1, 1).expand((n + 1) * math.factorial(n), n)
    return torch.tensor([row for k in range(n + 1) for row in itertools.permutations([1.0] * k + [0.0] * (n - k))])

@exercise.wrong(loses=ANY_NUMBER, costs=0.75)
def n_squared_masks(n):
    """There are n*n rows. Every unit doubles the number of masks, so there must be 2**n."""
    return torch.tensor([[float(row >> bit & 1) for bit in range(n)] for row in range(n * n)])

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER), costs=0.5)
def plus_minus_one(n):
    """The masks hold -1 where a unit is dropped. A dropped unit contributes nothing, so its entry is 0."""
    return 2 * every_mask(n) - 1

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER), costs=1.25)
def exactly_one_dropped(n):
    """Each mask drops exactly one unit. Every unit is dropped or kept on its own: none, some or all may go."""
    return 1 - torch.eye(n)

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER), costs=1.25)
def exactly_one_kept(n):
    """Each mask keeps exactly one unit. Every unit is dropped or kept on its own: none, some or all may stay."""
    return torch.eye(n)

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER), costs=1)
def only_one_unit_varies(n):
    """There are two masks, whatever n is: all units but one are the same in both. Each further unit doubles the number
    of masks: all those before it once with this unit kept, and once with it dropped."""
    return torch.tensor([[1.0] * (n - 1) + [kept] for kept in (0.0, 1.0)])

@exercise.also(only_one_unit_varies)
def only_the_first_varies(n):
    return torch.tensor([[kept] + [1.0] * (n - 1) for kept in (0.0, 1.0)])

@exercise.also(only_one_unit_varies)
def only_the_last_may_be_kept(n):
    return torch.tensor([[0.0] * (n - 1) + [kept] for kept in (0.0, 1.0)])

@exercise.also(only_one_unit_varies)
def only_the_first_may_be_kept(n):
    return torch.tensor([[kept] + [0.0] * (n - 1) for kept in (0.0, 1.0)])

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER), costs=0.5)
def digits_padded_on_the_right(n):
    """Some masks appear several times and others are missing. If the masks are the binary digits of counted numbers,
    the missing zeros belong before the digits: behind them, 1 becomes the same as 10."""
    return torch.tensor([[float(digit) for digit in f"{number:b}".ljust(n, "0")] for number in range(2**n)])

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER), costs=1)
def numbers_instead_of_digits(n):
    """These are the numbers from 0 to 2**n - 1. Each of them stands for a mask, but the mask is its row of n binary
    digits."""
    return torch.arange(2**n)

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER), costs=1.25)
def all_or_none(n):
    """There are two masks: keep all units, or drop all. Each unit is dropped or kept on its own, so there are 2**n
    combinations."""
    return torch.tensor([[0.0] * n, [1.0] * n])

@exercise.wrong(loses=ANY_NUMBER, costs=0.25)
def one_axis_for_one_unit(n):
    """Right but for a single unit: there the result has one axis, (2,) in place of (2, 1). A product over
    a single tensor may give back just that one: give it a second axis."""
    return every_mask(n) if n > 1 else torch.tensor([0.0, 1.0])

@exercise.wrong(loses=ANY_NUMBER, costs=0.25)
def eight_digits_only(n):
    """Right for up to eight units; for nine some masks appear twice and others are missing. Numbers of eight bits end
    at 255: whoever counts masks has to count in a wider integer."""
    codes = torch.arange(2**n) % 256
    return codes[:, None] >> torch.arange(n) & 1

@exercise.wrong(loses=TENSOR)
def not_a_tensor(n):
    """The masks come as a list, or as an array of another library. Everything here is a torch tensor: what uses the
    masks multiplies tensors by them."""
    return list(itertools.product([0, 1], repeat=n))

@exercise.also(not_a_tensor)
def numpy_array(n):
    return np.array(np.meshgrid(*[[0, 1]] * n)).reshape(n, -1).T
