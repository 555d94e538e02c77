"""All masks of a layer: every unit is dropped or kept."""

import itertools

import numpy as np
import torch

from autograder.exercise import Case, Exercise, one_of
from exercises.dropout.shared import all_masks

exercise = Exercise("dropout-masks", "dropout_masks(n)", returns="masks")
OF_TWO = exercise.criterion("the four masks of two units", 1, cases="n = 2")
ANY_NUMBER = exercise.criterion(
    "every mask once for any number of units", 1, cases=("n = 1", "n = 3", "n = 5", "another n")
)

@exercise.cases
def cases(g):
    sizes = {"n = 2": 2, "n = 1": 1, "n = 3": 3, "n = 5": 5, "another n": one_of(g, 4, 6, 7, 8)}
    for name, n in sizes.items():
        yield name, Case({"n": n}, driver="dropout/rows-in-any-order")

exercise.reference(all_masks)

@exercise.right
def itertools_as_a_list(n):
    return list(itertools.product([0, 1], repeat=n))

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
    return np.array(np.meshgrid(*[[0, 1]] * n), dtype=np.float32).reshape(n, -1).T

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER))
def masks_in_columns(n):
    """Each mask stands in a column. A row is one mask, a column one unit: 2**n rows, n columns."""
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n))).T

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER))
def all_dropped_mask_missing(n):
    """The mask that drops every unit is missing. It is as possible as the others, and without it the probabilities do
    not sum to 1."""
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)))[1:]

@exercise.wrong(loses=ANY_NUMBER)
def only_two_units(n):
    """These are the lecture's four masks, whatever n is. With n units there are 2**n of them."""
    return torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER))
def counts_kept_units_only(n):
    """One mask for each number of kept units. Which units are kept matters too: keeping only the first and keeping only
    the second are two masks."""
    return torch.tensor(list(itertools.combinations_with_replacement([0.0, 1.0], n)))

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER))
def masks_repeated(n):
    """Some masks appear several times: exchanging two kept units gives the same mask, not a new one."""
    rows = [row for k in range(n + 1) for row in itertools.permutations([1.0] * k + [0.0] * (n - k))]
    return torch.tensor(rows)

@exercise.wrong(loses=ANY_NUMBER)
def n_squared_masks(n):
    """There are n*n rows. Every unit doubles the number of masks, so there must be 2**n."""
    return torch.tensor([[float(row >> bit & 1) for bit in range(n)] for row in range(n * n)])

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER))
def plus_minus_one(n):
    """The masks hold -1 where a unit is dropped. A dropped unit contributes nothing, so its entry is 0."""
    return torch.tensor(list(itertools.product([-1.0, 1.0], repeat=n)))

@exercise.wrong(loses=(OF_TWO, ANY_NUMBER))
def exactly_one_dropped(n):
    """Each mask drops exactly one unit. Every unit is dropped or kept on its own: none, some or all may go."""
    return 1 - torch.eye(n)
